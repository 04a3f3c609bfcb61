"""Runs `terraform test` in every module, with the real provider's schemas and no AWS."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from vectorops.infra.binary import clean_environment, find_terraform, provider_mirror
from vectorops.infra.terraform import PROVIDER_VERSION

CHECKOUT = Path(__file__).parents[3]
TESTED = sorted(
    {path.parents[1].relative_to(CHECKOUT) for path in CHECKOUT.glob("terraform/**/*.tftest.hcl")}
)
REATTACH = "TF_REATTACH_PROVIDERS"


def terraform(folder: Path, environ: Mapping[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    command = [find_terraform(CHECKOUT), *args]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def initialise(folder: Path, environ: Mapping[str, str]) -> None:
    mirror = provider_mirror(PROVIDER_VERSION, environ)
    plugins = [f"-plugin-dir={mirror}"] if mirror else []
    done = terraform(folder, environ, "init", "-backend=false", *plugins)
    assert done.returncode == 0, done.stderr


def copy_sources(folder: Path) -> Path:
    ignored = shutil.ignore_patterns(".terraform*")
    return shutil.copytree(CHECKOUT / "terraform", folder / "terraform", ignore=ignored)


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which Terraform uses one running provider; starting one for every `run` takes long.

    Source: "Debugger-Based Debugging", Terraform plugin development, on `-debug` and the variable.
    """
    environ = clean_environment(os.environ)
    root = copy_sources(tmp_path_factory.mktemp("provider"))
    initialise(root, environ)
    [binary] = root.glob(f".terraform/providers/*/hashicorp/aws/{PROVIDER_VERSION}/*/terraform-provider-aws*")
    with subprocess.Popen([binary, "-debug"], env=environ, stdout=subprocess.PIPE, text=True) as provider:
        assert provider.stdout
        found = (re.search(rf"{REATTACH}='(.*)'", line) for line in provider.stdout)
        yield environ | {REATTACH: next(match[1] for match in found if match)}
        provider.terminate()


def test_every_module_has_tests() -> None:
    modules = {path.relative_to(CHECKOUT) for path in CHECKOUT.glob("terraform/modules/*") if path.is_dir()}
    assert modules <= set(TESTED)


@pytest.mark.parametrize("place", TESTED, ids=str)
def test_the_modules_own_tests_pass(place: Path, tmp_path: Path, environ: dict[str, str]) -> None:
    folder = copy_sources(tmp_path).parent / place
    initialise(folder, environ)
    done = terraform(folder, environ, "test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed" in done.stdout
