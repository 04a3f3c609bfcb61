"""Finding a Terraform executable that is new enough, and a mirror that holds the AWS provider."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from vectorops.errors import TerraformError

MINIMUM_VERSION = (1, 11)
PROVIDER = "registry.terraform.io/hashicorp/aws"
# Where packages and images put provider mirrors. Terraform itself looks into the folders it implies
# (https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories).
MIRROR_PREFIXES = (
    "/opt",
    "/usr/local",
    "/usr/local/share",
    "/usr/local/lib",
    "/usr/share",
    "/usr/lib",
    "/srv",
)


def find_terraform(project_root: Path) -> str:
    """Return the path of Terraform: the one set-up put into the project, else the one on PATH.

    Raises:
        TerraformError: There is none, or it is older than 1.11.
    """
    own = project_root / ".tools" / "terraform"
    binary = str(own) if own.is_file() else shutil.which("terraform")
    if not binary:
        raise TerraformError(
            "terraform is not installed", why="it is not on PATH", hint="run 'make setup', which fetches it"
        )
    version = terraform_version(binary)
    if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < MINIMUM_VERSION:
        raise TerraformError(
            f"terraform {version} is too old",
            why=f"{binary} is older than 1.11",
            hint="install 1.11 or newer",
        )
    return binary


def terraform_version(binary: str) -> str:
    """Return the version that an executable reports, such as "1.11.4".

    Raises:
        TerraformError: It cannot be run or does not answer as Terraform does.
    """
    try:
        answer = subprocess.run(
            [binary, "version", "-json"],
            capture_output=True,
            check=True,
            text=True,
            env=clean_environment(os.environ),
        )
        return str(json.loads(answer.stdout)["terraform_version"])
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError) as exc:
        raise TerraformError(f"{binary} does not answer as Terraform does", why=str(exc)) from exc


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` without a `TF_CLI_CONFIG_FILE` that names a missing file, and without telemetry.

    Terraform warns on every run about such a file and goes on; so do we, in silence.
    """
    config = environ.get("TF_CLI_CONFIG_FILE")
    kept = {key: value for key, value in environ.items() if key != "TF_CLI_CONFIG_FILE"}
    if config and Path(config).is_file():
        kept["TF_CLI_CONFIG_FILE"] = config
    return {**kept, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}


def provider_mirror(
    version: str, environ: Mapping[str, str], prefixes: Iterable[str] = MIRROR_PREFIXES
) -> Path | None:
    """Return a folder for `terraform init -plugin-dir`, or None where Terraform finds the provider itself.

    None means: the user's own configuration decides, or an implied mirror holds the provider, or there is
    no mirror and the registry is asked.

    Args:
        version: Of hashicorp/aws, as the root pins it.
        environ: Environment variables that Terraform will see.
        prefixes: Folders to look for `registry.terraform.io` in, one level deep.
    """
    if _user_decides(environ):
        return None
    platform_name = terraform_platform()
    for prefix in map(Path, prefixes):
        for found in (*prefix.glob("registry.terraform.io"), *prefix.glob("*/registry.terraform.io")):
            if (found.parent / PROVIDER / version / platform_name).is_dir():
                return found.parent
    return None


def terraform_platform() -> str:
    """Return this machine as Terraform names it, such as "linux_amd64"."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def _user_decides(environ: Mapping[str, str]) -> bool:
    if "-plugin-dir" in environ.get("TF_CLI_ARGS_init", "") + environ.get("TF_CLI_ARGS", ""):
        return True
    config = Path(environ.get("TF_CLI_CONFIG_FILE") or Path.home() / ".terraformrc")
    return config.is_file() and "provider_installation" in config.read_text(
        encoding="utf-8", errors="replace"
    )
