"""What a detector is taught of a page: the middle of each text line, and how high the threshold is (DB §3.4).

Both follow from one number for each pixel: how deep inside its text it lies, in pixels from the nearest edge. What is
deeper than D is the text shrunk by D with round joins, and what is less than D outside is the text grown by D.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALLEST = 8
"""Lines less wide or high than so many pixels are neither taught nor blamed."""
LOW, HIGH = 0.3, 0.7
"""The threshold far from text, and on its edges."""
_HALF = 0.5
"""A pixel is in a shape that reaches to within half a pixel of its middle, as where corners are rounded to pixels."""


class Targets(NamedTuple):
    """What a detector should answer for an image, each (height, width) float32."""

    shrink: np.ndarray
    """1 in the shrunk text, else 0."""
    shrink_mask: np.ndarray
    """0 where it doesn't matter whether there is text, else 1."""
    threshold: np.ndarray
    """LOW to HIGH, the nearer to an edge the higher."""
    threshold_mask: np.ndarray
    """1 in the grown text, else 0: where the threshold matters."""


def maps(
    polygons: Sequence[np.ndarray], ignored: Sequence[bool], height: int, width: int, ratio: float = 0.4
) -> Targets:
    """The targets of an image with text in some polygons (N, 2), in pixels, x right, y down.

    Text of area A and perimeter L shrinks and grows by A (1 - ratio²) / L, never to nothing: it is A / L deep, or more.
    Where it would part, twice the ratio is tried, and so on below 1. What is ignored or too small is masked out.
    """
    shrink, near, threshold_mask = (np.zeros((height, width), np.float32) for _ in range(3))
    shrink_mask = np.ones((height, width), np.float32)
    for polygon, skipped in zip(polygons, ignored, strict=True):
        corners = np.clip(np.asarray(polygon, np.float64), 0, [width - 1, height - 1])
        area, perimeter = _measured(corners)
        reach = area * (1 - ratio**2) / max(perimeter, 1)
        window = _window(corners, reach)
        depth = _depth(corners, *window, height, width)
        if skipped or area < 1 or np.ptp(corners, 0).min() < SMALLEST:
            shrink_mask[window][depth >= -_HALF] = 0
            # Paper (DB): what isn't taught is left out of both maps. Released code: it draws the borders of small
            # text all the same, as it looks at sizes only afterwards.
            continue
        shrink[window][_shrunk(depth, area / perimeter, ratio)] = 1
        threshold_mask[window][depth >= -reach - _HALF] = 1
        # Released code: it measures to the nearest corner wherever it sees an edge at less than a right angle.
        np.maximum(near[window], 1 - np.abs(depth) / reach, out=near[window])
    return Targets(shrink, shrink_mask, LOW + (HIGH - LOW) * near, threshold_mask)


def _measured(corners: np.ndarray) -> tuple[float, float]:
    """The area and the perimeter of a polygon."""
    following = np.roll(corners, -1, 0)
    area = (corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]).sum() / 2
    return abs(float(area)), float(np.linalg.norm(following - corners, axis=1).sum())


def _window(corners: np.ndarray, reach: float) -> tuple[slice, slice]:
    """The rows and columns within reach of a polygon."""
    low = np.maximum(np.floor(corners.min(0) - reach - 1), 0).astype(int)
    high = np.ceil(corners.max(0) + reach + 2).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _depth(corners: np.ndarray, rows: slice, columns: slice, height: int, width: int) -> np.ndarray:
    """How far inside the polygon each pixel of a window is, in pixels to its nearest edge: negative outside."""
    x = np.arange(width, dtype=np.float32)[columns]
    y = np.arange(height, dtype=np.float32)[rows, None]
    nearest = np.full((y.size, x.size), np.inf, np.float32)
    inside = np.zeros(nearest.shape, bool)
    for (x0, y0), (x1, y1) in pairwise([*corners.tolist(), corners[0].tolist()]):
        dx, dy = x1 - x0, y1 - y0
        along = ((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-9)
        np.clip(along, 0, 1, out=along)
        np.minimum(nearest, (x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2, out=nearest)
        if dy:  # a ray to the right crosses this edge
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (dx / dy))
    distance = np.sqrt(nearest)
    return np.where(inside, distance, -distance)


def _shrunk(depth: np.ndarray, unit: float, ratio: float) -> np.ndarray:
    """Which pixels are in the shrunk text, as one piece if possible."""
    for each in np.arange(ratio, 1, ratio):
        middle: np.ndarray = depth >= unit * (1 - each**2) - _HALF
        if cv2.connectedComponents(middle.view(np.uint8))[0] == 2:  # the ground, and one piece
            break
    return middle
