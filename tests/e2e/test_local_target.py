"""The local target under a deployed stack: stopped, killed, started again."""

import os
import signal
import time

import pytest

from tests.e2e.cli import Cli


def test_the_stack_survives_a_restart_and_the_plan_stays_empty(stack: Cli) -> None:
    before = stack.ok("local", "dsn").out
    stack.ok("local", "down")
    stopped = stack.run("search", "item_emb", "--id", "1")
    assert stopped.code == 9
    assert "local up" in stopped.err
    stack.ok("local", "up")
    assert stack.ok("local", "dsn").out == before
    assert stack.ok("plan", "--json").json["changes"] == []


def test_a_killed_process_is_noticed_and_nothing_is_lost(stack: Cli) -> None:
    pid = stack.ok("local", "status", "--json").json["pid"]
    os.kill(pid, signal.SIGKILL)
    _wait_until_gone(pid)
    found = stack.run("local", "status", "--json")
    assert found.code == 1
    assert found.json["state"] == "crashed"
    stack.ok("local", "up")
    assert stack.ok("plan", "--json").json["changes"] == []
    assert stack.ok("schema", "status", "--json").json["pending"] == []


@pytest.mark.parametrize("command", [("status",), ("logs", "-n", "5"), ("dsn",)])
def test_every_local_command_answers(stack: Cli, command: tuple[str, ...]) -> None:
    assert stack.ok("local", *command).out.strip()


def _wait_until_gone(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if _is_zombie(pid):
            return
        time.sleep(0.05)


def _is_zombie(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
