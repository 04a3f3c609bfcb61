"""The AWS APIs of the local target: the library `ministack`, and what we mend in it.

Only the server process imports this. Each module replaces private functions of one service, and says
what was wrong with them. `mending.replace` fails at start when a library update has moved one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vectorops.local.control import LocalEndpoint
from vectorops.local.emulator.gateway import AsgiApp, guard
from vectorops.local.folder import LocalFolder
from vectorops.local.supervisor import DatabaseSupervisor


@dataclass(frozen=True)
class Emulator:
    """The mended library, ready to be served.

    Attributes:
        app: ASGI application of all AWS APIs.
        wait_for_databases: Returns when every restored database is up, or has failed.
        begin_work: Let what was restored go on, such as delivery streams; the APIs must be served.
        end_work: End what is going on, such as Glue runs, and begin nothing new.
        save: Write what changed since the last save.
        failures: What made the start fail, after it has.
    """

    app: AsgiApp
    wait_for_databases: Callable[[], None]
    begin_work: Callable[[], None]
    end_work: Callable[[], None]
    save: Callable[[], None]
    failures: list[Exception]


def load(folder: LocalFolder, supervisor: DatabaseSupervisor, endpoint: LocalEndpoint) -> Emulator:
    """Import the library and mend it.

    Args:
        folder: Where everything is kept.
        supervisor: Keeps the database servers running.
        endpoint: Where the APIs will be served.

    Raises:
        LocalTargetError: The library is not the version this was written for.
    """
    from ministack import app as library

    from vectorops.local.emulator import (
        alarms,
        athena,
        ec2,
        firehose,
        functions,
        glue,
        glue_permissions,
        glue_runs,
        iam,
        kinesis,
        logs,
        rds,
        s3,
        saving,
        sts,
    )

    saver = saving.StateSaver()
    for service in (saving, alarms, athena, ec2, glue, glue_permissions, iam, kinesis, logs, s3, sts):
        service.install()
    functions.install(folder.functions, endpoint)
    runs = glue_runs.install(folder.runs, endpoint, saver.note_change)
    deliveries = firehose.install(folder.deliveries, endpoint, saver.note_change)
    databases = rds.install(folder.databases, supervisor, saver.note_change)
    failures: list[Exception] = []

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _start_or_fail(library.app, failures, scope, receive, send)
        else:
            await library.app(scope, receive, send)
            saver.note_change()

    def end_work() -> None:
        deliveries.close()
        runs.close()

    saver.start()
    return Emulator(
        guard(serve), databases.wait_until_settled, deliveries.run, end_work, saver.save, failures
    )


async def _start_or_fail(
    app: AsgiApp, failures: list[Exception], scope: Any, receive: Any, send: Any
) -> None:
    # The web server goes on when the start raises, and stops only when told that it failed.
    try:
        await app(scope, receive, send)
    except Exception as exc:
        failures.append(exc)
        await send({"type": "lifespan.startup.failed"})
