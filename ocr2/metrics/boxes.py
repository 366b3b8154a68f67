"""How well text is found and read in its places: what detectors and recognisers of text are scored by.

    counts = [matched(found, truth) for found, truth in pages]
    detected(counts)["hmean"]
    recognised("l0ndon", "London")["accuracy"]

Outlines are polygons, in pixels, and go around either way.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ocr2.metrics import edit_distance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Point = tuple[float, float]
Outline = tuple[Point, ...]
NEAR = 0.5
"""Of two outlines' union, or of one that lies in a region that doesn't count: what they have in common is more."""


class Region(NamedTuple):
    """Text in a place."""

    outline: Outline
    text: str = ""
    ignored: bool = False
    """Of the truth: whether it doesn't matter if it is found, as nobody can read it."""


class Matched(NamedTuple):
    """Of a page, how many regions."""

    matched: int
    """Found where one should be, each at most once."""
    right: int
    """Those with the right text."""
    found: int
    """All that were found, and count."""
    wanted: int
    """All that should be, and count."""


def matched(found: Sequence[Region], truth: Sequence[Region]) -> Matched:
    """What of the truth was found, and how much was found in all: ICDAR 2015's rule, as PaddleOCR has it.

    In the order of both, regions are paired whose outlines have more than half of their union in common. Those that lie
    for more than half in an ignored one, and what crosses itself or has no area, don't count. The right text is the
    same one, full-width forms being those of half the width (PaddleOCR's end-to-end script; that pairs the nearest
    first, and lets what lies in ignored regions count as wrong).
    """
    truth = [region for region in truth if is_simple(region.outline)]
    found = [region for region in found if is_simple(region.outline)]
    ignored = [region.outline for region in truth if region.ignored]
    wanted = [region for region in truth if not region.ignored]
    left = [
        each for each in found if not any(overlap(other, each.outline) > NEAR * area(each.outline) for other in ignored)
    ]
    count, pairs, right = len(left), 0, 0
    for region in wanted:
        hit = next((each for each in left if iou(each.outline, region.outline) > NEAR), None)
        if hit:
            left.remove(hit)
            pairs += 1
            right += _narrow(hit.text) == _narrow(region.text)
    return Matched(pairs, right, count, len(wanted))


def detected(pages: Iterable[Matched]) -> dict[str, float]:
    """Precision, recall and their harmonic mean over all regions of all pages, and `end_to_end`: that of the regions
    with the right text. Where there is nothing to find, all is right if nothing was found (PaddleOCR: all is wrong).
    """
    some = list(pages)
    pairs, right, found, wanted = (sum(page[n] for page in some) for n in range(4))
    precision, recall = _share(pairs, found, wanted), _share(pairs, wanted, found)
    return {
        "precision": precision,
        "recall": recall,
        "hmean": _harmonic(precision, recall),
        "end_to_end": _harmonic(_share(right, found, wanted), _share(right, wanted, found)),
    }


def _share(part: int, whole: int, other: int) -> float:
    return part / whole if whole else float(not other)


def _harmonic(one: float, other: float) -> float:
    return 2 * one * other / (one + other) if one + other else 0.0


def recognised(predicted: str, truth: str, *, published: bool = False) -> dict[str, float]:
    """Whether a word or line was read: `exact`, character for character; `accuracy`, spaces left out; `accuracy_alnum`,
    only ASCII letters and digits, in lower case; and `similarity`, 1 minus the edit distance over the longer's length
    without spaces.

    The last three are what PaddleOCR's RecMetric calls acc, acc with `is_filter`, and norm_edit_dis, but that it adds
    1e-5 to the count of samples. *Published*, what has neither letters nor digits in truth and prediction, such as
    Chinese, is right in the third; else it is left out of it.
    """
    ours, theirs = predicted.replace(" ", ""), truth.replace(" ", "")
    scores = {
        "exact": float(predicted == truth),
        "accuracy": float(ours == theirs),
        "similarity": 1 - edit_distance(ours, theirs),
    }
    if published or _alnum(theirs):
        scores["accuracy_alnum"] = float(_alnum(ours) == _alnum(theirs))
    return scores


def _alnum(text: str) -> str:
    return re.sub("[^0-9A-Za-z]", "", text).lower()


def _narrow(text: str) -> str:
    """The text with full-width forms of ASCII in half the width."""
    return re.sub("[！-～]", lambda char: chr(ord(char[0]) - 0xFEE0), text.replace("\u3000", " "))


# places


def iou(one: Outline, other: Outline) -> float:
    """Intersection over union of two outlines, 0 to 1; 0 where they have no area."""
    both = overlap(one, other)
    return both / (area(one) + area(other) - both) if both else 0.0


def overlap(one: Outline, other: Outline) -> float:
    """The area that two outlines have in common; neither may cross itself.

    A polygon is the sum of the triangles from its first corner to each of its sides, those that go around the other way
    counted as holes; so what two polygons have in common is the sum over pairs of triangles, which are convex.
    """
    if not _meet(one, other):
        return 0.0
    total = 0.0
    for ours in _triangles(one):
        for theirs in _triangles(other):
            a, b = _turn(*ours), _turn(*theirs)
            if a * b and _meet(ours, theirs):
                common = abs(_signed(_clipped(ours, theirs if b > 0 else theirs[::-1])))
                total += common if a * b > 0 else -common
    return max(0.0, total if _signed(one) * _signed(other) > 0 else -total)


def area(outline: Outline) -> float:
    """The area within an outline that doesn't cross itself."""
    return abs(_signed(outline))


def is_simple(outline: Outline) -> bool:
    """Whether the outline has an area, and neither crosses nor touches itself."""
    points = [point for point, after in zip(outline, (*outline[1:], *outline[:1]), strict=True) if point != after]
    sides = list(pairwise([*points, *points[:1]]))
    for n, (a, b) in enumerate(sides):
        if _turns_back(a, b, sides[(n + 1) % len(sides)][1]):
            return False
        others = sides[n + 2 : len(sides) - (n == 0)]  # but for its neighbours
        if any(_crossing(a, b, *other) for other in others):
            return False
    return _signed(outline) != 0


def _signed(outline: Sequence[Point]) -> float:
    """Its area; negative where it goes around against the clock on a page."""
    if len(outline) < 3:
        return 0.0
    x0, y0 = outline[0]
    return sum((a - x0) * (d - y0) - (c - x0) * (b - y0) for (a, b), (c, d) in pairwise(outline)) / 2


def _turn(a: Point, b: Point, c: Point) -> float:
    """Above 0 where the way from a to b to c turns right on a page, below where left, 0 where it is straight."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])


def _turns_back(a: Point, b: Point, c: Point) -> bool:
    """Whether the way from b to c is that from b to a, or part of it."""
    return _turn(a, b, c) == 0 and (a[0] - b[0]) * (c[0] - b[0]) + (a[1] - b[1]) * (c[1] - b[1]) > 0


def _crossing(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two sides have a point in common."""
    ways = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if not any(ways):
        return _meet((a, b), (c, d))
    return ways[0] * ways[1] <= 0 and ways[2] * ways[3] <= 0


def _meet(one: Sequence[Point], other: Sequence[Point]) -> bool:
    """Whether the upright boxes around them have a point in common."""
    return all(
        min(point[n] for point in one) <= max(point[n] for point in other)
        and min(point[n] for point in other) <= max(point[n] for point in one)
        for n in (0, 1)
    )


def _triangles(outline: Outline) -> list[tuple[Point, Point, Point]]:
    return [(outline[0], a, b) for a, b in pairwise(outline[1:])]


def _clipped(shape: Sequence[Point], triangle: Sequence[Point]) -> list[Point]:
    """What of a convex shape is within a triangle that goes around clockwise on a page (Sutherland and Hodgman)."""
    left = list(shape)
    for a, b in pairwise([*triangle, triangle[0]]):
        before = left
        ways = [_turn(a, b, point) for point in before]
        left = []
        for n, (point, way) in enumerate(zip(before, ways, strict=True)):
            (x, y), past = before[n - 1], ways[n - 1]
            if way * past < 0:
                share = past / (past - way)
                left.append((x + share * (point[0] - x), y + share * (point[1] - y)))
            if way >= 0:
                left.append(point)
    return left
