"""From cosines to stars: a cosine ranks, and a linear map is needed to compare it with ratings."""

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import Ridge

from vectorops.recommender.interactions import Interactions

BIAS_ALPHA = 10.0
RATING_MAP = (
    "rating = mean + customer bias + product bias + slope x cosine, fitted by ridge regression to the "
    "training ratings, with cosines of models that were fitted without the rating in question"
)

Floats = npt.NDArray[np.float64]


def predict_ratings(
    train: Interactions, test: Interactions, cosines: tuple[Floats, Floats] | None = None
) -> Floats:
    """Fit the map to `train` and return its predictions for `test`, in stars.

    Args:
        train: Ratings to fit to.
        test: Ratings to predict, of the same customers and products.
        cosines: Of the pairs of `train` and of `test`, or None for the biases alone.
    """
    mean = train.ratings.mean()
    columns, test_columns = _bias_columns(train), _bias_columns(test)
    if cosines is not None:
        centre, spread = cosines[0].mean(), cosines[0].std() or 1.0
        scaled = [sparse.csr_matrix((part - centre)[:, None] / spread) for part in cosines]
        columns = sparse.hstack([scaled[0], columns], format="csr")
        test_columns = sparse.hstack([scaled[1], test_columns], format="csr")
    ridge = Ridge(alpha=BIAS_ALPHA, fit_intercept=False, solver="lsqr", tol=1e-10)
    ridge.fit(columns, train.ratings - mean)
    return np.asarray(ridge.predict(test_columns) + mean)


def _bias_columns(data: Interactions) -> sparse.csr_matrix:
    """One column per customer and one per product, 1 where the rating is theirs."""
    rows, ones = np.arange(len(data.users)), np.ones(len(data.users))
    users = sparse.csr_matrix((ones, (rows, data.users)), shape=(len(rows), len(data.customer_ids)))
    items = sparse.csr_matrix((ones, (rows, data.items)), shape=(len(rows), len(data.product_codes)))
    return sparse.hstack([users, items], format="csr")
