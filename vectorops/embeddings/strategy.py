"""Through the indexes of a table, or into a new one that is indexed afterwards: whichever takes less time."""

import time
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from vectorops.database.index_plan import rebuild_settings
from vectorops.database.index_sample import expected_seconds
from vectorops.database.indexes import vector_indexes
from vectorops.database.inspection import table_state
from vectorops.database.load_log import IndexStrategy
from vectorops.database.machine import Machine
from vectorops.database.replaceable import check_replaceable
from vectorops.database.successor import complete_successor, create_successor
from vectorops.database.tables import VectorTable
from vectorops.embeddings import staging
from vectorops.embeddings.staging import Changes
from vectorops.errors import DatabaseError

# Fewer rows than these take no time worth a measurement.
_LEAST_ROWS = 2_000
_INSERTED, _BUILT = 200, 2_000
_HAS_TRIGGERS = """
SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = %(name)s::regclass AND NOT tgisinternal)
    OR row_security_active(%(name)s::regclass)
"""
_HAS_POLICIES = "SELECT row_security_active(%(name)s::regclass)"


@dataclass(frozen=True)
class Choice:
    """A strategy.

    Attributes:
        strategy: None where there are no indexes.
        reason: Why, for people.
    """

    strategy: IndexStrategy | None
    reason: str


def choose_strategy(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    changes: Changes,
    wanted: Literal["auto", "insert", "rebuild"],
    machine: Machine,
) -> Choice:
    """Choose how the staged rows get into `table`, inside the load's transaction.

    Some rows are written through the indexes, and an index is built on a sample of the staged rows, and both
    are rolled back; what each takes tells what all would take.

    Args:
        connection: Which holds the lock of the load.
        table: With its rows staged.
        changes: What is to be written.
        wanted: "auto" measures.
        machine: The server's.

    Raises:
        DatabaseError: A rebuild is wanted and the table cannot be replaced, or not all of it be seen.
    """
    indexes = vector_indexes(connection, table)
    if wanted == "rebuild":
        check_replaceable(connection, table)
        _check_all_rows_seen(connection, table)
        return Choice("rebuild", "as asked for")
    if not indexes:
        return Choice(None, "")
    if wanted == "insert":
        return Choice("insert", "as asked for")
    if changes.rows < _LEAST_ROWS:
        return Choice("insert", f"only {changes.rows:,} rows change")
    if obstacle := _obstacle(connection, table):
        return Choice("insert", obstacle)
    return _measure(connection, table, changes, machine)


def _check_all_rows_seen(connection: psycopg.Connection[Any], table: VectorTable) -> None:
    name = table.qualified.as_string(connection)
    if connection.execute(_HAS_POLICIES, {"name": name}).fetchone() == (True,):
        raise DatabaseError(
            f"'{table.full_name}' cannot be written anew",
            why="row policies may hide rows from this user, which a new table would lack",
            hint="load with --index-strategy insert",
        )


def _obstacle(connection: psycopg.Connection[Any], table: VectorTable) -> str:
    name = table.qualified.as_string(connection)
    if connection.execute(_HAS_TRIGGERS, {"name": name}).fetchone() == (True,):
        return "triggers or row policies see each row that is written"
    try:
        check_replaceable(connection, table)
    except DatabaseError as exc:
        return exc.why
    return ""


def _measure(
    connection: psycopg.Connection[Any], table: VectorTable, changes: Changes, machine: Machine
) -> Choice:
    rows = table_state(connection, table).rows + changes.inserted
    rebuilding_s = _time_rebuild(connection, table, rows, machine)
    inserting_s = _time_insert(connection, table) * changes.rows
    reason = (
        f"{changes.rows:,} rows through the index would take about {inserting_s:.1f} s, "
        f"a new table of {rows:,} rows with its index {rebuilding_s:.1f} s"
    )
    return Choice("rebuild" if rebuilding_s < inserting_s else "insert", reason)


def _time_insert(connection: psycopg.Connection[Any], table: VectorTable) -> float:
    """Return the seconds that a row takes."""
    with connection.transaction(force_rollback=True):
        started = time.monotonic()
        written = staging.merge_sample(connection, table, _INSERTED)
        return (time.monotonic() - started) / max(written.rows, 1)


def _time_rebuild(
    connection: psycopg.Connection[Any], table: VectorTable, rows: int, machine: Machine
) -> float:
    settings = rebuild_settings(connection, table, vector_indexes(connection, table), machine, _BUILT)
    with connection.transaction(force_rollback=True):
        new = create_successor(connection, table)
        started = time.monotonic()
        sampled = staging.insert_sample(connection, new, _BUILT)
        filled = time.monotonic()
        complete_successor(connection, table, new, settings)
        built_s = time.monotonic() - filled
    return (filled - started) * rows / max(sampled, 1) + expected_seconds(built_s, sampled, rows)
