"""What a training run says about the model: figures for machines, sentences for people."""

import json
from dataclasses import asdict, dataclass

from vectorops.recommender.calibration import RATING_MAP
from vectorops.recommender.evaluation import SPLIT, Evaluation, RankingComparison


@dataclass(frozen=True)
class TrainingReport:
    """What was trained on what, and how good it is on held-out ratings.

    Attributes:
        model_version: Name of the model.
        dimension: Length of the vectors.
        seed: Of the splits and of the randomised SVD.
        ratings: Number of ratings in the training data.
        customers: Number of customers in it.
        products: Number of products in it.
        evaluation: Figures of models fitted to a part of the ratings. The published model is fitted to all of
            them in the same way.
        split: How the held-out ratings were chosen.
        rating_map: How ratings were predicted.
    """

    model_version: str
    dimension: int
    seed: int
    ratings: int
    customers: int
    products: int
    evaluation: Evaluation
    split: str = SPLIT
    rating_map: str = RATING_MAP

    @property
    def beats_baselines(self) -> bool:
        """Whether the model clearly beats the global mean on RMSE and the most popular on recall and NDCG."""
        return not self._not_beaten()

    def to_json(self) -> bytes:
        """Return the report as indented JSON; the same report gives the same bytes."""
        content = {**asdict(self), "beats_baselines": self.beats_baselines}
        return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()

    def summary(self) -> tuple[str, ...]:
        """Return the report in a few sentences, the verdict first."""
        ratings, known, new = self.evaluation.ratings, self.evaluation.ranking, self.evaluation.new_customers
        helps = "helps" if ratings.gain_over_biases.is_clear else "does not clearly help"
        return (
            self._verdict(),
            f"RMSE of {ratings.ratings} held-out ratings: {ratings.model:.3f} stars; global mean "
            f"{ratings.global_mean:.3f}; customer and product biases alone {ratings.biases_only:.3f}: "
            f"the cosine {helps}.",
            f"Held-out products of {known.customers} known customers: {_sentence(known)}",
            f"All products of {new.customers} customers the model had not seen: {_sentence(new)}",
        )

    def _verdict(self) -> str:
        if not_beaten := self._not_beaten():
            return f"The model does not clearly beat {', '.join(not_beaten)}."
        return "The model beats both baselines on held-out ratings of known customers."

    def _not_beaten(self) -> list[str]:
        ratings, ranking = self.evaluation.ratings, self.evaluation.ranking
        gains = {
            "the global mean on RMSE": ratings.gain,
            "the most popular products on recall@10": ranking.recall_gain,
            "the most popular products on NDCG@10": ranking.ndcg_gain,
        }
        return [name for name, measured in gains.items() if not measured.is_clear]


def _sentence(measured: RankingComparison) -> str:
    model, popular, random = measured.model, measured.most_popular, measured.random
    beaten = {"most popular": measured.ndcg_gain, "random": measured.ndcg_gain_over_random}
    clearly = " and ".join(name for name, one in beaten.items() if one.is_clear)
    verdict = f"clearly better than {clearly}" if clearly else "no better than either"
    return (
        f"recall@10 {model.recall_at_10:.3f} (most popular {popular.recall_at_10:.3f}, random "
        f"{random.recall_at_10:.3f}), NDCG@10 {model.ndcg_at_10:.3f} (most popular {popular.ndcg_at_10:.3f}, "
        f"random {random.ndcg_at_10:.3f}): {verdict}."
    )
