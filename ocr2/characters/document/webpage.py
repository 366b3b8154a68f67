"""Pages as HTML, which is well-formed XML too: formulas are MathML, molecules are pictures, and nothing is loaded."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from ocr2.characters import molecule, table
from ocr2.characters.document.blocks import Abstract, Author, Code, Display, Heading, List, Note, Rule, Table
from ocr2.characters.document.spans import Break, Mark, Math, Molecule
from ocr2.characters.markup import figure, math, missing, verbatim
from ocr2.characters.table import exports as tables
from ocr2.errors import BadInput, OcrError, RendererMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.characters.document.blocks import Block, Item
    from ocr2.characters.document.spans import Span, Spans, Text


def written(blocks: Sequence[Block]) -> str:
    """The elements of the page, a line for each block."""
    titled = any(isinstance(block, Heading) and not block.level for block in blocks)
    return "\n".join(_block(block, titled) for block in blocks)


def _block(block: Block, titled: bool) -> str:
    if isinstance(block, Heading):
        tag = f"h{max(1, min(6, block.level + titled))}"
        return f"<{tag}>{_line(block.spans)}</{tag}>"
    if isinstance(block, Author):
        return f'<p class="author">{_line(block.spans)}</p>'
    if isinstance(block, Abstract):
        return f"<blockquote>{''.join(f'<p>{_line(spans)}</p>' for spans in block.paragraphs)}</blockquote>"
    if isinstance(block, Display):
        return f'<p class="formula">{math(block.latex, True)}</p>'
    if isinstance(block, List):
        return _list(block.items, 0) if block.items else ""
    if isinstance(block, Table):
        return _table(block.source)
    if isinstance(block, Code):
        return verbatim(block.text)
    if isinstance(block, Note):
        mark = f"<sup>{escape(block.name)}</sup> " if block.name else ""
        return f'<p class="note">{mark}{_line(block.spans)}</p>'
    return "<hr/>" if isinstance(block, Rule) else f"<p>{_line(block.spans)}</p>"


def _list(items: Sequence[Item], level: int) -> str:
    """The items of that level, each with those below it; what a browser doesn't number as printed is in the text."""
    starts = [place for place, item in enumerate(items) if item.level <= level]
    starts = starts if starts and not starts[0] else [0, *starts]
    plain, found = all(items[start].marker == "-" for start in starts), ""
    for start, end in zip(starts, [*starts[1:], len(items)], strict=True):
        first, below = items[start], items[start + 1 : end]
        marker = "" if plain else "• " if first.marker == "-" else f"{escape(first.marker, quote=False)} "
        found += f"<li>{marker}{_line(first.spans)}{_list(below, level + 1) if below else ''}</li>"
    return f"<ul>{found}</ul>" if plain else f'<ul style="list-style: none">{found}</ul>'


def _table(source: str) -> str:
    """The table; as its source where it can't be read."""
    try:
        return tables.html(table.parsed(source))
    except BadInput:
        return verbatim(source)


def _line(spans: Spans) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    if isinstance(span, Math):
        return math(span.latex)
    if isinstance(span, Mark):
        return f"<sup>{escape(span.name)}</sup>"
    if isinstance(span, Molecule):
        return _molecule(span.smiles)
    return "<br/>" if isinstance(span, Break) else _letters(span)


def _letters(span: Text) -> str:
    text = escape(span.text, quote=False)
    for wanted, tag in ((span.code, "code"), (span.italic, "i"), (span.bold, "b")):
        text = f"<{tag}>{text}</{tag}>" if wanted else text
    return text


def _molecule(smiles: str) -> str:
    """Its picture, in the line; as SMILES where it can't be drawn."""
    try:
        svg = molecule.draw(f"<smiles>{smiles}</smiles>", None).svg()
    except RendererMissing as error:
        missing(error)
    except OcrError:
        pass
    else:
        picture = re.search(r"<img\b[^>]*>", figure(svg, smiles, escape(smiles)))
        assert picture
        return picture[0]
    return f"<code>{escape(smiles, quote=False)}</code>"
