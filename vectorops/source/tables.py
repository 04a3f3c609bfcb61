"""The tables of the source database that the batch pipeline reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Column:
    """A column; its type is written the same way in MySQL and in PostgreSQL."""

    name: str
    type: str
    required: bool = True


@dataclass(frozen=True)
class Table:
    """A table."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class SourceData:
    """Rows for the three tables, each in the order of its columns; may be read once only.

    A row holds int, str, Decimal or None.
    """

    customers: Iterable[Row]
    products: Iterable[Row]
    ratings: Iterable[Row]


CUSTOMERS = Table(
    "customers",
    (
        Column("customerNumber", "int"),
        Column("customerName", "varchar(50)"),
        Column("contactLastName", "varchar(50)"),
        Column("contactFirstName", "varchar(50)"),
        Column("phone", "varchar(50)"),
        Column("addressLine1", "varchar(50)"),
        Column("addressLine2", "varchar(50)", required=False),
        Column("city", "varchar(50)"),
        Column("state", "varchar(50)", required=False),
        Column("postalCode", "varchar(15)", required=False),
        Column("country", "varchar(50)"),
        Column("salesRepEmployeeNumber", "int", required=False),
        Column("creditLimit", "decimal(10,2)", required=False),
    ),
    ("customerNumber",),
)
PRODUCTS = Table(
    "products",
    (
        Column("productCode", "varchar(15)"),
        Column("productName", "varchar(70)"),
        Column("productLine", "varchar(50)"),
        Column("productScale", "varchar(10)"),
        Column("productVendor", "varchar(50)"),
        Column("productDescription", "text"),
        Column("quantityInStock", "smallint"),
        Column("buyPrice", "decimal(10,2)"),
        Column("MSRP", "decimal(10,2)"),
    ),
    ("productCode",),
)
RATINGS = Table(
    "ratings",
    (
        Column("customerNumber", "int"),
        Column("productCode", "varchar(15)"),
        Column("productRating", "smallint"),
    ),
    ("customerNumber", "productCode"),
)
TABLES = (CUSTOMERS, PRODUCTS, RATINGS)
