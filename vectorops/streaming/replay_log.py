"""What has been replayed: a note in S3 beside each error object, written under a condition.

Two replays at once cannot both change a note: S3 refuses the one that has not seen the other's change. So
whoever has written down that it sends certain lines is the only one that does.
"""

import contextlib
import json
import os
import socket
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from vectorops.errors import InputDataError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FORMAT = 1
# Longer than one batch can take: see the limits in vectorops/streaming/sending.py and of the AWS client.
LEASE = timedelta(minutes=15)
_LOST_CODES = frozenset(
    {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404"}
)


class TakenError(Exception):
    """Another replay is at work on the object."""


@dataclass(frozen=True)
class Claim:
    """Who is sending records of an object.

    Attributes:
        run: Id of the replay.
        host: Name of its machine.
        pid: Its process there.
        renewed_at: When it last wrote the note.
    """

    run: str
    host: str
    pid: int
    renewed_at: datetime

    @classmethod
    def new(cls) -> "Claim":
        """Return a claim of this process."""
        return cls(uuid.uuid4().hex, socket.gethostname(), os.getpid(), datetime.now(UTC))

    def is_over(self) -> bool:
        """Whether who made it has died, or has not been heard of for longer than a batch can take."""
        if datetime.now(UTC) - self.renewed_at > LEASE:
            return True
        return self.host == socket.gethostname() and not _is_alive(self.pid)


@dataclass(frozen=True)
class Note:
    """What is known of one error object.

    Attributes:
        key: Of the error object.
        replayed: Its lines, from 0, that are in the stream again.
        sending: Lines that were being sent when the note was written; with no claim to go with them, or an
            old one, nobody knows whether they are in the stream.
        claim: Of who is at work on it, or None.
        is_complete: Whether nothing is left in the object to replay.
        etag: Of the note as it is in S3, or None when it is not there yet.
    """

    key: str
    replayed: frozenset[int] = frozenset()
    sending: frozenset[int] = frozenset()
    claim: Claim | None = None
    is_complete: bool = False
    etag: str | None = field(default=None, compare=False)


class ReplayLog:
    """Reads and writes the notes.

    Args:
        s3: Client that may read and write below `prefix`.
        bucket: Of the error objects.
        prefix: Under which a note has the key of its error object, and ".json".
    """

    def __init__(self, s3: "S3Client", bucket: str, prefix: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix

    def read(self, key: str) -> Note:
        """Return the note of an error object; an empty one where nothing was replayed yet.

        Raises:
            InputDataError: It is not one of ours.
        """
        name = self._name(key)
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=name)
        except ClientError as exc:
            if exc.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return Note(key)
            raise
        with _readable(f"s3://{self._bucket}/{name}"):
            return _from_json(key, json.loads(answer["Body"].read()), answer["ETag"])

    def write(self, note: Note) -> Note:
        """Put `note` in the place of the one it was made from, and return it as it is there.

        Raises:
            TakenError: Another replay has written in between.
        """
        condition: dict[str, Any] = {"IfMatch": note.etag} if note.etag else {"IfNoneMatch": "*"}
        try:
            answer = self._s3.put_object(
                Bucket=self._bucket,
                Key=self._name(note.key),
                Body=_to_json(note),
                ContentType="application/json",
                **condition,
            )
        except ClientError as exc:
            if exc.response["Error"]["Code"] not in _LOST_CODES:
                raise
            # Of a write that was repeated since its answer got lost, the repetition is refused.
            if (there := self.read(note.key)) == note:
                return there
            raise TakenError(note.key) from exc
        return replace(note, etag=answer["ETag"])

    def _name(self, key: str) -> str:
        return f"{self._prefix}{key}.json"


@contextlib.contextmanager
def _readable(url: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise InputDataError(
            f"{url} cannot be read as a note of what was replayed",
            why=str(exc),
            hint="delete it to replay all records of its error object again",
        ) from exc


def _to_json(note: Note) -> bytes:
    claim = note.claim
    document = {
        "format": FORMAT,
        "replayed": _ranges(note.replayed),
        "sending": _ranges(note.sending),
        "claim": claim and {**vars(claim), "renewed_at": claim.renewed_at.isoformat()},
        "is_complete": note.is_complete,
    }
    return json.dumps(document).encode()


def _from_json(key: str, document: dict[str, Any], etag: str) -> Note:
    if document["format"] != FORMAT:
        raise ValueError(f"it has format {document['format']}, this version reads {FORMAT}")
    claim = document["claim"]
    return Note(
        key=key,
        replayed=_numbers(document["replayed"]),
        sending=_numbers(document["sending"]),
        claim=claim and Claim(**{**claim, "renewed_at": datetime.fromisoformat(claim["renewed_at"])}),
        is_complete=document["is_complete"],
        etag=etag,
    )


def _ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Return numbers as first and last of each run without a gap."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def _numbers(ranges: Iterable[tuple[int, int]]) -> frozenset[int]:
    return frozenset(number for first, last in ranges for number in range(first, last + 1))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
