"""Parts of pages, asked for by a box or by the colour of the frame around them (GOT §3.4.1).

    engine = Regions(Lines(Corpus(["/data/texts"]), "page", "en", seed=7), seed=7, kind="color", unit="paragraph")
    engine[123]    # page 123 with a frame around one of its paragraphs, the question, and what stands in the frame

A box holds all of its lines or paragraph, with a little around it, and nothing of any other text; nor does a frame
touch any. Where none stands so free, the page is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sized
from random import Random
from typing import TYPE_CHECKING, Any, Literal, get_args

import cv2
import numpy as np
from PIL import Image

from ocr2.data.origin import origin, told
from ocr2.data.units import UNITS, Paged, Region, Unit, regions, widened
from ocr2.errors import BadInput
from ocr2.types import COLORS, Box, Color, Prompt, Sample

if TYPE_CHECKING:
    from ocr2.types import Page

Kind = Literal["box", "color"]
KINDS: tuple[Kind, ...] = get_args(Kind)
JITTER = 0.4
"""Of its lines' height: what a box or a frame is wider than the text, at most."""
THICK = (2, 5)
"""Pixels that a frame is thick."""
_GAP = 2.0
"""Pixels between a frame and what stands in it, at least."""
_PAINT: dict[Color, tuple[int, int, int]] = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
_FAR = 150.0
"""Between a frame and what it is drawn on: the length of the difference of their colours, of 442."""


class Regions:
    """A region of each page of an engine, as endless as that is."""

    def __init__(self, pages: Paged, seed: int, kind: Kind = "box", unit: Unit = "line") -> None:
        """Of an engine whose pages have lines with places. Raises BadInput for a kind or unit that there isn't."""
        for given, known in ((kind, KINDS), (unit, UNITS)):
            if given not in known:
                raise BadInput(f"{given!r} is no region: expected {' or '.join(known)}")
        self.pages, self.seed, self.kind, self.unit = pages, seed, kind, unit

    @staticmethod
    def of(pages: Paged, seed: int, kind: Kind = "box", unit: Unit = "line") -> Regions:
        """With a `len` where the engine has one. Raises BadInput."""
        return (FiniteRegions if isinstance(pages, Sized) else Regions)(pages, seed, kind, unit)

    @property
    def identity(self) -> str:
        """Of the same samples the same."""
        return f"regions/{self.kind}/{self.unit}/{self.seed}/{getattr(self.pages, 'identity', '')}"

    def __getitem__(self, index: int) -> Sample:
        """A region of page `index`. Raises BadInput where none stands free, and what the engine raises."""
        page = self.pages.page(index)
        rng = Random(f"regions/{self.kind}/{self.unit}/{self.seed}/{index}")
        some = [region for region in regions(page.lines, self.unit) if region.text.strip()]
        rng.shuffle(some)
        for region in some:  # the first that can be asked for, in an order of its own
            found = _boxed(page, region, rng) if self.kind == "box" else _framed(page, region, rng)
            if found:
                image, prompt = found
                name = f"regions/{self.kind}/{self.unit}"
                return Sample(
                    (image,), prompt, region.text, "text", origin(name, self.seed, index, page=told(page.origin))
                )
        raise BadInput(
            f"none of {len(some)} {self.unit}s stands free enough for a {self.kind} of its own: expected a page with "
            f"more room between them ({page.origin})"
        )


class FiniteRegions(Regions):
    """A region of each page of an engine that has a `len`."""

    pages: Any

    def __len__(self) -> int:
        """As many as there are pages."""
        return len(self.pages)


def _boxed(page: Page, region: Region, rng: Random) -> tuple[Image.Image, Prompt] | None:
    """The page, and the question for what is in a box; None where nothing but the tightest box would do."""
    width, height = page.image.size
    wide = widened(region, max(1.5, JITTER * _height(region)), 0.5, page.image.size, rng)
    if wide is None:
        return None
    # A prompt says thousandths, rounded down: the box is on them, with room for rounding. See Box.scaled.
    x0, x1 = math.floor(wide.x0 * 1000 / width), math.ceil(wide.x1 * 1000 / width)
    y0, y1 = math.floor(wide.y0 * 1000 / height), math.ceil(wide.y1 * 1000 / height)
    box = Box(
        x0 * width / 1000,
        y0 * height / 1000,
        min(width, (x1 + 0.01) * width / 1000),
        min(height, (y1 + 0.01) * height / 1000),
    )
    return (page.image, Prompt(box=box)) if region.is_alone(box) else None


def _framed(page: Page, region: Region, rng: Random) -> tuple[Image.Image, Prompt] | None:
    """The page with a frame on it, and the question for what is in the frame; None where no frame has room."""
    thick = rng.randint(*THICK)
    wish = thick + max(_GAP, JITTER * _height(region))
    for size in dict.fromkeys((thick, THICK[0])):
        wide = widened(region, wish, size + _GAP, page.image.size, rng)
        outer = wide and (math.floor(wide.x0), math.floor(wide.y0), math.ceil(wide.x1), math.ceil(wide.y1))
        if not outer or not _has_room(region, outer, size):
            continue
        pixels = np.array(page.image.convert("RGB"))
        ring = np.zeros(pixels.shape[:2], np.uint8)
        cv2.rectangle(ring, outer[:2], (outer[2] - 1, outer[3] - 1), 255, -1)
        cv2.rectangle(ring, (outer[0] + size, outer[1] + size), (outer[2] - 1 - size, outer[3] - 1 - size), 0, -1)
        colors = _seen(pixels, ring > 0)
        if colors:
            color = rng.choice(colors)
            pixels[ring > 0] = _PAINT[color]
            return Image.fromarray(pixels), Prompt(color=color)
    return None


def _has_room(region: Region, outer: tuple[int, int, int, int], thick: int) -> bool:
    """Whether a frame with those outer edges, half-open, touches neither its own text nor other."""
    box, (x0, y0, x1, y1) = region.box, outer
    clear = x0 + thick < box.x0 and y0 + thick < box.y0 and x1 - thick > box.x1 and y1 - thick > box.y1
    return clear and region.is_alone(Box(*outer))


def _seen(pixels: np.ndarray, ring: np.ndarray) -> list[Color]:
    """The colours that a frame is seen in wherever it is drawn."""
    under = pixels[ring].astype(np.float32)
    return [
        color
        for color in COLORS
        if float(np.quantile(np.linalg.norm(under - np.array(_PAINT[color], np.float32), axis=1), 0.1)) > _FAR
    ]


def _height(region: Region) -> float:
    """Pixels of its lowest line."""
    return min(math.dist(line.place[0], line.place[3]) for line in region.lines)
