"""What the towers read: the signature of each model, and the values that are handed to it.

Training and inference both go through `model_feed`, so a value means the same to both. Numpy only, because
this module is part of the deployed functions.
"""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

OUTPUT_NAME = "embedding"
# Composing accents takes time by the square of their number: a megabyte of them would take minutes.
LONGEST_TEXT = 255
Feed = Mapping[str, npt.NDArray[Any]]

_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d+)?")
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Signature:
    """Inputs of a tower, by name; each has shape (n, 1).

    Attributes:
        texts: String inputs. The empty string stands for a missing value.
        numbers: float32 inputs. NaN stands for a missing value.
    """

    texts: tuple[str, ...]
    numbers: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the signature in ONNX's words, for the manifest and for messages."""
        types = dict.fromkeys(self.texts, "tensor(string)") | dict.fromkeys(self.numbers, "tensor(float)")
        return {"inputs": types, "output": {OUTPUT_NAME: "tensor(float)"}}


USER_SIGNATURE = Signature(texts=("city", "country"), numbers=("creditlimit",))
ITEM_SIGNATURE = Signature(
    texts=("productcode", "productline", "productscale"), numbers=("quantityinstock", "buyprice", "msrp")
)


def model_feed(signature: Signature, records: Sequence[Mapping[str, Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the inputs of a tower for `records`, in their order.

    Args:
        signature: Which keys of a record are read. A key that is absent counts as missing.
        records: One mapping per row; values of any type (see `as_text` and `as_number`).

    Returns:
        For each input an array of shape (len(records), 1): objects (str) for texts, float32 for numbers.
    """
    feed: dict[str, npt.NDArray[Any]] = {}
    for name in signature.texts:
        feed[name] = np.array([as_text(record.get(name)) for record in records], dtype=object).reshape(-1, 1)
    for name in signature.numbers:
        values = [as_number(record.get(name)) for record in records]
        feed[name] = np.array(values, dtype=np.float32).reshape(-1, 1)
    return feed


def as_text(value: object) -> str:
    """Return `value` without blanks at its ends, accents composed; "" for anything that is not a string.

    Half of a surrogate pair, which JSON can carry and UTF-8 cannot, is left out, and so is what comes after
    `LONGEST_TEXT` characters.
    """
    if not isinstance(value, str):
        return ""
    text = value.encode("utf-8", "ignore").decode("utf-8").strip()[:LONGEST_TEXT]
    return unicodedata.normalize("NFC", text).strip()


def as_number(value: object) -> float:
    """Return `value` as a float, or NaN where it says no finite float32.

    A string may have blanks around it and commas between groups of three digits: " 21000 " and "21,000"
    are 21000. A decimal comma ("21000,50") is not guessed at: NaN, as for "abc", None, True and lists.
    """
    if isinstance(value, str):
        number = _parse(value.strip())
    elif isinstance(value, int | float | Decimal | np.integer | np.floating) and not isinstance(value, bool):
        number = _to_float(value)
    else:
        number = math.nan
    return number if abs(number) <= _LARGEST_FLOAT32 else math.nan


def _parse(text: str) -> float:
    return _to_float(text.replace(",", "")) if _NUMBER.fullmatch(text) else math.nan


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except (ValueError, OverflowError):  # ".", "+", an integer beyond float64, a signalling NaN
        return math.nan
