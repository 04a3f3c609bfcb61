"""Kinesis: tags given at creation, the metrics of a stream, word of new records, and none of them lost.

The library empties a stream whose number of shards changes, and lets an iterator pass over records when older
ones expire.
"""

import base64
import json
import threading
from collections import Counter, defaultdict
from typing import Any

from ministack.core.responses import json_response
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
    need(kinesis, "_streams", "_resolve_stream", "_shard_iterators")
    need(cloudwatch, "record_metric")
    replace(kinesis, "_create_stream", _create_stream)
    replace(kinesis, "_put_record", _put_record)
    replace(kinesis, "_put_records", _put_records)
    replace(kinesis, "_expire_records", _expire_records)
    replace(kinesis, "_update_shard_count", _update_shard_count)
    replace(kinesis, "_describe_stream_summary", _describe_stream_summary)


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


def _expire_records(original: Function) -> Function:
    """Leave iterators at their records, which the library counts from the oldest that is kept."""

    def expire_records(stream: Request) -> None:
        gone = Counter({name: len(shard["records"]) for name, shard in stream["shards"].items()})
        original(stream)
        gone.subtract({name: len(shard["records"]) for name, shard in stream["shards"].items()})
        if any(gone.values()):
            for iterator in kinesis._shard_iterators.values():
                if iterator["stream"] == stream["StreamName"]:
                    iterator["position"] = max(0, iterator["position"] - gone[iterator["shard_id"]])

    return expire_records


def _update_shard_count(original: Function) -> Function:
    """Keep the records. A shard that is no more is closed: it gets none, and can be read to its end."""

    def update_shard_count(data: Request) -> Any:
        _, stream = kinesis._resolve_stream(data)
        before = stream["shards"] if stream else {}
        response = original(data)
        if response[0] == 200:
            shards = stream["shards"]
            for name, shard in before.items():
                if name in shards:
                    shards[name]["records"] = shard["records"]
                else:  # behind the open ones, which take every key between them
                    shards[name] = {**shard, "is_closed": True}
        return response

    return update_shard_count


def _describe_stream_summary(original: Function) -> Function:
    """Count open shards, as the field's name says."""

    def describe_stream_summary(data: Request) -> Any:
        status, headers, body = original(data)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        _, stream = kinesis._resolve_stream(data)
        is_closed = [shard.get("is_closed", False) for shard in stream["shards"].values()]
        answer["StreamDescriptionSummary"]["OpenShardCount"] = is_closed.count(False)
        return json_response(answer)

    return describe_stream_summary
