"""TikZ pictures by tikra, which is no TeX: it runs nothing, opens no file, and tells what it leaves out.

    svg, width, height = drawn(source)   # points

Called apart, for its sources are anybody's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocr2.errors import RenderFailed
from ocr2.renderers.drawing import raster
from ocr2.renderers.tools import need

if TYPE_CHECKING:
    from ocr2.renderers.drawing import Pixels

MARGIN = 6.0
"""Points around the picture."""
MOST = 4000.0
"""Points of its longer side, at most."""


def drawn(source: str) -> tuple[str, float, float]:
    """The SVG, in which text is paths, its width and its height, in points. Raises RenderFailed for what tikra can't
    draw or would leave out, in its words; RendererMissing.
    """
    need("tikra")
    import tikra

    try:
        found = tikra.render(source)
    except ValueError as error:
        raise RenderFailed(f"tikra: {error}") from error
    if found["warnings"]:
        raise RenderFailed(f"tikra: {'; '.join(found['warnings'][:3]):.300}")
    svg = re.sub(r"<title\b.*?</title>|<desc\b.*?</desc>|<metadata>.*?</metadata>", "", found["svg"], flags=re.DOTALL)
    box = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)" width="\S+" height="\S+"[^>]*>', svg)
    body = svg[box.end() : svg.rindex("</svg>")] if box else ""
    if not box or not re.search(r"<(path|use|rect|circle|ellipse|line|image)\b", body.rpartition("</defs>")[2]):
        raise RenderFailed("tikra: the picture is empty: expected something that is drawn")
    x, y, width, height = (float(number) for number in box.groups())
    if max(width, height) > MOST:
        raise RenderFailed(f"tikra: a picture of {width:.0f} × {height:.0f} points: expected up to {MOST:.0f}")
    width, height = width + 2 * MARGIN, height + 2 * MARGIN
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{x - MARGIN:g} {y - MARGIN:g} {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}">'
    )
    return f"{start}{body}</svg>", width, height


def painted(source: str, scale: float, largest: int) -> Pixels:
    """(H, W) or (H, W, 3) The picture, at so many pixels a point, or fewer where its longer side would be more than
    `largest`. Raises as `drawn`. Called apart once, it is drawn in less time than as an SVG first.
    """
    svg, width, height = drawn(source)
    return raster(svg, min(scale, largest / max(width, height)))
