"""JSON lines: an object a line, with the id, the vector as a list or a text, and other fields."""

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as arrow_json

from vectorops.database.columns import Column
from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import BadRowError, Batch, Block, Parsed, Reject
from vectorops.embeddings.blocks import count_byte, cut_blocks
from vectorops.embeddings.careful import check_text, to_batch
from vectorops.embeddings.columnar import to_batch as convert_rows
from vectorops.embeddings.csv_file import guess_id_type, read_head
from vectorops.embeddings.ids import parse_id
from vectorops.embeddings.layout import BYTE_ORDER_MARK, Columns, find_columns
from vectorops.embeddings.sources import Source
from vectorops.embeddings.streams import Meter, Readable, decompress, metered, read_pieces, skip
from vectorops.embeddings.text import BLANKS, quote
from vectorops.embeddings.vectors import Row, count_components, parse_components, parse_vector
from vectorops.errors import InputDataError

_LOOK_ROWS = 100
# Which of Arrow's types a JSON value must have for the fast way; every other column takes a string.
_FAST_TYPES = {
    **dict.fromkeys(("smallint", "integer", "bigint"), pa.int64()),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
}
_INTEGER = re.compile("-?[0-9]{1,30}", re.ASCII)
_JSON_TYPES = ("json", "jsonb")
# A short form of Infinity that Arrow takes for a number, and Python's reader does not.
_SHORT_INFINITY = re.compile(rb"Inf\s*[,\]}]")


class _Number(str):
    """A number as it is written."""


@dataclass(frozen=True)
class JsonFile:
    """A file of JSON lines whose beginning has been looked at.

    Attributes:
        source: Where it comes from.
        columns: Which field is what, by the first objects.
        dimensions: Of the first vectors, as far as they are well formed.
        id_type: "integer" or "bigint" when all ids of the first rows are such, else "varchar".
        has_number_ids: Whether the first id is a number.
        has_text_vectors: Whether the first vector is a text.
        mark_bytes: Length of the byte order mark.
    """

    source: Source
    columns: Columns
    dimensions: Sequence[int]
    id_type: str
    has_number_ids: bool
    has_text_vectors: bool
    mark_bytes: int
    _stream: Readable | None = None
    _taken: Sequence[bytes] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the fields that are neither id nor vector."""
        return self.columns.others

    def blocks(self, meter: Meter, wanted: Collection[str] = ()) -> Iterator[Block]:
        """Yield the lines in blocks, and let `meter` see every byte of the source."""
        stream = self._stream or self.source.open()
        with contextlib.closing(stream):
            raw = metered(chain(self._taken, read_pieces(stream)), meter)
            pieces = skip(decompress(self.source.name, raw), self.mark_bytes)
            yield from cut_blocks(self.source.name, pieces, 1)

    def parse(self, block: Block, table: VectorTable) -> Parsed:
        """Parse one of the blocks, by Arrow if nothing in it is unusual.

        Raises:
            InputDataError: It has a field for a column of the table that the first objects lack.
        """
        _refuse_late_fields(block, self.columns, table)
        batch = parse_fast(block, self, table)
        return Parsed(batch) if batch is not None else parse_carefully(block, self.columns, table)


def open_json(source: Source, id_names: Sequence[str], vector_names: Sequence[str]) -> JsonFile:
    """Look at the beginning of a file of JSON lines.

    Args:
        source: Closed again unless it can be opened only once.
        id_names: As for `files.open_file`.
        vector_names: As for `files.open_file`.

    Raises:
        InputDataError: No object is at its beginning, or none with such fields.
        AwsError: S3 refused.
    """
    stream = source.open()
    try:
        head, taken, is_whole = read_head(source.name, stream)
        mark_bytes = len(head) - len(head.removeprefix(BYTE_ORDER_MARK))
        whole = head if is_whole else head[: head.rfind(b"\n") + 1]
        objects = _first_objects(source.name, whole[mark_bytes:])
        names = tuple(dict.fromkeys(name for found in objects for name in found))
        columns = find_columns(source.name, names, id_names, vector_names)
        if columns.has_column_per_dimension:
            raise InputDataError(
                f"{source.name} has no field '{vector_names[0]}'", hint="a vector is a list: [0.1, -0.2]"
            )
    except BaseException:
        stream.close()
        raise
    ids = [found.get(names[columns.id_index]) for found in objects]
    vectors = [found.get(names[columns.vector_indices[0]]) for found in objects]
    counts = [
        len(vector) if isinstance(vector, list) else count_components(str(vector)) for vector in vectors
    ]
    file = JsonFile(
        source,
        columns,
        [count for count in counts if count],
        guess_id_type([str(row_id) for row_id in ids]),
        isinstance(ids[0], _Number),
        isinstance(vectors[0], str),
        mark_bytes,
        stream,
        taken,
    )
    if source.can_reopen:
        stream.close()
        return replace(file, _stream=None, _taken=())
    return file


def parse_fast(block: Block, file: JsonFile, table: VectorTable) -> Batch | None:
    """Parse a block at once, or return None when the careful parser has to."""
    lines = count_byte(block.data, b"\n") + (not block.data.endswith(b"\n"))
    fields = _fast_fields(file, table)
    if fields is None or _is_read_otherwise(block.data):
        return None
    try:
        rows = arrow_json.read_json(
            pa.BufferReader(block.data),
            arrow_json.ReadOptions(use_threads=False, block_size=len(block.data) + 1),
            arrow_json.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"),
        ).combine_chunks()
        if rows.num_rows != lines:
            return None
        rows = rows.select([name for name, _ in fields]).to_batches()[0]
        rows.validate(full=True)
        columns = Columns(tuple(rows.schema.names), 0, (1,), has_column_per_dimension=False)
        return convert_rows(rows, np.arange(block.first_line, block.first_line + lines), columns, table)
    except (pa.ArrowException, BadRowError):
        return None


def parse_carefully(block: Block, columns: Columns, table: VectorTable) -> Parsed:
    """Parse a block line by line, with a reason for each line that cannot be loaded."""
    rows: list[tuple[Any, Row, list[str | None]]] = []
    lines: list[int] = []
    rejects: list[Reject] = []
    for number, line in enumerate(block.data.split(b"\n"), start=block.first_line):
        text = line.decode("utf-8", "surrogateescape").removesuffix("\r")
        if not text.strip(BLANKS):
            continue
        try:
            rows.append(_parse_line(text, columns, table))
        except BadRowError as exc:
            rejects.append(Reject(block.source, number, str(exc), text))
        else:
            lines.append(number)
    return Parsed(to_batch(rows, lines, table), tuple(rejects))


def _refuse_late_fields(block: Block, columns: Columns, table: VectorTable) -> None:
    names = {name.casefold() for name in table.unfilled}
    names -= {name.casefold() for name in columns.columns}
    data = block.data.lower() if names else b""
    keys = (re.escape(json.dumps(name, ensure_ascii=False).encode()) for name in names)
    if not any(re.search(key + rb"\s*:", data) for key in keys):
        return
    for number, line in enumerate(block.data.split(b"\n"), start=block.first_line):
        with contextlib.suppress(BadRowError):
            for field, value in _object(line.decode("utf-8", "surrogateescape")).items():
                if value is not None and field.casefold() in names:
                    raise InputDataError(
                        f"{block.source} line {number} has a field '{field}' that the first lines lack",
                        why="which columns are loaded is told by the first lines",
                        hint="give the first line every field, null where it has no value",
                    )


def _is_read_otherwise(data: bytes) -> bool:
    """Say whether something is in the lines that Arrow takes, and the careful parser does not."""
    return b"\0" in data or data.startswith(BYTE_ORDER_MARK) or _SHORT_INFINITY.search(data) is not None


def _fast_fields(file: JsonFile, table: VectorTable) -> list[tuple[str, Any]] | None:
    """Return the names and types for Arrow, or None when it would lose something."""
    columns = file.columns
    if any(column.type in _JSON_TYPES for column in table.metadata):
        return None
    fields = [
        (columns.columns[columns.id_index], pa.int64() if file.has_number_ids else pa.string()),
        (
            columns.columns[columns.vector_indices[0]],
            pa.string() if file.has_text_vectors else pa.list_(pa.float32()),
        ),
    ]
    for column in table.metadata:
        name = columns.columns[columns.index_of(column.name)]
        fields.append((name, _FAST_TYPES.get(column.type, pa.string())))
    return fields


def _parse_line(text: str, columns: Columns, table: VectorTable) -> tuple[Any, Row, list[str | None]]:
    found = _object(text)
    names = columns.columns
    row_id = found.get(names[columns.id_index])
    if not isinstance(row_id, str):
        raise BadRowError(
            "the id is missing" if row_id is None else "the id is neither a string nor a number"
        )
    if isinstance(row_id, _Number) and _INTEGER.fullmatch(row_id):
        row_id = str(int(row_id))  # "-0" is the integer 0.
    vector = _vector(found.get(names[columns.vector_indices[0]]), table)
    values = [_text(found.get(names[columns.index_of(c.name)]), c) for c in table.metadata]
    return parse_id(row_id, table), vector, values


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
    except (ValueError, RecursionError) as exc:
        raise BadRowError(f"not valid JSON ({exc})") from exc
    if not isinstance(found, dict):
        raise BadRowError("not a JSON object")
    return found


def _vector(value: Any, table: VectorTable) -> Row:
    if value is None:
        raise BadRowError("the vector is missing")
    if isinstance(value, str) and not isinstance(value, _Number):
        return parse_vector(value, table)
    if not isinstance(value, list):
        raise BadRowError("the vector is no list")
    for position, item in enumerate(value, start=1):
        if not isinstance(item, _Number):
            shown = "empty" if item is None else f"{quote(str(item))}, not a number"
            raise BadRowError(f"component {position} of the vector is {shown}")
    if not value:
        raise BadRowError("the vector is empty")
    return parse_components(value, table)


def _text(value: Any, column: Column) -> str | None:
    """Return a field's value as the text that stands for it."""
    if value is None:
        return None
    if column.type in _JSON_TYPES:
        return check_text(_to_json(value), column)
    if isinstance(value, bool):
        return check_text("true" if value else "false", column)
    if isinstance(value, str):
        return check_text(str(value), column)
    raise BadRowError(f"column {column.name} is a list or an object; it takes one value")


def _to_json(value: Any) -> str:
    """Return JSON with the numbers as they were written."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_to_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_to_json, value)) + "]"
    return json.dumps(value)


def _first_objects(source: str, head: bytes) -> list[dict[str, Any]]:
    found = []
    for line in head.split(b"\n")[:_LOOK_ROWS]:
        with contextlib.suppress(BadRowError):
            found.append(_object(line.decode("utf-8", "surrogateescape")))
    if not found:
        raise InputDataError(
            f"{source} is no file of JSON lines",
            hint='each line is an object: {"id": "a", "embedding": [0.1]}',
        )
    return found
