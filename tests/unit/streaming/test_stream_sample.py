import json
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from vectorops.streaming.sample import Shopper, generate_events

NOW = datetime(2026, 11, 21, 6, 30, 15, 250_000, tzinfo=UTC)
SHOPPERS = [Shopper(103, "Nantes", "France", 21_000.0), Shopper(112, "Besançon", "France ", None)]
CODES = [f"S{number}" for number in range(50)]


def events(count: int, seed: int = 1) -> list[dict[str, Any]]:
    made = generate_events(SHOPPERS, CODES, seed=seed, clock=lambda: NOW)
    return [json.loads(record.data) for record in islice(made, count)]


def test_the_same_seed_makes_the_same_events_and_another_seed_makes_others() -> None:
    assert events(50) == events(50)
    assert events(50) != events(50, seed=2)


def test_events_have_the_form_of_the_contract_and_say_when_they_were_sent() -> None:
    made = events(500)
    names = ["session_id", "customer_number", "city", "country", "credit_limit", "browse_history", "sent_at"]
    assert {tuple(event) for event in made} == {tuple(names)}
    assert {event["sent_at"] for event in made} == {"2026-11-21T06:30:15.250+00:00"}
    known = {(shopper.number, shopper.city, shopper.country) for shopper in SHOPPERS}
    assert {(event["customer_number"], event["city"], event["country"]) for event in made} == known
    assert {type(event["credit_limit"]) for event in made} == {int, type(None)}
    assert len({event["session_id"] for event in made}) == 500


def test_histories_are_of_known_products_each_once_and_some_are_popular() -> None:
    histories = [event["browse_history"] for event in events(2_000)]
    browsed = Counter(entry["product_code"] for history in histories for entry in history)
    assert set(browsed) <= set(CODES)
    assert all(len({entry["product_code"] for entry in history}) == len(history) for history in histories)
    assert 0.05 < sum(not history for history in histories) / 2_000 < 0.15
    assert browsed.most_common()[0][1] > 5 * browsed.most_common()[-1][1]
    entries = [entry for history in histories for entry in history]
    assert all(type(entry["quantity"]) is int and entry["quantity"] >= 1 for entry in entries)
    assert 0.2 < sum(entry["in_shopping_cart"] is True for entry in entries) / len(entries) < 0.4


def test_an_event_is_stamped_when_it_is_asked_for() -> None:
    moments = iter([NOW, NOW.replace(hour=7)])
    made = generate_events(SHOPPERS, CODES, seed=1, clock=lambda: next(moments))
    assert [json.loads(next(made).data)["sent_at"][11:13] for _ in range(2)] == ["06", "07"]
