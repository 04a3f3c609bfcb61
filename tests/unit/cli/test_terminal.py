import io

import pytest
from rich.markup import escape
from rich.table import Table

from vectorops.cli.group import show_error
from vectorops.cli.terminal import PIPE_WIDTH, harmless, terminal
from vectorops.errors import UsageError

NASTY = "a\x1b[2J\x9b2J\u202eb"
SHOWN = "a�[2J�2J�b"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_data_cannot_steer_the_terminal_and_colours_still_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Screen()
    table = Table("id", box=None)
    table.add_row(f"[red]{escape(NASTY)}[/red]")
    terminal(screen).print(table)
    assert f"\x1b[31m{SHOWN}" in screen.getvalue()


def test_line_breaks_and_tabs_are_left() -> None:
    assert harmless("a\n\tb") == "a\n\tb"
    assert harmless(NASTY) == SHOWN


def test_an_error_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(UsageError(f"no column {NASTY}"))
    assert "\x1b" not in capsys.readouterr().err


def test_what_goes_into_a_pipe_is_as_wide_as_it_needs() -> None:
    pipe = io.StringIO()
    terminal(pipe).print("x" * (PIPE_WIDTH - 1))
    assert pipe.getvalue() == "x" * (PIPE_WIDTH - 1) + "\n"
