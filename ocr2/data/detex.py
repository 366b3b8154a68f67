r"""The running text of LaTeX files as blocks of Mathpix Markdown: what a page of it shows, typeset once more.

    opened = Opened(r"\section{Lines} Let $x$ be a \emph{line}. \begin{tikzpicture}…")
    blocks, left_out = converted(opened, 0, 2000, Random(7))
    left_out    # Counter({"environment tikzpicture": 1})

No TeX runs. Macros of a file are expanded where they are simple, and a few that everyone defines. References are
numbered in the order they come in; figures, labels and indices are left out. A paragraph with anything else in it is
left out as a whole, and counted by what it was: nothing is guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from ocr2.characters import latex, table
from ocr2.characters.document import markdown
from ocr2.characters.document.blocks import Abstract, Display, Heading, Item, List, Note, Paragraph, Table
from ocr2.characters.document.spans import Mark, Math, Spans, Text, braced, letters
from ocr2.data.macros import Macros
from ocr2.data.texline import Counted, Odd, line
from ocr2.errors import OcrError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from ocr2.characters.document.blocks import Block

DEEPEST = 8
"""How often environments stand in each other."""
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*(?:\n[ \t]*|$)")
_IN_CHINESE = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])[ \t]*\n[ \t]*(?=[\u3000-\u9fff\uff00-\uffef])")
"""A line end that is no space."""
_VERBATIM = re.compile(
    r"\\begin\{(verbatim\*?|lstlisting|minted|comment|Verbatim|alltt|filecontents\*?)\}.*?\\end\{\1\}", re.DOTALL
)
_HEADINGS = {"part": 1, "chapter": 1, "section": 1, "subsection": 2, "subsubsection": 3}
_DISPLAYS = ("equation", "displaymath", "align", "gather", "multline", "eqnarray", "alignat", "flalign")
_WORDS = (
    *("theorem", "lemma", "proposition", "corollary", "definition", "remark", "remarks", "example", "exercise"),
    *("claim", "conjecture", "notation", "axiom", "problem", "fact", "situation"),
)
_STATEMENTS = {
    **{name: name.capitalize() for name in _WORDS},
    **{"thm": "Theorem", "lem": "Lemma", "prop": "Proposition", "cor": "Corollary", "defn": "Definition"},
    **{"rmk": "Remark", "eg": "Example", "ex": "Exercise"},
}
_PLAIN = ("center", "quote", "quotation", "flushleft", "flushright", "intro", "document", "minipage", "small")
_LISTS = ("itemize", "enumerate", "compactitem", "compactenum")


class Opened:
    """A file: its macros, and the pieces of its text that have nothing half of which is elsewhere."""

    def __init__(self, tex: str) -> None:
        """Of a file's text."""
        tex = tex.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
        tex = _COMMENT.sub(r"\1", _VERBATIM.sub("\n\n", tex))
        self.macros = Macros(tex)
        tex = re.sub(r"\\endinput(?![A-Za-z]).*", "", tex, flags=re.DOTALL)
        body = re.search(r"\\begin\{document\}(.*?)(?:\\end\{document\}|\Z)", tex, re.DOTALL)
        self.pieces = tuple(_split(_IN_CHINESE.sub("", body[1] if body else tex)))


def _split(tex: str) -> Iterator[str]:
    """The text between empty lines that stand in no environment."""
    depth, start = 0, 0
    for found in re.finditer(r"\\(begin|end)\{|\n[ \t]*\n\s*", tex):
        if found[1]:
            depth = max(0, depth + (1 if found[1] == "begin" else -1))
        elif not depth:
            yield tex[start : found.start()]
            start = found.end()
    yield tex[start:]


def converted(opened: Opened, start: int, most: int, rng: Random) -> tuple[list[Block], Counter[str]]:
    """Blocks from that piece on, of about so many characters, numbered from anywhere; and what was left out, by what it
    was. Footnotes come last.
    """
    file = _File(opened.macros, rng)
    for piece in opened.pieces[start:]:
        file.flow(piece)
        if sum(map(cost, file.blocks)) >= most:
            break
    blocks: list[Block] = []
    total = 0
    for block in file.blocks:
        total += cost(block)
        if blocks and total > 1.3 * most:
            break
        blocks.append(block)
    while blocks and isinstance(blocks[-1], Heading):
        blocks.pop()
    marks = {
        span.name for block in blocks if isinstance(block, Paragraph) for span in block.spans if isinstance(span, Mark)
    }
    return [*blocks, *(note for note in file.notes if note.name in marks)], file.left_out


def cost(block: Block) -> int:
    """How much of a page it takes, in characters."""
    if isinstance(block, Display):
        return 100 + 60 * block.latex.count("\\\\")
    if isinstance(block, Table):
        return 90 * (2 + block.source.count("\n"))
    if isinstance(block, List):
        return sum(40 + _length(item.spans) for item in block.items)
    if isinstance(block, Abstract):
        return 150 + sum(map(_length, block.paragraphs))
    return 40 + (_length(block.spans) if isinstance(block, Heading | Paragraph | Note) else 100)


def _length(words: Spans) -> int:
    text = letters(words)
    wide = sum(char > "\u2e80" for char in text)
    return (
        len(text)
        + wide
        + sum(2 + len(re.sub(r"\\[A-Za-z]+|[{}^_]", "x", span.latex)) for span in words if isinstance(span, Math))
    )


class _File:
    """A file on its way to be blocks."""

    def __init__(self, macros: Macros, rng: Random) -> None:
        self.macros = macros
        self.left_out: Counter[str] = Counter()
        self.blocks: list[Block] = []
        self.depth = 0
        names = ("h1", "h2", "h3", "statement", "equation", "note", "figure", "table", "cite")
        self.counts = Counter({name: rng.randrange(12) for name in names})
        self.counted = Counted(self.counts)
        self.notes = self.counted.notes

    def within(self, name: str, tex: str) -> None:
        """Blocks of what stands in an environment."""
        if self.depth == DEEPEST:
            self.left_out[f"environment {name} in too many others"] += 1
            return
        self.depth += 1
        self.flow(tex)
        self.depth -= 1

    def flow(self, tex: str) -> None:
        """Blocks of a text: its environments and headings, and the paragraphs between."""
        place = 0
        pattern = re.compile(
            rf"\\begin\{{(?P<name>[^}}]+)\}}|\\(?P<level>{'|'.join(_HEADINGS)}|title|caption|paragraph)\*?(?:\[[^\]]*\])?(?=\{{)"
            r"|\\\[|(?<!\\)\$\$|\n[ \t]*\n|\\par(?![A-Za-z])|\\(?:newcommand|renewcommand|providecommand|def|newtheorem"
            r"|DeclareMathOperator|newenvironment|renewenvironment|let)\b[^\n]*(?:\n|\Z)"
        )
        start = 0
        while found := pattern.search(tex, place):
            self._paragraph(tex[start : found.start()])
            place = start = max(self._met(tex, found), found.end())
        self._paragraph(tex[start:])

    def _met(self, tex: str, found: re.Match[str]) -> int:
        """Adds what starts there; where it ends."""
        if found["name"]:
            name = found["name"].rstrip("*")
            end, after = markdown.environment_end(tex, found.end(), name)
            self._environment(name, tex[found.end() : end])
            return after
        if found["level"]:
            inner, end = braced(tex, found.end())
            if end and found["level"] != "title":
                self._try(lambda: self._headed(found["level"], inner))
            return end
        if found[0] in ("\\[", "$$"):
            closer = re.compile(r"\\\]" if found[0] == "\\[" else r"(?<!\\)\$\$").search(tex, found.end())
            if not closer:
                self.left_out["a formula without an end"] += 1
                return len(tex)
            inner = tex[found.end() : closer.start()]
            self._try(lambda: self._display(inner, "", False))
            return closer.end()
        return found.end()

    def _try(self, add: Callable[[], None]) -> None:
        """Adds something, or counts why it can't be."""
        notes, blocks = len(self.notes), len(self.blocks)
        try:
            add()
        except (Odd, OcrError) as error:
            del self.notes[notes:], self.blocks[blocks:]
            self.left_out[
                re.sub(r" is nothing known in the formula.*", " in a formula", str(error), flags=re.DOTALL)[:60]
            ] += 1

    def _headed(self, level: str, inner: str) -> None:
        words = self._spans(inner)
        if not words:
            return
        if level in ("caption", "paragraph"):
            bold = tuple(replace(span, bold=True) if isinstance(span, Text) else span for span in words)
            self.blocks.append(Paragraph(bold if level == "paragraph" else words))
            return
        depth = _HEADINGS[level]
        for deeper in range(depth + 1, 4):
            self.counts[f"h{deeper}"] = 0
        self.counts[f"h{depth}"] += 1
        number = ".".join(str(self.counts[f"h{n}"] or 1) for n in range(1, depth + 1))
        self.blocks.append(Heading(_before(f"{number} ", words), depth))

    def _paragraph(self, tex: str) -> None:
        def add() -> None:
            words = self._spans(tex)
            if words and len(letters(words).strip()) < 3 and not any(isinstance(span, Math) for span in words):
                raise Odd("a paragraph of next to nothing")
            self.blocks += [Paragraph(words)] if words else []

        if tex.strip():
            self._try(add)

    def _display(self, tex: str, name: str, numbered: bool) -> None:
        tex = re.sub(r"\\label\s*\{[^}]*\}|\\(?:nonumber|notag)(?![A-Za-z])", "", tex)
        tex = (
            self.macros.expanded(tex).strip().rstrip(".,; \n")
            if name in ("", "equation", "displaymath")
            else self.macros.expanded(tex)
        )
        if not tex.strip():
            return
        source = f"\\begin{{{name}}}{tex}\\end{{{name}}}" if name not in ("", "equation", "displaymath") else tex
        if name == "eqnarray":
            rows = [re.sub(r"&([^&]*)&", r"&\1", row) for row in re.split(r"\\\\", tex)]
            source = "\\begin{aligned}" + "\\\\".join(rows) + "\\end{aligned}"
        shown = latex.normal(source)
        if numbered and "\\tag" not in shown:
            self.counts["equation"] += 1
            shown += rf"\tag{{{self.counts['equation']}}}"
        self.blocks.append(Display(shown))

    def _environment(self, name: str, inner: str) -> None:
        inner_text = re.sub(r"^\s*(?:\[[^\]]*\])?(?:\{[^{}]*\})*", "", inner) if name == "minipage" else inner
        if name in _DISPLAYS:
            numbered = name == "equation" and "\\label" in inner
            self._try(lambda: self._display(re.sub(r"^\{\d+\}", "", inner), name, numbered))
        elif name in _LISTS:
            self._try(lambda: self.blocks.append(List(tuple(self._items(inner, name, 0)))))
        elif name in ("tabular", "tabularx"):
            self._try(lambda: self._table(f"\\begin{{{name}}}{inner}\\end{{{name}}}"))
        elif name in ("figure", "table", "wrapfigure", "figure*", "table*"):
            self._try(lambda: self._floated(name.rstrip("*"), inner))
        elif name in _STATEMENTS or name == "proof":
            self._statement(_STATEMENTS.get(name, "Proof"), inner)
        elif name == "abstract":
            self._try(lambda: self.blocks.append(Abstract((self._spans(inner),))))
        elif name in _PLAIN:
            self.within(name, inner_text)
        else:
            self.left_out[f"environment {name[:30]}"] += 1

    def _statement(self, word: str, inner: str) -> None:
        """A theorem or the like: its word and number stand before its first paragraph."""
        title = re.match(r"\s*\[([^\]]*)\]", inner)
        self.counts["statement"] += word != "Proof"
        told = "Proof." if word == "Proof" else f"{word} {self.counts['statement']}."
        before = len(self.blocks)
        self.within(word, inner[title.end() :] if title else inner)
        if len(self.blocks) > before and isinstance(first := self.blocks[before], Paragraph):
            mark = Text(told, italic=word == "Proof", bold=word != "Proof")
            self.blocks[before] = Paragraph((mark, *_before(" ", first.spans)))

    def _floated(self, name: str, inner: str) -> None:
        """A table or figure: the caption, and the table."""
        kind = "table" if name == "table" else "figure"
        caption = re.search(r"\\caption\*?(?:\[[^\]]*\])?(?=\{)", inner)
        words = self._spans(braced(inner, caption.end())[0]) if caption else ()
        shown = re.search(r"\\begin\{tabular\}.*\\end\{tabular\}", inner, re.DOTALL)
        if kind == "table" and not shown:
            raise Odd("a table without a tabular")
        if words:
            self.counts[kind] += 1
            words = _before(f"{kind.capitalize()} {self.counts[kind]}: ", words)
        caption_first = bool(caption and shown and caption.start() < shown.start())
        if words and caption_first:
            self.blocks.append(Paragraph(words))
        if shown:
            self._table(shown[0])
        if words and not caption_first:
            self.blocks.append(Paragraph(words))

    def _table(self, tex: str) -> None:
        shown = table.converted(self.macros.expanded(tex), "latex")
        for formula in re.findall(r"\\\((.*?)\\\)", shown):
            latex.normal(formula)
        self.blocks.append(Table(shown))

    def _items(self, inner: str, name: str, level: int) -> list[Item]:
        items: list[Item] = []
        inner = re.sub(r"^\s*\[[^\]]*\]", "", inner)
        for number, (option, text) in enumerate(markdown.pieces(inner, _LISTS), 1):
            nested = re.search(rf"\\begin\{{({'|'.join(_LISTS)})\}}", text)
            own = text[: nested.start()] if nested else text
            if re.search(r"\\\[|\$\$|\\begin\{", own) or "\n\n" in own.strip():
                raise Odd("an item of several blocks")
            marker = letters(self._spans(option)) if option else f"{number}." if "enum" in name else "-"
            if option and not re.fullmatch(r"\((?:\d{1,3}|[a-z]|[ivx]{1,5})\)|\d{1,3}[.)]", marker):
                raise Odd("an item with words for its number")
            items.append(Item(marker, self._spans(own), level))
            if nested:
                end, after = markdown.environment_end(text, nested.end(), nested[1])
                if text[after:].strip() or level:
                    raise Odd("an item of several blocks")
                items += self._items(text[nested.end() : end], nested[1], level + 1)
        if not items or not all(item.spans for item in items):
            raise Odd("a list without items")
        return items

    def _spans(self, tex: str) -> Spans:
        """What a line shows. Raises Odd for what can't be shown, BadInput for formulas."""
        return line(tex, self.macros, self.counted)


def _before(text: str, words: Spans) -> Spans:
    """The words, with a text before them."""
    if words and isinstance(words[0], Text) and words[0] == Text(words[0].text):
        return (Text(text + words[0].text), *words[1:])
    return (Text(text), *words)
