"""The inference API over a catalogue in memory; tests/integration has it over a real database."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vectorops.functions.inference as module
from tests.recommender_samples import (
    activity,
    customer,
    decoded,
    firehose_event,
    item_vectors,
    product_code,
    user_model,
)
from tests.unit.functions.filled_store import CONFIGURATION, FilledStore
from vectorops.errors import DatabaseError
from vectorops.functions.configuration import MAX_LIMIT
from vectorops.functions.deadline import Deadline
from vectorops.functions.http_api import MAX_BODY_BYTES, Answer
from vectorops.functions.inference import MAX_RECORDS, Inference
from vectorops.functions.store import Recommender
from vectorops.functions.transform import Transform

DESCRIPTION = json.loads((Path(module.__file__).parent / "openapi.json").read_text())
USER = {"city": "Nantes", "country": "France", "creditlimit": 21000}
ITEM = product_code(4)


@pytest.fixture(scope="module")
def api() -> Inference:
    return Inference(CONFIGURATION, FilledStore().recommender)


def http_event(method: str, path: str, query: str = "", body: object = None) -> dict[str, Any]:
    """A request as a function URL hands it over."""
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "requestContext": {
            "http": {"method": method, "path": path},
            "requestId": "req-1",
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event


def call(api: Inference, method: str, path: str, query: str = "", body: object = None) -> Answer:
    return api(http_event(method, path, query, body), None)


def test_vectors_of_users_are_the_models_in_order(api: Inference) -> None:
    users: list[dict[str, Any]] = [
        USER,
        {},
        {"city": "Madrid", "country": None, "creditlimit": "21,000", "extra": [1]},
    ]
    done = call(api, "POST", "/user_embeddings", body=users)
    assert done["statusCode"] == 200
    assert np.array_equal(np.array(json.loads(done["body"]), np.float32), user_model().embed(users))


def test_what_the_transform_recommends_is_what_the_two_calls_give(api: Inference) -> None:
    who = customer(3)
    fields = {"city": who["city"], "country": who["country"], "creditlimit": who["credit_limit"]}
    [vector] = json.loads(call(api, "POST", "/user_embeddings", body=[fields])["body"])
    from_user = json.loads(call(api, "POST", "/items_from_user", "limit=5", vector)["body"])
    from_item = json.loads(call(api, "GET", "/items_from_item", f"item_id={ITEM}&limit=5")["body"])
    transform = Transform(CONFIGURATION, FilledStore().recommender)
    [record] = transform(firehose_event(activity(3, (ITEM, False))), None)["records"]
    assert decoded(record)["recommended_items"] == from_user
    assert decoded(record)["similar_items"] == {"product_code": ITEM, "similar_items": from_item}


def test_the_limit_is_the_configured_one_unless_the_caller_asks(api: Inference) -> None:
    for query, expected in (("", 5), ("&limit=1", 1), ("&limit=100", len(item_vectors()[0]) - 1)):
        done = call(api, "GET", "/items_from_item", f"item_id={ITEM}{query}")
        assert len(json.loads(done["body"])) == expected


def test_a_body_in_base64_is_decoded(api: Inference) -> None:
    event = http_event("POST", "/user_embeddings")
    event |= {"isBase64Encoded": True, "body": base64.b64encode(json.dumps([USER]).encode()).decode()}
    assert api(event, None)["statusCode"] == 200


def test_the_stage_of_an_http_api_is_no_part_of_the_path(api: Inference) -> None:
    event = http_event("GET", "/v1/items_from_item", f"item_id={ITEM}")
    event["requestContext"]["stage"] = "v1"
    assert api(event, None)["statusCode"] == 200


VECTOR = [0.1] * 32


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "status", "message"),
    [
        ("POST", "/user_embeddings", "", None, 400, "the body is not JSON"),
        ("POST", "/user_embeddings", "", "[{", 400, "the body is not JSON"),
        ("POST", "/user_embeddings", "", '[{"creditlimit": NaN}]', 400, "the body is not JSON"),
        ("POST", "/user_embeddings", "", "[" * 100_000, 400, "the body is not JSON"),
        ("POST", "/user_embeddings", "", {}, 400, "the body must be a list of 1 to 500 users"),
        ("POST", "/user_embeddings", "", [], 400, "the body must be a list of 1 to 500 users"),
        (
            "POST",
            "/user_embeddings",
            "",
            [{}] * (MAX_RECORDS + 1),
            400,
            "the body must be a list of 1 to 500",
        ),
        ("POST", "/user_embeddings", "", [{}, 3], 400, "user 1 is not an object"),
        ("POST", "/user_embeddings", "", [{"city": 3}], 400, "city of user 0 must be a string or null"),
        (
            "POST",
            "/user_embeddings",
            "",
            [{"creditlimit": True}],
            400,
            "creditlimit of user 0 must be a number",
        ),
        ("POST", "/user_embeddings", "", " " * (MAX_BODY_BYTES + 1), 413, "the body has 1000001 bytes"),
        ("POST", "/items_from_user", "", VECTOR[1:], 400, "a list of 32 numbers"),
        ("POST", "/items_from_user", "", {"vector": VECTOR}, 400, "a list of 32 numbers"),
        ("POST", "/items_from_user", "", [*VECTOR[1:], "1"], 400, "must hold numbers only"),
        ("POST", "/items_from_user", "", [*VECTOR[1:], 1e39], 400, "beyond single precision"),
        ("POST", "/items_from_user", "", [*VECTOR[1:], 10**400], 400, "beyond single precision"),
        ("POST", "/items_from_user", "", [0] * 32, 400, "the vector is zero"),
        ("POST", "/items_from_user", "limit=0", VECTOR, 400, "limit must be a whole number from 1 to 100"),
        ("GET", "/items_from_item", "item_id=x&limit=101", None, 400, "limit must be a whole number"),
        ("GET", "/items_from_item", "item_id=x&limit=", None, 400, "limit must be a whole number"),
        ("GET", "/items_from_item", "item_id=x&limit=²", None, 400, "limit must be a whole number"),
        ("GET", "/items_from_item", "limit=3", None, 400, "item_id is missing"),
        ("GET", "/items_from_item", "item_id=nobody", None, 404, "no item has this item_id"),
        ("GET", "/", "", None, 404, "there is no /"),
        ("DELETE", "/items_from_item", "", None, 405, "takes GET, not DELETE"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    api: Inference, method: str, path: str, query: str, body: object, status: int, message: str
) -> None:
    done = call(api, method, path, query, body)
    told = json.loads(done["body"])
    assert (done["statusCode"], told["request_id"]) == (status, "req-1")
    assert message in told["error"]
    assert done["headers"]["x-request-id"] == "req-1"


def test_a_wrong_method_is_told_the_right_one(api: Inference) -> None:
    assert call(api, "GET", "/user_embeddings")["headers"]["allow"] == "POST"


def test_an_answer_that_no_function_may_give_is_refused_before_it_fails(
    api: Inference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 1_000)
    done = call(api, "POST", "/user_embeddings", body=[USER] * 10)
    assert done["statusCode"] == 413
    assert "ask for less at a time" in json.loads(done["body"])["error"]


def test_while_the_database_is_away_callers_are_told_to_come_back() -> None:
    def away(deadline: Deadline) -> Recommender:
        raise DatabaseError("cannot connect to database 'vectors'", why="its password is secret")

    done = call(Inference(CONFIGURATION, away), "GET", "/items_from_item", "item_id=x")
    assert done["statusCode"] == 503
    assert done["headers"]["retry-after"] == "5"
    assert json.loads(done["body"]) == {"error": "not available at the moment", "request_id": "req-1"}


def test_a_fault_of_ours_is_answered_with_the_requests_id_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(deadline: Deadline) -> Recommender:
        raise RuntimeError("inner workings")

    done = call(Inference(CONFIGURATION, broken), "GET", "/items_from_item", "item_id=x")
    assert done["statusCode"] == 500
    assert json.loads(done["body"]) == {"error": "internal error", "request_id": "req-1"}
    assert any(vars(record).get("request_id") == "req-1" and record.exc_info for record in caplog.records)


def test_the_description_names_exactly_what_there_is(api: Inference) -> None:
    described = {
        (method.upper(), path) for path, methods in DESCRIPTION["paths"].items() for method in methods
    }
    assert described == {
        ("POST", "/user_embeddings"),
        ("POST", "/items_from_user"),
        ("GET", "/items_from_item"),
        ("GET", "/openapi.json"),
    }
    for method, path in described:
        assert call(api, method, path)["statusCode"] in (200, 400)
    assert json.loads(call(api, "GET", "/openapi.json")["body"]) == DESCRIPTION


def test_the_descriptions_limits_are_the_real_ones() -> None:
    users = DESCRIPTION["paths"]["/user_embeddings"]["post"]["requestBody"]["content"]["application/json"]
    assert users["schema"]["maxItems"] == MAX_RECORDS
    limit = DESCRIPTION["components"]["parameters"]["Limit"]["schema"]
    assert (limit["maximum"], limit["default"]) == (MAX_LIMIT, CONFIGURATION.item_limit)
    assert f"{MAX_BODY_BYTES:,} bytes" in DESCRIPTION["components"]["responses"]["TooLarge"]["description"]


def test_every_reference_in_the_description_leads_somewhere() -> None:
    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [one for value in node.values() for one in references(value)]
        return [one for value in node for one in references(value)] if isinstance(node, list) else []

    for reference in references(DESCRIPTION):
        target = DESCRIPTION
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target
