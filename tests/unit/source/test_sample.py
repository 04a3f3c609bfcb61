from collections import Counter
from decimal import Decimal

import pytest

from vectorops.errors import UsageError
from vectorops.source import generate_sample


def test_the_same_arguments_give_the_same_rows_and_another_seed_others() -> None:
    first, again, other = generate_sample(), generate_sample(), generate_sample(seed=2)
    assert list(first.customers) == list(again.customers)
    assert list(first.products) == list(again.products)
    ratings = list(first.ratings)
    assert ratings == list(again.ratings)
    assert ratings != list(other.ratings)


@pytest.mark.parametrize(
    ("customers", "products", "ratings"), [(122, 110, 2_500), (1, 2, 1), (10, 6, 40), (500, 300, 60_000)]
)
def test_there_are_as_many_rows_as_asked_for_and_no_pair_twice(
    customers: int, products: int, ratings: int
) -> None:
    data = generate_sample(customers, products, ratings)
    numbers = [row[0] for row in data.customers]
    codes = [row[0] for row in data.products]
    pairs = Counter((customer, code) for customer, code, _ in data.ratings)
    assert len(set(numbers)) == len(numbers) == customers
    assert len(set(codes)) == len(codes) == products
    assert len(pairs) == pairs.total() == ratings
    assert {customer for customer, _ in pairs} <= set(numbers)
    assert {code for _, code in pairs} <= set(codes)


def test_the_awkward_values_of_the_real_data_are_in_the_sample() -> None:
    data = generate_sample()
    customers, products = list(data.customers), list(data.products)
    rated = {code for _, code, _ in data.ratings}
    assert {"Luleå", "Köln", "Auckland  "} <= {row[7] for row in customers}
    assert {None, "Québec"} <= {row[8] for row in customers}
    assert {"Norway", "Norway  "} <= {row[10] for row in customers}
    assert {None, Decimal(0)} <= {row[12] for row in customers}
    assert any("\u2019" in row[5] and "'" in row[5] and '"' in row[5] for row in products)
    assert {row[0] for row in products} - rated == {products[-1][0]}


def test_ratings_are_one_to_five_and_favourites_stand_out() -> None:
    counts = Counter(rating for _, _, rating in generate_sample().ratings)
    assert set(counts) == {1, 2, 3, 4, 5}
    assert min(counts.values()) > 50


def test_more_ratings_than_pairs_are_refused() -> None:
    with pytest.raises(UsageError, match="cannot have 500 ratings"):
        generate_sample(customers=10, products=10, ratings=500)
