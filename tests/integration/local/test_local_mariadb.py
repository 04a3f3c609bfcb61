import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.local.local_databases import (
    address_of,
    create_instance,
    delete_instance,
    describe,
    wait_for,
)
from vectorops.aws import Aws
from vectorops.database.connection import DatabaseAddress, connect
from vectorops.errors import LocalTargetError
from vectorops.local import status
from vectorops.local.engines import MariaDb, Postgres, engine_for
from vectorops.local.mariadb import MariaDbProcess, create_data, find_server
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.settings import Environment

pymysql = pytest.importorskip("pymysql", reason="a driver for MariaDB is not installed: make setup")

NAME = "source"
PASSWORD = 'it\'s \\ "quoted"'

needs_mariadb = pytest.mark.skipif(find_server() is None, reason="MariaDB is not installed")
needs_no_mariadb = pytest.mark.skipif(find_server() is not None, reason="MariaDB is installed")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MariaDbProcess]:
    create_data(tmp_path / "data", user="operator", password=PASSWORD, database="models")
    server = MariaDbProcess(tmp_path / "data", find_free_port(), tmp_path / "server.log")
    yield server
    server.stop()


@pytest.fixture
def instance(operator: Aws) -> Iterator[dict[str, Any]]:
    yield create_instance(operator, NAME, Engine="mysql", DBName="models")
    delete_instance(operator, NAME)


def login(port: int, user: str = "operator", password: str = PASSWORD) -> Any:
    return pymysql.connect(host=LOOPBACK, port=port, user=user, password=password, autocommit=True)


def query(connection: Any, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


@needs_mariadb
def test_mysql_is_served_by_the_mariadb_that_is_installed(
    operator: Aws, instance: dict[str, Any], shared_environment: Environment
) -> None:
    record = status(shared_environment).databases[0]
    assert (record.engine, record.served_by.split()[0]) == ("mysql", "MariaDB")
    address = address_of(operator, instance)
    with login(address.port, address.user, address.password) as connection:
        assert query(connection, "SELECT current_user()") == (("operator@%",),)
        assert ("models",) in query(connection, "SHOW DATABASES")


@needs_mariadb
def test_a_mysql_instance_restarts_with_its_data_and_a_rotated_password(
    operator: Aws, instance: dict[str, Any]
) -> None:
    address = address_of(operator, instance)
    with login(address.port, address.user, address.password) as connection:
        query(connection, "CREATE TABLE models.kept AS SELECT 7 AS n")
    operator.client("rds").modify_db_instance(
        DBInstanceIdentifier=NAME, ManageMasterUserPassword=True, RotateMasterUserPassword=True
    )
    wait_for(operator, NAME, "available")
    after = address_of(operator, describe(operator, NAME))
    with login(after.port, after.user, after.password) as connection:
        assert query(connection, "SELECT n FROM models.kept") == ((7,),)
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        login(address.port, address.user, address.password)


@needs_mariadb
def test_only_the_master_user_can_log_in_and_it_is_no_administrator(server: MariaDbProcess) -> None:
    server.start()
    for user in ("root", ""):
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            login(server.port, user, "")
    with (
        login(server.port) as connection,
        pytest.raises(pymysql.err.OperationalError, match=r"SUPER|privilege"),
    ):
        query(connection, "SET GLOBAL max_connections = 1")


@needs_mariadb
def test_it_listens_on_loopback_only(server: MariaDbProcess) -> None:
    server.start()
    listening = [c for c in psutil.Process(server.pid).net_connections("all") if c.status == "LISTEN"]
    assert [(c.laddr.ip, c.laddr.port) for c in listening] == [(LOOPBACK, server.port)]


@needs_mariadb
def test_the_password_is_nowhere_in_the_folder(server: MariaDbProcess, tmp_path: Path) -> None:
    server.start()
    server.stop()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]


@needs_mariadb
def test_a_server_left_by_a_killed_owner_gives_way_to_a_new_one(server: MariaDbProcess) -> None:
    server.start()
    successor = MariaDbProcess(server.data_dir, server.port, server.log_path)
    successor.start()
    assert not server.is_running()
    login(successor.port).close()
    successor.stop()


@needs_mariadb
def test_committed_rows_survive_a_kill(server: MariaDbProcess) -> None:
    server.start()
    with login(server.port) as connection:
        query(connection, "CREATE TABLE models.kept (n int)")
        query(connection, "INSERT INTO models.kept VALUES (7)")
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    while server.is_running():
        time.sleep(0.01)
    server.start()
    with login(server.port) as connection:
        assert query(connection, "SELECT n FROM models.kept") == ((7,),)


@needs_mariadb
def test_servers_made_at_the_same_time_leave_each_other_alone(tmp_path: Path) -> None:
    def make(number: int) -> Path:
        folder = tmp_path / str(number)
        folder.mkdir()
        create_data(folder / "data", user="admin", password="secret", database="shop")
        return folder / "data" / "shop"

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, range(8)))
    assert all(database.is_dir() for database in made)


@needs_mariadb
def test_refused_data_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(LocalTargetError, match="mariadbd failed"):
        create_data(tmp_path / "data", user="u" * 200, password="x", database="models")
    assert list(tmp_path.iterdir()) == []


@needs_no_mariadb
def test_without_mariadb_postgresql_stands_in_and_says_so(
    operator: Aws, instance: dict[str, Any], shared_environment: Environment
) -> None:
    record = status(shared_environment).databases[0]
    assert (record.engine, record.served_by.split()[0]) == ("mysql", "PostgreSQL")
    address: DatabaseAddress = address_of(operator, instance)
    connect(address).close()


def test_each_engine_is_served_by_its_own_kind_where_that_is_installed() -> None:
    assert isinstance(engine_for("postgres"), Postgres)
    assert isinstance(engine_for("mysql"), MariaDb if find_server() else Postgres)
