"""The log of loads, `vectorops.load_log`: one row for each load that was committed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row

LoadMode = Literal["upsert", "append", "replace"]
IndexStrategy = Literal["insert", "rebuild"]


@dataclass(frozen=True)
class Load:
    """One finished load.

    Attributes:
        table_name: With its schema, unquoted, as `VectorTable.full_name` gives it.
        sources: What was read: paths or URLs.
        checksum: SHA-256 of the bytes of the sources in order, or None where it is not known.
        started_at: By the server's clock.
        finished_at: Set by the database when the load is recorded.
        loaded_by: Database user, set by the database.
        mode: How it was loaded; a rollback reads nothing.
        index_strategy: Whether rows went through the indexes, or into a new table that was then indexed.
        bytes_read: Of the sources as they are stored.
        duration: From start to finish, set by the database.
    """

    table_name: str
    sources: Sequence[str]
    checksum: str | None
    started_at: datetime
    rows_read: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_rejected: int
    model_version: str | None = None
    finished_at: datetime | None = None
    loaded_by: str | None = None
    mode: LoadMode | Literal["rollback"] = "upsert"
    index_strategy: IndexStrategy | None = None
    bytes_read: int | None = None
    duration: timedelta | None = None


_RECORD = """
INSERT INTO vectorops.load_log (table_name, sources, checksum, started_at, rows_read, rows_inserted,
    rows_updated, rows_unchanged, rows_rejected, model_version, mode, index_strategy, bytes_read)
VALUES (%(table_name)s, %(sources)s, %(checksum)s, %(started_at)s, %(rows_read)s, %(rows_inserted)s,
    %(rows_updated)s, %(rows_unchanged)s, %(rows_rejected)s, %(model_version)s,
    %(mode)s, %(index_strategy)s, %(bytes_read)s)
"""
_LAST = """
SELECT table_name, sources, checksum, started_at, rows_read, rows_inserted, rows_updated, rows_unchanged,
    rows_rejected, model_version, finished_at, loaded_by, mode, index_strategy, bytes_read, duration
FROM vectorops.load_log ORDER BY id DESC LIMIT %s
"""

_HAS_READ = "SELECT EXISTS (SELECT FROM vectorops.load_log WHERE table_name = %s AND bytes_read = %s)"


def server_time(connection: psycopg.Connection[Any]) -> datetime:
    """Return the time by the server's clock, which all times in the log are by."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101 - there is no FROM
    now: datetime = row[0]
    return now


def record_load(connection: psycopg.Connection[Any], load: Load) -> None:
    """Record `load` inside the caller's transaction, which is the load's own."""
    connection.execute(_RECORD, {**vars(load), "sources": list(load.sources)})


def is_set_up(connection: psycopg.Connection[Any]) -> bool:
    """Whether the migrations that loading needs were applied."""
    return connection.execute("SELECT to_regclass('vectorops.kept_tables') IS NOT NULL").fetchone() == (True,)


def has_read(connection: psycopg.Connection[Any], table: str, size: int) -> bool:
    """Say whether a load into a table, named with its schema, has read sources of `size` bytes."""
    row = connection.execute(_HAS_READ, (table, size)).fetchone()
    return row is not None and bool(row[0])


def last_loads(connection: psycopg.Connection[Any], limit: int = 10) -> list[Load]:
    """Return the last `limit` loads, latest first; none where the schema is not there yet, or older."""
    if not is_set_up(connection):
        return []
    with connection.cursor(row_factory=class_row(Load)) as cursor:
        return cursor.execute(_LAST, (limit,)).fetchall()
