"""What can be known before a load begins: the table, the files, and whether they fit each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from vectorops.database.columns import Column, metadata_columns
from vectorops.database.load_log import is_set_up
from vectorops.database.tables import VectorTable, create_vector_table, vector_table
from vectorops.embeddings.files import EmbeddingFile, open_file
from vectorops.embeddings.ids import id_arrow_type
from vectorops.embeddings.metadata import is_loadable
from vectorops.embeddings.sources import Source
from vectorops.errors import DatabaseError, InputDataError, NoRowsError

_ID_COLUMN = "id"
_VECTOR_COLUMNS = ("embedding", "vector")


@dataclass(frozen=True)
class Columns:
    """What the columns are called in the files, or None for what is usual."""

    id: str | None = None
    vector: str | None = None


@dataclass(frozen=True)
class Plan:
    """A load that can begin.

    Attributes:
        table: Where to; its dimension is known, and its metadata are the columns that all files have.
        files: Where from.
        created: Whether the table was created, in the current transaction.
        empty_files: Names of the sources without rows, which are passed over.
    """

    table: VectorTable
    files: Sequence[EmbeddingFile]
    created: bool
    empty_files: tuple[str, ...] = ()

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of the files' columns that are not loaded."""
        loaded = {column.name.casefold() for column in self.table.metadata}
        names = dict.fromkeys(name for file in self.files for name in file.others)
        return tuple(name for name in names if name.casefold() not in loaded)


def prepare(
    connection: psycopg.Connection[Any],
    sources: Sequence[Source],
    table: str,
    *,
    create: bool,
    columns: Columns,
    may_be_empty: bool = False,
) -> Plan:
    """Find or create the table, look at the beginning of every file, and compare the two.

    Files without rows, as tools write them beside others, are passed over; if all are such, it takes a table
    that is there, and `may_be_empty`.

    Raises:
        InputDataError: A file cannot be read, no file has rows, or one has vectors of other dimensions only.
        UsageError: The table's ids are of a type that cannot be loaded.
        DatabaseError: There is no such table and `create` is false, or the log of loads is missing.
        AwsError: S3 refused.
    """
    _check_log(connection)
    found = None if create and not _lock_and_look(connection, table) else vector_table(connection, table)
    files, empty_files = _with_rows(sources, found, columns, may_be_empty=may_be_empty and found is not None)
    target = found or _create(connection, table, files[0])
    id_arrow_type(target)
    if target.dimension is None and files:
        target = replace(target, dimension=_first_dimension(files[0]))
    for file in files:
        _check_dimension(file, target)
    columns_there = metadata_columns(connection, target)
    metadata = _metadata(columns_there, files)
    unfilled = tuple(one.name for one in columns_there if is_loadable(one) and one not in metadata)
    target = replace(target, metadata=metadata, unfilled=unfilled)
    return Plan(target, files, created=found is None, empty_files=empty_files)


def _with_rows(
    sources: Sequence[Source], table: VectorTable | None, columns: Columns, *, may_be_empty: bool
) -> tuple[list[EmbeddingFile], tuple[str, ...]]:
    """Return the files that have rows, and the names of the others."""
    files: list[EmbeddingFile] = []
    empty: dict[str, NoRowsError] = {}
    for source in sources:
        try:
            files.append(open_for(source, table, columns))
        except NoRowsError as exc:
            empty[source.name] = exc
    if not files and not may_be_empty:
        raise next(iter(empty.values()))
    return files, tuple(empty)


def _metadata(columns: Sequence[Column], files: Sequence[EmbeddingFile]) -> tuple[Column, ...]:
    """Return the columns that the files have too.

    Raises:
        InputDataError: Files differ in them, lack one that needs a value, or have one twice.
    """
    names = [{name.casefold() for name in file.others} for file in files]
    loadable = [column for column in columns if is_loadable(column) and "%" not in column.name]
    loaded = [column for column in loadable if any(column.name.casefold() in own for own in names)]
    for file, own in zip(files, names, strict=True):
        for column in columns:
            if column in loaded:
                _check_one(column, file)
            if column in loaded and column.name.casefold() not in own:
                raise InputDataError(
                    f"{file.source.name} has no column '{column.name}'",
                    why="other files of this load have it",
                    hint="load files with the same columns at a time",
                )
            if column not in loaded and not (column.is_nullable or column.has_default):
                raise InputDataError(
                    f"{file.source.name} has no column '{column.name}'",
                    why=f"it is NOT NULL and without a default, of type {column.type}",
                    hint="add it to the file, or give the column a default",
                )
    return tuple(loaded)


def _check_one(column: Column, file: EmbeddingFile) -> None:
    """Refuse a file in which a column could be one of several."""
    same = [name for name in file.others if name.casefold() == column.name.casefold()]
    if len(same) > 1 and same.count(column.name) != 1:
        raise InputDataError(
            f"{file.source.name} has {len(same)} columns called '{column.name}'", hint="rename one of them"
        )


def _check_log(connection: psycopg.Connection[Any]) -> None:
    if not is_set_up(connection):
        raise DatabaseError(
            "the database is not set up",
            why="a migration is missing",
            hint="run 'vectorops schema apply'",
        )


def _lock_and_look(connection: psycopg.Connection[Any], table: str) -> bool:
    """Let loads that would create the same table take turns; say whether it is there."""
    lock = f"vectorops create {table}"
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock,))
    return _exists(connection, table)


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    name = sql.Identifier(*table.rsplit(".", 1)).as_string(connection)
    row = connection.execute("SELECT to_regclass(%s)", (name,)).fetchone()
    return row is not None and row[0] is not None


def open_for(source: Source, table: VectorTable | None, columns: Columns) -> EmbeddingFile:
    """Look at the beginning of a file for `table`, or for a table that is to be created."""
    usual_ids = (table.id_column, _ID_COLUMN) if table else (_ID_COLUMN,)
    usual_vectors = (table.vector_column, *_VECTOR_COLUMNS) if table else _VECTOR_COLUMNS
    return open_file(
        source,
        (columns.id,) if columns.id else usual_ids,
        (columns.vector,) if columns.vector else usual_vectors,
    )


def _create(connection: psycopg.Connection[Any], table: str, file: EmbeddingFile) -> VectorTable:
    return create_vector_table(connection, table, id_type=file.id_type, dimension=_first_dimension(file))


def _first_dimension(file: EmbeddingFile) -> int:
    if not file.dimensions:
        raise InputDataError(
            f"cannot tell how many dimensions the vectors of {file.source.name} have",
            why="none of its first rows holds a vector such as [1,2,3]",
            hint="load a file with good rows first",
        )
    return file.dimensions[0]


def _check_dimension(file: EmbeddingFile, table: VectorTable) -> None:
    if file.dimensions and table.dimension not in file.dimensions:
        raise InputDataError(
            f"{file.source.name} has vectors of {file.dimensions[0]} dimensions",
            why=f"column {table.vector_column} of {table.full_name} takes {table.dimension}",
            hint="load it into a table of its own: --table NAME --create",
        )
