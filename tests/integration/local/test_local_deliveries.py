import base64
import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.local.delivery_streams import (
    DELIVER,
    READ,
    destination_id,
    make_delivery_stream,
    processor,
    wait_until,
)
from tests.integration.local.local_targets import kill, operator_of, wait_until_saved
from vectorops.aws import Aws
from vectorops.local import down, status, up
from vectorops.local.delivery.configuration import read_settings
from vectorops.local.delivery.delivery import Delivery, Surroundings
from vectorops.settings import Environment


def numbers(lines: list[dict[str, Any]], key: str = "N") -> list[int]:
    return sorted(line[key] for line in lines)


def raw(failure: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(failure["rawData"]))


def test_records_are_transformed_and_delivered_a_line_each_under_the_hour_of_their_arrival(
    operator: Aws,
) -> None:
    delivery = make_delivery_stream(operator)
    began = datetime.now(UTC)
    delivery.send({"n": n} for n in range(300))
    assert numbers(delivery.wait_for("good/", 300)) == list(range(300))
    objects = delivery.objects("")
    assert all(body.endswith(b"}\n") for body in objects.values())
    hours = {f"good/{moment:%Y/%m/%d/%H}/{delivery.name}-1-" for moment in (began, datetime.now(UTC))}
    assert all(key.startswith(tuple(hours)) for key in objects)
    assert len(objects) < 10, "records are collected"


def test_each_record_of_a_batch_is_accounted_for_by_what_the_function_says_of_it(operator: Aws) -> None:
    delivery = make_delivery_stream(operator)
    kinds = ["fail", "drop", "forget", "repeat", "invent", "empty", "nothing"]
    delivery.send({"do": kind} for kind in kinds)
    failed = {raw(one)["do"]: one for one in delivery.wait_for("bad/processing-failed/", 5)}
    assert {kind: one["errorCode"] for kind, one in failed.items()} == {
        "fail": "Lambda.ProcessingFailedStatus",
        "forget": "Lambda.MissingRecordId",
        "repeat": "Lambda.DuplicatedRecordId",
        "invent": "Lambda.JsonProcessingException",
        "empty": "Lambda.JsonProcessingException",
    }
    assert set(failed["fail"]) == {
        "attemptsMade",
        "arrivalTimestamp",
        "errorCode",
        "errorMessage",
        "attemptEndingTimestamp",
        "rawData",
        "lambdaArn",
    }
    assert failed["fail"]["attemptsMade"] == 1
    assert [line["DO"] for line in delivery.wait_for("good/", 1)] == ["NOTHING"]


def test_a_call_that_fails_is_repeated_and_then_the_batch_goes_to_the_error_prefix(operator: Aws) -> None:
    delivery = make_delivery_stream(operator, retries=2)
    delivery.send([{"do": "raise", "n": 1}, {"n": 2}])
    failed = delivery.wait_for("bad/", 2)
    assert numbers([raw(one) for one in failed], "n") == [1, 2]
    assert {(one["errorCode"], one["attemptsMade"]) for one in failed} == {("Lambda.FunctionError", 3)}
    assert "asked to" in failed[0]["errorMessage"]
    assert [entry["errorCode"] for entry in delivery.log()] == ["Lambda.FunctionError"] * 3
    delivery.send([{"n": 3}])
    assert numbers(delivery.wait_for("good/", 1)) == [3]


def test_a_function_that_dies_in_the_middle_loses_nothing(operator: Aws, tmp_path: Path) -> None:
    delivery = make_delivery_stream(operator)
    delivery.send([{"n": 1}, {"n": 2, "do": "die", "once": str(tmp_path / "died")}])
    assert numbers(delivery.wait_for("good/", 2)) == [1, 2]
    assert (tmp_path / "died").exists()


def test_a_role_that_may_not_call_the_function_is_told_of_below_the_error_prefix(operator: Aws) -> None:
    delivery = make_delivery_stream(operator, retries=0, actions=["s3:PutObject"])
    delivery.send([{"n": 1}])
    (failed,) = delivery.wait_for("bad/", 1)
    assert failed["errorCode"] == "Lambda.InvokeAccessDenied"


def test_records_wait_in_their_stream_until_the_role_may_write(operator: Aws) -> None:
    delivery = make_delivery_stream(operator, actions=["lambda:InvokeFunction", "logs:PutLogEvents"])
    delivery.send([{"n": 1}])
    wait_until(lambda: bool(delivery.log()))
    assert delivery.log()[0]["errorCode"] == "S3.AccessDenied"
    delivery.allow([*READ, *DELIVER])
    assert numbers(delivery.wait_for("good/", 1)) == [1]


def test_objects_are_compressed_when_they_are_to_be(operator: Aws) -> None:
    delivery = make_delivery_stream(operator, CompressionFormat="GZIP")
    delivery.send([{"n": 1}])
    wait_until(lambda: bool(delivery.objects("good/")))
    ((key, body),) = delivery.objects("good/").items()
    assert key.endswith(".gz")
    assert json.loads(gzip.decompress(body)) == {"N": 1}


def test_what_comes_after_a_change_is_delivered_by_the_new_settings(operator: Aws) -> None:
    delivery = make_delivery_stream(operator)
    delivery.send([{"n": 1}])
    delivery.wait_for("good/", 1)
    operator.client("firehose").update_destination(
        DeliveryStreamName=delivery.name,
        CurrentDeliveryStreamVersionId="1",
        DestinationId=destination_id(operator, delivery.name),
        ExtendedS3DestinationUpdate={"Prefix": "better/"},
    )
    delivery.send([{"n": 2}])
    assert numbers(delivery.wait_for("better/", 1)) == [2]


def test_nothing_is_lost_or_delivered_twice_when_the_number_of_shards_changes(operator: Aws) -> None:
    delivery, kinesis = (
        make_delivery_stream(operator, actions=["logs:PutLogEvents"]),
        operator.client("kinesis"),
    )
    for first, shards in ((0, 3), (20, 1), (40, 2)):
        delivery.send({"n": n} for n in range(first, first + 20))
        kinesis.update_shard_count(
            StreamName=delivery.name, TargetShardCount=shards, ScalingType="UNIFORM_SCALING"
        )
    wait_until(lambda: bool(delivery.log()))
    delivery.allow([*READ, *DELIVER])
    delivery.send({"n": n} for n in range(60, 80))
    delivered = delivery.wait_for("good/", 80)
    assert numbers(delivered) == list(range(80))


def test_a_kill_between_writing_and_noting_it_leaves_no_record_with_two_ends(
    environment: Environment,
) -> None:
    up(environment)
    delivery = make_delivery_stream(operator_of(environment))
    delivery.send([{"n": 1}])
    delivery.wait_for("good/", 1)
    position_file = environment.state_dir / "local" / "deliveries" / f"{delivery.name}.json"
    wait_until(lambda: bool(json.loads(position_file.read_text())["done"]))
    (failed,) = (key.replace("good/", "bad/") for key in delivery.objects("good/"))
    s3 = delivery.aws.client("s3")
    s3.put_object(Bucket=delivery.name, Key=failed, Body=b'{"rawData": "eyJuIjogMX0="}\n')
    down(environment)
    # As it is when the function failed the record, its error object was written, and then came the kill.
    position = json.loads(position_file.read_text()) | {"done": {}, "writing": {"processing-failed": failed}}
    position_file.write_text(json.dumps(position))
    up(environment)
    delivery.aws = operator_of(environment)
    wait_until(lambda: bool(json.loads(position_file.read_text())["done"]))
    assert delivery.lines("bad/") == []


def test_what_was_read_after_a_change_is_left_to_the_new_settings(operator: Aws, tmp_path: Path) -> None:
    delivery = make_delivery_stream(operator)
    found = operator.client("firehose").describe_delivery_stream(DeliveryStreamName=delivery.name)
    settings = read_settings(found["DeliveryStreamDescription"])
    operator.client("firehose").delete_delivery_stream(DeliveryStreamName=delivery.name)
    delivery.send([{"n": 1}, {"n": 2}])
    around = Surroundings(
        operator, Event(), lambda prefix, *_, **__: prefix, lambda *_: None, on_change=lambda: None
    )
    old, new = (
        Delivery(replace(settings, prefix=prefix), tmp_path / "position", around, Event())
        for prefix in ("good/", "better/")
    )
    old.deliver_batch(lambda: False)
    new.deliver_batch(lambda: True)
    assert delivery.objects("good/") == {}
    assert numbers(delivery.lines("better/")) == [1, 2]


def test_nothing_is_lost_or_delivered_twice_when_the_local_target_is_killed(environment: Environment) -> None:
    up(environment)
    delivery = make_delivery_stream(operator_of(environment))
    for first in range(0, 500, 100):
        delivery.send({"n": n} for n in range(first, first + 100))
    # A killed process loses what it has not saved yet: a fraction of a second.
    wait_until_saved(environment, "kinesis", base64.b64encode(b'{"n": 499}').decode())
    wait_until(lambda: bool(delivery.objects("good/")))
    kill(status(environment).pid)
    up(environment)
    delivery.aws = operator_of(environment)
    delivery.wait_for("good/", 500)
    down(environment)
    up(environment)
    delivery.aws = operator_of(environment)
    delivery.send([{"n": 500}])
    assert numbers(delivery.wait_for("good/", 501)) == list(range(501))


def test_a_deleted_delivery_stream_delivers_no_more(operator: Aws) -> None:
    deleted, other = make_delivery_stream(operator), make_delivery_stream(operator)
    deleted.send([{"n": 1}])
    deleted.wait_for("good/", 1)
    operator.client("firehose").delete_delivery_stream(DeliveryStreamName=deleted.name)
    deleted.send([{"n": 2}])
    other.send([{"n": 3}])
    other.wait_for("good/", 1)
    assert numbers(deleted.lines("good/")) == [1]


def test_records_cannot_be_put_past_the_stream(operator: Aws) -> None:
    delivery = make_delivery_stream(operator)
    with pytest.raises(ClientError, match="KinesisStreamAsSource"):
        operator.client("firehose").put_record(DeliveryStreamName=delivery.name, Record={"Data": b"{}"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"DynamicPartitioningConfiguration": {"Enabled": True}}, "DynamicPartitioningConfiguration"),
        ({"DataFormatConversionConfiguration": {"Enabled": True}}, "DataFormatConversionConfiguration"),
        ({"S3BackupMode": "Enabled"}, "S3BackupMode"),
    ],
)
def test_what_the_local_target_does_not_do_is_refused(operator: Aws, changes: Any, message: str) -> None:
    with pytest.raises(ClientError, match=message):
        make_delivery_stream(operator, **changes)


LONE_HINT = {"LambdaArn": "arn:aws:lambda:us-east-1:000000000000:function:f", "BufferSizeInMBs": "0.5"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ProcessingConfiguration": {"Enabled": True, "Processors": [processor("Lambda", LONE_HINT)]}},
            "Both BufferSizeInMBs and BufferIntervalInSeconds are required",
        ),
        ({"Prefix": "good/!{firehose:error-output-type}/"}, "Prefix must not contain"),
        ({"ErrorOutputPrefix": ""}, "ErrorOutputPrefix must be set"),
        ({"ErrorOutputPrefix": "bad/!{timestamp:yyyy}/"}, "ErrorOutputPrefix must contain"),
    ],
)
def test_what_aws_would_refuse_is_refused_when_it_is_made_and_when_it_is_changed(
    operator: Aws, changes: Any, message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        make_delivery_stream(operator, **changes)
    name, firehose = make_delivery_stream(operator).name, operator.client("firehose")
    with pytest.raises(ClientError, match=message):
        firehose.update_destination(
            DeliveryStreamName=name,
            CurrentDeliveryStreamVersionId="1",
            DestinationId=destination_id(operator, name),
            ExtendedS3DestinationUpdate=changes,
        )


def test_a_delivery_stream_without_a_kinesis_stream_is_refused(operator: Aws) -> None:
    with pytest.raises(ClientError, match="Kinesis streams only"):
        operator.client("firehose").create_delivery_stream(
            DeliveryStreamName="direct",
            ExtendedS3DestinationConfiguration={
                "RoleARN": "arn:aws:iam::000000000000:role/r",
                "BucketARN": "arn:aws:s3:::b",
            },
        )


def test_cloudwatch_has_the_figures_of_stream_and_delivery(operator: Aws) -> None:
    delivery = make_delivery_stream(operator)
    delivery.send({"n": n} for n in range(7))
    delivery.wait_for("good/", 7)

    def total(namespace: str, metric: str, dimension: str) -> float:
        now = datetime.now(UTC)
        points = operator.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": dimension, "Value": delivery.name}],
            StartTime=now - timedelta(hours=2),
            EndTime=now,
            Period=3_600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    assert total("AWS/Kinesis", "IncomingRecords", "StreamName") == 7
    wait_until(lambda: total("AWS/Firehose", "DeliveryToS3.Records", "DeliveryStreamName") == 7)
    assert total("AWS/Lambda", "Errors", "FunctionName") == 0
