"""Decimal text to float32, rounded once, as PostgreSQL's `vector` input does it."""

import contextlib
import math
import re
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from vectorops.embeddings.batch import BadRowError
from vectorops.embeddings.text import BLANKS, quote

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_CHARACTERS = "0123456789+-.eE" + BLANKS
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
# Halfway between the greatest float32 and 2^128: from here on, text is out of range.
_OVERFLOW = 2.0**128 - 2.0**103


def parse_numbers(tokens: Sequence[str], vector_type: str) -> npt.NDArray[np.float32]:
    """Return the components of one vector, each correctly rounded from its decimal text.

    PostgreSQL reads them with `strtof`. Python has only `float`, and rounding its 53 bits to 24 can differ
    from rounding the text when the 53 bits lie exactly between two float32, so those are looked at again.

    Args:
        tokens: One decimal number each, blanks around it allowed.
        vector_type: "vector", "halfvec", "sparsevec" or "bit", whose range the numbers must fit.

    Returns:
        float32, shape (len(tokens),).

    Raises:
        BadRowError: A token is no decimal number, or is out of range.
    """
    doubles = np.array(_parse_doubles(tokens))
    for index in _halfway(doubles):
        doubles[index] = _off_the_middle(doubles[index], Decimal(tokens[index].strip(BLANKS)))
    with np.errstate(over="ignore"):
        singles = doubles.astype(np.float32)
        fits = np.isfinite(singles.astype(np.float16) if vector_type == "halfvec" else singles)
    if vector_type == "bit":
        fits = (singles == 0) | (singles == 1)
    if not fits.all():
        index = int(np.argmin(fits))
        token = quote(tokens[index].strip(BLANKS))
        raise BadRowError(f"component {index + 1} of the vector, {token}, is out of range for {vector_type}")
    return singles


def fits_type(vectors: npt.NDArray[np.float32], vector_type: str) -> bool:
    """Say whether `vector_type` takes all numbers: finite ones that stay so, or 0 and 1 for bit."""
    if vector_type == "bit":
        return bool(((vectors == 0) | (vectors == 1)).all())
    if vector_type == "halfvec":
        with np.errstate(over="ignore"):
            return bool(np.isfinite(vectors.astype(np.float16)).all())
    return bool(np.isfinite(vectors).all())


def _parse_doubles(tokens: Sequence[str]) -> list[float]:
    # Of these characters, `float` makes numbers of the same texts as the pattern does, only faster.
    if not "".join(tokens).strip(_CHARACTERS):
        with contextlib.suppress(ValueError):
            return list(map(float, tokens))
    for position, token in enumerate(tokens, start=1):
        if not _NUMBER.fullmatch(token.strip(BLANKS)):
            raise BadRowError(_why_no_number(position, token.strip(BLANKS)))
    return [float(token) for token in tokens]


def _halfway(doubles: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return where a double lies exactly between two neighbouring float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        singles = doubles.astype(np.float32)
        nearest = singles.astype(np.float64)
        towards = np.where(doubles > nearest, np.float32(np.inf), np.float32(-np.inf))
        other = np.nextafter(singles, towards).astype(np.float64)
        is_halfway = (nearest != doubles) & ((nearest + other) / 2 == doubles)
    return np.flatnonzero(is_halfway | (np.abs(doubles) == _OVERFLOW))


def _off_the_middle(double: float, exact: Decimal) -> float:
    """Move `double` to the side of the middle that the exact value is on."""
    middle = Decimal(float(double))
    if exact == middle:
        return double
    return math.nextafter(double, math.inf if exact > middle else -math.inf)


def _why_no_number(position: int, token: str) -> str:
    where = f"component {position} of the vector"
    if not token:
        return f"{where} is empty"
    if _NOT_FINITE.fullmatch(token):
        return f"{where} is {token}; only finite numbers can be searched"
    return f"{where} is {quote(token)}, not a number"
