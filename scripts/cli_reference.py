"""Writes docs/cli.md from the commands' own help; with --check, fails when the file is behind."""

import os
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
HEADER = """\
# Command reference

Generated from the commands' help by `make docs`. `vectorops COMMAND --help` prints the same.

`--env`, `--json`, `--verbose` and `--debug` may stand anywhere on the line. Results go to stdout, everything
else to stderr. Shell completion: `vectorops --install-completion`.

## Exit codes

| code | meaning |
| --- | --- |
"""
MEANINGS = {
    0: "done",
    1: "something unexpected",
    2: "the command, an option or the configuration is wrong; nothing was done",
    3: "PostgreSQL refused, or cannot be reached",
    4: "an AWS API call failed",
    5: "Terraform failed, or is missing",
    6: "loaded, but some rows were rejected and are in the rejects file",
    7: "the given data is wrong; nothing of it was taken over",
    8: "a job ended in another state than success",
    9: "the local target is not running or not usable",
    130: "interrupted",
}


def reference() -> str:
    """Return the whole page."""
    # Help is laid out for the terminal it is printed on: this one is always the same.
    os.environ.update(COLUMNS="100", NO_COLOR="1", TERM="dumb")
    from typer.main import get_command

    from vectorops.cli.main import app

    root = get_command(app)
    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in MEANINGS.items())
    return HEADER + codes + "".join(_section(root, ["vectorops"]))


def _section(command: object, path: list[str]) -> list[str]:
    from typer.testing import CliRunner

    from vectorops.cli.main import app

    answer = CliRunner().invoke(app, [*path[1:], "--help"])
    text = "\n".join(line.rstrip() for line in answer.output.strip().splitlines())
    sections = [f"\n## {' '.join(path)}\n\n```text\n{text}\n```\n"]
    for name, child in getattr(command, "commands", {}).items():
        sections += _section(child, [*path, name])
    return sections


def main() -> None:
    """Write the page, or compare it."""
    text = reference()
    if "--check" not in sys.argv:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text:
        sys.exit(f"error: {TARGET} is behind the commands' help\nhint: run 'make docs'")


if __name__ == "__main__":
    main()
