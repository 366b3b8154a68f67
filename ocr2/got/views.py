"""From pages to what the encoder is shown: whole pages, or tiles and a thumbnail. Needs no torch.

Models whose views are no squares are shown as few pixels as a page needs: without its empty edges, a page in large type
smaller. Small pictures they may be shown larger. A view is an array of bytes (3, height, width), RGB. The model itself
normalises the colours.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from PIL.Image import Resampling

from ocr2.errors import BadPrompt
from ocr2.got.config import STRIDE, EncoderConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from ocr2.types import Prompt


_FEW = 4
"""Pixels of a page are looked at in squares of so many a side: noise is less there than print."""
_EMPTY = 12
"""A square whose brightness is this near to that of the page's edges is empty."""
_EDGE = 8, 64
"""So many pixels are left around what is printed, and at least this part of the longer side."""
_USUAL = 14
"""Pixels of type that pages are scaled down to: that of 11 points on a page of A4 1024 pixels high."""
_LARGE = 26
"""Pixels that letters in a small picture are enlarged to: two or three of them fit an image token."""
_SMALL = 512 * 512
"""Pixels of a picture that is never made smaller, whatever its type: it costs little, and may need all that it has."""
_LARGEST = 120
"""Pixels that a letter is high at most: molecules are more."""
_MOSTLY = 0.7
"""The share of the ink that is letters, on a page of text: scores, figures, molecules and charts have less."""


class Shown(NamedTuple):
    """A view, and what of its page it shows."""

    view: np.ndarray
    corner: tuple[float, float] = (0, 0)
    """Pixel of the page that is at the view's top left."""
    scale: tuple[float, float] = (1, 1)
    """Pixels of the view for one of the page, across and down."""


def look(images: Sequence[Image.Image], prompt: Prompt, config: EncoderConfig) -> list[np.ndarray]:
    """The views of a prompt's pages: one a page, or the tiles of one page row by row, then the whole page.

    Raises BadPrompt where there are more or fewer images than the prompt is about.
    """
    whole, parts = shown(images, prompt, config)
    return parts + [each.view for each in whole]


def shown(images: Sequence[Image.Image], prompt: Prompt, config: EncoderConfig) -> tuple[list[Shown], list[np.ndarray]]:
    """The same: what is shown of the whole pages, and the tiles that come before it."""
    if len(images) != prompt.pages:
        raise BadPrompt(f"{len(images)} images for a prompt about {prompt.pages} pages: give one image a page")
    pages = [image if image.mode == "L" else image.convert("RGB") for image in images]  # a third of the work
    if config.square:
        side = config.side
        whole = [Shown(squashed(page, side), scale=(side / page.width, side / page.height)) for page in pages]
    else:
        # places are told by their share of the whole page
        kept = [(0, 0, *page.size) if prompt.box or prompt.point else inked(page) for page in pages]
        pages = [page.crop(box) for page, box in zip(pages, kept, strict=True)]
        whole = [fitted(page, config)._replace(corner=box[:2]) for page, box in zip(pages, kept, strict=True)]
    return whole, tiles(pages[0], prompt.tiles, config.side)


def inked(page: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is printed on a page: its empty edges, of whatever colour, only take time."""
    small = np.asarray(page.convert("L").reduce(_FEW, (0, 0, page.width, page.height)), np.int16)
    edges = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    inked = np.abs(small - np.median(edges)) > _EMPTY
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if not len(rows):
        return 0, 0, *page.size
    x0, y0, x1, y1 = (_FEW * int(place) for place in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    edge = max(_EDGE[0], max(page.size) // _EDGE[1])
    return max(0, x0 - edge), max(0, y0 - edge), min(page.width, x1 + edge), min(page.height, y1 + edge)


def squashed(page: Image.Image, side: int) -> np.ndarray:
    """The whole page as a square, whatever its shape (GOT §3.2)."""
    return _resized(page, side, side)


def fitted(page: Image.Image, config: EncoderConfig) -> Shown:
    """The whole page in its own shape, at most `side` long; white up to the next multiple of STRIDE.

    A large page of text, all of it in type larger than usual, is made smaller: to usual type, or a small picture. A
    small picture whose type is small is enlarged as far as it stays a small one, if the model is used to that.
    """
    scale = min(1, config.side / max(page.size))
    inside = _resized(page, *_scaled(page, scale))
    pixels = inside.shape[1] * inside.shape[2]
    if pixels > _SMALL and (size := smallest_type(inside)) > _USUAL:
        width, height = _scaled(page, scale * max(_USUAL / size, sqrt(_SMALL / pixels)))
        whole = max(STRIDE, width - width % STRIDE)  # columns that would be half empty cost as much
        inside = _resized(page, whole, max(1, round(height * whole / width)))
    elif config.enlarged > 1 and pixels < _SMALL and 0 < (size := usual_type(inside)) < _LARGE:
        larger = scale * min(config.enlarged, _LARGE / size, sqrt(_SMALL / pixels))
        inside = _resized(page, *_scaled(page, min(larger, config.side / max(page.size))))
    _, height, width = inside.shape
    view = np.full((3, _up(height), _up(width)), 255, np.uint8)
    view[:, :height, :width] = inside
    return Shown(view, scale=(width / page.width, height / page.height))


def smallest_type(view: np.ndarray) -> float:
    """The size of the smallest type on a view (3, height, width) of dark text on light, in pixels, or less; else 0.

    It is told by the lowest fifth of the letters, and by the lowest line of them: no small print is missed.
    """
    dark, ink, letters = _letters(view)
    if not len(letters) or letters[:, 2].sum() < _MOSTLY * ink:
        return 0
    wide, high, _ = _blobs(cv2.morphologyEx(dark, cv2.MORPH_CLOSE, np.ones((1, 16), np.uint8))).T
    lines = high[(high >= 6) & (wide >= 4 * high)]
    return float(min(1.6 * np.percentile(letters[:, 1], 20), lines.min())) if len(lines) else 0


def usual_type(view: np.ndarray) -> float:
    """How high most letters are on a view (3, height, width) of dark text on light, in pixels; 0 where none are."""
    *_, letters = _letters(view)
    return float(np.median(letters[:, 1])) if len(letters) else 0


def _letters(view: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
    """What is dark on a view, how many pixels that is, and (letters, 3) what of it may be letters, as blobs."""
    dark = cv2.adaptiveThreshold(view[1], 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 25)
    blobs = _blobs(dark)
    wide, high, ink = blobs.T
    return dark, int(ink.sum()), blobs[(high >= 4) & (high <= _LARGEST) & (wide >= 2) & (wide <= 3 * high)]


def _blobs(ink: np.ndarray) -> np.ndarray:
    """(blobs, 3): width, height and pixels of whatever hangs together in a picture that is 0 elsewhere."""
    _, _, found, _ = cv2.connectedComponentsWithStatsWithAlgorithm(ink, 8, cv2.CV_32S, cv2.CCL_BBDT)
    return np.asarray(found)[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA]]


def tiles(page: Image.Image, most: int, side: int) -> list[np.ndarray]:
    """The page cut into at most that many squares, row by row; none where one view shows as much."""
    columns, rows = grid(*page.size, most, side)
    if columns * rows == 1:
        return []
    cut = _resized(page, columns * side, rows * side).reshape(3, rows, side, columns, side)
    return list(np.ascontiguousarray(cut.transpose(1, 3, 0, 2, 4)).reshape(-1, 3, side, side))


def grid(width: int, height: int, most: int, side: int = 1024) -> tuple[int, int]:
    """The columns and rows, at most `most` tiles, whose shape is nearest to the page's (InternVL-1.5's rule).

    Of equally near ones the larger, if the page has more than half as many pixels as its tiles would have.
    """
    grids = [(columns, rows) for columns in range(1, most + 1) for rows in range(1, most // columns + 1)]
    best, nearest = (1, 1), inf
    for columns, rows in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        distance = abs(width / height - columns / rows)
        worth_it = width * height > 0.5 * side * side * columns * rows
        if distance < nearest or (distance == nearest and worth_it):
            best, nearest = (columns, rows), distance
    return best


def _resized(page: Image.Image, width: int, height: int) -> np.ndarray:
    """The page, gray or RGB, as an array (3, height, width)."""
    pixels = np.asarray(page.resize((width, height), Resampling.BICUBIC))
    return np.repeat(pixels[None], 3, 0) if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _scaled(page: Image.Image, scale: float) -> tuple[int, int]:
    """Width and height of the page, scaled."""
    return max(1, round(page.width * scale)), max(1, round(page.height * scale))


def _up(length: int) -> int:
    """The next multiple of STRIDE."""
    return -(-length // STRIDE) * STRIDE
