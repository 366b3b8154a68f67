r"""Mathpix Markdown, the language that pages are written in: its blocks.

    \title{On lines}

    \section*{1 Introduction}
    A paragraph is a line, \( a^{2} \) in it is a formula, **this** is bold and *that* is slanted.

    \[ a^{2} + b^{2} = c^{2} \tag{1} \]

    - a bullet
      1. and a numbered item below it

    | a | b |
    |---|---|
    | 1 | 2 |

What models write is read as well as can be: LaTeX's and Markdown's forms of the same thing are both taken, and what
isn't known is text. Figures are left out, and nothing is ever loaded. `written` has one spelling for each thing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from ocr2.characters.document import spans as inline
from ocr2.characters.document.blocks import (
    Abstract,
    Author,
    Code,
    Display,
    Heading,
    Item,
    List,
    Note,
    Paragraph,
    Rule,
    Table,
)
from ocr2.characters.document.spans import Break, Spans, braced, spans
from ocr2.errors import BadInput
from ocr2.metrics.formatted import DISPLAYED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.characters.document.blocks import Block

DEEPEST = 6
"""How often things stand in each other; what is deeper is text."""
_LEVELS = {"title": 0, "part": 1, "chapter": 1, "section": 1, "subsection": 2, "subsubsection": 3}
_LEVELS |= {"paragraph": 4, "subparagraph": 5}
_WRITTEN = ("title", "section*", "subsection*", "subsubsection*", "paragraph*", "subparagraph*", "subparagraph*")
_FENCE = re.compile(r"[ \t]*(```+|~~~+)[^\n`]*\n(.*?)(?:\n[ \t]*\1[`~]*[ \t]*(?:\n|\Z)|\Z)", re.DOTALL)
_BEGUN = re.compile(r"[ \t]*\\begin\{(\w+)\*?\}")
_COMMAND = re.compile(rf"[ \t]*\\({'|'.join(_LEVELS)}|author|caption|footnotetext)\*?[ \t]*(?:\[[^\]\n]*\])?(?=\{{)")
_HASHES = re.compile(r"[ \t]{0,3}(#{1,6})[ \t]+(\S[^\n]*)(?:\n|\Z)")
_RULE = re.compile(r"[ \t]{0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|\\hrule)(?:\n|\Z)")
_ITEM = re.compile(r"([ \t]*)([-*+•]|\d{1,3}[.)]|\((?:\d{1,3}|[a-z]|[ivx]{1,5})\))[ \t]+(?=\S)")
_INDENTED = re.compile(r"[ \t]{2,}(?=\S)")
_MARK = re.compile(r"\[\^\d{1,12}\]")
_NOTE = re.compile(r"[ \t]{0,3}\[\^([^\]\s]{1,12})\]:[ \t]*(\S[^\n]*)(?:\n|\Z)")
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*(?:\n|\Z)")
_RULED = re.compile(r"[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?:\n|\Z)")
_HTML = re.compile(r"[ \t]*<table\b.*?(?:</table>|\Z)[ \t]*", re.DOTALL | re.IGNORECASE)
_DISPLAY = re.compile(rf"(?<!\\)(?:\\\\)*\\\[|(?<!\\)\$\$|\\begin\{{(?:{'|'.join(DISPLAYED)})\*?\}}")
_BLANK = re.compile(r"[ \t]*(?:\n|\Z)")
_FIGURE = re.compile(
    r"!\[(?:[^]!\n]|!(?!\[))*+\]\((?:[^)!\n]|!(?!\[))*+\)(?:\{[^}!\n]*\})?"
    r"|\\includegraphics\*?(?:\[(?:[^]\\\n]|\\(?!includeg))*+\])?\{(?:[^}\\\n]|\\(?!includeg))*+\}"
)
_AROUND = {"table", "figure", "center"}
_NAMED = {"tabular", "tabularx", "abstract", "verbatim", "lstlisting", "itemize", "enumerate", *_AROUND}


def parsed(text: str) -> list[Block]:
    """The blocks of a page. Raises BadInput for a formula that doesn't end, and where there is nothing at all."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    blocks = _Blocks(_noted(_FIGURE.sub("", text))).blocks
    if not blocks:
        raise BadInput("a page without anything on it: expected Mathpix Markdown")
    return blocks


def _noted(text: str) -> str:
    r"""The text with LaTeX's \footnote as Markdown's: a mark, and the words at its end."""
    notes: list[str] = []
    taken = set(_MARK.findall(text))
    free = (mark for number in count(1) if (mark := f"[^{number}]") not in taken)
    body, place = "", 0
    while (start := text.find("\\footnote{", place)) >= 0:
        inner, end = braced(text, start + 9)
        if not end:
            break
        mark = next(free)
        notes.append(f"{mark}: {' '.join(inner.split())}")
        body += text[place:start] + mark
        place = end
    return "\n\n".join([body + text[place:], *notes])


def _opened(heading: str) -> str:
    """A heading without the hashes that may close it: they come after a space."""
    text = heading.rstrip(" \t")
    bare = text.rstrip("#")
    return bare.rstrip(" \t") if bare.strip() and bare[-1] in " \t" else text


class _Blocks:
    """A text on its way to be blocks."""

    def __init__(self, text: str, depth: int = 0) -> None:
        self.text, self.depth = text, depth
        self.blocks: list[Block] = []
        self.lines: list[str] = []
        """Of the paragraph that isn't complete."""
        place = 0
        while place < len(text):
            place = self._block(place)
        self._ended()

    def _add(self, *blocks: Block) -> None:
        self._ended()
        self.blocks += blocks

    def _ended(self) -> None:
        """The paragraph is complete: its text and its formulas are blocks."""
        whole, self.lines = "\n".join(self.lines), []
        while whole.strip():
            start, latex, end = _display(whole, 0, len(whole))
            if words := spans(whole[:start]):
                self.blocks.append(Paragraph(words))
            if latex:
                self.blocks.append(Display(latex))
            whole = whole[end:]

    def _block(self, place: int) -> int:
        """Reads what starts there; where it ends."""
        text = self.text
        for read in (self._environment, self._command, self._table, self._listed):
            if end := read(place):
                return end
        if found := _FENCE.match(text, place):
            self._add(Code(found[2].rstrip()))
        elif found := _HASHES.match(text, place):
            self._add(Heading(spans(_opened(found[2])), len(found[1])))
        elif found := _NOTE.match(text, place):
            self._add(Note(found[1], spans(found[2].rstrip(" \t"))))
        elif found := _RULE.match(text, place):
            self._add(Rule())
        elif found := _BLANK.match(text, place):
            self._ended()
        else:
            end = self._line_end(place)
            self.lines.append(text[place:end])
            return end + 1
        return max(found.end(), place + 1)

    def _line_end(self, place: int) -> int:
        """Where the line ends, with all of the formulas that start in it."""
        end, after = _end(self.text, place), place
        while after < end:
            _, latex, after = _display(self.text, after, end)
            end = _end(self.text, after) if latex else end
        return end

    def _environment(self, place: int) -> int:
        found = _BEGUN.match(self.text, place)
        name = found[1] if found else ""
        if not found or name not in _NAMED or (name in _AROUND and self.depth == DEEPEST):
            return 0
        end, after = environment_end(self.text, found.end(), name)
        inner = self.text[found.end() : end]
        if name in ("tabular", "tabularx"):
            self._add(Table(self.text[place:after].strip()))
        elif name == "abstract":
            self._add(Abstract(tuple(spans(_joined(part)) for part in re.split(r"\n[ \t]*\n", inner) if part.strip())))
        elif name in ("verbatim", "lstlisting"):
            self._add(Code(re.sub(r"^\[[^\]\n]*\]", "", inner).strip("\n").rstrip()))
        elif name in ("itemize", "enumerate"):
            self._add(List(tuple(_items(inner, name == "enumerate", 0))))
        else:
            inner = re.sub(r"^\s*\[[^\]]*\]|\\centering\b|\\label\{[^}]*\}", "", inner)
            self._add(*_Blocks(inner, self.depth + 1).blocks)
        return after

    def _command(self, place: int) -> int:
        """A heading, authors, or a caption, whose words are in braces."""
        found = _COMMAND.match(self.text, place)
        inner, end = braced(self.text, found.end()) if found else ("", 0)
        if not found or not end:
            return 0
        name, lines = found[1], re.sub(r"\s*\\\\\s*", r"\\\\", inner)
        words = spans(_joined(lines))
        if name == "author":
            self._add(Author(spans(re.sub(r"\s*(\n|\\and\b)\s*", r"\n", re.sub(r"\\\\\s*", "\n", inner)))))
        elif name == "footnotetext":
            self._add(Note("", words))
        else:
            self._add(Heading(words, _LEVELS[name]) if name in _LEVELS else Paragraph(words))
        rest = _BLANK.match(self.text, end)
        return rest.end() if rest else end

    def _table(self, place: int) -> int:
        text = self.text
        if found := _HTML.match(text, place):
            self._add(Table(found[0].strip()))
            return found.end()
        row = _ROW.match(text, place)
        ruled = _RULED.match(text, row.end()) if row else None
        if not row or not ruled:
            return 0
        end = ruled.end()
        while end < len(text) and (row := _ROW.match(text, end)):
            end = row.end()
        self._add(Table(text[place:end].strip()))
        return end

    def _listed(self, place: int) -> int:
        """An item, with the indented lines below it. One that follows another is of the same list."""
        text = self.text
        found = _ITEM.match(text, place)
        if not found or _RULE.match(text, place):
            return 0
        end = self._line_end(place)
        lines = [text[found.end() : end]]
        while (more := _INDENTED.match(text, end + 1)) and not _ITEM.match(text, end + 1):
            end = self._line_end(more.end())
            lines.append(text[more.end() : end])
        self._ended()
        whole = "\n".join(lines)
        start, _, _ = _display(whole, 0, len(whole))
        item = Item("-" if found[2] in "-*+•" else found[2], spans(_joined(whole[:start])))
        last = self.blocks[-1] if self.blocks else None
        if isinstance(last, List):
            level = min(2, last.items[-1].level + 1, len(found[1].replace("\t", "  ")) // 2)
            self.blocks[-1] = List((*last.items, replace(item, level=level)))
        else:
            self.blocks.append(List((item,)))
        self.lines = [whole[start:]]  # from its first formula on, an item is like any text
        self._ended()
        return end + 1


def _end(text: str, place: int) -> int:
    """Where the line ends that the place is in."""
    end = text.find("\n", place)
    return len(text) if end < 0 else end


def _joined(text: str) -> str:
    """The lines as one."""
    return " ".join(text.split())


def environment_end(text: str, place: int, name: str) -> tuple[int, int]:
    r"""Where the environment ends that the place is in, before its \end and behind it; at the text's end if nowhere."""
    depth = 1
    for found in re.compile(rf"\\(begin|end)\{{{re.escape(name)}\*?\}}").finditer(text, place):
        depth += 1 if found[1] == "begin" else -1
        if not depth:
            return found.start(), found.end()
    return len(text), len(text)


def _display(text: str, place: int, stop: int) -> tuple[int, str, int]:
    """The next formula in a line of its own that starts before some place: where it starts, its LaTeX, where it ends.

    That place, and no LaTeX, where there is none. Raises BadInput for one that doesn't end.
    """
    found = _DISPLAY.search(text, place, stop)
    while found and found[0].startswith("\\\\"):  # the end of a line, and how far the next one is
        found = _DISPLAY.search(text, found.end(), stop)
    if not found:
        return stop, "", stop
    opened, inside = found[0], found.end()
    if opened in ("\\[", "$$"):
        closed = re.compile(r"(?<!\\)(?:\\\\)*\\\]" if opened == "\\[" else r"(?<!\\)\$\$").search(text, inside)
        after = closed.end() if closed else 0
        latex = text[inside : after - 2]
    else:
        name = opened[7:-1].rstrip("*")
        end, after = environment_end(text, inside, name)
        latex = text[inside:end] if name in ("equation", "displaymath") else text[found.start() : after]
        after *= after > end
    if not after:
        wanted = {"\\[": "\\]", "$$": "$$"}.get(opened, opened.replace("begin", "end"))
        raise BadInput(f"a formula that starts with {text[found.start() :][:40]!r} has no end: expected {wanted}")
    return found.start(), _joined(latex), after


def _items(text: str, numbered: bool, level: int) -> list[Item]:
    r"""The items of LaTeX's lists, which are numbered here."""
    items: list[Item] = []
    for number, (option, inner) in enumerate(pieces(text), 1):
        nested = re.search(r"\\begin\{(itemize|enumerate)\}", inner) if level < DEEPEST else None
        own = inner[: nested.start()] if nested else inner
        marker = spans(option) and inline.letters(spans(option)) if option else f"{number}." if numbered else "-"
        items.append(Item(str(marker), spans(_joined(own)), min(level, 2)))
        if nested:
            end, _ = environment_end(inner, nested.end(), nested[1])
            items += _items(inner[nested.end() : end], nested[1] == "enumerate", level + 1)
    return items


def pieces(text: str, lists: Sequence[str] = ("itemize", "enumerate")) -> list[tuple[str, str]]:
    r"""Of each \item of a list, but not of the lists within, what it has in brackets, and what stands behind it."""
    found, depth = [], 0
    starts: list[tuple[str, int, int]] = []
    for each in re.finditer(
        rf"\\(begin|end)\{{(?:{'|'.join(lists)})\}}|\\item\b[ \t]*(?:\[((?:[^]\\]|\\(?!item\b))*+)\])?", text
    ):
        depth += {"begin": 1, "end": -1}.get(each[1], 0)
        if not each[1] and not depth:
            starts.append((each[2] or "", each.start(), each.end()))
    for number, (option, _, start) in enumerate(starts):
        end = starts[number + 1][1] if number + 1 < len(starts) else len(text)
        found.append((option, text[start:end]))
    return found


def written(blocks: list[Block]) -> str:
    """The one spelling of a page: a line a paragraph, empty lines between but below headings. Raises BadInput."""
    text = ""
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        text += _written(block)
        tight = isinstance(block, Heading) and block.level and not isinstance(following, Heading)
        text += "" if following is None else "\n" if tight else "\n\n"
    return text


def _written(block: Block) -> str:
    if isinstance(block, Heading):
        return f"\\{_WRITTEN[block.level]}{{{inline.written(block.spans)}}}"
    if isinstance(block, Author):
        return "\\author{" + " \\\\\n".join(inline.written(line) for line in _lines(block.spans)) + "}"
    if isinstance(block, Abstract):
        inner = "\n\n".join(map(inline.written, block.paragraphs))
        return f"\\begin{{abstract}}\n{inner}\n\\end{{abstract}}"
    if isinstance(block, Paragraph):
        text = inline.written(block.spans)
        return re.sub(r"^(?=[-+#|>] |[-#|])", r"\\", text)
    if isinstance(block, Display):
        return f"\\[ {block.latex} \\]"
    if isinstance(block, List):
        return "\n".join(f"{'   ' * item.level}{item.marker} {inline.written(item.spans)}" for item in block.items)
    if isinstance(block, Table):
        return block.source
    if isinstance(block, Code):
        return f"```\n{block.text}\n```"
    if isinstance(block, Note):
        return f"[^{block.name}]: {inline.written(block.spans)}"
    return "---"


def _lines(words: Spans) -> list[Spans]:
    """The lines of a text."""
    lines: list[list[inline.Span]] = [[]]
    for span in words:
        if isinstance(span, Break):
            lines.append([])
        else:
            lines[-1].append(span)
    return [tuple(line) for line in lines]
