"""Credentials of a deployed role, obtained as the AWS service that it trusts."""

from typing import Any

from botocore.exceptions import ClientError

from vectorops.aws import Aws, Credentials
from vectorops.errors import LocalTargetError


def role_credentials(
    operator: Aws, role_arn: str, *, service: str, source_arn: str = "", duration_s: int = 3600
) -> Credentials:
    """Return credentials with exactly the permissions of a role, as the service that assumes it gets them.

    Args:
        operator: The local target, with the operator's key.
        role_arn: The role.
        service: Service that acts, such as "glue.amazonaws.com".
        source_arn: Resource on whose behalf it acts, for trust policies that ask for `aws:SourceArn`.
        duration_s: Seconds that they are valid for, 900 at least. Services renew theirs, so it may be long.

    Raises:
        LocalTargetError: The role does not exist, or does not trust that service and resource.
    """
    arguments: dict[str, Any] = {
        "RoleArn": role_arn,
        "RoleSessionName": service,
        "DurationSeconds": duration_s,
    }
    if source_arn:
        arguments["ExternalId"] = source_arn
    try:
        found = operator.client("sts").assume_role(**arguments)["Credentials"]
    except ClientError as exc:
        raise LocalTargetError(
            f"{service} cannot assume role {role_arn}",
            why=exc.response["Error"]["Message"],
            hint="look at the role's trust policy",
        ) from exc
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
