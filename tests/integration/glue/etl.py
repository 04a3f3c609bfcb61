"""Runs the job and reads what it has written, as its users do: through the catalog."""

import io
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress
from vectorops.local.awsglue_shim.command import ERROR_FILE, spark_command
from vectorops.source import SourceAddress, SourceConnection, connect_source

SCRIPT = Path(__file__).parents[3] / "vectorops" / "glue" / "ratings_etl.py"
TABLE = "ratings_ml_training"
METRICS_MARK = "VECTOROPS_METRICS "
COLUMN_TYPES = {
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
CATALOG_COLUMNS = [{"Name": name.lower(), "Type": kind} for name, kind in COLUMN_TYPES.items()]
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        metrics: What the job says about itself on its last line.
        error: What Glue would show as the run's error message, or "".
    """

    exit_code: int
    metrics: dict[str, Any]
    error: str
    output: str


@dataclass(frozen=True)
class Etl:
    """A source database, a data lake and a catalog table, all called `name`, and the job between them."""

    aws: Aws
    server: DatabaseAddress
    name: str
    java: Path
    jars: Sequence[Path]
    runs: Path

    @property
    def data_lake_path(self) -> str:
        return f"s3://{self.name}/{TABLE}/"

    def source(self) -> SourceConnection:
        server = self.server
        return connect_source(
            SourceAddress(server.host, server.port, self.name, server.user, server.password)
        )

    def create_connection(self, url: str, secret: str, name: str = "") -> None:
        self.aws.client("glue").create_connection(
            ConnectionInput={
                "Name": name or self.name,
                "ConnectionType": "JDBC",
                "ConnectionProperties": {"JDBC_CONNECTION_URL": url, "SECRET_ID": secret},
            }
        )

    def start(self, **arguments: str) -> "Run":
        work_dir = self.runs / f"run{len(list(self.runs.iterdir()))}"
        work_dir.mkdir()
        given = {
            "JOB_NAME": "etl",
            "JOB_RUN_ID": work_dir.name,
            "connection_name": self.name,
            "source_database": self.name,
            "data_lake_path": self.data_lake_path,
            "catalog_database": self.name,
            "catalog_table": TABLE,
            "read_partitions": "2",
            "grace_seconds": "0",
        }
        argv, env = spark_command(
            SCRIPT,
            given | arguments,
            work_dir=work_dir,
            endpoint_url=str(self.aws.endpoint_url),
            jars=self.jars,
            java_home=self.java,
        )
        credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        process = subprocess.Popen(
            argv,
            env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": self.aws.region} | credentials | env,
            cwd=work_dir,
            stdout=subprocess.PIPE,
            stderr=(work_dir / "stderr").open("wb"),
            text=True,
            start_new_session=True,
        )
        return Run(process, work_dir)

    def run(self, **arguments: str) -> Outcome:
        return self.start(**arguments).wait()

    def run_well(self, **arguments: str) -> dict[str, Any]:
        outcome = self.run(**arguments)
        assert outcome.exit_code == 0, outcome.error
        return outcome.metrics

    def table(self) -> dict[str, Any]:
        found: dict[str, Any] = self.aws.client("glue").get_table(DatabaseName=self.name, Name=TABLE)["Table"]
        return found

    def partitions(self) -> dict[tuple[str, ...], str]:
        pages = self.aws.client("glue").get_paginator("get_partitions")
        found = pages.paginate(DatabaseName=self.name, TableName=TABLE).search("Partitions[]")
        return {tuple(entry["Values"]): entry["StorageDescriptor"]["Location"] for entry in found}

    def keys(self, location: str = "") -> list[str]:
        """Keys of all Parquet files in a folder (default: the whole data lake)."""
        prefix = urlsplit(location or self.data_lake_path).path.lstrip("/")
        pages = self.aws.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.name, Prefix=prefix).search("Contents[].Key")
        return [key for key in found if key and key.endswith(".parquet")]

    def sizes(self, location: str = "") -> list[int]:
        s3 = self.aws.client("s3")
        return [s3.head_object(Bucket=self.name, Key=key)["ContentLength"] for key in self.keys(location)]

    def read(self) -> list[Row]:
        """All rows, as a reader finds them: by the table's partitions or, without any, by its location."""
        if not self.table()["PartitionKeys"]:
            return self._rows(self.table()["StorageDescriptor"]["Location"], {})
        names = [key["Name"] for key in self.table()["PartitionKeys"]]
        cased = {name.lower(): name for name in COLUMN_TYPES}
        rows: list[Row] = []
        for values, location in self.partitions().items():
            rows += self._rows(location, {cased[n]: v for n, v in zip(names, values, strict=True)})
        return sorted(rows, key=str)

    def read_location(self) -> int:
        """Number of rows under the table's location, which is all that Athena's stand-in goes by."""
        return sum(
            self._file(key).num_rows for key in self.keys(self.table()["StorageDescriptor"]["Location"])
        )

    def _rows(self, location: str, values: dict[str, str]) -> list[Row]:
        rows: list[Row] = []
        for key in self.keys(location):
            table = self._file(key)
            for name, value in values.items():
                typed = int(value) if COLUMN_TYPES[name] == "int" else value
                table = table.append_column(name, pa.array([typed] * table.num_rows))
            rows += [tuple(row[name] for name in COLUMN_TYPES) for row in table.to_pylist()]
        return sorted(rows, key=str)

    def _file(self, key: str) -> pa.Table:
        body = self.aws.client("s3").get_object(Bucket=self.name, Key=key)["Body"].read()
        return pq.ParquetFile(io.BytesIO(body)).read()


@dataclass(frozen=True)
class Run:
    """A run under way."""

    process: "subprocess.Popen[str]"
    work_dir: Path

    def wait(self) -> Outcome:
        output, _ = self.process.communicate()
        found = [line for line in output.splitlines() if line.startswith(METRICS_MARK)]
        error = self.work_dir / ERROR_FILE
        return Outcome(
            self.process.returncode,
            json.loads(found[-1].removeprefix(METRICS_MARK)) if found else {},
            error.read_text(encoding="utf-8") if error.exists() else "",
            output,
        )
