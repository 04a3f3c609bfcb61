"""Rows in Arrow's columns, as Parquet, Arrow, NumPy and JSON files give them, converted together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import BadRowError, Batch, Parsed, Reject, Vectors
from vectorops.embeddings.fast import parse_texts
from vectorops.embeddings.ids import INTEGER_BYTES, id_arrow_type, parse_id, parse_ids
from vectorops.embeddings.layout import Columns
from vectorops.embeddings.metadata import convert
from vectorops.embeddings.numbers import fits_type
from vectorops.embeddings.text import quote
from vectorops.embeddings.vectors import (
    MAX_NONZERO,
    check_dimension,
    count_components,
    from_matrix,
    parse_vector,
    stack,
)
from vectorops.errors import InputDataError

BLOCK_BYTES = 2 << 20


@dataclass(frozen=True)
class RowBlock:
    """Some rows of a file.

    Attributes:
        source: Name of the file, for messages.
        first_row: Number of the first; the first of the file is 1.
        rows: Arrow record batch, with all columns of the file.
    """

    source: str
    first_row: int
    rows: Any


def parse_rows(block: RowBlock, columns: Columns, table: VectorTable) -> Parsed:
    """Check and convert rows; those that cannot be loaded are found by halving.

    Args:
        block: Whose columns are those of `columns`.
        columns: Of the file.
        table: Where the rows are to go, with its dimension known.
    """
    numbers = np.arange(block.first_row, block.first_row + block.rows.num_rows)
    try:
        return Parsed(to_batch(block.rows, numbers, columns, table))
    except BadRowError:
        bad = find_bad_rows(block.rows, columns, table)
    is_good = np.ones(len(numbers), bool)
    is_good[list(bad)] = False
    batch = to_batch(block.rows.filter(pa.array(is_good)), numbers[is_good], columns, table)
    rejects = (
        Reject(block.source, block.first_row + row, reason, _show(block.rows, row, columns))
        for row, reason in bad.items()
    )
    return Parsed(batch, tuple(rejects))


def find_bad_rows(rows: Any, columns: Columns, table: VectorTable) -> dict[int, str]:
    """Return why rows cannot be loaded, by their position, in order."""
    if not rows.num_rows:
        return {}
    try:
        to_batch(rows, np.arange(rows.num_rows), columns, table)
    except BadRowError as exc:
        if rows.num_rows == 1:
            return {0: str(exc)}
        half = rows.num_rows // 2
        second = find_bad_rows(rows.slice(half), columns, table)
        first = find_bad_rows(rows.slice(0, half), columns, table)
        return first | {half + row: reason for row, reason in second.items()}
    return {}


def to_batch(rows: Any, lines: npt.NDArray[np.int64], columns: Columns, table: VectorTable) -> Batch:
    """Convert rows.

    Raises:
        BadRowError: One cannot be loaded.
    """
    return Batch(
        _ids(plain(rows.column(columns.id_index)), table),
        _vectors([plain(rows.column(index)) for index in columns.vector_indices], columns, table),
        lines,
        tuple(
            convert(plain(rows.column(columns.index_of(column.name))), column) for column in table.metadata
        ),
    )


def plain(values: Any) -> Any:
    """Return an array without what only says how it is stored: dictionaries, extensions, long offsets."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    is_text = pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type)
    return values.cast(pa.string()) if is_text else values


def check_types(source: str, schema: Any, columns: Columns) -> None:
    """Refuse a file whose ids or vectors are of a type that is none for them.

    Raises:
        InputDataError: They are.
    """
    id_type = _stored(schema.field(columns.id_index).type)
    is_id = pa.types.is_integer(id_type) or _is_text(id_type) or id_type == pa.binary(16)
    if not is_id:
        raise InputDataError(
            f"{source} has ids of type {id_type}", hint="ids are strings, integers, or UUIDs of 16 bytes"
        )
    for index in columns.vector_indices:
        kind = _stored(schema.field(index).type)
        element = _stored(kind.value_type) if _is_list(kind) else kind
        is_number = (
            pa.types.is_integer(element) or pa.types.is_floating(element) or pa.types.is_boolean(element)
        )
        is_one = _is_list(kind) != columns.has_column_per_dimension and is_number
        if not is_one and not (_is_text(kind) and not columns.has_column_per_dimension):
            raise InputDataError(
                f"{source} has vectors of type {kind}",
                hint="they are lists of numbers, texts such as [1,2,3], or a column of numbers per dimension",
            )


def summarize(rows: Any, columns: Columns) -> tuple[list[int], str]:
    """Return the dimensions of the vectors in the first rows, and the type of column their ids fit."""
    ids = plain(rows.column(columns.id_index)).drop_null()
    id_type = "varchar"
    if ids.type == pa.binary(16):
        id_type = "uuid"
    elif pa.types.is_integer(ids.type) and len(ids):
        least, greatest = pc.min_max(ids).as_py().values()
        id_type = "integer" if least >= -(1 << 31) and greatest < 1 << 31 else "bigint"
    if columns.has_column_per_dimension:
        return [len(columns.vector_indices)], id_type
    vectors = plain(rows.column(columns.vector_indices[0])).drop_null()
    if _is_text(vectors.type):
        counts = [count_components(text) for text in vectors.to_pylist()]
        return [count for count in counts if count], id_type
    return [len(vector) for vector in vectors.to_pylist()], id_type


def rows_per_block(rows: Any) -> int:
    """Return how many rows like these make a block of about 2 MB."""
    return max(1, BLOCK_BYTES * max(1, int(rows.num_rows)) // max(1, int(rows.nbytes)))


def _stored(kind: Any) -> Any:
    while isinstance(kind, pa.BaseExtensionType) or pa.types.is_dictionary(kind):
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind.storage_type
    return kind


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _ids(values: Any, table: VectorTable) -> Any:
    if values.null_count:
        raise BadRowError("the id is missing")
    if table.id_type == "uuid" and values.type == pa.binary(16):
        return values
    if pa.types.is_integer(values.type):
        if table.id_type in INTEGER_BYTES:
            return _integers(values, table)
        values = values.cast(pa.string())
    if not _is_text(values.type):
        raise BadRowError(f"the id is of type {values.type}; column {table.id_column} is {table.id_type}")
    ids = parse_ids(values, table)
    if ids is not None:
        return ids
    return pa.array([parse_id(text, table) for text in values.to_pylist()], id_arrow_type(table))


def _integers(values: Any, table: VectorTable) -> Any:
    limit = 1 << (8 * INTEGER_BYTES[table.id_type] - 1)
    least, greatest = pc.min_max(values).as_py().values() if len(values) else (0, 0)
    if least < -limit or greatest >= limit:
        for value in values.to_pylist():
            parse_id(str(value), table)
    return values.cast(pa.int64())


def _vectors(columns: list[Any], layout: Columns, table: VectorTable) -> Vectors:
    if any(column.null_count for column in columns):
        raise BadRowError("the vector is missing" if len(columns) == 1 else "the vector is not complete")
    if _is_text(columns[0].type):
        return _from_texts(columns[0], table)
    if layout.has_column_per_dimension:
        check_dimension(len(columns), table)
        numbers = np.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
    else:
        numbers = _from_lists(columns[0], table)
    with np.errstate(over="ignore"):
        matrix = numbers.astype(np.float32, copy=False)
    vectors = from_matrix(matrix, table)
    if vectors is None:
        raise BadRowError(_why_not(numbers, matrix, table))
    return vectors


def _from_texts(texts: Any, table: VectorTable) -> Vectors:
    try:
        vectors = parse_texts(texts.cast(pa.binary()), table) if len(texts) else None
    except pa.ArrowInvalid:
        vectors = None
    if vectors is None:
        return stack([parse_vector(text, table) for text in texts.to_pylist()], table)
    return vectors


def _from_lists(lists: Any, table: VectorTable) -> npt.NDArray[Any]:
    for length in pc.unique(pc.list_value_length(lists)).to_pylist():
        check_dimension(length, table)
    values = lists.flatten()
    if values.null_count:
        position = int(np.argmin(values.is_valid().to_numpy(zero_copy_only=False))) % (table.dimension or 1)
        raise BadRowError(f"component {position + 1} of the vector is empty")
    numbers: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(
        len(lists), table.dimension or 0
    )
    return numbers


def _why_not(numbers: npt.NDArray[Any], matrix: npt.NDArray[np.float32], table: VectorTable) -> str:
    fits = np.array([fits_type(column[:, None], table.vector_type) for column in matrix.T])
    if fits.all():
        return f"the vector has more than {MAX_NONZERO} numbers that are not 0"
    index = int(np.argmin(fits))
    value = numbers[0, index]
    if not np.isfinite(value):
        return f"component {index + 1} of the vector is {value}; only finite numbers can be searched"
    return (
        f"component {index + 1} of the vector, {quote(str(value))}, is out of range for {table.vector_type}"
    )


def _show(rows: Any, row: int, columns: Columns) -> str:
    """Return a row's id and the other columns, for the rejects file; the vector stays in the source."""
    shown = {
        name: rows.column(index)[row].as_py()
        for index, name in enumerate(columns.columns)
        if index not in columns.vector_indices
    }
    return str(shown)
