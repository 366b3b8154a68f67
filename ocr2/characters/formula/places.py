r"""Where the parts of a formula's LaTeX are seen: `x`, `\alpha`, `\frac` at its rule, `\sqrt` at its sign.

What MathJax draws of a part by itself says which signs it is. Where a formula shows a sign just as often as its parts
do, the first is the first part's, and so on: LaTeX in its one spelling has them in the order of MathML.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ocr2.errors import RenderFailed
from ocr2.renderers import mathpix
from ocr2.renderers.mathjax import RULE, signs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PART = re.compile(r"\\(?:begin|end)\{\w+\*?\}(?:\{[lcr|]+\})?|\\[A-Za-z]+|\\.|[^\s{}^_&]")
_FRACTIONS = {"\\frac", "\\dfrac", "\\tfrac"}


def places(formula: str, svg: str) -> NDArray[np.float32]:
    """(P, 4) Of each part that is seen: where it begins and ends in the formula, which is LaTeX without delimiters, and
    the middle of its first sign in MathJax's own SVG of it. Empty where that can't be told.
    """
    try:
        drawn = signs(svg)
    except RenderFailed:
        return np.zeros((0, 4), np.float32)
    where = defaultdict(list)
    for text, x, y in drawn:
        where[text].append((x, y))
    parts = [(found.span(), shown) for found in _PART.finditer(formula) if (shown := _shown(found[0]))]
    wanted = Counter(sign for _, shown in parts for sign in shown)
    passed = Counter[str]()
    rows = []
    for span, shown in parts:
        first = shown[0]
        if len(where[first]) == wanted[first]:
            rows.append((*span, *where[first][passed[first]]))
        passed.update(shown)
    return np.array(rows, np.float32).reshape(-1, 4)


@cache
def _shown(part: str) -> tuple[str, ...]:
    """The signs that a part of a formula is seen as; none of one that has to do with others only, as `\\left` has."""
    if part in _FRACTIONS:
        return (RULE,)
    for source, beside in ((part, ""), (f"{part}{{x}}", "x")):
        try:
            found = [sign.text for sign in signs(mathpix.formulas([(source, True)])[0].raw)]
        except RenderFailed:
            continue
        if beside in found:
            found.remove(beside)
        return tuple(found)
    return ()
