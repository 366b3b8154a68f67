"""A source, drawn: an SVG, a page of a PDF, or pixels, and the tool that drew it."""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast
from xml.parsers import expat

import cv2
import numpy as np

from ocr2.errors import BadInput, BadOutput, RenderFailed
from ocr2.renderers.apart import apart
from ocr2.renderers.fonts import faces, path
from ocr2.renderers.tools import need, tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

MOST_PIXELS = 16_000_000
"""No drawing has more: 4000 × 4000."""
FONTS = ("Noto Sans SC", "DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "STIXGeneral", "Noto Serif SC")
"""Families that text in an SVG can be in: any other name draws nothing. The first has Chinese."""
HELD_FONTS = ("Spectral", "WenQuanYi Micro Hei")
"""Those that it can be in besides, which are kept for tests."""


@dataclass(frozen=True)
class Drawing:
    """One picture, without paper: black or coloured on white."""

    content: bytes | Pixels
    """(H, W) or (H, W, 3) where it is pixels."""
    format: Literal["svg", "pdf", "pixels"]
    tool: str
    """Its name and version, as in "tikra 1.4.0"."""
    scale: float = 1.0
    """Pixels of the picture for each of the SVG, or for each point (1/72 inch) of the PDF."""
    outline: Callable[[], str] | None = None
    """Draws it as an SVG, where the tool can do that too."""
    places: Callable[[], NDArray[np.float32]] | None = None
    """Finds (P, 4) parts of the source that are seen, in its order, where that can be told: where each begins and ends,
    and its middle in units of the SVG from its top left."""

    def pixels(self) -> Pixels:
        """(H, W) where all of it is grey, else (H, W, 3). Raises RenderFailed, RendererMissing."""
        if self.format == "pixels":
            return cast("Pixels", self.content)
        assert isinstance(self.content, bytes)
        if self.format == "pdf":
            return cast("Pixels", apart("ocr2.renderers.drawing:page", self.content, self.scale))
        return cast("Pixels", apart("ocr2.renderers.drawing:raster", self.content.decode(), self.scale))

    def scaled(self, scale: float) -> Drawing:
        """The same, so many times as large. Raises BadOutput for pixels."""
        if self.format == "pixels":
            raise BadOutput("a picture in pixels can't be drawn larger: expected an SVG or PDF")
        return replace(self, scale=self.scale * scale)

    def svg(self) -> str:
        """As an SVG, of lines and letters where the tool draws such, else with pixels in it. Raises RenderFailed."""
        if self.format == "svg":
            assert isinstance(self.content, bytes)
            return self.content.decode()
        if self.outline:
            return self.outline()
        image = self.pixels()
        _, png = cv2.imencode(".png", image if image.ndim == 2 else image[..., ::-1])
        size = f'width="{image.shape[1]}" height="{image.shape[0]}"'
        shown = f'<image {size} href="data:image/png;base64,{b64encode(png.tobytes()).decode()}"/>'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{shown}</svg>'


def readable(text: str) -> str:
    """The text. Raises BadInput for characters that no picture of it can show: control characters but tabs and line
    ends, invisible ones, private ones, and halves of others.
    """
    unseen = {char for char in set(text) - {"\t", "\n", "\r"} if unicodedata.category(char)[0] == "C"}
    if unseen:
        first = next(char for char in text if char in unseen)
        raise BadInput(f"the character U+{ord(first):04X} in the source can't be seen in any picture: leave it out")
    return text


def _grey(image: Pixels) -> Pixels:
    """(H, W) where the three channels are the same, else (H, W, 3)."""
    if (image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all():
        return np.ascontiguousarray(image[..., 0])
    return image


def raster(svg: str, scale: float) -> Pixels:
    """(H, W) or (H, W, 3) An SVG on white, by resvg; called apart. Raises RenderFailed for one broken or too large."""
    need("resvg")
    import resvg

    _check(svg)
    tree = resvg.usvg.Tree.from_str(svg, _options())
    width, height = (max(1, round(side * scale)) for side in tree.int_size())
    if width * height > MOST_PIXELS:
        raise RenderFailed(f"a picture of {width} × {height} pixels: expected up to {MOST_PIXELS // 10**6} million")
    if "<text" in svg or not tool("tikra").version:
        matrix = (scale, 0, 0, 0, scale, 0)  # row by row
        drawn = resvg.render(tree, matrix, bg_size=(width, height), bg_color=(255, 255, 255, 255))
    else:  # the same Rust, without fonts, whose PNGs take a fifth of the time
        import tikra

        drawn = tikra.png(svg, dpi=96 * scale)
    return _grey(cast("Pixels", cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR_RGB)))


def _check(svg: str) -> None:
    """Raises RenderFailed for an SVG that shows what is elsewhere, which resvg would open."""
    if not re.search("[iI]mage|<!ENTITY", svg):  # what an element is called is always written out
        return

    def begun(name: str, told: dict[str, str]) -> None:
        if name.rpartition(":")[2] in ("image", "feImage"):
            places = [value for key, value in told.items() if key.rpartition(":")[2] == "href"]
            if not all(place.startswith("data:image/") for place in places):
                raise RenderFailed("an SVG that shows a file: expected one that has all it shows in it")

    def declared(*_: object) -> None:
        raise RenderFailed("an SVG that declares entities: expected what they stand for")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EntityDeclHandler = begun, declared
    try:
        parser.Parse(svg, True)
    except expat.ExpatError as error:
        raise RenderFailed(f"an SVG that can't be read: {error}") from error


@cache
def _options() -> Any:
    """resvg's settings, with fonts in them: to load those takes longer than to draw."""
    import resvg

    options = resvg.usvg.Options.default()
    for held in (False, True):
        for kind in ("sans", "serif", "mono", "han"):
            for face in faces(cast("Any", kind), held):
                if face.family in (*FONTS, "STIX", *HELD_FONTS):
                    options.load_font_file(str(path(face)))
    options.font_family = FONTS[1]
    return options


def page(pdf: bytes, scale: float) -> Pixels:
    """(H, W) or (H, W, 3) The first page of a PDF, by pdfium; called apart. Raises RenderFailed."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(pdf)
        width, height = document[0].get_size()
        if width * height * scale**2 > MOST_PIXELS:
            size = f"{width * scale:.0f} × {height * scale:.0f}"
            raise RenderFailed(f"a page of {size} pixels: expected up to {MOST_PIXELS // 10**6} million")
        image = document[0].render(scale=scale, rev_byteorder=True).to_numpy()[..., :3].copy()
        document.close()
    except pypdfium2.PdfiumError as error:
        raise RenderFailed(f"a PDF that can't be drawn: {error}") from error
    return _grey(image)
