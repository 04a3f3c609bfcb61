"""Bytes on their way from a source: counted, summed up, and decompressed."""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Protocol

import zstandard

from vectorops.errors import InputDataError

PIECE_BYTES = 1 << 20
# Compressed bytes taken at a time: at the formats' greatest ratios, this much still fits into memory.
_COMPRESSED_PIECE_BYTES = 4 << 10
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class Readable(Protocol):
    """An open source."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""

    def close(self) -> None:
        """Let go of it."""


class Meter:
    """Counts the bytes that were read, and takes their checksum."""

    def __init__(self) -> None:
        self.bytes_read = 0
        self._sha256 = hashlib.sha256()

    def update(self, piece: bytes) -> None:
        """Take account of `piece`."""
        self.bytes_read += len(piece)
        self._sha256.update(piece)

    @property
    def checksum(self) -> str:
        """SHA-256 of all bytes so far, in hexadecimal."""
        return self._sha256.hexdigest()


def read_pieces(stream: Readable) -> Iterator[bytes]:
    """Yield what `stream` holds, in pieces of up to 1 MiB."""
    while piece := stream.read(PIECE_BYTES):
        yield piece


def metered(pieces: Iterable[bytes], meter: Meter) -> Iterator[bytes]:
    """Yield `pieces`, letting `meter` see each."""
    for piece in pieces:
        meter.update(piece)
        yield piece


def skip(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield `pieces` without their first `size` bytes."""
    for piece in pieces:
        if len(piece) > size:
            yield piece[size:]
        size = max(0, size - len(piece))


def is_compressed(first: bytes) -> bool:
    """Say whether a source that begins so is one that `decompress` expands."""
    return first.startswith((_GZIP, _ZSTD))


def decompress(source: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces, decompressed when they begin as gzip or zstd do, whatever the file is called.

    Raises:
        InputDataError: The compressed data is damaged, or ends too early.
    """
    first = b""
    while len(first) < len(_ZSTD) and (piece := next(pieces, b"")):
        first += piece
    pieces = chain([first], pieces)
    if first.startswith(_GZIP):
        return _expand(source, "gzip", pieces, lambda: zlib.decompressobj(16 + zlib.MAX_WBITS))
    if first.startswith(_ZSTD):
        return _expand(source, "zstd", pieces, zstandard.ZstdDecompressor().decompressobj)
    return pieces


def _expand(
    source: str, kind: str, pieces: Iterable[bytes], new_decompressor: Callable[[], Any]
) -> Iterator[bytes]:
    """Yield the content of one compressed member after the other."""
    decompressor: Any = None
    try:
        for piece in pieces:
            for start in range(0, len(piece), _COMPRESSED_PIECE_BYTES):
                data = piece[start : start + _COMPRESSED_PIECE_BYTES]
                while data:
                    decompressor = decompressor or new_decompressor()
                    yield decompressor.decompress(data)
                    data = decompressor.unused_data if decompressor.eof else b""
                    decompressor = None if decompressor.eof else decompressor
    except (zlib.error, zstandard.ZstdError) as exc:
        raise InputDataError(f"{source} is damaged {kind} data", why=str(exc)) from exc
    if decompressor is not None:
        raise InputDataError(
            f"{source} is cut short",
            why=f"its {kind} data ends before the end mark",
            hint="copy or download the file again",
        )
