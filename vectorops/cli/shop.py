"""Customers and products, from where an environment lets us read them.

The source database on this machine is ours to read. On AWS it is a database in use, which we leave alone:
there, customers and products come from the training table.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vectorops.cli.source import connect_to_source
from vectorops.cli.state import AppState
from vectorops.errors import DatabaseError, InputDataError

if TYPE_CHECKING:
    import pyarrow as pa

    from vectorops.streaming.sample import Shopper


@dataclass(frozen=True)
class Shop:
    """Who browses what.

    Attributes:
        origin: Where they were read, in words.
    """

    shoppers: "list[Shopper]"
    product_codes: list[str]
    origin: str


def read_shop(state: AppState) -> Shop:
    """Return customers and products.

    Raises:
        InputDataError: There are none.
    """
    shop = _from_source(state) if state.environment.is_local else _from_training_table(state)
    if not shop.shoppers or not shop.product_codes:
        raise InputDataError(
            f"{shop.origin} has no customers or no products",
            hint="run 'vectorops source init', or give --file",
        )
    return shop


def find_shopper(state: AppState, number: int) -> "Shopper | None":
    """Return a customer of the source database; None on AWS, and for one that is not there."""
    from vectorops.source.read import read_customer

    if not state.environment.is_local:
        return None
    with connect_to_source(state) as connection:
        found = read_customer(connection, number)
    return _shopper(found.number, found.city, found.country, found.credit_limit) if found else None


def product_names(state: AppState) -> dict[str, str]:
    """Return the names of the products by their codes; none where the source is not ours, or not filled."""
    from vectorops.source.read import read_products

    if not state.environment.is_local:
        return {}
    try:
        with connect_to_source(state) as connection:
            return {product.code: product.name for product in read_products(connection)}
    except DatabaseError:  # names are for the eye; the answer does not depend on them
        return {}


def _from_source(state: AppState) -> Shop:
    from vectorops.source.read import read_customers, read_products

    with connect_to_source(state) as connection:
        customers, products = read_customers(connection), read_products(connection)
    shoppers = [_shopper(one.number, one.city, one.country, one.credit_limit) for one in customers]
    return Shop(shoppers, [product.code for product in products], "the source database")


def _from_training_table(state: AppState) -> Shop:
    from vectorops.recommender.training_table import read_training_table

    stack = state.stack
    table = read_training_table(
        state.aws.client("glue"), state.aws.client("s3"), stack.catalog_database, stack.catalog_table
    )
    return shop_of(table, f"table {stack.catalog_database}.{stack.catalog_table}")


def shop_of(table: "pa.Table", origin: str) -> Shop:
    """Return the customers and the products of a training table, each once, by number and by code."""
    columns = ["customerNumber", "city", "country", "creditLimit"]
    customers = table.select(columns).group_by(columns, use_threads=False).aggregate([]).to_pylist()
    shoppers = {one["customerNumber"]: _shopper(*(one[name] for name in columns)) for one in customers}
    codes = table.column("productCode").unique().to_pylist()
    return Shop([shoppers[number] for number in sorted(shoppers)], sorted(codes), origin)


def _shopper(number: int, city: str, country: str, credit_limit: object) -> "Shopper":
    from vectorops.streaming.sample import Shopper

    limit = None if credit_limit is None else float(str(credit_limit))
    return Shopper(number, city, country, limit)
