from datetime import UTC, datetime
from typing import Any

from vectorops.local.delivery.configuration import TransformSettings, read_settings

LAMBDA = "arn:aws:lambda:us-east-1:000000000000:function:transform"


def description(**target: Any) -> dict[str, Any]:
    return {
        "DeliveryStreamName": "d",
        "DeliveryStreamARN": "arn:aws:firehose:us-east-1:000000000000:deliverystream/d",
        "VersionId": "3",
        "CreateTimestamp": datetime(2026, 11, 21, tzinfo=UTC),
        "Source": {
            "KinesisStreamSourceDescription": {"KinesisStreamARN": "stream", "RoleARN": "source-role"}
        },
        "Destinations": [
            {"ExtendedS3DestinationDescription": {"RoleARN": "role", "BucketARN": "arn:aws:s3:::b"} | target}
        ],
    }


def processing(*processors: tuple[str, dict[str, str]]) -> dict[str, Any]:
    return {
        "Enabled": True,
        "Processors": [
            {
                "Type": kind,
                "Parameters": [
                    {"ParameterName": key, "ParameterValue": value} for key, value in fields.items()
                ],
            }
            for kind, fields in processors
        ],
    }


def test_what_is_not_said_is_as_firehose_has_it() -> None:
    settings = read_settings(
        description(ProcessingConfiguration=processing(("Lambda", {"LambdaArn": LAMBDA})))
    )
    assert settings.transform == TransformSettings(LAMBDA, 1024 * 1024, 60, 3)
    assert (settings.size_bytes, settings.interval_s) == (5 * 1024 * 1024, 300)
    assert (settings.bucket, settings.delimiter, settings.is_compressed, settings.log) == (
        "b",
        b"",
        False,
        None,
    )


def test_what_is_said_counts() -> None:
    lambda_ = {
        "LambdaArn": LAMBDA,
        "BufferSizeInMBs": "0.5",
        "BufferIntervalInSeconds": "1",
        "NumberOfRetries": "0",
    }
    settings = read_settings(
        description(
            BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 5},
            CompressionFormat="GZIP",
            CloudWatchLoggingOptions={"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"},
            ProcessingConfiguration=processing(
                ("Lambda", lambda_), ("AppendDelimiterToRecord", {"Delimiter": "\\n"})
            ),
        )
    )
    assert settings.transform == TransformSettings(LAMBDA, 512 * 1024, 1, 0)
    assert (settings.size_bytes, settings.interval_s) == (1024 * 1024, 5)
    assert (settings.delimiter, settings.is_compressed, settings.log) == (b"\n", True, ("g", "s"))


def test_processing_that_is_switched_off_does_nothing() -> None:
    switched_off = processing(("Lambda", {"LambdaArn": LAMBDA})) | {"Enabled": False}
    assert read_settings(description(ProcessingConfiguration=switched_off)).transform is None
