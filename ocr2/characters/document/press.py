"""How a page of blocks is printed: what it looks like, and the markup that Typst sets it from.

Blocks stand in the order in which they are read: in the columns one after the other, footnotes at the end. Nothing is
shown that isn't in the blocks, but for bullets, rules, the word above an abstract, and pictures above their captions.
"""

from __future__ import annotations

import re
from itertools import takewhile
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from ocr2.characters.document import spans as inline
from ocr2.characters.document.blocks import Abstract, Author, Code, Display, Heading, List, Note, Paragraph, Table
from ocr2.characters.document.spans import Break, Mark, Math, Molecule, Text
from ocr2.errors import RenderFailed
from ocr2.renderers.mathpix import BEARING
from ocr2.renderers.typst import escaped, quoted, setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.characters.document.blocks import Block
    from ocr2.characters.document.look import Look
    from ocr2.characters.document.spans import Span, Spans

SMALL = 0.88
"""The size of captions, notes and affiliations, in sizes of the text."""
TABLES = 0.9
"""The size of type in tables, in sizes of the text."""
HEADS = (1.7, 1.28, 1.13, 1.04, 1.0, 1.0, 1.0)
"""The size of a title and of headings, by level, in sizes of the text."""
CAPTION = re.compile(r"(?P<figure>Figure|Fig\.|图)|Table|Tab\.|表", re.IGNORECASE)
_NUMBERED = re.compile(r"\s?[\dA-Z]+(?:[.\-]\d+)*(?:\s*[.:：]|\s|\Z)")
_TAG = re.compile(r"\s*\\tag(\*?)\s*\{([^{}$\\]*)\}")
_LETTER = re.compile(r"[^\W\d_]|\d")


class Picture(NamedTuple):
    """A formula or a molecule; in em."""

    name: str
    """Of its file; the markup of a formula that Typst sets itself, which starts with a dollar."""
    width: float
    height: float
    """Above the base line."""
    depth: float


class Press:
    """A page on its way to be printed."""

    def __init__(self, look: Look, math: dict[tuple[str, bool], Picture], others: dict[str, str | Picture]) -> None:
        """The pictures of formulas by their LaTeX and whether they stand alone; those of molecules, tables' markup."""
        self.look, self.math, self.others = look, math, others
        self.shown = 0
        """Pictures above captions."""

    def markup(self, blocks: Sequence[Block]) -> str:
        """The page. It fails, with the words "too long", where there would be a second one."""
        look = self.look
        top = list(takewhile(lambda block: isinstance(block, Author) or _is_title(block), blocks))
        notes = [block for block in blocks if isinstance(block, Note)]
        body = [block for block in blocks[len(top) :] if not isinstance(block, Note)]
        head = "\n".join(map(self._top, top))
        if isinstance(body[0] if body else None, Abstract) and look.columns > 1 and top:
            head += self._abstract(body.pop(0))
        if head and look.columns > 1:
            head = f'#place(top + center, scope: "parent", float: true, clearance: {2 * look.size:g}pt)[{head}]'
        parts = [_PAGE, self._settings(), head, *self._body(body)]
        if notes:
            told = "\n\n".join(self._note(note) for note in notes)
            above = "1em" if look.cropped else "1fr"
            parts.append(
                f"#v({above})\n#block(breakable: false)[#line(length: 30%, stroke: 0.5pt)\n#v(-0.15em)\n{told}]"
            )
        if look.cropped:
            parts.append(
                f'#context if here().position().y > {look.height - look.margin[1]:g}pt {{ panic("too long") }}'
            )
        return "\n\n".join(parts)

    def _settings(self) -> str:
        look = self.look
        x, y = look.margin
        indent = f"(amount: {look.indent:g}em, all: {_told(look.language == 'zh')})"
        high = "auto" if look.cropped else f"{look.height:g}pt"
        return (
            f"#set page(width: {look.width:g}pt, height: {high}, margin: (x: {x:g}pt, y: {y:g}pt), "
            f"columns: {look.columns})\n#set columns(gutter: {look.gutter:g}pt)\n"
            f'#set text({setting(look.faces, look.size)}, lang: "{look.language}")\n'
            f"#set text(hyphenate: {_told(look.hyphenate)})\n"
            f"#set par(justify: {_told(look.justify)}, leading: {look.leading:g}em, spacing: {look.spacing:g}em, "
            f"first-line-indent: {indent})\n#set block(spacing: {look.spacing:g}em)"
        )

    def _top(self, block: Block) -> str:
        """The title, or who wrote it."""
        if isinstance(block, Heading):
            words = self._heading(block)
        else:
            assert isinstance(block, Author)
            words = self._line(block.spans)
        return f"#align(center, block(above: 0.8em, below: 1.1em)[{_RAGGED}{words}])"

    def _heading(self, block: Heading) -> str:
        look = self.look
        told = f'{setting(look.heads, HEADS[block.level] * look.size)}, fill: rgb("{look.ink}")'
        return f"#text({told})[{self._line(block.spans)}]"

    def _abstract(self, block: Block) -> str:
        assert isinstance(block, Abstract)
        word = "摘要" if self.look.language == "zh" else "Abstract"
        lines = "\n\n".join(map(self._line, block.paragraphs))
        return (
            f"#block(above: 1.4em, below: 1.6em, inset: (x: 2.2em))[#set text(size: {SMALL:g}em)\n"
            f"#align(center, text({setting(self.look.bold)})[{word}])\n{lines}]"
        )

    def _body(self, blocks: Sequence[Block]) -> list[str]:
        parts = []
        for number, block in enumerate(blocks):
            before = blocks[number - 1] if number else None
            after = blocks[number + 1] if number + 1 < len(blocks) else None
            if isinstance(block, Paragraph):
                parts.append(self._paragraph(block, before, after))
            else:
                parts.append(self._block(block))
        return parts

    def _paragraph(self, block: Paragraph, before: Block | None, after: Block | None) -> str:
        line = self._line(block.spans)
        caption = _caption(block)
        if caption and (caption == "figure" or isinstance(before, Table) or isinstance(after, Table)):
            picture = ""
            if caption == "figure" and self.shown < len(self.look.pictures):
                picture = self.look.pictures[self.shown]
                self.shown += 1
            inside = (
                f"#set text(size: {SMALL:g}em)\n#set par(first-line-indent: 0em, spacing: 0.8em)\n{picture}\n\n{line}"
            )
            return f"#block(above: 1.3em, below: 1.3em, width: 100%, align(center, [{inside}]))"
        if isinstance(before, Display):
            return f"#par(first-line-indent: 0em)[{line}]"
        return line

    def _block(self, block: Block) -> str:
        look = self.look
        if isinstance(block, Author) or _is_title(block):
            return self._top(block)
        if isinstance(block, Heading):
            place = "center" if look.centred else "left"
            return (
                f"#block(above: {1.5 * look.size:g}pt, below: {0.9 * look.size:g}pt, sticky: true, width: 100%, "
                f"align({place})[{_RAGGED}{self._heading(block)}])"
            )
        if isinstance(block, Abstract):
            return self._abstract(block)
        if isinstance(block, Display):
            return self._display(block.latex)
        if isinstance(block, List):
            return self._list(block)
        if isinstance(block, Table):
            return self._wide(str(self.others[block.source]))
        if isinstance(block, Code):
            lines = " \\\n".join(escaped(line.replace(" ", "\u00a0")) for line in block.text.split("\n"))
            code = (
                f"#text({setting(look.mono)}, size: {SMALL:g}em, hyphenate: false)[#set par(justify: false)\n{lines}]"
            )
            return f"#block(inset: (x: 1em))[{code}]"
        return "#line(length: 100%, stroke: 0.6pt)"

    def _note(self, block: Note) -> str:
        mark = self._span(Mark(block.name)) if block.name else ""
        return (
            f"#block(above: 0.5em, below: 0.5em)[#set text(size: {SMALL:g}em)\n"
            f"#par(first-line-indent: 0em)[{mark} {self._line(block.spans)}]]"
        )

    def _list(self, block: List) -> str:
        rows = []
        for item in block.items:
            marker = self.look.bullets[item.level] if item.marker == "-" else item.marker
            told = f"#par(first-line-indent: 0em)[{self._line(item.spans)}]"
            grid = f"grid(columns: (auto, 1fr), column-gutter: 0.5em, [{escaped(marker)}], [{told}])"
            rows.append(f"#block(above: 0.75em, below: 0.75em, inset: (left: {1 + 1.5 * item.level:g}em), {grid})")
        return f"#block(above: {self.look.spacing:g}em, below: {self.look.spacing:g}em)[{''.join(rows)}]"

    def _display(self, latex: str) -> str:
        """A formula in the middle, and its number at the right."""
        picture = self.math[latex, True]
        label, column = tagged(latex)[1], self.look.column / self.look.size
        room = column - (2 * (0.6 * len(label) + 1) if label else 0)
        if label and picture.width > room:
            room = column - (0.6 * len(label) + 1)
        shown = _image(picture, self._scale(picture.width, room, latex))
        if label:
            sides = f"(1fr, auto, 1fr), [], [{shown}]" if picture.width <= room else f"(auto, 1fr), [{shown}]"
            shown = f"#grid(columns: {sides}, align(right, {escaped(label)[1:-1]}), align: horizon)"
        return f"#block(above: 1em, below: 1em, width: 100%, align(center)[{shown}])"

    def _scale(self, width: float, room: float, what: str) -> float:
        """How much smaller something is to be that is so many em wide. Raises RenderFailed."""
        scale = min(1.0, room / width)
        if scale * self.look.size < self.look.least and not self.look.bears:
            raise RenderFailed(f"{what[:60]!r} doesn't fit on the page: {width:.0f} em wide, where {room:.0f} are")
        return scale

    def _wide(self, table: str) -> str:
        """A table, smaller where it is too wide."""
        least, wanted = 0 if self.look.bears else self.look.least / 10, TABLES * self.look.size / 10
        return f"#block(above: 1.2em, below: 1.2em, width: 100%, align(center, fitted({wanted:g}, {least:g}, {table})))"

    def _line(self, words: Spans) -> str:
        """The markup of a line. What stands together without a space stays together."""
        parts, last = [], ""
        for span in words:
            shown = self._span(span)
            glued = isinstance(span, Math) and _LETTER.match(last[-1:]) and last[-1] < "\u2e80"
            if isinstance(span, Text):
                glued = last == "\0" and _LETTER.match(span.text) and span.text[0] < "\u2e80"
            beside = (span.text[0] if isinstance(span, Text) else "\0", last[-1:] or " ")
            airy = "\0" in beside and any("\u2e80" < sign < "\ua000" for sign in beside) and last
            parts.append(("#sym.wj;" if glued else "#h(0.16em, weak: true);" if airy else "") + shown)
            last = span.text if isinstance(span, Text) else "\0" if isinstance(span, Math) else ""
        return "".join(parts)

    def _span(self, span: Span) -> str:
        look = self.look
        if isinstance(span, Break):
            return "#linebreak();"
        if isinstance(span, Mark):
            return f"#super({escaped(span.name)[1:-1]});"
        if isinstance(span, Math | Molecule):
            picture = self.math[span.latex, False] if isinstance(span, Math) else self.others[span.smiles]
            assert isinstance(picture, Picture)
            name = span.latex if isinstance(span, Math) else span.smiles
            return _image(picture, self._scale(picture.width, look.column / look.size, name))
        shown = escaped(span.text)
        if span.code:
            return f"#text({setting(look.mono)})[{shown}];"
        if not span.bold and not span.italic:
            return shown
        faces = look.both if span.bold and span.italic else look.bold if span.bold else look.italic
        if span.italic:  # no Chinese face is slanted
            shown = re.sub(r"[\u2e80-\u9fff\uf900-\uffef]", _slanted, quoted(span.text))
            shown = f'#"{shown}";'
        return f"#text({setting(faces)})[{shown}];"


def _slanted(found: re.Match[str]) -> str:
    return f'";#skewed("{found[0]}");#"'


_RAGGED = "#set par(justify: false)\n#set text(hyphenate: false)\n"
_PAGE = """#context if counter(page).final().at(0) > 1 { panic("too long") }
#let skewed(char) = box(skew(ax: -14deg, char))
#let fitted(wanted, least, body) = layout(room => {
  let scale = calc.min(wanted, room.width / measure(body).width)
  if scale < calc.min(least, wanted) { panic("too wide") }
  std.scale(scale * 100%, reflow: true, body)
})"""


def _told(yes: bool) -> str:
    return str(yes).lower()


def _image(picture: Picture, scale: float) -> str:
    """A picture on the base line."""
    if picture.name.startswith("$"):
        return picture.name if scale == 1 else f"#text(size: {scale:.3f}em)[{picture.name}]"
    width, height, depth = (scale * side for side in picture[1:])
    beside = scale * BEARING
    return (
        f"#box(width: {width - 2 * beside:.4f}em, height: {height + depth:.4f}em, baseline: {depth:.4f}em, "
        f'move(dx: {-beside:.4f}em, image(file("{picture.name}"), width: {width:.4f}em)));'
    )


def _is_title(block: Block) -> bool:
    return isinstance(block, Heading) and block.level == 0


def _caption(block: Block) -> str:
    """Whether it is the caption of a "figure" or a "table", or none."""
    text = inline.letters(block.spans) if isinstance(block, Paragraph) else ""
    found = CAPTION.match(text)
    if not found or not _NUMBERED.match(text, found.end()):
        return ""
    return "figure" if found["figure"] else "table"


def captions(blocks: Sequence[Block]) -> int:
    """How many figures have a caption."""
    return sum(_caption(block) == "figure" for block in blocks)


def tagged(latex: str) -> tuple[str, str]:
    r"""The formula without its \tag, and the tag as it is printed; with it, and "", where it isn't the only one."""
    found = _TAG.findall(latex)
    if len(found) != 1 or latex.count("\\tag") != 1:
        return latex, ""
    star, label = found[0]
    return _TAG.sub("", latex), label if star else f"({label})"


def height(blocks: Sequence[Block], look: Look, math: dict[tuple[str, bool], Picture]) -> float:
    """How high the blocks are together, in points, about: where to start looking for a size that fits."""
    return look.size * sum(_height(block, look, math) for block in blocks)


def _height(block: Block, look: Look, math: dict[tuple[str, bool], Picture]) -> float:
    """In em."""
    column, pitch = look.column / look.size, look.leading + 0.72
    if isinstance(block, Display):
        picture = math[block.latex, True]
        return min(1.0, column / picture.width) * (picture.height + picture.depth) + 2
    if isinstance(block, List):
        return sum(ceil(_width(item.spans, math) / (column - 2)) * pitch + 0.4 for item in block.items) + 1
    if isinstance(block, Table):
        return 1.6 * (block.source.count("\n") + 2 + block.source.count("<tr")) + 2.4
    if isinstance(block, Code):
        return (block.text.count("\n") + 1) * pitch + 1
    if isinstance(block, Abstract):
        return sum(ceil(SMALL * _width(each, math) / (column - 4)) * pitch for each in block.paragraphs) + 5
    if isinstance(block, Heading | Author | Paragraph | Note):
        scale = HEADS[block.level] if isinstance(block, Heading) else 1
        lines = ceil(scale * _width(block.spans, math) / column)
        more = 1.6 if isinstance(block, Heading | Author) else max(0.0, look.spacing - look.leading)
        shown = 8.0 if look.pictures and _caption(block) == "figure" else 0
        tall = sum(max(0, math[span.latex, False].height - 0.9) for span in block.spans if isinstance(span, Math))
        return lines * pitch * scale + more + shown + 0.5 * tall
    return 1.5


def _width(words: Spans, math: dict[tuple[str, bool], Picture]) -> float:
    """How long the words are in one line, in em, about."""
    total = 0.0
    for span in words:
        if isinstance(span, Text):
            wide = sum(char > "\u2e80" for char in span.text)
            total += wide + 0.47 * (len(span.text) - wide)
        elif isinstance(span, Math):
            total += math[span.latex, False].width
        else:
            total += 3 if isinstance(span, Molecule | Break) else 0.5
    return total
