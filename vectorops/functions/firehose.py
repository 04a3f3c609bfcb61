"""Firehose's contract for functions that transform records."""

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict

# A response over 6 MB fails the whole batch; this leaves room for how the runtime encodes it.
MAX_RESPONSE_BYTES = 5_000_000


class Reason(StrEnum):
    """Why a record failed, for logs: never what was in it."""

    NOT_BASE64 = "not_base64"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    RESERVED_FIELD = "reserved_field"
    RESPONSE_FULL = "response_full"


class TransformedRecord(TypedDict):
    """One record of the response.

    Attributes:
        recordId: As it came.
        result: "Ok", "Dropped" or "ProcessingFailed".
        data: Base64; "" for a failed record, of which Firehose keeps the original.
    """

    recordId: str
    result: str
    data: str


class Response(TypedDict):
    """What the function returns: every record of the batch once, in order."""

    records: list[TransformedRecord]


class BadRecordError(Exception):
    """A record that cannot be transformed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Event:
    """A record that was understood.

    Attributes:
        text: Its JSON as it came, on one line.
        fields: The same, parsed.
    """

    text: str
    fields: dict[str, Any]


def read_event(data: object, *, reserved: AbstractSet[str]) -> Event:
    """Return the JSON object that `data` holds in base64.

    Args:
        data: As it came.
        reserved: Fields that the function adds, which the object must therefore not have.

    Raises:
        BadRecordError: It holds no object, or one with a reserved field. NaN and infinities are no JSON.
    """
    text = _text(data)
    try:
        fields = _DECODER.decode(text)
    except (ValueError, RecursionError) as exc:
        raise BadRecordError(Reason.NOT_JSON) from exc
    if not isinstance(fields, dict):
        raise BadRecordError(Reason.NOT_AN_OBJECT)
    if fields.keys() & reserved:
        raise BadRecordError(Reason.RESERVED_FIELD)
    # JSON strings hold no line breaks, so these stand between its tokens.
    return Event(text.replace("\r", " ").replace("\n", " ").strip(" \t"), fields)


def add_fields(event: Event, added: str) -> str:
    """Return `event` with the fields of the JSON object `added` at its end, without a line break.

    What was there stays letter for letter: order, spelling of numbers, fields nobody knows.
    """
    separator = "," if event.fields else ""
    return event.text[:-1] + separator + added[1:]


def respond(
    record_ids: Sequence[str], outcomes: Iterable[str | Reason], *, max_bytes: int = MAX_RESPONSE_BYTES
) -> tuple[Response, dict[Reason, list[str]]]:
    """Return the response of at most `max_bytes` bytes, and the ids of the failed records by reason.

    Args:
        record_ids: Of all records, in the order they came.
        outcomes: For each record its new text, or why it failed.
        max_bytes: Records whose text would not fit fail as RESPONSE_FULL; those that fit go on.
    """
    left = max_bytes - _ENVELOPE - sum(_RECORD + len(json.dumps(record_id)) for record_id in record_ids)
    records: list[TransformedRecord] = []
    failed: dict[Reason, list[str]] = defaultdict(list)
    for record_id, outcome in zip(record_ids, outcomes, strict=True):
        data = "" if isinstance(outcome, Reason) else base64.b64encode(outcome.encode()).decode("ascii")
        if isinstance(outcome, Reason) or len(data) > left:
            reason = outcome if isinstance(outcome, Reason) else Reason.RESPONSE_FULL
            failed[reason].append(record_id)
            records.append({"recordId": record_id, "result": "ProcessingFailed", "data": ""})
        else:
            left -= len(data)
            records.append({"recordId": record_id, "result": "Ok", "data": data})
    return {"records": records}, dict(failed)


def _text(data: object) -> str:
    try:
        content = base64.b64decode(data, validate=True)  # type: ignore[arg-type]
    except (TypeError, ValueError, binascii.Error) as exc:
        raise BadRecordError(Reason.NOT_BASE64) from exc
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise BadRecordError(Reason.NOT_UTF8) from exc


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_ENVELOPE = len('{"records": []}')
_RECORD = len('{"recordId": , "result": "ProcessingFailed", "data": ""}, ')
