r"""Tables as other programs take them: rows of texts, CSV, Markdown as GitHub has it, HTML with MathML.

In rows and CSV a cell that spans several stands in the first of them, and the others are empty, so that no number is
there twice. Formulas that plain text can say are plain text, `\( 5 \pm 0.1 \)` is `5 ± 0.1`; others stay LaTeX.
"""

from __future__ import annotations

import csv as commas
import io
import re
from html import unescape
from typing import TYPE_CHECKING

from ocr2.characters.markup import math
from ocr2.characters.table import webtable
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ocr2.characters.table.grid import Grid, Piece

_MATH = re.compile(r"\\\( (.*?) \\\)", re.DOTALL)
_SIGNS = {r"\pm": "±", r"\times": "×", r"\cdot": "·", r"\sim": "~", r"\leq": "≤", r"\le": "≤", r"\geq": "≥"}
_SIGNS |= {r"\ge": "≥", r"\approx": "≈", r"\mu": "μ", r"\%": "%", r"\$": "$", r"\,": " ", r"\;": " ", r"\ ": " "}
_COMMAND = re.compile(r"\\(?:[A-Za-z]+|.)", re.DOTALL)


def rows(table: Grid) -> list[list[str]]:
    """(R, C) The texts of the cells."""
    return [
        [
            "".join(map(_said, cell.content)) if (cell.row, cell.column) == (row, column) else ""
            for column, cell in enumerate(cells)
        ]
        for row, cells in enumerate(table.owners())
    ]


def _said(piece: Piece) -> str:
    """What a piece of a cell says in plain text; a formula that there is no plain text for in `\\( \\)`."""
    if not piece.math:
        return piece.text
    text = _COMMAND.sub(lambda command: _SIGNS.get(command[0], command[0]), piece.text)
    return f"\\( {piece.text} \\)" if re.search(r"[\\^_{}&]", text) else " ".join(text.split())


def csv(tables: Iterable[Sequence[Sequence[str]]]) -> bytes:
    """The rows of tables as CSV (RFC 4180) in UTF-8, with an empty line between tables."""
    written = []
    for table in tables:
        stream = io.StringIO(newline="")
        commas.writer(stream).writerows(table)
        written.append(stream.getvalue())
    return "\r\n".join(written).encode()


def markdown(table: Grid) -> str:
    """In pipes, with formulas in dollars; as HTML where cells span several, which Markdown has no pipes for."""
    try:
        return webtable.markdown(table, "${}$")
    except BadInput:
        return _MATH.sub(lambda formula: f"${formula[1]}$", _wellformed(table))


def html(table: Grid) -> str:
    """As HTML, well-formed XML too, with formulas as MathML."""
    return _MATH.sub(lambda formula: math(unescape(formula[1])), _wellformed(table))


def _wellformed(table: Grid) -> str:
    return webtable.html(table).replace("<br>", "<br/>")
