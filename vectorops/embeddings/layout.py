"""Which column of a CSV file is what, from its first lines."""

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from vectorops.embeddings.text import BLANKS, quote
from vectorops.errors import InputDataError, NoRowsError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t|"
_NUMBERED = re.compile(r"(.*?)[ _-]?([0-9]{1,5})", re.ASCII)
_MAGIC = {
    b"PK\x03\x04": "a ZIP archive",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ": "xz data",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"[": "a JSON array, where one object a line is read",
}


@dataclass(frozen=True)
class Columns:
    """Which column of a file is what.

    Attributes:
        columns: Names of all columns.
        id_index: Position of the id column.
        vector_indices: Position of the vector column, or of each dimension's column, in their order.
        has_column_per_dimension: Whether it is the latter.
    """

    columns: tuple[str, ...]
    id_index: int
    vector_indices: tuple[int, ...]
    has_column_per_dimension: bool

    def index_of(self, name: str) -> int:
        """Return the position of the column of `others` with this name, if need be in another letter case."""
        used = {self.id_index, *self.vector_indices}
        found = [None if index in used else column for index, column in enumerate(self.columns)]
        if name in found:
            return found.index(name)
        return [column and column.casefold() for column in found].index(name.casefold())

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the columns that are neither id nor vector."""
        used = {self.id_index, *self.vector_indices}
        return tuple(name for index, name in enumerate(self.columns) if index not in used)


@dataclass(frozen=True)
class Layout(Columns):
    """How a CSV file is to be read.

    Attributes:
        delimiter: One character.
        header_bytes: Length of everything up to the first data line.
        first_line: Line number of the first data line.
    """

    delimiter: str
    header_bytes: int
    first_line: int


def detect_layout(source: str, head: bytes, id_names: Sequence[str], vector_names: Sequence[str]) -> Layout:
    """Find out how a CSV file is to be read.

    Args:
        source: Name of the file, for messages.
        head: Its beginning, all of it when it is short.
        id_names: What the id column may be called, the best first; letter case does not matter.
        vector_names: What a column of whole vectors may be called. Without such a column, columns numbered
            from 0 or 1 without a gap ("0", "1", … or "dim_1", "dim_2", …) are one dimension each.

    Raises:
        InputDataError: The file is empty or binary, or has no header with such columns.
    """
    _refuse_binary(source, head)
    header, header_bytes, first_line = _header_of(source, head)
    delimiter, columns = _split_header(header)
    if _find(source, columns, id_names) is None:
        raise InputDataError(
            f"{source} has no column '{id_names[0]}'",
            why=f"its first line is {quote(header, 60)}",
            hint="the first line must name the columns, as id,embedding does; choose the id with --id-column",
        )
    found = find_columns(source, columns, id_names, vector_names)
    return Layout(**vars(found), delimiter=delimiter, header_bytes=header_bytes, first_line=first_line)


def find_columns(
    source: str, columns: Sequence[str], id_names: Sequence[str], vector_names: Sequence[str]
) -> Columns:
    """Find the id and the vectors among a file's columns.

    Args:
        source: Name of the file, for messages.
        columns: Their names.
        id_names: As for `detect_layout`.
        vector_names: As for `detect_layout`.

    Raises:
        InputDataError: One of them is not there, or is there twice.
    """
    why = f"its columns are {', '.join(quote(name) for name in columns[:10])}"
    id_index = _find(source, columns, id_names)
    if id_index is None:
        raise InputDataError(
            f"{source} has no column '{id_names[0]}'", why=why, hint="choose the id with --id-column"
        )
    vector_index = _find(source, columns, vector_names)
    indices = (vector_index,) if vector_index is not None else _numbered(columns, id_index)
    if not indices:
        raise InputDataError(
            f"{source} has no column '{vector_names[0]}', and no columns 0, 1, 2, … either",
            why=why,
            hint="choose the column that holds the vectors with --vector-column",
        )
    return Columns(tuple(columns), id_index, indices, vector_index is None)


def _refuse_binary(source: str, head: bytes) -> None:
    if not head.removeprefix(BYTE_ORDER_MARK).strip():
        raise NoRowsError(f"{source} is empty", hint="a CSV file begins with a line such as id,embedding")
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if kind or b"\0" in head.split(b"\n", 1)[0]:
        raise InputDataError(
            f"{source} is of no format that can be loaded",
            why=f"it seems to be {kind or 'binary data'}",
            hint="convert it to CSV, Parquet, Arrow, NPY, NPZ or JSON lines",
        )


def _header_of(source: str, head: bytes) -> tuple[str, int, int]:
    """Return the header, the number of bytes up to its end, and the number of the line after it."""
    start = len(head) - len(head.removeprefix(BYTE_ORDER_MARK).lstrip(b"\r\n"))
    end = head.find(b"\n", start) + 1 or len(head)
    try:
        header = head[start:end].decode().strip("\r\n")
    except UnicodeDecodeError as exc:
        raise InputDataError(f"{source} is not UTF-8", why=str(exc), hint="convert it to UTF-8") from exc
    if "\r" in header:
        raise InputDataError(f"{source} ends its lines with bare carriage returns", hint="end them with \\n")
    return header, end, head.count(b"\n", 0, end) + 1


def _split_header(header: str) -> tuple[str, tuple[str, ...]]:
    """Return the delimiter that makes the most columns, and their names."""
    candidates = {
        delimiter: tuple(name.strip(BLANKS) for name in next(csv.reader([header], delimiter=delimiter), ()))
        for delimiter in _DELIMITERS
    }
    return max(candidates.items(), key=lambda item: len(item[1]))


def _find(source: str, columns: Sequence[str], names: Sequence[str]) -> int | None:
    folded = [column.casefold() for column in columns]
    for name in names:
        count = folded.count(name.casefold())
        if count > 1:
            raise InputDataError(f"{source} has {count} columns called '{name}'")
        if count:
            return folded.index(name.casefold())
    return None


def _numbered(columns: Sequence[str], id_index: int) -> tuple[int, ...]:
    """Return the largest group of columns whose names differ in a gapless number only, in its order."""
    groups: dict[str, dict[int, int]] = defaultdict(dict)
    for index, column in enumerate(columns):
        if index != id_index and (match := _NUMBERED.fullmatch(column)):
            groups[match[1].casefold()][int(match[2])] = index
    gapless = [
        tuple(group[number] for number in sorted(group))
        for group in groups.values()
        if len(group) > 1 and min(group) in (0, 1) and max(group) - min(group) == len(group) - 1
    ]
    return max(gapless, key=len, default=())
