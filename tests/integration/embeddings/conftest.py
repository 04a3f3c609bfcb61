"""A migrated database, and loading from text into its tables."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from load_samples import Loader

from vectorops.aws import Aws, Credentials
from vectorops.database.connection import register_vector_types
from vectorops.database.migrations import apply_migrations
from vectorops.local.ports import LOOPBACK, find_free_port

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

SQL = Path(__file__).parents[3] / "sql"


@pytest.fixture
def loader(connection: psycopg.Connection[Any], tmp_path: Path) -> Loader:
    """Loads into the migrated database of this test; its table "t" is (id varchar, embedding vector(3))."""
    apply_migrations(connection, SQL)
    register_vector_types(connection)
    connection.execute("SET search_path = public, vectorops")
    connection.execute("CREATE TABLE t (id varchar PRIMARY KEY, embedding vector(3))")
    return Loader(connection, tmp_path)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator["S3Client"]:
    """Client of a real S3 API on loopback."""
    pytest.importorskip("ministack", reason="the emulator of the AWS APIs is not installed: make setup")
    folder = tmp_path_factory.mktemp("s3")
    port = find_free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings = {"BIND_HOST": LOOPBACK, "MINISTACK_HOST": LOOPBACK, "GATEWAY_PORT": str(port)}
    folders = {"STATE_DIR": str(folder / "state"), "S3_DATA_DIR": str(folder / "objects")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from ministack import app; app.main()"],
            env=kept | settings | folders | {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    client = Aws(
        "us-east-1", endpoint_url=f"http://{LOOPBACK}:{port}", credentials=Credentials("test", "test")
    ).client("s3")
    try:
        _wait(client, process, folder / "log")
        yield client
    finally:
        process.terminate()
        process.wait()


def _wait(client: "S3Client", process: subprocess.Popen[bytes], log: Path) -> None:
    from botocore.exceptions import BotoCoreError

    while process.poll() is None:
        try:
            client.list_buckets()
        except BotoCoreError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text())
