"""Which kind of database server is at an address."""

import socket
from typing import Literal

Vendor = Literal["mysql", "postgresql"]

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # PostgreSQL manual, "Message Formats", SSLRequest
_GREETING_S = 0.5


def served_by(host: str, port: int, *, timeout_s: float = 10.0) -> Vendor:
    """Return the protocol that the server speaks: MySQL's server speaks first, PostgreSQL's waits.

    Raises:
        OSError: None answers.
    """
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        connection.settimeout(min(_GREETING_S, timeout_s))
        try:
            answer = connection.recv(16)
        except TimeoutError:
            connection.settimeout(timeout_s)
            connection.sendall(_SSL_REQUEST)
            answer = connection.recv(16)
    if not answer:
        raise ConnectionError("the server hung up")
    return "postgresql" if answer in (b"S", b"N") else "mysql"
