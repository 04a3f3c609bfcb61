"""Loads that go on where they were interrupted: rows are staged for good, group by group, before they count.

All that such a load leaves behind is in a schema of its own: the staged rows, the bad ones, and how far each
file is read. The schema goes in the transaction that puts the rows into the table.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import psycopg
from psycopg import sql

from vectorops.database.side_tables import search_path
from vectorops.database.tables import VectorTable
from vectorops.embeddings import staging
from vectorops.embeddings.batch import Parsed, Reject
from vectorops.embeddings.files import EmbeddingFile
from vectorops.embeddings.intake import Intake
from vectorops.embeddings.preflight import Plan
from vectorops.embeddings.rejects import StopAtFirst
from vectorops.embeddings.sources import Source
from vectorops.errors import DatabaseError, UsageError

_LOCK = "pg_try_advisory_{}lock(hashtextextended('vectorops resumable load ' || %s, 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('vectorops resumable load ' || %s, 0))"
_SEARCH_PATH = """
SELECT set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), %s::text), true)
"""
_TABLES = """
CREATE TABLE vectorops_progress (number int PRIMARY KEY, source text NOT NULL, size_bytes bigint,
    version text, next_line bigint NOT NULL, is_done boolean NOT NULL);
CREATE TABLE vectorops_rejects (source int NOT NULL, line bigint NOT NULL, reason text NOT NULL,
    text bytea NOT NULL);
CREATE TABLE vectorops_load (what text NOT NULL)
"""
_NOTE = """
INSERT INTO vectorops_progress (number, source, size_bytes, version, next_line, is_done)
VALUES (%(number)s, %(source)s, %(size_bytes)s, %(version)s, %(next_line)s, %(is_done)s)
ON CONFLICT (number) DO UPDATE SET next_line = excluded.next_line, is_done = excluded.is_done
"""
_COUNT = "SELECT (SELECT count(*) FROM vectorops_staged) + (SELECT count(*) FROM vectorops_rejects)"
_REJECTS = "SELECT source, line, reason, text FROM vectorops_rejects ORDER BY source, line"
_FULL_NAME = """
SELECT coalesce((SELECT nspname || '.' || relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE c.oid = to_regclass(%(quoted)s)),
    CASE WHEN strpos(%(name)s, '.') > 0 THEN %(name)s
    ELSE concat_ws('.', current_schema(), %(name)s::text) END)
"""
_ENCODING: Any = {"encoding": "utf-8", "errors": "surrogateescape"}


@dataclass(frozen=True)
class _Progress:
    """How far a file is read.

    Attributes:
        next_line: All rows that begin before it are staged or rejected.
    """

    number: int
    source: str
    size_bytes: int | None
    version: str | None
    next_line: int
    is_done: bool

    def is_of(self, source: Source) -> bool:
        """Whether `source` has not been changed since."""
        found = (self.source, self.size_bytes, self.version)
        return self.version is not None and found == (source.name, source.size_bytes, _version(source))


class ResumableLoad:
    """The staged rows of one load.

    Args:
        connection: Outside a transaction.
        table: Where the rows are to go, as the user names it.
        what: What else has to be the same for a load to go on: the way, the options.
        group_bytes: About so much is committed at once, and is what an interruption costs at most.
        on_phase: Called with what begins, for people.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        table: str,
        what: Sequence[object],
        *,
        group_bytes: int,
        on_phase: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._table = _full_name(connection, table)
        self._what = what
        self._group_bytes = group_bytes
        self._on_phase = on_phase
        self._schema = _schema_of(self._table)
        self._done: dict[int, _Progress] = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from the same rows, inside the block.

        Raises:
            DatabaseError: Another load with --resume is at work on the table.
        """
        row = self._connection.execute(f"SELECT {_LOCK.format('')}".encode(), (self._table,)).fetchone()
        if row != (True,):
            raise DatabaseError(
                f"another load with --resume into '{self._table}' is under way", hint="wait for its end"
            )
        try:
            yield
        finally:
            if not self._connection.closed:
                self._connection.execute(_UNLOCK, (self._table,))

    def begin(self, prepare: Callable[[], Plan]) -> Plan:
        """Return the plan of the load, after making room for its rows or finding those that are there.

        Args:
            prepare: Makes the plan, inside a transaction.

        Raises:
            UsageError: A source is none that could be read again.
        """
        with self._connection.transaction():
            plan = prepare()
            for file in plan.files:
                if not file.source.can_reopen or _version(file.source) is None:
                    raise UsageError(
                        f"a load of {file.source.name} cannot be resumed",
                        why="it can be read only once",
                        hint="leave out --resume, or write it to a file first",
                    )
            plan, self._done = self._find_or_create(plan)
            if plan.created:  # Nobody is to see it empty: it is created again when all rows are there.
                self._connection.execute(sql.SQL("DROP TABLE {}").format(plan.table.qualified))
        return plan

    def stage(self, intake: Intake) -> int:
        """Stage what is not staged yet, committing again and again; return how many files were done before.

        Raises:
            InputDataError: A row cannot be loaded, and is not to be rejected. What is staged stays.
        """
        done = self._done
        for number, file in enumerate(intake.plan.files):
            progress = done.get(number)
            if progress and progress.is_done:
                intake.bytes_before += file.source.size_bytes or 0
            else:
                self._stage_file(intake, number, progress.next_line if progress else 0)
        return sum(progress.is_done for progress in done.values())

    @contextmanager
    def staged(self) -> Iterator[None]:
        """Let the staged rows be those of the load, inside a transaction, with whose end they go."""
        self._connection.execute(_SEARCH_PATH, (sql.Identifier(self._schema).as_string(self._connection),))
        yield
        _drop(self._connection, self._schema)

    def read_result(self, intake: Intake) -> None:
        """Give `intake` the count of what was read, and the rows that were rejected."""
        [count] = self._connection.execute(_COUNT).fetchone() or (0,)
        intake.read, intake.is_staged = int(count), True
        names = [file.source.name for file in intake.plan.files]
        rows = self._connection.execute(_REJECTS).fetchall()
        intake.rejects.add(
            Reject(names[source], line, reason, text.decode(**_ENCODING))
            for source, line, reason, text in rows
        )

    def _find_or_create(self, plan: Plan) -> tuple[Plan, dict[int, _Progress]]:
        """Return how far each file is read, by its number, after forgetting those that were changed.

        Numbers are in the staged rows, so the files of the plan that is returned have those they had.
        """
        what = hashlib.sha256(repr((*self._what, plan.table)).encode()).hexdigest()
        found = self._find(what)
        files = None if found is None else _numbered(plan.files, found)
        if found is None or files is None:
            self._create(plan, what)
            return plan, {}
        changed = [one.number for one in found if not one.is_of(files[one.number].source)]
        for table, column in (("staged", "source"), ("rejects", "source"), ("progress", "number")):
            query = f"DELETE FROM vectorops_{table} WHERE {column} = ANY (%s)"  # noqa: S608 - constants
            self._connection.execute(query.encode(), (changed,))
        done = {one.number: one for one in found if one.number not in changed}
        return replace(plan, files=files), done

    def _find(self, what: str) -> list[_Progress] | None:
        """Return what an interrupted load of the same kind has left, or None."""
        if not _exists(self._connection, self._schema):
            return None
        self._use()
        if self._connection.execute("SELECT what FROM vectorops_load").fetchone() != (what,):
            return None
        query = "SELECT number, source, size_bytes, version, next_line, is_done FROM vectorops_progress"
        return [_Progress(*row) for row in self._connection.execute(query)]

    def _create(self, plan: Plan, what: str) -> None:
        if _exists(self._connection, self._schema):
            self._on_phase("dropping what an interrupted load of other files or options has read")
            _drop(self._connection, self._schema)
        self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self._schema)))
        staging.create_staging(self._connection, plan.table, schema=self._schema)
        with search_path(self._connection, self._schema):
            self._connection.execute(_TABLES)
        self._use()
        self._connection.execute("INSERT INTO vectorops_load VALUES (%s)", (what,))

    def _use(self) -> None:
        self._connection.execute(_SEARCH_PATH, (sql.Identifier(self._schema).as_string(self._connection),))

    def _stage_file(self, intake: Intake, number: int, next_line: int) -> None:
        start = next_line
        with closing(intake.pieces([number], with_places=True)) as every:
            pieces = (piece for piece in every if _last_line(piece[0]) >= start)
            while (first := next(pieces, None)) is not None:
                group = _Group(chain([first], pieces), intake, self._group_bytes)
                with self._connection.transaction():
                    self._use()
                    # Where a stream was cut into other blocks than before, some rows come again.
                    self._forget_from(number, _first_line(first[0]), next_line)
                    staging.copy_into_staging(self._connection, intake.plan.table, group.chunks())
                    next_line = group.last_line + 1
                    self._note(intake, number, next_line, group.rejects, is_done=False)
        with self._connection.transaction():
            self._use()
            self._note(intake, number, next_line, [], is_done=True)

    def _forget_from(self, number: int, line: int, next_line: int) -> None:
        if line >= next_line:
            return
        for table in ("staged", "rejects"):
            query = f"DELETE FROM vectorops_{table} WHERE source = %s AND line >= %s"  # noqa: S608 - constants
            self._connection.execute(query.encode(), (number, line))

    def _note(
        self, intake: Intake, number: int, next_line: int, rejects: Iterable[Reject], *, is_done: bool
    ) -> None:
        source = intake.plan.files[number].source
        self._connection.execute(
            _NOTE,
            {
                "number": number,
                "source": source.name,
                "size_bytes": source.size_bytes,
                "version": _version(source),
                "next_line": next_line,
                "is_done": is_done,
            },
        )
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO vectorops_rejects VALUES (%s, %s, %s, %s)",
                [(number, one.line, one.reason, one.text.encode(**_ENCODING)) for one in rejects],
            )


def discard_interrupted(connection: psycopg.Connection[Any], table: VectorTable) -> bool:
    """Drop what an interrupted load with --resume has left, inside the transaction of another load.

    Its rows are older than those of the other load, and must not come after them.
    """
    schema = _schema_of(table.full_name)
    if not _exists(connection, schema):
        return False
    row = connection.execute(f"SELECT {_LOCK.format('xact_')}".encode(), (table.full_name,)).fetchone()
    if row != (True,):
        return False
    _drop(connection, schema)
    return True


def _numbered(files: Sequence[EmbeddingFile], found: Sequence[_Progress]) -> list[EmbeddingFile] | None:
    """Return the files by their numbers, new ones where there is room, or None if one is gone."""
    by_name = {file.source.name: file for file in files}
    known = {one.number: by_name.pop(one.source, None) for one in found}
    if None in known.values() or any(number >= len(files) for number in known):
        return None
    new = iter(by_name.values())
    return [known.get(number) or next(new) for number in range(len(files))]


def _full_name(connection: psycopg.Connection[Any], table: str) -> str:
    """Return the name with its schema, also of a table that is still to be created."""
    name = sql.Identifier(*table.rsplit(".", 1)).as_string(connection)
    row = connection.execute(_FULL_NAME, {"quoted": name, "name": table}).fetchone()
    return str(row[0]) if row else table


class _Group:
    """Pieces up to a size, and what is known of them when they are through."""

    def __init__(
        self, pieces: Iterator[tuple[Parsed, list[memoryview]]], intake: Intake, group_bytes: int
    ) -> None:
        self.last_line = 0
        self.rejects: list[Reject] = []
        self._pieces = pieces
        self._intake = intake
        self._group_bytes = group_bytes

    def chunks(self) -> Iterator[memoryview]:
        """Yield the encoded rows."""
        size = 0
        for parsed, encoded in self._pieces:
            if isinstance(self._intake.rejects, StopAtFirst):
                self._intake.rejects.add(parsed.rejects)
            self.rejects += parsed.rejects
            self.last_line = max(self.last_line, _last_line(parsed))
            yield from encoded
            size += sum(chunk.nbytes for chunk in encoded)
            if size >= self._group_bytes:
                return


def _first_line(parsed: Parsed) -> int:
    return min(_lines(parsed), default=0)


def _last_line(parsed: Parsed) -> int:
    return max(_lines(parsed), default=-1)


def _lines(parsed: Parsed) -> list[int]:
    lines = [one.line for one in parsed.rejects]
    if len(parsed.batch):
        lines += [int(parsed.batch.lines.min()), int(parsed.batch.lines.max())]
    return lines


def _version(source: Source) -> str | None:
    if source.version is None or source.ids is None:
        return source.version
    return f"{source.version} {source.ids.size_bytes} {source.ids.version}"


def _schema_of(table: str) -> str:
    return "vectorops_load_" + hashlib.sha256(table.encode()).hexdigest()[:16]


def _exists(connection: psycopg.Connection[Any], schema: str) -> bool:
    query = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %s)"
    return connection.execute(query, (schema,)).fetchone() == (True,)


def _drop(connection: psycopg.Connection[Any], schema: str) -> None:
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
