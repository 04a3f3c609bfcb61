"""What is wrong with an index, and that the command named mends it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.integration.database.commands import Commands
from tests.integration.database.vector_samples import FilledTable, clustered_vectors
from vectorops.database.filters import parse_filters
from vectorops.database.index_health import Finding, index_health
from vectorops.database.index_tune import Target, tune_index
from vectorops.database.migrations import apply_migrations
from vectorops.database.search_settings import record_setting, stored_settings
from vectorops.database.tables import VectorTable, vector_table

Connection = psycopg.Connection[Any]
SQL = Path(__file__).parents[3] / "sql"
ROWS = 2_000
VECTORS = clustered_vectors(ROWS, 32)


@pytest.fixture
def items(connection: Connection, vector_database: Connection, fill: FilledTable) -> VectorTable:
    connection.execute("DROP EXTENSION vector")
    apply_migrations(connection, SQL)
    fill(VECTORS, name="public.items")
    connection.execute("ALTER TABLE items ADD price int, ALTER embedding DROP NOT NULL")
    connection.execute("ALTER TABLE items SET (autovacuum_enabled = off)")
    flush(connection)
    connection.execute("VACUUM ANALYZE items")
    return vector_table(connection, "items")


def flush(connection: Connection) -> None:
    """Have what was written counted now, and not within a second."""
    connection.execute("SELECT pg_stat_force_next_flush()")


def findings(connection: Connection, table: VectorTable, severity: str = "problem") -> dict[str, Finding]:
    flush(connection)
    found = index_health(connection, table).findings
    return {one.kind: one for one in found if one.severity == severity}


def problems(connection: Connection, table: VectorTable) -> dict[str, Finding]:
    return findings(connection, table)


def mend(connection: Connection, finding: Finding) -> None:
    connection.execute(finding.mend.encode())


def test_a_new_index_is_healthy_though_nobody_measured_it(connection: Connection, items: VectorTable) -> None:
    report = index_health(connection, items)
    assert report.is_healthy
    assert [(one.kind, one.severity) for one in report.findings] == [("not tuned", "note")]
    assert report.findings[0].mend.startswith("vectorops index tune public.items --metric cosine")


def test_rows_that_no_index_holds_are_counted(connection: Connection, items: VectorTable) -> None:
    connection.execute("UPDATE items SET embedding = NULL WHERE id < 3")
    connection.execute("UPDATE items SET embedding = array_fill(0, ARRAY[32])::vector WHERE id IN (7, 8)")
    found = problems(connection, items)
    assert sorted(found) == ["no vector", "zero vector"]
    assert "3 of 2,000 rows have no vector" in found["no vector"].found
    assert "2 of 2,000 rows have a zero vector" in found["zero vector"].found
    for finding in found.values():
        mend(connection, finding)
    assert problems(connection, items) == {}
    assert connection.execute("SELECT count(*) FROM items").fetchone() == (ROWS - 5,)


def test_a_zero_vector_matters_to_cosine_only(connection: Connection, fill: FilledTable) -> None:
    vectors = np.zeros((3, 4), dtype=np.float32)
    table = fill(vectors, name="flat", metric="l2")
    assert problems(connection, table) == {}


def test_dead_rows_and_what_they_leave_behind_are_found_and_mended(
    connection: Connection, items: VectorTable
) -> None:
    connection.execute("DELETE FROM items WHERE id >= 600")
    found = problems(connection, items)
    assert "1,400 dead rows" in found["dead rows"].found
    mend(connection, found["dead rows"])
    assert "dead rows" not in problems(connection, items)


def test_bloat_is_found_and_mended(connection: Connection, fill: FilledTable) -> None:
    table = fill(clustered_vectors(3_000, 1_000))
    connection.execute("ALTER TABLE items SET (autovacuum_enabled = off)")
    flush(connection)
    connection.execute("DELETE FROM items WHERE id >= 100")
    flush(connection)
    connection.execute("VACUUM ANALYZE items")
    found = problems(connection, table)
    assert "times the size of a new index of 100 rows" in found["bloat"].found
    mend(connection, found["bloat"])
    assert problems(connection, table) == {}


def test_old_statistics_are_found_and_mended(connection: Connection, items: VectorTable) -> None:
    connection.execute("INSERT INTO items SELECT id + 10000, embedding FROM items WHERE id < 900")
    mend(connection, findings(connection, items, "note")["statistics"])
    assert "statistics" not in findings(connection, items, "note")


def test_statistics_are_not_old_that_were_made_with_the_rows(
    connection: Connection, items: VectorTable
) -> None:
    def fill(first: int = 0) -> None:
        connection.execute(f"INSERT INTO public.filled SELECT id + {first}, embedding FROM items".encode())

    connection.execute(
        "CREATE TABLE public.filled (LIKE items INCLUDING INDEXES) WITH (autovacuum_enabled = off)"
    )
    filled = vector_table(connection, "public.filled")
    with connection.transaction():
        fill()
        connection.execute("ANALYZE public.filled")
    assert "statistics" not in findings(connection, filled, "note")
    fill(first=5_000)
    assert "statistics" in findings(connection, filled, "note")
    connection.execute("TRUNCATE public.filled; ANALYZE public.filled")
    fill()
    assert "statistics" in findings(connection, filled, "note")


def test_missing_invalid_and_duplicate_indexes_are_found_and_mended(
    connection: Connection, items: VectorTable
) -> None:
    connection.execute("CREATE INDEX twin ON items USING hnsw (embedding vector_cosine_ops)")
    connection.execute("INSERT INTO items VALUES (9000, array_fill(70000, ARRAY[32])::vector)")
    with pytest.raises(psycopg.DataError):
        connection.execute(
            "CREATE INDEX CONCURRENTLY broken ON items USING hnsw"
            " ((embedding::halfvec(32)) halfvec_cosine_ops)"
        )
    found = problems(connection, items)
    assert found["invalid"].about == "broken"
    assert found["duplicate"].about in ("twin", "items_embedding_idx")
    for kind in ("invalid", "duplicate"):
        mend(connection, found[kind])
    assert problems(connection, items) == {}
    left = found["duplicate"].about
    connection.execute(f"DROP INDEX {'twin' if left != 'twin' else 'items_embedding_idx'}")
    assert problems(connection, items)["missing"].mend == "vectorops index build public.items"


def test_what_an_interrupted_build_left_is_named(connection: Connection, items: VectorTable) -> None:
    connection.execute("ALTER INDEX items_embedding_idx RENAME TO items_embedding_vector_cosine_building")
    assert problems(connection, items)["left over"].mend == "vectorops index build public.items"


def test_recall_that_fell_is_found_and_tuning_mends_it(
    connection: Connection, items: VectorTable, commands: Commands
) -> None:
    connection.execute(f"ALTER DATABASE {connection.info.dbname} SET enable_seqscan = off")
    connection.execute("SET enable_seqscan = off")
    connection.execute("DROP INDEX items_embedding_idx")
    connection.execute(
        "CREATE INDEX poor ON items USING hnsw (embedding vector_cosine_ops)"
        " WITH (m = 2, ef_construction = 4)"
    )
    tune_index(connection, items, Target(0.5), queries=20)
    [setting] = stored_settings(connection, items)
    record_setting(connection, replace(setting, ef_search=11, recall=0.96, target_recall=0.95))
    measured: list[object] = []
    index_health(connection, items, queries=50, on_recall=measured.append)
    assert len(measured) == 2, "one sample alone may be bad by chance"
    found = problems(connection, items)["recall"]
    assert "recall@10 was 0.960 and is 0." in found.found
    assert found.mend == (
        "vectorops index tune public.items --metric cosine --first-pass column --recall 0.95 -k 10"
    )
    connection.execute("DROP INDEX poor")
    connection.execute("CREATE INDEX good ON items USING hnsw (embedding vector_cosine_ops)")
    assert commands.run(*found.mend.split()[1:]).exit_code == 0
    assert problems(connection, items) == {}
    index_health(connection, items, on_recall=measured.append)
    assert len(measured) == 3
    connection.execute("DELETE FROM items WHERE id >= 600")
    connection.execute("VACUUM ANALYZE items")
    notes = [one.found for one in index_health(connection, items).findings if one.kind == "recall"]
    assert notes == ["recall was measured with 2,000 rows, and there are 600"]


def test_a_stored_filter_is_measured_again_whatever_its_value_holds(
    connection: Connection, items: VectorTable
) -> None:
    connection.execute("ALTER TABLE items ADD title text DEFAULT 'rock and roll'")
    connection.execute("VACUUM ANALYZE items")
    connection.execute("SET enable_seqscan = off")
    filters = parse_filters(["title = rock and roll"])
    tune_index(connection, items, Target(0.5, filters=filters), queries=10)
    [setting] = stored_settings(connection, items)
    record_setting(connection, replace(setting, target_recall=1.0, recall=1.0, table_rows=7))
    seen: list[str] = []
    report = index_health(connection, items, on_recall=lambda one: seen.append(one.filter))
    assert seen == ["title = rock and roll"]
    [finding] = [one for one in report.findings if one.kind == "recall"]
    assert "--where 'title = rock and roll'" in finding.mend


def test_the_command_fails_for_scripts_and_says_what_to_do(
    connection: Connection, items: VectorTable, commands: Commands
) -> None:
    well = commands.run("index", "health", "items")
    assert well.exit_code == 0
    assert "no problems" in well.stdout
    connection.execute("DROP INDEX items_embedding_idx")
    ill = commands.run("index", "health", as_json=True)
    assert ill.exit_code == 1
    assert '"kind": "missing"' in ill.stdout
    shown = commands.run("index", "health", "items")
    assert "vectorops index build public.items" in shown.stdout


def test_vectors_of_types_that_are_not_searched_are_refused_by_name(
    vector_database: Connection, commands: Commands
) -> None:
    vector_database.execute("CREATE TABLE signs (id int PRIMARY KEY, embedding bit(8))")
    for arguments in (["plan"], ["build"], ["tune"], ["health"]):
        answer = commands.run("index", *arguments, "signs")
        assert answer.exit_code == 2
        assert "the vectors of 'public.signs' are of type bit" in answer.stderr
    answer = commands.run("search", "signs", "--vector", "[1,0,1,0,1,0,1,0]")
    assert answer.exit_code == 2
    assert commands.json("index", "health") == []
