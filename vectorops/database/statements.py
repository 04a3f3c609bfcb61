"""Splitting an SQL script into its statements."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What may hold a semicolon that ends no statement, and the semicolon that does: PostgreSQL manual, "Lexical
# Structure", except that block comments do not nest here. BEGIN ATOMIC … END is the body of a function.
_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?<!\w) e'(?: [^'\\] | \\. | '' )*'
    | '[^']*'
    | "[^"]*"
    | (?<!\w) \$ (?P<tag> (?:[a-z_]\w*)? ) \$ .*? \$ (?P=tag) \$
    | \b begin \s+ atomic \b .*? ; \s* end \b
    | (?P<end> ; )
    """,
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Statement:
    """One statement of a script.

    Attributes:
        line: Line of the script on which the statement begins, from 1.
    """

    text: str
    line: int


def split_statements(script: str) -> Iterator[Statement]:
    """Yield the statements of `script` in order, without the comments before and the semicolons after."""
    start = 0
    for token in _TOKEN.finditer(script):
        is_before_statement = not script[start : token.start()].strip()
        if token["end"] or (token["comment"] and is_before_statement):
            yield from _statement(script, start, token.start())
            start = token.end()
    yield from _statement(script, start, len(script))


def _statement(script: str, start: int, end: int) -> Iterator[Statement]:
    text = script[start:end]
    if stripped := text.strip():
        begin = start + text.index(stripped)
        yield Statement(stripped, script.count("\n", 0, begin) + 1)
