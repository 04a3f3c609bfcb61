"""The exported models: what goes in, what comes out, and that they are the fitted towers."""

import subprocess
import sys
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from tests.unit.recommender.rating_samples import product, rating_rows, training_table
from vectorops.errors import InputDataError
from vectorops.recommender.features import USER_SIGNATURE, model_feed
from vectorops.recommender.inference import ItemModel, UserModel
from vectorops.recommender.interactions import read_interactions
from vectorops.recommender.onnx_export import tower_to_onnx
from vectorops.recommender.towers import Towers, fit_towers

CUSTOMERS: list[dict[str, Any]] = [
    {"city": "Nantes", "country": "France", "creditlimit": 21000},
    {"city": "Nantes", "country": "France", "creditlimit": " 21,000 "},
    {"city": "Atlantis", "country": "France", "creditlimit": 21000},
    {"city": None, "country": None, "creditlimit": None},
    {"city": 5, "country": ["France"], "creditlimit": "abc"},
    {"city": "\ud800\x00" * 100, "country": "日本", "creditlimit": 1e30},
    {"creditlimit": -1e30},
    {},
]


@pytest.fixture(scope="module")
def towers() -> Towers:
    return fit_towers(read_interactions(training_table()), dimension=8, seed=0)


@pytest.fixture(scope="module")
def user_model(towers: Towers) -> UserModel:
    return UserModel(tower_to_onnx(towers.user, name="user_tower", model_version="v1"))


@pytest.fixture(scope="module")
def item_model(towers: Towers) -> ItemModel:
    return ItemModel(tower_to_onnx(towers.item, name="item_tower", model_version="v1"))


def test_the_graph_gives_what_the_fitted_tower_gives(towers: Towers, user_model: UserModel) -> None:
    expected = towers.user.embed(model_feed(USER_SIGNATURE, CUSTOMERS))
    np.testing.assert_allclose(user_model.embed(CUSTOMERS), expected, atol=1e-6)


def test_the_item_graph_gives_what_the_fitted_tower_gives(towers: Towers, item_model: ItemModel) -> None:
    data = read_interactions(training_table())
    np.testing.assert_allclose(item_model.run(data.item_feed), towers.item.embed(data.item_feed), atol=1e-6)


def test_every_vector_is_finite_and_of_length_one(user_model: UserModel) -> None:
    vectors = user_model.embed(CUSTOMERS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(CUSTOMERS), 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_batch_gives_each_record_the_vector_it_has_alone_in_order(user_model: UserModel) -> None:
    alone = np.vstack([user_model.embed([record]) for record in CUSTOMERS])
    np.testing.assert_array_equal(user_model.embed(CUSTOMERS), alone)


def test_no_records_give_no_vectors(user_model: UserModel) -> None:
    assert user_model.embed([]).shape == (0, 8)


def test_a_number_in_a_string_is_the_number(user_model: UserModel) -> None:
    number, text = user_model.embed(CUSTOMERS[:2])
    np.testing.assert_array_equal(number, text)


def test_unseen_missing_and_unreadable_values_are_the_same(user_model: UserModel) -> None:
    vectors = user_model.embed(
        [
            {"city": "Atlantis", "country": "France", "creditlimit": None},
            {"city": None, "country": "France", "creditlimit": "abc"},
            {"country": "France"},
        ]
    )
    np.testing.assert_array_equal(vectors, np.repeat(vectors[:1], 3, axis=0))


def test_what_is_known_of_a_customer_moves_the_vector(user_model: UserModel) -> None:
    vectors = user_model.embed([{}, {"country": "France"}, {"country": "France", "creditlimit": 50_000}])
    assert np.abs(np.diff(vectors, axis=0)).max(axis=1).min() > 1e-3


def test_a_product_never_seen_in_training_lies_near_its_line(item_model: ItemModel) -> None:
    names = {key.lower(): value for key, value in product(40).items()}
    unseen, *known = item_model.embed(
        [names, *({key.lower(): value for key, value in product(code).items()} for code in range(40))]
    )
    cosines = np.array(known) @ unseen
    same_line = np.arange(40) % 4 == 40 % 4
    assert cosines[same_line].min() > cosines[~same_line].max()


def test_a_column_without_any_value_in_training_does_no_harm() -> None:
    rows = [{**row, "city": None, "creditLimit": None, "MSRP": 5} for row in rating_rows(planted=True)]
    table = pa.Table.from_pylist(rows)
    towers = fit_towers(read_interactions(table), dimension=8, seed=0)
    model = UserModel(tower_to_onnx(towers.user, name="user_tower", model_version="v1"))
    expected = towers.user.embed(model_feed(USER_SIGNATURE, CUSTOMERS))
    np.testing.assert_allclose(model.embed(CUSTOMERS), expected, atol=1e-6)


def test_a_model_can_be_read_from_a_file(towers: Towers, user_model: UserModel, tmp_path: Any) -> None:
    path = tmp_path / "user_tower.onnx"
    path.write_bytes(tower_to_onnx(towers.user, name="user_tower", model_version="v1"))
    np.testing.assert_array_equal(UserModel(path).embed(CUSTOMERS), user_model.embed(CUSTOMERS))


def test_the_model_names_its_version_and_maker(towers: Towers) -> None:
    model = onnx.load_from_string(tower_to_onnx(towers.user, name="user_tower", model_version="v7"))
    assert {one.key: one.value for one in model.metadata_props} == {"model_version": "v7"}
    assert model.producer_name == "vectorops"


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(InputDataError, match="cannot read 5 bytes as an ONNX model"):
        UserModel(b"hello")


def test_a_file_that_is_not_there_is_refused(tmp_path: Any) -> None:
    with pytest.raises(InputDataError, match=r"none\.onnx' as an ONNX model"):
        UserModel(tmp_path / "none.onnx")


def test_a_model_of_another_signature_is_refused_with_both_signatures(towers: Towers) -> None:
    item_tower = tower_to_onnx(towers.item, name="item_tower", model_version="v1")
    with pytest.raises(InputDataError, match=r"'productcode'.*must be .*'creditlimit': 'tensor\(float\)'"):
        UserModel(item_tower)


def test_a_model_without_a_fixed_dimension_is_refused() -> None:
    inputs = [
        helper.make_tensor_value_info(name, kind, ["n", 1])
        for name, kind in [
            ("city", TensorProto.STRING),
            ("country", TensorProto.STRING),
            ("creditlimit", TensorProto.FLOAT),
        ]
    ]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, "n"])
    graph = helper.make_graph(
        [helper.make_node("Transpose", ["creditlimit"], ["embedding"])], "own", inputs, [output]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(InputDataError, match="with a fixed dimension"):
        UserModel(model.SerializeToString())


def test_inference_loads_none_of_the_training_libraries() -> None:
    code = (
        "import sys, vectorops.recommender.inference, vectorops.recommender.manifest; "
        "print({'sklearn', 'scipy', 'onnx', 'pyarrow'} & {name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
