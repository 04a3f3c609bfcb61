"""The AWS APIs of the local target: the library `ministack`, and what we mend in it.

Only the server process imports this. Each module replaces private functions of one service, and says
what was wrong with them. `mending.replace` fails at start when a library update has moved one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vectorops.local.emulator.gateway import AsgiApp, guard
from vectorops.local.folder import LocalFolder
from vectorops.local.supervisor import DatabaseSupervisor


@dataclass(frozen=True)
class Emulator:
    """The mended library, ready to be served.

    Attributes:
        app: ASGI application of all AWS APIs.
        wait_for_databases: Returns when every restored database is up, or has failed.
        save: Write what changed since the last save.
    """

    app: AsgiApp
    wait_for_databases: Callable[[], None]
    save: Callable[[], None]


def load(folder: LocalFolder, supervisor: DatabaseSupervisor) -> Emulator:
    """Import the library and mend it.

    Raises:
        LocalTargetError: The library is not the version this was written for, or a state file is damaged.
    """
    from ministack import app as library

    from vectorops.local.emulator import ec2, iam, rds, saving, sts

    saver = saving.StateSaver()
    for service in (saving, ec2, iam, sts):
        service.install()
    databases = rds.install(folder.databases, supervisor, saver.note_change)

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await library.app(scope, receive, send)
        saver.note_change()

    saver.start()
    return Emulator(guard(serve), databases.wait_until_settled, saver.save)
