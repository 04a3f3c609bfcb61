"""Delivery streams of their own, with a small function whose answer each record chooses itself."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from vectorops.aws import Aws

FUNCTION = """
import base64, json, os, pathlib

def handler(event, context):
    records = event["records"]
    answers = [answer for record in records for answer in answers_to(record)]
    return {"records": answers}

def answers_to(record):
    data = base64.b64decode(record["data"])
    fields = json.loads(data)
    ok = {"recordId": record["recordId"], "result": "Ok", "data": base64.b64encode(data.upper()).decode()}
    match fields.get("do"):
        case "drop": return [{"recordId": record["recordId"], "result": "Dropped"}]
        case "fail": return [{"recordId": record["recordId"], "result": "ProcessingFailed"}]
        case "forget": return []
        case "repeat": return [ok, ok]
        case "invent": return [{"recordId": record["recordId"], "result": "Great"}]
        case "empty": return [{"recordId": record["recordId"], "result": "Ok"}]
        case "raise": raise ValueError("asked to")
        case "die":
            once = pathlib.Path(fields["once"])
            if not once.exists():
                once.touch()
                os._exit(1)
    return [ok]
"""
HINTS = {"SizeInMBs": 1, "IntervalInSeconds": 1}
PATIENCE_S = 120
READ = ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
DELIVER = ["lambda:InvokeFunction", "s3:PutObject", "logs:PutLogEvents"]

Fields = dict[str, Any]


@dataclass
class DeliveryStream:
    """A Kinesis stream, its delivery stream, and the bucket that it writes to; all have the same name."""

    aws: Aws
    name: str

    def send(self, records: Iterable[Fields | bytes]) -> None:
        entries = [
            {"Data": one if isinstance(one, bytes) else json.dumps(one).encode(), "PartitionKey": str(number)}
            for number, one in enumerate(records)
        ]
        answer = self.aws.client("kinesis").put_records(StreamName=self.name, Records=entries)
        assert answer["FailedRecordCount"] == 0

    def objects(self, prefix: str) -> dict[str, bytes]:
        s3 = self.aws.client("s3")
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])]
        return {key: s3.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys}

    def lines(self, prefix: str) -> list[Fields]:
        return [json.loads(line) for body in self.objects(prefix).values() for line in body.splitlines()]

    def wait_for(self, prefix: str, count: int) -> list[Fields]:
        """Return the lines below `prefix` once there are `count`."""
        wait_until(lambda: len(self.lines(prefix)) >= count)
        return self.lines(prefix)

    def allow(self, actions: list[str]) -> None:
        """Replace what the role of the delivery stream may do."""
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.aws.client("iam").put_role_policy(RoleName=self.name, PolicyName="work", PolicyDocument=document)

    def log(self) -> list[Fields]:
        events = self.aws.client("logs").get_log_events(logGroupName=self.name, logStreamName="delivery")
        return [json.loads(event["message"]) for event in events["events"]]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def make_delivery_stream(
    aws: Aws, *, retries: int = 1, actions: list[str] = DELIVER, **changes: Any
) -> DeliveryStream:
    """Make a delivery stream that does what `changes` say of its S3 destination."""
    made = DeliveryStream(aws, f"delivery-{uuid.uuid4().hex[:12]}")
    role = _role(made, [*READ, *actions])
    aws.client("s3").create_bucket(Bucket=made.name)
    logs = aws.client("logs")
    logs.create_log_group(logGroupName=made.name)
    logs.create_log_stream(logGroupName=made.name, logStreamName="delivery")
    kinesis = aws.client("kinesis")
    kinesis.create_stream(StreamName=made.name, ShardCount=2)
    stream = kinesis.describe_stream_summary(StreamName=made.name)["StreamDescriptionSummary"]["StreamARN"]
    destination = {
        "RoleARN": role,
        "BucketARN": f"arn:aws:s3:::{made.name}",
        "Prefix": "good/!{timestamp:yyyy/MM/dd/HH}/",
        "ErrorOutputPrefix": "bad/!{firehose:error-output-type}/",
        "BufferingHints": HINTS,
        "ProcessingConfiguration": processing(_function(made, role), retries),
        "CloudWatchLoggingOptions": {"Enabled": True, "LogGroupName": made.name, "LogStreamName": "delivery"},
    }
    aws.client("firehose").create_delivery_stream(
        DeliveryStreamName=made.name,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": stream, "RoleARN": role},
        ExtendedS3DestinationConfiguration=destination | changes,
    )
    return made


def destination_id(aws: Aws, name: str) -> str:
    """Return the id of the only destination of a delivery stream."""
    answer = aws.client("firehose").describe_delivery_stream(DeliveryStreamName=name)
    return str(answer["DeliveryStreamDescription"]["Destinations"][0]["DestinationId"])


def processing(function_arn: str, retries: int) -> Fields:
    hints = {"BufferSizeInMBs": "1", "BufferIntervalInSeconds": "0"}
    return {
        "Enabled": True,
        "Processors": [
            processor("Lambda", {"LambdaArn": function_arn, "NumberOfRetries": str(retries), **hints}),
            processor("AppendDelimiterToRecord", {"Delimiter": "\\n"}),
        ],
    }


def processor(kind: str, parameters: dict[str, str]) -> Fields:
    return {
        "Type": kind,
        "Parameters": [
            {"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()
        ],
    }


def _role(made: DeliveryStream, actions: list[str]) -> str:
    services = ["firehose.amazonaws.com", "lambda.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = made.aws.client("iam").create_role(RoleName=made.name, AssumeRolePolicyDocument=document)["Role"]
    made.allow(actions)
    return str(role["Arn"])


def _function(made: DeliveryStream, role: str) -> str:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("answers.py", FUNCTION)
    function = made.aws.client("lambda").create_function(
        FunctionName=made.name,
        Runtime="python3.13",
        Role=role,
        Handler="answers.handler",
        Code={"ZipFile": package.getvalue()},
        Timeout=60,
    )
    return str(function["FunctionArn"])
