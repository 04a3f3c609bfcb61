"""A MariaDB that is installed on this machine, as a server process on loopback."""

import os
import shutil
import signal
import socket
import subprocess
from functools import cache
from pathlib import Path

from vectorops.errors import LocalTargetError
from vectorops.local.database_process import DatabaseProcess, clean_environment
from vectorops.local.ports import LOOPBACK

# Debian keeps the server out of a normal user's PATH; Homebrew links it into it.
_PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
# What RDS gives the master user of MySQL ("Master user account privileges", RDS user guide).
_MASTER_PRIVILEGES = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, "
    "SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, "
    "CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER"
)
_HANDSHAKE_TIMEOUT_S = 2.0


@cache
def find_server() -> Path | None:
    """Return the MariaDB server program, or None where it is not installed."""
    found = shutil.which("mariadbd", path=_PLACES)
    return Path(found) if found and _installer() else None


def server_version() -> str:
    """Return the version, such as "10.11.19", or "(not installed)"."""
    server = find_server()
    if server is None:
        return "(not installed)"
    done = subprocess.run([str(server), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split("Ver ", 1)[1].split("-", 1)[0]


def create_data(data_dir: Path, *, user: str, password: str, database: str) -> None:
    """Create an empty database server in `data_dir`, without starting it.

    Args:
        data_dir: Created. Its parent must exist.
        user: Master user to create, with what RDS grants it.
        password: Its password; never part of an argument list.
        database: Database to create, or "" for none.

    Raises:
        LocalTargetError: MariaDB refused; nothing is left behind in `data_dir`.
    """
    data_dir.mkdir(mode=0o700)
    account = f"{_literal(user)}@'%'"
    statements = [
        # The accounts without a password that come with a new server; root cannot log in over TCP.
        "DELETE FROM mysql.global_priv WHERE User IN ('', 'root')",
        "FLUSH PRIVILEGES",
        f"CREATE USER {account} IDENTIFIED BY {_literal(password)}",
        f"GRANT {_MASTER_PRIVILEGES} ON *.* TO {account} WITH GRANT OPTION",
    ]
    if database:
        statements.append(f"CREATE DATABASE `{database.replace('`', '``')}`")
    try:
        _run([str(_installer()), *_options(data_dir), "--auth-root-authentication-method=normal"])
        _run_alone(data_dir, *statements)
    except BaseException:
        for folder in (data_dir, _scratch(data_dir)):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def set_password(data_dir: Path, *, user: str, password: str) -> None:
    """Change a user's password while the server is stopped.

    Raises:
        LocalTargetError: MariaDB refused.
    """
    change = f"ALTER USER {_literal(user)}@'%' IDENTIFIED BY {_literal(password)}"
    _run_alone(data_dir, "FLUSH PRIVILEGES", change)


class MariaDbProcess(DatabaseProcess):
    """One MariaDB server on data made by `create_data`."""

    name = "MariaDB"
    stop_signal = signal.SIGTERM

    def command(self) -> list[str]:
        """Return the arguments that start the server."""
        return [
            str(_server()),
            *_options(self.data_dir),
            f"--bind-address={LOOPBACK}",
            f"--port={self.port}",
            "--socket=",
            f"--pid-file={self.data_dir / 'mariadb.pid'}",
            "--character-set-server=utf8mb4",
            "--default-time-zone=+00:00",
        ]

    def is_ready(self) -> bool:
        """Whether the server greets a client."""
        try:
            with socket.create_connection((LOOPBACK, self.port), _HANDSHAKE_TIMEOUT_S) as client:
                return bool(client.recv(1))
        except OSError:
            return False


def _server() -> Path:
    server = find_server()
    if server is None:
        raise LocalTargetError(
            "MariaDB is not installed any more, and a database of the local target needs it",
            hint="install it again (such as 'apt install mariadb-server' or 'brew install mariadb')",
        )
    return server


def _installer() -> str | None:
    return shutil.which("mariadb-install-db", path=_PLACES)


def _options(data_dir: Path) -> list[str]:
    options = ["--no-defaults", f"--datadir={data_dir}", "--skip-name-resolve"]
    # A starting server deletes all temporary tables in its folder for them, whosever they are.
    _scratch(data_dir).mkdir(mode=0o700, exist_ok=True)
    options.append(f"--tmpdir={_scratch(data_dir)}")
    # As root it runs only when told so.
    return [*options, "--user=root"] if os.geteuid() == 0 else options


def _scratch(data_dir: Path) -> Path:
    return data_dir.with_name(f"{data_dir.name}.tmp")


def _run_alone(data_dir: Path, *statements: str) -> None:
    """Run statements of one line each without a server."""
    _run([str(_server()), *_options(data_dir), "--bootstrap"], ";\n".join(statements) + ";\n")


def _run(command: list[str], text: str = "") -> None:
    done = subprocess.run(command, input=text, env=clean_environment(), capture_output=True, text=True)
    if done.returncode or "ERROR" in done.stderr:
        lines = done.stderr.strip().splitlines()
        # An error quotes the statement, which may hold a password, on the lines after its own.
        complaint = next((line for line in lines if "ERROR" in line), "\n".join(lines[-3:]))
        raise LocalTargetError(f"{Path(command[0]).name} failed", why=complaint)


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
