"""Real S3 and Glue APIs on loopback, with a bucket and a catalog database per test."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from data_lake import Lake

from vectorops.aws import Aws, Credentials
from vectorops.local.ports import LOOPBACK, find_free_port


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Clients of an emulator of this test run's own."""
    pytest.importorskip("ministack", reason="the emulator of the AWS APIs is not installed: make setup")
    folder = tmp_path_factory.mktemp("aws")
    port = find_free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from ministack import app; app.main()"],
            env=kept
            | {"BIND_HOST": LOOPBACK, "MINISTACK_HOST": LOOPBACK, "GATEWAY_PORT": str(port)}
            | {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
            | {"STATE_DIR": str(folder / "state"), "S3_DATA_DIR": str(folder / "s3")},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    aws = Aws("us-east-1", endpoint_url=f"http://{LOOPBACK}:{port}", credentials=Credentials("test", "test"))
    try:
        _wait(lambda: aws.client("s3").list_buckets(), process, folder / "log")
        yield aws
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def lake(aws: Aws) -> Lake:
    """An empty bucket and an empty catalog database."""
    name = f"test-{secrets.token_hex(6)}"
    lake = Lake(aws.client("s3"), aws.client("glue"), name, name.replace("-", "_"))
    lake.s3.create_bucket(Bucket=lake.bucket)
    lake.glue.create_database(DatabaseInput={"Name": lake.database})
    return lake


def _wait(call: Callable[[], object], process: "subprocess.Popen[bytes]", log: Path) -> None:
    from botocore.exceptions import EndpointConnectionError

    while True:
        try:
            call()
        except EndpointConnectionError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        else:
            return
