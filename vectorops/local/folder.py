"""What the local target keeps on disk, and what it says about itself there."""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import psutil

from vectorops.errors import LocalTargetError
from vectorops.settings import Environment

ServerState = Literal["starting", "running", "failed", "stopped"]
DatabaseState = Literal["starting", "available", "stopped", "failed"]


@dataclass(frozen=True)
class DatabaseRecord:
    """One database server behind an RDS instance.

    Attributes:
        id: DB instance identifier.
        engine: Engine that was asked for, such as "postgres" or "mysql".
        served_by: What really answers, such as "PostgreSQL 18.4".
        pid: Process id, or None while it does not run.
        restarts: How often it was started again after it had ended by itself.
        error: Why it failed, or "".
    """

    id: str
    engine: str
    served_by: str
    state: DatabaseState
    port: int
    pid: int | None = None
    restarts: int = 0
    error: str = ""


@dataclass(frozen=True)
class ServerRecord:
    """The server process, as it describes itself in `server.json`.

    Attributes:
        pid: Process id.
        created: When the process was made, in seconds since 1970: tells it from a later owner of its pid.
        port: TCP port of the AWS APIs on 127.0.0.1; 0 before there is one.
        error: `what`, `why` and `hint` of the error that ended it; empty unless `state` is "failed".
    """

    pid: int
    created: float
    state: ServerState
    port: int
    version: str
    emulator_version: str
    databases: tuple[DatabaseRecord, ...] = ()
    error: dict[str, str] = field(default_factory=dict)

    @property
    def is_alive(self) -> bool:
        """Whether the very process that wrote this still runs."""
        try:
            process = psutil.Process(self.pid)
            # The creation time is counted in clock ticks.
            same = abs(process.create_time() - self.created) < 1
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@dataclass(frozen=True)
class LocalFolder:
    """Folder `local` of an environment's state folder."""

    path: Path

    @property
    def log(self) -> Path:
        """Messages of the server process and of the AWS APIs."""
        return self.path / "server.log"

    @property
    def record_file(self) -> Path:
        """The server's description of itself."""
        return self.path / "server.json"

    @property
    def emulator_state(self) -> Path:
        """One JSON file per AWS service."""
        return self.path / "emulator"

    @property
    def objects(self) -> Path:
        """Contents of the S3 buckets."""
        return self.path / "s3"

    @property
    def databases(self) -> Path:
        """One folder per RDS instance."""
        return self.path / "databases"

    @property
    def runs(self) -> Path:
        """One folder per Glue run that is going on."""
        return self.path / "runs"

    @property
    def deliveries(self) -> Path:
        """One file per delivery stream: how far it has come."""
        return self.path / "deliveries"

    @property
    def functions(self) -> Path:
        """The interpreter that functions run in: one without any packages."""
        return self.path / "functions"

    @property
    def scratch(self) -> Path:
        """Files of running functions and queries, which a start removes."""
        return self.path / "scratch"

    def create(self) -> None:
        """Make the folder, closed to other users: it holds the database's password."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        for folder in (self.emulator_state, self.objects, self.databases, self.runs, self.deliveries):
            folder.mkdir(exist_ok=True)

    def read_record(self) -> ServerRecord | None:
        """Return what the last server said about itself, or None if there has not been one.

        Raises:
            LocalTargetError: The file is damaged.
        """
        try:
            fields: dict[str, Any] = json.loads(self.record_file.read_text(encoding="utf-8"))
            databases = tuple(DatabaseRecord(**entry) for entry in fields.pop("databases"))
            return ServerRecord(**fields, databases=databases)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as exc:
            raise LocalTargetError(
                f"cannot read {self.record_file}", why=str(exc), hint="run 'vectorops local reset'"
            ) from exc

    def write_record(self, record: ServerRecord) -> None:
        """Replace the server's description in one step."""
        scratch = self.record_file.with_suffix(".tmp")
        scratch.write_text(json.dumps(asdict(record), indent=2), encoding="utf-8")
        scratch.replace(self.record_file)

    def update_record(self, **changes: Any) -> None:
        """Change some fields of the server's description; for the server process only.

        Nothing happens when somebody has deleted it.
        """
        record = self.read_record()
        if record:
            self.write_record(replace(record, **changes))


def local_folder(environment: Environment) -> LocalFolder:
    """Return the folder of an environment whose target is this machine.

    Raises:
        LocalTargetError: The environment is on AWS.
    """
    if not environment.is_local:
        raise LocalTargetError(
            f"environment '{environment.name}' runs on AWS, not on this machine",
            hint='choose one with target = "local", such as --env local',
        )
    return LocalFolder(environment.state_dir / "local")


@contextlib.contextmanager
def exclusive(path: Path, *, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file `path`, which the system frees when its holder ends, however it ends.

    Args:
        path: Made when missing, never deleted.
        on_wait: Called once before waiting for another holder; None refuses to wait.

    Raises:
        BlockingIOError: Another process holds it, and `on_wait` is None.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait is None:
                raise
            on_wait()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
