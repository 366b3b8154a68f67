"""The embedded recogniser, made from the one that RapidOCR ships: its wide convolutions in 8 bits, all else as it was.

    pip install 'ocr2[quantize]'
    python -m ocr2.recipes.quantize SITE-PACKAGES/rapidocr/models examples/page.png examples/photo.jpg \\
        examples/two-pages.pdf OUT

The lines on the given pages calibrate the ranges of the activations, as they are and as they might be on a photo: with
plain pages alone, every second error on photographed words is new. Expect lines of 900 columns in 0.6 of the time on a
processor with VNNI, and an edit distance on forms and pages that is the original's within 0.003.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from ocr2 import files
from ocr2.ppocr.detector import detect
from ocr2.ppocr.load import load
from ocr2.ppocr.pipeline import rectify
from ocr2.ppocr.recognizer import line_input

WIDE = 20_000
"""Convolutions with at least this many weights, and not by channel, are quantised: 9 in 10 of the multiplications."""


class _Lines:
    """The inputs that calibrate the ranges, as onnxruntime's calibrator asks for them."""

    def __init__(self, inputs: list[np.ndarray]) -> None:
        self.inputs = iter(inputs)

    def get_next(self) -> dict[str, np.ndarray] | None:
        line = next(self.inputs, None)
        return None if line is None else {"x": line}


def quantize(network: bytes, inputs: list[np.ndarray]) -> bytes:
    """The recogniser with 8-bit weights (per channel) and activations in its wide convolutions; metadata kept."""
    import onnx
    from onnx import version_converter
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    original = onnx.load_from_string(network)
    model = version_converter.convert_version(original, 17)  # older versions know one scale a tensor only
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        onnx.save(model, source)
        quant_pre_process(source, source, skip_optimization=True, skip_symbolic_shape=True)
        model = onnx.load(source)
        sizes = {weights.name: int(np.prod(weights.dims)) for weights in model.graph.initializer}
        wide = [
            node.name
            for node in model.graph.node
            if node.op_type == "Conv"
            and sizes.get(node.input[1], 0) >= WIDE
            and all(a.i == 1 for a in node.attribute if a.name == "group")
        ]
        quantize_static(
            source,
            target,
            _Lines(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # 7 bits: processors without VNNI add two products in 16
            nodes_to_quantize=wide,
        )
        model = onnx.load(target)
    del model.metadata_props[:]
    model.metadata_props.extend(original.metadata_props)
    data: bytes = model.SerializeToString()
    return data


def varied(line: np.ndarray, rng: random.Random) -> np.ndarray:
    """The line (H, W, 3) as it might be on a photo: in other colours, with more or less light, blurred, with noise."""
    paper, ink = (np.array([rng.uniform(0, 255) for _ in range(3)]) for _ in range(2))
    darkness = 1 - line.mean(2, keepdims=True) / 255  # (H, W, 1)
    image = paper + (ink - paper) * darkness if rng.random() < 0.7 else 255.0 - line
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.1, 1.5))
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, rng.uniform(0, 12), image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def main(models: str, *pages_and_folder: str) -> None:
    """Write OUT/recognizer.onnx."""
    *sources, out = pages_and_folder
    reader, rng = load("ppocr"), random.Random(0)
    inputs = []
    for page in (page for source in sources for page in files.pages(source)):
        pixels = np.asarray(page.image)[:, :, ::-1]
        lines = [rectify(pixels, quad) for quad in detect(pixels, reader.detector, reader.config.detector)]
        inputs += [
            line_input(line, reader.config.recognizer) for line in (*lines, *(varied(line, rng) for line in lines))
        ]
    data = quantize((Path(models) / "PP-OCRv6_rec_small.onnx").read_bytes(), inputs)
    with files.whole(Path(out) / "recognizer.onnx") as file:
        file.write(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
