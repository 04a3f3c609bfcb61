"""A MariaDB of this test run's own, where one is installed."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vectorops.local import mariadb
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.source import SourceAddress


@contextmanager
def running_mariadb(folder: Path, database: str) -> Iterator[SourceAddress]:
    """Run a server with an empty database; skip the test where MariaDB is not installed."""
    if mariadb.find_server() is None:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    password = secrets.token_urlsafe(16)
    mariadb.create_data(folder / "data", user="vectorops", password=password, database=database)
    server = mariadb.MariaDbProcess(folder / "data", find_free_port(), folder / "mariadb.log")
    server.start()
    try:
        yield SourceAddress(LOOPBACK, server.port, database, "vectorops", password)
    finally:
        server.stop()
