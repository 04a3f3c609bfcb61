"""Records on their way through a delivery stream."""

import base64
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """A record as it was read from its stream.

    Attributes:
        arrival_ms: When it arrived there, in milliseconds since 1970.
    """

    shard: str
    sequence_number: str
    arrival_ms: int
    partition_key: str
    data: bytes


@dataclass(frozen=True)
class Failure:
    """A record that could not be transformed.

    Attributes:
        code: As Firehose calls the reason, such as "Lambda.ProcessingFailedStatus".
        attempts: How often the function was called with it.
        ended_ms: When the last attempt ended, in milliseconds since 1970.
    """

    record: Record
    code: str
    message: str
    attempts: int
    ended_ms: int


def error_line(failure: Failure, function_arn: str) -> bytes:
    """Return a failed record as Firehose writes it below the error prefix.

    The fields are those of "Data transformation failure handling", Amazon Data Firehose developer guide.
    """
    fields = {
        "attemptsMade": failure.attempts,
        "arrivalTimestamp": failure.record.arrival_ms,
        "errorCode": failure.code,
        "errorMessage": failure.message,
        "attemptEndingTimestamp": failure.ended_ms,
        "rawData": base64.b64encode(failure.record.data).decode(),
        "lambdaArn": function_arn,
    }
    return json.dumps(fields).encode() + b"\n"
