"""The Terraform wrapper, against a real Terraform and a root that needs no provider from outside."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vectorops.errors import TerraformError
from vectorops.infra.binary import clean_environment, find_terraform
from vectorops.infra.plan import PlannedChange
from vectorops.infra.terraform import Terraform

ROOT = """
variable "greeting" { type = string }
resource "terraform_data" "note" {
  input            = var.greeting
  triggers_replace = var.greeting
}
output "note" { value = terraform_data.note.output }
"""


def terraform(folder: Path, greeting: str = "hello", root: str = ROOT) -> Terraform:
    (folder / "main.tf").write_text(root)
    variables = folder / "my.tfvars"
    variables.write_text(f'greeting = "{greeting}"\n')
    binary = find_terraform(Path(__file__).parents[3])
    runner = Terraform(folder, binary=binary, environ=clean_environment(os.environ), var_file=variables)
    runner.init()
    return runner


def deploy(runner: Terraform) -> list[Mapping[str, Any]]:
    events: list[Mapping[str, Any]] = []
    runner.plan()
    runner.apply(on_event=events.append)
    return events


def test_a_plan_says_what_it_creates_and_applying_it_does_that(tmp_path: Path) -> None:
    runner = terraform(tmp_path)
    plan = runner.plan()
    assert plan.changes == (PlannedChange("terraform_data.note", "terraform_data", "create"),)
    runner.apply()
    assert runner.outputs()["note"]["value"] == "hello"
    assert [resource["address"] for resource in runner.resources()] == ["terraform_data.note"]


def test_a_second_plan_is_empty(tmp_path: Path) -> None:
    runner = terraform(tmp_path)
    deploy(runner)
    assert runner.plan().is_empty


def test_progress_comes_as_events(tmp_path: Path) -> None:
    kinds = [event["type"] for event in deploy(terraform(tmp_path))]
    assert kinds.index("apply_start") < kinds.index("apply_complete")


def test_a_replacement_names_what_forces_it(tmp_path: Path) -> None:
    deploy(terraform(tmp_path))
    (change,) = terraform(tmp_path, greeting="good bye").plan().changes
    assert (change.action, change.because) == ("replace", ("triggers_replace",))


def test_destroying_leaves_nothing(tmp_path: Path) -> None:
    runner = terraform(tmp_path)
    deploy(runner)
    assert runner.plan(destroy=True).counts() == {"delete": 1}
    runner.apply()
    assert runner.resources() == []
    assert runner.outputs() == {}


def test_the_plan_that_was_shown_is_the_one_applied(tmp_path: Path) -> None:
    runner = terraform(tmp_path)
    runner.plan()
    (tmp_path / "my.tfvars").write_text('greeting = "changed after the plan"\n')
    runner.apply()
    assert runner.outputs()["note"]["value"] == "hello"


def test_an_error_carries_terraforms_own_words(tmp_path: Path) -> None:
    with pytest.raises(TerraformError, match="Reference to undeclared input variable"):
        terraform(tmp_path, root=ROOT + 'output "more" { value = var.missing }').plan()


def test_nothing_is_deployed_before_the_first_apply(tmp_path: Path) -> None:
    runner = terraform(tmp_path)
    assert runner.outputs() == {}
    assert runner.resources() == []


def test_this_processs_environment_is_as_before(tmp_path: Path) -> None:
    before = dict(os.environ)
    terraform(tmp_path).plan()
    assert dict(os.environ) == before
