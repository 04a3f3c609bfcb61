import pytest

from vectorops.database.metrics import METRICS, metric_of_opclass


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("vector_type", ["vector", "halfvec"])
def test_the_operator_class_of_a_metric_leads_back_to_it(name: str, vector_type: str) -> None:
    metric = METRICS[name]
    assert metric_of_opclass(metric.opclass(vector_type)) is metric  # type: ignore[arg-type]


@pytest.mark.parametrize("opclass", ["bit_hamming_ops", "bit_jaccard_ops", "text_ops", "cosine_ops"])
def test_other_operator_classes_have_no_metric(opclass: str) -> None:
    assert metric_of_opclass(opclass) is None


@pytest.mark.parametrize("name", METRICS)
def test_a_nearer_row_scores_higher(name: str) -> None:
    scores = [METRICS[name].score(distance) for distance in (-3.5, 0.0, 0.1, 1e30)]
    assert scores == sorted(scores, reverse=True)


def test_the_cosine_score_is_the_cosine_similarity() -> None:
    assert [METRICS["cosine"].score(distance) for distance in (0.0, 1.0, 2.0)] == [1.0, 0.0, -1.0]


def test_the_inner_product_score_is_the_inner_product() -> None:
    assert METRICS["inner_product"].score(-12.5) == 12.5
