"""Several writers at once: no deadlock, no mixture, true counts."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest

from tests.integration.embeddings.load_samples import Loader, counts
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.embeddings.load import LoadReport

Connect = Callable[[], psycopg.Connection[Any]]


@pytest.fixture
def another(database_address: DatabaseAddress) -> Iterator[Connect]:
    """Open further connections to the test's database."""
    with ExitStack() as stack:

        def open_one() -> psycopg.Connection[Any]:
            connection = stack.enter_context(connect(database_address))
            connection.execute("SET search_path = public, vectorops")
            return connection

        yield open_one


def rows_csv(ids: range, value: int) -> str:
    return "id,embedding\n" + "".join(f'{number},"[{value},{value},{value}]"\n' for number in ids)


def start_load(pool: ThreadPoolExecutor, loader: Loader, content: str) -> "Future[LoadReport]":
    """Start a load in a thread and return when it waits for a lock."""
    future = pool.submit(loader.load, content)
    pid = loader.connection.info.backend_pid
    with connect_like(loader) as observer:
        query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        deadline = time.monotonic() + 60
        while not observer.execute(query, (pid,)).fetchone():
            assert time.monotonic() < deadline and not future.done()
            time.sleep(0.01)
    return future


def connect_like(loader: Loader) -> psycopg.Connection[Any]:
    info = loader.connection.info
    return psycopg.connect(info.dsn, password=info.password, autocommit=True)


def test_two_loads_into_one_table_take_turns(loader: Loader, another: Connect) -> None:
    content = [rows_csv(range(2_000), 1), rows_csv(range(1_999, -1, -1), 2)]
    loader.connection.execute("CREATE INDEX ON t USING hnsw (embedding vector_l2_ops)")
    barrier = threading.Barrier(2, timeout=60)

    def load_five_times(number: int) -> None:
        folder = loader.folder / str(number)
        folder.mkdir()
        mine = Loader(another(), folder)
        for _ in range(5):
            barrier.wait()
            report = mine.load(content[number])
            assert report.read == report.inserted + report.updated + report.unchanged == 2_000

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(load_five_times, number) for number in range(2)]:
            future.result()
    values = loader.connection.execute("SELECT DISTINCT embedding::text FROM t").fetchall()
    assert values in [[("[1,1,1]",)], [("[2,2,2]",)]]
    assert loader.connection.execute("SELECT count(*) FROM t").fetchone() == (2_000,)
    assert sum(load.rows_inserted for load in loader.loads()) == 2_000


def test_two_loads_that_create_the_same_table_take_turns(loader: Loader, another: Connect) -> None:
    def load(number: int) -> LoadReport:
        folder = loader.folder / str(number)
        folder.mkdir()
        return Loader(another(), folder).load(rows_csv(range(3_000), 1), "new", create=True)

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(load, range(2)))
    assert sorted(report.created for report in reports) == [False, True]
    assert sorted(report.inserted for report in reports) == [0, 3_000]


def test_a_row_that_another_writer_inserts_meanwhile_is_updated(loader: Loader, another: Connect) -> None:
    writer = another()
    with ThreadPoolExecutor(1) as pool:
        with writer.transaction():
            writer.execute("INSERT INTO t VALUES ('1', '[9,9,9]')")
            load = start_load(pool, loader, rows_csv(range(3), 1))
        assert counts(load.result()) == {"inserted": 2, "updated": 1}
    assert loader.rows() == {"0": [1, 1, 1], "1": [1, 1, 1], "2": [1, 1, 1]}


def test_a_deadlock_with_another_writer_costs_a_second_attempt_only(loader: Loader, another: Connect) -> None:
    loader.load(rows_csv(range(2), 1))
    writer = another()
    with ThreadPoolExecutor(1) as pool:
        # Normally the load is the one to give way, since it has waited longer.
        with suppress(psycopg.errors.DeadlockDetected), writer.transaction():
            writer.execute("UPDATE t SET embedding = '[9,9,9]' WHERE id = '1'")
            load = start_load(pool, loader, rows_csv(range(2), 2))
            writer.execute("UPDATE t SET embedding = '[9,9,9]' WHERE id = '0'")
        assert counts(load.result()) == {"updated": 2}
    assert loader.rows() == {"0": [2, 2, 2], "1": [2, 2, 2]}


def test_readers_never_see_half_a_load(loader: Loader, another: Connect) -> None:
    loader.load(rows_csv(range(2_000), 0))
    reader, seen = another(), set()
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(lambda: [loader.load(rows_csv(range(2_000), value)) for value in (1, 2, 3)])
        while not load.done():
            rows = reader.execute(
                "SELECT count(*), min(embedding::text), max(embedding::text) FROM t"
            ).fetchone()
            assert rows is not None
            seen.add(rows)
        load.result()
    assert all(count == 2_000 and least == greatest for count, least, greatest in seen)
