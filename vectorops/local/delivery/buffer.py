"""Collecting until there is enough, or until it has waited long enough."""

import time
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Buffer(Generic[Item]):
    """Items that belong into one batch.

    Args:
        size_bytes: At which the batch is full.
        interval_s: Seconds after the first item, at which the batch is due however small it is.
    """

    def __init__(self, size_bytes: int, interval_s: float) -> None:
        self._size_bytes = size_bytes
        self._interval_s = interval_s
        self._items: list[Item] = []
        self._held_bytes = 0
        self._first_at = 0.0

    def add(self, item: Item, size_bytes: int) -> None:
        """Put an item to the others."""
        if not self._items:
            self._first_at = time.monotonic()
        self._items.append(item)
        self._held_bytes += size_bytes

    def take(self) -> list[Item]:
        """Return the batch and begin the next one."""
        items, self._items, self._held_bytes = self._items, [], 0
        return items

    @property
    def is_full(self) -> bool:
        """Whether the batch has its size."""
        return self._held_bytes >= self._size_bytes

    @property
    def due_in_s(self) -> float | None:
        """Seconds until the batch is due, 0 when it is; None without an item."""
        if not self._items:
            return None
        return max(0.0, self._first_at + self._interval_s - time.monotonic())
