"""Fixtures of every tier."""

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with embeddings of real products and customers, which are not part of the project."""
    folder = Path(os.environ.get("VECTOROPS_REAL_DATA", CHECKOUT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; VECTOROPS_REAL_DATA may name another folder")
    return folder
