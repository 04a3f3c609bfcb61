"""Building what Terraform uploads: the same sources always give the same bytes."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from vectorops.settings import Environment, Project


@dataclass(frozen=True)
class Package:
    """One built file."""

    name: str
    path: Path
    size_bytes: int


def build_packages(project: Project, environment: Environment) -> list[Package]:
    """Build everything the stack uploads into the environment's build folder and return what is there.

    Glue takes a job as one script, so a script is its own package.
    """
    folder = environment.state_dir / "build" / "glue"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scripts = sorted(
        path for path in (project.root / "vectorops" / "glue").glob("*.py") if path.name != "__init__.py"
    )
    return [_copy(script, folder) for script in scripts]


def _copy(script: Path, folder: Path) -> Package:
    target = folder / script.name
    shutil.copyfile(script, target)
    return Package(f"glue/{script.name}", target, target.stat().st_size)
