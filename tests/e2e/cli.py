"""The CLI as a user calls it: a process of its own, without a terminal."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
SHARED_SOURCES = ("terraform", "sql", "vectorops", "requirements", "vectorops.toml")


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Cli:
    """Runs `vectorops` in a project folder."""

    project: Path

    def run(self, *args: str | Path, stdin: bytes | None = None) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "vectorops", *map(str, args)],
            cwd=self.project,
            env=self.environ(),
            input=stdin or b"",
            capture_output=True,
            check=False,
        )
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *args: str | Path, stdin: bytes | None = None) -> Answer:
        """Run a command that must succeed."""
        answer = self.run(*args, stdin=stdin)
        assert answer.code == 0, f"vectorops {' '.join(map(str, args))}\n{answer.err}\n{answer.out}"
        return answer

    def environ(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "VECTOROPS_"))}
        return {**kept, "VECTOROPS_PROJECT": str(self.project), "NO_COLOR": "1"}


def make_project(folder: Path) -> Cli:
    """Return a project of its own that shares the sources with this checkout, and no state."""
    for name in SHARED_SOURCES:
        (folder / name).symlink_to(CHECKOUT / name)
    return Cli(folder)
