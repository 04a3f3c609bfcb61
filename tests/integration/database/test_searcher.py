"""Repeated searches, first passes through smaller forms of the vectors, and many queries at once."""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.integration.database.vector_samples import (
    FilledTable,
    clustered_vectors,
    found_ids,
    nearest_first,
    read_embeddings,
)
from vectorops.database import search_catalogue
from vectorops.database import searcher as searcher_module
from vectorops.database.filters import parse_filter
from vectorops.database.migrations import apply_migrations
from vectorops.database.query import QueryById
from vectorops.database.search_options import SearchOptions
from vectorops.database.search_settings import SearchSetting, record_setting, stored_settings
from vectorops.database.search_statement import FirstPass
from vectorops.database.searcher import Searcher
from vectorops.database.tables import vector_table
from vectorops.errors import InputDataError, UsageError

Connection = psycopg.Connection[Any]
PROJECT_SQL = Path(__file__).parents[3] / "sql"
HALFVEC = "CREATE INDEX by_halfvec ON items USING hnsw ((embedding::halfvec({0})) halfvec_cosine_ops)"
BITS = "CREATE INDEX by_bits ON items USING hnsw ((binary_quantize(embedding)::bit({0})) bit_hamming_ops)"


def round_trips(connection: Connection, path: Path, work: Any) -> int:
    """How often the server said it was ready while `work` ran, by libpq's own trace."""
    with path.open("w") as file:
        connection.pgconn.trace(file.fileno())
        work()
        connection.pgconn.untrace()
    return path.read_text().count("ReadyForQuery")


MEASURED = SearchSetting("public.items", "cosine", "column", "", "", 1.0, 10, 77, 0.96, 0.95, 50, 300)


def test_a_repeated_search_is_one_round_trip_where_the_settings_alone_took_three(
    vector_database: Connection, fill: FilledTable, tmp_path: Path
) -> None:
    vectors = clustered_vectors(4_000, 32)
    searcher = Searcher(vector_database, fill(vectors))
    searcher.search(vectors[0])
    for filters in ([], [parse_filter("id < 3000")]):
        trips = round_trips(
            vector_database, tmp_path / "trace", lambda f=filters: searcher.search(vectors[1], filters=f)
        )
        assert trips == 1


def test_a_repeated_search_is_prepared_unless_the_connection_forbids_it(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(50, 4)
    table = fill(vectors)
    count = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%embedding%'"
    for threshold, expected in ((None, 0), (5, 1)):
        vector_database.prepare_threshold = threshold
        searcher = Searcher(vector_database, table)
        for query in vectors[:3]:
            searcher.search(query)
        assert vector_database.execute(count.encode(), prepare=False).fetchone() == (expected,)


def test_queries_are_sent_in_binary_form_where_every_number_was_spelled_out(
    vector_database: Connection, fill: FilledTable, tmp_path: Path
) -> None:
    """Four bytes a number, besides what the statement itself takes; a spelled out one takes some eleven."""
    vectors = clustered_vectors(3, 2_000)
    searcher = Searcher(vector_database, fill(vectors))
    searcher.search(vectors[0])
    with (tmp_path / "trace").open("w") as file:
        vector_database.pgconn.trace(file.fileno())
        searcher.search(vectors[1])
        searcher.search_many(vectors[:2])
        vector_database.pgconn.untrace()
    sent = re.findall(r"\tF\t(\d+)\tBind", (tmp_path / "trace").read_text())
    assert [round(int(length), -3) for length in sent if int(length) > 2_000] == [8_000, 16_000, 16_000]


@pytest.mark.parametrize("through", ["column", "halfvec", "bit"])
def test_a_first_pass_ends_with_the_exact_order_of_the_full_vectors(
    vector_database: Connection, fill: FilledTable, through: FirstPass
) -> None:
    vectors = clustered_vectors(4_000, 64)
    table = fill(vectors)
    vector_database.execute(HALFVEC.format(64))
    vector_database.execute(BITS.format(64))
    vector_database.execute("SET enable_seqscan = off")  # so many candidates are dearer than every row
    searcher = Searcher(vector_database, table, SearchOptions(through=through, ef_search=400))
    for number in (0, 17, 3_999):
        result = searcher.search(vectors[number])
        names = {"column": "items_embedding_idx", "halfvec": "by_halfvec", "bit": "by_bits"}
        assert result.index == names[through]
        assert result.candidates == {"column": None, "halfvec": 20, "bit": 400}[through]
        truth = nearest_first(vectors, vectors[number])[:10]
        assert len(set(found_ids(result)) & set(truth)) >= 9
        unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        for neighbour in result.neighbours:
            assert neighbour.score == pytest.approx(unit[int(neighbour.id)] @ unit[number], abs=1e-6)
        scores = [neighbour.score for neighbour in result.neighbours]
        assert scores == sorted(scores, reverse=True)


def test_more_candidates_for_the_exact_ranking_find_more_of_the_true_neighbours(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(4_000, 64)
    table = fill(vectors)
    vector_database.execute(BITS.format(64))
    vector_database.execute("SET enable_seqscan = off")
    recalls = []
    for rerank in (10, 60, 600):
        results = Searcher(
            vector_database, table, SearchOptions(through="bit", rerank=rerank, ef_search=600)
        ).search_many(vectors[:40])
        hits = [
            len(set(found_ids(result)) & set(nearest_first(vectors, query)[:10]))
            for result, query in zip(results, vectors[:40], strict=True)
        ]
        recalls.append(sum(hits) / 400)
        assert {result.candidates for result in results} == {rerank}
    assert recalls == sorted(recalls)
    assert recalls[0] < 0.8
    assert recalls[-1] > 0.98


def test_a_halfvec_index_is_preferred_to_the_larger_one_and_bits_come_last(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(4_000, 32)
    table = fill(vectors)
    vector_database.execute(BITS.format(32))
    assert Searcher(vector_database, table).search(vectors[0]).index == "items_embedding_idx"
    vector_database.execute(HALFVEC.format(32))
    assert Searcher(vector_database, table).search(vectors[0]).index == "by_halfvec"
    vector_database.execute("DROP INDEX items_embedding_idx, by_halfvec")
    assert Searcher(vector_database, table).search(vectors[0]).index == "by_bits"


def test_real_vectors_are_found_through_halfvec_and_bits(
    vector_database: Connection, fill: FilledTable, real_data: Path
) -> None:
    ids, vectors = read_embeddings(real_data / "product_text_embeddings_384.csv")
    table = fill(vectors, ids)
    vector_database.execute("DROP INDEX items_embedding_idx")
    vector_database.execute("SET enable_seqscan = off")
    for statement in (BITS, HALFVEC):
        vector_database.execute(statement.format(384))
        results = Searcher(vector_database, table).search_many(vectors)
        truth = [[ids[row] for row in nearest_first(vectors, query)[:10]] for query in vectors]
        hits = [len(set(found_ids(result)) & set(true)) for result, true in zip(results, truth, strict=True)]
        assert sum(hits) / (10 * len(ids)) > 0.98
        assert all(result.used_index for result in results)


@pytest.mark.parametrize("through", ["halfvec", "bit"])
def test_a_first_pass_without_its_index_is_refused_with_the_command_that_builds_it(
    vector_database: Connection, fill: FilledTable, through: FirstPass
) -> None:
    vectors = clustered_vectors(5, 4)
    searcher = Searcher(vector_database, fill(vectors), SearchOptions(through=through))
    with pytest.raises(UsageError) as caught:
        searcher.search(vectors[0])
    assert caught.value.hint == f"build one with 'vectorops index build public.items --type {through}'"


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("filters", [[], [parse_filter("id >= 100")]], ids=["all", "filtered"])
def test_many_queries_at_once_find_what_each_finds_alone(
    vector_database: Connection, fill: FilledTable, exact: bool, filters: list[Any]
) -> None:
    """More than one statement's worth."""
    vectors = clustered_vectors(4_000, 16)
    searcher = Searcher(vector_database, fill(vectors))
    queries = clustered_vectors(230 if not exact else 30, 16, seed=1)
    together = searcher.search_many(queries, filters=filters, exact=exact)
    assert len(together) == len(queries)
    for query, result in zip(queries[::10], together[::10], strict=True):
        assert result == searcher.search(query, filters=filters, exact=exact)
    assert {result.used_index for result in together} == {not exact}


def test_no_queries_have_no_answers(vector_database: Connection, fill: FilledTable) -> None:
    searcher = Searcher(vector_database, fill(clustered_vectors(5, 4)))
    assert searcher.search_many(np.empty((0, 4), dtype=np.float32)) == []


def test_only_the_queries_that_come_short_are_repeated_exactly(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(4_000, 8)
    vectors[:2_000] += 50  # far from the others, so a scan that starts there sees only them at first
    table = fill(vectors, metric="l2")
    vector_database.execute("SET enable_seqscan = off")
    vector_database.execute("SET hnsw.max_scan_tuples = 1")
    filters = [parse_filter("id < 2000")]
    near, far = Searcher(vector_database, table).search_many(vectors[[5, 3_000]], filters=filters)
    assert near.used_index
    assert not far.used_index
    for query, result in ((5, near), (3_000, far)):
        expected = np.argsort(np.linalg.norm(vectors[:2_000] - vectors[query], axis=1))[:10]
        assert len(set(found_ids(result)) & set(expected.tolist())) >= 9


def test_one_bad_query_among_many_is_named_before_anything_is_sent(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(5, 4)
    table = fill(vectors)
    vectors[3] = 0
    with pytest.raises(InputDataError, match="the query vector is zero"):
        Searcher(vector_database, table).search_many(vectors)


def test_a_search_uses_what_was_measured_for_its_kind(connection: Connection, tmp_path: Path) -> None:
    apply_migrations(connection, PROJECT_SQL)
    connection.execute("CREATE TABLE public.items (id int PRIMARY KEY, embedding vector(8), price int)")
    connection.execute("CREATE INDEX ON items USING hnsw (embedding vector_cosine_ops)")
    vectors = clustered_vectors(300, 8)
    for number, vector in enumerate(vectors):
        connection.execute("INSERT INTO items VALUES (%s, %b, %s)", (number, vector, number))
    connection.execute("SET enable_seqscan = off")
    table = vector_table(connection, "items")
    measured = [
        MEASURED,
        replace(MEASURED, ef_search=120, filter="price < 9", filter_shape="price <", selectivity=0.03),
        replace(MEASURED, ef_search=90, filter="price < 99", filter_shape="price <", selectivity=0.3),
        replace(MEASURED, ef_search=300, index_key="halfvec"),
        replace(MEASURED, ef_search=400, metric="l2"),
        replace(MEASURED, ef_search=500, table_name="public.others"),
    ]
    for one in measured:
        record_setting(connection, one)
    searcher = Searcher(connection, table)
    cheap, dear = [parse_filter("price < 250")], [parse_filter("price > 1")]
    assert [searcher.search(vectors[0], filters=f).ef_search for f in ([], cheap, dear)] == [77, 120, 77]
    assert searcher.search(vectors[0], k=100).ef_search == 101, "never below what is wanted"
    explicit = Searcher(connection, table, SearchOptions(ef_search=33))
    assert explicit.search(vectors[0]).ef_search == 33
    record_setting(connection, replace(MEASURED, ef_search=55))
    assert len(stored_settings(connection, table)) == 5
    assert searcher.search(vectors[0]).ef_search == 77, "read again only after a while"
    assert Searcher(connection, table).search(vectors[0]).ef_search == 55


def test_indexes_and_settings_are_read_again_after_a_while(
    vector_database: Connection, fill: FilledTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = clustered_vectors(4_000, 8)
    table = fill(vectors)
    searcher = Searcher(vector_database, table)
    assert searcher.search(vectors[0]).index == "items_embedding_idx"
    vector_database.execute("ALTER INDEX items_embedding_idx RENAME TO renamed")
    assert searcher.search(vectors[0]).index == "items_embedding_idx"
    monkeypatch.setattr(searcher_module, "MAX_AGE_S", 0.0)
    assert searcher.search(vectors[0]).index == "renamed"


def test_a_search_planned_for_an_index_that_was_replaced_meanwhile_reads_the_new_one(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(4_000, 8)
    searcher = Searcher(vector_database, fill(vectors))
    searcher.catalogue()
    new = "CREATE INDEX new ON items USING hnsw ((embedding::halfvec(8)) halfvec_cosine_ops)"
    vector_database.execute(new)
    vector_database.execute("DROP INDEX items_embedding_idx")
    assert searcher.search(vectors[7]).index == "new"
    vector_database.execute("DROP INDEX new")
    [one, _] = searcher.search_many(vectors[:2], k=3)
    assert (one.index, found_ids(one)[0]) == (None, 0)


class LateVector(np.ndarray[Any, Any]):
    """A query that has something done when it is read: after the search has been planned."""

    work: Callable[[], None]

    def astype(self, *arguments: Any, **options: Any) -> Any:
        self.work()
        return np.asarray(self).astype(*arguments, **options)


def test_a_search_whose_index_is_replaced_when_what_it_knows_is_old_reads_the_new_one(
    vector_database: Connection, fill: FilledTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searcher_module, "MAX_AGE_S", -1.0)
    vectors = clustered_vectors(4_000, 8)
    searcher = Searcher(vector_database, fill(vectors))
    query = vectors[7].view(LateVector)

    def replace_index() -> None:
        query.work = lambda: None
        vector_database.execute(HALFVEC.format(8))
        vector_database.execute("DROP INDEX items_embedding_idx")

    query.work = replace_index
    assert searcher.search(query).index == "by_halfvec"


def test_whoever_may_not_read_the_settings_searches_without_them(
    connection: Connection,
) -> None:
    apply_migrations(connection, PROJECT_SQL)
    connection.execute("CREATE ROLE reader_of_vectors")
    connection.execute("GRANT SELECT ON item_emb TO reader_of_vectors")
    connection.execute("GRANT reader_of_vectors TO CURRENT_USER WITH SET TRUE")
    try:
        connection.execute("SET ROLE reader_of_vectors")
        searcher = Searcher(connection, vector_table(connection, "item_emb"))
        assert searcher.search(np.ones(32, dtype=np.float32)).neighbours == []
    finally:
        connection.execute("RESET ROLE")
        connection.execute("DROP OWNED BY reader_of_vectors")
        connection.execute("DROP ROLE reader_of_vectors")


PARTIAL = "CREATE INDEX part ON items USING hnsw (embedding vector_cosine_ops) WHERE id < 5"


@pytest.mark.parametrize(
    ("statements", "options", "reason"),
    [
        (["DROP INDEX items_embedding_idx"], {}, "the table has no vector index"),
        ([], {"metric": "l2"}, "its index serves cosine"),
        (["SET enable_indexscan = off"], {}, "PostgreSQL took that for cheaper"),
        (["DROP INDEX items_embedding_idx", PARTIAL], {}, "index 'part' is invalid or partial"),
    ],
)
def test_a_search_that_reads_every_row_of_a_large_table_says_why_and_what_to_do(
    vector_database: Connection,
    fill: FilledTable,
    monkeypatch: pytest.MonkeyPatch,
    statements: list[str],
    options: Any,
    reason: str,
) -> None:
    monkeypatch.setattr(search_catalogue, "NOTICEABLE_BYTES", 100_000)
    vectors = clustered_vectors(1_000, 64)
    searcher = Searcher(vector_database, fill(vectors), SearchOptions(**options))
    for statement in statements:
        vector_database.execute(statement)
    result = searcher.search(vectors[0])
    assert not result.used_index
    assert reason in result.warning
    assert "vectorops index build public.items --metric" in result.warning
    assert searcher.search(vectors[0], exact=True).warning == "", "it was asked for"


def test_a_search_of_a_small_table_or_through_the_index_has_nothing_to_warn_of(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(4_000, 32)
    table = fill(vectors)
    assert Searcher(vector_database, table).search(vectors[0]).warning == ""
    vector_database.execute("DROP INDEX items_embedding_idx")
    assert Searcher(vector_database, table).search(vectors[0]).warning == ""


def test_a_search_leaves_a_callers_transaction_and_settings_as_they_were(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(200, 4)
    searcher = Searcher(vector_database, fill(vectors), SearchOptions(ef_search=99))
    searcher.search(vectors[0])
    for _ in range(2):
        assert vector_database.execute("SHOW hnsw.ef_search").fetchone() == ("40",)
        with vector_database.transaction():
            vector_database.execute("DELETE FROM items WHERE id > 100")
            assert 150 not in found_ids(searcher.search(vectors[150], k=50))
            assert vector_database.execute("SHOW hnsw.iterative_scan").fetchone() == ("off",)
        assert vector_database.execute("SELECT count(*) FROM items").fetchone() == (101,)


def test_searches_by_id_and_by_vector_may_alternate(vector_database: Connection, fill: FilledTable) -> None:
    vectors = clustered_vectors(300, 8)
    searcher = Searcher(vector_database, fill(vectors))
    for number, k in itertools.product((3, 40), (1, 5)):
        others = [row for row in nearest_first(vectors, vectors[number]) if row != number]
        assert found_ids(searcher.search(QueryById(number), k=k)) == others[:k]
        assert found_ids(searcher.search(vectors[number], k=k)) == [number, *others][:k]


def test_held_settings_save_a_statement_and_end_with_the_block(
    vector_database: Connection, fill: FilledTable
) -> None:
    vectors = clustered_vectors(4_000, 32)
    searcher = Searcher(vector_database, fill(vectors), SearchOptions(ef_search=77))
    alone = searcher.search(vectors[0])
    vector_database.execute("SET hnsw.ef_search = 55")
    with searcher.held():
        assert searcher.search(vectors[0]) == alone
        assert vector_database.execute("SHOW hnsw.ef_search").fetchone() == ("77",)
        assert len(searcher.search(vectors[0], k=60).neighbours) == 60
    assert vector_database.execute("SHOW hnsw.ef_search").fetchone() == ("55",)
    assert vector_database.execute("SHOW hnsw.iterative_scan").fetchone() == ("off",)
    assert searcher.search(vectors[0]) == alone
