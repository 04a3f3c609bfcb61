"""Training tables in which we know what there is to learn."""

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

CITIES = (("Nantes", "France"), ("Lyon", "France"), ("Madrid", "Spain"), ("Boston", "USA"), ("NYC", "USA"))
LINES = ("Classic Cars", "Motorcycles", "Planes", "Ships")
CUSTOMERS, PRODUCTS = 60, 40


def customer(number: int) -> dict[str, Any]:
    city, country = CITIES[number % len(CITIES)]
    return {
        "customerNumber": 100 + number,
        "city": city,
        "state": None,
        "postalCode": "44000",
        "country": country,
        "creditLimit": Decimal(1000 * number),
    }


def product(number: int) -> dict[str, Any]:
    return {
        "productCode": f"S{number:03d}",
        "productLine": LINES[number % len(LINES)],
        "productScale": ("1:10", "1:18", "1:24")[number % 3],
        "quantityInStock": 10 * number,
        "buyPrice": Decimal("1.50") * (number + 1),
        "MSRP": Decimal("2.50") * (number + 1),
    }


def likes(number: int, code: int) -> bool:
    """Whether the line of product `code` is the favourite of customer `number`, which credit limits tell."""
    return code % len(LINES) == number * len(LINES) // CUSTOMERS


def rating_rows(*, planted: bool, seed: int = 0) -> list[dict[str, Any]]:
    """Eight ratings per customer: of their favourite line, or of any products.

    Planted, customers with an odd number give 4 or 5 stars, the others 1 to 3; otherwise all give 1 to 5.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(CUSTOMERS):
        candidates = [code for code in range(PRODUCTS) if not planted or likes(number, code)]
        for code in rng.choice(candidates, size=8, replace=False):
            lowest, highest = ((4, 5) if number % 2 else (1, 3)) if planted else (1, 5)
            stars = int(rng.integers(lowest, highest + 1))
            rows.append({**customer(number), **product(int(code)), "productRating": stars})
    return rows


def training_table(*, planted: bool = True) -> pa.Table:
    return pa.Table.from_pylist(rating_rows(planted=planted))
