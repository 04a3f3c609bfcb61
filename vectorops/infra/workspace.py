"""The folder Terraform runs in: one per environment, made of links to the root module."""

import json
from pathlib import Path

from vectorops.settings import Environment, Project

STATE_NAME = "terraform.tfstate"


def prepare_workspace(project: Project, environment: Environment) -> Path:
    """Make or refresh the working folder of `environment` and return it.

    It links to every file of the root module, and adds what Terraform wants written down: the backend,
    which cannot be a variable, and the variables that name the environment. Two environments never share
    a `.terraform` folder, and nothing is written into `terraform/`.
    """
    folder = environment.state_dir / "terraform"
    folder.mkdir(parents=True, exist_ok=True)
    files = (*project.terraform_dir.glob("*.tf"), *project.terraform_dir.glob(".terraform.lock.hcl"))
    wanted = {path.name: path for path in files}
    wanted["modules"] = project.terraform_dir / "modules"
    _link(folder, wanted)
    _write_json(folder / "backend_override.tf.json", {"terraform": {"backend": _backend(environment)}})
    _write_json(folder / "vectorops.auto.tfvars.json", root_variables(environment))
    return folder


def root_variables(environment: Environment) -> dict[str, object]:
    """Return the variables of the root module that follow from the environment itself."""
    return {
        "environment": environment.name,
        "region": environment.region,
        "local_target": environment.is_local,
        # Relative to the working folder, so that another machine's path is not a change.
        "build_dir": "../build",
    }


def _backend(environment: Environment) -> dict[str, object]:
    if environment.backend:
        return {"s3": {}}
    return {"local": {"path": str(environment.state_dir / STATE_NAME)}}


def _link(folder: Path, wanted: dict[str, Path]) -> None:
    for link in folder.iterdir():
        if link.is_symlink() and link.name not in wanted:
            link.unlink()
    for name, target in wanted.items():
        link = folder / name
        if link.is_symlink() and link.readlink() == target:
            continue
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _write_json(path: Path, content: dict[str, object]) -> None:
    text = json.dumps(content, indent=2) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
