r"""Exporting: `vectorops export` beside `psql \copy … to` CSV, of the same table, in turns.

python -m benchmarks.export --rows 100000 --dimension 384
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.load import TABLE, prepare, psql, server, write_arrays
from vectorops.database.connection import connect
from vectorops.embeddings.export import export_table
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources

PSQL = "psql \\copy to CSV"


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory(dir=options.folder) as name, server(Path(name)) as address:
        folder = Path(name)
        write_arrays(folder, options.rows, options.dimension)
        with connect(address) as connection:
            prepare(connection, options.dimension)
            load_embeddings(connection, find_sources([str(folder / "embeddings.npy")]), table=TABLE)
            connection.execute(f"VACUUM ANALYZE {TABLE}")

            def by_vectorops(suffix: str) -> Callable[[], object]:
                return lambda: export_table(connection, TABLE, str(folder / f"out{suffix}"), overwrite=True)

            contenders = {
                PSQL: lambda: psql(
                    address, f"\\copy {TABLE} to '{folder}/psql.csv' with (format csv, header)"
                ),
                "vectorops, Parquet": by_vectorops(".parquet"),
                "vectorops, NPY": by_vectorops(".npy"),
                "vectorops, CSV": by_vectorops(".csv"),
            }
            seconds: dict[str, list[float]] = {name: [] for name in contenders}
            for _ in range(options.runs):
                for name, export in contenders.items():
                    seconds[name].append(timed(export))
    report(seconds, options)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--runs", type=int, default=3, help="the medians of so many runs are compared")
    parser.add_argument("--folder", type=Path, help="where there is room for the files and the database")
    return parser.parse_args()


def timed(export: Callable[[], object]) -> float:
    started = time.perf_counter()
    export()
    return time.perf_counter() - started


def report(seconds: dict[str, list[float]], options: argparse.Namespace) -> None:
    print(f"{options.rows:,} x {options.dimension}")
    base = statistics.median(seconds[PSQL])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(
            f"  {name:22}{median:8.2f} s ({min(taken):.2f} to {max(taken):.2f})"
            f"{base / median:7.2f} x as fast as \\copy"
        )


if __name__ == "__main__":
    main()
