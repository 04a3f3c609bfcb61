import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.recommender.rating_samples import rating_rows, training_table
from vectorops.errors import InputDataError
from vectorops.recommender.calibration import predict_ratings
from vectorops.recommender.evaluation import evaluate, hold_out_ratings, list_metrics
from vectorops.recommender.interactions import Interactions, read_interactions
from vectorops.recommender.metrics import Gain
from vectorops.recommender.report import TrainingReport


def test_one_rating_in_five_of_each_customer_is_held_out() -> None:
    users = np.repeat([0, 1, 2, 3, 4], [1, 2, 4, 5, 13])
    held_out = hold_out_ratings(users, np.random.default_rng(0))
    assert np.bincount(users[held_out], minlength=5).tolist() == [0, 1, 1, 1, 2]


def test_the_draw_follows_the_seed() -> None:
    users = np.repeat(np.arange(20), 10)
    first, again, other = (hold_out_ratings(users, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def interactions(pairs: list[tuple[int, int]], *, customers: int, products: int) -> Interactions:
    users, items = np.array(pairs).T
    return Interactions(
        customer_ids=np.arange(customers),
        product_codes=np.array([f"S{number:02d}" for number in range(products)]),
        user_feed={},
        item_feed={},
        users=users,
        items=items,
        ratings=np.full(len(pairs), 3.0),
    )


def test_lists_leave_out_training_products_and_break_ties_by_product_code() -> None:
    train = interactions([(0, 0), (0, 1), (1, 11)], customers=2, products=12)
    test = interactions([(0, 2), (0, 11), (1, 9), (1, 10)], customers=2, products=12)
    # All scores equal: customer 0 gets products 2 to 11, customer 1 gets products 0 to 9.
    recalls, ndcgs = list_metrics(lambda chosen: np.ones((len(chosen), 12)), train, test)
    assert recalls.tolist() == [1.0, 0.5]
    best = 1 + 1 / np.log2(3)
    assert ndcgs.tolist() == pytest.approx([(1 + 1 / np.log2(11)) / best, (1 / np.log2(11)) / best])


def test_biases_predict_who_rates_high() -> None:
    data = read_interactions(training_table())
    held_out = hold_out_ratings(data.users, np.random.default_rng(0))
    train, test = data.take(~held_out), data.take(held_out)
    predicted = predict_ratings(train, test)
    # In the sample every other customer rates 4 or 5, the others 1 to 3.
    rates_high = test.users % 2 == 1
    assert predicted[rates_high].min() > predicted[~rates_high].max()


def test_the_model_finds_a_planted_taste_and_beats_both_baselines() -> None:
    measured = evaluate(read_interactions(training_table()), dimension=8, seed=0)
    # Ten products per line, of which seven or so were seen: the held-out one is among the other three.
    assert measured.ranking.model.recall_at_10 > 0.9
    assert measured.ranking.most_popular.recall_at_10 < 0.6
    assert measured.new_customers.ndcg_gain.is_clear
    assert report_on(training_table()).beats_baselines


def test_the_report_says_so_when_there_is_nothing_to_learn() -> None:
    report = report_on(training_table(planted=False))
    assert not report.beats_baselines
    assert report.summary()[0] == (
        "The model does not clearly beat the global mean on RMSE, the most popular products on recall@10, "
        "the most popular products on NDCG@10."
    )
    assert "no better than either" in report.summary()[2]


def test_the_global_mean_is_measured_on_the_same_held_out_ratings() -> None:
    data = read_interactions(training_table())
    held_out = hold_out_ratings(data.users, np.random.default_rng(3))
    by_hand = np.sqrt(np.mean((data.ratings[held_out] - data.ratings[~held_out].mean()) ** 2))
    measured = evaluate(data, dimension=8, seed=3).ratings
    assert measured.ratings == held_out.sum()
    assert measured.global_mean == pytest.approx(by_hand)


def test_customers_with_one_rating_each_cannot_be_evaluated() -> None:
    rows = [row for number, row in enumerate(rating_rows(planted=True)) if number % 8 == 0]
    with pytest.raises(InputDataError, match="one of them with two ratings"):
        evaluate(read_interactions(pa.Table.from_pylist(rows)), dimension=8, seed=0)


def test_the_report_as_json_states_split_figures_and_verdict() -> None:
    report = report_on(training_table())
    content = json.loads(report.to_json())
    assert "one in five" in content["split"]
    assert "slope x cosine" in content["rating_map"]
    assert content["beats_baselines"] is True
    assert content["evaluation"]["ranking"]["most_popular"].keys() == {"recall_at_10", "ndcg_at_10"}
    assert content["evaluation"]["ratings"]["model"] == report.evaluation.ratings.model


def test_a_model_that_only_loses_on_rmse_is_reported_as_not_beating_that() -> None:
    report = report_on(training_table())
    lost = replace(report.evaluation.ratings, gain=Gain(mean=0.1, standard_error=0.06))
    evaluation = replace(report.evaluation, ratings=lost)
    assert replace(report, evaluation=evaluation).summary()[0] == (
        "The model does not clearly beat the global mean on RMSE."
    )


def report_on(table: pa.Table) -> TrainingReport:
    data = read_interactions(table)
    return TrainingReport(
        model_version="v1",
        dimension=8,
        seed=0,
        ratings=len(data.ratings),
        customers=len(data.customer_ids),
        products=len(data.product_codes),
        evaluation=evaluate(data, dimension=8, seed=0),
    )
