import csv
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.recommender.rating_samples import (
    CUSTOMERS,
    PRODUCTS,
    customer,
    product,
    rating_rows,
    training_table,
)
from vectorops.errors import InputDataError, UsageError
from vectorops.recommender.artifacts import ModelFiles
from vectorops.recommender.inference import ItemModel, UserModel
from vectorops.recommender.training import TrainingResult, embeddings_csv, train

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def result() -> TrainingResult:
    return train(training_table(), model_version="v1", seed=3)


def read_csv(content: bytes) -> dict[str, np.ndarray[Any, Any]]:
    rows = csv.reader(io.StringIO(content.decode(), newline=""))
    assert next(rows) == ["id", "embedding"]
    return {one: np.array(text.strip("[]").split(","), dtype=np.float32) for one, text in rows}


def lower_names(record: dict[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in record.items()}


def test_the_order_of_the_rows_changes_no_byte(result: TrainingResult) -> None:
    table = training_table()
    for seed in (1, 2):
        shuffled = table.take(np.random.default_rng(seed).permutation(table.num_rows))
        assert train(shuffled, model_version="v1", seed=3).files == result.files


def test_one_changed_rating_changes_the_models() -> None:
    rows = rating_rows(planted=True)
    rows[0]["productRating"] = rows[0]["productRating"] % 5 + 1
    changed = train(pa.Table.from_pylist(rows), model_version="v1", seed=3).files
    unchanged = train(training_table(), model_version="v1", seed=3).files
    assert changed.user_tower != unchanged.user_tower
    assert changed.item_tower != unchanged.item_tower


def test_every_customer_and_product_of_the_training_data_has_an_embedding(result: TrainingResult) -> None:
    users, items = read_csv(result.files.user_embeddings), read_csv(result.files.item_embeddings)
    assert list(users) == [str(customer(number)["customerNumber"]) for number in range(CUSTOMERS)]
    assert list(items) == [product(number)["productCode"] for number in range(PRODUCTS)]
    assert {vector.shape for vector in (*users.values(), *items.values())} == {(32,)}


def test_the_embeddings_are_exactly_what_inference_gives(result: TrainingResult) -> None:
    files = result.files
    customers = [lower_names(customer(number)) for number in range(CUSTOMERS)]
    users = np.vstack(list(read_csv(files.user_embeddings).values()))
    np.testing.assert_array_equal(users, UserModel(files.user_tower).embed(customers))
    products = [lower_names(product(number)) for number in range(PRODUCTS)]
    items = np.vstack(list(read_csv(files.item_embeddings).values()))
    np.testing.assert_array_equal(items, ItemModel(files.item_tower).embed(products))


def test_a_dimension_beyond_the_rank_of_the_ratings_is_filled_with_zeros() -> None:
    result = train(training_table(), dimension=64, model_version="v1")
    vectors = np.vstack(list(read_csv(result.files.item_embeddings).values()))
    assert vectors.shape == (PRODUCTS, 64)
    assert (vectors[:, PRODUCTS:] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_report_counts_what_was_trained_on(result: TrainingResult) -> None:
    report = result.report
    assert (report.ratings, report.customers, report.products) == (CUSTOMERS * 8, CUSTOMERS, PRODUCTS)
    assert result.files.report == report.to_json()


def test_a_result_does_not_print_its_bytes(result: TrainingResult) -> None:
    assert "S000" not in repr(result.files)
    assert repr(result.files) == "ModelFiles()"
    assert isinstance(result.files, ModelFiles)


def test_numbers_are_written_in_the_fewest_digits_that_read_back_the_same() -> None:
    vectors = np.array([[0.1, 1e-05, -0.5], [np.float32(1) / 3, 0, 1e-30]], dtype=np.float32)
    content = embeddings_csv(["S10_1678", 'odd,"id"'], vectors)
    assert content == (b'id,embedding\nS10_1678,"[0.1,1e-05,-0.5]"\n"odd,""id""","[0.33333334,0.0,1e-30]"\n')
    np.testing.assert_array_equal(np.vstack(list(read_csv(content).values())), vectors)


def test_a_city_with_blanks_at_its_end_is_the_city() -> None:
    rows = rating_rows(planted=True)
    padded = [{**row, "city": row["city"] + "  "} if row["customerNumber"] % 2 else row for row in rows]
    trained = [train(pa.Table.from_pylist(part), model_version="v1").files for part in (rows, padded)]
    assert trained[0] == trained[1]


def without(column: str) -> Callable[[Rows], Rows]:
    return lambda rows: [{key: value for key, value in row.items() if key != column} for row in rows]


def with_first(column: str, value: object) -> Callable[[Rows], Rows]:
    return lambda rows: [{**rows[0], column: value}, *rows[1:]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without("creditLimit"), "the training data has no column creditLimit"),
        (with_first("productRating", None), "1 rows of the training data have no productRating"),
        (with_first("productCode", None), "1 rows of the training data have no productCode"),
        (with_first("productRating", 6), "ratings from 1.0 to 6.0"),
        (
            lambda rows: [{**row, "productRating": "good"} for row in rows],
            "column productRating .* is no double",
        ),
        (lambda rows: [*rows, rows[0]], "customer 100 rated product S0.. more than once"),
        (lambda rows: rows[:19], "has 19 ratings"),
    ],
)
def test_training_data_that_cannot_be_used_is_refused(spoil: Callable[[Rows], Rows], message: str) -> None:
    with pytest.raises(InputDataError, match=message):
        train(pa.Table.from_pylist(spoil(rating_rows(planted=True))), model_version="v1")


@pytest.mark.parametrize("version", ["", "../v1", "a/b", ".hidden", "v 1", "x" * 65])
def test_a_version_that_cannot_be_a_folder_is_refused(version: str) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        train(training_table(), model_version=version)


@pytest.mark.parametrize("dimension", [0, 2001])
def test_a_dimension_that_no_index_takes_is_refused(dimension: int) -> None:
    with pytest.raises(UsageError, match=f"dimension {dimension} is not possible"):
        train(training_table(), dimension=dimension, model_version="v1")
