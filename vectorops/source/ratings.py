"""Ratings: from a CSV file, or from what customers have ordered."""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vectorops.errors import InputDataError
from vectorops.source.tables import RATINGS, Row

_LEVELS = 5


def read_ratings(path: Path) -> list[Row]:
    """Return the rows of a CSV file with the columns customerNumber, productCode and productRating.

    Raises:
        InputDataError: The file cannot be read, lacks a column, or has something else than a number in one.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in RATINGS.column_names if name not in (reader.fieldnames or [])]
            if missing:
                raise InputDataError(
                    f"{path} has no column {', '.join(missing)}",
                    why=f"its first line is '{','.join(reader.fieldnames or [])}'",
                )
            return [_rating(path, reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise InputDataError(f"cannot read {path}", why=str(exc)) from exc


def _rating(path: Path, line: int, row: dict[str, str]) -> Row:
    customer, product, rating = (row[name] for name in RATINGS.column_names)
    try:
        return int(customer), product, int(rating)
    except (TypeError, ValueError) as exc:
        raise InputDataError(f"line {line} of {path} is no rating: {customer},{product},{rating}") from exc


def derive_ratings(orders: Iterable[Row], details: Iterable[Row]) -> list[Row]:
    """Return a rating for each product that a customer has ordered.

    The rating is the fifth, 1 to 5, into which the ordered quantity falls among all such pairs: how often and
    how much somebody ordered a product stands for how much they like it.

    Args:
        orders: (orderNumber, customerNumber).
        details: (orderNumber, productCode, quantityOrdered).

    Raises:
        InputDataError: A line belongs to no order.
    """
    customers: dict[int, int] = dict(orders)
    quantities: Counter[tuple[int, str]] = Counter()
    for order, product, quantity in details:
        if order not in customers:
            raise InputDataError(f"product {product} was ordered in order {order}, which is not there")
        quantities[customers[order], product] += quantity
    pairs = sorted(quantities)
    totals = np.array([quantities[pair] for pair in pairs])
    limits = np.quantile(totals, np.arange(1, _LEVELS) / _LEVELS)
    levels = 1 + np.searchsorted(limits, totals, side="left")
    return [(*pair, int(level)) for pair, level in zip(pairs, levels, strict=True)]
