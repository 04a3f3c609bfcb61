"""Failed records back into the stream, each once: twice in a row, at the same time, and over a kill."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.streaming.conftest import Place
from tests.integration.streaming.kinesis_server import running_kinesis
from tests.stream_samples import error_line
from vectorops.aws import Aws
from vectorops.errors import InputDataError
from vectorops.streaming.objects import hour_folder
from vectorops.streaming.replay import NOTES_PREFIX, Replay, ReplayReport, Selection
from vectorops.streaming.replay_log import LEASE, Claim, Note, ReplayLog, TakenError

NOW = datetime.now(UTC)
LAST_HOUR = Selection(NOW - timedelta(hours=1))
FOLDER = "errors/processing-failed/" + hour_folder(NOW)

Refusals = Callable[[int, list[bytes]], list[str]]


def event(number: int) -> bytes:
    return json.dumps({"session_id": f"s{number}", "customer_number": number % 7}).encode()


def lines(numbers: range) -> bytes:
    return b"".join(error_line(event(number)) + b"\n" for number in numbers)


def replay_of(place: Place, kinesis: Any = None, **options: Any) -> Replay:
    client = kinesis or place.kinesis
    return Replay(
        place.s3, client, bucket=place.bucket, errors_prefix="errors/", stream_name=place.stream, **options
    )


def replay(
    place: Place, selection: Selection = LAST_HOUR, kinesis: Any = None, **options: Any
) -> ReplayReport:
    return replay_of(place, kinesis, **options).run(selection)


def sent_numbers(taken: list[tuple[bytes, str]]) -> list[int]:
    return sorted(int(json.loads(data)["session_id"][1:]) for data, _ in taken)


def take_all(call: int, data: list[bytes]) -> list[str]:
    return [""] * len(data)


def test_failed_records_are_back_in_the_stream_once_and_by_customer_however_often_it_is_run(
    place: Place,
) -> None:
    place.put(FOLDER + "a", lines(range(600)))
    place.put(FOLDER + "b", gzip.compress(lines(range(600, 610))))
    first, second = replay(place), replay(place)
    assert (first.objects, first.replayed, first.before) == (2, 610, 0)
    assert (second.objects, second.replayed, second.before) == (2, 0, 610)
    assert sent_numbers(place.sent()) == list(range(610))
    assert {key for _, key in place.sent()} == {str(number) for number in range(7)}
    assert place.keys("errors/") == [FOLDER + "a", FOLDER + "b"]


def test_what_can_never_succeed_is_left_alone_unless_asked_for(place: Place) -> None:
    poison = [error_line(b"oops"), error_line(b"[]"), error_line(b"\xff\x00"), b"no failed record"]
    place.put(FOLDER + "a", lines(range(2)) + b"\n".join(poison))
    report = replay(place)
    assert (report.replayed, report.unreadable) == (2, 1)
    assert report.faulty == Counter({"not_json": 1, "not_an_object": 1, "not_utf8": 1})
    again = replay(place, replace(LAST_HOUR, include_faulty=True))
    assert (again.replayed, again.before) == (3, 2)
    assert [data for data, _ in place.sent()][2:] == [b"oops", b"[]", b"\xff\x00"]
    assert replay(place, replace(LAST_HOUR, include_faulty=True)).replayed == 0


def test_records_that_failed_for_another_reason_stay_for_another_replay(place: Place) -> None:
    other = error_line(event(1), errorCode="Lambda.MissingRecordId", errorMessage="missing")
    place.put(FOLDER + "a", lines(range(1)) + other)
    report = replay(place, replace(LAST_HOUR, reason="missingrecordid"))
    assert (report.replayed, report.deselected) == (1, 1)
    assert (report.reasons, report.messages) == (
        {"Lambda.MissingRecordId": 1},
        {"Lambda.MissingRecordId": "missing"},
    )
    assert sent_numbers(place.sent()) == [1]
    rest = replay(place)
    assert (rest.replayed, rest.before) == (1, 1)


def test_a_dry_run_counts_and_changes_nothing(place: Place) -> None:
    place.put(FOLDER + "a", lines(range(5)) + error_line(b"oops"))
    report = replay(place, is_dry_run=True)
    assert (report.replayed, sum(report.faulty.values()), report.is_dry_run) == (5, 1, True)
    assert place.sent() == []
    assert place.keys(NOTES_PREFIX) == []


def test_only_objects_written_since_are_replayed_also_in_folders_of_earlier_hours(place: Place) -> None:
    days_ago = NOW - timedelta(days=6)
    place.put(f"errors/processing-failed/{hour_folder(days_ago)}late", lines(range(3)))
    assert replay(place, Selection(NOW + timedelta(hours=1))).objects == 0
    assert replay(place).replayed == 3


def test_two_replays_at_once_send_every_record_once_between_them(place: Place) -> None:
    for number in range(3):
        place.put(FOLDER + str(number), lines(range(number * 1_000, number * 1_000 + 700)))
    others: list[ReplayReport] = []

    def start_another(call: int, data: list[bytes]) -> list[str]:
        if call == 1:
            others.append(replay(place, kinesis=server.client()))
        return take_all(call, data)

    with running_kinesis(start_another) as server:
        report = replay(place, kinesis=server.client())
    assert (others[0].busy, others[0].replayed) == (1, 1_400)
    assert (report.busy, report.replayed, report.before) == (0, 700, 1_400)
    expected = [number for start in (0, 1_000, 2_000) for number in range(start, start + 700)]
    assert sent_numbers(server.taken) == expected


def test_a_replay_whose_object_was_taken_over_leaves_it(place: Place) -> None:
    place.put(FOLDER + "a", lines(range(1_200)))

    def take_over(call: int, data: list[bytes]) -> list[str]:
        log = ReplayLog(place.s3, place.bucket, NOTES_PREFIX)
        log.write(replace(log.read(FOLDER + "a"), claim=Claim("r", "elsewhere", 1, datetime.now(UTC))))
        return take_all(call, data)

    with running_kinesis(take_over) as server:
        report = replay(place, kinesis=server.client())
    assert (report.replayed, report.busy, len(server.calls)) == (500, 1, 1)


def test_after_a_kill_the_next_replay_goes_on_and_only_the_batch_under_way_is_there_twice(
    place: Place, aws: Aws
) -> None:
    place.put(FOLDER + "a", lines(range(1_800)))
    started: list[subprocess.Popen[bytes]] = []

    def kill(call: int, data: list[bytes]) -> list[str]:
        if call == 3:
            os.kill(started[0].pid, signal.SIGKILL)
            started[0].wait()
        return take_all(call, data)

    with running_kinesis(kill) as server:
        urls = (str(aws.endpoint_url), server.url, place.bucket, place.stream)
        module = "tests.integration.streaming.replaying_process"
        started.append(subprocess.Popen([sys.executable, "-m", module, *urls]))
        assert started[0].wait() == -signal.SIGKILL
        assert len(server.calls) == 3
        report = replay(place, kinesis=server.client())
    assert (report.before, report.replayed, report.perhaps_twice) == (1_000, 800, 500)
    counts = Counter(sent_numbers(server.taken))
    assert sorted(counts) == list(range(1_800))
    assert {number for number, count in counts.items() if count == 2} == set(range(1_000, 1_500))
    assert replay(place).replayed == 0


@pytest.mark.parametrize(("age", "busy"), [(timedelta(0), 1), (LEASE * 2, 0)])
def test_a_claim_of_another_machine_holds_until_it_is_too_old(
    place: Place, age: timedelta, busy: int
) -> None:
    place.put(FOLDER + "a", lines(range(3)))
    claim = Claim("r", "elsewhere", 1, datetime.now(UTC) - age)
    ReplayLog(place.s3, place.bucket, NOTES_PREFIX).write(
        Note(FOLDER + "a", sending=frozenset({0, 1}), claim=claim)
    )
    report = replay(place)
    assert report.busy == busy
    assert (report.replayed, report.perhaps_twice) == ((0, 0) if busy else (3, 2))


def test_records_that_kinesis_refuses_are_replayed_by_the_next_run(place: Place) -> None:
    place.put(FOLDER + "a", lines(range(20)))
    refused = {3, 4}

    def refuse(call: int, data: list[bytes]) -> list[str]:
        return ["InternalFailure" if sent_numbers([(one, "")])[0] in refused else "" for one in data]

    with running_kinesis(refuse) as server:
        first = replay(place, kinesis=server.client(), stop=lambda: len(server.calls) > 0)
        refused.clear()
        second = replay(place, kinesis=server.client())
    assert (first.replayed, first.failed) == (18, 2)
    assert (second.before, second.replayed, second.perhaps_twice) == (18, 2, 0)
    assert sent_numbers(server.taken) == list(range(20))


def test_a_stop_leaves_the_rest_for_later_and_no_claim(place: Place) -> None:
    place.put(FOLDER + "a", lines(range(1_200)))
    with running_kinesis(take_all) as server:
        first = replay(place, kinesis=server.client(), stop=lambda: len(server.calls) > 0)
        second = replay(place, kinesis=server.client())
    assert (first.replayed, second.replayed, second.perhaps_twice) == (500, 700, 0)


def test_a_note_that_was_written_though_its_answer_got_lost_is_not_taken_for_anothers(place: Place) -> None:
    log = ReplayLog(place.s3, place.bucket, NOTES_PREFIX)
    mine = Note("errors/x", replayed=frozenset({1, 2, 3, 9}), claim=Claim.new())
    log.write(mine)
    assert log.write(mine) == mine
    with pytest.raises(TakenError):
        log.write(replace(mine, replayed=frozenset({1})))


def test_a_note_that_is_none_of_ours_stops_the_replay(place: Place) -> None:
    place.put(FOLDER + "a", lines(range(3)))
    place.put(f"{NOTES_PREFIX}{FOLDER}a.json", b'{"format": 2}')
    with pytest.raises(InputDataError, match="format 2"):
        replay(place)
    assert place.sent() == []
