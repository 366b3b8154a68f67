"""What is written on a picture, and in which type: running text, headings, lists, figures, page numbers."""

from __future__ import annotations

from bisect import bisect
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from ocr2.characters.text import gibberish, mixed, number, salted, token
from ocr2.renderers.fonts import Face, Kind, faces
from ocr2.renderers.galley import Align, Galley, Style
from ocr2.renderers.typeset import Block

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from ocr2.data.corpus import Corpus, Language

Speech = Literal["en", "zh", "mixed"]
SPEECHES: tuple[Speech, ...] = get_args(Speech)
SIZES = (10, 11, 12, 13, 14, 16, 18, 20, 23, 26, 29, 33, 37, 42, 48, 54, 62, 70, 80, 92, 106, 122)
"""Pixels that type is large: few sizes, since every glyph is drawn anew for each."""
EASY_SIZE = 33
_LATIN: dict[Kind, float] = {"serif": 0.45, "sans": 0.37, "mono": 0.1, "hand": 0.05, "display": 0.03}


class Writing:
    """The author of one picture."""

    def __init__(self, corpus: Corpus, speech: Speech, easy: bool, rng: Random) -> None:
        """Easy: text alone, upright, of one size."""
        self.corpus, self.speech, self.easy, self.rng = corpus, speech, easy, rng
        self.files: dict[str, None] = {}
        """Those that its texts are from."""

    def words(self, style: Style, view: tuple[int, int]) -> str:
        """A number, a random string, or as many words as the picture has room for in large type."""
        rng, language = self.rng, self._language()
        kind = rng.random()
        if kind < 0.2:
            return (
                gibberish(rng, rng.randint(2, 6), self.corpus.rare) if language == "zh" else token(rng) + token(rng)[:4]
            )
        if kind < 0.3:
            return number(rng)
        text = self._passage(language)
        start = rng.randrange(len(text))
        start = text.rfind(" ", 0, start) + 1 if language == "en" else start
        room = style.size * view[0] / view[1] * rng.uniform(0.7, 1.6 if view[1] < 128 else 2.5)
        pen = Galley(text[start : start + 80], style).pen
        end = start + max(1, int((pen <= room).sum()) - 1)
        if language == "en":
            end = text.find(" ", end)
        found = text[start : end if end > 0 else start + 24].strip()
        return found if any(map(str.isalnum, found)) else number(rng)  # a sign alone may be a speck

    def style(self, size: int, short: bool = False) -> Style:
        """How all of the picture is set, but for headings."""
        rng, held = self.rng, self.corpus.held
        if self.easy:
            latin, han = faces(rng.choice(("serif", "sans")), held)[0], rng.choice(faces("han", held)[:2])
            return Style(latin, han, size, leading=1.25, before=0.5)
        weights = _LATIN | ({"display": 0.25, "hand": 0.12} if short else {})
        kind = rng.choices(list(weights), list(weights.values()))[0]
        latin = _cut(faces(kind, held), rng, 0.35 if short else 0.08)
        han = _cut(faces("han", held), rng, 0.35 if short else 0.12)
        chinese = self.speech != "en"
        align: Align = rng.choices(("justified", "left", "centred", "right"), (6, 4, 0.5, 0.2))[0]
        indent = rng.choice((0, 2, 2)) if chinese else rng.choice((0, 0, 1, 2))
        seen = indent and align in (
            "justified",
            "left",
        )  # where a paragraph begins; else there has to be room before it
        return Style(
            latin,
            han,
            size,
            leading=rng.uniform(1.2, 1.75) if chinese else rng.choice((1.15, 1.25, 1.35, 1.5, 1.7)),
            align=align,
            indent=indent,
            before=rng.choice((0, 0, 0.3, 0.8) if seen else (0.4, 0.6, 0.8)),
            spread=rng.choice((0, 0, 0, 0, 0, 0.02, 0.06)),
            gap=rng.choice((0, 0, 0.08, 0.12)) if chinese else 0,  # no space is as narrow
            kerned=rng.random() < 0.12,
            hyphens=self.speech == "en" and align == "justified" and rng.random() < 0.5,
        )

    def _language(self) -> Language:
        if self.speech == "mixed":
            return self.rng.choice(("en", "zh"))
        return self.speech

    def _passage(self, language: Language) -> str:
        passage = self.corpus.passage(self.rng, language)
        self.files[passage.file] = None
        return passage.text

    def _text(self, length: int, cut: bool, full: bool = False) -> str:
        """A paragraph of that length at most, mixed and salted; cut, it may begin anywhere; full, it is so long."""
        rng, language = self.rng, self._language()
        text = self._passage(language)
        if full:
            while len(text) < length:
                text += ("" if language == "zh" else " ") + self._passage(language)
        if cut and rng.random() < 0.7:
            start = rng.randrange(max(1, len(text) - length) if full else len(text))
            start = text.rfind(" ", 0, start) + 1 if language == "en" else start
            text = text[start:]
        text = text[:length]
        if self.speech == "mixed":
            text = mixed(text, self._passage("zh" if language == "en" else "en"), rng)
        return salted(text, rng, self.corpus.rare)

    def title(self, length: int) -> str:
        """A few words."""
        text = self._text(self.rng.randint(length // 3, length), True)
        text = text.rsplit(" ", 1)[0] if " " in text[8:] else text
        return text.strip(" ,.;:，。；：、")

    def page_number(self) -> str:
        """What stands at the foot of a page."""
        n, m = sorted((self.rng.randint(1, 480), self.rng.randint(1, 480)))
        return self.rng.choice((f"{n}", f"{n}", f"– {n} –", f"- {n} -", f"{n} / {m}", f"Page {n} of {m}"))

    def story(self, style: Style, longest: int, cut: bool) -> Iterator[Block]:
        """Paragraphs of that length at most, headings, lists and rows of figures; cut, the first begins anywhere."""
        rng = self.rng
        for n in range(400):
            kind = 1.0 if self.easy else rng.random()
            if kind < 0.12 and n:
                yield self.heading(style, rng.choice((1, 1.15, 1.3, 1.5)))
            elif kind < 0.2:
                yield from self._list(style)
            elif kind < 0.25:
                yield from self._figures(style)
            else:
                yield Block(self._text(longest, cut and not n), replace(style, indent=0) if cut and not n else style)

    def excerpt(self, style: Style, length: int) -> Iterator[Block]:
        """Text of that length from anywhere, with no end of a paragraph in it but for some."""
        for _ in range(400):
            yield Block(self._text(length, True, self.rng.random() < 0.9), style)

    def heading(self, style: Style, larger: float) -> Block:
        """A title, larger or bolder than the text, sometimes with a number before it."""
        rng = self.rng
        kind: Kind = rng.choice(("sans", "serif", style.latin.kind, style.latin.kind))
        text = self.title(40)
        if rng.random() < 0.4:
            parts = [str(rng.randint(1, 12)) for _ in range(rng.randint(1, 3))]
            text = f"{'.'.join(parts)} {text}"
        elif self.speech != "en" and rng.random() < 0.4:
            text = f"第{rng.choice('一二三四五六七八九十')}{rng.choice('章节条部')} {text}"
        if rng.random() < 0.15:
            text = text.upper()
        chosen = replace(
            style,
            latin=_cut(faces(kind, self.corpus.held), rng, 0.8),
            han=_cut(faces("han", self.corpus.held), rng, 0.7),
            size=near(style.size * larger),
            align=rng.choice(("left", "left", "centred")),
            indent=0,
            before=rng.uniform(0.3, 1.2),
            leading=1.3,
        )
        return Block(text, chosen)

    def _list(self, style: Style) -> Iterator[Block]:
        """Items with bullets or numbers."""
        rng = self.rng
        mark = rng.choice(("•", "-", "–", "*", "{}.", "{})", "({})", "（{}）" if self.speech != "en" else "[{}]"))
        base = replace(style, indent=rng.choice((0, 1.5)), hang=rng.choice((0, 1.5, 3)), before=0.4)
        for n in range(1, rng.randint(3, 8)):
            yield Block(f"{mark.format(n)} {self._text(rng.randint(15, 140), True)}", base)

    def _figures(self, style: Style) -> Iterator[Block]:
        """Rows of words and numbers."""
        rng = self.rng
        base = replace(style, indent=0, align="left", before=0.4)
        for _ in range(rng.randint(2, 6)):
            yield Block(" ".join([self.title(24), *(number(rng) for _ in range(rng.randint(1, 4)))]), base)


def near(size: float) -> int:
    """The largest of the sizes up to that, or the smallest of all."""
    return SIZES[max(0, bisect(SIZES, size) - 1)]


def _cut(some: tuple[Face, ...], rng: Random, bold: float) -> Face:
    """One of the faces: bold as often as that, else regular or, one in eight, italic."""
    family = rng.choice(sorted({face.family for face in some}))
    cuts = [face for face in some if face.family == family]
    want_bold, want_italic = rng.random() < bold, rng.random() < 0.12
    best = [face for face in cuts if face.bold == want_bold and face.italic == want_italic]
    return rng.choice(best or cuts)
