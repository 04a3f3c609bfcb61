"""Runs the benchmarks one after the other: `make bench`; `make bench SIZE=small` shows that they work."""

import argparse
import subprocess
import sys

_BRIEF = ["--seconds", "0.3", "--processes", "2"]
SUITES = {
    "load": {
        "small": ["--shapes", "2000x32", "--runs", "1"],
        "full": ["--shapes", "100000x384", "50000x1024"],
    },
    "load_scale": {
        "small": ["--rows", "1000", "3000", "--dimension", "32", "--formats", "parquet", "csv"],
        "full": ["--rows", "100000", "1000000", "--formats", "parquet", "csv"],
    },
    "export": {
        "small": ["--rows", "2000", "--dimension", "32", "--runs", "1"],
        "full": [],
    },
    "index": {
        "small": ["--rows", "2000", "--dimension", "64", "--queries", "100"],
        "full": ["--rows", "100000", "--dimension", "384"],
    },
    "search": {
        "small": ["--rows", "2000", "--dimension", "64", "--queries", "50", "--runs", "1", *_BRIEF],
        "full": ["--rows", "100000", "--dimension", "384"],
    },
    "replace": {
        "small": ["--rows", "3000", "--dimension", "32"],
        "full": ["--rows", "100000", "--dimension", "384"],
    },
    "etl": {
        "small": ["--rows", "20000"],
        "full": ["--rows", "100000", "1000000", "5000000"],
    },
    "spread": {
        "small": ["--rows", "2000", "--dimension", "32"],
        "full": ["--rows", "100000", "400000", "--dimension", "128"],
    },
    "transform": {
        "small": ["--items", "110", "--rounds", "2"],
        "full": ["--items", "110", "10000", "100000", "1000000"],
    },
}


def main() -> None:
    """Run the chosen suites; the exit code is that of the first that fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "suites", nargs="*", choices=[[], *SUITES], default=[], help="all, when none is named"
    )
    parser.add_argument("--size", choices=("small", "full"), default="full")
    options = parser.parse_args()
    for suite in options.suites or SUITES:
        print(f"\n== {suite} ({options.size})", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{suite}", *SUITES[suite][options.size]], check=False
        )
        if done.returncode:
            sys.exit(done.returncode)


if __name__ == "__main__":
    main()
