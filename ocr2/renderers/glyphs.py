"""Glyphs, drawn once each and kept: a page of thousands is then put together by a few gathers of whole columns.

Shapes: C columns of all glyphs drawn so far, R rows of a glyph's cell, G glyphs of a page.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache, lru_cache
from math import ceil
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ocr2.renderers.fonts import CODES, Face, opened

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont

PHASES = 2
"""Places within a pixel that a glyph is drawn at: whole and half ones."""
KEPT = 384 << 20
"""Bytes of glyphs that a process keeps; beyond them, those longest unused are forgotten."""
KEPT_WORDS = 20_000
"""Words drawn whole that a process keeps."""
_MEASURED = 1000
_AT_ONCE = 1 << 21
_founts: OrderedDict[tuple[Face, int], Fount] = OrderedDict()
_words: OrderedDict[tuple[Face, int, str, int], Stamp] = OrderedDict()

Stamp = tuple["NDArray[np.uint8]", int, int]
"""Ink, and where its top left corner is from the pen, which stands on the base line: x, y."""


def fount(face: Face, size: int) -> Fount:
    """The face at that size, in pixels. Raises RendererMissing."""
    found = _founts.pop((face, size), None)
    if not found:
        found = Fount(face, size)
        if not len(_founts) % 32:  # now and then: to count takes longer than to find
            while sum(kept.size_in_memory for kept in _founts.values()) > KEPT:
                _founts.popitem(last=False)
    _founts[face, size] = found
    return found


class Fount:
    """A face at one size: its glyphs as columns of ink, 0 (none) to 255, one after the other."""

    def __init__(self, face: Face, size: int) -> None:
        """Nothing is drawn yet. Raises RendererMissing."""
        self.face, self.size = face, size
        self.columns: NDArray[np.uint8] = np.zeros((64 * size, 1), np.uint8)
        """(C, R) The first is blank."""
        self.top = 0
        """The row, from the base line down, that the cells begin with: above all that was drawn so far."""
        self.places: NDArray[np.int32] = np.zeros((256, 5), np.int32)
        """Of each glyph: its first column, its width, where it begins from the pen, and the rows from the base line at
        which its ink begins and ends. The first is of no glyph."""
        self._number = np.zeros((CODES, PHASES), np.int32)
        self._glyphs, self._used = 1, 1

    @property
    def size_in_memory(self) -> int:
        """Bytes, to within a few."""
        return self.columns.nbytes + self.places.nbytes + self._number.nbytes

    def numbers(self, codes: NDArray[np.uint32], phases: NDArray[np.int32]) -> NDArray[np.int32]:
        """(G,) Which glyphs those characters are, at those places within a pixel; what is new is drawn."""
        found = self._number[codes, phases]
        if not found.all():
            new = found == 0
            pairs = sorted({*zip(codes[new].tolist(), phases[new].tolist(), strict=True)})
            cell = _cell(self.size)
            some = max(1, _AT_ONCE // (cell[0] * cell[1]))
            for start in range(0, len(pairs), some):
                self._add(pairs[start : start + some])
            found = self._number[codes, phases]
        return found

    def _add(self, pairs: list[tuple[int, int]]) -> None:
        """Draw those characters, at those places within a pixel."""
        drawn = stamps(self.face, _font(self.face, self.size), [(chr(code), phase / PHASES) for code, phase in pairs])
        for (code, phase), (ink, x, y) in zip(pairs, drawn, strict=True):
            height, width = ink.shape
            self._make_room(width, y, y + height)
            self.columns[self._used : self._used + width, y - self.top : y - self.top + height] = ink.T
            self.places[self._glyphs] = self._used, width, x, y, y + height
            self._number[code, phase] = self._glyphs
            self._glyphs += 1
            self._used += width

    def _make_room(self, width: int, top: int, bottom: int) -> None:
        """Cells as high as the new glyph needs, and columns and places enough for it."""
        length, rows = self.columns.shape
        above, below = max(0, self.top - top), max(0, bottom - (self.top + rows))
        more = length if self._used + width > length else 0
        if above or below or more:
            self.columns = np.pad(self.columns, ((0, more + (width if more else 0)), (above, below)))
            self.top -= above
        if self._glyphs == len(self.places):
            self.places = np.pad(self.places, ((0, len(self.places)), (0, 0)))


def stamps(face: Face, font: FreeTypeFont, texts: list[tuple[str, float]], width: int = 0) -> list[Stamp]:
    """Each text, of up to `width` pixels (0: a character), as it is drawn at so many pixels to the right of the pen."""
    from PIL import Image, ImageDraw

    pen, rise = ceil(font.size), ceil(1.5 * font.size)
    across, down = _cell(ceil(font.size))
    across = width + 2 * pen if width else across
    image = Image.new("L", (across * len(texts), down))
    draw = ImageDraw.Draw(image)
    thick = face.swollen * font.size
    for n, (text, shift) in enumerate(texts):
        for at in (-thick / 2, 0.0, thick / 2) if thick else (0.0,):
            draw.text((n * across + pen + shift + at, rise), text, 255, font, "ls")
    cells: NDArray[np.uint8] = np.asarray(image).reshape(down, len(texts), across)
    if face.stretch != 1:
        matrix = np.array([[face.stretch, 0, pen * (1 - face.stretch)], [0, 1, 0]])
        turned = [cv2.warpAffine(cells[:, n].copy(), matrix, (across, down)) for n in range(len(texts))]
        cells = np.stack(turned, axis=1)
    columns: NDArray[np.bool_] = np.any(cells, axis=0)
    rows: NDArray[np.bool_] = np.any(cells, axis=2).T
    left, right = columns.argmax(axis=1).tolist(), (across - columns[:, ::-1].argmax(axis=1)).tolist()
    top, bottom = rows.argmax(axis=1).tolist(), (down - rows[:, ::-1].argmax(axis=1)).tolist()
    return [
        (cells[top[n] : bottom[n], n, left[n] : right[n]], left[n] - pen, top[n] - rise)
        if inked
        else (np.zeros((0, 0), np.uint8), 0, 0)
        for n, inked in enumerate(np.any(columns, axis=1).tolist())
    ]


def _cell(size: int) -> tuple[int, int]:
    """Width and height that hold a character of that size, with the pen a size from the left."""
    return 4 * size, 3 * size


def word(face: Face, size: int, text: str, phase: int) -> Stamp:
    """A word as it is drawn whole: kerned and joined. Raises RendererMissing."""
    key = face, size, text, phase
    found = _words.pop(key, None)
    if not found:
        font = _font(face, size, True)
        ink, x, y = stamps(face, font, [(text, phase / PHASES)], ceil(font.getlength(text)) + 1)[0]
        found = ink.copy(), x, y
    _words[key] = found
    if len(_words) > KEPT_WORDS:
        _words.popitem(last=False)
    return found


@lru_cache(maxsize=64)  # each is about a megabyte
def _font(face: Face, size: int, shaped: bool = False) -> FreeTypeFont:
    return opened(face, size, shaped=shaped)


def advances(face: Face, codes: NDArray[np.uint32]) -> NDArray[np.float32]:
    """How far the pen goes for each character, in sizes. Raises RendererMissing."""
    font, table = _measure(face)
    found: NDArray[np.float32] = table[codes]
    if not found.all():
        if face.kind == "han" and not table[ord("一")]:
            table[0x3400:0xA000] = font.getlength("一") / _MEASURED * face.stretch + face.swollen  # all are as wide
        for code in np.unique(codes[table[codes] == 0]).tolist():
            table[code] = max(1, font.getlength(chr(code))) / _MEASURED * face.stretch + face.swollen
        found = table[codes]
    return found


@cache
def _measure(face: Face) -> tuple[FreeTypeFont, Any]:
    return opened(face, _MEASURED), np.zeros(CODES, np.float32)
