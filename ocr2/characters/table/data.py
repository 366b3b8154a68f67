"""Tables invented: of a corpus' tables, or of columns of names, numbers, dates, formulas, as reports and papers have.

What a picture can't tell isn't chosen: a column whose cells are all as wide is centred, and cells that span several
stand only where rules show what they span.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocr2.characters.table import cells as tablecells
from ocr2.characters.table.drawing import longest
from ocr2.characters.table.grid import Cell, Grid, grid
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from ocr2.characters import Corpus
    from ocr2.characters.table.cells import Language


WIDEST = 92
"""Letters of all columns' widest cells, two more for each column."""
FRAMES = ("full", "outer", "lines", "three", "booktabs", "head", "inner", "bars", "none")
"""How a table can be ruled: everywhere, around and below its head, below each row, three rules, three of booktabs,
below its head alone, between cells but not around, bars alone, not at all."""
_SPANNING = ("full", "three", "booktabs")
"""Those that show spans."""


@dataclass
class _Draft:
    """A table on its way: texts by row and column, and what spans."""

    rows: list[list[str]]
    numeric: list[bool]
    """Of each column, whether it is numbers."""
    heads: int = 1
    """How many rows are its head."""
    spans: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """Rows and columns that the cell in a row and column spans."""
    groups: list[int] = field(default_factory=list)
    """Rows that begin a group, after the first."""
    partial: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """Above which row there are rules from some column to before another."""


def invented(corpus: Corpus, rng: Random) -> Grid:
    """Any table."""
    draft = _given(corpus, rng) if corpus.has("table") and rng.random() < 0.5 else _made(corpus, rng)
    _narrow(draft)
    frame = rng.choices(FRAMES, (38, 8, 8, 12, 14, 5, 4, 5, 6))[0]
    if frame in _SPANNING:
        _span_some(draft, corpus, rng)
    return _framed(draft, frame, rng)


def _given(corpus: Corpus, rng: Random) -> _Draft:
    """Some of a corpus' table. Raises BadInput for an item that is no table."""
    try:
        item = json.loads(corpus.item(rng, "table"))
        rows = [[str(cell) for cell in row] for row in item["rows"]]
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(f'a table of the corpus that isn\'t one ({error}): expected {{"rows": [["…"]]}}') from error
    width = max(map(len, rows), default=0)
    if width < 1 or len(rows) < 2:
        raise BadInput("a table of the corpus with fewer than two rows: expected a head and at least one row")
    columns = sorted(rng.sample(range(width), min(width, rng.randint(2, 7))))
    start = rng.randrange(1, len(rows))
    some = [rows[0], *rows[start : start + _count(rng)]]
    texts = [[tablecells.clean(row[column]) if column < len(row) else "" for column in columns] for row in some]
    body = list(zip(*texts[1:], strict=True))
    numeric = [sum(_is_number(text) for text in column) > len(column) / 2 for column in body]
    return _Draft(texts, numeric)


def _count(rng: Random) -> int:
    """Of rows below the head."""
    return min(rng.randint(1, 22), rng.randint(2, 14))


def _is_number(text: str) -> bool:
    return 2 * sum(char.isdigit() for char in text) > len(text.replace(" ", ""))


def _made(corpus: Corpus, rng: Random) -> _Draft:
    language: Language = "zh" if rng.random() < 0.35 else "en"
    count = min(rng.randint(2, 8), rng.randint(2, 7))
    rows = _count(rng)
    columns, numeric = [], []
    for place in range(count):
        kind = (
            tablecells.words
            if not place and rng.random() < 0.75
            else rng.choices(tablecells.KINDS, tablecells.WEIGHTS)[0]
        )
        numeric.append(kind not in (tablecells.words, tablecells.formula, tablecells.sign, tablecells.strange))
        make = kind(corpus, rng, language)
        cells = ["" if place and rng.random() < 0.03 else make() for _ in range(rows)]
        columns.append([tablecells.head(corpus, rng, language), *cells])
    if rng.random() < 0.08:
        columns[0][0] = ""
    return _Draft([list(row) for row in zip(*columns, strict=True)], numeric)


def _narrow(draft: _Draft) -> None:
    """Leaves out columns until the rest is narrow enough, and rows without anything in them."""
    while len(draft.numeric) > 1:
        widths = [max(tablecells.wide(row[column]) for row in draft.rows) + 2 for column in range(len(draft.numeric))]
        if sum(widths) <= WIDEST:
            break
        for row in draft.rows:
            del row[-1]
        del draft.numeric[-1]
    draft.rows = [draft.rows[0], *(row for row in draft.rows[1:] if any(row))]


def _span_some(draft: _Draft, corpus: Corpus, rng: Random) -> None:
    """Heads over several columns, groups of rows, a row over several columns: some of them, or none."""
    language: Language = "zh" if any(char >= "\u4e00" for row in draft.rows for text in row for char in text) else "en"
    columns = len(draft.numeric)
    if columns >= 3 and rng.random() < 0.28:
        _head_spans(draft, _phrase_of(corpus, rng, language), rng)
    if columns >= 2 and len(draft.rows) - draft.heads >= 4 and rng.random() < 0.25:
        _group_rows(draft, rng)
    if columns >= 3 and rng.random() < 0.12:
        _span_last(draft, _phrase_of(corpus, rng, language), rng)


def _phrase_of(corpus: Corpus, rng: Random, language: Language) -> Callable[[], str]:
    return lambda: tablecells.phrase(corpus, rng, language, 2)


def _head_spans(draft: _Draft, phrase: Callable[[], str], rng: Random) -> None:
    """A row above the head, whose cells span two or more columns, or the head below them."""
    above, column = [""] * len(draft.numeric), rng.choice((1, 1, 1, 0))
    while column + 2 <= len(draft.numeric):
        span = min(rng.choice((2, 2, 3, 4)), len(draft.numeric) - column)
        draft.spans[0, column] = (1, span)
        above[column] = phrase()
        draft.partial.setdefault(1, []).append((column, column + span))
        column += span
    draft.rows.insert(0, above)
    draft.heads = 2
    covered = {place for start, end in draft.partial[1] for place in range(start, end)}
    for place in set(range(len(draft.numeric))) - covered:
        draft.spans[0, place] = (2, 1)
        draft.rows[0][place], draft.rows[1][place] = draft.rows[1][place] or phrase(), ""


def _group_rows(draft: _Draft, rng: Random) -> None:
    """Cells of the first column that span two to four rows."""
    row = draft.heads
    while row < len(draft.rows):
        count = min(rng.choice((2, 2, 3, 4)), len(draft.rows) - row)
        if row > draft.heads:
            draft.groups.append(row)
        draft.rows[row][0] = next((line[0] for line in draft.rows[row:] if line[0]), "–")
        for below in range(row + 1, row + count):
            draft.rows[below][0] = ""
        if count > 1:
            draft.spans[row, 0] = (count, 1)
        row += count


def _span_last(draft: _Draft, phrase: Callable[[], str], rng: Random) -> None:
    """A last row, as of sums, whose first cell spans several columns."""
    columns = len(draft.numeric)
    span = rng.randint(2, columns - 1)
    row = [phrase(), *[""] * (span - 1)]
    row += [rng.choice(draft.rows[draft.heads :])[place] or "–" for place in range(span, columns)]
    draft.groups.append(len(draft.rows))
    draft.spans[len(draft.rows), 0] = (1, span)
    draft.rows.append(row)


def _framed(draft: _Draft, frame: str, rng: Random) -> Grid:
    """The draft with rules and alignments."""
    rows, columns = len(draft.rows), len(draft.numeric)
    rules, bars = _ruled(draft, frame, rng)
    styles = _styles(draft, rng)
    covered = {
        (row + down, column + right)
        for (row, column), (high, wide) in draft.spans.items()
        for down in range(high)
        for right in range(wide)
        if down or right
    }
    cells = []
    for row in range(rows):
        for column in range(columns):
            if (row, column) in covered:
                continue
            style = styles.get((row, column), "")
            content = tuple(
                piece._replace(style="" if piece.math else style)
                for piece in tablecells.content_of(draft.rows[row][column])
            )
            cells.append(Cell(row, column, content, *draft.spans.get((row, column), (1, 1))))
    aligns = _aligns(draft, cells, rng)
    return grid(aligns, cells, rules, bars)


def _styles(draft: _Draft, rng: Random) -> dict[tuple[int, int], str]:
    """Which cells are bold or slanted."""
    kind = rng.random()
    rows, columns = len(draft.rows), len(draft.numeric)
    if kind < 0.14:
        return {(row, column): "b" for row in range(draft.heads) for column in range(columns)}
    if kind < 0.17:
        return {(row, 0): rng.choice("bi") for row in range(draft.heads, rows)} if rng.random() < 0.5 else {}
    if kind < 0.24:
        return {(rng.randrange(draft.heads, rows), rng.randrange(columns)): "b" for _ in range(rng.randint(1, 4))}
    return {}


def _ruled(draft: _Draft, frame: str, rng: Random) -> tuple[list[str], list[str]]:
    rows, columns = len(draft.rows), len(draft.numeric)
    rules = [" " * columns for _ in range(rows + 1)]
    bar = {"full": "1", "outer": "0", "bars": "1", "inner": "1"}.get(frame, "0")
    side = "1" if frame in ("full", "outer", "bars") else "0"
    if frame == "bars" and rng.random() < 0.5:
        side = "0"
    one = {"booktabs": "m", "none": " ", "bars": " "}.get(frame, "-")
    for row in range(rows + 1):
        each = frame in ("full", "lines") or (frame == "inner" and 0 < row < rows)
        if each or row == draft.heads or (row in draft.groups and frame in ("booktabs", "three")):
            rules[row] = one * columns
        elif row in draft.partial and frame != "full":
            rules[row] = _partly(draft.partial[row], columns, "c" if frame == "booktabs" else "-")
    if frame in ("outer", "three", "booktabs"):
        rules[0] = rules[rows] = ("t" if frame == "booktabs" else "-") * columns
    if frame in ("full", "three", "lines") and rng.random() < 0.05:
        rules[draft.heads] = "=" * columns
    inner = [bar] * (columns - 1)
    if frame in ("outer", "three", "head") and not draft.spans and rng.random() < 0.3 and columns > 1:
        inner[0] = "1"  # a column of names, as a head at the side
    return rules, [side + "".join(inner) + side] * rows


def _partly(parts: list[tuple[int, int]], columns: int, code: str) -> str:
    line = [" "] * columns
    for start, end in parts:
        for column in range(start, end):
            line[column] = "C" if code == "c" and column == start else code
    return "".join(line)


def _aligns(draft: _Draft, cells: list[Cell], rng: Random) -> str:
    """Of each column: by what it holds, by one rule for the table; centred where it can't be told."""
    names, numbers = rng.choice((("c", "c"), ("l", "r"), ("l", "c"), ("l", "l"), ("c", "r"), ("r", "r"), ("l", "r")))
    found = ""
    for column, numeric in enumerate(draft.numeric):
        widths = [
            longest(cell)
            for cell in cells
            if cell.column == column and cell.colspan == 1 and cell.content and not cell.content[0].math
        ]
        told = len(widths) > 1 and max(widths) - min(widths) >= 3
        found += (numbers if numeric else names) if told else "c"
    return found
