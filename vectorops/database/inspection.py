"""What a database is and holds: versions, schema, vector tables, loads."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from vectorops.database.connection import database_errors
from vectorops.database.indexes import VectorIndex, vector_indexes
from vectorops.database.load_log import Load, last_loads
from vectorops.database.migrations import migration_status
from vectorops.database.tables import VectorTable, list_vector_tables
from vectorops.errors import UsageError

COUNTED_BYTES = 64 * 1024 * 1024  # A table this size is counted in well under a second.

_VERSIONS = """
SELECT split_part(current_setting('server_version'), ' ', 1),
    (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
    (SELECT default_version FROM pg_available_extensions WHERE name = 'vector')
"""
_SIZES = """
SELECT coalesce(sum(pg_relation_size(c.oid)), 0)::bigint,
    coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint,
    coalesce(min(c.reltuples), -1), coalesce(sum(c.reltuples), 0)::bigint
FROM (SELECT relid FROM pg_partition_tree(%(table)s) UNION SELECT %(table)s::regclass) AS parts (part)
JOIN pg_class c ON c.oid = part WHERE c.relkind = 'r'
"""

# First version with the fault, first without it, and what it does: pgvector CHANGELOG, CVE-2026-3172.
_PARALLEL_BUILDS = (
    "0.6.0",
    "0.8.2",
    "CVE-2026-3172: a parallel HNSW build can crash the server or leak data of other tables",
)
_FAULTS = (_PARALLEL_BUILDS, ("0.5.0", "0.8.4", "VACUUM can corrupt an HNSW index, or stop with an error"))


@dataclass(frozen=True)
class ServerVersions:
    """What runs.

    Attributes:
        postgresql: Such as "18.4".
        pgvector: Version of the extension in this database, or None where it is not installed.
        pgvector_available: Version that the server would install, or None where it has none.
        pgvector_update: Version that `ALTER EXTENSION vector UPDATE` leads to, where that is a newer one. On
            AWS an upgrade of the engine does not update the extension (Aurora User Guide, "Extensions").
    """

    postgresql: str
    pgvector: str | None
    pgvector_available: str | None
    pgvector_update: str | None


@dataclass(frozen=True)
class SchemaState:
    """The migrations.

    Attributes:
        version: The latest version applied, or 0.
        pending: File names of the migrations to come.
        problem: Why the migrations and the database do not fit together, or "".
    """

    version: int
    pending: list[str]
    problem: str = ""


@dataclass(frozen=True)
class TableState:
    """A vector table and its size.

    Attributes:
        rows: How many; PostgreSQL's estimate where `rows_are_estimated`, because counting would take long.
        table_bytes: Size of the rows, without vectors that are stored out of line.
        total_bytes: Size of everything: rows, out-of-line vectors, indexes.
    """

    table: VectorTable
    rows: int
    rows_are_estimated: bool
    table_bytes: int
    total_bytes: int
    indexes: list[VectorIndex]


@dataclass(frozen=True)
class DatabaseState:
    """Everything `database_state` found."""

    versions: ServerVersions
    faults: list[str]
    schema: SchemaState
    tables: list[TableState]
    loads: list[Load]


def pgvector_faults(version: str) -> list[str]:
    """Return the known faults of a pgvector version that put data or answers at risk."""
    return [fault for one in _FAULTS if (fault := _fault(version, one))]


def parallel_build_fault(version: str) -> str | None:
    """Return why a pgvector version must not build an index with parallel workers, or None if it may."""
    return _fault(version, _PARALLEL_BUILDS)


def extension_update(installed: str | None, available: str | None) -> str | None:
    """Return the version that `ALTER EXTENSION … UPDATE` leads to, or None where it leads to no newer one."""
    is_newer = installed and available and _version(available) > _version(installed)
    return available if is_newer else None


def server_versions(connection: psycopg.Connection[Any]) -> ServerVersions:
    """Return the versions of PostgreSQL and of pgvector."""
    with database_errors("cannot read the versions of the database"):
        postgresql, installed, available = connection.execute(_VERSIONS).fetchone() or ("", None, None)
    return ServerVersions(postgresql, installed, available, extension_update(installed, available))


def table_state(
    connection: psycopg.Connection[Any], table: VectorTable, *, counted_bytes: int = COUNTED_BYTES
) -> TableState:
    """Return the rows, sizes and indexes of `table`.

    Rows are counted up to `counted_bytes` of table, out-of-line vectors left aside, and estimated beyond.

    Raises:
        DatabaseError: PostgreSQL refused, for example because the user may not read the table.
    """
    with database_errors(f"cannot inspect '{table.full_name}'"):
        name = table.qualified.as_string(connection)
        row = connection.execute(_SIZES, {"table": name}).fetchone()
        table_bytes, total_bytes, least_estimate, estimate = row or (0, 0, -1, 0)
        # -1: a part that was never analysed, for which there is no estimate.
        is_estimated = table_bytes > counted_bytes and least_estimate >= 0
        rows = estimate if is_estimated else _count(connection, table)
        return TableState(
            table, rows, is_estimated, table_bytes, total_bytes, vector_indexes(connection, table)
        )


def schema_state(connection: psycopg.Connection[Any], folder: Path) -> SchemaState:
    """Compare the migrations of `folder` with the database; a mismatch is reported, not raised."""
    try:
        status = migration_status(connection, folder)
    except UsageError as exc:
        return SchemaState(0, [], problem=str(exc))
    return SchemaState(status.version, [migration.file_name for migration in status.pending])


def database_state(connection: psycopg.Connection[Any], migrations: Path, *, loads: int = 5) -> DatabaseState:
    """Return the state of the database: versions, schema, every vector table, and the last `loads` loads.

    Raises:
        DatabaseError: PostgreSQL refused.
    """
    versions = server_versions(connection)
    with database_errors("cannot inspect the database"):
        tables = [table_state(connection, table) for table in list_vector_tables(connection)]
        return DatabaseState(
            versions=versions,
            faults=pgvector_faults(versions.pgvector) if versions.pgvector else [],
            schema=schema_state(connection, migrations),
            tables=tables,
            loads=last_loads(connection, loads),
        )


def _fault(version: str, fault: tuple[str, str, str]) -> str | None:
    first, mended, what = fault
    is_affected = _version(first) <= _version(version) < _version(mended)
    return f"{what} (mended in {mended})" if is_affected else None


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))


def _count(connection: psycopg.Connection[Any], table: VectorTable) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table.qualified)).fetchone()
    return int(row[0]) if row else 0
