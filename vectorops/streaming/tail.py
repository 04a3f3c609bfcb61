"""Recommendations as they land in S3."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vectorops.streaming.objects import (
    HOUR,
    DeliveredObject,
    hour_folder,
    hour_folders,
    list_objects,
    read_lines,
)
from vectorops.streaming.sample import SENT_AT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# What waited in the stream longer than this lands in an older folder, which is looked at less often.
_RECENT = HOUR
_OLD_FOLDERS_EVERY_S = 60.0


@dataclass(frozen=True)
class Recommendation:
    """One delivered line.

    Attributes:
        key: Object that it is in.
        landed_at: When S3 stored that object.
        delay_s: From `sent_at` in the event, which `stream send` writes there, to `landed_at`; None for
            events that do not say when they were sent.
        event: The event with its recommendations; None when the line is not a JSON object.
        text: The line.
    """

    key: str
    landed_at: datetime
    delay_s: float | None
    event: dict[str, Any] | None
    text: str


class Tail:
    """Reads each delivered object once.

    The folders of this hour and the last are listed by every look, older ones (back to `since`) once a
    minute.

    Args:
        s3: Client that may list and read the bucket.
        bucket: Of the recommendations.
        prefix: Above the folders of hours.
        since: Objects that landed earlier are left out.
        now: The time.
    """

    def __init__(
        self,
        s3: "S3Client",
        bucket: str,
        prefix: str,
        *,
        since: datetime,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._since = since
        self._now = now
        self._seen: dict[str, set[str]] = {}
        self._old_listed_at: datetime | None = None

    def skip_existing(self) -> None:
        """Pass over what is there by now."""
        for _ in self._new_objects():
            pass

    def read_new(self) -> Iterator[Recommendation]:
        """Yield what has landed since the last call, oldest object first."""
        for found in sorted(self._new_objects(), key=lambda one: (one.landed_at, one.key)):
            for line in read_lines(self._s3, self._bucket, found.key):
                yield read_recommendation(found, line)

    def _new_objects(self) -> Iterator[DeliveredObject]:
        for folder in self._due_folders():
            seen = self._seen.setdefault(folder, set())
            for found in list_objects(self._s3, self._bucket, self._prefix + folder):
                if found.key not in seen:
                    seen.add(found.key)
                    if found.landed_at >= self._since:
                        yield found

    def _due_folders(self) -> list[str]:
        now = self._now()
        folders = hour_folders(self._since - _RECENT, now)
        is_due = (
            self._old_listed_at is None or (now - self._old_listed_at).total_seconds() >= _OLD_FOLDERS_EVERY_S
        )
        if is_due:
            self._old_listed_at = now
            return folders
        return [folder for folder in folders if folder >= hour_folder(now - _RECENT)]


def read_recommendation(found: DeliveredObject, line: bytes) -> Recommendation:
    """Return a line of a delivered object, with the delay where the event allows to tell it."""
    text = line.decode("utf-8", errors="backslashreplace")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        return Recommendation(found.key, found.landed_at, None, None, text)
    return Recommendation(
        found.key, found.landed_at, _delay_s(event.get(SENT_AT), found.landed_at), event, text
    )


def _delay_s(sent_at: object, landed_at: datetime) -> float | None:
    try:
        sent = datetime.fromisoformat(sent_at)  # type: ignore[arg-type]
        # S3 cuts the fraction of the second off, so that quick ones seem to land before they were sent.
        return max(0.0, round((landed_at - sent).total_seconds(), 3))
    except (TypeError, ValueError, OverflowError):
        return None
