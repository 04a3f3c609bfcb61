"""The transform over a catalogue in memory; tests/integration has it over a real database."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recommender_samples import (
    activity,
    customer,
    decoded,
    firehose_event,
    item_vectors,
    product_code,
    trained,
)
from tests.unit.functions.filled_store import CONFIGURATION, FilledStore
from vectorops.functions.transform import Transform
from vectorops.recommender.inference import UserModel


@pytest.fixture(scope="module")
def store() -> FilledStore:
    return FilledStore()


@pytest.fixture(scope="module")
def transform(store: FilledStore) -> Transform:
    return Transform(CONFIGURATION, store.recommender)


def test_the_recommendation_of_a_known_customer_is_what_numpy_computes(transform: Transform) -> None:
    browsed = product_code(4)
    response = transform(firehose_event(activity(3, (browsed, False))), None)
    ids, vectors = item_vectors()
    who = customer(3)
    fields = {"city": who["city"], "country": who["country"], "creditlimit": who["credit_limit"]}
    [user] = UserModel(trained().files.user_tower).embed([fields])
    for query, found, own in (
        (user, decoded(response["records"][0])["recommended_items"], None),
        (
            vectors[ids.index(browsed)],
            decoded(response["records"][0])["similar_items"]["similar_items"],
            browsed,
        ),
    ):
        cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
        expected = [ids[place] for place in np.argsort(-cosines) if ids[place] != own][:5]
        assert [one["id"] for one in found] == expected
        assert [one["score"] for one in found] == pytest.approx(
            [cosines[ids.index(id_)] for id_ in expected], abs=1e-6
        )


def test_one_poison_record_failed_the_whole_batch_now_it_fails_alone(transform: Transform) -> None:
    poison = (b"\xff\xfe", b"not json", b'{"a": NaN}', b"[1]", b"", b'{"recommended_items": []}')
    event = firehose_event(activity(1), *poison, activity(2))
    results = [record["result"] for record in transform(event, None)["records"]]
    assert results == ["Ok", *["ProcessingFailed"] * len(poison), "Ok"]


def test_a_new_user_without_history_raised_an_error_now_gets_recommendations(transform: Transform) -> None:
    events = [{"browse_history": []}, {}, {"browse_history": None, "city": None}]
    for record in transform(firehose_event(*events), None)["records"]:
        answer = decoded(record)
        assert len(answer["recommended_items"]) == 5
        assert answer["similar_items"] == {"product_code": None, "similar_items": []}


def test_data_was_bytes_that_json_cannot_hold_now_the_response_is_json_as_it_is(transform: Transform) -> None:
    response = transform(firehose_event(activity(1), b"\xff"), None)
    assert json.loads(json.dumps(response)) == response


def test_the_choice_depended_on_the_containers_past_now_it_depends_on_the_event(store: FilledStore) -> None:
    event = firehose_event(*(activity(n, (product_code(n), n % 2 == 0)) for n in range(20)))
    warm, fresh = (
        Transform(CONFIGURATION, store.recommender),
        Transform(CONFIGURATION, FilledStore().recommender),
    )
    warm(firehose_event(activity(7)), None)
    alone = [warm({**event, "records": [record]}, None)["records"][0] for record in event["records"]]
    assert warm(event, None) == fresh(event, None)
    assert alone == fresh(event, None)["records"]


def test_three_calls_per_record_are_now_one_model_call_and_one_search_per_batch(store: FilledStore) -> None:
    store.model.calls = store.catalogue.searches = store.asked = 0
    transform = Transform(CONFIGURATION, store.recommender)
    transform(firehose_event(*(activity(n, (product_code(n), True)) for n in range(30))), None)
    assert (store.model.calls, store.catalogue.searches, store.asked) == (1, 1, 1)


def test_every_line_is_one_json_object_with_the_event_unchanged_in_front(transform: Transform) -> None:
    event = activity(5, (product_code(1), False)) | {"unknown": {"deep": [1.5, None]}, "name": "Åsa\n"}
    [record] = transform(firehose_event(event), None)["records"]
    answer = decoded(record)
    assert list(answer) == [*event, "recommended_items", "similar_items"]
    assert {key: answer[key] for key in event} == event


def test_a_batch_of_nothing_but_bad_records_asks_neither_model_nor_database(store: FilledStore) -> None:
    store.asked = 0
    response = Transform(CONFIGURATION, store.recommender)(firehose_event(b"x", b"y"), None)
    assert [record["result"] for record in response["records"]] == ["ProcessingFailed"] * 2
    assert store.asked == 0


def test_logs_name_the_failed_records_and_never_what_they_hold(
    transform: Transform, caplog: pytest.LogCaptureFixture
) -> None:
    event = firehose_event(b'{"customer_number": 103, "city": "Nantes"', b"[103]", activity(1))
    transform(event, None)
    logged = [vars(record) for record in caplog.records]
    assert {one["reason"]: one["record_ids"] for one in logged} == {
        "not_json": [event["records"][0]["recordId"]],
        "not_an_object": [event["records"][1]["recordId"]],
    }
    assert "Nantes" not in str(logged)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "product_code": values | st.sampled_from([product_code(n) for n in range(5)]),
        "in_shopping_cart": values,
    },
)
events = st.fixed_dictionaries(
    {},
    optional={
        "city": values,
        "country": values,
        "credit_limit": values,
        "customer_number": values,
        "browse_history": values | st.lists(values | entries, max_size=4),
        "similar_items": values,
    },
)


@given(payloads=st.lists(st.binary(max_size=40) | values | events, max_size=12))
@settings(max_examples=150)
def test_whatever_comes_every_record_id_is_returned_once_in_order(payloads: list[object]) -> None:
    event = firehose_event(
        *(json.dumps(one).encode() if not isinstance(one, bytes) else one for one in payloads)
    )
    records = Transform(CONFIGURATION, FilledStore().recommender)(event, None)["records"]
    assert [record["recordId"] for record in records] == [record["recordId"] for record in event["records"]]
    for record in records:
        assert record["result"] in ("Ok", "ProcessingFailed")
        if record["result"] == "Ok":
            assert len(decoded(record)["recommended_items"]) == 5
