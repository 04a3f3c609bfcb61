"""Sharing out the files of a load among streams."""

import heapq
from collections.abc import Sequence


def share_out(sizes: Sequence[int], streams: int) -> list[list[int]]:
    """Return which files each stream reads: numbers of files, in their order, none of the lists empty.

    The largest file goes first, each to the stream that has least to read: no stream gets more than 4/3 of
    what the best division would give it (Graham, "Bounds on multiprocessing timing anomalies", 1969).

    Args:
        sizes: Bytes of each file.
        streams: How many there may be, 1 at least.
    """
    lightest = [(0, 0, number) for number in range(min(streams, len(sizes)))]
    shares: list[list[int]] = [[] for _ in lightest]
    for file in sorted(range(len(sizes)), key=lambda number: (-sizes[number], number)):
        size, count, stream = heapq.heappop(lightest)
        shares[stream].append(file)
        heapq.heappush(lightest, (size + sizes[file], count + 1, stream))
    return [sorted(share) for share in shares]
