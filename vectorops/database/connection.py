"""The only maker of database connections."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg import conninfo

from vectorops import __version__
from vectorops.errors import DatabaseError


@dataclass(frozen=True)
class DatabaseAddress:
    """Where a database is and how to enter it.

    Attributes:
        host: Name that the server's certificate is checked against.
        hostaddr: Address to connect to instead of `host`, such as the near end of a tunnel, or None.
        sslmode: As libpq knows it: "verify-full" on AWS, "disable" on the local target.
        sslrootcert: File with the certificates of the authorities to trust, or None.
    """

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    hostaddr: str | None = None
    sslmode: str = "verify-full"
    sslrootcert: str | None = None

    def url(self, password_file: Path | None = None) -> str:
        """Return the address as a URL that psql accepts, with the password unless it is in a file.

        Args:
            password_file: From `write_password_file`.
        """
        from urllib.parse import quote, urlencode

        options = {
            "sslmode": self.sslmode,
            "hostaddr": self.hostaddr,
            "sslrootcert": self.sslrootcert,
            "passfile": password_file,
        }
        query = urlencode({key: value for key, value in options.items() if value})
        login = quote(self.user, safe="")
        if not password_file:
            login += f":{quote(self.password, safe='')}"
        return f"postgresql://{login}@{self.host}:{self.port}/{quote(self.name, safe='')}?{query}"

    def write_password_file(self, path: Path) -> Path:
        """Write the password where libpq finds it, readable by this user only; return the full path.

        Source: PostgreSQL manual, "The Password File".
        """
        parts = (self.host, str(self.port), self.name, self.user, self.password)
        line = ":".join(re.sub(r"([:\\])", r"\\\1", part) for part in parts)
        path.touch()
        path.chmod(0o600)
        path.write_text(f"{line}\n", encoding="utf-8")
        return path.resolve()


def connect(address: DatabaseAddress, *, connect_timeout_s: int = 10) -> psycopg.Connection[Any]:
    """Return an autocommit connection with the vector types registered, where the extension is installed.

    Autocommit, so that every transaction is a visible `with connection.transaction()` block.

    Raises:
        DatabaseError: The server cannot be reached or refuses the login.
    """
    connection = log_in(address, connect_timeout_s=connect_timeout_s)
    register_vector_types(connection)
    return connection


def log_in(address: DatabaseAddress, *, connect_timeout_s: int = 10) -> psycopg.Connection[Any]:
    """Return a connection as `connect` does, of which nothing was asked yet, so without the vector types.

    Raises:
        DatabaseError: The server cannot be reached or refuses the login.
    """
    try:
        return psycopg.connect(_conninfo(address, connect_timeout_s), autocommit=True)
    except psycopg.Error as exc:
        raise DatabaseError(
            f"cannot connect to database '{address.name}' on {address.host}:{address.port}",
            why=first_line(exc),
            hint="run 'vectorops doctor'",
        ) from exc


def register_vector_types(connection: psycopg.Connection[Any]) -> bool:
    """Teach `connection` the vector types; return False where the vector extension is not installed.

    `connect` does it; once more is needed after the extension was created on the same connection.
    """
    if not connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone():
        return False
    register_vector(connection)
    return True


@contextmanager
def database_errors(what: str, *, hint: str = "") -> Iterator[None]:
    """Turn what psycopg raises inside the block into a DatabaseError that says `what` could not be done."""
    try:
        yield
    except psycopg.Error as exc:
        raise DatabaseError(what, why=first_line(exc), hint=hint) from exc


def first_line(error: psycopg.Error) -> str:
    """Return the first line of what PostgreSQL or libpq says about `error`."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _conninfo(address: DatabaseAddress, connect_timeout_s: int) -> str:
    return conninfo.make_conninfo(
        host=address.host,
        hostaddr=address.hostaddr,
        port=address.port,
        dbname=address.name,
        user=address.user,
        password=address.password,
        sslmode=address.sslmode,
        sslrootcert=address.sslrootcert,
        connect_timeout=connect_timeout_s,
        client_encoding="UTF8",
        application_name=f"vectorops/{__version__}",
        # A load or an index build can be silent for long; this keeps a tunnel open and notices a dead server.
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
    )
