"""What a search starts from: a vector, or the row that holds one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from vectorops.database.connection import database_errors, first_line
from vectorops.database.metrics import METRICS, Metric
from vectorops.database.tables import VectorTable, first_id
from vectorops.errors import InputDataError, UsageError

_NO_DIRECTION = "a zero vector has no direction, so cosine compares it with nothing"


@dataclass(frozen=True)
class QueryById:
    """The vector stored in the table under `id`."""

    id: str | int


Query = QueryById | NDArray[np.floating[Any]]


def check_dense(table: VectorTable) -> None:
    """Raise UsageError unless the vectors of `table` can be indexed and searched: vector or halfvec."""
    if table.vector_type not in ("vector", "halfvec"):
        raise UsageError(
            f"the vectors of '{table.full_name}' are of type {table.vector_type}",
            why="indexes and searches serve columns of type vector and halfvec",
        )


def check_stored(
    connection: psycopg.Connection[Any], table: VectorTable, query: QueryById, metric: Metric
) -> None:
    """Raise InputDataError unless the row that `query` names is there, with a vector `metric` can compare."""
    statement = sql.SQL(
        "SELECT {vector} IS NOT NULL, vector_norm({vector}::vector) FROM {table} WHERE {id} = %s"
    )
    names = {"vector": table.vector_column, "id": table.id_column}
    quoted = {key: sql.Identifier(name) for key, name in names.items()}
    what = f"'{query.id}' is not an id in '{table.full_name}'"
    try:
        row = connection.execute(
            statement.format(**quoted, table=table.qualified), (str(query.id),)
        ).fetchone()
    except psycopg.DataError as exc:
        raise InputDataError(what, why=first_line(exc), hint=f"its ids are of type {table.id_type}") from exc
    if row is None:
        example = first_id(connection, table)
        hint = "the table is empty" if example is None else f"ids look like '{example}'"
        raise InputDataError(what, hint=hint)
    if not row[0]:
        raise InputDataError(f"the row '{query.id}' of '{table.full_name}' has no vector")
    if not row[1] and metric.name == "cosine":
        raise InputDataError(f"the vector of '{query.id}' in '{table.full_name}' is zero", why=_NO_DIRECTION)


def stored_vector(
    connection: psycopg.Connection[Any], table: VectorTable, row_id: str | int
) -> NDArray[np.float32]:
    """Return the vector of the row `row_id`, float32 of shape (dimension,), to search another table with.

    Raises:
        InputDataError: No row has that id, or it has no vector.
        DatabaseError: PostgreSQL refused.
    """
    with database_errors(f"cannot read '{row_id}' of '{table.full_name}'"):
        check_stored(connection, table, QueryById(row_id), METRICS["l2"])
        statement = sql.SQL("SELECT {vector}::real[] FROM {table} WHERE {id} = %s").format(
            vector=sql.Identifier(table.vector_column),
            table=table.qualified,
            id=sql.Identifier(table.id_column),
        )
        row = connection.execute(statement, (str(row_id),), binary=True).fetchone()
    return np.array(row[0] if row else [], dtype=np.float32)


def checked_vector(
    vector: NDArray[np.floating[Any]], table: VectorTable, metric: Metric
) -> NDArray[np.float32]:
    """Return `vector` as float32, or raise InputDataError unless the vectors of `table` compare with it."""
    if vector.ndim != 1 or (table.dimension is not None and vector.shape[0] != table.dimension):
        raise InputDataError(
            f"the query vector has shape {vector.shape}",
            why=f"the vectors of '{table.full_name}' have {table.dimension or 'any number of'} dimensions",
            hint="make the query with the model that made the table's vectors",
        )
    with np.errstate(over="ignore"):
        single = vector.astype(np.float32)
    if not np.isfinite(single).all():
        position = int(np.flatnonzero(~np.isfinite(single))[0])
        raise InputDataError(
            f"number {position + 1} of the query vector is {vector[position]}",
            why="it must be finite in single precision",
        )
    if metric.name == "cosine" and not single.any():
        raise InputDataError("the query vector is zero", why=_NO_DIRECTION)
    return single
