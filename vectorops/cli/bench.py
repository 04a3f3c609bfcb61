"""`bench`: how fast and how complete the searches of a table are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vectorops.cli.bench_chart import bench_page
from vectorops.cli.progress import MeasureProgress
from vectorops.cli.state import state_of
from vectorops.errors import UsageError

if TYPE_CHECKING:
    from vectorops.database.search_bench import BenchReport


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("bench")(bench)


def bench(
    context: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Table, such as item_emb.")],
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Rows that a search wants.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Filter, as 'search' takes it. May be repeated: all hold."),
    ] = None,
    concurrency: Annotated[
        str, typer.Option(metavar="N,…", help="How many search at once, each with a connection.")
    ] = "1,2,4,8",
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each is measured.")] = 5.0,
    queries: Annotated[int, typer.Option(min=1, help="Vectors of the table to search for.")] = 100,
    metric: Annotated[
        Literal["cosine", "inner_product", "l2", "l1"] | None,
        typer.Option(help="How to compare.", show_default="the metric of the table's index"),
    ] = None,
    ef_search: Annotated[
        int | None,
        typer.Option(help="Candidates that HNSW keeps.", show_default="what 'index tune' stored, or 40"),
    ] = None,
    first_pass: Annotated[
        Literal["column", "halfvec", "bit"] | None,
        typer.Option(help="Which index finds the candidates.", show_default="the one searches use"),
    ] = None,
    exact: Annotated[bool, typer.Option("--exact/--no-exact", help="Measure exact search too.")] = True,
    chart: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="HTML page to write.", show_default="bench-TABLE.html"),
    ] = None,
) -> None:
    """Measure the searches of a table: recall, searches a second, median and 99th percentile.

    It searches for some of the table's own vectors, through the index and exactly, with one and with several
    searchers at once, and writes a page with charts. It reads only, but it keeps the database busy.
    """
    from vectorops.database.filters import parse_filters
    from vectorops.database.search_bench import BenchOptions, bench_search
    from vectorops.database.search_options import SearchOptions
    from vectorops.database.tables import vector_table

    state = state_of(context)
    options = BenchOptions(
        k,
        parse_filters(where or []),
        _numbers(concurrency),
        seconds,
        queries,
        ("indexed", "exact") if exact else ("indexed",),
    )
    with state.connect() as connection:
        of = vector_table(connection, table)
    path = chart or Path(f"bench-{of.name.replace('/', '_')}.html")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write the chart to {path}", why=f"there is no folder {path.parent}")
    with MeasureProgress(state.err, f"Measuring {table}") as progress:
        report = bench_search(
            state.connect,
            of,
            SearchOptions(metric, ef_search, first_pass),
            options,
            on_truth=progress.on_truth,
            on_point=lambda one: progress.say(
                f"{one.kind}, {one.concurrency} at once: {one.searches_per_s:,.0f} searches/s"
            ),
        )
    if report.warning:
        state.note(f"[yellow]warning:[/yellow] {escape(report.warning)}")
    state.emit(report, lambda console: _show(console, report))
    try:
        path.write_text(bench_page(report), encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"cannot write the chart to {path}", why=exc.strerror or str(exc)) from exc
    state.note(f"chart: {escape(str(path))}")


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(",") if part.strip().isdecimal())
    if len(numbers) != len(text.split(",")) or not all(1 <= number <= 1_000 for number in numbers):
        raise UsageError(f"'{text}' is no list of numbers from 1 to 1000", hint="write it as 1,2,4,8")
    return numbers


def _show(console: Console, report: "BenchReport") -> None:
    where = f" where {escape(report.filter)}" if report.filter else ""
    console.print(f"[bold]{escape(report.table)}[/bold]: {report.rows:,} rows of {report.dimension}{where}")
    if report.index:
        how = f"{escape(report.index)} with ef_search {report.ef_search}"
        console.print(
            f"recall@{report.k} {report.recall:.3f} by {how}, for {report.queries} of the table's vectors"
        )
    else:
        console.print("PostgreSQL compared every row: exact")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("search", "at once", "searches/s", "median ms", "99 % ms"):
        table.add_column(name, justify="left" if name == "search" else "right")
    for one in report.points:
        table.add_row(
            one.kind,
            str(one.concurrency),
            f"{one.searches_per_s:,.1f}",
            f"{one.median_ms:.2f}",
            f"{one.p99_ms:.2f}",
        )
    console.print(table)
