"""Streams of the emulator library, mended."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("ministack", reason="the local target is not installed: make setup")

from ministack.services import cloudwatch, kinesis

from vectorops.local.emulator import kinesis as mend

STREAM, SHARD = "mended", "shardId-000000000000"


@pytest.fixture(autouse=True)
def stream() -> Iterator[None]:
    """A stream of one shard; afterwards the library is as it was."""
    before = dict(vars(kinesis))
    mend.install()
    kinesis._create_stream({"StreamName": STREAM})
    yield
    kinesis._delete_stream({"StreamName": STREAM})
    vars(kinesis).update(before)
    cloudwatch.reset()


def put(*texts: str) -> None:
    for text in texts:
        data = base64.b64encode(text.encode()).decode()
        kinesis._put_record({"StreamName": STREAM, "PartitionKey": text, "Data": data})


def start(shard: str = SHARD) -> Any:
    request = {"StreamName": STREAM, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    return json.loads(kinesis._get_shard_iterator(request)[2])["ShardIterator"]


def read(iterator: Any) -> tuple[list[str], Any]:
    answer = json.loads(kinesis._get_records({"ShardIterator": iterator})[2])
    return [base64.b64decode(one["Data"]).decode() for one in answer["Records"]], answer["NextShardIterator"]


def shards() -> dict[str, Any]:
    found: dict[str, Any] = kinesis._streams[STREAM]["shards"]
    return found


def open_shards() -> Any:
    summary = json.loads(kinesis._describe_stream_summary({"StreamName": STREAM})[2])
    return summary["StreamDescriptionSummary"]["OpenShardCount"]


def expire(count: int) -> None:
    for record in shards()[SHARD]["records"][:count]:
        record["ApproximateArrivalTimestamp"] = 0


@pytest.mark.parametrize("expired", [1, 3])
def test_an_iterator_goes_on_where_it_was_when_older_records_expire(expired: int) -> None:
    put("a", "b", "c")
    _, iterator = read(start())
    expire(expired)
    put("d", "e")
    assert read(iterator)[0] == ["d", "e"]


def test_an_iterator_whose_next_records_have_expired_goes_on_with_the_oldest_there_is() -> None:
    iterator = start()
    put("a", "b", "c")
    expire(2)
    assert read(iterator)[0] == ["c"]


def test_a_stream_keeps_its_records_and_readers_when_it_gets_more_shards() -> None:
    put("a", "b")
    _, iterator = read(start())
    kinesis._update_shard_count({"StreamName": STREAM, "TargetShardCount": 3})
    put(*"cdefghij")
    after = [text for shard in shards() for text in read(iterator if shard == SHARD else start(shard))[0]]
    assert (open_shards(), sorted(after)) == (3, list("cdefghij"))


def test_a_shard_that_is_no_more_can_be_read_to_its_end_and_gets_no_records() -> None:
    kinesis._update_shard_count({"StreamName": STREAM, "TargetShardCount": 2})
    put(*"abcdefgh")
    (other,) = shards().keys() - {SHARD}
    closed = [base64.b64decode(one["Data"]).decode() for one in shards()[other]["records"]]
    kinesis._update_shard_count({"StreamName": STREAM, "TargetShardCount": 1})
    put(*"ijklmnop")
    assert closed
    assert (open_shards(), read(start(other))[0]) == (1, closed)
    assert sorted(read(start())[0] + closed) == list("abcdefghijklmnop")
