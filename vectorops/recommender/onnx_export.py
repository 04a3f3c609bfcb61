"""A fitted tower as an ONNX graph that takes raw values: the preprocessing is inside.

Each text is looked up among its categories, each number is placed in its band and scaled; the weight rows
found this way are added up and the sum is brought to length 1.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from vectorops import __version__
from vectorops.recommender.encoding import NumberEncoder, TextEncoder
from vectorops.recommender.features import OUTPUT_NAME
from vectorops.recommender.towers import SMALLEST_LENGTH, Tower

# Old enough for every onnxruntime since 1.15, new enough for every operator used here.
_OPSET, _ML_OPSET, _IR_VERSION = 17, 2, 8


def tower_to_onnx(tower: Tower, *, name: str, model_version: str) -> bytes:
    """Return the tower as the bytes of an ONNX model; the same tower gives the same bytes.

    The inputs are those of the tower's signature, each of shape (n, 1). The output "embedding" is float32 of
    shape (n, dimension).
    """
    builder = _GraphBuilder()
    start = 0
    terms = [builder.constant("bias", tower.bias)]
    for encoder in tower.encoders:
        weights = tower.weights[start : start + encoder.width]
        start += encoder.width
        terms += (
            _text_terms(builder, encoder, weights)
            if isinstance(encoder, TextEncoder)
            else _number_terms(builder, encoder, weights)
        )
    _unit_length(builder, builder.node("Sum", terms))
    return _to_bytes(builder, tower, name, model_version)


class _GraphBuilder:
    """Collects the nodes and constants of a graph, and names them."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: npt.ArrayLike, dtype: type[np.generic] = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def node(
        self, operator: str, inputs: list[str], *, output: str = "", domain: str = "", **attributes: Any
    ) -> str:
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes)
        )
        return output


def _text_terms(builder: _GraphBuilder, encoder: TextEncoder, weights: npt.NDArray[np.float64]) -> list[str]:
    """Return the looked-up weight row, of shape (n, 1, dimension)."""
    unknown = np.zeros((1, weights.shape[1]))
    rows = builder.constant(f"{encoder.name}_weights", np.vstack([weights, unknown]))
    position = builder.node(
        "LabelEncoder",
        [encoder.name],
        domain="ai.onnx.ml",
        # At least one key is required; where there is no category, "" finds the row of the unknown.
        keys_strings=list(encoder.categories) or [""],
        values_int64s=list(range(encoder.width)) or [0],
        default_int64=encoder.width,
    )
    return [builder.node("Gather", [rows, position], axis=0)]


def _number_terms(
    builder: _GraphBuilder, encoder: NumberEncoder, weights: npt.NDArray[np.float64]
) -> list[str]:
    """Return the scaled weight row and the weight row of the band, both of shape (n, 1, dimension)."""
    name = encoder.name
    mean = builder.constant(f"{name}_mean", encoder.mean)
    missing = builder.node("IsNaN", [name])
    known = builder.node("Where", [missing, mean, name])
    low, high = builder.constant(f"{name}_low", encoder.low), builder.constant(f"{name}_high", encoder.high)
    centred = builder.node("Sub", [builder.node("Clip", [known, low, high]), mean])
    scaled = builder.node("Div", [centred, builder.constant(f"{name}_scale", encoder.scale)])
    last_axis = builder.constant(f"{name}_last_axis", [2], np.int64)
    slope = builder.constant(f"{name}_slope", weights[0])
    scaled_row = builder.node("Mul", [builder.node("Unsqueeze", [scaled, last_axis]), slope])
    rows = builder.constant(f"{name}_band_weights", weights[1:])
    return [scaled_row, builder.node("Gather", [rows, _band(builder, encoder, known, missing)], axis=0)]


def _band(builder: _GraphBuilder, encoder: NumberEncoder, known: str, missing: str) -> str:
    """Return the index of each value's band: the number of edges at or below it, or the missing band."""
    name = encoder.name
    edges = builder.constant(f"{name}_edges", encoder.edges)
    passed = builder.node("Cast", [builder.node("GreaterOrEqual", [known, edges])], to=TensorProto.INT64)
    axis = builder.constant(f"{name}_axis", [1], np.int64)
    band = builder.node("ReduceSum", [passed, axis], keepdims=1)
    missing_band = builder.constant(f"{name}_missing_band", len(encoder.edges) + 1, np.int64)
    return builder.node("Where", [missing, missing_band, band])


def _unit_length(builder: _GraphBuilder, vectors: str) -> None:
    flat = builder.node("Squeeze", [vectors, builder.constant("middle_axis", [1], np.int64)])
    length = builder.node("ReduceL2", [flat], axes=[1], keepdims=1)
    divisor = builder.node("Max", [length, builder.constant("smallest_length", SMALLEST_LENGTH)])
    builder.node("Div", [flat, divisor], output=OUTPUT_NAME)


def _to_bytes(builder: _GraphBuilder, tower: Tower, name: str, model_version: str) -> bytes:
    texts = [
        helper.make_tensor_value_info(one, TensorProto.STRING, ["n", 1]) for one in tower.signature.texts
    ]
    numbers = [
        helper.make_tensor_value_info(one, TensorProto.FLOAT, ["n", 1]) for one in tower.signature.numbers
    ]
    output = helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, ["n", len(tower.bias)])
    graph = helper.make_graph(builder.nodes, name, [*texts, *numbers], [output], builder.constants)
    model: ModelProto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)],
        ir_version=_IR_VERSION,
        producer_name="vectorops",
        producer_version=__version__,
    )
    helper.set_model_props(model, {"model_version": model_version})
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))
