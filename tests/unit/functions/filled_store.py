"""A store that is always current, with a real model and the items in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.recommender_samples import item_vectors, trained
from vectorops.functions.configuration import Configuration
from vectorops.functions.deadline import Deadline
from vectorops.functions.store import Recommender
from vectorops.recommender.catalogue import Catalogue, Found, Search
from vectorops.recommender.catalogue_memory import MemoryCatalogue
from vectorops.recommender.inference import UserModel

CONFIGURATION = Configuration.from_environ(
    {
        "AWS_REGION": "us-east-1",
        "DATABASE_HOST": "unused",
        "DATABASE_NAME": "unused",
        "DATABASE_SECRET_ARN": "unused",
        "ML_ARTIFACTS_BUCKET": "unused",
    }
)


class CountingModel(UserModel):
    """A user tower that knows how often it was called."""

    calls = 0

    def embed(self, records: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
        self.calls += 1
        return super().embed(records)


class CountingCatalogue:
    """A catalogue that knows how often it was searched."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.searches = 0

    def search(self, wanted: Search) -> Found:
        self.searches += 1
        return self.catalogue.search(wanted)


class FilledStore:
    """Stands where the database is: a store that is always current."""

    def __init__(self) -> None:
        self.model = CountingModel(trained().files.user_tower)
        self.catalogue = CountingCatalogue(MemoryCatalogue(*item_vectors()))
        self.asked = 0

    def recommender(self, deadline: Deadline) -> Recommender:
        self.asked += 1
        return Recommender(self.model, self.catalogue, "sample-0")
