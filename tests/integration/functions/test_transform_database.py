"""The transform over a real database, secret and bucket."""

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import sql

from tests.integration.functions.deployment import Deployment, Invocation, load_items
from tests.integration.functions.relay import Relay
from tests.recommender_samples import (
    activity,
    customer,
    decoded,
    firehose_event,
    item_vectors,
    product_code,
    trained,
    user_model,
)
from vectorops.database.kept_tables import roll_back
from vectorops.database.search_settings import SearchSetting, record_setting
from vectorops.embeddings.writing import Way
from vectorops.errors import DatabaseError, InputDataError
from vectorops.functions.deadline import Deadline
from vectorops.functions.firehose import Response
from vectorops.functions.runtime import open_store
from vectorops.functions.session import Session
from vectorops.functions.store import Recommender, Store
from vectorops.functions.transform import Transform
from vectorops.recommender.artifacts import use_version, write_artifacts
from vectorops.recommender.catalogue_memory import MemoryCatalogue
from vectorops.recommender.catalogue_table import TableCatalogue
from vectorops.recommender.recommend import recommend
from vectorops.recommender.training import embeddings_csv

Connection = psycopg.Connection[Any]
BUDGETS_MB = ("64", "0")  # in memory; through the index


def make_transform(deployment: Deployment, **variables: str) -> Transform:
    configuration = deployment.configuration(**variables)
    store = open_store(configuration, deployment.aws, is_patient=True)
    return Transform(configuration, store.recommender)


def batch(records: int = 30) -> dict[str, Any]:
    return firehose_event(*(activity(n % 40, (product_code(n % 30), n % 3 == 0)) for n in range(records)))


def ids_of(response: Response) -> list[list[str]]:
    answers = [decoded(record) for record in response["records"]]
    return [[one["id"] for one in answer["recommended_items"]] for answer in answers]


def one_item(id_: str, vector: np.ndarray[Any, Any]) -> bytes:
    return embeddings_csv([id_], vector[None])


@pytest.mark.parametrize("budget_mb", BUDGETS_MB)
def test_the_recommendation_of_a_known_customer_is_what_numpy_computes(
    deployment: Deployment, budget_mb: str
) -> None:
    transform = make_transform(deployment, CATALOGUE_BUDGET_MB=budget_mb)
    ids, vectors = item_vectors()
    who, browsed = customer(3), product_code(4)
    response = transform(firehose_event(activity(3, (browsed, False))), Invocation())
    answer = decoded(response["records"][0])
    fields = {"city": who["city"], "country": who["country"], "creditlimit": who["credit_limit"]}
    [user] = user_model().embed([fields])
    for query, found, own in (
        (user, answer["recommended_items"], None),
        (vectors[ids.index(browsed)], answer["similar_items"]["similar_items"], browsed),
    ):
        cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
        expected = [ids[place] for place in np.argsort(-cosines) if ids[place] != own][:5]
        assert [one["id"] for one in found] == expected
        scores = [cosines[ids.index(id_)] for id_ in expected]
        assert [one["score"] for one in found] == pytest.approx(scores, abs=1e-6)


@pytest.mark.parametrize(("budget_mb", "round_trips"), [("64", 1), ("0", 2)])
def test_three_calls_per_record_are_now_two_round_trips_at_most_per_batch(
    deployment: Deployment, relay: Relay, budget_mb: str, round_trips: int
) -> None:
    transform = make_transform(deployment, CATALOGUE_BUDGET_MB=budget_mb)
    transform(batch(), Invocation())
    for records in (1, 200):
        relay.round_trips = 0
        transform(batch(records), Invocation())
        assert relay.round_trips == round_trips
    assert relay.connections == 1


def test_a_new_load_is_seen_by_the_next_batch_for_one_round_trip_more(
    deployment: Deployment, relay: Relay, items: Connection
) -> None:
    transform = make_transform(deployment)
    [[best, *_]] = ids_of(transform(firehose_event(activity(3)), Invocation()))
    ids, vectors = item_vectors()
    load_items(items, one_item("twin", vectors[ids.index(best)]))
    relay.round_trips = 0
    [found] = ids_of(transform(firehose_event(activity(3)), Invocation()))
    assert found[:2] == sorted([best, "twin"])
    assert relay.round_trips == 2


def test_a_table_that_took_the_others_name_is_seen_by_the_next_batch(
    deployment: Deployment, items: Connection
) -> None:
    transform = make_transform(deployment)
    transform(batch(), Invocation())
    with items.transaction():
        items.execute("CREATE TABLE next_items AS SELECT id || '-new' AS id, embedding FROM item_emb")
        items.execute("ALTER TABLE next_items ADD PRIMARY KEY (id)")
        items.execute("ALTER TABLE item_emb RENAME TO old_items")
        items.execute("ALTER TABLE next_items RENAME TO item_emb")
    [found] = ids_of(transform(firehose_event(activity(3)), Invocation()))
    assert all(id_.endswith("-new") for id_ in found)


def test_another_index_and_what_was_tuned_for_it_are_used_by_the_next_batch(
    deployment: Deployment, items: Connection
) -> None:
    store = open_store(deployment.configuration(CATALOGUE_BUDGET_MB="0"), deployment.aws, is_patient=True)

    def catalogue() -> TableCatalogue:
        found = store.recommender(Deadline(60)).catalogue
        assert isinstance(found, TableCatalogue)
        return found

    first = catalogue()
    assert catalogue() is first
    assert "halfvec" not in first.statement.as_string(items)
    items.execute("CREATE INDEX other ON item_emb USING hnsw ((embedding::halfvec(32)) halfvec_cosine_ops)")
    items.execute("DROP INDEX item_emb_embedding_idx")
    second = catalogue()
    assert "halfvec" in second.statement.as_string(items)
    record_setting(
        items,
        SearchSetting(
            table_name="public.item_emb",
            metric="cosine",
            index_key="halfvec",
            filter="",
            filter_shape="",
            selectivity=1.0,
            k=10,
            ef_search=123,
            recall=0.96,
            target_recall=0.95,
            queries=100,
            table_rows=110,
        ),
    )
    assert (second.ef_search, catalogue().ef_search) == (40, 123)


def test_changes_that_nobody_recorded_are_seen_once_the_catalogue_is_old(
    deployment: Deployment, items: Connection
) -> None:
    now = [0.0]
    configuration = deployment.configuration(CATALOGUE_MAX_AGE_S="900")
    store = open_store(configuration, deployment.aws, is_patient=True, clock=lambda: now[0])
    transform = Transform(configuration, store.recommender)
    [[best, *_]] = ids_of(transform(firehose_event(activity(3)), Invocation()))
    items.execute("DELETE FROM item_emb WHERE id = %s", (best,))
    now[0] = 899
    assert best in ids_of(transform(firehose_event(activity(3)), Invocation()))[0]
    now[0] = 900
    assert best not in ids_of(transform(firehose_event(activity(3)), Invocation()))[0]


def test_users_are_embedded_by_the_model_that_the_load_of_the_items_names(
    deployment: Deployment, items: Connection
) -> None:
    s3 = deployment.aws.client("s3")
    write_artifacts(trained(1), s3, deployment.bucket)
    use_version(s3, deployment.bucket, "sample-0")  # another one than the items will be of
    transform = make_transform(deployment)
    transform(batch(), Invocation())
    load_items(items, trained(1).files.item_embeddings, model_version="sample-1")
    found = ids_of(transform(firehose_event(*map(activity, range(5))), Invocation()))
    catalogue = MemoryCatalogue(*item_vectors(1))
    expected = recommend([activity(n) for n in range(5)], user_model(1), catalogue, limit=5)
    assert found == [[one["id"] for one in answer["recommended_items"]] for answer in expected]


def test_a_replaced_table_and_a_rollback_are_noticed_with_the_model_of_their_items(
    deployment: Deployment, items: Connection
) -> None:
    s3 = deployment.aws.client("s3")
    write_artifacts(trained(1), s3, deployment.bucket)
    load_items(items, trained().files.item_embeddings, model_version="sample-0")
    transform = make_transform(deployment)
    before = ids_of(transform(batch(), Invocation()))
    load_items(items, trained(1).files.item_embeddings, model_version="sample-1", way=Way("replace"))
    users = [activity(n) for n in range(5)]
    expected = recommend(users, user_model(1), MemoryCatalogue(*item_vectors(1)), limit=5)
    found = ids_of(transform(firehose_event(*users), Invocation()))
    assert found == [[one["id"] for one in answer["recommended_items"]] for answer in expected]
    roll_back(items, "item_emb")
    assert ids_of(transform(batch(), Invocation())) == before


class Interrupted:
    """An S3 client before whose first answer something else happens."""

    def __init__(self, s3: Any, work: Callable[[], None]) -> None:
        self._s3, self._work = s3, work

    def __getattr__(self, name: str) -> Any:
        work, self._work = self._work, lambda: None
        work()
        return getattr(self._s3, name)


@pytest.mark.parametrize("budget_mb", BUDGETS_MB)
def test_users_get_the_model_of_a_table_that_is_replaced_while_another_model_is_read(
    deployment: Deployment, items: Connection, budget_mb: str
) -> None:
    s3 = deployment.aws.client("s3")
    write_artifacts(trained(1), s3, deployment.bucket)
    load_items(items, trained().files.item_embeddings, model_version="sample-0")

    def replace_table() -> None:
        load_items(items, trained(1).files.item_embeddings, model_version="sample-1", way=Way("replace"))

    configuration = deployment.configuration(CATALOGUE_BUDGET_MB=budget_mb)
    session = Session(lambda: deployment.database, is_patient=True)
    interrupted: Any = Interrupted(s3, replace_table)
    store = Store(configuration, session, interrupted, clock=lambda: 0.0)
    users = [activity(n) for n in range(5)]
    found = ids_of(Transform(configuration, store.recommender)(firehose_event(*users), Invocation()))
    expected = recommend(users, user_model(1), MemoryCatalogue(*item_vectors(1)), limit=5)
    assert found == [[one["id"] for one in answer["recommended_items"]] for answer in expected]
    session.close()


@pytest.mark.parametrize("budget_mb", BUDGETS_MB)
def test_a_load_of_another_model_between_two_questions_leaves_no_user_embedded_by_the_one_before(
    deployment: Deployment, items: Connection, budget_mb: str
) -> None:
    write_artifacts(trained(1), deployment.aws.client("s3"), deployment.bucket)
    load_items(items, trained().files.item_embeddings, model_version="sample-0")
    configuration = deployment.configuration(CATALOGUE_BUDGET_MB=budget_mb)
    store = open_store(configuration, deployment.aws, is_patient=True)
    loads = ["sample-1"]

    def current(deadline: Deadline) -> Recommender:
        found = store.recommender(deadline)
        while loads:
            load_items(items, trained(1).files.item_embeddings, model_version=loads.pop())
        return found

    users = [activity(n) for n in range(5)]
    found = ids_of(Transform(configuration, current)(firehose_event(*users), Invocation()))
    # What is in memory is of one model, whichever that is.
    seed = 0 if budget_mb == "64" else 1
    expected = recommend(users, user_model(seed), MemoryCatalogue(*item_vectors(seed)), limit=5)
    assert found == [[one["id"] for one in answer["recommended_items"]] for answer in expected]


def test_items_of_a_model_that_is_not_published_are_refused(
    deployment: Deployment, items: Connection
) -> None:
    load_items(items, trained().files.item_embeddings, model_version="elsewhere")
    with pytest.raises(InputDataError, match="'elsewhere', which is not published"):
        make_transform(deployment)(batch(), Invocation())


def test_items_of_another_dimension_than_the_models_are_refused(
    deployment: Deployment, items: Connection
) -> None:
    items.execute("CREATE TABLE public.wide (id text PRIMARY KEY, embedding vector(3))")
    with pytest.raises(InputDataError, match=r"32 dimensions, and 'public\.wide' holds 3"):
        make_transform(deployment, ITEM_TABLE="wide")(batch(), Invocation())


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ("CREATE TABLE t (id int PRIMARY KEY, embedding vector(32))", "are of type integer"),
        ("CREATE TABLE t (id text PRIMARY KEY, embedding vector)", "without a dimension"),
        ("CREATE TABLE u (id text PRIMARY KEY, embedding vector(32))", "there is no table 't'"),
    ],
)
def test_a_table_that_cannot_hold_items_is_named(
    deployment: Deployment, items: Connection, definition: str, why: str
) -> None:
    items.execute(sql.SQL(definition))
    with pytest.raises(DatabaseError, match=why):
        make_transform(deployment, ITEM_TABLE="t")(batch(), Invocation())


def test_a_large_table_without_an_index_is_refused_instead_of_read_for_every_record(
    deployment: Deployment, items: Connection
) -> None:
    items.execute("DROP INDEX item_emb_embedding_idx")
    with pytest.raises(DatabaseError, match="has no index of vectors for cosine"):
        make_transform(deployment, CATALOGUE_BUDGET_MB="0")(batch(), Invocation())


def test_a_batch_fails_until_items_are_loaded_so_that_it_can_be_replayed(
    deployment: Deployment, items: Connection
) -> None:
    items.execute("CREATE TABLE loaded AS TABLE item_emb")
    items.execute("TRUNCATE item_emb")
    transform = make_transform(deployment)
    with pytest.raises(InputDataError, match="holds no vectors"):
        transform(batch(), Invocation())
    items.execute("INSERT INTO item_emb TABLE loaded")
    assert ids_of(transform(firehose_event(activity(1)), Invocation())) != [[]]


def test_a_bucket_without_a_model_is_named(deployment: Deployment) -> None:
    deployment.aws.client("s3").create_bucket(Bucket="no-model-here")
    with pytest.raises(InputDataError, match="s3://no-model-here holds no model"):
        make_transform(deployment, ML_ARTIFACTS_BUCKET="no-model-here")(batch(), Invocation())
