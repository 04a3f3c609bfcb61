"""What a user's words for a source stand for."""

import io
import os
from pathlib import Path

import pytest

from vectorops.embeddings.sources import find_sources
from vectorops.errors import InputDataError, UsageError


def make(folder: Path, *names: str, content: str = "x") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def names(folder: Path, *specs: str) -> list[str]:
    return [Path(source.name).relative_to(folder).as_posix() for source in find_sources(specs)]


def test_a_path_is_one_source_of_known_size(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", content="12345")
    [source] = find_sources([str(tmp_path / "a.csv")])
    assert (source.name, source.size_bytes, source.can_reopen) == (str(tmp_path / "a.csv"), 5, True)
    assert source.open().read(100) == b"12345"
    assert source.open().read(100) == b"12345"


def test_a_pattern_stands_for_its_matches_in_name_order(tmp_path: Path) -> None:
    make(tmp_path, "part-2.csv", "part-1.csv", "other.csv", "deep/part-3.csv")
    assert names(tmp_path, f"{tmp_path}/part-*.csv") == ["part-1.csv", "part-2.csv"]
    assert names(tmp_path, f"{tmp_path}/**/part-*.csv") == ["deep/part-3.csv", "part-1.csv", "part-2.csv"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    make(tmp_path, "[a].csv", "a.csv")
    assert names(tmp_path, f"{tmp_path}/[a].csv") == ["[a].csv"]


def test_a_folder_stands_for_the_data_files_below_it(tmp_path: Path) -> None:
    make(tmp_path, "b/part-0.csv", "a.csv", "_SUCCESS", ".a.csv.crc", "_temporary/x.csv", "b/.hidden/y.csv")
    make(tmp_path, "b/empty.csv", content="")
    assert names(tmp_path, str(tmp_path)) == ["a.csv", "b/part-0.csv"]


def test_a_file_named_twice_is_read_once_and_the_order_is_the_users(tmp_path: Path) -> None:
    make(tmp_path, "a.csv", "b.csv")
    assert names(tmp_path, f"{tmp_path}/b.csv", f"{tmp_path}/*.csv") == ["b.csv", "a.csv"]


def test_standard_input_is_read_once_and_not_closed() -> None:
    stdin = io.BytesIO(b"abc")
    [source] = find_sources(["-"], stdin=stdin)
    assert (source.name, source.size_bytes, source.can_reopen) == ("standard input", None, False)
    stream = source.open()
    assert stream.read(2) == b"ab"
    stream.close()
    assert not stdin.closed


def test_a_named_pipe_can_be_read_only_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    [source] = find_sources([str(tmp_path / "pipe")])
    assert (source.size_bytes, source.can_reopen) == (None, False)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("nowhere.csv", InputDataError, "there is no file nowhere.csv"),
        ("nowhere-*.csv", InputDataError, "there is no file nowhere-\\*.csv"),
        ("-", UsageError, "there is no standard input to read"),
        ("s3://bucket/a.csv", UsageError, "cannot read s3://bucket/a.csv: no S3 client is given"),
    ],
)
def test_a_source_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, error: type[Exception], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        find_sources([spec])


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "_SUCCESS")
    with pytest.raises(InputDataError, match="there is no file"):
        find_sources([str(tmp_path)])


def test_no_source_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="no source is given"):
        find_sources([])


@pytest.mark.parametrize("spec", ["https://example.com/a.csv", "s3:/bucket/a.csv"])
def test_a_url_that_cannot_be_read_is_told_from_a_missing_file(spec: str) -> None:
    with pytest.raises(InputDataError) as caught:
        find_sources([spec])
    assert caught.value.hint.startswith("write s3://bucket/key")
