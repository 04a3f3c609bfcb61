"""The time an invocation has left."""

import time
from typing import Any

# What the function needs to encode and hand over an answer after its last wait.
MARGIN_S = 1.0
_WITHOUT_CONTEXT_S = 30.0


class Deadline:
    """A moment by which waiting must end.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @classmethod
    def of(cls, context: Any) -> "Deadline":
        """Return the deadline of an invocation: its timeout less `MARGIN_S`."""
        remaining_ms = getattr(context, "get_remaining_time_in_millis", None)
        return cls(remaining_ms() / 1000 - MARGIN_S if remaining_ms else _WITHOUT_CONTEXT_S)

    @property
    def remaining_s(self) -> float:
        """Seconds that are left; 0 when it has passed."""
        return max(0.0, self._end - time.monotonic())
