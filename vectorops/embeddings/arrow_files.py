"""Parquet files, and Arrow's own files and streams."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import Parsed
from vectorops.embeddings.columnar import (
    BLOCK_BYTES,
    RowBlock,
    check_types,
    parse_rows,
    rows_per_block,
    summarize,
)
from vectorops.embeddings.layout import Columns, find_columns
from vectorops.embeddings.seekable import damage_named, open_pieces, open_seekable
from vectorops.embeddings.sources import Source
from vectorops.embeddings.streams import Meter
from vectorops.errors import InputDataError, NoRowsError

PARQUET = b"PAR1"
ARROW_FILE = b"ARROW1"
ARROW_STREAM = b"\xff\xff\xff\xff"
# Arrow, "IPC File Format": a signature padded to 8 bytes, a stream, and an index of it.
_ARROW_PADDED = 8
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
_LOOK_ROWS = 10
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class ColumnFile:
    """A file of Arrow columns whose beginning has been looked at.

    Attributes:
        source: Where it comes from.
        columns: Which column is what.
        dimensions: Of the first vectors.
        id_type: "integer", "bigint", "uuid" or "varchar", by the first ids.
        kind: PARQUET, ARROW_FILE or ARROW_STREAM.
    """

    source: Source
    columns: Columns
    dimensions: Sequence[int]
    id_type: str
    kind: bytes

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the columns that are neither id nor vector."""
        return self.columns.others

    def blocks(self, meter: Meter, wanted: Collection[str] = ()) -> Iterator[tuple[RowBlock, Columns]]:
        """Yield the rows in blocks, of id, vectors and the wanted columns; `meter` sees every byte."""
        columns, kept = _narrowed(self.columns, wanted)
        first_row = 1
        with damage_named(self.source.name):
            for batch in self._batches(meter, kept):
                batch.validate(full=True)
                size = rows_per_block(batch)
                for start in range(0, batch.num_rows, size):
                    rows = batch.slice(start, size)
                    yield RowBlock(self.source.name, first_row, rows), columns
                    first_row += rows.num_rows

    def parse(self, block: tuple[RowBlock, Columns], table: VectorTable) -> Parsed:
        """Parse one of the blocks."""
        rows, columns = block
        return parse_rows(rows, columns, table)

    def _batches(self, meter: Meter, kept: Sequence[int]) -> Iterator[Any]:
        if self.kind != PARQUET:
            for batch in _stream_batches(self.source, self.kind, meter):
                yield batch.select(kept)
            return
        with open_seekable(self.source, meter) as file, _open_parquet(file) as reader:
            names = [reader.schema_arrow.names[index] for index in kept]
            per_block = _parquet_rows_per_block(reader)
            for batch in reader.iter_batches(per_block, columns=names, use_threads=False):
                yield batch.select(names)


def open_columns(
    source: Source, id_names: Sequence[str], vector_names: Sequence[str], kind: bytes
) -> ColumnFile:
    """Look at the beginning of a Parquet or Arrow file.

    Args:
        source: One that can be reopened.
        id_names: As for `files.open_file`.
        vector_names: As for `files.open_file`.
        kind: PARQUET, ARROW_FILE or ARROW_STREAM, with which it begins.

    Raises:
        InputDataError: It is damaged, without rows, or has no such columns, or none of types that fit.
        AwsError: S3 refused.
    """
    with damage_named(source.name):
        rows = _first_rows(source, kind)
        if rows is None:
            raise NoRowsError(f"{source.name} has no rows")
        names = rows.schema.names
        if len(set(names)) < len(names):
            raise InputDataError(f"{source.name} has two columns of the same name")
        columns = find_columns(source.name, names, id_names, vector_names)
        check_types(source.name, rows.schema, columns)
        rows.validate(full=True)
        dimensions, id_type = summarize(rows, columns)
    return ColumnFile(source, columns, dimensions, id_type, kind)


def _narrowed(columns: Columns, wanted: Collection[str]) -> tuple[Columns, list[int]]:
    """Return the columns that are left when only id, vectors and the wanted are kept, and which those are."""
    kept = [columns.id_index, *columns.vector_indices, *(columns.index_of(name) for name in wanted)]
    vectors = tuple(range(1, 1 + len(columns.vector_indices)))
    names = tuple(columns.columns[index] for index in kept)
    return Columns(names, 0, vectors, columns.has_column_per_dimension), kept


def _first_rows(source: Source, kind: bytes) -> Any:
    """Return a few rows, or None when there are none."""
    if kind != PARQUET:
        return next(
            (rows.slice(0, _LOOK_ROWS) for rows in _stream_batches(source, kind) if rows.num_rows), None
        )
    with open_seekable(source) as file, _open_parquet(file) as reader:
        batches = reader.iter_batches(_LOOK_ROWS, use_threads=False)
        return next((rows for rows in batches if rows.num_rows), None)


def _open_parquet(file: Any) -> Any:
    # Small reads: a row group may be larger than memory is to grow.
    return pq.ParquetFile(
        pa.PythonFile(file, mode="r"),
        buffer_size=_READ_BYTES,
        pre_buffer=False,
        page_checksum_verification=True,
    )


def _parquet_rows_per_block(reader: Any) -> int:
    metadata = reader.metadata
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    return max(1, min(65_536, BLOCK_BYTES * max(1, int(metadata.num_rows)) // max(1, int(size))))


def _stream_batches(source: Source, kind: bytes, meter: Meter | None = None) -> Iterator[Any]:
    with open_pieces(source, meter) as pieces:
        if kind == ARROW_FILE:
            pieces.read(_ARROW_PADDED)
        yield from pa.ipc.open_stream(pa.PythonFile(pieces, mode="r"))
        end = pieces.tail
        while pieces.read(_READ_BYTES):
            pass
        if not end.endswith(_END_OF_STREAM) or (kind == ARROW_FILE and not pieces.tail.endswith(ARROW_FILE)):
            raise InputDataError(
                f"{source.name} is cut short",
                why="its end mark is missing",
                hint="copy or download the file again",
            )
