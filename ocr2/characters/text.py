"""Plain text: running text from a corpus, a fifth of which is random, so that it has to be read and can't be guessed.

    Two lines of a paragraph, as they are printed,
    and 7Rk-20 in it.

A source is paragraphs with an empty line between them; line ends within a paragraph are kept where they are drawn.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING, Literal

from ocr2.errors import BadInput
from ocr2.metrics import edit_distance, word_f1
from ocr2.renderers import paper
from ocr2.renderers.drawing import Drawing, readable
from ocr2.renderers.fonts import CODES, covered, faces
from ocr2.renderers.galley import Galley, Style
from ocr2.renderers.tools import chosen, need
from ocr2.renderers.typeset import Block, Part, typeset
from ocr2.types import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from ocr2.characters import Corpus
    from ocr2.renderers.fonts import Face

BACKENDS = ("fonts",)
EXPORTS: Mapping[str, Callable[[str], bytes]] = {}
"""Plain text is what it is."""
SIDE = 1024
"""Pixels of the page that a source is drawn on."""
SMALLEST, LARGEST = 11, 40
"""Pixels of its type."""
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_ALL = (_LOWER + _LOWER.upper() + _DIGITS).translate({ord("l"): None, ord("I"): None})
_MARKS = "!\"#$%&'()*+,-./:;<=>?@[]^_{}~"
"""Without l, I and |, which are one in some typefaces: in words they can be told apart, at random they can't."""
_HAN_MARKS = "，。、；：？！（）《》“”"


def compose(corpus: Corpus, rng: Random) -> str:
    """One to four paragraphs, English, Chinese or both."""
    languages: tuple[Literal["en", "zh"], ...] = rng.choice((("en",), ("zh",), ("en", "zh")))
    paragraphs = []
    for _ in range(rng.randint(1, 4)):
        language = rng.choice(languages)
        text = corpus.paragraph(rng, language)[:800]
        if len(languages) > 1:
            other = corpus.paragraph(rng, "zh" if language == "en" else "en")
            text = mixed(text, other, rng)
        paragraphs.append(" ".join(salted(text, rng, corpus.rare).split()))
    return "\n\n".join(paragraphs)


def draw(source: str, rng: Random | None, backend: str = "", held: bool = False) -> Drawing:
    """A page with the text on it, as large as it fits; with `rng` in some face, `held` in one that is never trained on.

    Raises BadInput for a text that is empty or too long for a page, RendererMissing.
    """
    chosen(backend, BACKENDS)
    readable(source)
    paragraphs = [part.split("\n") for part in re.split(r"\n\s*\n", source) if part.strip()]
    held = held and rng is not None
    latin, han = faces("serif" if rng is None or rng.random() < 0.6 else "sans", held), faces("han", held)
    first, second = (latin[0], han[0]) if rng is None else (rng.choice(latin), rng.choice(han))
    if lacking := _lacking(source, first, second):
        able = [
            (one, other)
            for one in (*faces("serif", held), *faces("sans", held))
            for other in han
            if not _lacking(source, one, other)
        ]
        if not able:
            raise BadInput(f"no font here has {lacking!r} (U+{ord(lacking):04X}): expected English or Chinese")
        first, second = able[0] if rng is None else rng.choice(able)
    margin = 48 if rng is None else rng.randint(24, 96)
    frame = Box(margin, margin, SIDE - margin, SIDE - margin)
    size = min(LARGEST, max(SMALLEST, round(sqrt(2 * (SIDE - 2 * margin) ** 2 / (1 + len(source))))))
    while size >= SMALLEST:
        style = Style(first, second, size, 1.4, before=0.5)
        blocks = [
            Block(line, style if not n else Style(first, second, size, 1.4))
            for part in paragraphs
            for n, line in enumerate(part)
        ]
        if (height := _height(blocks, frame.x1 - frame.x0)) <= frame.y1 - frame.y0:
            sheet = typeset([Part(blocks, [frame])], SIDE, min(SIDE, round(height) + 2 * margin))
            break
        size = min(size - 1, int(size * 0.93))
    else:
        raise BadInput(f"a text of {len(source)} characters doesn't fit on a page: expected up to some 8,000")
    if not sheet.lines:
        raise BadInput(f"the text {source[:40]!r} has nothing that the fonts can draw: expected English or Chinese")
    return Drawing(paper.plain(sheet.ink), "pixels", f"{BACKENDS[0]} {need('fonts').version}")


def _lacking(source: str, first: Face, second: Face) -> str:
    """The first character that neither face has, or that isn't simply set right of the one before; "" for none."""
    has = covered(first) | covered(second)
    for char in source:
        if char.isspace() or ((code := ord(char)) < CODES and has[code] and _stands_alone(char)):
            continue
        return char
    return ""


@lru_cache(1 << 16)
def _stands_alone(char: str) -> bool:
    """Whether it is no mark on another, and of no script that runs to the left."""
    return unicodedata.category(char)[0] != "M" and unicodedata.bidirectional(char) not in ("R", "AL")


def _height(blocks: list[Block], width: float) -> float:
    """How high the blocks are, set in lines of that width."""
    total = 0.0
    for block in blocks:
        galley, start, count = Galley(*block), 0, 0
        while start < len(galley.codes):
            start, _ = galley.broken(start, width)
            count += 1
        total += (count * block.style.leading + block.style.before) * block.style.size
    return total


def looks_like(text: str) -> bool:
    """Anything that isn't blank."""
    return bool(text.strip())


def score(predicted: str, truth: str) -> dict[str, float]:
    """Edit distance over the longer's length (0 is perfect), and F1 of the words (1 is perfect)."""
    return {"edit_distance": edit_distance(predicted, truth), "word_f1": word_f1(predicted, truth)}


def salted(text: str, rng: Random, rare: str) -> str:
    """The text with a fifth of it random on average: in one of ten cases all of it, in three of ten a third."""
    kind = rng.random()
    if kind < 0.1:
        return gibberish(rng, len(text), rare if _is_chinese(text) else "")
    if kind > 0.4:
        return text
    if not _is_chinese(text):
        return " ".join(token(rng) if rng.random() < 0.33 else word for word in text.split(" "))
    found, place = [], 0
    while place < len(text):
        length = rng.randint(1, 4)
        chosen = rng.random() < 0.33
        found.append(_strange(rng, length, rare) if chosen else text[place : place + length])
        place += length
    return "".join(found)


def gibberish(rng: Random, length: int, rare: str) -> str:
    """Random words up to that length, or random Chinese characters where there are such to choose from."""
    found: list[str] = []
    left = length
    while left > 0:
        found.append(_strange(rng, rng.randint(1, 12), rare) + rng.choice("，。、；") if rare else token(rng))
        left -= len(found[-1]) + (not rare)
    text = ("" if rare else " ").join(found)
    return text[:length].strip() or text[:1]


def token(rng: Random) -> str:
    """A random word, number or string of signs."""
    length = min(rng.randint(1, 12), rng.randint(1, 12))
    kind = rng.random()
    if kind < 0.3:
        return number(rng)
    if kind < 0.6:
        letters = "".join(rng.choices(_LOWER, k=length))
        return rng.choice((letters, letters, letters.capitalize(), letters.upper()))
    if kind < 0.8:
        return "".join(rng.choices(_ALL, k=length))
    signs = rng.choices(_ALL + 2 * _MARKS, k=length)
    signs[rng.randrange(length)] = rng.choice(_ALL)  # a sign alone may be a speck
    return "".join(signs)


def number(rng: Random) -> str:
    """A number as it is printed: an amount, a date, a time, a share, a code."""
    some = rng.randrange(10 ** rng.randint(1, 6))
    return rng.choice(
        (
            f"{some}",
            f"{some:,}",
            f"{some / 100:,.2f}",
            f"{rng.choice('$€£¥')}{some / 100:,.2f}",
            f"{some % 1000 / 10}%",
            f"{rng.randint(1900, 2030)}-{rng.randint(1, 12):02}-{rng.randint(1, 31):02}",
            f"{rng.randint(1, 28)}/{rng.randint(1, 12)}/{rng.randint(0, 99):02}",
            f"{rng.randint(0, 23)}:{rng.randint(0, 59):02}",
            f"({some % 100})",
            f"{rng.choice(_LOWER.upper())}{rng.choice(_LOWER.upper())}-{some:04}",
        )
    )


def mixed(text: str, other: str, rng: Random) -> str:
    """The text with a few words of the other one in it, for every hundred characters or so."""
    found, place = [], 0
    spaced = not _is_chinese(text) or rng.random() < 0.4
    while place < len(text):
        end = place + rng.randint(20, 160)
        if not _is_chinese(text):
            end = text.find(" ", end) if text.find(" ", end) > 0 else len(text)
        found.append(text[place:end].strip())
        found.append(_some(other, rng) if end < len(text) else "")
        place = end
    return (" " if spaced else "").join(found).strip()


def _some(text: str, rng: Random) -> str:
    """A few words or characters of it."""
    if _is_chinese(text):
        start = rng.randrange(len(text))
        return text[start : start + rng.randint(1, 8)].strip(_HAN_MARKS)
    words = text.split(" ")
    start = rng.randrange(len(words))
    return " ".join(words[start : start + rng.randint(1, 4)])


def _strange(rng: Random, length: int, rare: str) -> str:
    """Rare Chinese characters, or a random word or number."""
    if rng.random() < 0.2 or not rare:
        return token(rng)
    return "".join(rng.choices(rare, k=length))


def _is_chinese(text: str) -> bool:
    return 5 * sum("\u3400" <= char <= "\u9fff" for char in text) > len(text)
