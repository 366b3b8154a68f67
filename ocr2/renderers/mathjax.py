"""Which signs there are in a formula that MathJax has drawn, and where.

signs(svg)      # of its own SVG: [Sign("x", 286, -220), …], in the order of what it drew them of
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple
from xml.parsers import expat

from ocr2.errors import RenderFailed

RULE = "─"
"""The sign that a fraction's rule is."""
_PARTS = {"⎛": "(", "⎞": ")", "⎡": "[", "⎤": "]", "⎨": "{", "⎬": "}"}
"""What a tall bracket is known by, of the parts that it is put together of."""
_MOVES = re.compile(r"(translate|scale)\(([^()]*)\)")
_STEPS = re.compile(r"[A-Z]|-?\d+\.?\d*")


class Sign(NamedTuple):
    """A sign, without its typeface."""

    text: str
    x: float
    """The middle of its ink, in thousandths of an em, as is y: down, from the base line."""
    y: float


def signs(svg: str) -> list[Sign]:
    """The signs in the SVG, in the order of the formula's MathML: a fraction's rule before what is above it.

    Raises RenderFailed for formulas with numbers or with text that has no paths.
    """
    if "<svg data-" in svg or "<text" in svg:
        raise RenderFailed("a formula whose signs can't be told: it has a number, or type that is no path")
    walk = _Walk()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = walk.begun, walk.ended
    parser.Parse(svg, True)
    return [sign for sign in walk.found if sign]


class _Walk:
    """Through an SVG's elements."""

    def __init__(self) -> None:
        self.frames = [(1.0, 1.0, 0.0, 0.0)]
        """Scales and moves, across and down, of what is open."""
        self.names = [""]
        """Of MathML, for what is open."""
        self.rules: list[int] = []
        """Where in `found` those of open fractions belong."""
        self.found: list[Sign | None] = []

    def begun(self, name: str, told: dict[str, str]) -> None:
        """At the start of an element."""
        a, d, x, y = self.frames[-1]
        for kind, numbers in _MOVES.findall(told.get("transform", "")):
            first, *rest = map(float, re.split("[ ,]+", numbers.strip()))
            if kind == "scale":
                a, d = a * first, d * (rest or [first])[0]
            else:
                x, y = x + a * first, y + d * (rest or [0.0])[0]
        if told.get("data-mml-node") == "mfrac":
            self.rules.append(len(self.found))
            self.found.append(None)
        if name == "rect" and self.names[-1] == "mfrac" and float(told["width"]):
            u, v = (float(told[start]) + float(told[size]) / 2 for start, size in (("x", "width"), ("y", "height")))
            self.found[self.rules[-1]] = Sign(RULE, x + a * u, y + d * v)
        elif name == "path" and "data-c" in told and (middle := _middle(told["d"])):
            char = chr(int(told["data-c"], 16))
            text = _PARTS.get(char) or unicodedata.normalize("NFKC", char)
            self.found.append(Sign(text, x + a * middle[0], y + d * middle[1]))
        self.frames.append((a, d, x, y))
        self.names.append(told.get("data-mml-node", ""))

    def ended(self, _: str) -> None:
        """At the end of one."""
        self.frames.pop()
        if self.names.pop() == "mfrac":
            self.rules.pop()


@lru_cache(4096)
def _middle(path: str) -> tuple[float, float] | None:
    """Of the box around a path of absolute steps; None of an empty one."""
    sides: tuple[list[float], list[float]] = ([], [])
    step, count = "", 0
    for part in _STEPS.findall(path):
        if part.isalpha():
            step, count = part, 0
        else:
            sides[step == "V" or (step != "H" and count % 2)].append(float(part))
            count += 1
    return ((min(sides[0]) + max(sides[0])) / 2, (min(sides[1]) + max(sides[1])) / 2) if all(sides) else None
