r"""Pieces of HTML and Markdown that several kinds of characters are shown by.

math(r"\frac{a}{b}")           # MathML in the line; its LaTeX, where MathML can't be made
figure(svg, "CCO", "molecule") # a picture that loads and runs nothing, and its source to open below it
"""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from functools import cache
from html import escape

from ocr2.characters import formula
from ocr2.errors import OcrError, RendererMissing

_MATHML = re.compile(r"<math\b.*</math>", re.DOTALL)
NOTATIONS = {"music": "kern", "geometry": "latex", "molecule": "smiles"}
"""The kinds that are shown as pictures, and what a Markdown reader may know their notations by."""
_log = logging.getLogger(__name__)


def math(latex: str, display: bool = False) -> str:
    """The formula as MathML, which is well-formed XML; its LaTeX in `\\( \\)` or `\\[ \\]` where that can't be made."""
    source = f"\\[ {latex} \\]" if display else f"\\( {latex} \\)"
    try:
        found = _MATHML.search(formula.EXPORTS["mathml"](source).decode())
    except RendererMissing as error:
        missing(error)
        found = None
    except OcrError:
        found = None
    return found[0] if found else escape(source, quote=False)


def missing(error: RendererMissing) -> None:
    """Tells, once, that something is left as its source because a tool isn't installed."""
    told(str(error).rpartition(": ")[2])


@cache
def told(command: str) -> None:
    """Tells what installs what is missing, if that isn't told yet."""
    _log.warning("formulas and figures stay as their source, for what draws them is missing: %s", command)


def figure(svg: str, source: str, name: str) -> str:
    """The picture as HTML, well-formed XML too: nothing in it can run, and its source is there to be opened."""
    picture = f'<img alt="{name}" src="data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"/>'
    return f"<figure>{picture}<details><summary>Source</summary>{verbatim(source)}</details></figure>"


def verbatim(source: str) -> str:
    """Text as HTML, line by line as it is."""
    return f"<pre>{escape(source, quote=False)}</pre>"


def fenced(source: str, kind: str = "") -> str:
    """Text as Markdown, line by line as it is; of a figure its notation is named."""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", source))])
    return f"{fence}{NOTATIONS.get(kind, '')}\n{source.strip(chr(10))}\n{fence}"
