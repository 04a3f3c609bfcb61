"""The fast parser: a whole block at once, for blocks in which nothing is unusual.

It never judges. A block that it does not take is the careful parser's, which gives the same rows for every
block that this one takes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from vectorops.database.columns import Column
from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import BadRowError, Batch, Block, Vectors
from vectorops.embeddings.blocks import count_byte
from vectorops.embeddings.ids import parse_ids
from vectorops.embeddings.layout import Layout
from vectorops.embeddings.metadata import convert
from vectorops.embeddings.regular import find_fields
from vectorops.embeddings.vectors import from_bit_texts, from_matrix, from_sparse_texts

# Columns of text by their position, and the vectors; None is for another parser.
_Read = tuple[dict[int, Any], Vectors | None] | None
_Reader = Callable[[bytes, Layout, VectorTable], _Read]


def parse_fast(block: Block, layout: Layout, table: VectorTable) -> Batch | None:
    """Parse a block in a few vectorised passes, or return None when the careful parser has to.

    Args:
        block: Whole records.
        layout: Of the file.
        table: Where the rows are to go, with its dimension known.
    """
    return _parse(block, layout, table, _read_regular) or _parse(block, layout, table, _read_plain)


def _parse(block: Block, layout: Layout, table: VectorTable, read: _Reader) -> Batch | None:
    try:
        found = read(block.data, layout, table)
        texts, vectors = found or ({}, None)
        if vectors is None:
            return None
        ids = parse_ids(texts[layout.id_index], table)
        metadata = tuple(_metadata(texts, layout, column) for column in table.metadata)
    except (pa.ArrowInvalid, BadRowError):
        return None
    if ids is None:
        return None
    return Batch(ids, vectors, np.arange(block.first_line, block.first_line + len(ids)), metadata)


def _metadata(texts: dict[int, Any], layout: Layout, column: Column) -> Any:
    values = texts[layout.index_of(column.name)]
    if pc.any(pc.starts_with(values, " ")).as_py():
        raise BadRowError("which of the blanks count is for the careful parser to say")
    return convert(pc.if_else(pc.equal(values, ""), None, values), column)


def _text_columns(layout: Layout, table: VectorTable) -> list[int]:
    return [layout.id_index, *(layout.index_of(column.name) for column in table.metadata)]


def _read_regular(data: bytes, layout: Layout, table: VectorTable) -> _Read:
    """Read a block whose lines all have the same fields."""
    if table.vector_type in ("bit", "sparsevec"):
        return None
    fields = find_fields(data, layout, table.dimension or 0)
    if fields is None:
        return None
    texts = {index: fields.texts(index) for index in _text_columns(layout, table)}
    return texts, from_matrix(fields.vectors(), table)


def _read_plain(data: bytes, layout: Layout, table: VectorTable) -> _Read:
    """Read a block by Arrow's CSV reader, and the vectors in it by a second pass."""
    if not _is_plain(data, layout.delimiter):
        return None
    indices = _text_columns(layout, table)
    columns = _read_columns(data, layout, indices)
    if len(columns[0]) != _count_lines(data):  # Blank lines, or line ends inside quotes.
        return None
    texts = dict(zip(indices, columns, strict=False))
    components = columns[len(indices) :]
    if layout.has_column_per_dimension:
        return texts, from_matrix(_matrix(components), table)
    return texts, parse_texts(components[0], table)


def _is_plain(data: bytes, delimiter: str) -> bool:
    """Say whether every CSV reader would find the same fields: quotes stand at the ends of fields only."""
    if b"\0" in data or data.startswith(b"\xef\xbb\xbf"):  # Arrow would skip a byte order mark.
        return False
    if b"\r" in data and count_byte(data, b"\r") != data.count(b"\r\n"):
        return False
    view = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(view == ord('"'))
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = view[opening - 1]
    after = view[np.minimum(closing + 1, len(view) - 1)]
    is_opening = (before == ord(delimiter)) | (before == ord("\n")) | (opening == 0)
    is_closing = (after == ord(delimiter)) | (after == ord("\n")) | (after == ord("\r"))
    return bool(is_opening.all() and (is_closing | (closing == len(view) - 1)).all())


def _read_columns(data: bytes, layout: Layout, text_indices: Sequence[int]) -> list[Any]:
    """Return columns of text as strings, then the vectors' as bytes or the dimensions' as float32."""
    names = [str(index) for index in range(len(layout.columns))]
    vector_type = pa.float32() if layout.has_column_per_dimension else pa.binary()
    types = {names[index]: pa.string() for index in text_indices}
    types |= {names[index]: vector_type for index in layout.vector_indices}
    return _read_csv(data, names, types, arrow_csv.ParseOptions(delimiter=layout.delimiter))


def parse_texts(texts: Any, table: VectorTable) -> Vectors | None:
    """Return the vectors in an Arrow array of texts, as bytes, or None unless all are plainly good.

    Raises:
        pyarrow.ArrowInvalid: They are not.
    """
    vectors: Vectors | None = None
    if table.vector_type == "bit":
        vectors = from_bit_texts(texts, table)
    elif table.vector_type == "sparsevec":
        vectors = from_sparse_texts(texts, table)
    if vectors is None and (matrix := _parse_lists(texts, table)) is not None:
        vectors = from_matrix(matrix, table)
    return vectors


def _parse_lists(texts: Any, table: VectorTable) -> npt.NDArray[np.float32] | None:
    """Return the vectors in texts like "[1,2]" or "{1,2}".

    The texts lie in one piece of memory. With line ends written over the closing brackets it is a CSV file of
    a number a field.
    """
    bounds = np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, 4 * texts.offset)
    if texts.null_count or np.diff(bounds).min() < 2:
        return None
    data = bytearray(memoryview(texts.buffers()[2])[bounds[0] : bounds[-1]])
    offsets = bounds - bounds[0]
    view = np.frombuffer(data, np.uint8)
    first, last = offsets[:-1], offsets[1:] - 1
    brackets = (view[first] == ord("[")) & (view[last] == ord("]"))
    braces = (view[first] == ord("{")) & (view[last] == ord("}"))
    if not (brackets | braces).all():
        return None
    view[first], view[last] = ord(" "), ord("\n")
    names = [str(index) for index in range(table.dimension or 0)]
    options = arrow_csv.ParseOptions(quote_char=False)
    matrix = _matrix(_read_csv(data, names, dict.fromkeys(names, pa.float32()), options))
    return matrix if len(matrix) == len(texts) else None


def _read_csv(data: bytes | bytearray, names: list[str], types: dict[str, Any], parse: Any) -> list[Any]:
    table = arrow_csv.read_csv(
        pa.BufferReader(pa.py_buffer(data)),
        arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(data) + 1),
        parse,
        arrow_csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[]),
    )
    return [column.combine_chunks() for column in table.columns]


def _matrix(columns: Sequence[Any]) -> npt.NDArray[np.float32]:
    batch = pa.RecordBatch.from_arrays(columns, [str(index) for index in range(len(columns))])
    matrix: npt.NDArray[np.float32] = batch.to_tensor(row_major=True).to_numpy()
    return matrix


def _count_lines(data: bytes) -> int:
    return count_byte(data, b"\n") + (not data.endswith(b"\n"))
