"""The files that an export writes: each appears whole, or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib import format as npy

from vectorops.errors import DatabaseError, UsageError

_ROW_GROUP_BYTES = 32 << 20


class Writer(Protocol):
    """Takes the rows of an export in order."""

    def write(self, rows: Any) -> None:
        """Take an Arrow record batch."""

    def close(self) -> None:
        """Write what is left."""


class ParquetFile:
    """Parquet with a list of floats per row, uncompressed where compression gains nothing."""

    def __init__(self, file: IO[bytes], schema: Any, vector: str) -> None:
        others = [name for name in schema.names if name != vector]
        self._writer = pq.ParquetWriter(
            file,
            _as_floats(schema),
            compression=dict.fromkeys(others, "zstd") | {f"{vector}.list.element": "none"},
            use_dictionary=others,
            write_statistics=others,
            write_page_checksum=True,
            data_page_size=1 << 20,
        )
        self._rows: list[Any] = []
        self._bytes = 0

    def write(self, rows: Any) -> None:
        """Take rows; a row group is written when there are enough."""
        self._rows.append(rows.cast(self._writer.schema) if rows.schema != self._writer.schema else rows)
        self._bytes += rows.nbytes
        if self._bytes >= _ROW_GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write the last row group, and the index of all."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_batches(self._rows))
        self._rows, self._bytes = [], 0


class NpyFiles:
    """An array of vectors, and an array of ids in a file beside it."""

    def __init__(
        self, file: IO[bytes], ids_file: IO[bytes], schema: Any, vector: str, dimension: int, id_length: int
    ) -> None:
        self._file, self._ids_file, self._vector = file, ids_file, vector
        element = schema.field(vector).type.value_type.to_pandas_dtype()
        id_type = schema.field(0).type
        self._vectors_type = np.dtype(element)
        self._ids_type = (
            np.dtype(f"U{max(id_length, 1)}")
            if pa.types.is_string(id_type)
            else np.dtype(id_type.to_pandas_dtype())
        )
        self._dimension = dimension
        self._rows = 0
        self._write_headers()

    def write(self, rows: Any) -> None:
        """Take rows."""
        vectors = rows.column(rows.schema.get_field_index(self._vector))
        if vectors.null_count:
            raise DatabaseError(
                f"column {self._vector} holds rows without a vector",
                hint="a NumPy array cannot: export to Parquet or CSV, or delete those rows",
            )
        self._file.write(
            vectors.flatten().to_numpy(zero_copy_only=False).astype(self._vectors_type, copy=False).data
        )
        ids = rows.column(0).to_numpy(zero_copy_only=False).astype(self._ids_type)
        self._ids_file.write(ids.tobytes())
        self._rows += rows.num_rows

    def close(self) -> None:
        """Write how many rows there are."""
        for file in (self._file, self._ids_file):
            file.seek(0)
        self._write_headers()

    def _write_headers(self) -> None:
        _write_header(self._file, self._vectors_type, (self._rows, self._dimension))
        _write_header(self._ids_file, self._ids_type, (self._rows,))


@contextlib.contextmanager
def appearing(path: Path, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Open a file that appears as `path` when the block ends well, and otherwise leaves nothing behind.

    Raises:
        UsageError: Something is there already and `overwrite` is false, or the folder cannot be written to.
    """
    check_free(path, overwrite=overwrite)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            partial.replace(path)
        else:
            path.hardlink_to(partial)  # A rename would replace what has appeared meanwhile.
    except OSError as exc:
        raise UsageError(f"cannot write {path}", why=exc.strerror or str(exc)) from exc
    finally:
        partial.unlink(missing_ok=True)


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse a path that is taken.

    Raises:
        UsageError: It is, and `overwrite` is false, or it is a folder.
    """
    if path.is_dir() or (path.exists() and not overwrite):
        hint = "name a file in it" if path.is_dir() else "choose another file, or replace it with --overwrite"
        raise UsageError(f"{path} is there already", hint=hint)


def _as_floats(schema: Any) -> Any:
    """Return the schema with float32 for float16, which many readers of Parquet do not know."""
    halves = pa.list_(pa.float16())
    return pa.schema(
        [pa.field(f.name, pa.list_(pa.float32()) if f.type == halves else f.type) for f in schema]
    )


def _write_header(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    # NumPy leaves room for the number of rows to grow in place.
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(file, header)
