import math
import unicodedata
from decimal import Decimal

import numpy as np
import pytest

from vectorops.recommender.features import ITEM_SIGNATURE, USER_SIGNATURE, as_number, as_text, model_feed


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (21000, 21000.0),
        (Decimal("21000.00"), 21000.0),
        (np.int16(7), 7.0),
        (" 21000 ", 21000.0),
        ("21,000", 21000.0),
        ("1,234,567.50", 1234567.5),
        ("-5", -5.0),
        ("2.1e4", 21000.0),
    ],
)
def test_a_number_is_read_from_numbers_and_from_strings(value: object, number: float) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize(
    "value",
    [
        None, "", "abc", "21000,50", "1,2", "1_000", ".", "nan", "inf", math.inf, math.nan, True, [1],
        {"a": 1}, 10**400, "9" * 500, 1e300, Decimal("sNaN"),
    ],
)  # fmt: skip
def test_what_says_no_finite_number_is_missing(value: object) -> None:
    assert math.isnan(as_number(value))


def test_text_loses_the_blanks_at_its_ends() -> None:
    assert as_text("Norway  ") == "Norway"


def test_a_letter_and_its_combining_accent_are_the_accented_letter() -> None:
    assert as_text("Orle\u0301ans") == "Orl\u00e9ans"


@pytest.mark.parametrize("value", [None, 5, 2.5, True, ["Nantes"], {"city": "Nantes"}])
def test_what_is_not_a_string_is_a_missing_text(value: object) -> None:
    assert as_text(value) == ""


def test_half_a_surrogate_pair_is_left_out_of_a_text() -> None:
    assert as_text("Nan\ud83dtes") == "Nantes"


def test_a_long_text_is_cut_before_its_accents_are_put_in_order_which_would_take_minutes() -> None:
    disordered = "a" + "\u0315\u0300" * 1_000
    assert as_text(disordered) == unicodedata.normalize("NFC", disordered[:255])
    assert as_text(" " * 1_000 + "Nantes" + " " * 1_000) == "Nantes"


def test_the_feed_has_one_row_per_record_in_order_and_missing_values_for_absent_keys() -> None:
    feed = model_feed(USER_SIGNATURE, [{"city": "Nantes", "creditlimit": "1"}, {"country": "France"}])
    assert feed["city"].tolist() == [["Nantes"], [""]]
    assert feed["country"].tolist() == [[""], ["France"]]
    np.testing.assert_array_equal(feed["creditlimit"], np.array([[1], [np.nan]], dtype=np.float32))
    assert feed["creditlimit"].dtype == np.float32


def test_the_signature_names_every_input_and_its_type() -> None:
    assert ITEM_SIGNATURE.as_dict() == {
        "inputs": {
            "productcode": "tensor(string)",
            "productline": "tensor(string)",
            "productscale": "tensor(string)",
            "quantityinstock": "tensor(float)",
            "buyprice": "tensor(float)",
            "msrp": "tensor(float)",
        },
        "output": {"embedding": "tensor(float)"},
    }
