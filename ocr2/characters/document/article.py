r"""Pages as LaTeX, to be put between \begin{document} and \end{document} of an article; amsmath, multirow and makecell
are what it may need.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocr2.characters import table
from ocr2.characters.document.blocks import Abstract, Author, Code, Display, Heading, List, Note, Rule, Table
from ocr2.characters.document.spans import Break, Mark, Math, Molecule
from ocr2.characters.table.celltext import escaped
from ocr2.errors import BadInput
from ocr2.renderers import latex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.characters.document.blocks import Block, Item
    from ocr2.characters.document.spans import Span, Spans

_HEADINGS = ("title", "section*", "subsection*", "subsubsection*", "paragraph*", "subparagraph*", "subparagraph*")
_ALONE = re.compile(r"\\begin\{(?:align|alignat|flalign|gather|multline|eqnarray)\*?\}")
"""Environments of formulas that stand in no others."""
_VERBATIM = "\\begin{verbatim}\n"


def written(blocks: Sequence[Block]) -> str:
    """The page, with an empty line between blocks; `\\maketitle` follows what it needs.

    Raises BadInput for a formula that reaches out of the page.
    """
    parts = [_block(block) for block in blocks]
    heads = [place for place, block in enumerate(blocks) if isinstance(block, Heading) and not block.level]
    if heads:
        heads += [place for place, block in enumerate(blocks) if isinstance(block, Author)]
        parts.insert(max(heads) + 1, r"\maketitle")
    latex.check("\n\n".join(part for part in parts if not part.startswith(_VERBATIM)))  # all but code
    return "\n\n".join(parts)


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"\\{_HEADINGS[block.level]}{{{_line(block.spans)}}}"
    if isinstance(block, Author):
        return f"\\author{{{_line(block.spans)}}}"
    if isinstance(block, Abstract):
        inner = "\n\n".join(map(_line, block.paragraphs))
        return f"\\begin{{abstract}}\n{inner}\n\\end{{abstract}}"
    if isinstance(block, Display):
        return block.latex if _ALONE.match(block.latex) else f"\\[ {block.latex} \\]"
    if isinstance(block, List):
        return _list(block.items, 0) if block.items else ""  # for LaTeX wants an item
    if isinstance(block, Table):
        return _table(block.source)
    if isinstance(block, Code):
        return _verbatim(block.text)
    if isinstance(block, Note):
        number = f"[{block.name}]" if block.name.isdecimal() else ""
        return f"\\footnotetext{number}{{{_line(block.spans)}}}"
    return r"\noindent\hrulefill" if isinstance(block, Rule) else _line(block.spans)


def _list(items: Sequence[Item], level: int) -> str:
    """The items of that level, each with those below it; their markers are as printed."""
    lines, place = [r"\begin{itemize}"], 0
    while place < len(items):
        item, place = items[place], place + 1
        marker = "" if item.marker == "-" else f"[{{{escaped(item.marker)}}}]"
        text = _line(item.spans)
        lines.append(f"\\item{marker} {'{}' * text.startswith('[')}{text}")
        end = next((n for n in range(place, len(items)) if items[n].level <= level), len(items))
        if end > place:
            lines.append(_list(items[place:end], level + 1))
        place = end
    return "\n".join([*lines, r"\end{itemize}"])


def _table(source: str) -> str:
    """The table; as it is where it can't be read."""
    try:
        return table.converted(source, "latex")
    except BadInput:
        return _verbatim(source)


def _verbatim(text: str) -> str:
    inner = text.replace(r"\end{verbatim}", r"\end {verbatim}")
    return f"{_VERBATIM}{inner}\n\\end{{verbatim}}"


def _line(spans: Spans) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    if isinstance(span, Math):
        return f"\\( {span.latex} \\)"
    if isinstance(span, Mark):
        return f"\\footnotemark[{span.name}]" if span.name.isdecimal() else f"\\textsuperscript{{{escaped(span.name)}}}"
    if isinstance(span, Break):
        return "\\\\\n"
    if isinstance(span, Molecule):
        return f"\\texttt{{{escaped(span.smiles)}}}"
    text = escaped(span.text)
    for wanted, command in ((span.code, "texttt"), (span.italic, "textit"), (span.bold, "textbf")):
        text = f"\\{command}{{{text}}}" if wanted and text.strip() else text
    return text
