"""A database server as a child process: starting it, waiting for it, stopping it."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from vectorops.errors import LocalTargetError
from vectorops.local.leftovers import stop_leftover
from vectorops.local.ports import LOOPBACK, is_port_free

# A server that was killed may have much to recover; one that ends is noticed at once.
_START_TIMEOUT_S = 600.0
_STOP_TIMEOUT_S = 20.0
_LOG_TAIL_LINES = 5


class DatabaseProcess(ABC):
    """One database server, started by this process.

    Args:
        data_dir: The server's data.
        port: TCP port on 127.0.0.1.
        log_path: File that the server's messages are appended to.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    kill_signal: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, data_dir: Path, port: int, log_path: Path) -> None:
        self.data_dir = data_dir
        self.port = port
        self.log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return the arguments that start the server."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the server accepts connections."""

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
        command = self.command()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(),
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
                raise LocalTargetError(f"{self.name} did not start", why=self._last_words())
            if time.monotonic() > deadline:
                self.stop()
                raise LocalTargetError(
                    f"{self.name} was not ready within {timeout_s:.0f} s", why=self._last_words()
                )
            time.sleep(0.02)

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Shut down at once: open transactions are rolled back, clients disconnected, data flushed."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(self.kill_signal)
            self._process.wait(_STOP_TIMEOUT_S)

    def _last_words(self) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join(lines[-_LOG_TAIL_LINES:]) or f"{self.log_path} is empty"


def clean_environment() -> dict[str, str]:
    """Return an environment with nothing of the caller's: no PG*, MYSQL_* or AWS_* variables."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
