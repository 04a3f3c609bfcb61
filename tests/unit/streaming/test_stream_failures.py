import base64
import json
from datetime import UTC, datetime

import pytest

from tests.stream_samples import error_line
from vectorops.streaming.failures import FailedRecord, read_failures


def test_a_line_of_firehose_is_read_back_to_the_byte() -> None:
    ([record], unreadable) = read_failures([error_line(b'{"a": "\xc3\xa9"}')])
    assert unreadable == 0
    assert record == FailedRecord(
        line=0,
        data=b'{"a": "\xc3\xa9"}',
        error_code="Lambda.FunctionError",
        error_message="The Lambda function was successfully invoked but it returned an error result.",
        attempts=4,
        failed_at=datetime(2026, 11, 18, 11, 7, 40, 500_000, tzinfo=UTC),
    )
    assert record.fault == ""


def test_lines_that_are_no_failed_record_are_counted_and_keep_their_place() -> None:
    lines = [
        b"{",
        b"[]",
        b"{}",
        error_line(b"{}", rawData="?"),
        error_line(b"{}", rawData=1),
        error_line(b"{}"),
    ]
    records, unreadable = read_failures(lines)
    assert [record.line for record in records] == [5]
    assert unreadable == 5


def test_fields_that_are_missing_or_odd_do_not_keep_a_record_from_being_replayed() -> None:
    line = json.dumps(
        {"rawData": base64.b64encode(b"{}").decode(), "attemptEndingTimestamp": 10**30}
    ).encode()
    ([record], _) = read_failures([line])
    assert (record.error_code, record.attempts, record.failed_at) == ("", 0, None)


@pytest.mark.parametrize(
    ("data", "fault"), [(b"oops", "not_json"), (b"[]", "not_an_object"), (b"\xff", "not_utf8"), (b"{}", "")]
)
def test_what_can_never_succeed_is_known_by_its_content(data: bytes, fault: str) -> None:
    ([record], _) = read_failures([error_line(data)])
    assert record.fault == fault


def test_a_reason_is_looked_for_in_code_and_message() -> None:
    ([record], _) = read_failures([error_line(b"{}")])
    assert record.is_about("")
    assert record.is_about("functionerror")
    assert record.is_about("error result")
    assert not record.is_about("MissingRecordId")
