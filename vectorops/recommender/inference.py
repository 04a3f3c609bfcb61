"""Embeddings from the towers, with nothing but onnxruntime and numpy: this runs in the deployed functions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from vectorops.errors import InputDataError
from vectorops.recommender.features import (
    ITEM_SIGNATURE,
    OUTPUT_NAME,
    USER_SIGNATURE,
    Feed,
    Signature,
    model_feed,
)


class TowerModel:
    """An ONNX model that turns records into vectors.

    Args:
        source: File of the model, or its bytes.
        signature: Inputs the model must have.

    Raises:
        InputDataError: It is not an ONNX model, or its inputs or output differ from the signature.
    """

    def __init__(self, source: str | Path | bytes, signature: Signature) -> None:
        self._signature = signature
        self._session = _open(source)
        _check_signature(self._session, signature)
        self.dimension: int = self._session.get_outputs()[0].shape[1]

    def embed(self, records: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float32]:
        """Return one vector per record, in their order, from one call of the model.

        Any value may be missing, null, of another type or never seen in training.

        Returns:
            float32, shape (len(records), dimension).
        """
        if not records:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self.run(model_feed(self._signature, records))

    def run(self, feed: Feed) -> npt.NDArray[np.float32]:
        """Return one vector per row of inputs that `model_feed` has made, of one row at least."""
        return np.asarray(self._session.run([OUTPUT_NAME], dict(feed))[0], dtype=np.float32)


class UserModel(TowerModel):
    """The user tower: records have `city`, `country`, `creditlimit`."""

    def __init__(self, source: str | Path | bytes) -> None:
        super().__init__(source, USER_SIGNATURE)


class ItemModel(TowerModel):
    """The item tower.

    Records have `productcode`, `productline`, `productscale`, `quantityinstock`, `buyprice`, `msrp`.
    """

    def __init__(self, source: str | Path | bytes) -> None:
        super().__init__(source, ITEM_SIGNATURE)


def _open(source: str | Path | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    # The models are small: handing work to other threads costs more than it saves.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    model = source if isinstance(source, bytes) else str(source)
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # onnxruntime's own exceptions share no base class
        name = f"{len(source)} bytes" if isinstance(source, bytes) else f"'{source}'"
        raise InputDataError(f"cannot read {name} as an ONNX model", why=str(exc)) from exc


def _check_signature(session: Any, signature: Signature) -> None:
    expected = signature.as_dict()
    found = {
        "inputs": {one.name: one.type for one in session.get_inputs()},
        "output": {one.name: one.type for one in session.get_outputs()},
    }
    shape = session.get_outputs()[0].shape
    if found != expected:
        raise InputDataError(f"the model has {found}", why=f"its signature must be {expected}")
    if len(shape) != 2 or not isinstance(shape[1], int):
        raise InputDataError(
            f"the model's output has shape {shape}",
            why="it must be (n, dimension), with a fixed dimension",
        )
