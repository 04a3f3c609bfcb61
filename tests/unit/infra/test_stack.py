import re
from dataclasses import fields
from pathlib import Path

import pytest

from vectorops.errors import UsageError
from vectorops.infra.stack import Stack

OUTPUTS = Path(__file__).parents[3] / "terraform" / "outputs.tf"


def test_every_output_the_cli_reads_is_one_of_the_root_modules() -> None:
    declared = set(re.findall(r'^output "(\w+)"', OUTPUTS.read_text(), re.MULTILINE))
    assert {field.name for field in fields(Stack)} <= declared


def test_an_environment_without_state_is_not_deployed() -> None:
    with pytest.raises(UsageError, match="'dev' is not deployed: it has no Terraform state yet"):
        Stack.from_outputs({}, "dev")


def test_outputs_of_an_older_version_are_recognised() -> None:
    with pytest.raises(UsageError, match=r"its state has no .*database_host"):
        Stack.from_outputs({"region": {"value": "us-east-1"}}, "dev")
