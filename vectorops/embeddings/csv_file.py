"""CSV files: a look at the beginning, then block after block."""

import contextlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import BadRowError, Block, Parsed
from vectorops.embeddings.blocks import cut_blocks, record_end
from vectorops.embeddings.layout import Layout, detect_layout
from vectorops.embeddings.reader import parse_block
from vectorops.embeddings.records import check_shape, read_records
from vectorops.embeddings.sources import Source
from vectorops.embeddings.streams import Meter, Readable, decompress, metered, read_pieces, skip
from vectorops.embeddings.text import BLANKS
from vectorops.embeddings.vectors import count_components
from vectorops.errors import NoRowsError

_HEAD_BYTES = 1 << 20
_ROWS_COMPARED = 10
# As PostgreSQL prints integers: "007" and "+7" are texts that would not come back.
_PLAIN_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose beginning has been looked at.

    Attributes:
        source: Where it comes from.
        layout: How it is to be read.
        dimensions: Of the first vectors, as far as they are well formed.
        id_type: "integer" or "bigint" when all ids of the first rows are such, else "varchar".
    """

    source: Source
    layout: Layout
    dimensions: Sequence[int]
    id_type: str
    _stream: Readable | None = None
    _taken: Sequence[bytes] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the columns that are neither id nor vector."""
        return self.layout.others

    def parse(self, block: Block, table: VectorTable) -> Parsed:
        """Parse one of the blocks, fast if nothing in it is unusual."""
        return parse_block(block, self.layout, table)

    def blocks(self, meter: Meter, wanted: Collection[str] = ()) -> Iterator[Block]:
        """Yield the records after the header, and let `meter` see every byte of the source."""
        stream = self._stream or self.source.open()
        with contextlib.closing(stream):
            raw = metered(chain(self._taken, read_pieces(stream)), meter)
            pieces = skip(decompress(self.source.name, raw), self.layout.header_bytes)
            yield from cut_blocks(self.source.name, pieces, self.layout.first_line)


def open_csv(source: Source, id_names: Sequence[str], vector_names: Sequence[str]) -> CsvFile:
    """Look at the beginning of a CSV file.

    Args:
        source: Closed again unless it can be opened only once.
        id_names: What the id column may be called, the best first.
        vector_names: What a column of whole vectors may be called, the best first.

    Raises:
        InputDataError: It is empty, binary, damaged, without rows, or has no such columns.
        AwsError: S3 refused.
    """
    stream = source.open()
    try:
        head, taken, is_whole = read_head(source.name, stream)
        layout = detect_layout(source.name, head, id_names, vector_names)
        rows = _first_rows(source.name, head, is_whole, layout)
    except BaseException:
        stream.close()
        raise
    id_type = guess_id_type([row[layout.id_index] for row in rows])
    file = CsvFile(source, layout, _dimensions(rows, layout), id_type, stream, taken)
    if source.can_reopen:
        stream.close()
        return replace(file, _stream=None, _taken=())
    return file


def read_head(source: str, stream: Readable) -> tuple[bytes, list[bytes], bool]:
    """Return the beginning, decompressed, what was read for it, as stored, and whether it is all there is."""
    taken: list[bytes] = []
    head = bytearray()
    pieces = decompress(source, _remembered(read_pieces(stream), taken))
    while len(head) < _HEAD_BYTES:
        piece = next(pieces, None)
        if piece is None:
            return bytes(head), taken, True
        head += piece
    return bytes(head), taken, False


def _remembered(pieces: Iterator[bytes], taken: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        taken.append(piece)
        yield piece


def _first_rows(source: str, head: bytes, is_whole: bool, layout: Layout) -> list[Sequence[str]]:
    """Return the well-formed records in the head."""
    data = head[layout.header_bytes :]
    if is_whole and not data.strip(BLANKS.encode()):
        raise NoRowsError(f"{source} has a header and no rows")
    whole = data if is_whole else data[: record_end(data) or data.rfind(b"\n") + 1]
    rows = []
    for record in read_records(whole, layout.first_line, layout.delimiter):
        with contextlib.suppress(BadRowError):
            rows.append(check_shape(record, layout))
    return rows


def _dimensions(rows: Sequence[Sequence[str]], layout: Layout) -> list[int]:
    if layout.has_column_per_dimension:
        return [len(layout.vector_indices)]
    texts = [row[layout.vector_indices[0]] for row in islice(rows, _ROWS_COMPARED)]
    return [count for text in texts if (count := count_components(text))]


def guess_id_type(ids: Sequence[str]) -> str:
    """Return the type of column that ids fit: integer, bigint or varchar."""
    if not ids or not all(_PLAIN_INTEGER.fullmatch(row_id) for row_id in ids):
        return "varchar"
    return "integer" if all(-(1 << 31) <= int(row_id) < 1 << 31 for row_id in ids) else "bigint"
