"""Database server processes that a killed owner has left behind."""

import contextlib
import signal
from pathlib import Path

import psutil

_STOP_TIMEOUT_S = 20.0
# How each server is asked to stop at once, without waiting for its clients.
_STOP_SIGNALS = {"postgres": signal.SIGINT, "mariadbd": signal.SIGTERM}


def stop_leftover(data_dir: Path) -> bool:
    """Stop what still runs on `data_dir` without an owner; say whether there was anything.

    A killed owner leaves the whole server behind; a killed server can leave a busy backend, which
    keeps the shared memory taken. PostgreSQL's pid file goes too: it would take any living process that has
    got its number since for itself, and refuse to start.
    """
    found = _processes_in(data_dir)
    servers = [process for process in found if _is_server(process)]
    for server in servers:
        with contextlib.suppress(psutil.NoSuchProcess):
            server.send_signal(_STOP_SIGNALS[server.info["name"]])
    psutil.wait_procs(servers, _STOP_TIMEOUT_S)
    for process in _processes_in(data_dir):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(found, _STOP_TIMEOUT_S)
    (data_dir / "postmaster.pid").unlink(missing_ok=True)
    return bool(found)


def _is_server(process: psutil.Process) -> bool:
    """Whether it is the server itself rather than a backend, which names its work in its command line."""
    with contextlib.suppress(psutil.Error):
        # A process that has just ended has no command line any more.
        command = process.cmdline()
        return bool(command) and not command[0].startswith("postgres: ")
    return False


def _processes_in(data_dir: Path) -> list[psutil.Process]:
    """Return the database processes that work in `data_dir`, which each of them makes its folder."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] in _STOP_SIGNALS:
            with contextlib.suppress(psutil.Error):
                if Path(process.cwd()) == data_dir.resolve():
                    found.append(process)
    return found
