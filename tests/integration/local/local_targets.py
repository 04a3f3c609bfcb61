"""Environments in throw-away projects, and the way into them."""

import os
import signal
import time
from pathlib import Path

import psutil

from vectorops.aws import Aws, Credentials
from vectorops.local import endpoint
from vectorops.settings import Environment


def environment_in(project: Path, name: str = "local") -> Environment:
    return Environment(
        name=name,
        target="local",
        region="us-east-1",
        var_file=project / "local.tfvars",
        state_dir=project / ".vectorops" / name,
    )


def operator_of(environment: Environment) -> Aws:
    found = endpoint(environment)
    return Aws(
        environment.region,
        endpoint_url=found.url,
        credentials=Credentials(found.access_key_id, found.secret_access_key),
    )


def wait_until_saved(environment: Environment, service: str, text: str) -> None:
    """Wait until the saved state of a service holds `text`: it is written soon after a change."""
    path = environment.state_dir / "local" / "emulator" / f"{service}.json"
    while not path.is_file() or text not in path.read_text(encoding="utf-8"):
        time.sleep(0.05)


def kill(pid: int | None) -> None:
    """Kill a process and wait until it has ended."""
    assert pid
    os.kill(pid, signal.SIGKILL)
    while not has_ended(pid):
        time.sleep(0.01)


def has_ended(pid: int | None) -> bool:
    try:
        return psutil.Process(pid or 0).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
