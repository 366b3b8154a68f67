"""A paragraph, measured: which face each character is set in, how far the pen goes, and where a line may end.

Shapes: N characters of a paragraph.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from ocr2.renderers.fonts import CODES, Face, covered
from ocr2.renderers.glyphs import advances

if TYPE_CHECKING:
    from numpy.typing import NDArray

Align = Literal["left", "justified", "centred", "right"]
OPENING = "（《〈「『【〔〖“‘([{"
CLOSING = "，。、；：？！）》〉」』】〕〗”’…—·％,.;:?!)]}%"
"""A line of Chinese never ends with the first, nor begins with the second."""
QUOTES = "“”‘’…—·"
"""Marks that both scripts have: in a Chinese text they are set in Chinese type."""
_WIDE = ((0x2E80, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF))
_SPLITTABLE = re.compile("[A-Za-z]?[a-z]{6,}")
"""A word that may be split with a hyphen, or what is left of it."""


@dataclass(frozen=True)
class Style:
    """How a paragraph is set."""

    latin: Face
    han: Face
    size: int = 16
    """Pixels."""
    leading: float = 1.35
    """From one base line to the next, in sizes."""
    align: Align = "left"
    indent: float = 0.0
    """Of the first line, in sizes."""
    hang: float = 0.0
    """Of the other lines."""
    before: float = 0.0
    """Blank above the paragraph, in sizes."""
    spread: float = 0.0
    """Between letters, in sizes."""
    gap: float = 0.0
    """Between Chinese and Latin characters, in sizes."""
    kerned: bool = False
    """Whether Latin words are drawn whole, kerned and with ligatures: better looking, and slower."""
    hyphens: bool = False
    ink: int = 255
    """How black: 255 is as black as the ink."""


@cache
def wide() -> NDArray[np.bool_]:
    """(CODES,) Which characters are Chinese, or marks that belong to Chinese."""
    found = np.zeros(CODES, bool)
    for first, last in _WIDE:
        found[first : last + 1] = True
    return found


@cache
def _listed(marks: str) -> NDArray[np.bool_]:
    found = np.zeros(CODES, bool)
    found[[ord(mark) for mark in marks]] = True
    return found


class Galley:
    """One paragraph, measured and ready to be broken into lines. Raises RendererMissing."""

    def __init__(self, text: str, style: Style) -> None:
        """The text as it can be printed, with single spaces."""
        self.style = style
        codes = _codes(" ".join(text.split()))
        has = covered(style.latin)[codes] | covered(style.han)[codes]
        if not has.all():
            codes = codes[has]
        self.text = " ".join(codes.tobytes().decode("utf-32-le").split())
        self.codes = codes = _codes(self.text)
        """(N,)"""
        self.chinese = bool(wide()[codes].sum() > 0.3 * len(codes))
        broad = wide()[codes] | (_listed(QUOTES)[codes] if self.chinese else False)
        in_han = covered(style.han)[codes] & (broad | ~covered(style.latin)[codes])
        self.in_han: NDArray[np.bool_] = in_han
        """(N,) Which of them are set in the Chinese face."""
        self.size = style.size
        steps = np.empty(len(codes), np.float32)
        steps[in_han], steps[~in_han] = advances(style.han, codes[in_han]), advances(style.latin, codes[~in_han])
        steps += style.spread
        if style.gap:
            steps[:-1][in_han[:-1] & (_latin(codes[1:]))] += style.gap
            steps[:-1][_latin(codes[:-1]) & in_han[1:] & ~_listed(CLOSING + OPENING)[codes[1:]]] += style.gap
        self.pen = np.concatenate([[0.0], np.cumsum(steps, dtype=np.float64)]) * style.size
        """(N + 1,) Where each character begins, and where the last ends."""
        self._find_breaks()

    @property
    def width(self) -> float:
        """On one line, in pixels."""
        return float(self.pen[-1])

    def _find_breaks(self) -> None:
        before, after = self.codes[:-1], self.codes[1:]
        space = ord(" ")
        may = (before == space) | (before == ord("-")) | wide()[before] | (wide()[after] & (before != space))
        may &= (after != space) & ~_listed(CLOSING)[after] & ~_listed(OPENING)[before]
        places = np.concatenate([[0], np.where(may, np.arange(1, len(self.codes)), 0), [len(self.codes)]])
        self._breaks = np.maximum.accumulate(places[: len(self.codes) + 1])
        """(N + 1,) The last place to break at, up to each."""
        self._breaks[-1:] = len(self.codes)
        spaces = np.concatenate([[False], self.codes == space])
        self._ends = np.where(spaces, np.roll(self.pen, 1), self.pen)
        """(N + 1,) Where a line that breaks there ends: before the space."""

    def broken(self, start: int, width: float) -> tuple[int, bool]:
        """Where the line that begins at `start` ends, and whether it does so with a hyphen."""
        last = int(np.searchsorted(self._ends, self.pen[start] + width + 0.01, "right")) - 1
        if last >= len(self.codes):
            return len(self.codes), False
        end = int(self._breaks[last])
        if self.style.hyphens and (split := self._split(max(start, end), last)):
            return split, True
        return (end, False) if end > start else (max(last, start + 1), False)

    def _split(self, start: int, last: int) -> int:
        """Where the word at `start` is split, so that a hyphen still fits before `last`; 0: not at all."""
        found = _SPLITTABLE.match(self.text, start)
        if not found or last - 1 - start < 3:
            return 0
        split = min(last - 1, found.end() - 3)
        return split if split - start >= 3 else 0


def _codes(text: str) -> NDArray[np.uint32]:
    codes = np.frombuffer(text.encode("utf-32-le", "ignore"), np.uint32)
    return codes[codes < CODES]


def _latin(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Latin letters and digits."""
    found: NDArray[np.bool_] = ((codes | 32) - 97 < 26) | (codes - 48 < 10)
    return found
