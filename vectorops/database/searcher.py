"""Searching one table again and again with few round trips."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from vectorops.database.connection import database_errors, first_line
from vectorops.database.filters import Filter, check_columns, filter_parameters, filters_text
from vectorops.database.hybrid import hybrid_statement, text_column
from vectorops.database.query import Query, QueryById, check_dense, check_stored, checked_vector
from vectorops.database.results import HybridHit, HybridResult, SearchResult, neighbours, plain_id
from vectorops.database.search_catalogue import (
    SearchCatalogue,
    check_through,
    read_catalogue,
    slow_search_warning,
)
from vectorops.database.search_options import SearchOptions, SearchPlan, plan_search
from vectorops.database.search_runner import Explained, SearchRunner
from vectorops.database.search_statement import batch_statement, search_statement
from vectorops.database.tables import VectorTable
from vectorops.errors import DatabaseError, UsageError

# So long at most does a change to indexes or stored settings go unnoticed; reading them takes milliseconds.
MAX_AGE_S = 10.0
# Queries of one statement; its answer comes as a whole.
BATCH_SIZE = 200
# A list of candidates for fusion: several times the rows wanted, as rows far down in both lists may win.
HYBRID_CANDIDATES = 5

# A search is planned anew when its index was replaced meanwhile; so many builds do not end during one search.
_PLANS = 3

_IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"

Answer = TypeVar("Answer")


class _IndexGoneError(Exception):
    """The index that a search was planned for has been replaced meanwhile."""


class Searcher:
    """Finds the rows of one table nearest to a vector.

    Catalogue, stored settings and plans are read at the first search and again after some seconds; until then
    a search is one round trip, without leaving a setting on the connection. Searches without filters are
    prepared, where the connection allows it (`prepare_threshold`).

    Args:
        connection: From `connect`; knows the vector types. Used by one thread at a time.
        table: From `vector_table`.
        options: How to search.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        table: VectorTable,
        options: SearchOptions | None = None,
    ) -> None:
        self.table = table
        self._connection = connection
        self._runner = SearchRunner(connection)
        self._options = options or SearchOptions()
        self._catalogue: SearchCatalogue | None = None
        self._read_at = 0.0
        self._texts: dict[tuple[str, SearchPlan], str] = {}
        self._plans: dict[tuple[object, ...], SearchPlan] = {}

    def held(self) -> AbstractContextManager[None]:
        """As `SearchRunner.held`."""
        return self._runner.held()

    def search(
        self,
        query: Query,
        *,
        k: int = 10,
        filters: Sequence[Filter] = (),
        exact: bool = False,
        with_vectors: bool = False,
    ) -> SearchResult:
        """Return the `k` nearest rows that pass the filters, or all there are if they are fewer.

        PostgreSQL decides whether to read the vector index or the rows that pass; on a small table every row
        is cheaper, and exact. An index that comes short of `k` rows is not believed: the search is repeated
        exactly. Rows without a vector, and with cosine those whose vector is zero, are nobody's neighbours.

        Args:
            query: A vector of shape (dimension,), or a `QueryById`, whose own row is left out of the answer.
            k: Rows wanted, 1 or more.
            filters: All must hold.
            exact: Compare every row; rows at the same distance come by id even where `k` cuts them.
            with_vectors: Fetch the vectors too; without it none leaves the server.

        Raises:
            UsageError: An option is out of range, or a filter does not fit the table.
            InputDataError: The query vector does not fit the table, or no row has the id.
            DatabaseError: PostgreSQL refused.
        """

        def search() -> SearchResult:
            plan = self._plan(
                k, filters, exact=exact, by_id=isinstance(query, QueryById), with_vectors=with_vectors
            )
            parameters = self._parameters(query, plan)
            found = self._found(plan, parameters)
            if found.used_index and len(found.neighbours) < k:
                found = self._found(_exactly(plan), parameters)
            return found

        return self._answer(filters, search)

    def search_many(
        self,
        queries: NDArray[np.floating[Any]],
        *,
        k: int = 10,
        filters: Sequence[Filter] = (),
        exact: bool = False,
    ) -> list[SearchResult]:
        """Return the answer to each of many vectors, some hundred to a statement.

        Args:
            queries: Shape (queries, dimension).
            k: As in `search`.
            filters: As in `search`.
            exact: As in `search`.

        Raises:
            UsageError, InputDataError, DatabaseError: As `search`.
        """

        def search() -> list[SearchResult]:
            plan = self._plan(k, filters, exact=exact)
            vectors = [checked_vector(query, self.table, plan.shape.metric) for query in queries]
            chunks = (vectors[start : start + BATCH_SIZE] for start in range(0, len(vectors), BATCH_SIZE))
            return [result for chunk in chunks for result in self._found_many(plan, chunk)]

        return self._answer(filters, search)

    def hybrid(
        self,
        query: Query,
        text: str,
        *,
        k: int = 10,
        filters: Sequence[Filter] = (),
        column: str | None = None,
        config: str | None = None,
    ) -> HybridResult:
        """Return the `k` rows that stand highest in two lists: nearest vectors and best matching texts.

        The lists are fused by reciprocal rank (Cormack, Clarke, Büttcher: "Reciprocal Rank Fusion outperforms
        Condorcet and individual Rank Learning Methods", SIGIR 2009), each five times as long as `k`.

        Args:
            query: As in `search`.
            text: What to look for, in the syntax of web search engines: words, "quoted phrases", or, -not.
            k: As in `search`.
            filters: Hold for both lists.
            column: Text or tsvector column. Default: the only one, or the only one with an index.
            config: Text search configuration. Default: that of the column's index, or the database's.

        Raises:
            UsageError: Also if there is no such column, or more than one.
            InputDataError, DatabaseError: As `search`.
        """

        def search() -> HybridResult:
            plan = self._plan(k * HYBRID_CANDIDATES, filters, by_id=isinstance(query, QueryById))
            document = text_column(self._connection, self.table, column, config)
            parameters = self._parameters(query, plan) | {"text": text}
            statement = hybrid_statement(self.table, plan.shape, document, k)
            rows, explained = self._run(plan, statement.as_string(self._connection), parameters)
            if explained.index and len(rows) < k:
                plan = _exactly(plan)
                statement = hybrid_statement(self.table, plan.shape, document, k)
                rows, explained = self._run(plan, statement.as_string(self._connection), parameters)
            hits = [HybridHit(plain_id(row[0]), float(row[1]), row[2], row[3]) for row in rows]
            warning = self._warning(plan, explained)
            name = plan.shape.metric.name
            return HybridResult(hits, name, document.name, document.config, explained.index, warning)

        return self._answer(filters, search)

    def explain(
        self, query: Query, *, k: int = 10, filters: Sequence[Filter] = (), exact: bool = False
    ) -> dict[str, Any]:
        """Return the plan of the same search, as `EXPLAIN (VERBOSE, FORMAT JSON)` gives it; runs nothing.

        Raises:
            UsageError, InputDataError, DatabaseError: As `search`.
        """
        with self._errors(filters):
            plan = self._plan(k, filters, exact=exact, by_id=isinstance(query, QueryById))
            parameters = self._parameters(query, plan)
            return self._runner.explain(plan, self._text("one", plan), parameters)

    def catalogue(self) -> SearchCatalogue:
        """Return what the database says of the table, at most `MAX_AGE_S` old."""
        now = time.monotonic()
        if self._catalogue is None or now - self._read_at > MAX_AGE_S:
            self._catalogue = read_catalogue(self._connection, self.table)
            self._read_at = now
            self._runner.forget()
            self._plans.clear()
        return self._catalogue

    def _plan(self, k: int, filters: Sequence[Filter], *, exact: bool = False, **more: bool) -> SearchPlan:
        catalogue = self.catalogue()
        if filters:  # Their values differ from one search to the next.
            return self._new_plan(catalogue, k, filters, exact=exact, **more)
        key = (k, exact, *more.items())
        if key not in self._plans:
            self._plans[key] = self._new_plan(catalogue, k, (), exact=exact, **more)
        return self._plans[key]

    def _new_plan(
        self, catalogue: SearchCatalogue, k: int, filters: Sequence[Filter], *, exact: bool, **more: bool
    ) -> SearchPlan:
        self._options.check(k)
        check_dense(self.table)
        check_columns(filters, catalogue.columns, self.table.full_name)
        plan = plan_search(catalogue, self._options, k=k, filters=tuple(filters), exact=exact, **more)
        index = catalogue.index(plan.shape.metric.name, self._options.through)
        check_through(index, self.table, self._options.through)
        return plan

    def _parameters(self, query: Query, plan: SearchPlan) -> dict[str, Any]:
        filters = filter_parameters(plan.shape.filters)
        if not isinstance(query, QueryById):
            return filters | {"query": checked_vector(query, self.table, plan.shape.metric)}
        check_stored(self._connection, self.table, query, plan.shape.metric)
        return filters | {
            "id": str(query.id)
        }  # sent without a type, so that the server reads it as the column's

    def _found(self, plan: SearchPlan, parameters: Mapping[str, Any]) -> SearchResult:
        rows, explained = self._run(plan, self._text("one", plan), parameters)
        return self._result(plan, explained, rows)

    def _found_many(self, plan: SearchPlan, vectors: list[NDArray[np.float32]]) -> list[SearchResult]:
        parameters = filter_parameters(plan.shape.filters) | {"queries": vectors}
        rows, explained = self._run(plan, self._text("many", plan), parameters)
        of_query: list[list[Sequence[Any]]] = [[] for _ in vectors]
        for number, *row in rows:
            of_query[number - 1].append(row)
        results = [self._result(plan, explained, found) for found in of_query]
        if explained.index is None:
            return results
        short = [place for place, found in enumerate(results) if len(found.neighbours) < plan.shape.k]
        if short:
            again = self._found_many(_exactly(plan), [vectors[place] for place in short])
            for place, result in zip(short, again, strict=True):
                results[place] = result
        return results

    def _result(self, plan: SearchPlan, explained: Explained, rows: Sequence[Sequence[Any]]) -> SearchResult:
        metric, index = plan.shape.metric, explained.index
        is_ranked_again = index is not None and plan.shape.through != "column"
        return SearchResult(
            neighbours(rows, metric),
            metric.name,
            index,
            plan.ef_search if index else None,
            plan.shape.candidates if is_ranked_again else None,
            self._warning(plan, explained),
        )

    def _warning(self, plan: SearchPlan, explained: Explained) -> str:
        is_wanted = plan.shape.through is None
        if explained.index or is_wanted or not explained.reads_every_row:
            return ""
        return slow_search_warning(self.catalogue(), self.table, plan.shape.metric)

    def _run(self, plan: SearchPlan, text: str, parameters: Mapping[str, Any]) -> tuple[list[Any], Explained]:
        rows, explained = self._runner.run(plan, text, parameters)
        if plan.shape.through and explained.index is None and explained.is_new:
            self._check_index(plan)
        return rows, explained

    def _check_index(self, plan: SearchPlan) -> None:
        if plan.index is None:
            return
        name = sql.Identifier(self.table.schema, plan.index).as_string(self._connection)
        if self._connection.execute(_IS_VALID, (name,)).fetchone() != (True,):
            self._catalogue = None
            raise _IndexGoneError

    def _text(self, kind: str, plan: SearchPlan) -> str:
        # The values of filters are parameters, so they are left out of what a statement is kept under.
        key = kind, _without_values(plan) if plan.shape.filters else plan
        if key not in self._texts:
            make = search_statement if kind == "one" else batch_statement
            self._texts[key] = make(self.table, plan.shape).as_string(self._connection)
        return self._texts[key]

    def _answer(self, filters: Sequence[Filter], search: Callable[[], Answer]) -> Answer:
        with self._errors(filters):
            for _ in range(_PLANS):
                with suppress(_IndexGoneError):
                    return search()
        raise DatabaseError(
            f"cannot search '{self.table.full_name}'",
            why="its indexes are being replaced all the time",
            hint="search again when no 'vectorops index build' runs",
        )

    @contextmanager
    def _errors(self, filters: Sequence[Filter]) -> Iterator[None]:
        with database_errors(f"cannot search '{self.table.full_name}'"):
            try:
                yield
            except (psycopg.DataError, psycopg.errors.UndefinedFunction) as exc:
                if not filters:
                    raise
                what = f"a filter does not fit its column in '{self.table.full_name}'"
                raise UsageError(f"{what}: {filters_text(filters)}", why=first_line(exc)) from exc


def _without_values(plan: SearchPlan) -> SearchPlan:
    filters = tuple(replace(one, values=("",) * len(one.values)) for one in plan.shape.filters)
    return replace(plan, shape=replace(plan.shape, filters=filters))


def _exactly(plan: SearchPlan) -> SearchPlan:
    return replace(plan, shape=replace(plan.shape, through=None))
