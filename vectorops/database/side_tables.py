"""The tables beside a table: the one that is to replace it, and the one it has replaced.

Each has the name of its table, in a schema of its own, so that indexes, constraints and sequences keep their
names when the tables change places.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Literal

import psycopg
from psycopg import errors, sql

from vectorops.database.tables import VectorTable

_PREFIXES = {"new": "vectorops_new_", "kept": "vectorops_kept_"}
_MAX_NAME_BYTES = 63

_EXISTS = "SELECT to_regclass(%s) IS NOT NULL"
_SCHEMA_EXISTS = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %s)"


def side_table(table: VectorTable, kind: Literal["new", "kept"]) -> VectorTable:
    """Return `table` as it is called in the schema of its replacements, or of those it has replaced."""
    name = _PREFIXES[kind] + table.schema
    if len(name.encode()) > _MAX_NAME_BYTES:
        mark = hashlib.sha256(table.schema.encode()).hexdigest()[:16]
        name = _PREFIXES[kind] + mark
    return replace(table, schema=name)


def exists(connection: psycopg.Connection[Any], table: VectorTable) -> bool:
    """Whether there is a table of that name."""
    return connection.execute(_EXISTS, (table.qualified.as_string(connection),)).fetchone() == (True,)


def create_schema(connection: psycopg.Connection[Any], name: str) -> None:
    """Create a schema unless it is there; asking first needs no privilege to create one."""
    if connection.execute(_SCHEMA_EXISTS, (name,)).fetchone() == (True,):
        return
    # Another load that creates it too is waited for, and then it is there.
    with suppress(errors.UniqueViolation), connection.transaction():
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))


def drop(connection: psycopg.Connection[Any], table: VectorTable) -> bool:
    """Drop `table`; return whether it was there."""
    was_there = exists(connection, table)
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table.qualified))
    return was_there


@contextmanager
def search_path(connection: psycopg.Connection[Any], *schemas: str) -> Iterator[None]:
    """Look names up in `schemas` only, inside the block, which is inside a transaction.

    What PostgreSQL prints of a definition leaves out the schemas it would look into. So a definition printed
    with the schema of one table, and run with that of another in front, defines the same for the other.
    """
    before = connection.execute("SELECT current_setting('search_path')").fetchone() or ("",)
    path = sql.SQL(", ").join(map(sql.Identifier, schemas)).as_string(connection)
    connection.execute("SELECT set_config('search_path', %s, true)", (path,))
    yield  # After an error the transaction takes it back.
    connection.execute("SELECT set_config('search_path', %s, true)", before)


def run_all(connection: psycopg.Connection[Any], statements: list[str]) -> None:
    """Execute statements that the server has printed."""
    for statement in statements:
        connection.execute(statement.encode())
