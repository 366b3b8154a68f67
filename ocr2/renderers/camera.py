"""What a scanner or camera does to a picture: it is out of focus, shaken, streaked, noisy, small, kept as a JPEG.

Pictures are (H, W) or (H, W, 3), 0 (black) to 255, and keep their size.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

_TILE = 1536


def blurred(image: Pixels, spread: float) -> Pixels:
    """The picture out of focus, by a Gaussian of that standard deviation."""
    return cast("Pixels", cv2.GaussianBlur(image, (0, 0), spread))


def resampled(image: Pixels, scale: float) -> Pixels:
    """The picture as if it had been taken that much smaller."""
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    return cast("Pixels", cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def shaken(image: Pixels, rng: Random, length: float) -> Pixels:
    """As a hand that moves takes it: each point becomes a stroke of up to so many pixels."""
    angle, reach = rng.uniform(0, np.pi), rng.uniform(1.2, max(1.3, length)) / 2
    kernel = np.zeros((7, 7), np.uint8)
    off = np.array([np.cos(angle), np.sin(angle)]) * reach * 16
    ends = [tuple(np.rint(48 + side * off).astype(int).tolist()) for side in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 255, 1, cv2.LINE_AA, 4)
    return cast("Pixels", cv2.filter2D(image, -1, kernel / float(kernel.sum())))


def streaked(image: Pixels, rng: Random, strength: float) -> Pixels:
    """With what dust on a scanner's glass leaves, from end to end, or with its lines each of another brightness."""
    height, width = image.shape[:2]
    down = rng.random() < 0.7
    along = width if down else height
    if rng.random() < 0.5:
        levels = cv2.GaussianBlur(noise(along, 1, rng), (0, 0), rng.uniform(0.3, 3)).astype(np.float32) - 128
        levels *= strength * rng.uniform(0.1, 0.4) / max(1.0, float(levels.std()) / 8)
    else:
        levels = np.zeros((1, along), np.float32)
        for _ in range(rng.randint(1, 4)):
            at, wide = rng.randrange(along), rng.randint(1, 2)
            levels[0, at : at + wide] = rng.choice((-1, 1)) * min(34.0, strength * rng.uniform(8, 30))
    row = np.clip(levels + 128, 0, 255).astype(np.uint8)
    every = np.repeat(row, height, axis=0) if down else np.repeat(row.T, width, axis=1)
    return cast("Pixels", cv2.addWeighted(image, 1, every if image.ndim == 2 else cv2.merge([every] * 3), 1, -128))


def noisy(image: Pixels, rng: Random, spread: float) -> Pixels:
    """Noise of that standard deviation on every pixel."""
    grains: Any = noise(image.shape[1], image.shape[0], rng)
    if image.ndim == 3:
        grains = cv2.merge([grains, noise(image.shape[1], image.shape[0], rng), cv2.flip(grains, 0)])
    share = spread / 32
    return cast("Pixels", cv2.addWeighted(image, 1, grains, share, -128 * share))


def squeezed(image: Pixels, quality: int) -> Pixels:
    """The picture after it was kept as a JPEG of that quality."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cast("Pixels", cv2.imdecode(data, cv2.IMREAD_UNCHANGED))


def noise(width: int, height: int, rng: Random) -> Pixels:
    """(H, W) Noise about 128, with a standard deviation of 32: some part of what a process makes once."""
    tile = _tile()
    if width > _TILE or height > _TILE:
        tile = np.tile(tile, (-(-height // _TILE), -(-width // _TILE)))
    x, y = rng.randint(0, tile.shape[1] - width), rng.randint(0, tile.shape[0] - height)
    part = tile[y : y + height, x : x + width]
    return part[:: rng.choice((1, -1)), :: rng.choice((1, -1))].copy()


@cache
def _tile() -> Pixels:
    made = np.random.Generator(np.random.PCG64(0)).normal(128, 32, (_TILE, _TILE))
    return made.clip(0, 255).astype(np.uint8)
