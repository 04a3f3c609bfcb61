"""float32 from decimal text, against exact arithmetic."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vectorops.embeddings.batch import BadRowError
from vectorops.embeddings.numbers import parse_numbers

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def bits(value: np.float32) -> int:
    return int(np.float32(value).view(np.uint32))


def nearest(text: str) -> np.float32:
    """The float32 nearest to a decimal number, the even one of two: by comparing exact fractions."""
    exact = Fraction(Decimal(text))
    guess = np.float32(float(text))
    around = [guess, np.nextafter(guess, np.float32(-np.inf)), np.nextafter(guess, np.float32(np.inf))]
    finite = [value for value in around if np.isfinite(value)]
    return min(finite, key=lambda value: (abs(Fraction(float(value)) - exact), bits(value) & 1))


def middle_of(value: float) -> Decimal:
    """The number exactly between a float32 and the next one away from zero."""
    single = np.float32(value)
    further = np.nextafter(single, np.float32(np.copysign(np.inf, single)))
    return (Decimal(float(single)) + Decimal(float(further))) / 2


@given(st.floats(-1e38, 1e38).map(repr))
@example("0.1")
@example("1e-45")
@example("0.7006492321624085354618e-45")
@example("16777217")
@example("16777217.0000000000000000000001")
@example("16777216.9999999999999999999999")
def test_a_number_becomes_the_nearest_float32(text: str) -> None:
    [value] = parse_numbers([text], "vector")
    assert abs(value) == abs(nearest(text))
    assert np.signbit(value) == text.startswith("-")


@given(FINITE.filter(lambda value: abs(value) < 3e38), st.sampled_from([-1, 0, 1]))
def test_text_next_to_the_middle_of_two_float32_is_rounded_once(value: float, side: int) -> None:
    with_digits = middle_of(value)
    text = f"{with_digits + side * abs(with_digits) * Decimal('1e-25'):f}"
    [parsed] = parse_numbers([text], "vector")
    assert abs(parsed) == abs(nearest(text))


@given(FINITE)
def test_what_float32_prints_comes_back_bit_for_bit(value: float) -> None:
    single = np.float32(value)
    assert bits(parse_numbers([str(single)], "vector")[0]) == bits(single)


@pytest.mark.parametrize(
    "text", ["1", "+1", "-1", "1.", ".5", "1e5", "1E+05", " 1\t", "00.1", "-0", "-0.0", "1e-99"]
)
def test_these_are_numbers(text: str) -> None:
    [value] = parse_numbers([text], "vector")
    assert value == np.float32(float(text))
    assert np.signbit(value) == ("-" in text.split("e")[0])


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "1_000",
        "0x1p3",
        "0x10",
        "1e",
        "e5",
        ".",
        "+",
        "--1",
        "1 2",
        "1,5",
        "\u0661",
        "1f",
        "1d",
        "½",
        "1e5.0",
        "NULL",
    ],
)
def test_these_are_no_numbers(text: str) -> None:
    with pytest.raises(BadRowError, match=r"component 2 of the vector is .*, not a number"):
        parse_numbers(["1", text], "vector")


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "inf", "-inf", "Infinity", "+INFINITY"])
def test_numbers_must_be_finite(text: str) -> None:
    with pytest.raises(
        BadRowError, match=r"component 1 of the vector is .*; only finite numbers can be searched"
    ):
        parse_numbers([text], "vector")


def test_a_missing_number_is_said_to_be_missing() -> None:
    with pytest.raises(BadRowError, match="component 2 of the vector is empty"):
        parse_numbers(["1", " ", "3"], "vector")


@pytest.mark.parametrize(
    ("text", "vector_type", "fits"),
    [
        ("340282356779733661637539395458142568448", "vector", False),  # halfway to 2^128
        ("-340282356779733661637539395458142568448", "vector", False),
        ("340282356779733661637539395458142568447", "vector", True),
        ("1e39", "vector", False),
        ("1e400", "vector", False),
        ("65519", "halfvec", True),
        ("65520", "halfvec", False),
        ("65519.9999", "halfvec", False),  # its float32 is 65520
    ],
)
def test_a_number_is_out_of_range_where_it_would_become_infinite(
    text: str, vector_type: str, fits: bool
) -> None:
    if fits:
        assert np.isfinite(parse_numbers([text], vector_type)).all()
    else:
        with pytest.raises(BadRowError, match=f"is out of range for {vector_type}"):
            parse_numbers([text], vector_type)
