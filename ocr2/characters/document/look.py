"""What a page looks like: its size, its type, its columns, how headings and lists are set."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from math import cos, pi, sin
from typing import TYPE_CHECKING

from ocr2.renderers import typst
from ocr2.renderers.typst import MODERN, MODERN_BOLD

if TYPE_CHECKING:
    from random import Random

    from ocr2.renderers.fonts import Face


@dataclass(frozen=True)
class Look:
    """What a page looks like."""

    language: str = "en"
    width: float = 595.0
    """Points, as the height."""
    height: float = 842.0
    margin: tuple[float, float] = (72.0, 64.0)
    """Left and right, above and below."""
    columns: int = 1
    size: float = 11.0
    """Of the text, in points."""
    least: float = 6.5
    """Points of the smallest type that a formula or table may be set in, where it would be too wide otherwise."""
    faces: tuple[Face, ...] = (MODERN,)
    """Of the text, the first that has a character; so are the others."""
    bold: tuple[Face, ...] = (MODERN,)
    italic: tuple[Face, ...] = (MODERN,)
    both: tuple[Face, ...] = (MODERN,)
    heads: tuple[Face, ...] = (MODERN,)
    mono: tuple[Face, ...] = (MODERN,)
    leading: float = 0.62
    """Between two lines, in em; so are the others."""
    indent: float = 0.0
    spacing: float = 1.1
    """Between paragraphs."""
    justify: bool = True
    hyphenate: bool = False
    centred: bool = False
    """Whether the headings are."""
    bullets: tuple[str, str, str] = ("•", "–", "•")
    ink: str = "#000000"
    """Of headings."""
    pictures: tuple[str, ...] = field(default=(), repr=False)
    """Markup of what stands above the captions of figures."""
    cropped: bool = False
    """Whether the page ends below its text."""
    bears: bool = False
    """Whether a formula or table is made as small as it takes, below `least` too, rather than refused."""

    @property
    def column(self) -> float:
        """How wide a column is, in points."""
        return (self.width - 2 * self.margin[0] - (self.columns - 1) * self.gutter) / self.columns

    @property
    def gutter(self) -> float:
        """Between the columns, in points."""
        return 2.2 * self.size

    @property
    def room(self) -> float:
        """How high all columns are together, in points."""
        return self.columns * (self.height - 2 * self.margin[1])


PAGES = ((595.0, 842.0), (612.0, 792.0), (516.0, 729.0), (540.0, 720.0), (482.0, 680.0))
"""Points: A4, letter, B5, two of books."""
_MODERN = (MODERN, MODERN_BOLD, replace(MODERN, italic=True), replace(MODERN_BOLD, italic=True))


@cache
def families(italic: bool, held: bool = False) -> tuple[tuple[Face, Face, Face, Face], ...]:
    """Of each family of Latin type its upright, bold, slanted and bold slanted face; those that have none left out.
    They are those that are trained on, or those held back.

    A family without slanted faces has its upright ones instead, where those are not wanted.
    """
    found = []
    for kind in ("serif", "sans"):
        some = typst.faces(kind, held)
        for family in dict.fromkeys(face.family for face in some):
            cuts = {(face.bold, face.italic): face for face in some if face.family == family}
            if italic and (False, True) not in cuts:
                continue
            if (False, False) in cuts and (True, False) in cuts:
                upright, bold = cuts[False, False], cuts[True, False]
                slanted = cuts.get((False, True), upright)
                found.append((upright, bold, slanted, cuts.get((True, True), slanted)))
    return tuple(found)


def _han(bold: bool, held: bool = False) -> tuple[Face, ...]:
    return tuple(face for face in typst.faces("han", held) if face.bold == bold and not face.family.endswith("TC"))


@cache
def _spare() -> tuple[Face, ...]:
    """Faces for signs that others lack."""
    found = {face.family: face for kind in ("sans", "serif") for face in typst.faces(kind) if not face.bold}
    return tuple(found[name] for name in ("STIX", "DejaVu Sans") if name in found)


def faced(look: Look, cuts: tuple[Face, Face, Face, Face], han: Face, heads: tuple[Face, Face] | None = None) -> Look:
    """The look in these faces: Latin ones, and a Chinese one for all but what is bold."""
    heavy = _han(True)[0]
    upright, bold, slanted, both = cuts
    head, head_han = heads or (bold, heavy)
    mono = typst.faces("mono", upright.held)[0]
    spare = _spare()
    return replace(
        look,
        faces=(upright, han, *spare),
        bold=(bold, heavy, *spare),
        italic=(slanted, han, *spare),
        both=(both, heavy, *spare),
        heads=(head, head_han, *spare),
        mono=(mono, han, *spare),
    )


def stressable(faces: tuple[Face, ...]) -> tuple[Face, ...]:
    """The faces, whose Chinese one has a bold cut: thickened letters are blots where type is small."""
    han = next(face for face in typst.faces("han") if face.family == "Noto Sans CJK SC" and not face.bold)
    return (faces[0], han, *faces[2:])


def tightened(look: Look) -> Look:
    """The look with less white: what a page with much text on it has."""
    leading = min(look.leading, 0.62 if look.language == "zh" else 0.5)
    spacing = leading if look.indent else min(look.spacing, 0.8)
    return replace(look, leading=leading, spacing=spacing, margin=(0.7 * look.margin[0], 0.6 * look.margin[1]))


def plain(chinese: bool) -> Look:
    """A page without anything special: one column, black on white."""
    look = Look("zh" if chinese else "en", bears=True)
    if chinese:
        look = replace(look, indent=2.0, leading=0.75, spacing=0.75)
    serif = next(face for face in _han(False) if "Serif" in face.family)
    return faced(look, _MODERN, serif)


def varied(rng: Random, chinese: bool, italic: bool, figures: int, held: bool = False) -> Look:
    """Any look, of a page on which so many figures have captions; `held` in type that is never trained on, but for bold
    Chinese, of which none is held back.
    """
    width, height = rng.choice(PAGES[:2] if rng.random() < 0.6 else PAGES)
    columns = 2 if rng.random() < (0.2 if chinese else 0.35) else 1
    margin = (rng.uniform(0.06, 0.1 if columns == 2 else 0.15) * width, rng.uniform(0.05, 0.09) * height)
    indent, spacing, leading = 0.0, rng.uniform(0.95, 1.5), rng.uniform(0.5, 0.75)
    if chinese:
        leading = rng.uniform(0.55, 0.95)
        indent, spacing = (2.0, leading) if rng.random() < 0.85 else (0.0, leading + rng.uniform(0.3, 0.7))
    elif rng.random() < 0.55:
        indent, spacing = rng.uniform(1.0, 2.0), leading
    look = Look(
        "zh" if chinese else "en",
        round(width, 1),
        round(height, 1),
        (round(margin[0], 1), round(margin[1], 1)),
        columns,
        leading=round(leading, 2),
        indent=round(indent, 2),
        spacing=round(spacing, 2),
        justify=rng.random() < 0.85,
        hyphenate=not chinese and rng.random() < 0.6,
        centred=rng.random() < (0.3 if columns == 1 else 0.4),
        bullets=rng.choice((("•", "–", "•"), ("•", "◦", "•"), ("–", "•", "–"), ("■", "–", "•"), ("•", "•", "•"))),
        ink=rng.choice(("#14365f", "#5a1020", "#24502c", "#333333")) if rng.random() < 0.12 else "#000000",
        pictures=tuple(picture(rng) for _ in range(figures)) if rng.random() < 0.7 else (),
    )
    cuts = _MODERN if rng.random() < 0.3 and not held else rng.choice(families(italic, held))
    han = rng.choice(_han(False, held))
    heads = None
    if rng.random() < 0.25:
        heads = (rng.choice(families(False, held))[1], rng.choice(_han(True)))
    return faced(look, cuts, han, heads)


def picture(rng: Random) -> str:
    """Markup of something without any letters: curves in a frame, bars, tiles, or shapes joined by lines."""
    width, height = rng.uniform(9, 17), rng.uniform(4, 9)
    grey = [f"luma({rng.randint(20, 210)})" for _ in range(8)]
    tones = grey if rng.random() < 0.6 else [f'rgb("#{rng.randrange(1 << 24):06x}")' for _ in range(8)]
    parts = []
    kind = rng.choice(("curves", "bars", "tiles", "shapes"))
    if kind == "curves":
        for tone in tones[: rng.randint(1, 4)]:
            rise, waves, start = rng.uniform(-0.3, 0.3), rng.uniform(0.3, 3), rng.uniform(0, 2 * pi)
            heights = [0.5 + rise * (n / 12 - 0.5) + 0.3 * sin(start + waves * n / 2) for n in range(25)]
            points = [(n / 24 * width, max(0.03, min(0.97, at)) * height) for n, at in enumerate(heights)]
            lines = "".join(f"curve.line(({x:.2f}em, {y:.2f}em))," for x, y in points[1:])
            first = f"curve.move(({points[0][0]:.2f}em, {points[0][1]:.2f}em))"
            parts.append(_put(0, 0, f"curve({first}, {lines} stroke: 0.8pt + {tone})"))
    elif kind == "bars":
        count = rng.randint(4, 8)
        for n in range(count):
            tall = rng.uniform(0.1, 0.95) * height
            wide = width / count
            box = f"rect(width: {0.7 * wide:.2f}em, height: {tall:.2f}em, fill: {tones[n % 3]})"
            parts.append(_put((n + 0.15) * wide, height - tall, box))
    elif kind == "tiles":
        side = height / 4
        for n in range(4 * int(width / side)):
            box = f"rect(width: {side:.2f}em, height: {side:.2f}em, fill: luma({rng.randint(60, 250)}))"
            parts.append(_put(n // 4 * side, n % 4 * side, box))
    else:
        count = rng.randint(3, 6)
        turns = [2 * pi * n / count for n in range(count)]
        places = [(width / 2 + 0.36 * width * cos(turn), height / 2 + 0.36 * height * sin(turn)) for turn in turns]
        for (x, y), (u, v) in pairwise(places):
            parts.append(_put(0, 0, f"line(start: ({x:.2f}em, {y:.2f}em), end: ({u:.2f}em, {v:.2f}em), stroke: 0.6pt)"))
        for n, (x, y) in enumerate(places):
            parts.append(_put(x - 0.6, y - 0.6, f"circle(radius: 0.6em, fill: {tones[n % 8]}, stroke: 0.6pt)"))
    frame = ", stroke: 0.6pt" if kind in ("curves", "bars") else ""
    return f"#box(width: {width:.2f}em, height: {height:.2f}em{frame})[{''.join(parts)}]"


def _put(x: float, y: float, what: str) -> str:
    return f"#place(top + left, dx: {x:.2f}em, dy: {y:.2f}em, {what})"
