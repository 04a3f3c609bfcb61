"""What can be an id, by the type of the table's id column."""

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import BadRowError
from vectorops.embeddings.text import BLANKS, quote
from vectorops.errors import UsageError

INTEGER_BYTES = {"smallint": 2, "integer": 4, "bigint": 8}
_TEXT_TYPES = ("character varying", "text", "character")
# A B-tree entry has at most 2,704 bytes (nbtree.h, BTMaxItemSize on 8 kB pages); 12 of them are headers.
_MAX_TEXT_BYTES = 2_692
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def id_arrow_type(table: VectorTable) -> Any:
    """Return the Arrow type that a batch for `table` holds its ids in.

    Raises:
        UsageError: Ids of that column's type cannot be loaded.
    """
    if table.id_type in _TEXT_TYPES:
        return pa.string()
    if table.id_type in INTEGER_BYTES:
        return pa.int64()
    if table.id_type == "uuid":
        return pa.binary(16)
    raise UsageError(
        f"cannot load into {table.full_name}",
        why=f"its column {table.id_column} is {table.id_type}",
        hint="ids can be text, varchar, char, uuid, smallint, integer or bigint",
    )


def parse_id(text: str, table: VectorTable) -> str | int | bytes:
    """Return one id as a batch for `table` holds it.

    Args:
        text: As it stands in the file; bytes that are no UTF-8 are surrogates in it.
        table: Where the id is to go.

    Raises:
        BadRowError: It is missing, or the id column cannot take it.
    """
    if not text.strip(BLANKS):
        raise BadRowError("the id is missing")
    if table.id_type in INTEGER_BYTES:
        return _parse_integer(text.strip(BLANKS), table)
    if table.id_type == "uuid":
        return _parse_uuid(text.strip(BLANKS), table)
    return _check_text(text, table)


def parse_ids(ids: Any, table: VectorTable) -> Any | None:
    """Return the ids of `table`'s type for an Arrow array of strings, or None unless all are plainly good."""
    if len(ids) == 0:
        return pa.array([], id_arrow_type(table))
    if _any(pc.match_substring(ids, "\0")) or _any(pc.starts_with(ids, " ")):
        return None
    if _any(pc.equal(pc.ascii_trim(ids, BLANKS), "")):
        return None
    if table.id_type in INTEGER_BYTES:
        return _parse_integers(ids, table)
    if table.id_type == "uuid":
        return _parse_uuids(ids)
    is_long = table.id_max_length is not None and pc.max(pc.utf8_length(ids)).as_py() > table.id_max_length
    return None if is_long or pc.max(pc.binary_length(ids)).as_py() > _MAX_TEXT_BYTES else ids


def _parse_integer(text: str, table: VectorTable) -> int:
    if not _INTEGER.fullmatch(text):
        raise BadRowError(f"{quote(text)} is not an integer; {_column(table)}")
    digits = text.lstrip("+-").lstrip("0") or "0"
    value = int(digits) if len(digits) < 20 else 1 << 64  # int() refuses strings of more than 4,300 digits.
    value = -value if text.startswith("-") else value
    limit = _limit(table)
    if not -limit <= value < limit:
        raise BadRowError(f"{quote(text)} is out of range; {_column(table)}")
    return value


def _parse_integers(ids: Any, table: VectorTable) -> Any | None:
    if not _all(pc.match_substring_regex(ids, "^-?[0-9]+$")):
        return None
    try:
        values = ids.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    least, greatest = pc.min_max(values).as_py().values()
    limit = _limit(table)
    return values if -limit <= least and greatest < limit else None


def _parse_uuid(text: str, table: VectorTable) -> bytes:
    if not _UUID.fullmatch(text):
        raise BadRowError(f"{quote(text)} is not a UUID; {_column(table)}")
    return bytes.fromhex(text.replace("-", ""))


def _parse_uuids(ids: Any) -> Any | None:
    if not _all(pc.match_substring_regex(ids, f"^{_UUID.pattern}$", ignore_case=True)):
        return None
    digits = pc.replace_substring(ids, "-", "").buffers()[2].to_pybytes().decode("ascii")
    return pa.Array.from_buffers(pa.binary(16), len(ids), [None, pa.py_buffer(bytes.fromhex(digits))])


def _check_text(text: str, table: VectorTable) -> str:
    if "\0" in text:
        raise BadRowError("the id holds a NUL byte")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadRowError(f"the id {quote(text)} is not valid UTF-8") from None
    if table.id_max_length is not None and len(text) > table.id_max_length:
        raise BadRowError(f"the id {quote(text)} has {len(text)} characters; {_column(table)}")
    if size > _MAX_TEXT_BYTES:
        raise BadRowError(f"the id {quote(text)} has {size} bytes; an index takes up to {_MAX_TEXT_BYTES}")
    return text


def _column(table: VectorTable) -> str:
    length = f"({table.id_max_length})" if table.id_max_length else ""
    return f"column {table.id_column} of {table.name} is {table.id_type}{length}"


def _limit(table: VectorTable) -> int:
    return 1 << (8 * INTEGER_BYTES[table.id_type] - 1)


def _any(flags: Any) -> bool:
    return bool(pc.any(flags).as_py())


def _all(flags: Any) -> bool:
    return bool(pc.all(flags).as_py())
