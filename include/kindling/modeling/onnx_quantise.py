"""Turns an exported transformer into one of 8-bit integers that answers like it.

Smoothing before the rounding is that of Xiao et al. 2023, "SmoothQuant": channels that are
large in the activations are divided by a factor that the weights after them are multiplied by.
Here the division is a node of its own, because the layers before end in a residual.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from kindling.modeling.onnx_session import feeds

#: How much of a channel's range moves into the weights. Of .3 to .9 the one with which a model
#: trained on the bundled catalogue kept most labels on reviews of clothing.
STRENGTH = 0.8
_SMOOTHED = ("MatMul", "Attention")
_FLOOR = 1e-5


def fused(source: Path, target: Path, heads: int, width: int) -> None:
    """Write the graph with attention and normalisation as ONNX Runtime's own operators."""
    from onnxruntime.transformers import optimizer

    found = optimizer.optimize_model(
        str(source), model_type="bert", num_heads=heads, hidden_size=width, opt_level=0
    )
    unfuse_skips(found.model)
    found.save_model_to_file(str(target))


def unfuse_skips(model: onnx.ModelProto) -> None:
    """Write each SkipLayerNormalization as the additions and the norm that it is, in place.

    ONNX Runtime's own operator for it takes five times as long on a processor as those do.
    """
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        fused_one = node.op_type == "SkipLayerNormalization"
        nodes += _unfused(node) if fused_one else [node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _unfused(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    states, skipped, gamma, beta, *bias = node.input
    sums, terms = [], [*bias, skipped]
    for number, term in enumerate(terms):
        name = f"{node.name}_sum{number}"
        sums.append(helper.make_node("Add", [states, term], [name], name=name))
        states = name
    [epsilon] = [one.f for one in node.attribute if one.name == "epsilon"]
    norm = helper.make_node(
        "LayerNormalization",
        [states, gamma, beta],
        [node.output[0]],
        name=f"{node.name}_norm",
        axis=-1,
        epsilon=epsilon,
    )
    return [*sums, norm]


def quantised(
    source: Path, target: Path, rows: Sequence[Sequence[int]], in_float: int = 0
) -> None:
    """Write the graph with int8 weights; `rows` of token ids show what activations are like.

    The second products of the first `in_float` feed-forward layers are not rounded: what rounding
    harms most. Their inputs are mostly near nothing with a few large values, and what they get
    wrong goes through every layer after them.
    """
    model = onnx.load(str(source))
    smooth(model, _largest(model, rows))
    # The quantiser advises a preparation that `fused` has done.
    logging.getLogger().addFilter(_no_advice)
    try:
        quantize_dynamic(
            model,
            str(target),
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=narrowing(model)[:in_float],
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        logging.getLogger().removeFilter(_no_advice)


def narrowing(model: onnx.ModelProto) -> list[str]:
    """Names of the second products of the feed-forward layers, the first layer's first."""
    weights = {one.name: one for one in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul"
        and node.input[1] in weights
        and weights[node.input[1]].dims[0] > weights[node.input[1]].dims[1]
    ]


def shift_output(path: Path, by: NDArray[np.float32]) -> None:
    """Add to what the graph answers, in place."""
    model = onnx.load(str(path))
    [output] = [one.name for one in model.graph.output]
    # Not twice the same: a graph may be moved again.
    number = sum(node.name.startswith("shift") for node in model.graph.node)
    before, shift = f"{output}_before_shift{number}", f"shift{number}"
    for node in model.graph.node:
        node.output[:] = [before if one == output else one for one in node.output]
    held = numpy_helper.from_array(by.astype(np.float32), shift)
    model.graph.initializer.append(held)
    added = helper.make_node("Add", [before, shift], [output], name=shift)
    model.graph.node.append(added)
    onnx.save(model, str(path))


def smooth(model: onnx.ModelProto, largest: dict[str, NDArray[np.float32]]) -> None:
    """Divide every input of a weighted product by what its weights are multiplied by, in place.

    `largest` holds the largest absolute value of each channel of each input. The graph says the
    same as before, up to rounding.
    """
    weights = {one.name: one for one in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if _weighted(node, weights):
            nodes.append(_divided(model, node, weights, largest[node.input[0]]))
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _divided(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    weights: dict[str, onnx.TensorProto],
    largest: NDArray[np.float32],
) -> onnx.NodeProto:
    held = weights[node.input[1]]
    values = numpy_helper.to_array(held)
    reach = np.maximum(np.abs(values).max(axis=1), _FLOOR)
    factor = np.maximum(largest, _FLOOR) ** STRENGTH / reach ** (1 - STRENGTH)
    factor /= np.exp(np.log(factor).mean())
    moved = (values * factor[:, None]).astype(np.float32)
    held.CopyFrom(numpy_helper.from_array(moved, held.name))
    name = f"{node.name}_smooth"
    inverse = numpy_helper.from_array((1 / factor).astype(np.float32), name)
    model.graph.initializer.append(inverse)
    division = helper.make_node(
        "Mul", [node.input[0], name], [f"{name}_out"], name=name
    )
    node.input[0] = f"{name}_out"
    return division


def _largest(
    model: onnx.ModelProto, rows: Sequence[Sequence[int]]
) -> dict[str, NDArray[np.float32]]:
    """Largest absolute value by channel of every input that a weight is multiplied with."""
    weights = {one.name: one for one in model.graph.initializer}
    names = [n.input[0] for n in model.graph.node if _weighted(n, weights)]
    wanted = list(dict.fromkeys(names))
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    for name in wanted:
        shown = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        probe.graph.output.append(shown)
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    largest: dict[str, NDArray[np.float32]] = {}
    for row in rows:
        seen = session.run(wanted, feeds(session, [row]))
        for name, values in zip(wanted, seen, strict=True):
            top = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, top), top)
    return largest


def _weighted(node: onnx.NodeProto, weights: dict[str, Any]) -> bool:
    return node.op_type in _SMOOTHED and node.input[1] in weights


def _no_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()
