r"""Presentation MathML of LaTeX, as MathJax reads it, with the LaTeX as its annotation: what browsers and Word take.

    text, = mathml([(r"\frac{a}{b}", True)])   # <math xmlns=… display="block"><semantics><mfrac>…

It says what MathML Core has in its way: letters of other alphabets are characters of their own (𝐱, ℝ) in place of a
`mathvariant`, columns are aligned by a style too, and the number of a formula is a cell of a plain row.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

from ocr2.errors import RenderFailed
from ocr2.renderers import mathpix

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_TOKENS = ("mi", "mn", "mo", "mtext", "ms")
_ROWS = ("math", "mrow", "mtd", "mstyle", "mpadded", "mphantom", "msqrt", "menclose")
"""What holds a row as it is."""
_STYLES = {
    "bold": "BOLD", "italic": "ITALIC", "bold-italic": "BOLD ITALIC", "script": "SCRIPT", "bold-script": "BOLD SCRIPT",
    "fraktur": "FRAKTUR", "bold-fraktur": "BOLD FRAKTUR", "double-struck": "DOUBLE-STRUCK", "sans-serif": "SANS-SERIF",
    "bold-sans-serif": "SANS-SERIF BOLD", "sans-serif-italic": "SANS-SERIF ITALIC",
    "sans-serif-bold-italic": "SANS-SERIF BOLD ITALIC", "monospace": "MONOSPACE",
}  # fmt: skip
_OLDER = {
    "ITALIC": "ℎ", "SCRIPT": "ℬℰℱℋℐℒℳℛℯℊℴ", "FRAKTUR": "ℭℌℑℜℨ", "DOUBLE-STRUCK": "ℂℍℕℙℚℝℤ",
}  # fmt: skip
"""Letters that Unicode had before its mathematical alphabets, which have holes there."""


def mathml(sources: Sequence[tuple[str, bool]]) -> list[str]:
    """The formulas: each LaTeX without delimiters, and whether it stands by itself or in a line.

    Raises RenderFailed for the first that MathJax can't read, in its words, RendererMissing.
    """
    told = mathpix.told(sources)
    try:
        return [_mended(one, source) for one, (source, _) in zip(told, sources, strict=True)]
    except RecursionError as error:
        raise RenderFailed("too much within each other in a formula: expected less") from error


def _mended(told: str, source: str) -> str:
    try:
        root = fromstring(told.encode())  # noqa: S314 MathJax's, which declares nothing
    except (ParseError, UnicodeEncodeError) as error:  # \unicode may be half of a character
        raise RenderFailed(f"MathJax wrote no MathML of the formula: {error}: {source:.80}") from error
    _mend(root)
    return _annotated(root, source)


def unknown(source: str, display: bool) -> str:
    """A formula that MathJax can't read: its LaTeX, marked as an error, as MathJax marks what it doesn't know."""
    root = Element("math", {"display": "block"} if display else {})
    SubElement(SubElement(root, "merror"), "mtext").text = source
    return _annotated(root, source)


def _annotated(root: Element, source: str) -> str:
    whole = Element("math", {"xmlns": NAMESPACE, **root.attrib})
    semantics = SubElement(whole, "semantics")
    above = semantics if len(root) == 1 else SubElement(semantics, "mrow")
    above.extend(root)
    SubElement(semantics, "annotation", encoding="application/x-tex").text = source
    return tostring(whole, encoding="unicode")


def _mend(element: Element) -> None:
    """Says an element, and all that is in it, in the way of MathML Core."""
    element.tag = element.tag.rpartition("}")[2]
    element.tail = None
    for name in [name for name in element.attrib if name.startswith("data-") or name in ("id", "class", "href")]:
        del element.attrib[name]
    if found := next((value for value in element.attrib.values() if re.search(r"url\s*\(", value, re.I)), ""):
        raise RenderFailed(f"{found[:60]} in the formula, which is elsewhere: expected a colour")
    if element.tag in _TOKENS:
        _lettered(element)
        return
    element.text = None
    for child in element:
        _mend(child)
    if element.tag == "mtable":
        _aligned(element)
    element[:] = [child[0] if _needless(child) else child for child in element]
    if len(element) == 1 and element.tag in _ROWS and element[0].tag == "mrow" and not element[0].attrib:
        element[:] = list(element[0])


def _needless(element: Element) -> bool:
    """Whether it is a row that says nothing, of one."""
    return element.tag == "mrow" and len(element) == 1 and not element.attrib


def _lettered(element: Element) -> None:
    """Its letters in the alphabet that it asks for."""
    variant = element.attrib.pop("mathvariant", "")
    text = element.text or ""
    if variant == "normal" and element.tag == "mi" and len(text) == 1:
        element.set("mathvariant", "normal")  # else it is italic
    elif variant in _STYLES and not (variant == "italic" and element.tag == "mi" and len(text) == 1):
        letters = _alphabet(_STYLES[variant])
        element.text = "".join(letters.get(char, char) for char in text)


@cache
def _alphabet(style: str) -> dict[str, str]:
    """Letters and digits as they are, and in that style."""
    chars = [chr(code) for code in range(0x1D400, 0x1D800)]
    start = f"MATHEMATICAL {style} "
    names = {char: unicodedata.name(char, "") for char in chars}
    plain = ("CAPITAL", "SMALL", "DIGIT", "NABLA", "PARTIAL", "EPSILON", "THETA", "KAPPA", "PHI", "RHO", "PI")
    some = [char for char, name in names.items() if name.startswith(start) and name[len(start) :].startswith(plain)]
    return {unicodedata.normalize("NFKC", char): char for char in (*some, *_OLDER.get(style, ""))}


def _aligned(table: Element) -> None:
    """Cells that aren't in the middle of their columns say so; the number of a row stands in its last cell."""
    sides = table.get("columnalign", "").split()
    close = table.get("columnspacing", "").split()[:1] == ["0em"]
    for row in table:
        if row.tag == "mlabeledtr":
            row.tag = "mtr"
            row[:] = [*row[1:], row[0]]
            cells = list(row)[:-1]
        else:
            cells = list(row)
        for place, cell in enumerate(cells):
            side = sides[min(place, len(sides) - 1)] if sides else "center"
            styles = [f"text-align: {side}"] if side in ("left", "right") else []
            styles += ["padding-left: 0", "padding-right: 0"] if close else []
            if styles:
                cell.set("style", "; ".join(styles))
