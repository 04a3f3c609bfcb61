"""The table that was replaced last, kept beside the one in use: a record of it, the way back, and its end."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from vectorops.database.connection import database_errors
from vectorops.database.load_lock import try_load_lock
from vectorops.database.load_log import Load, is_set_up, record_load, server_time
from vectorops.database.side_tables import drop, exists, side_table
from vectorops.database.swap import SWAP_PATIENCE_S, swap
from vectorops.database.tables import VectorTable, vector_table
from vectorops.errors import DatabaseError

_RECORD = """
INSERT INTO vectorops.kept_tables (table_name, model_version) VALUES (%s, %s)
ON CONFLICT (table_name) DO UPDATE SET model_version = excluded.model_version, kept_at = clock_timestamp(),
    kept_by = current_user
"""
_FIND = "SELECT table_name, model_version, kept_at, kept_by FROM vectorops.kept_tables WHERE table_name = %s"
_FORGET = "DELETE FROM vectorops.kept_tables WHERE table_name = %s"
_MODEL = "SELECT model_version FROM vectorops.load_log WHERE table_name = %s ORDER BY id DESC LIMIT 1"
# Numbers of transactions are compared as PostgreSQL does it: in a circle (manual, "Preventing Transaction ID
# Wraparound Failures").
_SNAPSHOT = "SELECT pg_current_snapshot()::text"
_LEFT_BEHIND = sql.SQL("""
SELECT count(*) FROM {table}, (SELECT %s::pg_snapshot AS taken) AS s
WHERE (xmin::text::bigint - pg_snapshot_xmax(taken)::text::bigint %% 4294967296 + 4294967296) %% 4294967296
    < 2147483648
OR xmin::text::bigint IN (SELECT id::text::bigint %% 4294967296 FROM pg_snapshot_xip(taken) AS id)
""")


@dataclass(frozen=True)
class KeptTable:
    """A table in reserve.

    Attributes:
        table_name: Of the table it can take the place of, with its schema.
        model_version: Of the model that made its vectors, where it is known.
        kept_at: When it was replaced.
        kept_by: Database user.
    """

    table_name: str
    model_version: str | None
    kept_at: datetime
    kept_by: str


@dataclass(frozen=True)
class RollbackReport:
    """What a rollback did.

    Attributes:
        table: With its schema.
        kept: Name of the table that is in reserve now, or None.
        model_version: Of the model that made the vectors now in use, where it is known.
        rows: Of the table now in use.
        discarded: Whether the table in reserve was dropped, and the one in use left alone.
    """

    table: str
    kept: str | None
    model_version: str | None
    rows: int
    discarded: bool
    elapsed_s: float


def kept_table(connection: psycopg.Connection[Any], table: VectorTable) -> KeptTable | None:
    """Return what is in reserve for `table`, or None."""
    if not exists(connection, side_table(table, "kept")):
        return None
    with connection.cursor(row_factory=class_row(KeptTable)) as cursor:
        return cursor.execute(_FIND, (table.full_name,)).fetchone()


def record_kept_table(connection: psycopg.Connection[Any], table: VectorTable) -> None:
    """Note that `table` is about to be replaced and kept, before its next load is recorded."""
    connection.execute(_RECORD, (table.full_name, _model_version(connection, table)))


def take_snapshot(connection: psycopg.Connection[Any]) -> str:
    """Return which transactions have ended by now, for `count_left_behind`."""
    row = connection.execute(_SNAPSHOT).fetchone()
    return str(row[0]) if row else ""


def count_left_behind(connection: psycopg.Connection[Any], table: VectorTable, snapshot: str) -> int:
    """Return how many rows of the kept table were inserted or updated after `snapshot` was taken."""
    query = _LEFT_BEHIND.format(table=side_table(table, "kept").qualified)
    row = connection.execute(query, (snapshot,)).fetchone()
    return int(row[0]) if row else 0


def roll_back(
    connection: psycopg.Connection[Any], name: str, *, patience_s: float = SWAP_PATIENCE_S
) -> RollbackReport:
    """Put the kept table back in one step, and keep the one that was in use; again, and it is undone.

    Owner, grants, triggers and row policies are carried over as they are now. The rollback is a row in the
    log of loads, with the model version of the rows that are in use again.

    Args:
        connection: From `connect`, outside a transaction.
        name: "item_emb" or "schema.item_emb".
        patience_s: How long to try while others use the table all the time, in seconds.

    Raises:
        DatabaseError: Nothing is kept, a load is under way, or PostgreSQL refused. Nothing has changed.
    """
    started = time.monotonic()
    with (
        database_errors(f"cannot roll back '{name}'", hint="nothing has changed"),
        connection.transaction(),
    ):
        started_at = server_time(connection)
        table, kept = _find(connection, name)
        model_version = kept.model_version
        record_kept_table(connection, table)
        record_load(connection, _rollback(table, model_version, started_at))
        swap(connection, table, side_table(table, "kept"), patience_s=patience_s)
    return RollbackReport(
        table=table.full_name,
        kept=side_table(table, "kept").full_name,
        model_version=model_version,
        rows=_count(connection, table),
        discarded=False,
        elapsed_s=time.monotonic() - started,
    )


def discard_kept_table(connection: psycopg.Connection[Any], name: str) -> RollbackReport:
    """Drop the table in reserve, and give its room back.

    Raises:
        DatabaseError: Nothing is kept, a load is under way, or PostgreSQL refused. Nothing has changed.
    """
    started = time.monotonic()
    with (
        database_errors(f"cannot discard what is kept of '{name}'", hint="nothing has changed"),
        connection.transaction(),
    ):
        table, _ = _find(connection, name)
        drop(connection, side_table(table, "kept"))
        connection.execute(_FORGET, (table.full_name,))
        model_version = _model_version(connection, table)
    return RollbackReport(
        table=table.full_name,
        kept=None,
        model_version=model_version,
        rows=_count(connection, table),
        discarded=True,
        elapsed_s=time.monotonic() - started,
    )


def _find(connection: psycopg.Connection[Any], name: str) -> tuple[VectorTable, KeptTable]:
    table = vector_table(connection, name)
    kept = kept_table(connection, table) if is_set_up(connection) else None
    if kept is None:
        raise DatabaseError(
            f"no earlier table is kept for '{table.full_name}'",
            hint="'vectorops load-embeddings --mode replace' keeps the table that it replaces",
        )
    if not try_load_lock(connection, table):
        raise DatabaseError(
            f"'{table.full_name}' is being loaded", hint="wait for the end of the load, or end it"
        )
    return table, kept


def _rollback(table: VectorTable, model_version: str | None, started_at: datetime) -> Load:
    return Load(
        table_name=table.full_name,
        sources=[],
        checksum=None,
        started_at=started_at,
        rows_read=0,
        rows_inserted=0,
        rows_updated=0,
        rows_unchanged=0,
        rows_rejected=0,
        model_version=model_version,
        mode="rollback",
    )


def _model_version(connection: psycopg.Connection[Any], table: VectorTable) -> str | None:
    row = connection.execute(_MODEL, (table.full_name,)).fetchone()
    return row[0] if row else None


def _count(connection: psycopg.Connection[Any], table: VectorTable) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table.qualified)).fetchone()
    return int(row[0]) if row else 0
