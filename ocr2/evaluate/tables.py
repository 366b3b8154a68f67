"""Means of scores over samples, and tables of them for terminals and in Markdown."""

from __future__ import annotations

import unicodedata
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ocr2.evaluate.benchmark import Cell, Scored, Table


def mean(scored: Iterable[Scored], measure: str) -> float | None:
    """The mean of a measure over the samples that have it; None where none has.

    Those that could not be scored have the worst: 1 for a distance or an error rate, else 0; but where others could be,
    and none of them has it, it isn't a measure of theirs.
    """
    counted = [(each.scores, each.error) for each in scored if each.scores is not None]
    if any(scores for scores, _ in counted) and not any(measure in scores for scores, _ in counted):
        return None
    worst = float(measure.endswith(("distance", "error")))
    found = [scores.get(measure, worst) for scores, error in counted if measure in scores or (error and not scores)]
    return fmean(found) if found else None


def text(table: Table) -> str:
    """The table for a terminal: the title, columns of one width each, footnotes. Chinese characters are two wide."""
    rows = [tuple(map(_clean, table.columns)), *_rows(table)]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    left = _left(table)
    lines = [
        "  ".join(
            cell + pad if to_left else pad + cell
            for cell, to_left, pad in (
                (c, at, " " * (w - _width(c))) for c, at, w in zip(row, left, widths, strict=True)
            )
        ).rstrip()
        for row in rows
    ]
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([_clean(table.title), "", lines[0], rule, *lines[1:], *map(_note, table.notes)])


def markdown(table: Table) -> str:
    """The table in Markdown, its title in bold above it and its footnotes below."""
    rules = ["---" if to_left else "---:" for to_left in _left(table)]
    rows = [[_escaped(cell) for cell in row] for row in (table.columns, *_rows(table))]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    notes = [f"- {_escaped(note)}" for note in table.notes]
    parts = [
        f"**{_escaped(table.title)}**",
        "\n".join([lines[0], f"|{'|'.join(rules)}|", *lines[1:]]),
        "\n".join(notes),
    ]
    return "\n\n".join(part for part in parts if part)


def _rows(table: Table) -> list[tuple[str, ...]]:
    return [tuple(_clean(shown(cell, table.digits)) for cell in row) for row in table.rows]


def shown(cell: Cell, digits: int = 3) -> str:
    """A cell as it is printed, with so many digits of a fraction."""
    if cell is None:
        return "–"
    return f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell)


def _left(table: Table) -> Sequence[bool]:
    """Whether a column begins at its left edge, as words do: the first one, and those with any word in them."""
    return [
        n == 0 or any(isinstance(row[n], str) and not str(row[n])[:1].isdigit() for row in table.rows)
        for n in range(len(table.columns))
    ]


def _clean(words: str) -> str:
    """One line without control characters: what names of tasks and of models could do to a terminal."""
    return "".join(c if c.isprintable() else " " for c in words)


def _note(note: str) -> str:
    return f"* {_clean(note)}"


def _escaped(words: str) -> str:
    """Words as they are, wherever Markdown and its HTML would read markup."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|~$&" else c for c in _clean(words))


def _width(words: str) -> int:
    """How many columns of a terminal it takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in words)
