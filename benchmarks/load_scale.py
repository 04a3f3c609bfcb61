"""How the loader's memory and time grow with the rows: each load is a process of its own.

python -m benchmarks.load_scale --rows 100000 1000000 --dimension 384 --formats parquet csv
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.load import TABLE, as_rows, chunks, prepare, server, write_csv
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources

BASE_ROWS = 20_000


def main() -> None:
    options = parse_options()
    if options.load:
        print(json.dumps(load_once(options)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, server(Path(folder)) as address:
        for format_ in options.formats:
            report(format_, [measure(rows, format_, Path(folder), address, options) for rows in options.rows])


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--formats", nargs="+", choices=["parquet", "csv"], default=["parquet"])
    parser.add_argument("--folder", type=Path, help="where there is room for the files and the database")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(
    rows: int, format_: str, folder: Path, address: DatabaseAddress, options: argparse.Namespace
) -> tuple[int, float, float]:
    """Return the rows, the seconds, and the peak of the loader's memory in MB."""
    path = folder / f"scale.{format_}"
    (write_many_csv if format_ == "csv" else write_parquet)(path, rows, options.dimension)
    with connect(address) as connection:
        prepare(connection, options.dimension)
        connection.execute("CHECKPOINT")
    command = [
        sys.executable,
        "-m",
        "benchmarks.load_scale",
        "--load",
        str(path),
        "--port",
        str(address.port),
    ]
    done = subprocess.run(command, input=address.password, text=True, capture_output=True, check=True)
    path.unlink()
    figures = json.loads(done.stdout)
    assert figures["inserted"] == rows
    return rows, figures["seconds"], figures["peak_mb"]


def load_once(options: argparse.Namespace) -> dict[str, float]:
    password = sys.stdin.read()
    address = DatabaseAddress("127.0.0.1", options.port, "bench", "bench", password, sslmode="disable")
    with connect(address) as connection:
        started = time.perf_counter()
        report = load_embeddings(connection, find_sources([options.load]), table=TABLE)
        seconds = time.perf_counter() - started
    return {"inserted": report.inserted, "seconds": seconds, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Return the peak of this process's memory; `getrusage` would count the parent's before `exec`."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def write_parquet(path: Path, rows: int, dimension: int) -> None:
    """Write a file with row groups of 100,000 rows, as large as tools make them."""
    schema = pa.schema([("id", pa.string()), ("embedding", pa.list_(pa.float32()))])
    with pq.ParquetWriter(path, schema) as writer:
        group = []
        for start, vectors in chunks(rows, dimension):
            group.append(as_rows(start, vectors, schema))
            if len(group) == 100 or start + len(vectors) == rows:
                writer.write_table(pa.Table.from_batches(group))
                group = []


def write_many_csv(path: Path, rows: int, dimension: int) -> None:
    """Write a file whose vectors come again after a while, under other ids: printing numbers takes long."""
    base = path.with_suffix(".base")
    write_csv(base, min(rows, BASE_ROWS), dimension, np.dtype(np.float64))
    with path.open("w", encoding="ascii") as file:
        file.write("id,embedding\n")
        number = 0
        while number < rows:
            with base.open(encoding="ascii") as lines:
                next(lines)
                for line in lines:
                    if number < rows:
                        file.write(f"item{number},{line.partition(',')[2]}")
                        number += 1
    base.unlink()


def report(format_: str, figures: list[tuple[int, float, float]]) -> None:
    base_rows, base_seconds, base_peak = figures[0]
    for rows, seconds, peak in figures:
        per_row = (seconds / rows) / (base_seconds / base_rows)
        print(
            f"  {format_:8}{rows:>10,} rows{seconds:8.2f} s{per_row:6.2f} x the time per row"
            f"{peak:8.0f} MB peak{peak / base_peak:6.2f} x"
        )


if __name__ == "__main__":
    main()
