"""Durations as people write them."""

import re
from datetime import UTC, datetime, timedelta

from vectorops.errors import UsageError

# Dates begin with the year 1, and nothing here is so old.
_LONGEST = timedelta(days=36_500)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_HINT = "write it as 90s, 30m, 1h or 2d"


def parse_since(text: str) -> datetime:
    """Return the moment as long ago as "90s", "30m", "1h" or "2d".

    Raises:
        UsageError: It is no duration, or one of more than 36500 days.
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*([smhd])\s*", text, re.IGNORECASE)
    if not match:
        raise UsageError(f"'{text}' is not a duration", hint=_HINT)
    duration = timedelta(**{_UNITS[match[2].lower()]: int(match[1])})
    if duration > _LONGEST:
        raise UsageError(f"'{text}' is more than {_LONGEST.days} days", hint=_HINT)
    return datetime.now(UTC) - duration
