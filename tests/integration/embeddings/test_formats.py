"""The same rows from every format; what is told by content, from pipes, compressed, and from S3."""

import gzip
import hashlib
import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.integration.embeddings.load_samples import Loader, counts
from vectorops.embeddings.load import load_embeddings
from vectorops.embeddings.sources import find_sources
from vectorops.errors import InputDataError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

VECTORS = np.array([[1, 2.5, -3], [0, 1e-5, 7], [4, 5, 6]], np.float32)
IDS = ["a", "b", "ccc"]
NOTES = ["x", None, "Zürich"]
WANTED = {"a": ("x", VECTORS[0]), "b": (None, VECTORS[1]), "ccc": ("Zürich", VECTORS[2])}


def table(vectors: Any) -> pa.Table:
    return pa.table({"id": IDS, "embedding": vectors, "note": NOTES, "unused": [1, 2, 3]})


def lists(kind: Any) -> pa.Table:
    return table(pa.array([row.tolist() for row in VECTORS], kind))


def parquet(rows: pa.Table, **options: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(rows, stream, **options)
    return stream.getvalue()


def arrow(rows: pa.Table, *, is_file: bool) -> bytes:
    stream = io.BytesIO()
    with (pa.ipc.new_file if is_file else pa.ipc.new_stream)(stream, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=2)
    return stream.getvalue()


def npz(save: Callable[..., None], **arrays: Any) -> bytes:
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


def json_lines(**options: Any) -> bytes:
    rows = [
        {"id": row_id, "embedding": vector.tolist(), "note": note, "more": {"a": [1]}}
        for row_id, vector, note in zip(IDS, VECTORS, NOTES, strict=True)
    ]
    return "".join(json.dumps(row, **options) + "\n" for row in rows).encode()


def per_dimension() -> pa.Table:
    columns: dict[str, Any] = {"id": IDS, "note": NOTES}
    return pa.table(columns | {f"dim_{i}": VECTORS[:, i].astype(np.float64) for i in range(3)})


FILES = {
    "parquet list<float>": parquet(lists(pa.list_(pa.float32()))),
    "parquet list<double>, zstd": parquet(lists(pa.list_(pa.float64())), compression="zstd"),
    "parquet large list": parquet(lists(pa.large_list(pa.float32())), row_group_size=1),
    "parquet fixed size list": parquet(lists(pa.list_(pa.float32(), 3)), write_page_checksum=True),
    "parquet text": parquet(table([str(row.tolist()) for row in VECTORS])),
    "parquet column per dimension": parquet(per_dimension()),
    "parquet dictionary": parquet(
        lists(pa.list_(pa.float32())).set_column(0, "ID", pa.array(IDS).dictionary_encode())
    ),
    "arrow file": arrow(lists(pa.list_(pa.float32(), 3)), is_file=True),
    "arrow stream": arrow(lists(pa.list_(pa.float32())), is_file=False),
    "npz": npz(np.savez, ids=np.array(IDS), embeddings=VECTORS, note=np.array(["x", "y", "Zürich"])),
    "npz compressed": npz(
        np.savez_compressed,
        ids=np.array(IDS),
        vectors=VECTORS.astype(">f8"),
        note=np.array(["x", "y", "Zürich"]),
    ),
    "json lines": json_lines(),
    "json lines, ascii off": b"\xef\xbb\xbf" + json_lines(ensure_ascii=False).rstrip(),
}


def check(loader: Loader, *, has_nulls: bool = True) -> None:
    rows = loader.connection.execute("SELECT id, note, embedding::real[] FROM t").fetchall()
    assert {row_id for row_id, _, _ in rows} == set(IDS)
    for row_id, note, vector in rows:
        wanted_note, wanted = WANTED[row_id]
        assert note == (wanted_note if has_nulls else wanted_note or "y")
        assert np.array_equal(np.array(vector, np.float32), wanted)


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_rows(loader: Loader, name: str) -> None:
    loader.connection.execute("ALTER TABLE t ADD note text")
    report = loader.load(FILES[name], table="t")
    assert counts(report) == {"inserted": 3}
    assert report.checksum == hashlib.sha256(FILES[name]).hexdigest()
    check(loader, has_nulls="npz" not in name)
    assert counts(loader.load(FILES[name])) == {"unchanged": 3}


@pytest.mark.parametrize("name", ["parquet list<float>", "arrow file", "arrow stream", "npz", "json lines"])
@pytest.mark.parametrize("compress", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_every_format_can_be_compressed_and_piped(
    loader: Loader, name: str, compress: Callable[[bytes], bytes]
) -> None:
    loader.connection.execute("ALTER TABLE t ADD note text")
    sources = find_sources(["-"], stdin=io.BytesIO(compress(FILES[name])))
    assert counts(load_embeddings(loader.connection, sources, table="t")) == {"inserted": 3}
    check(loader, has_nulls=name != "npz")


def test_formats_can_be_mixed_in_one_load_from_s3(loader: Loader, s3: "S3Client") -> None:
    loader.connection.execute("ALTER TABLE t ADD note text")
    s3.create_bucket(Bucket="formats")
    chosen = ["parquet list<float>", "arrow file", "json lines", "npz"]
    for number, name in enumerate(chosen):
        s3.put_object(Bucket="formats", Key=f"in/{number}", Body=FILES[name])
    monkey = loader.folder / "rejects.csv"
    sources = find_sources(["s3://formats/in/"], s3=s3)
    report = load_embeddings(loader.connection, sources, table="t", on_error="reject", rejects_path=monkey)
    assert counts(report) == {"inserted": 3, "rejected": 9}
    assert report.bytes_read == sum(len(FILES[name]) for name in chosen)
    check(loader)


NO_ROWS = {
    "nothing": b"",
    "nothing, compressed": gzip.compress(b""),
    "a header": b"id,embedding,note\n",
    "Parquet": parquet(lists(pa.list_(pa.float32())).slice(0, 0)),
    "Arrow": arrow(lists(pa.list_(pa.float32())).slice(0, 0), is_file=True),
    "arrays": npz(np.savez, ids=np.array([], str), embeddings=np.zeros((0, 3), np.float32)),
}


@pytest.mark.parametrize("content", NO_ROWS.values(), ids=NO_ROWS)
@pytest.mark.parametrize("name", ["first", "last"])
def test_a_file_without_rows_is_passed_over_beside_others_and_refused_alone(
    loader: Loader, content: bytes, name: str
) -> None:
    files = [loader.write(content, name), loader.write(json_lines(), "some")]
    with pytest.raises(InputDataError, match=r"no rows|is empty"):
        loader.load_files(files[0])
    report = loader.load_files(*sorted(files), table="created", create=True)
    assert report.empty_files == (files[0],)
    assert counts(report) == {"inserted": 3}
    assert counts(loader.load_files(*sorted(files), table="created")) == {"unchanged": 3}


def test_ids_of_an_npy_file_are_in_the_file_beside_it(loader: Loader) -> None:
    np.save(loader.folder / "x.npy", VECTORS)
    np.save(loader.folder / "x.ids.npy", np.array(IDS))
    report = loader.load_files(str(loader.folder))
    assert counts(report) == {"inserted": 3}
    assert set(loader.rows()) == set(IDS)
    sizes = [(loader.folder / name).stat().st_size for name in ("x.npy", "x.ids.npy")]
    assert report.bytes_read == sum(sizes)


def test_ids_of_an_npy_file_alone_are_the_numbers_of_its_rows(loader: Loader) -> None:
    np.save(loader.folder / "x.npy", VECTORS.astype(np.float16))
    report = loader.load_files(str(loader.folder / "x.npy"), table="new", create=True)
    assert report.created
    rows = loader.rows("new")
    assert list(rows) == [0, 1, 2]
    halves = VECTORS.astype(np.float16).astype(np.float32)
    assert np.array_equal(np.array(list(rows.values()), np.float32), halves)


def test_bad_rows_of_a_column_file_are_rejected_by_row_and_reason(loader: Loader) -> None:
    rows = pa.table(
        {
            "id": pa.array(["a", None, "c", "d", "e", "f", "g"]),
            "embedding": pa.array(
                [[1, 2, 3], [1, 2, 3], None, [1, 2], [1, 2, float("nan")], [1, None, 3], [1, 2, 1e39]],
                pa.list_(pa.float64()),
            ),
        }
    )
    path = loader.folder / "rejects.csv"
    report = loader.load(parquet(rows), on_error="reject", rejects_path=path)
    assert counts(report) == {"inserted": 1, "rejected": 6}
    assert [(reject["line"], reject["reason"]) for reject in loader.rejects(path)] == [
        ("2", "the id is missing"),
        ("3", "the vector is missing"),
        ("4", "the vector has 2 dimensions, column embedding of t takes 3"),
        ("5", "component 3 of the vector is nan; only finite numbers can be searched"),
        ("6", "component 2 of the vector is empty"),
        ("7", "component 3 of the vector, '1e+39', is out of range for vector"),
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (npz(np.savez, ids=np.array([object()], dtype=object), embeddings=VECTORS[:1]), "Python objects"),
        (npz(np.savez, ids=np.array(IDS), embeddings=np.asfortranarray(VECTORS)), "of shape"),
        (npz(np.savez, ids=np.array(IDS[:2]), embeddings=VECTORS), "different lengths"),
        (npz(np.savez, embeddings=VECTORS), "no column 'id'"),
        (parquet(pa.table({"id": [1.5], "embedding": [[1.0, 2.0, 3.0]]})), "ids of type double"),
        (parquet(pa.table({"id": [1], "embedding": [1.0]})), "vectors of type double"),
        (parquet(lists(pa.list_(pa.float32())).slice(0, 0)), "has no rows"),
        (FILES["parquet list<float>"][:-5], "damaged"),
        (FILES["arrow stream"][:-8], "cut short"),
        (FILES["arrow file"][:-5], "cut short"),
        (FILES["npz"][:-30], "damaged"),
        (b'[{"id": 1, "embedding": [1]}]', "JSON array"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(loader: Loader, content: bytes, why: str) -> None:
    with pytest.raises(InputDataError) as raised:
        loader.load(content)
    assert why in f"{raised.value} {raised.value.hint}"
    assert loader.rows() == {}
