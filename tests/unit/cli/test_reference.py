import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from vectorops import errors
from vectorops.cli.main import app

CHECKOUT = Path(__file__).parents[3]


def commands(command: Any, path: str = "vectorops") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}")


def test_the_reference_is_what_the_help_says() -> None:
    script = CHECKOUT / "scripts" / "cli_reference.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("path", "command"), list(commands(get_command(app))), ids=lambda value: str(value)[:40]
)
def test_every_command_and_option_has_help(path: str, command: Any) -> None:
    assert command.help, f"{path} has no help"
    nameless = [param.name for param in command.params if not getattr(param, "help", None)]
    assert nameless == [], f"{path} has options without help"


def test_every_exit_code_is_documented() -> None:
    sys.path.insert(0, str(CHECKOUT / "scripts"))
    from cli_reference import MEANINGS  # type: ignore[import-not-found]

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.VectorOpsError)}
    assert codes <= set(MEANINGS)
