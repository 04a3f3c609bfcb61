"""The processes of a Glue run: the script, its Java, Python workers, and whatever else they start."""

import contextlib
import os
import shutil
import time
from pathlib import Path

import psutil

# In the environment of every process of a run, by which it is found however it has detached itself: Spark's
# Python workers leave the process group, a script may leave the session.
RUN_FOLDER = "VECTOROPS_RUN_FOLDER"
_TERMINATION_S = 3.0
_PAUSE_S = 0.02


def kill_processes(folder: Path) -> bool:
    """End every process of the runs whose work folders are `folder` or in it; say whether there was any.

    They are asked first, so that Java can remove its files, and killed after three seconds.
    """
    found = processes_in(folder)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _wait(found, _TERMINATION_S)
    # Again and again, since a process may have started another one meanwhile.
    while remaining := processes_in(folder):
        for process in remaining:
            with contextlib.suppress(psutil.Error):
                process.kill()
        _wait(remaining, _TERMINATION_S)
    return bool(found)


def remove_leftovers(runs: Path) -> None:
    """End what a killed server has left running in the folder `runs`, and empty it."""
    if runs.is_dir():
        kill_processes(runs)
        for folder in runs.iterdir():
            shutil.rmtree(folder, ignore_errors=True)


def processes_in(folder: Path) -> list[psutil.Process]:
    """Return the living processes of the runs whose work folders are `folder` or in it."""
    found, folder = [], folder.resolve()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            marked = process.environ().get(RUN_FOLDER)
            if marked and Path(marked).resolve().is_relative_to(folder):
                found.append(process)
    return found


def _wait(processes: list[psutil.Process], timeout_s: float) -> None:
    """Wait for the ends; `psutil.wait_procs` would take the exit code of our own child from its owner."""
    deadline = time.monotonic() + timeout_s
    while any(_lives(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
