"""PostgreSQL's binary COPY format to Arrow, all rows of a block at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vectorops.embeddings.encoder import HEADER, TRAILER
from vectorops.errors import DatabaseError

_EPOCH_DAYS = 10_957  # From 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
_BLOCK_BYTES = 512 << 10
_ROWS_A_STEP = 64
# pgvector's vector and halfvec begin with the dimension and an unused number, 2 bytes each.
_VECTOR_ELEMENTS = {"vector": (">f4", 1), "halfvec": (">f2", 2)}
_NUMBERS = {
    "smallint": ">i2",
    "integer": ">i4",
    "bigint": ">i8",
    "real": ">f4",
    "double precision": ">f8",
    "boolean": ">i1",
    "date": ">i4",
    "timestamp without time zone": ">i8",
    "timestamp with time zone": ">i8",
}
NATIVE_TYPES = (*_NUMBERS, *_VECTOR_ELEMENTS, "text", "character varying")


@dataclass(frozen=True)
class Field:
    """A column of a COPY.

    Attributes:
        type: One of `NATIVE_TYPES`; a column of another type is cast to text before.
        dimension: Of a vector.
    """

    name: str
    type: str
    dimension: int = 0


def read_rows(messages: Iterable[Any]) -> Iterator[bytes]:
    """Yield the rows of a COPY.

    Args:
        messages: From psycopg, a row each, the file header before the first.
    """
    for number, message in enumerate(messages):
        row = message if number else message[len(HEADER) :]
        if len(row) > len(TRAILER):  # Neither the file header alone, nor the end mark.
            yield row


def read_blocks(messages: Iterable[Any]) -> Iterator[tuple[bytes, npt.NDArray[np.int64]]]:
    """Yield the rows of a COPY in blocks of about 0.5 MB, with the position where each row begins.

    Args:
        messages: As `read_rows` takes them.
    """
    every = read_rows(messages)
    rows: list[bytes] = []
    size = 0
    while some := list(islice(every, _ROWS_A_STEP)):
        rows += some
        size += sum(map(len, some))
        if size >= _BLOCK_BYTES:
            yield _joined(rows)
            rows, size = [], 0
    if rows:
        yield _joined(rows)


def decode(data: bytes, starts: npt.NDArray[np.int64], fields: Sequence[Field]) -> Any:
    """Return rows as an Arrow record batch.

    Args:
        data: Whole rows.
        starts: Where each begins.
        fields: Of every row, in their order.

    Raises:
        DatabaseError: A vector is of another dimension than its field's, or a date is infinite.
    """
    view = np.frombuffer(data, np.uint8)
    positions = starts + 2  # The number of fields is known.
    columns = []
    for field in fields:
        lengths = view[positions[:, None] + np.arange(4)].view(">i4").ravel().astype(np.int64)
        positions = positions + 4
        values = _slices(data, positions, lengths)
        columns.append(_decoder(field)(values, field))
        positions = positions + np.maximum(lengths, 0)
    return pa.RecordBatch.from_arrays(columns, [field.name for field in fields])


def arrow_type(field: Field) -> Any:
    """Return the type that `decode` gives a field."""
    if field.type in _VECTOR_ELEMENTS:
        return pa.list_(pa.float32() if field.type == "vector" else pa.float16())
    return _ARROW.get(field.type, pa.string())


_ARROW = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}


def _joined(rows: list[bytes]) -> tuple[bytes, npt.NDArray[np.int64]]:
    ends = np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)))
    return b"".join(rows), np.concatenate([[0], ends[:-1]])


def _slices(data: bytes, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Any:
    """Return a field of each row as an Arrow array of bytes, null where its length is -1."""
    bounds = np.empty((len(starts), 2), np.int32)
    bounds[:, 0] = starts
    bounds[:, 1] = starts + np.maximum(lengths, 0)
    valid = np.zeros((len(starts), 2), bool)
    valid[:, 0] = lengths >= 0
    buffers = [
        pa.py_buffer(np.packbits(valid, bitorder="little")),
        pa.py_buffer(bounds.reshape(-1)),
        pa.py_buffer(data),
    ]
    sparse = pa.Array.from_buffers(pa.binary(), 2 * len(starts) - 1, buffers)
    return sparse.take(pa.array(np.arange(0, 2 * len(starts), 2)))


def _decoder(field: Field) -> Callable[[Any, Field], Any]:
    if field.type in _VECTOR_ELEMENTS:
        return _vectors
    return _numbers if field.type in _NUMBERS else _texts


def _texts(values: Any, field: Field) -> Any:
    return values.cast(pa.string())


def _numbers(values: Any, field: Field) -> Any:
    wire = np.dtype(_NUMBERS[field.type])
    filled = values.fill_null(bytes(wire.itemsize)) if values.null_count else values
    numbers = _content(filled).view(wire)
    native = numbers.astype(wire.newbyteorder("="))
    mask = values.is_null().to_numpy(zero_copy_only=False) if values.null_count else None
    kind = arrow_type(field)
    if field.type == "boolean":
        return pa.array(native.astype(bool), kind, mask=mask)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        limits = np.iinfo(native.dtype)
        if ((native == limits.min) | (native == limits.max)).any():
            raise DatabaseError(
                f"column {field.name} holds an infinite date", hint="files cannot: make it NULL, or a date"
            )
        native = native + native.dtype.type(_EPOCH_DAYS if pa.types.is_date(kind) else _EPOCH_MICROSECONDS)
    return pa.array(
        native, pa.int32() if native.dtype == np.int32 and pa.types.is_date(kind) else None, mask=mask
    ).cast(kind)


def _vectors(values: Any, field: Field) -> Any:
    elements, header = _VECTOR_ELEMENTS[field.type]
    wire = np.dtype(elements)
    width = header + field.dimension
    content = _content(values)
    if len(content) != (len(values) - values.null_count) * width * wire.itemsize:
        raise DatabaseError(
            f"column {field.name} holds vectors of different dimensions",
            hint="declare the column with its dimension, such as vector(384), and export again",
        )
    numbers = content.view(wire).reshape(-1, width)[:, header:].astype(wire.newbyteorder("="))
    is_set = values.is_valid().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(is_set * field.dimension)]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers.reshape(-1)))
    return lists if is_set.all() else _with_nulls(lists, values)


def _with_nulls(lists: Any, values: Any) -> Any:
    validity = pa.array(values.is_valid()).buffers()[1]
    buffers = [validity, lists.buffers()[1]]
    return pa.Array.from_buffers(lists.type, len(lists), buffers, children=[lists.values])


def _content(values: Any) -> npt.NDArray[np.uint8]:
    """Return the bytes of all values of an array, one after the other."""
    offsets = np.frombuffer(values.buffers()[1], np.int32, len(values) + 1, 4 * values.offset)
    data = values.buffers()[2]
    if data is None:
        return np.empty(0, np.uint8)
    return np.frombuffer(data, np.uint8, offsets[-1] - offsets[0], offsets[0])
