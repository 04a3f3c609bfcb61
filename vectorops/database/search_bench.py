"""How fast and how complete the searches of a table are, by how many search at once."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import psycopg
from numpy.typing import NDArray

from vectorops.database.filters import Filter, filters_text
from vectorops.database.inspection import table_state
from vectorops.database.metrics import MetricName
from vectorops.database.recall import RecallProbe
from vectorops.database.search_options import SearchOptions
from vectorops.database.searcher import Searcher
from vectorops.database.tables import VectorTable

Kind = Literal["indexed", "exact"]
Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]
# Searches that open connections, fill caches and prepare statements before the clock starts.
_WARM_UP = 10


@dataclass(frozen=True)
class BenchOptions:
    """What to measure.

    Attributes:
        k: Rows a search wants.
        filters: All hold.
        concurrency: Numbers of searchers at once, each with a connection.
        seconds: How long each is measured; a search that has begun is finished.
        queries: Vectors of the table to search for.
        kinds: "indexed" as `search` does it, and "exact" to compare with.
    """

    k: int = 10
    filters: tuple[Filter, ...] = ()
    concurrency: tuple[int, ...] = (1, 2, 4, 8)
    seconds: float = 5.0
    queries: int = 100
    kinds: tuple[Kind, ...] = ("indexed", "exact")


@dataclass(frozen=True)
class BenchPoint:
    """What so many searchers at once got.

    Attributes:
        searches: How many ended.
        median_ms: Of the time from asking to having the rows, in milliseconds.
        p99_ms: 99 of 100 were as quick as this or quicker.
    """

    kind: Kind
    concurrency: int
    searches: int
    searches_per_s: float
    median_ms: float
    p99_ms: float


@dataclass(frozen=True)
class BenchReport:
    """What was measured.

    Attributes:
        index: The one that searches used, or None when PostgreSQL compared every row.
        ef_search: What they asked it for, or None.
        recall: Share of the true neighbours that indexed searches found; exact ones find all.
    """

    table: str
    rows: int
    dimension: int | None
    metric: MetricName
    k: int
    filter: str
    queries: int
    index: str | None
    ef_search: int | None
    recall: float
    points: list[BenchPoint]
    warning: str


def bench_search(
    connect: Connect,
    table: VectorTable,
    search: SearchOptions,
    options: BenchOptions,
    *,
    on_truth: Callable[[int, int], None] = lambda _, __: None,
    on_point: Callable[[BenchPoint], None] = lambda _: None,
) -> BenchReport:
    """Measure recall, then searches per second and their times, for each kind and concurrency.

    Searchers are threads of this process, so above some thousand searches a second it is Python that is
    measured.

    Args:
        connect: Opens a connection, closed with its block.
        table: From `vector_table`.
        search: How to search.
        options: What to measure.
        on_truth: As in `RecallProbe`.
        on_point: Called with each point as it is measured.

    Raises:
        UsageError: An option is out of range, or the table has nothing to search for.
        DatabaseError: PostgreSQL refused.
    """
    with connect() as connection:
        state = table_state(connection, table)
        probe = RecallProbe(
            connection,
            table,
            search,
            k=options.k,
            filters=options.filters,
            queries=options.queries,
            on_progress=on_truth,
        )
        one = Searcher(connection, table, search).search(
            probe.vectors[0], k=options.k, filters=options.filters
        )
        recall = probe.measure(search).recall
    points: list[BenchPoint] = []
    for kind in options.kinds:
        for concurrency in options.concurrency:
            points.append(_point(connect, table, search, options, probe.vectors, kind, concurrency))
            on_point(points[-1])
    return BenchReport(
        table=table.full_name,
        rows=state.rows,
        dimension=table.dimension,
        metric=one.metric,
        k=options.k,
        filter=filters_text(options.filters),
        queries=probe.queries,
        index=one.index,
        ef_search=one.ef_search,
        recall=recall,
        points=points,
        warning=one.warning,
    )


def _point(
    connect: Connect,
    table: VectorTable,
    search: SearchOptions,
    options: BenchOptions,
    vectors: NDArray[np.float32],
    kind: Kind,
    concurrency: int,
) -> BenchPoint:
    ready = threading.Barrier(concurrency + 1)
    times: list[list[float]] = [[] for _ in range(concurrency)]
    failed: list[Exception] = []

    def work(number: int) -> None:
        try:
            with connect() as connection:
                searcher = Searcher(connection, table, search)
                _search_on(searcher, options, np.roll(vectors, number, axis=0), kind, ready, times[number])
        except threading.BrokenBarrierError:
            return  # Another one has said why.
        except Exception as exc:
            failed.append(exc)
            ready.abort()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(concurrency)]
    for thread in threads:
        thread.start()
    with suppress(threading.BrokenBarrierError):
        ready.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    if failed:
        raise failed[0]
    return _summary(kind, concurrency, np.concatenate(times), elapsed)


def _search_on(
    searcher: Searcher,
    options: BenchOptions,
    vectors: NDArray[np.float32],
    kind: Kind,
    ready: threading.Barrier,
    times: list[float],
) -> None:
    def search(number: int) -> None:
        vector = vectors[number % len(vectors)]
        searcher.search(vector, k=options.k, filters=options.filters, exact=kind == "exact")

    with searcher.held():
        for number in range(_WARM_UP if kind == "indexed" else 1):
            search(number)
        ready.wait()
        end = time.perf_counter() + options.seconds
        now = 0.0
        while now < end:
            before = time.perf_counter()
            search(len(times))
            now = time.perf_counter()
            times.append((now - before) * 1000)


def _summary(
    kind: Kind, concurrency: int, times: Sequence[float] | NDArray[np.float64], elapsed_s: float
) -> BenchPoint:
    median, p99 = np.percentile(times, (50, 99))
    return BenchPoint(kind, concurrency, len(times), len(times) / elapsed_s, float(median), float(p99))
