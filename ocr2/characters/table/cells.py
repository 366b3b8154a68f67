"""What stands in the cells of invented tables: a maker of cells for each column, all alike, as a column's are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from ocr2.characters.table.drawing import longest, spare
from ocr2.characters.table.grid import Cell, Content, Piece, settled
from ocr2.characters.text import number, token
from ocr2.errors import BadInput
from ocr2.renderers import typst

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from ocr2.characters import Corpus

Language = Literal["en", "zh"]
LONGEST = 30
"""Letters of a cell."""
_ALIKE = {
    ord("\u2212"): "-",
    ord("\u2010"): "-",
    ord("\u2011"): "-",
    ord("\u2032"): "'",
    ord("\u2033"): '"',
    ord("\u00b5"): "μ",
}
"""Signs that look like another, as which they are written."""


def clean(text: str) -> str:
    """The text as it can stand in a cell: what fonts have, not too long."""
    text = " ".join(text.translate(_ALIKE).replace("''", '"').replace("``", '"').replace("--", "–").split())
    if not (text.isascii() and text.isprintable()):
        lacking = set(typst.missing(text, spare()))
        text = " ".join("".join(char for char in text if char not in lacking).split())
    if len(text) > LONGEST:
        text = text[:LONGEST].rpartition(" ")[0] or text[:LONGEST]
    return text if wide(text) <= LONGEST else text[: LONGEST // 2]


def phrase(corpus: Corpus, rng: Random, language: Language, most: int) -> str:
    """A few words, or Chinese characters; where the corpus has none of that language, of the other."""
    for each in (language, "en", "zh"):
        try:
            count = rng.randint(1, most) * (2 if each == "zh" else 1)
            if text := clean(corpus.words(rng, each, count)):
                return text[:1].upper() + text[1:] if rng.random() < 0.6 else text
        except BadInput:
            continue
    return token(rng)


def head(corpus: Corpus, rng: Random, language: Language) -> str:
    """A column's head: a few words, with a unit or not, or a formula."""
    kind = rng.random()
    if kind < 0.03:
        return formula(corpus, rng, language)()
    text = phrase(corpus, rng, language, 2)
    if kind < 0.15:
        return f"{text} ({rng.choice(_UNITS)})"
    return f"{text} (%)" if kind < 0.2 else text


def words(corpus: Corpus, rng: Random, language: Language) -> Callable[[], str]:
    """Names, or other short phrases."""
    most = rng.randint(1, 4)
    return lambda: phrase(corpus, rng, language, most)


def numbers(corpus: Corpus, rng: Random, language: Language) -> Callable[[], str]:
    """Numbers of one kind and about one size."""
    places, digits = rng.choice((0, 0, 1, 2, 2, 3)), rng.randint(1, 4)
    low = rng.choice((0, 0, 0, -(10**digits)))
    shape = rng.choice(("{}", "{}", "{}", "{}%", "{} " + rng.choice(_UNITS), "${}", "¥{}", "{} ± {}", "({})"))
    comma = "," if rng.random() < 0.4 else ""

    def make() -> str:
        told = f"{rng.uniform(low, 10**digits):{comma}.{places}f}"
        return shape.format(told if shape == "{}" else told.lstrip("-"), f"{rng.random():.{places or 1}f}")

    return make


def dates(corpus: Corpus, rng: Random, language: Language) -> Callable[[], str]:
    """Dates of one form, years, times or spans of years."""
    shape = rng.choice(
        ("{0}-{1:02}-{2:02}", "{2}/{1}/{0}", "{0}", "{0}.{1:02}", "{3} {2}, {0}", "{0}–{4}", "{1:02}:{2:02}")
    )
    shape = rng.choice(("{0}年{1}月{2}日", "{0}年", "{1}月{2}日")) if language == "zh" and rng.random() < 0.5 else shape
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

    def make() -> str:
        year, month = rng.randint(1900, 2030), rng.randint(1, 12)
        return shape.format(year, month, rng.randint(1, 28), months[month - 1], year + rng.randint(1, 20))

    return make


def anything(corpus: Corpus, rng: Random, language: Language) -> Callable[[], str]:
    """Numbers, dates and codes of any form."""
    return lambda: number(rng)


def strange(corpus: Corpus, rng: Random, language: Language) -> Callable[[], str]:
    """Random strings of letters and signs, which can't be guessed."""
    return lambda: clean(token(rng))


def sign(corpus: Corpus, rng: Random, language: Language) -> Callable[[], str]:
    """One of a few short answers."""
    signs = rng.choice(
        (("Yes", "No"), ("✓", "–"), ("是", "否"), ("+", "-", "++"), ("A", "B", "C", "D"), ("n/a", "–", "*"))
    )
    return lambda: rng.choice(signs)


def formula(corpus: Corpus, rng: Random, language: Language) -> Callable[[], str]:
    """Small formulas."""
    return lambda: f"\\( {_small_formula(rng)} \\)"


_GREEK = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "lambda",
    "mu",
    "sigma",
    "theta",
    "rho",
    "omega",
    "Delta",
    "Omega",
    "Sigma",
)
_UNITS = ("kg", "mm", "km", "s", "ms", "kg/m³", "°C", "MB", "kWh", "m²", "Hz", "GHz", "元", "万", "US$", "€", "kJ/mol")


def _small_formula(rng: Random) -> str:
    """A formula as low as a line of text, or hardly higher."""
    one, two = (
        rng.choice((*"abcdefghkmnpqrstuvxyzABCEFGHKLMNPQRSTVXYZ", *("\\" + name for name in _GREEK))) for _ in "ab"
    )
    some = rng.randint(1, 99)
    return rng.choice(
        (
            f"{one}",
            f"{one}_{{{rng.randint(0, 9)}}}",
            f"{one}^{{{rng.randint(2, 9)}}}",
            f"{one}_{{{rng.choice('ijkmn')}}}^{{{rng.randint(2, 4)}}}",
            f"{one} + {two}",
            f"{one} = {some}",
            f"{one} \\leq {some / 100}",
            f"{some / 10} \\times 10^{{{rng.randint(-9, 9)}}}",
            f"{some / 10} \\pm {rng.randint(1, 9) / 10}",
            f"\\sqrt{{{some}}}",
            f"O(n^{{{rng.randint(2, 4)}}})",
            "O(n \\log n)",
            f"{one} \\in \\mathbb{{R}}^{{{rng.choice('nmd')}}}",
            f"p < 0.{rng.choice(('05', '01', '001'))}",
            f"\\Delta {one}",
            f"\\bar{{{rng.choice('xyzuv')}}}",
            "\\infty",
            f"{one} / {two}",
            f"|{one} - {two}|",
            f"f({rng.choice('xyz')}) = {rng.randint(2, 9)} x",
        )
    )


KINDS = (words, numbers, dates, anything, strange, sign, formula)
WEIGHTS = (30, 40, 10, 8, 5, 4, 7)


@lru_cache(maxsize=4096)
def wide(text: str) -> int:
    """How long the text is, in Latin letters."""
    return longest(Cell(0, 0, content_of(text)))


def content_of(text: str) -> Content:
    """Of a text in which a formula is all or none of it."""
    if text.startswith("\\( "):
        return (Piece(text[3:-3], True),)
    return settled([Piece(text)]) if text else ()
