import io
import json
import uuid
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from tests.integration.local.local_targets import operator_of
from vectorops.aws import Aws
from vectorops.local import down, up
from vectorops.local.folder import local_folder
from vectorops.settings import Environment

FUNCTION = """
import sys

def handler(event, context):
    try:
        import boto3
        found = boto3.__file__
    except ImportError:
        found = None
    if event.get("rawPath") == "/raise":
        raise ValueError("asked to")
    return {"boto3": found, "path": event.get("rawPath")}
"""


def make_function(aws: Aws) -> str:
    name = f"function-{uuid.uuid4().hex[:12]}"
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("answers.py", FUNCTION)
    aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="answers.handler",
        Code={"ZipFile": package.getvalue()},
        Timeout=60,
    )
    return name


def make_url(aws: Aws, name: str) -> str:
    made = aws.client("lambda").create_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    return str(made["FunctionUrl"])


def call(url: str, *, sign: bool = True) -> tuple[int, Any]:
    """Return the status and the JSON of an answer."""
    request = AWSRequest("GET", url)
    if sign:
        SigV4Auth(Credentials("test", "test"), "lambda", "us-east-1").add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    return answer.status_code, json.loads(answer.content)


def figures(aws: Aws, name: str, *metrics: str) -> dict[str, float]:
    """Return the sum of each metric of a function over the last hour."""
    now = datetime.now(UTC)
    found = {
        metric: aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            Period=3_600,
            Statistics=["Sum"],
        )["Datapoints"]
        for metric in metrics
    }
    return {metric: sum(point["Sum"] for point in points) for metric, points in found.items()}


def test_a_function_has_only_what_is_in_its_package(operator: Aws) -> None:
    answer = operator.client("lambda").invoke(FunctionName=make_function(operator), Payload=b"{}")
    assert json.load(answer["Payload"])["boto3"] is None


def test_the_url_of_a_function_leads_to_it_for_signed_calls_only(operator: Aws) -> None:
    url = make_url(operator, make_function(operator))
    assert url.startswith("http://127.0.0.1:")
    status, answer = call(f"{url}items")
    assert (status, answer["path"]) == (200, "/items")
    assert call(f"{url}items", sign=False)[0] == 403


def test_calls_of_a_url_are_counted_as_those_of_the_function(operator: Aws) -> None:
    name = make_function(operator)
    url = make_url(operator, name)
    assert call(f"{url}items")[0] == 200
    assert call(f"{url}raise")[0] == 502

    sums = figures(operator, name, "Invocations", "Errors", "UrlRequestCount", "Url5xxCount")
    assert sums == {"Invocations": 2, "Errors": 1, "UrlRequestCount": 2, "Url5xxCount": 1}
    assert figures(operator, name, "Duration")["Duration"] > 0


def test_a_throttled_call_is_counted_once_and_as_no_invocation(operator: Aws) -> None:
    name = make_function(operator)
    url = make_url(operator, name)
    once = Aws(
        operator.region, endpoint_url=operator.endpoint_url, credentials=operator.credentials, attempts=1
    )
    functions = once.client("lambda")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(functions.exceptions.TooManyRequestsException):
        functions.invoke(FunctionName=name)
    assert call(url)[0] == 429
    counted = figures(operator, name, "Throttles", "Invocations", "Errors")
    assert counted == {"Throttles": 2, "Invocations": 0, "Errors": 0}


def test_a_restart_keeps_urls_and_leaves_no_files_of_functions(environment: Environment) -> None:
    up(environment)
    aws = operator_of(environment)
    name = make_function(aws)
    url = make_url(aws, name)
    assert call(url)[0] == 200
    scratch = local_folder(environment).scratch
    (scratch / "left-by-a-killed-process").touch()
    down(environment)
    up(environment)
    assert list(scratch.iterdir()) == []
    found = operator_of(environment).client("lambda").get_function_url_config(FunctionName=name)
    assert call(found["FunctionUrl"])[1]["path"] == "/"
