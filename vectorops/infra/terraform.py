"""Terraform, run through python-terraform. Nothing else imports that package.

Version 0.10.1, the last, returns codes instead of raising, knows no environment but this process's, sends
`destroy` a flag that Terraform no longer takes, and cannot stream. The class below hides all of it.
"""

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import python_terraform
from python_terraform import IsFlagged

from vectorops.errors import TerraformError
from vectorops.infra.plan import Plan, read_plan

# It logs what Terraform prints; whoever wants to see that finds it in the working folder.
logging.getLogger("python_terraform").setLevel(logging.CRITICAL)

Event = Mapping[str, Any]
OnEvent = Callable[[Event], None]

PROVIDER_VERSION = "5.100.0"
PLAN_NAME = "plan.bin"
# Resources mostly wait for AWS; the provider's waits overlap when more of them run at once.
PARALLELISM = 30


def ignore_event(_: Event) -> None:
    """Take an event and do nothing with it."""


class Terraform:
    """Terraform in one working folder.

    Args:
        folder: Working folder, as `prepare_workspace` made it.
        binary: Path of the executable.
        environ: The complete environment that Terraform gets.
        var_file: Variables file of the environment.
        backend_config: Settings of the S3 backend; empty for a state file.
        plugin_dir: Folder that holds the provider, or None to let Terraform find it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        binary: str,
        environ: Mapping[str, str],
        var_file: Path,
        backend_config: Mapping[str, str] | None = None,
        plugin_dir: Path | None = None,
    ) -> None:
        self.folder = folder
        self._environ = dict(environ)
        self._var_file = var_file
        self._backend_config = dict(backend_config or {})
        self._plugin_dir = plugin_dir
        self._library = python_terraform.Terraform(working_dir=str(folder), terraform_bin_path=binary)

    def init(self) -> None:
        """Install the provider and the modules, and connect the state.

        Raises:
            TerraformError: The provider or the backend cannot be reached.
        """
        plugin_dir = str(self._plugin_dir) if self._plugin_dir else None
        with self._process_environment():
            code, out, err = self._library.cmd(
                "init",
                input=False,
                no_color=IsFlagged,
                reconfigure=IsFlagged,
                backend_config=self._backend_config,
                plugin_dir=plugin_dir,
            )
        if code != 0:
            raise TerraformError(
                "terraform init failed",
                why=_last_paragraph(err or out),
                hint="run 'vectorops doctor'; it tells where the AWS provider is looked for",
            )

    def plan(self, *, destroy: bool = False, on_event: OnEvent = ignore_event) -> Plan:
        """Plan, keep the plan in the working folder for `apply`, and return what it would do.

        Raises:
            TerraformError: The configuration or a variable is wrong, or an API call failed.
        """
        options = {"out": PLAN_NAME, "var_file": str(self._var_file), "detailed_exitcode": IsFlagged}
        if destroy:
            options["destroy"] = IsFlagged
        code = self._stream("plan", on_event=on_event, succeeds_with=(0, 2), lock_timeout="60s", **options)
        return read_plan(self._json("show", PLAN_NAME)) if code == 2 else Plan(())

    def apply(self, *, on_event: OnEvent = ignore_event) -> None:
        """Apply the plan that `plan` kept: that one, never a fresh one.

        Raises:
            TerraformError: A resource could not be made; what was made is in the state.
        """
        try:
            self._stream("apply", PLAN_NAME, on_event=on_event, lock_timeout="60s", parallelism=PARALLELISM)
        finally:
            (self.folder / PLAN_NAME).unlink(missing_ok=True)

    def outputs(self) -> dict[str, Any]:
        """Return `{name: {"value": …, "type": …, "sensitive": …}}`; empty when nothing is deployed.

        Raises:
            TerraformError: The state cannot be read.
        """
        return self._json("output")

    def resources(self) -> list[dict[str, Any]]:
        """Return every managed resource in the state, each with `address`, `type` and `values`.

        Raises:
            TerraformError: The state cannot be read.
        """
        root = self._json("show").get("values", {}).get("root_module", {})
        return [resource for resource in _walk(root) if resource["mode"] == "managed"]

    def _json(self, command: str, *args: str) -> dict[str, Any]:
        if not (self.folder / ".terraform").is_dir():
            # A fresh clone of a project whose state is elsewhere, or nothing was ever deployed.
            self.init()
        with self._process_environment():
            code, out, err = self._library.cmd(command, *args, json=IsFlagged, no_color=IsFlagged)
        if code != 0:
            raise TerraformError(f"terraform {command} failed", why=_last_paragraph(err or out))
        return dict(json.loads(out))

    def _stream(
        self,
        command: str,
        *args: str,
        on_event: OnEvent,
        succeeds_with: tuple[int, ...] = (0,),
        **options: Any,
    ) -> int:
        """Run a command with `-json`, hand each event on as it comes, and return the exit code."""
        problems: list[Event] = []

        def keep_problems(event: Event) -> None:
            if event.get("@level") == "error" and "diagnostic" in event:
                problems.append(event["diagnostic"])
            on_event(event)

        log = self.folder / f"{command}.log"
        code = self._follow(log, keep_problems, command, *args, **options)
        if code not in succeeds_with:
            raise _failure(command, problems, log)
        return code

    def _follow(self, log: Path, on_event: OnEvent, command: str, *args: str, **options: Any) -> int:
        """Run a command in a thread while this one reads what it prints.

        Ctrl-C reaches Terraform too, which then finishes what it has begun and saves its state: so we go
        on reading, and raise the interrupt when it is done.
        """
        codes: list[int] = []

        def run() -> None:
            result = self._library.cmd(
                command, *args, capture_output=False, json=IsFlagged, input=False, **options
            )
            codes.append(result[0])

        worker = threading.Thread(target=run, name=f"terraform-{command}")
        with (
            log.open("w", encoding="utf-8") as sink,
            log.open(encoding="utf-8") as source,
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
            self._process_environment(),
        ):
            worker.start()
            interrupted = _read_until_done(worker, source, on_event)
        if interrupted:
            raise KeyboardInterrupt
        return codes[0] if codes else 1

    @contextlib.contextmanager
    def _process_environment(self) -> Iterator[None]:
        # python-terraform hands Terraform this process's environment and takes no other.
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self._environ)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _read_until_done(worker: threading.Thread, source: TextIO, on_event: OnEvent) -> bool:
    """Hand on the events in a growing file until its writer ends; return whether Ctrl-C came meanwhile."""
    interrupted = False
    while True:
        try:
            for line in _lines_while(worker.is_alive, source):
                _hand_on(line, on_event)
        except KeyboardInterrupt:
            interrupted = True
        else:
            return interrupted


def _lines_while(alive: Callable[[], bool], source: TextIO, pause_s: float = 0.1) -> Iterator[str]:
    """Yield complete lines of a growing file until its writer has ended and all is read."""
    pending = ""
    while True:
        last_look = not alive()
        chunk = source.read()
        *lines, pending = (pending + chunk).split("\n")
        yield from lines
        if last_look:
            return
        if not chunk:
            time.sleep(pause_s)


def _hand_on(line: str, on_event: OnEvent) -> None:
    if not line.startswith("{"):
        return
    with contextlib.suppress(json.JSONDecodeError):
        on_event(json.loads(line))


def _failure(command: str, problems: list[Event], log: Path) -> TerraformError:
    if not problems:
        return TerraformError(f"terraform {command} failed", why=f"see {log}")
    parts = []
    for problem in problems[:5]:
        where = f" ({problem['address']})" if problem.get("address") else ""
        detail = " ".join(str(problem.get("detail", "")).split())
        parts.append(f"{problem['summary']}{where}" + (f": {detail}" if detail else ""))
    if len(problems) > len(parts):
        parts.append(f"and {len(problems) - len(parts)} more, in {log}")
    return TerraformError(
        f"terraform {command} failed",
        why="\n  ".join(parts),
        hint="mend the cause and run the command again: what was made stays, only the rest is done",
    )


def _last_paragraph(text: str) -> str:
    paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n") if part.strip()]
    return paragraphs[-1] if paragraphs else "it printed nothing"


def _walk(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _walk(child)
