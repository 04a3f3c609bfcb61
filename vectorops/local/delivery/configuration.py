"""What a delivery stream was told to do, from its deployed description."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# "BufferingHints" and "ProcessorParameter", Amazon Data Firehose API reference.
_MIB = 1024 * 1024
_DEFAULT_SIZE_MIB = 5
_DEFAULT_INTERVAL_S = 300
_DEFAULT_TRANSFORM_SIZE_MB = 1
_DEFAULT_TRANSFORM_INTERVAL_S = 60
_DEFAULT_RETRIES = 3

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class TransformSettings:
    """How the function is called.

    Attributes:
        function_arn: The function.
        size_bytes: Of the records, before base64, at which it is called.
        interval_s: Seconds after which it is called with what there is.
        retries: How often a call that failed is repeated.
    """

    function_arn: str
    size_bytes: int
    interval_s: int
    retries: int


@dataclass(frozen=True)
class DeliverySettings:
    """All that a delivery stream does.

    Attributes:
        created: When it was made, in seconds since 1970; it delivers what arrived since then.
        delimiter: What is appended to each record.
        size_bytes: Of what is collected for an object, before compression, at which it is written.
        interval_s: Seconds after which an object is written with what there is.
        log: Log group and log stream for what goes wrong, or None.
    """

    name: str
    arn: str
    version: str
    created: float
    stream_arn: str
    source_role_arn: str
    delivery_role_arn: str
    transform: TransformSettings | None
    delimiter: bytes
    bucket: str
    prefix: str
    error_prefix: str
    size_bytes: int
    interval_s: int
    is_compressed: bool
    log: tuple[str, str] | None


def read_settings(description: Fields) -> DeliverySettings:
    """Return the settings in a `DeliveryStreamDescription` from a Kinesis stream to extended S3."""
    source = description["Source"]["KinesisStreamSourceDescription"]
    target = description["Destinations"][0]["ExtendedS3DestinationDescription"]
    processors = _processors(target.get("ProcessingConfiguration", {}))
    hints = target.get("BufferingHints", {})
    return DeliverySettings(
        name=description["DeliveryStreamName"],
        arn=description["DeliveryStreamARN"],
        version=description["VersionId"],
        created=description["CreateTimestamp"].timestamp(),
        stream_arn=source["KinesisStreamARN"],
        source_role_arn=source["RoleARN"],
        delivery_role_arn=target["RoleARN"],
        transform=_transform(processors["Lambda"]) if "Lambda" in processors else None,
        delimiter=_delimiter(processors.get("AppendDelimiterToRecord")),
        bucket=target["BucketARN"].rpartition(":")[2],
        prefix=target.get("Prefix", ""),
        error_prefix=target.get("ErrorOutputPrefix", ""),
        size_bytes=int(hints.get("SizeInMBs", _DEFAULT_SIZE_MIB)) * _MIB,
        interval_s=int(hints.get("IntervalInSeconds", _DEFAULT_INTERVAL_S)),
        is_compressed=target.get("CompressionFormat") == "GZIP",
        log=_log(target.get("CloudWatchLoggingOptions", {})),
    )


def _processors(configuration: Fields) -> dict[str, dict[str, str]]:
    """Return the parameters of each kind of processor."""
    processors: Sequence[Fields] = configuration.get("Processors", []) if configuration.get("Enabled") else []
    return {
        one["Type"]: {each["ParameterName"]: each["ParameterValue"] for each in one.get("Parameters", [])}
        for one in processors
    }


def _transform(parameters: Mapping[str, str]) -> TransformSettings:
    size_mb = float(parameters.get("BufferSizeInMBs", _DEFAULT_TRANSFORM_SIZE_MB))
    return TransformSettings(
        function_arn=parameters["LambdaArn"],
        size_bytes=int(size_mb * _MIB),
        interval_s=int(parameters.get("BufferIntervalInSeconds", _DEFAULT_TRANSFORM_INTERVAL_S)),
        retries=int(parameters.get("NumberOfRetries", _DEFAULT_RETRIES)),
    )


def _delimiter(parameters: Mapping[str, str] | None) -> bytes:
    if parameters is None:
        return b""
    # Terraform and the console send a line break as a backslash and an n.
    return parameters.get("Delimiter", "\\n").encode().decode("unicode_escape").encode()


def _log(options: Fields) -> tuple[str, str] | None:
    return (options["LogGroupName"], options["LogStreamName"]) if options.get("Enabled") else None
