"""The statements of a file that mysqldump, or a tool like it, has written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vectorops.errors import InputDataError

# MySQL manual, "String Literals", "Comments", "Schema Object Names". What stands in /*! … */ is left out too:
# no row of data does.
_TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    |(?P<name>`(?:[^`]|``)*`)
    |(?P<skipped>\s+|/\*.*?\*/|--(?=\s)[^\n]*|\#[^\n]*)
    |(?P<mark>[(),;])
    |(?P<word>[^\s'"`(),;]+)
    |(?P<broken>.)""",
    re.VERBOSE | re.DOTALL,
)
_MAKE_ROWS = ("INSERT", "REPLACE")
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


@dataclass(frozen=True)
class Token:
    """A piece of a statement.

    Attributes:
        kind: "text" for a literal without its quotes, "name" for `a name`, "mark" for ( ) and comma, "word".
    """

    kind: str
    value: str


def statements(text: str) -> Iterator[list[Token]]:
    """Yield the statements in `text`.

    Raises:
        InputDataError: The text breaks off in a literal or in an INSERT statement.
    """
    statement: list[Token] = []
    for found in _TOKEN.finditer(text):
        kind = str(found.lastgroup)
        if kind == "broken":
            line = text.count("\n", 0, found.start()) + 1
            raise InputDataError(f"the dump breaks off in the text that begins in line {line}", hint=_HINT)
        if kind == "skipped":
            continue
        if found[0] == ";":
            yield statement
            statement = []
        else:
            statement.append(Token(kind, _value(kind, found[0])))
    if statement and statement[0].value.upper() in _MAKE_ROWS:
        words = " ".join(token.value for token in statement[:3])
        raise InputDataError(f"the dump breaks off in its last statement ({words} …)", hint=_HINT)


_HINT = "make the dump again; a whole one ends with a semicolon"


def _value(kind: str, raw: str) -> str:
    if kind == "name":
        return raw[1:-1].replace("``", "`")
    if kind != "text":
        return raw
    quote, inside = raw[0], raw[1:-1]
    if "\\" not in inside and quote not in inside:
        return inside
    return re.sub(r"\\(.)|''|\"\"", _unescape, inside, flags=re.DOTALL)


def _unescape(found: re.Match[str]) -> str:
    letter = found[1]
    return found[0][0] if letter is None else _ESCAPES.get(letter, letter)
