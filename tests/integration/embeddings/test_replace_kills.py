"""Replacements and rollbacks whose client, connection or server is killed at any moment.

VECTOROPS_KILL_ROUNDS sets how often each is killed, VECTOROPS_KILL_SEED when.
"""

import contextlib
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

import numpy as np
import psycopg
import pytest

from tests.integration.embeddings.load_samples import embeddings_csv
from vectorops.database.connection import DatabaseAddress, connect, register_vector_types
from vectorops.database.indexes import vector_indexes
from vectorops.database.load_log import last_loads
from vectorops.database.migrations import apply_migrations
from vectorops.database.searcher import Searcher
from vectorops.database.tables import vector_table
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.embeddings.writing import Way
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.local.postgres import PostgresProcess, create_cluster

PROGRAM = Path(__file__).with_name("replacing_process.py")
SQL = Path(__file__).parents[3] / "sql"
ROUNDS = int(os.environ.get("VECTOROPS_KILL_ROUNDS", "3"))
SEED = os.environ.get("VECTOROPS_KILL_SEED", "1")
# Rows of the folders, and so of every whole table, by the letter their ids begin with.
ROWS = {"a": 700, "b": 900}
FILES = 5
# A round of the program takes about this long on a busy machine.
LATEST_S = 0.8


@dataclass
class Scene:
    """A server that may be killed, and folders to load."""

    process: PostgresProcess
    address: DatabaseAddress
    files: dict[str, str]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("replaced")
    password = secrets.token_urlsafe(16)
    create_cluster(folder / "data", user="owner", password=password, database="kills")
    process = PostgresProcess(folder / "data", find_free_port(), folder / "postgres.log")
    process.start()
    address = DatabaseAddress(LOOPBACK, process.port, "kills", "owner", password, sslmode="disable")
    files = {}
    for letter, rows in ROWS.items():
        files[letter] = str(folder / letter)
        (folder / letter).mkdir()
        for number in range(FILES):
            content = embeddings_csv(rows // FILES, 4, seed=rows + number, prefix=f"{letter}{number}-")
            (folder / letter / f"{number}.csv").write_text(content)
    with connect(address) as opened:
        apply_migrations(opened, SQL)
        register_vector_types(opened)
        load_embeddings(
            opened, find_sources([files["a"]]), table="public.items", create=True, model_version="a"
        )
        opened.execute("CREATE VIEW ids AS SELECT id FROM items")
        opened.execute("GRANT SELECT ON items TO PUBLIC")
    yield Scene(process, address, files)
    process.stop()


@contextlib.contextmanager
def program(scene: Scene) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, str(PROGRAM), json.dumps(vars(scene.address)), *scene.files.values()]
    with subprocess.Popen(
        command, cwd=PROGRAM.parents[3], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        try:
            yield client
        finally:
            client.kill()


def kill_client(scene: Scene, client: "subprocess.Popen[str]") -> None:
    client.kill()


def kill_connection(scene: Scene, client: "subprocess.Popen[str]") -> None:
    with connect(scene.address) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'kills'"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def kill_server(scene: Scene, client: "subprocess.Popen[str]") -> None:
    assert scene.process.pid is not None
    os.kill(scene.process.pid, signal.SIGKILL)
    client.wait()
    scene.process.start()


@pytest.mark.parametrize("kill", [kill_client, kill_connection, kill_server])
def test_a_table_is_the_old_or_the_new_one_whatever_is_killed(
    scene: Scene, kill: Callable[[Scene, "subprocess.Popen[str]"], None]
) -> None:
    moments = random.Random(f"{kill.__name__} {SEED}")  # noqa: S311
    for _ in range(ROUNDS):
        with program(scene) as client:
            time.sleep(moments.random() * LATEST_S)
            kill(scene, client)
            client.wait()
        with connect(scene.address) as opened:
            wait_until(lambda opened=opened: not others(opened))  # type: ignore[misc]
            assert_whole(opened)
            letter, resume = moments.choice("ab"), moments.random() < 0.5
            report = load_embeddings(
                opened,
                find_sources([scene.files[letter]]),
                table="public.items",
                way=Way("replace", resume=resume),
                model_version=letter,
            )
            assert report.inserted == ROWS[letter]
            assert_whole(opened)
            assert left_over(opened) == []


def left_over(connection: psycopg.Connection[Any]) -> list[Any]:
    """What loads have left, besides the table that is kept."""
    schemas = "nspname ~ '^vectorops_(load|swapping)_'"
    tables = "EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid) AND nspname ~ '^vectorops_new_'"
    return connection.execute(f"SELECT nspname FROM pg_namespace n WHERE {schemas} OR {tables}").fetchall()


def others(connection: psycopg.Connection[Any]) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = 'kills' AND backend_type = 'client backend'"
    return bool(connection.execute(f"{query} AND pid <> pg_backend_pid()".encode()).fetchone())


def assert_whole(connection: psycopg.Connection[Any]) -> None:
    """Check rows, index, view, grant and log of the table in use, and that nothing else is left."""
    letter = letter_of(connection, "public.items")
    table = vector_table(connection, "public.items")
    [index] = vector_indexes(connection, table)
    assert (index.name, index.is_valid) == ("items_embedding_idx", True)
    connection.execute("SET enable_seqscan = off")
    result = Searcher(connection, table).search(np.ones(4, np.float32), k=3)
    assert result.used_index
    assert {str(neighbour.id)[0] for neighbour in result.neighbours} == {letter}
    assert connection.execute("SELECT count(*) FROM ids").fetchone() == (ROWS[letter],)
    assert connection.execute("SELECT has_table_privilege('pg_monitor', 'items', 'SELECT')").fetchone() == (
        True,
    )
    assert last_loads(connection, 1)[0].model_version == letter
    tables = connection.execute(
        "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'items' ORDER BY 1"
    ).fetchall()
    assert tables in ([("public",)], [("public",), ("vectorops_kept_public",)])
    if len(tables) > 1:
        kept = letter_of(connection, "vectorops_kept_public.items")
        found = connection.execute("SELECT model_version FROM vectorops.kept_tables").fetchall()
        assert found == [(kept,)]


def letter_of(connection: psycopg.Connection[Any], table: str) -> str:
    query = f"SELECT count(*), min(left(id, 1)), max(left(id, 1)) FROM {table}"
    count, least, greatest = connection.execute(query.encode()).fetchone() or (0, "", "")
    assert least == greatest, "rows of one load only"
    assert count == ROWS[least]
    return str(least)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.02)
