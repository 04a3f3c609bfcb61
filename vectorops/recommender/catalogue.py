"""What a catalogue of items is asked for and answers, wherever it is kept."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

# Far below what anybody can see in a ranking, and above the noise of single precision, which depends on how
# many vectors are compared at once: the same two vectors have the same score in every answer.
SCORE_DECIMALS = 6


class Neighbour(TypedDict):
    """An item that was found, ready for JSON.

    Attributes:
        id: Its id.
        score: Cosine similarity, -1 to 1, rounded to `SCORE_DECIMALS`; higher is nearer.
    """

    id: str
    score: float


@dataclass(frozen=True)
class Search:
    """Everything that is looked for in one go.

    Attributes:
        vectors: float32, shape (n, dimension), of any length. One that has no direction finds nothing.
        without: For each vector, the ids that are not wanted.
        items: Ids, each once, whose own neighbours are wanted too. They may be unknown.
        k: Neighbours wanted for each.
    """

    vectors: NDArray[np.float32]
    without: Sequence[AbstractSet[str]]
    items: Sequence[str]
    k: int


@dataclass(frozen=True)
class Found:
    """The answer to a `Search`.

    Attributes:
        by_vector: For each vector its nearest items, best first; equal scores by id.
        by_item: For each known item its nearest items, itself left out. Unknown items are absent.
    """

    by_vector: list[list[Neighbour]]
    by_item: dict[str, list[Neighbour]]


class Catalogue(Protocol):
    """Items and their vectors."""

    def search(self, wanted: Search) -> Found:
        """Return the nearest items to each vector and to each item of `wanted`."""


def unit_vectors(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return `vectors` at length 1, and which of them have a direction; the others become zero.

    A vector has none that is zero, or holds a number that is not finite.
    """
    # In double precision, where no square overflows; computed in pieces, so that nothing is held twice.
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    has_direction = np.isfinite(lengths) & (lengths > 0)
    lengths[~has_direction] = 1
    units = np.empty(vectors.shape, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        np.divide(vectors, lengths[:, None], out=units, dtype=np.float64, casting="same_kind")
    units[~has_direction] = 0
    return units, has_direction
