"""Rows to learn from, of pages and lines: arrays as the networks take them, and what is to be answered.

row = scene_row(page, other, side=640, rng=Random(7), ratio=0.4)       # for a detector
row = word_row(Word(image, text), None, alphabet, Random(7))           # for a recogniser
words([row, …])                                                        # a batch: rows put together
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from ocr2.errors import BadInput
from ocr2.ppocr.augment import (
    Scene,
    Word,
    framed,
    joined,
    line_array,
    line_augmented,
    rand_augmented,
    scene_augmented,
    whole,
)
from ocr2.ppocr.batch import Scenes, Ways, Words
from ocr2.ppocr.pipeline import CLASSIFIER, rectify
from ocr2.ppocr.targets import maps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from PIL import Image
    from torch import Tensor

    from ocr2.types import Page

HEIGHTS = (32, 48, 64)
"""Of lines, where a recogniser learns from several; all rows of a batch have one of them (PP-OCRv4)."""
WIDTH = 320
"""Of all lines, at any height, unless told otherwise: shorter ones are padded, longer ones squeezed."""
LONGEST = 25
"""Characters of a line."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue, which the published detectors take for blue, green and red."""


@dataclass(frozen=True)
class Alphabet:
    """The characters that a recogniser knows; class 0 is CTC's blank."""

    characters: tuple[str, ...]
    """Of class 1, 2, …"""

    def __post_init__(self) -> None:
        twice = len(self.characters) - len(set(self.characters))
        if twice or any(len(character) != 1 for character in self.characters):
            raise BadInput(f"an alphabet with {twice} entries twice, or not all of one character: expected each once")

    @property
    def classes(self) -> int:
        """How many there are, with the blank."""
        return len(self.characters) + 1

    @cached_property
    def _classes(self) -> dict[str, int]:
        return {character: n for n, character in enumerate(self.characters, 1)}

    def encode(self, text: str) -> tuple[list[int], int]:
        """The classes of the characters that are known, and how many of the others were left out, as published."""
        found = [self._classes[character] for character in text if character in self._classes]
        return found, len(text) - len(found)

    def decode(self, classes: Sequence[int]) -> str:
        """The text of classes; blanks go."""
        return "".join(self.characters[n - 1] for n in classes if n)


def pixels(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8: blue, green, red."""
    return cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR)


def scene_of(page: Page) -> Scene:
    """The page with the quads of its lines, or of their pieces; those without text are ignored."""
    told = [
        (quad, not line.text)
        for line in page.lines
        for quad in (*(piece.quad for piece in line.pieces), *(() if line.pieces else (line.quad,)))
        if quad
    ]
    return Scene(pixels(page.image), [np.array(quad, np.float32) for quad, _ in told], [skipped for _, skipped in told])


def cut(page: Page) -> list[Word]:
    """The page's lines that have text and a place, each rectified as the reader does it."""
    image = pixels(page.image)
    return [Word(rectify(image, line.quad), line.text) for line in page.lines if line.text and line.quad]


def scene_row(page: Page, other: Page | None, side: int, rng: Random | None, ratio: float = 0.4) -> Scenes:
    """A row of side × side pixels: the page augmented, with text of the other pasted on it; without rng as it is.

    `ratio` is by how much text is shrunk (`targets.maps`). Raises BadInput for a side that isn't a multiple of 32.
    """
    if side < 32 or side % 32:
        raise BadInput(f"side={side}: expected a multiple of 32, as detectors halve their input five times")
    scene = scene_of(page)
    if rng is None:
        scene = framed(scene, whole(scene), side)
    else:
        scene = scene_augmented(scene, scene_of(other) if other else None, side, rng)
    targets = (torch.from_numpy(each)[None, None] for each in maps(scene.quads, scene.ignored, side, side, ratio))
    shrink, shrink_mask, threshold, threshold_mask = targets
    image = np.empty((1, 3, side, side), np.float32)
    for channel, (mean, std) in enumerate(zip(MEAN, STD, strict=True)):
        np.multiply(scene.image[:, :, channel], np.float32(1 / 255 / std), out=image[0, channel])
        image[0, channel] -= np.float32(mean / std)
    return Scenes(torch.from_numpy(image), shrink, shrink_mask, threshold, threshold_mask, (page.origin,))


def word_row(
    word: Word,
    other: Word | None,
    alphabet: Alphabet,
    rng: Random | None,
    height: int = 32,
    origin: str = "",
    width: int = WIDTH,
) -> Words:
    """A row of height × width pixels: the line, often with the other behind it, augmented; without rng as it is.

    Raises BadInput for a text that has no character of the alphabet, more than LONGEST, or more than CTC can spell in
    the steps of such a width.
    """
    if rng and other and rng.random() < 0.5:
        word = joined(word, other, width / height, LONGEST)
    if len(word.text) > LONGEST:
        raise BadInput(f"{word.text!r:.60} has {len(word.text)} characters: expected at most {LONGEST}")
    classes, _ = alphabet.encode(word.text)
    if not classes:
        raise BadInput(f"{word.text!r:.60} has no character that the recogniser knows: expected one at least")
    if (steps := len(classes) + sum(a == b for a, b in pairwise(classes))) > width // 4:
        raise BadInput(f"{word.text!r:.60} takes {steps} steps to spell: {width} pixels have {width // 4}")
    image = _at_most(word.image, height)
    array = line_array(line_augmented(image, rng) if rng else image, height, width)
    return Words(torch.from_numpy(array)[None], torch.tensor([classes]), torch.tensor([len(classes)]), (origin,))


def way_row(image: np.ndarray, rng: Random, origin: str = "") -> Ways:
    """A row of 48 × 192 pixels: an upright line (h, w, 3), augmented, and half the time turned upside down."""
    height, width = image.shape[:2]
    # Released code: all of a line, however long. The reader looks at the middle of it, 8 times as long as high.
    skip = rng.randint(0, max(0, width - 8 * height))
    image = _at_most(image[:, skip : skip + 8 * height], CLASSIFIER.height)
    image = rand_augmented(line_augmented(image, rng, bends=False), rng)
    turned = rng.random() < 0.5
    array = line_array(image[::-1, ::-1] if turned else image, CLASSIFIER.height, CLASSIFIER.longest)
    return Ways(torch.from_numpy(array)[None], torch.tensor([int(turned)]), (origin,))


def _at_most(image: np.ndarray, height: int) -> np.ndarray:
    """The line at the height that it will be seen at, if it is higher: damage is then done to what is seen."""
    h, w = image.shape[:2]
    if h <= height:
        return image
    return cv2.resize(image, (max(1, round(w * height / h)), height), interpolation=cv2.INTER_AREA)


def scenes(rows: Sequence[Scenes]) -> Scenes:
    """The rows, which are of one side, as one batch."""

    def column(name: str) -> Tensor:
        return torch.cat([getattr(row, name) for row in rows])

    shrinks, thresholds = (column("shrink"), column("shrink_mask")), (column("threshold"), column("threshold_mask"))
    return Scenes(column("images"), *shrinks, *thresholds, _origins(rows))


def words(rows: Sequence[Words]) -> Words:
    """The rows, which are of one height, as one batch."""
    lengths = torch.cat([row.lengths for row in rows])
    targets = torch.zeros(len(lengths), int(lengths.max()), dtype=torch.int64)
    for target, row in zip(targets, rows, strict=True):
        target[: row.targets.shape[1]] = row.targets[0]
    return Words(torch.cat([row.images for row in rows]), targets, lengths, _origins(rows))


def ways(rows: Sequence[Ways]) -> Ways:
    """The rows as one batch."""
    return Ways(torch.cat([row.images for row in rows]), torch.cat([row.labels for row in rows]), _origins(rows))


def _origins(rows: Sequence[Scenes | Words | Ways]) -> tuple[str, ...]:
    return tuple(chain.from_iterable(row.origins for row in rows))
