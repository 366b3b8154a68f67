"""Photos of any folder and the text on them, as an OCR-1.0 reader labels them (GOT §3.2.2).

    engine = Scene(["/data/photos"], reader.label, seed=7)
    engine[123]    # photo 123 and its texts, top to bottom, left to right

Whole photos, or the slices that their boxes cut out, made upright. What the reader isn't sure of is left out of the
texts; a photo with too much of that is refused. Paper: PaddleOCR labels LAION and Wukong; here `label` is passed in.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from dataclasses import replace
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Any, Literal, get_args

import cv2
import numpy as np
from PIL import Image

from ocr2.data.origin import origin
from ocr2.errors import BadInput
from ocr2.files import find, pages
from ocr2.order import reading_order
from ocr2.types import Line, Page, Prompt, Quad, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Shape = Literal["page", "slice"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
LONGEST = 1024
"""Pixels of a picture's longer side."""
EACH = 4
"""Slices cut from a photo."""
SURE = 0.9
"""The score from which on a line is believed."""
MOST_UNSURE = 0.25
"""Of a photo's characters: with more, what is sure says too little of it."""
SMALLEST = 8.0
"""Pixels of a line that can be read in the picture."""
UPRIGHT = 1.5
"""How many times as high as wide a slice is that stands on end: it is turned, as PP-OCR does."""
KEPT = 64
"""Photos whose labels are kept in memory."""


class Scene:
    """Photos with text on them, or slices of them, in the files' order."""

    def __init__(
        self,
        sources: Sequence[str | Path],
        label: Callable[[Image.Image], Page],
        seed: int,
        shape: Shape = "page",
        *,
        longest: int = LONGEST,
        each: int = EACH,
        sure: float = SURE,
    ) -> None:
        """Files, or folders with photos somewhere below. `label` says what is on a photo: it goes to other processes
        with the engine, if that does. `each` is how many slices are cut from a photo, `sure` the least score of a line
        that is believed. Raises BadInput.
        """
        if shape not in SHAPES:
            raise BadInput(f"{shape!r} is no shape of a photo's text: expected {', '.join(SHAPES)}")
        if longest < 64 or each < 1:
            raise BadInput(f"longest={longest}, each={each}: expected at least 64 and 1")
        self.label, self.seed, self.shape, self.longest, self.sure = label, seed, shape, longest, sure
        self.each = 1 if shape == "page" else each
        given = [str(file) for file in find(str(source) for source in sources)]
        self.files = [file for file in given if os.path.isfile(file) and not file.lower().endswith(".pdf")]
        if not self.files:
            raise BadInput(f"no photos in {', '.join(map(str, sources)) or 'no folders'}: expected *.jpg, *.png, …")
        self._labels: OrderedDict[str, tuple[Line, ...]] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """Without the labels: the process that it goes to finds them by itself."""
        return self.__dict__ | {"_labels": OrderedDict()}

    @property
    def identity(self) -> str:
        """Of the same photos the same, by their files' names and sizes; who labels them isn't known here."""
        files = [(os.path.basename(file), os.stat(file).st_size) for file in self.files]
        digest = blake2b(repr(files).encode(), digest_size=8).hexdigest()
        return f"scene/{self.shape}/{self.each}/{self.longest}/{self.sure}/{self.seed}/{digest}"

    def __len__(self) -> int:
        """How many pictures there are, those among them that can't be made."""
        return len(self.files) * self.each

    def page(self, index: int) -> Page:
        """Picture `index` and its lines, top to bottom and left to right, with their quads; before them, without text,
        the places of what can't be read for sure. Raises BadInput where hardly any is sure, and what `label` raises.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        file = self.files[index // self.each]
        photo = next(pages(file)).image
        lines = self._labelled(file, photo)
        if self.shape == "slice":
            photo, lines = self._slice(photo, lines, index)
        image, lines = _shrunk(photo, lines, self.longest)
        told = origin(f"scene/{self.shape}", self.seed, index, source=os.path.basename(file))
        return Page(image, _sure(lines, self.sure, os.path.basename(file)), 1, told)

    def __getitem__(self, index: int) -> Sample:
        """Picture `index`, the question for its text, and the text. Raises as `page` does."""
        page = self.page(index)
        return Sample((page.image,), Prompt(), page.text, "text", page.origin)

    def _labelled(self, file: str, photo: Image.Image) -> tuple[Line, ...]:
        """The photo's lines, kept for those that ask next."""
        if file not in self._labels:
            self._labels[file] = tuple(line for line in self.label(photo).lines if line.quad)
            if len(self._labels) > KEPT:
                self._labels.popitem(last=False)
        self._labels.move_to_end(file)
        return self._labels[file]

    def _slice(self, photo: Image.Image, lines: tuple[Line, ...], index: int) -> tuple[Image.Image, tuple[Line, ...]]:
        """One of the sure lines, upright, as a picture of its own."""
        some = [line for line in lines if line.score >= self.sure and line.text.strip()]
        Random(f"scene/{self.seed}/slices of {index // self.each}").shuffle(some)
        nth = index % self.each
        if nth >= len(some):
            name = os.path.basename(self.files[index // self.each])
            raise BadInput(f"{name} has {len(some)} lines that are read for sure: expected {nth + 1}")
        image = rectified(photo, some[nth].place)
        width, height = float(image.width), float(image.height)
        quad: Quad = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
        return image, (replace(some[nth], quad=quad, centers=(), pieces=()),)


def rectified(photo: Image.Image, quad: Quad) -> Image.Image:
    """What is in the quad, its first corner at the top left, seen from the front at the photo's own scale."""
    (p0, p1, p2, p3) = quad
    width = max(1, round(max(math.dist(p0, p1), math.dist(p2, p3))))
    height = max(1, round(max(math.dist(p0, p3), math.dist(p1, p2))))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    half = np.float32(0.5)  # a pixel's middle is at a half for quads, and at a whole number for OpenCV
    matrix = cv2.getPerspectiveTransform(np.array(quad, np.float32) - half, target - half)
    pixels = np.asarray(photo.convert("RGB"))
    seen = cv2.warpPerspective(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return Image.fromarray(np.rot90(seen) if height >= UPRIGHT * width else seen)


def _shrunk(photo: Image.Image, lines: tuple[Line, ...], longest: int) -> tuple[Image.Image, tuple[Line, ...]]:
    """The photo, made smaller where it is too large, and the lines where they are then."""
    scale = longest / max(photo.size)
    if scale >= 1:
        return photo, lines
    width, height = (max(1, round(side * scale)) for side in photo.size)
    pixels = cv2.resize(np.asarray(photo), (width, height), interpolation=cv2.INTER_AREA)
    across, down = width / photo.width, height / photo.height

    def shrunk(quad: Quad) -> Quad:
        first, second, third, fourth = ((x * across, y * down) for x, y in quad)
        return first, second, third, fourth

    return Image.fromarray(pixels), tuple(replace(line, quad=shrunk(line.place), pieces=()) for line in lines)


def _sure(lines: tuple[Line, ...], sure: float, name: str) -> tuple[Line, ...]:
    """Those that are read for sure, in order; before them, without text, the others. Raises BadInput."""
    believed: list[Line] = []
    doubtful: list[Line] = []
    for line in lines:
        p0, p1, _, p3 = line.place
        height = min(math.dist(p0, p3), math.dist(p0, p1))
        is_sure = line.score >= sure and height >= SMALLEST and line.text.strip()
        (believed if is_sure else doubtful).append(line)
    told, untold = (sum(max(1, len(line.text)) for line in some) for some in (believed, doubtful))
    if not told:
        raise BadInput(f"{name} has no text that is read for sure ({len(doubtful)} lines in doubt): leave it out")
    if untold > MOST_UNSURE * (told + untold):
        raise BadInput(f"{name}: {untold} of {told + untold} characters are in doubt: leave it out")
    ordered = reading_order(replace(line, text=" ".join(line.text.split())) for line in believed)
    return (*(replace(line, text="", end="", centers=(), pieces=()) for line in doubtful), *ordered)
