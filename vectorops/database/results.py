"""What a search answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vectorops.database.metrics import Metric, MetricName


@dataclass(frozen=True)
class Neighbour:
    """A row that was found.

    Attributes:
        id: Integers as int, every other type as str.
        score: Higher is nearer; see `Metric.score`. Cosine: the cosine similarity.
        vector: float32 of shape (dimension,), if asked for.
    """

    id: str | int
    score: float
    vector: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class SearchResult:
    """What was found, and how.

    Attributes:
        neighbours: Best first; equal scores by id.
        index: Name of the vector index that was used, or None when every row was compared, which is exact.
        ef_search: The candidates the index was asked for, or None without an index.
        candidates: Rows that were ranked by their full vectors after a first pass through halfvec or bits, or
            None where the index holds the vectors as they are stored.
        warning: Why the search was slow, and the command that helps, or "".
    """

    neighbours: list[Neighbour]
    metric: MetricName
    index: str | None
    ef_search: int | None
    candidates: int | None = None
    warning: str = ""

    @property
    def used_index(self) -> bool:
        """Whether the answer came from an index, which is fast and approximate."""
        return self.index is not None


@dataclass(frozen=True)
class HybridHit:
    """A row found by its vector, by its text, or by both.

    Attributes:
        id: As in `Neighbour`.
        score: Sum of 1 / (60 + place) over the two lists.
        vector_place: Place among the nearest vectors, from 1, or None.
        text_place: Place among the rows whose text matches, from 1, or None.
    """

    id: str | int
    score: float
    vector_place: int | None
    text_place: int | None


@dataclass(frozen=True)
class HybridResult:
    """What was found by vector and text, and how.

    Attributes:
        hits: Best first; equal scores by id.
        text_column: Column whose text was searched.
        text_config: Text search configuration, such as "english".
        index: As in `SearchResult`.
        warning: As in `SearchResult`.
    """

    hits: list[HybridHit]
    metric: MetricName
    text_column: str
    text_config: str
    index: str | None
    warning: str = ""


def plain_id(value: Any) -> str | int:
    """Return an id as results give it: integers as int, every other type as str."""
    return value if isinstance(value, int) else str(value)


def neighbours(rows: Sequence[Sequence[Any]], metric: Metric) -> list[Neighbour]:
    """Return rows of id, distance and perhaps vector as neighbours, best first."""
    # NULL and NaN, which sort last, are the distances to no vector and, with cosine, to a zero vector.
    with_distance = [row for row in rows if row[1] is not None and not math.isnan(row[1])]
    return [
        Neighbour(
            id=plain_id(row[0]),
            score=metric.score(row[1]),
            vector=np.array(row[2], dtype=np.float32) if len(row) > 2 else None,
        )
        for row in sorted(with_distance, key=lambda row: (row[1], row[0]))
    ]
