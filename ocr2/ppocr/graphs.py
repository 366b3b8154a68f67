"""The networks' weights, from published ONNX graphs, and back to graphs that onnxruntime reads.

detector = filled(Detector(), Path("ch_PP-OCRv2_det_infer.onnx"))
export(detector, Path("detector.onnx"))
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ocr2.errors import BadCheckpoint, ModelMissing
from ocr2.ppocr.load import session
from ocr2.ppocr.nets import Classifier, Detector, Recognizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

N = TypeVar("N", bound=nn.Module)

_LAYERS = ("Conv", "ConvTranspose", "BatchNormalization", "MatMul", "LSTM")
HEIGHTS: dict[type[nn.Module], int] = {Detector: 64, Classifier: 48, Recognizer: 32}
"""Pixels of the images by which a network is traced; the detector's may be any."""
_RECURRENT = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def filled(net: N, path: Path) -> N:
    """The network with the weights of a graph whose layers are computed in the order in which the network has them.

    A detector's threshold map, which reading doesn't need, has none in such graphs, and stays as it is. Raises
    BadCheckpoint where the graph isn't that network's, ModelMissing without onnx.
    """
    layers = [each for name, layer in net.named_modules() for each in _parts(name, layer)]
    found = list(_weights(path))
    if left := {name.partition(".")[0] for name, _ in layers[len(found) :]} - {"threshold"}:
        raise BadCheckpoint(f"{path} has {len(found)} layers, and none for the {' and '.join(sorted(left))}")
    if len(found) > len(layers):
        raise BadCheckpoint(f"{path} has {len(found)} layers: expected {len(layers)}, those of {type(net).__name__}")
    for (name, mine), (kind, theirs) in zip(layers, found, strict=False):
        if (wanted := _shapes(mine)) != (given := _shapes(theirs)):
            raise BadCheckpoint(f"{path}: {name} is a {kind} of {given}: expected {wanted}")
        with torch.no_grad():
            for key, value in theirs.items():
                mine[key].copy_(torch.from_numpy(np.array(value)))
    return net


def _shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in tensors.items()}


def _parts(name: str, layer: nn.Module) -> list[tuple[str, dict[str, Tensor]]]:
    """A layer's tensors, by their names; of a recurrent one those of each of its layers."""
    if isinstance(layer, nn.LSTM):
        ways = ("", "_reverse")
        return [
            (name, {f"{part}{way}": getattr(layer, f"{part}_l{number}{way}") for way in ways for part in _RECURRENT})
            for number in range(layer.num_layers)
        ]
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d | nn.Linear):
        return [(name, {key: value for key, value in layer.state_dict().items() if key != "num_batches_tracked"})]
    return []


def _weights(path: Path) -> Iterator[tuple[str, dict[str, Array]]]:
    """The layers of a graph in its order: what each is called there, and its tensors as torch has them."""
    try:
        import onnx
    except ImportError as error:
        raise ModelMissing(f"to take weights from {path.name} takes the package onnx: pip install onnx") from error
    try:
        model = onnx.load(path)
    except Exception as error:
        raise BadCheckpoint(f"{path} can't be read: {error}; expected an ONNX network") from error
    nodes = model.graph.node
    fed = {each.name for each in model.graph.input} - {each.name for each in model.graph.initializer}
    for node in nodes:
        fed |= set(node.output) if fed & set(node.input) else set()
    layers = [node for node in nodes if node.op_type in _LAYERS and fed & set(node.output)]
    layers = [node for node in layers if node.op_type != "MatMul" or node.input[1] not in fed]
    biases = {node.output[0]: _bias(node, nodes, fed) for node in layers}
    wanted = {name for node in layers for name in node.input[1 : 4 if node.op_type == "LSTM" else None] if name}
    wanted |= {name for name in biases.values() if name}
    values = _computed(model, sorted(wanted), fed, onnx)
    for node in layers:
        yield node.op_type, _tensors(node, values, biases[node.output[0]])


def _bias(layer: Any, nodes: Any, fed: set[str]) -> str:
    """The constant that is added to what a layer gives; "" for none. It may have its own input for it."""
    if layer.op_type in ("BatchNormalization", "LSTM"):
        return ""
    if len(layer.input) > 2:
        return str(layer.input[2])
    users = [node for node in nodes if layer.output[0] in node.input]
    if len(users) != 1 or users[0].op_type != "Add":
        return ""
    other = next(name for name in users[0].input if name != layer.output[0])
    return "" if other in fed else str(other)


def _computed(model: Any, names: list[str], fed: set[str], onnx: Any) -> dict[str, Array]:
    """What the constants are: some graphs cut and join them as they run."""
    stored = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    rest = [name for name in names if name not in stored]
    graph = onnx.helper.make_graph(
        [node for node in model.graph.node if not fed & set(node.output)],
        "constants",
        [],
        [onnx.helper.make_empty_tensor_value_info(name) for name in rest],
        model.graph.initializer,
    )
    alone = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return stored | dict(zip(rest, session(alone.SerializeToString(), 1).run(rest, {}), strict=True))


def _tensors(node: Any, values: dict[str, Array], bias: str) -> dict[str, Array]:
    if node.op_type == "BatchNormalization":
        names = ("weight", "bias", "running_mean", "running_var")
        return dict(zip(names, (values[name] for name in node.input[1:]), strict=True))
    if node.op_type == "LSTM":
        return _recurrent(*(values[name] for name in node.input[1:4]))
    weight = values[node.input[1]]
    found = {"weight": weight.T if node.op_type == "MatMul" else weight}
    return found | ({"bias": values[bias].reshape(-1)} if bias else {})


def _recurrent(weight: Array, hidden: Array, bias: Array) -> dict[str, Array]:
    """Of one layer, both ways: ONNX has its gates in the order input, output, forget, cell; torch forget before cell,
    and output last.
    """
    found = {}
    for number, way in enumerate(("", "_reverse")[: len(weight)]):
        parts = (weight[number], hidden[number], *np.split(bias[number], 2))
        for name, part in zip(_RECURRENT, parts, strict=True):
            gates = np.split(part, 4)
            found[name + way] = np.concatenate([gates[0], gates[2], gates[3], gates[1]])
    return found


class Answer(nn.Module):
    """A network that gives what its graph gives: probabilities alone."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, h, w) to (B, 1, h, w), (B, T, C) or (B, 2)."""
        if isinstance(self.net, Detector):
            return self.net.probability(images)
        found = self.net(images)
        return (found.logits if isinstance(self.net, Recognizer) else found).softmax(-1)


def exported(net: Detector | Classifier | Recognizer, characters: Sequence[str] = ()) -> bytes:
    """The network as an ONNX file for images of any size and number, which the reader on onnxruntime takes.

    A recogniser's `characters`, without the blank that is first and the space that is last, stand in its metadata.
    Raises ModelMissing without onnx.
    """
    try:
        import onnx
    except ImportError as error:
        raise ModelMissing("to write a network takes the package onnx: pip install onnx") from error
    free, given = {
        Detector: ({0: "batch", 2: "height", 3: "width"}, {0: "batch", 2: "height", 3: "width"}),
        Recognizer: ({0: "batch", 3: "width"}, {0: "batch", 1: "steps"}),
        Classifier: ({0: "batch"}, {0: "batch"}),
    }[type(net)]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, of its age
        torch.onnx.export(
            Answer(net).eval(),
            (torch.zeros(1, 3, HEIGHTS[type(net)], 192),),
            path := Path(folder) / "net.onnx",
            dynamo=False,
            opset_version=17,
            input_names=["images"],
            output_names=["probabilities"],
            dynamic_axes={"images": free, "probabilities": given},
        )
        model = onnx.load(path)
    if characters:
        onnx.helper.set_model_props(model, {"character": "\n".join(characters)})
    content: bytes = model.SerializeToString()
    return content
