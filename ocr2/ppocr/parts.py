"""A reader's parts as networks in torch: from the published files, a model folder, or PaddleOCR's own graphs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from safetensors import SafetensorError, safe_open

from ocr2.errors import BadCheckpoint
from ocr2.ppocr.graphs import filled
from ocr2.ppocr.load import alphabet, listed, published, session
from ocr2.ppocr.nets import Classifier, Detector, Recognizer

if TYPE_CHECKING:
    from torch import nn

Part = Literal["detector", "recognizer", "classifier"]
PARTS: tuple[Part, ...] = ("detector", "recognizer", "classifier")
GENUINE = "ppocrv2"
FILE = "network"
"""The entry of a safetensors file that says which network it is of."""
_KINDS: dict[Part, dict[str, tuple[str, bool]]] = {
    "detector": {"MobileNetV3": ("", False), "RSE-FPN": ("", True), "ResNet18": ("resnet", False)},
    "recognizer": {"LCNet": ("", False), "MobileNetV3": ("mobilenet", False)},
    "classifier": {"MobileNetV3": ("", False)},
}
"""The networks that a part may be: a backbone, and whether its pyramid is RSE-FPN."""


@dataclass(frozen=True)
class Known:
    """A network that was trained before."""

    net: nn.Module
    backbone: str = ""
    residual: bool = False
    characters: tuple[str, ...] = ()
    """Of a recogniser: those of class 1, 2, …"""

    @property
    def mark(self) -> str:
        """Another one for other weights."""
        found = sha256()
        for tensor in self.net.state_dict().values():
            found.update(tensor.contiguous().numpy().tobytes())
        return found.hexdigest()[:16]


def network(part: Part, backbone: str = "", residual: bool = False, classes: int = 0) -> nn.Module:
    """A network with random weights."""
    if part == "detector":
        return Detector(backbone or "mobilenet", residual)
    return Recognizer(classes, backbone or "lcnet") if part == "recognizer" else Classifier()


def parts(place: str) -> dict[Part, Known]:
    """All that a folder of PaddleOCR's graphs has, or the genuine PP-OCRv2.

    Raises BadCheckpoint for a graph of another network, or where there is none; ModelMissing.
    """
    folder = Path(place)
    there = [part for part in PARTS if place == GENUINE or has(folder, part)]
    if not there:
        raise BadCheckpoint(f"{place} has no networks: expected {', '.join(f'{part}.onnx' for part in PARTS)}, or some")
    return {part: known(place, part) or read(folder / f"{part}.onnx", part) for part in there}


def has(folder: Path, part: Part) -> bool:
    """Whether a folder has that network, of ours or not."""
    return any((folder / f"{part}.{kind}").is_file() for kind in ("safetensors", "onnx"))


def known(place: str, part: Part) -> Known | None:
    """A part of the genuine PP-OCRv2, or of a model folder; None where there is none, or a graph of another network.

    Raises BadCheckpoint for a folder that isn't there, and files that aren't networks of ours; ModelMissing.
    """
    if place == GENUINE:
        found = published()
        return read(getattr(found, part), part, listed(found.characters) if part == "recognizer" else ())
    folder = Path(place)
    if not folder.is_dir():
        raise BadCheckpoint(f"{place} doesn't exist: expected {GENUINE}, or the model folder of an earlier run")
    if (folder / f"{part}.safetensors").is_file():
        return _stored(folder / f"{part}.safetensors", part)
    if not (folder / f"{part}.onnx").is_file():
        return None
    try:
        return read(folder / f"{part}.onnx", part)
    except BadCheckpoint:
        return None


def _stored(path: Path, part: Part) -> Known:
    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {}).get(FILE, ""))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 it is no dict
        characters = tuple(told["characters"])
        net = network(part, told["backbone"], told["residual"], len(characters) + 1)
        net.load_state_dict(tensors)
    except (OSError, SafetensorError, ValueError, TypeError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BadCheckpoint(f"{path} can't be loaded: {reason}; expected what ocr2 train ppocr wrote") from error
    return Known(net, told["backbone"], told["residual"], characters)


def read(graph: Path, part: Part, characters: tuple[str, ...] = ()) -> Known:
    """The network of an ONNX file as PaddleOCR's are exported, whichever of those that the part may be.

    A recogniser's characters, unless given, stand in its metadata or beside it in characters.txt. A detector's head
    for the threshold map, which graphs lack, begins at random, the same each time. Raises BadCheckpoint, ModelMissing.
    """
    if part == "recognizer" and not characters:
        characters = tuple(alphabet(session(graph, 1), graph.with_name("characters.txt"))[1:])
    reasons = []
    for backbone, residual in _KINDS[part].values():
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            net = network(part, backbone, residual, len(characters) + 1)
        try:
            return Known(filled(net, graph), backbone, residual, characters)
        except BadCheckpoint as error:
            reasons.append(str(error))
    raise BadCheckpoint(
        f"{graph} is no {part} of PP-OCRv2's kind (with {' or '.join(_KINDS[part])}) as Paddle2ONNX exports them: "
        f"{reasons[0].removeprefix(f'{graph} ').removeprefix(f'{graph}: ')}"
    )
