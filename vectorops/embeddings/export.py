"""Exporting a vector table to a file, by binary COPY."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
from psycopg import sql

from vectorops.database.columns import metadata_columns
from vectorops.database.connection import database_errors
from vectorops.database.tables import VectorTable, vector_table
from vectorops.embeddings.decoder import NATIVE_TYPES, Field, arrow_type, decode, read_blocks
from vectorops.embeddings.export_files import NpyFiles, ParquetFile, Writer, appearing, check_free
from vectorops.embeddings.reader import map_in_order
from vectorops.embeddings.sources import find_sources
from vectorops.errors import AwsError, DatabaseError, InputDataError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

FORMATS = (".parquet", ".csv", ".npy")
_TEXT_SETTINGS = (
    "SET LOCAL datestyle TO ISO, YMD",
    "SET LOCAL timezone TO 'UTC'",
    "SET LOCAL extra_float_digits TO 1",
)
_LINES_A_STEP = 1_000
# A load takes blanks before a field away, unless they are in quotes; PostgreSQL sets none for them.
_COPY_CSV = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE ({}))")
_ALL_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        table: With its schema.
        destination: The file, or URL of the object.
        ids: The file with the ids, for .npy, or None.
        rows: In the file.
        columns: In the file, in their order.
        left_out: Columns of the table that the format has no place for, or that the table fills by itself.
        bytes_written: Size of what was written.
        elapsed_s: Seconds it took.
    """

    table: str
    destination: str
    ids: str | None
    rows: int
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    bytes_written: int
    elapsed_s: float


def export_table(
    connection: psycopg.Connection[Any],
    table: str,
    destination: str,
    *,
    overwrite: bool = False,
    s3: "S3Client | None" = None,
    on_progress: OnProgress = lambda rows, bytes_read: None,
) -> ExportReport:
    """Write all rows of a table, as they are at one moment, to a file that appears when it is whole.

    Loaded again, the file gives the same rows to the bit.

    Args:
        connection: From `vectorops.database.connection.connect`, outside a transaction.
        table: "item_emb" or "schema.item_emb".
        destination: Path or "s3://bucket/key" that ends in .parquet, .csv or .npy. The ids of x.npy are in
            x.ids.npy beside it.
        overwrite: Whether what is there may be replaced.
        s3: Client for an "s3://" destination.
        on_progress: Called with the number of rows and of bytes so far.

    Raises:
        UsageError: The destination is taken, or of no known format.
        DatabaseError: There is no such table, it is empty of what the format needs, or PostgreSQL refused.
        AwsError: S3 refused.
    """
    started = time.monotonic()
    suffix = Path(destination).suffix
    if suffix not in FORMATS:
        raise UsageError(
            f"cannot export to {destination}",
            why="its name says no format",
            hint=f"end it in {', '.join(FORMATS)}",
        )
    with _local_paths(destination, suffix, s3, overwrite=overwrite) as paths:
        with (
            database_errors(f"cannot export '{table}'"),
            connection.transaction(),
        ):
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            # An error, where row policies would hide rows.
            connection.execute("SET LOCAL row_security TO off")
            source = vector_table(connection, table)
            fields = _fields(connection, source, is_numpy=suffix == ".npy")
            rows = _write(connection, source, fields, paths, overwrite, on_progress)
        size = sum(path.stat().st_size for path in paths)
    left_out = _left_out(connection, source, fields)
    return ExportReport(
        table=source.full_name,
        destination=destination,
        ids=_beside(destination) if suffix == ".npy" else None,
        rows=rows,
        columns=tuple(field.name for field in fields),
        left_out=left_out,
        bytes_written=size,
        elapsed_s=time.monotonic() - started,
    )


@contextlib.contextmanager
def _local_paths(
    destination: str, suffix: str, s3: "S3Client | None", *, overwrite: bool
) -> Iterator[list[Path]]:
    """Give the paths to write to; for S3, upload them afterwards."""
    names = [destination, _beside(destination)] if suffix == ".npy" else [destination]
    if not destination.startswith("s3://"):
        for name in names:
            check_free(Path(name), overwrite=overwrite)
        yield [Path(name) for name in names]
        return
    if s3 is None:
        raise UsageError(f"cannot write {destination}", why="no S3 client is given")
    _check_bucket(destination, s3)
    for name in [] if overwrite else names:
        _check_free_in_s3(name, s3)
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / Path(name).name for name in names]
        yield paths
        try:
            for name, path in reversed(list(zip(names, paths, strict=True))):
                bucket, _, key = name.removeprefix("s3://").partition("/")
                s3.upload_file(str(path), bucket, key)
        except (BotoCoreError, ClientError, S3UploadFailedError) as exc:
            raise AwsError(f"cannot write {destination}", why=str(exc)) from exc


def _check_bucket(url: str, s3: "S3Client") -> None:
    """Refuse a bucket that cannot be before anything is read."""
    from botocore.exceptions import ClientError, ParamValidationError

    bucket = url.removeprefix("s3://").partition("/")[0]
    try:
        s3.head_bucket(Bucket=bucket)
    except ParamValidationError as exc:
        raise UsageError(
            f"cannot write {url}", why=f"'{bucket}' names no bucket", hint="write s3://bucket/key"
        ) from exc
    except ClientError as exc:
        # Who may put objects into a bucket is not always allowed to look at it.
        if exc.response.get("Error", {}).get("Code") in ("404", "NoSuchBucket"):
            raise UsageError(f"cannot write {url}", why="there is no such bucket") from exc


def _check_free_in_s3(url: str, s3: "S3Client") -> None:
    with contextlib.suppress(InputDataError):
        find_sources([url], s3=s3)
        raise UsageError(f"{url} is there already", hint="choose another key, or replace it with --overwrite")


def _beside(destination: str) -> str:
    return destination.removesuffix(".npy") + ".ids.npy"


def _fields(connection: psycopg.Connection[Any], table: VectorTable, *, is_numpy: bool) -> list[Field]:
    vector_type = table.vector_type if table.vector_type in ("vector", "halfvec") else "text"
    if is_numpy and vector_type == "text":
        raise UsageError(
            f"cannot export {table.vector_type} to NumPy",
            hint="export to .parquet or .csv, which hold its text",
        )
    dimension = table.dimension or _first_dimension(connection, table) if vector_type != "text" else 0
    fields = [
        Field(table.id_column, _wire(table.id_type)),
        Field(table.vector_column, vector_type, dimension),
    ]
    if is_numpy:
        return fields
    return fields + [Field(column.name, _wire(column.type)) for column in metadata_columns(connection, table)]


def _wire(type_: str) -> str:
    return type_ if type_ in NATIVE_TYPES else "text"


def _first_dimension(connection: psycopg.Connection[Any], table: VectorTable) -> int:
    query = sql.SQL("SELECT vector_dims({vector}) FROM {table} WHERE {vector} IS NOT NULL LIMIT 1")
    row = connection.execute(
        query.format(vector=sql.Identifier(table.vector_column), table=table.qualified)
    ).fetchone()
    if row is None:
        raise DatabaseError(f"{table.full_name} has no vectors, and its column no dimension")
    return int(row[0])


def _left_out(
    connection: psycopg.Connection[Any], table: VectorTable, fields: list[Field]
) -> tuple[str, ...]:
    written = {field.name for field in fields}
    names = connection.execute(_ALL_COLUMNS, (table.qualified.as_string(connection),))
    return tuple(name for (name,) in names if name not in written)


def _write(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    fields: list[Field],
    paths: list[Path],
    overwrite: bool,
    on_progress: OnProgress,
) -> int:
    with contextlib.ExitStack() as stack:
        # Of an array and its ids, the ids appear first: the stack is left from its end.
        files = [stack.enter_context(appearing(path, overwrite=overwrite)) for path in paths]
        if paths[0].suffix == ".csv":
            return _copy_csv(connection, table, fields, files[0], on_progress)
        writer = _writer(connection, table, fields, files)
        try:
            rows = _copy(connection, _statement(table, fields), fields, writer, on_progress)
        except BaseException:
            with contextlib.suppress(Exception):
                writer.close()
            raise
        writer.close()
    return rows


def _copy(
    connection: psycopg.Connection[Any],
    statement: sql.Composed,
    fields: list[Field],
    writer: Writer,
    on_progress: OnProgress,
) -> int:
    """Let the writer have all rows; return how many. Receiving, decoding and writing go on side by side."""

    def write(batch: Any) -> tuple[int, int]:
        writer.write(batch)
        return batch.num_rows, batch.nbytes

    rows = received = 0
    with contextlib.ExitStack() as stack:
        copy = stack.enter_context(connection.cursor().copy(statement))
        batches = map_in_order(lambda block: decode(*block, fields), read_blocks(copy))
        written = map_in_order(write, stack.enter_context(contextlib.closing(batches)), workers=1)
        for count, size in stack.enter_context(contextlib.closing(written)):
            rows, received = rows + count, received + size
            on_progress(rows, received)
    return rows


def _writer(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    fields: list[Field],
    files: list[IO[bytes]],
) -> Writer:
    schema = pa.schema([(field.name, arrow_type(field)) for field in fields])
    vector = table.vector_column
    if len(files) == 2:
        length = (
            _longest_id(connection, table) if fields[0].type not in ("smallint", "integer", "bigint") else 0
        )
        return NpyFiles(files[0], files[1], schema, vector, fields[1].dimension, length)
    return ParquetFile(files[0], schema, vector)


def _longest_id(connection: psycopg.Connection[Any], table: VectorTable) -> int:
    query = sql.SQL("SELECT coalesce(max(length({id}::text)), 0) FROM {table}")
    row = connection.execute(
        query.format(id=sql.Identifier(table.id_column), table=table.qualified)
    ).fetchone()
    return int(row[0]) if row else 0


def _copy_csv(
    connection: psycopg.Connection[Any],
    table: VectorTable,
    fields: list[Field],
    file: IO[bytes],
    on_progress: OnProgress,
) -> int:
    """Let the server write CSV, with as many digits as each number takes to come back; return the rows."""
    for setting in _TEXT_SETTINGS:
        connection.execute(setting)
    lines = received = 0
    quoted = [sql.Identifier(field.name) for field in fields if not pa.types.is_primitive(arrow_type(field))]
    statement = _COPY_CSV.format(_columns(table, fields), sql.SQL(", ").join(quoted))
    with connection.cursor().copy(statement) as copy:
        for lines, line in enumerate(copy):  # The first line is the header.
            file.write(line)
            received += len(line)
            if lines % _LINES_A_STEP == 0:
                on_progress(lines, received)
    on_progress(lines, received)
    return lines


def _statement(table: VectorTable, fields: list[Field]) -> sql.Composed:
    return sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(_columns(table, fields))


def _columns(table: VectorTable, fields: list[Field]) -> sql.Composed:
    columns = [
        sql.SQL("{0}::text AS {0}" if field.type == "text" else "{0}").format(sql.Identifier(field.name))
        for field in fields
    ]
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), table.qualified)
