"""Connections to the source database."""

import ssl
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pymysql

from vectorops.errors import DatabaseError
from vectorops.source.protocol import served_by

SourceConnection = Any  # psycopg.Connection or pymysql.connections.Connection; pymysql has no types


@dataclass(frozen=True)
class SourceAddress:
    """Where the source database is and how to enter it.

    Attributes:
        name: MySQL schema, or PostgreSQL database.
        sslrootcert: File with the authorities to check the server's certificate against; None for no TLS.
    """

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    sslrootcert: str | None = None


def connect_source(address: SourceAddress, *, connect_timeout_s: int = 10) -> SourceConnection:
    """Return a connection to the MySQL or MariaDB at `address`, or to the PostgreSQL that stands in for it.

    Raises:
        DatabaseError: The server cannot be reached or refuses the login.
    """
    try:
        if served_by(address.host, address.port, timeout_s=connect_timeout_s) == "mysql":
            return _connect_mysql(address, connect_timeout_s)
        return _connect_postgresql(address, connect_timeout_s)
    except (OSError, pymysql.MySQLError, psycopg.Error) as exc:
        raise DatabaseError(
            f"cannot connect to source database '{address.name}' on {address.host}:{address.port}",
            why=str(exc.args[-1] if isinstance(exc, pymysql.MySQLError) else exc).strip().splitlines()[0],
            hint="run 'vectorops doctor'",
        ) from exc


def _connect_mysql(address: SourceAddress, timeout_s: int) -> SourceConnection:
    context = ssl.create_default_context(cafile=address.sslrootcert) if address.sslrootcert else None
    return pymysql.connect(
        host=address.host,
        port=address.port,
        database=address.name,
        user=address.user,
        password=address.password,
        ssl=context,
        charset="utf8mb4",
        connect_timeout=timeout_s,
    )


def _connect_postgresql(address: SourceAddress, timeout_s: int) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=address.host,
        port=address.port,
        dbname=address.name,
        user=address.user,
        password=address.password,
        sslmode="verify-full" if address.sslrootcert else "disable",
        sslrootcert=address.sslrootcert,
        connect_timeout=timeout_s,
        autocommit=True,
    )
