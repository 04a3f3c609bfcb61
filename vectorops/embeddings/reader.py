"""From files to batches: blocks are parsed side by side and come out in order."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import Block, Parsed
from vectorops.embeddings.careful import parse_carefully
from vectorops.embeddings.fast import parse_fast
from vectorops.embeddings.layout import Layout

Item = TypeVar("Item")
Result = TypeVar("Result")

_WORKERS = min(4, os.cpu_count() or 1)


def parse_block(block: Block, layout: Layout, table: VectorTable) -> Parsed:
    """Parse a block, fast if nothing in it is unusual.

    Args:
        block: Whole records.
        layout: Of the file.
        table: Where the rows are to go, with its dimension known.
    """
    batch = parse_fast(block, layout, table)
    return Parsed(batch) if batch is not None else parse_carefully(block, layout, table)


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int = _WORKERS, ahead: int = 1
) -> Generator[Result, None, None]:
    """Yield `function(item)` for each item in order, computed on threads.

    Args:
        function: Of an item.
        items: Taken as they are needed.
        workers: Threads.
        ahead: Items that may be done or waiting beside those that the threads are busy with.
    """
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="parse")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > workers + ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
