"""Columns beside id and vector, in the binary form that PostgreSQL's receive functions take."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vectorops.database.columns import Column

_EPOCH_DAYS = 10_957  # From 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000


def encode_metadata(values: Any, column: Column) -> Any:
    """Return what `metadata.convert` returned as an Arrow array of what the type's receive function takes."""
    if values.null_count == len(values):
        return values.cast(pa.binary())
    encoded = _ENCODERS.get(column.type, _text_bytes)(values)
    return pc.if_else(values.is_valid(), encoded, None) if values.null_count else encoded


def _text_bytes(texts: Any) -> Any:
    return texts.cast(pa.binary())


def _fixed(values: npt.NDArray[Any]) -> Any:
    size = values.dtype.itemsize
    return pa.Array.from_buffers(
        pa.binary(size), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))]
    ).cast(pa.binary())


def _number_encoder(dtype: str) -> Callable[[Any], Any]:
    return lambda values: _fixed(values.fill_null(0).to_numpy(zero_copy_only=False).astype(dtype))


def _boolean_bytes(values: Any) -> Any:
    return _fixed(values.fill_null(False).to_numpy(zero_copy_only=False).astype(np.uint8))


def _date_bytes(values: Any) -> Any:
    return _fixed((values.cast(pa.int32()).fill_null(0).to_numpy() - _EPOCH_DAYS).astype(">i4"))


def _timestamp_bytes(values: Any) -> Any:
    return _fixed((values.cast(pa.int64()).fill_null(0).to_numpy() - _EPOCH_MICROSECONDS).astype(">i8"))


def _jsonb_bytes(texts: Any) -> Any:
    version = pa.scalar(b"\x01", pa.binary())
    return pc.binary_join_element_wise(version, texts.fill_null("").cast(pa.binary()), b"")


def _numeric_bytes(texts: Any) -> Any:
    """Return numbers as `numeric_recv` takes them: groups of four digits, which need not be the fewest.

    Source: PostgreSQL's numeric.c, `numeric_recv`; `make_result` drops groups of zeros at both ends.
    """
    texts = texts.fill_null("0")
    parts = pc.extract_regex(texts, r"^(?P<sign>-?)(?P<whole>[0-9]+)\.?(?P<rest>[0-9]*)$")
    whole, rest = parts.field("whole"), parts.field("rest")
    whole_groups = -(-pc.max(pc.binary_length(whole)).as_py() // 4)
    rest_groups = -(-pc.max(pc.binary_length(rest)).as_py() // 4)
    digits = pc.binary_join_element_wise(
        pc.ascii_lpad(whole, 4 * whole_groups, "0"), pc.ascii_rpad(rest, 4 * rest_groups, "0"), ""
    )
    groups = whole_groups + rest_groups
    raw = np.frombuffer(digits.cast(pa.binary()).cast(pa.binary(4 * groups)).buffers()[1], np.uint8)
    values = (raw[: len(texts) * 4 * groups].reshape(len(texts), groups, 4) - ord("0")) @ np.array(
        [1000, 100, 10, 1]
    )
    records = np.empty(
        len(texts),
        [
            ("groups", ">i2"),
            ("weight", ">i2"),
            ("sign", ">u2"),
            ("scale", ">u2"),
            ("digits", ">i2", (groups,)),
        ],
    )
    records["groups"], records["weight"] = groups, whole_groups - 1
    is_negative = pc.equal(parts.field("sign"), "-").to_numpy(zero_copy_only=False)
    records["sign"] = np.where(is_negative & values.any(axis=1), 0x4000, 0)
    records["scale"] = pc.binary_length(rest).to_numpy()
    records["digits"] = values
    return _fixed(records)


_ENCODERS: dict[str, Callable[[Any], Any]] = {
    "smallint": _number_encoder(">i2"),
    "integer": _number_encoder(">i4"),
    "bigint": _number_encoder(">i8"),
    "real": _number_encoder(">f4"),
    "double precision": _number_encoder(">f8"),
    "numeric": _numeric_bytes,
    "boolean": _boolean_bytes,
    "date": _date_bytes,
    "timestamp without time zone": _timestamp_bytes,
    "timestamp with time zone": _timestamp_bytes,
    "jsonb": _jsonb_bytes,
}
