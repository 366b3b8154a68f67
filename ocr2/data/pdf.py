"""Pages, lines and paragraphs of born-digital PDFs, with what their text layer says (GOT §3.2.2).

    engine = Pdf(["/data/manuals"], seed=7)
    engine.page(123)    # an image and the quads of its lines
    engine[123]         # the same as a question and its answer

Scanned pages, and those whose text layer can't be trusted, raise BadInput: see ocr2/data/textlayer.py. Paper: Fitz
reads the text; here pdfium does, whose licence is free, and lines are put together in ocr2/data/printed.py.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import replace
from functools import cache, cached_property
from hashlib import blake2b
from importlib import metadata
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Any, Literal, get_args

import cv2
import numpy as np
from PIL import Image

from ocr2.data.origin import origin
from ocr2.data.units import Region, regions, widened
from ocr2.errors import BadInput, OcrError
from ocr2.files import find
from ocr2.renderers import paper
from ocr2.renderers.apart import apart
from ocr2.types import Line, Page, Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Shape = Literal["page", "line", "paragraph"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
EACH: dict[Shape, int] = {"page": 1, "line": 4, "paragraph": 2}
"""Pictures made of a page."""
LONGEST = 1024
"""Pixels of a picture's longer side."""
DPI = 200
"""Pages, which may be small, are drawn at so many dots an inch at most."""
_SLICED_AT = (96, 150)
"""Dots an inch of the pages that lines and paragraphs are cut from."""
_LARGEST_PAGE = 3000
"""Pixels of those."""


class Pdf:
    """The pages of PDF files, or lines or paragraphs cut from them: pictures of one shape, in the files' order."""

    def __init__(
        self,
        sources: Sequence[str | Path],
        seed: int,
        shape: Shape = "page",
        *,
        longest: int = LONGEST,
        strength: float = 1.0,
        each: int = 0,
    ) -> None:
        """Files, or folders with PDF files somewhere below; nothing is read before it is asked for.

        `longest` is how many pixels a picture has on its longer side at most, `strength` how worn it is (0: as it was
        made), `each` how many slices are cut from a page (0: 4 lines, 2 paragraphs). Raises BadInput.
        """
        if shape not in SHAPES:
            raise BadInput(f"{shape!r} is no shape of a PDF's text: expected {', '.join(SHAPES)}")
        if longest < 64 or each < 0 or strength < 0:
            raise BadInput(f"longest={longest}, each={each}, strength={strength}: expected at least 64, 0 and 0")
        self.seed, self.shape, self.longest, self.strength = seed, shape, longest, strength
        self.each = each if each and shape != "page" else EACH[shape]
        given = list(find(str(source) for source in sources))
        self.files = list(dict.fromkeys(os.path.realpath(file) for file in given if str(file).lower().endswith(".pdf")))
        """Without links to a file that is there already."""
        if not self.files:
            raise BadInput(f"no PDF files in {', '.join(map(str, sources)) or 'no folders'}: expected *.pdf")
        self._kept: tuple[int, Page] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the page that was read last."""
        return self.__dict__ | {"_kept": None}

    @property
    def identity(self) -> str:
        """Of the same pictures the same: the files' names and sizes, and what is made of them."""
        files = [(os.path.basename(file), os.stat(file).st_size) for file in self.files]
        digest = blake2b(repr(files).encode(), digest_size=8).hexdigest()
        return f"pdf/{self.shape}/{self.each}/{self.longest}/{self.strength}/{self.seed}/{digest}"

    @cached_property
    def _ends(self) -> list[int]:
        """How many pages come up to the end of each file. One that can't be read has a page, which raises why."""
        return list(accumulate(_count(file) for file in self.files))

    def __len__(self) -> int:
        """How many pictures there are, those among them that can't be made."""
        return self._ends[-1] * self.each

    def page(self, index: int) -> Page:
        """Picture `index` and its lines, in reading order, with their quads: before them, without text, the places of
        characters that have no name. Raises BadInput for what isn't born digital or is too short, RenderFailed.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        rng = Random(f"pdf/{self.shape}/{self.seed}/{index}")
        whole = self._whole(index // self.each)
        page = whole if self.shape == "page" else self._slice(whole, index, rng)
        quads = tuple(line.place for line in page.lines)
        pixels, moved = paper.aged(np.asarray(page.image), rng, paper.wear(self.strength, rng), quads)
        told = origin(f"pdf/{self.shape}", self.seed, index, backend=_backend(), source=page.origin)
        return replace(page, image=Image.fromarray(pixels), lines=_at(page.lines, moved), origin=told)

    def __getitem__(self, index: int) -> Sample:
        """Picture `index`, the question for its text, and the text. Raises as `page` does."""
        page = self.page(index)
        return Sample((page.image,), Prompt(), page.text, "text", page.origin)

    def _whole(self, number: int) -> Page:
        """Page `number` of all, as it was made."""
        if self._kept and self._kept[0] == number:
            return self._kept[1]
        place = bisect_right(self._ends, number)
        file, local = self.files[place], number - (self._ends[place - 1] if place else 0) + 1
        rng = Random(f"pdf/{self.seed}/page {number}")
        dpi, longest = (DPI, self.longest) if self.shape == "page" else (rng.uniform(*_SLICED_AT), _LARGEST_PAGE)
        pixels, lines = apart("ocr2.data.textlayer:read", file, local, dpi, longest)
        page = Page(Image.fromarray(pixels), lines, local, f"{os.path.basename(file)}, page {local}")
        if self.shape != "page":
            self._kept = number, page
        return page

    def _slice(self, page: Page, index: int, rng: Random) -> Page:
        """One of the page's lines or paragraphs, with a little around it."""
        some = regions(page.lines, "line" if self.shape == "line" else "paragraph")
        Random(f"pdf/{self.shape}/{self.seed}/slices of {index // self.each}").shuffle(some)
        nth = index % self.each
        if nth >= len(some):
            raise BadInput(f"{page.origin} has {len(some)} {self.shape}s that stand alone: expected {nth + 1}")
        region = some[nth]
        box = widened(region, 10, 2, page.image.size, rng)
        if box is None:
            raise BadInput(
                f"{page.origin}: a {self.shape} stands too close to others to be cut out: expected some room"
            )
        return self._cut(page, region, (int(box.x0), int(box.y0), int(box.x1), int(box.y1)))

    def _cut(self, page: Page, region: Region, box: tuple[int, int, int, int]) -> Page:
        """The box as a picture of its own, made smaller where it is too long."""
        image = page.image.crop(box)
        scale = min(1.0, self.longest / max(image.size))
        width, height = (max(1, round(side * scale)) for side in image.size)
        if scale < 1:
            pixels = cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_AREA)
            image = Image.fromarray(pixels)
        across, down = width / (box[2] - box[0]), height / (box[3] - box[1])
        quads = [
            tuple((min((x - box[0]) * across, width), min((y - box[1]) * down, height)) for x, y in line.place)
            for line in region.lines
        ]
        return replace(page, image=image, lines=_at(region.lines, quads))


def _at(lines: Sequence[Line], quads: Sequence[Any]) -> tuple[Line, ...]:
    """The lines, where the quads are."""
    return tuple(replace(line, quad=tuple(quad)) for line, quad in zip(lines, quads, strict=True))


def _count(file: str) -> int:
    try:
        return max(1, int(apart("ocr2.data.textlayer:count", file)))
    except OcrError:
        return 1


@cache
def _backend() -> str:
    return f"pypdfium2 {metadata.version('pypdfium2')}"
