"""Searching at a recall: `Searcher` beside the plain index, default settings and parameters as text.

Both search the same table for the same new vectors, in turns, from one and from several processes at once.

    python -m benchmarks.search --rows 100000 --dimension 384
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from benchmarks.load import SQL, server
from benchmarks.vectors import clustered_vectors, fill_table, parser_of, recall, true_neighbours
from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.index_build import BuildSettings, build_index
from vectorops.database.index_spec import IndexSpec
from vectorops.database.index_tune import Target, tune_index
from vectorops.database.migrations import apply_migrations
from vectorops.database.search_options import SearchOptions
from vectorops.database.search_statement import FirstPass
from vectorops.database.searcher import Searcher
from vectorops.database.tables import vector_table

Search = Callable[[NDArray[np.float32]], list[int | str]]
Vectors = NDArray[np.float32]
# What the index holds, or None for the plain search; ef_search; and the recall it has.
Contender = tuple[FirstPass | None, int, float]
WORKERS, MEMORY = 1, 2**30
# What `index build --ef-construction 128` gives: a better graph needs fewer candidates for the same recall.
HALFVEC = IndexSpec("halfvec", "cosine", ef_construction=128)
BITS = IndexSpec("bit", "cosine", ef_construction=128)
WARM_UP = 30


def main() -> None:
    options = parse_options()
    vectors = clustered_vectors(options.rows, options.dimension)
    # One set to tune with, another to measure with: both new to the index.
    tuning, queries = (clustered_vectors(options.queries, options.dimension, seed) for seed in (2, 3))
    truth = true_neighbours(vectors, queries)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, server(Path(folder)) as address:
        with connect(address) as connection:
            apply_migrations(connection, SQL)
            fill_table(connection, "items", vectors)
            build(connection, address)
            plain = recall(connection, "column", queries, truth)
            contenders: dict[str, Contender] = {"plain": (None, 0, plain)}
            same = max(plain, options.recall)
            wanted: list[tuple[FirstPass, float]] = [
                ("halfvec", same),
                ("halfvec", options.recall),
                ("bit", same),
            ]
            for through, target in wanted:
                ef_search = tune(connection, through, tuning, target)
                found = recall(connection, through, queries, truth, ef_search)
                contenders[f"vectorops {through}, ef_search {ef_search}"] = (through, ef_search, found)
        figures = measure(address, contenders, queries, options)
    report(figures, options)


def parse_options() -> argparse.Namespace:
    parser = parser_of(__doc__, queries=500, runs=3)
    parser.add_argument("--recall", type=float, default=0.95, help="that both must reach")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4], help="that search at once")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each is measured")
    return parser.parse_args()


def build(connection: psycopg.Connection[Any], address: DatabaseAddress) -> None:
    """Build the plain index with the default parameters, and those of vectorops.

    The memory of a build changes how long it takes, not what it gives.
    """
    table = vector_table(connection, "items")
    settings = BuildSettings(MEMORY, WORKERS)
    with connect(address) as watcher:
        for spec in (IndexSpec("vector", "cosine"), HALFVEC, BITS):
            built = build_index(connection, watcher, table, spec, settings, keep=True)
            print(f"built {built.index}: {built.elapsed_s:.1f} s, {built.size_bytes / 2**20:.0f} MiB")


def tune(connection: psycopg.Connection[Any], through: FirstPass, vectors: Vectors, target: float) -> int:
    """Return the ef_search that `vectorops index tune --queries-file` stores."""
    report = tune_index(
        connection, vector_table(connection, "items"), Target(target, through=through), vectors=vectors
    )
    return report.ef_search or report.steps[-1].ef_search


@contextmanager
def plain_search(connection: psycopg.Connection[Any]) -> Iterator[Search]:
    def search(vector: Vectors) -> list[int | str]:
        text = f"[{','.join(map(str, vector.tolist()))}]"
        rows = connection.execute(
            "SELECT id FROM items ORDER BY embedding <=> %s::vector LIMIT 10", (text,)
        ).fetchall()
        return [row[0] for row in rows]

    yield search


@contextmanager
def vectorops_search(
    connection: psycopg.Connection[Any], through: FirstPass, ef_search: int
) -> Iterator[Search]:
    options = SearchOptions(ef_search=ef_search, through=through)
    searcher = Searcher(connection, vector_table(connection, "items"), options)

    def search(vector: Vectors) -> list[int | str]:
        return [one.id for one in searcher.search(vector).neighbours]

    with searcher.held():
        yield search


def measure(
    address: DatabaseAddress,
    contenders: dict[str, Contender],
    queries: Vectors,
    options: argparse.Namespace,
) -> list[dict[str, Any]]:
    """Return searches per second and their times, of each contender for each number of processes."""
    figures: list[dict[str, Any]] = []
    for processes in options.processes:
        for _ in range(options.runs):
            for name, (through, ef_search, found) in contenders.items():
                way = through, ef_search
                searches, times = searched(address, way, queries, processes, options.seconds)
                median, p99 = np.percentile(times, (50, 99))
                one = {"name": name, "recall": found, "processes": processes}
                figures.append(one | {"per_s": searches, "median_ms": median, "p99_ms": p99})
    return figures


def searched(
    address: DatabaseAddress,
    way: tuple[FirstPass | None, int],
    queries: Vectors,
    processes: int,
    seconds: float,
) -> tuple[float, NDArray[np.float64]]:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(processes), context.Queue()
    started = [
        context.Process(
            target=search_for_a_while,
            args=(address, way, np.roll(queries, 37 * number, axis=0), seconds, barrier, answers),
        )
        for number in range(processes)
    ]
    for process in started:
        process.start()
    found = [answers.get() for _ in started]
    for process in started:
        process.join()
    return sum(len(times) / taken for times, taken in found), np.concatenate([times for times, _ in found])


def search_for_a_while(
    address: DatabaseAddress,
    way: tuple[FirstPass | None, int],
    queries: Vectors,
    seconds: float,
    barrier: Any,
    answers: Any,
) -> None:
    """Search from a process of its own, and put the milliseconds of each search, and the seconds, out."""
    with connect(address) as connection:
        register_vector_types(connection)
        through, ef_search = way
        with (
            vectorops_search(connection, through, ef_search) if through else plain_search(connection)
        ) as search:
            for vector in queries[:WARM_UP]:
                search(vector)
            barrier.wait()
            times: list[float] = []
            begin = time.perf_counter()
            while (before := time.perf_counter()) - begin < seconds:
                search(queries[len(times) % len(queries)])
                times.append((time.perf_counter() - before) * 1000)
            answers.put((times, time.perf_counter() - begin))


def report(figures: list[dict[str, Any]], options: argparse.Namespace) -> None:
    print(f"{options.rows:,} x {options.dimension}, top 10 of {options.queries} new vectors")
    for processes in options.processes:
        names = list(dict.fromkeys(one["name"] for one in figures))
        base = 0.0
        for name in names:
            ones = [one for one in figures if (one["name"], one["processes"]) == (name, processes)]
            per_s, median, p99 = (
                statistics.median(one[key] for one in ones) for key in ("per_s", "median_ms", "p99_ms")
            )
            base = base or per_s
            print(
                f"  {processes} at once  {name:34} recall {ones[0]['recall']:.3f} {per_s:8,.0f} searches/s"
                f" {per_s / base:6.2f} x  median {median:6.2f} ms  99 % {p99:6.2f} ms"
            )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
