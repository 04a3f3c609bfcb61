"""Terraform and the code of the functions agree; neither can see into the other."""

import re
from collections.abc import Mapping

import pytest

from tests.unit.terraform.terraform_files import TERRAFORM
from vectorops.errors import UsageError
from vectorops.functions.configuration import Configuration
from vectorops.infra.function_package import LAMBDA
from vectorops.infra.packages import HANDLERS, RECOMMENDER
from vectorops.recommender.catalogue import Neighbour
from vectorops.recommender.recommend import Recommendation, SimilarItems

FUNCTIONS = TERRAFORM.parent / "vectorops" / "functions"
ROOT = (TERRAFORM / "recommender.tf").read_text()
GIVEN_BY_LAMBDA = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
EVENT_FIELDS = ["session_id", "customer_number", "city", "country", "credit_limit", "browse_history"]

TOLD = set(re.findall(r"^ +([A-Z][A-Z0-9_]+) += ", ROOT, re.MULTILINE))
CHOSEN: Mapping[str, str] = dict(re.findall(r"^ +([A-Z_]+) += var\.functions\.(\w+)$", ROOT, re.MULTILINE))
COLUMN = re.compile(r'\{ name = "(\w+)", type = (.+), comment = ')


def test_the_functions_are_told_every_variable_they_read_and_none_they_do_not_know() -> None:
    read = set(re.findall(r'read\.\w+\(\s*"(\w+)"', _source("configuration.py")))
    assert read - TOLD == GIVEN_BY_LAMBDA.keys()
    assert TOLD - read == set()


@pytest.mark.parametrize("name", ["ITEM_LIMIT", "CATALOGUE_BUDGET_MB", "CATALOGUE_MAX_AGE_S"])
def test_a_plan_refuses_the_numbers_that_the_functions_would_refuse(name: str) -> None:
    least, most = _limits(CHOSEN[name])
    for accepted in (least, most):
        assert _configured(name, accepted)
    for refused in (least - 1, most + 1):
        with pytest.raises(UsageError, match=name):
            _configured(name, refused)


def test_the_functions_run_the_handlers_in_the_package_that_is_built() -> None:
    handlers = {
        match
        for module in ("streaming/transform.tf", "inference/main.tf")
        for match in re.findall(r'handler += "([\w.]+)"', _module(module))
    }
    assert handlers == {f"{name}.handler" for name in HANDLERS}
    assert f'package_path = "${{var.build_dir}}/{RECOMMENDER}"' in ROOT


def test_the_package_is_built_for_the_processor_and_the_python_that_terraform_declares() -> None:
    assert f'"python{LAMBDA.python_version}"' in _module("function/main.tf")
    assert {"aarch64": '"arm64"', "x86_64": '"x86_64"'}[str(LAMBDA.name).split("-")[0]] == _default(
        "function/variables.tf", "architecture"
    )


def test_the_alarm_on_failed_records_watches_what_the_transform_counts() -> None:
    assert 'metric      = "FailedRecords"' in _module("streaming/alarms.tf")
    assert 'count("FailedRecords", ' in _source("transform.py")


def test_metrics_are_called_as_the_alarms_expect() -> None:
    told = set(re.findall(r"^ +(POWERTOOLS_\w+) += ", _module("function/main.tf"), re.MULTILINE))
    assert told == set(re.findall(r"POWERTOOLS_\w+", _source("telemetry.py")))


def test_the_table_has_the_fields_of_the_event_and_of_what_is_added_to_it() -> None:
    athena = _module("streaming/athena.tf")
    columns = dict(COLUMN.findall(athena))
    assert list(columns)[: len(EVENT_FIELDS)] == EVENT_FIELDS
    assert columns.keys() - EVENT_FIELDS == Recommendation.__required_keys__
    assert set(re.findall(r"(\w+):", columns["similar_items"])) == SimilarItems.__required_keys__
    items = re.findall(r"^ +items = (.+)$", athena, re.MULTILINE)[0]
    assert set(re.findall(r"(\w+):", items)) == Neighbour.__required_keys__


def _configured(name: str, value: int) -> Configuration:
    needed = TOLD - CHOSEN.keys() - {"DATABASE_SSLMODE"}
    # A port is the only one of them that not every text serves for.
    return Configuration.from_environ({**GIVEN_BY_LAMBDA, **dict.fromkeys(needed, "5432"), name: str(value)})


def _limits(attribute: str) -> tuple[int, int]:
    bounds = rf"var\.functions\.{attribute} >= (\d+) && var\.functions\.{attribute} <= (\d+)"
    found = re.search(bounds, (TERRAFORM / "variables.tf").read_text())
    assert found, f"functions.{attribute} has no limits"
    return int(found[1]), int(found[2])


def _default(path: str, variable: str) -> str:
    found = re.search(rf'variable "{variable}" \{{.*?default +=([^\n]+)', _module(path), re.DOTALL)
    assert found, f"{variable} has no default"
    return found[1].strip()


def _module(path: str) -> str:
    return (TERRAFORM / "modules" / path).read_text()


def _source(name: str) -> str:
    return (FUNCTIONS / name).read_text(encoding="utf-8")
