"""Replacing all rows of a table that is searched all the time: `--mode replace` beside the existing index.

Both load the same file of vectors that all differ from those in the table. Meanwhile readers search the
table, and check that ten rows come back each time, in order, by the index.

    python -m benchmarks.replace --rows 100000 --dimension 384
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.load import server
from benchmarks.vectors import clustered_vectors
from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.machine import this_machine
from vectorops.database.migrations import apply_migrations
from vectorops.database.searcher import Searcher
from vectorops.database.tables import vector_table
from vectorops.embeddings.load import LoadReport, load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.embeddings.writing import Way

SQL = Path(__file__).parents[1] / "sql"
TABLE = "public.items"
K = 10
WAYS = {
    "replace": Way("replace", machine=this_machine()),
    "upsert through the index": Way("upsert", "insert", this_machine()),
    "upsert, as it chooses": Way("upsert", "auto", this_machine()),
}


@dataclass
class Reads:
    """What the readers met."""

    seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def main() -> None:
    options = parse_options()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, server(Path(folder)) as address:
        files = [write_file(Path(folder), options, seed) for seed in (1, 2)]
        with connect(address) as connection:
            apply_migrations(connection, SQL)
            register_vector_types(connection)
            for name in options.ways:
                figures[name] = measure(connection, address, files, WAYS[name], options)
                show(name, figures[name])
    compare(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--readers", type=int, default=1, help="connections that search all the time")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--folder", type=Path, help="where there is room for the files and the database")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser.parse_args()


def write_file(folder: Path, options: argparse.Namespace, seed: int) -> str:
    vectors = clustered_vectors(options.rows, options.dimension, seed)
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), options.dimension)
    ids = pa.array(np.arange(options.rows, dtype=np.int32))
    path = folder / f"{seed}.parquet"
    pq.write_table(pa.table({"id": ids, "embedding": values}), path)
    return str(path)


def measure(
    connection: psycopg.Connection[Any],
    address: DatabaseAddress,
    files: list[str],
    way: Way,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Load the first file into a new table, then the second one in the given way."""
    connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
    load(connection, files[0], Way(machine=this_machine()), create=True)
    connection.execute(f"VACUUM ANALYZE {TABLE}")
    connection.execute("CHECKPOINT")
    queries = clustered_vectors(200, options.dimension, seed=3)
    with readers(address, queries, options.readers) as reads:
        started = time.perf_counter()
        report = load(connection, files[1], way)
        elapsed = time.perf_counter() - started
    assert report.inserted + report.updated == options.rows
    return {
        "seconds": elapsed,
        "searches": len(reads.seconds),
        "search_median_ms": 1000 * float(np.median(reads.seconds)),
        "search_longest_ms": 1000 * max(reads.seconds),
        "problems": reads.problems,
        "way": report.index_strategy,
        "reason": report.index_reason,
    }


def load(connection: psycopg.Connection[Any], path: str, way: Way, *, create: bool = False) -> LoadReport:
    return load_embeddings(connection, find_sources([path]), table=TABLE, way=way, create=create)


@contextmanager
def readers(address: DatabaseAddress, queries: NDArray[np.float32], count: int) -> Iterator[Reads]:
    """Search on so many connections until the block ends."""
    reads, ended = Reads(), threading.Event()

    def read() -> None:
        with connect(address) as connection:
            number = 0
            while not ended.is_set():
                started = time.perf_counter()
                problem = search(connection, queries[number % len(queries)])
                reads.seconds.append(time.perf_counter() - started)
                if problem:
                    reads.problems.append(problem)
                number += 1

    threads = [threading.Thread(target=read) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield reads
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def search(connection: psycopg.Connection[Any], query: NDArray[np.float32]) -> str:
    """Search once; return what was wrong with the answer, or nothing."""
    try:
        result = Searcher(connection, vector_table(connection, TABLE)).search(query, k=K)
    except Exception as exc:
        return f"failed: {exc}"
    scores = [neighbour.score for neighbour in result.neighbours]
    if len(scores) != K:
        return f"{len(scores)} rows"
    if scores != sorted(scores, reverse=True):
        return "not in order"
    return "" if result.used_index else "without the index"


def show(name: str, figures: dict[str, Any]) -> None:
    print(
        f"  {name:26}{figures['seconds']:8.1f} s; {figures['searches']:6,} searches, median "
        f"{figures['search_median_ms']:.1f} ms, longest {figures['search_longest_ms']:.0f} ms, "
        f"{len(figures['problems'])} wrong {sorted(set(figures['problems']))[:3]}",
        flush=True,
    )
    print(f"    {figures['way']}: {figures['reason']}", flush=True)


def compare(figures: dict[str, Any]) -> None:
    if {"replace", "upsert through the index"} <= figures.keys():
        factor = figures["upsert through the index"]["seconds"] / figures["replace"]["seconds"]
        print(f"  replacing is {factor:.1f} times as fast as the existing index")


if __name__ == "__main__":
    main()
