"""Events from a file, one JSON object a line."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from vectorops.streaming.events import MAX_RECORD_BYTES, BadEventError, Record, read_record

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


def read_events(stream: BinaryIO, on_bad: Callable[[BadLine], None]) -> Iterator[Record]:
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


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield each line; of one that is too long for a record, only its beginning."""
    limit = MAX_RECORD_BYTES + 2
    while piece := stream.readline(limit):
        rest = piece
        while len(rest) == limit and not rest.endswith(b"\n"):
            rest = stream.readline(limit)
        yield piece.rstrip(b"\r\n") if piece.endswith(b"\n") else piece
