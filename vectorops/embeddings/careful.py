"""The careful parser: one record at a time, with a reason for each that cannot be loaded."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import BadRowError, Batch, Block, Parsed, Reject
from vectorops.embeddings.ids import id_arrow_type, parse_id
from vectorops.embeddings.layout import Layout
from vectorops.embeddings.numbers import parse_numbers
from vectorops.embeddings.records import Record, check_shape, read_records, vector_tokens


def parse_carefully(block: Block, layout: Layout, table: VectorTable) -> Parsed:
    """Parse a block row by row.

    Args:
        block: Whole records.
        layout: Of the file.
        table: Where the rows are to go, with its dimension known.
    """
    ids: list[str | int | bytes] = []
    vectors: list[npt.NDArray[np.float32]] = []
    lines: list[int] = []
    rejects: list[Reject] = []
    for record in read_records(block.data, block.first_line, layout.delimiter):
        try:
            row_id, vector = _parse_record(record, layout, table)
        except BadRowError as exc:
            rejects.append(Reject(block.source, record.line, str(exc), record.text))
        else:
            ids.append(row_id)
            vectors.append(vector)
            lines.append(record.line)
    matrix = np.stack(vectors) if vectors else np.empty((0, table.dimension or 0), np.float32)
    batch = Batch(pa.array(ids, id_arrow_type(table)), matrix, np.array(lines, np.int64))
    return Parsed(batch, tuple(rejects))


def _parse_record(
    record: Record, layout: Layout, table: VectorTable
) -> tuple[str | int | bytes, npt.NDArray[np.float32]]:
    fields = check_shape(record, layout)
    row_id = parse_id(fields[layout.id_index], table)
    tokens = vector_tokens(fields, layout)
    if len(tokens) != table.dimension:
        raise BadRowError(
            f"the vector has {len(tokens)} dimensions, column {table.vector_column} of {table.name} takes"
            f" {table.dimension}"
        )
    return row_id, parse_numbers(tokens, table.vector_type)
