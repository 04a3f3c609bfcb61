import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from tests.integration.database.vector_samples import FilledTable, clustered_vectors
from vectorops.database.inspection import database_state, table_state
from vectorops.database.load_log import Load, record_load
from vectorops.database.migrations import apply_migrations
from vectorops.database.tables import vector_table

Connection = psycopg.Connection[Any]
PROJECT_SQL = Path(__file__).parents[3] / "sql"
LOAD = Load("public.item_emb", ["items.csv"], None, datetime(2026, 1, 2, tzinfo=UTC), 10, 5, 2, 3, 0)


def test_an_empty_database_has_versions_and_pending_migrations(connection: Connection) -> None:
    state = database_state(connection, PROJECT_SQL)
    assert (state.versions.postgresql, state.versions.pgvector) == ("18.4", None)
    assert state.versions.pgvector_available == "0.8.5"
    assert state.schema.version == 0
    assert state.schema.pending[0] == "0001_vector_extension.sql"
    assert (state.tables, state.loads, state.faults) == ([], [], [])


def test_a_migrated_database_is_described_with_tables_indexes_and_loads(connection: Connection) -> None:
    apply_migrations(connection, PROJECT_SQL)
    connection.execute("INSERT INTO item_emb VALUES ('a', array_fill(1, ARRAY[32])::vector)")
    record_load(connection, LOAD)
    state = database_state(connection, PROJECT_SQL)
    assert state.versions.pgvector == "0.8.5"
    assert state.versions.pgvector_update is None
    assert (state.schema.pending, state.schema.problem) == ([], "")
    items, users = state.tables
    assert [items.table.full_name, users.table.full_name] == ["public.item_emb", "public.user_emb"]
    assert [(table.rows, table.rows_are_estimated) for table in state.tables] == [(1, False), (0, False)]
    assert items.total_bytes > items.table_bytes > 0
    assert [(index.name, index.metric) for index in items.indexes] == [("item_emb_embedding_idx", "cosine")]
    assert [(load.table_name, load.rows_read) for load in state.loads] == [("public.item_emb", 10)]
    assert state.loads[0].loaded_by == connection.info.user
    json.dumps(asdict(state), default=str)


def test_the_last_loads_come_latest_first(connection: Connection) -> None:
    apply_migrations(connection, PROJECT_SQL)
    for rows in range(8):
        record_load(connection, Load("t", [], None, datetime.now(UTC), rows, 0, 0, rows, 0))
    loads = database_state(connection, PROJECT_SQL, loads=3).loads
    assert [load.rows_read for load in loads] == [7, 6, 5]


def test_a_rolled_back_load_is_not_in_the_log(connection: Connection) -> None:
    apply_migrations(connection, PROJECT_SQL)
    with connection.transaction(force_rollback=True):
        record_load(connection, LOAD)
    assert database_state(connection, PROJECT_SQL).loads == []


def test_a_large_analysed_table_is_estimated_and_says_so(
    vector_database: Connection, fill: FilledTable
) -> None:
    table = fill(clustered_vectors(500, 8))
    assert not table_state(vector_database, table).rows_are_estimated
    state = table_state(vector_database, table, counted_bytes=8192)
    assert (state.rows, state.rows_are_estimated) == (500, True)
    vector_database.execute("CREATE TABLE never_analysed (id int PRIMARY KEY, v vector(8))")
    vector_database.execute("INSERT INTO never_analysed SELECT id, embedding FROM items")
    new = vector_table(vector_database, "never_analysed")
    state = table_state(vector_database, new, counted_bytes=8192)
    assert (state.rows, state.rows_are_estimated) == (500, False)


def test_a_partitioned_table_is_counted_and_sized_with_its_partitions(vector_database: Connection) -> None:
    vector_database.execute("CREATE TABLE parts (id int PRIMARY KEY, v vector(3)) PARTITION BY RANGE (id)")
    vector_database.execute("CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)")
    vector_database.execute("CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (10) TO (20)")
    vector_database.execute("INSERT INTO parts SELECT i, '[1,2,3]' FROM generate_series(0, 19) i")
    state = table_state(vector_database, vector_table(vector_database, "parts"))
    assert (state.rows, state.table_bytes) == (20, 2 * 8192)


def test_a_database_that_does_not_fit_the_migrations_is_still_described(
    connection: Connection, tmp_path: Path
) -> None:
    apply_migrations(connection, PROJECT_SQL)
    for path in PROJECT_SQL.glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text() + "-- edited\n")
    state = database_state(connection, tmp_path)
    assert "0001_vector_extension.sql was edited" in state.schema.problem
    assert len(state.tables) == 2
