"""The careful parser: one record at a time, with a reason for each that cannot be loaded."""

from typing import Any

import numpy as np
import pyarrow as pa

from vectorops.database.columns import Column
from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import BadRowError, Batch, Block, Parsed, Reject
from vectorops.embeddings.ids import id_arrow_type, parse_id
from vectorops.embeddings.layout import Layout
from vectorops.embeddings.metadata import convert
from vectorops.embeddings.records import Record, check_shape, read_records, vector_of
from vectorops.embeddings.vectors import Row, stack


def parse_carefully(block: Block, layout: Layout, table: VectorTable) -> Parsed:
    """Parse a block row by row.

    Args:
        block: Whole records.
        layout: Of the file.
        table: Where the rows are to go, with its dimension known.
    """
    rows: list[tuple[str | int | bytes, Row, list[str | None]]] = []
    lines: list[int] = []
    rejects: list[Reject] = []
    for record in read_records(block.data, block.first_line, layout.delimiter):
        try:
            rows.append(_parse_record(record, layout, table))
        except BadRowError as exc:
            rejects.append(Reject(block.source, record.line, str(exc), record.text))
        else:
            lines.append(record.line)
    return Parsed(to_batch(rows, lines, table), tuple(rejects))


def to_batch(rows: list[tuple[Any, Row, list[str | None]]], lines: list[int], table: VectorTable) -> Batch:
    """Put rows of (id, vector, metadata), each of them good, together."""
    columns = [[texts[index] for _, _, texts in rows] for index in range(len(table.metadata))]
    return Batch(
        pa.array([row_id for row_id, _, _ in rows], id_arrow_type(table)),
        stack([vector for _, vector, _ in rows], table),
        np.array(lines, np.int64),
        tuple(
            convert(pa.array(texts, pa.string()), column)
            for texts, column in zip(columns, table.metadata, strict=True)
        ),
    )


def check_text(text: str | None, column: Column) -> str | None:
    """Return a column's value in one row, None for NULL.

    Raises:
        BadRowError: The column does not take it.
    """
    try:
        value = pa.array([text], pa.string())
    except UnicodeEncodeError:
        raise BadRowError(f"column {column.name} is not valid UTF-8") from None
    convert(value, column)
    return text


def _parse_record(
    record: Record, layout: Layout, table: VectorTable
) -> tuple[str | int | bytes, Row, list[str | None]]:
    fields = check_shape(record, layout)
    row_id = parse_id(fields[layout.id_index], table)
    vector = vector_of(fields, layout, table)
    # An empty field is NULL, as it is for PostgreSQL's own COPY of CSV.
    texts = [check_text(fields[layout.index_of(column.name)] or None, column) for column in table.metadata]
    return row_id, vector, texts
