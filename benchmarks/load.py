r"""Loading a CSV file: `vectorops load-embeddings` beside `psql \copy` and a loader made of the csv module.

Every contender loads the same file into an identical table of the same server, in turns.

    python benchmarks/load.py --rows 100000 --dimension 384
"""

import argparse
import csv
import json
import os
import secrets
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.migrations import apply_migrations
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.local.postgres import PostgresProcess, binaries_dir, create_cluster

SQL = Path(__file__).parents[1] / "sql"
TABLE = "public.bench"
# Enough that no checkpoint falls into one contender's time and not into another's.
SETTINGS = {"max_wal_size": "8GB", "checkpoint_timeout": "1h"}
CHUNK = 1_000


@dataclass(frozen=True)
class Bench:
    """What the contenders share."""

    connection: psycopg.Connection[Any]
    address: DatabaseAddress
    path: Path
    rows: int


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, server(Path(folder)) as address:
        path = Path(folder) / "embeddings.csv"
        write_csv(path, options.rows, options.dimension, np.dtype(options.digits))
        with connect(address) as connection:
            prepare(connection, options.dimension)
            seconds = measure(Bench(connection, address, path, options.rows), options.runs)
        report(seconds, options, path.stat().st_size)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--runs", type=int, default=3, help="the medians of so many runs are compared")
    parser.add_argument(
        "--digits",
        choices=["float32", "float64"],
        default="float64",
        help="type whose digits are printed: float64 (default), as Python lists have them, or float32",
    )
    parser.add_argument("--folder", type=Path, help="where there is room for the file and the database")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser.parse_args()


@contextmanager
def server(folder: Path) -> Iterator[DatabaseAddress]:
    """Run a PostgreSQL of our own."""
    folder.chmod(0o755)  # It runs as another user when we are root.
    password = secrets.token_urlsafe(16)
    create_cluster(folder / "data", user="bench", password=password, database="bench")
    process = PostgresProcess(folder / "data", find_free_port(), folder / "postgres.log", settings=SETTINGS)
    process.start()
    try:
        yield DatabaseAddress(LOOPBACK, process.port, "bench", "bench", password, sslmode="disable")
    finally:
        process.stop()


def write_csv(path: Path, rows: int, dimension: int, digits: np.dtype[Any]) -> None:
    """Write a file of random float32 vectors, printed as numbers of type `digits`."""
    generator = np.random.default_rng(1)
    with path.open("w", encoding="ascii") as file:
        file.write("id,embedding\n")
        for start in range(0, rows, CHUNK):
            vectors = generator.standard_normal((min(CHUNK, rows - start), dimension)).astype(np.float32) / 20
            for number, vector in enumerate(vectors.astype(digits), start=start):
                numbers = vector.tolist() if digits == np.float64 else vector
                file.write(f'item{number},"[{",".join(map(str, numbers))}]"\n')


def prepare(connection: psycopg.Connection[Any], dimension: int) -> None:
    apply_migrations(connection, SQL)
    register_vector_types(connection)
    connection.execute(f"CREATE TABLE {TABLE} (id varchar PRIMARY KEY, embedding vector({dimension}))")


def by_psql(bench: Bench) -> None:
    psql = shutil.which("psql") or str(binaries_dir() / "psql")
    command = [psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    command += [
        "-h",
        bench.address.host,
        "-p",
        str(bench.address.port),
        "-U",
        bench.address.user,
        bench.address.name,
    ]
    copy = f"\\copy {TABLE} from '{bench.path}' with (format csv, header)"
    environment = os.environ | {"PGPASSWORD": bench.address.password}
    subprocess.run([*command, "-c", copy], env=environment, check=True)


def by_csv_module(bench: Bench) -> None:
    with (
        bench.path.open(newline="") as file,
        bench.connection.cursor().copy(f"COPY {TABLE} FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["varchar", "vector"])
        rows = csv.reader(file)
        next(rows)
        for row_id, text in rows:
            copy.write_row((row_id, np.array(text[1:-1].split(","), dtype=np.float32)))


def by_vectorops(bench: Bench) -> None:
    report = load_embeddings(bench.connection, find_sources([str(bench.path)]), table=TABLE)
    assert report.inserted == bench.rows


def by_vectorops_again(bench: Bench) -> None:
    report = load_embeddings(bench.connection, find_sources([str(bench.path)]), table=TABLE)
    assert report.unchanged == bench.rows


CONTENDERS: dict[str, Callable[[Bench], None]] = {
    "psql \\copy": by_psql,
    "csv module, write_row": by_csv_module,
    "vectorops": by_vectorops,
}
AGAIN = "vectorops, second load"


def measure(bench: Bench, runs: int) -> dict[str, list[float]]:
    """Return the seconds that each contender took in each run."""
    seconds: dict[str, list[float]] = {name: [] for name in (*CONTENDERS, AGAIN)}
    for _ in range(runs):
        for name, load in CONTENDERS.items():
            bench.connection.execute(f"TRUNCATE {TABLE}")
            seconds[name].append(timed(load, bench))
        seconds[AGAIN].append(timed(by_vectorops_again, bench))
    return seconds


def timed(load: Callable[[Bench], None], bench: Bench) -> float:
    bench.connection.execute("CHECKPOINT")
    started = time.perf_counter()
    load(bench)
    taken = time.perf_counter() - started
    assert bench.connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone() == (bench.rows,)
    return taken


def report(seconds: dict[str, list[float]], options: argparse.Namespace, size_bytes: int) -> None:
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    base = medians["psql \\copy"]
    print(f"{options.rows:,} x {options.dimension}, {size_bytes / 1e6:.0f} MB, median of {options.runs} runs")
    for name, median in medians.items():
        print(f"  {name:24}{median:8.2f} s {base / median:6.2f} x psql {options.rows / median:12,.0f} rows/s")
    if options.json:
        figures = {
            "rows": options.rows,
            "dimension": options.dimension,
            "bytes": size_bytes,
            "seconds": seconds,
        }
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
