"""Loads that are killed, interrupted or cut off: the table is the old or the new one, whole.

VECTOROPS_KILL_ROUNDS sets how often a load is killed, VECTOROPS_KILL_SEED when.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.embeddings.load_samples import Loader, counts, large_csv
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.errors import DatabaseError

PROGRAM = Path(__file__).with_name("loading_process.py")
ROUNDS = int(os.environ.get("VECTOROPS_KILL_ROUNDS", "5"))
SEED = os.environ.get("VECTOROPS_KILL_SEED", "1")
ROWS = 100_000
Process = subprocess.Popen[str]
Start = Callable[..., Process]


@pytest.fixture
def start(loader: Loader, database_address: DatabaseAddress) -> Iterator[Start]:
    """Start a process that loads ROWS rows, the first of them bad, into a table."""
    path = loader.write(large_csv(ROWS).replace("\n", "\nbad\n", 1), "large.csv")
    started: list[Process] = []

    def run(table: str = "t", *, wait_after: int = 0) -> Process:
        address = json.dumps(vars(database_address))
        command = [sys.executable, str(PROGRAM), address, path, table, str(wait_after)]
        process = subprocess.Popen(
            command, cwd=loader.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def observer(database_address: DatabaseAddress) -> Iterator[psycopg.Connection[Any]]:
    """Connection besides that of the test."""
    with connect(database_address) as connection:
        yield connection


def loading_backends(observer: psycopg.Connection[Any], *, waiting: bool = False) -> list[int]:
    """Return the backends that are in the middle of a load."""
    condition = "wait_event_type = 'Lock'" if waiting else "true"
    rows = observer.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
        " AND (query LIKE 'COPY%%' OR query LIKE '%%vectorops_staged%%') AND pid <> pg_backend_pid()"
        f" AND {condition}"
    ).fetchall()
    return [pid for (pid,) in rows]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.02)


def assert_untouched(loader: Loader, observer: psycopg.Connection[Any]) -> None:
    """Check that a load has left nothing behind: no rows, table, log entry, file or staging table."""
    wait_until(lambda: not loading_backends(observer))
    assert loader.rows() == {"z": [9, 9, 9]}
    assert loader.loads() == []
    assert observer.execute("SELECT to_regclass('public.new'), to_regclass('vectorops.new')").fetchone() == (
        None,
        None,
    )
    assert observer.execute(
        "SELECT count(*) FROM pg_class WHERE relname LIKE 'vectorops_staged%'"
    ).fetchone() == (0,)
    assert list(loader.folder.glob("*rejects*")) == []


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("table", ["t", "new"])
def test_a_load_killed_while_it_reads_leaves_nothing(
    loader: Loader, start: Start, observer: psycopg.Connection[Any], table: str, signal_number: signal.Signals
) -> None:
    loader.connection.execute("INSERT INTO t VALUES ('z', '[9,9,9]')")
    process = start(table, wait_after=1)
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    assert process.stdout.readline() == "waiting\n"
    assert loading_backends(observer)
    process.send_signal(signal_number)
    assert process.wait() != 0
    assert_untouched(loader, observer)


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_a_load_killed_while_it_writes_the_table_leaves_nothing(
    loader: Loader, start: Start, observer: psycopg.Connection[Any], signal_number: signal.Signals
) -> None:
    loader.connection.execute("INSERT INTO t VALUES ('z', '[9,9,9]')")
    with loader.connection.transaction():
        # The load has to wait for this row, after it has written others.
        loader.connection.execute(f"INSERT INTO t VALUES ('{ROWS - 1}', '[0,0,0]')")
        process = start()
        wait_until(lambda: loading_backends(observer, waiting=True))
        process.send_signal(signal_number)
        assert process.wait() != 0
        loader.connection.execute(f"DELETE FROM t WHERE id = '{ROWS - 1}'")
    assert_untouched(loader, observer)


def test_loads_killed_at_random_moments_never_leave_half_a_load(
    loader: Loader, start: Start, observer: psycopg.Connection[Any]
) -> None:
    started = time.monotonic()
    process = start()
    assert process.communicate()[0] == f"loading\n{ROWS}\n"
    takes_s = time.monotonic() - started
    generator = random.Random(SEED)  # noqa: S311 - not for secrets
    for _ in range(ROUNDS):
        loader.connection.execute("TRUNCATE t")
        process = start()
        time.sleep(generator.uniform(0.3, 1.1) * takes_s)
        process.kill()
        process.communicate()
        wait_until(lambda: not loading_backends(observer))
        assert loader.connection.execute("SELECT count(*) FROM t").fetchone() in [(0,), (ROWS,)]
    loader.connection.execute("TRUNCATE t")
    assert counts(loader.load(large_csv(ROWS))) == {"inserted": ROWS}


def test_a_lost_connection_is_an_error_and_leaves_nothing(
    loader: Loader, observer: psycopg.Connection[Any]
) -> None:
    loader.connection.execute("INSERT INTO t VALUES ('z', '[9,9,9]')")
    pid = loader.connection.info.backend_pid

    def cut_off(rows: int, bytes_read: int) -> None:
        observer.execute("SELECT pg_terminate_backend(%s)", (pid,))

    with pytest.raises(DatabaseError, match="cannot load into 't': "):
        loader.load(large_csv(400_000), on_progress=cut_off)
    assert observer.execute("SELECT id FROM public.t").fetchall() == [("z",)]


def test_a_failing_progress_display_leaves_nothing(loader: Loader) -> None:
    def fail(rows: int, bytes_read: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loader.load(large_csv(1_000), on_progress=fail)
    assert loader.rows() == {}
    assert counts(loader.load(large_csv(1_000))) == {"inserted": 1_000}
