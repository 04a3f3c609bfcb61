"""Sources as files in which reading can go on anywhere, and as files to read through."""

import contextlib
import io
import os
import struct
import tempfile
import threading
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import IO, Any

import pyarrow as pa

from vectorops.embeddings.sources import Source
from vectorops.embeddings.streams import Meter, Readable, decompress, is_compressed, metered, read_pieces
from vectorops.errors import InputDataError

# What the readers of Arrow, NumPy and Python raise for bytes that they cannot make sense of.
_DAMAGE = (
    *(pa.ArrowException, zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError),
    *(
        OSError,
        EOFError,
        MemoryError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        OverflowError,
        RuntimeError,
    ),
)


@contextlib.contextmanager
def open_seekable(source: Source, meter: Meter | None = None) -> Iterator[Any]:
    """Open a source, decompressed, so that any part of it can be read.

    A file on this machine is read where it is. What comes from elsewhere, or compressed, goes through a file
    without a name in the folder for temporary files, unless it is an object of which parts are enough.

    Args:
        source: One that can be reopened.
        meter: Sees every byte of the source; None when only a look at it is wanted.
    """
    with contextlib.closing(source.open()) as stream:
        first = stream.read(4)
        if is_compressed(first) or not (isinstance(stream, io.IOBase) or meter is None):
            pieces = chain([first], read_pieces(stream))
            with _spooled(decompress(source.name, metered(pieces, meter) if meter else pieces)) as file:
                yield file
            return
        seekable: Any = stream
        seekable.seek(0)
        with _metered_beside(source, meter) if meter is not None else contextlib.nullcontext():
            yield seekable


@contextlib.contextmanager
def _metered_beside(source: Source, meter: Meter) -> Iterator[None]:
    """Let `meter` see every byte of a file while its parts are read; leaving the block waits for the last."""
    is_given_up = threading.Event()

    def read() -> None:
        with contextlib.closing(source.open()) as stream:
            for piece in read_pieces(stream):
                if is_given_up.is_set():
                    return
                meter.update(piece)

    with ThreadPoolExecutor(1, thread_name_prefix="checksum") as pool:
        reading = pool.submit(read)
        try:
            yield
        except BaseException:
            is_given_up.set()
            raise
        reading.result()


@contextlib.contextmanager
def open_pieces(source: Source, meter: Meter | None = None) -> Iterator["PieceReader"]:
    """Open a source, decompressed, to be read from the beginning to the end."""
    with contextlib.closing(source.open()) as stream:
        pieces = read_pieces(stream)
        yield PieceReader(decompress(source.name, metered(pieces, meter) if meter else pieces))


@contextlib.contextmanager
def damage_named(source: str) -> Iterator[None]:
    """Turn what libraries say of a damaged file into an error that names it.

    Raises:
        InputDataError: The file is damaged.
    """
    try:
        yield
    except _DAMAGE as exc:
        raise InputDataError(
            f"{source} is damaged, or of a kind that cannot be read",
            why=str(exc).partition("\n")[0] or type(exc).__name__,
        ) from exc


class PieceReader(io.RawIOBase):
    """Pieces of bytes as a file.

    Attributes:
        tail: The last bytes that were read.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.tail = b""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer as far as there are bytes; return how many."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            if not self._rest:
                self._rest = memoryview(next(self._pieces, b""))
                if not self._rest and not self._more():
                    break
            part = self._rest[: len(view) - done]
            view[done : done + len(part)] = part
            self._rest = self._rest[len(part) :]
            done += len(part)
        if done:
            self.tail = (self.tail + bytes(view[max(0, done - 16) : done]))[-16:]
        return done

    def _more(self) -> bool:
        """Look past empty pieces, which a decompressor may give."""
        for piece in self._pieces:
            if piece:
                self._rest = memoryview(piece)
                return True
        return False


def reopenable(source: Source, stream: Readable, taken: Iterable[bytes]) -> Source:
    """Return a source that can be read more than once, for one that cannot.

    Args:
        source: The one that cannot.
        stream: It, open.
        taken: What has been read of it.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it is there as long as the source is
    for piece in chain(taken, read_pieces(stream)):
        file.write(piece)
    file.flush()
    size = file.tell()
    return replace(
        source, size_bytes=size, open=lambda: io.BufferedReader(_OwnPlace(file, size)), can_reopen=True
    )


class _OwnPlace(io.RawIOBase):
    """A reader of a file that several read at a time, each at a place of its own."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that reading can go on elsewhere."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go on reading elsewhere."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer as far as there are bytes; return how many."""
        read = os.pread(self._file.fileno(), len(buffer), self._position)
        buffer[: len(read)] = read
        self._position += len(read)
        return len(read)


@contextlib.contextmanager
def _spooled(pieces: Iterable[bytes]) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        yield file
