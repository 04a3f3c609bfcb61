"""Building an index on a table in use, and what is left when a build is cut short."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.integration.database.vector_samples import FilledTable, clustered_vectors, found_ids, nearest_first
from vectorops.database import index_progress
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.index_build import BuildReport, BuildSettings, build_index
from vectorops.database.index_plan import Wishes, plan_index
from vectorops.database.index_progress import BuildProgress
from vectorops.database.index_spec import BUILDING, REPLACED, IndexSpec, IndexType
from vectorops.database.indexes import vector_indexes
from vectorops.database.machine import this_machine
from vectorops.database.search_options import SearchOptions
from vectorops.database.searcher import Searcher
from vectorops.database.tables import VectorTable, vector_table
from vectorops.errors import DatabaseError, UsageError

Connection = psycopg.Connection[Any]
SETTINGS = BuildSettings(maintenance_bytes=64 * 2**20, workers=1)
HALFVEC = IndexSpec("halfvec", "cosine")
VECTORS = clustered_vectors(1_000, 16)


@pytest.fixture
def watcher(vector_database: Connection, database_address: DatabaseAddress) -> Iterator[Connection]:
    with connect(database_address) as opened:
        yield opened


def names(connection: Connection, table: VectorTable) -> list[str]:
    return [index.name for index in vector_indexes(connection, table)]


def oid(connection: Connection, index: str) -> int:
    [(found,)] = connection.execute("SELECT oid FROM pg_class WHERE relname = %s", (index,)).fetchall()
    return int(found)


@pytest.mark.parametrize("concurrently", [True, False])
@pytest.mark.parametrize("type_", ["vector", "halfvec", "bit"])
def test_a_build_replaces_the_index_of_the_same_metric(
    vector_database: Connection, watcher: Connection, fill: FilledTable, type_: IndexType, concurrently: bool
) -> None:
    table = fill(VECTORS)
    vector_database.execute("CREATE INDEX other_metric ON items USING hnsw (embedding vector_l2_ops)")
    vector_database.execute("CREATE INDEX lists ON items USING ivfflat (embedding vector_cosine_ops)")
    spec = IndexSpec(type_, "cosine", m=12, ef_construction=48)
    report = build_index(vector_database, watcher, table, spec, SETTINGS, concurrently=concurrently)
    assert report.was_built
    assert report.index == f"items_embedding_{type_}_cosine_idx"
    assert sorted(report.replaced) == ["items_embedding_idx", "lists"]
    assert sorted(names(vector_database, table)) == [
        "items_embedding_" + type_ + "_cosine_idx",
        "other_metric",
    ]
    [built] = [one for one in vector_indexes(vector_database, table) if one.name == report.index]
    assert spec.is_like(built, table)
    assert built.is_valid
    assert built.size_bytes == report.size_bytes > 0
    vector_database.execute("SET enable_seqscan = off")
    result = Searcher(vector_database, table, SearchOptions("cosine", ef_search=400)).search(VECTORS[3], k=5)
    assert result.index == report.index
    assert len(set(found_ids(result)) & set(nearest_first(VECTORS, VECTORS[3])[:5])) >= 4


def test_other_indexes_stay_when_asked_for(
    vector_database: Connection, watcher: Connection, fill: FilledTable
) -> None:
    table = fill(VECTORS)
    report = build_index(vector_database, watcher, table, HALFVEC, SETTINGS, keep=True)
    assert report.replaced == []
    assert sorted(names(vector_database, table)) == [
        "items_embedding_halfvec_cosine_idx",
        "items_embedding_idx",
    ]


def test_building_again_adds_nothing_where_every_update_added_another_index(
    vector_database: Connection, watcher: Connection, fill: FilledTable
) -> None:
    table = fill(VECTORS)
    first = build_index(vector_database, watcher, table, HALFVEC, SETTINGS)
    again = build_index(vector_database, watcher, table, HALFVEC, SETTINGS)
    assert (first.was_built, again.was_built, again.index) == (True, False, first.index)
    [before] = vector_database.execute(
        "SELECT oid FROM pg_class WHERE relname = %s", (first.index,)
    ).fetchall()
    rebuilt = build_index(vector_database, watcher, table, HALFVEC, SETTINGS, rebuild=True)
    [after] = vector_database.execute(
        "SELECT oid FROM pg_class WHERE relname = %s", (first.index,)
    ).fetchall()
    assert rebuilt.was_built
    assert before != after
    changed = build_index(vector_database, watcher, table, IndexSpec("halfvec", "cosine", m=8), SETTINGS)
    assert changed.replaced == [changed.index]
    assert names(vector_database, table) == [changed.index]


def test_the_settings_of_a_build_end_with_it(
    vector_database: Connection, watcher: Connection, fill: FilledTable
) -> None:
    table = fill(VECTORS)
    shown = ["maintenance_work_mem", "max_parallel_maintenance_workers", "max_parallel_workers"]
    shown += ["min_parallel_table_scan_size", "statement_timeout"]
    vector_database.execute("SET maintenance_work_mem = '77MB'")
    vector_database.execute("SET statement_timeout = '59s'")
    before = [vector_database.execute(f"SHOW {name}").fetchone() for name in shown]
    build_index(vector_database, watcher, table, HALFVEC, SETTINGS)
    assert [vector_database.execute(f"SHOW {name}").fetchone() for name in shown] == before


def test_a_graph_that_outgrows_the_memory_is_reported(
    vector_database: Connection, watcher: Connection, fill: FilledTable
) -> None:
    table = fill(clustered_vectors(3_000, 16))
    report = build_index(vector_database, watcher, table, HALFVEC, BuildSettings(2**20, 0))
    assert ["no longer fits into maintenance_work_mem" in warning for warning in report.warnings] == [True]


def test_a_build_is_watched_and_uses_workers_for_vectors_stored_out_of_line(
    vector_database: Connection,
    watcher: Connection,
    fill: FilledTable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1,000 dimensions go to a side table; what is left of the table itself is too small for a worker."""
    monkeypatch.setattr(index_progress, "INTERVAL_S", 0.02)
    table = fill(clustered_vectors(1_500, 1_000))
    seen: list[BuildProgress] = []
    workers: list[int] = []
    database = vector_database.info.dbname
    count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker' AND datname = %s"

    def note(progress: BuildProgress) -> None:
        seen.append(progress)
        workers.append((watcher.execute(count, (database,)).fetchone() or (0,))[0])

    slow = IndexSpec("halfvec", "cosine", ef_construction=400)
    build_index(vector_database, watcher, table, slow, SETTINGS, on_progress=note)
    loading = [progress for progress in seen if progress.phase == "building index: loading tuples"]
    assert loading
    assert all(0 <= one.blocks_done <= one.blocks_total for one in loading)
    assert [one.rows for one in loading] == sorted(one.rows for one in loading)
    assert max(workers) == 1


def in_thread(work: Any) -> tuple[threading.Thread, list[BaseException]]:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Exception as exc:
            failed.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, failed


def wait_until_building(watcher: Connection, table: VectorTable) -> int:
    """The process that builds, once it has begun with the rows, or waits for who reads the table."""
    query = (
        "SELECT pid FROM pg_stat_progress_create_index WHERE relid = %s::regclass AND tuples_done > 0"
        " AND phase LIKE 'building index%%' UNION"
        " SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(6_000):
        if row := watcher.execute(query, (table.full_name,)).fetchone():
            return int(row[0])
        time.sleep(0.01)
    raise AssertionError("the build did not begin")


@contextmanager
def reading(address: DatabaseAddress, table: VectorTable) -> Iterator[None]:
    """Read the table in a transaction that goes on to the end of the block, and that no build ends before."""
    with connect(address) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with reader.transaction():
            reader.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(table.qualified))
            yield


@pytest.fixture
def large(vector_database: Connection, fill: FilledTable) -> VectorTable:
    """A table whose index takes seconds."""
    return fill(clustered_vectors(8_000, 64))


@pytest.mark.parametrize("concurrently", [True, False])
def test_a_killed_build_leaves_the_old_index_in_use_and_the_next_build_cleans_up(
    vector_database: Connection,
    database_address: DatabaseAddress,
    watcher: Connection,
    large: VectorTable,
    concurrently: bool,
) -> None:
    query = clustered_vectors(8_000, 64)[5]
    with (
        connect(database_address) as doomed,
        connect(database_address) as its_watcher,
        reading(database_address, large),
    ):
        thread, failed = in_thread(
            lambda: build_index(doomed, its_watcher, large, HALFVEC, SETTINGS, concurrently=concurrently)
        )
        watcher.execute("SELECT pg_terminate_backend(%s)", (wait_until_building(watcher, large),))
        thread.join()
    assert isinstance(failed[0], DatabaseError)
    assert "terminating connection" in str(failed[0])
    assert Searcher(vector_database, large).search(query).index == "items_embedding_idx"
    left = [name for name in names(vector_database, large) if name != "items_embedding_idx"]
    assert left == (["items_embedding_halfvec_cosine" + BUILDING] if concurrently else [])
    report = build_index(vector_database, watcher, large, HALFVEC, SETTINGS)
    assert report.removed == left
    assert names(vector_database, large) == ["items_embedding_halfvec_cosine_idx"]


def test_a_refused_or_cancelled_build_cleans_up_after_itself(
    vector_database: Connection, watcher: Connection, large: VectorTable, database_address: DatabaseAddress
) -> None:
    with connect(database_address) as other, reading(database_address, large):
        thread, failed = in_thread(lambda: build_index(vector_database, watcher, large, HALFVEC, SETTINGS))
        other.execute("SELECT pg_cancel_backend(%s)", (wait_until_building(other, large),))
    thread.join()
    assert "canceling statement" in str(failed[0])
    assert names(vector_database, large) == ["items_embedding_idx"]
    vector_database.execute(
        "INSERT INTO items SELECT 9000, array_fill(70000, ARRAY[64])::vector"  # more than a halfvec can hold
    )
    with pytest.raises(DatabaseError, match="out of range for type halfvec"):
        build_index(vector_database, watcher, large, HALFVEC, SETTINGS)
    assert names(vector_database, large) == ["items_embedding_idx"]


@pytest.mark.parametrize("point", ["before the renaming", "before the old index is dropped"])
def test_a_build_that_was_killed_at_its_end_is_finished_without_building_again(
    vector_database: Connection, watcher: Connection, fill: FilledTable, point: str
) -> None:
    table = fill(VECTORS)
    building = HALFVEC.name(table, BUILDING)
    vector_database.execute(
        f"CREATE INDEX {building} ON items USING hnsw ((embedding::halfvec(16)) halfvec_cosine_ops)"
    )
    built = oid(vector_database, building)
    if point == "before the old index is dropped":
        old = HALFVEC.name(table, f"_0{REPLACED}")
        vector_database.execute(f"ALTER INDEX items_embedding_idx RENAME TO {old}")
        vector_database.execute(f"ALTER INDEX {building} RENAME TO {HALFVEC.name(table)}")
    report = build_index(vector_database, watcher, table, HALFVEC, SETTINGS)
    assert names(vector_database, table) == ["items_embedding_halfvec_cosine_idx"]
    assert oid(vector_database, report.index) == built
    assert report.removed + report.replaced


def test_an_unfinished_index_of_somebody_else_is_left_alone(
    vector_database: Connection, watcher: Connection, fill: FilledTable
) -> None:
    table = fill(VECTORS)
    vector_database.execute("ALTER TABLE items ALTER embedding TYPE vector(16)")
    vector_database.execute("INSERT INTO items SELECT 9000, array_fill(70000, ARRAY[16])::vector")
    with pytest.raises(psycopg.DataError):
        vector_database.execute(
            "CREATE INDEX CONCURRENTLY theirs ON items USING hnsw ((embedding::halfvec(16)) halfvec_l2_ops)"
        )
    build_index(vector_database, watcher, table, IndexSpec("vector", "cosine", m=8), SETTINGS)
    assert "theirs" in names(vector_database, table)


def test_two_builds_of_a_table_do_not_meet(
    vector_database: Connection, database_address: DatabaseAddress, watcher: Connection, large: VectorTable
) -> None:
    reports: list[BuildReport] = []
    with connect(database_address) as first, connect(database_address) as its_watcher:
        with reading(database_address, large):
            thread, failed = in_thread(
                lambda: reports.append(build_index(first, its_watcher, large, HALFVEC, SETTINGS))
            )
            wait_until_building(watcher, large)
            with pytest.raises(DatabaseError, match="is being built already"):
                build_index(vector_database, watcher, large, HALFVEC, SETTINGS)
        thread.join()
    assert failed == []
    assert reports[0].was_built


def test_rows_are_read_and_written_while_an_index_is_built_and_swapped(
    vector_database: Connection, database_address: DatabaseAddress, watcher: Connection, large: VectorTable
) -> None:
    vectors = clustered_vectors(8_000, 64)
    done = threading.Event()
    searches: list[str | None] = []
    written: list[int] = []

    def read_and_write() -> None:
        with connect(database_address) as other:
            while not done.is_set():
                result = Searcher(other, large).search(vectors[5], k=5)
                assert found_ids(result)[0] == 5
                searches.append(result.index)
                key = 10_000 + len(written)
                other.execute("INSERT INTO items SELECT %s, embedding FROM items WHERE id = 77", (key,))
                written.append(key)

    def wait_for_two() -> None:
        """The second of them began now or later."""
        before = len(searches)
        while len(searches) < before + 2 and thread.is_alive():
            time.sleep(0.01)

    thread, failed = in_thread(read_and_write)
    try:
        wait_for_two()
        build_index(vector_database, watcher, large, HALFVEC, SETTINGS)
        wait_for_two()
    finally:
        done.set()
        thread.join()
    assert failed == []
    assert None not in searches
    # During the swap both are there, under names of their own.
    swapped = {HALFVEC.name(large, BUILDING), HALFVEC.name(large, f"_0{REPLACED}")}
    assert set(searches) - swapped == {"items_embedding_idx", "items_embedding_halfvec_cosine_idx"}
    vector_database.execute("SET enable_seqscan = off")
    found = Searcher(vector_database, large).search(vectors[77], k=min(len(written), 900) + 1)
    assert set(found_ids(found)) <= {77, *written}, "what was written during the build is in the index"


def test_a_partitioned_table_is_built_in_one_go(vector_database: Connection, watcher: Connection) -> None:
    vector_database.execute("CREATE TABLE parts (id int PRIMARY KEY, v vector(3)) PARTITION BY RANGE (id)")
    vector_database.execute("CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)")
    vector_database.execute("INSERT INTO parts SELECT i, ARRAY[i, 1, 2]::vector FROM generate_series(0, 9) i")
    table = vector_table(vector_database, "parts")
    with pytest.raises(UsageError) as caught:
        build_index(vector_database, watcher, table, HALFVEC, SETTINGS)
    assert "--blocking" in caught.value.hint
    report = build_index(vector_database, watcher, table, HALFVEC, SETTINGS, concurrently=False)
    assert names(vector_database, table) == [report.index]
    again = build_index(
        vector_database, watcher, table, IndexSpec("vector", "cosine"), SETTINGS, concurrently=False
    )
    assert names(vector_database, table) == [again.index]


@pytest.mark.parametrize("version", ["0.6.0", "0.8.0", "0.8.1"])
def test_a_parallel_build_is_refused_where_it_can_leak_data_of_other_tables(
    vector_database: Connection, watcher: Connection, fill: FilledTable, version: str
) -> None:
    """The version is what PostgreSQL installed from a script of that name."""
    install_extension(vector_database, version)
    table = fill(VECTORS)
    with pytest.raises(UsageError, match=f"pgvector {version} must not build .* CVE-2026-3172") as caught:
        build_index(vector_database, watcher, table, HALFVEC, SETTINGS)
    assert "ALTER EXTENSION vector UPDATE" in caught.value.hint
    assert names(vector_database, table) == ["items_embedding_idx"]
    with pytest.raises(UsageError, match=f"pgvector {version} must not build"):
        plan_index(vector_database, table, this_machine(), Wishes(workers=1), on_sample=pytest.fail)
    assert plan_index(vector_database, table, this_machine()).settings.workers == 0
    alone = BuildSettings(SETTINGS.maintenance_bytes, workers=0)
    assert build_index(vector_database, watcher, table, HALFVEC, alone).was_built


def install_extension(connection: Connection, version: str) -> None:
    """Install the extension as `version`, from a copy of its script beside those the server trusts."""
    [(path,)] = connection.execute("SHOW extension_control_path").fetchall()
    folder = Path(path.split(":")[0]) / "extension"
    latest = folder / "vector--0.8.5.sql"
    (folder / f"vector--{version}.sql").write_bytes(latest.read_bytes())
    connection.execute("DROP EXTENSION vector")
    connection.execute(f"CREATE EXTENSION vector VERSION '{version}'")
    connection.execute("SELECT NULL::vector")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (IndexSpec("vector", "cosine", m=1), "m cannot be 1"),
        (IndexSpec("vector", "cosine", m=101), "m cannot be 101"),
        (IndexSpec("vector", "cosine", m=40, ef_construction=64), "at least twice m"),
        (IndexSpec("vector", "cosine", ef_construction=1_001), "ef_construction cannot be 1001"),
        (IndexSpec("bit", "l2"), "an index of bits cannot serve l2"),
    ],
)
def test_an_index_that_cannot_be_built_is_refused_before_anything_begins(
    vector_database: Connection, watcher: Connection, fill: FilledTable, spec: IndexSpec, message: str
) -> None:
    table = fill(VECTORS)
    with pytest.raises(UsageError, match=message):
        build_index(vector_database, watcher, table, spec, SETTINGS)
    assert names(vector_database, table) == ["items_embedding_idx"]


def test_names_that_look_like_sql_are_names(
    vector_database: Connection, watcher: Connection, fill: FilledTable
) -> None:
    for name in ('a"b; DROP TABLE x; --', "é" * 31, "Upper Case"):
        table = fill(clustered_vectors(20, 4), name=name)
        report = build_index(vector_database, watcher, table, HALFVEC, SETTINGS)
        assert names(vector_database, table) == [report.index]
