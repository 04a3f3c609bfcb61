from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.streaming.conftest import Place
from tests.integration.streaming.kinesis_server import running_kinesis
from vectorops.streaming.events import Record
from vectorops.streaming.sending import RETRY_WAITS_S, SendReport, send_records

THROTTLED = "ProvisionedThroughputExceededException"


def records(count: int) -> Iterator[Record]:
    return (Record(b"%d" % number, f"key {number}") for number in range(count))


def numbers(taken: list[tuple[bytes, str]]) -> list[int]:
    return sorted(int(data) for data, _ in taken)


class Waits:
    """Sleeping that only counts."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds


def test_records_arrive_in_full_batches_each_once(place: Place) -> None:
    seen: list[int] = []
    report = send_records(
        place.kinesis,
        place.stream,
        records(1_201),
        total=1_201,
        on_progress=lambda progress: seen.append(progress.acknowledged),
    )
    assert (report.acknowledged, report.failed, report.unsent, report.fault) == (1_201, 0, 0, None)
    assert seen == [500, 1_000, 1_201]
    assert place.sent() == [(record.data, record.partition_key) for record in records(1_201)]


def test_only_what_was_refused_is_sent_again_and_everything_is_counted() -> None:
    def refuse(call: int, data: list[bytes]) -> list[str]:
        thirds = {1: THROTTLED, 2: "InternalFailure"}
        return [thirds[call] if call in thirds and int(one) % 3 == 0 else "" for one in data]

    waits = Waits()
    with running_kinesis(refuse) as server:
        report = send_records(server.client(), "s", records(700), total=700, sleep=waits)
    assert [len(call) for call in server.calls] == [500, 167, 167, 200]
    assert numbers(server.taken) == list(range(700))
    assert (report.acknowledged, report.failed, report.unsent) == (700, 0, 0)
    assert report.resent == 334
    assert report.errors == Counter({THROTTLED: 167, "InternalFailure": 167})
    assert waits.seconds == pytest.approx(sum(RETRY_WAITS_S[:2]))


def test_a_stream_that_refuses_for_good_ends_the_sending_with_exact_counts() -> None:
    def refuse(call: int, data: list[bytes]) -> list[str]:
        return [THROTTLED if int(one) in (600, 601) else "" for one in data]

    waits = Waits()
    with running_kinesis(refuse) as server:
        report = send_records(server.client(), "s", records(2_000), total=2_000, sleep=waits)
    assert (report.acknowledged, report.failed, report.unsent) == (998, 2, 1_000)
    assert len(server.taken) == 998
    assert waits.seconds == pytest.approx(sum(RETRY_WAITS_S))
    assert report.fault is not None
    assert THROTTLED in report.fault.why


def test_a_stream_that_cannot_be_reached_is_not_taken_for_one_that_refuses() -> None:
    with running_kinesis(lambda call, data: [""] * len(data)) as server:
        client = server.client(attempts=1)
    report = send_records(client, "s", records(3), total=3, sleep=Waits())
    assert (report.acknowledged, report.failed, report.unsent) == (0, 3, 0)
    assert report.fault is not None
    assert "cannot be reached" in report.fault.what
    assert "doctor" in report.fault.hint


def test_a_stop_lets_the_batch_under_way_end_and_counts_the_rest_as_unsent() -> None:
    reports: list[SendReport] = []
    with running_kinesis(lambda call, data: [""] * len(data)) as server:
        report = send_records(
            server.client(),
            "s",
            records(5_000),
            total=5_000,
            stop=lambda: len(reports) == 2,
            on_progress=reports.append,
        )
    assert (report.acknowledged, report.failed, report.unsent, report.fault) == (1_000, 0, 4_000, None)
    assert numbers(server.taken) == list(range(1_000))


def test_a_stop_during_repetitions_counts_what_is_not_in_the_stream_as_failed() -> None:
    with running_kinesis(lambda call, data: [THROTTLED] * (len(data) - 1) + [""]) as server:
        report = send_records(
            server.client(), "s", records(10), total=10, stop=lambda: len(server.calls) > 2, sleep=Waits()
        )
    assert (report.acknowledged, report.failed, report.unsent) == (
        len(server.taken),
        10 - len(server.taken),
        0,
    )
    assert len(server.calls) == 3
    assert report.fault is None


def test_a_missing_stream_is_a_clear_error_and_nothing_is_tried_twice(place: Place) -> None:
    report = send_records(place.kinesis, "no-such-stream", records(3), total=3)
    assert (report.acknowledged, report.failed, report.unsent, report.resent) == (0, 3, 0, 0)
    assert report.fault is not None
    assert "vectorops deploy" in report.fault.hint


def test_records_are_taken_from_their_source_only_when_they_are_sent() -> None:
    taken_when_asked: list[int] = []

    def source() -> Iterator[Record]:
        for record in records(30):
            taken_when_asked.append(len(server.taken))
            yield record

    with running_kinesis(lambda call, data: [""] * len(data)) as server:
        send_records(server.client(), "s", source(), rate=10, sleep=Waits())
    assert taken_when_asked == [0] * 10 + [10] * 10 + [20] * 10
