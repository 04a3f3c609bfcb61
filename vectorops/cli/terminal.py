"""The terminal: consoles that print what files, databases and services say without obeying it."""

from typing import TextIO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

PIPE_WIDTH = 240
# Control characters steer a terminal; those for the direction of writing let text look like another.
_STEERING = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_HARMLESS = dict.fromkeys(_STEERING, "�") | {ord("\n"): "\n", ord("\t"): "\t"}


def terminal(stream: TextIO) -> Console:
    """Return a console on `stream`; what steers a terminal is shown as "�" in all that it prints."""
    # What goes into a file or a pipe is never cut to the width of a terminal that is not there.
    width = None if stream.isatty() else PIPE_WIDTH
    console = Console(file=stream, highlight=False, emoji=False, width=width)
    console.push_render_hook(_Harmless())
    return console


def error_terminal() -> Console:
    """Return a console on stderr whose lines are not wrapped, so that commands in them can be copied."""
    console = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
    console.push_render_hook(_Harmless())
    return console


def harmless(text: str) -> str:
    """Return `text` with "�" for whatever would steer a terminal, line breaks and tabs left."""
    return text.translate(_HARMLESS)


class _Harmless(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Filtered(one) for one in renderables]


class _Filtered:
    """Draws another thing; the codes of rich itself are marked as such, and stay."""

    def __init__(self, drawn: ConsoleRenderable) -> None:
        self._drawn = drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._drawn, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)
