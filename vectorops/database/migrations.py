"""Numbered migrations: `sql/NNNN_name.sql`, each applied once, in order, in a transaction of its own."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import class_row

from vectorops.database.connection import database_errors, first_line, register_vector_types
from vectorops.database.statements import Statement, split_statements
from vectorops.errors import DatabaseError, UsageError

_FILE_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_TRANSACTION_CONTROL = re.compile(
    r"(begin|start|commit|end|rollback|abort|prepare\s+transaction)\b", re.IGNORECASE
)
_LOCK_KEY = int.from_bytes(b"vectorop")  # Any number will do that nothing else in the database locks.

_CREATE_HISTORY = """
CREATE SCHEMA IF NOT EXISTS vectorops;
CREATE TABLE vectorops.schema_migrations (
    version int PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by text NOT NULL DEFAULT current_user
)
"""
_HISTORY = (
    "SELECT version, name, sha256, applied_at, applied_by FROM vectorops.schema_migrations ORDER BY version"
)
_RECORD = "INSERT INTO vectorops.schema_migrations (version, name, sha256) VALUES (%s, %s, %s)"
_LOCK_HOLDER = """
SELECT a.usename, coalesce(a.application_name, 'unknown program'), coalesce(host(a.client_addr), '?'), a.pid
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint << 32 | l.objid::bigint = %s
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_HINTS: dict[type[psycopg.Error], str] = {
    errors.ActiveSqlTransaction: "a migration is one transaction, so leave CONCURRENTLY out of the statement",
    errors.DuplicateTable: "the table was made by hand: rename it, apply, and copy its rows over",
    errors.InsufficientPrivilege: "apply the migrations as the user that owns the database",
}


@dataclass(frozen=True)
class Migration:
    """A migration file.

    Attributes:
        sha256: Of the bytes of the file, in hexadecimal.
    """

    version: int
    name: str
    sha256: str
    script: str = field(repr=False)

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return f"{self.version:04}_{self.name}.sql"


@dataclass(frozen=True)
class AppliedMigration:
    """A migration as the database remembers it."""

    version: int
    name: str
    sha256: str
    applied_at: datetime
    applied_by: str


@dataclass(frozen=True)
class MigrationStatus:
    """What was applied to a database, and what is still to be."""

    applied: list[AppliedMigration]
    pending: list[Migration]

    @property
    def version(self) -> int:
        """The latest version applied, or 0."""
        return self.applied[-1].version if self.applied else 0


def load_migrations(folder: Path) -> list[Migration]:
    """Return the migrations of `folder` in order, numbered from 1 without a gap.

    Raises:
        UsageError: There are none, a name or a number is wrong, or a file controls the transaction itself.
    """
    paths = sorted(folder.glob("*.sql"))
    if not paths:
        raise UsageError(f"there are no migrations in {folder}", hint="they are called NNNN_name.sql")
    migrations = [_read(path) for path in paths]
    for expected, migration in enumerate(migrations, start=1):
        _check_number(migration, expected, folder)
    return migrations


def migration_status(connection: psycopg.Connection[Any], folder: Path) -> MigrationStatus:
    """Compare the migrations of `folder` with those applied to the database; changes nothing.

    Raises:
        UsageError: The folder is wrong, or an applied migration was edited or removed since.
        DatabaseError: PostgreSQL refused.
    """
    migrations = load_migrations(folder)
    with database_errors("cannot read which migrations were applied"):
        applied = _history(connection)
    _check_history(migrations, applied, folder)
    done = {migration.version for migration in applied}
    return MigrationStatus(applied, [migration for migration in migrations if migration.version not in done])


def pending_sql(connection: psycopg.Connection[Any], folder: Path) -> str:
    """Return the SQL that `apply_migrations` would run, or "" when there is none; changes nothing."""
    pending = migration_status(connection, folder).pending
    return "\n".join(f"-- {migration.file_name}\n{migration.script.rstrip()}\n" for migration in pending)


def apply_migrations(
    connection: psycopg.Connection[Any],
    folder: Path,
    *,
    on_applied: Callable[[Migration], None] = lambda _: None,
    on_wait: Callable[[str], None] = lambda _: None,
) -> list[Migration]:
    """Apply what is pending, one transaction for each migration, and return what was applied now.

    Two runners at once are safe: an advisory lock lets the second wait, and then find nothing to do.
    A migration that fails is rolled back; those before it stay.

    Args:
        connection: Autocommit connection, outside a transaction. Knows the vector types afterwards.
        folder: Where the migrations are.
        on_applied: Called after each commit.
        on_wait: Called with a sentence, once, if another runner holds the lock.

    Raises:
        UsageError: As `migration_status`.
        DatabaseError: A migration failed; names the file and the line.
    """
    with _migration_lock(connection, on_wait):
        pending = migration_status(connection, folder).pending
        if pending:
            _create_history(connection)
        for migration in pending:
            _apply(connection, migration)
            on_applied(migration)
    register_vector_types(connection)
    return pending


def _read(path: Path) -> Migration:
    match = _FILE_NAME.fullmatch(path.name)
    if not match:
        raise UsageError(
            f"'{path.name}' is not the name of a migration",
            why="migrations are called NNNN_name.sql, in lower case",
            hint=f"rename or remove {path}",
        )
    content = path.read_bytes()
    try:
        script = content.decode()
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path} is not UTF-8", why=str(exc)) from exc
    _check_statements(path, script)
    return Migration(int(match["version"]), match["name"], hashlib.sha256(content).hexdigest(), script)


def _check_statements(path: Path, script: str) -> None:
    for statement in split_statements(script):
        if control := _TRANSACTION_CONTROL.match(statement.text):
            raise UsageError(
                f"{path.name}, line {statement.line}: {control[0].upper()} is not for a migration",
                why="each migration already is one transaction",
                hint="remove the statement, or split the file in two",
            )


def _check_number(migration: Migration, expected: int, folder: Path) -> None:
    if migration.version == expected:
        return
    fault = "two migrations have number" if migration.version < expected else "there is no migration number"
    number = min(migration.version, expected)
    raise UsageError(
        f"{fault} {number:04}",
        why=f"in {folder}, {migration.file_name} stands where number {expected:04} should be",
        hint="number the files from 0001 without gaps or repeats",
    )


def _check_history(
    migrations: Sequence[Migration], applied: Sequence[AppliedMigration], folder: Path
) -> None:
    files = {migration.version: migration for migration in migrations}
    for done in applied:
        recorded = f"{done.version:04}_{done.name}.sql"
        file = files.get(done.version)
        if file is None:
            raise UsageError(
                f"{recorded} was applied to this database and is not in {folder}",
                why=f"applied {done.applied_at:%Y-%m-%d %H:%M} by {done.applied_by}",
                hint="check out the version of the project that has it, or a later one",
            )
        if file.sha256 != done.sha256:
            raise UsageError(
                f"{file.file_name} was edited after it was applied to this database",
                why=f"SHA-256 when applied: {done.sha256}, now: {file.sha256}",
                hint="restore the file, and put the change into a new migration",
            )


def _history_exists(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute("SELECT to_regclass('vectorops.schema_migrations')").fetchone() != (None,)


def _history(connection: psycopg.Connection[Any]) -> list[AppliedMigration]:
    if not _history_exists(connection):
        return []
    with connection.cursor(row_factory=class_row(AppliedMigration)) as cursor:
        return cursor.execute(_HISTORY).fetchall()


def _create_history(connection: psycopg.Connection[Any]) -> None:
    with database_errors("cannot create the schema 'vectorops' that remembers what was applied"):
        if not _history_exists(connection):
            with connection.transaction():
                connection.execute(_CREATE_HISTORY)


@contextmanager
def _migration_lock(connection: psycopg.Connection[Any], on_wait: Callable[[str], None]) -> Iterator[None]:
    with database_errors("cannot take the lock that keeps migrations apart"):
        if connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK_KEY,)).fetchone() != (True,):
            on_wait(f"waiting for another run of the migrations, {_lock_holder(connection)}")
            connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK_KEY,))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK_KEY,))


def _lock_holder(connection: psycopg.Connection[Any]) -> str:
    holder = connection.execute(_LOCK_HOLDER, (_LOCK_KEY,)).fetchone()
    return "which has just ended" if holder is None else "by {} ({}) from {}, process {}".format(*holder)


def _apply(connection: psycopg.Connection[Any], migration: Migration) -> None:
    with database_errors(f"migration {migration.file_name} could not be committed"), connection.transaction():
        # What has no schema, such as the extension, goes to that of the user's name, were the user vectorops.
        connection.execute("SET LOCAL search_path TO public")
        for statement in split_statements(migration.script):
            _execute(connection, migration, statement)
        connection.execute(_RECORD, (migration.version, migration.name, migration.sha256))


def _execute(connection: psycopg.Connection[Any], migration: Migration, statement: Statement) -> None:
    try:
        connection.execute(statement.text.encode())
    except psycopg.Error as exc:
        position = int(exc.diag.statement_position or 1) - 1
        line = statement.line + statement.text.count("\n", 0, position)
        raise DatabaseError(
            f"migration {migration.file_name} failed in line {line} and was rolled back",
            why=f"{first_line(exc)}, in: {migration.script.splitlines()[line - 1].strip()}",
            hint=_HINTS.get(type(exc)) or exc.diag.message_hint or "mend the file; nothing of it was applied",
        ) from exc
