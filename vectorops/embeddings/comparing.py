"""Whether a table holds what is to be loaded already: both are read side by side, and compared as bytes."""

from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from vectorops.database.load_log import has_read
from vectorops.database.tables import VectorTable
from vectorops.embeddings.decoder import read_rows
from vectorops.embeddings.intake import Intake
from vectorops.embeddings.sources import stored_bytes

# Only so do rows come in the order in which they lie.
_IN_ORDER = "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL synchronize_seqscans = off"
_COPY = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT BINARY)")


class _EnoughError(Exception):
    """The rest of the table need not be read."""


def is_loaded(connection: psycopg.Connection[Any], intake: Intake) -> bool:
    """Say whether the table begins with the rows of the files, as after a load of the same files.

    They are only compared if a load into this table has read as many bytes: where they differ, the files have
    to be read again.

    Args:
        connection: Inside a transaction.
        intake: Not read yet, and to be read more than once; has read all rows if they are there, and none if
            they are not.
    """
    size = stored_bytes([file.source for file in intake.plan.files])
    if size is None or not has_read(connection, intake.plan.table.full_name, size):
        return False
    with (
        connection.transaction(force_rollback=True),
        closing(intake.chunks(with_places=False)) as chunks,
    ):
        connection.execute(_IN_ORDER)
        is_same = _begins_with(connection, intake.plan.table, chunks)
    if not is_same:
        intake.restart()
    return is_same


def _begins_with(
    connection: psycopg.Connection[Any], table: VectorTable, chunks: Iterable[memoryview]
) -> bool:
    with suppress(_EnoughError), connection.cursor().copy(_statement(table)) as copy:
        rows = read_rows(copy)
        is_same = all(_take(rows, chunk.nbytes).equals(pa.py_buffer(chunk)) for chunk in chunks)
        if next(rows, None) is not None:
            raise _EnoughError
    return is_same


def _take(rows: Iterator[bytes], size: int) -> pa.Buffer:
    """Return the next whole rows, up to the one that completes so many bytes."""
    taken: list[bytes] = []
    while size > 0 and (row := next(rows, None)) is not None:
        taken.append(row)
        size -= len(row)
    return pa.py_buffer(b"".join(taken))


def _statement(table: VectorTable) -> sql.Composed:
    names = [table.id_column, table.vector_column, *(column.name for column in table.metadata)]
    return _COPY.format(sql.SQL(", ").join(map(sql.Identifier, names)), table.qualified)
