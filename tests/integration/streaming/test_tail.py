import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.streaming.conftest import Place
from vectorops.errors import InputDataError
from vectorops.streaming.objects import hour_folder
from vectorops.streaming.tail import Tail

PREFIX = "recommendations/"


class Clock:
    """The time, which a test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def tail_of(place: Place, clock: Clock, since: timedelta = timedelta(hours=1)) -> Tail:
    return Tail(place.s3, place.bucket, PREFIX, since=clock.now - since, now=clock)


def deliver(place: Place, moment: datetime, name: str, *sessions: str, pack: bool = False) -> None:
    content = b"".join(json.dumps({"session_id": one}).encode() + b"\n" for one in sessions)
    place.put(PREFIX + hour_folder(moment) + name, gzip.compress(content) if pack else content)


def new_sessions(tail: Tail) -> list[str]:
    return [found.event["session_id"] for found in tail.read_new() if found.event]


def test_every_delivered_line_is_shown_once_packed_or_not(place: Place, clock: Clock) -> None:
    tail = tail_of(place, clock)
    deliver(place, clock.now, "a", "1", "2")
    assert new_sessions(tail) == ["1", "2"]
    assert new_sessions(tail) == []
    deliver(place, clock.now, "b", "3", pack=True)
    assert new_sessions(tail) == ["3"]


def test_an_object_whose_name_comes_before_those_already_seen_is_shown_too(
    place: Place, clock: Clock
) -> None:
    tail = tail_of(place, clock)
    deliver(place, clock.now, "m", "1")
    assert new_sessions(tail) == ["1"]
    deliver(place, clock.now, "a", "2")
    deliver(place, clock.now - timedelta(hours=1), "z", "3")
    assert sorted(new_sessions(tail)) == ["2", "3"]


def test_the_tail_goes_on_in_the_next_hour(place: Place, clock: Clock) -> None:
    tail = tail_of(place, clock)
    assert new_sessions(tail) == []
    clock.now += timedelta(hours=1)
    deliver(place, clock.now, "a", "1")
    assert new_sessions(tail) == ["1"]


def test_folders_of_older_hours_are_looked_into_once_a_minute(place: Place, clock: Clock) -> None:
    tail = tail_of(place, clock, timedelta(hours=9))
    deliver(place, clock.now - timedelta(hours=8), "a", "1")
    assert new_sessions(tail) == ["1"]
    deliver(place, clock.now - timedelta(hours=8), "b", "2")
    assert new_sessions(tail) == []
    clock.now += timedelta(minutes=1)
    assert new_sessions(tail) == ["2"]


def test_what_is_there_already_can_be_passed_over(place: Place, clock: Clock) -> None:
    deliver(place, clock.now, "a", "1")
    tail = tail_of(place, clock)
    tail.skip_existing()
    deliver(place, clock.now, "b", "2")
    assert new_sessions(tail) == ["2"]
    assert new_sessions(tail_of(place, clock, timedelta(seconds=-60))) == []


def test_damaged_gzip_is_an_error_that_names_the_object(place: Place, clock: Clock) -> None:
    place.put(PREFIX + hour_folder(clock.now) + "a", gzip.compress(b"{}" * 100)[:-9])
    with pytest.raises(InputDataError, match=r"/a is damaged gzip data"):
        list(tail_of(place, clock).read_new())
