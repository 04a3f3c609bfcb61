from typing import Any

import pytest

pytest.importorskip("ministack", reason="the local target is not installed: make setup")

from vectorops.local.emulator.sts import statements_for


def statement(principal: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}


@pytest.mark.parametrize(
    "principal",
    ["*", {"Service": "glue.amazonaws.com"}, {"Service": ["rds.amazonaws.com", "glue.amazonaws.com"]}],
)
def test_a_statement_about_the_service_is_kept(principal: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": statement(principal)}
    assert statements_for(policy, "glue.amazonaws.com")["Statement"] == [statement(principal)]


@pytest.mark.parametrize(
    "principal", [{"Service": "rds.amazonaws.com"}, {"AWS": "arn:aws:iam::000000000000:root"}, None]
)
def test_a_statement_about_others_is_left_out(principal: Any) -> None:
    policy = {"Statement": [statement(principal)]}
    assert statements_for(policy, "glue.amazonaws.com")["Statement"] == []
