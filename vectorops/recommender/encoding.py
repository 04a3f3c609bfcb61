"""From the inputs of a tower to its feature matrix: one-hot columns for texts and for bands of numbers.

A feature matrix times a weight matrix is then a sum of looked-up weight rows, which is how `onnx_export`
writes the same thing into a graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from vectorops.recommender.features import Feed, Signature

NUMBER_BANDS = 20


@dataclass(frozen=True)
class TextEncoder:
    """One column per category; a missing or unknown text has none.

    Attributes:
        name: Input it reads.
        categories: The training values, sorted.
    """

    name: str
    categories: tuple[str, ...]

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.categories)

    def matrix(self, values: npt.NDArray[Any]) -> sparse.csr_matrix:
        """Return the columns for `values`, shape (n, 1)."""
        positions = {category: position for position, category in enumerate(self.categories)}
        return _one_hot([positions.get(value, self.width) for value in values[:, 0]], self.width)


@dataclass(frozen=True)
class NumberEncoder:
    """A scaled column, and one-hot bands that hold about equally many training values each.

    The bands let a linear tower follow any shape, such as "likes cheap and dear ones". The last band
    stands for a missing value, which has 0 in the scaled column.

    Attributes:
        name: Input it reads.
        low: Smallest training value; smaller ones count as this.
        high: Largest training value; larger ones count as this.
        mean: Of the training values.
        scale: Their standard deviation, 1 where they are all equal.
        edges: float32, ascending; band i holds values from edge i - 1 up to below edge i.
    """

    name: str
    low: float
    high: float
    mean: float
    scale: float
    edges: npt.NDArray[np.float32]

    @property
    def width(self) -> int:
        """Number of columns: the scaled value, the bands, the missing band."""
        return 1 + len(self.edges) + 1 + 1

    def matrix(self, values: npt.NDArray[Any]) -> sparse.csr_matrix:
        """Return the columns for `values`, shape (n, 1), NaN where missing."""
        column = values[:, 0]
        missing = np.isnan(column)
        bounded = np.clip(np.where(missing, self.mean, column), self.low, self.high)
        bands = np.where(missing, len(self.edges) + 1, np.searchsorted(self.edges, column, side="right"))
        scaled = sparse.csr_matrix(((bounded - self.mean) / self.scale)[:, None])
        return sparse.hstack([scaled, _one_hot(bands, self.width - 1)], format="csr")


Encoder = TextEncoder | NumberEncoder


def fit_encoders(signature: Signature, feed: Feed) -> tuple[Encoder, ...]:
    """Learn one encoder per input from the training values, texts first."""
    texts = (_fit_text(name, feed[name]) for name in signature.texts)
    numbers = (_fit_number(name, feed[name]) for name in signature.numbers)
    return (*texts, *numbers)


def feature_matrix(encoders: Sequence[Encoder], feed: Feed) -> sparse.csr_matrix:
    """Return the features of all records: float64, shape (n, total width of the encoders)."""
    return sparse.hstack([encoder.matrix(feed[encoder.name]) for encoder in encoders], format="csr")


def _fit_text(name: str, values: npt.NDArray[Any]) -> TextEncoder:
    return TextEncoder(name, tuple(sorted(set(values[values != ""].tolist()))))


def _fit_number(name: str, values: npt.NDArray[Any]) -> NumberEncoder:
    known = values[~np.isnan(values)].astype(np.float64)
    if not known.size:
        known = np.zeros(1)
    edges = np.quantile(known, np.arange(1, NUMBER_BANDS) / NUMBER_BANDS)
    return NumberEncoder(
        name=name,
        low=float(known.min()),
        high=float(known.max()),
        mean=float(known.mean()),
        scale=float(known.std()) or 1.0,
        edges=np.unique(edges.astype(np.float32)),
    )


def _one_hot(columns: Sequence[int] | npt.NDArray[np.intp], width: int) -> sparse.csr_matrix:
    """Rows with a 1 in the given column each; a column of `width` leaves the row empty."""
    places = np.asarray(columns, dtype=np.intp)
    rows = np.flatnonzero(places < width)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, places[rows])), shape=(len(places), width))
