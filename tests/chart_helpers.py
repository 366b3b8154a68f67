"""What the tests of charts share: figures, and what is wrong with the texts of a picture."""

from __future__ import annotations

from itertools import combinations
from math import hypot
from typing import TYPE_CHECKING, Any

import numpy as np

from ocr2.characters import chart
from ocr2.renderers.figure import Figure, Look
from ocr2.renderers.fonts import FACES

if TYPE_CHECKING:
    from ocr2.characters.chart.data import Chart
    from ocr2.renderers.plan import Plan

Quad = tuple[tuple[float, float], ...]
SANS = next(face for face in FACES if face.family == "DejaVu Sans" and not face.bold and not face.italic)


def figure(form: Any, *rows: tuple[float, ...], labels: str = "Ada Bo Cy Di", **more: Any) -> Figure:
    """A figure with those values, named A, B, … where there are several rows."""
    names = tuple("ABCDE"[: len(rows)]) if len(rows) > 1 else ()
    texts = ("A title", "Source: us", "Across", "Upwards")
    return Figure(form, *texts, names, tuple(labels.split()), rows, Look(SANS, SANS, **more))


def wrong(drawn: Figure, data: Chart, written: list[tuple[str, Quad]]) -> list[str]:
    """Texts that are missing, outside the picture, or on each other."""
    found = [f"missing: {text}" for text in chart.missing(data, [text for text, _ in written])]
    for text, quad in written:
        if any(not (0 < x < drawn.look.width and 0 < y < drawn.look.height) for x, y in quad):
            found.append(f"outside: {text}")
    return found + [f"{a[0]} on {b[0]}" for a, b in combinations(written, 2) if _overlap(a[1], b[1])]


def _overlap(one: Quad, other: Quad) -> bool:
    """Whether two rectangles, turned in whatever way, share more than a rim of two pixels."""
    for quad in (one, other):
        for (x0, y0), (x1, y1) in zip(quad, (*quad[1:], quad[0]), strict=True):
            length = hypot(x1 - x0, y1 - y0)
            across, down = (y1 - y0) / length, (x0 - x1) / length
            a, b = ([x * across + y * down for x, y in points] for points in (one, other))
            if min(max(a), max(b)) - max(min(a), min(b)) < 2:
                return False
    return True


def read_bars(pixels: Any, drawn: Figure, plan: Plan) -> list[list[float]]:
    """The values as somebody would read them who has only the picture, and knows where its axis is."""
    left, top, right, bottom = plan.plot
    found = []
    for place in range(len(drawn.rows)):
        colour = [int(drawn.look.colours[place][at : at + 2], 16) for at in (1, 3, 5)]
        is_bar = (np.abs(pixels.astype(int) - colour).max(axis=2) < 12)[int(top) : int(bottom), int(left) : int(right)]
        row = []
        for slot in np.array_split(is_bar, len(drawn.labels), axis=0 if drawn.lying else 1):
            longest = slot.sum(axis=1 if drawn.lying else 0).max()
            share = longest / (right - left if drawn.lying else bottom - top)
            row.append(float(share * (plan.numbers.high - plan.numbers.low)))
        found.append(row)
    return found
