"""Bends in a line of text, as if another hand had written it, or on cloth (TIA: "Learn to Augment", CVPR 2020).

A bend is a function that says of points in the picture to be made where they come from; points are complex numbers,
x + iy, in pixels. Several bends are done at once: the picture is only drawn anew when all of them are known.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    Bend = Callable[[np.ndarray], np.ndarray]

STEP = 8
"""Pixels between the points that are followed; what lies between them is interpolated."""


def bent(image: np.ndarray, bends: Sequence[Bend], step: int = STEP) -> np.ndarray:
    """The image (H, W, 3) after all the bends, in their order. Beyond its edges they are repeated."""
    if not bends:
        return image
    height, width = image.shape[:2]
    y, x = (np.arange(0, side + step, step) for side in (height, width))
    points = x + 1j * y[:, None] + (0.5 + 0.5j)  # of pixels' middles
    source = reduce(lambda found, bend: bend(found), reversed(bends), points.ravel()).reshape(points.shape)
    x, y = (_enlarged((each - 0.5).astype(np.float32), width, height, step) for each in (source.real, source.imag))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _enlarged(nodes: np.ndarray, width: int, height: int, step: int) -> np.ndarray:
    """What is known at every so many pixels from the first on, at each of them."""
    matrix = np.array([[1 / step, 0, 0], [0, 1 / step, 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(nodes, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def tia_distorted(width: int, height: int, segments: int, rng: Random) -> Bend:
    """Each end of each segment of the line's upper and lower edge goes somewhere near."""
    # Released code: up to a third of a segment's width away, which for lines longer than its own, 100 × 32 pixels, is
    # beyond the other edge: letters fold over. Here: of its width or of the height, whichever is less.
    reach = min(width // segments, height) / 3
    source = _edges(width, height, segments)
    target = source + [complex(rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)) * reach for _ in source]
    ends = ((0, 1 + 1j), (segments, -1 + 1j), (segments + 1, 1 - 1j), (-1, -1 - 1j))  # corners go inwards
    for corner, inwards in ends:
        target[corner] = source[corner] + reach * complex(rng.random() * inwards.real, rng.random() * inwards.imag)
    return partial(followed, before=target, after=source)


def tia_stretched(width: int, height: int, segments: int, rng: Random) -> Bend:
    """The segments of the line are longer or shorter, by up to 0.8 of their length."""
    source = _edges(width, height, segments)
    by = [0.0, *(rng.uniform(-0.4, 0.4) * (width // segments) for _ in range(segments - 1)), 0.0]
    return partial(followed, before=source + np.array([*by, *by]), after=source)


def perspective(width: int, height: int, rng: Random) -> Bend:
    """Either end of the line is farther away: its upper and lower corner go inwards."""
    # Released code: each by up to half the height, which leaves some lines a pixel high at that end. Here: a quarter.
    inwards = [rng.uniform(0, height / 4) for _ in range(4)]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    target = source + np.array([[0, 1], [0, 1], [0, -1], [0, -1]], np.float32) * np.array(inwards, np.float32)[:, None]
    return partial(_projected, matrix=cv2.getPerspectiveTransform(target, source))


def _edges(width: int, height: int, segments: int) -> np.ndarray:
    """The ends of the segments along the upper edge, and along the lower one."""
    upper = np.linspace(0, width, segments + 1)
    return np.concatenate([upper + 0j, upper + 1j * height])


def followed(points: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The points moved as the marks near them are, from before to after, by moving least squares over similarities.

    For each point: the turn, scale and shift that, with weights 1 / distance², take the marks nearest to where they are
    to go (Schaefer et al. 2006). A similarity of complex numbers is z → az + b, which makes it a weighted mean.
    """
    weights = 1 / np.maximum(np.abs(points[:, None] - before) ** 2, 1e-9)  # (N, marks)
    weights /= weights.sum(1, keepdims=True)
    middle, target = weights @ before, weights @ after
    arms, aims = before - middle[:, None], after - target[:, None]
    turn = (weights * arms.conj() * aims).sum(1) / np.maximum((weights * np.abs(arms) ** 2).sum(1), 1e-12)
    return turn * (points - middle) + target


def _projected(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    x, y, w = matrix @ np.stack([points.real, points.imag, np.ones(len(points))])
    return (x + 1j * y) / w
