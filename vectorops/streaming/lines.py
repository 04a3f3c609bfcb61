"""Events from a file, one JSON object a line."""

import os
import select
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from vectorops.streaming.events import MAX_RECORD_BYTES, BadEventError, Record, read_record
from vectorops.streaming.pace import Stop

_SLICE_S = 0.1
_CHUNK_BYTES = 1 << 16

EXPLANATIONS = {
    "not_utf8": "it is not UTF-8",
    "not_json": "it is not JSON; neither are NaN and Infinity",
    "not_an_object": "it is JSON, but not an object",
    "reserved_field": "it has recommended_items or similar_items already, which the transform adds",
    "too_large": f"it has more than {MAX_RECORD_BYTES:,} bytes, partition key included",
}


@dataclass(frozen=True)
class BadLine:
    """A line that is no event.

    Attributes:
        line: Its number, from 1.
        reason: See `EXPLANATIONS`.
    """

    line: int
    reason: str


class Lines(Protocol):
    """What lines can be read from, such as a file."""

    def readline(self, limit: int, /) -> bytes:
        """Return the next line with its end, or `limit` bytes of it; nothing at the end."""


class LiveLines:
    """Lines of a pipe or a terminal, which end when it is to stop, even while nothing comes.

    Args:
        descriptor: To read from.
        stop: Asked while it waits. What has come of an unfinished line by then is dropped.
    """

    def __init__(self, descriptor: int, stop: Stop) -> None:
        self._descriptor = descriptor
        self._stop = stop
        self._held = bytearray()
        self._has_ended = False

    def readline(self, limit: int, /) -> bytes:
        """Return the next line with its end, or `limit` bytes of it; nothing at the end."""
        searched = 0
        while (end := self._held.find(b"\n", searched) + 1) == 0 and len(self._held) < limit:
            searched = len(self._held)
            if self._has_ended:
                break
            self._read()
        line = bytes(self._held[: min(end or len(self._held), limit)])
        del self._held[: len(line)]
        return line

    def _read(self) -> None:
        while not self._stop():
            if select.select([self._descriptor], [], [], _SLICE_S)[0]:
                chunk = os.read(self._descriptor, _CHUNK_BYTES)
                self._has_ended = not chunk
                self._held += chunk
                return
        self._has_ended = True
        self._held.clear()


def read_events(stream: Lines, on_bad: Callable[[BadLine], None]) -> Iterator[Record]:
    """Yield the events in `stream`, in order, without their line ends; empty lines are passed over.

    However long a line is, no more of it than a record may have is in memory.

    Args:
        stream: Lines that end in LF or CRLF.
        on_bad: Called with each line that is no event; the line is left out, unless this raises.
    """
    for number, line in enumerate(_lines(stream), start=1):
        if not line.strip():
            continue
        try:
            record = read_record(line)
        except BadEventError as exc:
            on_bad(BadLine(number, exc.reason))
        else:
            yield record


def _lines(stream: Lines) -> Iterator[bytes]:
    """Yield each line; of one that is too long for a record, only its beginning."""
    limit = MAX_RECORD_BYTES + 2
    while piece := stream.readline(limit):
        rest = piece
        while len(rest) == limit and not rest.endswith(b"\n"):
            rest = stream.readline(limit)
        yield piece.rstrip(b"\r\n") if piece.endswith(b"\n") else piece
