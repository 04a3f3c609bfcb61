"""`source init`: data for the source database."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from vectorops.cli.deploy import Yes
from vectorops.cli.progress import LoadProgress
from vectorops.cli.state import AppState, state_of
from vectorops.errors import UsageError

if TYPE_CHECKING:
    from vectorops.source.load import SourceReport
    from vectorops.source.tables import SourceData


def register(app: typer.Typer) -> None:
    """Add the command group to the app."""
    group = typer.Typer(no_args_is_help=True, help="Fill the source database that the ETL job reads.")
    group.command("init")(init)
    app.add_typer(group, name="source")


def init(
    context: typer.Context,
    dump: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="MySQL dump of classicmodels.", show_default="a made-up sample"
        ),
    ] = None,
    ratings: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="CSV of ratings for the dump.",
            show_default="derived from its orders",
        ),
    ] = None,
    customers: Annotated[int, typer.Option(min=1, help="Customers of the sample.")] = 122,
    products: Annotated[int, typer.Option(min=2, help="Products of the sample.")] = 110,
    sample_ratings: Annotated[int, typer.Option(min=0, help="Ratings of the sample.")] = 2_500,
    seed: Annotated[int, typer.Option(help="Another seed gives another sample.")] = 1,
    yes: Yes = False,
) -> None:
    """Create customers, products and ratings in the local source database, and fill them.

    Tables of these names are replaced, all three at once. On AWS the source is a database of yours, which
    this command does not touch.
    """
    from vectorops.source.sample import generate_sample

    state = state_of(context)
    if ratings and not dump:
        raise UsageError(
            "--ratings goes with --dump", hint="for a sample, say how many: --sample-ratings 2500"
        )
    counts = source_counts(state)
    if counts:
        there = ", ".join(f"{count:,} {table}" for table, count in counts.items())
        state.confirm(f"The source holds {there}. Replace them?", assume_yes=yes)
    data = _read(dump, ratings) if dump else generate_sample(customers, products, sample_ratings, seed)
    report = fill_source(state, data)
    state.emit(report, lambda console: _show(console, report))


def fill_source(state: AppState, data: "SourceData") -> "SourceReport":
    """Replace the source tables by `data`."""
    from vectorops.source.load import init_source

    with connect_to_source(state) as connection, LoadProgress(state.err, "Filling the source") as progress:
        return init_source(connection, data, on_rows=progress.advance)


def source_counts(state: AppState) -> dict[str, int]:
    """Return the rows of the source tables; empty when they are not there."""
    from vectorops.source.load import source_counts as count

    with connect_to_source(state) as connection:
        report = count(connection)
    if report is None:
        return {}
    return {key: value for key, value in dataclasses.asdict(report).items() if key != "vendor"}


def connect_to_source(state: AppState) -> Any:
    """Connect to the local source database for the length of a `with` block.

    Raises:
        UsageError: The environment is on AWS.
    """
    from contextlib import closing

    from vectorops.database.credentials import database_address
    from vectorops.source.connection import SourceAddress, connect_source

    if not state.environment.is_local:
        raise UsageError(
            f"the source of environment '{state.environment.name}' is not ours to fill",
            why="on AWS it is a database in use, named by the variable source_database",
            hint="to try things out, use a local environment: vectorops --env local source init",
        )
    stack = state.stack
    login = database_address(
        state.aws.client("secretsmanager"),
        stack.source_database_secret_arn,
        host=stack.source_database_host,
        port=stack.source_database_port,
        name=stack.source_database_name,
        is_local=True,
    )
    return closing(
        connect_source(SourceAddress(login.host, login.port, login.name, login.user, login.password))
    )


def _read(dump: Path, ratings: Path | None) -> "SourceData":
    from vectorops.source.dump import read_dump
    from vectorops.source.ratings import read_ratings

    return read_dump(dump, read_ratings(ratings) if ratings else None)


def _show(console: Console, report: "SourceReport") -> None:
    served = {"mysql": "MariaDB or MySQL", "postgresql": "PostgreSQL, in place of a MySQL"}[report.vendor]
    console.print(
        f"[green]Filled[/green] the source: {report.customers:,} customers, {report.products:,} products, "
        f"{report.ratings:,} ratings (served by {served})."
    )
    console.print("next: vectorops glue-run")
