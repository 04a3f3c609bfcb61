"""Export and load again: the same rows, to the bit; a file that appears whole or not at all."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.integration.embeddings.load_samples import Loader, counts, embeddings_csv
from vectorops.embeddings.export import export_table
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.errors import DatabaseError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ROWS = 3_000
METADATA = """
ALTER TABLE t ADD note text, ADD small smallint, ADD n int, ADD big bigint, ADD r real,
ADD d double precision, ADD price numeric(10,2), ADD ok boolean,
ADD day date, ADD at timestamp, ADD seen timestamptz, ADD u uuid,
ADD more jsonb
"""
FILL = """
UPDATE t SET note = 'a "b", c', small = -3, n = 7, big = 1::bigint << 40, r = 0.1, d = 1e-300, price = 12.30,
ok = true, day = '2024-02-29', at = '1999-12-31 23:59:59.123456', seen = '2024-02-29 12:00+02',
u = '6f1c2a34-0000-4000-8000-0123456789ab',
more = '{"a": [1, null]}' WHERE id <> 'row5'
"""
SAME = """
SELECT count(*) FROM t FULL JOIN copy ON t.id = copy.id
WHERE ROW(t.*)::record *<> ROW(copy.*)::record
"""


def fill(loader: Loader, column: str = "vector(3)") -> None:
    loader.connection.execute(f"ALTER TABLE t ALTER embedding TYPE {column}".encode())
    loader.load(embeddings_csv(ROWS, 3), table="t")


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".npy"])
@pytest.mark.parametrize("column", ["vector(3)", "vector", "halfvec(3)"])
def test_an_exported_table_loaded_again_is_the_same_to_the_bit(
    loader: Loader, suffix: str, column: str
) -> None:
    fill(loader, column)
    path = str(loader.folder / f"out{suffix}")
    seen: list[tuple[int, int]] = []
    report = export_table(loader.connection, "t", path, on_progress=lambda *done: seen.append(done))
    assert (report.rows, report.columns) == (ROWS, ("id", "embedding"))
    assert seen[-1][0] == ROWS
    loader.connection.execute("CREATE TABLE copy (LIKE t INCLUDING ALL)")
    assert counts(loader.load_files(path, table="copy")) == {"inserted": ROWS}
    assert loader.connection.execute(SAME).fetchone() == (0,)
    assert sorted(file.name for file in loader.folder.iterdir() if file.name.startswith(("out", ".out"))) == (
        ["out.ids.npy", "out.npy"] if suffix == ".npy" else [f"out{suffix}"]
    )


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_all_columns_come_back(loader: Loader, suffix: str) -> None:
    fill(loader)
    loader.connection.execute(METADATA)
    loader.connection.execute(FILL)
    path = str(loader.folder / f"out{suffix}")
    export_table(loader.connection, "t", path)
    loader.connection.execute("CREATE TABLE copy (LIKE t INCLUDING ALL)")
    assert counts(loader.load_files(path, table="copy")) == {"inserted": ROWS}
    assert loader.connection.execute(SAME).fetchone() == (0,)


@pytest.mark.parametrize("column", ["bit(3)", "sparsevec(3)"])
def test_bits_and_sparse_vectors_are_exported_as_their_text(loader: Loader, column: str) -> None:
    loader.connection.execute(f"CREATE TABLE s (id int PRIMARY KEY, embedding {column})".encode())
    loader.load('id,embedding\n1,"[1,0,1]"\n2,"[0,0,0]"\n', table="s")
    path = str(loader.folder / "out.parquet")
    export_table(loader.connection, "s", path)
    assert counts(loader.load_files(path, table="s")) == {"unchanged": 2}
    with pytest.raises(UsageError, match="to NumPy"):
        export_table(loader.connection, "s", str(loader.folder / "out.npy"))


def test_numpy_and_parquet_files_open_as_people_expect(loader: Loader) -> None:
    loader.load('id,embedding\na,"[1,2,3]"\nbcd,"[0.1,-0,7]"\n')
    for name in ("out.npy", "out.parquet"):
        export_table(loader.connection, "t", str(loader.folder / name))
    vectors = np.load(loader.folder / "out.npy", mmap_mode="r")
    assert (vectors.dtype, vectors.shape) == (np.float32, (2, 3))
    assert np.load(loader.folder / "out.ids.npy").tolist() == ["a", "bcd"]
    assert pq.read_table(loader.folder / "out.parquet").column("id").to_pylist() == ["a", "bcd"]


def test_rows_without_a_vector_are_null_in_parquet_and_refused_by_numpy(loader: Loader) -> None:
    loader.connection.execute("INSERT INTO t VALUES ('a', NULL), ('b', '[1,2,3]')")
    export_table(loader.connection, "t", str(loader.folder / "out.parquet"))
    assert pq.read_table(loader.folder / "out.parquet").column("embedding").to_pylist() == [None, [1, 2, 3]]
    with pytest.raises(DatabaseError, match="without a vector"):
        export_table(loader.connection, "t", str(loader.folder / "out.npy"))
    assert not list(loader.folder.glob("*.npy"))
    assert not list(loader.folder.glob(".out*"))


def test_an_empty_table_is_a_file_without_rows(loader: Loader) -> None:
    for suffix in (".parquet", ".csv", ".npy"):
        assert export_table(loader.connection, "t", str(loader.folder / f"out{suffix}")).rows == 0
    assert np.load(loader.folder / "out.npy").shape == (0, 3)
    assert pq.read_table(loader.folder / "out.parquet").num_rows == 0


def test_a_file_is_replaced_only_when_told_so(loader: Loader) -> None:
    path = loader.folder / "out.csv"
    path.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        export_table(loader.connection, "t", str(path))
    assert path.read_text() == "mine"
    export_table(loader.connection, "t", str(path), overwrite=True)
    assert path.read_text() == "id,embedding\n"


def test_a_failed_export_leaves_what_was_there(loader: Loader) -> None:
    path = loader.folder / "out.parquet"
    path.write_text("mine")
    loader.connection.execute("ALTER TABLE t ADD day date")
    loader.connection.execute("INSERT INTO t VALUES ('a', '[1,2,3]', 'infinity')")
    with pytest.raises(DatabaseError, match="infinite date"):
        export_table(loader.connection, "t", str(path), overwrite=True)
    assert [file.name for file in loader.folder.iterdir()] == ["out.parquet"]
    assert path.read_text() == "mine"


def test_an_export_to_s3_can_be_loaded_from_there(loader: Loader, s3: "S3Client") -> None:
    fill(loader)
    s3.create_bucket(Bucket="exports")
    for name in ("out.parquet", "out.npy"):
        export_table(loader.connection, "t", f"s3://exports/a/{name}", s3=s3)
        sources = find_sources([f"s3://exports/a/{name}"], s3=s3)
        assert counts(load_embeddings(loader.connection, sources, table="t")) == {"unchanged": ROWS}


def test_an_object_is_replaced_only_when_told_so(loader: Loader, s3: "S3Client") -> None:
    s3.create_bucket(Bucket="taken")
    s3.put_object(Bucket="taken", Key="out.ids.npy", Body=b"mine")
    with pytest.raises(UsageError, match=r"s3://taken/out\.ids\.npy is there already"):
        export_table(loader.connection, "t", "s3://taken/out.npy", s3=s3)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="taken")["Contents"]] == ["out.ids.npy"]
    export_table(loader.connection, "t", "s3://taken/out.npy", s3=s3, overwrite=True)
    assert s3.get_object(Bucket="taken", Key="out.ids.npy")["Body"].read() != b"mine"


def test_an_unknown_format_or_table_is_refused(loader: Loader) -> None:
    with pytest.raises(UsageError, match="says no format"):
        export_table(loader.connection, "t", "out.xlsx")
    with pytest.raises(DatabaseError, match="there is no table 'nowhere'"):
        export_table(loader.connection, "nowhere", str(loader.folder / "out.csv"))
    assert not list(Path(loader.folder).iterdir())


@pytest.mark.parametrize(
    ("url", "why"),
    [("s3://nowhere/out.csv", "there is no such bucket"), ("s3:///out.csv", "'' names no bucket")],
)
def test_a_bucket_that_is_not_there_is_refused_before_a_row_is_read(
    loader: Loader, s3: "S3Client", url: str, why: str
) -> None:
    fill(loader)
    counted: list[int] = []
    with pytest.raises(UsageError, match=why):
        export_table(loader.connection, "t", url, s3=s3, on_progress=lambda rows, _: counted.append(rows))
    assert counted == []
