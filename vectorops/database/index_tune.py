"""The smallest ef_search that reaches a recall, measured and stored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from vectorops.database.connection import database_errors
from vectorops.database.filters import (
    Filter,
    check_columns,
    conditions,
    filter_parameters,
    filters_shape,
    filters_text,
)
from vectorops.database.indexes import IndexKey, VectorIndex
from vectorops.database.metrics import MetricName
from vectorops.database.query import check_dense
from vectorops.database.recall import QUERIES, RecallProbe
from vectorops.database.search_catalogue import SearchCatalogue, check_through, read_catalogue
from vectorops.database.search_options import MAX_EF_SEARCH, SearchOptions
from vectorops.database.search_settings import SearchSetting, record_setting
from vectorops.database.search_statement import FirstPass
from vectorops.database.tables import VectorTable
from vectorops.errors import UsageError

_GRID = (20, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500, 600, 800, MAX_EF_SEARCH)


@dataclass(frozen=True)
class TuneStep:
    """One ef_search, tried."""

    ef_search: int
    recall: float
    ms: float
    index: str | None


@dataclass(frozen=True)
class TuneReport:
    """What was measured.

    Attributes:
        table: With its schema.
        index: The one that was measured.
        filter: As given, or "".
        selectivity: Share of the rows that pass the filter, 0 to 1.
        queries: How many vectors were searched for.
        rows: Rows of the table.
        steps: In the order they were tried.
        ef_search: The smallest that reaches the target, or None if none does.
        recall: What it reaches, or the best that was reached.
        stored: Whether searches use it from now on.
        note: Why nothing is stored, and what helps, or "".
    """

    table: str
    index: str
    index_key: IndexKey
    metric: MetricName
    k: int
    filter: str
    selectivity: float
    target_recall: float
    queries: int
    rows: int
    steps: list[TuneStep]
    ef_search: int | None
    recall: float
    stored: bool
    note: str = ""

    @property
    def is_reached(self) -> bool:
        """Whether searches reach the target."""
        return self.recall >= self.target_recall


@dataclass(frozen=True)
class Target:
    """What is to be reached.

    Attributes:
        recall: Share of the true neighbours, 0 to 1.
        k: Neighbours searched for.
        filters: All hold.
        metric: Default: that of the table's index.
        through: What the index holds. Default: what searches use.
    """

    recall: float = 0.95
    k: int = 10
    filters: tuple[Filter, ...] = ()
    metric: MetricName | None = None
    through: FirstPass | None = None


def tune_index(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    target: Target,
    *,
    queries: int = QUERIES,
    vectors: NDArray[np.float32] | None = None,
    store: bool = True,
    on_truth: Callable[[int, int], None] = lambda _, __: None,
    on_step: Callable[[TuneStep], None] = lambda _: None,
) -> TuneReport:
    """Find the smallest ef_search of a grid that reaches a recall, and store it for searches to use.

    Recall is measured against exact search, for a sample of the table's own vectors, on the path that
    searches take: with the plan that PostgreSQL chooses, exact ranking of a first pass, and filters.

    Args:
        connection: Autocommit connection, outside a transaction.
        table: From `vector_table`.
        target: What is to be reached.
        queries: Vectors to search for.
        vectors: Search for these instead, shape (queries, dimension).
        store: Whether to keep the result in `vectorops.search_settings`.
        on_truth: Called with how many exact searches are done, and how many there are to do.
        on_step: Called after each ef_search.

    Raises:
        UsageError: There is no HNSW index to tune, or the target cannot be.
        DatabaseError: PostgreSQL refused, or the schema that stores the result is not there.
    """
    _check(target)
    check_dense(table)
    with database_errors(f"cannot tune the index of '{table.full_name}'"):
        catalogue = read_catalogue(connection, table)
        index = _index(catalogue, table, target)
        rows, passing = _count(connection, table, target.filters)
    probe = RecallProbe(
        connection,
        table,
        SearchOptions(index.metric, through=_through(index)),
        k=target.k,
        filters=target.filters,
        queries=queries,
        vectors=vectors,
        on_progress=on_truth,
    )
    steps = _steps(probe, index, target, on_step)
    report = _report(table, index, target, steps, queries=probe.queries, rows=rows, passing=passing)
    if not (store and report.ef_search):
        return report
    with database_errors("cannot store the result", hint="run 'vectorops schema apply'"):
        record_setting(connection, _setting(report, target))
    return replace(report, stored=True)


def _steps(
    probe: RecallProbe, index: VectorIndex, target: Target, on_step: Callable[[TuneStep], None]
) -> list[TuneStep]:
    steps: list[TuneStep] = []
    for ef_search in _grid(target.k):
        found = probe.measure(SearchOptions(index.metric, ef_search, _through(index)))
        steps.append(TuneStep(ef_search, found.recall, found.ms, found.index))
        on_step(steps[-1])
        if found.recall >= target.recall:
            break
    return steps


def _report(
    table: VectorTable,
    index: VectorIndex,
    target: Target,
    steps: list[TuneStep],
    *,
    queries: int,
    rows: int,
    passing: int,
) -> TuneReport:
    best = max(steps, key=lambda step: step.recall)
    is_reached = best.recall >= target.recall
    uses_index = any(step.index for step in steps)
    return TuneReport(
        table=table.full_name,
        index=index.name,
        index_key=index.key,
        metric=index.metric or "cosine",
        k=target.k,
        filter=filters_text(target.filters),
        selectivity=passing / rows if rows else 0.0,
        target_recall=target.recall,
        queries=queries,
        rows=rows,
        steps=steps,
        ef_search=best.ef_search if is_reached and uses_index else None,
        recall=best.recall,
        stored=False,
        note=_note(table, index, is_reached=is_reached, uses_index=uses_index),
    )


def _check(target: Target) -> None:
    if not 0 < target.recall <= 1:
        raise UsageError(
            f"a recall cannot be {target.recall:g}", hint="choose a number up to 1, such as 0.95"
        )
    if not 1 <= target.k < MAX_EF_SEARCH:
        raise UsageError(
            f"cannot tune searches for {target.k} rows", why=f"ef_search is at most {MAX_EF_SEARCH}"
        )


def _index(catalogue: SearchCatalogue, table: VectorTable, target: Target) -> VectorIndex:
    check_columns(target.filters, catalogue.columns, table.full_name)
    index = catalogue.index(target.metric, target.through)
    check_through(index, table, target.through)
    if index is None or index.method != "hnsw":
        raise UsageError(
            f"'{table.full_name}' has no HNSW index to tune",
            why=f"its index '{index.name}' is {index.method}" if index else "",
            hint=f"build one with 'vectorops index build {table.full_name}'",
        )
    return index


def _through(index: VectorIndex) -> FirstPass:
    return index.key if index.key != "other" else "column"


def _grid(k: int) -> Iterator[int]:
    # One more than wanted, as each vector of the sample finds itself.
    yield k + 1
    yield from (one for one in _GRID if one > k + 1)


def _count(
    connection: psycopg.Connection[Any], table: VectorTable, filters: Sequence[Filter]
) -> tuple[int, int]:
    passing = sql.SQL(" AND ").join(conditions(filters)) if filters else sql.SQL("true")
    statement = sql.SQL("SELECT count(*), count(*) FILTER (WHERE {}) FROM {}")
    counting = statement.format(passing, table.qualified)
    try:
        row = connection.execute(counting, filter_parameters(filters)).fetchone()
    except (psycopg.DataError, psycopg.errors.UndefinedFunction) as exc:
        what = f"a filter does not fit its column in '{table.full_name}': {filters_text(filters)}"
        raise UsageError(what, why=str(exc).splitlines()[0]) from exc
    return row or (0, 0)


def _note(table: VectorTable, index: VectorIndex, *, is_reached: bool, uses_index: bool) -> str:
    if not uses_index:
        return "PostgreSQL compares every row in such a search, which is exact: there is nothing to tune"
    if is_reached:
        return ""
    if index.key == "bit":
        return f"bits find no more; take vectorops index build {table.full_name} --type halfvec"
    return f"this index finds no more; take {_better(table, index)}"


def _better(table: VectorTable, index: VectorIndex) -> str:
    type_ = "vector" if index.key == "column" and table.vector_type == "vector" else "halfvec"
    m = min(2 * index.options["m"], 100)
    ef_construction = min(max(2 * index.options["ef_construction"], 2 * m), 1_000)
    return (
        f"vectorops index build {table.full_name} --type {type_} --metric {index.metric}"
        f" --m {m} --ef-construction {ef_construction}"
    )


def _setting(report: TuneReport, target: Target) -> SearchSetting:
    return SearchSetting(
        table_name=report.table,
        metric=report.metric,
        index_key=report.index_key,
        filter=report.filter,
        filter_shape=filters_shape(target.filters),
        selectivity=report.selectivity,
        k=report.k,
        ef_search=report.ef_search or MAX_EF_SEARCH,
        recall=report.recall,
        target_recall=report.target_recall,
        queries=report.queries,
        table_rows=report.rows,
    )
