"""A table as it is seen: cells with their spans and texts, which rules are drawn, and how columns are aligned.

LaTeX, HTML and Markdown are notations of it (`tabular.py`, `webtable.py`). There is one grid for one picture: a rule
through a cell that spans several rows is none, neighbouring partial rules are one, and so on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_ROWS, MOST_COLUMNS = 300, 60
LONGEST = 100_000
"""Characters of a table's source."""


class Piece(NamedTuple):
    """Some of a cell's text, or a formula in it."""

    text: str
    """As it is seen, with line feeds where lines end; or LaTeX, for a formula."""
    math: bool = False
    style: str = ""
    """Of the letters b (bold), i (italic) and u (underlined), in this order."""


Content = tuple[Piece, ...]


@dataclass(frozen=True)
class Cell:
    """One cell, by its upper left corner."""

    row: int
    column: int
    content: Content = ()
    rowspan: int = 1
    colspan: int = 1
    align: str = ""
    """l, c or r; "" as its column is."""

    @property
    def text(self) -> str:
        """Its text, without style; formulas in `\\( \\)`."""
        return "".join(f"\\( {piece.text} \\)" if piece.math else piece.text for piece in self.content)

    @property
    def slots(self) -> list[tuple[int, int]]:
        """Each row and column that it takes."""
        return [(self.row + down, self.column + right) for down in range(self.rowspan) for right in range(self.colspan)]


@dataclass(frozen=True)
class Grid:
    """R rows, C columns, no slot of which is without a cell. Made by `grid`."""

    aligns: str
    """(C) l, c or r of each column."""
    cells: tuple[Cell, ...]
    """By row, then column."""
    rules: tuple[str, ...]
    """(R + 1, C) Above each row, and below the last: "-" a rule, "=" a double one; "t" a heavy and "m" a light one of
    booktabs; "C" the start of one with a gap at either end, "c" its continuation; " " none."""
    bars: tuple[str, ...]
    """(R, C + 1) How many rules are left of each column, and right of the last: "0", "1" or "2"."""

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.bars)

    @property
    def columns(self) -> int:
        """How many."""
        return len(self.aligns)

    def owners(self) -> list[list[Cell]]:
        """(R, C) The cell in each slot."""
        found: dict[tuple[int, int], Cell] = {slot: cell for cell in self.cells for slot in cell.slots}
        return [[found[row, column] for column in range(self.columns)] for row in range(self.rows)]

    @property
    def structure(self) -> tuple[object, ...]:
        """Its rows, columns and spans."""
        spans = [(cell.row, cell.column, cell.rowspan, cell.colspan) for cell in self.cells]
        return self.rows, self.columns, tuple(span for span in spans if span[2:] != (1, 1))


def grid(aligns: str, cells: Sequence[Cell], rules: Sequence[str], bars: Sequence[str]) -> Grid:
    """The grid of these cells, with empty ones where none is, and rules as they are seen.

    Raises BadInput for cells that overlap or reach beyond the edge, and a table that is too large or has nothing in it.
    """
    rows, columns = len(bars), len(aligns)
    if not rows or not columns:
        raise BadInput("a table without rows: expected at least one cell")
    if rows > MOST_ROWS or columns > MOST_COLUMNS:
        raise BadInput(
            f"a table of {rows} rows and {columns} columns: expected up to {MOST_ROWS} rows and {MOST_COLUMNS} columns"
        )
    whole = _filled(cells, rows, columns)
    aligned = [
        replace(cell, align=(cell.align if cell.content else "") or _align(cell, aligns), content=settled(cell.content))
        for cell in whole
    ]
    seen = [list(line) for line in rules]
    upright = [list(line) for line in bars]
    for cell in aligned:
        for row, column in cell.slots:
            if row > cell.row:
                seen[row][column] = " "
            if column > cell.column:
                upright[row][column] = "0"
    return Grid(aligns, tuple(aligned), _rules(["".join(line) for line in seen]), tuple(map("".join, upright)))


def _align(cell: Cell, aligns: str) -> str:
    """As its column is; over several columns it is centred, unless it is told otherwise."""
    return aligns[cell.column] if cell.colspan == 1 else "c"


def _filled(cells: Sequence[Cell], rows: int, columns: int) -> list[Cell]:
    taken: dict[tuple[int, int], Cell] = {}
    for cell in cells:
        place = f"the cell {cell.text[:20]!r} in row {cell.row + 1}, column {cell.column + 1}"
        for span, start, count, name in (
            (cell.rowspan, cell.row, rows, "rows"),
            (cell.colspan, cell.column, columns, "columns"),
        ):
            if span < 1 or start + span > count:
                raise BadInput(f"{place} spans {span} {name}: expected 1 to {count - start}, the table has {count}")
        for slot in cell.slots:
            if slot in taken:
                raise BadInput(f"{place} overlaps the cell {taken[slot].text[:20]!r}: expected cells side by side")
            taken[slot] = cell
    empty = [Cell(row, column) for row in range(rows) for column in range(columns) if (row, column) not in taken]
    return sorted([*cells, *empty], key=lambda cell: (cell.row, cell.column))


def _rules(lines: list[str]) -> tuple[str, ...]:
    """One spelling for what looks the same."""
    booktabs = any("t" in line for line in lines)
    lines = [line.replace("-", "m") if booktabs else line.replace("m", "-") for line in lines]
    return tuple("".join(_started(line)) for line in lines)


def _started(line: str) -> Iterable[str]:
    """The line with a start wherever a trimmed rule starts."""
    for place, code in enumerate(line):
        yield "C" if code == "c" and (not place or line[place - 1] not in "Cc") else code


def runs(line: str) -> list[tuple[str, int, int]]:
    """The rules of a line: of each its code, its first column, and the one after its last."""
    found: list[tuple[str, int, int]] = []
    number = 0
    keys = []
    for code in line:
        number += code == "C"
        keys.append((code.lower() if code in "Cc" else code, number if code in "Cc" else 0))
    start = 0
    for (code, _), same in groupby(keys):
        end = start + len(list(same))
        if code != " ":
            found.append((code, start, end))
        start = end
    return found


def usual(values: Iterable[str], otherwise: str) -> str:
    """The most frequent value, the greatest of several."""
    counted = Counter(values)
    return max(counted, key=lambda value: (counted[value], value)) if counted else otherwise


def settled(content: Iterable[Piece]) -> Content:
    """The pieces with neighbours of one style joined, single spaces, and no blanks where a line starts or ends."""
    content = tuple(content)
    if len(content) == 1 and content[0].text and content[0].text == " ".join(content[0].text.split()):
        return content
    units = _units(content)
    for place, unit in enumerate(units):
        if unit.text in _BLANKS and units[place - 1].style == units[place + 1].style:
            units[place] = unit._replace(style=units[place - 1].style)
    joined: list[Piece] = []
    for unit in units:
        if joined and not unit.math and not joined[-1].math and joined[-1].style == unit.style:
            joined[-1] = unit._replace(text=joined[-1].text + unit.text)
        else:
            joined.append(unit)
    return tuple(joined)


_BLANKS = (" ", "\n")


def _units(content: Content) -> list[Piece]:
    """A piece for each character and formula; of blanks one, which has no style."""
    units: list[Piece] = []
    for piece in content:
        if piece.math:
            units.append(Piece(" ".join(piece.text.split()), True))
            continue
        for char in piece.text:
            if not char.isspace():
                units.append(Piece(char, False, piece.style))
            elif units and (units[-1].text not in _BLANKS or (units[-1].text == " " and char == "\n")):
                del units[len(units) - (units[-1].text == " ") :]
                units.append(Piece("\n" if char == "\n" else " "))
    while units and units[-1].text in _BLANKS:
        units.pop()
    return units
