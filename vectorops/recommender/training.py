"""`train`: from the training table to models, embeddings and a report, all as bytes ready to be published."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from threadpoolctl import threadpool_limits

from vectorops.errors import UsageError
from vectorops.recommender.artifacts import ModelFiles
from vectorops.recommender.evaluation import evaluate
from vectorops.recommender.inference import ItemModel, UserModel
from vectorops.recommender.interactions import Interactions, read_interactions
from vectorops.recommender.manifest import check_version
from vectorops.recommender.onnx_export import tower_to_onnx
from vectorops.recommender.report import TrainingReport
from vectorops.recommender.towers import Towers, fit_towers
from vectorops.recommender.training_table import LOCATION_KEY

DIMENSION = 32
_MAX_DIMENSION = 2_000


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and all that is published of it.

    The same ratings, version, dimension and seed give the same bytes with the same libraries, whatever the
    order of the rows.

    Attributes:
        report: What it was trained on, and how good it is.
        files: Everything that is published, the report included.
        training_data: S3 URL the rows were read from, "" when they did not come from `read_training_table`.
    """

    report: TrainingReport
    files: ModelFiles
    training_data: str = ""


def train(
    table: pa.Table,
    *,
    dimension: int = DIMENSION,
    model_version: str,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> TrainingResult:
    """Train the reference model on `table` and measure it on held-out ratings.

    Args:
        table: Training data, see `read_training_table`.
        dimension: Length of the vectors, 1 to 2,000 (the limit of pgvector's indexes).
        model_version: Name of the model, see `check_version`.
        seed: Of the splits and of the randomised SVD.
        on_step: Called with what begins.

    Raises:
        InputDataError: The training data cannot be used; the message says why.
        UsageError: The version or the dimension is not allowed.
    """
    check_version(model_version)
    if not 1 <= dimension <= _MAX_DIMENSION:
        raise UsageError(f"dimension {dimension} is not possible", hint=f"choose 1 to {_MAX_DIMENSION}")
    data = read_interactions(table)
    # One thread, because the order in which threads add up changes the last bits of a sum.
    with threadpool_limits(limits=1):
        on_step(f"evaluating on held-out ratings of {len(data.customer_ids)} customers")
        evaluation = evaluate(data, dimension=dimension, seed=seed)
        on_step(f"fitting the model to {len(data.ratings)} ratings")
        towers = fit_towers(data, dimension=dimension, seed=seed)
    report = TrainingReport(
        model_version=model_version,
        dimension=dimension,
        seed=seed,
        ratings=len(data.ratings),
        customers=len(data.customer_ids),
        products=len(data.product_codes),
        evaluation=evaluation,
    )
    on_step("exporting the models and the embeddings")
    source = (table.schema.metadata or {}).get(LOCATION_KEY, b"").decode()
    return TrainingResult(report, _files(data, towers, report), source)


def embeddings_csv(ids: Iterable[object], vectors: npt.NDArray[np.float32]) -> bytes:
    """Return a CSV with header `id,embedding` and one pgvector text per row.

    Args:
        ids: Product codes or customer numbers, one per row of `vectors`.
        vectors: float32, shape (n, dimension). Each number is written with the fewest digits that read back
            as the same float32.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["id", "embedding"])
    # astype(str) is numpy's shortest text that round-trips.
    texts = (f"[{','.join(vector)}]" for vector in vectors.astype(str))
    rows.writerows(zip(ids, texts, strict=True))
    return text.getvalue().encode()


def _files(data: Interactions, towers: Towers, report: TrainingReport) -> ModelFiles:
    user_tower = tower_to_onnx(towers.user, name="user_tower", model_version=report.model_version)
    item_tower = tower_to_onnx(towers.item, name="item_tower", model_version=report.model_version)
    # The embeddings come from the exported models, so that the tables hold exactly what inference gives.
    return ModelFiles(
        user_tower=user_tower,
        item_tower=item_tower,
        user_embeddings=embeddings_csv(data.customer_ids, UserModel(user_tower).run(data.user_feed)),
        item_embeddings=embeddings_csv(data.product_codes, ItemModel(item_tower).run(data.item_feed)),
        report=report.to_json(),
    )
