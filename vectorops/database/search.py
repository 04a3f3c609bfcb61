"""Nearest neighbours of a vector, through the index where PostgreSQL finds that cheaper."""

from collections.abc import Sequence
from typing import Any

import psycopg

from vectorops.database.filters import Filter
from vectorops.database.metrics import MetricName
from vectorops.database.query import Query, QueryById
from vectorops.database.results import HybridHit, HybridResult, Neighbour, SearchResult
from vectorops.database.search_options import MAX_EF_SEARCH, SearchOptions
from vectorops.database.searcher import Searcher
from vectorops.database.tables import VectorTable

__all__ = [
    "MAX_EF_SEARCH",
    "Filter",
    "HybridHit",
    "HybridResult",
    "Neighbour",
    "Query",
    "QueryById",
    "SearchOptions",
    "SearchResult",
    "Searcher",
    "explain_search",
    "search",
]


def search(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    query: Query,
    *,
    k: int = 10,
    metric: MetricName | None = None,
    ef_search: int | None = None,
    filters: Sequence[Filter] = (),
    exact: bool = False,
    with_vectors: bool = False,
) -> SearchResult:
    """Return the `k` rows of `table` nearest to `query`: one search by a `Searcher`, which see.

    Args:
        connection: From `connect`; knows the vector types.
        table: From `vector_table`.
        query: A vector of shape (dimension,), or a `QueryById`, whose own row is left out of the answer.
        k: Rows wanted, 1 or more.
        metric: As in `SearchOptions`.
        ef_search: As in `SearchOptions`.
        filters: All must hold.
        exact: Compare every row.
        with_vectors: Fetch the vectors too.

    Raises:
        UsageError: An option is out of range, or a filter does not fit the table.
        InputDataError: The query vector does not fit the table, or no row has the id.
        DatabaseError: PostgreSQL refused.
    """
    searcher = Searcher(connection, table, SearchOptions(metric, ef_search))
    return searcher.search(query, k=k, filters=filters, exact=exact, with_vectors=with_vectors)


def explain_search(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    query: Query,
    *,
    k: int = 10,
    metric: MetricName | None = None,
    ef_search: int | None = None,
    exact: bool = False,
) -> dict[str, Any]:
    """Return the plan of the same search, as `EXPLAIN (VERBOSE, FORMAT JSON)` gives it; runs nothing.

    Raises:
        UsageError, InputDataError, DatabaseError: As `search`.
    """
    return Searcher(connection, table, SearchOptions(metric, ef_search)).explain(query, k=k, exact=exact)
