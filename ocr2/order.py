"""Reading order: lines found anywhere on a page come out as a person reads them, with what stands between them.

Columns are read left to right, each from top to bottom; headings that span columns part them; forms and receipts, whose
pieces stand side by side in rows, are read row by row. All of it happens in the page's own frame, turned so that most
text runs to the right: a page scanned askew, sideways or upside down reads like an upright one.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocr2.types import Line

UNSPACED = re.compile("[\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\U00020000-\U0003ffff]")
"""Han, kana, bopomofo and their punctuation: written without spaces between words. Not Hangul, which has them."""
_ENDS = tuple(".!?:;\"”'’)。！？：；”’）」』")
"""What a sentence ends with."""
ITEM = re.compile(r"\(?(\d+|[A-Za-z])[.)、](?![A-Za-z]\.)|[-–—•·*▪■○]")
"""What an item of a list begins with, which "e.g." and "U.S." are not: its next lines hang, indented."""
_LEAST_ROWS = 3
"""A column of prose has at least so many rows."""
_COLUMN = 9.0
"""A column of prose is at least this many line heights wide: some eighteen Latin characters."""
_GUTTER = 0.6
"""Columns are further apart than this many line heights; words, as detectors box them, are not."""
_FILL = 0.7
"""In a column of prose the middle row fills at least this much of the width."""


@dataclass(frozen=True)
class _Piece:
    """A line in the page's frame: units are pixels, x along the text, y down the lines."""

    line: Line
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    def gap(self, other: _Piece) -> float:
        """How far apart the two are along the text; negative where they overlap."""
        return max(other.x0 - self.x1, self.x0 - other.x1)

    def is_beside(self, other: _Piece) -> bool:
        """Whether the two are level, and neither is above the other."""
        level = min(self.y1, other.y1) - max(self.y0, other.y0) > 0.5 * min(self.height, other.height)
        return level and -self.gap(other) < 0.5 * min(self.width, other.width)

    @property
    def middle(self) -> float:
        return (self.y0 + self.y1) / 2


_Row = list[_Piece]


def reading_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The lines, all of which have places, in the order a person reads them, each with its `end` set to what stands
    between it and the next."""
    upright, across = _turned(list(lines))
    ordered: list[Line] = []
    for block in [*_blocks(_rows(upright)), *([[piece]] for piece in across)]:
        if ordered and block[0][0].line.text[:1].islower() and ordered[-1].text[-1:] not in _ENDS:
            ordered[-1] = replace(ordered[-1], end="\n")  # a sentence that runs on into the next column
        for paragraph in _paragraphs(block):
            for row in paragraph:
                for piece, after in pairwise(row):
                    ordered.append(replace(piece.line, end=_between(piece, after)))
                ordered.append(replace(row[-1].line, end="\n"))
            ordered[-1] = replace(ordered[-1], end="\n\n")
    return tuple(ordered)


def _turned(lines: list[Line]) -> tuple[list[_Piece], list[_Piece]]:
    """The lines in a frame in which most text runs to the right; apart, those that run another way."""
    vectors = [(line.place[1][0] - line.place[0][0], line.place[1][1] - line.place[0][1]) for line in lines]
    quarters = [round(math.atan2(y, x) / (math.pi / 2)) % 4 for x, y in vectors]
    weights = [0.0] * 4
    for quarter, (x, y) in zip(quarters, vectors, strict=True):
        weights[quarter] += math.hypot(x, y)
    main = weights.index(max(weights))
    slants = [
        (math.remainder(math.atan2(y, x) - main * math.pi / 2, 2 * math.pi), math.hypot(x, y))
        for quarter, (x, y) in zip(quarters, vectors, strict=True)
        if quarter == main
    ]
    angle = main * math.pi / 2 + _weighted_median(slants)
    cos, sin = math.cos(angle), math.sin(angle)
    upright, across = [], []
    for line, quarter in zip(lines, quarters, strict=True):
        xs = [x * cos + y * sin for x, y in line.place]
        ys = [y * cos - x * sin for x, y in line.place]
        piece = _Piece(line, (xs[0] + xs[3]) / 2, (ys[0] + ys[1]) / 2, (xs[1] + xs[2]) / 2, (ys[2] + ys[3]) / 2)
        if quarter != main:
            across.append(_Piece(line, min(xs), min(ys), max(xs), max(ys)))
        else:
            upright.append(piece)
    return upright, across


def _weighted_median(pairs: list[tuple[float, float]]) -> float:
    half, seen = sum(weight for _, weight in pairs) / 2, 0.0
    for value, weight in sorted(pairs):
        seen += weight
        if seen >= half:
            return value
    return 0.0


def _blocks(rows: list[_Row]) -> list[list[_Row]]:
    """The rows as blocks, in reading order: each is a column, or what stands above, between or below columns."""
    gutter = _gutter(rows)
    if gutter is None:
        return [rows] if rows else []
    blocks: list[list[_Row]] = []
    spanning: list[_Row] = []
    for band in _bands(rows, gutter):
        left, right = _sides(band, gutter)
        if _crosses(band[0], gutter) or len(band) == 1 or not (left and right):
            spanning += band
            continue
        blocks += [spanning] if spanning else []
        spanning = []
        blocks += [*_blocks(left), *_blocks(right)]
    return [*blocks, spanning] if spanning else blocks


def _rows(pieces: Iterable[_Piece]) -> list[_Row]:
    """The pieces as rows from top to bottom, each from left to right. Rows may bend, as on a photographed page."""
    rows: list[_Row] = []
    for piece in sorted(pieces, key=lambda p: p.middle):
        nearest = [(min(row, key=piece.gap), row) for row in rows[-8:]]
        level = [(piece.gap(near), row) for near, row in nearest if piece.is_beside(near)]
        if level:
            min(level, key=itemgetter(0))[1].append(piece)
        else:
            rows.append([piece])
    return [sorted(row, key=lambda p: p.x0) for row in rows]


def _gutter(rows: list[_Row]) -> float | None:
    """Where the rows part into columns: the x with the most pieces in columns of prose on both of its sides."""
    pieces = [piece for row in rows for piece in row]
    starts = sorted(piece.x0 for piece in pieces)
    within = [side for side in map(_within, pieces) if side[0] < side[1]]
    lefts, rights = sorted(left for left, _ in within), sorted(right for _, right in within)
    best, most = None, 0
    for end in sorted({round(piece.x1) for piece in pieces}):
        after = bisect_left(starts, end - 2)
        if after == len(starts):
            break
        x, score = (end + starts[after]) / 2, 0
        if len(pieces) - (bisect_left(lefts, x) - bisect_right(rights, x)) <= most:
            continue  # so many cross it that the others can't be more
        for band in _bands(rows, x):
            left, right = _sides(band, x)
            if not _crosses(band[0], x) and _is_prose(left) and _is_prose(right) and _is_clear(left, right):
                score += sum(len(row) for row in (*left, *right))
        if score > most:
            best, most = x, score
    return best


def _bands(rows: list[_Row], x: float) -> list[list[_Row]]:
    """Runs of rows that all cross x, or all don't; a running head or foot is parted from the columns it adjoins."""
    bands: list[list[_Row]] = []
    for row in rows:
        if bands and _crosses(row, x) == _crosses(bands[-1][-1], x):
            bands[-1].append(row)
        else:
            bands.append([row])
    parted = []
    for band in bands:
        head, foot = len(band) > 2 and _apart(band[0], band[1]), len(band) > 2 and _apart(band[-2], band[-1])
        body = band[head : len(band) - foot]
        parted += [part for part in ([band[0]] if head else [], body, [band[-1]] if foot else []) if part]
    return parted


def _crosses(row: _Row, x: float) -> bool:
    return any(left < x < right for left, right in map(_within, row))


def _within(piece: _Piece) -> tuple[float, float]:
    """Between which two places a line through the piece crosses it: it doesn't where it but grazes an end."""
    return piece.x0 + 0.3 * piece.height, piece.x1 - 0.3 * piece.height


def _apart(above: _Row, below: _Row) -> bool:
    gap = min(p.y0 for p in below) - max(p.y1 for p in above)
    return gap > 1.2 * median(p.height for p in (*above, *below))


def _sides(band: list[_Row], x: float) -> tuple[list[_Row], list[_Row]]:
    left = [[p for p in row if p.x0 + p.x1 < 2 * x] for row in band]
    right = [[p for p in row if p.x0 + p.x1 >= 2 * x] for row in band]
    return [row for row in left if row], [row for row in right if row]


def _is_prose(rows: list[_Row]) -> bool:
    """Whether the rows look like a column of running text, not like the cells of a form, a table or a receipt."""
    if len(rows) < _LEAST_ROWS:
        return False
    width = max(row[-1].x1 for row in rows) - min(row[0].x0 for row in rows)
    height = median(map(_height, rows))
    return width > _COLUMN * height and median(sum(p.width for p in row) for row in rows) > _FILL * width


def _is_clear(left: list[_Row], right: list[_Row]) -> bool:
    """Whether there is more between two columns than between two words."""
    gap = median(row[0].x0 for row in right) - median(row[-1].x1 for row in left)
    return gap > _GUTTER * median(_height(row) for row in (*left, *right))


def _paragraphs(rows: list[_Row]) -> list[list[_Row]]:
    """The rows of a block as paragraphs: a wide gap, a first line's indent or another size of type begins a new one."""
    left, right = median(row[0].x0 for row in rows), max(row[-1].x1 for row in rows)
    middles = [sum(p.middle for p in row) / len(row) for row in rows]
    steps = [b - a for (a, b), row in zip(pairwise(middles), rows, strict=False) if b - a < 2.5 * _height(row)]
    pitch = median(steps) if len(steps) > 1 else 1.4 * median(map(_height, rows))
    paragraphs = [rows[:1]]
    for i, (above, row) in enumerate(pairwise(rows), 1):
        wide = middles[i] - middles[i - 1] > 1.35 * pitch
        ratio = _height(row) / _height(above)
        resized = not 0.7 < ratio < 1.43 and min(len(above[0].line.text), len(row[0].line.text)) > 2
        indented = 0.8 < (row[0].x0 - left) / _height(row) < 5 and above[0].x0 - left < _height(row)
        hangs = ITEM.match(above[0].line.text) or not (
            above[-1].line.text.endswith(_ENDS) or above[-1].x1 < right - 2 * _height(row)
        )
        if wide or resized or (indented and not hangs):
            paragraphs.append([])
        paragraphs[-1].append(row)
    return paragraphs


def _height(row: _Row) -> float:
    return max(median(p.height for p in row), 1.0)


def _between(piece: _Piece, after: _Piece) -> str:
    """What stands between two pieces of one row: a space, but none between Chinese characters set close."""
    close = after.x0 - piece.x1 < 0.6 * piece.height
    return "" if close and UNSPACED.match(piece.line.text[-1:]) and UNSPACED.match(after.line.text) else " "
