"""The ETL job itself, started by StartJobRun, on real Spark with a real source database."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.integration.local.glue_jobs import (
    READ_SCRIPT,
    WRITE_LOGS,
    allow,
    create_job,
    create_role,
    log_lines,
    runs_folder,
    wait_for_end,
    with_bucket,
)
from tests.integration.local.local_databases import address_of, create_instance
from tests.integration.local.local_targets import environment_in
from vectorops.aws import Aws
from vectorops.errors import LocalTargetError
from vectorops.jobs import JobRun, start_run
from vectorops.local import down, up
from vectorops.local.awsglue_shim.command import find_jars, find_java
from vectorops.local.glue_processes import processes_in
from vectorops.settings import Environment
from vectorops.source import SourceAddress, connect_source, generate_sample, init_source

SCRIPT = Path(__file__).parents[3] / "vectorops" / "glue" / "ratings_etl.py"
JOB = "ratings-etl"
LAKE = "lake"
TABLE = "ratings_ml_training"
PREFIX = f"{TABLE}/"
GLUE = "arn:aws:glue:us-east-1:000000000000"
RATINGS = 2_500
METRICS_MARK = "VECTOROPS_METRICS "
COLUMNS = (
    ("city", "string"),
    ("state", "string"),
    ("postalcode", "string"),
    ("country", "string"),
    ("creditlimit", "decimal(10,2)"),
    ("productcode", "string"),
    ("productline", "string"),
    ("productscale", "string"),
    ("quantityinstock", "int"),
    ("buyprice", "decimal(10,2)"),
    ("msrp", "decimal(10,2)"),
    ("productrating", "int"),
)


@dataclass(frozen=True)
class Pipeline:
    """The job with its source, data lake and catalog table, on a local target of its own."""

    environment: Environment
    aws: Aws
    source: SourceAddress

    def start(self, **arguments: str) -> str:
        given = {f"--{name}": value for name, value in arguments.items()}
        return start_run(self.aws.client("glue"), JOB, given)

    def wait(self, run_id: str) -> JobRun:
        return wait_for_end(self.aws, JOB, run_id)

    def metrics(self, run: JobRun) -> dict[str, Any]:
        found = [line for line in log_lines(self.aws, run) if line.startswith(METRICS_MARK)]
        metrics: dict[str, Any] = json.loads(found[-1].removeprefix(METRICS_MARK))
        return metrics

    def objects(self, prefix: str = PREFIX) -> set[str]:
        pages = self.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=LAKE, Prefix=prefix)
        return set(pages.search("Contents[].Key")) - {None}

    def rows(self) -> int:
        """Rows that a reader finds, who goes by the table."""
        table = self.aws.client("glue").get_table(DatabaseName=LAKE, Name=TABLE)["Table"]
        location = table["StorageDescriptor"]["Location"].removeprefix(f"s3://{LAKE}/")
        bodies = [
            self.aws.client("s3").get_object(Bucket=LAKE, Key=key)["Body"].read()
            for key in self.objects(location)
            if key.endswith(".parquet")
        ]
        return sum(pq.ParquetFile(io.BytesIO(body)).metadata.num_rows for body in bodies)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    try:
        find_java(), find_jars()
    except LocalTargetError as exc:
        pytest.skip(f"{exc}; {exc.hint}")
    environment = environment_in(tmp_path_factory.mktemp("pipeline"))
    up(environment)
    aws = with_bucket(environment)
    instance = create_instance(aws, "source", DBName="classicmodels")
    login = address_of(aws, instance)
    source = SourceAddress(login.host, login.port, login.name, login.user, login.password)
    with closing(connect_source(source)) as connection:
        init_source(connection, generate_sample(ratings=RATINGS))
    secret = instance["MasterUserSecret"]["SecretArn"]
    url = f"jdbc:mysql://{login.host}:{login.port}/{login.name}"
    create_connection(aws, "source", url, secret)
    create_lake(aws)
    create_job(aws, JOB, SCRIPT.read_text(), create_etl_role(aws, secret), **definition())
    yield Pipeline(environment, aws, source)
    down(environment)


def create_connection(aws: Aws, name: str, url: str, secret: str) -> None:
    properties = {"JDBC_CONNECTION_URL": url, "SECRET_ID": secret}
    connection = {"Name": name, "ConnectionType": "JDBC", "ConnectionProperties": properties}
    aws.client("glue").create_connection(ConnectionInput=connection)


def create_lake(aws: Aws) -> None:
    aws.client("s3").create_bucket(Bucket=LAKE)
    glue = aws.client("glue")
    glue.create_database(DatabaseInput={"Name": LAKE})
    columns = [{"Name": name, "Type": kind} for name, kind in COLUMNS]
    glue.create_table(
        DatabaseName=LAKE,
        TableInput={
            "Name": TABLE,
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": [{"Name": "customernumber", "Type": "int"}],
            "StorageDescriptor": {"Columns": columns, "Location": f"s3://{LAKE}/{PREFIX}"},
        },
    )


def create_etl_role(aws: Aws, secret: str) -> str:
    """What the etl module allows its job."""
    partitions = [f"glue:{verb}" for verb in ("GetTable", "UpdateTable", "GetPartitions", "DeletePartition")]
    partitions += [f"glue:Batch{verb}Partition" for verb in ("Create", "Update")]
    policy = allow(
        READ_SCRIPT,
        WRITE_LOGS,
        (["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], [f"arn:aws:s3:::{LAKE}/{PREFIX}*"]),
        (["s3:ListBucket"], [f"arn:aws:s3:::{LAKE}"]),
        (["glue:GetConnection"], [f"{GLUE}:catalog", f"{GLUE}:connection/*"]),
        (["secretsmanager:GetSecretValue"], [secret, "arn:aws:secretsmanager:*:*:secret:wrong*"]),
        (partitions, [f"{GLUE}:catalog", f"{GLUE}:database/{LAKE}", f"{GLUE}:table/{LAKE}/{TABLE}"]),
    )
    return create_role(aws, "etl", policy)


def definition() -> dict[str, Any]:
    arguments = {
        "--connection_name": "source",
        "--source_database": "classicmodels",
        "--data_lake_path": f"s3://{LAKE}/{PREFIX}",
        "--catalog_database": LAKE,
        "--catalog_table": TABLE,
        "--grace_seconds": "0",
        "--read_partitions": "2",
    }
    return {"DefaultArguments": arguments, "ExecutionProperty": {"MaxConcurrentRuns": 5}, "Timeout": 10}


@pytest.fixture(scope="module")
def first(pipeline: Pipeline) -> JobRun:
    """A run that went well."""
    return pipeline.wait(pipeline.start(partition_by="city"))


def test_the_deployed_job_reads_the_source_and_writes_the_training_data(
    pipeline: Pipeline, first: JobRun
) -> None:
    assert (first.state, first.error) == ("SUCCEEDED", "")
    assert pipeline.metrics(first)["rows_written"] == RATINGS
    assert pipeline.rows() == RATINGS
    assert {"city=Köln", "city=Århus", "city=New Bedford"} < {key.split("/")[2] for key in pipeline.objects()}
    assert first.execution_s >= pipeline.metrics(first)["elapsed_s"] - 1
    assert not list(runs_folder(pipeline.environment).iterdir())


def test_a_wrong_password_and_a_failed_gate_are_the_error_of_the_run(
    pipeline: Pipeline, first: JobRun
) -> None:
    password = "certainly not this one"
    aws, source = pipeline.aws, pipeline.source
    secret = json.dumps({"username": source.user, "password": password})
    arn = aws.client("secretsmanager").create_secret(Name="wrong", SecretString=secret)["ARN"]
    create_connection(aws, "wrong", f"jdbc:mysql://{source.host}:{source.port}/{source.name}", arn)
    keys = pipeline.objects()
    with closing(connect_source(source)) as connection:
        connection.execute('INSERT INTO ratings SELECT 99999, max("productCode"), 3 FROM products')
        expected = {
            pipeline.start(connection_name="wrong"): "password authentication failed",
            pipeline.start(): "orphans 1 (at most 0, --max_orphans); nothing is written",
        }
        for run_id, reason in expected.items():
            run = pipeline.wait(run_id)
            assert run.state == "FAILED"
            assert reason in run.error
            assert "\n" not in run.error
            assert password not in run.error + "".join(log_lines(aws, run) + log_lines(aws, run, "error"))
        connection.execute('DELETE FROM ratings WHERE "customerNumber" = 99999')
    assert pipeline.objects() == keys
    assert pipeline.rows() == RATINGS


def test_a_run_whose_spark_is_killed_in_mid_write_has_failed_and_leaves_the_old_data(
    pipeline: Pipeline, first: JobRun
) -> None:
    before = pipeline.objects()
    run_id = pipeline.start()
    while pipeline.objects() == before:
        time.sleep(0.01)
    for process in processes_in(runs_folder(pipeline.environment)):
        if process.name() == "java":
            process.kill()
    run = pipeline.wait(run_id)
    assert run.state == "FAILED"
    assert run.error.startswith("Py4J")
    assert pipeline.rows() == RATINGS
    assert not processes_in(runs_folder(pipeline.environment))
