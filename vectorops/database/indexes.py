"""The vector indexes of a table, as the database's catalog describes them."""

from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

from vectorops.database.metrics import METRICS, MetricName, metric_of_opclass
from vectorops.database.tables import VectorTable

# What an index holds: the vector column itself, its cast to halfvec (half the size, and the way to index more
# than 2,000 dimensions), the signs of its numbers as bits, or an expression that search knows nothing of.
IndexKey = Literal["column", "halfvec", "bit", "other"]

_DEFAULTS = {"hnsw": {"m": 16, "ef_construction": 64}, "ivfflat": {"lists": 100}}  # pgvector README

_INDEXES = """
SELECT index.relname AS name, am.amname AS method, opclass.opcname AS opclass,
    CASE WHEN i.indkey[0] = vector_column.attnum THEN 'column'
        WHEN pg_get_expr(i.indexprs, i.indrelid)
            = format('(%%I)::halfvec(%%s)', vector_column.attname, vector_column.atttypmod) THEN 'halfvec'
        WHEN pg_get_expr(i.indexprs, i.indrelid)
            = format('(binary_quantize(%%I))::bit(%%s)', vector_column.attname, vector_column.atttypmod)
            THEN 'bit'
        ELSE 'other' END AS key,
    index.reloptions AS options,
    i.indisvalid AND i.indisready AS is_valid, i.indpred IS NOT NULL AS is_partial,
    pg_relation_size(index.oid) AS size_bytes, pg_get_indexdef(index.oid) AS definition
FROM pg_index i
JOIN pg_class index ON index.oid = i.indexrelid
JOIN pg_am am ON am.oid = index.relam
JOIN pg_opclass opclass ON opclass.oid = i.indclass[0]
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute vector_column ON vector_column.attrelid = c.oid AND vector_column.attname = %(column)s
WHERE am.amname IN ('hnsw', 'ivfflat') AND n.nspname = %(schema)s AND c.relname = %(table)s
ORDER BY am.amname, i.indkey[0] = 0, opclass.opcname LIKE 'bit%%', index.relname
"""


@dataclass(frozen=True)
class VectorIndex:
    """An HNSW or IVFFlat index.

    Attributes:
        method: "hnsw" or "ivfflat".
        metric: The one metric it serves, or None if it is none of ours. Bits serve cosine: how many signs
            differ estimates the angle between two vectors.
        key: What is indexed: the vector "column", its "halfvec" cast, its sign "bit"s, or something "other".
        options: m and ef_construction, or lists; defaults included.
        is_valid: Whether PostgreSQL may use it: not during a concurrent build, nor after one that failed.
        is_partial: Whether it covers only the rows of a condition.
        size_bytes: On disk; 0 for the index of a partitioned table, whose partitions have their own.
        definition: As SQL.
    """

    name: str
    method: str
    opclass: str
    metric: MetricName | None
    key: IndexKey
    options: dict[str, int]
    is_valid: bool
    is_partial: bool
    size_bytes: int
    definition: str

    @property
    def is_searchable(self) -> bool:
        """Whether `search` can use it."""
        return self.is_valid and not self.is_partial and self.key != "other" and self.metric is not None


def vector_indexes(connection: psycopg.Connection[Any], table: VectorTable) -> list[VectorIndex]:
    """Return the indexes of `table`: HNSW before IVFFlat, the column before its halfvec, and bits last."""
    names = {"schema": table.schema, "table": table.name, "column": table.vector_column}
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_INDEXES, names).fetchall()
    # An index that is dropped while the catalog is read has a row there, and no size or definition any more.
    return [_from_row(row) for row in rows if row["size_bytes"] is not None and row["definition"]]


def _from_row(row: dict[str, Any]) -> VectorIndex:
    is_bits = row["key"] == "bit" and row["opclass"] == "bit_hamming_ops"
    metric = METRICS["cosine"] if is_bits else metric_of_opclass(row["opclass"])
    chosen = dict(option.split("=", 1) for option in row.pop("options") or [])
    options = {name: int(chosen.get(name, default)) for name, default in _DEFAULTS[row["method"]].items()}
    return VectorIndex(**row, metric=metric.name if metric else None, options=options)
