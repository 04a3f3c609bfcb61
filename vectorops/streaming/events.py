"""Events of user activity as records of a Kinesis stream."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

# Data and partition key together, unless a stream was told to take larger ones (API reference, PutRecords).
MAX_RECORD_BYTES = 1_048_576
# What the transform adds, and therefore refuses in an event.
RESERVED_FIELDS = frozenset({"recommended_items", "similar_items"})
_LONGEST_KEY = 256


class BadEventError(Exception):
    """Data that the transform can never add recommendations to.

    Args:
        reason: In the words of the transform's log (docs/concepts/streaming.md), or "too_large".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Record:
    """A record for a stream.

    Attributes:
        data: As it will be stored.
        partition_key: Records with the same key go to the same shard; 1 to 256 characters.
    """

    data: bytes
    partition_key: str

    @property
    def size_bytes(self) -> int:
        """What counts against the limits of Kinesis."""
        return len(self.data) + len(self.partition_key.encode())


def read_record(data: bytes) -> Record:
    """Return the record that stores `data`, an event, under its customer's partition key.

    Raises:
        BadEventError: It is too large, is no JSON object, or has a field that the transform adds.
    """
    record = Record(data, _partition_key(_fields(data), data))
    if record.size_bytes > MAX_RECORD_BYTES:
        raise BadEventError("too_large")
    return record


def any_record(data: bytes) -> Record:
    """Return the record that stores `data`, whatever it is; without a customer, the key is its hash."""
    try:
        return read_record(data)
    except BadEventError:
        return Record(data, _partition_key({}, data))


def _fields(data: bytes) -> dict[str, Any]:
    try:
        fields = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise BadEventError("not_utf8") from exc
    except (ValueError, RecursionError) as exc:
        raise BadEventError("not_json") from exc
    if not isinstance(fields, dict):
        raise BadEventError("not_an_object")
    if fields.keys() & RESERVED_FIELDS:
        raise BadEventError("reserved_field")
    return fields


def _partition_key(fields: dict[str, Any], data: bytes) -> str:
    for name in ("customer_number", "session_id"):
        value = fields.get(name)
        if (
            isinstance(value, int | str)
            and not isinstance(value, bool)
            and 1 <= len(str(value)) <= _LONGEST_KEY
        ):
            return str(value)
    return hashlib.sha256(data).hexdigest()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
