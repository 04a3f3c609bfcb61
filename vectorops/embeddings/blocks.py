"""Cutting a stream of bytes into blocks of whole records."""

from collections.abc import Iterable, Iterator

import numpy as np

from vectorops.embeddings.batch import Block
from vectorops.errors import InputDataError

# So much that all arrays made of a block stay in a processor's cache.
BLOCK_BYTES = 1 << 20
MAX_RECORD_BYTES = 64 << 20
# This many blocks without a record end mean a quote too many; the careful parser will find it.
_PATIENCE = 4


def cut_blocks(
    source: str, pieces: Iterable[bytes], first_line: int, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Yield the bytes again in blocks that end where a record ends, holding one block at a time.

    Args:
        source: Name of the file, for messages.
        pieces: The bytes of the file from `first_line` on, in pieces of any size.
        first_line: Line number of the first byte.
        block_bytes: About how large a block is to be.

    Raises:
        InputDataError: A record is longer than 64 MiB.
    """
    line = first_line
    for data, is_last in _joined(pieces, block_bytes, source):
        yield Block(source, line, data)
        if not is_last:
            line += count_byte(data, b"\n")


def _joined(pieces: Iterable[bytes], block_bytes: int, source: str) -> Iterator[tuple[bytes, bool]]:
    pending: list[bytes] = []
    size, wanted = 0, block_bytes
    for piece in pieces:
        pending.append(piece)
        size += len(piece)
        if size < wanted:
            continue
        data = b"".join(pending)
        end = record_end(data)
        if not end and size > _PATIENCE * block_bytes:
            end = data.rfind(b"\n") + 1
        if end:
            yield data[:end], False
        elif size > MAX_RECORD_BYTES:
            raise InputDataError(
                f"{source} has a line of more than {MAX_RECORD_BYTES >> 20} MiB",
                hint="is it a CSV file? every record needs a line of its own",
            )
        pending, size = [data[end:]], size - end
        wanted = max(block_bytes, 2 * size)
    if size:
        yield b"".join(pending), True


def record_end(data: bytes) -> int:
    """Return the length of the whole records at the beginning of `data`, 0 when there is none.

    A line end inside quotes ends no record.
    """
    last = data.rfind(b"\n") + 1
    view = np.frombuffer(data, np.uint8)
    if last == 0 or np.count_nonzero(view[:last] == ord('"')) % 2 == 0:
        return last
    line_ends = np.flatnonzero(view == ord("\n"))
    quotes_before = np.searchsorted(np.flatnonzero(view == ord('"')), line_ends)
    outside = line_ends[quotes_before % 2 == 0]
    return int(outside[-1]) + 1 if len(outside) else 0


def count_byte(data: bytes, byte: bytes) -> int:
    """Return how often a byte is in `data`, which NumPy counts several times as fast as `bytes.count`."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord(byte)))
