"""How good the model is on ratings it has not seen, beside baselines that are measured in the same way."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from vectorops.errors import InputDataError
from vectorops.recommender.calibration import predict_ratings
from vectorops.recommender.interactions import Interactions
from vectorops.recommender.metrics import Gain, gain, ndcg, recall, rmse
from vectorops.recommender.towers import Towers, cosines, fit_towers

HELD_OUT_ONE_IN = 5
LIST_LENGTH = 10
SPLIT = (
    "Of each customer's ratings one in five, drawn at random (rounded down, but one of 2 to 4, none of 1), "
    "is held out; the model is fitted to the rest. For new customers, all customers are dealt into five "
    "groups at random, and each group is ranked by a model fitted to the other four."
)
_CUSTOMERS_AT_ONCE = 1_000

Floats = npt.NDArray[np.float64]
Scorer = Callable[[npt.NDArray[np.intp]], Floats]


@dataclass(frozen=True)
class Ranking:
    """Means over customers."""

    recall_at_10: float
    ndcg_at_10: float


@dataclass(frozen=True)
class RankingComparison:
    """The model's lists and those of the baselines, for the same customers.

    Attributes:
        customers: Number of customers measured.
        model: Products by cosine.
        most_popular: Products by their number of training ratings, equal ones by product code.
        random: Products in random order: what chance alone gives.
        recall_gain: Of the model over the most popular products.
        ndcg_gain: The same for NDCG@10.
        ndcg_gain_over_random: Of the model over chance.
    """

    customers: int
    model: Ranking
    most_popular: Ranking
    random: Ranking
    recall_gain: Gain
    ndcg_gain: Gain
    ndcg_gain_over_random: Gain


@dataclass(frozen=True)
class RatingComparison:
    """RMSE of predicted ratings, in stars.

    Attributes:
        ratings: Number of ratings predicted.
        model: As `RATING_MAP` says.
        global_mean: The mean training rating for all.
        biases_only: The model without the cosine, so that its part in the gain can be seen.
        gain: Of the model over the global mean, in squared stars.
        gain_over_biases: The same over the biases alone.
    """

    ratings: int
    model: float
    global_mean: float
    biases_only: float
    gain: Gain
    gain_over_biases: Gain


@dataclass(frozen=True)
class Evaluation:
    """Every measured figure.

    Attributes:
        ratings: Prediction of held-out ratings.
        ranking: Held-out products of customers whose other ratings were in training.
        new_customers: All products of customers of whom no rating was in training.
    """

    ratings: RatingComparison
    ranking: RankingComparison
    new_customers: RankingComparison


@dataclass(frozen=True)
class Trial:
    """A model and the ratings it was fitted to, and those it is measured on."""

    towers: Towers
    train: Interactions
    test: Interactions


def evaluate(data: Interactions, *, dimension: int, seed: int) -> Evaluation:
    """Fit the model to a part of the ratings and measure it on the rest, split as `SPLIT` says.

    Raises:
        InputDataError: Nothing can be held out: every customer has one rating, or there is one customer.
    """
    rng = np.random.default_rng(seed)
    held_out = hold_out_ratings(data.users, rng)
    if not held_out.any() or len(data.customer_ids) < 2:
        raise InputDataError(
            "the model cannot be evaluated", why="it takes two customers, and one of them with two ratings"
        )
    trial = _fit(data, held_out, dimension, seed)
    groups = rng.permutation(len(data.customer_ids)) % HELD_OUT_ONE_IN
    strangers = (groups[data.users] == number for number in np.unique(groups))
    return Evaluation(
        ratings=_compare_ratings(trial, dimension, seed),
        ranking=_compare_rankings([trial], rng),
        new_customers=_compare_rankings((_fit(data, new, dimension, seed) for new in strangers), rng),
    )


def hold_out_ratings(users: npt.NDArray[np.intp], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Choose one in five of each customer's ratings, rounded down; of 2 to 4 ratings one, of 1 none.

    Args:
        users: Customer index of each rating.
        rng: Source of the draw.
    """
    shuffled = np.lexsort((rng.random(len(users)), users))
    counts = np.bincount(users)
    place_within_customer = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = np.where(counts > 1, np.maximum(1, counts // HELD_OUT_ONE_IN), 0)
    held_out = np.zeros(len(users), dtype=bool)
    held_out[shuffled] = place_within_customer < np.repeat(wanted, counts)
    return held_out


def list_metrics(scores: Scorer, train: Interactions, test: Interactions) -> tuple[Floats, Floats]:
    """List for each customer of `test` the 10 best products that `train` has no rating of, and count hits.

    Args:
        scores: Gives for n customers their scores of all products, shape (n, products). Equal scores are
            listed in the order of product codes.
        train: Ratings whose products are left out of the lists.
        test: Ratings whose products are the relevant ones, whatever the rating.

    Returns:
        recall@10 and NDCG@10 of each customer of `test`, in the order of their ids.
    """
    seen, relevant = _pairs(train), _pairs(test)
    customers = np.unique(test.users)
    recalls, ndcgs = [], []
    for start in range(0, len(customers), _CUSTOMERS_AT_ONCE):
        chosen = customers[start : start + _CUSTOMERS_AT_ONCE]
        candidates = np.where(seen[chosen].toarray(), -np.inf, scores(chosen))
        listed = np.argsort(-candidates, axis=1, kind="stable")[:, :LIST_LENGTH]
        wanted = relevant[chosen].toarray()
        hits = np.take_along_axis(wanted, listed, axis=1)
        recalls.append(recall(hits, wanted.sum(axis=1)))
        ndcgs.append(ndcg(hits, wanted.sum(axis=1)))
    return np.concatenate(recalls), np.concatenate(ndcgs)


def _fit(data: Interactions, held_out: npt.NDArray[np.bool_], dimension: int, seed: int) -> Trial:
    train = data.take(~held_out)
    return Trial(fit_towers(train, dimension=dimension, seed=seed), train, data.take(held_out))


def _compare_rankings(trials: Iterable[Trial], rng: np.random.Generator) -> RankingComparison:
    measured: dict[str, list[tuple[Floats, Floats]]] = {}
    for trial in trials:
        for name, scores in _scorers(trial, rng).items():
            measured.setdefault(name, []).append(list_metrics(scores, trial.train, trial.test))
    # Each of shape (2, customers): recall, NDCG.
    model, popular, random = (np.hstack(measured[name]) for name in ("model", "most_popular", "random"))
    return RankingComparison(
        customers=model.shape[1],
        model=_means(model),
        most_popular=_means(popular),
        random=_means(random),
        recall_gain=gain(model[0], popular[0]),
        ndcg_gain=gain(model[1], popular[1]),
        ndcg_gain_over_random=gain(model[1], random[1]),
    )


def _means(measured: Floats) -> Ranking:
    return Ranking(float(measured[0].mean()), float(measured[1].mean()))


def _scorers(trial: Trial, rng: np.random.Generator) -> dict[str, Scorer]:
    users = trial.towers.user.embed(trial.train.user_feed)
    items = trial.towers.item.embed(trial.train.item_feed)
    popularity = np.bincount(trial.train.items, minlength=len(items)).astype(np.float64)
    return {
        "model": lambda chosen: np.asarray(users[chosen] @ items.T),
        "most_popular": lambda chosen: np.tile(popularity, (len(chosen), 1)),
        "random": lambda chosen: rng.random((len(chosen), len(items))),
    }


def _pairs(data: Interactions) -> sparse.csr_matrix:
    shape = (len(data.customer_ids), len(data.product_codes))
    return sparse.csr_matrix((np.ones(len(data.users), dtype=bool), (data.users, data.items)), shape=shape)


def _compare_ratings(trial: Trial, dimension: int, seed: int) -> RatingComparison:
    train, test = trial.train, trial.test
    unseen = _out_of_fold_cosines(train, dimension, seed)
    model = predict_ratings(train, test, (unseen, cosines(trial.towers, test))) - test.ratings
    mean = train.ratings.mean() - test.ratings
    biases = predict_ratings(train, test) - test.ratings
    return RatingComparison(
        ratings=len(test.ratings),
        model=rmse(model),
        global_mean=rmse(mean),
        biases_only=rmse(biases),
        gain=gain(-(model**2), -(mean**2)),
        gain_over_biases=gain(-(model**2), -(biases**2)),
    )


def _out_of_fold_cosines(train: Interactions, dimension: int, seed: int) -> Floats:
    """Return each training pair's cosine in a model that was fitted without it.

    A model gives the pairs it was fitted to higher cosines than unseen ones, so a slope learnt from them
    would be wrong for the held-out ratings.
    """
    fold = np.random.default_rng(seed).permutation(len(train.users)) % HELD_OUT_ONE_IN
    unseen = np.empty(len(train.users))
    for number in range(HELD_OUT_ONE_IN):
        trial = _fit(train, fold == number, dimension, seed)
        unseen[fold == number] = cosines(trial.towers, trial.test)
    return unseen
