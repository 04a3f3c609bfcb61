"""Index builds whose client, connection or server is killed at any moment.

VECTOROPS_KILL_ROUNDS sets how often each is killed, VECTOROPS_KILL_SEED when.
"""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.database.vector_samples import clustered_vectors, found_ids
from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.index_build import BuildSettings, build_index
from vectorops.database.index_spec import IndexSpec
from vectorops.database.indexes import vector_indexes
from vectorops.database.searcher import Searcher
from vectorops.database.tables import vector_table
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.local.postgres import PostgresProcess, create_cluster

PROGRAM = Path(__file__).with_name("building_process.py")
VECTORS = clustered_vectors(6_000, 64)
ROUNDS = int(os.environ.get("VECTOROPS_KILL_ROUNDS", "2"))
SEED = os.environ.get("VECTOROPS_KILL_SEED", "1")
# Of the second or more that a build takes, so that most are killed in the middle, and some at the end.
LATEST_S = 1.5


@dataclass
class Server:
    process: PostgresProcess
    address: DatabaseAddress


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may be killed, with a table and an index that takes seconds."""
    folder = tmp_path_factory.mktemp("killed")
    password = secrets.token_urlsafe(16)
    create_cluster(folder / "data", user="owner", password=password, database="kills")
    process = PostgresProcess(folder / "data", find_free_port(), folder / "postgres.log")
    process.start()
    address = DatabaseAddress(LOOPBACK, process.port, "kills", "owner", password, sslmode="disable")
    with connect(address) as opened:
        opened.execute("CREATE EXTENSION vector")
        register_vector_types(opened)
        opened.execute("CREATE TABLE items (id int PRIMARY KEY, embedding vector(64))")
        opened.execute(
            "INSERT INTO items SELECT n, v FROM unnest(%b::int[], %b::vector[]) AS u (n, v)",
            (list(range(len(VECTORS))), list(VECTORS)),
        )
        opened.execute("CREATE INDEX first ON items USING hnsw (embedding vector_cosine_ops)")
        opened.execute("VACUUM ANALYZE items")
    yield Server(process, address)
    process.stop()


BUILDS = "query LIKE 'CREATE INDEX%' AND state = 'active'"


def sessions(connection: psycopg.Connection[Any], condition: str = "true") -> list[int]:
    """The processes that serve others, without parallel workers."""
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        f" AND {condition}"
    ).fetchall()
    return [pid for (pid,) in rows]


def kill(server: Server, client: subprocess.Popen[bytes], what: str) -> None:
    if what == "client":
        client.kill()
    elif what == "connection":
        with connect(server.address) as other:
            for pid in sessions(other, BUILDS):
                other.execute("SELECT pg_terminate_backend(%s)", (pid,))
    else:
        assert server.process.pid is not None
        os.kill(server.process.pid, signal.SIGKILL)
        client.wait()
        server.process.start()


@pytest.mark.parametrize("what", ["client", "connection", "server"])
@pytest.mark.parametrize("way", ["concurrently", "blocking"])
def test_a_build_killed_at_any_moment_leaves_a_searchable_table_and_the_next_one_completes_it(
    server: Server, what: str, way: str
) -> None:
    moments = random.Random(f"{what} {way} {SEED}")  # noqa: S311 - the same moments in every run
    for _ in range(ROUNDS):
        with connect(server.address) as opened:
            reset(opened)
        command = [sys.executable, str(PROGRAM), json.dumps(vars(server.address)), way]
        client = subprocess.Popen(command, cwd=PROGRAM.parents[3], stderr=subprocess.DEVNULL)
        with connect(server.address) as opened:
            # Who looks too late finds a build that has ended, which is a moment too.
            wait_until(lambda: sessions(opened, BUILDS) or client.poll() is not None)  # noqa: B023
        time.sleep(moments.random() * LATEST_S)
        kill(server, client, what)
        client.wait()
        with connect(server.address) as opened:
            # A server takes up to two seconds to notice that a client has died, whose locks it holds.
            wait_until(lambda: not sessions(opened))
            table = vector_table(opened, "items")
            result = Searcher(opened, table).search(VECTORS[5], k=3)
            assert found_ids(result)[0] == 5
            assert result.used_index
            spec = IndexSpec("halfvec", "cosine")
            with connect(server.address) as watcher:
                report = build_index(opened, watcher, table, spec, BuildSettings(64 * 2**20, workers=1))
            assert [one.name for one in vector_indexes(opened, table)] == [report.index]
            assert Searcher(opened, table).search(VECTORS[5], k=3).index == report.index


def reset(connection: psycopg.Connection[Any]) -> None:
    for index in vector_indexes(connection, vector_table(connection, "items")):
        connection.execute(f"DROP INDEX {index.name}")
    connection.execute("SET maintenance_work_mem = '64MB'")
    connection.execute("CREATE INDEX first ON items USING hnsw (embedding vector_cosine_ops)")


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.02)
