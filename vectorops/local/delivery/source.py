"""Reading a Kinesis stream, shard by shard, from where it was left."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vectorops.local.delivery.records import Record

# The most that GetRecords gives: what has gathered becomes one batch, on a slow machine too.
_RECORDS_PER_CALL = 10_000


class Source:
    """The shards of a stream.

    Args:
        kinesis: Kinesis client with the credentials of the source role.
        stream_arn: The stream.
        since: Where a shard without a position begins, in seconds since 1970.
        positions: By shard, the sequence number of the last record that is done with.

    Attributes:
        behind_ms: By shard, how long the next record has waited.
    """

    def __init__(self, kinesis: Any, stream_arn: str, since: float, positions: Mapping[str, str]) -> None:
        self.behind_ms: dict[str, int] = {}
        self._kinesis = kinesis
        self._stream_arn = stream_arn
        self._since = since
        self._positions = positions
        self._iterators: dict[str, str] = {}

    def read(self) -> list[Record]:
        """Return the next records of all shards; none when all have been read.

        Raises:
            botocore.exceptions.ClientError: The role may not read, or the stream is gone.
        """
        return [record for shard in self._shards() for record in self._read_shard(shard)]

    def _shards(self) -> list[str]:
        found = self._kinesis.list_shards(StreamARN=self._stream_arn)["Shards"]
        return [shard["ShardId"] for shard in found]

    def _read_shard(self, shard: str) -> list[Record]:
        if shard not in self._iterators:
            self._iterators[shard] = self._first_iterator(shard)
        answer = self._kinesis.get_records(
            ShardIterator=self._iterators.pop(shard), Limit=_RECORDS_PER_CALL, StreamARN=self._stream_arn
        )
        self._iterators[shard] = answer["NextShardIterator"]
        self.behind_ms[shard] = answer["MillisBehindLatest"]
        return [_record(shard, fields) for fields in answer["Records"]]

    def _first_iterator(self, shard: str) -> str:
        start: dict[str, Any]
        if shard in self._positions:
            number = self._positions[shard]
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": number}
        else:
            moment = datetime.fromtimestamp(self._since, UTC)
            start = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": moment}
        answer = self._kinesis.get_shard_iterator(StreamARN=self._stream_arn, ShardId=shard, **start)
        return str(answer["ShardIterator"])


def _record(shard: str, fields: Mapping[str, Any]) -> Record:
    return Record(
        shard=shard,
        sequence_number=fields["SequenceNumber"],
        arrival_ms=round(fields["ApproximateArrivalTimestamp"].timestamp() * 1000),
        partition_key=fields["PartitionKey"],
        data=fields["Data"],
    )
