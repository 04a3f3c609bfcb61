"""Choosing what an event asks for, and answering it."""

import json
from typing import Any

import pytest

from tests.recommender_samples import activity, item_vectors, product_code, user_model
from vectorops.recommender.catalogue_memory import MemoryCatalogue
from vectorops.recommender.recommend import MAX_CART, as_json, read_activity, recommend

A, B, C = (product_code(number) for number in range(3))


def history(*entries: object) -> dict[str, Any]:
    return {"browse_history": list(entries)}


def entry(code: object, in_cart: object = False) -> dict[str, Any]:
    return {"product_code": code, "quantity": 2, "in_shopping_cart": in_cart}


@pytest.fixture(scope="module")
def catalogue() -> MemoryCatalogue:
    return MemoryCatalogue(*item_vectors())


@pytest.mark.parametrize(
    ("event", "chosen"),
    [
        (history(entry(A), entry(B)), B),
        (history(entry(A, True), entry(B, True), entry(C)), B),
        (history(entry(A), entry(None), entry(7), entry(""), {}, "B", None), A),
        (history(entry(A, "true"), entry(B)), B),
        (history(), None),
        ({"browse_history": None}, None),
        ({"browse_history": {"product_code": A}}, None),
        ({}, None),
    ],
)
def test_the_browsed_product_is_the_last_in_the_cart_or_else_the_last_of_the_history(
    event: dict[str, Any], chosen: str | None
) -> None:
    assert read_activity(event).browsed == chosen


def test_of_a_very_long_cart_the_products_added_last_count() -> None:
    codes = [f"P{number}" for number in range(MAX_CART + 5)]
    assert read_activity(history(*(entry(code, True) for code in codes))).cart == set(codes[5:])


def test_products_in_the_cart_are_not_recommended_back(catalogue: MemoryCatalogue) -> None:
    [free] = recommend([activity(1)], user_model(), catalogue, limit=5)
    best = [one["id"] for one in free["recommended_items"]]
    event = activity(1, (best[0], True), (best[1], False), (best[2], True))
    [answer] = recommend([event], user_model(), catalogue, limit=5)
    found = [one["id"] for one in answer["recommended_items"]]
    assert found[:3] == [best[1], best[3], best[4]]
    assert len(found) == 5


def test_products_in_the_cart_are_recommended_back_where_that_is_switched_on(
    catalogue: MemoryCatalogue,
) -> None:
    [free] = recommend([activity(1)], user_model(), catalogue, limit=5)
    event = activity(1, *((one["id"], True) for one in free["recommended_items"]))
    [answer] = recommend([event], user_model(), catalogue, limit=5, exclude_cart=False)
    assert answer["recommended_items"] == free["recommended_items"]


def test_an_unknown_product_is_named_and_has_no_similar_items(catalogue: MemoryCatalogue) -> None:
    [answer] = recommend([activity(1, ("S99_0000", True))], user_model(), catalogue, limit=5)
    assert answer["similar_items"]["product_code"] == "S99_0000"
    assert answer["similar_items"]["similar_items"] == []
    assert len(answer["recommended_items"]) == 5


def test_an_event_that_says_nothing_is_answered_for_the_average_user(catalogue: MemoryCatalogue) -> None:
    answers = recommend(
        [{}, {"city": 3, "country": [], "credit_limit": "x"}], user_model(), catalogue, limit=5
    )
    assert answers[0] == answers[1]
    assert len(answers[0]["recommended_items"]) == 5
    assert answers[0]["similar_items"] == {"product_code": None, "similar_items": []}


def test_similar_items_are_those_of_the_browsed_product_without_itself(catalogue: MemoryCatalogue) -> None:
    [answer] = recommend([activity(1, (A, False))], user_model(), catalogue, limit=3)
    assert answer["similar_items"]["product_code"] == A
    assert len(answer["similar_items"]["similar_items"]) == 3
    assert A not in [one["id"] for one in answer["similar_items"]["similar_items"]]


def test_the_json_of_a_batch_says_what_the_recommendations_say(catalogue: MemoryCatalogue) -> None:
    codes = [A, "S99_0000", '\ud800"\n', A]
    events = [activity(n, (code, True)) for n, code in enumerate(codes)] + [activity(1), {}]
    answers = recommend(events, user_model(), catalogue, limit=2)
    assert [json.loads(text) for text in as_json(answers)] == answers
