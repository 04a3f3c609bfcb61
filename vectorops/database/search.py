"""Nearest neighbours of a vector, through the index where PostgreSQL finds that cheaper."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from vectorops.database.connection import database_errors
from vectorops.database.indexes import VectorIndex, vector_indexes
from vectorops.database.metrics import DEFAULT_METRIC, METRICS, Metric, MetricName
from vectorops.database.query import Query, QueryById, check_stored, checked_vector
from vectorops.database.search_statement import search_statement
from vectorops.database.tables import VectorTable
from vectorops.errors import UsageError

__all__ = ["Neighbour", "Query", "QueryById", "SearchResult", "explain_search", "search"]

MAX_EF_SEARCH = 1_000  # pgvector README

# Both are local to the transaction. Without an iterative scan a filter is applied to what the index found and
# nothing is fetched in place of the rows it removed. Servers before pgvector 0.8.0 do not know the setting.
_SETTINGS = """
SELECT set_config('hnsw.ef_search', coalesce(%(ef_search)s::int, least(%(max)s, greatest(%(least)s,
        coalesce(nullif(current_setting('hnsw.ef_search', true), '')::int, 40))))::text, true),
    CASE WHEN string_to_array(extversion, '.')::int[] >= '{0,8,0}'
        THEN set_config('hnsw.iterative_scan', 'strict_order', true) END
FROM pg_extension WHERE extname = 'vector'
"""


@dataclass(frozen=True)
class Neighbour:
    """A row that was found.

    Attributes:
        id: Integers as int, every other type as str.
        score: Higher is nearer; see `Metric.score`. Cosine: the cosine similarity.
        vector: float32 of shape (dimension,), if asked for.
    """

    id: str | int
    score: float
    vector: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class SearchResult:
    """What was found, and how.

    Attributes:
        neighbours: Best first; equal scores by id.
        index: Name of the vector index that was used, or None when every row was compared, which is exact.
        ef_search: The candidates the index was asked for, or None without an index.
    """

    neighbours: list[Neighbour]
    metric: MetricName
    index: str | None
    ef_search: int | None

    @property
    def used_index(self) -> bool:
        """Whether the answer came from an index, which is fast and approximate."""
        return self.index is not None


@dataclass(frozen=True)
class _Options:
    k: int
    metric: MetricName | None
    ef_search: int | None
    exact: bool
    with_vectors: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"cannot search for {self.k} rows", hint="ask for at least one")
        if self.metric is not None and self.metric not in METRICS:
            raise UsageError(
                f"no metric is called '{self.metric}'", hint=f"choose one of {', '.join(METRICS)}"
            )
        if self.ef_search is not None and not min(self.k, MAX_EF_SEARCH) <= self.ef_search <= MAX_EF_SEARCH:
            raise UsageError(
                f"ef_search cannot be {self.ef_search}",
                why=f"it is how many candidates the {self.k} rows are chosen from, at most {MAX_EF_SEARCH}",
                hint=f"choose a number from {min(self.k, MAX_EF_SEARCH)} to {MAX_EF_SEARCH}",
            )


@dataclass(frozen=True)
class _Statement:
    text: sql.Composed
    parameters: dict[str, Any]
    metric: Metric


def search(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    query: Query,
    *,
    k: int = 10,
    metric: MetricName | None = None,
    ef_search: int | None = None,
    exact: bool = False,
    with_vectors: bool = False,
) -> SearchResult:
    """Return the `k` rows of `table` nearest to `query`, or all there are if they are fewer.

    PostgreSQL decides whether to read the index or every row; on a small table every row is cheaper, and
    exact. An index that comes short of `k` rows is not believed: the search is repeated exactly. Rows without
    a vector, and with cosine those whose vector is zero, are nobody's neighbours.

    Args:
        connection: From `connect`; knows the vector types.
        table: From `vector_table`.
        query: A vector of shape (dimension,), or a `QueryById`, whose own row is left out of the answer.
        k: Rows wanted, 1 or more.
        metric: Default: that of the table's index, or cosine when there is none.
        ef_search: Candidates that HNSW keeps, `k` to 1,000: more is slower and finds more of the true
            neighbours. Default: the server's setting (40 unless changed), or `k` when that is more.
        exact: Compare every row; rows at the same distance come by id even where `k` cuts them.
        with_vectors: Fetch the vectors too; without it none leaves the server.

    Raises:
        UsageError: `k`, `ef_search` or `metric` is out of range.
        InputDataError: The query vector does not fit the table, or no row has the id.
        DatabaseError: PostgreSQL refused.
    """
    options = _Options(k, metric, ef_search, exact, with_vectors)
    with database_errors(f"cannot search '{table.full_name}'"):
        result = _search(connection, table, query, options)
        if result.used_index and len(result.neighbours) < k:
            result = _search(connection, table, query, replace(options, exact=True))
    return result


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
    options = _Options(k, metric, ef_search, exact)
    with database_errors(f"cannot search '{table.full_name}'"), _settings_of_its_own(connection, options):
        return _explain(connection, _statement(connection, table, query, options))


def _search(
    connection: psycopg.Connection[Any], table: VectorTable, query: Query, options: _Options
) -> SearchResult:
    with _settings_of_its_own(connection, options) as ef_search:
        statement = _statement(connection, table, query, options)
        index = _index_of(_explain(connection, statement))
        # Not prepared: a prepared statement may be given another plan than the one just explained.
        found = connection.execute(statement.text, statement.parameters, binary=True, prepare=False)
        rows = found.fetchall()
    neighbours = _neighbours(rows, statement.metric)
    return SearchResult(neighbours, statement.metric.name, index, ef_search if index else None)


@contextmanager
def _settings_of_its_own(connection: psycopg.Connection[Any], options: _Options) -> Iterator[int]:
    # A rollback undoes the settings inside a caller's transaction too, where a commit would leave them on.
    with connection.transaction(force_rollback=True):
        if options.exact:
            connection.execute("SET LOCAL enable_indexscan = off")
        row = connection.execute(
            _SETTINGS, {"ef_search": options.ef_search, "least": options.k + 1, "max": MAX_EF_SEARCH}
        ).fetchone()
        yield int(row[0]) if row else 0


def _statement(
    connection: psycopg.Connection[Any], table: VectorTable, query: Query, options: _Options
) -> _Statement:
    metric, index = _metric_and_index(vector_indexes(connection, table), options.metric)
    parameters: dict[str, Any] = {"k": options.k}
    if isinstance(query, QueryById):
        check_stored(connection, table, query, metric)
        parameters["id"] = str(query.id)  # sent without a type, so that the server reads it as the column's
    else:
        parameters["query"] = checked_vector(query, table, metric)
    through_halfvec = index is not None and index.key == "halfvec" and not options.exact
    text = search_statement(
        table,
        metric,
        by_id=isinstance(query, QueryById),
        through_halfvec=through_halfvec,
        break_ties=options.exact,
        with_vectors=options.with_vectors,
    )
    return _Statement(text, parameters, metric)


def _metric_and_index(
    indexes: Sequence[VectorIndex], wanted: MetricName | None
) -> tuple[Metric, VectorIndex | None]:
    usable = [index for index in indexes if index.is_searchable and wanted in (None, index.metric)]
    index = usable[0] if usable else None
    return METRICS[wanted or (index and index.metric) or DEFAULT_METRIC], index


def _explain(connection: psycopg.Connection[Any], statement: _Statement) -> dict[str, Any]:
    explain = sql.SQL("EXPLAIN (VERBOSE, FORMAT JSON) {}").format(statement.text)
    row = connection.execute(explain, statement.parameters).fetchone()
    return dict(row[0][0]["Plan"]) if row else {}


def _index_of(plan: dict[str, Any]) -> str | None:
    """Return the name of the index that `plan` reads in order of distance."""
    if plan["Node Type"] == "Index Scan" and "Order By" in plan:
        return str(plan["Index Name"])
    found = (_index_of(child) for child in plan.get("Plans", []))
    return next(filter(None, found), None)


def _neighbours(rows: Sequence[Sequence[Any]], metric: Metric) -> list[Neighbour]:
    # NULL and NaN, which sort last, are the distances to no vector and, with cosine, to a zero vector.
    with_distance = [row for row in rows if row[1] is not None and not math.isnan(row[1])]
    return [
        Neighbour(
            id=row[0] if isinstance(row[0], int) else str(row[0]),
            score=metric.score(row[1]),
            vector=np.array(row[2], dtype=np.float32) if len(row) > 2 else None,
        )
        for row in sorted(with_distance, key=lambda row: (row[1], row[0]))
    ]
