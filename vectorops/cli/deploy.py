"""`deploy`, `plan` and `destroy`: the stack as a whole."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vectorops.cli.progress import ResourceProgress
from vectorops.cli.state import AppState, state_of
from vectorops.errors import UsageError

if TYPE_CHECKING:
    from vectorops.infra.plan import Plan

ACTION_STYLES = {"replace": "bold red", "delete": "red", "update": "yellow", "create": "green"}

LONGEST_LIST = 12

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
LoseDatabase = Annotated[
    list[str] | None,
    typer.Option(
        "--lose-database",
        metavar="NAME",
        help="Allow that this database is deleted or replaced, with all its data. Repeatable.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("deploy")(deploy)
    app.command("plan")(plan)
    app.command("destroy")(destroy)


def deploy(context: typer.Context, yes: Yes = False, lose_database: LoseDatabase = None) -> None:
    """Build the packages, show what would change, and apply exactly that.

    Needs --yes where there is no terminal to ask on. A database is never deleted or replaced unless
    --lose-database names it.
    """
    state = state_of(context)
    report = deploy_stack(state, assume_yes=yes, may_lose=lose_database or [])
    state.emit(report, lambda console: _show_deployed(console, state, report))


def plan(context: typer.Context) -> None:
    """Show what deploy would change, and change nothing."""
    state = state_of(context)
    found = _plan(state)
    state.emit(found, lambda console: show_plan(console, found))


def destroy(context: typer.Context, yes: Yes = False) -> None:
    """Delete everything the environment holds, data included.

    Asks for the environment's name. Where the database is protected against deletion (prod), set
    deletion_protection = false in its tfvars and deploy that first.
    """
    state = state_of(context)
    found = _plan(state, destroy=True)
    if not state.as_json:
        show_plan(state.err, found)
    if not found.is_empty:
        name = state.environment.name
        state.confirm("All of it will be gone. Type the environment's name", answer=name, assume_yes=yes)
    report = {"environment": state.environment.name, **_apply(state, found)}
    state.emit(report, lambda console: _show_destroyed(console, report))


def deploy_stack(state: AppState, *, assume_yes: bool, may_lose: list[str]) -> dict[str, Any]:
    """Bring the stack to what the sources say; return what changed, the time it took and the outputs."""
    if state.environment.is_local:
        from vectorops.local import up

        up(state.environment, on_step=state.note)
    found = _plan(state)
    if not found.is_empty:
        if not state.as_json:
            show_plan(state.err, found)
        refuse_database_loss(found, may_lose)
        state.confirm("Apply this?", assume_yes=assume_yes)
    applied = _apply(state, found)
    outputs = {name: output["value"] for name, output in state.terraform.outputs().items()}
    return {"environment": state.environment.name, **applied, "outputs": outputs}


def refuse_database_loss(found: "Plan", may_lose: list[str]) -> None:
    """Stop before a database would be deleted or replaced that the user has not named.

    Raises:
        UsageError: The plan loses such a database.
    """
    for change in found.changes:
        if change.loses_database and change.identifier not in may_lose:
            raise UsageError(
                f"this would {change.action} the database '{change.identifier}' and lose its data",
                why=f"{change.address}: {', '.join(change.because) or 'no longer configured'}",
                hint=f"if that is wanted, add --lose-database {change.identifier}",
            )


def show_plan(console: Console, found: "Plan") -> None:
    """Print a plan as a table: what is lost first and in red."""
    if found.is_empty:
        console.print("[green]No changes.[/green] What is deployed is what the sources say.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("action", "resource", "because"):
        table.add_column(title, overflow="fold")
    for action, address, because in plan_rows(found):
        table.add_row(action, escape(address), because, style=ACTION_STYLES[action])
    if found.changed_outputs and not found.changes:
        table.add_row("update", "outputs", ", ".join(found.changed_outputs), style=ACTION_STYLES["update"])
    console.print(table)
    console.print(f"Plan: {_counted(found.counts(), 'to {}')}.\n", style="bold")


def plan_rows(found: "Plan") -> list[tuple[str, str, str]]:
    """Return action, resource and reason of each change; many new resources are one row a module."""
    new = [change for change in found.changes if change.action == "create"]
    shown = [change for change in found.changes if change.action != "create" or len(new) <= LONGEST_LIST]
    rows = [(change.action, change.address, ", ".join(change.because)) for change in shown]
    if len(new) > LONGEST_LIST:
        modules = Counter(change.address.partition(".aws_")[0] for change in new)
        rows += [("create", f"{module}: {count} resources", "") for module, count in sorted(modules.items())]
    return rows


def _plan(state: AppState, *, destroy: bool = False) -> "Plan":
    from vectorops.infra.packages import build_packages

    state.note("building the packages of job and functions")
    build_packages(state.project, state.environment)
    with ResourceProgress(state.err, "Planning") as progress:
        state.terraform.init()
        return state.terraform.plan(destroy=destroy, on_event=progress.on_event)


def _apply(state: AppState, found: "Plan") -> dict[str, Any]:
    started = time.monotonic()
    if not found.is_empty:
        with ResourceProgress(state.err, "Applying", total=len(found.changes)) as progress:
            state.terraform.apply(on_event=progress.on_event)
    return {"changes": found.counts(), "elapsed_s": round(time.monotonic() - started, 1)}


def _show_deployed(console: Console, state: AppState, report: Mapping[str, Any]) -> None:
    if report["changes"]:
        console.print(f"[green]Deployed[/green] {_summary(report)}")
    else:
        console.print(f"[green]No changes:[/green] '{report['environment']}' is what the sources say.")
    width = max(map(len, report["outputs"]), default=0)
    for name, value in report["outputs"].items():
        # Not cut to the terminal: they are there to be copied.
        console.print(f"  {name:{width}}  {escape(str(value))}", soft_wrap=True)
    state.note("next: vectorops schema apply")


def _show_destroyed(console: Console, report: Mapping[str, Any]) -> None:
    if report["changes"]:
        console.print(f"[green]Destroyed[/green] {_summary(report)}")
    else:
        console.print(f"Nothing to destroy: '{report['environment']}' holds no resource.")


def _summary(report: Mapping[str, Any]) -> str:
    return f"'{report['environment']}' in {report['elapsed_s']:.0f} s: {_counted(report['changes'])}."


def _counted(counts: Mapping[str, int], wording: str = "{}d") -> str:
    """Return such as "3 created, 1 replaced", or by "to {}" "3 to create, 1 to replace"."""
    parts = [f"{counts[action]} {wording.format(action)}" for action in ACTION_STYLES if counts.get(action)]
    return ", ".join(parts) or "only outputs change"
