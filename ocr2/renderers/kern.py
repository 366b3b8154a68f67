"""Engraved music: **kern by Verovio, with a title and an author above it, as an SVG in which everything is a path.

    drawn(source, Engraving(font="Bravura", space=8), (Heading("Mazurka", face, 20, "centred"),))

Called apart: Verovio ends its process where a line has a wrong number of columns. Its own headings are centred on a
page that is wider than the music, and cut off with it, so they are drawn here.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ocr2.errors import BadInput, RenderFailed
from ocr2.renderers.fonts import path
from ocr2.renderers.tools import need

if TYPE_CHECKING:
    from ocr2.renderers.fonts import Face

FONTS = ("Leland", "Bravura", "Leipzig", "Petaluma", "Gootville")
MARGIN = 8
"""Pixels around all of it."""
_LINE = 1.35
"""Of a heading's size, from one to the next."""


@dataclass(frozen=True)
class Engraving:
    """How music is drawn."""

    font: str = FONTS[0]
    """One of FONTS: what its signs are of."""
    space: float = 8.0
    """Pixels from one line of a staff to the next."""
    width: int = 0
    """Pixels of a page that systems are broken to fit; 0 puts all in one."""
    options: tuple[tuple[str, float], ...] = ()
    """More of Verovio's own: what varies from one publisher to the next."""


class Heading(NamedTuple):
    """A line above the music."""

    text: str
    face: Face
    size: int
    """Pixels."""
    side: Literal["centred", "right", "left"]


def drawn(source: str, engraving: Engraving, headings: tuple[Heading, ...] = ()) -> tuple[str, int, int]:
    """The SVG, its width and its height, in pixels. Raises BadInput for a heading that its face can't draw,
    RenderFailed, RendererMissing; its caller has checked the source's columns.
    """
    music, width, height = _engraved(source, engraving)
    shown = [(heading, *_outlined(heading)) for heading in headings]
    wide = max([width, *(round(taken) for _, _, taken in shown)])
    parts = []
    y = float(MARGIN)
    for heading, outline, taken in shown:
        x = {"left": 0.0, "centred": (wide - taken) / 2, "right": wide - taken}[heading.side]
        parts.append(f'<g transform="translate({x + MARGIN:.2f} {y + heading.size:.2f})">{outline}</g>')
        y += _LINE * heading.size
    y = round(y + (0.3 * headings[-1].size if headings else 0))
    full, high = wide + 2 * MARGIN, y + height + MARGIN
    body = "".join(parts)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{full}" '
        f'height="{high}" viewBox="0 0 {full} {high}">{body}'
        f'<g transform="translate({MARGIN + (wide - width) // 2} {y})">{music}</g></svg>'
    )
    return svg, full, high


def midi(source: str) -> bytes:
    """The music as a standard MIDI file, every bar played once; called apart. Raises RenderFailed, RendererMissing."""
    return base64.b64decode(_loaded(source, {"expandNever": True}).renderToMIDI())  # two repeats in a row crash it


def mei(source: str) -> str:
    """The music as Verovio understands it. Raises RenderFailed, RendererMissing."""
    return str(_loaded(source, {}).getMEI({"removeIds": False}))


def _engraved(source: str, engraving: Engraving) -> tuple[str, int, int]:
    """The music alone, with no margin at its sides."""
    scale = engraving.space / 0.18  # 100 is 18 pixels a space
    options: dict[str, Any] = {
        "font": engraving.font,
        "scale": round(scale),
        "breaks": "auto" if engraving.width else "none",
        "adjustPageWidth": not engraving.width,
        "pageMarginLeft": 24 if source.count("**kern") > 1 else 0,  # for the brace
        "pageWidth": max(100, round(engraving.width * 100 / scale)) if engraving.width else 2100,
    }
    toolkit = _loaded(source, options | dict(engraving.options))
    if "*met(" in source:
        # Verovio hides these signs where a score begins with them, and draws nothing in their place
        shown = re.sub(r"(<meterSig\b[^>]*) visible=\"false\"", r"\1", toolkit.getMEI({"removeIds": False}))
        toolkit.resetXmlIdSeed(1)
        toolkit.loadData(shown)
    if toolkit.getPageCount() != 1:
        raise RenderFailed(f"the music fills {toolkit.getPageCount()} pages: expected some that fits on one")
    svg = str(toolkit.renderToSVG(1))
    found = re.search(r'<svg width="([\d.]+)px" height="([\d.]+)px"', svg)
    if not found or not re.search(r'class="(note|rest|mRest|multiRest)', svg):
        raise RenderFailed("Verovio drew nothing of the music: expected notes or rests below **kern")
    return svg[svg.index("<svg") :], round(float(found[1])), round(float(found[2]))


def _loaded(source: str, options: dict[str, Any]) -> Any:
    """Verovio with the music in it. Raises RenderFailed for what it can't read, RendererMissing."""
    need("verovio")
    toolkit = _toolkit()
    toolkit.resetOptions()
    toolkit.setOptions(_FIXED | options)
    toolkit.resetXmlIdSeed(1)
    if not toolkit.loadData(source):
        raise RenderFailed("Verovio can't read the music: expected **kern, a column for each staff")
    return toolkit


_FIXED: dict[str, Any] = {
    "adjustPageHeight": True,
    "header": "none",
    "footer": "none",
    "mnumInterval": 0,
    "pageHeight": 60000,
    "pageMarginTop": 0,
    "pageMarginBottom": 0,
    "pageMarginRight": 0,
    "svgRemoveXlink": False,
    "xmlIdSeed": 1,
}


@cache
def _toolkit() -> Any:
    """Verovio's, which takes long to load; it tells its troubles to nobody."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    return verovio.toolkit()


def _outlined(heading: Heading) -> tuple[str, float]:
    """A heading's letters as paths, from the pen at 0 on their base line, and how far the pen goes."""
    glyphs = _glyphs(heading.face)
    parts, pen = [], 0.0
    for char in heading.text:
        outline, advance = glyphs.outline(char)
        if outline is None:
            raise BadInput(f"the heading {heading.text[:40]!r} has {char!r}, which {heading.face.name} hasn't")
        if outline:
            parts.append(f'<path transform="translate({pen:.0f} 0)" d="{outline}"/>')
        pen += advance
    scale = heading.size / glyphs.units
    return f'<g transform="scale({scale:.5f} {-scale:.5f})">{"".join(parts)}</g>', pen * scale


class _Glyphs:
    """The outlines of a face that isn't variable."""

    def __init__(self, face: Face) -> None:
        from fontTools.ttLib import TTFont

        font = TTFont(path(face), fontNumber=face.index, lazy=True)
        self.units: int = font["head"].unitsPerEm
        self.names: dict[int, str] = font.getBestCmap() or {}
        self.glyphs = font.getGlyphSet()
        self.known: dict[str, tuple[str | None, float]] = {}

    def outline(self, char: str) -> tuple[str | None, float]:
        """Its path, None where the face hasn't it, and how far the pen goes."""
        from fontTools.pens.svgPathPen import SVGPathPen

        if char not in self.known:
            name = self.names.get(ord(char))
            if name is None:
                return None, 0.0
            pen = SVGPathPen(self.glyphs)
            self.glyphs[name].draw(pen)
            self.known[char] = pen.getCommands(), float(self.glyphs[name].width)
        return self.known[char]


@cache
def _glyphs(face: Face) -> _Glyphs:
    return _Glyphs(face)
