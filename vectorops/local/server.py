"""The local target's process: `python -m vectorops.local.server FOLDER REGION`.

It serves the AWS APIs on loopback, supervises the database servers, and keeps everything in one folder.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psutil

from vectorops import __version__
from vectorops.errors import LocalTargetError
from vectorops.local.control import LocalEndpoint
from vectorops.local.folder import DatabaseRecord, LocalFolder, ServerRecord, exclusive
from vectorops.local.ports import LOOPBACK, find_free_port
from vectorops.local.supervisor import DatabaseSupervisor

if TYPE_CHECKING:
    from vectorops.local.emulator import Emulator

logger = logging.getLogger("vectorops.local")

# What is on disk can be read by exactly these. Raise the number when our own part of it changes.
STATE_FORMAT = 2
_STOP_TIMEOUT_S = 5
# Longer than clients keep an idle connection, which Terraform's provider does for 90 s. A server that closes
# it first may do so while a request arrives: that is carried out, its answer lost, and the client asks again.
_KEEP_ALIVE_S = 600
_FOLDER_CHECK_INTERVAL_S = 2


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    folder, region = LocalFolder(Path(sys.argv[1])), sys.argv[2]
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s [%(name)s] %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    try:
        with exclusive(folder.path / "server.lock"):
            _run(folder, region)
    except BlockingIOError:
        logger.error("another server runs on %s", folder.path)
        sys.exit(1)


def _run(folder: LocalFolder, region: str) -> None:
    previous = folder.read_record()
    folder.write_record(_new_record())
    try:
        check_state_format(folder)
        listener = _listen(previous.port if previous else None)
        folder.update_record(port=listener.getsockname()[1])
        asyncio.run(_serve(folder, listener, region))
    except Exception as exc:
        logger.exception("the local target did not start")
        error = (
            exc
            if isinstance(exc, LocalTargetError)
            else LocalTargetError(
                "the local target did not start", why=str(exc) or type(exc).__name__, hint=f"see {folder.log}"
            )
        )
        folder.update_record(state="failed", error={"what": error.what, "why": error.why, "hint": error.hint})
        sys.exit(1)


async def _serve(folder: LocalFolder, listener: socket.socket, region: str) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from hypercorn.utils import LifespanFailureError

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    lock = threading.Lock()

    def on_databases(databases: tuple[DatabaseRecord, ...]) -> None:
        with lock:
            folder.update_record(databases=databases)

    supervisor = DatabaseSupervisor(on_databases)
    emulator = _load_emulator(folder, listener.getsockname()[1], region, supervisor)

    async def until_stopped() -> None:
        # The socket is served by now.
        await asyncio.to_thread(emulator.wait_for_databases)
        supervisor.run()
        emulator.begin_work()
        with lock:
            folder.update_record(state="running", databases=supervisor.records())
        logger.info("ready on http://%s:%d", *listener.getsockname())
        while not stop.is_set():
            if not folder.record_file.exists():
                _abandon(supervisor)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _FOLDER_CHECK_INTERVAL_S)
        logger.info("stopping")
        # While the APIs still answer: the ends of the logs go there.
        await asyncio.to_thread(emulator.end_work)

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = _KEEP_ALIVE_S
    config.graceful_timeout = 1
    config.errorlog = logging.getLogger("hypercorn.error")
    try:
        await serve(emulator.app, config, shutdown_trigger=until_stopped)
    except LifespanFailureError:
        raise emulator.failures[0] from None
    await asyncio.to_thread(supervisor.close)
    emulator.save()
    _kill_children()
    folder.update_record(state="stopped", databases=supervisor.records())
    logger.info("stopped")
    # Everything is saved. A thread that still waits for something must not keep the process.
    logging.shutdown()
    os._exit(0)


def _load_emulator(folder: LocalFolder, port: int, region: str, supervisor: DatabaseSupervisor) -> "Emulator":
    # The library leaves its files in the folder for temporary ones when it is killed.
    shutil.rmtree(folder.scratch, ignore_errors=True)
    folder.scratch.mkdir()
    tempfile.tempdir = str(folder.scratch)
    # The library reads its settings from the environment when it is imported.
    os.environ.update(emulator_settings(folder, port, region))
    from vectorops.local.emulator import load

    return load(folder, supervisor, LocalEndpoint(f"http://{LOOPBACK}:{port}"))


def emulator_settings(folder: LocalFolder, port: int, region: str) -> dict[str, str]:
    """Return the environment variables under which the emulator is imported."""
    return {
        "AUTH": "true",
        "BIND_HOST": LOOPBACK,
        # No container is ever started, even where Docker is installed.
        "DOCKER_HOST": f"unix://{folder.path}/no-docker",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_HOST": LOOPBACK,
        "MINISTACK_REGION": region,
        "PERSIST_STATE": "1",
        "S3_DATA_DIR": str(folder.objects),
        "S3_PERSIST": "1",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(folder.emulator_state),
    }


def check_state_format(folder: LocalFolder) -> None:
    """Refuse a folder that another, incompatible version has filled; mark a new one as ours.

    Raises:
        LocalTargetError: The marks differ, or there is state without one.
    """
    marker = folder.path / "format.json"
    ours: dict[str, Any] = {"format": STATE_FORMAT, "emulator": version("ministack")}
    try:
        theirs = json.loads(marker.read_text(encoding="utf-8"))
    except FileNotFoundError:
        theirs = None if any(folder.emulator_state.iterdir()) else ours
        if theirs:
            marker.write_text(json.dumps(ours), encoding="utf-8")
    except ValueError:
        theirs = None
    if theirs != ours:
        raise LocalTargetError(
            f"the state in {folder.path} was made by another version",
            why=f"it says {theirs}, this version needs {ours}",
            hint="run 'vectorops local reset' and deploy again, or go back to that version",
        )


def _new_record() -> ServerRecord:
    created = psutil.Process().create_time()
    return ServerRecord(os.getpid(), created, "starting", 0, __version__, version("ministack"))


def _listen(preferred: int | None) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, find_free_port(preferred)))
    return listener


def _abandon(supervisor: DatabaseSupervisor) -> NoReturn:
    """End without saving: somebody deleted the folder, which saving would bring back in part."""
    supervisor.close()
    _kill_children()
    os._exit(1)


def _kill_children() -> None:
    """End what the emulator started for functions and jobs, and did not stop itself."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        child.terminate()
    for child in psutil.wait_procs(children, _STOP_TIMEOUT_S)[1]:
        child.kill()


if __name__ == "__main__":
    main()
