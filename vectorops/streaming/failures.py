"""Records that a delivery stream could not deliver: JSON lines with the original in base64."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vectorops.streaming.events import BadEventError, read_record


@dataclass(frozen=True)
class FailedRecord:
    """One line of an error object.

    Source: Amazon Data Firehose Developer Guide, "Handle failure in data transformation".

    Attributes:
        line: Its place in the object, from 0.
        data: The record as it was sent.
        error_code: Such as "Lambda.FunctionError".
        error_message: In words.
        attempts: How often Firehose tried.
        failed_at: When it gave up, or None when the line does not say so.
    """

    line: int
    data: bytes
    error_code: str
    error_message: str
    attempts: int
    failed_at: datetime | None

    def is_about(self, text: str) -> bool:
        """Whether the error's code or message contains `text`, in any case."""
        return text.casefold() in f"{self.error_code} {self.error_message}".casefold()

    @property
    def fault(self) -> str:
        """Why no repetition can ever succeed, as the transform's log would say it; "" when one may."""
        try:
            read_record(self.data)
        except BadEventError as exc:
            return exc.reason
        return ""


def read_failures(lines: list[bytes]) -> tuple[list[FailedRecord], int]:
    """Return the failed records in the lines of an error object, and how many lines are none."""
    read = [_read_failure(number, line) for number, line in enumerate(lines)]
    failures = [record for record in read if record is not None]
    return failures, len(lines) - len(failures)


def _read_failure(number: int, line: bytes) -> FailedRecord | None:
    try:
        fields = json.loads(line)
        data = base64.b64decode(fields["rawData"], validate=True)
    except (ValueError, RecursionError, KeyError, TypeError, binascii.Error):
        return None
    return FailedRecord(
        line=number,
        data=data,
        error_code=str(fields.get("errorCode", "")),
        error_message=str(fields.get("errorMessage", "")),
        attempts=_whole(fields.get("attemptsMade")) or 0,
        failed_at=_moment(fields.get("attemptEndingTimestamp")),
    )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(milliseconds: Any) -> datetime | None:
    whole = _whole(milliseconds)
    try:
        return None if whole is None else datetime.fromtimestamp(whole / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None
