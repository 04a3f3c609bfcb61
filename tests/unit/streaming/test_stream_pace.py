"""The rate, by a clock that only sleeping moves."""

import pytest

from vectorops.streaming.events import Record
from vectorops.streaming.pace import Pace
from vectorops.streaming.sending import MAX_BATCH_BYTES, batches


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pace_of(clock: Clock, rate: float | None) -> Pace:
    return Pace(rate, clock=clock, sleep=clock.sleep)


def test_the_rate_is_kept_to_the_record(clock: Clock) -> None:
    pace = pace_of(clock, 200)
    for _ in range(10):
        pace.wait()
        pace.take(200)
        clock.now += 0.25  # what a call takes
    pace.wait()
    assert clock.now == pytest.approx(1_010.0)


def test_a_hiccup_is_made_up_for_and_a_long_halt_is_not(clock: Clock) -> None:
    pace = pace_of(clock, 100)
    pace.take(100)
    clock.now += 1.5
    pace.take(100)
    pace.wait()
    assert clock.now == pytest.approx(1_002.0)
    clock.now += 60
    pace.take(100)
    pace.wait()
    pace.take(100)
    pace.wait()
    assert clock.now == pytest.approx(1_063.0)


def test_without_a_rate_nothing_waits(clock: Clock) -> None:
    pace = pace_of(clock, None)
    pace.take(10**9)
    pace.wait()
    assert clock.now == 1_000.0


def test_a_wait_ends_soon_after_a_stop(clock: Clock) -> None:
    pace = pace_of(clock, 1)
    pace.take(3_600)
    pace.wait(lambda: clock.now > 1_001)
    assert 1_001 <= clock.now < 1_001.3


def sizes_of(records: list[Record], clock: Clock, most: int = 500) -> list[int]:
    return [len(batch) for batch in batches(records, pace=pace_of(clock, None), most=most)]


def test_batches_hold_what_kinesis_takes_and_no_record_is_lost(clock: Clock) -> None:
    small, large = Record(b"x", "k"), Record(b"x" * 1_000_000, "k")
    assert sizes_of([small] * 1_201, clock) == [500, 500, 201]
    assert sizes_of([large] * 11, clock) == [5, 5, 1]
    assert sizes_of([small] * 7, clock, most=3) == [3, 3, 1]
    exact = Record(b"x" * (MAX_BATCH_BYTES // 5 - 1), "k")
    assert sizes_of([exact] * 5 + [small], clock) == [5, 1]
