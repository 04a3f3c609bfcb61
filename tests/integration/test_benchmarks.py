"""Benchmarks work, at the size that shows that they do."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import SUITES

CHECKOUT = Path(__file__).parents[2]
# Most of their time is starting Spark, and what they run there has tests of its own.
ON_SPARK = {"etl", "spread"}


@pytest.mark.parametrize("suite", [suite for suite in SUITES if suite not in ON_SPARK])
def test_a_benchmark_of_small_size_gives_figures(suite: str) -> None:
    command = [sys.executable, "-m", "benchmarks", suite, "--size", "small"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 3
