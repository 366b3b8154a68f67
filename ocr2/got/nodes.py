"""A graph of ONNX nodes in the making, and the linear maps in it, in float32 or in 8 bits.

In 8 bits, weights have a scale for each output channel and activations one for each token: what a token becomes doesn't
depend on those computed together with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocr2.got.onnx import Ports

    Weights = Mapping[str, np.ndarray]
    """Parameters in float32, by the names that they have in GOT."""

MICROSOFT = "com.microsoft"
"""The domain of onnxruntime's own operators."""
_OPSET, _IR = 20, 9
_ZERO = 128
"""The byte that stands for an activation of zero."""
_TYPES = {"float": TensorProto.FLOAT, "int64": TensorProto.INT64, "uint8": TensorProto.UINT8}


class Graph:
    """Nodes and weights so far. Every method that makes nodes returns the name of what the last of them tells."""

    def __init__(self, weights: Weights, int8: bool) -> None:
        self.weights, self.int8 = weights, int8
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """A node; the name of its output, or the names of several."""
        names = [f"{kind}.{len(self.nodes)}.{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def named(self, name: str, source: str) -> None:
        """An output of the graph."""
        self.nodes.append(helper.make_node("Identity", [source], [name]))

    def array(self, name: str, values: np.ndarray) -> str:
        """Numbers of a name, stored once."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def floats(self, *values: float) -> str:
        """One number, or a vector of several."""
        array = np.array(values if len(values) > 1 else values[0], np.float32)
        return self.array("f" + ",".join(map(repr, values)), array)

    def longs(self, *values: int) -> str:
        """A vector of whole numbers."""
        return self.array("i" + ",".join(map(str, values)), np.array(values, np.int64))

    def weight(self, name: str) -> str:
        """A parameter as it is."""
        return self.array(name, self.weights[name].astype(np.float32, copy=False))

    def size(self, x: str, axis: int) -> str:
        """(1,): how long an axis is."""
        return str(self.op("Shape", x, start=axis, end=axis + 1))

    def shape(self, *parts: str | int) -> str:
        """A shape of numbers and sizes; 0 stays what it is, -1 is the rest."""
        return str(self.op("Concat", *[self.longs(p) if isinstance(p, int) else p for p in parts], axis=0))

    def reshape(self, x: str, *parts: str | int) -> str:
        """The same numbers in that shape."""
        known = all(isinstance(part, int) for part in parts)
        return str(self.op("Reshape", x, self.longs(*map(int, parts)) if known else self.shape(*parts)))

    def linear(self, x: str, name: str, rows: slice | None = None) -> str:
        """A linear map of GOT, or some of its outputs."""
        weight, label = self.weights[f"{name}.weight"], name
        if rows:
            weight, label = weight[rows], f"{name}.{rows.start}"
        weight = weight.reshape(len(weight), -1)  # a convolution of 1 × 1 is one, too
        y = self.product(x, label, weight)
        bias = self.weights.get(f"{name}.bias")
        return y if bias is None else str(self.op("Add", y, self.array(f"{label}.bias", bias[rows] if rows else bias)))

    def product(self, x: str, label: str, weight: np.ndarray) -> str:
        """(…, inputs) by (outputs, inputs) → (…, outputs)."""
        if not self.int8:
            return str(self.op("MatMul", x, self.array(label, weight.T)))
        whole, scale = quantized(weight)
        return self.whole_product(x, self.array(label, whole.T), self.array(f"{label}.scale", scale))

    def whole_product(self, x: str, weight: str, scale: str) -> str:
        """The same with (inputs, outputs) bytes; each token is quantised by its own largest number.

        Of a token that is nothing but zeros, 0 / 0 makes any bytes; times the largest, they are zeros again.
        """
        largest = self.op("ReduceMax", self.op("Abs", x), self.longs(-1), keepdims=1)
        step, zero = self.floats(1 / 127), self.array("zero", np.array(_ZERO, np.uint8))
        bytes_ = self.op("QuantizeLinear", self.op("Div", x, largest), step, zero)
        y = self.op("MatMulIntegerToFloat", bytes_, weight, step, scale, zero, domain=MICROSOFT)
        return str(self.op("Mul", y, largest))

    def finished(self, inputs: Ports, outputs: Ports) -> bytes:
        """The graph as a file's content."""
        given, told = (
            [helper.make_tensor_value_info(name, _TYPES[kind], shape) for name, (kind, shape) in those.items()]
            for those in (inputs, outputs)
        )
        graph = helper.make_graph(self.nodes, "ocr2", given, told, list(self.initializers.values()))
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="ocr2")
        content: bytes = model.SerializeToString()
        return content


def quantized(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(outputs, inputs) as bytes, and the scale of each output."""
    scale = np.maximum(np.abs(weight).max(1), 1e-12) / 127
    return np.round(weight / scale[:, None]).astype(np.int8), scale.astype(np.float32)
