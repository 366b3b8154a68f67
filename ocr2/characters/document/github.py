r"""Pages as the Markdown that most programs read, GitHub's: headings with #, formulas in dollars, tables in pipes.

# On lines

A paragraph, and $a^{2}$ in it.

$$
a^{2} + b^{2} = c^{2} \tag{1}
$$
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocr2.characters import table
from ocr2.characters.document.blocks import Abstract, Author, Code, Display, Heading, List, Note, Rule, Table
from ocr2.characters.document.spans import Break, Mark, Math, Molecule
from ocr2.characters.markup import fenced
from ocr2.characters.table import exports as tables
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.characters.document.blocks import Block
    from ocr2.characters.document.spans import Span, Spans, Text

_SIGNS = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)|[`*$]|(?<![^\W_])_|_(?![^\W_])|~(?=~)|(?<=~)~"
    r"|(?<=\]):|(?<=\[)\^|<(?=[A-Za-z/!?])|&(?=\#?\w+;)"
)
"""Each sign that would mean something to a Markdown reader, and only where it would; no bracket, for with a backslash
those are LaTeX's."""
_STARTS = re.compile(
    r"^(?=#{1,6}(?:\s|$)|>|[-+](?:\s|$)|[-=:|][-=:|\s]*$)|(?<=^\d)(?=[.)]\s)|(?<=^\d\d)(?=[.)]\s)", re.M
)
"""Where a line would start a heading, a quotation, an item, a rule or a table."""


def written(blocks: Sequence[Block]) -> str:
    """The page, with an empty line between blocks."""
    titled = any(isinstance(block, Heading) and not block.level for block in blocks)
    return "\n\n".join(_block(block, titled) for block in blocks)


def _block(block: Block, titled: bool) -> str:
    if isinstance(block, Heading):
        return "#" * max(1, min(6, block.level + titled)) + " " + _line(block.spans).replace("  \n", " ")
    if isinstance(block, Author):
        return _line(block.spans)
    if isinstance(block, Abstract):
        return "\n>\n".join(re.sub("^", "> ", _line(paragraph), flags=re.M) for paragraph in block.paragraphs)
    if isinstance(block, Display):
        return f"$$\n{block.latex}\n$$"
    if isinstance(block, List):
        return "\n".join(_item(item.marker, _line(item.spans), "    " * item.level) for item in block.items)
    if isinstance(block, Table):
        return _table(block.source)
    if isinstance(block, Code):
        return fenced(block.text)
    if isinstance(block, Note):
        return (f"[^{block.name}]: " if block.name else "") + _line(block.spans)
    return "---" if isinstance(block, Rule) else _line(block.spans)


def _item(marker: str, text: str, indent: str) -> str:
    """A line of a list; of markers Markdown knows bullets and numbers."""
    known = marker if marker == "-" or re.fullmatch(r"\d{1,9}[.)]", marker) else f"- {marker}"
    return f"{indent}{known} {text}".replace("\n", f"\n{indent}  ")


def _table(source: str) -> str:
    """The table; as it is where it can't be read."""
    try:
        return tables.markdown(table.parsed(source))
    except BadInput:
        return fenced(source)


def _line(spans: Spans) -> str:
    return _STARTS.sub(r"\\", "".join(map(_span, spans)))


def _span(span: Span) -> str:
    if isinstance(span, Math):
        return f"${span.latex}$"
    if isinstance(span, Mark):
        return f"[^{span.name}]"
    if isinstance(span, Molecule):
        return f"`{span.smiles}`"
    if isinstance(span, Break):
        return "  \n"
    return f"``{span.text}``" if span.code and "`" in span.text else f"`{span.text}`" if span.code else _letters(span)


def _letters(span: Text) -> str:
    """Letters with their stars, which stand close to them."""
    text = _SIGNS.sub(r"\\\g<0>", span.text).replace("](", "&#93;(")
    stars, inner = "*" * (2 * span.bold + span.italic), text.strip()
    if not stars or not inner:
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{stars}{inner}{stars}{after}"
