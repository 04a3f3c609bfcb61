"""The SQL of nearest-neighbour searches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from vectorops.database.filters import Filter, conditions
from vectorops.database.metrics import Metric
from vectorops.database.tables import VectorTable

# What an index is ordered by: the vectors as stored, their halfvec, or their signs as bits.
FirstPass = Literal["column", "halfvec", "bit"]

# The table always goes by another name: the one who asks may have called it "asked".
_EXACT = """SELECT {id}, {distance} + 0 AS distance{vectors} FROM {table} AS stored{where}
ORDER BY 2, 1 LIMIT {k}"""
_ORDERED = """SELECT {id}, {distance} AS distance{vectors} FROM {table} AS stored{where}
ORDER BY {order} LIMIT {candidates}"""
_RANKED_AGAIN = "SELECT * FROM ({ordered}) AS candidates ORDER BY 2, 1 LIMIT {k}"
_BATCH = """SELECT asked.number, found.*
FROM unnest(%(queries)b::vector[]) WITH ORDINALITY AS asked (vector, number)
CROSS JOIN LATERAL ({nearest}) AS found"""
_NOTHING = sql.SQL("")


@dataclass(frozen=True)
class SearchShape:
    """Everything about a search but its query vector and the values of its filters.

    Attributes:
        through: What the index is ordered by, or None to compare every row.
        k: Rows wanted.
        candidates: Rows that the first pass hands on to be ranked by the full vectors.
        by_id: The query is the vector of a stored row, which is left out of the answer.
        with_vectors: Vectors come with the rows.
    """

    metric: Metric
    through: FirstPass | None
    k: int
    candidates: int
    filters: tuple[Filter, ...] = ()
    by_id: bool = False
    with_vectors: bool = False


def search_statement(table: VectorTable, shape: SearchShape) -> sql.Composed:
    """Return a statement that gives id, distance and, if asked for, the vector as real[].

    Its parameters are `query`, a vector, or `id` for a search by id, and those of the filters. Rows come
    nearest first, unless the index is scanned iteratively in relaxed order.
    """
    names = {"id": sql.Identifier(table.id_column), "vector": sql.Identifier(table.vector_column)}
    own = sql.SQL("(SELECT {vector} FROM {table} WHERE {id} = %(id)s)").format(**names, table=table.qualified)
    return nearest_rows(table, shape, own if shape.by_id else query_vector(table))


def batch_statement(table: VectorTable, shape: SearchShape) -> sql.Composed:
    """Return a statement that searches for every vector of the array `queries`.

    A row is the number of the query, from 1, before what `search_statement` gives.
    """
    value = sql.SQL("asked.vector::{}").format(sql.SQL(table.vector_type))
    return sql.SQL(_BATCH).format(nearest=nearest_rows(table, shape, value))


def query_vector(table: VectorTable) -> sql.Composed:
    """Return the parameter `query`, sent in binary form, as the type of the table's vectors."""
    return sql.SQL("%(query)b::vector::{}").format(sql.SQL(table.vector_type))


def nearest_rows(table: VectorTable, shape: SearchShape, value: sql.Composable) -> sql.Composed:
    """Return a statement for the rows nearest to `value`.

    An index serves only `ORDER BY column <operator> value LIMIT k` (pgvector README). So an exact search adds
    0 to the distance, which leaves the indexes of filtered columns in use, and a search through another form
    of the vectors ranks its candidates by the vectors themselves.
    """
    vector = sql.Identifier(table.vector_column)
    distance = sql.SQL("({} {} {})").format(vector, sql.SQL(shape.metric.operator), value)
    parts = {
        "id": sql.Identifier(table.id_column),
        "distance": distance,
        "vectors": sql.SQL(", {}::real[]").format(vector) if shape.with_vectors else _NOTHING,
        "table": table.qualified,
        "where": _where(table, shape),
        "k": sql.Literal(shape.k),
        "candidates": sql.Literal(shape.candidates),
    }
    if shape.through is None:
        return sql.SQL(_EXACT).format(**parts)
    if shape.through == "column":
        return sql.SQL(_ORDERED).format(**parts | {"order": distance, "candidates": parts["k"]})
    order = _candidate_distance(table, shape.through, shape.metric, value)
    ordered = sql.SQL(_ORDERED).format(**parts, order=order)
    return sql.SQL(_RANKED_AGAIN).format(ordered=ordered, k=parts["k"])


def where_clause(found: Sequence[sql.Composable]) -> sql.Composable:
    """Return a WHERE clause in which all of `found` must hold."""
    return sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(found)) if found else _NOTHING


def _where(table: VectorTable, shape: SearchShape) -> sql.Composable:
    others = sql.SQL("{} <> %(id)s").format(sql.Identifier(table.id_column))
    return where_clause([*conditions(shape.filters), *([others] if shape.by_id else [])])


def _candidate_distance(
    table: VectorTable, through: FirstPass, metric: Metric, value: sql.Composable
) -> sql.Composed:
    vector, dimension = sql.Identifier(table.vector_column), sql.Literal(table.dimension)
    cast = sql.SQL("({}::halfvec({}))" if through == "halfvec" else "(binary_quantize({})::bit({}))")
    operator = sql.SQL(metric.operator if through == "halfvec" else "<~>")
    left, right = (cast.format(side, dimension) for side in (vector, value))
    return sql.SQL("{} {} {}").format(left, operator, right)
