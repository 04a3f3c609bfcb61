import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from vectorops.streaming.objects import DeliveredObject, hour_folders
from vectorops.streaming.tail import read_recommendation

LANDED = DeliveredObject("recommendations/2026/11/21/06/x", datetime(2026, 11, 21, 6, 0, 10, tzinfo=UTC), 9)


def test_folders_are_of_utc_hours_over_the_turn_of_the_day() -> None:
    since = datetime(2026, 11, 20, 23, 59, 59, tzinfo=timezone(timedelta(hours=1)))
    until = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
    assert hour_folders(since, until) == ["2026/11/20/22/", "2026/11/20/23/", "2026/11/21/00/"]


@pytest.mark.parametrize(
    ("sent_at", "delay_s"),
    [
        ("2026-11-21T06:00:02.500+00:00", 7.5),
        ("2026-11-21T07:00:02.500+01:00", 7.5),
        ("2026-11-21T06:00:10.700+00:00", 0.0),
        ("2026-11-21T06:00:02", None),
        ("yesterday", None),
        (17, None),
        (None, None),
    ],
)
def test_the_delay_is_told_where_the_event_says_when_it_was_sent(
    sent_at: object, delay_s: float | None
) -> None:
    line = json.dumps({"session_id": "a", "sent_at": sent_at}).encode()
    assert read_recommendation(LANDED, line).delay_s == delay_s


@pytest.mark.parametrize("line", [b'{"a": 1}{"a": 2}', b"[1]", b"\xff", b"[" * 100_000])
def test_a_line_that_is_no_object_is_shown_as_such(line: bytes) -> None:
    found = read_recommendation(LANDED, line)
    assert found.event is None
    assert found.text
