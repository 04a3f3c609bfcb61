"""Customers, products and ratings from a dump of the MySQL sample database."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from vectorops.errors import InputDataError
from vectorops.source.dump_statements import Token, statements
from vectorops.source.ratings import derive_ratings
from vectorops.source.tables import CUSTOMERS, PRODUCTS, RATINGS, Column, Row, SourceData, Table

# UTF-8 first, since it fails on the other two; MySQL's latin1 is Windows-1252, where five bytes mean nothing.
_ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")
ORDERS = Table("orders", (Column("orderNumber", "int"), Column("customerNumber", "int")), ("orderNumber",))
ORDER_DETAILS = Table(
    "orderdetails",
    (Column("orderNumber", "int"), Column("productCode", "varchar(15)"), Column("quantityOrdered", "int")),
    ("orderNumber", "productCode"),
)
_WANTED = {table.name: table for table in (CUSTOMERS, PRODUCTS, RATINGS, ORDERS, ORDER_DETAILS)}


def read_dump(path: Path, ratings: Sequence[Row] | None = None) -> SourceData:
    """Return the rows of a file with MySQL's CREATE TABLE and INSERT statements.

    The file may be in UTF-8 or in MySQL's latin1. Text stays as it is, trailing blanks included.

    Args:
        path: As mysqldump writes it; tables that the pipeline does not read are passed over.
        ratings: Rows of table `ratings`. When None, the dump's own are taken; where it has none, they are
            derived from its orders.

    Raises:
        InputDataError: The file is no such dump, is broken, or lacks a table or a column.
    """
    tables = _read_tables(path)
    for table in (CUSTOMERS, PRODUCTS):
        if table.name not in tables:
            raise InputDataError(
                f"{path} has no rows of table {table.name}",
                why=f"rows were found of: {', '.join(tables) or 'no table that is needed'}",
                hint="give a dump of the MySQL sample database 'classicmodels'",
            )
    if ratings is None:
        ratings = tables.get(RATINGS.name) or _from_orders(path, tables)
    return SourceData(tables[CUSTOMERS.name], tables[PRODUCTS.name], ratings)


def _from_orders(path: Path, tables: dict[str, list[Row]]) -> list[Row]:
    if ORDERS.name not in tables or ORDER_DETAILS.name not in tables:
        raise InputDataError(
            f"{path} has no rows of table ratings, nor orders to derive them from",
            hint="give the ratings with --ratings FILE (customerNumber,productCode,productRating)",
        )
    return derive_ratings(tables[ORDERS.name], tables[ORDER_DETAILS.name])


def _read_tables(path: Path) -> dict[str, list[Row]]:
    created: dict[str, list[str]] = {}
    rows: dict[str, list[Row]] = {}
    for statement in statements(_read_text(path)):
        words = [token.value.upper() for token in statement[:2]]
        if words == ["CREATE", "TABLE"]:
            name, columns = _created_table(statement)
            created[name] = columns
        elif words[:1] in (["INSERT"], ["REPLACE"]):
            at = next((n for n, token in enumerate(statement) if token.value.lower() in _WANTED), None)
            if at is not None and at <= 3:
                table = _WANTED[statement[at].value.lower()]
                found = _inserted_rows(table, statement[at + 1 :], created.get(table.name))
                rows.setdefault(table.name, []).extend(found)
    return rows


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise InputDataError(f"cannot read {path}", why=exc.strerror or str(exc)) from exc
    if b"\0" in raw:
        raise InputDataError(f"{path} is no text", hint="give the dump itself, not compressed")
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 decodes everything")


def _created_table(statement: list[Token]) -> tuple[str, list[str]]:
    """Return the name and the columns of a CREATE TABLE statement: each `name` after "(" or ","."""
    opening = next((n for n, token in enumerate(statement) if token == Token("mark", "(")), len(statement))
    columns, depth = [], 0
    for before, token in zip(statement[opening:], statement[opening + 1 :], strict=False):
        depth += {"(": 1, ")": -1}.get(before.value, 0) if before.kind == "mark" else 0
        if depth == 1 and before.kind == "mark" and before.value in "(," and token.kind == "name":
            columns.append(token.value)
    return statement[opening - 1].value.lower(), columns


def _inserted_rows(table: Table, tokens: list[Token], created: list[str] | None) -> Iterator[Row]:
    groups = list(_groups(tokens))
    values_at = next((n for n, token in enumerate(tokens) if token.value.upper() in ("VALUES", "VALUE")), 0)
    if tokens and tokens[0] == Token("mark", "(") and values_at:
        names = [token.value for token in groups.pop(0)]
    else:
        names = created or list(table.column_names)
    places = {name.lower(): place for place, name in enumerate(names)}
    for group in groups:
        if len(group) != len(names):
            raise InputDataError(
                f"a row of table {table.name} has {len(group)} values, but there are {len(names)} columns",
                why=f"the row begins with {', '.join(token.value for token in group[:3])}",
            )
        yield tuple(_cell(table, column, places, group) for column in table.columns)


def _groups(tokens: list[Token]) -> Iterator[list[Token]]:
    """Yield what is in each pair of parentheses, without the commas and without character set words."""
    group: list[Token] | None = None
    for token in tokens:
        if token == Token("mark", "("):
            group = []
        elif token == Token("mark", ")"):
            if group is not None:
                yield group
            group = None
        elif group is not None and token.kind != "mark" and not _is_charset(token):
            group.append(token)


def _is_charset(token: Token) -> bool:
    return token.kind == "word" and token.value.startswith("_")  # as in _binary '…' and _utf8mb4'…'


def _cell(table: Table, column: Column, places: dict[str, int], row: list[Token]) -> Any:
    place = places.get(column.name.lower())
    token = row[place] if place is not None else Token("word", "NULL")
    if token.kind == "word" and token.value.upper() == "NULL":
        if column.required:
            raise InputDataError(f"a row of table {table.name} has no {column.name}")
        return None
    return _typed(table, column, token.value)


def _typed(table: Table, column: Column, text: str) -> Any:
    base = re.match(r"\w+", column.type)
    kind = base[0] if base else ""
    try:
        if kind in ("int", "smallint"):
            return int(text)
        return Decimal(text) if kind == "decimal" else text
    except (ValueError, InvalidOperation) as exc:
        raise InputDataError(f"'{text}' in {table.name}.{column.name} is no {column.type}") from exc
