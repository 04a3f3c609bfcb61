"""`schema …`: the SQL migrations."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from vectorops.cli.state import AppState, state_of

if TYPE_CHECKING:
    from vectorops.database.migrations import Migration, MigrationStatus


def register(app: typer.Typer) -> None:
    """Add the command group to the app."""
    group = typer.Typer(no_args_is_help=True, help="Apply and inspect the SQL migrations of sql/.")
    group.command("apply")(apply)
    group.command("status")(status)
    app.add_typer(group, name="schema")


def apply(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the SQL that would run, to stdout.")
    ] = False,
) -> None:
    """Apply the migrations that the database does not have yet, each in its own transaction."""
    from vectorops.database.migrations import pending_sql

    state = state_of(context)
    if dry_run:
        with state.connect() as connection:
            typer.echo(pending_sql(connection, state.project.sql_dir), nl=False)
        return
    applied = apply_schema(state)
    names = [migration.file_name for migration in applied]
    state.emit({"applied": names}, lambda console: _show_applied(console, len(names)))
    state.note("next: vectorops load-embeddings FILE --table item_emb")


def status(context: typer.Context) -> None:
    """Show which migrations are applied, and which are to come."""
    from vectorops.database.migrations import migration_status

    state = state_of(context)
    with state.connect() as connection:
        found = migration_status(connection, state.project.sql_dir)
    report = {
        "version": found.version,
        "applied": found.applied,
        "pending": [migration.file_name for migration in found.pending],
    }
    state.emit(report, lambda console: _show_status(console, found))


def apply_schema(state: AppState) -> list["Migration"]:
    """Apply what is pending, with a line for each migration, and return it."""
    from vectorops.database.migrations import apply_migrations

    with state.connect() as connection:
        return apply_migrations(
            connection,
            state.project.sql_dir,
            on_applied=lambda migration: state.note(f"  [green]✓[/green] {migration.file_name}"),
            on_wait=state.note,
        )


def _show_applied(console: Console, count: int) -> None:
    console.print(
        f"[green]Applied {count} migrations.[/green]" if count else "[green]The schema is up to date.[/green]"
    )


def _show_status(console: Console, found: "MigrationStatus") -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("migration", "applied at", "by"):
        table.add_column(title)
    for done in found.applied:
        table.add_row(f"{done.version:04} {done.name}", f"{done.applied_at:%Y-%m-%d %H:%M}", done.applied_by)
    for migration in found.pending:
        table.add_row(f"{migration.version:04} {migration.name}", "[yellow]pending[/yellow]", "")
    console.print(table)
    if found.pending:
        console.print("next: vectorops schema apply")
