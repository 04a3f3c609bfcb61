"""Recommendations for users from what they are doing: one model call and one search for all of them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypedDict

from vectorops.recommender.catalogue import Catalogue, Neighbour, Search
from vectorops.recommender.inference import UserModel

# The index is asked for as many items more as the cart holds, so a cart must not have any size.
MAX_CART = 100
_NOTHING: frozenset[str] = frozenset()
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class SimilarItems(TypedDict):
    """The nearest items to one browsed item.

    Attributes:
        product_code: That item, or None where none was browsed.
        similar_items: Nearest items, best first; none for an unknown item.
    """

    product_code: str | None
    similar_items: list[Neighbour]


class Recommendation(TypedDict):
    """What is added to an event.

    Attributes:
        recommended_items: Nearest items to the user's vector, best first.
        similar_items: Nearest items to one browsed item.
    """

    recommended_items: list[Neighbour]
    similar_items: SimilarItems


@dataclass(frozen=True)
class Activity:
    """What an event says about a user.

    Attributes:
        user: Inputs of the user tower, as they came.
        cart: Product codes in the shopping cart; of more than `MAX_CART`, those added last.
        browsed: The product code that similar items are wanted for, or None.
    """

    user: Mapping[str, Any]
    cart: frozenset[str]
    browsed: str | None


def read_activity(event: Mapping[str, Any]) -> Activity:
    """Return what `event` says; a field that is missing, null or of another type says nothing.

    The browsed product is the last one in the cart, or else the last one of the history.
    """
    latest_first = list(_browsed(event.get("browse_history")))[::-1]
    in_cart = dict.fromkeys(code for code, is_in_cart in latest_first if is_in_cart)
    browsed = next(iter(in_cart), None) or next((code for code, _ in latest_first), None)
    user = {
        "city": event.get("city"),
        "country": event.get("country"),
        "creditlimit": event.get("credit_limit"),
    }
    return Activity(user, frozenset(islice(in_cart, MAX_CART)), browsed)


def recommend(
    events: Sequence[Mapping[str, Any]],
    model: UserModel,
    catalogue: Catalogue,
    *,
    limit: int,
    exclude_cart: bool = True,
) -> list[Recommendation]:
    """Return one recommendation per event, in their order.

    Args:
        events: User activity, see `read_activity`.
        model: The user tower whose item vectors are in `catalogue`.
        catalogue: Searched once.
        limit: Items in each list, or fewer where there are no more.
        exclude_cart: Whether items in the cart are left out of the recommended ones.
    """
    activities = [read_activity(event) for event in events]
    browsed = list(dict.fromkeys(one.browsed for one in activities if one.browsed is not None))
    without = [one.cart if exclude_cart else _NOTHING for one in activities]
    vectors = model.embed([one.user for one in activities])
    found = catalogue.search(Search(vectors, without, browsed, limit))
    return [
        {"recommended_items": items, "similar_items": _similar(one.browsed, found.by_item)}
        for one, items in zip(activities, found.by_vector, strict=True)
    ]


def as_json(recommendations: Sequence[Recommendation]) -> list[str]:
    """Return each recommendation of one batch as JSON; similar items that events share are written once."""
    similar: dict[str | None, str] = {}
    texts = []
    for one in recommendations:
        code = one["similar_items"]["product_code"]
        if code not in similar:
            similar[code] = _ENCODER.encode(one["similar_items"])
        items = _ENCODER.encode(one["recommended_items"])
        texts.append(f'{{"recommended_items":{items},"similar_items":{similar[code]}}}')
    return texts


def _browsed(history: object) -> Iterator[tuple[str, bool]]:
    """Yield product code and whether it is in the cart, for each entry that names a product."""
    for entry in history if isinstance(history, list) else ():
        if isinstance(entry, dict) and isinstance(code := entry.get("product_code"), str) and code:
            yield code, entry.get("in_shopping_cart") is True


def _similar(browsed: str | None, by_item: Mapping[str, list[Neighbour]]) -> SimilarItems:
    neighbours = by_item.get(browsed, []) if browsed is not None else []
    return {"product_code": browsed, "similar_items": neighbours}
