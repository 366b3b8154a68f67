"""What another drawing of the same source has, against a picture: formulas, geometry, music.

Pictures are compared by their ink, moved and scaled onto each other: what of one is far from any of the other is told.
Molecules, which may be turned anyhow and laid out in two ways, are found in `skeleton`, rules of tables in `ruled`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import replace
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ocr2.characters import formula, geometry, music
from ocr2.characters.latex import body
from ocr2.renderers.apart import apart
from ocr2.renderers.tools import need

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ocr2.renderers.drawing import Drawing

    Pixels = NDArray[np.uint8]

_HAN = re.compile("[\\u2e80-\\uffef]")
_DELIMITERS = set("()[]{}|/‖⌊⌋⌈⌉⟨⟩〈〉\\~^√") | set(map(chr, range(0x239B, 0x23B4)))
_ALIKE = {
    **{"−": "-", "∗": "*", "⋅": "·", "∣": "|", "∥": "‖", "′": "'", "ϵ": "ε", "ϕ": "φ", "⟶": "→", "⟵": "←", "⟹": "⇒"},
    **{
        "…": "",
        ".": "",
        "⋯": "",
        "∶": ":",
        "\u20d7": "→",
        "∖": "\\",
        "∼": "~",
        "ı": "i",
        "ȷ": "j",
        "⩽": "≤",
        "⩾": "≥",
        "⟺": "⇔",
    },
}
"""Signs that one engine has one way and another another way; dots are one sign or three."""


def shade(picture: Pixels) -> Pixels:
    """(h, w) How much darker than its paper a picture is, cut to where it is; empty where it is nowhere."""
    grey = (picture if picture.ndim == 2 else picture.min(axis=2)).astype(np.int16)
    dark = np.clip(int(np.median(grey)) - grey, 0, 255).astype(np.uint8)
    x, y, wide, high = cv2.boundingRect((dark > FAINT).astype(np.uint8))
    return dark[y : y + high, x : x + wide]


def unlike(one: Pixels, other: Pixels, near: float) -> list[tuple[int, int, int]]:
    """What is dark in either and further than so many pixels from all that is seen in the other, as large as the first:
    area, x and y of each spot, the largest first.
    """
    found = []
    for ours, theirs in ((one, other), (other, one)):
        far = cv2.distanceTransform((theirs <= FAINT).astype(np.uint8), cv2.DIST_L2, 3) > near
        spots = ((ours > DARK) & far).astype(np.uint8)
        _, _, stats, middles = cv2.connectedComponentsWithStats(spots, connectivity=8)
        found += [(int(stat[4]), round(x), round(y)) for stat, (x, y) in zip(stats[1:], middles[1:], strict=True)]
    return sorted(found, reverse=True)


def fitted(drawing: Drawing, size: tuple[int, int]) -> Pixels:
    """(h, w) The shade of a drawing, made so large."""
    plain = shade(drawing.pixels())
    close = drawing.scaled(2 * max(size[0] / plain.shape[0], size[1] / plain.shape[1]))
    return np.asarray(cv2.resize(shade(close.pixels()), size[::-1], interpolation=cv2.INTER_AREA))


FAINT, DARK = 12, 60
"""Levels of grey below that of paper: of ink that is hardly seen, and of some that is seen well."""


def picture_of_formula(picture: Pixels, source: str, backend: str = "") -> list[str]:
    """Where a picture of a formula isn't as that tool, or MathJax, draws it plainly, in lines of any weight."""
    dark = _dark(picture)
    if not dark.size:
        return ["nothing is drawn"]
    if _HAN.search(source):  # in some other type
        return []
    plain = formula.draw(source, None, backend)
    svg, (high, wide) = plain.svg(), _dark(plain.pixels()).shape
    larger = max(dark.shape[0] / high, dark.shape[1] / wide)
    found: list[list[str]] = []
    for weight in WEIGHTS:
        drawing = replace(plain, content=svg.replace('stroke-width="0"', f'stroke-width="{weight}"', 1).encode())
        close = _dark(drawing.scaled(2 * larger).pixels())
        again = cv2.resize(close, dark.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        found.append(_spots(dark, again, formula.SIZE * dark.shape[1] / wide))
        if not found[-1]:
            break
    return min(found, key=len)


def _dark(picture: Pixels) -> NDArray[np.float32]:
    """(h, w) 1 where ink is darkest, 0 on paper, cut to where there is any."""
    grey = (picture if picture.ndim == 2 else picture.min(axis=2)).astype(np.float32)
    dark = np.clip((255 - grey) / max(1.0, 255 - float(grey.min())), 0, 1)
    x, y, wide, high = cv2.boundingRect((dark > 0.4).astype(np.uint8))
    cut: NDArray[np.float32] = dark[y : y + high, x : x + wide]
    return cut


def _spots(one: NDArray[np.float32], other: NDArray[np.float32], em: float) -> list[str]:
    """Where either is dark and the other isn't, nearby."""
    around = np.ones((3, 3) if em < 30 else (5, 5), np.uint8)
    found = []
    for ours, theirs in ((one, other), (other, one)):
        more = cv2.GaussianBlur(ours, (0, 0), 0.03 * em) - cv2.dilate(
            cv2.GaussianBlur(theirs, (0, 0), 0.03 * em), around
        )
        mask = (more > DARKER).astype(np.uint8)
        _, _, stats, middles = cv2.connectedComponentsWithStats(mask, connectivity=8)
        found += [
            f"another shape at {x:.0f},{y:.0f}"
            for stat, (x, y) in zip(stats[1:], middles[1:], strict=True)
            if stat[4] >= max(2, SPOT * em**2)
        ]
    return found


WEIGHTS = (4, 14, 24)
"""Thousandths of an em that lines are thicker."""
DARKER = 0.26
"""Of the darkness of ink: what is so much darker in one drawing than anywhere near in another isn't in that."""
SPOT = 0.004
"""Square em that are so much darker."""


def signs_of_formula(source: str) -> list[str]:
    """The signs that MathJax draws and mathra doesn't, or the other way round. Raises RenderFailed, RendererMissing."""
    need("mathra")
    latex = body(source)
    tree = apart(f"{__name__}:tree", latex)
    svg, _ = apart("ocr2.renderers.mathpix:drawn", [(latex, True)])[0]
    ours = Counter(char for code in re.findall(r'data-c="([0-9A-F]+)"', svg) for char in _plain(chr(int(code, 16))))
    ours += Counter(char for text in re.findall(r"<text[^>]*>(.*?)</text>", svg) for char in _plain(text))
    theirs = Counter(char for text in _leaves(tree) for char in _plain(text))
    return [f"only MathJax: {char} ×{count}" for char, count in (ours - theirs).items()] + [
        f"only mathra: {char} ×{count}" for char, count in (theirs - ours).items()
    ]


def tree(latex: str) -> Any:
    """What mathra reads; called apart. Raises RenderFailed."""
    import mathra

    from ocr2.errors import RenderFailed

    try:
        return mathra.render(latex, display=True, strict=True)["tree"]
    except ValueError as error:
        raise RenderFailed(f"mathra: {error}") from error


def _leaves(node: Any) -> list[str]:
    """All signs of a tree."""
    if isinstance(node, list):
        return [leaf for child in node for leaf in _leaves(child)]
    if not isinstance(node, dict):
        return []
    own = [node[key] for key in ("name", "value", "symbol", "accent") if isinstance(node.get(key), str)]
    return own + [leaf for child in node.values() if isinstance(child, dict | list) for leaf in _leaves(child)]


def _plain(text: str) -> str:
    """Letters, digits and signs, without style, delimiters and what is drawn of pieces."""
    plain = unicodedata.normalize("NFKC", "".join(_ALIKE.get(char, char) for char in text))
    plain = "".join(_ALIKE.get(char, char) for char in plain)
    return "".join(
        char
        for char in plain
        if (char.isalnum() and unicodedata.category(char) != "Lm")
        or (unicodedata.category(char) == "Sm" and char not in _DELIMITERS)
    )


HEADS = ("", ">=stealth", ">=latex")
TYPES = tuple(f"every node/.style={{font=\\{size}}}" for size in ("normalsize", "small", "large"))
"""Options that nobody writes down."""
FAR = 3.5
"""Pixels that what is drawn with thicker lines is somewhere else, at most."""
SPECK = 5
"""Pixels of ink that may be anywhere."""


def picture_of_geometry(picture: Pixels, source: str) -> list[str]:
    """What TeX's drawing has and tikra's hasn't, or the other way round, in a plain picture; and where the picture has
    ink far from any of TeX's, or none near TeX's. Raises RenderFailed, RendererMissing.
    """
    need("pdflatex")
    exact, plain = geometry.draw(source, None, "pdflatex"), geometry.draw(source, None)
    ours, theirs = shade(plain.pixels()), shade(exact.pixels())
    found = []
    if max(abs(a - b) for a, b in zip(ours.shape, theirs.shape, strict=True)) > 4:
        found.append(f"{ours.shape[1]} × {ours.shape[0]} pixels, by TeX {theirs.shape[1]} × {theirs.shape[0]}")
    else:
        theirs = cv2.resize(theirs, ours.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)
        found += [f"not as TeX draws it at {x},{y}" for area, x, y in unlike(ours, theirs, 3.5) if area >= 6]
    seen = shade(picture)
    size = (seen.shape[0], seen.shape[1])
    others = []
    for head, type_ in product(HEADS, TYPES):
        again = fitted(geometry.draw(_with(source, head, type_), None), size)
        spots = [f"not in both at {x},{y}" for area, x, y in unlike(seen, again, FAR) if area >= SPECK]
        if not spots:
            return found
        others.append(spots)
    return found + min(others, key=len)


def _with(source: str, *options: str) -> str:
    """The source with options for all of its picture, after which its own count."""
    given = re.search(r"\\begin\{tikzpicture\}(\s*\[)?", source)
    if not given:
        return source
    told = ", ".join(filter(None, options))
    return f"{source[: given.start()]}\\begin{{tikzpicture}}[{told}{', ' if given[1] else ']'}{source[given.end() :]}"


_COUNTED = {
    "notes": (r"[a-gA-G]", r'class="note"'),
    "rests": (r"r", r'class="(?:rest|mRest)"'),
    "slurs": (r"\(", r'class="slur"'),
    "fermatas": (r";", r'class="fermata"'),
    "ornaments": (r"[TMW]", r'class="(?:trill|mordent|turn)"'),
    "naturals": (r"n", "#E261-"),
}
"""Signs: in tokens of **kern, and in Verovio's SVG."""


def signs_of_music(source: str) -> list[str]:
    """The signs that the source has, and the engraved music hasn't as many of, or more. Raises RenderFailed."""
    svg = music.draw(source, Random(0)).svg()
    svg = svg[svg.rfind("</defs>") :]
    rows = [line for line in source.split("\n") if line and line[0] not in "!*"]
    tokens = [part for line in rows if line[0] != "=" for token in line.split("\t") for part in token.split(" ")]
    found = []
    for name, (token, sign) in _COUNTED.items():
        told, drawn = sum(bool(re.search(token, each)) for each in tokens), len(re.findall(sign, svg))
        if name == "slurs":
            told = sum(each.count("(") for each in tokens)
        if told != drawn:
            found.append(f"{told} {name}, engraved {drawn}")
    bars, lines = sum(line[0] == "=" for line in rows), len(re.findall(r'class="measure"', svg))
    if bars and not bars <= lines <= bars + 1:
        found.append(f"{bars} bar lines, {lines} measures engraved")
    return found
