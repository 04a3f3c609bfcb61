"""A catalogue in memory: every item is compared, so the answer is exact."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from vectorops.recommender.catalogue import SCORE_DECIMALS, Found, Neighbour, Search, unit_vectors

# Scores computed at a time: 16 MB of float32, which stays near the processor; more for catalogues so large
# that reading their vectors is what takes the time.
_BLOCK, _MIN_ROWS = 1 << 22, 16
_PAIRS = 1 << 16
# Larger groups leave fewer to rank, as long as there are enough of them for one fast loop.
_MAX_GROUP, _MIN_GROUPS = 64, 1_024


class MemoryCatalogue:
    """Items whose vectors are held in memory.

    Args:
        ids: One per row of `vectors`, each once.
        vectors: float32, shape (n, dimension). Items without a direction are left out.
    """

    def __init__(self, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        units, has_direction = unit_vectors(vectors)
        self._ids = [id_ for id_, keep in zip(ids, has_direction.tolist(), strict=True) if keep]
        self._positions = {id_: position for position, id_ in enumerate(self._ids)}
        self._group = max(1, min(_MAX_GROUP, len(self._ids) // _MIN_GROUPS))
        self._columns = _as_columns(units, has_direction, self._group)
        by_id = sorted(range(len(self._ids)), key=self._ids.__getitem__)
        self._ranks = np.empty(len(by_id), dtype=np.int32)
        self._ranks[by_id] = np.arange(len(by_id), dtype=np.int32)

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, wanted: Search) -> Found:
        """Return the nearest items to each vector and to each item of `wanted`."""
        known = [id_ for id_ in wanted.items if id_ in self._positions]
        own = [self._positions[id_] for id_ in known]
        queries, has_direction = unit_vectors(wanted.vectors)
        excluded = [*map(self._known_positions, wanted.without), *([position] for position in own)]
        nearest = self._nearest(np.concatenate([queries, self._columns[:, own].T]), excluded, wanted.k)
        by_vector, by_item = nearest[: len(queries)], nearest[len(queries) :]
        for row in np.flatnonzero(~has_direction):
            by_vector[row] = []
        return Found(by_vector, dict(zip(known, by_item, strict=True)))

    def _known_positions(self, ids: AbstractSet[str]) -> list[int]:
        return [self._positions[id_] for id_ in ids if id_ in self._positions]

    def _nearest(
        self, queries: NDArray[np.float32], excluded: list[list[int]], k: int
    ) -> list[list[Neighbour]]:
        size = max(_MIN_ROWS, _BLOCK // max(1, self._columns.shape[1]))
        starts = range(0, len(queries), size)
        blocks = ((queries[start : start + size], excluded[start : start + size]) for start in starts)
        return [neighbours for block in blocks for neighbours in self._nearest_in_block(*block, k)]

    def _nearest_in_block(
        self, queries: NDArray[np.float32], excluded: list[list[int]], k: int
    ) -> list[list[Neighbour]]:
        scores = queries @ self._columns
        scores[:, len(self._ids) :] = -np.inf
        for row, positions in enumerate(excluded):
            scores[row, positions] = -np.inf
        rows, items = _candidates(scores, k, group=self._group, margin=_margin(queries.shape[1]))
        exact = np.clip(_products(queries, rows, self._columns, items), -1, 1)
        rounded = np.round(exact, SCORE_DECIMALS) + 0.0  # -0.0 becomes 0.0
        order = np.lexsort((self._ranks[items], -rounded, rows))
        found: list[list[Neighbour]] = [[] for _ in queries]
        best = zip(rows[order].tolist(), items[order].tolist(), rounded[order].tolist(), strict=True)
        for row, item, score in best:
            if len(found[row]) < k:
                found[row].append({"id": self._ids[item], "score": score})
        return found


def _as_columns(
    units: NDArray[np.float32], has_direction: NDArray[np.bool_], group: int
) -> NDArray[np.float32]:
    """Return one column per item with a direction, and zero columns until groups come out even."""
    items = int(has_direction.sum())
    columns = np.zeros((units.shape[1], items + -items % group), dtype=np.float32)
    columns[:, :items] = units.T if items == len(units) else units[has_direction].T
    return columns


def _candidates(
    scores: NDArray[np.float32], k: int, *, group: int, margin: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of all scores that may be among the `k` best of their row.

    Columns are taken in groups of `group`, and the best of each group is known after one pass. `k` groups
    reach the k-th best group; so the k-th best score is no less than that, and lower groups need no second
    look. All scores within `margin` come along: what is equal but for rounding is told apart later.
    """
    groups = scores.reshape(len(scores), group, scores.shape[1] // group)
    best = groups.max(axis=1)
    threshold = np.full(len(scores), -np.inf, dtype=np.float32)
    if best.shape[1] > k:
        threshold = np.partition(best, -k, axis=1)[:, -k] - np.float32(margin)
    rows, places = np.nonzero(best >= threshold[:, None])
    members = groups[rows, :, places]
    # What is excluded scores -inf, and is never found.
    found, member = np.nonzero((members >= threshold[rows, None]) & (members > -np.inf))
    return rows[found], member * groups.shape[2] + places[found]


def _products(
    queries: NDArray[np.float32],
    rows: NDArray[np.intp],
    columns: NDArray[np.float32],
    items: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return the products of the named pairs, in double precision; in pieces: all scores may be equal."""
    products = np.empty(len(rows))
    for start in range(0, len(rows), _PAIRS):
        pairs = slice(start, start + _PAIRS)
        left, right = queries[rows[pairs]], np.ascontiguousarray(columns[:, items[pairs]].T)
        products[pairs] = np.einsum("cd,cd->c", left, right, dtype=np.float64)
    return products


def _margin(dimension: int) -> float:
    """Return a bound of rounding: to `SCORE_DECIMALS`, and of a float32 product of two unit vectors."""
    return 10.0**-SCORE_DECIMALS + 2 * dimension * float(np.finfo(np.float32).eps)
