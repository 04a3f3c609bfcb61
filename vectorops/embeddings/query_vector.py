"""One vector to search for, from the command line or a file."""

from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vectorops.embeddings.batch import BadRowError
from vectorops.embeddings.numbers import parse_numbers
from vectorops.errors import InputDataError

LONGEST_QUOTE = 40


def read_query_vector(text: str) -> NDArray[np.float32]:
    """Return the vector that `text` is, "[0.1,-0.2]", or that the file it names holds.

    A file is .npy with one vector, or text with the same form as here.

    Returns:
        float32 of shape (dimension,).

    Raises:
        InputDataError: It is neither, or a value is not a finite number.
    """
    path = Path(text)
    looks_literal = text.lstrip().startswith("[")
    if not looks_literal and not path.is_file():
        hint = "write it as [0.1,-0.2,…], or name a .npy or text file that holds one"
        raise InputDataError(f"'{_quote(text)}' is neither a vector nor a file", hint=hint)
    vector = parse_query_vector(text) if looks_literal else _read(path)
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise InputDataError(
            f"'{_quote(text)}' is not one vector of finite numbers", why=f"its shape is {vector.shape}"
        )
    return vector


def parse_query_vector(text: str) -> NDArray[np.float32]:
    """Return the vector that `text` is, "[0.1,-0.2]"; its numbers are those that a load takes.

    Returns:
        float32 of shape (dimension,).

    Raises:
        InputDataError: It is none, or a value is not a finite number.
    """
    inner = text.strip()
    if not (inner.startswith("[") and inner.endswith("]")):
        raise InputDataError(f"'{_quote(inner)}' is not a vector", hint="write it as [0.1,-0.2,…]")
    try:
        return parse_numbers(inner[1:-1].split(","), "vector")
    except BadRowError as exc:
        raise InputDataError(f"'{_quote(inner)}' is not a vector", why=str(exc)) from exc


def _read(path: Path) -> NDArray[np.float32]:
    if path.suffix != ".npy":
        return parse_query_vector(path.read_text(encoding="utf-8", errors="replace"))
    return read_array(path)


def read_array(path: Path) -> NDArray[np.float32]:
    """Return the array of a .npy file as float32.

    Raises:
        InputDataError: It holds none.
    """
    try:
        # Never a pickle: reading one runs what it says.
        with path.open("rb") as file:
            return np.asarray(npy.read_array(file, allow_pickle=False), dtype=np.float32)
    except (ValueError, TypeError, SyntaxError, TokenError, OSError, EOFError, MemoryError) as exc:
        raise InputDataError(f"cannot read {path}", why=str(exc)) from exc


def _quote(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "…"
