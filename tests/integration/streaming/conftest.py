"""A stream and a bucket of each test's own, in the emulator."""

import secrets
from dataclasses import dataclass
from typing import Any

import pytest

from vectorops.aws import Aws


@dataclass(frozen=True)
class Place:
    """Where a test works.

    Attributes:
        stream: Kinesis stream with one shard.
    """

    kinesis: Any
    s3: Any
    stream: str
    bucket: str

    def sent(self) -> list[tuple[bytes, str]]:
        """Return the records in the stream with their partition keys, in order."""
        (shard,) = self.kinesis.list_shards(StreamName=self.stream)["Shards"]
        iterator = self.kinesis.get_shard_iterator(
            StreamName=self.stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found: list[tuple[bytes, str]] = []
        while True:
            answer = self.kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            found += [(record["Data"], record["PartitionKey"]) for record in answer["Records"]]
            iterator = answer["NextShardIterator"]
            if not answer["Records"]:
                return found

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def keys(self, prefix: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", [])]


@pytest.fixture
def place(aws: Aws) -> Place:
    name = f"test-{secrets.token_hex(6)}"
    kinesis, s3 = aws.client("kinesis"), aws.client("s3")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    s3.create_bucket(Bucket=name)
    return Place(kinesis, s3, name, name)
