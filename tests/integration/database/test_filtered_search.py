"""Searches with filters on columns beside the vector."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.database.vector_samples import FilledTable, clustered_vectors, found_ids, nearest_first
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.filters import Filter, parse_filter
from vectorops.database.query import QueryById
from vectorops.database.searcher import Searcher
from vectorops.database.tables import VectorTable, vector_table
from vectorops.errors import DatabaseError, UsageError

Connection = psycopg.Connection[Any]
ROWS = 6_000


VECTORS = clustered_vectors(ROWS, 16)


@pytest.fixture(scope="module")
def products_database(module_database: DatabaseAddress) -> DatabaseAddress:
    """A table whose row i has price i, rare = (i is a multiple of 1,000), lang by i modulo 3, and tags."""
    with connect(module_database) as opened:
        opened.execute(
            "CREATE TABLE products"
            " (id int PRIMARY KEY, embedding vector(16), price int, rare bool, lang text, tags jsonb)"
        )
        opened.execute(
            "INSERT INTO products SELECT n, v, n, mod(n, 1000) = 0, (ARRAY['en', 'fr', NULL])[mod(n, 3) + 1],"
            " jsonb_build_object('kind', mod(n, 2)) FROM unnest(%b::int[], %b::vector[]) AS u (n, v)",
            (list(range(ROWS)), list(VECTORS)),
        )
        opened.execute("CREATE INDEX by_vector ON products USING hnsw (embedding vector_cosine_ops)")
        opened.execute("VACUUM ANALYZE products")
    return module_database


@pytest.fixture
def products(products_database: DatabaseAddress) -> Iterator[Connection]:
    """Connection to the products; what a test does to them is undone."""
    with connect(products_database) as opened, opened.transaction(force_rollback=True):
        yield opened


@pytest.fixture
def table(products: Connection) -> VectorTable:
    return vector_table(products, "products")


CASES = [
    ("price < 3000", lambda row: row < 3000),
    ("price >= 5990", lambda row: row >= 5990),
    ("rare = true", lambda row: row % 1000 == 0),
    ("lang = fr", lambda row: row % 3 == 1),
    ("lang in en, fr", lambda row: row % 3 != 2),
    ("lang is null", lambda row: row % 3 == 2),
    ("lang like e%", lambda row: row % 3 == 0),
    ('tags @> {"kind": 1}', lambda row: row % 2 == 1),
    ("price = -1", lambda row: False),
    ("id not in 0, 1", lambda row: row > 1),
]


@pytest.mark.parametrize(("text", "passes"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("seqscan", ["on", "off"])
def test_a_filtered_search_returns_as_many_rows_as_there_are_where_the_index_alone_came_short(
    products: Connection, table: VectorTable, text: str, passes: Any, seqscan: str
) -> None:
    """Without an iterative scan an index finds ef_search rows and gives those of them that pass."""
    products.execute(f"SET enable_seqscan = {seqscan}")
    matching = {row for row in range(ROWS) if passes(row)}
    filters = [parse_filter(text)]
    for result in (
        Searcher(products, table).search(VECTORS[7], filters=filters),
        *Searcher(products, table).search_many(VECTORS[:3], filters=filters),
    ):
        assert len(result.neighbours) == min(10, len(matching))
        assert set(found_ids(result)) <= matching
        scores = [neighbour.score for neighbour in result.neighbours]
        assert scores == sorted(scores, reverse=True)
    exact = Searcher(products, table).search(VECTORS[7], filters=filters, exact=True)
    expected = [row for row in nearest_first(VECTORS, VECTORS[7]) if row in matching][:10]
    assert found_ids(exact) == expected


def test_the_index_alone_does_come_short(products: Connection, table: VectorTable) -> None:
    products.execute("SET enable_seqscan = off")
    rows = products.execute(
        "SELECT id FROM products WHERE rare ORDER BY embedding <=> %b LIMIT 6", (VECTORS[7],)
    ).fetchall()
    assert len(rows) < 6


def test_a_filtered_search_goes_on_in_the_index_until_it_has_enough(
    products: Connection, table: VectorTable
) -> None:
    result = Searcher(products, table).search(VECTORS[7], filters=[parse_filter("lang = fr")], k=40)
    assert result.index == "by_vector"
    expected = [row for row in nearest_first(VECTORS, VECTORS[7]) if row % 3 == 1][:40]
    assert len(set(found_ids(result)) & set(expected)) >= 38


def test_a_filter_with_an_index_of_its_own_is_answered_through_that_and_exactly(
    products: Connection, table: VectorTable
) -> None:
    products.execute("CREATE INDEX ON products (price)")
    products.execute("ANALYZE products")
    searcher = Searcher(products, table)
    few, all_but_few = [parse_filter("price < 20")], [parse_filter("price >= 20")]
    result = searcher.search(VECTORS[7], filters=few)
    assert (result.index, result.warning) == (None, "")
    assert found_ids(result) == [row for row in nearest_first(VECTORS, VECTORS[7]) if row < 20][:10]
    assert searcher.search(VECTORS[7], filters=all_but_few).used_index, "the plan follows the value"
    plan = searcher.explain(VECTORS[7], filters=few, exact=True)
    assert "products_price_idx" in str(plan)


def test_filters_and_the_row_one_starts_from_are_both_respected(
    products: Connection, table: VectorTable
) -> None:
    filters = [parse_filter("price >= 100"), parse_filter("price < 104")]
    found = Searcher(products, table).search(QueryById(101), filters=filters)
    assert sorted(found_ids(found), key=int) == [100, 102, 103]


NASTY = [
    "'; DROP TABLE products; --",
    "x' OR '1'='1",
    "%s",
    "%(id)s",
    "{}",
    "\\",
    "$1",
    "é日\U0001f600",
    "NULL",
]


@pytest.mark.parametrize("operator", ["=", "like", "in"])
@pytest.mark.parametrize("value", NASTY)
def test_a_value_that_looks_like_sql_is_compared_as_it_stands(
    products: Connection, table: VectorTable, operator: str, value: str
) -> None:
    products.execute("UPDATE products SET lang = %s WHERE id = 42", (value,))
    filters = [Filter("lang", operator, (value.replace("\\", "\\\\") if operator == "like" else value,))]
    assert 42 in found_ids(Searcher(products, table).search(VECTORS[42], filters=filters))
    assert len(Searcher(products, table).search(VECTORS[42]).neighbours) == 10


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(low=st.integers(0, ROWS), width=st.integers(0, 400), k=st.integers(1, 30))
def test_any_range_gives_as_many_rows_as_it_holds(
    products: Connection, table: VectorTable, low: int, width: int, k: int
) -> None:
    filters = [Filter("price", ">=", (str(low),)), Filter("price", "<", (str(low + width),))]
    found = found_ids(Searcher(products, table).search(VECTORS[0], k=k, filters=filters))
    matching = range(low, min(low + width, ROWS))
    assert len(set(found)) == len(found) == min(k, len(matching))
    assert set(found) <= set(matching)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cost < 3", "no column 'cost' to filter by: its columns are id, price, rare, lang, tags"),
        ("embedding = [1,2]", "no column 'embedding'"),
        ("price < cheap", 'price < cheap: invalid input syntax for type integer: "cheap"'),
        ("price like 3%", "price like 3%: operator does not exist"),
        ("tags @> {", "invalid input syntax for type json"),
        ("lang = a\0b", "NUL"),
    ],
)
def test_a_filter_that_does_not_fit_is_refused_with_the_reason(
    products: Connection, table: VectorTable, text: str, message: str
) -> None:
    searcher = Searcher(products, table)
    with pytest.raises(UsageError) as caught:
        searcher.search(VECTORS[0], filters=[parse_filter(text)])
    assert message in str(caught.value)
    assert len(searcher.search(VECTORS[0]).neighbours) == 10, "the connection is still usable"


def test_column_names_that_look_like_sql_are_names(vector_database: Connection, fill: FilledTable) -> None:
    vectors = clustered_vectors(5, 4)
    fill(vectors)
    vector_database.execute('ALTER TABLE items ADD "a"" = 1 OR true; --" int DEFAULT 7, ADD "50%" int')
    table = vector_table(vector_database, "items")
    filters = [Filter('a" = 1 OR true; --', "=", ("8",))]
    assert Searcher(vector_database, table).search(vectors[0], filters=filters).neighbours == []
    with pytest.raises(UsageError, match="no column '50%'"):
        Searcher(vector_database, table).search(vectors[0], filters=[Filter("50%", "=", ("8",))])


def test_an_old_server_without_iterative_scans_still_returns_every_match(
    products: Connection, table: VectorTable
) -> None:
    """max_scan_tuples = 1 ends the scan of the index where pgvector before 0.8.0 ended it."""
    products.execute("SET enable_seqscan = off")
    products.execute("SET hnsw.max_scan_tuples = 1")
    result = Searcher(products, table).search(VECTORS[7], filters=[parse_filter("rare = true")])
    assert sorted(found_ids(result), key=int) == [0, 1000, 2000, 3000, 4000, 5000]


def test_what_postgresql_refuses_without_a_filter_is_a_database_error(
    products: Connection, table: VectorTable
) -> None:
    searcher = Searcher(products, table)
    searcher.search(VECTORS[0])
    products.execute("DROP TABLE products")
    with pytest.raises(DatabaseError, match="does not exist"):
        searcher.search(VECTORS[0])
