"""Ink in, a picture out: the paper it is printed on, the light on it, and what a scanner or camera does to it.

All of it is cheap (a page of 1024 × 1024 takes 1 to 15 ms), since it is done to every page that is drawn; what a GPU
can do to a batch of them is left to it. Where something moves, the lines' quads move along, and nothing leaves the
picture.

Shapes: H × W the picture, in pixels; ink is 0 (none) to 255, a picture 0 (black) to 255.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from ocr2.renderers import light
from ocr2.renderers.camera import blurred, noise, noisy, resampled, shaken, squeezed, streaked
from ocr2.types import Box

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from numpy.typing import NDArray

    from ocr2.types import Line, Point, Quad

    Pixels = NDArray[np.uint8]
    Matrix = NDArray[np.float64]

CONTRAST = 90
"""Ink and paper differ by so much at least, of 255."""
_DIMMEST = 115
"""No place of a sheet of paper is darker, whatever shadows fall on it."""


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


def wear(strength: float, rng: Random) -> float:
    """The strength of one picture among many: three of ten are as clean as a screen, the others up to that strength."""
    return 0.0 if rng.random() < 0.3 else strength * rng.uniform(0.15, 1.0)


def aged(
    image: Pixels,
    rng: Random,
    strength: float = 1.0,
    quads: Sequence[Quad] = (),
    smallest: int = 0,
    texture: Pixels | None = None,
) -> tuple[Pixels, tuple[Quad, ...]]:
    """A drawing on white, (H, W) or (H, W, 3), as print on paper that was scanned or photographed, and its quads there.

    `strength` says how much is done and how often: 0 is nothing at all, 1 what an old copy or a bad photograph has;
    what can be read stays so, and colours stay apart. `smallest` is the size of the smallest type in pixels, 0 has it
    measured. `texture` (H', W', 3) is a photograph of the paper to be used (see `light.Papers`). What is grey gets
    three channels where the paper has a tint. Raises nothing of its own.
    """
    if strength <= 0 or not image.size:
        return image, tuple(quads)
    often, size = min(1.0, strength), smallest or type_size(image)
    if rng.random() < 0.5 * often:
        image, quads = _leant(image, tuple(quads), rng, 2.5 * strength, 0.015 * strength)
    whole = image.ndim == 3 or size < 14 or rng.random() >= 0.3 * often
    if not whole:
        image = plain(pressed(plain(image), rng))
    if image.ndim == 2 and size >= 14 and rng.random() < 0.08 * often and (black := _copied(image, rng)) is not None:
        return black, tuple(quads)
    if whole and rng.random() < 0.6 * often:
        image = _faded(image, rng, strength)
    if rng.random() < 0.2 * often:
        image = _seen_through(image, rng, strength)
    tint = image.ndim == 3 or rng.random() < 0.5 * often
    image = _on_paper(image, rng, strength, tint, texture if rng.random() < 0.7 * often else None)
    return _taken(image, rng, strength, size), tuple(quads)


def type_size(image: Pixels) -> int:
    """The size of the smallest type on a drawing, in pixels: at least, from the height of the lowest letters."""
    _, ink = cv2.threshold(_darkest(image), 170, 255, cv2.THRESH_BINARY_INV)
    # OpenCV's fastest way to count, and to number, where the numbers are sure to be enough
    kind, way = (cv2.CV_16U, cv2.CCL_BOLELLI) if cv2.countNonZero(ink) < 1 << 16 else (cv2.CV_32S, cv2.CCL_BBDT)
    count, _, found, _ = cv2.connectedComponentsWithStatsWithAlgorithm(ink, 8, kind, way)
    wide, high = found[1:, cv2.CC_STAT_WIDTH], found[1:, cv2.CC_STAT_HEIGHT]
    letters = high[(high >= 4) & (wide >= 2) & (wide <= 3 * high) & (high <= 60)]
    return int(np.clip(1.6 * np.percentile(letters, 20), 8, 40)) if count > 1 and len(letters) else 16


def _darkest(image: Pixels) -> Pixels:
    """(H, W) The darkest channel of each pixel."""
    if image.ndim == 2:
        return image
    red, green, blue = cv2.split(image)
    return cast("Pixels", cv2.min(cv2.min(red, green), blue))


def _leant(
    image: Pixels, quads: tuple[Quad, ...], rng: Random, degrees: float, depth: float
) -> tuple[Pixels, tuple[Quad, ...]]:
    """The picture turned and seen from the side, less so where it would have to be made much smaller to fit."""
    height, width = image.shape[:2]
    x, y, w, h = cv2.boundingRect(plain(_darkest(image)))
    if not w:
        return image, quads
    edge = ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
    points: tuple[Point, ...] = edge + tuple(point for quad in quads for point in quad)
    for _ in range(5):
        leaning = _leaning(width, height, rng, degrees, depth)
        matrix = _inside(leaning, points, width, height)
        if matrix[0, 0] > 0.9 * leaning[0, 0]:
            return _warped(image, matrix, 255), tuple(moved(quad, matrix) for quad in quads)
        degrees, depth = degrees / 2, depth / 2
    return image, quads


def _copied(image: Pixels, rng: Random) -> Pixels | None:
    """In black and white alone, by a scanner; None where some of it would be lost: shades, or lines too fine."""
    ink = plain(image)
    flat = cv2.dilate(ink, np.ones((3, 3))) == cv2.erode(ink, np.ones((3, 3)))
    if np.count_nonzero(flat & (ink > 20) & (ink < 235)) > 0.0005 * ink.size:
        return None
    black = scanned(ink, rng)
    near = cv2.erode(black, np.ones((3, 3)))
    drawn = ink > 50
    return None if np.count_nonzero(drawn & (near > 0)) > 0.002 * np.count_nonzero(drawn) else black


def _faded(image: Pixels, rng: Random, strength: float) -> Pixels:
    """Its ink lighter, unevenly at times: the darkest keeps a contrast of 110 at least, and colours fade less."""
    darkest = 255 - float(image.min())
    least = 0.8 if image.ndim == 3 else max(0.5, min(1.0, 110 / max(darkest, 1)))
    left = 1 - (1 - least) * min(1.0, strength) * rng.random()
    levels = 255 - (255 - np.arange(256)) * left
    return cast("Pixels", cv2.LUT(image, levels.round().astype(np.uint8)))


def _seen_through(image: Pixels, rng: Random, strength: float) -> Pixels:
    """With the print of the other side: what it could be is this side's own, mirrored and elsewhere."""
    back = cv2.GaussianBlur(
        plain(image if image.ndim == 2 else image.min(axis=2))[:, ::-1], (0, 0), rng.uniform(1, 2.5)
    )
    back = np.roll(back, (rng.randrange(back.shape[0]), rng.randint(-20, 20)), (0, 1))
    back = cv2.LUT(back, (255 - np.arange(256) * min(0.2, strength * rng.uniform(0.05, 0.16))).astype(np.uint8))
    return cast("Pixels", cv2.multiply(image, back if image.ndim == 2 else cv2.merge([back] * 3), scale=1 / 255))


def _on_paper(image: Pixels, rng: Random, strength: float, tint: bool, texture: Pixels | None) -> Pixels:
    """On a sheet, drawn or photographed."""
    height, width = image.shape[:2]
    ground = light.sheet(width, height, rng, strength if texture is None else strength / 2, tint)
    if texture is not None:
        photo = light.photographed(texture, width, height, rng)
        ground = cast("Pixels", cv2.multiply(ground, photo if tint else photo[..., 1], scale=1 / 255))
    elif rng.random() < 0.4 * min(1.0, strength):
        ground = _hairy(ground, rng, strength)
    ground = np.maximum(ground, np.uint8(_DIMMEST))
    three = ground.ndim > image.ndim
    return cast("Pixels", cv2.multiply(cv2.merge([image] * 3) if three else image, ground, scale=1 / 255))


def _hairy(ground: Pixels, rng: Random, strength: float) -> Pixels:
    """A sheet with fibres in it, or a grain."""
    height, width = ground.shape[:2]
    if rng.random() < 0.5:
        tile = light.fibres()
        tile = np.roll(tile, (rng.randrange(tile.shape[0]), rng.randrange(tile.shape[1])), (0, 1))
        grain = np.tile(tile, (-(-height // tile.shape[0]), -(-width // tile.shape[1])))[:height, :width]
    else:
        grain = cast("Pixels", cv2.GaussianBlur(noise(width, height, rng), (0, 0), rng.uniform(0.7, 2.5)))
    share = min(0.7, strength * rng.uniform(0.1, 0.6))
    every = cv2.merge([grain] * ground.shape[2]) if ground.ndim == 3 else grain
    return cast("Pixels", cv2.addWeighted(ground, 1, every, share, -128 * share))


def _taken(image: Pixels, rng: Random, strength: float, size: int) -> Pixels:
    """As a camera or a scanner takes it, whose type of `size` pixels is to stay legible."""
    often = min(1.0, strength)
    if size >= 18 and rng.random() < 0.15 * often:
        image = resampled(image, rng.uniform(max(0.5, 13 / size), 0.95))
    elif rng.random() < 0.4 * often:
        image = blurred(image, rng.uniform(0.3, max(0.4, min(1.6, size / 24 * min(1.0, 0.5 + strength / 2)))))
    elif size >= 14 and rng.random() < 0.15 * often:
        image = shaken(image, rng, min(size / 7, 5.0) * often)
    if rng.random() < 0.15 * often:
        image = streaked(image, rng, strength)
    if rng.random() < 0.5 * often:
        image = noisy(image, rng, rng.uniform(1.5, 12 * often + 2))
    if rng.random() < 0.3 * often:
        image = squeezed(image, rng.randint(round(90 - 55 * often), 92))
    return image


def tilted(
    ink: Pixels, lines: tuple[Line, ...], rng: Random, degrees: float, depth: float
) -> tuple[Pixels, tuple[Line, ...]]:
    """The ink turned by up to so many degrees and seen from the side (corners move by up to `depth` of the sides)."""
    height, width = ink.shape
    matrix = _leaning(width, height, rng, degrees, depth)
    if lines:
        matrix = _inside(matrix, tuple(point for line in lines for point in line.place), width, height)
    return _warped(ink, matrix, 0), tuple(replace(line, quad=moved(line.place, matrix)) for line in lines)


def _leaning(width: int, height: int, rng: Random, degrees: float, depth: float) -> Matrix:
    """The perspective matrix of a picture that is turned, and seen from the side."""
    most = min(degrees, degrees * 4 * height / width)  # a long line would leave its picture
    matrix = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-most, most), 1), [0, 0, 1]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    depth *= min(1.0, 4 * height / width)
    jitter = np.array([[rng.uniform(-depth, depth) * width, rng.uniform(-depth, depth) * height] for _ in corners])
    return cast("Matrix", cv2.getPerspectiveTransform(corners, (corners + jitter).astype(np.float32)) @ matrix)


def _warped(image: Pixels, matrix: Matrix, border: int) -> Pixels:
    """The picture as a perspective matrix moves it; what comes in from beyond its edges has that level."""
    # a pixel's middle is at a half for quads, and at a whole number for OpenCV
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    by, size = half @ matrix @ np.linalg.inv(half), (image.shape[1], image.shape[0])
    beyond = (border, border, border)
    return cast("Pixels", cv2.warpPerspective(image, by, size, flags=cv2.INTER_LINEAR, borderValue=beyond))


def moved(quad: Quad, matrix: Matrix) -> Quad:
    """The quad where a perspective matrix puts it."""
    points = (np.array([(*point, 1.0) for point in quad]) @ matrix.T).tolist()
    first, second, third, fourth = ((x / w, y / w) for x, y, w in points)
    return first, second, third, fourth


def _inside(matrix: Matrix, points: tuple[Point, ...], width: int, height: int) -> Matrix:
    """The matrix, and where it would put a point beyond the edge, one that makes all smaller and moves it back."""
    where = np.array([(*point, 1.0) for point in points]) @ matrix.T
    box = Box.around(tuple((x / w, y / w) for x, y, w in where.tolist()))
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
    spots = cv2.GaussianBlur(noise(ink.shape[1], ink.shape[0], rng), (0, 0), rng.uniform(0.6, 1.5))
    kept = cv2.LUT(spots, np.clip((np.arange(256) - rng.uniform(98, 112)) * 12, 120, 255).astype(np.uint8))
    return cast("Pixels", cv2.multiply(ink, kept, scale=1 / 255))


def scanned(ink: Pixels, rng: Random) -> Pixels:
    """Black and white alone, with ragged edges and specks."""
    rough = noisy(ink, rng, rng.uniform(5, 35))
    _, black = cv2.threshold(rough, rng.randint(70, 150), 255, cv2.THRESH_BINARY)
    if rng.random() < 0.4:
        _, specks = cv2.threshold(noise(ink.shape[1], ink.shape[0], rng), 236, 255, cv2.THRESH_BINARY)
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
        grain = cv2.GaussianBlur(noise(ink.shape[1], ink.shape[0], rng), (0, 0), rng.uniform(0.7, 2.5))
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
        grain = cv2.GaussianBlur(noise(width, height, rng), (0, 0), rng.uniform(0.5, 6)).astype(np.float32)
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
