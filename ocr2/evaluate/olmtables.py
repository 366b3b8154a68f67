"""Tables of a transcript as olmOCR-bench asks about them: cells by place, and which are beside, above and below which.

(table,) = tables("| Name | Mass |\\n|---|---|\\n| Iron | 55.8 |")
table.texts[1, 1], table.up(1, 1), table.headings((1, 1), table.up)     # "55.8", {(0, 1)}, {(0, 1)}
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Place = tuple[int, int]
"""A row and a column."""

MOST_SPAN, MOST_SLOTS, DEEPEST = 1000, 100_000, 200
"""Rows or columns of a cell, slots of all tables, and tags in tags: what is larger or deeper is no table."""
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
_COMMENT = re.compile(r"<!--(?:.*?-->|.*)|<[!?][^<>]*>", re.DOTALL)
_STRAY = re.compile(r"<(?!/?[A-Za-z][^<>]*>)")
"""What begins no tag: Python's parser looks for the end of each of them."""


@dataclass(frozen=True)
class Cell:
    """A cell as it is written."""

    text: str
    down: int = 1
    right: int = 1
    heading: bool = False


class Grid:
    """Cells, by the row and column of their upper left corner."""

    def __init__(self, rows: list[list[Cell]]) -> None:
        """Each row's cells fill the columns that cells from above leave free."""
        self.texts: dict[Place, str] = {}
        self._cells: dict[Place, Cell] = {}
        self._owners: dict[Place, Place] = {}
        for row, cells in enumerate(rows):
            column = 0
            for cell in cells:
                while (row, column) in self._owners:
                    column += 1
                self._cells[row, column], self.texts[row, column] = cell, cell.text
                for slot in _slots((row, column), cell):
                    self._owners[slot] = (row, column)
                column += cell.right
        self._height = max((row for row, _ in self._owners), default=-1) + 1
        self._width = max((column for _, column in self._owners), default=-1) + 1

    def up(self, row: int, column: int) -> set[Place]:
        """The nearest cells above a cell, one of each of its columns."""
        columns = range(column, column + self._cells[row, column].right)
        return self._first((row, column), (((above, each) for above in range(row - 1, -1, -1)) for each in columns))

    def down(self, row: int, column: int) -> set[Place]:
        """The nearest cells below."""
        cell = self._cells[row, column]
        below = range(row + cell.down, self._height)
        columns = range(column, column + cell.right)
        return self._first((row, column), (((under, each) for under in below) for each in columns))

    def left(self, row: int, column: int) -> set[Place]:
        """The nearest cells on the left, one of each of its rows."""
        rows = range(row, row + self._cells[row, column].down)
        return self._first((row, column), (((each, before) for before in range(column - 1, -1, -1)) for each in rows))

    def right(self, row: int, column: int) -> set[Place]:
        """The nearest cells on the right."""
        cell = self._cells[row, column]
        after = range(column + cell.right, self._width)
        rows = range(row, row + cell.down)
        return self._first((row, column), (((each, behind) for behind in after) for each in rows))

    def _first(self, own: Place, ways: Iterator[Iterator[Place]]) -> set[Place]:
        met = (next((self._owners[slot] for slot in way if self._owners.get(slot, own) != own), None) for way in ways)
        return {place for place in met if place}

    def headings(self, start: Place, way: Callable[[int, int], set[Place]]) -> set[Place]:
        """The headings that lie that way of a cell; the last cells that way where none is one."""
        seen, ahead, last = {start}, [start], set[Place]()
        while ahead:
            following = way(*(here := ahead.pop()))
            last |= set() if following else {here}
            ahead += following - seen
            seen |= following
        marked = {place for place in seen if self._cells[place].heading} - {start}
        return marked or last - {start}


def _slots(place: Place, cell: Cell) -> Iterator[Place]:
    for down in range(cell.down):
        for right in range(cell.right):
            yield place[0] + down, place[1] + right


@lru_cache(maxsize=4)
def tables(text: str, markdown: bool = True) -> tuple[Grid, ...]:
    """The tables of a transcript: those in Markdown, if they count, then those in HTML."""
    return tuple(Grid(rows) for rows in [*(_markdown(text) if markdown else ()), *_html(text)])


def _markdown(text: str) -> Iterator[list[list[Cell]]]:
    """Lines with pipes that follow each other, but for rules; their first row and column are headings."""
    lines: list[str] = []
    for line in [*text.strip().split("\n"), ""]:
        if "|" in line:
            lines.append(line)
            continue
        rows = [cells for each in lines if not _is_rule(each) and (cells := _piped(each))]
        if len(lines) > 1 and rows:
            yield [
                [Cell(cell, heading=not row or not column) for column, cell in enumerate(cells)]
                for row, cells in enumerate(rows)
            ]
        lines = []


def _is_rule(line: str) -> bool:
    return set(line) <= set("- :|") or (bool(line.replace("|", "").strip()) and set(line) <= set("- :|\t\r"))


def _piped(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split("|")]
    cells = cells[1:] if cells and not cells[0] else cells
    return cells[:-1] if cells and not cells[-1] else cells


def _html(text: str) -> Iterator[list[list[Cell]]]:
    """The rows of each `<table>`, those of tables in it among them."""
    reader = _Html()
    reader.feed(_STRAY.sub("&lt;", _COMMENT.sub("", text)))
    reader.close()
    slots = 0
    for rows in reader.tables:
        told = [[cell.cell(len(rows) - number) for cell in row.cells] for number, row in enumerate(rows)]
        count = sum(cell.down * cell.right for cells in told for cell in cells)
        if 0 < count <= MOST_SLOTS - slots:
            slots += count
            yield told


@dataclass
class _Cell:
    heading: bool
    spans: dict[str, str | None]
    parts: list[str] = field(default_factory=list)

    def cell(self, left: int) -> Cell:
        """With so many rows to the table's end, which a span of 0 reaches to."""
        down = left if (self.spans.get("rowspan") or "").strip() == "0" else self._span("rowspan")
        return Cell("".join(self.parts).strip(), min(down, MOST_SPAN), self._span("colspan"), self.heading)

    def _span(self, name: str) -> int:
        told = (self.spans.get(name) or "").strip()
        return min(max(int(told), 1), MOST_SPAN) if told.isascii() and told.isdecimal() and len(told) < 9 else 1


@dataclass
class _Row:
    cells: list[_Cell] = field(default_factory=list)


class _Html(HTMLParser):
    """Reads tables as Beautiful Soup does with Python's parser: an end tag ends all that was begun within its tag."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[_Row]] = []
        self.open: list[tuple[str, list[_Row] | _Row | _Cell | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.handle_data("\n")
        if tag in _VOID or len(self.open) >= DEEPEST:
            return
        self.open.append((tag, self._begun(tag, dict(attrs))))

    def _begun(self, tag: str, told: dict[str, str | None]) -> list[_Row] | _Row | _Cell | None:
        if tag == "table":
            self.tables.append([])
            return self.tables[-1]
        if tag == "tr":
            row = _Row()
            for _, each in self.open:
                if isinstance(each, list):
                    each.append(row)
            return row
        above = self.open[-1][1] if self.open else None
        if tag in ("td", "th") and isinstance(above, _Row):
            above.cells.append(_Cell(tag == "th" or any(name == "thead" for name, _ in self.open), told))
            return above.cells[-1]
        return None

    def handle_endtag(self, tag: str) -> None:
        if any(name == tag for name, _ in self.open):
            while self.open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] in ("script", "style"):
            return
        for _, each in self.open:
            if isinstance(each, _Cell):
                each.parts.append(data)
