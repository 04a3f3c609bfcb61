"""A small trained model, and events of the customers it was trained on."""

import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vectorops.recommender.inference import UserModel
from vectorops.recommender.training import TrainingResult, train

CITIES = (("Nantes", "France"), ("Lyon", "France"), ("Madrid", "Spain"), ("São Paulo", "Brazil"))
CUSTOMERS, PRODUCTS = 40, 30


@cache
def trained(seed: int = 0) -> TrainingResult:
    """Model version "sample-<seed>"; each seed has its own ratings of the same products."""
    return train(pa.Table.from_pylist(_ratings(seed)), dimension=32, model_version=f"sample-{seed}")


@cache
def user_model(seed: int = 0) -> UserModel:
    return UserModel(trained(seed).files.user_tower)


@cache
def item_vectors(seed: int = 0) -> tuple[list[str], NDArray[np.float32]]:
    """Ids and vectors, as the published CSV holds them."""
    lines = trained(seed).files.item_embeddings.decode().splitlines()[1:]
    pairs = [line.split(",", 1) for line in lines]
    return [id_ for id_, _ in pairs], np.array([json.loads(text.strip('"')) for _, text in pairs], np.float32)


def customer(number: int) -> dict[str, Any]:
    city, country = CITIES[number % len(CITIES)]
    return {"city": city, "country": country, "credit_limit": 1000 * number}


def activity(number: int, *browsed: tuple[str, bool]) -> dict[str, Any]:
    """An event of customer `number`, who looked at products and put those that are True into the cart."""
    history = [{"product_code": code, "quantity": 1, "in_shopping_cart": cart} for code, cart in browsed]
    return {"session_id": f"s{number}", "customer_number": 100 + number, **customer(number)} | {
        "browse_history": history
    }


def product_code(number: int) -> str:
    return f"S{number:02d}_{1000 + number}"


def firehose_event(*payloads: object) -> dict[str, Any]:
    """What Firehose calls a function with; a payload is bytes, or anything that JSON can hold."""
    return {
        "invocationId": "3c1f2f0e-0000-4000-8000-000000000000",
        "deliveryStreamArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/recommendations",
        "sourceKinesisStreamArn": "arn:aws:kinesis:us-east-1:123456789012:stream/activity",
        "region": "us-east-1",
        "records": [_record(number, payload) for number, payload in enumerate(payloads)],
    }


def decoded(record: Mapping[str, Any]) -> Any:
    """The JSON that a transformed record holds."""
    return json.loads(base64.b64decode(record["data"]))


def _record(number: int, payload: object) -> dict[str, Any]:
    content = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    return {
        "recordId": f"4967{number:050d}",
        "approximateArrivalTimestamp": 1_795_000_000_000 + number,
        "data": base64.b64encode(content).decode(),
        "kinesisRecordMetadata": {"partitionKey": str(number), "shardId": "shardId-000000000000"},
    }


def _ratings(seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        _rating(number, int(code), int(rng.integers(1, 6)))
        for number in range(CUSTOMERS)
        for code in rng.choice(PRODUCTS, size=8, replace=False)
    ]


def _rating(number: int, code: int, stars: int) -> dict[str, Any]:
    who = customer(number)
    return {
        "customerNumber": 100 + number,
        "city": who["city"],
        "state": None,
        "postalCode": "44000",
        "country": who["country"],
        "creditLimit": Decimal(who["credit_limit"]),
        "productCode": product_code(code),
        "productLine": ("Classic Cars", "Motorcycles", "Planes")[code % 3],
        "productScale": ("1:10", "1:18")[code % 2],
        "quantityInStock": 10 * code,
        "buyPrice": Decimal("1.50") * (code + 1),
        "MSRP": Decimal("2.50") * (code + 1),
        "productRating": stars,
    }
