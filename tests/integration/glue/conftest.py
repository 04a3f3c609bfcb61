"""The job on real Spark, reading a real database and writing through real S3 and Glue APIs."""

import json
import sys
import time
from collections.abc import Iterator
from types import ModuleType

import pytest
from psycopg import sql

from tests.integration.glue.etl import CATALOG_COLUMNS, Etl
from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.errors import LocalTargetError
from vectorops.local.awsglue_shim.command import SHIM_DIR, find_jars, find_java
from vectorops.local.ports import LOOPBACK


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


@pytest.fixture(scope="session")
def ratings_etl() -> ModuleType:
    """The job's script as a module, for what can be tested without Spark."""
    pytest.importorskip("pyspark", reason="Spark is not installed: make setup")
    sys.path.insert(0, str(SHIM_DIR))
    from vectorops.glue import ratings_etl

    return ratings_etl
