"""Batches to PostgreSQL's binary COPY format."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import Batch
from vectorops.embeddings.ids import INTEGER_BYTES

# PostgreSQL manual, COPY, "Binary Format": signature, no flags, no header extension; -1 fields end the data.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_ELEMENTS = {"vector": ">f4", "halfvec": ">f2"}
_PLACE = [("source_bytes", ">i4"), ("source", ">i4"), ("line_bytes", ">i4"), ("line", ">i8")]


def encode(batch: Batch, table: VectorTable, source: int | None) -> Iterator[memoryview]:
    """Yield the rows (id, vector, source, line) of a batch as `vector_recv` and its like take them.

    All rows whose ids have the same length are one array, so no Python code runs per row. The rows come
    grouped by that length; order is in their line numbers.

    Args:
        batch: Validated for `table`.
        table: Whose id and vector types count.
        source: Number of the file in the load, or None to leave source and line out of the rows.
    """
    if table.id_type in INTEGER_BYTES:
        size = INTEGER_BYTES[table.id_type]
        yield _records(batch, batch.ids.to_numpy().astype(f">i{size}"), table, source)
        return
    lengths = pc.binary_length(batch.ids).to_numpy()
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        part = batch if len(rows) == len(batch) else _take(batch, rows)
        yield _records(part, _fixed_width(part.ids, int(length)), table, source)


def _records(batch: Batch, ids: Any, table: VectorTable, source: int | None) -> memoryview:
    elements = np.dtype(_ELEMENTS[table.vector_type])
    dimension = batch.vectors.shape[1]
    fields: list[Any] = [
        ("fields", ">i2"),
        ("id_bytes", ">i4"),
        ("id", ids.dtype),
        ("vector_bytes", ">i4"),
        ("dimension", ">i2"),
        ("unused", ">i2"),
        ("elements", elements, (dimension,)),
    ]
    records = np.zeros(len(batch), fields + (_PLACE if source is not None else []))
    records["fields"] = 2 if source is None else 4
    records["id_bytes"] = ids.dtype.itemsize
    records["id"] = ids
    records["vector_bytes"] = 4 + dimension * elements.itemsize
    records["dimension"] = dimension
    records["elements"] = batch.vectors
    if source is not None:
        records["source_bytes"] = 4
        records["source"] = source
        records["line_bytes"] = 8
        records["line"] = batch.lines
    return records.view(np.uint8).data


def _take(batch: Batch, rows: Any) -> Batch:
    return Batch(batch.ids.take(pa.array(rows)), batch.vectors[rows], batch.lines[rows])


def _fixed_width(ids: Any, length: int) -> Any:
    """Return strings or binary values of one length as an array of that many bytes each."""
    data = ids.cast(pa.binary(length)).buffers()[1]
    return np.frombuffer(data, f"V{length}", len(ids), ids.offset * length)
