"""Keeps the database servers behind the RDS instances running."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from vectorops.errors import LocalTargetError
from vectorops.local.folder import DatabaseRecord, DatabaseState

logger = logging.getLogger(__name__)

_CHECK_INTERVAL_S = 0.5
_RETRY_INTERVAL_S = 5.0


class DatabaseServer(Protocol):
    """A database server process that can be started and stopped again."""

    port: int

    @property
    def pid(self) -> int | None:
        """Process id, or None before the first start."""

    def start(self) -> None:
        """Start it and wait until it accepts connections; `LocalTargetError` when it does not."""

    def stop(self) -> None:
        """Stop it; nothing happens when it does not run."""

    def is_running(self) -> bool:
        """Whether the process lives."""


@dataclass
class _Database:
    identifier: str
    engine: str
    served_by: str
    server: DatabaseServer
    on_state: Callable[[DatabaseState], None]
    state: DatabaseState = "stopped"
    restarts: int = 0
    error: str = ""
    # Starting, stopping and restarting one database never overlap.
    lock: threading.RLock = field(default_factory=threading.RLock)

    def record(self) -> DatabaseRecord:
        pid = self.server.pid if self.server.is_running() else None
        return DatabaseRecord(
            self.identifier,
            self.engine,
            self.served_by,
            self.state,
            self.server.port,
            pid,
            self.restarts,
            self.error,
        )


class DatabaseSupervisor:
    """The databases of one local target, by identifier.

    A server that ends by itself is started again at once; one that cannot start is tried again every
    five seconds, so that it comes back when the cause (a taken port, a full disk) is gone.

    Args:
        on_change: Called with all databases whenever one of them changes.
    """

    def __init__(self, on_change: Callable[[tuple[DatabaseRecord, ...]], None]) -> None:
        self._on_change = on_change
        self._databases: dict[str, _Database] = {}
        self._changed = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="database-supervisor", daemon=True)

    def run(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def add(
        self,
        identifier: str,
        server: DatabaseServer,
        *,
        engine: str,
        served_by: str,
        on_state: Callable[[DatabaseState], None],
    ) -> None:
        """Take over a server that does not run yet; `on_state` hears of every later state."""
        self._databases[identifier] = _Database(identifier, engine, served_by, server, on_state)

    def start(self, identifier: str) -> None:
        """Start a database; what prevents it becomes its state "failed" and its error."""
        database = self._databases[identifier]
        with database.lock:
            self._enter(database, "starting")
            self._try_start(database)

    def stop(self, identifier: str) -> None:
        """Stop a database and leave it stopped."""
        database = self._databases[identifier]
        with database.lock:
            database.server.stop()
            self._enter(database, "stopped")

    def restart(self, identifier: str) -> None:
        """Stop a database and start it."""
        with self._databases[identifier].lock:
            self.stop(identifier)
            self.start(identifier)

    def remove(self, identifier: str) -> None:
        """Stop a database and forget it; nothing happens when there is none."""
        database = self._databases.pop(identifier, None)
        if database:
            with database.lock:
                database.server.stop()
                database.state = "stopped"
            self._announce()

    def server(self, identifier: str) -> DatabaseServer:
        """Return the server behind a database."""
        return self._databases[identifier].server

    def records(self) -> tuple[DatabaseRecord, ...]:
        """Describe every database."""
        databases = sorted(dict(self._databases).items())
        return tuple(database.record() for _, database in databases)

    def close(self) -> None:
        """Stop watching and stop every database, all at the same time."""
        self._closing.set()
        stops = [threading.Thread(target=self.stop, args=(name,)) for name in list(self._databases)]
        for thread in stops:
            thread.start()
        for thread in stops:
            thread.join()

    def _watch(self) -> None:
        waited_s = 0.0
        while not self._closing.wait(_CHECK_INTERVAL_S):
            waited_s += _CHECK_INTERVAL_S
            for database in list(self._databases.values()):
                self._revive(database, retry=waited_s >= _RETRY_INTERVAL_S)
            waited_s %= _RETRY_INTERVAL_S

    def _revive(self, database: _Database, *, retry: bool) -> None:
        if not database.lock.acquire(blocking=False):
            return
        try:
            if self._closing.is_set() or self._databases.get(database.identifier) is not database:
                return
            ended = database.state == "available" and not database.server.is_running()
            if ended:
                database.restarts += 1
                logger.warning("database %s ended by itself; starting it again", database.identifier)
            if ended or (retry and database.state == "failed"):
                self._try_start(database)
        finally:
            database.lock.release()

    def _try_start(self, database: _Database) -> None:
        try:
            database.server.start()
        except LocalTargetError as exc:
            if str(exc) != database.error:
                logger.error("database %s did not start: %s", database.identifier, exc)
            self._enter(database, "failed", str(exc))
        else:
            logger.info(
                "database %s accepts connections on port %d", database.identifier, database.server.port
            )
            self._enter(database, "available")

    def _enter(self, database: _Database, state: DatabaseState, error: str = "") -> None:
        database.state, database.error = state, error
        # First: who hears of a state finds it among the records.
        self._announce()
        database.on_state(state)

    def _announce(self) -> None:
        with self._changed:
            self._on_change(self.records())
