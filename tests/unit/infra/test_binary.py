from pathlib import Path

import pytest

from vectorops.errors import TerraformError
from vectorops.infra.binary import clean_environment, provider_mirror, terraform_platform, terraform_version


def mirror_in(folder: Path, version: str = "5.100.0") -> Path:
    (folder / "registry.terraform.io/hashicorp/aws" / version / terraform_platform()).mkdir(parents=True)
    return folder


def test_a_mirror_one_level_below_a_prefix_is_found(tmp_path: Path) -> None:
    mirror = mirror_in(tmp_path / "plugins")
    assert provider_mirror("5.100.0", {"HOME": str(tmp_path)}, [str(tmp_path)]) == mirror


def test_a_mirror_with_another_version_of_the_provider_is_passed_over(tmp_path: Path) -> None:
    mirror_in(tmp_path / "plugins", version="5.99.0")
    assert provider_mirror("5.100.0", {}, [str(tmp_path)]) is None


@pytest.mark.parametrize("variable", ["TF_CLI_ARGS_init", "TF_CLI_ARGS"])
def test_the_users_own_plugin_folder_decides(tmp_path: Path, variable: str) -> None:
    mirror_in(tmp_path / "plugins")
    assert provider_mirror("5.100.0", {variable: "-plugin-dir=/mine"}, [str(tmp_path)]) is None


def test_the_users_own_installation_rules_decide(tmp_path: Path) -> None:
    mirror_in(tmp_path / "plugins")
    config = tmp_path / "terraform.rc"
    config.write_text("provider_installation {\n  direct {}\n}\n")
    assert provider_mirror("5.100.0", {"TF_CLI_CONFIG_FILE": str(config)}, [str(tmp_path)]) is None


def test_a_configuration_variable_that_names_a_missing_file_is_left_out(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.rc")
    assert "TF_CLI_CONFIG_FILE" not in clean_environment({"TF_CLI_CONFIG_FILE": missing})


def test_a_configuration_variable_that_names_a_file_is_kept(tmp_path: Path) -> None:
    config = tmp_path / "terraform.rc"
    config.touch()
    assert clean_environment({"TF_CLI_CONFIG_FILE": str(config)})["TF_CLI_CONFIG_FILE"] == str(config)


def test_a_program_that_is_not_terraform_is_recognised() -> None:
    with pytest.raises(TerraformError, match="does not answer as Terraform does"):
        terraform_version("true")
