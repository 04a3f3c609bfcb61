"""`export`: a vector table to a file."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from vectorops.cli.progress import LoadProgress
from vectorops.cli.sizes import size_text
from vectorops.cli.state import state_of

if TYPE_CHECKING:
    from vectorops.embeddings.export import ExportReport


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("export")(export)


def export(
    context: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Table to export, such as item_emb.")],
    destination: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Path or s3://bucket/key that ends in .parquet, .csv or .npy."),
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Export a table to a file, all rows as they are at one moment; the file appears when it is whole.

    Parquet and CSV hold all columns but those that the table fills by itself. x.npy holds the vectors, and
    x.ids.npy beside it their ids. Each can be loaded again with load-embeddings, and gives the same vectors
    to the bit.
    """
    from vectorops.embeddings.export import export_table

    state = state_of(context)
    s3 = state.aws.client("s3") if destination.startswith("s3://") else None
    with state.connect() as connection, LoadProgress(state.err, f"Exporting {table}") as progress:
        report = export_table(
            connection, table, destination, overwrite=overwrite, s3=s3, on_progress=progress.update
        )
    state.emit(report, lambda console: _show(console, report))


def _show(console: Console, report: "ExportReport") -> None:
    rate = report.rows / report.elapsed_s if report.elapsed_s else 0
    ids = f" and {escape(report.ids)}" if report.ids else ""
    size = size_text(report.bytes_written)
    console.print(f"[green]Exported[/green] {escape(report.table)} to {escape(report.destination)}{ids}")
    console.print(f"  {report.rows:,} rows, {size} in {report.elapsed_s:.1f} s, {rate:,.0f} rows/s")
    console.print(f"  columns: {escape(', '.join(report.columns))}")
    if report.left_out:
        console.print(f"  columns left out: {escape(', '.join(report.left_out))}")
