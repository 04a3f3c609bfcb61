"""Building an HNSW index: `vectorops index build` beside CREATE INDEX with the default settings.

Both index the same table, in turns, and answer the same new vectors with the same ef_search.

    python -m benchmarks.index --rows 100000 --dimension 384
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.load import server
from benchmarks.vectors import clustered_vectors, fill_table, parser_of, recall, true_neighbours
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.index_build import build_index
from vectorops.database.index_plan import IndexPlan, plan_index
from vectorops.database.machine import this_machine
from vectorops.database.tables import vector_table

# PostgreSQL's own: the local server is set up with more.
DEFAULTS = {"maintenance_work_mem": "64MB", "max_parallel_maintenance_workers": "2"}


def main() -> None:
    options = parser_of(__doc__, queries=1_000, runs=1).parse_args()
    vectors = clustered_vectors(options.rows, options.dimension)
    queries = clustered_vectors(options.queries, options.dimension, seed=2)
    truth = true_neighbours(vectors, queries)
    figures: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        server(Path(folder)) as address,
        connect(address) as connection,
    ):
        fill_table(connection, "items", vectors)
        for _ in range(options.runs):
            figures.append(by_defaults(connection))
            figures[-1]["recall"] = recall(connection, "column", queries, truth)
            figures.append(by_vectorops(connection, address))
            figures[-1]["recall"] = recall(connection, None, queries, truth)
    report(figures, options)


def by_defaults(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    for name, value in DEFAULTS.items():
        connection.execute(f"SET {name} = '{value}'")
    connection.execute("CHECKPOINT")
    started = time.perf_counter()
    connection.execute("CREATE INDEX plain ON items USING hnsw (embedding vector_cosine_ops)")
    taken = time.perf_counter() - started
    size = size_of(connection, "plain")
    return {"name": "defaults", "seconds": taken, "bytes": size}


def by_vectorops(connection: psycopg.Connection[Any], address: DatabaseAddress) -> dict[str, Any]:
    """Build as `vectorops index build items --blocking` does, since CREATE INDEX blocks too."""
    connection.execute("RESET ALL")
    connection.execute("CHECKPOINT")
    table = vector_table(connection, "items")
    started = time.perf_counter()
    plan = plan_index(connection, table, this_machine(), sample_rows=0)
    with connect(address) as watcher:
        built = build_index(
            connection, watcher, table, plan.proposed, plan.settings, concurrently=False, rebuild=True
        )
    taken = time.perf_counter() - started
    assert not built.warnings
    return {
        "name": f"vectorops ({plan.proposed.type})",
        "seconds": taken,
        "bytes": built.size_bytes,
        "expected": expected(connection, plan),
    }


def expected(connection: psycopg.Connection[Any], plan: IndexPlan) -> float | None:
    """Return the seconds that `vectorops index plan` foretells."""
    table = vector_table(connection, "items")
    return plan_index(connection, table, plan.machine).expected_s


def size_of(connection: psycopg.Connection[Any], index: str) -> int:
    row = connection.execute("SELECT pg_relation_size(%s::regclass)", (index,)).fetchone()
    return int(row[0]) if row else 0


def report(figures: list[dict[str, Any]], options: argparse.Namespace) -> None:
    print(f"{options.rows:,} x {options.dimension}, recall@10 of {options.queries} new vectors, ef_search 40")
    names = list(dict.fromkeys(one["name"] for one in figures))
    base = statistics.median(one["seconds"] for one in figures if one["name"] == names[0])
    for name in names:
        ones = [one for one in figures if one["name"] == name]
        seconds = statistics.median(one["seconds"] for one in ones)
        found = statistics.mean(one["recall"] for one in ones)
        line = f"  {name:22}{seconds:8.1f} s{base / seconds:7.2f} x  recall {found:.3f}"
        line += f"  {ones[0]['bytes'] / 2**20:6.0f} MiB"
        print(line + (f"  foretold {ones[0]['expected']:.1f} s" if ones[0].get("expected") else ""))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
