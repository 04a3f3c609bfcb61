"""Recall against exact search, and the ef_search that reaches one."""

from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.integration.database.commands import Commands
from tests.integration.database.vector_samples import (
    FilledTable,
    Vectors,
    clustered_vectors,
    found_ids,
    nearest_first,
    read_embeddings,
)
from vectorops.database.filters import parse_filters
from vectorops.database.index_tune import Target, TuneReport, tune_index
from vectorops.database.migrations import apply_migrations
from vectorops.database.recall import RecallProbe
from vectorops.database.search_options import SearchOptions
from vectorops.database.search_settings import stored_settings
from vectorops.database.searcher import Searcher
from vectorops.database.tables import VectorTable, vector_table
from vectorops.errors import DatabaseError, UsageError

Connection = psycopg.Connection[Any]
SQL = Path(__file__).parents[3] / "sql"
ROWS = 4_000
VECTORS = clustered_vectors(ROWS, 64)


@pytest.fixture
def items(connection: Connection, vector_database: Connection, fill: FilledTable) -> VectorTable:
    """A table whose index finds little with few candidates: each row has few neighbours in the graph."""
    connection.execute("DROP EXTENSION vector")
    apply_migrations(connection, SQL)
    fill(VECTORS, name="public.items")
    connection.execute("DROP INDEX items_embedding_idx")
    connection.execute(
        "CREATE INDEX by_vector ON items USING hnsw (embedding vector_cosine_ops)"
        " WITH (m = 4, ef_construction = 12)"
    )
    connection.execute("ALTER TABLE items ADD price int")
    connection.execute("UPDATE items SET price = id % 100")
    connection.execute("VACUUM ANALYZE items")
    connection.execute(f"ALTER DATABASE {connection.info.dbname} SET enable_seqscan = off")
    connection.execute("SET enable_seqscan = off")
    return vector_table(connection, "items")


def true_recall(connection: Connection, table: VectorTable, queries: Vectors, ef_search: int) -> float:
    searcher = Searcher(connection, table, SearchOptions(ef_search=ef_search))
    hits = 0
    for query in queries:
        truth = nearest_first(VECTORS, query)[:10]
        hits += len(set(found_ids(searcher.search(query))) & set(truth))
    return hits / (10 * len(queries))


def test_the_smallest_ef_search_that_reaches_the_recall_is_stored_and_used(
    connection: Connection, items: VectorTable
) -> None:
    tried: list[int] = []
    # Given, since another sample of this index has another recall.
    queries = VECTORS[::40]
    report = tune_index(
        connection, items, Target(0.9), vectors=queries, on_step=lambda step: tried.append(step.ef_search)
    )
    assert report.is_reached
    assert report.stored
    assert report.ef_search == tried[-1] == report.steps[-1].ef_search
    assert len(tried) > 1
    assert all(step.recall < 0.9 for step in report.steps[:-1])
    assert {step.index for step in report.steps} == {"by_vector"}
    assert Searcher(connection, items).search(VECTORS[0]).ef_search == report.ef_search
    recall = true_recall(connection, items, queries, report.ef_search)
    assert recall == pytest.approx(report.recall, abs=0.005)
    [setting] = stored_settings(connection, items)
    assert (setting.k, setting.queries, setting.table_rows) == (10, 100, ROWS)
    assert setting.recall == report.recall
    again = tune_index(connection, items, Target(0.5), queries=20)
    assert [one.ef_search for one in stored_settings(connection, items)] == [again.ef_search]


def test_a_filter_is_tuned_by_itself_with_its_selectivity(connection: Connection, items: VectorTable) -> None:
    plain = tune_index(connection, items, Target(0.6), queries=30)
    filters = parse_filters(["price < 30"])
    report = tune_index(connection, items, Target(0.9, filters=filters), queries=30)
    assert report.selectivity == pytest.approx(0.3)
    assert report.filter == "price < 30"
    searcher = Searcher(connection, items)
    assert searcher.search(VECTORS[0]).ef_search == plain.ef_search
    same_kind = parse_filters(["price < 50"])
    assert searcher.search(VECTORS[0], filters=same_kind).ef_search == report.ef_search


def test_a_filter_that_postgresql_answers_exactly_has_nothing_to_tune(
    connection: Connection, items: VectorTable
) -> None:
    connection.execute("CREATE INDEX ON items (price)")
    connection.execute("ANALYZE items")
    report = tune_index(connection, items, Target(filters=parse_filters(["price = 7"])), queries=10)
    assert (report.recall, report.ef_search, report.stored) == (1.0, None, False)
    assert "compares every row" in report.note
    assert stored_settings(connection, items) == []


def test_a_recall_out_of_reach_is_not_stored_and_names_a_better_index(
    connection: Connection, items: VectorTable
) -> None:
    connection.execute("DELETE FROM items WHERE id % 2 = 0")
    connection.execute("UPDATE items SET embedding = embedding")
    connection.execute("DROP INDEX by_vector")
    connection.execute(
        "CREATE INDEX by_bit ON items USING hnsw ((binary_quantize(embedding)::bit(64)) bit_hamming_ops)"
        " WITH (m = 2, ef_construction = 4)"
    )
    report = tune_index(connection, items, Target(1.0), queries=30)
    assert not report.is_reached
    assert report.steps[-1].ef_search == 1_000
    assert "index build public.items --type halfvec" in report.note
    assert stored_settings(connection, items) == []


def test_a_row_as_near_as_the_last_true_neighbour_counts(
    vector_database: Connection, fill: FilledTable
) -> None:
    """Which of many equal rows is found is chance."""
    vectors = np.repeat(clustered_vectors(75, 8), 8, axis=0)
    table = fill(vectors)
    vector_database.execute("SET enable_seqscan = off")
    probe = RecallProbe(vector_database, table, SearchOptions(), k=5, queries=20)
    assert probe.measure(SearchOptions(ef_search=200)).recall == 1.0


def test_real_vectors_reach_the_recall_with_each_type(
    connection: Connection, fill: FilledTable, real_data: Path
) -> None:
    ids, vectors = read_embeddings(real_data / "product_text_embeddings_384.csv")
    table = fill(vectors, ids)
    connection.execute("SET enable_seqscan = off")
    keys = {
        "column": "embedding vector_cosine_ops",
        "halfvec": "(embedding::halfvec(384)) halfvec_cosine_ops",
        "bit": "(binary_quantize(embedding)::bit(384)) bit_hamming_ops",
    }
    for through, key in keys.items():
        connection.execute(f"CREATE INDEX ON items USING hnsw ({key})")
        target = Target(0.95, through=through)  # type: ignore[arg-type]
        report = tune_index(connection, table, target, store=False)
        assert report.is_reached, through
        assert report.steps[-1].index


def test_what_cannot_be_tuned_is_refused(connection: Connection, items: VectorTable) -> None:
    refused = {
        Target(1.5): "a recall cannot be 1.5",
        Target(0): "a recall cannot be 0",
        Target(k=1_000): "ef_search is at most 1000",
        Target(metric="l2"): "has no HNSW index to tune",
        Target(through="bit"): "has no index for a first pass",
        Target(filters=parse_filters(["cost = 1"])): "no column 'cost'",
        Target(filters=parse_filters(["price = cheap"])): "a filter does not fit its column",
        Target(filters=parse_filters(["price = 1000"])): "no row of 'public.items' passes the filter",
    }
    for target, message in refused.items():
        with pytest.raises(UsageError, match=message):
            tune_index(connection, items, target, queries=5)


def test_without_the_schema_the_way_to_it_is_named(vector_database: Connection, fill: FilledTable) -> None:
    table = fill(clustered_vectors(300, 8))
    vector_database.execute("SET enable_seqscan = off")
    with pytest.raises(DatabaseError) as caught:
        tune_index(vector_database, table, Target(), queries=5)
    assert "schema apply" in caught.value.hint
    assert tune_index(vector_database, table, Target(), queries=5, store=False).is_reached


def test_the_command_shows_each_step_and_fails_when_the_recall_is_not_reached(
    connection: Connection, items: VectorTable, commands: Commands
) -> None:
    shown = commands.run("index", "tune", "items", "--recall", "0.8", "--queries", "20")
    assert shown.exit_code == 0
    assert "stored: searches use it" in shown.stdout
    assert "Tuning items: ef_search 11 finds" in shown.stderr
    report = commands.json("index", "tune", "items", "--recall", "0.5", "--dry-run", "--where", "price < 50")
    assert (report["stored"], report["filter"], report["selectivity"]) == (False, "price < 50", 0.5)
    assert len(stored_settings(connection, items)) == 1
    connection.execute("UPDATE items SET embedding = embedding")
    connection.execute("DROP INDEX by_vector")
    connection.execute(
        "CREATE INDEX by_bit ON items USING hnsw ((binary_quantize(embedding)::bit(64)) bit_hamming_ops)"
        " WITH (m = 2, ef_construction = 4)"
    )
    failed = commands.run("index", "tune", "items", "--recall", "1", "--queries", "20")
    assert failed.exit_code == 1
    assert "is the most, not 1" in failed.stdout


def test_a_report_is_reached_only_at_its_target() -> None:
    report = TuneReport("t", "i", "bit", "cosine", 10, "", 1.0, 0.95, 9, 9, [], None, 0.94, False)
    assert not report.is_reached


def test_searches_of_the_users_own_are_taken_instead(
    connection: Connection, items: VectorTable, commands: Commands, tmp_path: Path
) -> None:
    noise = np.random.default_rng(9).standard_normal((30, 64))
    new = (VECTORS[:3_000:100] + 0.2 * noise).astype(np.float32)
    np.save(tmp_path / "queries.npy", new)
    path = str(tmp_path / "queries.npy")
    report = commands.json("index", "tune", "items", "--queries-file", path, "--recall", "0.9", "-k", "5")
    assert report["queries"] == len(new)
    found = Searcher(connection, items, SearchOptions(ef_search=report["ef_search"])).search_many(new, k=5)
    truth = [nearest_first(VECTORS, query)[:5] for query in new]
    hits = [len(set(found_ids(one)) & set(true)) for one, true in zip(found, truth, strict=True)]
    assert sum(hits) / (5 * len(new)) == pytest.approx(report["recall"], abs=0.03)
