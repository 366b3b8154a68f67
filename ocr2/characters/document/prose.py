"""Pages invented: running text of a corpus with formulas woven into it, headings, lists, tables, captions, notes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from ocr2.characters import table
from ocr2.characters.document import markdown, spans, variables
from ocr2.characters.document.blocks import Abstract, Author, Display, Heading, Item, List, Note, Paragraph, Table
from ocr2.characters.document.spans import Break, Mark, Math, Text
from ocr2.characters.text import mixed, salted

if TYPE_CHECKING:
    from random import Random

    from ocr2.characters import Corpus
    from ocr2.characters.document.blocks import Block
    from ocr2.characters.document.spans import Span, Spans

LONGEST = {"en": 3000, "zh": 1600}
"""Characters of a page."""
_MOST_FORMULAS = 5
"""In a line of their own."""
_HAN = "零一二三四五六七八九十"
_ENDS = {"en": re.compile(r"[.!?](?= )"), "zh": re.compile(r"[。！？；]")}
_ONES = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_PLACES = ("University of {}", "Institute of {}", "{} Laboratory", "Department of {}")
Language = Literal["en", "zh"]


def compose(corpus: Corpus, rng: Random) -> str:
    """A page, as Mathpix Markdown. Raises BadInput where the corpus has no text."""
    return _Page(corpus, rng).text()


class _Page:
    """A page on its way to be written."""

    def __init__(self, corpus: Corpus, rng: Random) -> None:
        self.corpus, self.rng = corpus, rng
        self.language: Language = rng.choice(("en", "zh"))
        self.mixed = rng.random() < 0.12
        self.variables = variables.Variables(rng)
        self.mathematical = rng.random() < 0.7
        self.blocks: list[Block] = []
        self.notes: list[Note] = []
        self.left = round(LONGEST[self.language] * rng.uniform(0.05, 1.0) ** 0.6)
        self.displays = self.tables = self.figures = 0
        self.number = rng.randint(1, 40)
        """Of the next formula that has one."""
        self.numbered = rng.random() < 0.5
        self.heading = rng.choice(("1", "1", "1.", "I", "", "")) if self.language == "en" else rng.choice("1一第 ")
        self.section, self.subsection = rng.randint(1, 9), 0

    def text(self) -> str:
        """The page."""
        rng = self.rng
        if rng.random() < 0.25:
            self._top()
        elif rng.random() < 0.5:
            self._headed(1)
        else:
            self._paragraph()
        while self.left > 0:
            self._more()
        if not any(isinstance(block, Heading | Display | List | Abstract) for block in self.blocks):
            self._headed(1)
            self._paragraph(200)
        if isinstance(self.blocks[-1], Heading):
            self._paragraph(200)
        return markdown.written([*self.blocks, *self.notes])

    def _more(self) -> None:
        """Some text, or whatever may follow it."""
        rng = self.rng
        kind = rng.random()
        after = isinstance(self.blocks[-1], Paragraph)
        if not after or kind < 0.42:
            self._paragraph()
        elif kind < 0.57:
            self._headed(2 if self.section_seen and rng.random() < 0.6 else 1)
        elif kind < 0.77 and self.mathematical:
            self._display()
        elif kind < 0.86:
            self._list()
        elif kind < 0.93 and self.tables < 2:
            self._table()
        elif self.figures < 2:
            self.figures += 1
            self.blocks.append(Paragraph(self._caption("figure")))
            self._paragraph()

    @property
    def section_seen(self) -> bool:
        """Whether a subsection would be known for one."""
        return any(isinstance(block, Heading) and block.level == 1 for block in self.blocks)

    def _add(self, block: Block, cost: int) -> None:
        self.blocks.append(block)
        self.left -= cost

    def _prose(self, most: int) -> str:
        """Whole sentences, about so many characters of them."""
        text = self.corpus.paragraph(self.rng, self.language)
        if self.mixed:
            text = mixed(text, self.corpus.paragraph(self.rng, "zh" if self.language == "en" else "en"), self.rng)
        text = _clean(text)
        if len(text) > most:
            ends = [found.end() for found in _ENDS[self.language].finditer(text, most // 3, most)]
            cut = ends[-1] if ends else text.rfind(" ", 0, most) if self.language == "en" else most
            text = text[: max(cut, most // 3)]
        return _clean(salted(text, self.rng, self.corpus.rare))

    def _words(self, least: int, most: int) -> str:
        """A phrase."""
        count = self.rng.randint(least, most) * (1 if self.language == "en" else 2)
        return _clean(self.corpus.words(self.rng, self.language, count))

    def _paragraph(self, most: int = 0) -> None:
        most = most or self.rng.randint(120, 900) // (1 if self.language == "en" else 2)
        text = self._prose(min(most, max(80, self.left + 60)))
        some = self._woven(text)
        self._add(Paragraph(some), len(text) + sum(len(span.latex) // 2 for span in some if isinstance(span, Math)))

    def _woven(self, text: str) -> Spans:
        """The text with formulas, emphasis and marks of notes in it."""
        rng = self.rng
        places = [found.start() for found in re.finditer(r"(?<=[^\s(“‘《-]) (?=[^\W\d_])", text)]
        if self.language == "zh":
            places = [found.start() for found in re.finditer(r"(?<=[\u4e00-\u9fff，、])(?=[\u4e00-\u9fff])", text)]
        some: dict[int, Span] = {}
        if self.mathematical and rng.random() < 0.6:
            for place in rng.sample(places, min(len(places), rng.randint(1, 1 + len(text) // 120))):
                some[place] = Math(self.variables.phrase())
        if places and rng.random() < 0.05 and not self.notes:
            some[rng.choice(places)] = Mark(str(len(self.notes) + 1))
            self.notes.append(Note(str(len(self.notes) + 1), (Text(self._prose(120)),)))
        found: list[Span] = []
        start = 0
        for place in [*sorted(some), len(text)]:
            found += self._stressed(text[start:place])
            if place in some:
                tight = isinstance(some[place], Mark) or self.language == "zh"
                found += [some[place]] if tight else [Text(" "), some[place]]
            start = place
        return spans.spans(spans.written(tuple(found)))

    def _stressed(self, text: str) -> list[Span]:
        """The text, some words of it bold or, where they aren't Chinese, slanted."""
        rng = self.rng
        if rng.random() > 0.08:
            return [Text(text)]
        pattern = r"[A-Za-z]{3,}( [A-Za-z]+){0,3}(?= )" if self.language == "en" else r"[\u4e00-\u9fff]{2,6}"
        words = list(re.finditer(pattern, text))
        if not words:
            return [Text(text)]
        word = rng.choice(words)
        bold = self.language == "zh" or rng.random() < 0.5
        stressed = Text(word[0], bold=bold, italic=not bold)
        return [Text(text[: word.start()]), stressed, Text(text[word.end() :])]

    def _top(self) -> None:
        """A title, mostly with authors, often with an abstract."""
        rng = self.rng
        title = self._words(3, 9)
        self._add(Heading((Text(_capital(title)),), 0), len(title) + 60)
        if rng.random() < 0.75:
            lines = [", ".join(self._person() for _ in range(rng.randint(1, 4)))]
            if rng.random() < 0.6:
                lines.append(self._place())
            if rng.random() < 0.3:
                lines.append(self._address())
            words: list[Span] = []
            for line in lines:
                words += [Text(line), Break()]
            self._add(Author(tuple(words[:-1])), 60 * len(lines))
        if rng.random() < 0.6:
            some = self._prose(rng.randint(200, 900) // (1 if self.language == "en" else 2))
            self._add(Abstract((self._woven(some),)), len(some))
        if rng.random() < 0.8:
            self._headed(1)
        else:
            self._paragraph()

    def _person(self) -> str:
        if self.language == "zh":
            return _letters(self.corpus.words(self.rng, "zh", self.rng.randint(2, 3)))
        names = [_letters(self.corpus.words(self.rng, "en", 1)).title() for _ in range(2)]
        initial = self.rng.choice(("", "", "ABCDEFGHJKLMNPRSTVW"))
        return " ".join([names[0], *([self.rng.choice(initial) + "."] if initial else []), names[1]])

    def _place(self) -> str:
        if self.language == "zh":
            return self._words(2, 3) + self.rng.choice(("大学", "研究所", "学院"))
        return self.rng.choice(_PLACES).format(_letters(self.corpus.words(self.rng, "en", 1)).title())

    def _address(self) -> str:
        name = _letters(self.corpus.words(self.rng, "en", 1)).lower()
        return f"{name}@{self.rng.choice(('mail', 'cs', 'math'))}.{self.rng.choice(('edu', 'org', 'ac.uk', 'edu.cn'))}"

    def _headed(self, level: int) -> None:
        text = _capital(self._words(1, 6))
        if level == 1:
            self.section, self.subsection = self.section + 1, 0
        else:
            self.subsection += 1
        number = self._heading_number(level)
        self._add(Heading((Text(f"{number}{text}"),), level), 60)
        self._paragraph()

    def _heading_number(self, level: int) -> str:
        section, kind = self.section, self.heading
        if kind in ("1", "1."):
            dot = "." * (kind == "1.")
            return f"{section}{dot} " if level == 1 else f"{section}.{self.subsection}{dot} "
        if kind == "I":
            return f"{_roman(section)}. " if level == 1 else f"{chr(64 + self.subsection)}. "
        if kind in ("一", "第"):
            if level == 2:
                return f"（{_han(self.subsection)}）" if kind == "一" else f"第{_han(self.subsection)}节 "
            return f"{_han(section)}、" if kind == "一" else f"第{_han(section)}章 "
        return ""

    def _display(self) -> None:
        if self.displays >= _MOST_FORMULAS:
            return self._paragraph()
        self.displays += 1
        latex = self.variables.statement(self.corpus)
        if self.numbered and self.rng.random() < 0.7:
            latex += rf"\tag{{{self.number}}}"
            self.number += 1
        self._add(Display(latex), 120)
        return None

    def _list(self) -> None:
        rng = self.rng
        kind = rng.choice(("-", "-", "-", "1.", "1.", "1)", "(1)", "(a)", "(i)"))
        count = rng.randint(2, 6)
        longest = rng.choice((5, 12, 25))
        items: list[Item] = []
        for number in range(1, count + 1):
            some = self._item(longest)
            items.append(Item(_marker(kind, number), some))
            if kind in ("-", "1.") and rng.random() < 0.12:
                other = rng.choice(("-", "1."))
                items += [Item(_marker(other, below), self._item(8), 1) for below in range(1, rng.randint(2, 3) + 1)]
        self._add(List(tuple(items)), sum(len(spans.letters(item.spans)) + 20 for item in items))

    def _item(self, longest: int) -> Spans:
        text = _capital(self._words(2, longest))
        text += self.rng.choice(("", "", ".", ";") if self.language == "en" else ("", "。", "；"))
        return self._woven(text)

    def _table(self) -> None:
        """A table, with a caption above or below it, or none."""
        rng = self.rng
        for _ in range(4):
            source = table.compose(self.corpus, rng)
            if source.startswith("\\begin{tabular}") and 40 < len(source) < 700:
                break
        else:
            return self._paragraph()
        self.tables += 1
        caption = Paragraph(self._caption("table"))
        place = rng.random()
        self.blocks += [caption] if place < 0.4 else []
        self._add(Table(source), min(600, len(source)))
        self.blocks += [caption] if place > 0.75 else []
        return self._paragraph()

    def _caption(self, kind: Literal["figure", "table"]) -> Spans:
        rng = self.rng
        self.left -= 60
        if self.language == "zh":
            words = f"{'图' if kind == 'figure' else '表'} {rng.randint(1, 9)}{rng.choice(('', '.', '-'))}"
            if words[-1] == "-":
                words += str(rng.randint(1, 9))
            return (Text(f"{words.rstrip('.')}{rng.choice((' ', '：'))}{self._words(2, 8)}"),)
        name = rng.choice(("Figure", "Fig.")) if kind == "figure" else "Table"
        return (Text(f"{name} {rng.randint(1, 12)}{rng.choice(('.', ':'))} {_capital(self._words(3, 14))}."),)


def _clean(text: str) -> str:
    """Text that can be written as Markdown."""
    text = " ".join(text.replace("\\", "").replace("[^", "[").replace("](", "] (").split())
    return text.lstrip("-+#|>*• ") or text


def _letters(text: str) -> str:
    return re.sub(r"[^\w ]|[\d_]", "", text) or "Li"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _marker(kind: str, number: int) -> str:
    if kind == "-":
        return "-"
    return kind.replace("1", str(number)).replace("a", chr(96 + number)).replace("i", _roman(number).lower())


def _roman(number: int) -> str:
    return ("", "X", "XX", "XXX", "XL")[number // 10] + _ONES[number % 10]


def _han(number: int) -> str:
    return _HAN[number] if number <= 10 else f"十{_HAN[number % 10]}" if number % 10 else "二十"
