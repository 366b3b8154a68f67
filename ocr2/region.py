"""Where on a page the region is that a prompt asks for, for readers that read whole pages: what `Reader` crops.

box = find(page.image, Prompt(color="red"))    # the inside of the red frame
part, x, y = alone(page.image, box)            # a page with that alone on it, whose corner is at x, y of the page
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import ImageOps

from ocr2.errors import BadInput
from ocr2.queries import query
from ocr2.types import Box

if TYPE_CHECKING:
    from PIL import Image

    from ocr2.types import Color, Prompt

_CHANNEL: dict[Color, int] = {"red": 0, "green": 1, "blue": 2}
_PURE = 96
"""By how much a frame's channel is above the two others at least, of 255."""
_DRAWN = 0.8
"""The share of each of its sides that is seen, at least."""
_MARGIN, _LEAST = 40, 52
"""Pixels around a region that is read alone; and half of the height of the lowest such page. On 112 regions of drawn
pages the edit distance was 0.028 with them and 0.045 without: a reader finds less in what is cut off close."""
_MOST = 16
"""Things of the colour that are looked at, the largest first."""
_SEEN, _STRIP = 9_000_000, 256
"""Pixels in which things are told apart, as many as A4 has at 300 dpi: of a larger page several count as one, or a page
of specks would take gigabytes. And how many rows are looked at together."""


def find(image: Image.Image, prompt: Prompt) -> Box | None:
    """The region in pixels of the page, or None for all of it; of a point, which has no size, None too.

    Raises BadPrompt for a box or a point outside the page, BadInput where there is no frame of the colour.
    """
    query(prompt, *image.size)  # which checks the places
    return framed(image, prompt.color) if prompt.color else prompt.box


def alone(image: Image.Image, box: Box) -> tuple[Image.Image, int, int]:
    """The region on a page of the colour that its edges have; where the page's corner is, in pixels of the other."""
    x0, y0, x1, y1 = math.floor(box.x0), math.floor(box.y0), math.ceil(box.x1), math.ceil(box.y1)
    part = image.crop((x0, y0, x1, y1)).convert("RGB")
    pixels = np.asarray(part)
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    margin = max(_MARGIN, _LEAST - part.height // 2)
    colour = tuple(int(value) for value in np.median(edges, axis=0))
    return ImageOps.expand(part, margin, colour), x0 - margin, y0 - margin


def framed(image: Image.Image, color: Color) -> Box:
    """The inside of the largest frame of the colour. Raises BadInput where there is none."""
    mask = _coloured(image, color)
    step = math.isqrt(max(0, mask.size - 1) // _SEEN) + 1
    coarse = np.maximum.reduceat(mask, range(0, mask.shape[0], step))
    coarse = np.maximum.reduceat(coarse, range(0, mask.shape[1], step), axis=1)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(coarse, connectivity=8)
    sizes = stats[1:, cv2.CC_STAT_WIDTH].astype(np.int64) * stats[1:, cv2.CC_STAT_HEIGHT]
    for number in np.argsort(-sizes, kind="stable")[:_MOST] + 1:
        x, y, w, h = (int(value) for value in stats[number, :4])
        drawn = mask[y * step : (y + h) * step, x * step : (x + w) * step]
        own = np.repeat(np.repeat(labels[y : y + h, x : x + w] == number, step, 0), step, 1)
        drawn = drawn & own[: drawn.shape[0], : drawn.shape[1]]
        left, top, width, height = cv2.boundingRect(drawn)
        if inside := _inside(drawn[top : top + height, left : left + width], 2 * step - 1):
            x0, y0, x1, y1 = inside
            left, top = x * step + left, y * step + top
            return Box(left + x0, top + y0, left + x1, top + y1)
    raise BadInput(f"no {color} frame is seen: expected one drawn on the page, in pure {color}, around what to read")


def _coloured(image: Image.Image, color: Color) -> np.ndarray:
    """(H, W) 1 where the page has that colour, else 0."""
    mask = np.empty((image.height, image.width), np.uint8)
    for top in range(0, image.height, _STRIP):
        part = image.crop((0, top, image.width, min(top + _STRIP, image.height))).convert("RGB")
        channels = cv2.split(np.asarray(part))
        own, *others = (channels[(_CHANNEL[color] + n) % 3] for n in range(3))
        mask[top : top + _STRIP] = cv2.subtract(own, cv2.max(*others)) > _PURE
    return mask


def _inside(drawn: np.ndarray, slack: int) -> tuple[int, int, int, int] | None:
    """x0, y0, x1, y1 of what four straight sides (h, w) leave free, each of which may begin at any of the first `slack`
    lines, for the others may be specks; None where they are no frame.
    """
    rows, columns = drawn.mean(1) >= _DRAWN, drawn.mean(0) >= _DRAWN
    top, bottom = _run(rows, slack), _run(rows[::-1], slack)
    left, right = _run(columns, slack), _run(columns[::-1], slack)
    height, width = drawn.shape
    if not (top and bottom and left and right) or top + bottom >= height or left + right >= width:
        return None
    return left, top, width - right, height - bottom


def _run(lines: np.ndarray, slack: int) -> int:
    """Where the side ends that begins with one of so many first lines; 0 where none does."""
    start = int(lines[:slack].argmax())
    rest = lines[start:]
    return start + (int(rest.argmin()) if not rest.all() else len(rest)) if rest[0] else 0
