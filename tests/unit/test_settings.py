from pathlib import Path

import pytest

from vectorops.errors import UsageError
from vectorops.settings import find_project_root, load_project

CONFIG = """
[environments.local]
target = "local"

[environments.prod]
target = "aws"
region = "eu-west-1"
profile = "operations"
var_file = "terraform/environments/production.tfvars"
database_tunnel = "127.0.0.1:15432"
backend = { bucket = "states", key = "prod.tfstate" }
"""


def project(folder: Path, text: str = CONFIG) -> Path:
    (folder / "vectorops.toml").write_text(text)
    return folder


def test_an_environment_has_what_the_file_says(tmp_path: Path) -> None:
    prod = load_project(project(tmp_path)).environment("prod")
    assert (prod.target, prod.region, prod.profile) == ("aws", "eu-west-1", "operations")
    assert prod.var_file == tmp_path / "terraform/environments/production.tfvars"
    assert prod.backend == {"bucket": "states", "key": "prod.tfstate"}
    assert prod.state_dir == tmp_path / ".vectorops" / "prod"


def test_local_is_the_environment_when_nothing_is_said(tmp_path: Path) -> None:
    assert load_project(project(tmp_path)).environment().is_local


def test_the_root_is_found_from_a_folder_below_it(tmp_path: Path) -> None:
    below = project(tmp_path) / "a" / "b"
    below.mkdir(parents=True)
    assert find_project_root(below) == tmp_path


def test_the_checkout_serves_where_no_folder_above_has_a_config(tmp_path: Path) -> None:
    assert (find_project_root(tmp_path) / "pyproject.toml").is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[environments.x]\ntarget = 'azure'", "target is 'azure'"),
        ("[environments.x]\ntarget = 'aws'\nregoin = 'eu'", "unknown keys: regoin"),
        ("[environments.'../x']\ntarget = 'local'", "'../x' cannot name an environment"),
        ("", "defines no environment"),
        ("[environments", "cannot read"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_project(project(tmp_path, text))


def test_an_unknown_environment_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no environment is called 'stage'.*local, prod"):
        load_project(project(tmp_path)).environment("stage")
