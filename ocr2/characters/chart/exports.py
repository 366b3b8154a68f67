"""What a chart says, as other programs take it: JSON, and a table of its values as CSV, Markdown and HTML.

    Month,mm
    May,61
    June,47.5

The table has a row for each label and a column for each series; with several, their names are its head. CSV has no
place for the title and the source; JSON has all that the chart says, with null for what isn't there.
"""

from __future__ import annotations

import json as notation
from html import escape

from ocr2.characters.chart.data import TEXTS, Chart, figure
from ocr2.characters.table import exports as tables
from ocr2.characters.table import webtable
from ocr2.characters.table.grid import Cell, Grid, Piece, grid


def rows(chart: Chart) -> list[list[str]]:
    """The head, then a row for each label in the order of the chart; "" where a series has no value there."""
    labels = list(dict.fromkeys(label for row in chart.series.values() for label in row))
    names = [chart.y_title or "value"] if chart.flat else list(chart.series)
    found = [[chart.x_title or "label", *names]]
    for label in labels:
        values = [row.get(label) for row in chart.series.values()]
        found.append([label, *("" if value is None else str(figure(value)) for value in values)])
    return found


def csv(chart: Chart) -> bytes:
    """The table as CSV (RFC 4180)."""
    return tables.csv([rows(chart)])


def json(chart: Chart) -> bytes:
    """All of the chart as a JSON object, with the keys of the transcript."""
    values = {name: {label: figure(value) for label, value in row.items()} for name, row in chart.series.items()}
    texts = {text: getattr(chart, text) or None for text in TEXTS}
    record = {**texts, "values": values[""] if chart.flat else values}
    return f"{notation.dumps(record, ensure_ascii=False)}\n".encode()


def markdown(chart: Chart) -> bytes:
    """The title, the table in pipes, and the source."""
    title, source = (webtable.piped((Piece(text),), "") for text in (_caption(chart), chart.source))
    parts = [f"**{title}**" if title else "", webtable.markdown(_grid(chart)), source]
    return ("\n\n".join(filter(None, parts)) + "\n").encode()


def html(chart: Chart) -> bytes:
    """The table with the title above it and the source below it, well-formed XML too."""
    table = webtable.html(_grid(chart, "b"))
    if caption := _caption(chart):
        table = table.replace(">\n", f">\n<caption>{escape(caption, quote=False)}</caption>\n", 1)
    source = f"\n<p>{escape(chart.source, quote=False)}</p>" if chart.source else ""
    return f"{table}{source}\n".encode()


def _caption(chart: Chart) -> str:
    """The title, and what the numbers are where the head can't say it."""
    return ", ".join(filter(None, [chart.title, "" if chart.flat else chart.y_title]))


def _grid(chart: Chart, head: str = "") -> Grid:
    """The table, whose head is in that style."""
    cells = [
        Cell(row, column, (Piece(text, False, "" if row else head),) if text else ())
        for row, texts in enumerate(rows(chart))
        for column, text in enumerate(texts)
    ]
    height, width = cells[-1].row + 1, cells[-1].column + 1
    return grid("l" + "r" * (width - 1), cells, ["-" * width] * (height + 1), ["1" * (width + 1)] * height)
