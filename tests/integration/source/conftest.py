"""An empty source database on either kind of server."""

from collections.abc import Iterator

import pytest

from tests.mariadb_server import running_mariadb
from vectorops.database.connection import DatabaseAddress
from vectorops.source import SourceAddress, SourceConnection, connect_source


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SourceAddress]:
    with running_mariadb(tmp_path_factory.mktemp("mariadb"), "classicmodels") as address:
        yield address


@pytest.fixture(params=["postgresql", "mysql"])
def source(request: pytest.FixtureRequest) -> Iterator[SourceConnection]:
    """Connection to a database in which each test makes and replaces the same three tables."""
    connection = connect_source(_address(request))
    yield connection
    connection.close()


def _address(request: pytest.FixtureRequest) -> SourceAddress:
    if request.param == "mysql":
        address: SourceAddress = request.getfixturevalue("mariadb")
        return address
    server: DatabaseAddress = request.getfixturevalue("database_address")
    return SourceAddress(server.host, server.port, server.name, server.user, server.password)
