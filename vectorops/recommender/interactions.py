"""The training table as the trainer uses it: who rated what how, and what is known about both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vectorops.errors import InputDataError
from vectorops.recommender.features import ITEM_SIGNATURE, USER_SIGNATURE, Feed, Signature, model_feed

LOWEST_RATING, HIGHEST_RATING = 1, 5
MIN_RATINGS = 20
USER_COLUMNS = ("city", "country", "creditLimit")
ITEM_COLUMNS = ("productLine", "productScale", "quantityInStock", "buyPrice", "MSRP")
REQUIRED_COLUMNS = ("customerNumber", *USER_COLUMNS, "productCode", *ITEM_COLUMNS, "productRating")
_TYPES = {"customerNumber": pa.int64(), "productCode": pa.string(), "productRating": pa.float64()}


@dataclass(frozen=True)
class Interactions:
    """Ratings between customers and products, each numbered from 0 in the order of their sorted ids.

    Attributes:
        customer_ids: int64, ascending.
        product_codes: str, ascending.
        user_feed: Inputs of the user tower, one row per customer.
        item_feed: Inputs of the item tower, one row per product.
        users: Customer index of each rating.
        items: Product index of each rating.
        ratings: float64, 1 to 5, in the order of (users, items).
    """

    customer_ids: npt.NDArray[np.int64]
    product_codes: npt.NDArray[np.str_]
    user_feed: Feed
    item_feed: Feed
    users: npt.NDArray[np.intp]
    items: npt.NDArray[np.intp]
    ratings: npt.NDArray[np.float64]

    def take(self, chosen: npt.NDArray[np.bool_]) -> "Interactions":
        """Return the chosen ratings only; customers and products keep their numbers."""
        return replace(self, users=self.users[chosen], items=self.items[chosen], ratings=self.ratings[chosen])


def read_interactions(table: pa.Table) -> Interactions:
    """Return the ratings in `table`, whatever the order of its rows.

    Args:
        table: Training data with the columns of `REQUIRED_COLUMNS`.

    Raises:
        InputDataError: Columns are missing, ids or ratings are null or out of range, a customer rated a
            product twice, or there are fewer than `MIN_RATINGS` ratings.
    """
    if missing := [name for name in REQUIRED_COLUMNS if name not in table.column_names]:
        raise InputDataError(
            f"the training data has no column {', '.join(missing)}",
            why=f"its columns are {', '.join(table.column_names)}",
        )
    # Sorted by every column, so that two rows that disagree about a customer give the same result too.
    keys = ("customerNumber", "productCode")
    order = [*keys, *(name for name in REQUIRED_COLUMNS if name not in keys)]
    table = _with_types(table.select(order)).sort_by([(name, "ascending") for name in order])
    _check_values(table)
    customers = table.column("customerNumber").to_numpy()
    products = table.column("productCode").to_numpy(zero_copy_only=False).astype(str)
    customer_ids, first_customer, users = np.unique(customers, return_index=True, return_inverse=True)
    product_codes, first_product, items = np.unique(products, return_index=True, return_inverse=True)
    _check_pairs(customers, products, users, items)
    return Interactions(
        customer_ids=customer_ids,
        product_codes=product_codes,
        user_feed=_feed(USER_SIGNATURE, table, first_customer, USER_COLUMNS),
        item_feed=_feed(ITEM_SIGNATURE, table, first_product, ("productCode", *ITEM_COLUMNS)),
        users=users,
        items=items,
        ratings=table.column("productRating").to_numpy(),
    )


def _with_types(table: pa.Table) -> pa.Table:
    for name, wanted in _TYPES.items():
        try:
            column = table.column(name).cast(wanted)
        except pa.ArrowException as exc:
            raise InputDataError(f"column {name} of the training data is no {wanted}", why=str(exc)) from exc
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def _feed(signature: Signature, table: pa.Table, rows: npt.NDArray[np.intp], columns: Sequence[str]) -> Feed:
    records: list[dict[str, Any]] = table.select(columns).take(rows).to_pylist()
    return model_feed(signature, [{name.lower(): record[name] for name in columns} for record in records])


def _check_values(table: pa.Table) -> None:
    if table.num_rows < MIN_RATINGS:
        raise InputDataError(
            f"the training data has {table.num_rows} ratings", why=f"a model needs at least {MIN_RATINGS}"
        )
    for name in ("customerNumber", "productCode", "productRating"):
        if nulls := table.column(name).null_count:
            raise InputDataError(f"{nulls} rows of the training data have no {name}")
    lowest, highest = pc.min_max(table.column("productRating")).as_py().values()
    if not LOWEST_RATING <= lowest <= highest <= HIGHEST_RATING:
        raise InputDataError(
            f"the training data has ratings from {lowest} to {highest}",
            why=f"ratings go from {LOWEST_RATING} to {HIGHEST_RATING}",
        )


def _check_pairs(
    customers: npt.NDArray[np.int64],
    products: npt.NDArray[np.str_],
    users: npt.NDArray[np.intp],
    items: npt.NDArray[np.intp],
) -> None:
    repeated = np.flatnonzero((np.diff(users) == 0) & (np.diff(items) == 0))
    if repeated.size:
        raise InputDataError(
            f"customer {customers[repeated[0]]} rated product {products[repeated[0]]} more than once",
            why=f"{repeated.size} rows of the training data repeat a customer and product",
            hint="run 'vectorops glue-run' again: it writes each rating once",
        )
