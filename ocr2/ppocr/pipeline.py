"""The OCR-1.0 reader: an image goes in, a Page with its lines in reading order comes out.

detect → rectify → turn → recognise → order (PP-OCRv2; the inference rules of its released code). The networks are plain
functions from array to array, so that they may run on onnxruntime or anywhere else.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ocr2.order import reading_order
from ocr2.ppocr.detector import DetectorConfig, detect
from ocr2.ppocr.recognizer import Recognized, RecognizerConfig, cuts, decode, joined, line_input, line_width, spaced
from ocr2.types import Line, Page, Quad

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    Network = Callable[[np.ndarray], np.ndarray]

VERTICAL = 1.5
"""A box this many times as high as wide holds a line that runs downwards."""
LEAD = 0.05
"""A line is taken for upside down if it is this much surer to read that way."""
STRIP = 100
"""An image at most this many pixels high with no more than one row of boxes is read as one line."""
CLASSIFIER = RecognizerConfig(height=48, shortest=192, longest=192)
"""The direction classifier's input."""


@dataclass(frozen=True)
class PipelineConfig:
    """Everything but the weights; saved as config.json beside them."""

    detector: DetectorConfig = field(default_factory=DetectorConfig)
    recognizer: RecognizerConfig = field(default_factory=RecognizerConfig)
    frame: float = 0.3
    """A cut-out line is framed by this share of its height, for its letters to be as high as in other lines."""
    turn_above: float = 0.9
    """A line is turned half round if the classifier is surer than this."""
    reread_below: float = 0.93
    """Lines read with a lower score are read again without squeezing them."""
    drop_below: float = 0.5
    """Lines read with a lower score are dropped."""


@dataclass(frozen=True)
class Pipeline:
    """The three networks, the characters that the recogniser knows, and how they are used together."""

    detector: Network
    """(1, 3, h, w) → the probability of text at each pixel (1, 1, h, w)."""
    classifier: Network | None
    """(B, 3, 48, 192) → the probabilities of upright and upside down (B, 2); None where lines are always upright."""
    recognizer: Network
    """(B, 3, h, w) → the probability of each character at each step (B, T, C)."""
    alphabet: list[str]
    """The C characters; the first is CTC's blank."""
    config: PipelineConfig = field(default_factory=PipelineConfig)
    threads: int = 1
    """How many lines are recognised at once."""

    def read(self, image: Image.Image, number: int = 1, origin: str = "") -> Page:
        """The page with its lines in reading order; their quads begin at the corner where the text begins."""
        rgb = image if image.mode == "RGB" else image.convert("RGB")  # which copies: a large scan has 0.3 GB
        pixels = np.ascontiguousarray(np.asarray(rgb)[:, :, ::-1])
        quads = self._found(pixels)
        lines = self._strip(pixels, quads) or self._recognized(pixels, quads)
        return Page(image, reading_order(line for line in lines if self._is_sure(line)), number, origin)

    def _found(self, pixels: np.ndarray) -> list[Quad]:
        """The quads of the page's lines, each from the corner where its text begins."""
        quads = detect(pixels, self.detector, self.config.detector)
        sizes = [_size(quad) for quad in quads]
        if sum(h for w, h in sizes if h >= VERTICAL * w) > sum(w for w, h in sizes if w >= VERTICAL * h):
            # A page scanned sideways: the detector sees lines better that lie.
            turned, right = np.ascontiguousarray(np.rot90(pixels)), pixels.shape[1]
            quads = [_moved(quad, right) for quad in detect(turned, self.detector, self.config.detector)]
        return [(*quad[1:], quad[0]) if h >= VERTICAL * w else quad for quad in quads for w, h in (_size(quad),)]

    def _is_sure(self, line: Line) -> bool:
        return bool(line.text) and line.score >= self.config.drop_below

    def _strip(self, pixels: np.ndarray, quads: list[Quad]) -> list[Line]:
        """The one line of an image that is a cut-out line or word, with little around it for a detector to go by."""
        height, width = pixels.shape[:2]
        middles = [(quad[0][1] + quad[2][1]) / 2 for quad in quads]
        if height > STRIP or height > 2 * width or (quads and max(middles) - min(middles) > height / 4):
            return []
        border = round(self.config.frame * height)
        framed = cv2.copyMakeBorder(pixels, border, border, border, border, cv2.BORDER_REPLICATE)
        whole = replace(self.config.recognizer, squeeze=1.0, shortest=320)
        quad: Quad = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
        line = self._line(framed, quad, self._is_turned(framed), whole)
        if line.score < self.config.reread_below:  # the classifier misses some
            turned = self._line(framed, quad, True, whole)
            line = turned if turned.score >= self.config.reread_below else line
        inside = [(center * (width + 2 * border) - border) / width for center in line.centers]
        line = replace(line, centers=tuple(min(max(center, 0.0), 1.0) for center in inside))
        found = self._recognized(pixels, quads) if line.score < self.config.reread_below else []
        return found if _is_better(found, line) else [line] if self._is_sure(line) else []

    def _recognized(self, pixels: np.ndarray, quads: list[Quad]) -> list[Line]:
        crops = [rectify(pixels, quad) for quad in quads]
        doubtful = [self._is_turned(crop) for crop in crops]
        if 2 * sum(doubtful) > len(crops):  # an upside-down page: the classifier misses one line in six of those
            doubtful = [True] * len(crops)
        # Paper: batches of 6, sorted by shape. Here each line by itself: on a CPU a column of text costs 1.1 to 1.2
        # times as much in a batch of 6, whose padding is paid for too and changes what PP-OCRv2 reads.
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(self._line, crops, quads, doubtful, repeat(self.config.recognizer)))

    def _is_turned(self, crop: np.ndarray) -> bool:
        """Whether the classifier takes a line for upside down: it is wrong on one upright line in fifty."""
        if self.classifier is None:
            return False
        height, width = crop.shape[:2]
        skip = max(0, (width - 8 * height) // 2)
        part = line_input(crop[:, skip : width - skip], CLASSIFIER)
        return bool(self.classifier(part)[0, 1] > self.config.turn_above)

    def _line(self, crop: np.ndarray, quad: Quad, doubtful: bool, config: RecognizerConfig) -> Line:
        """The line as read; where that or the way up is in doubt, it is read again and the surer reading stays."""
        read = self._read(crop, config)
        if read.score < self.config.reread_below and config.squeeze < 1:
            read = max(read, self._read(crop, replace(config, squeeze=1.0)), key=lambda r: r.score)
        if doubtful:
            turned = self._read(crop[::-1, ::-1], config)
            if turned.score > read.score + LEAD:
                read, quad = turned, quad[2:] + quad[:2]
        return Line(read.text, quad, read.score, centers=read.centers)

    def _read(self, crop: np.ndarray, config: RecognizerConfig) -> Recognized:
        spans = cuts(crop, config)
        parts = [self._part(crop[:, start:stop], config) for start, stop in spans]
        return joined(parts, spans) if len(parts) > 1 else parts[0]

    def _part(self, crop: np.ndarray, config: RecognizerConfig) -> Recognized:
        array = line_input(crop, config)
        filled = line_width(crop, config) / array.shape[3]
        return spaced(decode(self.recognizer(array)[0], self.alphabet, filled), crop)


def _is_better(found: list[Line], strip: Line) -> bool:
    """Whether the lines that the detector found in a strip are read surer than the whole of it, with nothing missed."""
    letters = [sum(map(str.isalnum, line.text)) for line in (*found, strip)]
    score = sum(line.score * len(line.text) for line in found) / max(sum(len(line.text) for line in found), 1)
    return score > strip.score and sum(letters[:-1]) >= letters[-1]


def _moved(quad: Quad, right: float) -> Quad:
    """A quad on a page turned a quarter to the left, in pixels of the page before, whose right edge is at `right`."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad
    return (right - y0, x0), (right - y1, x1), (right - y2, x2), (right - y3, x3)


def _size(quad: Quad) -> tuple[float, float]:
    """Width and height of a quad: the longer of each two sides that face each other."""
    p0, p1, p2, p3 = quad
    return max(math.dist(p0, p1), math.dist(p2, p3)), max(math.dist(p0, p3), math.dist(p1, p2))


def rectify(pixels: np.ndarray, quad: Quad) -> np.ndarray:
    """The quad's inside (H, W, 3) → (h, w, 3), its first corner at the top left, at the page's own scale."""
    corners = np.array(quad, np.float32)
    start = np.clip(np.floor(corners.min(0)).astype(int) - 2, 0, [pixels.shape[1] - 1, pixels.shape[0] - 1])
    stop = np.ceil(corners.max(0)).astype(int) + 3
    pixels, corners = pixels[start[1] : stop[1], start[0] : stop[0]], corners - start.astype(np.float32)
    width, height = (max(1, round(side)) for side in _size(quad))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    return cv2.warpPerspective(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
