import io
import os
import threading

import pytest

from vectorops.streaming.events import MAX_RECORD_BYTES
from vectorops.streaming.lines import EXPLANATIONS, BadLine, LiveLines, read_events


def read(content: bytes) -> tuple[list[bytes], list[BadLine]]:
    bad: list[BadLine] = []
    return [record.data for record in read_events(io.BytesIO(content), bad.append)], bad


def test_every_line_is_an_event_whatever_ends_it() -> None:
    events, bad = read(b'{"a": 1}\r\n\n  \n{"a": "\xc3\xa9"}\n{"a": 3}')
    assert events == [b'{"a": 1}', b'{"a": "\xc3\xa9"}', b'{"a": 3}']
    assert bad == []


def test_bad_lines_are_told_by_number_and_reason_and_the_others_are_read() -> None:
    too_long = b'{"a": "' + b"x" * 3 * MAX_RECORD_BYTES + b'"}'
    content = b"\n".join(
        [b'{"a": 1}', b"oops", b"\xff", b"[]", b'{"similar_items": 1}', too_long, b'{"a": 2}']
    )
    events, bad = read(content)
    assert events == [b'{"a": 1}', b'{"a": 2}']
    assert [line.line for line in bad] == [2, 3, 4, 5, 6]
    assert [line.reason for line in bad[:4]] == ["not_json", "not_utf8", "not_an_object", "reserved_field"]
    assert all(line.reason in EXPLANATIONS for line in bad)


def test_an_event_of_exactly_the_limit_is_taken_and_one_byte_more_is_too_large() -> None:
    event = b'{"session_id": "a", "b": "' + b"x" * MAX_RECORD_BYTES
    largest = event[: MAX_RECORD_BYTES - 3] + b'"}'
    assert read(largest + b"\n{}")[0] == [largest, b"{}"]
    assert read(event[: MAX_RECORD_BYTES - 2] + b'"}\n{}') == ([b"{}"], [BadLine(1, "too_large")])


def test_a_caller_that_refuses_bad_lines_stops_the_reading() -> None:
    def refuse(line: BadLine) -> None:
        raise ValueError(line.line)

    with pytest.raises(ValueError, match="2"):
        list(read_events(io.BytesIO(b"{}\noops\n{}"), refuse))


class Pipe:
    """A pipe, read as live lines until the time for it is up."""

    def __init__(self) -> None:
        reading, self.writing = os.pipe()
        self.stops = False
        self.lines = LiveLines(reading, lambda: self.stops)

    def write(self, content: bytes) -> None:
        os.write(self.writing, content)


def test_lines_of_a_pipe_are_those_of_a_file() -> None:
    pipe, content = Pipe(), b'{"a": 1}\r\n\n{"a": "' + b"x" * 20_000 + b'"}\n{"a": 3}'
    pipe.write(content)
    os.close(pipe.writing)
    assert [record.data for record in read_events(pipe.lines, lambda _: None)] == read(content)[0]


def test_of_a_long_line_of_a_pipe_as_much_is_returned_as_is_asked_for() -> None:
    pipe = Pipe()
    pipe.write(b"abcdef\ng\n")
    assert [pipe.lines.readline(4) for _ in range(3)] == [b"abcd", b"ef\n", b"g\n"]


def test_a_stop_ends_the_wait_for_a_silent_pipe_and_drops_half_a_line() -> None:
    pipe = Pipe()
    pipe.write(b"whole\nhalf")
    assert pipe.lines.readline(100) == b"whole\n"
    threading.Timer(0.05, setattr, (pipe, "stops", True)).start()
    assert [pipe.lines.readline(100) for _ in range(2)] == [b"", b""]
