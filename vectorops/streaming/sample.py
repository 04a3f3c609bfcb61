"""Made-up events of real customers and products."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from vectorops.streaming.events import Record, read_record

SENT_AT = "sent_at"
_SHARE_WITHOUT_HISTORY = 0.1
_SHARE_IN_CART = 0.3
_LONGEST_HISTORY = 8
# The product at place n of the popularity is browsed 1 / n ** 0.8 times as often as the first.
_POPULARITY_EXPONENT = 0.8


@dataclass(frozen=True)
class Shopper:
    """A customer as events name them.

    Attributes:
        number: Customer number.
        credit_limit: In the currency of the source, or None.
    """

    number: int
    city: str | None
    country: str | None
    credit_limit: float | None


def generate_events(
    shoppers: Sequence[Shopper],
    product_codes: Sequence[str],
    *,
    seed: int,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Record]:
    """Yield events without end; the same arguments give the same ones, but for `sent_at`.

    Some products are browsed far more often than others, about a tenth of the events have no history, and a
    third of what is browsed is in the cart.

    Args:
        shoppers: Who browses, at least one.
        product_codes: What is browsed, at least one.
        seed: Another seed gives other events.
        clock: The time, for `sent_at`, taken when an event is asked for.
    """
    random = np.random.default_rng(seed)
    codes = [product_codes[place] for place in random.permutation(len(product_codes))]
    popularity = np.cumsum(1 / np.arange(1, len(codes) + 1) ** _POPULARITY_EXPONENT)
    while True:
        shopper = shoppers[int(random.integers(len(shoppers)))]
        event = {
            "session_id": f"{int(random.integers(2**63)):016x}",
            "customer_number": shopper.number,
            "city": shopper.city,
            "country": shopper.country,
            "credit_limit": _plain(shopper.credit_limit),
            "browse_history": _history(codes, popularity, random),
            SENT_AT: clock().isoformat(timespec="milliseconds"),
        }
        yield read_record(json.dumps(event, ensure_ascii=False).encode())


def _history(codes: Sequence[str], popularity: Any, random: np.random.Generator) -> list[dict[str, Any]]:
    if random.random() < _SHARE_WITHOUT_HISTORY:
        return []
    length = min(int(random.geometric(0.4)), _LONGEST_HISTORY)
    places = np.searchsorted(popularity, random.random(length) * popularity[-1])
    return [
        {
            "product_code": codes[place],
            "quantity": int(random.geometric(0.5)),
            "in_shopping_cart": bool(random.random() < _SHARE_IN_CART),
        }
        for place in dict.fromkeys(places.tolist())
    ]


def _plain(amount: float | None) -> int | float | None:
    """Return a whole amount as an int, as the systems that send events write it."""
    return int(amount) if amount is not None and amount == int(amount) else amount
