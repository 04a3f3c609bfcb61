"""Kinesis: tags given at creation, the metrics of a stream, and word of new records."""

import base64
import threading
from collections import defaultdict
from typing import Any

from ministack.services import cloudwatch, kinesis

from vectorops.local.emulator.mending import Function, need, replace

Request = dict[str, Any]

# By ARN of a stream: one for each who waits for its records.
_WAITERS: defaultdict[str, list[threading.Event]] = defaultdict(list)


def arrivals(stream_arn: str) -> threading.Event:
    """Return a new event, which is set whenever the stream has got records."""
    event = threading.Event()
    _WAITERS[stream_arn].append(event)
    return event


def install() -> None:
    """Mend the library."""
    need(kinesis, "_streams", "_resolve_stream")
    need(cloudwatch, "record_metric")
    replace(kinesis, "_create_stream", _create_stream)
    replace(kinesis, "_put_record", _put_record)
    replace(kinesis, "_put_records", _put_records)


def _create_stream(original: Function) -> Function:
    def create_stream(data: Request) -> Any:
        response = original(data)
        if response[0] == 200:
            kinesis._streams[data["StreamName"]]["tags"] = dict(data.get("Tags") or {})
        return response

    return create_stream


def _put_record(original: Function) -> Function:
    def put_record(data: Request) -> Any:
        response = original(data)
        if response[0] == 200:
            _note_arrivals(data, [data])
        return response

    return put_record


def _put_records(original: Function) -> Function:
    def put_records(data: Request) -> Any:
        response = original(data)
        if response[0] == 200:  # the library takes all of them or none
            _note_arrivals(data, data["Records"])
        return response

    return put_records


def _note_arrivals(data: Request, records: list[Request]) -> None:
    """Count what has come in, as CloudWatch shows it, and wake who waits."""
    _, stream = kinesis._resolve_stream(data)
    dimensions = {"StreamName": stream["StreamName"]}
    size_bytes = sum(len(base64.b64decode(record["Data"])) for record in records)
    cloudwatch.record_metric("AWS/Kinesis", "IncomingRecords", len(records), "Count", dimensions)
    cloudwatch.record_metric("AWS/Kinesis", "IncomingBytes", size_bytes, "Bytes", dimensions)
    for event in _WAITERS[stream["StreamARN"]]:
        event.set()
