"""The rejects file appears whole or not at all, and replaces nothing."""

import csv
from pathlib import Path

import pytest

from vectorops.embeddings.batch import Reject
from vectorops.embeddings.rejects import RejectsFile, StopAtFirst, default_path
from vectorops.errors import InputDataError, UsageError

BAD = Reject("a.csv", 7, "the id is missing", ',"[1,2]"')


def test_rejects_come_back_from_the_file_as_they_were(tmp_path: Path) -> None:
    odd = Reject("b.csv", 9, 'a "reason"', "two\nlines, \udcff")
    with RejectsFile(tmp_path / "rejects.csv") as rejects:
        rejects.add([BAD, odd])
        assert not (tmp_path / "rejects.csv").exists()
        rejects.publish()
    with (tmp_path / "rejects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"source": "a.csv", "line": "7", "reason": "the id is missing", "text": ',"[1,2]"'}
    assert rows[1]["text"] == "two\nlines, \\udcff"
    assert [path.name for path in tmp_path.iterdir()] == ["rejects.csv"]
    assert (rejects.count, rejects.path) == (2, tmp_path / "rejects.csv")


def test_without_a_reject_there_is_no_file(tmp_path: Path) -> None:
    with RejectsFile(tmp_path / "rejects.csv") as rejects:
        rejects.publish()
    assert list(tmp_path.iterdir()) == []
    assert rejects.path is None


def test_a_failed_load_takes_its_rejects_file_back(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), RejectsFile(tmp_path / "rejects.csv") as rejects:
        rejects.add([BAD])
        rejects.publish()
        raise RuntimeError("the commit failed")
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    with pytest.raises(UsageError, match=r"rejects.csv is there already"), RejectsFile(path) as rejects:
        rejects.add([BAD])
        path.write_text("an earlier load's")
        rejects.publish()
    assert path.read_text() == "an earlier load's"
    with pytest.raises(UsageError, match=r"rejects.csv is there already"):
        RejectsFile(path)


def test_a_folder_that_is_not_there_is_named_before_a_row_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write the rejects to .*/nowhere/rejects.csv: there is no"):
        RejectsFile(tmp_path / "nowhere" / "rejects.csv")


def test_two_loads_in_a_row_get_files_of_their_own() -> None:
    assert default_path("item_emb") != default_path("item_emb")
    assert default_path("../a b").name.startswith(".._a_b-rejects-")


def test_stopping_quotes_the_line() -> None:
    with pytest.raises(InputDataError) as caught:
        StopAtFirst().add([BAD])
    assert str(caught.value) == """a.csv line 7: the id is missing: the line is ',"[1,2]"'"""
    assert "--on-error reject" in caught.value.hint
