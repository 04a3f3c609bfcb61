"""`local …`: the AWS APIs and the PostgreSQL on this machine."""

import time
from collections import deque
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vectorops.cli.deploy import Yes
from vectorops.cli.state import AppState, state_of
from vectorops.cli.terminal import harmless
from vectorops.errors import UsageError

if TYPE_CHECKING:
    from vectorops.local import LocalStatus

FOLLOW_PAUSE_S = 0.3
STATE_STYLES = {"running": "green", "stopped": "dim", "crashed": "red"}


def register(app: typer.Typer) -> None:
    """Add the command group to the app."""
    group = typer.Typer(
        no_args_is_help=True, help="Run the laptop's AWS: up, down, status, logs, reset, dsn."
    )
    for command in (up, down, status, logs, reset, dsn):
        group.command()(command)
    app.add_typer(group, name="local")


def up(context: typer.Context) -> None:
    """Start the local target; it goes on in the background until 'local down'."""
    from vectorops.local import up as start

    state = _local_state(context)
    found = start(state.environment, on_step=state.note)
    state.emit(found, lambda console: _show(console, found))


def down(context: typer.Context) -> None:
    """Stop the local target and keep what it holds."""
    from vectorops.local import down as stop

    state = _local_state(context)
    found = stop(state.environment)
    state.emit(found, lambda console: _show(console, found))


def status(context: typer.Context) -> None:
    """Show whether the local target runs, and its databases; exit code 1 when it does not."""
    from vectorops.local import status as look

    state = _local_state(context)
    found = look(state.environment)
    state.emit(found, lambda console: _show(console, found))
    if found.state != "running":
        raise typer.Exit(1)


def logs(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as lines come, until Ctrl-C.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
) -> None:
    """Print the local target's log."""
    from vectorops.local import log_path

    path = log_path(_local_state(context).environment)
    if not path.is_file():
        raise UsageError(f"there is no log yet at {path}", hint="run 'vectorops local up'")
    with path.open(encoding="utf-8", errors="replace") as log:
        for line in deque(log, maxlen=lines):
            typer.echo(harmless(line.rstrip("\n")))
        while follow:
            if line := log.readline():
                typer.echo(harmless(line.rstrip("\n")))
            else:
                time.sleep(FOLLOW_PAUSE_S)


def reset(context: typer.Context, yes: Yes = False) -> None:
    """Stop the local target and delete all it holds: databases, buckets, Terraform state."""
    from vectorops.local import reset as delete

    state = _local_state(context)
    name = state.environment.name
    state.confirm(
        f"All data in {state.environment.state_dir} will be gone. Type the environment's name",
        answer=name,
        assume_yes=yes,
    )
    delete(state.environment)
    state.emit({"environment": name, "state": "empty"}, lambda console: console.print(f"'{name}' is empty."))


def dsn(
    context: typer.Context,
    password: Annotated[
        bool, typer.Option("--password", help="Put the password into the URL, for clients that read no file.")
    ] = False,
) -> None:
    """Print the database's URL for psql: psql "$(vectorops local dsn)". The password stays in a file."""
    state = _local_state(context)
    address = state.database_address
    file = None if password else address.write_password_file(state.environment.state_dir / "pgpass")
    url = address.url(file)
    state.emit({"url": url}, lambda _: typer.echo(url))


def _local_state(context: typer.Context) -> AppState:
    state = state_of(context)
    if not state.environment.is_local:
        raise UsageError(
            f"environment '{state.environment.name}' is on AWS, not on this machine",
            hint="choose a local one with --env, such as --env local",
        )
    return state


def _show(console: Console, found: "LocalStatus") -> None:
    style = STATE_STYLES.get(found.state, "")
    console.print(f"[{style}]{found.state}[/]" + (f" at {found.url}, pid {found.pid}" if found.pid else ""))
    if found.databases:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("database", "state", "port", "served by", "restarts"):
            table.add_column(title)
        for database in found.databases:
            row = (
                database.id,
                database.state,
                str(database.port),
                database.served_by,
                str(database.restarts),
            )
            table.add_row(*row)
        console.print(table)
    if found.state == "crashed":
        console.print(
            f"[red]{escape(found.last_error)}[/red]\nnext: vectorops local logs, then vectorops local up"
        )
