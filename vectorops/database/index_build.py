"""Building an index while the table is in use, and putting it in the place of the one it replaces."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors, sql

from vectorops.database.connection import database_errors
from vectorops.database.index_progress import BuildProgress, watched
from vectorops.database.index_spec import BUILDING, REPLACED, IndexSpec
from vectorops.database.indexes import VectorIndex, vector_indexes
from vectorops.database.inspection import parallel_build_fault, server_versions
from vectorops.database.tables import VectorTable
from vectorops.errors import DatabaseError, UsageError

# How long the swap waits for others; it runs beside reads and writes, but not beside a VACUUM.
_SWAP_TIMEOUT = "30s"
_TABLE_KIND = "SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass"
_LOCK = "pg_{}advisory_{}lock(hashtextextended('vectorops index build ' || %s::regclass::oid, 0))"
_TRY_LOCK, _UNLOCK = (f"SELECT {_LOCK.format(*words)}" for words in (("try_", ""), ("", "un")))


@dataclass(frozen=True)
class BuildSettings:
    """What the server may use for a build; set for the session that builds, and nothing else.

    Attributes:
        maintenance_bytes: For the graph. A graph that outgrows it is finished on disk, many times slower.
        workers: Processes besides the one that leads.
    """

    maintenance_bytes: int
    workers: int


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes:
        table: With its schema.
        index: Name of the index that is in use now.
        was_built: False where there was such an index already.
        replaced: Names of the indexes it took the place of, which are gone.
        removed: Names of what an earlier, interrupted build had left behind.
        warnings: What PostgreSQL said of a graph that did not fit into the memory.
    """

    table: str
    index: str
    spec: IndexSpec
    was_built: bool
    replaced: list[str]
    removed: list[str]
    size_bytes: int
    elapsed_s: float
    warnings: list[str] = field(default_factory=list)


def build_index(
    connection: psycopg.Connection[Any],
    watcher: psycopg.Connection[Any],
    table: VectorTable,
    spec: IndexSpec,
    settings: BuildSettings,
    *,
    concurrently: bool = True,
    keep: bool = False,
    rebuild: bool = False,
    on_progress: Callable[[BuildProgress], None] = lambda _: None,
) -> BuildReport:
    """Build an index, and drop those of the same metric that it replaces once it is in use.

    The index is built under a name of its own and renamed when it is complete, so a search always finds the
    old one or the new one. What an interrupted build has left is removed by the next one, or taken over if
    only the renaming was missing.

    Args:
        connection: Autocommit connection, outside a transaction; its settings are restored.
        watcher: A second one, for the progress.
        table: From `vector_table`.
        spec: The index.
        settings: What it may use.
        concurrently: Let writes go on meanwhile. Otherwise they wait, and all happens in one transaction,
            which is faster, and the only way for a partitioned table.
        keep: Keep other indexes of the same metric.
        rebuild: Build although there is such an index already.
        on_progress: Called about twice a second, on another thread.

    Raises:
        UsageError: pgvector cannot build that index, or not in this way.
        DatabaseError: PostgreSQL refused, or another build of the table is under way.
    """
    spec.check(table)
    started = time.monotonic()
    with database_errors(f"cannot build an index on '{table.full_name}'", hint=_HINT):
        _check_way(connection, table, settings, concurrently=concurrently)
        with _only_build(connection, table):
            build = _Build(connection, table, spec)
            removed = build.clean_up()
            existing = None if rebuild else build.existing()
            replaced, warnings = [], []
            if not existing:
                pid = connection.info.backend_pid
                with (
                    build_session(connection, settings),
                    _warnings(connection) as warnings,
                    watched(pid, watcher, on_progress),
                ):
                    replaced = build.run(concurrently=concurrently, keep=keep)
            name = existing.name if existing else spec.name(table)
            size_bytes = _size(connection, table, name)
    return BuildReport(
        table=table.full_name,
        index=name,
        spec=spec,
        was_built=existing is None,
        replaced=replaced,
        removed=removed,
        size_bytes=size_bytes,
        elapsed_s=time.monotonic() - started,
        warnings=warnings,
    )


_HINT = "what an interrupted build leaves behind is removed by the next 'vectorops index build'"


class _Build:
    def __init__(self, connection: psycopg.Connection[Any], table: VectorTable, spec: IndexSpec) -> None:
        self._connection = connection
        self._table = table
        self._spec = spec
        self._building = spec.name(table, BUILDING)

    def clean_up(self) -> list[str]:
        """Drop what earlier builds left, but an index that is complete and the one wanted."""
        left = [one for one in self._indexes() if one.name.endswith((BUILDING, REPLACED))]
        useless = [one.name for one in left if not self._is_complete(one)]
        self._drop(useless)
        return useless

    def existing(self) -> VectorIndex | None:
        """Return the index in use that is like the one wanted."""
        found = (one for one in self._indexes() if one.is_valid and one.name != self._building)
        return next((one for one in found if self._spec.is_like(one, self._table)), None)

    def run(self, *, concurrently: bool, keep: bool) -> list[str]:
        """Build, swap and drop; return the names of what was replaced."""
        if concurrently:
            self._create_concurrently()
            replaced = self._replaced(keep=keep)
            self._drop(self._swap(replaced))
            return replaced
        with self._connection.transaction():
            self._create("CREATE INDEX {} ON {}")
            replaced = self._replaced(keep=keep)
            self._rename_all(replaced)
            for place, _ in enumerate(replaced):
                self._execute("DROP INDEX {}", self._old_name(place))
        return replaced

    def _create_concurrently(self) -> None:
        if any(one.name == self._building for one in self._indexes()):
            return  # Complete, or the clean-up would have dropped it.
        try:
            self._create("CREATE INDEX CONCURRENTLY {} ON {}")
        except BaseException:
            # Without a connection the next build does it.
            with contextlib.suppress(psycopg.Error):
                self._execute("DROP INDEX CONCURRENTLY IF EXISTS {}", self._building)
            raise

    def _create(self, statement: str) -> None:
        definition = self._spec.definition(self._table)
        self._connection.execute(sql.SQL(statement).format(sql.Identifier(self._building), definition))

    def _replaced(self, *, keep: bool) -> list[str]:
        """Return the names of indexes of the same metric, or only of one that has the name now wanted."""
        others = [one for one in self._indexes() if one.name != self._building]
        name = self._spec.name(self._table)
        return [
            one.name
            for one in others
            if one.name == name
            or (not keep and one.metric == self._spec.metric and one.key != "other" and not one.is_partial)
        ]

    def _swap(self, replaced: Sequence[str]) -> list[str]:
        with self._connection.transaction():
            self._connection.execute(f"SET LOCAL lock_timeout = '{_SWAP_TIMEOUT}'")
            return self._rename_all(replaced)

    def _rename_all(self, replaced: Sequence[str]) -> list[str]:
        # Renaming an index keeps no one waiting; dropping one would.
        for place, name in enumerate(replaced):
            self._rename(name, self._old_name(place))
        self._rename(self._building, self._spec.name(self._table))
        return [self._old_name(place) for place, _ in enumerate(replaced)]

    def _old_name(self, place: int) -> str:
        return self._spec.name(self._table, f"_{place}{REPLACED}")

    def _rename(self, old: str, new: str) -> None:
        statement = sql.SQL("ALTER INDEX {} RENAME TO {}")
        self._connection.execute(
            statement.format(sql.Identifier(self._table.schema, old), sql.Identifier(new))
        )

    def _drop(self, names: Sequence[str]) -> None:
        for name in names:
            self._execute("DROP INDEX CONCURRENTLY {}", name)

    def _execute(self, statement: str, index: str) -> None:
        self._connection.execute(sql.SQL(statement).format(sql.Identifier(self._table.schema, index)))

    def _is_complete(self, index: VectorIndex) -> bool:
        is_ours = index.name == self._building and index.is_valid
        return is_ours and self._spec.is_like(index, self._table)

    def _indexes(self) -> list[VectorIndex]:
        return vector_indexes(self._connection, self._table)


def _check_way(
    connection: psycopg.Connection[Any], table: VectorTable, settings: BuildSettings, *, concurrently: bool
) -> None:
    check_workers(connection, settings.workers)
    name = table.qualified.as_string(connection)
    if concurrently and connection.execute(_TABLE_KIND, (name,)).fetchone() == (True,):
        raise UsageError(
            f"'{table.full_name}' is partitioned, so PostgreSQL cannot build its index concurrently",
            hint="build with --blocking, when writes can wait",
        )


def check_workers(connection: psycopg.Connection[Any], workers: int) -> None:
    """Raise UsageError if the server's pgvector must not build an index with so many parallel workers."""
    version = server_versions(connection).pgvector or ""
    fault = parallel_build_fault(version)
    if fault and workers:
        raise UsageError(
            f"pgvector {version} must not build an index with parallel workers",
            why=fault,
            hint="ALTER EXTENSION vector UPDATE, or build with --workers 0",
        )


@contextmanager
def _only_build(connection: psycopg.Connection[Any], table: VectorTable) -> Iterator[None]:
    name = table.qualified.as_string(connection)
    if connection.execute(_TRY_LOCK.encode(), (name,)).fetchone() != (True,):
        raise DatabaseError(
            f"an index on '{table.full_name}' is being built already",
            hint="wait for it: 'vectorops index health' shows how far it is",
        )
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(_UNLOCK.encode(), (name,))


def session_settings(settings: BuildSettings) -> dict[str, str]:
    """Return the settings of a session that builds, by their names."""
    return {
        "maintenance_work_mem": f"{settings.maintenance_bytes // 1024}kB",
        "max_parallel_maintenance_workers": str(settings.workers),
        "max_parallel_workers": str(max(settings.workers, 1)),
        # Vectors stored out of line leave a table so small that PostgreSQL would send no worker.
        "min_parallel_table_scan_size": "0",
        "statement_timeout": "0",
        # A server whose client has died would otherwise build to the end.
        "client_connection_check_interval": "2s",
    }


@contextmanager
def build_session(connection: psycopg.Connection[Any], settings: BuildSettings) -> Iterator[None]:
    """Let the session of `connection` build with `settings`, inside the block."""
    wanted = session_settings(settings)
    before = {name: _show(connection, name) for name in wanted}
    _set(connection, wanted)
    try:
        yield
    finally:
        with contextlib.suppress(psycopg.OperationalError):  # A lost session has lost its settings too.
            _set(connection, before)


def _show(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""


def _set(connection: psycopg.Connection[Any], settings: dict[str, str]) -> None:
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))


@contextmanager
def _warnings(connection: psycopg.Connection[Any]) -> Iterator[list[str]]:
    found: list[str] = []

    def collect(message: errors.Diagnostic) -> None:
        if message.message_primary and "maintenance_work_mem" in message.message_primary:
            found.append(message.message_primary)

    connection.add_notice_handler(collect)
    try:
        yield found
    finally:
        connection.remove_notice_handler(collect)


def _size(connection: psycopg.Connection[Any], table: VectorTable, index: str) -> int:
    return next((one.size_bytes for one in vector_indexes(connection, table) if one.name == index), 0)
