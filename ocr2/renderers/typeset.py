"""Paragraphs in, a sheet out: where every line, word and glyph goes, and the ink on the paper.

Text runs through frames, one after the other, as it does through the columns of a page. Lines break where words end,
between Chinese characters (never before a closing mark or after an opening one), or, where the style has hyphens,
within a word. What no font of the style can draw is left out of the text: the truth is what is printed.

Shapes: H × W the sheet, G glyphs of a fount, L lines, R rows of a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ocr2.errors import BadInput
from ocr2.renderers.galley import Galley, Style
from ocr2.renderers.glyphs import PHASES, Fount, advances, fount, word
from ocr2.types import Box, Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ocr2.renderers.fonts import Face

RISE, LINE = 0.88, 1.2
"""In sizes: from the top of a line to its base line, and to its lower edge. What few signs reach beyond, does."""
_LOOSEST = 1.5
"""The most that a space grows to fill a line, in sizes."""
_LOOSEST_HAN = 0.35


class Block(NamedTuple):
    """A paragraph, and how it is set."""

    text: str
    style: Style


class Part(NamedTuple):
    """What runs through some frames of a sheet, as far as there is room and up to so many characters."""

    blocks: Iterable[Block]
    frames: Sequence[Box]
    most: int = 1 << 30


@dataclass(frozen=True)
class Sheet:
    """What was set."""

    ink: NDArray[np.uint8]
    """(H, W) 0 (none) to 255."""
    lines: tuple[Line, ...]
    """In reading order, with their quads, the tight upright boxes of their ink, and the centers of their characters."""
    faces: tuple[Face, ...]
    """That the lines are in."""


class _Row(NamedTuple):
    """A line that has its place."""

    galley: Galley
    codes: NDArray[np.uint32]
    in_han: NDArray[np.bool_]
    xs: NDArray[np.float64]
    """Where the pen is for each character, pixels of the sheet."""
    steps: NDArray[np.float64]
    """How far each character takes the pen."""
    base: int
    text: str
    end: str


def typeset(parts: Iterable[Part], width: int, height: int) -> Sheet:
    """The parts, one after the other; a paragraph may be cut where a line ends.

    Nothing is cut off: what would stick out of the sheet moves it all. Raises BadInput where the type is too large for
    the sheet, RendererMissing.
    """
    rows = [row for part in parts for row in _flowed(part)]
    if not rows:
        return Sheet(np.zeros((height, width), np.uint8), (), ())
    return _printed(rows, width, height)


def _flowed(part: Part) -> list[_Row]:
    """The lines of a part, each in its place."""
    rows: list[_Row] = []
    left, count = list(part.frames), 0
    y = left[0].y0
    for block in part.blocks:
        galley = Galley(*block)
        style, start = block.style, 0
        y += style.before * style.size if y > left[0].y0 else 0
        while start < len(galley.codes):
            while y + LINE * style.size > left[0].y1:
                left.pop(0)
                if not left:
                    return _ended(rows)
                _ended(rows)
                y = left[0].y0
            row, start = _set(galley, start, left[0], round(y + RISE * style.size))
            rows.append(row)
            count += len(row.text)
            y += style.size * style.leading
            if count >= part.most:
                return _ended(rows)
    return _ended(rows)


def _ended(rows: list[_Row]) -> list[_Row]:
    """The lines, the last of which ends a column."""
    rows[-1:] = [row._replace(end="\n\n") for row in rows[-1:]]
    return rows


def _set(galley: Galley, start: int, frame: Box, base: int) -> tuple[_Row, int]:
    """The next line of a paragraph, and where the one after it starts."""
    style = galley.style
    inset = (style.hang if start else style.indent) * style.size
    room = frame.x1 - frame.x0 - inset
    end, hyphen = galley.broken(start, room)
    stop = end - 1 if galley.codes[end - 1] == 32 else end
    codes, in_han = galley.codes[start:stop], galley.in_han[start:stop]
    xs = galley.pen[start:stop] - galley.pen[start]
    taken, steps = float(galley.pen[stop] - galley.pen[start]), np.diff(galley.pen[start : stop + 1])
    if hyphen:
        codes, in_han, xs = np.append(codes, np.uint32(45)), np.append(in_han, False), np.append(xs, taken)
        steps = np.append(steps, style.size * float(advances(style.latin, codes[-1:])[0]))
        taken += float(steps[-1])
    spare, last = room - taken, end == len(galley.codes)
    if style.align == "justified" and not last:
        xs = xs + _stretched(codes, in_han, spare, style.size)
    shift = {"centred": spare / 2, "right": spare}.get(style.align, 0.0)
    text = codes.tobytes().decode("utf-32-le")
    row = _Row(galley, codes, in_han, xs + (frame.x0 + inset + shift), steps, base, text, "\n\n" if last else "\n")
    return row, end


def _stretched(codes: NDArray[np.uint32], in_han: NDArray[np.bool_], spare: float, size: int) -> NDArray[np.float64]:
    """How far each character moves so that the line is full: spaces grow, or the gaps between Chinese characters."""
    gaps, most = codes == 32, _LOOSEST
    if in_han.sum() > 0.5 * len(codes):
        gaps, most = gaps | in_han, _LOOSEST_HAN
        gaps[:-1] |= in_han[1:]
        gaps[-1] = False
    count = int(gaps.sum())
    each = spare / count if count else most * size
    if not 0 < each < most * size:
        return np.zeros(len(codes))
    moved: NDArray[np.float64] = np.concatenate([[0], np.cumsum(gaps)[:-1]]) * each
    return moved


class _Run(NamedTuple):
    """The glyphs of one fount on the sheet, line by line."""

    fount: Fount
    rows: NDArray[np.int32]
    """(G,) The line of each."""
    xs: NDArray[np.int32]
    """(G,) Its first column."""
    places: NDArray[np.int32]
    """(G, 5) What the fount knows of it."""


def _printed(rows: list[_Row], width: int, height: int) -> Sheet:
    """The lines as ink."""
    bounds = np.array([[1 << 30, 1 << 30, -1 << 30, -1 << 30]] * len(rows))
    runs, words = _runs(rows), []
    for run in runs:
        x1, (_, wide_, _, top, bottom) = run.xs, run.places.T
        base = np.array([row.base for row in rows])[run.rows]
        for column, value in enumerate((x1, base + top)):
            np.minimum.at(bounds[:, column], run.rows, value)
        for column, value in enumerate((x1 + wide_, base + bottom), 2):
            np.maximum.at(bounds[:, column], run.rows, value)
    for number, row in enumerate(rows):
        for ink, x, y in _words(row):
            words.append((ink, x, y, row.galley.style.ink))
            mine = bounds[number]
            mine[:2] = np.minimum(mine[:2], (x, y))
            mine[2:] = np.maximum(mine[2:], (x + ink.shape[1], y + ink.shape[0]))
    dx, dy = _moved(bounds, width, height)
    sheet = np.zeros((height, width), np.uint8)
    for run in runs:
        _put_glyphs(sheet, run, rows, dx, dy)
    for ink, x, y, black in words:
        spot = sheet[y + dy : y + dy + ink.shape[0], x + dx : x + dx + ink.shape[1]]
        np.maximum(spot, _weakened(ink, black), out=spot)
    bounds += [dx, dy, dx, dy]
    lines = tuple(_line(row, dx, *box) for row, box in zip(rows, bounds.tolist(), strict=True))
    faces = dict.fromkeys([run.fount.face for run in runs] + [row.galley.style.latin for row in rows if _kerned(row)])
    return Sheet(sheet, lines, tuple(faces))


def _line(row: _Row, dx: int, x0: int, y0: int, x1: int, y1: int) -> Line:
    """The line whose ink has these edges, moved by `dx`."""
    centers = (row.xs + (row.steps / 2 + (dx - x0))) / (x1 - x0)
    quad = (x0, y0), (x1, y0), (x1, y1), (x0, y1)
    return Line(row.text, quad, 1.0, row.end, tuple(centers.clip(0, 1).tolist()))


def _moved(bounds: NDArray[np.int64], width: int, height: int) -> tuple[int, int]:
    """How far all of it moves so that it is on the sheet."""
    x0, y0 = bounds[:, :2].min(axis=0).tolist()
    x1, y1 = bounds[:, 2:].max(axis=0).tolist()
    if x1 - x0 > width or y1 - y0 > height:
        raise BadInput(
            f"type that takes {x1 - x0} × {y1 - y0} pixels doesn't fit on {width} × {height}: "
            "expected smaller type, or frames inside the sheet"
        )
    return max(0, -x0) or min(0, width - x1), max(0, -y0) or min(0, height - y1)


def _kerned(row: _Row) -> bool:
    """Whether its words are drawn whole: all of the line is Latin, with nothing between the letters."""
    style = row.galley.style
    return style.kerned and not style.spread and not row.in_han.any()


def _words(row: _Row) -> list[tuple[NDArray[np.uint8], int, int]]:
    """The ink of a line's words, and where on the sheet its top left corners are; none for a line set by glyphs."""
    if not _kerned(row):
        return []
    found, style = [], row.galley.style
    for match in re.finditer("[^ ]+", row.text):
        place = round(row.xs[match.start()] * PHASES)
        ink, x, y = word(style.latin, style.size, match[0], place % PHASES)
        found.append((ink, place // PHASES + x, row.base + y))
    return found


def _runs(rows: list[_Row]) -> list[_Run]:
    """The glyphs of all lines, by fount."""
    parts: dict[tuple[Face, int], list[tuple[int, NDArray[np.uint32], NDArray[np.float64]]]] = {}
    for number, row in enumerate(rows):
        if _kerned(row):
            continue
        seen = row.codes != 32
        style = row.galley.style
        for face, mine in ((style.latin, seen & ~row.in_han), (style.han, seen & row.in_han)):
            if mine.any():
                parts.setdefault((face, style.size), []).append((number, row.codes[mine], row.xs[mine]))
    runs = []
    for (face, size), lines in parts.items():
        founts = fount(face, size)
        grain = 1 if face.kind == "han" else PHASES  # half a pixel is nothing to a Chinese character
        places = np.rint(np.concatenate([xs for _, _, xs in lines]) * grain).astype(np.int32) * (PHASES // grain)
        codes = np.concatenate([codes for _, codes, _ in lines])
        numbers = founts.numbers(codes, places % PHASES)
        known = founts.places[numbers]
        of = np.repeat([n for n, _, _ in lines], [len(codes) for _, codes, _ in lines]).astype(np.int32)
        runs.append(_Run(founts, of, places // PHASES + known[:, 2], known))
    return runs


def _put_glyphs(sheet: NDArray[np.uint8], run: _Run, rows: list[_Row], dx: int, dy: int) -> None:
    """All glyphs of a fount: first its lines as one strip, column by column, then each line to its place."""
    height, width = sheet.shape
    used, line = np.unique(run.rows, return_inverse=True)
    starts = line * width + run.xs + dx
    top, bottom = int(run.places[:, 3].min()), int(run.places[:, 4].max())
    cells = run.fount.columns[:, top - run.fount.top : bottom - run.fount.top]
    strip: NDArray[np.uint8] | None = None
    for some in _layers(starts, starts + run.places[:, 1]):
        index = np.zeros(len(used) * width, np.int32)
        index[_spans(starts[some], run.places[some, 1])] = _spans(run.places[some, 0], run.places[some, 1])
        part = cells[index]  # (L·W, R)
        strip = part if strip is None else np.maximum(strip, part, out=strip)
    assert strip is not None
    strip = strip.reshape(len(used), width, bottom - top)
    for number, ink in zip(used.tolist(), strip, strict=True):
        row = rows[number]
        first = row.base + dy + top
        above, below = max(0, -first), max(0, first + bottom - top - height)  # rows of other lines' glyphs
        spot = sheet[first + above : first + bottom - top - below]
        np.maximum(spot, _weakened(ink[:, above : bottom - top - below].T, row.galley.style.ink), out=spot)


def _weakened(ink: NDArray[np.uint8], black: int) -> NDArray[np.uint8]:
    return ink if black == 255 else (ink * np.float32(black / 255)).astype(np.uint8)


def _layers(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> list[slice]:
    """The glyphs in as few turns as it takes for none to share a column with another of its turn."""
    for turns in range(2, len(starts)):
        if not (starts[turns:] < ends[:-turns]).any():
            return [slice(turn, None, turns) for turn in range(turns)]
    return [slice(turn, turn + 1) for turn in range(len(starts))]


def _spans(starts: NDArray[np.int64] | NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.int64]:
    """All whole numbers from each start on, as many as its length."""
    ends = np.cumsum(lengths)
    spans: NDArray[np.int64] = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
    return spans
