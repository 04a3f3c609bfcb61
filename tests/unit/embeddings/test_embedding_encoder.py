"""The binary COPY format, read back field by field."""

import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.embeddings.embedding_samples import table
from vectorops.embeddings.batch import Batch
from vectorops.embeddings.encoder import encode


def batch(ids: Any) -> Batch:
    vectors = np.arange(2 * len(ids), dtype=np.float32).reshape(-1, 2) - 1
    return Batch(ids, vectors, np.arange(5, 5 + len(ids)))


def decode(data: bytes) -> list[list[bytes]]:
    rows, position = [], 0
    while position < len(data):
        (fields,) = struct.unpack_from(">h", data, position)
        position += 2
        row = []
        for _ in range(fields):
            (size,) = struct.unpack_from(">i", data, position)
            row.append(data[position + 4 : position + 4 + size])
            position += 4 + size
        rows.append(row)
    return rows


@pytest.mark.parametrize(("id_type", "code"), [("smallint", ">h"), ("integer", ">i"), ("bigint", ">q")])
def test_integer_ids_have_the_width_of_their_column(id_type: str, code: str) -> None:
    [chunk] = encode(batch(pa.array([103, -5])), table(2, id_type), 7)
    assert decode(chunk.tobytes()) == [
        [
            struct.pack(code, 103),
            struct.pack(">hhff", 2, 0, -1, 0),
            struct.pack(">i", 7),
            struct.pack(">q", 5),
        ],
        [struct.pack(code, -5), struct.pack(">hhff", 2, 0, 1, 2), struct.pack(">i", 7), struct.pack(">q", 6)],
    ]


def test_text_ids_keep_their_lengths_lines_and_vectors() -> None:
    ids = ["a", "äöü", "b", "ccc"]
    chunks = list(encode(batch(pa.array(ids)), table(2), 0))
    rows = sorted((row for chunk in chunks for row in decode(chunk.tobytes())), key=lambda row: row[3])
    assert [row[0].decode() for row in rows] == ids
    assert [struct.unpack(">hhff", row[1])[2:] for row in rows] == [(-1, 0), (1, 2), (3, 4), (5, 6)]
    assert [struct.unpack(">q", row[3])[0] for row in rows] == [5, 6, 7, 8]


def test_uuids_are_sixteen_bytes() -> None:
    ids = pa.array([bytes(range(16)), bytes(16)], pa.binary(16))
    [chunk] = encode(batch(ids), table(2, "uuid"), 0)
    assert [row[0] for row in decode(chunk.tobytes())] == [bytes(range(16)), bytes(16)]


def test_halfvec_has_half_the_bytes() -> None:
    [chunk] = encode(batch(pa.array([1])), table(2, "integer", vector_type="halfvec"), 0)
    assert decode(chunk.tobytes())[0][1] == struct.pack(">hhee", 2, 0, -1, 0)


def test_a_batch_without_rows_is_nothing() -> None:
    empty = Batch(pa.array([], pa.string()), np.empty((0, 2), np.float32), np.empty(0, np.int64))
    assert list(encode(empty, table(2), 0)) == []


def test_source_and_line_can_be_left_out() -> None:
    [chunk] = encode(batch(pa.array([103])), table(2, "integer"), None)
    assert decode(chunk.tobytes()) == [[struct.pack(">i", 103), struct.pack(">hhff", 2, 0, -1, 0)]]
