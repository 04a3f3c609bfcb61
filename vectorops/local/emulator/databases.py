"""The real database servers behind the emulator's RDS instances.

An instance is the emulator's own record of it: a plain dict in the shape of the RDS API. We keep one thing in
it, in `_server`: what kind of server made its data.
"""

import contextvars
import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vectorops.errors import LocalTargetError
from vectorops.local.engines import Engine, engine_for, engine_of
from vectorops.local.folder import DatabaseState
from vectorops.local.leftovers import stop_leftover
from vectorops.local.ports import LOOPBACK
from vectorops.local.supervisor import DatabaseSupervisor

logger = logging.getLogger(__name__)

Instance = dict[str, Any]

_RDS_STATUS = {"starting": "creating", "available": "available", "stopped": "stopped", "failed": "failed"}


class Databases:
    """Starts, stops and removes one database server per RDS instance.

    Args:
        folder: Holds one folder per instance.
        supervisor: Keeps the servers running.
        on_change: Called when the record of an instance has changed outside a request.
    """

    def __init__(self, folder: Path, supervisor: DatabaseSupervisor, on_change: Callable[[], None]) -> None:
        self._folder = folder
        self._supervisor = supervisor
        self._on_change = on_change

    def create(self, instance: Instance, *, port: int, password: str) -> None:
        """Begin to make a server for a new instance; its status becomes "available" or "failed"."""
        instance["Endpoint"] = {**instance["Endpoint"], "Address": LOOPBACK, "Port": port}
        instance["DBInstanceStatus"] = "creating"
        instance["_server"] = engine_for(instance["Engine"]).key
        # The library keeps the password of its containers here; ours is in the secret alone.
        instance.pop("_MasterUserPassword", None)
        _in_background(self._create, instance, password)

    def restore(self, instance: Instance) -> None:
        """Start the server of an instance that an earlier process made."""
        self._register(instance)
        self._supervisor.start(instance["DBInstanceIdentifier"])

    def delete(self, identifier: str) -> None:
        """Stop the server of an instance and delete its data."""
        self._supervisor.remove(identifier)
        shutil.rmtree(self._folder / identifier, ignore_errors=True)

    def start(self, instance: Instance) -> None:
        """Begin to start a stopped server."""
        instance["DBInstanceStatus"] = "starting"
        _in_background(self._supervisor.start, instance["DBInstanceIdentifier"])

    def stop(self, identifier: str) -> None:
        """Stop a server."""
        self._supervisor.stop(identifier)

    def restart(self, identifier: str) -> None:
        """Stop a server and start it."""
        self._supervisor.restart(identifier)

    def set_password(self, instance: Instance, password: str) -> None:
        """Change the master user's password; the server restarts, which RDS does without."""
        identifier = instance["DBInstanceIdentifier"]
        self._supervisor.stop(identifier)
        _engine(instance).set_password(
            self._folder / identifier, user=instance["MasterUsername"], password=password
        )
        self._supervisor.start(identifier)

    def _create(self, instance: Instance, password: str) -> None:
        folder = self._folder / instance["DBInstanceIdentifier"]
        try:
            # Left by a process that was killed before it had saved the instance.
            stop_leftover(folder / "data")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            _engine(instance).create(
                folder,
                user=instance["MasterUsername"],
                password=password,
                database=instance["DBName"],
            )
            self._register(instance)
            self._supervisor.start(instance["DBInstanceIdentifier"])
        except (LocalTargetError, OSError) as exc:
            logger.error("cannot create database %s: %s", instance["DBInstanceIdentifier"], exc)
            instance["DBInstanceStatus"] = "failed"
            self._on_change()

    def _register(self, instance: Instance) -> None:
        identifier = instance["DBInstanceIdentifier"]
        engine = _engine(instance)

        def on_state(state: DatabaseState) -> None:
            instance["DBInstanceStatus"] = _RDS_STATUS[state]
            self._on_change()

        self._supervisor.add(
            identifier,
            engine.server(self._folder / identifier, instance["Endpoint"]["Port"]),
            engine=instance["Engine"],
            served_by=engine.served_by,
            on_state=on_state,
        )


def _engine(instance: Instance) -> Engine:
    return engine_of(instance["_server"])


def _in_background(work: Callable[..., None], *arguments: Any) -> None:
    # The library finds an instance by the account and region of the request, which are context variables.
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work, *arguments), daemon=True).start()
