import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from vectorops.aws import Aws, Credentials
from vectorops.errors import LocalTargetError
from vectorops.local import role_credentials

BUCKET = "artefacts"
DATABASE_ARN = "arn:aws:rds:us-east-1:000000000000:db:vectors"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str, condition: dict[str, Any] | None = None) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return policy({**statement, "Condition": condition} if condition else statement)


READ_EMBEDDINGS = policy(
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/embeddings/*"},
    {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{BUCKET}",
        "Condition": {"StringLike": {"s3:prefix": ["embeddings/*"]}},
    },
)
ONLY_TLS = policy(
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
)
ONLY_THIS_DATABASE = {
    "StringEquals": {"aws:SourceAccount": "000000000000"},
    "ArnEquals": {"aws:SourceArn": DATABASE_ARN},
}


@pytest.fixture(autouse=True)
def bucket(operator: Aws) -> Iterator[None]:
    s3 = operator.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=ONLY_TLS)
    for key in ("embeddings/items.csv", "model/model.onnx"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    yield
    for key in ("embeddings/items.csv", "model/model.onnx"):
        s3.delete_object(Bucket=BUCKET, Key=key)
    s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def role_arn(operator: Aws) -> Iterator[str]:
    """A role for imports into one database, as the Terraform module makes it."""
    iam = operator.client("iam")
    document = trust("rds.amazonaws.com", ONLY_THIS_DATABASE)
    yield iam.create_role(RoleName="importer", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.delete_role_policy(RoleName="importer", PolicyName="read")
    iam.delete_role(RoleName="importer")


def as_importer(operator: Aws, role_arn: str) -> Any:
    found = role_credentials(operator, role_arn, service="rds.amazonaws.com", source_arn=DATABASE_ARN)
    return Aws("us-east-1", endpoint_url=operator.endpoint_url, credentials=found).client("s3")


def allow(operator: Aws) -> None:
    operator.client("iam").put_role_policy(
        RoleName="importer", PolicyName="read", PolicyDocument=READ_EMBEDDINGS
    )


def test_the_import_role_reads_exactly_its_prefix(operator: Aws, role_arn: str) -> None:
    allow(operator)
    s3 = as_importer(operator, role_arn)
    assert s3.get_object(Bucket=BUCKET, Key="embeddings/items.csv")["Body"].read() == b"embeddings/items.csv"
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="embeddings/")["KeyCount"] == 1
    refused: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (s3.get_object, {"Key": "model/model.onnx"}),
        (s3.list_objects_v2, {"Prefix": "model/"}),
        (s3.list_objects_v2, {}),
        (s3.put_object, {"Key": "embeddings/items.csv", "Body": b""}),
    ]
    for call, arguments in refused:
        with pytest.raises(ClientError, match="AccessDenied"):
            call(Bucket=BUCKET, **arguments)


def test_a_permission_taken_away_is_denied_at_once(operator: Aws, role_arn: str) -> None:
    allow(operator)
    s3 = as_importer(operator, role_arn)
    s3.get_object(Bucket=BUCKET, Key="embeddings/items.csv")
    operator.client("iam").put_role_policy(
        RoleName="importer",
        PolicyName="read",
        PolicyDocument=READ_EMBEDDINGS.replace("s3:GetObject", "s3:GetObjectTagging"),
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=BUCKET, Key="embeddings/items.csv")


@pytest.mark.parametrize(
    ("service", "source_arn"),
    [
        ("glue.amazonaws.com", DATABASE_ARN),
        ("rds.amazonaws.com", DATABASE_ARN.replace("vectors", "another")),
        ("rds.amazonaws.com", ""),
    ],
)
def test_nothing_else_can_assume_the_import_role(
    operator: Aws, role_arn: str, service: str, source_arn: str
) -> None:
    allow(operator)
    with pytest.raises(LocalTargetError, match=f"{service} cannot assume role {role_arn}"):
        role_credentials(operator, role_arn, service=service, source_arn=source_arn)


def test_a_permission_for_one_log_stream_is_for_no_other(operator: Aws, role_arn: str) -> None:
    group, logs = f"group-{uuid.uuid4().hex}", operator.client("logs")
    logs.create_log_group(logGroupName=group)
    for stream in ("mine", "other"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    resource = f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:log-stream:mine"
    statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": resource}
    operator.client("iam").put_role_policy(
        RoleName="importer", PolicyName="read", PolicyDocument=policy(statement)
    )
    found = role_credentials(operator, role_arn, service="rds.amazonaws.com", source_arn=DATABASE_ARN)
    writer = Aws("us-east-1", endpoint_url=operator.endpoint_url, credentials=found).client("logs")
    events = [{"timestamp": int(time.time() * 1000), "message": "hello"}]
    writer.put_log_events(logGroupName=group, logStreamName="mine", logEvents=events)
    with pytest.raises(ClientError, match="AccessDenied"):
        writer.put_log_events(logGroupName=group, logStreamName="other", logEvents=events)
    logs.delete_log_group(logGroupName=group)


def test_a_key_that_nobody_issued_is_refused(operator: Aws) -> None:
    stranger = Aws("us-east-1", endpoint_url=operator.endpoint_url, credentials=Credentials("AKIA1", "x"))
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        stranger.client("secretsmanager").list_secrets()


def test_a_policy_that_refuses_all_but_tls_lets_loopback_in(operator: Aws) -> None:
    assert operator.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 2
