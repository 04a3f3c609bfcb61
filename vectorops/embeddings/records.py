"""CSV records, one at a time, whatever state the file is in."""

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vectorops.database.tables import VectorTable
from vectorops.embeddings.batch import BadRowError
from vectorops.embeddings.layout import Layout
from vectorops.embeddings.text import BLANKS
from vectorops.embeddings.vectors import Row, parse_components, parse_vector

# The module's own limit, 128 kB a field, is less than a vector of 16,000 numbers takes.
csv.field_size_limit(sys.maxsize)


@dataclass(frozen=True)
class Record:
    """One CSV record.

    Attributes:
        line: Line it begins on.
        text: As it stands in the file, without its line end.
        fields: Its fields, or None when it is no CSV.
        problem: Why it is no CSV.
    """

    line: int
    text: str
    fields: Sequence[str] | None
    problem: str = ""


def read_records(data: bytes, first_line: int, delimiter: str) -> Iterator[Record]:
    """Yield the CSV records of `data`, passing over blank lines.

    A record that is no CSV costs its first line only: reading goes on at the next one. Bytes that are no
    UTF-8 become surrogates.
    """
    lines = list(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="\n"))
    start = 0
    while start < len(lines):
        taken = start
        reader = csv.reader(
            (lines[index] for index in range(start, len(lines))),
            delimiter=delimiter,
            skipinitialspace=True,
            strict=True,
        )
        try:
            for fields in reader:
                end = start + reader.line_num
                text = _text(lines[taken:end])
                if text.strip(BLANKS):
                    yield Record(first_line + taken, text, fields)
                taken = end
        except csv.Error as exc:
            problem = f"not valid CSV ({str(exc).partition(' - ')[0]})"
            yield Record(first_line + taken, _text(lines[taken : taken + 1]), None, problem)
            taken += 1
        start = taken


def vector_of(fields: Sequence[str], layout: Layout, table: VectorTable) -> Row:
    """Return a record's vector.

    Raises:
        BadRowError: It is none that `table` takes.
    """
    if layout.has_column_per_dimension:
        return parse_components([fields[index] for index in layout.vector_indices], table)
    return parse_vector(fields[layout.vector_indices[0]], table)


def check_shape(record: Record, layout: Layout) -> Sequence[str]:
    """Return the fields of a record that has as many as the header.

    Raises:
        BadRowError: It has not.
    """
    if record.fields is None:
        raise BadRowError(record.problem)
    found, wanted = len(record.fields), len(layout.columns)
    if found == wanted:
        return record.fields
    reason = f"{found} column{'' if found == 1 else 's'}, where the header has {wanted}"
    is_unquoted = found > wanted and not layout.has_column_per_dimension and layout.delimiter == ","
    raise BadRowError(reason + ("; a vector with commas in it must be quoted" if is_unquoted else ""))


def _text(lines: Sequence[str]) -> str:
    return "".join(lines).rstrip("\r\n")
