"""Reads the project's Terraform files as far as the tests here need it.

`terraform fmt` fixes the layout (a test holds it): a top-level block starts and ends in column 0, what it
contains is indented by two spaces. So regular expressions are enough to take blocks apart.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

TERRAFORM = Path(__file__).resolve().parents[3] / "terraform"

_BLOCK = re.compile(r'^(\w+)((?: "[^"\n]*")*) \{(?:\}|\n(.*?)^\})', re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r"^(\w+) += (.*?)(?=^\w|^\}|\Z)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block: its kind, its labels, and its body with the outer indentation removed."""

    kind: str
    labels: tuple[str, ...]
    body: str
    path: Path

    @property
    def attributes(self) -> dict[str, str]:
        """The block's own attributes, as written."""
        return {name: value.strip() for name, value in _ATTRIBUTE.findall(self.body)}

    @property
    def blocks(self) -> list["Block"]:
        """The blocks directly inside this one."""
        return _blocks_in(self.body, self.path)

    def walk(self) -> Iterator["Block"]:
        """This block and every block inside it."""
        yield self
        for inner in self.blocks:
            yield from inner.walk()

    def __str__(self) -> str:
        return f"{self.path.relative_to(TERRAFORM)}: {self.kind} {'.'.join(self.labels)}"


def blocks(path: Path) -> list[Block]:
    """Return the top-level blocks of one file."""
    return _blocks_in(_COMMENT.sub("", path.read_text(encoding="utf-8")), path)


def all_blocks(kind: str, *, label: str | None = None) -> list[Block]:
    """Return the blocks of one kind, and of one first label if given, in all `.tf` files."""
    found = [block for path in tf_files() for block in blocks(path) if block.kind == kind]
    return [block for block in found if label is None or block.labels[0] == label]


def tf_files() -> list[Path]:
    """Return the `.tf` files of the root and of all modules."""
    return _project_files("*.tf")


def tftest_files() -> list[Path]:
    """Return the Terraform test files of the root and of all modules."""
    return _project_files("*.tftest.hcl")


def modules() -> list[Path]:
    """Return the folders of all modules."""
    return sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())


def strings(expression: str) -> list[str]:
    """Return the quoted strings in an expression, without looking inside `${...}`."""
    return re.findall(r'"([^"\n]*)"', expression)


def _project_files(pattern: str) -> list[Path]:
    return sorted(path for path in TERRAFORM.rglob(pattern) if ".terraform" not in path.parts)


def _blocks_in(text: str, path: Path) -> list[Block]:
    return [
        Block(kind, tuple(strings(labels)), dedent(body or ""), path)
        for kind, labels, body in _BLOCK.findall(text)
    ]
