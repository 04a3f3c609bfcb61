"""Whole files, from the first byte to the last batch."""

import gzip
import io
from dataclasses import replace

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.embeddings.embedding_samples import table
from vectorops.embeddings.batch import Parsed
from vectorops.embeddings.csv_file import CsvFile, open_csv
from vectorops.embeddings.reader import parse_block
from vectorops.embeddings.sources import Source
from vectorops.embeddings.streams import Meter
from vectorops.errors import InputDataError

GOOD = b'id,embedding\na,"[1,2]"\n"b",{3,4}\n\nc,"[5, 6]"\n'
PIECES = [
    b"id",
    b"embedding",
    b"0",
    b"1",
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r\n",
    b"\r",
    b'"',
    b"[",
    b"]",
    b"{",
    b"}",
]
BROKEN = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=3)), max_size=30).map(b"".join)


def open_bytes(data: bytes) -> CsvFile:
    return open_csv(Source("a.csv", len(data), lambda: io.BytesIO(data)), ["id"], ["embedding"])


def parse(file: CsvFile) -> list[Parsed]:
    target = replace(table(), dimension=(file.dimensions or [2])[0])
    return [parse_block(block, file.layout, target) for block in file.blocks(Meter())]


@given(st.one_of(BROKEN, BROKEN.map(lambda end: b"id,embedding\n" + end), BROKEN.map(lambda end: GOOD + end)))
@settings(max_examples=1_000)
def test_no_file_whatever_breaks_the_reader(data: bytes) -> None:
    try:
        file = open_bytes(data)
    except InputDataError:
        return
    for parsed in parse(file):
        assert isinstance(parsed.batch.vectors, np.ndarray)
        assert len(parsed.batch.ids) == len(parsed.batch.vectors) == len(parsed.batch.lines)


@given(st.binary(max_size=20), st.integers(0, 60), st.sampled_from([gzip.compress, zstandard.compress]))
@settings(max_examples=300)
def test_damaged_compressed_files_are_refused_or_read(
    damage: bytes, place: int, compress: "type[bytes]"
) -> None:
    stored = compress(GOOD)
    place %= len(stored)
    try:
        parse(open_bytes(stored[:place] + damage + stored[place + len(damage) :]))
    except InputDataError as exc:
        assert exc.what.startswith("a.csv ")


def test_a_file_is_summed_up_by_its_beginning() -> None:
    file = open_bytes(b'id,embedding\n7,"[1,2]"\nbad\n8,"[1,2,3]"\n')
    assert list(file.dimensions) == [2, 3]
    assert file.id_type == "integer"
    assert [parsed.batch.lines.tolist() for parsed in parse(file)] == [[2]]


@pytest.mark.parametrize(
    ("ids", "id_type"),
    [
        ("1,-5", "integer"),
        ("1,2147483648", "bigint"),
        ("1,x", "varchar"),
        ("1,007", "varchar"),
        ("+1,2", "varchar"),
    ],
)
def test_the_kind_of_ids_is_guessed_from_all_of_the_first_rows(ids: str, id_type: str) -> None:
    rows = "".join(f"{row_id};[1,2]\n" for row_id in ids.split(","))
    assert open_bytes(f"id;embedding\n{rows}".encode()).id_type == id_type
