"""The job on real Spark, reading a real database and writing through real S3 and Glue APIs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from psycopg import sql

from tests.integration.glue.etl import CATALOG_COLUMNS, Etl
from vectorops.aws import Aws, Credentials
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.errors import LocalTargetError
from vectorops.local.awsglue_shim.command import SHIM_DIR, find_jars, find_java
from vectorops.local.ports import LOOPBACK, find_free_port

ACCESS_KEY = Credentials("test", "test")


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Clients of an emulator of this test run's own."""
    pytest.importorskip("ministack", reason="the emulator of the AWS APIs is not installed: make setup")
    folder = tmp_path_factory.mktemp("aws")
    port = find_free_port()
    settings = {"BIND_HOST": LOOPBACK, "MINISTACK_HOST": LOOPBACK, "GATEWAY_PORT": str(port)}
    settings |= {"STATE_DIR": str(folder / "state"), "S3_DATA_DIR": str(folder / "s3")}
    settings |= {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from ministack import app; app.main()"],
            env=kept | settings,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        aws = Aws("us-east-1", endpoint_url=f"http://{LOOPBACK}:{port}", credentials=ACCESS_KEY)
        _wait_until_served(aws, process, folder / "log")
        yield aws
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def etl(
    aws: Aws, postgres_server: DatabaseAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Etl]:
    """An empty source database, data lake and catalog table, and the job between them."""
    try:
        java, jars = find_java(), find_jars()
    except LocalTargetError as exc:
        pytest.skip(f"{exc}; {exc.hint}")
    name = f"etl{time.time_ns()}"
    with connect(postgres_server) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    secret = {"username": postgres_server.user, "password": postgres_server.password}
    aws.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(secret))
    aws.client("s3").create_bucket(Bucket=name)
    glue = aws.client("glue")
    glue.create_database(DatabaseInput={"Name": name})
    etl = Etl(aws, postgres_server, name, java, jars, tmp_path_factory.mktemp("runs"))
    etl.create_connection(f"jdbc:mysql://{LOOPBACK}:{postgres_server.port}/{name}", secret=name)
    glue.create_table(
        DatabaseName=name,
        TableInput={
            "Name": "ratings_ml_training",
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": CATALOG_COLUMNS[:1],
            "Parameters": {"classification": "parquet"},
            "StorageDescriptor": {"Columns": CATALOG_COLUMNS[1:], "Location": etl.data_lake_path},
        },
    )
    yield etl
    with connect(postgres_server) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _wait_until_served(aws: Aws, process: "subprocess.Popen[bytes]", log: Path) -> None:
    from botocore.exceptions import EndpointConnectionError

    while True:
        try:
            aws.client("s3").list_buckets()
        except EndpointConnectionError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="session")
def ratings_etl() -> ModuleType:
    """The job's script as a module, for what can be tested without Spark."""
    pytest.importorskip("pyspark", reason="Spark is not installed: make setup")
    sys.path.insert(0, str(SHIM_DIR))
    from vectorops.glue import ratings_etl

    return ratings_etl
