"""Pages and lines as other cameras would have taken them: what detectors and recognisers are trained on.

A scene is a page with the outlines of its text. What is done to it is gathered in a frame, through which its pixels
are drawn once (PP-OCRv2's released pipeline: paste, flip, turn, scale, crop). A word is a line with its text.
Coordinates are pixels, x right, y down; pixel (0, 0) is the square from there to (1, 1).
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from ocr2.ppocr.recognizer import RecognizerConfig, line_input
from ocr2.ppocr.warp import bent, perspective, tia_distorted, tia_stretched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

SHARE = 0.4
"""How often each kind of damage is done to a line."""
TRIES = 50
"""So often a place is looked for."""
TILT = 10
"""Degrees that a scene is turned at most."""
PASTED, MOST_PASTED = 0.2, 30
"""The share of another page's texts that is pasted, and how many at the most."""
_LEAST = 0.1
"""A crop has at least this share of the page's width and height."""
_BENT = 20
"""Pixels of the narrowest line that is bent or trimmed."""


class Scene(NamedTuple):
    """A page and where its text is."""

    image: np.ndarray
    """(H, W, 3) uint8: blue, green, red."""
    quads: list[np.ndarray]
    """(4, 2) float32 each, or any other polygon (N, 2)."""
    ignored: list[bool]
    """Which of them nobody can read."""


class Frame(NamedTuple):
    """How a scene is looked at."""

    matrix: np.ndarray
    """(3, 3) From the scene's pixels to the frame's."""
    width: float
    height: float


class Word(NamedTuple):
    """A line of text and what it says."""

    image: np.ndarray
    """(h, w, 3) uint8: blue, green, red."""
    text: str


# scenes


def scene_augmented(scene: Scene, other: Scene | None, side: int, rng: Random) -> Scene:
    """The scene as a picture of side × side pixels, with text of another one on it, in part, and in some other way."""
    if other is not None:
        scene = pasted(scene, other, rng)
    frame = whole(scene)
    if rng.random() < 0.5:
        frame = flipped(frame)
    frame = rotated(frame, rng.uniform(-TILT, TILT))
    # Released code: it scales the page by this, and then fits what it crops to the side, which undoes that: all that
    # is left of it is that enlarged pixels are coarse.
    finest = rng.uniform(0.5, 3)
    frame = cropped(frame, scene, rng)
    return framed(scene, frame, side, finest)


def whole(scene: Scene) -> Frame:
    """The scene as it is."""
    height, width = scene.image.shape[:2]
    return Frame(np.eye(3), width, height)


def flipped(frame: Frame) -> Frame:
    """Left is right."""
    return frame._replace(matrix=np.array([[-1, 0, frame.width], [0, 1, 0], [0, 0, 1]]) @ frame.matrix)


def rotated(frame: Frame, degrees: float) -> Frame:
    """Turned clockwise, and so much larger that all of it is there; what comes in is black."""
    # Released code: as large as before, and letters that are cut in half by its edges count as text.
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    width, height = np.abs(turn[:2, :2]) @ [frame.width, frame.height]
    turn[:2, 2] = np.array([width, height]) / 2 - turn[:2, :2] @ [frame.width / 2, frame.height / 2]
    return Frame(turn @ frame.matrix, float(width), float(height))


def cropped(frame: Frame, scene: Scene, rng: Random) -> Frame:
    """A part of it that cuts through no text that counts, and shows some ("EAST crop"); all of it if none is found."""
    quads = outlines(frame, [quad for quad, skipped in zip(scene.quads, scene.ignored, strict=True) if not skipped])
    if not quads:
        return frame
    lows, highs = (np.array([extreme(quad, 0) for quad in quads]) for extreme in (np.min, np.max))
    size = np.array([frame.width, frame.height])
    gaps = [_gaps(lows[:, axis], highs[:, axis], int(size[axis])) for axis in (0, 1)]
    for _ in range(TRIES if all(gaps) else 0):
        (x0, x1), (y0, y1) = (sorted(_cuts(each, rng)) for each in gaps)
        start, stop = np.array([x0, y0]), np.array([x1, y1])
        if (stop - start >= np.maximum(_LEAST * size, 1)).all() and _meets(lows, highs, start, stop).any():
            return Frame(np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]]) @ frame.matrix, x1 - x0, y1 - y0)
    return frame


def _gaps(lows: np.ndarray, highs: np.ndarray, size: int) -> list[np.ndarray]:
    """The places from 0 to `size` where a cut goes through no text, those without text between them together."""
    free = np.ones(size + 1, bool)
    for low, high in zip(np.floor(lows).astype(int) + 1, np.ceil(highs).astype(int), strict=True):
        free[max(low, 0) : max(high, 0)] = False
    places = np.flatnonzero(free)
    return np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else []


def _cuts(gaps: list[np.ndarray], rng: Random) -> list[int]:
    """Two places in any two of the gaps, which may be the same: wide ones are no likelier than others."""
    return [int(rng.choice(rng.choice(gaps))) for _ in range(2)]


def _meets(lows: np.ndarray, highs: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Which of the boxes (N, 2) … (N, 2) have a part in common with that one."""
    return np.asarray(((lows < stop) & (start < highs)).all(-1))


def framed(scene: Scene, frame: Frame, side: int, finest: float = math.inf) -> Scene:
    """What the frame shows, fitted into side × side pixels; on its right or below it is black.

    `finest` is how fine its pixels are at most, as a share of the scene's. Text is cut off where the frame ends.
    """
    scale = min(side / frame.width, side / frame.height)
    width, height = (min(side, max(1, round(length * scale))) for length in (frame.width, frame.height))
    frame = Frame(np.diag([scale, scale, 1]) @ frame.matrix, width, height)
    image, matrix = _coarser(scene.image, frame.matrix, min(finest, scale))
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # OpenCV's pixel (0, 0) is the point in its middle
    shown = np.zeros((side, side, 3), np.uint8)
    shown[:height, :width] = cv2.warpAffine(image, (np.linalg.inv(half) @ matrix @ half)[:2], (width, height))
    cut = [_clipped(quad, width, height) for quad in outlines(frame, scene.quads)]
    kept = [n for n, quad in enumerate(cut) if len(quad) >= 3 and cv2.contourArea(quad) >= 1]
    return Scene(shown, [cut[n] for n in kept], [scene.ignored[n] for n in kept])


def _coarser(image: np.ndarray, matrix: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The image at that scale, where it is less than 1, and the matrix from its pixels on."""
    if scale >= 1:
        return image, matrix
    height, width = image.shape[:2]
    w, h = (max(1, round(length * scale)) for length in (width, height))
    return cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA), matrix @ np.diag([width / w, height / h, 1])


def outlines(frame: Frame, quads: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The scene's quads as they lie in the frame, and beyond it."""
    return [(quad @ frame.matrix[:2, :2].T + frame.matrix[:2, 2]).astype(np.float32) for quad in quads]


def _clipped(polygon: np.ndarray, width: float, height: float) -> np.ndarray:
    """What of a polygon (N, 2) lies between 0 and width and between 0 and height (Sutherland and Hodgman)."""
    for axis, edge, sign in ((0, 0, 1), (0, width, -1), (1, 0, 1), (1, height, -1)):
        inside = sign * (polygon[:, axis] - edge) >= 0 if len(polygon) else np.ones(0, bool)
        if inside.all():
            continue
        found = []
        for n, point in enumerate(polygon):
            before = polygon[n - 1]
            if inside[n] != inside[n - 1]:
                found.append(before + (point - before) * ((edge - before[axis]) / (point[axis] - before[axis])))
            if inside[n]:
                found.append(point)
        polygon = np.array(found, np.float32).reshape(-1, 2)
    return polygon


def pasted(scene: Scene, other: Scene, rng: Random) -> Scene:
    """The scene with some of another one's texts where it has none, each turned by any angle (CopyPaste, PP-OCRv2).

    A text that finds no place, or is larger than the scene, is left out.
    """
    texts = [
        quad
        for quad, skipped in zip(other.quads, other.ignored, strict=True)
        if not skipped and cv2.contourArea(quad) >= 1
    ]
    count = max(1, min(int(PASTED * len(other.quads)), MOST_PASTED))
    image, quads = scene.image.copy(), list(scene.quads)
    for quad in rng.sample(texts, min(count, len(texts))):
        turn = cv2.getRotationMatrix2D((0, 0), rng.uniform(0, 360), 1)[:, :2]
        placed = _placed(quad @ turn.T, quads, image.shape, rng)
        if placed is not None:
            quads.append(placed.astype(np.float32))
            _paste(image, placed, other.image, quad, turn)
    return Scene(image, quads, scene.ignored + [False] * (len(quads) - len(scene.quads)))


def _placed(quad: np.ndarray, taken: Sequence[np.ndarray], shape: tuple[int, ...], rng: Random) -> np.ndarray | None:
    """The polygon where, in a picture of that shape, its box meets none that is taken; None if no place is found."""
    quad = quad - quad.min(0)
    room = np.array([shape[1], shape[0]]) - quad.max(0)
    if (room < 0).any():
        return None
    starts = np.array([[rng.random(), rng.random()] for _ in range(TRIES)]) * room
    if taken:
        lows, highs = (np.array([extreme(each, 0) for each in taken]) for extreme in (np.min, np.max))
        starts = starts[~_meets(lows, highs, starts[:, None], starts[:, None] + quad.max(0)).any(1)]
    return quad + starts[0] if len(starts) else None


def _paste(image: np.ndarray, placed: np.ndarray, source: np.ndarray, quad: np.ndarray, turn: np.ndarray) -> None:
    """Draws what the quad holds in the source where it is placed on the image."""
    x0, y0 = np.floor(placed.min(0)).astype(int)
    x1, y1 = np.ceil(placed.max(0)).astype(int)
    part = image[y0:y1, x0:x1]
    shift = placed[0] - [x0, y0] - turn @ quad[0] + (turn @ [0.5, 0.5] - [0.5, 0.5])
    piece = cv2.warpAffine(source, np.column_stack([turn, shift]), (x1 - x0, y1 - y0), borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint((placed - [x0, y0] - 0.5) * 16).astype(np.int32)], 255, shift=4)
    cv2.copyTo(piece, mask, part)


# lines


def line_augmented(image: np.ndarray, rng: Random, bends: bool = True) -> np.ndarray:
    """A line (h, w, 3) bent, trimmed, blurred, darker or lighter, shifted, noisy, inverted; each two times in five.

    The released code's RecAug; without bends, as for the classifier.
    """
    height, width = image.shape[:2]
    large = min(height, width) >= _BENT
    if bends and rng.random() < SHARE:
        known = [tia_distorted, tia_stretched] if large else []
        found = [bend(width, height, rng.randint(3, 6), rng) for bend in known]
        image = bent(image, [*found, perspective(width, height, rng)])
    if large and rng.random() < SHARE:
        image = _trimmed(image, rng)
    if rng.random() < SHARE:
        image = cv2.GaussianBlur(image, (5, 5), 1)
    for change in (_lit, _shifted, _noisy):
        if rng.random() < SHARE:
            image = change(image, rng)
    return 255 - image if rng.random() < SHARE else image


def _trimmed(image: np.ndarray, rng: Random) -> np.ndarray:
    """Without its uppermost or lowest pixels, up to 8 of them."""
    # Released code: up to 8 whatever the height, which of a line of 20 pixels is half of the letters.
    rows = rng.randint(1, min(8, len(image) // 6))
    return image[rows:] if rng.random() < 0.5 else image[:-rows]


def _lit(image: np.ndarray, rng: Random) -> np.ndarray:
    """Darker or lighter."""
    # Released code: by up to a thousandth, which rounds to nothing. Here: up to a quarter nearer to black or to white.
    share = rng.uniform(0.75, 1)
    return cv2.convertScaleAbs(image, alpha=share, beta=rng.choice((0, 255 * (1 - share))))


def _shifted(image: np.ndarray, rng: Random) -> np.ndarray:
    """Some pixels to the right and down; the edges stay."""
    # Released code: by up to a hundredth of the height, which is no pixel of a line less than 100 high.
    most = max(1, min(image.shape[:2]) // 16)
    by = rng.randint(1, most)
    return cv2.copyMakeBorder(image, by, 0, by, 0, cv2.BORDER_REPLICATE)[: image.shape[0], : image.shape[1]]


def _noisy(image: np.ndarray, rng: Random) -> np.ndarray:
    """With noise of 2 to 10 levels."""
    # Released code: of 0.16 levels, which rounds to nothing.
    drawn = np.random.Generator(np.random.SFC64(rng.getrandbits(64))).standard_normal(image.shape, np.float32)
    return cv2.add(image, drawn * np.float32(rng.uniform(2, 10)), dtype=cv2.CV_8U)


def rand_augmented(image: np.ndarray, rng: Random) -> np.ndarray:
    """A line (h, w, 3) changed in two of a dozen ways by half as much as can be (RandAugment, the classifier's).

    No end of it moves up or down by more than a quarter of its height.
    """
    # Released code: solarize too, of which black on white comes out as black on black, and brightness, of which faint
    # letters come out as white; `_lit` loses none.
    picture = Image.fromarray(image)
    slope = min(0.15, picture.height / picture.width / 2)
    turns = (0.15, 0, 0, 0), (0, slope, 0, 0), (-slope, slope, 0, 0), (0, 0, 0.15, 0), (0, 0, 0, 0.15)
    tints = ImageEnhance.Color, ImageEnhance.Contrast, ImageEnhance.Sharpness
    changes: list[Callable[[Image.Image, int], Image.Image]] = [
        *(partial(_leaning, turn=turn) for turn in turns),
        *(partial(_tinted, tint=tint) for tint in tints),
        lambda picture, _: ImageOps.posterize(picture, 6),
        lambda picture, _: ImageOps.autocontrast(picture),
        lambda picture, _: ImageOps.equalize(picture),
        lambda picture, _: ImageOps.invert(picture),
    ]
    for change in rng.choices(changes, k=2):
        picture = change(picture, rng.choice((-1, 1)))
    return np.array(picture)


def _leaning(picture: Image.Image, sign: int, turn: tuple[float, float, float, float]) -> Image.Image:
    """Sheared about its middle along x and y, and moved by shares of its width and height."""
    (width, height), (along, down, right, under) = picture.size, (sign * each for each in turn)
    matrix = (1, along, right * width - along * height / 2, down, 1, under * height - down * width / 2)
    return picture.transform(
        picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=(128,) * 3
    )


def _tinted(picture: Image.Image, sign: int, tint: Callable[[Image.Image], ImageEnhance._Enhance]) -> Image.Image:
    return tint(picture).enhance(1 + 0.45 * sign)


def joined(first: Word, second: Word, ratio: float, longest: int) -> Word:
    """The two lines as one, the second behind the first and as high (TextConAug, PP-OCRv3).

    The first alone where they would be more than `ratio` times as wide as high, or their texts longer than `longest`.
    """
    (h, w), (height, width) = first.image.shape[:2], second.image.shape[:2]
    if w / h + width / height > ratio or len(first.text) + len(second.text) > longest:
        return first
    size = max(1, round(width * h / height)), h
    scaled = cv2.resize(second.image, size, interpolation=cv2.INTER_AREA if h < height else cv2.INTER_LINEAR)
    return Word(cv2.hconcat([first.image, scaled]), first.text + second.text)


def line_array(image: np.ndarray, height: int, longest: int) -> np.ndarray:
    """A line as the network takes it, (3, height, longest), −1 to 1: as wide as it is, or squeezed, and 0 behind it."""
    return line_input(image, RecognizerConfig(height, 1.0, longest, longest))[0]
