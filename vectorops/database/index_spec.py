"""An HNSW index as one wants it: what it holds of the vectors, its metric, its parameters and its name."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from vectorops.database.indexes import IndexKey, VectorIndex
from vectorops.database.metrics import METRICS, MetricName
from vectorops.database.query import check_dense
from vectorops.database.tables import MAX_INDEXED_DIMENSION, VectorTable
from vectorops.errors import UsageError

# What an index holds: the vectors in full, as halves of that size, or their signs.
IndexType = Literal["vector", "halfvec", "bit"]

# pgvector README
MAX_DIMENSION: dict[IndexType, int] = {
    "vector": MAX_INDEXED_DIMENSION["vector"],
    "halfvec": MAX_INDEXED_DIMENSION["halfvec"],
    "bit": 64_000,
}
DEFAULT_M, DEFAULT_EF_CONSTRUCTION = 16, 64  # pgvector README
_M, _EF_CONSTRUCTION = range(2, 101), range(4, 1_001)  # what pgvector accepts
_MAX_NAME_BYTES = 63

# An index under construction, and one whose successor is in use. Nobody needs either once a build has ended.
BUILDING, REPLACED = "_building", "_replaced"


@dataclass(frozen=True)
class IndexSpec:
    """An HNSW index.

    Attributes:
        m: Neighbours each row keeps: more find more, take more memory, and are slower to build.
        ef_construction: Candidates from which they are chosen: more find more and are slower to build.
    """

    type: IndexType
    metric: MetricName
    m: int = DEFAULT_M
    ef_construction: int = DEFAULT_EF_CONSTRUCTION

    def check(self, table: VectorTable) -> None:
        """Raise UsageError unless pgvector can build this index on `table`."""
        check_dense(table)
        if self.m not in _M:
            raise UsageError(f"m cannot be {self.m}", hint="pgvector takes 2 to 100")
        if self.ef_construction not in _EF_CONSTRUCTION or self.ef_construction < 2 * self.m:
            raise UsageError(
                f"ef_construction cannot be {self.ef_construction}",
                why=f"pgvector takes 4 to 1000, and at least twice m, which is {self.m}",
            )
        if self.type == "bit" and self.metric != "cosine":
            raise UsageError(
                f"an index of bits cannot serve {self.metric}",
                why="how many signs differ estimates the angle between two vectors, nothing else",
                hint="choose --metric cosine, or --type halfvec",
            )
        _check_dimension(self.type, table)

    def key(self, table: VectorTable) -> IndexKey:
        """Return what of `table` the index holds, as `VectorIndex.key` names it."""
        if self.type == "vector" or self.type == table.vector_type:
            return "column"
        return self.type

    def name(self, table: VectorTable, ending: str = "_idx") -> str:
        """Return the name of the index: table, column, type and metric, cut to what PostgreSQL keeps."""
        stem, end = f"{table.name}_{table.vector_column}", f"_{self.type}_{self.metric}{ending}"
        if len((stem + end).encode()) <= _MAX_NAME_BYTES:
            return stem + end
        mark = "_" + hashlib.sha256(stem.encode()).hexdigest()[:8]
        room = _MAX_NAME_BYTES - len((mark + end).encode())
        return stem.encode()[:room].decode(errors="ignore") + mark + end

    def is_like(self, index: VectorIndex, table: VectorTable) -> bool:
        """Whether `index` is such an index already."""
        options = {"m": self.m, "ef_construction": self.ef_construction}
        found = (index.method, index.key, index.metric, index.options, index.is_partial)
        return found == ("hnsw", self.key(table), self.metric, options, False)

    def definition(self, table: VectorTable) -> sql.Composed:
        """Return the part of CREATE INDEX from the table's name on."""
        vector, dimension = sql.Identifier(table.vector_column), sql.Literal(table.dimension)
        key: sql.Composable = vector
        opclass = METRICS[self.metric].opclass(table.vector_type)
        if self.key(table) == "halfvec":
            key = sql.SQL("({}::halfvec({}))").format(vector, dimension)
            opclass = METRICS[self.metric].opclass("halfvec")
        elif self.key(table) == "bit":
            key = sql.SQL("(binary_quantize({})::bit({}))").format(vector, dimension)
            opclass = "bit_hamming_ops"
        return sql.SQL("{} USING hnsw ({} {}) WITH (m = {}, ef_construction = {})").format(
            table.qualified, key, sql.SQL(opclass), sql.Literal(self.m), sql.Literal(self.ef_construction)
        )


def _check_dimension(type_: IndexType, table: VectorTable) -> None:
    if table.dimension is None:
        column = f'"{table.vector_column}"'
        raise UsageError(
            f"the vectors of '{table.full_name}' have no fixed dimension, so no index can hold them",
            hint=f"ALTER TABLE {table.full_name} ALTER {column} TYPE {table.vector_type}(N)",
        )
    if type_ == "vector" and table.vector_type == "halfvec":
        raise UsageError(
            f"the vectors of '{table.full_name}' are halfvec", hint="choose --type halfvec or bit"
        )
    if table.dimension > MAX_DIMENSION[type_]:
        raise UsageError(
            f"an index of type {type_} cannot hold {table.dimension} dimensions",
            why=f"pgvector takes up to {MAX_DIMENSION[type_]:,}",
            hint=f"choose --type {'halfvec' if table.dimension <= MAX_DIMENSION['halfvec'] else 'bit'}",
        )
