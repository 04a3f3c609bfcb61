"""How the pipeline is: its parts as AWS describes them, its figures, its failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vectorops.streaming.metrics import Metric, Reading, read_metrics
from vectorops.streaming.replay import find_error_objects

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Pipeline:
    """Names of the parts.

    Attributes:
        functions: Transform first.
        bucket: Of the recommendations.
        errors_prefix: Above the error objects in it.
    """

    stream: str
    delivery_stream: str
    functions: tuple[str, ...]
    bucket: str
    errors_prefix: str


@dataclass(frozen=True)
class Clients:
    """Clients that may describe the parts and read metrics and error objects."""

    kinesis: "KinesisClient"
    firehose: "FirehoseClient"
    lambda_: "LambdaClient"
    cloudwatch: "CloudWatchClient"
    s3: "S3Client"


@dataclass(frozen=True)
class Part:
    """One part of the pipeline.

    Attributes:
        state: In AWS's words, such as ACTIVE.
        detail: What else is worth knowing, or "".
    """

    kind: str
    name: str
    state: str
    detail: str


@dataclass(frozen=True)
class Failures:
    """Error objects; `vectorops stream replay` knows what is in them.

    Attributes:
        objects: How many were written in the time looked at.
        size_bytes: Of all of them, as stored.
        last_at: When the last one was written, or None.
    """

    objects: int
    size_bytes: int
    last_at: datetime | None


@dataclass(frozen=True)
class PipelineStatus:
    """The pipeline from `since` to `until`."""

    since: datetime
    until: datetime
    parts: Sequence[Part]
    readings: Sequence[Reading]
    failures: Failures


def pipeline_status(
    clients: Clients, pipeline: Pipeline, *, since: datetime, until: datetime
) -> PipelineStatus:
    """Ask AWS how the pipeline is and was."""
    functions = [clients.lambda_.get_function_configuration(FunctionName=name) for name in pipeline.functions]
    environ = functions[0].get("Environment", {}).get("Variables", {})
    own = (environ.get("POWERTOOLS_METRICS_NAMESPACE"), environ.get("POWERTOOLS_SERVICE_NAME"))
    found = list(find_error_objects(clients.s3, pipeline.bucket, pipeline.errors_prefix, since))
    return PipelineStatus(
        since=since,
        until=until,
        parts=[
            _stream(clients.kinesis, pipeline.stream),
            _delivery(clients.firehose, pipeline.delivery_stream),
            *(
                Part("function", one["FunctionName"], one.get("State", "unknown"), f"{one['MemorySize']} MB")
                for one in functions
            ),
        ],
        readings=read_metrics(clients.cloudwatch, metrics_of(pipeline, own), since=since, until=until),
        failures=Failures(
            objects=len(found),
            size_bytes=sum(one.size_bytes for one in found),
            last_at=max((one.landed_at for one in found), default=None),
        ),
    )


def metrics_of(pipeline: Pipeline, own: tuple[str | None, str | None]) -> list[Metric]:
    """Return what is measured.

    Args:
        pipeline: Names of the parts.
        own: Namespace and service under which the transform counts by itself, where it does.
    """
    stream, delivery = ("StreamName", pipeline.stream), ("DeliveryStreamName", pipeline.delivery_stream)
    kinesis, firehose = "AWS/Kinesis", "AWS/Firehose"
    refused = "WriteProvisionedThroughputExceeded"
    metrics = [
        Metric("events_in", "records", kinesis, "IncomingRecords", stream, "Sum"),
        Metric("events_refused", "records", kinesis, refused, stream, "Sum"),
        Metric("iterator_age", "s", kinesis, "GetRecords.IteratorAgeMilliseconds", stream, "Maximum", 1e-3),
        Metric("delivery_freshness", "s", firehose, "DeliveryToS3.DataFreshness", delivery, "Maximum"),
        Metric("delivered", "records", firehose, "DeliveryToS3.Records", delivery, "Sum"),
        Metric("transform_success", "share", firehose, "ExecuteProcessing.Success", delivery, "Mean"),
    ]
    namespace, service = own
    if namespace and service:
        metrics.append(
            Metric("records_failed", "records", namespace, "FailedRecords", ("service", service), "Sum")
        )
    for name in pipeline.functions:
        function = ("FunctionName", name)
        metrics += [
            Metric(f"{name}.{key}", unit, "AWS/Lambda", metric, function, statistic, scale)
            for key, unit, metric, statistic, scale in _FUNCTION_METRICS
        ]
    return metrics


_FUNCTION_METRICS: tuple[tuple[str, str, str, Any, float], ...] = (
    ("invocations", "calls", "Invocations", "Sum", 1.0),
    ("errors", "calls", "Errors", "Sum", 1.0),
    ("throttles", "calls", "Throttles", "Sum", 1.0),
    ("duration_mean", "s", "Duration", "Mean", 1e-3),
    ("duration_longest", "s", "Duration", "Maximum", 1e-3),
)


def _stream(kinesis: "KinesisClient", name: str) -> Part:
    found = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    mode = found.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED").lower().replace("_", "-")
    detail = f"{mode}, {found['OpenShardCount']} shards, keeps {found['RetentionPeriodHours']} hours"
    return Part("stream", name, found["StreamStatus"], detail)


def _delivery(firehose: "FirehoseClient", name: str) -> Part:
    found = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    hints = found["Destinations"][0].get("ExtendedS3DestinationDescription", {}).get("BufferingHints", {})
    detail = f"writes after {hints['IntervalInSeconds']} s or {hints['SizeInMBs']} MiB" if hints else ""
    return Part("delivery stream", name, found["DeliveryStreamStatus"], detail)
