"""Runs `terraform test` in every module, with the real provider's schemas and no AWS."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from vectorops.infra.binary import clean_environment, find_terraform, provider_mirror
from vectorops.infra.terraform import PROVIDER_VERSION

CHECKOUT = Path(__file__).parents[3]
TESTED = sorted(
    {path.parents[1].relative_to(CHECKOUT) for path in CHECKOUT.glob("terraform/**/*.tftest.hcl")}
)


def terraform(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [find_terraform(CHECKOUT), *args]
    environ = clean_environment(os.environ)
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def initialise(folder: Path) -> None:
    mirror = provider_mirror(PROVIDER_VERSION, clean_environment(os.environ))
    done = terraform(folder, "init", "-backend=false", *([f"-plugin-dir={mirror}"] if mirror else []))
    assert done.returncode == 0, done.stderr


def test_every_module_has_tests() -> None:
    modules = {path.relative_to(CHECKOUT) for path in CHECKOUT.glob("terraform/modules/*") if path.is_dir()}
    assert modules <= set(TESTED)


@pytest.mark.parametrize("place", TESTED, ids=str)
def test_the_modules_own_tests_pass(place: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(
        CHECKOUT / "terraform", tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform*")
    )
    folder = copy.parent / place
    initialise(folder)
    done = terraform(folder, "test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed" in done.stdout
