"""What of a page can be asked for by itself: lines and paragraphs that an upright box holds, and nothing else.

Units are pixels of the page. Lines without text (see ocr2/data/pdf.py and scene.py) are places whose text isn't known:
nothing that meets them can be asked for.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

from ocr2.types import Box, Line, Page, Quad, join

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

Unit = Literal["line", "paragraph"]
UNITS: tuple[Unit, ...] = get_args(Unit)
_ENDS: dict[Unit, str] = {"line": "\n", "paragraph": "\n\n"}


class Paged(Protocol):
    """An engine of pages whose lines have places."""

    def page(self, index: int, /) -> Page: ...  # noqa: D102


class Region(NamedTuple):
    """Lines in a row that stand alone in their box."""

    lines: tuple[Line, ...]
    box: Box
    """The tightest."""
    others: tuple[Quad, ...]
    """The places of all else that is written on the page."""

    @property
    def text(self) -> str:
        """What the lines say, put together by what stands between them."""
        return join(self.lines)

    def is_alone(self, box: Box) -> bool:
        """Whether nothing else is in that box."""
        return not any(meets(box, quad) for quad in self.others)


def regions(lines: Iterable[Line], unit: Unit) -> list[Region]:
    """The page's lines or paragraphs that stand alone, in reading order. Pieces of one printed line are one."""
    known = [line for line in lines if line.quad]
    groups: list[list[Line]] = [[]]
    for line in known:
        if line.text:
            groups[-1].append(line)
            if _ENDS[unit] in line.end:
                groups.append([])
    found = []
    for group in groups:
        if group:
            mine = {id(line) for line in group}
            box = Box.around(tuple(point for line in group for point in line.place))
            region = Region(tuple(group), box, tuple(line.place for line in known if id(line) not in mine))
            found += [region] if region.is_alone(box) else []
    return found


def widened(region: Region, most: float, least: float, size: tuple[int, int], rng: Random) -> Box | None:
    """The region's box, each side moved out by up to so many pixels, as far as nothing else comes in; or None.

    At least so many, but never beyond the image, whose width and height are `size`.
    """
    box, (width, height) = region.box, size
    wishes = [rng.uniform(least, max(least, most)) for _ in range(4)]
    for share in (1.0, 0.6, 0.3, 0.0):
        left, top, right, bottom = (least + share * (wish - least) for wish in wishes)
        wide = Box(
            max(0.0, box.x0 - left),
            max(0.0, box.y0 - top),
            min(float(width), box.x1 + right),
            min(float(height), box.y1 + bottom),
        )
        if region.is_alone(wide):
            return wide
    return None


def meets(box: Box, quad: Quad) -> bool:
    """Whether an upright box and a convex quad have a part in common: no line parts them."""
    corners = ((box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1))
    axes = [(1.0, 0.0), (0.0, 1.0)]
    axes += [(y1 - y0, x0 - x1) for (x0, y0), (x1, y1) in pairwise((*quad, quad[0]))]
    for x, y in axes:
        ours, theirs = [x * px + y * py for px, py in corners], [x * px + y * py for px, py in quad]
        if x * x + y * y > 0 and (max(ours) <= min(theirs) or max(theirs) <= min(ours)):
            return False
    return True
