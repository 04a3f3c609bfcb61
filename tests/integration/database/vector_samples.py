"""Vectors to fill tables with."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vectorops.database.results import SearchResult
from vectorops.database.tables import VectorTable

Vectors = NDArray[np.float32]
FilledTable = Callable[..., VectorTable]


def clustered_vectors(rows: int, dimension: int, seed: int = 0) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((rows // 50 + 1, dimension))
    noise = rng.standard_normal((rows, dimension)) * 0.5
    return (centres[rng.integers(len(centres), size=rows)] + noise).astype(np.float32)


def read_embeddings(path: Path) -> tuple[list[Any], Vectors]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    ids = [int(row["id"]) if row["id"].isdigit() else row["id"] for row in rows]
    vectors = [np.array(row["embedding"].strip("[]").split(","), dtype=np.float32) for row in rows]
    return ids, np.stack(vectors)


def nearest_first(vectors: Vectors, query: Vectors) -> list[int]:
    """Row numbers by cosine distance in double precision."""
    wide = vectors.astype(np.float64)
    similarity = wide @ query.astype(np.float64) / np.linalg.norm(wide, axis=1)
    return [int(row) for row in np.argsort(-similarity, kind="stable")]


def found_ids(result: SearchResult) -> list[str | int]:
    return [neighbour.id for neighbour in result.neighbours]
