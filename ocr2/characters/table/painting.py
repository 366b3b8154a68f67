"""A grid of text, painted: several times as fast as Typst sets it, and as it would look there.

What only Typst can is left to it: formulas, slanted type, lines that are broken. TeX's type is the cut that Matplotlib
ships, which has no letters with accents.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from string import ascii_letters, digits
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from PIL.ImageColor import getrgb

from ocr2.characters.table.drawing import LONG, SWOLLEN, Doubled, check_covered, filled, longest, room
from ocr2.characters.table.grid import runs
from ocr2.renderers import fonts, typst
from ocr2.renderers.fonts import Face
from ocr2.renderers.typst import MODERN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from PIL.ImageDraw import ImageDraw as Draw
    from PIL.ImageFont import FreeTypeFont

    from ocr2.characters.table.drawing import Style
    from ocr2.characters.table.grid import Cell, Content, Grid
    from ocr2.renderers.drawing import Pixels

RISE = 0.7
"""How high a line of text counts, in sizes: capitals are as high."""
PITCH = 1.2
"""From one base line of a cell to the next, in sizes."""
_COMPUTER = Face("Computer Modern", "serif", "matplotlib", "mpl-data/fonts/ttf/cmr10.ttf", "BaKoMa")
_COMPUTER_BOLD = Face("Computer Modern", "serif", "matplotlib", "mpl-data/fonts/ttf/cmb10.ttf", "BaKoMa", bold=True)
_TIMES = next(face for face in fonts.FACES if face.family == "STIX")
_COMPUTER_HAS = frozenset(ascii_letters + digits + " !#$%&()*+,-./:;=?@[]")
"""What it shows as what it is: TeX's cuts have other characters where Unicode has < or |."""


class _Run(NamedTuple):
    """Letters of one face."""

    text: str
    font: FreeTypeFont
    width: float
    swollen: float
    underlined: bool


_Line = list[_Run]


def paintable(table: Grid, style: Style) -> Style | None:
    """The style in which the table can be painted; None where it can't be.

    It is the given one, or Times for TeX's type where that lacks letters. Raises BadInput for characters that no font
    here has.
    """
    check_covered(table, style)
    pieces = [piece for cell in table.cells for piece in cell.content]
    if any(piece.math or "i" in piece.style for piece in pieces) or any(longest(cell) > LONG for cell in table.cells):
        return None
    faces, letters = _faces(style.faces), set("".join(piece.text for piece in pieces)) - {"\n"}
    lacking = any(faces[char] == MODERN for char in letters)
    return replace(style, faces=(_TIMES, *style.faces[1:])) if lacking else style


def painted(table: Grid, style: Style, margin: float, sizes: tuple[int, int], largest: int) -> Pixels:
    """(H, W), or (H, W, 3) where it has colours: the table on white, in type of so many pixels.

    The type is smaller, but not below the second size, where the longer side would be more than `largest`.
    """
    size, smallest = sizes
    while True:
        board = _Board(table, style, size, margin)
        side = max(board.width, board.height)
        if side <= largest or size <= smallest:
            return board.painted()
        size = max(smallest, min(size - 1, int(size * largest / side)))


class _Board:
    """Where everything goes, in pixels of the picture."""

    def __init__(self, table: Grid, style: Style, size: int, margin: float) -> None:
        self.table, self.style, self.size, self.scale = table, style, size, size / style.size
        self.beside, faces = style.beside * self.scale, _faces(style.faces)
        self.lines = [_lines(cell.content, faces, size) for cell in table.cells]
        wide = [max(map(_width, lines), default=0.0) + 2 * self.beside for lines in self.lines]
        high = [_height(len(lines), size) + 2 * style.above * self.scale for lines in self.lines]
        across, down = Doubled.across(table), Doubled.down(table)
        self.columns = _spread(
            [(cell.column, cell.colspan, need) for cell, need in zip(table.cells, wide, strict=True)],
            [self.scale * room(style) * (place in across.gap_at) for place in range(table.columns + 1)],
            margin,
        )
        self.rows = _spread(
            [(cell.row, cell.rowspan, need) for cell, need in zip(table.cells, high, strict=True)],
            [self.scale * room(style, line) * (place in down.gap_at) for place, line in enumerate(table.rules)],
            margin,
        )
        self.width, self.height = (round(places.edges[-1] + margin) for places in (self.columns, self.rows))

    def painted(self) -> Pixels:
        """The picture."""
        style = self.style
        colours = {style.ink, style.rules, style.head or "white", style.stripes or "white"}
        grey = all(len(set(getrgb(colour))) == 1 for colour in colours)
        image = Image.new("L" if grey else "RGB", (self.width, self.height), "white")
        draw = ImageDraw.Draw(image)
        for cell in self.table.cells:
            if colour := filled(cell, style):
                x0, x1 = self.columns.extent(cell.column, cell.colspan)
                y0, y1 = self.rows.extent(cell.row, cell.rowspan)
                draw.rectangle((round(x0), round(y0), round(x1) - 1, round(y1) - 1), colour)
        for rule in (*self.across(), *self.upright()):
            draw.rectangle(rule, style.rules)
        for cell, lines in zip(self.table.cells, self.lines, strict=True):
            self.write(draw, cell, lines)
        return np.asarray(image)

    def write(self, draw: Draw, cell: Cell, lines: Sequence[_Line]) -> None:
        """The text of a cell."""
        x0, x1 = self.columns.extent(cell.column, cell.colspan)
        y0, y1 = self.rows.extent(cell.row, cell.rowspan)
        base = (y0 + y1 - _height(len(lines), self.size)) / 2 + RISE * self.size
        for line in lines:
            spare = x1 - x0 - 2 * self.beside - _width(line)
            x = x0 + self.beside + spare * {"l": 0, "c": 0.5, "r": 1}[cell.align]
            for run in line:
                for shift in (-run.swollen / 2, 0, run.swollen / 2) if run.swollen else (0,):
                    draw.text((x + shift, round(base)), run.text, self.style.ink, run.font, "ls")
                if run.underlined:
                    y = round(base + 0.12 * self.size)
                    draw.rectangle((round(x), y, round(x + run.width), y + self.size // 16), self.style.ink)
                x += run.width
            base += PITCH * self.size

    def thick(self, times: float = 1) -> int:
        """Of a rule: a heavy one is always thicker than a light one."""
        return round(max(1.0, self.style.rule * self.scale) * times)

    def across(self) -> Iterator[tuple[int, int, int, int]]:
        """The rules between rows: x0, y0, x1, y1 of each, of which the last pixels are part of it."""
        columns, rows = self.columns, self.rows
        for place, line in enumerate(self.table.rules):
            for code, start, end in runs(line):
                thick, inset = self.thick(2 if code == "t" else 1), 0.5 * self.beside * (code == "c")
                x0 = (columns.edges[0] if start == 0 else columns.starts[start]) + inset
                x1 = (columns.edges[-1] if end == self.table.columns else columns.ends[end - 1]) - inset
                bottom, gap = rows.starts[place], rows.gaps[place]
                for y in (bottom - gap, bottom) if code == "=" else (bottom - (gap / 2 if code == "c" else 0),):
                    y0 = round(y - thick / 2)
                    yield round(x0 - thick / 2), y0, round(x1 + thick / 2) - 1, y0 + thick - 1

    def upright(self) -> Iterator[tuple[int, int, int, int]]:
        """The rules between columns; where a double one goes across, they are parted."""
        table, rows, thick = self.table, self.rows, self.thick()
        for column in range(table.columns + 1):
            start = 0
            for row in range(table.rows):
                count = table.bars[row][column]
                below = table.bars[row + 1][column] if row + 1 < table.rows else ""
                parted = below and "=" in table.rules[row + 1][max(0, column - 1) : column + 1]
                if count == below and not parted:
                    continue
                end = rows.starts[row + 1] if below not in ("", "0") and not parted else rows.ends[row]
                right, gap = self.columns.starts[column], self.columns.gaps[column]
                for x in {"0": (), "1": (right,), "2": (right - gap, right)}[count]:
                    x0 = round(x - thick / 2)
                    yield x0, round(rows.starts[start]), x0 + thick - 1, round(end) - 1
                start = row + 1


class _Places(NamedTuple):
    """Where N columns, or rows, begin and end."""

    starts: list[float]
    """(N + 1) Also where the one after the last would begin."""
    ends: list[float]
    """(N)"""
    gaps: list[float]
    """(N + 1) Left of each, and right of the last."""
    edges: tuple[float, float]
    """Of the table."""

    def extent(self, place: int, span: int) -> tuple[float, float]:
        """Of so many from there on."""
        return self.starts[place], self.ends[place + span - 1]


def _spread(needs: Iterable[tuple[int, int, float]], gaps: list[float], margin: float) -> _Places:
    """Columns, or rows, as wide as what stands in them needs: by place, span and length; what spans several shares."""
    lengths = [0.0] * (len(gaps) - 1)
    for place, span, need in sorted(needs, key=lambda each: each[1]):
        lacking = need - sum(lengths[place : place + span]) - sum(gaps[place + 1 : place + span])
        for each in range(place, place + span) if lacking > 0 else ():
            lengths[each] += lacking / span
    starts, ends, at = [], [], margin
    for gap, length in zip(gaps, lengths, strict=False):
        starts.append(at + gap)
        ends.append(at := at + gap + length)
    starts.append(at + gaps[-1])
    return _Places(starts, ends, gaps, (margin, starts[-1]))


def _width(line: _Line) -> float:
    return sum(run.width for run in line)


def _height(lines: int, size: int) -> float:
    return ((lines - 1) * PITCH + RISE) * size if lines else 0.0


def _lines(content: Content, faces: _Faces, size: int) -> list[_Line]:
    """What stands in a cell, measured."""
    lines: list[_Line] = [[]] if content else []
    for piece in content:
        for number, text in enumerate(piece.text.split("\n")):
            if number:
                lines.append([])
            for face, letters in groupby(text, faces.__getitem__):
                cut, swollen = _cut(face, "b" in piece.style)
                font, part = _font(cut, size), "".join(letters)
                lines[-1].append(_Run(part, font, font.getlength(part), swollen * size, "u" in piece.style))
    return lines


class _Faces(dict[str, Face]):
    """Which face each character is set in: the first of a style's that has it."""

    def __init__(self, faces: tuple[Face, ...]) -> None:
        super().__init__()
        self.faces = faces

    def __missing__(self, char: str) -> Face:
        faces = self.faces
        if faces[0] == MODERN and char in _COMPUTER_HAS:
            faces = (_COMPUTER,)
        elif faces[0] == MODERN and not char.isalpha():  # a sign that is much the same in any type
            faces = (_TIMES, *faces[1:])
        wide = "\u3000" <= char <= "\u303f" or "\uff00" <= char <= "\uffef"  # as a Chinese character, and set so
        found = next(face for face in faces if (face.kind == "han" or not wide) and _has(face, char))
        self[char] = found
        return found


def _has(face: Face, char: str) -> bool:
    return face == _COMPUTER or bool(typst.covered(face)[ord(char)])


_faces = lru_cache(maxsize=64)(_Faces)


@lru_cache(maxsize=256)
def _cut(face: Face, bold: bool) -> tuple[Face, float]:
    """The family's upright cut, bold or not, or the face itself; and how much its strokes are thickened, in sizes."""
    if face == _COMPUTER:
        return (_COMPUTER_BOLD if bold else face), 0.0
    if face.bold == bold:
        return face, 0.0
    cuts = (other for other in fonts.FACES if other.family == face.family and not other.italic and not other.swollen)
    found = next((other for other in cuts if other.bold == bold), None)
    return (found, 0.0) if found else (face, SWOLLEN)


@lru_cache(maxsize=64)  # each is about a megabyte
def _font(face: Face, size: int) -> FreeTypeFont:
    return fonts.opened(face, size)
