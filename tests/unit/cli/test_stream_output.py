import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from vectorops.cli.stream_output import recommendation_json, recommendation_text, show_replayed, show_status
from vectorops.streaming.metrics import Reading
from vectorops.streaming.objects import DeliveredObject
from vectorops.streaming.replay import ReplayReport
from vectorops.streaming.status import Failures, Part, PipelineStatus
from vectorops.streaming.tail import read_recommendation

LANDED = datetime(2026, 11, 21, 6, 0, 10, tzinfo=UTC)


def printed(text: str) -> str:
    console = Console(file=io.StringIO(), width=300)
    console.print(text)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def shown(**fields: Any) -> str:
    found = read_recommendation(DeliveredObject("k", LANDED, 1), json.dumps(fields).encode())
    assert json.loads(recommendation_json(found))["event"] == fields
    return printed(recommendation_text(found))


def items(*ids: str) -> list[dict[str, Any]]:
    return [{"id": one, "score": 0.5} for one in ids]


def test_a_recommendation_is_one_line_with_who_what_and_how_late() -> None:
    line = shown(
        customer_number=103,
        city="Nantes",
        country="France",
        sent_at="2026-11-21T06:00:02.500Z",
        recommended_items=items("A", "B", "C", "D"),
        similar_items={"product_code": "X", "similar_items": items("Y")},
    )
    assert "+7.5s" in line
    assert "customer 103 (Nantes, France): A 0.50, B 0.50, C 0.50 and 1 more" in line
    assert "like X: Y 0.50" in line
    assert line.count("\n") == 1


def test_an_event_cannot_steer_the_terminal() -> None:
    line = shown(city="Nan\x1b[2J\x9b2J\ntes", recommended_items=items("A\x1b]0;title\x07"))
    assert "Nan�[2J�2J�tes" in line
    assert "A�]0;title� 0.50" in line
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"customer_number": {"a": 1}, "city": ["[bold]"], "recommended_items": "none", "similar_items": []},
        {"recommended_items": [1], "similar_items": {"product_code": 7, "similar_items": [{"id": "a"}]}},
        {"recommended_items": [{"id": "a", "score": "high"}], "sent_at": 1},
    ],
)
def test_an_odd_object_is_shown_and_never_stops_the_tail(fields: dict[str, Any]) -> None:
    assert "customer" in shown(**fields)


def test_a_line_that_is_no_object_is_shown_in_its_words() -> None:
    found = read_recommendation(DeliveredObject("k", LANDED, 1), b'{"a": 1}{"a": [2]}')
    assert 'not a JSON object: {"a": 1}{"a": [2]}' in printed(recommendation_text(found))
    assert json.loads(recommendation_json(found))["text"] == '{"a": 1}{"a": [2]}'


def test_a_replay_says_what_it_cannot_promise() -> None:
    console = Console(file=io.StringIO(), width=200)
    show_replayed(console, ReplayReport(objects=3, replayed=700, perhaps_twice=500, busy=1))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Replayed 700 records of 3 error objects" in text
    assert "500 of them" in text
    assert "1 objects were left to another replay" in text


def test_a_replay_says_why_records_had_failed() -> None:
    console = Console(file=io.StringIO(), width=200)
    failed = ReplayReport(objects=1, replayed=20, reasons=Counter(A=15, B=5), messages={"A": "[x]", "B": "y"})
    show_replayed(console, failed)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "15 failed with A: [x]" in text
    assert "5 failed with B: y" in text


def test_a_figure_without_data_says_so_and_is_no_zero() -> None:
    console = Console(file=io.StringIO(), width=200)
    readings = [Reading("events_in", "records", None, None, None), Reading("f.errors", "calls", 0, 0, LANDED)]
    parts = [Part("stream", "s", "ACTIVE", "")]
    show_status(console, PipelineStatus(LANDED, LANDED, parts, readings, Failures(0, 0, None)))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split()[-2:] for line in lines if line.startswith("events in")] == [["no", "data"]]
    assert any(line.split()[:3] == ["errors", "0", "0"] for line in lines)


def test_a_figure_of_another_day_is_shown_with_its_day() -> None:
    console = Console(file=io.StringIO(), width=200)
    day = timedelta(days=1)
    readings = [
        Reading("events_in", "records", 5, 3, LANDED - day),
        Reading("delivered", "records", 5, 3, LANDED),
    ]
    failures = Failures(1, 10, LANDED - day)
    show_status(console, PipelineStatus(LANDED - 2 * day, LANDED, [], readings, failures))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    before, now = ((LANDED - days * day).astimezone() for days in (1, 0))
    assert lines["events in"].endswith(f" 3  {before:%Y-%m-%d %H:%M:%S}")
    assert lines["recommendations delivered"].rstrip().endswith(f" 3  {now:%H:%M:%S}")
    assert f"the last at {before:%Y-%m-%d %H:%M:%S}" in text
