"""Every kind of bad input: its message, and that nothing is lost or half loaded."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import zstandard

from tests.integration.embeddings.load_samples import GOOD, Loader, counts, large_csv
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.errors import InputDataError

BEFORE = {"z": [9, 9, 9], "a": [0, 0, 0]}


@pytest.fixture
def loader(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """Loads into a table with two rows, "a" among them, from the folder that rejects go to."""
    monkeypatch.chdir(loader.folder)
    loader.connection.execute("INSERT INTO t VALUES ('z', '[9,9,9]'), ('a', '[0,0,0]')")
    return loader


@dataclass(frozen=True)
class BadRow:
    """A row that must not load, and why."""

    row: str
    reason: str


BAD_ROWS = [
    BadRow('x,"[1,2]"', "the vector has 2 dimensions, column embedding of t takes 3"),
    BadRow('x,"[1,2,3,4]"', "the vector has 4 dimensions, column embedding of t takes 3"),
    BadRow('x,"[1,nan,3]"', "component 2 of the vector is nan; only finite numbers can be searched"),
    BadRow('x,"[1,2,-inf]"', "component 3 of the vector is -inf; only finite numbers can be searched"),
    BadRow('x,"[1,abc,3]"', "component 2 of the vector is 'abc', not a number"),
    BadRow('x,"[1,0x1p3,3]"', "component 2 of the vector is '0x1p3', not a number"),
    BadRow('x,"[1,1_000,3]"', "component 2 of the vector is '1_000', not a number"),
    BadRow('x,"[1,,3]"', "component 2 of the vector is empty"),
    BadRow('x,"[1,2,1e39]"', "component 3 of the vector, '1e39', is out of range for vector"),
    BadRow('x,"[]"', "the vector is empty"),
    BadRow("x,", "the vector is missing"),
    BadRow('x,"1,2,3"', "the vector '1,2,3' is not of the form [1,2,3]"),
    BadRow("x,NULL", "the vector 'NULL' is not of the form [1,2,3]"),
    BadRow("x,[1,2,3]", "4 columns, where the header has 2; a vector with commas in it must be quoted"),
    BadRow("x", "1 column, where the header has 2"),
    BadRow(',"[1,2,3]"', "the id is missing"),
    BadRow('"","[1,2,3]"', "the id is missing"),
    BadRow('x\0y,"[1,2,3]"', "the id holds a NUL byte"),
    BadRow(f'{"x" * 3000},"[1,2,3]"', f"the id '{'x' * 40}…' has 3000 bytes; an index takes up to 2692"),
    BadRow('x,"[1,2,3]', "not valid CSV (',' expected after '\"')"),
    BadRow('a,"[7,7,7]"', "the id 'a' is in a.csv line 2 already"),
]


@pytest.mark.parametrize("bad", BAD_ROWS, ids=lambda bad: bad.row[:20])
def test_a_bad_row_stops_the_load_and_nothing_is_visible(loader: Loader, bad: BadRow) -> None:
    loader.write(f'{GOOD}{bad.row}\nc,"[7,8,9]"\n')
    with pytest.raises(InputDataError) as caught:
        loader.load_files("a.csv")
    assert caught.value.what == f"a.csv line 4: {bad.reason}"
    assert caught.value.why.startswith("the line is ")
    assert "--on-error reject" in caught.value.hint
    assert (loader.rows(), loader.loads()) == (BEFORE, [])


@pytest.mark.parametrize("bad", BAD_ROWS, ids=lambda bad: bad.row[:20])
def test_a_bad_row_is_rejected_and_the_others_are_loaded(loader: Loader, bad: BadRow) -> None:
    loader.write(f'{GOOD}{bad.row}\nc,"[7,8,9]"\n')
    report = loader.load_files("a.csv", on_error="reject", rejects_path=Path("rejects.csv"))
    assert counts(report) == {"inserted": 2, "updated": 1, "rejected": 1}
    assert loader.rows() == {**BEFORE, "a": [1, 2, 3], "b": [4, 5, 6], "c": [7, 8, 9]}
    assert report.rejects_path == Path("rejects.csv")
    [reject] = loader.rejects(report.rejects_path)
    assert (reject["source"], reject["line"], reject["reason"]) == ("a.csv", "4", bad.reason)
    assert reject["text"] == bad.row
    assert loader.loads()[0].rows_rejected == 1


@pytest.mark.parametrize(
    ("id_type", "row_id", "reason"),
    [
        ("integer", "abc", "'abc' is not an integer; column id of u is integer"),
        ("integer", "103.0", "'103.0' is not an integer; column id of u is integer"),
        ("integer", "2147483648", "'2147483648' is out of range; column id of u is integer"),
        ("smallint", "40000", "'40000' is out of range; column id of u is smallint"),
        ("uuid", "7", "'7' is not a UUID; column id of u is uuid"),
        ("varchar(3)", "abcd", "the id 'abcd' has 4 characters; column id of u is character varying(3)"),
    ],
)
def test_an_id_of_the_wrong_type_stops_the_load(
    loader: Loader, id_type: str, row_id: str, reason: str
) -> None:
    loader.connection.execute(f"CREATE TABLE u (id {id_type} PRIMARY KEY, embedding vector(3))")
    loader.write(f'id,embedding\n{row_id},"[1,2,3]"\n')
    with pytest.raises(InputDataError) as caught:
        loader.load_files("a.csv", table="u")
    assert caught.value.what == f"a.csv line 2: {reason}"
    assert loader.rows("u") == {}


def test_an_id_that_is_no_utf8_stops_the_load(loader: Loader) -> None:
    loader.write(b'id,embedding\ncaf\xe9,"[1,2,3]"\n')
    with pytest.raises(InputDataError, match=r"a.csv line 2: the id 'caf\\udce9' is not valid UTF-8"):
        loader.load_files("a.csv")


def test_an_ignored_column_may_be_in_any_encoding(loader: Loader) -> None:
    loader.load(b'id,note,embedding\nb,caf\xe9,"[1,2,3]"\n')
    assert loader.rows()["b"] == [1, 2, 3]


NO_CSV = {
    "Parquet": (b"PAR1\x15\x04", "a.csv is damaged, or of a kind that cannot be read: Parquet file size"),
    "binary": (bytes(range(256)), "a.csv is of no format that can be loaded: it seems to be binary data"),
    "no id": (b'sku,embedding\na,"[1,2,3]"\n', "a.csv has no column 'id': its first line is 'sku,embedding'"),
    "no vector": (b"id,name\na,b\n", "a.csv has no column 'embedding', and no columns 0, 1, 2"),
    "no header": (b'a,"[1,2,3]"\n', "a.csv has no column 'id': its first line is"),
    "2 dimensions": (b'id,embedding\na,"[1,2]"\nb,"[1,2]"\n', "a.csv has vectors of 2 dimensions: column"),
    "2 columns": (
        b"id,0,1\na,1,2\n",
        "a.csv has vectors of 2 dimensions: column embedding of public.t takes 3",
    ),
    "cut gzip": (gzip.compress(GOOD.encode())[:-9], "a.csv is cut short: its gzip data ends before the end"),
    "cut zstd": (zstandard.compress(GOOD.encode())[:-2], "a.csv is cut short: its zstd data ends before"),
    "damaged": (gzip.compress(GOOD.encode())[:-8] + bytes(8), "a.csv is damaged gzip data: "),
}


@pytest.mark.parametrize("on_error", ["stop", "reject"])
@pytest.mark.parametrize("kind", NO_CSV)
def test_a_file_that_is_none_is_refused_whole(loader: Loader, kind: str, on_error: str) -> None:
    content, message = NO_CSV[kind]
    loader.write(GOOD, "0.csv")
    loader.write(content)
    with pytest.raises(InputDataError) as caught:
        loader.load_files("0.csv", "a.csv", on_error=on_error)
    assert str(caught.value).startswith(message)
    assert (loader.rows(), loader.loads()) == (BEFORE, [])
    assert sorted(path.name for path in Path().iterdir()) == ["0.csv", "a.csv"]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_file_cut_short_far_behind_its_beginning_is_refused_whole(
    loader: Loader, compress: Callable[[bytes], bytes]
) -> None:
    stored = compress(large_csv(100_000, 100).encode())
    loader.write(stored[: len(stored) - 1000])
    loader.connection.execute("CREATE TABLE w (id integer PRIMARY KEY, embedding vector(100))")
    steps: list[int] = []
    with pytest.raises(InputDataError, match=r"a.csv is cut short"):
        loader.load_files("a.csv", table="w", on_progress=lambda rows, _: steps.append(rows))
    assert steps[-1] > 10_000
    assert (loader.rows("w"), loader.loads()) == ({}, [])


def test_a_missing_column_is_named_as_it_was_asked_for(loader: Loader) -> None:
    loader.write(GOOD)
    with pytest.raises(InputDataError, match=r"a.csv has no column 'sku'"):
        loader.load_files("a.csv", id_column="sku")
    with pytest.raises(InputDataError, match=r"a.csv has no column 'minilm'"):
        loader.load_files("a.csv", vector_column="minilm")


def test_a_bad_row_far_behind_in_a_large_file_is_named_by_its_line(loader: Loader) -> None:
    loader.connection.execute("CREATE TABLE w (id varchar PRIMARY KEY, embedding vector(20))")
    rows = large_csv(60_000, 20).splitlines(keepends=True)
    rows[50_000] = 'bad,"[1,2,x' + ",1" * 17 + ']"\n'
    loader.write("".join(rows))
    with pytest.raises(
        InputDataError, match=r"a\.csv line 50001: component 3 of the vector is 'x', not a number"
    ):
        loader.load_files("a.csv", table="w")
    assert loader.rows("w") == {}
    report = loader.load_files("a.csv", table="w", on_error="reject")
    assert counts(report) == {"inserted": 59_999, "rejected": 1}


def test_duplicates_are_found_over_several_files_and_the_first_row_counts(loader: Loader) -> None:
    loader.write('id,embedding\nb,"[1,1,1]"\nc,"[2,2,2]"\nb,"[3,3,3]"\n', "1.csv")
    loader.write('id,embedding\nc,"[4,4,4]"\nb,"[5,5,5]"\nd,"[6,6,6]"\n', "2.csv")
    with pytest.raises(InputDataError) as caught:
        loader.load_files("1.csv", "2.csv")
    assert caught.value.what == "1.csv line 4: the id 'b' is in 1.csv line 2 already"
    assert loader.rows() == BEFORE
    report = loader.load_files("1.csv", "2.csv", on_error="reject")
    assert counts(report) == {"inserted": 3, "rejected": 3}
    assert loader.rows() == {**BEFORE, "b": [1, 1, 1], "c": [2, 2, 2], "d": [6, 6, 6]}
    assert report.rejects_path is not None
    rejects = [(row["source"], row["line"], row["text"]) for row in loader.rejects(report.rejects_path)]
    assert rejects == [
        ("1.csv", "4", 'b,"[3,3,3]"'),
        ("2.csv", "2", 'c,"[4,4,4]"'),
        ("2.csv", "3", 'b,"[5,5,5]"'),
    ]


def test_ids_that_are_one_number_are_duplicates_however_they_are_written(loader: Loader) -> None:
    loader.connection.execute("CREATE TABLE u (id integer PRIMARY KEY, embedding vector(3))")
    with pytest.raises(InputDataError, match=r"the id '7' is in .* line 2 already"):
        loader.load('id,embedding\n7,"[1,2,3]"\n007,"[1,2,3]"\n', "u")


def test_bad_rows_of_all_files_are_in_one_rejects_file_that_replaces_none(loader: Loader) -> None:
    loader.write(GOOD + "x\n", "1.csv")
    loader.write("id;embedding\ny;[1,2]\nc;[7,8,9]\n", "2.csv")
    first = loader.load_files("1.csv", "2.csv", on_error="reject")
    second = loader.load_files("1.csv", "2.csv", on_error="reject")
    assert counts(second) == {"unchanged": 3, "rejected": 2}
    assert first.rejects_path is not None and second.rejects_path is not None
    assert first.rejects_path != second.rejects_path
    assert [row["source"] for row in loader.rejects(first.rejects_path)] == ["1.csv", "2.csv"]


def test_only_bad_rows_leave_the_table_as_it_was(loader: Loader) -> None:
    report = loader.load('id,embedding\nb,"[1,2,x]"\nc,"[nan,1,2]"\n', on_error="reject")
    assert counts(report) == {"rejected": 2}
    assert loader.rows() == BEFORE


def test_a_table_whose_dimension_nothing_tells_is_not_created(loader: Loader) -> None:
    loader.write("id,embedding\nb,oops\n")
    with pytest.raises(InputDataError, match=r"cannot tell how many dimensions the vectors of a.csv have"):
        loader.load_files("a.csv", table="new", create=True)


def test_a_later_id_that_does_not_fit_a_created_table_stops_the_load(loader: Loader) -> None:
    loader.write(large_csv(100_000) + 'S10,"[1,2,3]"\n')
    with pytest.raises(
        InputDataError, match=r"a.csv line 100002: 'S10' is not an integer; column id of new is integer"
    ):
        loader.load_files("a.csv", table="new", create=True)
    assert loader.connection.execute("SELECT to_regclass('new')").fetchone() == (None,)


def test_reading_stops_at_the_first_bad_row(loader: Loader) -> None:
    path = loader.write(large_csv(20_000).replace("\n", "\nbad\n", 1))
    [source] = find_sources([path])
    read: list[int] = []
    with pytest.raises(InputDataError, match="line 2"):
        load_embeddings(loader.connection, [source], table="t", on_progress=lambda _, size: read.append(size))
    assert read == []
    assert loader.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
