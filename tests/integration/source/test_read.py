from decimal import Decimal
from pathlib import Path

import pytest

from vectorops.errors import DatabaseError
from vectorops.source import SourceConnection, generate_sample, init_source, read_dump
from vectorops.source.read import Customer, read_customer, read_customers, read_products


def test_customers_and_products_come_in_the_order_of_their_keys(source: SourceConnection) -> None:
    init_source(source, generate_sample(customers=20, products=8, ratings=10))
    customers, products = read_customers(source), read_products(source)
    assert (len(customers), len(products)) == (20, 8)
    assert customers == sorted(customers, key=lambda one: one.number)
    assert read_customers(source, most=3) == customers[:3]
    assert read_customer(source, customers[5].number) == customers[5]
    assert read_customer(source, 1) is None
    assert all("No." in product.name for product in products)


def test_a_customer_of_the_real_dump_is_read_as_written(source: SourceConnection, real_data: Path) -> None:
    init_source(source, read_dump(real_data / "mysqlsampledatabase.sql"))
    assert read_customer(source, 103) == Customer(103, "Nantes", "France", Decimal("21000.00"))


def test_a_source_without_tables_is_a_clear_error(source: SourceConnection) -> None:
    with source.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS customers")
    with pytest.raises(DatabaseError, match="table customers") as caught:
        read_customers(source)
    assert "source init" in caught.value.hint
