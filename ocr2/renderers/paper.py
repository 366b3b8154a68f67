"""Ink in, a picture out: the paper it is printed on, the light on it, and what a scanner or camera does to it.

All of it is cheap (a page of 1024 × 1024 takes 1 to 15 ms), since it is done to every page that is drawn; what a GPU
can do to a batch of them is left to it. Where something moves, the lines' quads move along, and nothing leaves the
picture.

Shapes: H × W the picture, in pixels; ink is 0 (none) to 255, a picture 0 (black) to 255.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from ocr2.types import Box

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

    from ocr2.types import Line, Quad

    Pixels = NDArray[np.uint8]
    Matrix = NDArray[np.float64]

CONTRAST = 90
"""Ink and paper differ by so much at least, of 255."""
_TILE = 1536


def plain(ink: Pixels) -> Pixels:
    """(H, W) Black on white."""
    return cast("Pixels", cv2.bitwise_not(ink))


def worn(ink: Pixels, lines: tuple[Line, ...], rng: Random, size: int) -> tuple[Pixels, tuple[Line, ...]]:
    """(H, W) The ink on paper, as one of many scanners or cameras shows it, and the lines where they are then.

    `size` is that of the smallest type, in pixels: it stays legible. A third of the pictures is as clean as a screen.
    """
    if rng.random() < 0.33:
        return plain(ink), lines
    if rng.random() < 0.3:
        ink, lines = tilted(ink, lines, rng, 1.5, 0.008)
    if size >= 14 and rng.random() < 0.25:
        ink = pressed(ink, rng)
    if size >= 16 and rng.random() < 0.12:
        return scanned(ink, rng), lines
    image = printed(ink, rng)
    if size >= 18 and rng.random() < 0.15:
        image = resampled(image, rng.uniform(max(0.5, 12 / size), 0.9))
    if rng.random() < 0.35:
        image = blurred(image, rng.uniform(0.3, max(0.4, min(1.6, size / 22))))
    if rng.random() < 0.35:
        image = noisy(image, rng, rng.uniform(2, 14))
    if rng.random() < 0.12:
        image = squeezed(image, rng.randint(30, 85))
    return image, lines


def painted(ink: Pixels, lines: tuple[Line, ...], rng: Random) -> tuple[Pixels, tuple[Line, ...]]:
    """(H, W, 3) The ink as paint on a coloured surface, photographed at an angle, and the lines where they are then."""
    if rng.random() < 0.7:
        ink, lines = tilted(ink, lines, rng, 6, 0.06)
    height, width = ink.shape
    ground = surface(width, height, rng)
    paint = _colour_against(ground, ink, rng)
    if rng.random() < 0.25:
        _shade(ground, ink, rng, paint)
    share = (ink.astype(np.float32) / 255)[:, :, None]
    image = (ground + (paint - ground) * share).astype(np.uint8)
    if rng.random() < 0.3:
        image = resampled(image, rng.uniform(0.55, 0.95))
    if rng.random() < 0.4:
        image = blurred(image, rng.uniform(0.3, max(0.5, min(1.4, height / 50))))
    if rng.random() < 0.5:
        image = noisy(image, rng, rng.uniform(2, 16))
    if rng.random() < 0.3:
        image = squeezed(image, rng.randint(30, 90))
    return image, lines


def tilted(
    ink: Pixels, lines: tuple[Line, ...], rng: Random, degrees: float, depth: float
) -> tuple[Pixels, tuple[Line, ...]]:
    """The ink turned by up to so many degrees and seen from the side (corners move by up to `depth` of the sides)."""
    height, width = ink.shape
    most = min(degrees, degrees * 4 * height / width)  # a long line would leave its picture
    matrix = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-most, most), 1), [0, 0, 1]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    depth *= min(1.0, 4 * height / width)
    jitter = np.array([[rng.uniform(-depth, depth) * width, rng.uniform(-depth, depth) * height] for _ in corners])
    matrix = cv2.getPerspectiveTransform(corners, (corners + jitter).astype(np.float32)) @ matrix
    matrix = _inside(matrix, lines, width, height)
    # a pixel's middle is at a half for quads, and at a whole number for OpenCV
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    turned = cv2.warpPerspective(ink, half @ matrix @ np.linalg.inv(half), (width, height), flags=cv2.INTER_LINEAR)
    return cast("Pixels", turned), tuple(replace(line, quad=moved(line.place, matrix)) for line in lines)


def moved(quad: Quad, matrix: Matrix) -> Quad:
    """The quad where a perspective matrix puts it."""
    points = (np.array([(*point, 1.0) for point in quad]) @ matrix.T).tolist()
    first, second, third, fourth = ((x / w, y / w) for x, y, w in points)
    return first, second, third, fourth


def _inside(matrix: Matrix, lines: tuple[Line, ...], width: int, height: int) -> Matrix:
    """The matrix, and where it would put a line beyond the edge, one that makes all smaller and moves it back."""
    if not lines:
        return matrix
    box = Box.around(tuple(point for line in lines for point in moved(line.place, matrix)))
    scale = min(1.0, (width - 3) / (box.x1 - box.x0), (height - 3) / (box.y1 - box.y0))
    x0, y0, x1, y1 = (scale * edge for edge in (box.x0, box.y0, box.x1, box.y1))
    if scale == 1:
        dx, dy = max(0, 1.5 - x0) or min(0, width - 1.5 - x1), max(0, 1.5 - y0) or min(0, height - 1.5 - y1)
    else:
        dx, dy = (width - x0 - x1) / 2, (height - y0 - y1) / 2
    return cast("Matrix", np.array([[scale, 0, dx], [0, scale, dy], [0, 0, 1]]) @ matrix)


def pressed(ink: Pixels, rng: Random) -> Pixels:
    """Ink that ran, or that is worn off in spots."""
    if rng.random() < 0.6:
        fat = cv2.dilate(ink, np.ones((2, 2), np.uint8), anchor=(0, 0))
        share = rng.uniform(0.2, 0.8)
        return cast("Pixels", cv2.max(ink, cv2.addWeighted(ink, 1 - share, fat, share, 0)))
    spots = cv2.GaussianBlur(_noise(ink.shape[1], ink.shape[0], rng), (0, 0), rng.uniform(0.6, 1.5))
    kept = cv2.LUT(spots, np.clip((np.arange(256) - rng.uniform(98, 112)) * 12, 120, 255).astype(np.uint8))
    return cast("Pixels", cv2.multiply(ink, kept, scale=1 / 255))


def scanned(ink: Pixels, rng: Random) -> Pixels:
    """Black and white alone, with ragged edges and specks."""
    rough = noisy(ink, rng, rng.uniform(5, 35))
    _, black = cv2.threshold(rough, rng.randint(70, 150), 255, cv2.THRESH_BINARY)
    if rng.random() < 0.4:
        _, specks = cv2.threshold(_noise(ink.shape[1], ink.shape[0], rng), 236, 255, cv2.THRESH_BINARY)
        black = cv2.max(black, specks)
    return plain(cast("Pixels", black))


def printed(ink: Pixels, rng: Random) -> Pixels:
    """Ink of some grey on paper of some grey, sometimes the light one on the dark, unevenly lit."""
    light = 255 if rng.random() < 0.4 else rng.randint(170, 255)
    dark = rng.randint(0, 30) if rng.random() < 0.6 else rng.randint(30, light - CONTRAST)
    ground, black = (dark, light) if rng.random() < 0.06 else (light, dark)
    image = cast("Pixels", cv2.LUT(ink, np.linspace(ground, black, 256).round().astype(np.uint8)))
    if rng.random() < 0.3:
        height, width = ink.shape
        low = rng.uniform(0.65, 0.97)
        corners = np.array([[rng.uniform(low, 1) for _ in range(3)] for _ in range(3)], np.float32) * 255
        light_on = cv2.resize(corners.astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
        image = cast("Pixels", cv2.multiply(image, light_on, scale=1 / 255))
    if rng.random() < 0.25:
        grain = cv2.GaussianBlur(_noise(ink.shape[1], ink.shape[0], rng), (0, 0), rng.uniform(0.7, 2.5))
        strength = rng.uniform(0.1, 0.7)
        image = cast("Pixels", cv2.addWeighted(image, 1, grain, strength, -128 * strength))
    return image


def surface(width: int, height: int, rng: Random) -> NDArray[np.float32]:
    """(H, W, 3) A wall, a sign, cloth: one or a few colours that run into each other, with a grain."""
    base = np.array([rng.uniform(10, 245) for _ in range(3)])
    if rng.random() < 0.3:
        base[:] = rng.choice((rng.uniform(200, 250), rng.uniform(5, 50)))
    spread = rng.choice((0, 12, 35))
    cells = rng.choice(((2, 1), (2, 2), (4, 2), (8, 4)))
    some = np.array([[rng.uniform(-spread, spread) for _ in range(3)] for _ in range(cells[0] * cells[1])])
    colours = (base + some.reshape(cells[1], cells[0], 3)).astype(np.float32)
    ground = cv2.resize(colours, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        grain = cv2.GaussianBlur(_noise(width, height, rng), (0, 0), rng.uniform(0.5, 6)).astype(np.float32)
        grain = (grain - grain.mean()) / (grain.std() + 1e-3)
        ground += grain[:, :, None] * rng.uniform(2, 9)
    return cast("NDArray[np.float32]", np.clip(ground, 0, 255).astype(np.float32))


def _colour_against(ground: NDArray[np.float32], ink: Pixels, rng: Random) -> NDArray[np.float32]:
    """(3,) A colour that is seen on the ground wherever there is ink, as far as one colour can be."""
    under = ground[ink > 0] if ink.any() else ground.reshape(-1, 3)
    bright = under @ np.array([0.299, 0.587, 0.114], np.float32)
    low, high = float(np.quantile(bright, 0.02)), float(np.quantile(bright, 0.98))
    lighter = 255 - high > low if rng.random() < 0.7 else 255 - high > CONTRAST
    want = rng.uniform(min(255, high + CONTRAST), 255) if lighter else rng.uniform(0, max(0, low - CONTRAST))
    colour = np.array([rng.gauss(0, 45) if rng.random() < 0.5 else 0.0 for _ in range(3)])
    colour += want - colour @ [0.299, 0.587, 0.114]
    off = np.clip(colour, 0, 255)
    off += want - off @ [0.299, 0.587, 0.114]  # what was clipped, made up for in grey
    return cast("NDArray[np.float32]", np.clip(off, 0, 255).astype(np.float32))


def _shade(ground: NDArray[np.float32], ink: Pixels, rng: Random, paint: NDArray[np.float32]) -> None:
    """The letters' shadow falls on the ground, darker or lighter than it, but never like the paint."""
    far = max(1, ink.shape[0] // 32)
    dx, dy = rng.choice(((far, far), (-far, far), (far, 0)))
    shadow = cv2.warpAffine(ink, np.array([[1, 0, dx], [0, 1, dy]], np.float64), (ink.shape[1], ink.shape[0]))
    to = 0.0 if paint.mean() > ground.mean() else 255.0
    ground += (to - ground) * (shadow.astype(np.float32) / 255 * rng.uniform(0.2, 0.6))[:, :, None]


def blurred(image: Pixels, spread: float) -> Pixels:
    """The picture out of focus, by a Gaussian of that standard deviation."""
    return cast("Pixels", cv2.GaussianBlur(image, (0, 0), spread))


def resampled(image: Pixels, scale: float) -> Pixels:
    """The picture as if it had been taken that much smaller."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    return cast("Pixels", cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def noisy(image: Pixels, rng: Random, spread: float) -> Pixels:
    """Noise of that standard deviation on every pixel."""
    noise = _noise(image.shape[1], image.shape[0], rng)
    if image.ndim == 3:
        noise = np.dstack([noise, _noise(image.shape[1], image.shape[0], rng), noise[::-1]])
    share = spread / 32
    return cast("Pixels", cv2.addWeighted(image, 1, noise, share, -128 * share))


def squeezed(image: Pixels, quality: int) -> Pixels:
    """The picture after it was kept as a JPEG of that quality."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cast("Pixels", cv2.imdecode(data, cv2.IMREAD_UNCHANGED))


def _noise(width: int, height: int, rng: Random) -> Pixels:
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
