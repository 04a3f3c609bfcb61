"""The inference API over a real database."""

import json
from typing import Any

import psycopg
import pytest

from tests.integration.functions.deployment import Deployment, Invocation
from tests.integration.functions.relay import Relay
from tests.recommender_samples import product_code
from vectorops.functions.http_api import Answer
from vectorops.functions.inference import Inference
from vectorops.functions.runtime import open_store

Connection = psycopg.Connection[Any]
ITEM = product_code(4)


def make_inference(deployment: Deployment, **variables: str) -> Inference:
    configuration = deployment.configuration(**variables)
    return Inference(configuration, open_store(configuration, deployment.aws, is_patient=False).recommender)


def call(
    api: Inference, method: str, path: str, query: str = "", body: object = None, *, seconds: float = 30
) -> Answer:
    event = {"rawPath": path, "rawQueryString": query, "body": body and json.dumps(body)}
    event["requestContext"] = {"http": {"method": method}, "requestId": "r"}
    return api(event, Invocation(seconds=seconds))


def test_in_memory_and_through_the_index_callers_get_the_same(deployment: Deployment) -> None:
    answers = []
    for budget_mb in ("64", "0"):
        api = make_inference(deployment, CATALOGUE_BUDGET_MB=budget_mb)
        [vector] = json.loads(call(api, "POST", "/user_embeddings", body=[{"city": "Nantes"}])["body"])
        answers.append(
            [
                call(api, "POST", "/items_from_user", "limit=7", vector),
                call(api, "GET", "/items_from_item", f"item_id={ITEM}&limit=7"),
                call(api, "GET", "/items_from_item", "item_id=unknown"),
            ]
        )
    assert answers[0] == answers[1]
    assert [answer["statusCode"] for answer in answers[0]] == [200, 200, 404]


@pytest.mark.parametrize("item_id", ["%00", "%27%3B--", "%F0%9F%9A%97", "x" * 5_000])
def test_no_item_id_can_do_harm(deployment: Deployment, item_id: str) -> None:
    api = make_inference(deployment, CATALOGUE_BUDGET_MB="0")
    assert call(api, "GET", "/items_from_item", f"item_id={item_id}")["statusCode"] == 404


def test_while_the_database_is_silent_callers_are_told_to_come_back(
    deployment: Deployment, relay: Relay
) -> None:
    api = make_inference(deployment)
    assert call(api, "GET", "/items_from_item", f"item_id={ITEM}")["statusCode"] == 200
    with relay.blocked():
        away = call(api, "GET", "/items_from_item", f"item_id={ITEM}", seconds=3)
    assert (away["statusCode"], away["headers"]["retry-after"]) == (503, "5")
    assert call(api, "GET", "/items_from_item", f"item_id={ITEM}")["statusCode"] == 200
