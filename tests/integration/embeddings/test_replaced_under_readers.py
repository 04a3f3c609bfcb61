"""Test 2 of replacing: nobody meets a table that is missing, empty, unindexed or half loaded."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.integration.embeddings.load_samples import Loader, embeddings_csv
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.database.kept_tables import roll_back
from vectorops.database.searcher import Searcher
from vectorops.database.tables import vector_table
from vectorops.embeddings.writing import Way

ROWS = 1_500
QUERY = np.array([1, 0, 0, 0], np.float32)
SEARCH = "SELECT id FROM items ORDER BY embedding <=> '[1,0,0,0]' LIMIT 5"


@dataclass
class Seen:
    """What readers met."""

    sizes: set[int] = field(default_factory=set)
    prefixes: set[frozenset[str]] = field(default_factory=set)
    indexes: set[str | None] = field(default_factory=set)
    problems: list[BaseException] = field(default_factory=list)
    rounds: Counter[str] = field(default_factory=Counter)

    def wait_for_looks(self) -> None:
        """Return when each reader has looked from beginning to end, or one has failed."""
        until = {name: rounds + 2 for name, rounds in self.rounds.items()}
        while any(self.rounds[name] < rounds for name, rounds in until.items()) and not self.problems:
            time.sleep(0.005)


@contextmanager
def readers(
    address: DatabaseAddress, *looks: Callable[[psycopg.Connection[Any], Seen], None]
) -> Iterator[Seen]:
    """Look again and again, each on a thread and connection of its own, until the block ends."""
    seen, ended = Seen(rounds=Counter({look.__name__: 0 for look in looks})), threading.Event()

    def read(look: Callable[[psycopg.Connection[Any], Seen], None]) -> None:
        try:
            with connect(address) as connection:
                while not ended.is_set():
                    look(connection, seen)
                    seen.rounds[look.__name__] += 1
        except Exception as exc:
            seen.problems.append(exc)

    threads = [threading.Thread(target=read, args=(look,)) for look in looks]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def count(connection: psycopg.Connection[Any], seen: Seen) -> None:
    row = connection.execute("SELECT count(*) FROM items").fetchone()
    seen.sizes.add(int(row[0]) if row else -1)


def search(connection: psycopg.Connection[Any], seen: Seen) -> None:
    result = Searcher(connection, vector_table(connection, "items")).search(QUERY, k=5)
    scores = [neighbour.score for neighbour in result.neighbours]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 5
    seen.indexes.add(result.index)
    seen.prefixes.add(frozenset(str(neighbour.id)[:3] for neighbour in result.neighbours))


def search_prepared(connection: psycopg.Connection[Any], seen: Seen) -> None:
    rows = connection.execute(SEARCH, prepare=True).fetchall()
    assert len(rows) == 5
    seen.prefixes.add(frozenset(row[0][:3] for row in rows))


def search_view(connection: psycopg.Connection[Any], seen: Seen) -> None:
    rows = connection.execute("SELECT id FROM near").fetchall()
    assert len(rows) == 5
    seen.prefixes.add(frozenset(row[0][:3] for row in rows))


@pytest.fixture
def loader(loader: Loader) -> Loader:
    loader.load(embeddings_csv(ROWS, 4, prefix="old"), "items", create=True)
    loader.connection.execute(f"CREATE VIEW near AS {SEARCH}".encode())
    loader.connection.execute("CREATE VIEW nearer AS SELECT id FROM near LIMIT 1")
    return loader


def test_readers_meet_the_old_table_or_the_new_one_whole_and_indexed(
    loader: Loader, database_address: DatabaseAddress
) -> None:
    with readers(database_address, count, search, search_prepared, search_view) as seen:
        seen.wait_for_looks()
        for number in range(2):
            rows = embeddings_csv(ROWS + number, 4, seed=number, prefix=f"n{number}-")
            loader.load(rows, "items", way=Way("replace"))
            roll_back(loader.connection, "items")
            roll_back(loader.connection, "items")
        seen.wait_for_looks()
    assert seen.problems == []
    assert seen.sizes <= {ROWS, ROWS + 1}
    assert seen.indexes == {"items_embedding_idx"}
    assert all(len(prefixes) == 1 for prefixes in seen.prefixes), "rows of one table only"
    assert len(seen.prefixes) > 1
    assert loader.rows("items").keys() == {f"n1-{number}" for number in range(ROWS + 1)}


def test_writers_go_on_and_write_to_the_table_that_is_in_use(
    loader: Loader, database_address: DatabaseAddress
) -> None:
    written: list[str] = []

    def write(connection: psycopg.Connection[Any], seen: Seen) -> None:
        key = f"w{len(written)}"
        connection.execute("INSERT INTO items VALUES (%s, '[1,1,1,1]')", (key,))
        written.append(key)

    with readers(database_address, write) as seen:
        report = loader.load(
            embeddings_csv(ROWS, 4, prefix="new"),
            "items",
            way=Way("replace"),
            on_progress=lambda rows, bytes_read: seen.wait_for_looks(),
        )
    assert seen.problems == []
    new = {key for key in loader.rows("items") if key.startswith("w")}
    old = {key for key in loader.rows("vectorops_kept_public.items") if key.startswith("w")}
    assert new | old == set(written)
    assert new & old == set()
    assert 0 < report.left_behind <= len(old), "those of before the load do not count"


def test_a_rebuild_for_an_upsert_loses_no_write(loader: Loader, database_address: DatabaseAddress) -> None:
    written: list[str] = []

    def write(connection: psycopg.Connection[Any], seen: Seen) -> None:
        key = f"w{len(written)}"
        connection.execute("INSERT INTO items VALUES (%s, '[1,1,1,1]')", (key,))
        written.append(key)

    with readers(database_address, write, count) as seen:
        seen.wait_for_looks()
        way = Way(index_strategy="rebuild")
        report = loader.load(embeddings_csv(ROWS, 4, seed=9, prefix="old"), "items", way=way)
    assert seen.problems == []
    assert report.updated == ROWS
    assert {key for key in loader.rows("items") if key.startswith("w")} == set(written)
