"""Batches to PostgreSQL's binary COPY format."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import Batch, SparseRows, Vectors
from vectorops.embeddings.ids import INTEGER_BYTES
from vectorops.embeddings.metadata_encoder import encode_metadata

# PostgreSQL manual, COPY, "Binary Format": signature, no flags, no header extension; -1 fields end the data.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_ELEMENTS = {"vector": ">f4", "halfvec": ">f2"}


def encode(batch: Batch, table: VectorTable, source: int | None) -> Iterator[memoryview]:
    """Yield the rows (id, vector, metadata, source, line) of a batch as `vector_recv` and its like take them.

    The fields are Arrow arrays of bytes, joined row by row, so no Python code runs per row.

    Args:
        batch: Validated for `table`.
        table: Whose id, vector and metadata types count.
        source: Number of the file in the load, or None to leave source and line out of the rows.
    """
    rows = len(batch)
    if not rows:
        return
    fields = [_ids(batch.ids, table), encode_vectors(batch.vectors, table.vector_type)]
    fields += map(encode_metadata, batch.metadata, table.metadata)
    if source is not None:
        fields += [fixed(np.full(rows, source, ">i4")), fixed(batch.lines.astype(">i8"))]
    pieces = [fixed(np.full(rows, len(fields), ">i2"))]
    for field in fields:
        pieces += [_lengths(field), field.fill_null(b"") if field.null_count else field]
    yield _bytes_of(pc.binary_join_element_wise(*pieces, b""))


def encode_vectors(vectors: Vectors, vector_type: str) -> Any:
    """Return vectors as an Arrow array of what the type's receive function takes.

    Source: pgvector's vector.c, halfvec.c and sparsevec.c; PostgreSQL's varbit.c.
    """
    if isinstance(vectors, SparseRows):
        return _sparse(vectors)
    rows, dimension = vectors.shape
    if vector_type == "bit":
        packed = np.packbits(vectors != 0, axis=1)
        records = np.empty(rows, [("dimension", ">i4"), ("bits", np.uint8, (packed.shape[1],))])
        records["bits"] = packed
    else:
        elements = (_ELEMENTS[vector_type], (dimension,))
        records = np.empty(rows, [("dimension", ">i2"), ("unused", ">i2"), ("elements", *elements)])
        records["unused"] = 0
        records["elements"] = vectors
    records["dimension"] = dimension
    return fixed(records)


def fixed(values: npt.NDArray[Any]) -> Any:
    """Return the items of a contiguous array as an Arrow array of their bytes."""
    size = values.dtype.itemsize
    offsets = np.arange(0, (len(values) + 1) * size, size, dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.binary(), len(values), buffers)


def _ids(ids: Any, table: VectorTable) -> Any:
    if table.id_type in INTEGER_BYTES:
        return fixed(ids.to_numpy().astype(f">i{INTEGER_BYTES[table.id_type]}"))
    return ids.cast(pa.binary())


def _sparse(rows: SparseRows) -> Any:
    header = np.zeros(len(rows.counts), [("dimension", ">i4"), ("count", ">i4"), ("unused", ">i4")])
    header["dimension"] = rows.dimension
    header["count"] = rows.counts
    offsets = pa.py_buffer(np.concatenate([[0], np.cumsum(rows.counts) * 4]).astype(np.int32))
    parts = [
        pa.Array.from_buffers(pa.binary(), len(rows.counts), [None, offsets, pa.py_buffer(words)])
        for words in (rows.indices.astype(">i4"), rows.values.astype(">f4"))
    ]
    return pc.binary_join_element_wise(fixed(header), *parts, b"")


def _lengths(field: Any) -> Any:
    lengths = pc.binary_length(field)
    return fixed(lengths.fill_null(-1).to_numpy().astype(">i4"))


def _bytes_of(array: Any) -> memoryview:
    first, last = np.frombuffer(array.buffers()[1], np.int32)[[array.offset, array.offset + len(array)]]
    return memoryview(array.buffers()[2])[int(first) : int(last)]
