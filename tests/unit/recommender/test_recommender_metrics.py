import math

import numpy as np
import pytest

from vectorops.recommender.metrics import gain, ndcg, recall, rmse

HITS = np.array([[True, False, True], [False, False, False], [True, True, True]])
RELEVANT = np.array([2, 1, 6])


def test_rmse_is_the_root_of_the_mean_squared_error() -> None:
    assert rmse(np.array([1.0, -1.0, 2.0, 0.0])) == pytest.approx(math.sqrt(6 / 4))


def test_recall_is_the_share_of_the_relevant_products_that_are_listed() -> None:
    assert recall(HITS, RELEVANT).tolist() == [1.0, 0.0, 0.5]


def test_ndcg_discounts_a_hit_by_its_place_and_compares_with_the_best_list() -> None:
    first_of_two = (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert ndcg(HITS, RELEVANT).tolist() == pytest.approx([first_of_two, 0.0, 1.0])


def test_a_gain_has_the_mean_difference_and_its_standard_error() -> None:
    measured = gain(np.array([3.0, 1.0, 2.0, 2.0]), np.array([1.0, 1.0, 1.0, 1.0]))
    assert measured.mean == 1.0
    assert measured.standard_error == pytest.approx(math.sqrt(0.5) / 2)


@pytest.mark.parametrize(("differences", "is_clear"), [([1, 1, 1, 2], True), ([5, -4, 3, -3], False)])
def test_a_gain_is_clear_above_two_standard_errors(differences: list[float], is_clear: bool) -> None:
    measured = gain(np.array(differences, dtype=float), np.zeros(len(differences)))
    assert measured.is_clear is is_clear
