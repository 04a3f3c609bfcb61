"""The SQL of a nearest-neighbour search."""

from psycopg import sql

from vectorops.database.metrics import Metric
from vectorops.database.tables import VectorTable

_SEARCH = "SELECT {id}, {distance}{vectors} FROM {table}{others} ORDER BY {order}{ties} LIMIT %(k)s"
_NOTHING = sql.SQL("")


def search_statement(
    table: VectorTable,
    metric: Metric,
    *,
    by_id: bool,
    through_halfvec: bool,
    break_ties: bool,
    with_vectors: bool,
) -> sql.Composed:
    """Return a statement that gives id, distance and, `with_vectors`, the vector as real[], nearest first.

    Its parameters are `k` and either `id` (`by_id`: the vector stored there, whose row is left out) or
    `query`, a vector. An index serves only `ORDER BY column <operator> value LIMIT k` (pgvector README), so
    `break_ties` by id is for searches without one. `through_halfvec` orders by the cast that the index holds,
    while the distance is that of the full vectors.
    """
    names = {"id": sql.Identifier(table.id_column), "vector": sql.Identifier(table.vector_column)}
    own = sql.SQL("(SELECT {vector} FROM {table} WHERE {id} = %(id)s)").format(**names, table=table.qualified)
    value = own if by_id else sql.SQL("%(query)b::vector::" + table.vector_type)
    distance = _distance(names["vector"], metric, value)
    return sql.SQL(_SEARCH).format(
        **names,
        table=table.qualified,
        distance=distance,
        vectors=sql.SQL(", {vector}::real[]").format(**names) if with_vectors else _NOTHING,
        others=sql.SQL(" WHERE {id} <> %(id)s").format(**names) if by_id else _NOTHING,
        order=_halfvec_distance(names["vector"], metric, value, table) if through_halfvec else distance,
        ties=sql.SQL(", {id}").format(**names) if break_ties else _NOTHING,
    )


def _distance(vector: sql.Composable, metric: Metric, value: sql.Composable) -> sql.Composed:
    return sql.SQL("{} {} {}").format(vector, sql.SQL(metric.operator), value)


def _halfvec_distance(
    vector: sql.Composable, metric: Metric, value: sql.Composable, table: VectorTable
) -> sql.Composed:
    halfvec = sql.SQL("halfvec({})").format(sql.Literal(table.dimension))
    cast = sql.SQL("({}::{})")
    return _distance(cast.format(vector, halfvec), metric, cast.format(value, halfvec))
