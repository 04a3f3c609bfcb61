"""`load-embeddings` and `rollback`: files of embeddings into a vector table, and back."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vectorops.cli.glue_load import load_on_glue
from vectorops.cli.machine import own_machine
from vectorops.cli.progress import LoadProgress
from vectorops.cli.state import AppState, state_of
from vectorops.errors import RowsRejectedError

if TYPE_CHECKING:
    from vectorops.database.kept_tables import RollbackReport
    from vectorops.embeddings.load import LoadReport

_NAMED_FILES = 3


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("load-embeddings")(load_embeddings)
    app.command()(rollback)


def load_embeddings(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE", help="Path, folder, 'glob', s3://bucket/key, s3://bucket/prefix/, or -."
        ),
    ],
    table: Annotated[str, typer.Option(help="Table to load into, such as item_emb.")],
    mode: Annotated[
        Literal["upsert", "append", "replace"],
        typer.Option(
            help="upsert: insert, and update rows that differ. append: reject ids that are there. "
            "replace: put a new table with these rows in the place of the old one, which is kept."
        ),
    ] = "upsert",
    create: Annotated[bool, typer.Option("--create", help="Create the table if it is missing.")] = False,
    on_error: Annotated[
        Literal["stop", "reject"],
        typer.Option(
            help="A bad row: stop and load nothing, or put it into the rejects file and load the rest."
        ),
    ] = "stop",
    rejects: Annotated[
        Path | None, typer.Option(help="File for rejected rows.", show_default="named after table and time")
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="Name of the id column.", show_default="id")] = None,
    vector_column: Annotated[
        str | None, typer.Option(help="Name of the vector column.", show_default="embedding")
    ] = None,
    model_version: Annotated[
        str | None,
        typer.Option(
            help="The model that made the vectors, for the log; functions embed users by that version."
        ),
    ] = None,
    index_strategy: Annotated[
        Literal["auto", "insert", "rebuild"],
        typer.Option(
            help="Rows go through the table's indexes, or into a new table that is indexed and takes its "
            "place; auto measures which is quicker."
        ),
    ] = "auto",
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Let --mode replace leave a table without rows.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep what is read when the load is interrupted, and go on there when it is run again.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and write nothing.")] = False,
    engine: Annotated[
        Literal["local", "glue"],
        typer.Option(help="Read the files on this machine, or s3:// files on Spark workers beside the data."),
    ] = "local",
) -> None:
    """Load embeddings from files into a table; all of a load becomes visible, or nothing.

    Files are CSV, Parquet, Arrow, JSON lines or NumPy; their content says which. Columns that file and table
    share are loaded too.

    Only rows that differ are written, so loading a file again changes nothing. Files may be compressed with
    gzip or zstd. Exit code 6 means that rows were rejected, 7 that the data was wrong and nothing was loaded.
    A replaced table is kept: 'vectorops rollback TABLE' puts it back.
    """
    state = state_of(context)
    report = (load_on_glue if engine == "glue" else load_into)(
        state,
        sources,
        table=table,
        way={"mode": mode, "index_strategy": index_strategy, "allow_empty": allow_empty, "resume": resume},
        create=create,
        on_error=on_error,
        rejects_path=rejects,
        id_column=id_column,
        vector_column=vector_column,
        model_version=model_version,
        dry_run=dry_run,
    )
    if report.left_behind:
        state.note(
            f"[yellow]warning:[/yellow] {report.left_behind:,} rows were written to the old table meanwhile; "
            f"they are in {escape(report.kept or '')} only"
        )
    state.emit(report, lambda console: show_load(console, report))
    if report.rejected:
        raise RowsRejectedError(
            f"{report.rejected:,} of {report.read:,} rows were rejected",
            why=f"see {report.rejects_path}" if report.rejects_path else "this was a dry run",
            hint="mend them in the source and load it again: rows that are in already stay as they are",
        )


def rollback(
    context: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Table, such as item_emb.")],
    discard: Annotated[
        bool, typer.Option("--discard", help="Drop the kept table instead, and give its room back.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --discard.")] = False,
) -> None:
    """Put back the table that the last 'load-embeddings --mode replace' has replaced, in one step.

    The table in use is kept in its turn, so another rollback undoes this one. Searches go on meanwhile.
    """
    from vectorops.database.kept_tables import discard_kept_table, roll_back

    state = state_of(context)
    if discard:
        state.confirm(f"Drop the table that is kept for {table}?", assume_yes=yes)
    with state.connect() as connection:
        report = (discard_kept_table if discard else roll_back)(connection, table)
    state.emit(report, lambda console: show_rollback(console, report))


def show_rollback(console: Console, report: "RollbackReport") -> None:
    """Print what a rollback did."""
    if report.discarded:
        console.print(f"[green]Dropped[/green] what was kept for {escape(report.table)}")
        return
    model = f", model {escape(report.model_version)}" if report.model_version else ""
    console.print(f"[green]Rolled back[/green] {escape(report.table)}: {report.rows:,} rows{model}")
    console.print(f"  the other table is kept: 'vectorops rollback {escape(report.table)}' undoes this")


def load_into(
    state: AppState, sources: list[str], *, table: str, way: dict[str, Any] | None = None, **options: Any
) -> "LoadReport":
    """Load `sources` into `table` of the deployed database, with progress on stderr."""
    from vectorops.embeddings.load import load_embeddings as load
    from vectorops.embeddings.sources import find_sources, stored_bytes
    from vectorops.embeddings.writing import Way

    s3 = state.aws.client("s3") if any(source.startswith("s3://") for source in sources) else None
    found = find_sources(sources, stdin=sys.stdin.buffer if "-" in sources else None, s3=s3)
    with (
        state.connect() as connection,
        LoadProgress(state.err, f"Loading {table}", total_bytes=stored_bytes(found)) as progress,
    ):
        chosen = Way(
            **(way or {}),
            machine=own_machine(state, connection),
            on_phase=lambda phase: state.note(f"{phase}…"),
        )
        return load(connection, found, table=table, way=chosen, on_progress=progress.update, **options)


def show_load(console: Console, report: "LoadReport") -> None:
    """Print what a load did: one line, then the counts."""
    rate = report.read / report.elapsed_s if report.elapsed_s else 0
    done = "Replaced" if report.kept and report.mode == "replace" else "Loaded"
    verb = "[yellow]Checked[/yellow], nothing written:" if report.dry_run else f"[green]{done}[/green]"
    created = " (created)" if report.created else ""
    took = f"{report.read:,} rows in {report.elapsed_s:.1f} s, {rate:,.0f} rows/s"
    console.print(f"{verb} {escape(report.table)}{created}: {took}")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name in ("inserted", "updated", "unchanged", "rejected"):
        table.add_row(f"  {name}", f"{getattr(report, name):,}")
    console.print(table)
    if report.index_strategy == "rebuild" and report.mode != "replace":
        console.print(f"  into a new table: {escape(report.index_reason)}")
    elif report.index_strategy == "insert" and report.inserted + report.updated:
        console.print(f"  through the index: {escape(report.index_reason)}")
    if report.resumed_files:
        console.print(f"  {report.resumed_files:,} files had been read by an interrupted load")
    if report.kept:
        console.print(f"  the old table is kept: 'vectorops rollback {escape(report.table)}' puts it back")
    if report.ignored_columns:
        console.print(f"  columns left aside: {escape(', '.join(report.ignored_columns))}")
    if empty := report.empty_files:
        names = ", ".join([*empty[:_NAMED_FILES], *(["…"] if len(empty) > _NAMED_FILES else [])])
        console.print(f"  {len(empty):,} files without rows, passed over: {escape(names)}")
