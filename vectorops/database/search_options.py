"""How a search is to be done, and what follows from it for the index."""

from dataclasses import dataclass

from vectorops.database.filters import Filter
from vectorops.database.metrics import METRICS, Metric, MetricName
from vectorops.database.search_catalogue import SearchCatalogue
from vectorops.database.search_settings import tuned_ef_search
from vectorops.database.search_statement import FirstPass, SearchShape
from vectorops.errors import UsageError

MAX_EF_SEARCH = 1_000  # pgvector README

# Candidates for each row wanted. A halfvec misplaces only rows at nearly the same distance; bits need ten
# times as many for a recall near 1 with 384 dimensions (benchmarks/search.py).
_HALFVEC_FACTOR = 2
_BIT_FACTOR = 10


@dataclass(frozen=True)
class SearchOptions:
    """How to search; None leaves the choice to what was measured, or to the index.

    Attributes:
        metric: Default: that of the table's index, or cosine when there is none.
        ef_search: Candidates that HNSW keeps, at least the rows wanted, at most 1,000: more is slower and
            finds more of the true neighbours. Default: what `vectorops index tune` stored for such a search,
            or else the server's setting (40 unless changed), or what the rows wanted need when that is more.
        through: What the index must hold: the vectors as in the "column", their "halfvec", or their sign
            "bit"s. Rows found by the latter two are ranked by their full vectors.
        rerank: How many rows to rank so. Default: twice as many as wanted for halfvec, but not more than
            `ef_search`; all `ef_search` for bits.
    """

    metric: MetricName | None = None
    ef_search: int | None = None
    through: FirstPass | None = None
    rerank: int | None = None

    def check(self, k: int) -> None:
        """Raise UsageError if `k` or an option is out of range."""
        if k < 1:
            raise UsageError(f"cannot search for {k} rows", hint="ask for at least one")
        if self.metric is not None and self.metric not in METRICS:
            raise UsageError(
                f"no metric is called '{self.metric}'", hint=f"choose one of {', '.join(METRICS)}"
            )
        for name, value in (("ef_search", self.ef_search), ("rerank", self.rerank)):
            if value is not None and not min(k, MAX_EF_SEARCH) <= value <= MAX_EF_SEARCH:
                raise UsageError(
                    f"{name} cannot be {value}",
                    why=f"it is how many candidates the {k} rows are chosen from, at most {MAX_EF_SEARCH}",
                    hint=f"choose a number from {min(k, MAX_EF_SEARCH)} to {MAX_EF_SEARCH}",
                )


@dataclass(frozen=True)
class SearchPlan:
    """A search shape and what goes with it.

    Attributes:
        ef_search: Candidates that HNSW keeps.
        can_iterate: Whether the index goes on where a filter removed what it found.
        index: Name of the index that the shape was made for, or None.
    """

    shape: SearchShape
    ef_search: int
    can_iterate: bool
    index: str | None


def plan_search(
    catalogue: SearchCatalogue,
    options: SearchOptions,
    *,
    k: int,
    filters: tuple[Filter, ...] = (),
    exact: bool = False,
    by_id: bool = False,
    with_vectors: bool = False,
) -> SearchPlan:
    """Decide what a search reads, and how many candidates."""
    metric = catalogue.metric(options.metric, options.through)
    index = catalogue.index(metric.name, options.through)
    through = _through_of(index.key if index else "column")
    ef_search = _ef_search(catalogue, options, metric, through, filters, k)
    shape = SearchShape(
        metric=metric,
        through=None if exact else through,
        k=k,
        candidates=_candidates(options, through, ef_search, k),
        filters=filters,
        by_id=by_id,
        with_vectors=with_vectors,
    )
    ef_search = max(ef_search, min(options.rerank or 0, MAX_EF_SEARCH))
    return SearchPlan(shape, ef_search, catalogue.can_iterate, index.name if index else None)


def _through_of(key: str) -> FirstPass:
    return "halfvec" if key == "halfvec" else "bit" if key == "bit" else "column"


def _ef_search(
    catalogue: SearchCatalogue,
    options: SearchOptions,
    metric: Metric,
    through: FirstPass,
    filters: tuple[Filter, ...],
    k: int,
) -> int:
    if options.ef_search is not None:
        return options.ef_search
    tuned = tuned_ef_search(catalogue.settings, metric.name, through, filters)
    if tuned is None:
        factor = _BIT_FACTOR if through == "bit" else 1
        tuned = max(catalogue.server_ef_search, factor * k)
    return min(MAX_EF_SEARCH, max(tuned, k + 1))


def _candidates(options: SearchOptions, through: FirstPass, ef_search: int, k: int) -> int:
    if options.rerank:
        return options.rerank
    if through == "halfvec":
        return max(k, min(_HALFVEC_FACTOR * k, ef_search))
    return max(k, ef_search)
