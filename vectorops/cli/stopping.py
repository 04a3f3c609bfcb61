"""Ctrl-C that lets what is under way come to its end."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vectorops.cli.state import AppState


@contextmanager
def stop_on_interrupt(state: AppState) -> Iterator[Callable[[], bool]]:
    """Yield what tells whether Ctrl-C was pressed; pressed again, it interrupts as usual."""
    presses, is_told = 0, False

    def note_press(number: int, frame: object) -> None:
        nonlocal presses
        presses += 1
        if presses > 1:
            raise KeyboardInterrupt

    def is_stopped() -> bool:
        nonlocal is_told
        if presses and not is_told:
            is_told = True
            state.note("stopping after what is under way; Ctrl-C again ends at once")
        return presses > 0

    before = signal.signal(signal.SIGINT, note_press)
    try:
        yield is_stopped
    finally:
        signal.signal(signal.SIGINT, before)
