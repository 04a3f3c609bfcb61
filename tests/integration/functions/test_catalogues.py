"""The catalogue in memory and the one in the database answer alike."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from psycopg import sql

from vectorops.database.connection import register_vector_types
from vectorops.database.migrations import apply_migrations
from vectorops.database.search_settings import SearchSetting, record_setting
from vectorops.database.tables import VectorTable, create_vector_table
from vectorops.errors import DatabaseError
from vectorops.recommender.catalogue import Found, Neighbour, Search
from vectorops.recommender.catalogue_loading import item_table, load_catalogue
from vectorops.recommender.catalogue_memory import MemoryCatalogue
from vectorops.recommender.catalogue_table import Rows, Statement, TableCatalogue, table_catalogue

Connection = psycopg.Connection[Any]
Vectors = NDArray[np.float32]
SQL = Path(__file__).parents[3] / "sql"


def clusters(rows: int, dimension: int, seed: int) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((40, dimension))
    return (centres[rng.integers(40, size=rows)] + 0.4 * rng.standard_normal((rows, dimension))).astype(
        np.float32
    )


def names(rows: int) -> list[str]:
    return [f"é{number:05d}" for number in range(rows)]


def fill(connection: Connection, vectors: Vectors, name: str = "public.goods", **options: Any) -> VectorTable:
    apply_migrations(connection, SQL)
    register_vector_types(connection)
    table = create_vector_table(connection, name, id_type="text", dimension=vectors.shape[1], **options)
    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table.qualified)) as copy:
        for id_, vector in zip(names(len(vectors)), vectors, strict=True):
            copy.write_row((id_, f"[{','.join(map(str, vector))}]"))
    connection.execute("ANALYZE")
    return item_table(connection, name)


def in_memory(connection: Connection, table: VectorTable) -> MemoryCatalogue:
    return load_catalogue(connection, table)[0]


def in_database(connection: Connection, table: VectorTable) -> TableCatalogue:
    def query(statements: list[Statement]) -> list[Rows]:
        with connection.transaction():
            return [connection.execute(*one, binary=True).fetchall() for one in statements]

    return table_catalogue(connection, table, query)  # type: ignore[arg-type]


def ids(neighbours: list[Neighbour]) -> list[str]:
    return [one["id"] for one in neighbours]


def assert_alike(one: Found, other: Found) -> None:
    assert one.by_item.keys() == other.by_item.keys()
    pairs = [*zip(one.by_vector, other.by_vector, strict=True)]
    pairs += [(one.by_item[id_], other.by_item[id_]) for id_ in one.by_item]
    for left, right in pairs:
        assert ids(left) == ids(right)
        assert [n["score"] for n in left] == pytest.approx([n["score"] for n in right], abs=2e-6)


def test_on_a_small_table_both_give_the_same_answer(connection: Connection) -> None:
    table = fill(connection, clusters(200, 16, seed=1))
    queries = clusters(20, 16, seed=2)
    queries[3], queries[4, 0], queries[6] = 0, np.nan, queries[5]
    without = [frozenset(names(200)[n : n + n]) | {"unknown"} for n in range(20)]
    items = [*names(200)[::20], "unknown", "nul\0", "\ud800", "'; DROP TABLE goods; --"]
    for k in (1, 5, 100, 300):
        wanted = Search(queries, without, items, k)
        memory = in_memory(connection, table).search(wanted)
        assert_alike(memory, in_database(connection, table).search(wanted))
    assert memory.by_item.keys() == set(names(200)[::20])
    assert memory.by_vector[3] == memory.by_vector[4] == []


def test_rows_without_a_direction_are_unknown_to_both(connection: Connection) -> None:
    vectors = clusters(30, 4, seed=1)
    vectors[2] = 0
    table = fill(connection, vectors)
    connection.execute("ALTER TABLE goods ALTER embedding DROP NOT NULL")
    connection.execute("UPDATE goods SET embedding = NULL WHERE id = %s", (names(30)[1],))
    wanted = Search(vectors[:1], [frozenset()], names(4), 30)
    memory = in_memory(connection, table).search(wanted)
    assert len(memory.by_vector[0]) == 28
    assert memory.by_item.keys() == {names(4)[0], names(4)[3]}
    assert_alike(memory, in_database(connection, table).search(wanted))


@pytest.mark.parametrize(
    ("rows", "options"),
    [(6_000, {}), (6_000, {"vector_type": "halfvec"})],
    ids=["vector", "halfvec"],
)
def test_on_a_large_table_the_index_finds_nearly_all_that_comparing_everything_finds(
    connection: Connection, rows: int, options: dict[str, Any]
) -> None:
    table = fill(connection, clusters(rows, 32, seed=1), **options)
    catalogue = in_database(connection, table)
    queries = clusters(60, 32, seed=2)
    without = [frozenset(names(rows)[n : n + 3]) for n in range(60)]
    wanted = Search(queries, without, names(rows)[:: rows // 40], 10)
    exact, found = in_memory(connection, table).search(wanted), catalogue.search(wanted)
    assert exact.by_item.keys() == found.by_item.keys()
    pairs = [*zip(exact.by_vector, found.by_vector, strict=True)]
    pairs += [(exact.by_item[id_], found.by_item[id_]) for id_ in exact.by_item]
    assert all(len(left) == len(right) == 10 for left, right in pairs)
    recall = np.mean([len({*ids(left)} & {*ids(right)}) / 10 for left, right in pairs])
    assert recall > 0.95
    assert index_scans(connection, catalogue, wanted) == 2


def index_scans(connection: Connection, catalogue: TableCatalogue, wanted: Search) -> int:
    parameters = (list(wanted.vectors), [10] * len(wanted.vectors), list(wanted.items), 10)
    explained = connection.execute(sql.SQL("EXPLAIN {}").format(catalogue.statement), parameters).fetchall()
    return sum("Index Scan using goods_embedding_idx" in line for (line,) in explained)


def test_a_table_beyond_the_indexs_dimensions_is_searched_through_its_halfvec(connection: Connection) -> None:
    table = fill(connection, clusters(150, 2_100, seed=1))
    wanted = Search(clusters(3, 2_100, seed=2), [frozenset()] * 3, names(2), 5)
    connection.execute("SET enable_seqscan = off")
    catalogue = in_database(connection, table)
    assert_alike(in_memory(connection, table).search(wanted), catalogue.search(wanted))
    assert index_scans(connection, catalogue, wanted) == 2


def test_nothing_asked_does_not_reach_the_database(connection: Connection) -> None:
    def refuse(statements: object) -> list[Rows]:
        raise AssertionError(statements)

    fill(connection, clusters(3, 4, seed=1))
    catalogue = table_catalogue(connection, item_table(connection, "goods"), refuse)
    assert catalogue.search(Search(np.zeros((1, 4), np.float32), [frozenset()], [], 5)) == Found([[]], {})


BITS = "CREATE INDEX by_bit ON goods USING hnsw ((binary_quantize(embedding)::bit(32)) bit_hamming_ops)"


def test_an_index_of_bits_is_passed_over_and_a_halfvec_taken(connection: Connection) -> None:
    table = fill(connection, clusters(2_000, 32, seed=1))
    connection.execute(BITS)
    wanted = Search(clusters(3, 32, seed=2), [frozenset()] * 3, names(2), 5)
    connection.execute("SET enable_seqscan = off")
    catalogue = in_database(connection, table)
    assert_alike(in_memory(connection, table).search(wanted), catalogue.search(wanted))
    assert index_scans(connection, catalogue, wanted) == 2
    connection.execute("DROP INDEX goods_embedding_idx")
    with pytest.raises(DatabaseError, match="no index of vectors for cosine") as caught:
        in_database(connection, table)
    assert "vectorops index build public.goods --metric cosine --type halfvec" in caught.value.hint


def test_the_measured_ef_search_is_used(connection: Connection) -> None:
    table = fill(connection, clusters(50, 8, seed=1))
    assert in_database(connection, table).ef_search == 40
    measured = SearchSetting(table.full_name, "cosine", "column", "", "", 1.0, 10, 230, 0.96, 0.95, 50, 50)
    record_setting(connection, measured)
    catalogue = in_database(connection, table)
    assert catalogue.ef_search == 230
    used: list[Any] = []

    def remember(statements: list[Statement]) -> list[Rows]:
        used.extend(statements[0][1])
        return catalogue.query(statements)

    wanted = Search(clusters(1, 8, seed=2), [frozenset()], [], 5)
    found = replace(catalogue, query=remember).search(wanted)  # type: ignore[arg-type]
    assert used == [230]
    assert_alike(in_memory(connection, table).search(wanted), found)
