"""The real ratings: 2,532 of 98 customers and 109 products, from the public sample database."""

import csv
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.integration.recommender.data_lake import SCHEMA
from vectorops.recommender.inference import UserModel
from vectorops.recommender.training import TrainingResult, train

FIELD = re.compile(r"'((?:[^'\\]|\\.)*)'|([^,()']+)")
CUSTOMER_FIELDS = {"city": 7, "state": 8, "postalCode": 9, "country": 10, "creditLimit": 12}
PRODUCT_FIELDS = {"productLine": 2, "productScale": 3, "quantityInStock": 6, "buyPrice": 7, "MSRP": 8}


def dump_rows(dump: str, table: str) -> dict[str, list[str | None]]:
    """Return the fields of each row of `table` by the first of them; the dump has one row per line."""
    body = dump.split(f"insert  into `{table}`")[1].split(";\n", 1)[0]
    rows = [line.strip(" ,;\r")[1:-1] for line in body.splitlines() if line.startswith("(")]
    fields = ([None if bare == "NULL" else text or bare for text, bare in FIELD.findall(row)] for row in rows)
    return {str(row[0]): row for row in fields}


@pytest.fixture(scope="module")
def table(real_data: Path) -> pa.Table:
    dump = (real_data / "mysqlsampledatabase.sql").read_text(encoding="utf-8")
    customers, products = dump_rows(dump, "customers"), dump_rows(dump, "products")
    rows: list[dict[str, Any]] = []
    for rating in csv.DictReader((real_data / "ratings.csv").open(encoding="utf-8")):
        customer, product = customers[rating["customerNumber"]], products[rating["productCode"]]
        rows.append(
            {
                **{name: int(rating[name]) for name in ("customerNumber", "productRating")},
                "productCode": rating["productCode"],
                **{name: customer[place] for name, place in CUSTOMER_FIELDS.items()},
                **{name: product[place] for name, place in PRODUCT_FIELDS.items()},
            }
        )
    for row in rows:
        for name in ("creditLimit", "buyPrice", "MSRP"):
            row[name] = Decimal(row[name])
        row["quantityInStock"] = int(row["quantityInStock"])
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@pytest.fixture(scope="module")
def result(table: pa.Table) -> TrainingResult:
    return train(table, model_version="real")


def test_every_customer_and_product_with_a_rating_has_an_embedding(
    result: TrainingResult,
) -> None:
    report = result.report
    assert (report.ratings, report.customers, report.products) == (2532, 98, 109)
    assert result.files.user_embeddings.count(b"\n") == 1 + 98
    assert result.files.item_embeddings.count(b"\n") == 1 + 109


def test_known_customers_get_much_better_lists_than_the_baselines_give(result: TrainingResult) -> None:
    ranking = result.report.evaluation.ranking
    assert result.report.beats_baselines
    assert ranking.model.recall_at_10 > 0.65
    assert max(ranking.most_popular.recall_at_10, ranking.random.recall_at_10) < 0.2


def test_the_report_does_not_claim_anything_for_customers_it_has_not_seen(result: TrainingResult) -> None:
    assert not result.report.evaluation.new_customers.ndcg_gain_over_random.is_clear
    assert "no better than either" in result.report.summary()[3]


def test_the_trailing_blanks_of_a_country_make_no_difference(result: TrainingResult) -> None:
    vectors = UserModel(result.files.user_tower).embed([{"country": "Norway"}, {"country": "Norway  "}, {}])
    assert (vectors[0] == vectors[1]).all()
    assert (vectors[0] != vectors[2]).any()
