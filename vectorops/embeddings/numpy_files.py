"""NumPy files: .npz with arrays `ids` and `embeddings`, and .npy with the ids in a file beside it."""

import contextlib
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import Parsed
from vectorops.embeddings.columnar import RowBlock, check_types, parse_rows, summarize
from vectorops.embeddings.layout import Columns, find_columns
from vectorops.embeddings.seekable import damage_named, open_pieces, open_seekable
from vectorops.embeddings.sources import Source
from vectorops.embeddings.streams import Meter, read_pieces
from vectorops.errors import InputDataError, NoRowsError

NPY = b"\x93NUMPY"
NPZ = b"PK\x03\x04"
_BLOCK_BYTES = 2 << 20
_MAX_ROW_BYTES = 64 << 20
_LOOK_ROWS = 10
_NAME = "embedding"


@dataclass(frozen=True)
class NumpyFile:
    """A NumPy file whose beginning has been looked at.

    Attributes:
        source: Where it comes from.
        columns: Which array is what.
        dimensions: Of the vectors.
        id_type: "integer", "bigint" or "varchar", by the first ids.
        is_archive: Whether it is .npz.
    """

    source: Source
    columns: Columns
    dimensions: Sequence[int]
    id_type: str
    is_archive: bool

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the arrays that are neither ids nor vectors."""
        return self.columns.others

    def blocks(self, meter: Meter, wanted: Collection[str] = ()) -> Iterator[RowBlock]:
        """Yield the rows in blocks, and let `meter` see every byte of the source."""
        first_row = 1
        with damage_named(self.source.name), _open_arrays(self.source, self.is_archive, meter) as arrays:
            for rows in _batches(self.source, arrays, self.columns.columns):
                yield RowBlock(self.source.name, first_row, rows)
                first_row += rows.num_rows
            for array in arrays.values():
                array.finish(self.source)

    def parse(self, block: RowBlock, table: VectorTable) -> Parsed:
        """Parse one of the blocks."""
        return parse_rows(block, self.columns, table)


def open_numpy(
    source: Source, id_names: Sequence[str], vector_names: Sequence[str], *, is_archive: bool
) -> NumpyFile:
    """Look at the arrays of a .npy or .npz file.

    Args:
        source: One that can be reopened. Of "x.npy" the ids are in "x.ids.npy" beside it, or else the numbers
            of the rows from 0.
        id_names: As for `files.open_file`; "ids" is one too.
        vector_names: As for `files.open_file`; "embeddings" and "vectors" are too.
        is_archive: Whether it is .npz.

    Raises:
        InputDataError: It is damaged, without rows, or has arrays of shapes or types that cannot be loaded.
        AwsError: S3 refused.
    """
    with damage_named(source.name), _open_arrays(source, is_archive) as arrays:
        names = tuple(arrays)
        columns = find_columns(
            source.name, names, (*id_names, "ids"), (*vector_names, "embeddings", "vectors")
        )
        rows = next(_batches(source, arrays, names, _LOOK_ROWS), None)
        if rows is None:
            raise NoRowsError(f"{source.name} has no rows")
        check_types(source.name, rows.schema, columns)
        dimensions, id_type = summarize(rows, columns)
    return NumpyFile(source, columns, dimensions, id_type, is_archive)


class _Array:
    """One array, read from its beginning to its end."""

    def __init__(self, source: str, name: str, stream: Any) -> None:
        self._name = name
        self._stream = stream
        version = npy.read_magic(stream)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, self.dtype = read_header(stream)
        self.shape = shape
        self.left = shape[0] if shape else 0
        if self.row_bytes > _MAX_ROW_BYTES:
            raise ValueError(f"a row of array '{name}' has {self.row_bytes} bytes")
        if self.dtype.hasobject:
            raise InputDataError(
                f"{source} has Python objects in array '{name}'",
                why="they are pickled, and unpickling runs what a file says",
                hint="save texts as strings: np.asarray(ids, dtype=str)",
            )
        if len(shape) not in (1, 2) or (is_fortran and len(shape) > 1) or self.dtype.kind not in "biufUS":
            raise InputDataError(
                f"{source} has array '{name}' of shape {shape} and type {self.dtype}",
                why="a row per vector is needed, in C order, of numbers or strings",
                hint="save np.ascontiguousarray(vectors)",
            )

    @property
    def row_bytes(self) -> int:
        """Size of a row."""
        return int(self.dtype.itemsize * np.prod(self.shape[1:], dtype=np.int64))

    def take(self, rows: int) -> Any:
        """Return the next rows as an Arrow array."""
        rows = min(rows, self.left)
        self.left -= rows
        data = self._stream.read(rows * self.row_bytes)
        if len(data) < rows * self.row_bytes:
            raise ValueError(f"array '{self._name}' ends too early")
        values = np.frombuffer(data, self.dtype)
        flat = pa.array(values.astype(self.dtype.newbyteorder("="), copy=False))
        if self.dtype.kind == "S":
            flat = flat.cast(pa.string())
        return flat if len(self.shape) == 1 else pa.FixedSizeListArray.from_arrays(flat, self.shape[1])

    def finish(self, source: Source) -> None:
        """Read to the end.

        Raises:
            InputDataError: More follows than the header says.
        """
        if self._stream.read(1):
            raise InputDataError(
                f"{source.name} is damaged", why=f"array '{self._name}' has more bytes than its shape says"
            )


class _RowNumbers:
    """The ids of a file without ids."""

    dtype = np.dtype(np.int64)
    row_bytes = 8

    def __init__(self, rows: int) -> None:
        self.shape: tuple[int, ...] = (rows,)
        self._next = 0

    def take(self, rows: int) -> Any:
        """Return the next numbers."""
        first, self._next = self._next, min(self._next + rows, self.shape[0])
        return pa.array(np.arange(first, self._next))

    def finish(self, source: Source) -> None:
        """Do nothing: there is no more."""


@contextlib.contextmanager
def _open_arrays(source: Source, is_archive: bool, meter: Meter | None = None) -> Iterator[dict[str, Any]]:
    with contextlib.ExitStack() as stack:
        arrays: dict[str, Any] = {}
        if is_archive:
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(open_seekable(source, meter))))
            for member in archive.namelist():
                name = member.removesuffix(".npy")
                arrays[name] = _Array(source.name, name, stack.enter_context(archive.open(member)))
        else:
            stream = stack.enter_context(open_pieces(source, meter))
            arrays[_NAME] = _Array(source.name, _NAME, _Whole(stream))
            ids: Any = _RowNumbers(arrays[_NAME].shape[0])
            if source.ids is not None:
                _meter_all(source.ids, meter)
                ids = _Array(source.ids.name, "ids", _Whole(stack.enter_context(open_pieces(source.ids))))
            arrays["ids"] = ids
        yield arrays


def _meter_all(source: Source, meter: Meter | None) -> None:
    """Let `meter` see a source before it is read in turns with another."""
    if meter is not None:
        with contextlib.closing(source.open()) as stream:
            for piece in read_pieces(stream):
                meter.update(piece)


class _Whole:
    """A stream whose `read` returns as many bytes as there are."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        data = bytearray(size)
        return bytes(memoryview(data)[: self._stream.readinto(data)])


def _batches(
    source: Source, arrays: dict[str, Any], names: Sequence[str], rows_at_once: int | None = None
) -> Iterator[Any]:
    lengths = {name: arrays[name].shape[0] for name in names}
    if len(set(lengths.values())) > 1:
        raise InputDataError(
            f"{source.name} has arrays of different lengths",
            why=", ".join(f"{n}: {c}" for n, c in lengths.items()),
        )
    total = next(iter(lengths.values()))
    step = rows_at_once or max(1, _BLOCK_BYTES // max(1, sum(array.row_bytes for array in arrays.values())))
    for _ in range(0, total, step):
        yield pa.RecordBatch.from_arrays([arrays[name].take(step) for name in names], list(names))
