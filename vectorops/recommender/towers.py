"""The model: two linear towers whose cosine says how much a product suits a customer.

1. Preferences: a customer has 0.6 to 1.0 for a product rated 1 to 5, and 0 for one not rated. Ratings come
   from orders, so even a low one says more than none.
2. Factorise that matrix by a truncated SVD, P ~ U S V', and multiply each singular value s by
   s^2 / (s^2 + c), as ridge regression of P on itself would: a pattern that few customers share counts less.
   c is `SHRINKAGE` times the mean over products of the summed squares of their column.
3. Ridge regression from the features of customers to U S^1/2, and of products to V S^1/2. So a customer or
   product that was not in the training data has a vector too.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.utils.extmath import randomized_svd

from vectorops.recommender.encoding import Encoder, feature_matrix, fit_encoders
from vectorops.recommender.features import ITEM_SIGNATURE, USER_SIGNATURE, Feed, Signature
from vectorops.recommender.interactions import HIGHEST_RATING, Interactions

RIDGE_ALPHA = 0.1
SHRINKAGE = 2.0
SMALLEST_LENGTH = 1e-12

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tower:
    """A linear map from encoded inputs to vectors of length 1.

    Attributes:
        signature: Its inputs.
        encoders: One per input, in the order of the weights' rows.
        weights: float64, shape (total width of the encoders, dimension).
        bias: float64, shape (dimension,): the mean training vector, which is what nothing known gives.
    """

    signature: Signature
    encoders: tuple[Encoder, ...]
    weights: Matrix
    bias: Matrix

    def embed(self, feed: Feed) -> Matrix:
        """Return the vectors of all records of `feed`: float64, shape (n, dimension), length 1 each."""
        vectors = feature_matrix(self.encoders, feed) @ self.weights + self.bias
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        normalised: Matrix = vectors / np.maximum(lengths, SMALLEST_LENGTH)
        return normalised


@dataclass(frozen=True)
class Towers:
    """The fitted model."""

    user: Tower
    item: Tower


def fit_towers(data: Interactions, *, dimension: int, seed: int) -> Towers:
    """Fit both towers to the ratings; customers and products without any rating play no part.

    Args:
        data: Ratings and what is known about customers and products.
        dimension: Length of the vectors. Dimensions beyond the rank of the ratings are 0.
        seed: Of the randomised SVD.

    Source: randomised SVD after Halko, Martinsson and Tropp (2011), as scikit-learn implements it.
    """
    known_users, users = np.unique(data.users, return_inverse=True)
    known_items, items = np.unique(data.items, return_inverse=True)
    strength = 0.5 + 0.5 * data.ratings / HIGHEST_RATING
    preferences = sparse.csr_matrix((strength, (users, items)), shape=(len(known_users), len(known_items)))
    user_factors, item_factors = _factorise(preferences, dimension, seed)
    return Towers(
        user=_fit_tower(USER_SIGNATURE, data.user_feed, known_users, user_factors),
        item=_fit_tower(ITEM_SIGNATURE, data.item_feed, known_items, item_factors),
    )


def cosines(towers: Towers, pairs: Interactions) -> Matrix:
    """Return the cosine of customer and product for each rating of `pairs`."""
    users, items = towers.user.embed(pairs.user_feed), towers.item.embed(pairs.item_feed)
    return np.asarray(np.einsum("ij,ij->i", users[pairs.users], items[pairs.items]))


def _factorise(preferences: sparse.csr_matrix, dimension: int, seed: int) -> tuple[Matrix, Matrix]:
    rank = min(dimension, *preferences.shape)
    left, singular, right = randomized_svd(preferences, rank, n_oversamples=16, n_iter=8, random_state=seed)
    per_product = preferences.multiply(preferences).sum() / preferences.shape[1]
    root = np.sqrt(singular**3 / (singular**2 + SHRINKAGE * per_product))
    unused = ((0, 0), (0, dimension - rank))
    return np.pad(left * root, unused), np.pad(right.T * root, unused)


def _fit_tower(signature: Signature, feed: Feed, known: npt.NDArray[np.intp], factors: Matrix) -> Tower:
    known_feed = {name: values[known] for name, values in feed.items()}
    encoders = fit_encoders(signature, known_feed)
    bias = factors.mean(axis=0)
    ridge = Ridge(alpha=RIDGE_ALPHA, fit_intercept=False, solver="sparse_cg", tol=1e-10)
    ridge.fit(feature_matrix(encoders, known_feed), factors - bias)
    return Tower(signature, encoders, np.ascontiguousarray(ridge.coef_.T), bias)
