"""The password in a file of its own: in no argument that other users of the machine can read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from vectorops.database.connection import DatabaseAddress

PASSWORD = r"a:b\c d"


@pytest.fixture
def address(connection: psycopg.Connection[Any], database_address: DatabaseAddress) -> DatabaseAddress:
    role = f"reader_{database_address.name}"
    create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
    connection.execute(create.format(sql.Identifier(role), sql.Literal(PASSWORD)))
    return replace(database_address, user=role, password=PASSWORD)


def test_libpq_finds_the_password_in_the_file(address: DatabaseAddress, tmp_path: Path) -> None:
    path = tmp_path / "pgpass"
    path.touch(mode=0o644)
    url = address.url(address.write_password_file(path))
    assert PASSWORD not in url
    assert path.stat().st_mode & 0o777 == 0o600
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (address.user,)


def test_without_a_file_the_password_is_in_the_url(address: DatabaseAddress) -> None:
    with psycopg.connect(address.url()) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (address.user,)


def test_another_password_is_refused(address: DatabaseAddress, tmp_path: Path) -> None:
    other = replace(address, password="other")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(other.url(other.write_password_file(tmp_path / "pgpass")))
