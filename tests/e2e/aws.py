"""The deployed stack as AWS clients see it, with the operator's key."""

import json
from typing import Any

import boto3

from tests.e2e.cli import Cli


def client(stack: Cli, service: str) -> Any:
    url = stack.ok("local", "status", "--json").json["url"]
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", **keys)  # type: ignore[call-overload]


def deny_action(iam: Any, role: str, action: str) -> None:
    """Take every statement that grants `action` out of a role's inline policies."""
    name = role.rsplit("/", 1)[-1]
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        kept = [statement for statement in document["Statement"] if action not in listed(statement["Action"])]
        if len(kept) < len(document["Statement"]):
            changed = json.dumps({**document, "Statement": kept})
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=changed)


def listed(value: Any) -> list[Any]:
    """Return a policy element that may be one string as a list."""
    return value if isinstance(value, list) else [value]
