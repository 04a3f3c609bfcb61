"""`status`: what an environment holds."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vectorops.cli.sizes import size_text
from vectorops.cli.state import AppState, state_of

if TYPE_CHECKING:
    from vectorops.database.inspection import DatabaseState, TableState
    from vectorops.database.load_log import Load

GOOD_STATES = ("ACTIVE", "Active", "available", "SUCCEEDED", "exists")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("status")(status)


def status(context: typer.Context) -> None:
    """Show the environment: resources and their state, database, tables with rows and indexes, last loads."""
    from vectorops.database.inspection import database_state

    state = state_of(context)
    resources = list(_resource_states(state))
    modules = Counter(_module(resource["address"]) for resource in state.terraform.resources())
    with state.connect() as connection:
        database = database_state(connection, state.project.sql_dir)
    report = {
        "environment": state.environment.name,
        "target": state.environment.target,
        "region": state.environment.region,
        "resources": resources,
        "terraform_resources": dict(modules),
        "database": database,
    }
    state.emit(report, lambda console: _show(console, state, report, database))


def _resource_states(state: AppState) -> Iterator[dict[str, str]]:
    """Ask AWS, not the Terraform state, how the resources that can be ill are."""
    from vectorops.jobs import list_runs

    stack = state.stack
    answer = state.aws.client("rds").describe_db_instances(DBInstanceIdentifier=stack.database_identifier)
    yield _row("database", stack.database_identifier, answer["DBInstances"][0]["DBInstanceStatus"])
    s3 = state.aws.client("s3")
    for bucket in (
        stack.data_lake_bucket,
        stack.ml_artifacts_bucket,
        stack.scripts_bucket,
        stack.recommendations_bucket,
    ):
        s3.head_bucket(Bucket=bucket)
        yield _row("bucket", bucket, "exists")
    for job in (stack.glue_job_name, stack.load_job_name):
        runs = list_runs(state.aws.client("glue"), job, limit=1)
        yield _row("Glue job", job, runs[0].state if runs else "has not run")
    stream = state.aws.client("kinesis").describe_stream_summary(StreamName=stack.stream_name)
    yield _row("stream", stack.stream_name, stream["StreamDescriptionSummary"]["StreamStatus"])
    delivery = state.aws.client("firehose").describe_delivery_stream(
        DeliveryStreamName=stack.delivery_stream_name
    )
    delivery_state = delivery["DeliveryStreamDescription"]["DeliveryStreamStatus"]
    yield _row("delivery stream", stack.delivery_stream_name, delivery_state)
    for name in (stack.transform_function_name, stack.inference_function_name):
        function = state.aws.client("lambda").get_function_configuration(FunctionName=name)
        yield _row("function", name, function["State"])


def _row(kind: str, name: str, state: str) -> dict[str, str]:
    return {"kind": kind, "name": name, "state": state}


def _module(address: str) -> str:
    return address.split(".")[1] if address.startswith("module.") else "root"


def _show(console: Console, state: AppState, report: Mapping[str, Any], database: "DatabaseState") -> None:
    environment = state.environment
    console.print(f"[bold]{environment.name}[/bold] ({environment.target}, {environment.region})")
    modules = ", ".join(f"{name} {count}" for name, count in report["terraform_resources"].items())
    console.print(f"Terraform resources: {modules}\n")
    console.print(_resources_table(report["resources"]))
    console.print(f"\n{_versions(database)}\n")
    console.print(_tables_table(database.tables))
    if database.loads:
        console.print("\n[bold]Last loads[/bold]")
        _show_loads(console, database.loads)
    if database.schema.pending:
        console.print(f"[yellow]{len(database.schema.pending)} migrations to apply.[/yellow]")
        console.print("next: vectorops schema apply")


def _resources_table(resources: Sequence[Mapping[str, str]]) -> Table:
    table = _table("resource", "name", "state")
    for resource in resources:
        style = "green" if resource["state"] in GOOD_STATES else "yellow"
        table.add_row(resource["kind"], resource["name"], f"[{style}]{resource['state']}[/]")
    return table


def _versions(database: "DatabaseState") -> str:
    versions, schema = database.versions, database.schema
    parts = [f"PostgreSQL {versions.postgresql}", f"pgvector {versions.pgvector or 'not installed'}"]
    parts.append(f"schema {schema.version:04}" if schema.version else "no schema yet")
    lines = [", ".join(parts)]
    if versions.pgvector_update:
        lines.append(
            f"[yellow]pgvector {versions.pgvector_update} is there: ALTER EXTENSION vector UPDATE[/yellow]"
        )
    lines += [f"[red]{escape(fault)}[/red]" for fault in database.faults]
    if schema.problem:
        lines.append(f"[red]{escape(schema.problem)}[/red]")
    return "\n".join(lines)


def _tables_table(tables: Sequence["TableState"]) -> Table:
    table = _table("table", "rows", "dimension", "size", "indexes")
    for found in tables:
        rows = f"{'about ' if found.rows_are_estimated else ''}{found.rows:,}"
        indexes = "; ".join(
            f"{index.method} {index.metric} {size_text(index.size_bytes)}"
            + ("" if index.is_valid else " [red]INVALID[/]")
            for index in found.indexes
        )
        dimension = f"{found.table.vector_type} {found.table.dimension or 'any'}"
        size = size_text(found.total_bytes)
        table.add_row(
            escape(found.table.full_name), rows, dimension, size, indexes or "[yellow]none[/yellow]"
        )
    return table


def _show_loads(console: Console, loads: Sequence["Load"]) -> None:
    for load in loads:
        when = f"{load.finished_at:%Y-%m-%d %H:%M}" if load.finished_at else "unfinished"
        counts = {
            "read": load.rows_read,
            "written": load.rows_inserted + load.rows_updated,
            "unchanged": load.rows_unchanged,
            "rejected": load.rows_rejected,
        }
        rows = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count or name == "read")
        console.print(f"{when}  {escape(load.table_name)}  {load.mode}: {rows}", soft_wrap=True)
        console.print(f"    [dim]{escape(', '.join(load.sources))}[/dim]", soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        is_number = name in ("rows", "size")
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    return table
