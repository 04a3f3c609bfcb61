"""`glue-run` and `glue-status`: the batch job."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vectorops.cli.state import AppState, state_of
from vectorops.errors import JobFailedError, UsageError

if TYPE_CHECKING:
    from vectorops.jobs import JobRun

STATE_STYLES = {"SUCCEEDED": "green", "FAILED": "red", "TIMEOUT": "red", "ERROR": "red", "STOPPED": "yellow"}
LOG_TAIL_LINES = 20
# The job prints one such line at its end; vectorops/glue/ratings_etl.py says what is in it.
METRICS_MARK = "VECTOROPS_METRICS "


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("glue-run")(glue_run)
    app.command("glue-status")(glue_status)


def glue_run(
    context: typer.Context,
    job: Annotated[
        str | None, typer.Argument(help="Name of the job.", show_default="the ETL job of the stack")
    ] = None,
    arg: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Argument for this run. Repeatable.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run until it ends.")] = True,
    timeout_minutes: Annotated[
        int | None, typer.Option(min=1, help="Give up after this long.", show_default="the job's own limit")
    ] = None,
) -> None:
    """Start a Glue job and follow it; the exit code follows the run (8 when it fails).

    Ctrl-C asks whether to stop the run, or only the watching.
    """
    from vectorops.jobs import start_run

    state = state_of(context)
    name = job or state.stack.glue_job_name
    glue = state.aws.client("glue")
    run_id = start_run(glue, name, _arguments(arg or []), timeout_minutes=timeout_minutes)
    state.note(f"started run {run_id} of {name}")
    if not wait:
        started = {"job": name, "run_id": run_id}
        state.emit(started, lambda console: console.print(f"next: vectorops glue-status {run_id}"))
        return
    run, metrics = follow(state, name, run_id)
    state.emit(run_report(run, metrics), lambda console: show_run(console, run, metrics))
    if not run.has_succeeded:
        raise JobFailedError(f"run {run_id} of {name} ended as {run.state}", why=run.error)


def glue_status(
    context: typer.Context,
    run_id: Annotated[
        str | None, typer.Argument(help="Run to show in detail.", show_default="all runs")
    ] = None,
    job: Annotated[
        str | None, typer.Option(help="Name of the job.", show_default="the ETL job of the stack")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many runs to list, latest first.")] = 20,
) -> None:
    """Show the runs of a job, or one run with its error and the end of its log."""
    from vectorops.jobs import get_run, list_runs

    state = state_of(context)
    name = job or state.stack.glue_job_name
    glue = state.aws.client("glue")
    if run_id is None:
        runs = list_runs(glue, name, limit=limit)
        state.emit([run_report(run, {}) for run in runs], lambda console: show_runs(console, name, runs))
        if not runs and name == state.stack.glue_job_name:
            state.note("next: vectorops glue-run")
        return
    run = get_run(glue, name, run_id)
    lines = _log_lines(state, run)
    metrics = _metrics(lines)
    tail = [line for line in lines if METRICS_MARK not in line][-LOG_TAIL_LINES:]
    report = {**run_report(run, metrics), "log_tail": tail}
    state.emit(report, lambda console: show_run(console, run, metrics, [] if run.has_succeeded else tail))


def follow(state: AppState, job: str, run_id: str) -> tuple["JobRun", dict[str, Any]]:
    """Follow a run to its end; return it with the figures it reports. Ctrl-C asks what to stop."""
    from vectorops.jobs import follow_run, stop_run

    lines: list[str] = []

    def on_log(line: str) -> None:
        lines.append(line)
        if METRICS_MARK not in line:
            state.err.print(f"  [dim]{escape(line)}[/dim]")

    def on_state(run: "JobRun") -> None:
        state.err.print(f"[{STATE_STYLES.get(run.state, 'cyan')}]{run.state}[/]")

    glue, logs = state.aws.client("glue"), state.aws.client("logs")
    try:
        run = follow_run(glue, logs, job, run_id, on_state=on_state, on_log=on_log)
    except KeyboardInterrupt:
        if state.interactive and not typer.confirm("\nStop the run too? It goes on otherwise", err=True):
            of_job = "" if job == state.stack.glue_job_name else f" --job {job}"
            state.note(f"the run goes on; next: vectorops glue-status {run_id}{of_job}")
            raise
        stop_run(glue, job, run_id)
        run = follow_run(glue, logs, job, run_id, on_state=on_state, on_log=lines.append)
    return run, _metrics(lines)


def run_report(run: "JobRun", metrics: dict[str, Any]) -> dict[str, Any]:
    """Return a run and the figures it reports as one flat object."""
    return {
        "job": run.job,
        "run_id": run.id,
        "state": run.state,
        "started_at": str(run.started_at) if run.started_at else None,
        "execution_s": run.execution_s,
        "estimated_cost_usd": run.estimated_cost_usd,
        "error": run.error or None,
        "arguments": dict(run.arguments),
        **metrics,
    }


def show_run(
    console: Console, run: "JobRun", metrics: dict[str, Any], log_tail: list[str] | None = None
) -> None:
    """Print one run: its end, its figures, and where it failed the error and the end of its log."""
    style = STATE_STYLES.get(run.state, "cyan")
    console.print(f"[{style}]{run.state}[/] {run.id} after {run.execution_s} s")
    table = Table(box=None, pad_edge=False, show_header=False)
    for key, value in metrics.items():
        table.add_row(f"  {key.replace('_', ' ')}", escape(_figure(value)))
    table.add_row(
        "  cost on AWS", f"about ${run.estimated_cost_usd:.4f} ({run.workers} workers {run.worker_type})"
    )
    console.print(table)
    if run.error:
        console.print(f"[red]{escape(run.error)}[/red]")
    for line in log_tail or []:
        console.print(f"  [dim]{escape(line)}[/dim]")


def _arguments(pairs: list[str]) -> dict[str, str]:
    arguments = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--arg {pair} is not KEY=VALUE", hint="write it as --arg partition_by=country")
        arguments[f"--{key.removeprefix('--')}"] = value
    return arguments


def _log_lines(state: AppState, run: "JobRun") -> list[str]:
    from vectorops.jobs.follow import LogTail

    return LogTail(state.aws.client("logs"), f"{run.log_group}/output", run.id).read_new()


def _metrics(lines: list[str]) -> dict[str, Any]:
    found = [line.partition(METRICS_MARK)[2] for line in lines if METRICS_MARK in line]
    return dict(json.loads(found[-1])) if found else {}


def show_runs(console: Console, job: str, runs: list["JobRun"]) -> None:
    """Print the runs of a job, newest first."""
    if not runs:
        console.print(f"{job} has not run yet.")
        return
    console.print(f"[bold]{'started':19}  {'state':9}  {'seconds':>7}  {'cost':>8}  run[/bold]")
    for run in runs:
        started = f"{run.started_at:%Y-%m-%d %H:%M:%S}" if run.started_at else ""
        state = f"[{STATE_STYLES.get(run.state, 'cyan')}]{run.state:9}[/]"
        figures = f"{run.execution_s:7}  {f'${run.estimated_cost_usd:.4f}':>8}"
        # The id is not cut to the terminal: it is there to be copied.
        console.print(f"{started:19}  {state}  {figures}  {run.id}", soft_wrap=True)
        if run.error:
            console.print(f"    [red]{escape(run.error)}[/red]")


def _figure(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_figure(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
