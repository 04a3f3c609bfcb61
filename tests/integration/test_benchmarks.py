"""Every benchmark works, at the size that shows that it does."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import SUITES

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("suite", SUITES)
def test_a_benchmark_of_small_size_gives_figures(suite: str) -> None:
    command = [sys.executable, "-m", "benchmarks", suite, "--size", "small"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 3
