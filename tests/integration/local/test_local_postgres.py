import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from vectorops.database.connection import DatabaseAddress, connect
from vectorops.errors import DatabaseError, LocalTargetError
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.local.postgres import PostgresProcess, binaries_dir, create_cluster, set_password
from vectorops.local.unprivileged import other_account

PASSWORD = 'it\'s "quoted"'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresProcess]:
    create_cluster(tmp_path / "data", user="operator", password=PASSWORD, database="vectors")
    server = PostgresProcess(tmp_path / "data", find_free_port(), tmp_path / "postgres.log")
    yield server
    server.stop()


def address(server: PostgresProcess, password: str = PASSWORD) -> DatabaseAddress:
    return DatabaseAddress(LOOPBACK, server.port, "vectors", "operator", password, sslmode="disable")


def test_each_test_gets_a_database_where_vectors_work(connection: psycopg.Connection[tuple[float]]) -> None:
    connection.execute("CREATE EXTENSION vector")
    row = connection.execute("SELECT '[1,2]'::vector <-> '[1,4]'::vector").fetchone()
    assert row == (2.0,)


def test_the_master_user_may_do_what_it_may_on_rds_and_no_more(server: PostgresProcess) -> None:
    server.start()
    with connect(address(server)) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("CREATE DATABASE other")
        row = connection.execute(
            "SELECT pg_has_role('rds_superuser', 'MEMBER'), rolsuper FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
        assert row == (True, False)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY (SELECT 1) TO PROGRAM 'cat'")


def test_the_server_wants_the_password(server: PostgresProcess) -> None:
    server.start()
    with connect(address(server)) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("vectors",)
    with pytest.raises(DatabaseError, match="password authentication failed"):
        connect(address(server, "wrong"))


def test_the_server_listens_on_loopback_only(server: PostgresProcess) -> None:
    server.start()
    listening = [c for c in psutil.Process(server.pid).net_connections("all") if c.status == "LISTEN"]
    assert [(c.laddr.ip, c.laddr.port) for c in listening] == [(LOOPBACK, server.port)]


def test_no_password_is_left_in_the_folder(server: PostgresProcess, tmp_path: Path) -> None:
    server.start()
    server.stop()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]


def test_a_new_password_counts_after_the_next_start(server: PostgresProcess) -> None:
    set_password(server.data_dir, user="operator", password="n'ew")
    server.start()
    connect(address(server, "n'ew")).close()
    with pytest.raises(DatabaseError, match="password authentication failed"):
        connect(address(server))


def test_committed_rows_survive_a_restart(server: PostgresProcess) -> None:
    server.start()
    with connect(address(server)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    server.stop()
    assert not server.is_running()
    server.start()
    with connect(address(server)) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_a_killed_server_with_a_busy_backend_starts_again(server: PostgresProcess) -> None:
    server.start()
    with connect(address(server)) as connection:
        busy = connection.info.backend_pid
        os.kill(busy, signal.SIGSTOP)  # as if it never looked up from its work
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
        while server.is_running():
            time.sleep(0.01)
        server.start()
        assert not psutil.pid_exists(busy)
    with connect(address(server)) as again:
        assert again.execute("SELECT 1").fetchone() == (1,)


def test_a_server_left_by_a_killed_owner_gives_way_to_a_new_one(server: PostgresProcess) -> None:
    server.start()
    successor = PostgresProcess(server.data_dir, server.port, server.log_path)
    successor.start()
    assert not server.is_running()
    assert successor.is_running()
    successor.stop()


def test_a_pid_file_that_names_another_program_is_ignored(server: PostgresProcess) -> None:
    (server.data_dir / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data_dir}\n")
    server.start()
    assert server.is_ready()


def test_a_taken_port_is_named_and_nothing_is_started(server: PostgresProcess) -> None:
    with socket.create_server((LOOPBACK, server.port)):
        with pytest.raises(LocalTargetError, match=f"port {server.port} .* is taken by another program"):
            server.start()
        assert not server.is_running()


def test_a_server_that_refuses_its_settings_is_quoted(server: PostgresProcess) -> None:
    server.settings["max_connections"] = "many"
    with pytest.raises(LocalTargetError, match='invalid value for parameter "max_connections": "many"'):
        server.start()


def test_a_refused_cluster_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(LocalTargetError, match='role name "pg_me" is reserved'):
        create_cluster(tmp_path / "data", user="pg_me", password="x", database="vectors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as another account")
def test_as_root_the_account_nobody_can_serve(tmp_path: Path) -> None:
    launcher = other_account()
    if launcher is None:
        pytest.skip("no account 'nobody', or no setpriv")
    if not all(folder.stat().st_mode & 0o001 for folder in binaries_dir().parents):
        pytest.skip("the account 'nobody' cannot enter the folder of this checkout")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    create_cluster(tmp_path / "data", user="a", password="b", database="c", launcher=launcher)
    server = PostgresProcess(tmp_path / "data", find_free_port(), tmp_path / "log", launcher=launcher)
    server.start()
    assert psutil.Process(server.pid).username() == "nobody"
    server.stop()
