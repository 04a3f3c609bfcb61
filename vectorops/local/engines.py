"""Which database server answers for which RDS engine on this machine."""

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vectorops.local import postgres
from vectorops.local.supervisor import DatabaseServer


@dataclass(frozen=True)
class Postgres:
    """The embedded PostgreSQL.

    It also stands in for engines that are not here; `served_by` says so.
    """

    @property
    def served_by(self) -> str:
        """Name and version, such as "PostgreSQL 18.4"."""
        return f"PostgreSQL {_postgres_version()}"

    def create(self, folder: Path, *, user: str, password: str, database: str) -> None:
        """Make an empty server's data in `folder`, which must exist."""
        postgres.create_cluster(folder / "data", user=user, password=password, database=database)

    def server(self, folder: Path, port: int) -> DatabaseServer:
        """Return the server on the data in `folder`; it does not run yet."""
        return postgres.PostgresProcess(folder / "data", port, folder / "server.log")

    def set_password(self, folder: Path, *, user: str, password: str) -> None:
        """Change a user's password while the server is stopped."""
        postgres.set_password(folder / "data", user=user, password=password)


def engine_for(name: str) -> Postgres:
    """Return what serves RDS engine `name`."""
    return Postgres()


@cache
def _postgres_version() -> str:
    command = [str(postgres.binaries_dir() / "postgres"), "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
