from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vectorops.database.connection import DatabaseAddress
from vectorops.errors import DatabaseError
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.source import (
    SourceAddress,
    SourceConnection,
    SourceData,
    connect_source,
    generate_sample,
    init_source,
    read_dump,
    read_ratings,
    source_counts,
)

Rows = list[tuple[Any, ...]]


def rows(source: SourceConnection, statement: str) -> Rows:
    with source.cursor() as cursor:
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]


def tables(source: SourceConnection) -> dict[str, Rows]:
    return {
        name: sorted(rows(source, f"SELECT * FROM {name}")) for name in ("customers", "products", "ratings")
    }


def as_lists(data: SourceData) -> dict[str, Rows]:
    return {
        "customers": sorted(data.customers),
        "products": sorted(data.products),
        "ratings": sorted(data.ratings),
    }


def test_the_real_dump_comes_back_as_it_was(source: SourceConnection, real_data: Path) -> None:
    dump = read_dump(real_data / "mysqlsampledatabase.sql", read_ratings(real_data / "ratings.csv"))
    report = init_source(source, dump)
    assert (report.customers, report.products, report.ratings) == (122, 110, 2532)
    assert tables(source) == as_lists(dump)


def test_the_sample_comes_back_as_it_was_and_progress_counts_every_row(source: SourceConnection) -> None:
    sent: list[int] = []
    report = init_source(source, generate_sample(ratings=6_000), on_rows=sent.append)
    assert tables(source) == as_lists(generate_sample(ratings=6_000))
    assert sum(sent) == report.customers + report.products + report.ratings == 122 + 110 + 6_000
    assert source_counts(source) == report


def test_tables_that_are_there_are_replaced(source: SourceConnection) -> None:
    init_source(source, generate_sample())
    init_source(source, generate_sample(customers=40, products=30, ratings=100, seed=2))
    assert tables(source) == as_lists(generate_sample(customers=40, products=30, ratings=100, seed=2))


def test_a_row_that_the_server_refuses_leaves_the_old_tables(source: SourceConnection) -> None:
    init_source(source, generate_sample())
    twice = [*generate_sample().ratings, *generate_sample().ratings]
    new = replace(generate_sample(customers=40, seed=3, ratings=10), ratings=twice)
    with pytest.raises(DatabaseError, match=r"they are as before: [Dd]uplicate"):
        init_source(source, new)
    assert tables(source) == as_lists(generate_sample())
    init_source(source, generate_sample(ratings=50))
    assert len(rows(source, "SELECT * FROM ratings")) == 50


def test_tables_of_the_sample_database_that_refer_to_ours_are_no_obstacle(mariadb: SourceAddress) -> None:
    with connect_source(mariadb) as source:
        init_source(source, generate_sample())
        with source.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE payments (customerNumber int, FOREIGN KEY (customerNumber) "
                "REFERENCES customers (customerNumber))"
            )
            cursor.execute("INSERT INTO payments SELECT customerNumber FROM customers")
            source.commit()
        init_source(source, generate_sample(ratings=50))
        assert len(rows(source, "SELECT * FROM ratings")) == 50
        assert {name for (name,) in rows(source, "SHOW TABLES")} >= {"payments", "ratings"}


def test_a_database_without_the_tables_has_no_counts(database_address: DatabaseAddress) -> None:
    server = database_address
    address = SourceAddress(server.host, server.port, server.name, server.user, server.password)
    with connect_source(address) as source:
        assert source_counts(source) is None


def test_a_refused_login_and_a_silent_server_are_named(database_address: DatabaseAddress) -> None:
    server = database_address
    wrong = SourceAddress(server.host, server.port, server.name, server.user, "not this one")
    with pytest.raises(DatabaseError, match="password authentication failed") as caught:
        connect_source(wrong)
    assert "not this one" not in f"{caught.value} {wrong}"
    with pytest.raises(DatabaseError, match="refused"):
        connect_source(replace(wrong, host=LOOPBACK, port=find_free_port()))


def test_a_refused_login_to_mariadb_is_named(mariadb: SourceAddress) -> None:
    with pytest.raises(DatabaseError, match="Access denied"):
        connect_source(replace(mariadb, password="not this one"))
