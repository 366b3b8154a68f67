"""Formulas in the type of STIX Two, by mathra: an engine of its own, which knows less LaTeX than MathJax and is faster.

    formula(r"\\frac{a}{b}").svg

It draws without rules the arrays that have some, and several signs as it does others (script letters as calligraphic
ones, bold digits as plain ones); it has no Chinese. All that is refused.
"""

from __future__ import annotations

import re

from ocr2.errors import RenderFailed
from ocr2.renderers.apart import apart
from ocr2.renderers.mathpix import Formula, boxed
from ocr2.renderers.tools import need

_RULED = re.compile(r"\\(?:hline|cline|hdashline)(?![A-Za-z])|\\begin\s*\{array\}\s*(?:\[\w\]\s*)?\{[^}]*[|:]")
_ALIKE = re.compile(
    r"\\(?:mathscr|scr|emptyset|hslash|Upsilon)(?![A-Za-z])|\\(?:mathbf|mathsf|mathtt|bf|sf|tt)\s*\{[^{}]*\d"
    r"|\\(?:boldsymbol|bm)\s*\{[^{}]*(?:\d|\\(?:digamma|epsilon|phi|varpi|varrho|vartheta)(?![A-Za-z]))"
)
"""What looks as something else does."""


def formula(source: str, display: bool = True, color: str = "black") -> Formula:
    """The formula, which is LaTeX without delimiters. Raises RenderFailed, in mathra's words; RendererMissing."""
    need("mathra")
    svg = apart(f"{__name__}:drawn", source, display)
    found = re.match(r'<svg [^>]*?viewBox="(\S+) (\S+) (\S+) (\S+)"[^>]*>(.*)</svg>\s*$', svg, re.S)
    if not found:
        raise RenderFailed(f"mathra draws no box: {svg:.80}")
    inner = re.sub(r"<(title|metadata|style|text)\b.*?</\1>", "", found[5], flags=re.S)
    inner = re.sub(r' (?:class|data-[\w-]+|mathra:[\w-]+)="[^"]*"', "", inner).replace("currentColor", color)
    left, top, wide, high = map(float, found.groups()[:4])
    return boxed(inner, (left, top, wide, high))


def drawn(source: str, display: bool) -> str:
    """Its SVG as mathra writes it; called apart. Raises RenderFailed."""
    import mathra

    if found := _RULED.search(source):
        raise RenderFailed(f"mathra draws no rules in an array: expected no {found[0]}, or another backend")
    if found := _ALIKE.search(source):
        raise RenderFailed(f"mathra draws {found[0]} as it does something else: choose another backend")
    try:
        told = mathra.render(source, display=display, strict=True)
    except ValueError as error:
        raise RenderFailed(f"mathra: {error}: {source:.80}") from error
    if told["warnings"]:
        raise RenderFailed(f"mathra: {told['warnings'][0]}: {source:.80}")
    return str(told["svg"])
