r"""Loading: `vectorops load-embeddings` beside `psql \copy`, and beside a COPY of encoded rows.

Every contender loads the same vectors into an identical, empty table of the same server, in turns.

    python -m benchmarks.load --shapes 100000x384 50000x1024
"""

import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.migrations import apply_migrations
from vectorops.database.tables import vector_table
from vectorops.embeddings.batch import Batch
from vectorops.embeddings.encoder import HEADER, TRAILER, encode
from vectorops.embeddings.load import LoadReport, load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.local.postgres import PostgresProcess, binaries_dir, create_cluster

SQL = Path(__file__).parents[1] / "sql"
TABLE = "public.bench"
# Enough that no checkpoint falls into one contender's time and not into another's.
SETTINGS = {"max_wal_size": "8GB", "checkpoint_timeout": "1h"}
CHUNK = 1_000
PSQL, ENCODED, CSV = "psql \\copy of CSV", "COPY of encoded rows", "vectorops, CSV"


@dataclass(frozen=True)
class Bench:
    """What the contenders share."""

    connection: psycopg.Connection[Any]
    address: DatabaseAddress
    folder: Path
    rows: int
    dimension: int

    def file(self, suffix: str) -> Path:
        """Return the path of the vectors in one of the formats."""
        return self.folder / f"embeddings{suffix}"


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, server(Path(folder)) as address:
        figures = [measure_shape(shape, Path(folder), address, options) for shape in options.shapes]
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", nargs="+", default=["100000x384"], help="rows x dimensions")
    parser.add_argument("--runs", type=int, default=3, help="the medians of so many runs are compared")
    parser.add_argument(
        "--digits",
        choices=["float32", "float64"],
        default="float64",
        help="type whose digits are printed: float64 (default), as Python lists have them, or float32",
    )
    parser.add_argument("--folder", type=Path, help="where there is room for the files and the database")
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


def measure_shape(
    shape: str, folder: Path, address: DatabaseAddress, options: argparse.Namespace
) -> dict[str, Any]:
    rows, dimension = map(int, shape.split("x"))
    write_csv(folder / "embeddings.csv", rows, dimension, np.dtype(options.digits))
    write_arrays(folder, rows, dimension)
    with connect(address) as connection:
        prepare(connection, dimension)
        seconds = measure(Bench(connection, address, folder, rows, dimension), options.runs)
    size_bytes = (folder / "embeddings.csv").stat().st_size
    report(seconds, rows, dimension, size_bytes)
    return {"rows": rows, "dimension": dimension, "csv_bytes": size_bytes, "seconds": seconds}


def chunks(rows: int, dimension: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Yield the vectors, and the number of the first of each array."""
    generator = np.random.default_rng(1)
    for start in range(0, rows, CHUNK):
        size = (min(CHUNK, rows - start), dimension)
        yield start, generator.standard_normal(size).astype(np.float32) / np.float32(20)


def write_csv(path: Path, rows: int, dimension: int, digits: np.dtype[Any]) -> None:
    """Write a file of random float32 vectors, printed as numbers of type `digits`."""
    with path.open("w", encoding="ascii") as file:
        file.write("id,embedding\n")
        for start, vectors in chunks(rows, dimension):
            for number, vector in enumerate(vectors.astype(digits), start=start):
                numbers = vector.tolist() if digits == np.float64 else vector
                file.write(f'item{number},"[{",".join(map(str, numbers))}]"\n')


def write_arrays(folder: Path, rows: int, dimension: int) -> None:
    """Write the same vectors as Parquet and NPY."""
    matrix = np.lib.format.open_memmap(folder / "embeddings.npy", "w+", np.float32, (rows, dimension))
    schema = pa.schema([("id", pa.string()), ("embedding", pa.list_(pa.float32()))])
    with pq.ParquetWriter(folder / "embeddings.parquet", schema) as writer:
        for start, vectors in chunks(rows, dimension):
            matrix[start : start + len(vectors)] = vectors
            writer.write_batch(as_rows(start, vectors, schema), row_group_size=CHUNK)
    matrix.flush()
    np.save(folder / "embeddings.ids.npy", np.array([f"item{number}" for number in range(rows)]))


def as_rows(start: int, vectors: npt.NDArray[np.float32], schema: Any) -> Any:
    offsets = pa.array(np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32))
    lists = pa.ListArray.from_arrays(offsets, pa.array(vectors.reshape(-1)))
    return pa.RecordBatch.from_arrays([pa.array(ids(start, len(vectors))), lists], schema=schema)


def ids(start: int, count: int) -> list[str]:
    return [f"item{number}" for number in range(start, start + count)]


def prepare(connection: psycopg.Connection[Any], dimension: int) -> None:
    apply_migrations(connection, SQL)
    register_vector_types(connection)
    connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
    connection.execute(f"CREATE TABLE {TABLE} (id varchar PRIMARY KEY, embedding vector({dimension}))")


def psql(address: DatabaseAddress, command: str) -> None:
    """Run one command of psql."""
    program = shutil.which("psql") or str(binaries_dir() / "psql")
    options = [program, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "-h", address.host]
    options += ["-p", str(address.port), "-U", address.user, address.name, "-c", command]
    subprocess.run(options, env=os.environ | {"PGPASSWORD": address.password}, check=True)


def by_psql(bench: Bench) -> None:
    psql(bench.address, f"\\copy {TABLE} from '{bench.file('.csv')}' with (format csv, header)")


def by_vectorops(suffix: str) -> Callable[[Bench], None]:
    def load(bench: Bench) -> None:
        assert load_file(bench, suffix).inserted == bench.rows

    return load


def by_vectorops_again(bench: Bench) -> None:
    assert load_file(bench, ".csv").unchanged == bench.rows


def load_file(bench: Bench, suffix: str) -> LoadReport:
    return load_embeddings(bench.connection, find_sources([str(bench.file(suffix))]), table=TABLE)


def by_encoded(encoded: Sequence[memoryview]) -> Callable[[Bench], None]:
    def copy_encoded(bench: Bench) -> None:
        with bench.connection.cursor().copy(f"COPY {TABLE} FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(HEADER)
            for chunk in encoded:
                copy.write(chunk)
            copy.write(TRAILER)

    return copy_encoded


def encoded_rows(bench: Bench) -> list[memoryview]:
    table = vector_table(bench.connection, TABLE)
    return [
        chunk
        for start, vectors in chunks(bench.rows, bench.dimension)
        for chunk in encode(
            Batch(pa.array(ids(start, len(vectors))), vectors, np.arange(len(vectors))), table, None
        )
    ]


def measure(bench: Bench, runs: int) -> dict[str, list[float]]:
    """Return the seconds that each contender took in each run."""
    contenders = {
        PSQL: by_psql,
        CSV: by_vectorops(".csv"),
        "vectorops, CSV again": by_vectorops_again,
        ENCODED: by_encoded(encoded_rows(bench)),
        "vectorops, Parquet": by_vectorops(".parquet"),
        "vectorops, NPY": by_vectorops(".npy"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, load in contenders.items():
            if load is not by_vectorops_again:
                bench.connection.execute(f"TRUNCATE {TABLE}")
            seconds[name].append(timed(load, bench))
    return seconds


def timed(load: Callable[[Bench], None], bench: Bench) -> float:
    bench.connection.execute("CHECKPOINT")
    started = time.perf_counter()
    load(bench)
    taken = time.perf_counter() - started
    assert bench.connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone() == (bench.rows,)
    return taken


def report(seconds: dict[str, list[float]], rows: int, dimension: int, size_bytes: int) -> None:
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    print(f"{rows:,} x {dimension}, {size_bytes / 1e6:.0f} MB of CSV")
    for name, median in medians.items():
        first, second = medians[PSQL] / median, median / medians[ENCODED]
        print(
            f"  {name:22}{median:8.2f} s ({min(seconds[name]):.2f} to {max(seconds[name]):.2f})"
            f"{first:7.2f} x as fast as \\copy{second:7.2f} x the time of encoded rows"
        )


if __name__ == "__main__":
    main()
