"""The training data, read from the data lake where its Glue catalog entry says it is."""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError

from vectorops.errors import AwsError, InputDataError
from vectorops.recommender.interactions import REQUIRED_COLUMNS

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import PartitionTypeDef
    from mypy_boto3_s3 import S3Client

LOCATION_KEY = b"location"
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_DOWNLOADS_AT_ONCE = 16
_LOCATION = re.compile(r"s3[an]?://([^/]+)/?(.*)")
_CONTRACT_NAMES = {name.lower(): name for name in REQUIRED_COLUMNS} | {"postalcode": "postalCode"}
_PARTITION_TYPES = dict.fromkeys(("tinyint", "smallint", "int", "bigint"), pa.int64()) | dict.fromkeys(
    ("float", "double", "decimal"), pa.float64()
)
_HINT = "run 'vectorops glue-run' to write it"


# What the job that writes the table says in its catalog entry: each copy is a folder; rows of the one in use.
_SNAPSHOTS, _ROWS = "vectorops.snapshots", "vectorops.rows"
_CHANGING = "a job has just replaced it: try again"


@dataclass(frozen=True)
class _Folder:
    """Where rows are, and the values that its path says about all of them."""

    location: str
    values: Mapping[str, pa.Scalar]


@dataclass(frozen=True)
class _Entry:
    """What the catalog says about a table.

    Attributes:
        name: Database and table.
        location: S3 URL of the table.
        folders: Where its rows are.
        rows: How many there are, or None when the catalog does not say.
    """

    name: str
    location: str
    folders: tuple[_Folder, ...]
    rows: int | None


def read_training_table(
    glue_client: "GlueClient",
    s3_client: "S3Client",
    catalog_database: str,
    catalog_table: str,
    *,
    on_file: Callable[[int, int], None] = lambda _done, _all: None,
) -> pa.Table:
    """Return the rows of a Parquet table of the Glue Data Catalog, partition values included.

    Args:
        glue_client: Client that may read the catalog entry and its partitions.
        s3_client: Client that may list and read the table's location.
        catalog_database: Name of the catalog database.
        catalog_table: Name of the table in it.
        on_file: Called after each file with the number read and the number there are.

    Returns:
        All columns; those of the training data under exactly their names, also where the catalog or the
        files know only lower case. The schema's metadata has the table's S3 URL under `LOCATION_KEY`.

    Raises:
        InputDataError: The table is not in the catalog, has no files, or they cannot be read as one table.
        AwsError: The catalog or a file cannot be read, or the table was replaced meanwhile.
    """
    try:
        entry = _read_catalog(glue_client, catalog_database, catalog_table)
        files = [
            (folder, *found) for folder in entry.folders for found in _list_files(s3_client, folder.location)
        ]
        parts = []
        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            for part in pool.map(lambda file: _read_file(s3_client, *file), files):
                parts.append(part)
                on_file(len(parts), len(files))
    except (ClientError, BotoCoreError) as exc:
        raise AwsError(
            f"cannot read table '{catalog_database}.{catalog_table}'",
            why=str(exc),
            hint=f"perhaps {_CHANGING}",
        ) from exc
    if not parts:
        raise InputDataError(
            f"table '{entry.name}' has no files", why=f"{entry.location} is empty", hint=_HINT
        )
    table = _join(parts, entry)
    return table.replace_schema_metadata({LOCATION_KEY: entry.location.encode()})


def _read_catalog(glue_client: "GlueClient", database: str, table: str) -> _Entry:
    name = f"{database}.{table}"
    try:
        found = glue_client.get_table(DatabaseName=database, Name=table)["Table"]
    except glue_client.exceptions.EntityNotFoundException as exc:
        raise InputDataError(f"the catalog has no table '{name}'", why=str(exc), hint=_HINT) from exc
    location, parameters = found["StorageDescriptor"]["Location"], found.get("Parameters", {})
    folders = [_Folder(location, {})]
    if keys := [(key["Name"], key.get("Type", "string")) for key in found.get("PartitionKeys", [])]:
        pages = glue_client.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=table)
        folders = [_partition(one, keys) for page in pages for one in page["Partitions"]]
    if _SNAPSHOTS in parameters and not all(folder.location.startswith(location) for folder in folders):
        raise AwsError(f"cannot read table '{name}'", why="its partitions are of two copies", hint=_CHANGING)
    return _Entry(name, location, tuple(folders), int(parameters[_ROWS]) if _ROWS in parameters else None)


def _partition(entry: "PartitionTypeDef", keys: Sequence[tuple[str, str]]) -> _Folder:
    values = {
        _CONTRACT_NAMES.get(name.lower(), name): _partition_value(name, glue_type, text)
        for (name, glue_type), text in zip(keys, entry["Values"], strict=True)
    }
    return _Folder(entry["StorageDescriptor"]["Location"], values)


def _list_files(s3_client: "S3Client", location: str) -> Iterator[tuple[str, str]]:
    """Yield bucket and key of each data file in the order of keys; `_` and `.` mark what is not data."""
    match = _LOCATION.fullmatch(location)
    if not match:
        raise InputDataError(f"cannot read from '{location}'", why="only s3:// locations are supported")
    bucket, prefix = match[1], match[2].rstrip("/") + "/"
    for page in s3_client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix.lstrip("/")):
        for found in page.get("Contents", []):
            path = found["Key"].removeprefix(prefix)
            if found["Size"] and not any(part.startswith(("_", ".")) for part in path.split("/")):
                yield bucket, found["Key"]


def _read_file(s3_client: "S3Client", folder: _Folder, bucket: str, key: str) -> pa.Table:
    content = s3_client.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        table = pq.ParquetFile(io.BytesIO(content)).read()
    except (pa.ArrowException, OSError) as exc:
        raise InputDataError(f"s3://{bucket}/{key} is not a Parquet file", why=str(exc)) from exc
    table = table.rename_columns([_CONTRACT_NAMES.get(name.lower(), name) for name in table.column_names])
    table = table.drop_columns([name for name in folder.values if name in table.column_names])
    for name, value in folder.values.items():
        table = table.append_column(name, pa.repeat(value, table.num_rows))
    return table


def _join(parts: Sequence[pa.Table], entry: _Entry) -> pa.Table:
    try:
        table = pa.concat_tables(parts, promote_options="permissive")
    except pa.ArrowException as exc:
        raise InputDataError(f"the files of table '{entry.name}' do not fit together", why=str(exc)) from exc
    if entry.rows not in (None, table.num_rows):
        raise AwsError(
            f"table '{entry.name}' is incomplete",
            why=f"{table.num_rows} rows were read, and the catalog says {entry.rows}",
            hint=_CHANGING,
        )
    return table


def _partition_value(name: str, glue_type: str, text: str) -> pa.Scalar:
    """Return a value of the path in the type that the catalog gives to its column."""
    wanted = _PARTITION_TYPES.get(glue_type.split("(")[0].lower(), pa.string())
    try:
        return pa.scalar(None if text == _NULL_PARTITION else text, pa.string()).cast(wanted)
    except pa.ArrowException as exc:
        raise InputDataError(f"partition {name}={text} is no {glue_type}", why=str(exc)) from exc
