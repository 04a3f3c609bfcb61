"""The staging table of a load by several processes, in a schema of its own that goes when the load ends.

An advisory lock says that the load lives, so a later one finds and drops what a killed one has left. The
tables are not logged: after a crash of the server they are empty, and the load has failed.
"""

import contextlib
import secrets
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import errors, sql
from psycopg.rows import class_row

from vectorops.database.tables import VectorTable

_PREFIX = "vectorops_spread_"
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('vectorops staging area ' || %s, 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('vectorops staging area ' || %s, 0))"
_LEFT = "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)"
# The server prints the types, since only the transaction that created a table can see it.
_CREATE = """
SELECT format('CREATE UNLOGGED TABLE %%I.vectorops_staged (%%s, source int, line bigint)
    WITH (toast_tuple_target = 8160)', %(schema)s::text,
    string_agg(format('%%I %%s', new_name, format_type(atttypid, atttypmod)), ', ' ORDER BY position))
FROM unnest(%(names)s::text[], %(new_names)s::text[]) WITH ORDINALITY AS n(name, new_name, position)
JOIN pg_attribute ON attrelid = %(table)s::regclass AND attname = name
"""
_CREATE_PARTS = sql.SQL("""
CREATE UNLOGGED TABLE {}.vectorops_parts (
    source int PRIMARY KEY, rows bigint NOT NULL, rejected bigint NOT NULL, bytes_read bigint NOT NULL
)
""")
# Another attempt at the same file that is going on is waited for.
_CLAIM = "INSERT INTO vectorops_parts VALUES (%s, 0, 0, 0) ON CONFLICT DO NOTHING"
_FINISH = """
UPDATE vectorops_parts SET rows = %(rows)s, rejected = %(rejected)s, bytes_read = %(bytes_read)s
WHERE source = %(source)s
"""
_PARTS = sql.SQL("""
SELECT source, rows, rejected, bytes_read FROM {}.vectorops_parts ORDER BY source
""")

_FREE = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true)::int, 0)
    - (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend')
"""


@dataclass(frozen=True)
class Part:
    """A file whose rows are staged.

    Attributes:
        source: Number of the file in the load.
        rows: Rows in it, good and bad.
        rejected: Those that cannot be loaded.
        bytes_read: Its size as it is stored.
    """

    source: int
    rows: int
    rejected: int
    bytes_read: int


class StagingArea:
    """A schema for the tables of one load, from entering the `with` block to leaving it.

    Args:
        control: Autocommit connection that lives as long as the load.
    """

    def __init__(self, control: psycopg.Connection[Any]) -> None:
        self.schema = f"{_PREFIX}{secrets.token_hex(6)}"
        self._control = control

    def __enter__(self) -> Self:
        self._drop_left()
        self._control.execute(_LOCK, (self.schema,))
        self._control.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self.schema)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # With the connection gone, a later load will do it.
        with contextlib.suppress(psycopg.OperationalError, errors.LockNotAvailable):
            self._drop(self.schema)

    def create_tables(self, connection: psycopg.Connection[Any], table: VectorTable) -> None:
        """Create the staging table for `table`, which `connection` can see, and the list of parts."""
        metadata = [column.name for column in table.metadata]
        values = {
            "schema": self.schema,
            "names": [table.id_column, table.vector_column, *metadata],
            "new_names": ["id", "embedding", *(f"m{number + 1}" for number in range(len(metadata)))],
            "table": table.qualified.as_string(connection),
        }
        statement = connection.execute(_CREATE, values).fetchone()
        assert statement is not None  # noqa: S101 - an aggregate always has a row
        self._control.execute(statement[0].encode())
        self._control.execute(_CREATE_PARTS.format(sql.Identifier(self.schema)))

    def parts(self) -> list[Part]:
        """Return the files that are staged by now, in their order."""
        with self._control.cursor(row_factory=class_row(Part)) as cursor:
            return cursor.execute(_PARTS.format(sql.Identifier(self.schema))).fetchall()

    def free_connections(self) -> int:
        """Return how many connections the server would still take from users without privileges."""
        row = self._control.execute(_FREE).fetchone()
        return int(row[0]) if row else 0

    def _drop_left(self) -> None:
        """Drop the areas of loads that have ended without doing it."""
        for (schema,) in self._control.execute(_LEFT, (_PREFIX,)).fetchall():
            if self._control.execute(_LOCK, (schema,)).fetchone() == (True,):
                with contextlib.suppress(errors.LockNotAvailable, errors.InsufficientPrivilege):
                    self._drop(schema)
                self._control.execute(_UNLOCK, (schema,))

    def _drop(self, schema: str) -> None:
        with self._control.transaction():
            self._control.execute("SET LOCAL lock_timeout = '10s'")
            self._control.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def use_area(connection: psycopg.Connection[Any], schema: str) -> None:
    """Let the statements of `staging` work on this area's table, to the end of an open transaction.

    Names that the area does not hold mean what they meant.
    """
    path = "SELECT set_config('search_path', quote_ident(%s) || ', ' || current_setting('search_path'), %s)"
    is_in_transaction = connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE
    connection.execute(path, (schema, is_in_transaction))


def claim_part(connection: psycopg.Connection[Any], source: int) -> bool:
    """Return whether the file's rows have still to be staged, by the current transaction and by no other."""
    return connection.execute(_CLAIM, (source,)).rowcount == 1


def finish_part(connection: psycopg.Connection[Any], part: Part) -> None:
    """Record a claimed file in the transaction that has staged its rows."""
    connection.execute(_FINISH, vars(part))


def has_rejects(connection: psycopg.Connection[Any]) -> bool:
    """Whether a row of any file cannot be loaded."""
    query = "SELECT EXISTS (SELECT FROM vectorops_parts WHERE rejected > 0)"
    return connection.execute(query).fetchone() == (True,)
