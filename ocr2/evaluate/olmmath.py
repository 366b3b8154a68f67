r"""Whether a formula stands in a transcript, as olmOCR-bench asks.

    stands(r"3x^2", r"so \( \int_a^b 3 x^{2} dx \)")        # True: all of it is in there

Published: both are drawn by KaTeX, and each sign is to have the same neighbours. Here it is the same spelling, the same
normal form, or the same signs in the same places as MathJax draws them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from xml.parsers import expat

from ocr2.characters.latex import body, normal
from ocr2.errors import BadInput, RenderFailed
from ocr2.renderers import mathpix

ACROSS, ALONG = 0.1, 0.5
"""How much farther up or down, and left or right, a sign may be from the one drawn before it, in em."""
MOST_DRAWN = 300
"""Formulas of a transcript, the first ones, that are drawn."""
_MARKS = ((r"\(", r"\)"), (r"\[", r"\]"), ("$$", "$$"), ("$", "$"))
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\S")
_MOVE = re.compile(r"(translate|scale)\(\s*(-?[\d.]+)(?:[\s,]+(-?[\d.]+))?\s*\)")


class _Sign(NamedTuple):
    """A shape, where it is drawn, in thousandths of an em."""

    shape: str
    x: float
    y: float


def formulas(text: str, dollars: bool = True) -> list[str]:
    r"""What stands in `\( \)`, `\[ \]` and, if they count, `$$ $$` and `$ $`: in this order, each taken out in turn."""
    found = []
    for opens, closes in _MARKS if dollars else _MARKS[:2]:
        rest, place = [], 0
        while (start := text.find(opens, place)) >= 0:
            end = text.find(closes, start + len(opens) + 1)
            if end < 0:
                break
            found.append(text[start + len(opens) : end].strip())
            rest.append(text[place:start])
            place = end + len(closes)
        text = "".join([*rest, text[place:]])
    return found


def stands(formula: str, text: str, dollars: bool = True) -> bool:
    """Whether the formula is one in the text, or a part of one. Raises RendererMissing."""
    from rapidfuzz import fuzz

    found = formulas(text, dollars)
    if formula in found:
        return True
    found = [*dict.fromkeys(found)]
    drawn = set(found[:MOST_DRAWN])
    found.sort(key=lambda other: -fuzz.ratio(other, formula))
    wanted = _tokens(formula)
    if wanted and any(_within(wanted, _tokens(other)) for other in found):
        return True
    signs = _signs(formula)
    return bool(signs) and any(_drawn_within(signs, _signs(other)) for other in found if other in drawn)


@lru_cache(maxsize=4096)
def _tokens(formula: str) -> tuple[str, ...]:
    """Of its one spelling, without the commas and full stops at its end; () where it has none."""
    try:
        return tuple(_TOKEN.findall(normal(formula).rstrip(".,; ")))
    except BadInput:
        return ()


def _within(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))


def _drawn_within(part: tuple[_Sign, ...], whole: tuple[_Sign, ...]) -> bool:
    """Whether the same shapes follow each other in the whole, each as far from the one before."""
    return any(
        all(_alike(part, whole[start:], place) for place in range(len(part)))
        for start in range(len(whole) - len(part) + 1)
    )


def _alike(part: tuple[_Sign, ...], whole: tuple[_Sign, ...], place: int) -> bool:
    one, other = part[place], whole[place]
    if one.shape != other.shape or not place:
        return one.shape == other.shape
    before, there = part[place - 1], whole[place - 1]
    along = (one.x - before.x) - (other.x - there.x)
    across = (one.y - before.y) - (other.y - there.y)
    return abs(along) <= 1000 * ALONG and abs(across) <= 1000 * ACROSS


@lru_cache(maxsize=4096)
def _signs(formula: str) -> tuple[_Sign, ...]:
    """The signs of the formula, in the order in which MathJax draws them; () for what it can't draw."""
    latex = re.sub(r"\\tag\*?\s*\{[^{}]*\}|\\(?:label|nonumber|notag)(?:\{[^{}]*\})?", "", body(formula))
    try:
        return _read(mathpix.formulas([(latex, True)])[0].svg) if latex.strip() else ()
    except RenderFailed:
        return ()


def _read(svg: str) -> tuple[_Sign, ...]:
    """The shapes in a picture of paths, rules and letters, where they are, and how large."""
    found: list[_Sign] = []
    places = [(1.0, 0.0, 0.0)]  # scale, x, y of what is open

    def begun(name: str, told: dict[str, str]) -> None:
        scale, x, y = places[-1]
        moves = _MOVE.findall(told.get("transform", ""))
        if name != "path" and ("x" in told or "y" in told):
            moves.append(("translate", told.get("x", "0"), told.get("y", "0")))
        for kind, first, second in moves:
            if kind == "translate":
                x, y = x + scale * float(first), y + scale * float(second or 0)
            else:
                scale *= abs(float(first))
        places.append((scale, x, y))
        shape = {"path": told.get("d", ""), "rect": "rule", "line": "line", "text": "text"}.get(name, "")
        if shape:
            found.append(_Sign(f"{shape} {scale:.2f}", x, y))

    def lettered(text: str) -> None:
        if found and text.strip():
            found[-1] = found[-1]._replace(shape=found[-1].shape + text.strip())

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler = begun, lettered
    parser.EndElementHandler = lambda name: places.pop()
    parser.Parse(svg, True)
    return tuple(found)
