"""Files of embeddings, of every format: what they begin with says which it is, not their name."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain
from typing import Any, Protocol

from vectorops.database.tables import VectorTable
from vectorops.embeddings.arrow_files import ARROW_FILE, ARROW_STREAM, PARQUET, open_columns
from vectorops.embeddings.batch import Parsed
from vectorops.embeddings.csv_file import open_csv
from vectorops.embeddings.json_file import open_json
from vectorops.embeddings.layout import BYTE_ORDER_MARK
from vectorops.embeddings.numpy_files import NPY, NPZ, open_numpy
from vectorops.embeddings.seekable import PieceReader, reopenable
from vectorops.embeddings.sources import Source
from vectorops.embeddings.streams import Meter, decompress, read_pieces

_SEEKABLE = (PARQUET, ARROW_FILE, ARROW_STREAM, NPY, NPZ)
_LOOK_BYTES = 16
_LOOK_READ_BYTES = 4 << 10


class EmbeddingFile(Protocol):
    """A file whose beginning has been looked at."""

    @property
    def source(self) -> Source:
        """Where it comes from."""

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the columns that are neither id nor vector."""

    @property
    def dimensions(self) -> Sequence[int]:
        """Of the first vectors, as far as they are well formed."""

    @property
    def id_type(self) -> str:
        """Type of column that the first ids fit: integer, bigint or varchar."""

    def blocks(self, meter: Meter, wanted: Collection[str] = ()) -> Iterator[Any]:
        """Yield the rows in blocks, with the wanted of `others`; `meter` sees every byte of the source."""

    def parse(self, block: Any, table: VectorTable) -> Parsed:
        """Parse one of the blocks, on any thread."""


def open_file(source: Source, id_names: Sequence[str], vector_names: Sequence[str]) -> EmbeddingFile:
    """Look at the beginning of a file.

    Args:
        source: Closed again unless it can be opened only once.
        id_names: What the id column may be called, the best first.
        vector_names: What a column of whole vectors may be called, the best first.

    Raises:
        InputDataError: It is empty, damaged, of no known format, without rows, or has no such columns.
        AwsError: S3 refused.
    """
    with closing(_Kept(source)) as kept:
        first = kept.look()
        if first.startswith(b"{"):
            return open_json(kept.as_source(), id_names, vector_names)
        kind = next((magic for magic in _SEEKABLE if first.startswith(magic)), None)
        if kind is None:
            return open_csv(kept.as_source(), id_names, vector_names)
        whole = kept.as_reopenable()
    if kind in (NPY, NPZ):
        return open_numpy(whole, id_names, vector_names, is_archive=kind == NPZ)
    return open_columns(whole, id_names, vector_names, kind)


class _Kept:
    """A source that has been opened, of which nothing that was read is lost."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._stream = source.open()
        self._taken: list[bytes] = []
        self._is_handed_on = False

    def look(self) -> bytes:
        """Return what the source begins with, decompressed and without a byte order mark."""
        pieces = decompress(self._source.name, self._remembered())
        first = b""
        while len(first) < _LOOK_BYTES and (piece := next(pieces, None)) is not None:
            first += piece
        return first.removeprefix(BYTE_ORDER_MARK)

    def as_source(self) -> Source:
        """Return the source, to be read from its beginning."""
        if self._source.can_reopen:
            return self._source
        self._is_handed_on = True
        pieces = chain(self._taken, read_pieces(self._stream))
        return replace(self._source, open=lambda: PieceReader(pieces))

    def as_reopenable(self) -> Source:
        """Return the source, or a copy of it that can be read more than once."""
        return (
            self._source if self._source.can_reopen else reopenable(self._source, self._stream, self._taken)
        )

    def close(self) -> None:
        """Close the stream, unless someone reads on in it."""
        if not self._is_handed_on:
            self._stream.close()

    def _remembered(self) -> Iterator[bytes]:
        while piece := self._stream.read(_LOOK_READ_BYTES):
            self._taken.append(piece)
            yield piece
