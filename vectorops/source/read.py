"""Customers and products as the source database has them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
import pymysql

from vectorops.errors import DatabaseError
from vectorops.source.connection import SourceConnection
from vectorops.source.tables import CUSTOMERS, PRODUCTS, Table

_CUSTOMER = ("customerNumber", "city", "country", "creditLimit")
_PRODUCT = ("productCode", "productName")
MOST_ROWS = 10_000


@dataclass(frozen=True)
class Customer:
    """What the recommender knows a customer by."""

    number: int
    city: str
    country: str
    credit_limit: Decimal | None


@dataclass(frozen=True)
class Product:
    """A product and what people call it."""

    code: str
    name: str


def read_customers(connection: SourceConnection, *, most: int = MOST_ROWS) -> list[Customer]:
    """Return the customers with the lowest numbers, `most` at most.

    Raises:
        DatabaseError: The table cannot be read.
    """
    return [Customer(*row) for row in _select(connection, CUSTOMERS, _CUSTOMER, most=most)]


def read_customer(connection: SourceConnection, number: int) -> Customer | None:
    """Return a customer, or None when there is none with that number.

    Raises:
        DatabaseError: The table cannot be read.
    """
    found = _select(connection, CUSTOMERS, _CUSTOMER, number=number, most=1)
    return Customer(*found[0]) if found else None


def read_products(connection: SourceConnection, *, most: int = MOST_ROWS) -> list[Product]:
    """Return the products whose codes come first, `most` at most.

    Raises:
        DatabaseError: The table cannot be read.
    """
    return [Product(*row) for row in _select(connection, PRODUCTS, _PRODUCT, most=most)]


def _select(
    connection: SourceConnection,
    table: Table,
    columns: tuple[str, ...],
    *,
    most: int,
    number: int | None = None,
) -> list[tuple[Any, ...]]:
    quote = '"' if isinstance(connection, psycopg.Connection) else "`"
    names = ", ".join(f"{quote}{name}{quote}" for name in columns)
    key = f"{quote}{table.primary_key[0]}{quote}"
    where = "" if number is None else f" WHERE {key} = %s"
    # Names are our own.
    statement = f"SELECT {names} FROM {table.name}{where} ORDER BY {key} LIMIT %s"  # noqa: S608
    values = (most,) if number is None else (number, most)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
    except (psycopg.Error, pymysql.MySQLError) as exc:
        raise DatabaseError(
            f"table {table.name} of the source database cannot be read",
            why=str(exc.args[-1] if exc.args else exc).strip().splitlines()[0],
            hint="run 'vectorops source init'",
        ) from exc
