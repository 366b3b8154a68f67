"""Text detection by differentiable binarization (DB): an image goes in, the quads of its text lines come out.

Source: PP-OCRv2 §2.1 and the inference rules of its released code. Shapes: H W pixels of the page, h w pixels of the
network's input and of its probability map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocr2.types import Quad

STRIDE = 32
"""The networks halve their input five times."""


@dataclass(frozen=True)
class DetectorConfig:
    """How a page is scaled for the detector, and how its probability map is read."""

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Of the channels blue, green, red, on the scale 0 to 1."""
    pixels: int = 940_000
    """Images are scaled to about this many pixels, …"""
    enlarge: float = 2.0
    """… but enlarged at the most so many times, …"""
    smallest: float = 12.0
    """… and looked at again at up to twice the scale if the middle line found is less than so many pixels high."""
    threshold: float = 0.3
    """A pixel is text above this probability."""
    box_threshold: float = 0.5
    """A box stays if the mean probability inside it is at least this."""
    unclip: float = 1.6
    """Boxes grow by area · unclip / perimeter, because the network is trained on shrunk ones."""
    dilate: bool = False
    """Whether the text pixels first grow by one to the right and down."""
    most: int = 3000
    """At the most so many boxes a page."""

    def __post_init__(self) -> None:
        if self.pixels < STRIDE**2 or self.enlarge <= 0 or self.smallest < 0 or self.unclip < 0 or self.most < 1:
            raise ValueError(f"{self}: expected pixels from {STRIDE**2} on, enlarge > 0, most from 1 on, none negative")
        if not (0 <= self.threshold < 1 and 0 <= self.box_threshold <= 1 and all(s > 0 for s in self.std)):
            raise ValueError(f"{self}: expected thresholds from 0 to 1, and std above 0")


def detect(image: np.ndarray, network: Callable[[np.ndarray], np.ndarray], config: DetectorConfig) -> list[Quad]:
    """The quads of the text lines on an image (H, W, 3) of blue, green, red bytes, in pixels of the image.

    `network` maps (1, 3, h, w) to the probability of text (1, 1, h, w). A quad begins at the corner that is top left
    on the page and goes round clockwise.
    """
    height, width = image.shape[:2]
    if width < 300 or height <= 3 * width:
        return _as_quads(_seen(image, network, config))
    found = []
    tall, shared = 2 * width, width // 2  # a long screenshot: windows that share a quarter with the next
    for top in range(0, height - shared, tall - shared):
        first, last = top == 0, top + tall >= height
        for corners in _seen(image[top : top + tall], network, config):
            middle = corners[:, 1].mean()
            if (first or middle >= shared / 2) and (last or middle < tall - shared / 2):
                found.append(corners + np.array([0, top], np.float32))
    return _as_quads(found)


def _as_quads(found: list[np.ndarray]) -> list[Quad]:
    return [tuple((float(x), float(y)) for x, y in corners) for corners in found]  # type: ignore[misc]


def _seen(image: np.ndarray, network: Callable[[np.ndarray], np.ndarray], config: DetectorConfig) -> list[np.ndarray]:
    """The corners (4, 2) of the lines in the image, at whatever scale shows them."""
    ratio = min(config.enlarge, math.sqrt(config.pixels / (image.shape[0] * image.shape[1])))
    found = _at(image, ratio, network, config)
    if found and ratio < 1:
        seen = ratio * float(np.median([np.linalg.norm(corners[3] - corners[0]) for corners in found]))
        if seen < config.smallest:
            found = _at(image, min(1, ratio * min(2, 1.25 * config.smallest / seen)), network, config)
    return found


def _at(
    image: np.ndarray, ratio: float, network: Callable[[np.ndarray], np.ndarray], config: DetectorConfig
) -> list[np.ndarray]:
    """The corners (4, 2) of the lines that the network sees in the image at that scale."""
    height, width = image.shape[:2]
    h, w = (max(STRIDE, round(side * ratio / STRIDE) * STRIDE) for side in (height, width))
    if h * w > 4 * config.pixels:  # very flat or very narrow
        h, w = (min(side, 4 * config.pixels // STRIDE) // STRIDE * STRIDE for side in (h, w))
    scaled = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
    probability = network(_normalized(scaled, config))[0, 0]  # (h, w)
    scale = np.array([width / w, height / h], np.float32)
    found = [np.clip(corners * scale, 0, [width, height]) for corners in boxes(probability, config)]
    return [c for c in found if min(np.linalg.norm(c[1] - c[0]), np.linalg.norm(c[3] - c[0])) > 3]


def boxes(probability: np.ndarray, config: DetectorConfig) -> list[np.ndarray]:
    """The text boxes in a probability map (h, w), each as four corners (4, 2): top left first, then clockwise."""
    mask: np.ndarray = (probability > config.threshold).astype(np.uint8)
    if config.dilate:
        mask = cv2.dilate(mask, np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        center, (w, h), angle = cv2.minAreaRect(contour)
        if min(w, h) < 3 or _mean_inside(probability, cv2.boxPoints((center, (w, h), angle))) < config.box_threshold:
            continue
        # The smallest rectangle around a rectangle offset with round joins is the rectangle grown by the offset.
        grow = w * h * config.unclip / (w + h)  # 2 · area · unclip / perimeter: once on either side
        if min(w, h) + grow >= 5:
            found.append(clockwise(cv2.boxPoints((center, (w + grow, h + grow), angle))))
    return found[-config.most :]  # contours come from the foot of the page


def clockwise(corners: np.ndarray) -> np.ndarray:
    """The four corners (4, 2) of a rectangle in any order, as top left, top right, bottom right, bottom left."""
    left, right = np.split(corners[np.argsort(corners[:, 0], kind="stable")], 2)
    (top_left, bottom_left), (top_right, bottom_right) = (side[np.argsort(side[:, 1])] for side in (left, right))
    return np.stack([top_left, top_right, bottom_right, bottom_left])


def _normalized(image: np.ndarray, config: DetectorConfig) -> np.ndarray:
    scale = 1 / (255 * np.array(config.std, np.float32))
    shift = np.array(config.mean, np.float32) / np.array(config.std, np.float32)
    return np.ascontiguousarray((image * scale - shift).transpose(2, 0, 1)[None])  # (1, 3, h, w)


def _mean_inside(probability: np.ndarray, corners: np.ndarray) -> float:
    h, w = probability.shape
    x0, y0 = np.clip(np.floor(corners.min(0)).astype(int), 0, [w - 1, h - 1])
    x1, y1 = np.clip(np.ceil(corners.max(0)).astype(int), 0, [w - 1, h - 1])
    mask = np.zeros((y1 - y0 + 1, x1 - x0 + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - [x0, y0]).astype(np.int32)], 1)
    return float(cv2.mean(probability[y0 : y1 + 1, x0 : x1 + 1], mask)[0])
