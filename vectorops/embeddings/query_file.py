"""Many vectors to search for, from a file."""

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vectorops.embeddings.query_vector import parse_query_vector, read_array
from vectorops.errors import InputDataError

# The module's own limit, 128 kB a field, is less than a vector of 16,000 numbers takes.
csv.field_size_limit(sys.maxsize)
_HINT = (
    "it may be .npy with a row per vector, CSV with columns id and embedding, or one vector [0.1,…] per line"
)


def read_query_vectors(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Return the names and vectors of a file of queries.

    Args:
        path: .npy of shape (queries, dimension); CSV whose header has "id" and "embedding"; or text with a
            vector on each line. Where there are no ids, the names are numbers from 1.

    Returns:
        Names, and float32 of shape (queries, dimension).

    Raises:
        InputDataError: The file is none of these, or its vectors differ in length.
    """
    if path.suffix == ".npy":
        return _numbered(_read_npy(path))
    found = list(_read_text(path))
    lengths = {len(vector) for _, vector in found}
    if len(lengths) != 1:
        why = f"they have {', '.join(map(str, sorted(lengths)))} numbers" if lengths else "there are none"
        raise InputDataError(f"the vectors of {path} cannot be searched for together", why=why, hint=_HINT)
    return [name for name, _ in found], np.stack([vector for _, vector in found])


def _read_npy(path: Path) -> NDArray[np.float32]:
    vectors = read_array(path)
    if vectors.ndim != 2 or not vectors.size:
        raise InputDataError(
            f"{path} has shape {vectors.shape}", why="a row per vector is needed", hint=_HINT
        )
    return vectors


def _numbered(vectors: NDArray[np.float32]) -> tuple[list[str], NDArray[np.float32]]:
    return [str(number) for number in range(1, len(vectors) + 1)], vectors


def _read_text(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as exc:
        raise InputDataError(f"cannot read {path}", why=str(exc), hint=_HINT) from exc
    if text.lstrip().startswith("["):
        lines = [line for line in text.splitlines() if line.strip()]
        for number, line in enumerate(lines, start=1):
            yield str(number), parse_query_vector(line)
        return
    try:
        yield from _read_rows(path, text)
    except csv.Error as exc:
        raise InputDataError(f"cannot read {path}", why=str(exc), hint=_HINT) from exc


def _read_rows(path: Path, text: str) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for row in csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True):
        if row.get("id") is None or row.get("embedding") is None:
            raise InputDataError(f"{path} has no columns id and embedding", hint=_HINT)
        yield row["id"], parse_query_vector(row["embedding"])
