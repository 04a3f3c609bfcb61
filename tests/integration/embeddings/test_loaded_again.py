"""The second load of the same files, which only reads: they are compared with the table, side by side."""

import gzip
from collections.abc import Callable

import numpy as np
import pytest

from tests.integration.embeddings.load_samples import Loader, counts, embeddings_csv
from vectorops.embeddings.comparing import is_loaded
from vectorops.embeddings.intake import Intake
from vectorops.embeddings.preflight import Columns, prepare
from vectorops.embeddings.rejects import StopAtFirst
from vectorops.embeddings.sources import find_sources

ROWS = 3_000
CSV = embeddings_csv(ROWS, 3)


def is_seen_as_loaded(loader: Loader, *paths: str) -> bool:
    plan = prepare(loader.connection, find_sources(paths), "t", create=False, columns=Columns())
    intake = Intake(plan, StopAtFirst(), lambda rows, bytes_read: None)
    with loader.connection.transaction():
        found = is_loaded(loader.connection, intake)
    assert intake.read == (ROWS if found else 0)
    return found


def numpy_files(loader: Loader) -> list[str]:
    path = loader.folder / "v.npy"
    np.save(path, np.random.default_rng(3).standard_normal((ROWS, 3)).astype(np.float32))
    np.save(loader.folder / "v.ids.npy", np.array([f"row{number}" for number in range(ROWS)]))
    return [str(path)]


def two_files(loader: Loader) -> list[str]:
    head, *lines = CSV.splitlines(keepends=True)
    return [loader.write(head + "".join(half), name) for half, name in ((lines[:9], "a"), (lines[9:], "b"))]


FILES: dict[str, Callable[[Loader], list[str]]] = {
    "csv": lambda loader: [loader.write(CSV)],
    "compressed": lambda loader: [loader.write(gzip.compress(CSV.encode()), "a.csv.gz")],
    "numpy, with ids beside it": numpy_files,
    "two files": two_files,
}


@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
@pytest.mark.parametrize("column", ["vector(3)", "halfvec(3)"])
def test_the_same_files_are_found_in_the_table(
    loader: Loader, files: Callable[[Loader], list[str]], column: str
) -> None:
    loader.connection.execute(f"ALTER TABLE t ALTER embedding TYPE {column}".encode())
    paths = files(loader)
    assert not is_seen_as_loaded(loader, *paths)
    first = loader.load_files(*paths)
    before = loader.versions()
    assert is_seen_as_loaded(loader, *paths)
    second = loader.load_files(*paths)
    assert counts(second) == {"unchanged": ROWS}
    assert (second.checksum, second.bytes_read) == (first.checksum, first.bytes_read)
    assert loader.versions() == before
    assert loader.loads()[0].rows_unchanged == ROWS


CHANGES = {
    "a vector": ("UPDATE t SET embedding = '[7,8,9]' WHERE id = 'row2999'", {"updated": 1}),
    "the sign of a zero": ("UPDATE t SET embedding = '[0,0,-0]' WHERE id = 'row0'", {"updated": 1}),
    "a row moved": ("UPDATE t SET id = id WHERE id = 'row7'", {}),
    "a row deleted": ("DELETE FROM t WHERE id = 'row2999'", {"inserted": 1}),
    "all rows deleted": ("DELETE FROM t", {"inserted": ROWS}),
    "a vector removed": ("UPDATE t SET embedding = NULL WHERE id = 'row0'", {"updated": 1}),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_was_changed_in_the_table_is_written_again(
    loader: Loader, change: str, expected: dict[str, int]
) -> None:
    path = loader.write(CSV)
    loader.load_files(path)
    wanted = loader.rows()
    loader.connection.execute(change.encode())
    assert not is_seen_as_loaded(loader, path)
    left = {"unchanged": ROWS - sum(expected.values())} if sum(expected.values()) < ROWS else {}
    assert counts(loader.load_files(path)) == expected | left
    assert loader.rows() == wanted


def test_the_last_block_counts_as_the_first(loader: Loader) -> None:
    loader.connection.execute("ALTER TABLE t ALTER embedding TYPE vector(200)")
    path = loader.write(embeddings_csv(ROWS, 200))  # 6 MB: blocks have 1 MiB.
    loader.load_files(path)
    assert is_seen_as_loaded(loader, path)
    loader.connection.execute("UPDATE t SET id = 'other' WHERE id = 'row2999'")
    assert not is_seen_as_loaded(loader, path)


def test_another_file_of_the_same_size_is_loaded(loader: Loader) -> None:
    loader.load(CSV)
    other = CSV.replace("row", "wor")
    assert not is_seen_as_loaded(loader, loader.write(other))
    assert counts(loader.load(other)) == {"inserted": ROWS}


def test_rows_that_others_have_added_are_not_read(loader: Loader) -> None:
    path = loader.write(CSV)
    loader.load_files(path)
    loader.connection.execute("INSERT INTO t SELECT 'mine' || i, '[1,2,3]' FROM generate_series(1, 20000) i")
    assert is_seen_as_loaded(loader, path)
    assert counts(loader.load_files(path)) == {"unchanged": ROWS}


def test_bad_rows_are_rejected_again(loader: Loader) -> None:
    content = CSV + 'bad,"[1,2]"\nrow0,"[1,2,3]"\n'
    for expected in ({"inserted": ROWS}, {"unchanged": ROWS}):
        report = loader.load(content, on_error="reject", rejects_path=loader.folder / "rejects.csv")
        assert counts(report) == expected | {"rejected": 2}
        assert report.rejects_path
        assert [row["line"] for row in loader.rejects(report.rejects_path)] == [str(ROWS + 2), str(ROWS + 3)]
        report.rejects_path.unlink()


def test_metadata_counts_as_much_as_vectors(loader: Loader) -> None:
    loader.connection.execute("ALTER TABLE t ADD price int")
    lines = CSV.splitlines()
    content = "\n".join([lines[0] + ",price", *(line + ",5" for line in lines[1:])]) + "\n"
    loader.load(content)
    assert is_seen_as_loaded(loader, loader.write(content))
    assert counts(loader.load(content.replace(",5\n", ",6\n"))) == {"updated": ROWS}
