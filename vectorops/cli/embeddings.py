"""`load-embeddings`: files of embeddings into a vector table."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from vectorops.cli.progress import LoadProgress
from vectorops.cli.state import AppState, state_of
from vectorops.errors import RowsRejectedError

if TYPE_CHECKING:
    from vectorops.embeddings import LoadReport


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("load-embeddings")(load_embeddings)


def load_embeddings(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE…", help="Path, 'glob', s3://bucket/key, s3://bucket/prefix/, or -."),
    ],
    table: Annotated[str, typer.Option(help="Table to load into, such as item_emb.")],
    create: Annotated[bool, typer.Option("--create", help="Create the table if it is missing.")] = False,
    on_error: Annotated[
        Literal["stop", "reject"],
        typer.Option(
            help="A bad row: stop and load nothing, or put it into the rejects file and load the rest."
        ),
    ] = "stop",
    rejects: Annotated[
        Path | None, typer.Option(help="Where rejected rows go.", show_default="beside you")
    ] = None,
    id_column: Annotated[str, typer.Option(help="Column of the ids in the file.")] = "id",
    vector_column: Annotated[str, typer.Option(help="Column of the vectors in the file.")] = "embedding",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and write nothing.")] = False,
) -> None:
    """Load embeddings from CSV files into a table; all of a load becomes visible, or nothing.

    Only rows that differ are written, so loading a file again changes nothing. Files may be compressed with
    gzip or zstd. Exit code 6 means that rows were rejected, 7 that the data was wrong and nothing was loaded.
    """
    state = state_of(context)
    report = load_into(
        state,
        sources,
        table=table,
        create=create,
        on_error=on_error,
        rejects_path=rejects,
        id_column=id_column,
        vector_column=vector_column,
        dry_run=dry_run,
    )
    state.emit(report, lambda console: show_load(console, report))
    if report.rejected:
        raise RowsRejectedError(
            f"{report.rejected:,} rows were rejected",
            why=f"they are in {report.rejects_path}, each with its reason",
            hint="mend them there or in the source, and load again: rows that are in already stay as they are",
        )
