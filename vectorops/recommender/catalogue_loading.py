"""Reading the item table: what state it is in, and all of it into memory."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from vectorops.database.tables import VectorTable, vector_table
from vectorops.errors import DatabaseError
from vectorops.recommender.catalogue_memory import MemoryCatalogue
from vectorops.recommender.catalogue_table import Statement

_STATE = sql.SQL("""
SELECT item.oid::bigint, pg_table_size(item.oid), last.id, last.model_version,
    ARRAY(SELECT indexrelid::bigint FROM pg_index WHERE indrelid = item.oid AND indisvalid ORDER BY 1),
    (SELECT max(measured_at) FROM vectorops.search_settings WHERE table_name = item.name)
FROM (
    SELECT c.oid, n.nspname || '.' || c.relname AS name
    FROM (SELECT to_regclass(%s) AS oid) AS wanted
    LEFT JOIN pg_class c ON c.oid = wanted.oid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
) AS item
LEFT JOIN LATERAL (
    SELECT id, model_version FROM vectorops.load_log WHERE table_name = item.name ORDER BY id DESC LIMIT 1
) AS last ON true
""")
# The row without a vector names the model of what is read: one statement sees one state of the database.
_COPY = """
COPY (
    SELECT (
        SELECT model_version FROM vectorops.load_log WHERE table_name = {name} ORDER BY id DESC LIMIT 1
    ), NULL::vector
    UNION ALL SELECT {id}::text, {vector}::vector FROM {table} WHERE {vector} IS NOT NULL
) TO STDOUT (FORMAT BINARY)
"""
_ROWS_AT_A_TIME = 10_000
_TEXT_TYPES = ("text", "character varying")


@dataclass(frozen=True)
class TableState:
    """What is known about the item table without reading it.

    Two states are equal unless in between the table was replaced, a load was recorded, an index was built or
    dropped, or a search was tuned.

    Attributes:
        oid: Of the table, None when there is none.
        load_id: Of its last recorded load, None when there is none.
        model_version: Of that load.
        indexes: Object ids of the indexes that PostgreSQL may use.
        tuned_at: When `vectorops index tune` last stored something for the table.
        size_bytes: On disk.
    """

    oid: int | None
    load_id: int | None
    model_version: str | None
    indexes: tuple[int, ...]
    tuned_at: datetime | None
    size_bytes: int = field(compare=False)


def table_state_statement(name: str) -> Statement:
    """Return the statement whose only row `read_table_state` understands."""
    quoted = ['"{}"'.format(part.replace('"', '""')) for part in name.split(".")]
    return _STATE, (".".join(quoted),)


def read_table_state(row: tuple[Any, ...]) -> TableState:
    """Return the state that a row of `table_state_statement` holds."""
    oid, size_bytes, load_id, model_version, indexes, tuned_at = row
    return TableState(oid, load_id, model_version, tuple(indexes), tuned_at, size_bytes or 0)


def item_table(connection: psycopg.Connection[Any], name: str) -> VectorTable:
    """Return the item table called `name`.

    Raises:
        DatabaseError: There is no such vector table, its ids are not text, or its vectors have no dimension.
    """
    table = vector_table(connection, name)
    if table.id_type not in _TEXT_TYPES:
        raise DatabaseError(
            f"the ids of '{table.full_name}' are of type {table.id_type}",
            why="events name products by text",
            hint="use a table whose id is text or varchar",
        )
    if table.dimension is None:
        raise DatabaseError(
            f"the vector column of '{table.full_name}' is declared without a dimension",
            hint="declare it, such as vector(32)",
        )
    return table


def load_catalogue(
    connection: psycopg.Connection[Any], table: VectorTable
) -> tuple[MemoryCatalogue, str | None]:
    """Read all of `table`, which `item_table` has described, into memory in one round trip.

    Returns:
        The catalogue, and the model version of the table's last recorded load.

    Raises:
        DatabaseError: The dimension has been changed since `table` was described.
        psycopg.Error: PostgreSQL refused.
    """
    names = {"id": sql.Identifier(table.id_column), "vector": sql.Identifier(table.vector_column)}
    statement = sql.SQL(_COPY).format(**names, table=table.qualified, name=sql.Literal(table.full_name))
    ids: list[str] = []
    model_version: str | None = None
    blocks = [np.empty((0, table.dimension or 0), dtype=np.float32)]
    with connection.cursor().copy(statement) as copy:
        copy.set_types(["text", "bytea"])  # the bytes of a vector are taken as they are
        rows = copy.rows()
        while block := list(islice(rows, _ROWS_AT_A_TIME)):
            model_version = next((row[0] for row in block if row[1] is None), model_version)
            items = [row for row in block if row[1] is not None]
            ids += (row[0] for row in items)
            blocks.append(_vectors([row[1] for row in items], table))
    return MemoryCatalogue(ids, np.concatenate(blocks)), model_version


def _vectors(values: list[bytes], table: VectorTable) -> NDArray[np.float32]:
    """Return the vectors in `values`, shape (n, dimension).

    Each is two 16-bit integers, the dimension and 0, and its numbers in single precision, all big-endian
    (pgvector's `vector_send`).
    """
    numbers = ("numbers", ">f4", (table.dimension or 0,))
    layout = np.dtype([("dimension", ">i2"), ("unused", ">i2"), numbers])
    content = b"".join(values)
    if len(content) != len(values) * layout.itemsize:
        raise DatabaseError(f"the vectors of '{table.full_name}' have another dimension than before")
    return np.frombuffer(content, layout)["numbers"].astype(np.float32)
