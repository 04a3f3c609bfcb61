"""Keeping a rate."""

import time
from collections.abc import Callable

Stop = Callable[[], bool]
# What a hiccup has held up is made up for, up to this much.
_BURST_S = 1.0
_SLICE_S = 0.1


def never() -> bool:
    """Do not stop."""
    return False


def pause(seconds: float, stop: Stop = never, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Sleep, in slices, so that `stop` is noticed."""
    while seconds > 0 and not stop():
        sleep(min(seconds, _SLICE_S))
        seconds -= _SLICE_S


class Pace:
    """A token bucket that holds a second's worth.

    Args:
        rate: Records a second, or None for as many as go.
        clock: Seconds that only go forward.
        sleep: Waits; takes seconds.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    def wait(self, stop: Stop = never) -> None:
        """Wait until what was taken so far is within the rate, or until `stop`."""
        pause(self._next - self._clock(), stop, sleep=self._sleep)

    def take(self, count: int) -> None:
        """Say that `count` records are being sent now."""
        if self._rate is not None:
            self._next = max(self._next, self._clock() - _BURST_S) + count / self._rate
