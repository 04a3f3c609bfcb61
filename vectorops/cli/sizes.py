"""Sizes in bytes, as people read and write them."""

import re

from vectorops.errors import UsageError

_UNITS = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def size_text(size_bytes: int) -> str:
    """Return a size such as "12 MiB"."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def parse_size(text: str) -> int:
    """Return the bytes of "512MB" or "1.5 GiB"; as in PostgreSQL, 1 MB is 1024 x 1024 bytes.

    Raises:
        UsageError: It is no size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?b)\s*", text, re.IGNORECASE)
    if not match:
        raise UsageError(f"'{text}' is not a size", hint="write it as 512MB or 2GB")
    return round(float(match[1]) * _UNITS[match[2].lower()])
