"""The machine that the database of an environment runs on."""

from typing import TYPE_CHECKING, Any

from vectorops.cli.state import AppState

if TYPE_CHECKING:
    import psycopg

    from vectorops.database.machine import Machine


def own_machine(state: AppState, connection: "psycopg.Connection[Any]") -> "Machine":
    """Return what AWS or this computer says of it, or else what the server's settings let one guess."""
    from vectorops.database.machine import server_machine

    return known_machine(state) or server_machine(connection)


def known_machine(state: AppState) -> "Machine | None":
    """Return what AWS or this computer says of it, without asking the database."""
    from vectorops.database.machine import this_machine
    from vectorops.infra.database_machine import database_machine

    if state.environment.is_local:
        return this_machine()
    stack = state.stack
    return database_machine(state.aws.client("rds"), stack.database_identifier, stack.database_instance_class)
