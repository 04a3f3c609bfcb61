"""Vectors to search for, from the command line and from files."""

from pathlib import Path

import numpy as np
import pytest

from vectorops.embeddings.query_file import read_query_vectors
from vectorops.embeddings.query_vector import read_query_vector
from vectorops.errors import InputDataError


@pytest.mark.parametrize("text", ["[1_0,2]", "[\u0661,2]", "[inf,2]", "[1e39,2]", "[1,,2]", "[]", "[0x1,2]"])
def test_a_query_is_made_of_the_numbers_that_a_load_takes(text: str) -> None:
    with pytest.raises(InputDataError, match=r"is not a vector: component [12] of"):
        read_query_vector(text)


def test_a_query_is_rounded_once() -> None:
    halfway = "1.000000059604644775390625000000001"
    assert read_query_vector(f"[{halfway}]").view(np.uint32) == [0x3F800001]


@pytest.mark.parametrize("read", [read_query_vector, read_query_vectors])
@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"[1,2]"])
def test_a_damaged_npy_file_is_refused(tmp_path: Path, read: object, content: bytes) -> None:
    path = tmp_path / "queries.npy"
    path.write_bytes(content)
    with pytest.raises(InputDataError, match=r"cannot read .*queries"):
        read(str(path) if read is read_query_vector else path)  # type: ignore[operator]


def test_an_archive_called_npy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "queries.npy"
    with path.open("wb") as file:
        np.savez(file, embeddings=np.ones((2, 3), np.float32))
    with pytest.raises(InputDataError, match=r"cannot read .*queries"):
        read_query_vectors(path)


def test_queries_of_many_numbers_and_odd_names_are_read_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "queries.csv"
    vector = "[" + ",".join(["0.1234567890123"] * 16_000) + "]"
    path.write_text(f'id,embedding\n"a\nb","{vector}"\n\nc\u2028d,"{vector}"\n', encoding="utf-8")
    names, vectors = read_query_vectors(path)
    assert names == ["a\nb", "c\u2028d"]
    assert vectors.shape == (2, 16_000)


def test_a_cell_of_a_query_file_is_no_path(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones(3, np.float32))
    path = tmp_path / "queries.csv"
    path.write_text(f"id,embedding\na,{tmp_path / 'one.npy'}\n", encoding="utf-8")
    with pytest.raises(InputDataError, match="is not a vector"):
        read_query_vectors(path)
