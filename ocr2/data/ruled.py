"""The rules of a table, found in its picture: long dark runs that are as thin as lines are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from ocr2.characters.table.grid import runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ocr2.characters.table.grid import Grid

    Pixels = NDArray[np.uint8]

DARKER = 70
"""Than what is beside it: a rule."""
LENGTH = 1.5
"""Of a row's height: as long as a level rule is at least, and no strokes of letters in a row are."""
FULL = 0.93
"""Of the longest: a rule that goes from edge to edge."""
THICK = 9
"""Pixels: more than a rule is, also where two meet."""


def wrong_rules(picture: Pixels, table: Grid) -> list[str]:
    """How the rules in the picture of a table aren't those of its grid: how many lines, and in how many parts."""
    grey = picture if picture.ndim == 2 else picture.min(axis=2)
    _, _, _, high = cv2.boundingRect((np.abs(grey.astype(np.int16) - int(np.median(grey))) > 40).astype(np.uint8))
    row = max(12.0, high / table.rows)
    styled = any(piece.math or "u" in piece.style for cell in table.cells for piece in cell.content)
    found = (
        [] if styled else _compared("horizontal", _expected(table.rules), _lines(grey, max(10, round(LENGTH * row))))
    )
    upright = [_column(table, column) for column in range(table.columns + 1)]
    breaks = sum("=" in line for line in table.rules[1:-1])  # of upright rules, where two lie close to each other
    shortest = max(10, round((0.75 if breaks else 1.2) * row))
    return found + _compared("vertical", _expected(upright), _lines(np.ascontiguousarray(grey.T), shortest), breaks)


def _column(table: Grid, column: int) -> str:
    """The rules beside a column, from the top down, as `Grid.rules` has them from the left."""
    return "".join({"0": " ", "1": "-", "2": "="}[bars[column]] for bars in table.bars)


class _Line(NamedTuple):
    """One line of rules."""

    parts: int
    wide: float
    """1 from edge to edge, less where it isn't; 0 where that can't be told."""


def _expected(lines: tuple[str, ...] | list[str]) -> list[_Line]:
    """Each line that is drawn, in order; a double one is two."""
    found: list[_Line] = []
    for line in lines:
        some = runs(line)
        starts = [
            not n or some[n - 1][2] < start or "c" in (code, some[n - 1][0]) for n, (code, start, _) in enumerate(some)
        ]
        wide = 0.0 if "c" in line.lower() else 1.0 - line.count(" ") / len(line)
        found += [_Line(sum(starts), wide)] * bool(some)
        if double := [run for run in some if run[0] == "="]:
            found.append(_Line(len(double), wide if len(double) == len(some) else 0.0))
    return found


def _lines(grey: Pixels, length: int) -> list[_Line]:
    """Each long horizontal line in a picture, from the top down."""
    around = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((THICK, THICK), np.uint8))
    thin = (around.astype(np.int16) - grey > DARKER).astype(np.uint8)
    long = cv2.morphologyEx(thin, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(long, connectivity=8)
    thin_ones = [stat for stat in stats[1:].tolist() if stat[3] <= THICK - 2]
    pieces = sorted((y + high // 2, x, x + wide) for x, y, wide, high, _ in thin_ones)
    lines: list[list[int]] = []
    last = -9
    for y, x0, x1 in pieces:
        if y - last > 1:
            lines.append([])
        lines[-1].append(x1 - x0)
        last = y
    most = max(map(sum, lines), default=1)
    return [_Line(len(line), sum(line) / most) for line in lines]


def _compared(name: str, wanted: list[_Line], found: list[_Line], breaks: int = 0) -> list[str]:
    if len(wanted) != len(found):
        return [f"{len(found)} {name} rules: expected {len(wanted)}"]
    wrong = []
    full = any(line.wide == 1 for line in wanted)
    for n, (told, seen) in enumerate(zip(wanted, found, strict=True), 1):
        if not told.parts <= seen.parts <= told.parts + breaks:
            wrong.append(f"{name} rule {n} in {seen.parts} parts: expected {told.parts}")
        elif full and ((told.wide == 1 and seen.wide < FULL) or (0 < told.wide < 1 and seen.wide > 0.985)):
            wrong.append(f"{name} rule {n} over {seen.wide:.0%} of the table: expected {told.wide:.0%} of its cells")
    return wrong
