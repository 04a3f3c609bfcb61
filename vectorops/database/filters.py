"""Filters on the columns beside the vector: `column operator value`, whose values are always bound."""

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from vectorops.errors import UsageError

_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=", "like", "not like", "ilike", "not ilike", "@>")
_LISTS = ("in", "not in")
_NULL_TESTS = ("is null", "is not null")
OPERATORS = (*_COMPARISONS, *_LISTS, *_NULL_TESTS)

_FILTER = re.compile(
    r"""
    \s* (?P<column> "(?:[^"]|"")+" | [^\s"<>=!@]+ )
    \s* (?P<operator> <= | >= | <> | != | = | < | > | @>
        | \b (?:not\s+)? (?:i?like|in) \b | \b is \s+ (?:not\s+)? null \b )
    \s* (?P<value> .*? ) \s*
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_HINT = f'write it as "column operator value", such as "price < 20"; operators: {", ".join(OPERATORS)}'


@dataclass(frozen=True)
class Filter:
    """A condition on one column.

    Attributes:
        column: Its name, letter for letter.
        operator: One of `OPERATORS`; "@>" asks whether a JSON document or an array contains the value.
        values: As text, which the server reads as the column's type: one, several for a list, or none for a
            test for NULL.
    """

    column: str
    operator: str
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise UsageError(f"no operator is called '{self.operator}'", hint=_HINT)
        least, most = 1, 1.0
        if self.operator in _LISTS:
            most = math.inf
        elif self.operator in _NULL_TESTS:
            least, most = 0, 0
        if not least <= len(self.values) <= most:
            raise UsageError(f"'{self.text}' has {len(self.values)} values", hint=_HINT)

    @property
    def shape(self) -> str:
        """The filter without its values: "price <"."""
        return f"{self.column} {self.operator}"

    @property
    def text(self) -> str:
        """The filter as a person writes it: "price < 20"."""
        return " ".join([self.shape, ", ".join(self.values)]).strip()


def parse_filter(text: str) -> Filter:
    """Read "price < 20", "lang in en, fr", "title is not null" or "tags @> {new}".

    A column whose name is no plain word is put in double quotes. A value may be put in single quotes, which
    are doubled inside; it must be where a list's value holds a comma.

    Raises:
        UsageError: The text is no filter.
    """
    match = _FILTER.fullmatch(text)
    if not match:
        raise UsageError(f"'{text}' is not a filter", hint=_HINT)
    column = match["column"]
    if column.startswith('"'):
        column = column[1:-1].replace('""', '"')
    operator = " ".join(match["operator"].lower().split()).replace("!=", "<>")
    return Filter(column, operator, _values(operator, match["value"]))


def parse_filters(texts: Sequence[str]) -> tuple[Filter, ...]:
    """Read several filters, all of which must hold."""
    return tuple(map(parse_filter, texts))


def filters_shape(filters: Sequence[Filter]) -> str:
    """Return the columns and operators of `filters`, which name a kind of search whatever the values are."""
    return " and ".join(sorted(one.shape for one in filters))


def filters_text(filters: Sequence[Filter]) -> str:
    """Return `filters` as a person writes them."""
    return " and ".join(one.text for one in filters)


def conditions(filters: Sequence[Filter]) -> list[sql.Composable]:
    """Return the SQL of each filter; its parameters are those of `filter_parameters`."""
    found: list[sql.Composable] = []
    names = iter(filter_parameters(filters))
    for one in filters:
        values = [sql.Placeholder(next(names)) for _ in one.values]
        right: sql.Composable = sql.SQL("").join(values)
        if one.operator in _LISTS:
            right = sql.SQL("({})").format(sql.SQL(", ").join(values))
        found.append(sql.SQL("{} {} {}").format(sql.Identifier(one.column), sql.SQL(one.operator), right))
    return found


def filter_parameters(filters: Sequence[Filter]) -> dict[str, str]:
    """Return the parameters that `conditions` names."""
    values = [value for one in filters for value in one.values]
    return {f"filter_{number}": value for number, value in enumerate(values)}


def check_columns(filters: Sequence[Filter], columns: Sequence[str], table: str) -> None:
    """Raise UsageError unless every filter is on one of `columns`."""
    for one in filters:
        if one.column not in columns:
            there = f"its columns are {', '.join(columns)}" if columns else "it has no columns to filter by"
            raise UsageError(f"'{table}' has no column '{one.column}' to filter by", why=there)


def _values(operator: str, text: str) -> tuple[str, ...]:
    if operator not in _LISTS:
        return (_unquoted(text),) if text else ()
    inner = text[1:-1] if text.startswith("(") and text.endswith(")") else text
    rows = list(csv.reader([inner], quotechar="'", skipinitialspace=True))
    return tuple(value.strip() for value in rows[0]) if inner.strip() else ()


def _unquoted(text: str) -> str:
    is_quoted = len(text) > 1 and text.startswith("'") and text.endswith("'")
    return text[1:-1].replace("''", "'") if is_quoted else text
