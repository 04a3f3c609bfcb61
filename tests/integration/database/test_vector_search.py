from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.integration.database.vector_samples import (
    FilledTable,
    Vectors,
    clustered_vectors,
    found_ids,
    read_embeddings,
)
from vectorops.database.metrics import MetricName
from vectorops.database.search import QueryById, explain_search, search
from vectorops.database.tables import vector_table
from vectorops.errors import DatabaseError, InputDataError, UsageError

Connection = psycopg.Connection[Any]


def distances(vectors: Vectors, query: Vectors, metric: MetricName) -> Any:
    """Distances as pgvector defines them, in double precision."""
    wide, point = vectors.astype(np.float64), query.astype(np.float64)
    if metric == "cosine":
        return 1 - wide @ point / (np.linalg.norm(wide, axis=1) * np.linalg.norm(point))
    if metric == "inner_product":
        return -(wide @ point)
    return np.linalg.norm(wide - point, axis=1, ord=2 if metric == "l2" else 1)


def exact_ids(ids: list[Any], vectors: Vectors, query: Vectors, k: int, metric: MetricName) -> list[Any]:
    return [ids[row] for row in np.argsort(distances(vectors, query, metric), kind="stable")[:k]]


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


@pytest.mark.parametrize("query", ["vector", "id"])
def test_search_reads_the_index_where_ordering_by_similarity_read_every_row(
    vector_database: Connection, fill: FilledTable, query: str
) -> None:
    """The plan is read at default settings: nothing is switched off to make the planner choose the index."""
    vectors = clustered_vectors(4_000, 32)
    table = fill(vectors)
    plan = explain_search(vector_database, table, vectors[0] if query == "vector" else QueryById(0))
    scans = [node for node in nodes(plan) if node.get("Index Name") == "items_embedding_idx"]
    assert [scan["Node Type"] for scan in scans] == ["Index Scan"]
    assert "Seq Scan" not in {node["Node Type"] for node in nodes(plan)}
    result = search(vector_database, table, vectors[0] if query == "vector" else QueryById(0))
    assert result.used_index
    assert result.index == "items_embedding_idx"
    assert result.ef_search == 40


def test_the_replaced_form_of_the_query_reads_every_row(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(4_000, 32)
    fill(vectors)
    row = vector_database.execute(
        "EXPLAIN (FORMAT JSON) SELECT id, 1 - (embedding <=> %(q)b) AS similarity FROM items"
        " ORDER BY similarity DESC LIMIT 10",
        {"q": vectors[0]},
    ).fetchone()
    assert row is not None
    assert "Seq Scan" in {node["Node Type"] for node in nodes(row[0][0]["Plan"])}


@pytest.mark.parametrize(
    "name", ["item_embeddings.csv", "user_embeddings.csv", "product_text_embeddings_384.csv"]
)
@pytest.mark.parametrize("exact", [False, True])
def test_real_vectors_are_found_in_the_order_of_exact_numpy(
    vector_database: Connection, fill: FilledTable, real_data: Path, name: str, exact: bool
) -> None:
    ids, vectors = read_embeddings(real_data / name)
    table = fill(vectors, ids)
    for position, key in enumerate(ids):
        others = [other for other in ids if other != key]
        expected = exact_ids(others, np.delete(vectors, position, axis=0), vectors[position], 10, "cosine")
        result = search(vector_database, table, QueryById(key), exact=exact)
        assert found_ids(result) == expected
        scores = 1 - np.sort(distances(vectors, vectors[position], "cosine"))[1:11]
        np.testing.assert_allclose([neighbour.score for neighbour in result.neighbours], scores, atol=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "l2", "l1"])
@pytest.mark.parametrize("vector_type", ["vector", "halfvec"])
def test_the_index_serves_its_own_metric_and_exact_search_agrees_with_numpy(
    vector_database: Connection, fill: FilledTable, metric: MetricName, vector_type: str
) -> None:
    vectors = clustered_vectors(3_000, 24).astype(np.float16).astype(np.float32)
    table = fill(vectors, metric=metric, vector_type=vector_type)
    query = clustered_vectors(1, 24, seed=1)[0].astype(np.float16).astype(np.float32)
    expected = exact_ids(list(range(3_000)), vectors, query, 10, metric)
    exact = search(vector_database, table, query, exact=True)
    assert (exact.metric, exact.used_index, found_ids(exact)) == (metric, False, expected)
    vector_database.execute("SET enable_seqscan = off")  # so many candidates are dearer than every row
    indexed = search(vector_database, table, query, ef_search=400)
    assert (indexed.metric, indexed.used_index, found_ids(indexed)) == (metric, True, expected)
    scores = [neighbour.score for neighbour in indexed.neighbours]
    assert scores == sorted(scores, reverse=True)
    best = (1.0 if metric == "cosine" else 0.0) - distances(vectors, query, metric)[expected[0]]
    assert scores[0] == pytest.approx(best, rel=1e-5)


def test_another_metric_than_the_index_has_is_answered_exactly(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(3_000, 8)
    result = search(vector_database, fill(vectors), vectors[5], metric="l2")
    assert (result.metric, result.used_index) == ("l2", False)
    assert found_ids(result) == exact_ids(list(range(3_000)), vectors, vectors[5], 10, "l2")


def test_more_dimensions_than_a_vector_index_takes_are_searched_through_their_halfvec(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(600, 2_100)
    table = fill(vectors)
    vector_database.execute("SET enable_seqscan = off")  # so few rows are cheaper to read than the index
    for query in (vectors[7], QueryById(7)):
        result = search(vector_database, table, query, k=5, ef_search=200)
        assert result.index == "items_embedding_idx"
        assert found_ids(result) == found_ids(search(vector_database, table, query, k=5, exact=True))
    full_precision = 1 - distances(vectors, vectors[7], "cosine")[found_ids(result)[0]]
    assert result.neighbours[0].score == pytest.approx(full_precision, abs=1e-6)


def test_search_sends_no_vector_unless_asked_where_every_hit_carried_its_own(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(3_000, 16)
    table = fill(vectors)
    for exact in (False, True):
        sent = explain_search(vector_database, table, QueryById(3), exact=exact)["Output"]
        assert sent[0].endswith(".id")
        assert " <=> " in sent[1]
        assert len(sent) == 2
        result = search(vector_database, table, QueryById(3), exact=exact)
        assert [neighbour.vector for neighbour in result.neighbours] == [None] * 10
        asked = search(vector_database, table, QueryById(3), exact=exact, with_vectors=True)
        for neighbour in asked.neighbours:
            np.testing.assert_array_equal(neighbour.vector, vectors[int(neighbour.id)])


def test_vectors_of_a_halfvec_table_come_as_single_precision(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(5, 16).astype(np.float16).astype(np.float32)
    table = fill(vectors, vector_type="halfvec")
    (nearest,) = search(vector_database, table, vectors[2], k=1, with_vectors=True).neighbours
    assert nearest.vector is not None
    assert nearest.vector.dtype == np.float32
    np.testing.assert_array_equal(nearest.vector, vectors[2])


def test_a_row_is_not_its_own_neighbour_even_among_copies(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = np.repeat(clustered_vectors(3, 8), 4, axis=0)
    table = fill(vectors, name="copies")
    assert found_ids(search(vector_database, table, QueryById(5), k=3)) == [4, 6, 7]


def test_rows_at_the_same_distance_come_by_id(vector_database: Connection, fill: FilledTable) -> None:
    vectors = np.ones((40, 4), dtype=np.float32)
    ids = [f"item {number:02}" for number in range(40)]
    table = fill(vectors, list(reversed(ids)))
    assert found_ids(search(vector_database, table, vectors[0], k=40)) == ids
    assert found_ids(search(vector_database, table, vectors[0], k=7, exact=True)) == ids[:7]


def test_an_index_that_comes_short_is_followed_by_an_exact_search(
    vector_database: Connection, fill: FilledTable
) -> None:
    """The scan of the index gives up after max_scan_tuples, with some 2,300 rows."""
    vectors = clustered_vectors(4_000, 8)
    table = fill(vectors)
    vector_database.execute("SET enable_seqscan = off")
    vector_database.execute("SET hnsw.max_scan_tuples = 1")
    result = search(vector_database, table, vectors[0], k=3_500)
    assert len(result.neighbours) == 3_500
    assert not result.used_index


def test_fewer_rows_than_asked_for_are_all_returned(vector_database: Connection, fill: FilledTable) -> None:
    vectors = clustered_vectors(6, 4)
    table = fill(vectors)
    assert len(search(vector_database, table, vectors[0], k=10).neighbours) == 6
    assert len(search(vector_database, table, QueryById(0), k=10).neighbours) == 5
    vector_database.execute("TRUNCATE items")
    assert search(vector_database, table, vectors[0]).neighbours == []


def test_rows_without_a_direction_are_nobodys_neighbours(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(6, 4)
    vectors[2] = 0
    table = fill(vectors)
    vector_database.execute("ALTER TABLE items ALTER embedding DROP NOT NULL")
    vector_database.execute("UPDATE items SET embedding = NULL WHERE id = 3")
    for exact in (False, True):
        result = search(vector_database, table, vectors[0], exact=exact)
        assert sorted(found_ids(result)) == [0, 1, 4, 5]
    assert 2 in found_ids(search(vector_database, table, vectors[0], metric="l2"))
    for key, message in [(2, "the vector of '2' in 'public.items' is zero"), (3, "'3' .* has no vector")]:
        with pytest.raises(InputDataError, match=message):
            search(vector_database, table, QueryById(key))
    assert len(search(vector_database, table, QueryById(2), metric="l2").neighbours) == 4


def test_the_settings_of_a_search_end_with_it(vector_database: Connection, fill: FilledTable) -> None:
    vectors = clustered_vectors(50, 4)
    table = fill(vectors)
    names = ["enable_indexscan", "hnsw.ef_search", "hnsw.iterative_scan"]
    search(vector_database, table, vectors[0])  # loads the library, which brings its settings
    before = [vector_database.execute(f"SHOW {name}").fetchone() for name in names]
    with vector_database.transaction():
        search(vector_database, table, vectors[0], ef_search=99, exact=True)
        assert [vector_database.execute(f"SHOW {name}").fetchone() for name in names] == before
    search(vector_database, table, vectors[0], ef_search=99)
    assert [vector_database.execute(f"SHOW {name}").fetchone() for name in names] == before


def test_the_servers_own_ef_search_is_respected_and_never_below_what_is_wanted(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(4_000, 8)
    table = fill(vectors)
    vector_database.execute("SET enable_seqscan = off")
    asked = [(10, None), (100, None), (10, 17)]
    used = [search(vector_database, table, vectors[0], k=k, ef_search=ef).ef_search for k, ef in asked]
    assert used == [40, 101, 17]
    vector_database.execute("SET hnsw.ef_search = 60")
    assert search(vector_database, table, vectors[0]).ef_search == 60


@pytest.mark.parametrize(
    "options",
    [{"k": 0}, {"ef_search": 0}, {"ef_search": 1_001}, {"ef_search": 9}, {"metric": "cosinus"}],
)
def test_options_out_of_range_are_refused(
    vector_database: Connection, fill: FilledTable, options: dict[str, Any]
) -> None:
    vectors = clustered_vectors(5, 4)
    table = fill(vectors)
    with pytest.raises(UsageError, match=str(next(iter(options.values())))):
        search(vector_database, table, vectors[0], **options)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (np.ones(3, dtype=np.float32), r"shape \(3,\): the vectors of 'public.items' have 4 dimensions"),
        (np.ones((1, 4), dtype=np.float32), r"shape \(1, 4\)"),
        (np.array([1, np.nan, 1, 1], dtype=np.float32), "number 2 of the query vector is nan"),
        (np.array([1, 1, 1, -1e39]), "number 4 of the query vector is -1e"),
        (np.zeros(4, dtype=np.float32), "the query vector is zero"),
        (QueryById(99), "'99' is not an id in 'public.items'"),
        (QueryById("S10_1678"), "'S10_1678' is not an id .* invalid input syntax for type integer"),
        (QueryById(10**12), "'1000000000000' is not an id .* out of range"),
        (QueryById("1\0"), "is not an id .* NUL"),
        (QueryById("0 OR true"), "'0 OR true' is not an id"),
        (QueryById("0; DROP TABLE items; --"), "is not an id"),
    ],
)
def test_a_query_that_fits_nothing_is_refused_with_the_reason(
    vector_database: Connection, fill: FilledTable, query: Any, message: str
) -> None:
    vectors = clustered_vectors(5, 4)
    table = fill(vectors)
    with pytest.raises(InputDataError, match=message):
        search(vector_database, table, query)
    assert len(search(vector_database, table, vectors[0]).neighbours) == 5


def test_an_unknown_id_is_answered_with_one_that_is_there(
    vector_database: Connection, fill: FilledTable
) -> None:
    table = fill(clustered_vectors(1, 4), ["S10_1678"])
    with pytest.raises(InputDataError) as caught:
        search(vector_database, table, QueryById("S10-1678"))
    assert caught.value.hint == "ids look like 'S10_1678'"


NASTY = ["'; DROP TABLE items; --", 'a" OR "1"="1', "%s %(id)s %%", "{id}", "\\'", "é 日本 \U0001f600", "$1"]


def test_ids_that_look_like_sql_are_values_where_they_became_part_of_the_statement(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(len(NASTY), 4)
    table = fill(vectors, NASTY)
    for exact in (False, True):
        for key in NASTY:
            found = search(vector_database, table, QueryById(key), exact=exact)
            assert sorted(map(str, found_ids(found))) == sorted(set(NASTY) - {key})


@pytest.mark.parametrize("name", ["; DROP TABLE items; --", 'a"b', "{table}", "$1", "Upper Case", "é日"])
def test_table_names_that_look_like_sql_are_names(
    vector_database: Connection, fill: FilledTable, name: str
) -> None:
    vectors = clustered_vectors(5, 4)
    table = fill(vectors, name=name)
    assert table.name == name
    assert vector_table(vector_database, name) == table
    assert len(search(vector_database, table, QueryById(0), with_vectors=True).neighbours) == 4


def test_column_names_that_look_like_sql_are_names(vector_database: Connection, fill: FilledTable) -> None:
    vectors = clustered_vectors(5, 4)
    fill(vectors)
    vector_database.execute('ALTER TABLE items RENAME id TO "; {key}"')
    vector_database.execute('ALTER TABLE items RENAME embedding TO "the ""vector"" {query}"')
    table = vector_table(vector_database, "items")
    assert len(search(vector_database, table, QueryById(0), with_vectors=True).neighbours) == 4
    assert search(vector_database, table, vectors[0], k=1).neighbours[0].id == 0


def test_ids_of_other_types_come_as_text(vector_database: Connection, fill: FilledTable) -> None:
    key = "11111111-2222-3333-4444-555555555555"
    table = fill(clustered_vectors(1, 4), [key], id_type="uuid")
    assert search(vector_database, table, clustered_vectors(1, 4)[0]).neighbours[0].id == key


def test_what_postgresql_refuses_is_a_database_error(vector_database: Connection, fill: FilledTable) -> None:
    vectors = clustered_vectors(5, 4)
    table = fill(vectors)
    vector_database.execute("DROP TABLE items")
    with pytest.raises(DatabaseError, match=r"cannot search 'public.items': relation"):
        search(vector_database, table, vectors[0])
