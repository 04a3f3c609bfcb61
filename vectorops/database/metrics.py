"""The distance metrics of pgvector: operators, operator classes, and scores."""

from dataclasses import dataclass
from typing import Literal

VectorType = Literal["vector", "halfvec", "sparsevec", "bit"]
MetricName = Literal["cosine", "inner_product", "l2", "l1"]


@dataclass(frozen=True)
class Metric:
    """A way to compare two vectors.

    Attributes:
        operator: SQL operator that gives the distance; smaller is nearer.
        opclass_suffix: End of the index operator class; its start is the vector type.
        best_score: Score of distance 0.
    """

    name: MetricName
    operator: str
    opclass_suffix: str
    best_score: float

    def opclass(self, vector_type: VectorType) -> str:
        """Return the operator class an index needs to serve this metric, such as "vector_cosine_ops"."""
        return f"{vector_type}_{self.opclass_suffix}"

    def score(self, distance: float) -> float:
        """Turn a distance into a score, where higher is nearer whatever the metric.

        Cosine: 1 - cosine distance, which is the cosine similarity, -1 to 1. Inner product: the inner product
        itself (the operator returns it negated, because PostgreSQL scans an index in ascending order only).
        L2 and L1: the distance negated, 0 for the same vector; unlike 1 / (1 + distance), it tells large
        distances apart and keeps their unit.
        """
        return self.best_score - distance


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("cosine", "<=>", "cosine_ops", best_score=1.0),
        Metric("inner_product", "<#>", "ip_ops", best_score=0.0),
        Metric("l2", "<->", "l2_ops", best_score=0.0),
        Metric("l1", "<+>", "l1_ops", best_score=0.0),
    )
}
DEFAULT_METRIC: MetricName = "cosine"


def metric_of_opclass(opclass: str) -> Metric | None:
    """Return the metric that an index with operator class `opclass` serves, or None if it is none of ours."""
    _, _, suffix = opclass.partition("_")
    return next((metric for metric in METRICS.values() if metric.opclass_suffix == suffix), None)
