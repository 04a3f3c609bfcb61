"""The columns of a vector table beside id and vector, as far as they can be loaded and exported."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from vectorops.database.connection import database_errors

if TYPE_CHECKING:
    from vectorops.database.tables import VectorTable

_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, NULL), a.atttypmod, NOT a.attnotnull,
    a.atthasdef OR a.attidentity <> ''
FROM pg_attribute a
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    AND a.attidentity <> 'a' AND a.attname <> ALL (%s)
ORDER BY a.attnum
"""
_LENGTH_TYPES = ("character varying", "character")


@dataclass(frozen=True)
class Column:
    """A column that is neither id nor vector.

    Attributes:
        type: As `format_type` names it, without length: "character varying".
        max_length: Characters that fit in, for `varchar(n)` and `char(n)`; otherwise None.
        precision: Digits of `numeric(precision, scale)`, or None where it is declared without.
        scale: Those of them that are behind the point.
        is_nullable: Whether NULL can be in it.
        has_default: Whether a row can be inserted without it, though NULL cannot be in it.
    """

    name: str
    type: str
    max_length: int | None = None
    precision: int | None = None
    scale: int = 0
    is_nullable: bool = True
    has_default: bool = False


def metadata_columns(connection: psycopg.Connection[Any], table: "VectorTable") -> tuple[Column, ...]:
    """Return the columns of `table` that can be written, without id and vector, in their order."""
    name = table.qualified.as_string(connection)
    with database_errors(f"cannot read the columns of '{table.full_name}'"):
        rows = connection.execute(_COLUMNS, (name, [table.id_column, table.vector_column])).fetchall()
    return tuple(_column(*row) for row in rows)


def _column(name: str, type_: str, typmod: int, is_nullable: bool, has_default: bool) -> Column:
    # Lengths and digits are stored with 4 added, the size of a header (PostgreSQL, numeric.c and varchar.c).
    declared = typmod - 4 if typmod >= 4 else None
    is_numeric = type_ == "numeric" and declared is not None
    scale = ((declared or 0) & 0x7FF ^ 1024) - 1024 if is_numeric else 0
    return Column(
        name,
        type_,
        max_length=declared if type_ in _LENGTH_TYPES else None,
        precision=(declared or 0) >> 16 & 0xFFFF if is_numeric else None,
        scale=scale,
        is_nullable=is_nullable,
        has_default=has_default,
    )
