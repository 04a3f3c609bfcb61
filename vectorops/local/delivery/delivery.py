"""What a delivery stream does with its present configuration: read, transform, collect, write, move on."""

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from vectorops.aws import Aws
from vectorops.local.delivery.buffer import Buffer
from vectorops.local.delivery.configuration import DeliverySettings
from vectorops.local.delivery.objects import FAILED, Content, EvaluatePrefix, object_key, write_object
from vectorops.local.delivery.position import load_position, save_position
from vectorops.local.delivery.records import Record, error_line
from vectorops.local.delivery.source import Source
from vectorops.local.delivery.transform import Attempt, Outcome, transform
from vectorops.local.roles import role_credentials

logger = logging.getLogger(__name__)

_SERVICE = "firehose.amazonaws.com"
# Firehose waits for a function up to five minutes, and repeats a call itself.
_FUNCTION_READ_TIMEOUT_S = 310.0

# Called with namespace, name, value, unit and dimensions of a metric.
RecordMetric = Callable[[str, str, float, str, dict[str, str]], None]


@dataclass(frozen=True)
class Surroundings:
    """What a delivery stream has around it.

    Attributes:
        operator: The local target, with the operator's key.
        arrivals: Set whenever the source stream has got records.
        evaluate_prefix: Fills in the expressions of a prefix.
        record_metric: Puts a metric into CloudWatch.
        on_change: Called when something has been written.
    """

    operator: Aws
    arrivals: threading.Event
    evaluate_prefix: EvaluatePrefix
    record_metric: RecordMetric
    on_change: Callable[[], None]


class StoppedError(Exception):
    """The delivery stream is to end."""


class Delivery:
    """A delivery stream as it is configured now.

    Args:
        settings: What it does.
        position_file: Keeps how far it has come.
        surroundings: What it has around it.
        stopping: Set when it is to end.

    Raises:
        LocalTargetError: A role cannot be assumed.
    """

    def __init__(
        self,
        settings: DeliverySettings,
        position_file: Path,
        surroundings: Surroundings,
        stopping: threading.Event,
    ) -> None:
        self._settings = settings
        self._position_file = position_file
        self._around = surroundings
        self._stopping = stopping
        as_source, as_delivery = self._role(settings.source_role_arn), self._role(settings.delivery_role_arn)
        self._s3, self._logs = as_delivery.client("s3"), as_delivery.client("logs")
        self._lambda = as_delivery.client("lambda")
        self._position = load_position(position_file, settings.created)
        self._source = Source(
            as_source.client("kinesis"), settings.stream_arn, settings.created, self._position.done
        )
        hints = settings.transform
        self._waiting = Buffer[Record](hints.size_bytes if hints else 1, hints.interval_s if hints else 0)
        self._collected = Buffer[Outcome](settings.size_bytes, settings.interval_s)
        self._seen: dict[str, str] = {}
        self._oldest_ms: int | None = None

    def deliver_batch(self, is_current: Callable[[], bool]) -> None:
        """Read, transform and collect until the objects of a batch are written, or nothing is held.

        Args:
            is_current: Whether the settings are still those that it has. Asked after the first records of a
                batch were read: what has come after a change is left to the next one.

        Raises:
            botocore.exceptions.ClientError: AWS refused something.
            botocore.exceptions.BotoCoreError: The local target does not answer.
            StoppedError: It is to end.
        """
        while not self._collected.is_full and self._collected.due_in_s != 0:
            self._around.arrivals.clear()
            records = self._source.read()
            if records and not self._holds_records and not is_current():
                return
            self._note_read(records)
            for record in records:
                self._waiting.add(record, len(record.data))
                if self._waiting.is_full:
                    self._transform()
            if self._waiting.due_in_s == 0:
                self._transform()
            if not records and not self._wait():
                return
        self._write()

    @property
    def _holds_records(self) -> bool:
        return self._waiting.due_in_s is not None or self._collected.due_in_s is not None

    def _wait(self) -> bool:
        """Wait until there is something to do, and return whether anything is held."""
        due = [one for one in (self._waiting.due_in_s, self._collected.due_in_s) if one is not None]
        self._around.arrivals.wait(min(due, default=None))
        if self._stopping.is_set():
            raise StoppedError
        return bool(due)

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise StoppedError

    def _transform(self) -> None:
        records = self._waiting.take()
        if self._settings.transform:
            outcome = transform(
                self._lambda, self._settings, records, pause=self._pause, on_attempt=self._note_attempt
            )
        else:
            outcome = Outcome([record.data for record in records], [])
        oldest_ms = min(record.arrival_ms for record in records)
        self._oldest_ms = min(oldest_ms, self._oldest_ms or oldest_ms)
        self._seen |= {record.shard: record.sequence_number for record in records}
        self._collected.add(outcome, sum(map(len, outcome.delivered)))
        self._metric("SucceedProcessing.Records", len(outcome.delivered), "Count")

    def _write(self) -> None:
        outcomes = self._collected.take()
        contents = self._contents(outcomes)
        self._position.writing |= {
            one.kind: object_key(self._settings, one, self._around.evaluate_prefix)
            for one in contents
            if one.kind not in self._position.writing
        }
        self._save_position()
        for content in contents:
            if self._stopping.is_set():
                raise StoppedError
            self._write_one(content)
        self._position.done |= self._seen
        self._position.writing = {}
        self._save_position()
        self._seen, self._oldest_ms = {}, None
        self._around.on_change()

    def _contents(self, outcomes: list[Outcome]) -> list[Content]:
        settings, oldest_ms = self._settings, self._oldest_ms or 0
        function_arn = settings.transform.function_arn if settings.transform else ""
        delivered = [data + settings.delimiter for outcome in outcomes for data in outcome.delivered]
        failed = [error_line(one, function_arn) for outcome in outcomes for one in outcome.failures]
        contents = [Content("delivered", delivered, oldest_ms), Content(FAILED, failed, oldest_ms)]
        # What a kill has left is written again, if only empty: its records may have ended as the other kind.
        return [one for one in contents if one.lines or one.kind in self._position.writing]

    def _write_one(self, content: Content) -> None:
        try:
            size_bytes = write_object(self._s3, self._settings, self._position.writing[content.kind], content)
        except ClientError as exc:
            self._metric("DeliveryToS3.Success", 0, "Count")
            self._log("S3.AccessDenied" if "AccessDenied" in str(exc) else "S3.Error", str(exc))
            raise
        if content.kind != FAILED:
            self._metric("DeliveryToS3.Records", len(content.lines), "Count")
            self._metric("DeliveryToS3.Bytes", size_bytes, "Bytes")
            self._metric("DeliveryToS3.Success", 1, "Count")
            age_s = time.time() - content.oldest_ms / 1000
            self._metric("DeliveryToS3.DataFreshness", max(0.0, age_s), "Seconds")

    def _save_position(self) -> None:
        # A deleted folder means that nobody wants this any more, as a deleted delivery stream does.
        if self._stopping.is_set():
            raise StoppedError
        save_position(self._position_file, self._position)

    def _note_read(self, records: list[Record]) -> None:
        if records:
            behind_ms = max(self._source.behind_ms.values())
            stream = {"StreamName": self._settings.stream_arn.rpartition("/")[2]}
            self._around.record_metric(
                "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", behind_ms, "Milliseconds", stream
            )
            self._metric("DataReadFromKinesisStream.Records", len(records), "Count")

    def _note_attempt(self, attempt: Attempt) -> None:
        self._metric("ExecuteProcessing.Success", 0 if attempt.code else 1, "Count")
        self._metric("ExecuteProcessing.Duration", attempt.duration_s * 1000, "Milliseconds")
        if attempt.code:
            self._log(attempt.code, attempt.message)

    def _metric(self, name: str, value: float, unit: str) -> None:
        dimensions = {"DeliveryStreamName": self._settings.name}
        self._around.record_metric("AWS/Firehose", name, value, unit, dimensions)

    def _log(self, code: str, message: str) -> None:
        """Tell whoever operates it; where the role may not write the log, only the server's log has it."""
        logger.warning("delivery stream %s: %s: %s", self._settings.name, code, message)
        if self._settings.log is None:
            return
        fields = {
            "deliveryStreamARN": self._settings.arn,
            "destination": f"arn:aws:s3:::{self._settings.bucket}",
            "deliveryStreamVersionId": self._settings.version,
            "errorCode": code,
            "message": message,
        }
        event = {"timestamp": int(time.time() * 1000), "message": json.dumps(fields)}
        group, stream = self._settings.log
        try:
            self._logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])
        except (ClientError, BotoCoreError) as exc:
            logger.warning("delivery stream %s: no log in %s: %s", self._settings.name, group, exc)

    def _role(self, role_arn: str) -> Aws:
        operator = self._around.operator
        return Aws(
            operator.region,
            endpoint_url=operator.endpoint_url,
            credentials=role_credentials(operator, role_arn, service=_SERVICE),
            read_timeout_s=_FUNCTION_READ_TIMEOUT_S,
            attempts=1,
        )
