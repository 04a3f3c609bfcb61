"""`demo`: the whole chain on this machine, and again without changing anything."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from vectorops.cli.demo_live import latest_recommendations, show_live, stream_events
from vectorops.cli.deploy import deploy_stack
from vectorops.cli.embeddings import load_into
from vectorops.cli.glue import follow
from vectorops.cli.recommend import recommend_to_customer, show_items
from vectorops.cli.schema import apply_schema
from vectorops.cli.search_output import neighbours, show_result
from vectorops.cli.shop import read_shop
from vectorops.cli.source import fill_source, source_counts
from vectorops.cli.state import AppState, state_of
from vectorops.cli.train import train_model
from vectorops.errors import JobFailedError, UsageError

if TYPE_CHECKING:
    from vectorops.database.search import SearchResult

NEXT = (
    ("vectorops status", "what is there"),
    ("vectorops search item_emb --id {item} --exact", "compare the index with the truth"),
    ("vectorops stream send --count 5000", "more events; watch them with 'vectorops stream tail'"),
    ("vectorops recommend --customer {customer}", "ask the deployed inference API"),
    ("vectorops load-embeddings FILE --table my_emb --create", "your own embeddings"),
    ('psql "$(vectorops local dsn)"', "the database itself"),
    ("vectorops glue-run", "the ETL job again, followed live"),
    ("vectorops local down", "stop; 'local up' goes on, 'local reset' deletes"),
)


@dataclass(frozen=True)
class Step:
    """One step of the demo, as it went."""

    name: str
    outcome: str
    changed: bool
    elapsed_s: float


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("demo")(demo)


def demo(context: typer.Context) -> None:
    """Do the main job on this machine: deploy, run the pipeline on sample data, load, search, stream.

    Needs no AWS account and no Docker. What is there already is kept: a second run changes nothing.
    """
    state = state_of(context)
    if not state.environment.is_local:
        raise UsageError("the demo is for a local environment", hint="vectorops --env local demo")
    steps: list[Step] = []
    for name, work in STEPS:
        state.err.print(f"\n[bold cyan]▸ {name}[/bold cyan]")
        started = time.monotonic()
        outcome, changed = work(state)
        steps.append(Step(name, outcome, changed, round(time.monotonic() - started, 1)))
    item, user = _first_id(state, "item_emb"), _first_id(state, "user_emb")
    similar, recommended = _nearest(state, item, user)
    live, customer = latest_recommendations(state), read_shop(state).shoppers[0].number
    answer, who = recommend_to_customer(state, customer, limit=5)
    report = {
        "steps": steps,
        "changed": any(step.changed for step in steps),
        "similar_items": {"id": item, "neighbours": neighbours(similar)},
        "recommended_items": {"id": user, "neighbours": neighbours(recommended)},
        "live_recommendations": live,
        "inference_api": {"customer": customer, "items": answer},
    }

    def show(console: Console) -> None:
        console.print(f"\n[bold]The ten items nearest to item {item}[/bold]")
        show_result(console, similar)
        console.print(f"\n[bold]The ten items nearest to user {user}[/bold]")
        show_result(console, recommended)
        show_live(console, live)
        console.print()
        show_items(console, f"The inference API, asked for {who}", answer)
        _show_steps(console, steps)
        _show_next(console, item=item, customer=customer)

    state.emit(report, show)


def _deploy(state: AppState) -> tuple[str, bool]:
    changes = deploy_stack(state, assume_yes=True, may_lose=[])["changes"]
    counts = ", ".join(f"{count} {action}d" for action, count in changes.items())
    return counts or "no changes", bool(changes)


def _schema(state: AppState) -> tuple[str, bool]:
    applied = len(apply_schema(state))
    return (f"{applied} migrations applied" if applied else "up to date"), bool(applied)


def _source(state: AppState) -> tuple[str, bool]:
    from vectorops.source.sample import generate_sample

    before = source_counts(state)
    if not before:
        fill_source(state, generate_sample())
    there = ", ".join(f"{count:,} {table}" for table, count in source_counts(state).items())
    return (f"already there: {there}" if before else there), not before


def _etl(state: AppState) -> tuple[str, bool]:
    from vectorops.jobs import list_runs, start_run

    glue, job = state.aws.client("glue"), state.stack.glue_job_name
    done = next((run for run in list_runs(glue, job) if run.has_succeeded), None)
    if done:
        return f"already there: run {done.id}", False
    run, metrics = follow(state, job, start_run(glue, job, {}))
    if not run.has_succeeded:
        raise JobFailedError(f"run {run.id} of {job} ended as {run.state}", why=run.error)
    return f"{metrics['rows_written']:,} training rows in {metrics['files']} files", True


def _train(state: AppState) -> tuple[str, bool]:
    from vectorops.recommender.manifest import read_manifest

    manifest = read_manifest(state.aws.client("s3"), state.stack.ml_artifacts_bucket)
    if manifest:
        return f"already there: version {manifest.model_version}", False
    report, published = train_model(state)
    return f"version {published.manifest.model_version}: {report.summary()[0]}", True


def _load(table: str, file: str) -> Callable[[AppState], tuple[str, bool]]:
    def load(state: AppState) -> tuple[str, bool]:
        source = f"s3://{state.stack.ml_artifacts_bucket}/embeddings/{file}"
        report = load_into(state, [source], table=table)
        written = report.inserted + report.updated
        return f"{report.read:,} rows read, {written:,} written, {report.unchanged:,} unchanged", bool(
            written
        )

    return load


STEPS: tuple[tuple[str, Callable[[AppState], tuple[str, bool]]], ...] = (
    ("Deploy the stack", _deploy),
    ("Apply the schema", _schema),
    ("Fill the source database", _source),
    ("Run the ETL job", _etl),
    ("Train the model", _train),
    ("Load the items", _load("item_emb", "item_embeddings.csv")),
    ("Load the users", _load("user_emb", "user_embeddings.csv")),
    ("Stream events", stream_events),
)


def _first_id(state: AppState, table: str) -> str:
    from vectorops.database.tables import first_id, vector_table

    with state.connect() as connection:
        return str(first_id(connection, vector_table(connection, table)))


def _nearest(state: AppState, item: str, user: str) -> tuple["SearchResult", "SearchResult"]:
    """Return the items nearest to an item, and those nearest to a user's vector."""
    from vectorops.database.query import QueryById, stored_vector
    from vectorops.database.search import search
    from vectorops.database.tables import vector_table

    with state.connect() as connection:
        items, users = vector_table(connection, "item_emb"), vector_table(connection, "user_emb")
        similar = search(connection, items, QueryById(item))
        return similar, search(connection, items, stored_vector(connection, users, user))


def _show_steps(console: Console, steps: list[Step]) -> None:
    console.print("\n[bold]What it took[/bold]")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("step", "outcome", "seconds"):
        table.add_column(title, justify="right" if title == "seconds" else "left", overflow="fold")
    for step in steps:
        table.add_row(step.name, step.outcome, f"{step.elapsed_s:.1f}", style=None if step.changed else "dim")
    console.print(table)
    if not any(step.changed for step in steps):
        console.print("[green]Nothing was changed: everything was there already.[/green]")
    console.print()


def _show_next(console: Console, **names: object) -> None:
    console.print("[bold]Go on with[/bold]")
    table = Table(box=None, pad_edge=False, show_header=False)
    for command, purpose in NEXT:
        table.add_row(f"  {command.format(**names)}", f"[dim]{purpose}[/dim]")
    console.print(table)
