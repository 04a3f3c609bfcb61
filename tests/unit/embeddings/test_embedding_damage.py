"""Damaged files of every format: refused, or read as a file that holds just those numbers; never a crash."""

import gzip
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.embeddings.embedding_samples import table
from vectorops.embeddings.batch import Batch, Parsed
from vectorops.embeddings.files import open_file
from vectorops.embeddings.sources import find_sources
from vectorops.embeddings.streams import Meter
from vectorops.errors import InputDataError

ROWS = 40
VECTORS = np.random.default_rng(3).standard_normal((ROWS, 4)).astype(np.float32)
IDS = [f"row{number}" for number in range(ROWS)]


def written(write: Callable[[Any], Any]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def arrow(stream: Any, *, is_file: bool) -> None:
    with (pa.ipc.new_file if is_file else pa.ipc.new_stream)(stream, ROWS_AS_TABLE.schema) as writer:
        writer.write_table(ROWS_AS_TABLE, max_chunksize=15)


ROWS_AS_TABLE = pa.table({"id": IDS, "embedding": pa.array(VECTORS.tolist(), pa.list_(pa.float32()))})
CSV = "id,embedding\n" + "".join(
    f'{row_id},"{vector.tolist()}"\n' for row_id, vector in zip(IDS, VECTORS, strict=True)
)
FILES = {
    "csv": CSV.encode(),
    "csv.gz": gzip.compress(CSV.encode()),
    "parquet": written(lambda s: pq.write_table(ROWS_AS_TABLE, s, row_group_size=15, compression="none")),
    "parquet, zstd": written(lambda s: pq.write_table(ROWS_AS_TABLE, s, compression="zstd")),
    "arrow file": written(lambda s: arrow(s, is_file=True)),
    "arrow stream": written(lambda s: arrow(s, is_file=False)),
    "npy": written(lambda s: np.save(s, VECTORS)),
    "npz": written(lambda s: np.savez(s, ids=np.array(IDS), embeddings=VECTORS)),
    "npz, deflated": written(lambda s: np.savez_compressed(s, ids=np.array(IDS), embeddings=VECTORS)),
    "json lines": written(
        lambda s: s.write(
            "".join(
                f'{{"id": "{row_id}", "embedding": {vector.tolist()}}}\n'
                for row_id, vector in zip(IDS, VECTORS, strict=True)
            ).encode()
        )
    ),
}
# Formats that hold a checksum of all their numbers.
SUMMED = ["csv.gz", "npz", "npz, deflated"]


def read(content: bytes) -> list[Parsed]:
    [source] = find_sources(["-"], stdin=io.BytesIO(content))
    file = open_file(source, ["id"], ["embedding"])
    target = table(4, "character varying")
    return [file.parse(block, target) for block in file.blocks(Meter())]


def checked(batch: Batch) -> int:
    assert isinstance(batch.vectors, np.ndarray)
    assert batch.vectors.shape == (len(batch), 4)
    assert np.isfinite(batch.vectors).all()
    assert len(batch.ids) == len(batch.lines) == len(batch)
    return len(batch)


@pytest.mark.parametrize("name", FILES)
def test_undamaged_files_are_read_to_the_bit(name: str) -> None:
    batches = [parsed.batch for parsed in read(FILES[name])]
    found = np.concatenate([batch.vectors for batch in batches if isinstance(batch.vectors, np.ndarray)])
    assert np.array_equal(found.view(np.uint32), VECTORS.view(np.uint32))


@pytest.mark.parametrize("name", FILES)
@given(place=st.integers(0, 1 << 20), damage=st.binary(min_size=1, max_size=8))
@settings(max_examples=60)
def test_overwritten_bytes_never_crash_the_reader(name: str, place: int, damage: bytes) -> None:
    content = FILES[name]
    place %= len(content)
    broken = content[:place] + damage + content[place + len(damage) :]
    try:
        rows = [checked(parsed.batch) for parsed in read(broken)]
    except InputDataError:
        return
    if name in SUMMED and broken[: len(content)] != content:
        assert sum(rows) == ROWS  # Only what the sum does not cover, such as a time or a name, was hit.


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("csv", "json lines")])
@given(size=st.integers(0, 1 << 20))
@settings(max_examples=40)
def test_a_file_that_is_cut_short_is_refused(name: str, size: int) -> None:
    content = FILES[name]
    with pytest.raises(InputDataError):
        for parsed in read(content[: size % len(content)]):
            checked(parsed.batch)
