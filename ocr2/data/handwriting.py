"""Pages of six to eight handwritten lines (GOT §3.3.2).

    engine = Handwriting(Corpus(["/data/texts"]), seed=7)
    engine.page(123)                                      # lines in one of a few handwriting fonts
    Handwriting(corpus, seed=7, folder="/data/hands")     # real lines, with their texts, on a blank page

A folder of lines has images and texts beside them (`a01.png` and `a01.txt`), or a `labels.txt` with an image and its
text a line, a tab between them, as CASIA-HWDB, IAM and their like are often kept. Fonts of handwriting that packages
ship are Latin; for Chinese, give a folder of font files (.ttf, .otf, .woff).
"""

from __future__ import annotations

import math
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from ocr2.data.origin import origin
from ocr2.data.penmanship import Hand, hands, written
from ocr2.errors import BadInput
from ocr2.files import SUFFIXES, pages
from ocr2.renderers import paper
from ocr2.renderers.galley import CLOSING
from ocr2.types import Line, Page, Prompt, Quad, Sample

if TYPE_CHECKING:
    from ocr2.data.corpus import Corpus, Language

FEWEST, MOST = 6, 8
"""Lines of a page."""
VIEWS = ((768, 1024), (1024, 768), (1024, 1024), (896, 640), (768, 512))
"""Width and height of the pages."""
LOWEST = 14
"""Pixels of a line's image on the page."""
_INKS = ((20, 20, 24), (24, 32, 110), (16, 40, 160), (70, 70, 74), (120, 20, 30))
_RULES = ((170, 190, 225), (200, 200, 200), (225, 170, 170))
_CLEAR = 0.8
"""Of the range from a line's ink to its paper: what is lighter is blank."""


class Pasted(NamedTuple):
    """A line of writing: its ink, (h, w) 0 (none) to 255, and what it says."""

    ink: np.ndarray
    base: int
    """The row of the base line."""
    text: str
    source: str


class Handwriting:
    """An endless source of handwritten pages."""

    def __init__(
        self,
        corpus: Corpus,
        seed: int,
        folder: str | Path | None = None,
        *,
        language: Language = "en",
        fonts: str | Path | None = None,
        strength: float = 1.0,
    ) -> None:
        """Lines of a folder, with its texts; else text of the corpus, in fonts of the packages or of a folder of fonts.

        `strength` is how worn the pages are (0: as they were made). Raises BadInput.
        """
        self.corpus, self.seed, self.language, self.strength = corpus, seed, language, strength
        self.folder, self.fonts = (folder and Path(folder)) or None, (fonts and Path(fonts)) or None
        if language == "zh" and not folder and not fonts:
            raise BadInput("no font of Chinese handwriting comes with packages: give a folder of fonts, or of lines")
        if self.folder and not self.folder.is_dir():
            raise BadInput(f"{folder} is not a folder: expected one with images of handwritten lines and their texts")
        self.hands: tuple[Hand, ...] = () if folder else hands(self.fonts, corpus.held)

    def __getstate__(self) -> dict[str, Any]:
        """Without the list of lines: the process that it goes to reads it by itself."""
        return {name: value for name, value in vars(self).items() if name != "_lines"}

    @property
    def identity(self) -> str:
        """Of the same pages the same: the corpus, or the lines' names and texts, and the fonts."""
        made_of = [(path.name, text) for path, text in self._lines] if self.folder else self.corpus.identity
        told = repr((made_of, [hand.name for hand in self.hands], self.language))
        return f"handwriting/{self.strength}/{self.seed}/{blake2b(told.encode(), digest_size=8).hexdigest()}"

    @cached_property
    def _lines(self) -> list[tuple[Path, str]]:
        """The images of the folder with what they say."""
        assert self.folder
        return labelled(self.folder)

    def page(self, index: int) -> Page:
        """Page `index` and its lines, with their quads. Raises BadInput, RendererMissing."""
        return _Work(self, index).page()

    def __getitem__(self, index: int) -> Sample:
        """Page `index`, the question for its text, and the text. Raises BadInput, RendererMissing."""
        page = self.page(index)
        return Sample((page.image,), Prompt(), page.text, "text", page.origin)

    def line(self, rng: Random, hand: Hand | None, width: float, size: float) -> Pasted:
        """One line of writing, at most so wide; drawn in type of that size, or its image made so large."""
        if hand is None:
            path, text = rng.choice(self._lines)
            ink = _fitted(_ink_of(path), width, 1.5 * size)
            if len(ink) < LOWEST:
                raise BadInput(f"{path.name} is too long for a page {width:.0f} pixels wide: cut it in two")
            return Pasted(ink, len(ink), text, path.name)
        ink, base, text = written(hand, self._words(rng, width / size), size, width, rng)
        return Pasted(ink, base, text, hand.name)

    def _words(self, rng: Random, room: float) -> str:
        """Text from anywhere in a paragraph, rather more than fits into a line of so many sizes."""
        text = self.corpus.paragraph(rng, self.language)
        length = math.ceil((1.2 if self.language == "zh" else 4.0) * room)
        start = rng.randrange(max(1, len(text) - length // 2))
        start = text.rfind(" ", 0, start) + 1 if self.language == "en" else start
        return text[start : start + length].strip().lstrip(CLOSING + "-–")


def labelled(folder: Path) -> list[tuple[Path, str]]:
    """The images of lines below a folder, with their texts, in order of their names. Raises BadInput."""
    found: dict[Path, str] = {}
    try:
        for file in sorted(folder.rglob("labels.txt")):
            for number, row in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
                name, tab, text = row.partition("\t")
                if row.strip() and not (tab and text.strip() and (file.parent / name).is_file()):
                    raise BadInput(
                        f"{file}, line {number}: expected the name of an image in its folder, a tab, its text"
                    )
                if row.strip():
                    found[file.parent / name] = text
        for image in sorted(folder.rglob("*")):
            beside = image.with_suffix(".txt")
            if image.name.lower().endswith(SUFFIXES) and image not in found and beside.is_file():
                found[image] = beside.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"a text in {folder} is not in UTF-8 ({error.reason}): save it so") from error
    except OSError as error:
        raise BadInput(f"{folder} can't be read ({error}): make it readable") from error
    lines = [(path, " ".join(text.split())) for path, text in sorted(found.items()) if text.strip()]
    if not lines:
        raise BadInput(f"{folder} has no handwritten lines: expected images with texts beside them, or a labels.txt")
    return lines


class _Work:
    """One page in the making."""

    def __init__(self, engine: Handwriting, index: int) -> None:
        self.engine, self.index = engine, index
        self.rng = rng = Random(f"handwriting/{engine.language}/{engine.seed}/{index}")
        self.width, self.height = rng.choice(VIEWS)
        self.hand = rng.choice(engine.hands) if engine.hands else None

    def page(self) -> Page:
        """The page."""
        rng, engine = self.rng, self.engine
        count = rng.randint(FEWEST, MOST)
        margin = self.width * rng.uniform(0.03, 0.1)
        top = self.height * rng.uniform(0.03, 0.12)
        pitch = (self.height - 2 * top) / count * rng.uniform(0.75, 1.0)
        size = min(pitch * rng.uniform(0.5, 0.64), 64.0)
        shortest = rng.choice((0.95, 0.95, 0.6)) if self.hand else 1.0
        some = [
            engine.line(rng, self.hand, (self.width - 2 * margin) * rng.uniform(shortest, 1), size)
            for _ in range(count)
        ]
        sheet, quads = self._pasted(some, margin, top, pitch, size)
        pixels, quads = paper.aged(sheet, rng, paper.wear(engine.strength, rng), quads)
        lines = tuple(Line(one.text, quad, 1.0) for one, quad in zip(some, quads, strict=True))
        sources = ", ".join(dict.fromkeys(one.source for one in some))
        made_of = {"source": sources} if self.hand is None else {"fonts": f"{sources} ({self.hand.licence})"}
        told = origin("handwriting", engine.seed, self.index, **made_of)
        return Page(Image.fromarray(pixels), lines, 1, told)

    def _pasted(
        self, some: list[Pasted], margin: float, top: float, pitch: float, size: float
    ) -> tuple[np.ndarray, tuple[Quad, ...]]:
        """The lines on a blank or ruled page, one below the other, and where each is."""
        rng = self.rng
        coloured = rng.random() < 0.7
        ink_color = np.array(rng.choice(_INKS) if coloured else (rng.randint(0, 90),) * 3, np.float32)
        sheet = np.full((self.height, self.width, 3), 255, np.float32)
        rule = (rng.choice(_RULES) if coloured else (200, 200, 200)) if rng.random() < 0.4 else None
        low, thick = 0, size >= 24 and rng.random() < 0.3
        quads = []
        for n, one in enumerate(some):
            height, width = one.ink.shape
            slack = max(0.0, self.width - 2 * margin - width)
            x = round(margin + min(slack, rng.uniform(0, 0.02 * self.width)))
            y = round(top + (n + 0.75) * pitch + rng.uniform(-0.03, 0.03) * pitch) - one.base
            y = min(max(low, y), self.height - 1 - height)
            if y < low:
                raise BadInput(f"line {n + 1} of a page of {self.height} pixels has no room: expected lines less high")
            if rule:
                base = min(self.height - 1, y + one.base + 1)
                sheet[base, round(0.5 * margin) : round(self.width - 0.5 * margin)] = rule
            ink = cv2.dilate(one.ink, np.ones((2, 2), np.uint8)) if thick else one.ink
            share = (ink.astype(np.float32) / 255)[:, :, None]
            spot = sheet[y : y + height, x : x + width]
            spot += (ink_color - spot) * share
            low = y + height + 1
            x0, y0, x1, y1 = _bounds(ink)
            quads.append(((x + x0, y + y0), (x + x1, y + y0), (x + x1, y + y1), (x + x0, y + y1)))
        pixels = sheet.round().astype(np.uint8)
        return (pixels if coloured else pixels[:, :, 0].copy()), tuple(quads)


def _ink_of(path: Path) -> np.ndarray:
    """(h, w) The ink of a line's image, whatever its paper: 0 where it is blank. Raises BadInput."""
    grey = np.asarray(next(pages(path)).image.convert("L")).astype(np.float32)
    light, dark = float(np.quantile(grey, 0.9)), float(np.quantile(grey, 0.005))
    if light - dark < 30:
        raise BadInput(f"{path.name} is blank: expected dark writing on light paper")
    if np.median(grey) < (light + dark) / 2:
        raise BadInput(f"{path.name} is light on dark, or mostly ink: expected dark writing on light paper")
    most = _CLEAR * (light - dark)
    ink: np.ndarray = np.clip((dark + most - grey) / most, 0, 1) * 255
    x, y, w, h = cv2.boundingRect((ink > 40).astype(np.uint8))
    return ink.round().astype(np.uint8)[y : y + h, x : x + w]


def _fitted(ink: np.ndarray, width: float, height: float) -> np.ndarray:
    """The ink, so high, or less so that it isn't wider than that."""
    scale = min(height / ink.shape[0], width / ink.shape[1])
    size = tuple(max(1, round(side * scale)) for side in ink.shape[::-1])
    return np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC))


def _bounds(ink: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is seen of it."""
    x, y, w, h = cv2.boundingRect((ink > 40).astype(np.uint8))
    return x, y, x + w, y + h
