"""What every tier uses."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A test says the same in every run and on a machine of any speed: the same examples, and no clock.
settings.register_profile(
    "tests", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")

# Whoever starts the tests in the background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real input, not part of the project: the classicmodels dump, ratings, embeddings."""
    folder = Path(os.environ.get("VECTOROPS_REAL_DATA", CHECKOUT.parent / "shared" / "data"))
    if not (folder / "item_embeddings.csv").is_file():
        pytest.skip(f"no real data in {folder}; VECTOROPS_REAL_DATA may name another folder")
    return folder


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own AWS, PostgreSQL and vectorops settings out of the tests."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "PG", "VECTOROPS_")) and name != "VECTOROPS_REAL_DATA":
            monkeypatch.delenv(name)
