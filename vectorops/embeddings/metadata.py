"""Columns beside id and vector: from values in files to the table's types, all rows of a batch at once."""

import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vectorops.database.columns import Column
from vectorops.embeddings.batch import BadRowError
from vectorops.embeddings.text import BLANKS, quote

_INTEGER_BYTES = {"smallint": 2, "integer": 4, "bigint": 8}
_TRUE = ["t", "true", "y", "yes", "on", "1"]
_FALSE = ["f", "false", "n", "no", "off", "0"]
_INTEGER = r"^[+-]?[0-9]{1,19}$"
_DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"
_MAX_DIGITS = 1_000
_UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


def is_loadable(column: Column) -> bool:
    """Whether values of the column's type can be loaded."""
    return column.type in _CONVERTERS


def convert(values: Any, column: Column) -> Any:
    """Return an Arrow array of strings, numbers, … as an array of the type that `column` takes.

    Args:
        values: Of any type that has a counterpart; strings as PostgreSQL prints the column's values.
        column: With a type that `is_loadable`.

    Raises:
        BadRowError: There is a value that the column does not take; only an array of one tells which.
    """
    if values.null_count and not column.is_nullable:
        raise BadRowError(f"column {column.name} is missing, and must not be")
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.string())
    try:
        return _CONVERTERS[column.type](values, column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, InvalidOperation, ValueError, TypeError) as exc:
        first = quote(str(values[0].as_py()))
        raise BadRowError(f"column {column.name} is {first}, which is no {_title(column)}") from exc


def _title(column: Column) -> str:
    if column.max_length:
        return f"{column.type}({column.max_length})"
    return f"numeric({column.precision},{column.scale})" if column.precision else column.type


def _refuse_unless(flags: Any) -> None:
    if not pc.all(flags.fill_null(True)).as_py():
        raise ValueError


def _is_text(values: Any) -> bool:
    return bool(pa.types.is_string(values.type))


def _text(values: Any, column: Column) -> Any:
    texts = values if _is_text(values) else values.cast(pa.string())
    _refuse_unless(pc.invert(pc.match_substring(texts, "\0")))
    if column.max_length:
        _refuse_unless(pc.less_equal(pc.utf8_length(texts), column.max_length))
    return texts


def _integer(values: Any, column: Column) -> Any:
    if _is_text(values):
        values = pc.ascii_trim(values, BLANKS)
        _refuse_unless(pc.match_substring_regex(values, _INTEGER))
        values = pc.ascii_ltrim(values, "+")
    integers = values.cast(pa.int64())
    limit = 1 << (8 * _INTEGER_BYTES[column.type] - 1)
    _refuse_unless(pc.and_(pc.greater_equal(integers, -limit), pc.less_equal(integers, limit - 1)))
    return integers


def _float(values: Any, column: Column) -> Any:
    kind = pa.float32() if column.type == "real" else pa.float64()
    if _is_text(values):
        values = pc.ascii_trim(values, BLANKS)
        is_infinite = pc.match_substring_regex(values, "^[+-]?inf", ignore_case=True)
    else:
        is_infinite = pc.is_inf(values) if pa.types.is_floating(values.type) else pa.scalar(False)
    floats = values.cast(kind, safe=False)
    _refuse_unless(pc.equal(pc.is_inf(floats), is_infinite))
    return floats


def _numeric(values: Any, column: Column) -> Any:
    texts = values if _is_text(values) else values.cast(pa.string())
    is_plain = pc.match_substring_regex(texts, _DECIMAL)
    if not pc.all(is_plain.fill_null(True)).as_py():
        texts = pa.array([_plain_decimal(text) for text in texts.to_pylist()], pa.string())
    _refuse_unless(pc.less_equal(pc.binary_length(texts), _MAX_DIGITS))
    if column.precision is not None:
        texts = _fitted(texts, column)
    return texts


def _plain_decimal(text: str | None) -> str | None:
    """Write a decimal number without exponent, plus sign or bare point."""
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", text.strip(BLANKS)):
        raise ValueError
    return format(Decimal(text.strip(BLANKS)), "f")


def _fitted(texts: Any, column: Column) -> Any:
    """Round to the column's scale, where that is needed, and refuse what has too many digits then."""
    precision, scale = column.precision or 0, column.scale
    is_exact = (
        pc.match_substring_regex(texts, rf"^-?[0-9]+(\.[0-9]{{1,{max(scale, 1)}}})?$") if scale > 0 else None
    )
    if is_exact is None or not pc.all(is_exact.fill_null(True)).as_py():
        unit = Decimal(1).scaleb(-scale)
        texts = pa.array([_rounded(text, unit) for text in texts.to_pylist()], pa.string())
    digits = pc.replace_substring_regex(texts, r"^-?0*([0-9]*)(\..*)?$", r"\1")
    _refuse_unless(pc.less_equal(pc.binary_length(digits), max(precision - scale, 0)))
    return texts


def _rounded(text: str | None, unit: Decimal) -> str | None:
    from decimal import ROUND_HALF_UP, localcontext

    if text is None:
        return None
    with localcontext() as context:
        context.prec = 2 * _MAX_DIGITS
        return format(Decimal(text).quantize(unit, ROUND_HALF_UP), "f")


def _boolean(values: Any, column: Column) -> Any:
    if pa.types.is_boolean(values.type):
        return values
    texts = pc.utf8_lower(pc.ascii_trim(values if _is_text(values) else values.cast(pa.string()), BLANKS))
    is_true = pc.is_in(texts, pa.array(_TRUE))
    _refuse_unless(pc.if_else(texts.is_valid(), pc.or_(is_true, pc.is_in(texts, pa.array(_FALSE))), True))
    return pc.if_else(texts.is_valid(), is_true, None)


def _date(values: Any, column: Column) -> Any:
    return (pc.ascii_trim(values, BLANKS) if _is_text(values) else values).cast(pa.date32())


def _timestamp(values: Any, column: Column) -> Any:
    if _is_text(values):
        return pc.ascii_trim(values, BLANKS).cast(pa.timestamp("us"))
    return _microseconds(values)


def _timestamptz(values: Any, column: Column) -> Any:
    """Return points in time; what names no zone is UTC."""
    if not _is_text(values):
        return _microseconds(values)
    texts = pc.ascii_trim(values, BLANKS)
    has_time = pc.match_substring(texts, ":")
    texts = pc.if_else(has_time, texts, pc.binary_join_element_wise(texts, "00:00Z", " "))
    has_zone = pc.match_substring_regex(texts, r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)$")
    texts = pc.if_else(has_zone, texts, pc.binary_join_element_wise(texts, "Z", ""))
    return texts.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))


def _microseconds(values: Any) -> Any:
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        raise ValueError  # Nobody says which unit such a number has.
    return values.cast(pa.timestamp("us"), safe=False)


def _uuid(values: Any, column: Column) -> Any:
    if not _is_text(values):
        return values.cast(pa.binary(16))
    texts = pc.ascii_trim(values, BLANKS)
    _refuse_unless(pc.match_substring_regex(texts, _UUID))
    digits = "".join(text.replace("-", "") if text else "0" * 32 for text in texts.to_pylist())
    whole = pa.Array.from_buffers(pa.binary(16), len(texts), [None, pa.py_buffer(bytes.fromhex(digits))])
    return pc.if_else(texts.is_valid(), whole, None)


def _json(values: Any, column: Column) -> Any:
    """Return JSON texts; what is no text becomes one. They are looked at one by one."""
    if not _is_text(values):
        values = pa.array([_dumped(value) for value in values.to_pylist()], pa.string())
    for text in values.to_pylist():
        if text is not None:
            check_json(text)
    return values


def _dumped(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)


def check_json(text: str) -> None:
    """Refuse what PostgreSQL's jsonb does not take, which is less than Python does.

    Raises:
        ValueError: `text` is such.
    """

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    def check_number(number: str) -> Decimal:
        value = Decimal(number)
        if value and not -16_000 < value.adjusted() < 131_000:
            raise ValueError(number)
        return value

    value = json.loads(text, parse_constant=refuse, parse_float=check_number, parse_int=str)
    if "\\u" in text:
        shown = json.dumps(value, ensure_ascii=False, default=str)
        shown.encode()  # Half of a surrogate pair is no character.
        if "\\u0000" in shown:
            raise ValueError("NUL")


_CONVERTERS: dict[str, Callable[[Any, Column], Any]] = {
    "text": _text,
    "character varying": _text,
    "character": _text,
    "smallint": _integer,
    "integer": _integer,
    "bigint": _integer,
    "real": _float,
    "double precision": _float,
    "numeric": _numeric,
    "boolean": _boolean,
    "date": _date,
    "timestamp without time zone": _timestamp,
    "timestamp with time zone": _timestamptz,
    "uuid": _uuid,
    "json": _json,
    "jsonb": _json,
}
