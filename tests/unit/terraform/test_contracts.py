"""Terraform and the Glue script agree; neither can see into the other."""

import ast
import re
from typing import Any

from tests.unit.terraform.terraform_files import TERRAFORM

ETL = TERRAFORM / "modules" / "etl"
SCRIPT = TERRAFORM.parent / "vectorops" / "glue" / "ratings_etl.py"
GIVEN_BY_GLUE = {"JOB_NAME"}


def test_the_job_is_given_every_argument_it_needs_and_none_it_does_not_know() -> None:
    given = set(re.findall(r'"--(\w+)" += ', (ETL / "main.tf").read_text()))
    required, optional = set(_constant("REQUIRED")), set(_constant("DEFAULTS"))
    assert required - given == GIVEN_BY_GLUE
    assert given - required - optional == set()


def test_the_catalog_table_has_the_columns_that_the_job_writes() -> None:
    columns = re.findall(r'\{ name = "(\w+)", type = "([^"]+)"', (ETL / "catalog.tf").read_text())
    assert dict(columns) == _constant("COLUMNS")


def test_defaults_are_the_same_whether_terraform_or_the_script_gives_them() -> None:
    defaults = _constant("DEFAULTS")
    variables = (ETL / "variables.tf").read_text()
    limits = dict(re.findall(r'^ +(\w+) += optional\(string, "([^"]+)"\)', variables, re.MULTILINE))
    assert {f"max_{name}": limit for name, limit in limits.items() if f"max_{name}" in defaults} == {
        name: default for name, default in defaults.items() if name.removeprefix("max_") in limits
    }
    assert f'default     = ["{defaults["partition_by"]}"]' in variables
    assert f"default     = {defaults['max_partitions']}\n" in variables


def _constant(name: str) -> Any:
    """Return a constant of the script, which only Spark's machines can import."""
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return ast.literal_eval(statement.value)
    raise AssertionError(f"{SCRIPT.name} has no {name}")
