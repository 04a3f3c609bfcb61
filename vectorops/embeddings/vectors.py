"""The vectors of many rows, dense or sparse, and what each type of column makes of them."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import BadRowError, SparseRows, Vectors
from vectorops.embeddings.numbers import fits_type, parse_numbers
from vectorops.embeddings.text import BLANKS, quote

# pgvector README, "Sparse vectors": up to 16,000 elements that are not 0. The first index is 1.
MAX_NONZERO = 16_000
_SPARSE = re.compile(r"\{(.*)\}/([0-9]{1,10})", re.ASCII | re.DOTALL)
_ENTRY = re.compile(r"([1-9][0-9]{0,9})[ \t]*:(.*)", re.ASCII | re.DOTALL)
_PLAIN_SPARSE = r"^\{([1-9][0-9]{0,8}:[0-9.eE+-]+(,[1-9][0-9]{0,8}:[0-9.eE+-]+)*)\}/[0-9]{1,10}$"

Row = npt.NDArray[np.float32] | tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]


def parse_vector(text: str, table: VectorTable) -> Row:
    """Return the vector that a text is: [1,2,3] or {1,2,3}; 0101 for bit; {1:0.5,3:2}/3 for sparsevec.

    Raises:
        BadRowError: It is none, or none that `table` takes.
    """
    text = text.strip(BLANKS)
    if not text:
        raise BadRowError("the vector is missing")
    if table.vector_type == "bit" and not text.strip("01"):
        return parse_components(text, table)
    if table.vector_type == "sparsevec" and (match := _SPARSE.fullmatch(text)):
        return _parse_sparse(match[1], int(match[2]), table)
    if text[:1] + text[-1:] not in ("[]", "{}"):
        form = {"bit": "0101", "sparsevec": "{1:0.5,3:2}/3"}.get(table.vector_type, "[1,2,3]")
        raise BadRowError(f"the vector {quote(text)} is not of the form {form}")
    if not text[1:-1].strip(BLANKS):
        raise BadRowError("the vector is empty")
    return parse_components(text[1:-1].split(","), table)


def count_components(text: str) -> int | None:
    """Return how many dimensions a vector written so has, or None when it is none."""
    text = text.strip(BLANKS)
    if match := _SPARSE.fullmatch(text):
        return int(match[2])
    if text[:1] + text[-1:] in ("[]", "{}") and text[1:-1].strip(BLANKS):
        return text.count(",") + 1
    return len(text) if text and not text.strip("01") else None


def parse_components(tokens: Sequence[str], table: VectorTable) -> Row:
    """Return the vector whose components are written so.

    Raises:
        BadRowError: One is no number, or `table` does not take them.
    """
    check_dimension(len(tokens), table)
    return as_row(parse_numbers(tokens, table.vector_type), table)


def as_row(vector: npt.NDArray[np.float32], table: VectorTable) -> Row:
    """Return a dense vector in the form that rows of `table` have.

    Raises:
        BadRowError: A sparsevec cannot hold so many numbers.
    """
    if table.vector_type != "sparsevec":
        return vector
    indices = np.flatnonzero(vector).astype(np.int32)
    return _checked_sparse(indices, vector[indices])


def check_dimension(found: int, table: VectorTable) -> None:
    """Refuse a vector of another dimension than the table's.

    Raises:
        BadRowError: It is another.
    """
    if found != table.dimension:
        raise BadRowError(
            f"the vector has {found} dimensions, column {table.vector_column} of {table.name} takes"
            f" {table.dimension}"
        )


def stack(rows: Sequence[Any], table: VectorTable) -> Vectors:
    """Put rows from `parse_vector` together."""
    dimension = table.dimension or 0
    if table.vector_type != "sparsevec":
        return np.stack(rows) if rows else np.empty((0, dimension), np.float32)
    return SparseRows(
        counts=np.array([len(indices) for indices, _ in rows], np.int32),
        indices=np.concatenate([np.empty(0, np.int32), *(indices for indices, _ in rows)]),
        values=np.concatenate([np.empty(0, np.float32), *(values for _, values in rows)]),
        dimension=dimension,
    )


def from_matrix(matrix: npt.NDArray[np.float32], table: VectorTable) -> Vectors | None:
    """Return dense vectors in the form that a batch for `table` has, or None if it does not take them all."""
    if matrix.shape[1] != table.dimension or not fits_type(matrix, table.vector_type):
        return None
    if table.vector_type != "sparsevec":
        return matrix
    is_set = matrix != 0
    counts = np.count_nonzero(is_set, axis=1).astype(np.int32)
    if counts.max(initial=0) > MAX_NONZERO:
        return None
    return SparseRows(counts, np.nonzero(is_set)[1].astype(np.int32), matrix[is_set], matrix.shape[1])


def from_bit_texts(texts: Any, table: VectorTable) -> Vectors | None:
    """Return the vectors in an Arrow array of texts such as 0101, or None unless all are such."""
    dimension = table.dimension or 0
    if texts.null_count or not pc.all(pc.equal(pc.binary_length(texts), dimension)).as_py():
        return None
    data = np.frombuffer(texts.cast(pa.binary(dimension)).buffers()[1], np.uint8)
    start = texts.offset * dimension
    digits = data[start : start + len(texts) * dimension].reshape(-1, dimension) - np.uint8(ord("0"))
    return digits.astype(np.float32) if (digits <= 1).all() else None


def from_sparse_texts(texts: Any, table: VectorTable) -> Vectors | None:
    """Return the vectors in an Arrow array of texts such as {1:0.5,3:2}/3, or None unless all are plain.

    Raises:
        pyarrow.ArrowInvalid: A number is none.
    """
    texts = texts.cast(pa.string())
    if texts.null_count or not pc.all(pc.match_substring_regex(texts, _PLAIN_SPARSE)).as_py():
        return None
    if not pc.all(pc.ends_with(texts, f"}}/{table.dimension}")).as_py():
        return None
    bodies = pc.utf8_slice_codeunits(texts, 1, -len(f"}}/{table.dimension}"))
    entries = pc.split_pattern(bodies, ",")
    counts = pc.list_value_length(entries).to_numpy().astype(np.int32)
    pairs = pc.list_flatten(pc.split_pattern(entries.flatten(), ":"))
    indices = pairs.take(pa.array(np.arange(0, len(pairs), 2))).cast(pa.int32()).to_numpy() - 1
    values = pairs.take(pa.array(np.arange(1, len(pairs), 2))).cast(pa.float32()).to_numpy()
    is_first = np.zeros(len(indices), bool)
    is_first[np.cumsum(counts)[:-1]] = True
    is_ascending = (np.diff(indices) > 0) | is_first[1:]
    is_good = is_ascending.all() and (indices < (table.dimension or 0)).all() and (values != 0).all()
    if not is_good or not np.isfinite(values).all() or counts.max() > MAX_NONZERO:
        return None
    return SparseRows(counts, indices.astype(np.int32), values, table.dimension or 0)


def _parse_sparse(body: str, dimension: int, table: VectorTable) -> Row:
    check_dimension(dimension, table)
    found: dict[int, str] = {}
    for entry in body.split(",") if body.strip(BLANKS) else ():
        match = _ENTRY.fullmatch(entry.strip(BLANKS))
        if not match or not 1 <= int(match[1]) <= dimension or int(match[1]) in found:
            raise BadRowError(
                f"the element {quote(entry)} of the vector has no index of its own, 1 to {dimension}"
            )
        found[int(match[1])] = match[2]
    indices = np.array(sorted(found), np.int32)
    values = parse_numbers([found[index] for index in sorted(found)], table.vector_type)
    return _checked_sparse(indices[values != 0] - 1, values[values != 0])


def _checked_sparse(indices: npt.NDArray[np.int32], values: npt.NDArray[np.float32]) -> Row:
    if len(indices) > MAX_NONZERO:
        raise BadRowError(
            f"the vector has {len(indices)} numbers that are not 0; sparsevec takes {MAX_NONZERO}"
        )
    return indices.astype(np.int32), values
