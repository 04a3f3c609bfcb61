"""The quickest parser: a block whose lines all have the same fields, found in one pass over its bytes.

Every number is converted where it lies, by Arrow, which rounds decimal text correctly to float32 and holds no
lock of Python's meanwhile. Like `fast`, it never judges: a block that it does not take is another parser's.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vectorops.embeddings.blocks import count_byte
from vectorops.embeddings.layout import Layout


@dataclass(frozen=True)
class Fields:
    """Where the fields of a block's lines begin and end; each number of a vector is a field.

    Attributes:
        data: The block.
        bounds: int32 of shape (rows, fields, 2).
        numbers: Which of the fields are the vector's, in its order.
        columns: Which field each other column of the file is.
    """

    data: bytes
    bounds: npt.NDArray[np.int32]
    numbers: tuple[int, ...]
    columns: dict[int, int]

    def texts(self, column: int) -> Any:
        """Return a column as an Arrow array of strings.

        Raises:
            pyarrow.ArrowInvalid: It is not UTF-8.
        """
        bounds = np.ascontiguousarray(self.bounds[:, self.columns[column]])
        return _array(pa.binary(), self.data, bounds, (0,)).drop_null().cast(pa.string())

    def vectors(self) -> npt.NDArray[np.float32]:
        """Return the vectors, of shape (rows, dimension).

        Raises:
            pyarrow.ArrowInvalid: A number is none, or is written in an unusual way.
        """
        rows, fields, _ = self.bounds.shape
        singles = pc.cast(_array(pa.string(), self.data, self.bounds, self.numbers), pa.float32())
        # There is a value for each field and, but for the last, for what follows it.
        flat = np.frombuffer(singles.buffers()[1], np.float32, 2 * rows * fields - 1)
        steps = (8 * fields, 8)
        values = np.lib.stride_tricks.as_strided(flat, (rows, fields), steps, writeable=False)
        first, last = self.numbers[0], self.numbers[-1]
        is_run = self.numbers == tuple(range(first, last + 1))
        return values[:, first : last + 1] if is_run else values[:, self.numbers]


def find_fields(data: bytes, layout: Layout, dimension: int) -> Fields | None:
    """Return the fields of a block, or None unless all its lines have the same, in a usual dialect.

    Args:
        data: Whole records.
        layout: Of the file.
        dimension: How many numbers a vector is to have.
    """
    width = 1 if layout.has_column_per_dimension else dimension
    separators = _separators(data, layout, len(layout.columns) - 1 + width)
    if separators is None or not len(separators) or b"\0" in data:
        return None
    bounds = _between(separators)
    vector = layout.vector_indices[0]
    places = {
        column: column if layout.has_column_per_dimension or column <= vector else column + width - 1
        for column in range(len(layout.columns))
    }
    numbers = (
        tuple(places[column] for column in layout.vector_indices)
        if layout.has_column_per_dimension
        else tuple(range(vector, vector + width))
    )
    others = {column: place for column, place in places.items() if column not in layout.vector_indices}
    fields = Fields(data, bounds, numbers, others)
    return fields if _strip(fields, layout) else None


def _separators(data: bytes, layout: Layout, width: int) -> npt.NDArray[np.int32] | None:
    """Return where each field ends, of shape (rows, width), when all lines have that many fields."""
    view = np.frombuffer(data, np.uint8)
    delimiter = ord(layout.delimiter)
    is_line_end = view == ord("\n")
    found = view == delimiter
    np.logical_or(found, is_line_end, out=found)
    if delimiter != ord(",") and not layout.has_column_per_dimension:
        np.logical_or(found, view == ord(","), out=found)
    ends = np.flatnonzero(found).astype(np.int32)
    if not data.endswith(b"\n"):
        ends = np.append(ends, np.int32(len(data)))
    if len(ends) % width:
        return None
    table = ends.reshape(-1, width)
    line_ends = np.count_nonzero(is_line_end) + (not data.endswith(b"\n"))
    is_regular = line_ends == len(table) and (view[table[:-1, -1]] == ord("\n")).all()
    return table if is_regular and _delimited(data, layout, table) else None


def _delimited(data: bytes, layout: Layout, ends: npt.NDArray[np.int32]) -> bool:
    """Say whether the columns end in the delimiter, and only they."""
    if layout.delimiter == "," or layout.has_column_per_dimension:
        return True
    columns, width = len(layout.columns), ends.shape[1]
    vector = layout.vector_indices[0]
    inside = range(vector, vector + width - columns)
    outside = [place for place in range(width - 1) if place not in inside]
    view = np.frombuffer(data, np.uint8)
    is_delimiter = (view[ends[:, outside]] == ord(layout.delimiter)).all()
    return bool(is_delimiter) and count_byte(data, layout.delimiter.encode()) == len(ends) * (columns - 1)


def _between(separators: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    rows, fields = separators.shape
    bounds = np.empty((rows, fields, 2), np.int32)
    bounds[:, :, 1] = separators
    starts = bounds[:, :, 0]
    starts[0, 0] = 0
    np.add(separators[:, :-1], 1, out=starts[:, 1:])
    np.add(separators[:-1, -1], 1, out=starts[1:, 0])
    return bounds


def _strip(fields: Fields, layout: Layout) -> bool:
    """Take carriage returns, blanks, quotes and brackets off the fields; say whether nothing odd is left."""
    data, bounds = fields.data, fields.bounds
    view = np.frombuffer(data, np.uint8)
    rows = len(bounds)
    if b"\r" in data:
        last = bounds[:, -1, 1]
        last -= 1
        if count_byte(data, b"\r") != rows or not (view[last] == ord("\r")).all():
            return False
    if b" " in data:
        starts = bounds[:, 1:, 0]
        starts += view[np.minimum(starts, len(view) - 1)] == ord(" ")
    quotes = sum(_unquote(view, *_ends(bounds, place, place)) for place in fields.columns.values())
    if not layout.has_column_per_dimension:
        first, last = _ends(bounds, fields.numbers[0], fields.numbers[-1])
        is_quoted = _unquote(view, first, last)
        if not is_quoted and layout.delimiter == "," and len(fields.numbers) > 1:
            return False
        quotes += is_quoted
        if not _take_brackets(view, first, last):
            return False
    return count_byte(data, b'"') == 2 * rows * quotes


def _ends(bounds: npt.NDArray[np.int32], first: int, last: int) -> tuple[Any, Any]:
    """Return views of where a column begins and ends."""
    return bounds[:, first, 0], bounds[:, last, 1]


def _unquote(view: npt.NDArray[np.uint8], first: Any, last: Any) -> bool:
    """Take the quotes off a column, if it has them in every row; say whether it has."""
    if not (last - first >= 2).all() or not (view[first] == ord('"')).all():
        return False
    if not (view[last - 1] == ord('"')).all():
        return False
    first += 1
    last -= 1
    return True


def _take_brackets(view: npt.NDArray[np.uint8], first: Any, last: Any) -> bool:
    """Take brackets or braces off the vectors; say whether they have them."""
    if not (last - first >= 2).all():
        return False
    opening, closing = view[first], view[last - 1]
    brackets = (opening == ord("[")) & (closing == ord("]"))
    braces = (opening == ord("{")) & (closing == ord("}"))
    first += 1
    last -= 1
    return bool((brackets | braces).all())


def _array(kind: Any, data: bytes, bounds: npt.NDArray[np.int32], wanted: tuple[int, ...]) -> Any:
    """Return the wanted fields of each row as they lie in `data`, with nulls for all other bytes."""
    rows, fields = bounds.shape[0], bounds.size // bounds.shape[0] // 2
    buffers = [_validity(rows, fields, wanted), pa.py_buffer(bounds.reshape(-1)), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, 2 * rows * fields - 1, buffers)


@lru_cache(maxsize=8)
def _validity(rows: int, fields: int, wanted: tuple[int, ...]) -> Any:
    valid = np.zeros((rows, fields, 2), bool)
    valid[:, wanted, 0] = True
    return pa.py_buffer(np.packbits(valid, bitorder="little"))
