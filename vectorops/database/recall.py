"""Recall: which share of the true neighbours a search finds, for a sample of a table's own vectors."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from vectorops.database.connection import database_errors
from vectorops.database.filters import Filter, filters_text
from vectorops.database.results import Neighbour, SearchResult, plain_id
from vectorops.database.search_options import SearchOptions
from vectorops.database.searcher import Searcher
from vectorops.database.tables import VectorTable
from vectorops.errors import UsageError

QUERIES = 100

# Blocks are read, not rows: so many more rows than wanted, that these come from many blocks.
_SPREAD = 20
_SAMPLE = """SELECT {id}, {vector}::real[] FROM {table} TABLESAMPLE SYSTEM ({percent})
WHERE {vector} IS NOT NULL AND vector_norm({vector}::vector) > 0 ORDER BY random() LIMIT {rows}"""
# What an index and an exact search make of the same two vectors may differ in the last bits.
_TOLERANCE = 1e-6
# Queries of one statement; after each the progress is told.
_CHUNK = 20


@dataclass(frozen=True)
class Measured:
    """Searches for the sample.

    Attributes:
        recall: Share of the true neighbours that was found, 0 to 1. A row as near as the last of them counts.
        ms: Mean time of a query, many in one statement, in milliseconds.
        index: Name of the index that was used, or None when PostgreSQL compared every row instead.
    """

    recall: float
    ms: float
    index: str | None


class RecallProbe:
    """Knows the true neighbours of some vectors of a table, each without its own row.

    Args:
        connection: From `connect`.
        table: From `vector_table`.
        options: Metric and first pass, as the searches to be measured have them.
        k: Neighbours of each.
        filters: As the searches have them.
        queries: Vectors to search for; fewer if the table has fewer.
        vectors: Search for these instead, shape (queries, dimension): the table's own are found more easily
            than new ones, since the index leads to them.
        on_progress: Called with how many of them have their true neighbours, and how many there are.

    Raises:
        UsageError: The table has no vectors, or no row passes the filters.
        DatabaseError: PostgreSQL refused.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        table: VectorTable,
        options: SearchOptions,
        *,
        k: int,
        filters: Sequence[Filter] = (),
        queries: int = QUERIES,
        vectors: NDArray[np.float32] | None = None,
        on_progress: Callable[[int, int], None] = lambda _, __: None,
    ) -> None:
        self._connection = connection
        self._table = table
        self._filters = filters
        self._k = k
        self._ids: list[str | int | None]
        if vectors is None:
            self._ids, self.vectors = _sample(connection, table, queries)
        else:
            self._ids, self.vectors = [None] * len(vectors), vectors
        searcher = Searcher(connection, table, options)
        found: list[SearchResult] = []
        for start in range(0, len(self.vectors), _CHUNK):
            chunk = self.vectors[start : start + _CHUNK]
            # One more than wanted, as each finds itself.
            found += searcher.search_many(chunk, k=k + 1, filters=filters, exact=True)
            on_progress(len(found), len(self.vectors))
        self._true = [self._others(*pair) for pair in zip(self._ids, found, strict=True)]
        if not any(self._true):
            raise UsageError(
                f"no row of '{table.full_name}' passes the filter: {filters_text(filters)}"
                if filters
                else f"'{table.full_name}' has too few vectors to search"
            )

    @property
    def queries(self) -> int:
        """How many vectors are searched for."""
        return len(self.vectors)

    def measure(self, options: SearchOptions) -> Measured:
        """Search for every vector of the sample, and compare.

        Raises:
            UsageError, DatabaseError: As `Searcher.search_many`.
        """
        searcher = Searcher(self._connection, self._table, options)
        searcher.catalogue()
        started = time.perf_counter()
        found = searcher.search_many(self.vectors, k=self._k + 1, filters=self._filters)
        ms = (time.perf_counter() - started) * 1000 / len(found)
        others = [self._others(*pair) for pair in zip(self._ids, found, strict=True)]
        index = next((one.index for one in found if one.index), None)
        return Measured(_recall(self._true, others), ms, index)

    def _others(self, own: str | int | None, result: SearchResult) -> list[Neighbour]:
        return [one for one in result.neighbours if one.id != own][: self._k]


def _recall(true: Sequence[Sequence[Neighbour]], found: Sequence[Sequence[Neighbour]]) -> float:
    hits = total = 0
    for wanted, given in zip(true, found, strict=True):
        if wanted:
            last = wanted[-1].score
            least = last - _TOLERANCE * max(1.0, abs(last))
            hits += sum(one.score >= least for one in given)
            total += len(wanted)
    return hits / total


def _sample(
    connection: psycopg.Connection[Any], table: VectorTable, queries: int
) -> tuple[list[str | int | None], NDArray[np.float32]]:
    with database_errors(f"cannot read a sample of '{table.full_name}'"):
        rows = _rows(connection, table, queries)
    if not rows:
        raise UsageError(f"'{table.full_name}' has no vectors to measure with", hint="load some first")
    ids: list[str | int | None] = [plain_id(row[0]) for row in rows]
    return ids, np.array([row[1] for row in rows], dtype=np.float32)


def _rows(connection: psycopg.Connection[Any], table: VectorTable, queries: int) -> list[Any]:
    estimate = connection.execute(
        "SELECT sum(greatest(reltuples, 0)) FROM pg_class WHERE oid IN"
        " (SELECT relid FROM pg_partition_tree(%(table)s) UNION SELECT %(table)s::regclass)",
        {"table": table.qualified.as_string(connection)},
    ).fetchone()
    known = float(estimate[0] or 0) if estimate else 0.0
    share = min(100.0, 100 * _SPREAD * queries / known) if known else 100.0
    names = {"id": sql.Identifier(table.id_column), "vector": sql.Identifier(table.vector_column)}
    for percent in (share, 100.0):
        statement = sql.SQL(_SAMPLE).format(
            **names, table=table.qualified, percent=sql.Literal(percent), rows=sql.Literal(queries)
        )
        rows = connection.execute(statement, binary=True).fetchall()
        if len(rows) == queries or percent == 100.0:
            return rows
    return []
