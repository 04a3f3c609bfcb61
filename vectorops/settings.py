"""The project folder and its environments, as `vectorops.toml` describes them."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vectorops.errors import UsageError

CONFIG_NAME = "vectorops.toml"
DEFAULT_ENVIRONMENT = "local"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_KEYS = {"target", "region", "profile", "var_file", "database_tunnel", "backend"}


@dataclass(frozen=True)
class Environment:
    """One deployment of the stack.

    Attributes:
        name: As in `vectorops.toml`; also the `environment` variable of the Terraform root.
        target: "aws", or "local" for the AWS APIs and PostgreSQL on this machine.
        region: AWS region name.
        profile: AWS profile name, or None for the default credential chain.
        var_file: Terraform variables file.
        database_tunnel: "host:port" of a forwarded port that leads to the database, or None.
        backend: Settings of Terraform's S3 backend; empty for a state file in `state_dir`.
        state_dir: Folder, ignored by git, that holds everything this environment keeps on this machine.
    """

    name: str
    target: Literal["aws", "local"]
    region: str
    var_file: Path
    state_dir: Path
    profile: str | None = None
    database_tunnel: str | None = None
    backend: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether this environment runs on this machine."""
        return self.target == "local"


@dataclass(frozen=True)
class Project:
    """A checkout of vectorops: its folder and its environments."""

    root: Path
    environments: Mapping[str, Environment]

    @property
    def terraform_dir(self) -> Path:
        """Folder of the Terraform root module."""
        return self.root / "terraform"

    @property
    def sql_dir(self) -> Path:
        """Folder of the numbered migrations."""
        return self.root / "sql"

    def environment(self, name: str | None = None) -> Environment:
        """Return the environment called `name`, or the default one.

        Raises:
            UsageError: No environment has that name.
        """
        wanted = name or DEFAULT_ENVIRONMENT
        if wanted not in self.environments:
            raise UsageError(
                f"no environment is called '{wanted}'",
                why=f"{self.root / CONFIG_NAME} defines {', '.join(self.environments)}",
                hint=f"choose one of them with --env, or add [environments.{wanted}] to {CONFIG_NAME}",
            )
        return self.environments[wanted]


def find_project_root(start: Path | None = None) -> Path:
    """Return the nearest folder at or above `start` (default: where we are) that holds `vectorops.toml`.

    The checkout this package is installed from serves when there is none, so that the CLI works from
    any folder. `VECTOROPS_PROJECT` overrules both.

    Raises:
        UsageError: No folder holds one.
    """
    named = os.environ.get("VECTOROPS_PROJECT")
    here = Path(named).resolve() if named else (start or Path.cwd()).resolve()
    candidates = [here] if named else [here, *here.parents, Path(__file__).resolve().parents[1]]
    for folder in candidates:
        if (folder / CONFIG_NAME).is_file():
            return folder
    raise UsageError(
        f"no {CONFIG_NAME} in {here}" + ("" if named else " or above it"),
        hint="run vectorops inside a checkout, or set VECTOROPS_PROJECT to its folder",
    )


def load_project(root: Path | None = None) -> Project:
    """Read `vectorops.toml`.

    Raises:
        UsageError: The file is missing, is not TOML, or an environment in it is wrong.
    """
    root = root or find_project_root()
    path = root / CONFIG_NAME
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("environments", {})
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"cannot read {path}", why=str(exc)) from exc
    if not tables:
        raise UsageError(f"{path} defines no environment", hint="add a table such as [environments.local]")
    return Project(root, {name: _environment(root, name, table) for name, table in tables.items()})


def _environment(root: Path, name: str, table: Mapping[str, Any]) -> Environment:
    where = f"[environments.{name}] of {root / CONFIG_NAME}"
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' cannot name an environment",
            why=f"a folder below {root / '.vectorops'} has its name",
            hint="use letters, digits, '-' and '_'",
        )
    if unknown := sorted(set(table) - _KEYS):
        raise UsageError(
            f"{where} has unknown keys: {', '.join(unknown)}", hint=f"known: {', '.join(sorted(_KEYS))}"
        )
    if table.get("target") not in ("aws", "local"):
        raise UsageError(f"{where}: target is {table.get('target')!r}", hint='use "aws" or "local"')
    return Environment(
        name=name,
        target=table["target"],
        region=table.get("region", "us-east-1"),
        var_file=root / table.get("var_file", f"terraform/environments/{name}.tfvars"),
        state_dir=root / ".vectorops" / name,
        profile=table.get("profile"),
        database_tunnel=table.get("database_tunnel"),
        backend=table.get("backend", {}),
    )
