"""Characters with their places in, printed lines in reading order out: what a PDF's text layer leaves to be found.

Characters that stand close on one base line are a line, whatever their order in the file; what stands between lines is
told by where they are (see ocr2/order.py). Lines end as they are printed: a word that is split keeps its hyphen.

Frames: pixels of the page; and, to put characters together, the same turned by quarters until the text runs to the
right: u along the text, v down the lines.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ocr2.errors import BadInput
from ocr2.order import UNSPACED, reading_order
from ocr2.types import Line, Quad

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

APART = 1.0
"""In sizes of type: what is further apart on a base line is two lines, which stand beside each other."""
APART_TYPED = 3.2
"""The same in type whose letters are all as wide, where several spaces in a row are common."""
SPACE = 0.105
"""In sizes of type: what is further apart than this, and than letters usually are on its line, has a space between."""
_HAN_SPACE = 0.4
_LOOSEST = 0.1
"""In sizes: letters that are further apart than this have spaces between them."""
_ACCENTS = dict(
    zip(
        "´`¨ˆ^˜~¯˘˙˚¸ˇ˝",
        "\u0301\u0300\u0308\u0302\u0302\u0303\u0303\u0304\u0306\u0307\u030a\u0327\u030c\u030b",
        strict=True,
    )
)
_LEADERS = re.compile(r"\.( ?\.){3,}")
"""Dots from an entry to its page number: without spaces, however wide they stand."""
_COLUMN = 5
"""Lines of the shortest column."""
_VERTICAL = 10
"""Lines of one character, from which on they are what is read downwards."""


class Glyph(NamedTuple):
    """A character, in the frame in which its text runs to the right."""

    text: str
    """As it is written: one character, or the few of a ligature; "" for one that has no name."""
    x0: float
    y0: float
    x1: float
    y1: float
    """Its ink."""
    pen: float
    """Where it begins."""
    end: float
    """Where the next one may begin."""
    base: float
    em: float
    """The size of its type."""
    spaced: bool = False
    """Whether a space comes before it."""


class _Run:
    """Characters on one base line."""

    def __init__(self, first: Glyph, place: int) -> None:
        self.glyphs = [first]
        self.pen, self.end, self.base, self.em = first.pen, first.end, first.base, first.em
        self.step = first.end - first.pen
        """Of the pen, where it is the same for all."""
        self.place = place
        """In the order of the file."""

    def add(self, glyphs: Iterable[Glyph]) -> None:
        """Takes up more."""
        for glyph in glyphs:
            self.glyphs.append(glyph)
            self.pen, self.end = min(self.pen, glyph.pen), max(self.end, glyph.end)
            self.step *= abs(glyph.end - glyph.pen - self.step) < 0.02 * self.step
            if glyph.em >= 0.9 * self.em:
                self.base, self.em = glyph.base, glyph.em

    def holds(self, base: float, em: float) -> bool:
        """Whether type of that size and base line is on this line: level, or smaller and raised or lowered."""
        rise, larger, smaller = self.base - base, max(em, self.em), min(em, self.em)
        if smaller >= 0.9 * larger:
            return abs(rise) < 0.25 * larger
        return -0.35 < (rise if em < self.em else -rise) / larger < 0.65

    def is_next_to(self, glyph: Glyph) -> bool:
        """Whether what begins with that may go on with this."""
        gap, em = glyph.pen - self.end, max(glyph.em, self.em)
        typed = len(self.glyphs) > 2 and abs(glyph.end - glyph.pen - self.step) < 0.02 * self.step < 0.014 * em
        return -1.3 * glyph.em < gap < (APART_TYPED if typed else APART) * em


def lines_of(glyphs: Sequence[tuple[int, Glyph]], name: str) -> tuple[Line, ...]:
    """The lines, with the quads of their ink, in reading order; before them, without text, the nameless characters.

    Each character comes with the quarters, clockwise, that its text is turned by, in the order of the file. Raises
    BadInput where text runs downwards; `name` is what it calls the page.
    """
    places: dict[Quad, Quad] = {}
    found: list[tuple[_Run, Line]] = []
    nameless = []
    quarters = sorted({quarter for quarter, _ in glyphs})
    for quarter in quarters:
        mine = [glyph for turned, glyph in glyphs if turned == quarter]
        for run in _merged(_runs(mine)):
            more, text = 1.0, _text(run.glyphs)
            while (broad := _broad(run, more, quarter)) in places:  # several of them at one place
                more += 0.01
            places[broad] = _quad(*_ink(run.glyphs), quarter)
            found += [(run, Line(text, broad, 1.0))] if text else []
        nameless += [Line("", _quad(g.x0, g.y0, g.x1, g.y1, quarter), 0.0, "") for g in mine if not g.text]
    single = sum(len(line.text) == 1 for _, line in found)
    if single >= _VERTICAL and 2 * single > len(found):
        raise BadInput(f"{name}: text runs downwards, or letter by letter: expected lines of text")
    ordered = reading_order(line for _, line in found)
    columns = _columns(found) if len(quarters) == 1 else []
    if not _one_by_one(ordered, columns):
        ordered = tuple(line for column in columns for line in reading_order(column))
    return (*nameless, *(Line(line.text, places[line.place], 1.0, line.end) for line in ordered))


def _columns(found: list[tuple[_Run, Line]]) -> list[list[Line]]:
    """What is above some columns, these columns, and what is below; none but where the file's order shows them clearly.

    A file that comes down to the foot of the text and goes on at the top, further to the right, writes in columns, be
    they as ragged as an index, where places alone look like a table's.
    """
    parts: list[list[tuple[_Run, Line]]] = [[]]
    last = None
    for run, line in sorted(found, key=lambda pair: pair[0].place):
        if last and run.base < last.base - 3 * last.em:
            parts.append([])
        parts[-1].append((run, line))
        last = run
    if len(parts) == 1:
        return []
    em = max(run.em for run, _ in found)
    top = min(run.base for part in parts[1:] for run, _ in part) - em
    bottom = max(run.base for part in parts[:-1] for run, _ in part) + em
    bodies = [[(run, line) for run, line in part if top <= run.base <= bottom] for part in parts]
    for left, right in pairwise(bodies):
        if min(len(left), len(right)) < _COLUMN or max(run.end for run, _ in left) > min(run.pen for run, _ in right):
            return []
    above = [line for run, line in found if run.base < top]
    below = [line for run, line in found if run.base > bottom]
    return [above, *([line for _, line in body] for body in bodies), below]


def _one_by_one(ordered: tuple[Line, ...], columns: list[list[Line]]) -> bool:
    """Whether the columns come one after the other."""
    number = {line.place: n for n, column in enumerate(columns) for line in column}
    numbers = [number.get(line.place, 0) for line in ordered]
    return numbers == sorted(numbers)


def _broad(run: _Run, more: float, quarter: int) -> Quad:
    """As far as the pen goes and as high as its type is: what the order of lines is told by."""
    width = max(run.end - run.pen, 1.0) * more
    return _quad(run.pen, run.base - 0.8 * run.em, run.pen + width, run.base + 0.2 * run.em, quarter)


def _runs(glyphs: Iterable[Glyph]) -> list[_Run]:
    """What follows each other in the file and stands side by side."""
    runs: list[_Run] = []
    for glyph in glyphs:
        last = runs[-1] if runs else None
        if last and last.holds(glyph.base, glyph.em) and last.is_next_to(glyph):
            last.add([glyph])
        else:
            runs.append(_Run(glyph, len(runs)))
    return runs


def _merged(runs: list[_Run]) -> list[_Run]:
    """The runs, with those that stand side by side but not in a row of the file put together."""
    merged: list[_Run] = []
    for run in sorted(runs, key=lambda run: run.pen):
        near = [other for other in merged if other.holds(run.base, run.em) and other.is_next_to(run.glyphs[0])]
        if near:
            nearest = min(near, key=lambda other: abs(run.pen - other.end))
            nearest.add(run.glyphs)
            nearest.place = min(nearest.place, run.place)
        else:
            merged.append(run)
    return merged


def _text(glyphs: Iterable[Glyph]) -> str:
    """What the characters of a line say, with spaces where they are printed."""
    row = _accented(sorted((glyph for glyph in glyphs if glyph.text), key=lambda glyph: glyph.pen))
    gaps = [(after.pen - before.end) / max(before.em, after.em) for before, after in pairwise(row)]
    usual = sorted(gaps)[len(gaps) // 4] if len(gaps) > 2 else 0.0
    usual = min(max(usual, 0.0), _LOOSEST)
    text = row[0].text if row else ""
    for (before, after), gap in zip(pairwise(row), gaps, strict=True):
        close = UNSPACED.match(before.text[-1]) and UNSPACED.match(after.text)
        least = _HAN_SPACE if close else SPACE
        spaced = gap - usual > (0.6 * least if after.spaced else least)
        text += " " * spaced + after.text
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return _LEADERS.sub(lambda dots: dots[0].replace(" ", ""), text)


def _accented(row: list[Glyph]) -> list[Glyph]:
    """The characters, with accents that are printed over a letter, as TeX does it, put on it."""
    found: list[Glyph] = []
    for glyph in row:
        last = found[-1] if found else None
        for accent, letter in ((last, glyph), (glyph, last)):
            mark = _ACCENTS.get(accent.text) if accent else None
            if mark and accent and letter and letter.x0 - 1 < (accent.x0 + accent.x1) / 2 < letter.x1 + 1:
                text = unicodedata.normalize("NFC", {"ı": "i", "ȷ": "j"}.get(letter.text, letter.text) + mark)
                if len(text) == 1:
                    pen, end = min(accent.pen, letter.pen), letter.end
                    found[-1] = letter._replace(text=text, pen=pen, end=end, spaced=accent.spaced or letter.spaced)
                    break
        else:
            found.append(glyph)
    return found


def _ink(glyphs: Iterable[Glyph]) -> tuple[float, float, float, float]:
    """The box of all their ink, at least a pixel wide and high."""
    some = list(glyphs)
    x0, y0 = min(glyph.x0 for glyph in some), min(glyph.y0 for glyph in some)
    return x0, y0, max(x0 + 1, *(glyph.x1 for glyph in some)), max(y0 + 1, *(glyph.y1 for glyph in some))


def _quad(u0: float, v0: float, u1: float, v1: float, quarter: int) -> Quad:
    """The rectangle of the turned frame, in pixels of the page."""
    dx, dy = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter]
    first, second, third, fourth = (
        (u * dx - v * dy, u * dy + v * dx) for u, v in ((u0, v0), (u1, v0), (u1, v1), (u0, v1))
    )
    return first, second, third, fourth
