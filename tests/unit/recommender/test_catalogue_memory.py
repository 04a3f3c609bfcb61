"""The exact search over a catalogue in memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vectorops.recommender.catalogue import Neighbour, Search
from vectorops.recommender.catalogue_memory import MemoryCatalogue

Vectors = NDArray[np.float32]


def vectors(rows: int, dimension: int = 16, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((rows, dimension)).astype(np.float32)


def names(rows: int) -> list[str]:
    return [f"i{number:06d}" for number in range(rows)]


def brute_force(query: Vectors, ids: list[str], items: Vectors, k: int) -> list[Neighbour]:
    wide, one = items.astype(np.float64), query.astype(np.float64)
    scores = wide @ one / np.linalg.norm(wide, axis=1) / np.linalg.norm(one)
    ranked = sorted(zip(np.round(scores, 6).tolist(), ids, strict=True), key=lambda pair: (-pair[0], pair[1]))
    return [{"id": id_, "score": score} for score, id_ in ranked[:k]]


def assert_same(found: list[Neighbour], expected: list[Neighbour]) -> None:
    assert [one["id"] for one in found] == [one["id"] for one in expected]
    assert [one["score"] for one in found] == pytest.approx([one["score"] for one in expected], abs=2e-6)


# 2,500 and 70,000 rows are searched in groups of 2 and of 64.
@pytest.mark.parametrize("rows", [1, 3, 110, 2_500, 70_000])
def test_finds_what_comparing_every_vector_in_double_precision_finds(rows: int) -> None:
    ids, items, queries = names(rows), vectors(rows), vectors(7, seed=1)
    found = MemoryCatalogue(ids, items).search(Search(queries, [frozenset()] * 7, ids[:2], 5))
    for query, neighbours in zip(queries, found.by_vector, strict=True):
        assert_same(neighbours, brute_force(query, ids, items, 5))
    for position, id_ in enumerate(ids[:2]):
        others = brute_force(items[position], ids, items, 6)[1:]
        assert_same(found.by_item[id_], others)


@given(
    rows=st.integers(1, 60),
    k=st.integers(1, 12),
    seed=st.integers(0, 10_000),
    values=st.sampled_from([2, 3, 1_000]),
)
@settings(max_examples=60)
def test_equal_scores_come_by_id_however_many_there_are(rows: int, k: int, seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    items = rng.integers(1, values, (rows, 3), endpoint=True).astype(np.float32)
    ids = [str(number) for number in rng.permutation(rows)]
    queries = rng.integers(1, values, (4, 3), endpoint=True).astype(np.float32)
    found = MemoryCatalogue(ids, items).search(Search(queries, [frozenset()] * 4, [], k))
    for query, neighbours in zip(queries, found.by_vector, strict=True):
        assert len(neighbours) == min(k, rows)
        assert neighbours == sorted(neighbours, key=lambda one: (-one["score"], one["id"]))
        assert_same(neighbours, brute_force(query, ids, items, k))


def test_a_catalogue_of_equal_vectors_answers_with_the_first_ids() -> None:
    ids = names(5_000)
    found = MemoryCatalogue(ids[::-1], np.ones((5_000, 4), np.float32)).search(
        Search(np.ones((2, 4), np.float32), [frozenset(), frozenset(ids[:2])], [ids[0]], 3)
    )
    assert [one["id"] for one in found.by_vector[0]] == ids[:3]
    assert [one["id"] for one in found.by_vector[1]] == ids[2:5]
    assert [one["id"] for one in found.by_item[ids[0]]] == ids[1:4]


def test_the_answer_does_not_depend_on_what_else_is_asked() -> None:
    catalogue = MemoryCatalogue(names(3_000), vectors(3_000))
    queries = vectors(300, seed=2)
    together = catalogue.search(Search(queries, [frozenset()] * 300, [], 5)).by_vector
    alone = [catalogue.search(Search(one[None], [frozenset()], [], 5)).by_vector[0] for one in queries]
    assert together == alone


def test_unwanted_and_unknown_ids_are_left_out() -> None:
    ids = names(4)
    catalogue = MemoryCatalogue(ids, vectors(4))
    without = [frozenset({*ids[:3], "unknown"})]
    found = catalogue.search(Search(vectors(1, seed=3), without, ["unknown", ids[0]], 9))
    assert [one["id"] for one in found.by_vector[0]] == ids[3:]
    assert found.by_item.keys() == {ids[0]}
    assert len(found.by_item[ids[0]]) == 3


def test_a_vector_without_direction_is_nobodys_neighbour_and_has_none() -> None:
    items = vectors(6)
    items[1], items[2, 3], items[3, 0] = 0, np.nan, np.inf
    queries = np.stack([np.zeros(16), np.full(16, np.nan), items[0]]).astype(np.float32)
    catalogue = MemoryCatalogue(names(6), items)
    found = catalogue.search(Search(queries, [frozenset()] * 3, names(6), 9))
    assert found.by_vector[:2] == [[], []]
    assert {one["id"] for one in found.by_vector[2]} == {"i000000", "i000004", "i000005"}
    assert found.by_item.keys() == {"i000000", "i000004", "i000005"}


def test_lengths_do_not_count_even_where_their_squares_overflow() -> None:
    items = np.array([[3e38, 3e38], [1e-30, 0], [0, 1]], np.float32)
    found = MemoryCatalogue(["a", "b", "c"], items).search(
        Search(np.array([[1e30, 1e30]], np.float32), [frozenset()], [], 3)
    )
    assert found.by_vector[0][0] == {"id": "a", "score": 1.0}
    assert [one["score"] for one in found.by_vector[0][1:]] == [0.707107, 0.707107]


def test_an_empty_catalogue_finds_nothing() -> None:
    catalogue = MemoryCatalogue([], np.empty((0, 16), np.float32))
    found = catalogue.search(Search(vectors(2), [frozenset()] * 2, ["x"], 5))
    assert found.by_vector == [[], []]
    assert found.by_item == {}


def test_nothing_asked_is_nothing_found() -> None:
    found = MemoryCatalogue(names(9), vectors(9)).search(Search(np.empty((0, 16), np.float32), [], [], 5))
    assert found.by_vector == []
    assert found.by_item == {}
