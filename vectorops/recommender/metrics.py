"""What the evaluation counts. In the ranking metrics, k is the width of `hits`."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Gain:
    """How much better the model is than a baseline on the same customers or ratings.

    Attributes:
        mean: Mean of the differences, above 0 where the model is better.
        standard_error: Of that mean.
    """

    mean: float
    standard_error: float

    @property
    def is_clear(self) -> bool:
        """Whether the gain is above two standard errors, which chance alone exceeds once in 44 times."""
        return self.mean > 2 * self.standard_error


def gain(model: Floats, baseline: Floats) -> Gain:
    """Compare pairwise: both have shape (n,), and higher is better."""
    differences = model - baseline
    return Gain(float(differences.mean()), float(differences.std() / np.sqrt(len(differences))))


def rmse(errors: Floats) -> float:
    """Return the root of the mean squared error, in the unit of the errors."""
    return float(np.sqrt(np.mean(errors**2)))


def recall(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.intp]) -> Floats:
    """Return recall@k of each customer: the share of their relevant products that are in their list.

    Args:
        hits: Whether place j of customer i's list is relevant, shape (n, k).
        relevant: Number of relevant products of each customer, at least 1, shape (n,). Above k, even a
            perfect list stays below 1.
    """
    return np.asarray(hits.sum(axis=1) / relevant, dtype=np.float64)


def ndcg(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.intp]) -> Floats:
    """Return NDCG@k of each customer, where a hit at place j (from 1) is worth 1 / log2(j + 1).

    1 means that the relevant products fill the top of the list. Arguments as for `recall`.

    Source: Järvelin and Kekäläinen (2002), with the usual logarithmic discount.
    """
    worth = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    best = np.cumsum(worth)[np.minimum(relevant, hits.shape[1]) - 1]
    return np.asarray(hits @ worth / best, dtype=np.float64)
