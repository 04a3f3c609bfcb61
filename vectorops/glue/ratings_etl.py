"""Glue job: joins customers, products and ratings of the source database into training data in the data lake.

One file without imports of our own, since Glue runs it as it is uploaded. It runs on Glue 5.1 (Spark 3.5) and
6.0 (Spark 4.1), and on local Spark. Its arguments are those of `Settings`. How readers are kept from seeing
a half-written table is told in docs/decisions, "Training data is written in snapshots".
"""

import json
import math
import re
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import boto3
from awsglue.context import GlueContext
from awsglue.utils import getResolvedOptions
from py4j.protocol import Py4JJavaError
from pyspark import SparkContext, StorageLevel
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

# The training table: names, and types as Spark and the Glue Data Catalog both write them. The catalog has the
# names in lower case, as Hive and Athena want them; the Parquet files and the folders have them as here.
COLUMNS = {
    "customerNumber": "int",
    "city": "string",
    "state": "string",
    "postalCode": "string",
    "country": "string",
    "creditLimit": "decimal(10,2)",
    "productCode": "string",
    "productLine": "string",
    "productScale": "string",
    "quantityInStock": "int",
    "buyPrice": "decimal(10,2)",
    "MSRP": "decimal(10,2)",
    "productRating": "int",
}
CUSTOMER_COLUMNS = ("customerNumber", "city", "state", "postalCode", "country", "creditLimit")
PRODUCT_COLUMNS = ("productCode", "productLine", "productScale", "quantityInStock", "buyPrice", "MSRP")
RATING_COLUMNS = ("customerNumber", "productCode", "productRating")
RATING_KEYS = ("customerNumber", "productCode")
LOWEST_RATING, HIGHEST_RATING = 1, 5

REQUIRED = (
    "JOB_NAME",
    "connection_name",
    "source_database",
    "data_lake_path",
    "catalog_database",
    "catalog_table",
)
DEFAULTS = {
    "partition_by": "customerNumber",
    "max_partitions": "1000",
    "target_file_mb": "128",
    "max_null_keys": "0",
    "max_bad_ratings": "0",
    "max_orphans": "0",
    "max_duplicates": "0",
    "fetch_size": "10000",
    "read_partitions": "8",
    "keep_snapshots": "0",
    "grace_seconds": "30",
}
# Snappy Parquet of one row: 6.4 on a million generated rows (benchmarks/etl.py); real text varies more.
BYTES_PER_ROW = 8
METRICS_MARK = "VECTOROPS_METRICS"
SNAPSHOT_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
SNAPSHOTS_PARAMETER = "vectorops.snapshots"
CATALOG_BATCH = 100  # partitions of one BatchCreatePartition or BatchUpdatePartition call
DELETE_BATCH = 1_000  # keys of one DeleteObjects call


class EtlError(Exception):
    """The job cannot go on. Nothing that readers see has changed."""


class QualityGateError(EtlError):
    """The source holds more bad rows than the thresholds allow."""


@dataclass(frozen=True)
class Threshold:
    """How many bad rows are let through: a count ("12"), or a share of the ratings read ("0.5%")."""

    text: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d+|\d+(\.\d+)?%", self.text):
            raise EtlError(f"'{self.text}' is no threshold: give a count such as 12, or a share such as 0.5%")

    def allows(self, bad: int, rows: int) -> bool:
        """Whether `bad` rows of `rows` are few enough."""
        if self.text.endswith("%"):
            return bad <= float(self.text[:-1]) / 100 * rows
        return bad <= int(self.text)


@dataclass(frozen=True)
class Settings:
    """Arguments of the job. Those with a default in `DEFAULTS` may be left out.

    Attributes:
        connection_name: Glue connection to the source database.
        source_database: Database (schema) that holds the three tables.
        data_lake_path: s3:// folder of the training data.
        partition_by: Columns whose values become partitions; as argument a list with commas, or "none".
        max_partitions: The run is refused when it would make more.
        target_file_mb: MiB that a file should reach at most; a partition below it is one file.
        thresholds: By kind of bad row; see `measure_quality`.
        fetch_size: Rows that a JDBC reader takes at a time.
        read_partitions: JDBC readers of a table at once.
        keep_snapshots: Superseded snapshots that stay.
        grace_seconds: Seconds that a superseded snapshot stays for the queries that are reading it.
    """

    job_name: str
    connection_name: str
    source_database: str
    data_lake_path: str
    catalog_database: str
    catalog_table: str
    partition_by: tuple[str, ...]
    max_partitions: int
    target_file_mb: float
    thresholds: Mapping[str, Threshold]
    fetch_size: int
    read_partitions: int
    keep_snapshots: int
    grace_seconds: float


def read_settings(argv: Sequence[str]) -> Settings:
    """Return the arguments in `argv` ("--name value" or "--name=value"), with defaults for those left out.

    Raises:
        EtlError: A value is wrong.
    """
    words = {word.partition("=")[0] for word in argv}
    given = [name for name in DEFAULTS if f"--{name}" in words]
    values = DEFAULTS | getResolvedOptions(argv, [*REQUIRED, *given])
    path = values["data_lake_path"].rstrip("/") + "/"
    if not re.fullmatch(r"s3://[^/]+/.+/", path):
        raise EtlError(f"data_lake_path '{path}' is no folder of a bucket: give s3://bucket/folder/")
    return Settings(
        job_name=values["JOB_NAME"],
        connection_name=values["connection_name"],
        source_database=values["source_database"],
        data_lake_path=path,
        catalog_database=values["catalog_database"],
        catalog_table=values["catalog_table"],
        partition_by=parse_partition_by(values["partition_by"]),
        max_partitions=_number(values, "max_partitions", 1),
        target_file_mb=_number(values, "target_file_mb", 1),
        thresholds={
            kind: Threshold(values[f"max_{kind}"])
            for kind in ("null_keys", "bad_ratings", "orphans", "duplicates")
        },
        fetch_size=_number(values, "fetch_size", 1),
        read_partitions=_number(values, "read_partitions", 1),
        keep_snapshots=_number(values, "keep_snapshots", 0),
        grace_seconds=_number(values, "grace_seconds", 0),
    )


def parse_partition_by(text: str) -> tuple[str, ...]:
    """Return the columns in "a,b", and none for "none".

    Raises:
        EtlError: One is not a column of the table, or no column would be left for the files.
    """
    if text.strip().lower() in ("", "none"):
        return ()
    columns = tuple(name.strip() for name in text.split(","))
    if unknown := [name for name in columns if name not in COLUMNS]:
        choice = ", ".join((*COLUMNS, "none"))
        raise EtlError(f"partition_by names no column '{unknown[0]}': choose from {choice}")
    if len(set(columns)) < len(columns) or len(columns) == len(COLUMNS):
        raise EtlError(f"partition_by '{text}' names a column twice, or all of them")
    return columns


def _number(values: Mapping[str, str], name: str, least: int) -> int:
    if not re.fullmatch(r"\d+", values[name]) or int(values[name]) < least:
        raise EtlError(f"{name} is '{values[name]}': give a whole number from {least}")
    return int(values[name])


@dataclass(frozen=True)
class Source:
    """Reads tables of the source database."""

    spark: SparkSession
    options: Mapping[str, str] = field(repr=False)
    quote: str
    readers: int

    def read(self, table: str, columns: Sequence[str], split_by: str | None = None) -> DataFrame:
        """Return `columns` of `table`, typed as in `COLUMNS`, text without trailing blanks.

        MySQL takes 'Norway' and 'Norway  ' for equal, in joins too; Spark only without the blanks.

        Args:
            table: Name of the table.
            columns: Names of its columns.
            split_by: Integer column by whose ranges several readers share the work, or None for one reader.

        Raises:
            EtlError: The database cannot be reached, refuses the login, or has no such table or column.
        """
        try:
            options = {**self.options, "dbtable": table, **self._ranges(table, split_by)}
            frame = self.spark.read.format("jdbc").options(**options).load()
            frame = frame.select([_typed(name) for name in columns]).persist(StorageLevel.MEMORY_AND_DISK)
            frame.count()
        except (Py4JJavaError, PySparkException) as exc:
            raise EtlError(f"cannot read table {table} of {self.options['url']}: {_reason(exc)}") from exc
        return frame

    def _ranges(self, table: str, column: str | None) -> dict[str, str]:
        if column is None:
            return {}
        name = f"{self.quote}{column}{self.quote}"
        query = f"SELECT MIN({name}) AS low, MAX({name}) AS high FROM {table}"  # noqa: S608 - constants
        bounds = self.spark.read.format("jdbc").options(**self.options, query=query).load().head()
        if bounds is None or bounds[0] is None:
            return {}
        return {
            "partitionColumn": column,
            "lowerBound": str(bounds[0]),
            "upperBound": str(bounds[1]),
            "numPartitions": str(self.readers),
        }


def open_source(spark: SparkSession, connection: Mapping[str, str], settings: Settings) -> Source:
    """Return the source database that a Glue connection leads to.

    Args:
        spark: Spark session.
        connection: As from `GlueContext.extract_jdbc_conf`.
        settings: Arguments of the job.
    """
    vendor = connection["vendor"]
    server = re.match(r"jdbc:\w+://[^/]+", connection["url"])
    if vendor not in ("mysql", "postgresql") or server is None:
        raise EtlError(f"connection '{settings.connection_name}' leads to {connection['url']}, not to MySQL")
    options = {
        "url": f"{server[0]}/{settings.source_database}",
        "user": connection["user"],
        "password": connection["password"],
        "fetchsize": str(settings.fetch_size),
    }
    if vendor == "mysql":
        # Without a cursor MySQL's driver holds all rows of a reader in memory, whatever the fetch size.
        options["useCursorFetch"] = "true"
    if connection.get("enforceSSL") == "true":
        # Checked against Java's trust store, in which Glue has the certificate authorities of RDS.
        options["sslMode"] = "VERIFY_IDENTITY"
    return Source(spark, options, "`" if vendor == "mysql" else '"', settings.read_partitions)


def _typed(name: str) -> Column:
    column = F.rtrim(F.col(name)) if COLUMNS[name] == "string" else F.col(name)
    return column.cast(COLUMNS[name]).alias(name)


def _reason(exc: Exception) -> str:
    """Return what the innermost Java exception says, in one line."""
    if not isinstance(exc, Py4JJavaError):
        return str(exc).splitlines()[0]
    cause = exc.java_exception
    while cause.getCause() is not None:
        cause = cause.getCause()
    return str(cause.getMessage() or cause.toString()).splitlines()[0]


@dataclass(frozen=True)
class Tables:
    """The three source tables, read once and kept."""

    customers: DataFrame
    products: DataFrame
    ratings: DataFrame


@dataclass(frozen=True)
class Quality:
    """What was counted in the source tables.

    Attributes:
        rows: Rows by table.
        bad: Bad rows by kind. null_keys: rows of the three tables without their key. bad_ratings: ratings
            that are null or not 1 to 5. orphans: ratings of a customer or product that is not there.
            duplicates: ratings of a product that the customer has rated already.
        repeated: Customers and products whose key is there more than once.
    """

    rows: Mapping[str, int]
    bad: Mapping[str, int]
    repeated: int


def measure_quality(tables: Tables) -> Quality:
    """Count rows and bad rows. A rating can be bad in several ways."""
    customers, products = (
        frame.agg(F.count("*"), F.count(key), F.countDistinct(key)).head()
        for frame, key in ((tables.customers, "customerNumber"), (tables.products, "productCode"))
    )
    customer_known = tables.customers.select("customerNumber").distinct().withColumn("customer", F.lit(1))
    product_known = tables.products.select("productCode").distinct().withColumn("product", F.lit(1))
    known = tables.ratings.join(customer_known, "customerNumber", "left")
    known = known.join(product_known, "productCode", "left")
    no_key = F.col("customerNumber").isNull() | F.col("productCode").isNull()
    orphan = ~no_key & (F.col("customer").isNull() | F.col("product").isNull())
    ratings = known.agg(
        F.count("*"),
        *(F.count(F.when(condition, 1)) for condition in (no_key, ~_is_rating(), orphan, ~no_key)),
        F.countDistinct(*RATING_KEYS),
    ).head()
    total, without_key, bad, orphans, with_key, pairs = ratings
    return Quality(
        rows={"customers": customers[0], "products": products[0], "ratings": total},
        bad={
            "null_keys": without_key + customers[0] - customers[1] + products[0] - products[1],
            "bad_ratings": bad,
            "orphans": orphans,
            "duplicates": with_key - pairs,
        },
        repeated=customers[1] - customers[2] + products[1] - products[2],
    )


def _is_rating() -> Column:
    return F.coalesce(F.col("productRating").between(LOWEST_RATING, HIGHEST_RATING), F.lit(False))


def check_quality(quality: Quality, thresholds: Mapping[str, Threshold]) -> None:
    """Let the run go on, or stop it.

    Raises:
        QualityGateError: There are more bad rows of some kind than its threshold allows, a customer or
            product is there more than once, or there is no rating.
    """
    rows = quality.rows["ratings"]
    if not rows:
        raise QualityGateError("the quality gate failed: table ratings is empty; nothing is written")
    failed = [
        f"{kind} {count:,} (at most {thresholds[kind].text}, --max_{kind})"
        for kind, count in quality.bad.items()
        if not thresholds[kind].allows(count, rows)
    ]
    if quality.repeated:
        failed.append(f"customers or products that are there already {quality.repeated:,} (at most 0)")
    if failed:
        counts = "; ".join(failed)
        raise QualityGateError(f"the quality gate failed on {rows:,} ratings: {counts}; nothing is written")


def join_tables(tables: Tables, quality: Quality) -> DataFrame:
    """Return the training data: the ratings with what is known about their customer and product.

    Bad rows that the gate let through are left out; of duplicates the highest rating stays.
    """
    ratings = tables.ratings.where(_is_rating())
    if quality.bad["duplicates"]:
        ratings = ratings.groupBy(*RATING_KEYS).agg(F.max("productRating").alias("productRating"))
    joined = ratings.join(tables.customers, "customerNumber").join(tables.products, "productCode")
    return joined.select(*COLUMNS)


@dataclass(frozen=True)
class Layout:
    """How the rows are laid out in files.

    Attributes:
        partitions: Rows by partition values; one entry with no values when there are no partitions.
        rows_per_file: Rows that make a file of the target size.
    """

    partition_by: tuple[str, ...]
    partitions: Mapping[tuple[Any, ...], int]
    rows_per_file: int

    @property
    def rows(self) -> int:
        """Rows of the whole table."""
        return sum(self.partitions.values())

    def files(self, values: tuple[Any, ...]) -> int:
        """Return how many files a partition gets."""
        return math.ceil(self.partitions[values] / self.rows_per_file)


def plan_layout(training: DataFrame, settings: Settings) -> Layout:
    """Count the rows of each partition.

    Raises:
        EtlError: There would be too many partitions, or there are no rows.
    """
    columns = settings.partition_by
    counted = training.groupBy(*columns).count() if columns else training.agg(F.count("*"))
    found = counted.limit(settings.max_partitions + 1).collect()
    if len(found) > settings.max_partitions:
        countries = training.select("country").distinct().count()
        raise EtlError(
            f"partition_by {','.join(columns)} makes {counted.count():,} partitions, more than "
            f"{settings.max_partitions:,}, and many small files make every reader slow: take columns with "
            f"fewer values (--partition_by country makes {countries:,}), none at all (--partition_by none), "
            "or allow more with --max_partitions"
        )
    rows_per_file = max(1, int(settings.target_file_mb * 2**20 / BYTES_PER_ROW))
    layout = Layout(columns, {tuple(row[:-1]): row[-1] for row in found}, rows_per_file)
    if not layout.rows:
        raise EtlError("no rating has both its customer and its product; the training data stays as it is")
    return layout


def spread(training: DataFrame, layout: Layout) -> DataFrame:
    """Return the rows arranged in tasks so that no partition gets more files than it needs."""
    if not layout.partition_by:
        return training.repartition(layout.files(()), *RATING_KEYS).sortWithinPartitions(*RATING_KEYS)
    share = F.lit(0)
    for values in layout.partitions:
        if (files := layout.files(values)) > 1:
            here = F.lit(True)
            for name, value in zip(layout.partition_by, values, strict=True):
                here = here & F.col(name).eqNullSafe(F.lit(value))
            share = F.when(here, F.pmod(F.xxhash64(*RATING_KEYS), F.lit(files))).otherwise(share)
    shared = training.withColumn("share", share).repartition(*layout.partition_by, "share")
    return shared.sortWithinPartitions(*layout.partition_by, "share", *RATING_KEYS).drop("share")


@dataclass(frozen=True)
class Snapshot:
    """One complete copy of the table, in a folder of its own.

    Attributes:
        location: s3:// folder.
        partitions: Folder of each partition, by its values as the catalog writes them.
        files: Number of Parquet files.
        size: Bytes of all files.
    """

    name: str
    location: str
    partitions: Mapping[tuple[str, ...], str]
    files: int
    size: int


def snapshot_name(now: datetime) -> str:
    """Return a name that sorts by time and is never used twice; without "=", which would mean a partition."""
    return f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


def write_snapshot(training: DataFrame, layout: Layout, location: str) -> None:
    """Write the rows as snappy Parquet into the new folder `location`, and read back how many there are.

    Raises:
        EtlError: The folder cannot be written, or another number of rows is in its files.
    """
    writer = spread(training, layout).write.mode("errorifexists").option("compression", "snappy")
    if layout.partition_by:
        writer = writer.partitionBy(*layout.partition_by)
    try:
        writer.parquet(location)
        written = training.sparkSession.read.parquet(location).count()
    except (Py4JJavaError, PySparkException) as exc:
        raise EtlError(f"cannot write {location}: {_reason(exc)}") from exc
    if written != layout.rows:
        raise EtlError(f"{location} holds {written:,} rows instead of {layout.rows:,}; it is not used")


class Lake:
    """The folder of the training data in its bucket.

    Args:
        s3: boto3 S3 client.
        path: s3:// folder that holds the snapshots.
    """

    def __init__(self, s3: Any, path: str) -> None:
        self._s3 = s3
        self.path = path
        self._bucket, _, self._prefix = path.removeprefix("s3://").partition("/")

    def describe(self, name: str, columns: Sequence[str]) -> Snapshot:
        """Return what a written snapshot consists of."""
        location = f"{self.path}{name}/"
        partitions: dict[tuple[str, ...], str] = {}
        files = size = 0
        for entry in self._objects(f"{self._prefix}{name}/"):
            inside = entry["Key"].removeprefix(f"{self._prefix}{name}/")
            if not inside.endswith(".parquet"):
                continue
            files += 1
            size += entry["Size"]
            folders = inside.split("/")[:-1]
            if columns:
                values = tuple(unquote(folder.partition("=")[2]) for folder in folders)
                partitions[values] = f"{location}{'/'.join(folders)}/"
        return Snapshot(name, location, partitions, files, size)

    def snapshots(self) -> list[str]:
        """Return the names of all snapshots, complete or not."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix, Delimiter="/"
        )
        folders = (entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", []))
        names = (folder.removeprefix(self._prefix).rstrip("/") for folder in folders)
        return [name for name in names if SNAPSHOT_NAME.fullmatch(name)]

    def delete(self, name: str) -> None:
        """Delete a snapshot."""
        keys = [{"Key": entry["Key"]} for entry in self._objects(f"{self._prefix}{name}/")]
        for batch in _batches(keys, DELETE_BATCH):
            answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True})
            if errors := answer.get("Errors"):
                raise EtlError(f"cannot delete {errors[0]['Key']} from the data lake: {errors[0]['Message']}")

    def _objects(self, prefix: str) -> Iterator[dict[str, Any]]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            yield from page.get("Contents", [])


class CatalogTable:
    """The table in the Glue Data Catalog.

    Args:
        glue: boto3 Glue client.
        database: Catalog database.
        name: Catalog table, as Terraform made it.
    """

    def __init__(self, glue: Any, database: str, name: str) -> None:
        self._glue = glue
        self._name = name
        self._table = {"DatabaseName": database, "TableName": name}
        self._database = database

    def snapshots(self) -> list[str]:
        """Return the snapshots that readers may be at: the one in use first, then superseded ones."""
        return _snapshots(self._read())

    def switch(self, snapshot: Snapshot, columns: Sequence[str], rows: int, keep: int) -> list[str]:
        """Lead readers to `snapshot`; return the snapshots that the table names from now on.

        Each partition changes over in one step, and the table's own location in one step at the end. When
        something fails in between, the partitions are led back to where they were.

        Args:
            snapshot: Complete copy of the table.
            columns: Partition columns.
            rows: Rows of the copy.
            keep: How many superseded snapshots the table goes on naming.
        """
        table = self._read()
        keys, others = _catalog_columns(table, columns)
        descriptor = {**table["StorageDescriptor"], "Columns": others}
        former = self._partitions()
        if [key["Name"] for key in table.get("PartitionKeys", [])] != [key["Name"] for key in keys]:
            self._delete(former)
            former = {}
            self._update(table, descriptor, keys, table.get("Parameters", {}))
        named = [snapshot.name, *_snapshots(table)[:keep]]
        parameters = {
            **table.get("Parameters", {}),
            "classification": "parquet",
            SNAPSHOTS_PARAMETER: ",".join(named),
            "vectorops.rows": str(rows),
        }
        try:
            self._point(former, snapshot.partitions, descriptor)
            self._update(table, {**descriptor, "Location": snapshot.location}, keys, parameters)
        except Exception:
            self._point(self._partitions(), former, descriptor)
            raise
        return named

    def _read(self) -> dict[str, Any]:
        try:
            answer = self._glue.get_table(DatabaseName=self._database, Name=self._name)
        except self._glue.exceptions.EntityNotFoundException:
            name = f"{self._database}.{self._name}"
            raise EtlError(f"the Data Catalog has no table {name}: run 'vectorops deploy'") from None
        table: dict[str, Any] = answer["Table"]
        return table

    def _update(
        self,
        table: Mapping[str, Any],
        descriptor: Mapping[str, Any],
        keys: list[dict[str, str]],
        parameters: Mapping[str, str],
    ) -> None:
        inherited = ("Name", "Description", "Owner", "Retention", "TableType")
        kept = {name: table[name] for name in inherited if table.get(name)}
        changed = {"StorageDescriptor": descriptor, "PartitionKeys": keys, "Parameters": parameters}
        self._glue.update_table(DatabaseName=self._database, TableInput={**kept, **changed})

    def _partitions(self) -> dict[tuple[str, ...], str]:
        pages = self._glue.get_paginator("get_partitions").paginate(**self._table, ExcludeColumnSchema=True)
        entries = (entry for page in pages for entry in page["Partitions"])
        return {tuple(entry["Values"]): entry["StorageDescriptor"]["Location"] for entry in entries}

    def _point(
        self,
        former: Mapping[tuple[str, ...], str],
        wanted: Mapping[tuple[str, ...], str],
        descriptor: Mapping[str, Any],
    ) -> None:
        """Make the catalog's partitions, which are `former`, into `wanted`."""

        def entry(values: tuple[str, ...]) -> dict[str, Any]:
            return {"Values": list(values), "StorageDescriptor": {**descriptor, "Location": wanted[values]}}

        new = [entry(values) for values in wanted if values not in former]
        for batch in _batches(new, CATALOG_BATCH):
            answer = self._glue.batch_create_partition(**self._table, PartitionInputList=batch)
            self._check(answer, "PartitionValues")
        moved = [
            {"PartitionValueList": list(values), "PartitionInput": entry(values)}
            for values in wanted
            if values in former and former[values] != wanted[values]
        ]
        for batch in _batches(moved, CATALOG_BATCH):
            answer = self._glue.batch_update_partition(**self._table, Entries=batch)
            self._check(answer, "PartitionValueList")
        self._delete(values for values in former if values not in wanted)

    def _delete(self, partitions: Iterable[tuple[str, ...]]) -> None:
        for values in partitions:
            self._glue.delete_partition(**self._table, PartitionValues=list(values))

    def _check(self, answer: Mapping[str, Any], values_key: str) -> None:
        if errors := answer.get("Errors"):
            detail = errors[0]["ErrorDetail"]
            raise EtlError(
                f"the catalog refused {len(errors)} partitions of {self._database}.{self._name}, the first "
                f"{errors[0].get(values_key)}: {detail['ErrorCode']}: {detail['ErrorMessage']}"
            )


def _snapshots(table: Mapping[str, Any]) -> list[str]:
    return [name for name in table.get("Parameters", {}).get(SNAPSHOTS_PARAMETER, "").split(",") if name]


def _catalog_columns(
    table: Mapping[str, Any], partition_by: Sequence[str]
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the partition keys, and the other columns, with the comments that the table has."""
    there = (*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", []))
    comments = {entry["Name"]: {"Comment": entry["Comment"]} for entry in there if entry.get("Comment")}
    columns = {
        name: {"Name": name.lower(), "Type": kind, **comments.get(name.lower(), {})}
        for name, kind in COLUMNS.items()
    }
    keys = [columns.pop(name) for name in partition_by]
    return keys, list(columns.values())


def _batches(items: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def run(
    spark: SparkSession,
    connection: Mapping[str, str],
    settings: Settings,
    lake: Lake,
    table: CatalogTable,
    metrics: dict[str, Any],
) -> None:
    """Make a new snapshot of the training data and lead readers to it.

    Args:
        spark: Spark session.
        connection: As from `GlueContext.extract_jdbc_conf`.
        settings: Arguments of the job.
        lake: Where snapshots are written.
        table: What readers go by.
        metrics: Filled step by step, so that a failed run reports how far it came.

    Raises:
        EtlError: The source cannot be read, the gate failed, or there would be too many partitions.
    """
    # The default of Spark 4: a number that does not fit is an error, not another number.
    spark.conf.set("spark.sql.ansi.enabled", "true")
    former = table.snapshots()
    source = open_source(spark, connection, settings)
    tables = Tables(
        source.read("customers", CUSTOMER_COLUMNS, split_by="customerNumber"),
        source.read("products", PRODUCT_COLUMNS),
        source.read("ratings", RATING_COLUMNS, split_by="customerNumber"),
    )
    quality = measure_quality(tables)
    metrics |= {"rows_read": quality.rows, "quality": quality.bad}
    say(f"read {_counts(quality.rows)}; found {_counts(quality.bad)}")
    check_quality(quality, settings.thresholds)
    training = join_tables(tables, quality)
    layout = plan_layout(training, settings)
    name = snapshot_name(datetime.now(UTC))
    try:
        write_snapshot(training, layout, f"{lake.path}{name}/")
    except Exception:
        lake.delete(name)
        raise
    snapshot = lake.describe(name, settings.partition_by)
    named = table.switch(snapshot, settings.partition_by, layout.rows, settings.keep_snapshots)
    metrics |= {
        "rows_written": layout.rows,
        "partitions": len(snapshot.partitions),
        "files": snapshot.files,
        "bytes": snapshot.size,
        "location": snapshot.location,
    }
    say(f"wrote {layout.rows:,} rows in {snapshot.files:,} files to {snapshot.location}")
    metrics["snapshots_deleted"] = clean(lake, named, former, settings.grace_seconds)


def clean(lake: Lake, named: Sequence[str], former: Sequence[str], grace_seconds: float) -> int:
    """Delete the snapshots that the table does not name; return how many.

    Later ones than that in use are spared: they belong to runs under way.

    Args:
        lake: Where they are.
        named: What the table names now.
        former: What it named before; only these have readers to wait for, others are left from killed runs.
        grace_seconds: How long those readers get.
    """
    unnamed = [name for name in lake.snapshots() if name not in named and name < named[0]]
    if any(name in former for name in unnamed):
        say(f"superseded snapshots stay readable for {grace_seconds:.0f} s")
        time.sleep(grace_seconds)
    for name in unnamed:
        lake.delete(name)
    return len(unnamed)


def say(message: str) -> None:
    """Write a line to the job's log."""
    print(message, flush=True)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())


def main(argv: Sequence[str]) -> None:
    """Run the job; the last line of its output holds its figures as JSON, after `METRICS_MARK`."""
    started = time.monotonic()
    settings = read_settings(argv)
    context = GlueContext(SparkContext.getOrCreate())
    lake = Lake(boto3.client("s3"), settings.data_lake_path)
    table = CatalogTable(boto3.client("glue"), settings.catalog_database, settings.catalog_table)
    metrics: dict[str, Any] = {"rows_written": 0, "partition_by": list(settings.partition_by)}
    try:
        connection = dict(context.extract_jdbc_conf(settings.connection_name))
        run(context.spark_session, connection, settings, lake, table, metrics)
    finally:
        metrics["elapsed_s"] = round(time.monotonic() - started, 1)
        say(f"{METRICS_MARK} {json.dumps(metrics)}")


if __name__ == "__main__":
    main(sys.argv)
