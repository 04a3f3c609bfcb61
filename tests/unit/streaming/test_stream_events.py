import json
from typing import Any

import pytest

from vectorops.streaming.events import MAX_RECORD_BYTES, BadEventError, any_record, read_record


def encoded(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"customer_number": 103, "session_id": "a"}, "103"),
        ({"customer_number": "103", "session_id": "a"}, "103"),
        ({"customer_number": None, "session_id": "a"}, "a"),
        ({"customer_number": True, "session_id": "a"}, "a"),
        ({"customer_number": "", "session_id": "é" * 256}, "é" * 256),
    ],
)
def test_events_of_one_customer_share_a_partition_key(fields: dict[str, Any], key: str) -> None:
    assert read_record(encoded(**fields)).partition_key == key


@pytest.mark.parametrize("fields", [{}, {"customer_number": 10**300}, {"session_id": "x" * 257}])
def test_an_event_without_a_usable_name_is_keyed_by_its_content(fields: dict[str, Any]) -> None:
    record = read_record(encoded(**fields))
    assert len(record.partition_key) == 64
    assert record.partition_key == read_record(encoded(**fields)).partition_key
    assert record.partition_key != read_record(encoded(**fields, more=1)).partition_key


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"n": ' + b"1" * 5_000 + b"}", "not_json"),
        (b"\xff", "not_utf8"),
        (b"[1]", "not_an_object"),
        (b'{"recommended_items": []}', "reserved_field"),
        (b'{"similar_items": null}', "reserved_field"),
    ],
)
def test_what_the_transform_can_never_use_is_refused_and_still_makes_a_record(
    data: bytes, reason: str
) -> None:
    with pytest.raises(BadEventError) as caught:
        read_record(data)
    assert caught.value.reason == reason
    assert any_record(data).data == data


def test_the_partition_key_counts_against_the_limit_of_a_record() -> None:
    def record_of(size: int) -> bytes:
        return encoded(session_id="ab", text="x" * (size - len(encoded(session_id="ab", text=""))))

    assert read_record(record_of(MAX_RECORD_BYTES - 2)).size_bytes == MAX_RECORD_BYTES
    with pytest.raises(BadEventError, match="too_large"):
        read_record(record_of(MAX_RECORD_BYTES - 1))
