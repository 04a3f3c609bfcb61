"""The lock by which loads into a table, and rollbacks of it, take turns."""

from typing import Any

import psycopg

from vectorops.database.tables import VectorTable

_LOCK = "SELECT pg_{}advisory_xact_lock(hashtextextended('vectorops load into ' || %s, 0))"


def try_load_lock(connection: psycopg.Connection[Any], table: VectorTable) -> bool:
    """Take the lock until the end of the transaction, unless another load has it."""
    return connection.execute(_LOCK.format("try_").encode(), (table.full_name,)).fetchone() == (True,)


def take_load_lock(connection: psycopg.Connection[Any], table: VectorTable) -> None:
    """Take the lock until the end of the transaction, when it is free."""
    connection.execute(_LOCK.format("").encode(), (table.full_name,))
