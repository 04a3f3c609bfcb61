"""Durations as people write them."""

import re
from datetime import UTC, datetime, timedelta

from vectorops.errors import UsageError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_since(text: str) -> datetime:
    """Return the moment as long ago as "90s", "30m", "1h" or "2d".

    Raises:
        UsageError: It is no duration.
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*([smhd])\s*", text, re.IGNORECASE)
    if not match:
        raise UsageError(f"'{text}' is not a duration", hint="write it as 90s, 30m, 1h or 2d")
    return datetime.now(UTC) - timedelta(**{_UNITS[match[2].lower()]: int(match[1])})
