"""Which database server answers for which RDS engine on this machine."""

import subprocess
from functools import cache
from pathlib import Path
from typing import Protocol

from vectorops.local import mariadb, postgres
from vectorops.local.supervisor import DatabaseServer

_MYSQL_ENGINES = ("mysql", "mariadb")


class Engine(Protocol):
    """A kind of database server, with its data in a folder per database."""

    key: str

    @property
    def served_by(self) -> str:
        """Name and version, such as "PostgreSQL 18.4"."""

    def create(self, folder: Path, *, user: str, password: str, database: str) -> None:
        """Make an empty server's data in `folder`, which must exist; `database` may be ""."""

    def server(self, folder: Path, port: int) -> DatabaseServer:
        """Return the server on the data in `folder`; it does not run yet."""

    def set_password(self, folder: Path, *, user: str, password: str) -> None:
        """Change a user's password while the server is stopped."""


class Postgres:
    """The embedded PostgreSQL; it also stands in for engines that are not installed."""

    key = "postgres"

    @property
    def served_by(self) -> str:
        """Name and version."""
        return f"PostgreSQL {_postgres_version()}"

    def create(self, folder: Path, *, user: str, password: str, database: str) -> None:
        """Make an empty server's data."""
        name = database or "postgres"
        postgres.create_cluster(folder / "data", user=user, password=password, database=name)

    def server(self, folder: Path, port: int) -> DatabaseServer:
        """Return the server."""
        return postgres.PostgresProcess(folder / "data", port, folder / "server.log")

    def set_password(self, folder: Path, *, user: str, password: str) -> None:
        """Change a user's password."""
        postgres.set_password(folder / "data", user=user, password=password)


class MariaDb:
    """The MariaDB that is installed on this machine."""

    key = "mariadb"

    @property
    def served_by(self) -> str:
        """Name and version."""
        return f"MariaDB {mariadb.server_version()}"

    def create(self, folder: Path, *, user: str, password: str, database: str) -> None:
        """Make an empty server's data."""
        mariadb.create_data(folder / "data", user=user, password=password, database=database)

    def server(self, folder: Path, port: int) -> DatabaseServer:
        """Return the server."""
        return mariadb.MariaDbProcess(folder / "data", port, folder / "server.log")

    def set_password(self, folder: Path, *, user: str, password: str) -> None:
        """Change a user's password."""
        mariadb.set_password(folder / "data", user=user, password=password)


def engine_for(rds_engine: str) -> Engine:
    """Return what serves a new database of an RDS engine."""
    return MariaDb() if rds_engine in _MYSQL_ENGINES and mariadb.find_server() else Postgres()


def engine_of(key: str) -> Engine:
    """Return what made an existing database, by the key it had then."""
    return MariaDb() if key == MariaDb.key else Postgres()


@cache
def _postgres_version() -> str:
    command = [str(postgres.binaries_dir() / "postgres"), "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
