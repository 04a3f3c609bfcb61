"""Calling the transform function with Firehose's own event, and reading its answer."""

import base64
import binascii
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from vectorops.local.delivery.configuration import DeliverySettings
from vectorops.local.delivery.records import Failure, Record

# Lambda quotas: the payload of a synchronous call, in each direction.
_MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_REFUSALS = {
    "AccessDeniedException": "Lambda.InvokeAccessDenied",
    "ResourceNotFoundException": "Lambda.ResourceNotFound",
    "TooManyRequestsException": "Lambda.InvokeThrottled",
}


@dataclass(frozen=True)
class Outcome:
    """What became of a batch; every record is delivered, dropped or failed.

    Attributes:
        delivered: What goes into the object, in the order of the batch, without a delimiter.
        failures: Records for the error prefix.
    """

    delivered: list[bytes]
    failures: list[Failure]


@dataclass(frozen=True)
class Attempt:
    """One call of the function.

    Attributes:
        duration_s: Seconds that it took.
        code: Why it failed, as Firehose calls it, or "".
        message: The same in words.
        answer: What the function returned, when it did not fail.
    """

    duration_s: float
    code: str = ""
    message: str = ""
    answer: bytes = b""


def transform(
    lambda_: Any,
    settings: DeliverySettings,
    records: Sequence[Record],
    *,
    pause: Callable[[float], None],
    on_attempt: Callable[[Attempt], None],
) -> Outcome:
    """Have a batch transformed; a call that fails is repeated as often as the settings say.

    Args:
        lambda_: Lambda client with the credentials of the delivery role.
        settings: Of the delivery stream; it must have a transform.
        records: The batch.
        pause: Called with the seconds to wait before another attempt; may raise to give up.
        on_attempt: Called after every attempt.

    Raises:
        botocore.exceptions.BotoCoreError: Lambda could not be reached.
    """
    assert settings.transform is not None  # noqa: S101 - the caller's choice
    event = json.dumps(_event(settings, records)).encode()
    for number in range(1, settings.transform.retries + 2):
        attempt = _call(lambda_, settings.transform.function_arn, event)
        on_attempt(attempt)
        if not attempt.code:
            return _read_answer(attempt.answer, records, number)
        if number <= settings.transform.retries:
            pause(min(_FIRST_PAUSE_S * 2 ** (number - 1), _LONGEST_PAUSE_S))
    return _all_failed(records, attempt.code, attempt.message, number)


def _event(settings: DeliverySettings, records: Sequence[Record]) -> dict[str, Any]:
    return {
        "invocationId": str(uuid.uuid4()),
        "deliveryStreamArn": settings.arn,
        "sourceKinesisStreamArn": settings.stream_arn,
        "region": settings.arn.split(":")[3],
        "records": [
            {
                "recordId": _record_id(record),
                "approximateArrivalTimestamp": record.arrival_ms,
                "data": base64.b64encode(record.data).decode(),
                "kinesisRecordMetadata": {
                    "sequenceNumber": record.sequence_number,
                    "subsequenceNumber": 0,
                    "partitionKey": record.partition_key,
                    "shardId": record.shard,
                    "approximateArrivalTimestamp": record.arrival_ms,
                },
            }
            for record in records
        ],
    }


def _record_id(record: Record) -> str:
    return f"{record.sequence_number}000000"


def _call(lambda_: Any, function_arn: str, event: bytes) -> Attempt:
    began = time.monotonic()

    def failed(code: str, message: str) -> Attempt:
        return Attempt(time.monotonic() - began, code, message)

    try:
        response = lambda_.invoke(FunctionName=function_arn, Payload=event)
        answer: bytes = response["Payload"].read()
    except ClientError as exc:
        error = exc.response["Error"]
        return failed(_REFUSALS.get(error["Code"], "Lambda.InvokeFailed"), error["Message"])
    if "FunctionError" in response:
        return failed(*_function_error(answer))
    if len(answer) > _MAX_PAYLOAD_BYTES:
        return failed("Lambda.FunctionError", f"the answer has {len(answer):,} bytes, and may have 6 MB")
    return Attempt(time.monotonic() - began, answer=answer)


def _function_error(answer: bytes) -> tuple[str, str]:
    error = json.loads(answer or b"{}")
    code = (
        "Lambda.FunctionTimedOut" if error.get("errorType") == "Sandbox.Timedout" else "Lambda.FunctionError"
    )
    return code, f"{error.get('errorType')}: {error.get('errorMessage')}"


def _read_answer(answer: bytes, records: Sequence[Record], attempts: int) -> Outcome:
    try:
        results = json.loads(answer)["records"]
        counts = Counter(result["recordId"] for result in results)
    except (ValueError, TypeError, KeyError) as exc:
        message = f"the function's answer is no list of records: {exc}"
        return _all_failed(records, "Lambda.JsonProcessingException", message, attempts)
    by_id = {result["recordId"]: result for result in results}
    delivered, failures = [], []
    for record in records:
        try:
            delivered += list(_result(by_id.get(_record_id(record)), counts[_record_id(record)]))
        except _RecordError as exc:
            failures.append(Failure(record, exc.code, str(exc), attempts, _now_ms()))
    return Outcome(delivered, failures)


class _RecordError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _result(result: dict[str, Any] | None, count: int) -> Iterator[bytes]:
    """Yield the data of a record that the function returned as Ok, nothing for one that it dropped."""
    if result is None:
        raise _RecordError("Lambda.MissingRecordId", "the function's answer lacks this record")
    if count > 1:
        raise _RecordError("Lambda.DuplicatedRecordId", "the function's answer has this record twice")
    match result.get("result"):
        case "Ok":
            yield _data(result)
        case "Dropped":
            return
        case "ProcessingFailed":
            raise _RecordError("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
        case other:
            raise _RecordError(
                "Lambda.JsonProcessingException", f"the function says {other!r} of this record"
            )


def _data(result: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(result["data"], validate=True)
    except (KeyError, TypeError, binascii.Error) as exc:
        message = "the record is Ok, but has no data in base64"
        raise _RecordError("Lambda.JsonProcessingException", message) from exc


def _all_failed(records: Sequence[Record], code: str, message: str, attempts: int) -> Outcome:
    ended_ms = _now_ms()
    return Outcome([], [Failure(record, code, message, attempts, ended_ms) for record in records])


def _now_ms() -> int:
    return int(time.time() * 1000)
