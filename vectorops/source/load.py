"""Creating and filling the source tables."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg
import pymysql
from psycopg import sql
from pymysql.constants import ER

from vectorops.errors import DatabaseError
from vectorops.source.connection import SourceConnection
from vectorops.source.tables import TABLES, Row, SourceData, Table

OnRows = Callable[[int], None]
_ROWS_PER_BATCH = 5_000


@dataclass(frozen=True)
class SourceReport:
    """Rows in the source tables.

    Attributes:
        vendor: "mysql" or "postgresql".
    """

    vendor: str
    customers: int
    products: int
    ratings: int


def init_source(
    connection: SourceConnection, data: SourceData, *, on_rows: OnRows = lambda _: None
) -> SourceReport:
    """Create the tables customers, products and ratings and fill them; tables of these names are replaced.

    The old tables can be read until the new ones are complete; then all three change at once.

    Args:
        connection: From `connect_source`.
        data: Rows; read once.
        on_rows: Called with the number of rows just sent.

    Raises:
        DatabaseError: The server refused a row or a table; the old tables are still there.
    """
    rows = {"customers": data.customers, "products": data.products, "ratings": data.ratings}
    try:
        if isinstance(connection, psycopg.Connection):
            return SourceReport("postgresql", **_replace_postgresql(connection, rows, on_rows))
        return SourceReport("mysql", **_replace_mysql(connection, rows, on_rows))
    except (psycopg.Error, pymysql.MySQLError) as exc:
        raise DatabaseError(
            "the source tables could not be filled; they are as before", why=_reason(exc)
        ) from exc


def source_counts(connection: SourceConnection) -> SourceReport | None:
    """Return how many rows the source tables have, or None when one of them is not there.

    Raises:
        DatabaseError: The server refused for another reason.
    """
    vendor = "postgresql" if isinstance(connection, psycopg.Connection) else "mysql"
    counts: dict[str, int] = {}
    try:
        for table in TABLES:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM {table.name}")  # noqa: S608 - our own names
                row = cursor.fetchone()
                counts[table.name] = row[0] if row else 0
    except psycopg.errors.UndefinedTable:
        return None
    except (psycopg.Error, pymysql.MySQLError) as exc:
        if exc.args and exc.args[0] == ER.NO_SUCH_TABLE:
            return None
        raise DatabaseError("the source tables cannot be read", why=_reason(exc)) from exc
    return SourceReport(vendor, **counts)


def _reason(exc: Exception) -> str:
    """Return the complaint and, where PostgreSQL adds it, which row it is about."""
    return " ".join(str(exc.args[-1] if exc.args else exc).strip().splitlines()[:2])


def _replace_postgresql(
    connection: psycopg.Connection[Any], rows: dict[str, Iterable[Row]], on_rows: OnRows
) -> dict[str, int]:
    counts = {}
    with connection.transaction(), connection.cursor() as cursor:
        for table in TABLES:
            name = sql.Identifier(table.name)
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
            cursor.execute(_create(table, table.name, quote='"').encode())
            copy_in = sql.SQL("COPY {} FROM STDIN").format(name)
            counts[table.name] = 0
            with cursor.copy(copy_in) as copy:
                for batch in _batches(rows[table.name]):
                    for row in batch:
                        copy.write_row(row)
                    counts[table.name] += len(batch)
                    on_rows(len(batch))
    connection.execute("ANALYZE")
    return counts


def _replace_mysql(
    connection: SourceConnection, rows: dict[str, Iterable[Row]], on_rows: OnRows
) -> dict[str, int]:
    """MySQL commits at every CREATE TABLE, so the new tables are filled beside the old ones, then renamed."""
    counts = {}
    with connection.cursor() as cursor:
        # Other tables of the sample database refer to customers and products.
        cursor.execute("SET SESSION foreign_key_checks = 0")
        for table in TABLES:
            cursor.execute(f"DROP TABLE IF EXISTS `{table.name}__new`, `{table.name}__old`")
            cursor.execute(_create(table, f"{table.name}__new", quote="`") + " CHARACTER SET utf8mb4")
            counts[table.name] = 0
            for batch in _batches(rows[table.name]):
                cursor.executemany(_insert(table), batch)
                counts[table.name] += len(batch)
                on_rows(len(batch))
            connection.commit()
        cursor.execute("SHOW TABLES")
        there = {row[0] for row in cursor.fetchall()}
        old = [table.name for table in TABLES if table.name in there]
        swaps = [f"`{name}` TO `{name}__old`" for name in old]
        swaps += [f"`{table.name}__new` TO `{table.name}`" for table in TABLES]
        cursor.execute(f"RENAME TABLE {', '.join(swaps)}")
        for name in old:
            cursor.execute(f"DROP TABLE `{name}__old`")
    return counts


def _create(table: Table, name: str, quote: str) -> str:
    lines = [
        f"{quote}{column.name}{quote} {column.type}{' NOT NULL' if column.required else ''}"
        for column in table.columns
    ]
    key = ", ".join(f"{quote}{column}{quote}" for column in table.primary_key)
    return f"CREATE TABLE {quote}{name}{quote} ({', '.join(lines)}, PRIMARY KEY ({key}))"


def _insert(table: Table) -> str:
    columns = ", ".join(f"`{name}`" for name in table.column_names)
    marks = ", ".join(["%s"] * len(table.columns))
    return f"INSERT INTO `{table.name}__new` ({columns}) VALUES ({marks})"  # noqa: S608 - our own names


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _ROWS_PER_BATCH)):
        yield batch
