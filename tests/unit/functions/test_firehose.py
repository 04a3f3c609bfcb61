"""Firehose's contract, record by record."""

import base64
import json

import pytest

from vectorops.functions.firehose import (
    MAX_RESPONSE_BYTES,
    BadRecordError,
    Reason,
    add_fields,
    read_event,
    respond,
)

RESERVED = frozenset({"added"})


def encoded(content: str | bytes) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def transformed(text: str) -> str:
    return add_fields(read_event(encoded(text), reserved=RESERVED), '{"added":[1]}')


@pytest.mark.parametrize(
    "text",
    [
        '{"price":1.10,"big":123456789012345678901234567890,"tiny":1E-400,"same":1,"Same":2}',
        '{"b":1,"a":{"z":[],"y":"é\\u00e9\\n\\ud800"},"c":-0.0}',
        '{ "spaced" :\t1 }',
    ],
)
def test_what_came_goes_on_letter_for_letter(text: str) -> None:
    assert transformed(text) == text[:-1] + ',"added":[1]}'


def test_an_empty_object_gets_the_fields_without_a_comma() -> None:
    assert transformed("{}") == '{"added":[1]}'
    assert json.loads(transformed(" { } ")) == {"added": [1]}


def test_records_came_without_a_delimiter_now_each_is_one_line_and_the_stream_adds_the_break() -> None:
    line = transformed('\r\n{\r\n  "a": "b\\nc",\n  "d": 1\n}\n')
    assert not {"\n", "\r"} & set(line)
    assert json.loads(line) == {"a": "b\nc", "d": 1, "added": [1]}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, Reason.NOT_BASE64),
        (17, Reason.NOT_BASE64),
        ("é", Reason.NOT_BASE64),
        ("eyJh", Reason.NOT_JSON),
        ("e30=trailing", Reason.NOT_BASE64),
        (encoded(b"\xff{}"), Reason.NOT_UTF8),
        ("", Reason.NOT_JSON),
        (encoded('{"a": NaN}'), Reason.NOT_JSON),
        (encoded('{"a": [-Infinity]}'), Reason.NOT_JSON),
        (encoded('{"a": 1} {"b": 2}'), Reason.NOT_JSON),
        (encoded("\ufeff{}"), Reason.NOT_JSON),
        (encoded('{"a":' * 100_000 + "1" + "}" * 100_000), Reason.NOT_JSON),
        (encoded('{"a": ' + "9" * 5_000 + "}"), Reason.NOT_JSON),
        (encoded("[{}]"), Reason.NOT_AN_OBJECT),
        (encoded("null"), Reason.NOT_AN_OBJECT),
        (encoded('{"added": 1}'), Reason.RESERVED_FIELD),
    ],
)
def test_a_bad_record_is_refused_with_its_reason(data: object, reason: Reason) -> None:
    with pytest.raises(BadRecordError) as caught:
        read_event(data, reserved=RESERVED)
    assert caught.value.reason is reason


def test_a_response_over_6_mb_lost_the_whole_batch_now_only_what_does_not_fit_fails() -> None:
    texts = ["x" * 1_000_000, "y" * 3_000_000, "z" * 1_000_000]
    response, failed = respond(["a", "b", "c"], texts)
    assert [record["result"] for record in response["records"]] == ["Ok", "ProcessingFailed", "Ok"]
    assert failed == {Reason.RESPONSE_FULL: ["b"]}
    assert len(json.dumps(response)) <= MAX_RESPONSE_BYTES


def test_the_response_fills_its_budget_to_the_byte_and_not_beyond() -> None:
    record_ids, texts = ["r1", 'r"2', "r3"], ["abc", "defgh", "i" * 60]
    full, failed = respond(record_ids, texts)
    assert not failed
    # A failed record is counted for each, and the last has no comma after it.
    spare = 3 * (len("ProcessingFailed") - len("Ok")) + len(", ")
    size = len(json.dumps(full)) + spare
    assert respond(record_ids, texts, max_bytes=size)[0] == full
    _, failed = respond(record_ids, texts, max_bytes=size - 1)
    assert failed == {Reason.RESPONSE_FULL: ["r3"]}


def test_failed_records_carry_no_data_since_firehose_keeps_the_original() -> None:
    response, failed = respond(["a", "b"], [Reason.NOT_JSON, "{}"])
    assert response["records"] == [
        {"recordId": "a", "result": "ProcessingFailed", "data": ""},
        {"recordId": "b", "result": "Ok", "data": encoded("{}")},
    ]
    assert failed == {Reason.NOT_JSON: ["a"]}
