"""`index …`: plan, build, check and tune the vector index of a table."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from vectorops.cli.index_output import show_build, show_health, show_list, show_plan, show_tune
from vectorops.cli.machine import own_machine
from vectorops.cli.progress import IndexBuildProgress, MeasureProgress
from vectorops.cli.sizes import parse_size, size_text
from vectorops.cli.state import AppState, state_of
from vectorops.errors import UsageError

if TYPE_CHECKING:
    import psycopg

    from vectorops.database.index_plan import Wishes
    from vectorops.database.machine import Machine

Table = Annotated[str, typer.Argument(metavar="TABLE", help="Table, such as item_emb.")]
Type = Annotated[
    Literal["vector", "halfvec", "bit"] | None,
    typer.Option(
        help="What it holds: the vectors, halves of their size, or their signs.", show_default="as planned"
    ),
]
Metric = Annotated[
    Literal["cosine", "inner_product", "l2", "l1"] | None,
    typer.Option(help="The metric it serves.", show_default="that of the table's index, or cosine"),
]
M = Annotated[
    int | None,
    typer.Option("--m", help="Neighbours each row keeps: more find more.", show_default="as planned"),
]
EfConstruction = Annotated[
    int | None,
    typer.Option(help="Candidates they are chosen from: more find more, slower.", show_default="as planned"),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="maintenance_work_mem of the build, such as 2GB.", show_default="as planned"
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(min=0, help="Processes besides the first.", show_default="as planned"),
]
InstanceClass = Annotated[
    str | None,
    typer.Option(metavar="CLASS", help="Plan for this RDS instance class: db.r6g.large.", show_default=False),
]
Acu = Annotated[
    float | None,
    typer.Option(min=0.5, help="Plan for this many capacity units of Aurora.", show_default=False),
]
InstanceMemory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Plan for a server of this memory: 16GB.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the command group to the app."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Plan, build, check and tune the vector index of a table.",
    )
    group.command("list")(list_)
    for command in (plan, build, health, tune):
        group.command()(command)
    app.add_typer(group, name="index")


def list_(
    context: typer.Context,
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="Only of this table.")] = None,
) -> None:
    """List the vector indexes: what each holds and serves, its parameters, its size."""
    from vectorops.database.indexes import vector_indexes
    from vectorops.database.tables import list_vector_tables, vector_table

    state = state_of(context)
    with state.connect() as connection:
        tables = [vector_table(connection, table)] if table else list_vector_tables(connection)
        found = {one.full_name: vector_indexes(connection, one) for one in tables}
    rows = [
        {"table": name, **{key: value for key, value in vars(index).items() if key != "opclass"}}
        for name, indexes in found.items()
        for index in indexes
    ]
    state.emit(rows, lambda console: show_list(console, found))


def plan(
    context: typer.Context,
    table: Table,
    type: Type = None,
    metric: Metric = None,
    m: M = None,
    ef_construction: EfConstruction = None,
    memory: Memory = None,
    workers: Workers = None,
    instance_class: InstanceClass = None,
    acu: Acu = None,
    instance_memory: InstanceMemory = None,
    sample: Annotated[
        int, typer.Option(min=0, help="Rows whose build is timed, and rolled back; 0: none.")
    ] = 10_000,
) -> None:
    """Say which index suits a table and its server, what memory and time it takes, and how to build it.

    Each type is built on a sample of the rows to tell the time. The server is the one the table is on, the
    instance that AWS runs or this machine, unless another is named.
    """
    from vectorops.database.index_plan import plan_index
    from vectorops.database.tables import vector_table

    state = state_of(context)
    wishes = _wishes(memory, type=type, metric=metric, m=m, ef_construction=ef_construction, workers=workers)
    with state.connect() as connection:
        found = plan_index(
            connection,
            vector_table(connection, table),
            _machine(state, connection, instance_class, acu, instance_memory),
            wishes,
            sample_rows=sample,
            on_sample=lambda one: state.note(f"building an index of type {one} on a sample…"),
        )
    state.emit(found, lambda console: show_plan(console, found))


def build(
    context: typer.Context,
    table: Table,
    type: Type = None,
    metric: Metric = None,
    m: M = None,
    ef_construction: EfConstruction = None,
    memory: Memory = None,
    workers: Workers = None,
    blocking: Annotated[
        bool,
        typer.Option("--blocking", help="Let writes wait: faster, and the only way for a partitioned table."),
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep other indexes of the same metric.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build although there is such an index already.")
    ] = False,
) -> None:
    """Build an index beside the one in use, swap it in when it is complete, and drop the old one.

    Reads go on all the time, and writes too unless --blocking. What is not chosen is as 'index plan' has it.
    It can be interrupted: the old index stays in use, and the next build removes what is left.
    """
    from vectorops.database.index_build import build_index
    from vectorops.database.index_plan import plan_index
    from vectorops.database.tables import vector_table

    state = state_of(context)
    wishes = _wishes(memory, type=type, metric=metric, m=m, ef_construction=ef_construction, workers=workers)
    with state.connect() as connection, state.connect() as watcher:
        of = vector_table(connection, table)
        machine = _machine(state, connection)
        planned = plan_index(connection, of, machine, wishes, sample_rows=0)
        spec, settings = planned.proposed, planned.settings
        state.note(
            f"index of type {spec.type} for {spec.metric.replace('_', ' ')}, m {spec.m}, "
            f"ef_construction {spec.ef_construction}, memory {size_text(settings.maintenance_bytes)}, "
            f"{settings.workers} parallel workers"
        )
        with IndexBuildProgress(state.err, f"Indexing {of.full_name}") as progress:
            report = build_index(
                connection,
                watcher,
                of,
                spec,
                settings,
                concurrently=not blocking,
                keep=keep,
                rebuild=rebuild,
                on_progress=progress.update,
            )
    for warning in report.warnings:
        state.note(
            f"[yellow]warning:[/yellow] {warning}; build again with more --memory, or a smaller --type"
        )
    state.emit(report, lambda console: show_build(console, report))
    state.note(f"next: vectorops index tune {escape(shlex.quote(of.full_name))}")


def health(
    context: typer.Context,
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="Only of this table.", show_default="all")
    ] = None,
    queries: Annotated[
        int, typer.Option(min=0, help="Searches for each measure that 'tune' stored; 0: leave recall out.")
    ] = 100,
) -> None:
    """Look for what makes searches slow or incomplete, and name the command that mends each.

    Invalid, missing and duplicate indexes, bloat, dead rows, rows that no index holds, old statistics, and
    recall below what 'index tune' had reached. Exit code 1 when there is a problem; notes do not count.
    """
    from vectorops.database.index_health import index_health
    from vectorops.database.tables import list_vector_tables, vector_table

    state = state_of(context)
    with state.connect() as connection:
        searchable = [
            one for one in list_vector_tables(connection) if one.vector_type in ("vector", "halfvec")
        ]
        tables = [vector_table(connection, table)] if table else searchable
        reports = [
            index_health(
                connection,
                one,
                queries=queries,
                on_recall=lambda setting: state.note(
                    f"measuring the recall of {escape(setting.table_name)}…"
                ),
            )
            for one in tables
        ]
    state.emit(reports, lambda console: show_health(console, reports))
    if not all(report.is_healthy for report in reports):
        raise typer.Exit(1)


def tune(
    context: typer.Context,
    table: Table,
    recall: Annotated[float, typer.Option(help="Share of the true neighbours to find, 0 to 1.")] = 0.95,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Rows that a search wants.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Tune searches with this filter, as 'search' takes it. May be repeated: all hold."),
    ] = None,
    metric: Metric = None,
    first_pass: Annotated[
        Literal["column", "halfvec", "bit"] | None,
        typer.Option(help="Which index to tune.", show_default="the one searches use"),
    ] = None,
    queries: Annotated[
        int, typer.Option(min=1, help="Vectors of the table to search for, chosen at random.")
    ] = 100,
    queries_file: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Search for the vectors of this file instead: .npy or CSV."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure, and store nothing.")] = False,
) -> None:
    """Find the smallest ef_search that reaches a recall against exact search, and store it.

    Searches and functions use it from then on, within seconds. A filter is stored by its columns and
    operators: tune it with several values to cover several selectivities, and the largest ef_search counts.
    The table's own vectors are found more easily than new ones: where searches come from elsewhere, such as
    from texts, give some with --queries-file. Exit code 1 when no ef_search reaches the recall.
    """
    from vectorops.database.filters import parse_filters
    from vectorops.database.index_tune import Target, tune_index
    from vectorops.database.tables import vector_table
    from vectorops.embeddings.query_file import read_query_vectors

    state = state_of(context)
    target = Target(recall, k, parse_filters(where or []), metric, first_pass)
    vectors = read_query_vectors(queries_file)[1] if queries_file else None
    with state.connect() as connection, MeasureProgress(state.err, f"Tuning {table}") as progress:
        report = tune_index(
            connection,
            vector_table(connection, table),
            target,
            queries=queries,
            vectors=vectors,
            store=not dry_run,
            on_truth=progress.on_truth,
            on_step=progress.on_step,
        )
    state.emit(report, lambda console: show_tune(console, report))
    if not report.is_reached:
        raise typer.Exit(1)


def _wishes(memory: str | None, **wishes: Any) -> "Wishes":
    from vectorops.database.index_plan import Wishes

    return Wishes(maintenance_bytes=parse_size(memory) if memory else None, **wishes)


def _machine(
    state: AppState,
    connection: "psycopg.Connection[Any]",
    instance_class: str | None = None,
    acu: float | None = None,
    memory: str | None = None,
) -> "Machine":
    """Return the server that was named, or the one the database is on."""
    from vectorops.database.machine import Machine, acu_machine, instance_machine

    if sum(given is not None for given in (instance_class, acu, memory)) > 1:
        raise UsageError("--instance-class, --acu and --instance-memory say the same: give one of them")
    if acu is not None:
        return acu_machine(acu)
    if memory is not None:
        return Machine(parse_size(memory), None, "--instance-memory")
    if instance_class is None:
        return own_machine(state, connection)
    found = instance_machine(instance_class)
    if found is None:
        raise UsageError(
            f"the memory of instance class '{instance_class}' is not known", hint="give it: --instance-memory"
        )
    return found
