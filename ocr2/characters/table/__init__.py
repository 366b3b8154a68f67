r"""Tables: LaTeX's `tabular` (GOT's and Mathpix's form), of which HTML and Markdown are other notations.

    \begin{tabular}{|l|c|}
    \hline Name & Mass \\
    \hline Iron & \( 55.8 \) \\
    \hline
    \end{tabular}

Each row is a line, with the rules above it first; spans are `\multicolumn` and `\multirow`, formulas stand in `\( \)`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from ocr2.characters.table import exports, tabular, webtable
from ocr2.characters.table.data import invented
from ocr2.characters.table.drawing import Style, markup, plain, styled, tex
from ocr2.characters.table.painting import paintable, painted
from ocr2.errors import BadInput
from ocr2.metrics import edit_distance
from ocr2.metrics.teds import teds
from ocr2.renderers import latex, typst
from ocr2.renderers.drawing import Drawing, readable
from ocr2.renderers.tools import chosen, need, tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from ocr2.characters import Corpus
    from ocr2.characters.table.grid import Cell, Grid
    from ocr2.renderers.drawing import Pixels

__all__ = [
    "BACKENDS",
    "EXPORTS",
    "Style",
    "compose",
    "converted",
    "draw",
    "ended",
    "looks_like",
    "markup",
    "parsed",
    "plain",
    "score",
    "styled",
]

Notation = Literal["latex", "html", "markdown"]
BACKENDS = ("typst", "pdflatex", "xelatex")
LARGEST = 1024
"""Pixels of a picture's longer side, where its type is then large enough."""
MOST_PAINTED = 8000
"""Characters of a source that is drawn in pixels at once; longer ones may be too large for that."""
SMALLEST = 8
"""Pixels of its type."""
FINEST = 1.0
"""Pixels that a rule is thick, at least."""
_WRITERS = {"latex": tabular.latex, "html": webtable.html, "markdown": webtable.markdown}
_ALONE = re.compile(r"\\begin\{(tabular[*xy]?)\}.*\\end\{\1\}|<table\b.*</table>", re.DOTALL)
_SECTION = re.compile(r"</?t(?:head|body|foot)\b[^<>]*>", re.IGNORECASE)
"""What `webtable.html` doesn't write."""
_CUT = re.compile(
    r"\\begin\{(?P<name>tabular[*xy]?)\}(?:(?!\\(?:begin|end)\{tabular).)*+\Z|<table\b(?:(?!</?table\b).)*+\Z",
    re.DOTALL,
)
_ENDS = re.compile(r"(\\begin|\\end|</?)(?:\{tabular[*xy]?\}|table\b)")


def compose(corpus: Corpus, rng: Random, notation: Notation = "latex") -> str:
    """A table of the corpus' or an invented one. Markdown, which has no spans, is of one without."""
    while True:
        table = invented(corpus, rng)
        if notation != "markdown" or not table.structure[2]:
            return _WRITERS[notation](table)


def draw(source: str, rng: Random | None, backend: str = "", held: bool = False) -> Drawing:
    """The table: plainly as LaTeX draws it; with `rng` in some face, size and colours, by default painted by ourselves
    where Typst's own type and its formulas aren't needed; `held` in a face that is never trained on.

    Raises BadInput for what is no table, or has characters that no font has, RenderFailed, RendererMissing.
    """
    name = chosen(backend, BACKENDS)
    table = parsed(readable(source))
    pixels = 20.0 if rng is None else min(rng.uniform(11, 32), rng.uniform(11, 32))
    version = f"{name} {tool(name).version}"
    if name != "typst":
        body, preamble = tex(table, name, rng)
        content = latex.page(body, preamble, "pdflatex" if name == "pdflatex" else "xelatex")
        return Drawing(content, "pdf", version, _scale(content, pixels / 10))
    if rng is None or len(source) > MOST_PAINTED:
        style, margin = (plain(table), 4.0) if rng is None else (styled(table, rng, held), 4.0)
        page = _page(table, style, margin)
        content = typst.pdf(page)
        scale = _scale(content, pixels / style.size)
        if style.rule * scale < FINEST:
            page = _page(table, replace(style, rule=FINEST / scale), margin)
            content = typst.pdf(page)
        return Drawing(content, "pdf", version, scale, partial(typst.svg, page))
    style, margin = styled(table, rng, held), rng.uniform(3, 8)
    if not backend and (paint := paintable(table, style)):
        image = painted(table, paint, margin * pixels / style.size, (round(pixels), SMALLEST), LARGEST)
        return Drawing(image, "pixels", f"fonts {need('fonts').version}")
    return Drawing(_typeset(table, style, margin, pixels), "pixels", version)


def _typeset(table: Grid, style: Style, margin: float, wanted: float) -> Pixels:
    """The table with type of so many pixels, or smaller type where that is too large; see `_scale`."""
    scale = wanted / style.size
    while True:
        page = _page(table, replace(style, rule=max(style.rule, FINEST / scale)), margin)
        image = typst.pixels(page, scale)
        side = max(image.shape[:2])
        if side <= LARGEST + 1 or scale <= SMALLEST / style.size:
            return image
        scale = max(SMALLEST / style.size, scale * LARGEST / side)


def _page(table: Grid, style: Style, margin: float) -> str:
    return f"#set page(width: auto, height: auto, margin: {margin:.4g}pt)\n{markup(table, style)}"


def _scale(pdf: bytes, wanted: float) -> float:
    """Pixels a point, as wanted, or so many that the page isn't larger than LARGEST, if type isn't too small then."""
    box = re.search(rb"/MediaBox\s*\[\s*([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)", pdf)
    assert box
    return max(SMALLEST / 10, min(wanted, LARGEST / max(map(float, box.groups()))))


def looks_like(text: str) -> bool:
    """Whether it is a tabular, or a table in HTML or Markdown, and nothing else; or lines of as many cells, with ` | `
    between them, as PP-Chart2Table answers.
    """
    text = text.strip()
    if _ALONE.fullmatch(text):
        inside, ends = 0, []
        for mark in _ENDS.finditer(text):
            inside += -1 if mark[1] in ("\\end", "</") else 1
            ends += [mark.end()] if not inside else []
        return len(ends) == 1
    lines = text.splitlines()
    if len(lines) > 1 and webtable.is_separator(lines[1]):
        return all(line.lstrip().startswith("|") for line in lines)
    counts = {line.count(" | ") for line in lines}
    return len(lines) > 1 and len(counts) == 1 and counts != {0}


def ended(text: str) -> str:
    """The text; where it stops within a table, with the whole rows of that alone, and its end."""
    cut = _CUT.search(text)
    name = cut and cut["name"]
    rows, end = (r"\\", f"\n\\end{{{name}}}") if name else ("</tr>", "\n</table>")
    last = cut[0].rfind(rows) if cut else -1
    return f"{text[: cut.start() + last]}{rows}{end}" if cut and last >= 0 else text


def parsed(text: str) -> Grid:
    """The table that a text is in LaTeX, HTML or Markdown. Raises BadInput for one that is wrong, or none."""
    if tabular.BEGIN.search(text):
        return tabular.parsed(text)
    if "<table" in text:
        return webtable.from_html(text)
    if "|" in text:
        return webtable.from_markdown(text)
    raise BadInput(f"{text.strip()[:40]!r} is no table: expected \\begin{{tabular}}, <table> or | a | b |")


def converted(text: str, notation: Notation) -> str:
    """The table in another notation, in its one spelling. Raises BadInput, for spans in Markdown too."""
    if notation not in _WRITERS:
        raise BadInput(f"{notation!r} is no notation of tables: expected {', '.join(_WRITERS)}")
    return _WRITERS[notation](parsed(text))


def score(predicted: str, truth: str) -> dict[str, float]:
    """Edit distance of both in their one spelling (0 is perfect), the F1 of the cells, whether the structure is right,
    and TEDS of both as HTML, with the cells' texts and without.

    Cells are compared in their order, by their texts; those without any don't count. A text that is no table is
    compared as it is, and has no cells; but TEDS takes HTML that is wrong, or cut short, for what browsers show.
    """
    grids = [_read(text) for text in (predicted, truth)]
    texts = [
        tabular.latex(each) if each else " ".join(raw.split())
        for each, raw in zip(grids, (predicted, truth), strict=True)
    ]
    ours, theirs = ([_key(cell) for cell in each.cells if cell.content] if each else [] for each in grids)
    total = len(ours) + len(theirs)
    both = grids[0] is not None and grids[1] is not None
    same = grids[0] is not None and grids[1] is not None and grids[0].structure == grids[1].structure
    one, two = (
        webtable.html(each) if each else _SECTION.sub("", raw)
        for each, raw in zip(grids, (predicted, truth), strict=True)
    )
    return {
        "edit_distance": edit_distance(*texts),
        "cells": 2 * _common(ours, theirs) / total if total else float(both),
        "structure": float(same),
        "teds": teds(one, two),
        "teds_structure": teds(one, two, structure=True),
    }


def _read(text: str) -> Grid | None:
    try:
        return parsed(text)
    except BadInput:
        return None


def _key(cell: Cell) -> str:
    return "".join(cell.text.split())


def _common(ours: list[str], theirs: list[str]) -> int:
    """The length of the longest sequence that both have: a bit-vector algorithm, as of `metrics.levenshtein`."""
    where: dict[str, int] = {}
    for place, text in enumerate(theirs):
        where[text] = where.get(text, 0) | 1 << place
    everything = (1 << len(theirs)) - 1
    rest = everything
    for text in ours:
        matched = rest & where.get(text, 0)
        rest = ((rest + matched) | (rest - matched)) & everything
    return len(theirs) - rest.bit_count()


def _latex(text: str) -> bytes:
    """The table, to be put in a document. Raises BadInput for none, or for a formula that reaches out of the page."""
    source = converted(text, "latex")
    latex.check(source)
    return f"{source}\n".encode()


EXPORTS: Mapping[str, Callable[[str], bytes]] = {
    "csv": lambda text: exports.csv([exports.rows(parsed(text))]),
    "latex": _latex,
    "html": lambda text: f"{exports.html(parsed(text))}\n".encode(),
    "md": lambda text: f"{exports.markdown(parsed(text))}\n".encode(),
    "json": lambda text: f"{json.dumps(exports.rows(parsed(text)), ensure_ascii=False)}\n".encode(),
}
"""What a transcript can be written as; each raises BadInput for what is no table."""
