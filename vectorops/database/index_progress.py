"""How far an index build has got, watched from a second connection."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

INTERVAL_S = 0.5

_PROGRESS = """
SELECT phase, blocks_done, blocks_total, tuples_done FROM pg_stat_progress_create_index WHERE pid = %s
"""


@dataclass(frozen=True)
class BuildProgress:
    """A moment of a build.

    Attributes:
        phase: As PostgreSQL names it: "building index: loading tuples".
        blocks_done: Blocks of the table that this phase has read.
        blocks_total: Blocks that it will read, or 0 where it reads none.
        rows: Rows that are in the graph.
    """

    phase: str
    blocks_done: int
    blocks_total: int
    rows: int
    elapsed_s: float


@contextmanager
def watched(
    pid: int, watcher: psycopg.Connection[Any], on_progress: Callable[[BuildProgress], None]
) -> Iterator[None]:
    """Call `on_progress` about twice a second with what process `pid` of the server is building.

    Args:
        pid: Of the connection that builds, inside the block.
        watcher: Another autocommit connection, of a user who may see the first one's.
        on_progress: Called on a thread of its own.
    """
    ended = threading.Event()
    thread = threading.Thread(
        target=_watch, args=(pid, watcher, on_progress, ended), name="index progress", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _watch(
    pid: int,
    watcher: psycopg.Connection[Any],
    on_progress: Callable[[BuildProgress], None],
    ended: threading.Event,
) -> None:
    started = time.monotonic()
    while not ended.wait(INTERVAL_S):
        try:
            row = watcher.execute(_PROGRESS, (pid,)).fetchone()
        except psycopg.Error:  # The build is worth more than being watched.
            return
        if row:
            phase, blocks_done, blocks_total, rows = row
            elapsed_s = time.monotonic() - started
            on_progress(BuildProgress(phase, blocks_done, blocks_total, rows, elapsed_s))
