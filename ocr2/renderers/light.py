"""What lies on a picture besides its ink: the sheet it is printed on, and the light. Both are multiplied with it.

Sheets are drawn (mottled, crumpled, folded, stained), or photographs of the user's. All of it is drawn small and made
larger, but for the grain: it costs 1 to 4 ms for 1024 × 1024.

Shapes: h × w a small map of 320 pixels at most, H × W the picture; 1 or 255 is white paper in full light.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from ocr2.errors import BadInput

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Map = NDArray[np.float32]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_SMALL = 200
_DARKEST = 0.5
"""No place of a sheet has less than this share of the light of the brightest."""
_LARGE = 1400
"""Photographs are kept with so many pixels on their longer side."""
_FIBRES = 1024


class Papers:
    """The photographs of paper in a folder, to draw on: `aged(..., texture=papers.sheet(rng))`."""

    def __init__(self, folder: str | Path) -> None:
        """Raises BadInput where there are none."""
        folder = Path(folder)
        try:
            self.paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        except OSError as error:
            raise BadInput(f"{folder} can't be listed ({error.strerror}): expected a folder with photos") from error
        if not self.paths:
            raise BadInput(f"{folder} has no photos of paper: expected {', '.join(SUFFIXES)}")

    def sheet(self, rng: Random) -> Pixels:
        """(H, W, 3) Any of them. Raises BadInput for a damaged one."""
        return _photo(str(rng.choice(self.paths)))


@lru_cache(maxsize=16)
def _photo(path: str) -> Pixels:
    try:
        content = np.frombuffer(Path(path).read_bytes(), np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR_RGB)
    except (OSError, cv2.error) as error:
        raise BadInput(f"{path} can't be read as a photo ({error!s:.80}): copy it again, or remove it") from error
    if image is None:
        raise BadInput(f"{path} can't be read as a photo: copy it again, or remove it")
    scale = min(1.0, _LARGE / max(image.shape[:2]))
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    image.flags.writeable = False
    return cast("Pixels", image)


def photographed(sheet: Pixels, width: int, height: int, rng: Random) -> Pixels:
    """(H, W, 3) A part of a photograph of paper, turned any way, so light that print on it can be read."""
    sheet = np.rot90(sheet, rng.randrange(4))[:: rng.choice((1, -1))]
    tall, wide = sheet.shape[:2]
    share = min(wide / width, tall / height)
    share *= rng.uniform(min(0.4, 1 / max(share, 1e-3)), 1) if share > 1 else 1
    w, h = max(1, int(width * share)), max(1, int(height * share))
    x, y = rng.randint(0, wide - w), rng.randint(0, tall - h)
    part = cv2.resize(
        np.ascontiguousarray(sheet[y : y + h, x : x + w]), (width, height), interpolation=cv2.INTER_LINEAR
    )
    white = float(np.percentile(part[::8, ::8].max(axis=2), 90))
    darkest = 255 * (_DARKEST + 0.1)
    levels = np.clip(np.arange(256) * (rng.uniform(225, 252) / max(white, 1.0)), 0, 255)
    levels = np.where(levels < darkest + 25, darkest + 25 * levels / (darkest + 25), levels)  # shadows, but no night
    return cast("Pixels", cv2.LUT(part, levels.astype(np.uint8)))


def sheet(width: int, height: int, rng: Random, strength: float, tint: bool) -> Pixels:
    """(H, W), with a tint (H, W, 3) A sheet of paper as the light shows it."""
    scale = min(1.0, _SMALL / max(width, height))
    w, h = max(8, round(width * scale)), max(8, round(height * scale))
    often = min(1.0, strength)
    shade = np.full((h, w), 1 - min(0.25, 0.16 * strength * rng.random()), np.float32)
    if rng.random() < 0.5 * often:
        shade *= 1 + clouds(w, h, rng, rng.choice((3, 6, 16))) * np.float32(0.04 * strength * rng.random())
    if rng.random() < 0.22 * often:
        shade *= 1 + _crumples(w, h, rng) * np.float32(min(0.14, strength * rng.uniform(0.03, 0.13)))
    if rng.random() < 0.15 * often:
        _fold(shade, rng, strength)
    shade *= light(w, h, rng, strength)
    shade = np.maximum(shade, _DARKEST)
    if not tint:
        return _enlarged(shade, width, height)
    colours = shade[:, :, None] * _tint(rng, strength)
    if rng.random() < 0.25 * often:
        brown = np.array([0.25, 0.5, 0.85], np.float32) * min(0.55, strength * rng.uniform(0.15, 0.5))
        colours = colours * (1 - _stains(w, h, rng)[:, :, None] * brown)
    return _enlarged(colours, width, height)


def _enlarged(small: Map, width: int, height: int) -> Pixels:
    levels = np.clip(small * 255 + 0.5, 0, 255).astype(np.uint8)
    return cast("Pixels", cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR))


def _tint(rng: Random, strength: float) -> Map:
    """(3,) The colour of old paper, or of a lamp, or of a sky."""
    deep = min(0.3, strength * rng.random() ** 1.5 * 0.3)
    by = rng.choice(((0.1, 0.3, 1.0), (0.1, 0.3, 1.0), (0.0, 0.45, 0.9), (0.8, 0.35, 0.0), (0.4, 0.0, 0.4)))
    deep *= 1.0 if by[0] < by[2] else 0.4
    return 1 - np.array(by, np.float32) * np.float32(deep)


def clouds(w: int, h: int, rng: Random, cells: int) -> Map:
    """(h, w) Smooth noise of about -1 to 1, with so many cells along the longer side, and finer ones in them."""
    made = np.random.Generator(np.random.PCG64(rng.getrandbits(64)))
    total = np.zeros((h, w), np.float32)
    for octave in range(3):
        many = cells * 2**octave
        grid = made.random((max(2, many * h // max(w, h)) + 1, max(2, many * w // max(w, h)) + 1), np.float32)
        total += cv2.resize(grid * 2 - 1, (w, h), interpolation=cv2.INTER_CUBIC) * np.float32(0.6**octave)
    return total


def _crumples(w: int, h: int, rng: Random) -> Map:
    """(h, w) Light and dark flats with sharp creases between them: paper that was a ball once."""
    relief = np.abs(clouds(w, h, rng, rng.randint(3, 7))) + 0.5 * np.abs(clouds(w, h, rng, rng.randint(8, 14)))
    across, down = (cv2.Sobel(relief, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    angle = rng.uniform(0, 2 * np.pi)
    lit = across * np.float32(np.cos(angle)) + down * np.float32(np.sin(angle))
    return cast("Map", np.clip(lit / (2.5 * float(lit.std()) + 1e-6), -1, 1))


def _fold(shade: Map, rng: Random, strength: float) -> None:
    """One crease across the sheet, or one each way: a thin dark line with a light side, and another light beyond it."""
    h, w = shade.shape
    y, x = (grid.astype(np.float32) for grid in np.mgrid[:h, :w])
    for down in rng.choice(((True,), (False,), (True, False))):
        at, lean = rng.uniform(0.2, 0.8) * (h if down else w), rng.uniform(-0.04, 0.04)
        off = (y - at - lean * x) if down else (x - at - lean * y)
        deep = np.float32(min(0.2, strength * rng.uniform(0.05, 0.18)))
        shade *= 1 - deep * np.exp(-((off / 0.9) ** 2)) + deep / 2 * np.exp(-(((off - 2.2) / 1.6) ** 2))
        shade *= np.where(off > 0, np.float32(1 - deep * rng.uniform(0, 0.5)), np.float32(1))


def _stains(w: int, h: int, rng: Random) -> Map:
    """(h, w) Of 0 to 1: rings that cups leave, spots, the brown edge of old books."""
    found = np.zeros((h, w), np.float32)
    if rng.random() < 0.35:
        y, x = np.mgrid[:h, :w].astype(np.float32)
        edge = np.minimum(np.minimum(x, w - 1 - x), np.minimum(y, h - 1 - y)) / (0.02 + 0.1 * rng.random()) / max(w, h)
        return cast("Map", np.exp(-edge * (1 + 0.5 * clouds(w, h, rng, 8)).clip(0.2)) * np.float32(0.6))
    for _ in range(rng.randint(1, 4)):
        middle = rng.randint(0, w), rng.randint(0, h)
        radius = int(max(w, h) * rng.uniform(0.03, 0.22)) + 1
        if rng.random() < 0.5:
            cv2.circle(found, middle, radius, rng.uniform(0.3, 0.8), max(1, radius // rng.randint(8, 20)), cv2.LINE_AA)
        else:
            axes = radius, max(1, int(radius * rng.uniform(0.5, 1)))
            cv2.ellipse(found, middle, axes, rng.uniform(0, 180), 0, 360, rng.uniform(0.15, 0.5), -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(found, (0, 0), rng.uniform(0.6, 3))
    return cast("Map", soft * (0.8 + 0.4 * clouds(w, h, rng, 6)).clip(0, 1))


def light(w: int, h: int, rng: Random, strength: float) -> Map:
    """(h, w) Of 0 to 1: light from a side, the shadow in the fold of a book, that of a hand, or of a window's frame."""
    lit: Any = np.ones((h, w), np.float32)
    deep, often = min(0.6, 0.45 * strength), min(1.0, strength)
    if rng.random() < 0.5 * often:
        low = 1 - deep * rng.random()
        corners = np.array([[rng.uniform(low, 1) for _ in range(3)] for _ in range(3)], np.float32)
        lit *= cv2.resize(corners, (w, h), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.15 * often:
        across = np.linspace(0, 1, w, dtype=np.float32)[:: rng.choice((1, -1))]
        lit *= 1 - np.float32(deep * rng.uniform(0.4, 1.2)) * np.exp(-across / rng.uniform(0.03, 0.2))
    if rng.random() < 0.2 * often:
        lit *= 1 - _shadow(w, h, rng) * np.float32(deep * rng.uniform(0.3, 0.9))
    return cast("Map", lit)


def _shadow(w: int, h: int, rng: Random) -> Map:
    """(h, w) Of 0 to 1: something that came between lamp and paper, from one side."""
    mask = np.zeros((h, w), np.uint8)
    angle, reach = rng.uniform(0, 2 * np.pi), 2.0 * max(w, h)
    fro = np.array([w / 2, h / 2]) + np.array([np.cos(angle), np.sin(angle)]) * np.array([w, h]) * rng.uniform(0, 0.4)
    for turn in [0.0] if rng.random() < 0.5 else [rng.uniform(-0.5, 0.5) for _ in range(rng.randint(2, 4))]:
        way = angle + turn
        ahead, side = np.array([np.cos(way), np.sin(way)]), np.array([-np.sin(way), np.cos(way)])
        broad = (reach if turn == 0 else max(w, h) * rng.uniform(0.06, 0.16)) * side
        corners = [fro - broad, fro + broad, fro + broad * 1.2 + reach * ahead, fro - broad * 1.2 + reach * ahead]
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 255)
        if turn:
            cv2.circle(mask, tuple(np.rint(fro).astype(int).tolist()), max(1, int(np.hypot(*broad))), 255, -1)
    soft = max(w, h) * rng.uniform(0.01, 0.08)
    return cast("Map", cv2.GaussianBlur(mask, (0, 0), soft).astype(np.float32) / 255)


@cache
def fibres() -> Pixels:
    """(1024, 1024) Short thin hairs about 128, some lighter than the paper, some darker: what a process makes once."""
    made = np.random.Generator(np.random.PCG64(1))
    tile = np.full((_FIBRES, _FIBRES), 128, np.uint8)
    starts, ways = made.random((1800, 2)) * _FIBRES, made.random(1800) * 2 * np.pi
    bends, sides = made.normal(0, 0.5, 1800), made.random(1800)
    along = np.arange(6)
    for start, way, bend, side in zip(starts, ways, bends, sides, strict=True):
        turn = way + bend * along / 3
        points = start + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1), axis=0) * (2 + 5 * side)
        level = 128 + int(56 * side) if side > 0.4 else 128 - int(90 * side)
        cv2.polylines(tile, [np.rint(points * 8).astype(np.int32)], False, level, 1, cv2.LINE_AA, 3)
    return tile
