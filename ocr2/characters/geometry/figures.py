"""A geometric figure while it is built: what stands where, so that labels keep clear of lines; then its TikZ.

    figure = Figure()
    figure.segment((0, 0), (4, 1))
    figure.label("A", (0, 0))
    figure.source()

Each figure has one spelling: coordinates have one decimal, its left and lower ends are at 0, statements go by what they
draw and then from left to right; a segment begins at its left end, a polygon at its leftmost corner, counter-clockwise.
"""

from __future__ import annotations

import re
from math import atan2, cos, degrees, hypot, radians, sin
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Point = tuple[float, float]
SIZE = 9.0
"""Centimetres of a figure's longer side."""
_FILL, _GRID, _AXES, _CURVE, _CIRCLE, _ARC, _BOX, _POLYGON, _SEGMENT, _MARK, _DOT, LABELS = range(12)
_SIDES = {
    "above": (0, 1),
    "right": (1, 0),
    "below": (0, -1),
    "left": (-1, 0),
    "above right": (0.8, 0.8),
    "above left": (-0.8, 0.8),
    "below right": (0.8, -0.8),
    "below left": (-0.8, -0.8),
}


class _Box(NamedTuple):
    """Where a label is, more or less."""

    x0: float
    y0: float
    x1: float
    y1: float

    def meets(self, other: _Box) -> bool:
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


def near(point: Point) -> Point:
    """The point, but for what no computer tells exactly."""
    return round(point[0], 6) + 0.0, round(point[1], 6) + 0.0


def number(value: float) -> str:
    """With one decimal, where it has any."""
    return f"{round(value, 1) + 0.0:g}"


def exact(value: float) -> str:
    """A length before the figure has its size."""
    return f"{round(value, 6) + 0.0:.6f}"


def spelled(point: Point) -> str:
    """A point before the figure has its size and place."""
    return f"({exact(point[0])},{exact(point[1])})"


def between(a: Point, b: Point, share: float = 0.5) -> Point:
    """So far on the way from one to the other."""
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def distance(a: Point, b: Point) -> float:
    """From one to the other."""
    return hypot(a[0] - b[0], a[1] - b[1])


def towards(a: Point, b: Point, far: float) -> Point:
    """So far from the first point on the way to the other."""
    return between(a, b, far / max(1e-6, distance(a, b)))


def polar(centre: Point, angle: float, radius: float) -> Point:
    """Degrees, counter-clockwise from the right."""
    return centre[0] + radius * cos(radians(angle)), centre[1] + radius * sin(radians(angle))


def angle_of(a: Point, b: Point) -> float:
    """Of the way from one to the other: degrees, 0 up to 360."""
    return degrees(atan2(b[1] - a[1], b[0] - a[0])) % 360


def foot(point: Point, a: Point, b: Point) -> Point:
    """Where the perpendicular from the point meets the line."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    share = ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / max(1e-9, dx * dx + dy * dy)
    return between(a, b, share)


def fitted(points: list[Point], size: float = SIZE) -> list[Point]:
    """The points, scaled so that they take so much, with their lower left at 0, as they are written."""
    left, low = min(x for x, _ in points), min(y for _, y in points)
    most = max(max(x for x, _ in points) - left, max(y for _, y in points) - low)
    return [near(((x - left) * size / most, (y - low) * size / most)) for x, y in points]


class Figure:
    """What is drawn, and where there is ink."""

    def __init__(self, colour: str = "") -> None:
        """An empty one."""
        self.colour = colour
        """Of lines, where it isn't black."""
        self.statements: list[tuple[int, str]] = []
        self.ink: list[Point] = []
        self.labels: list[_Box] = []
        self.extent: list[Point] = []

    def add(self, layer: int, statement: str) -> None:
        """A statement, once."""
        if (layer, statement) not in self.statements:
            self.statements.append((layer, statement))

    def options(self, *names: str) -> str:
        """In brackets; "" where there are none."""
        some = [name for name in (self.colour, *names) if name]
        return f"[{', '.join(some)}]" if some else ""

    def inked(self, a: Point, b: Point) -> None:
        """Remembers that there is a line."""
        count = max(1, int(distance(a, b) / 0.12))
        self.ink += [between(a, b, n / count) for n in range(count + 1)]
        self.extent += [a, b]

    def segment(self, a: Point, b: Point, *styles: str) -> None:
        """A line between two points; one without length isn't drawn."""
        a, b = near(a), near(b)
        if a == b:
            return
        if not any("-" in style for style in styles):  # arrows have a direction
            a, b = sorted((a, b))
        self.inked(a, b)
        self.add(_SEGMENT, f"\\draw{self.options(*styles)} {spelled(a)} -- {spelled(b)};")

    def polygon(self, corners: list[Point], *styles: str, fill: str = "") -> None:
        """A closed line."""
        corners = [near(corner) for corner in corners]
        area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, corners[1:] + corners[:1], strict=True))
        corners = corners if area > 0 else corners[::-1]
        first = corners.index(min(corners))
        corners = corners[first:] + corners[:first]
        path = " -- ".join(map(spelled, corners)) + " -- cycle;"
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            self.inked(a, b)
        if fill:
            self.add(_FILL, f"\\fill[{fill}] {path}")
        self.add(_POLYGON, f"\\draw{self.options(*styles)} {path}")

    def rectangle(self, a: Point, b: Point, *styles: str, fill: str = "") -> None:
        """With its sides upright, from its lower left to its upper right."""
        a, b = near((min(a[0], b[0]), min(a[1], b[1]))), near((max(a[0], b[0]), max(a[1], b[1])))
        for p, q in ((a, (b[0], a[1])), ((b[0], a[1]), b), (b, (a[0], b[1])), ((a[0], b[1]), a)):
            self.inked(p, q)
        if fill:
            self.add(_FILL, f"\\fill[{fill}] {spelled(a)} rectangle {spelled(b)};")
        self.add(_BOX, f"\\draw{self.options(*styles)} {spelled(a)} rectangle {spelled(b)};")

    def ellipse(self, centre: Point, across: float, up: float, *styles: str, fill: str = "") -> None:
        """A circle where both radii are the same."""
        centre = near(centre)
        path = f"{spelled(centre)} circle ({exact(across)});"
        if across != up:
            path = f"{spelled(centre)} ellipse ({exact(across)} and {exact(up)});"
        self.curved(centre, across, up, 0, 360)
        if fill:
            self.add(_FILL, f"\\fill[{fill}] {path}")
        self.add(_CIRCLE, f"\\draw{self.options(*styles)} {path}")

    def circle(self, centre: Point, radius: float, *styles: str, fill: str = "") -> None:
        """A circle."""
        self.ellipse(centre, radius, radius, *styles, fill=fill)

    def curved(self, centre: Point, across: float, up: float, start: float, end: float) -> None:
        """Remembers that there is an arc of an ellipse."""
        turns = [radians(start + (end - start) * n / 120) for n in range(121)]
        points = [(centre[0] + across * cos(turn), centre[1] + up * sin(turn)) for turn in turns]
        self.ink += points
        self.extent += points

    def arc(self, centre: Point, radius: Point, start: float, end: float, *styles: str) -> None:
        """Part of an ellipse, with these radii, counter-clockwise from one angle to another."""
        across, up = radius
        first, last = round(start), round(end)
        begin = near((centre[0] + across * cos(radians(first)), centre[1] + up * sin(radians(first))))
        shape = exact(across) if across == up else f"{exact(across)} and {exact(up)}"
        self.curved(centre, across, up, first, last)
        self.add(_ARC, f"\\draw{self.options(*styles)} {spelled(begin)} arc ({first}:{last}:{shape});")

    def sector(self, centre: Point, radius: float, start: float, end: float, fill: str) -> None:
        """A filled part of a circle."""
        begin = near(polar(centre, round(start), radius))
        path = (
            f"{spelled(near(centre))} -- {spelled(begin)} arc ({round(start)}:{round(end)}:{exact(radius)}) -- cycle;"
        )
        self.add(_FILL, f"\\fill[{fill}] {path}")

    def right_angle(self, at: Point, a: Point, b: Point, size: float = 0.4) -> None:
        """The mark of a right angle at a point, between the ways to two others."""
        one, two = towards(at, a, size), towards(at, b, size)
        corner = one[0] + two[0] - at[0], one[1] + two[1] - at[1]
        ends = sorted((near(one), near(two)))
        self.inked(one, corner)
        self.inked(corner, two)
        self.add(_MARK, f"\\draw{self.options()} {spelled(ends[0])} -- {spelled(near(corner))} -- {spelled(ends[1])};")

    def angle(self, at: Point, a: Point, b: Point, text: str = "", size: float = 0.7) -> None:
        """The arc of an angle at a point, between the ways to two others, and what it is called."""
        first, last = angle_of(at, a), angle_of(at, b)
        if (last - first) % 360 > 180:
            first, last = last, first
        first, last = round(first), round(first + (last - first) % 360)
        if last - first < 15 or min(distance(at, a), distance(at, b)) < 1.5 * size:
            return
        self.curved(near(at), size, size, first, last)
        arc = f"++({first}:{exact(size)}) arc ({first}:{last}:{exact(size)})"
        self.add(_MARK, f"\\draw{self.options()} {spelled(near(at))} {arc};")
        if text:
            self.text(text, polar(at, (first + last) / 2, size + 0.35 + (0.25 if last - first < 50 else 0.1)))

    def tick(self, a: Point, b: Point, count: int = 1) -> None:
        """Short strokes across a segment: it is as long as others that have as many."""
        turn = angle_of(a, b)
        for n in range(count):
            middle = polar(between(a, b), turn, 0.2 * (n - (count - 1) / 2))
            ends = sorted((near(polar(middle, turn + 90, 0.2)), near(polar(middle, turn - 90, 0.2))))
            self.inked(*ends)
            self.add(_MARK, f"\\draw{self.options()} {spelled(ends[0])} -- {spelled(ends[1])};")

    def dot(self, point: Point) -> None:
        """A point."""
        self.ink.append(near(point))
        self.extent.append(near(point))
        self.add(_DOT, f"\\fill{self.options()} {spelled(near(point))} circle (2pt);")

    def label(self, text: str, point: Point) -> bool:
        """What a point is called, on the side of it that is the freest; nothing where none is free."""
        point = near(point)
        wide = _width(text)
        best, found = 0.05, ""
        ink = np.array(self.ink).reshape(-1, 2)
        ink = ink[(np.abs(ink - point) >= 0.02).any(axis=1)]
        for side, (dx, dy) in _SIDES.items():
            x, y = point[0] + dx * (0.18 + wide / 2), point[1] + dy * 0.36
            box = _Box(x - wide / 2, y - 0.17, x + wide / 2, y + 0.17)
            if (room := self._room(box, ink)) > best + 0.03:
                best, found = room, side
        if not found:
            return False
        dx, dy = _SIDES[found]
        x, y = point[0] + dx * (0.18 + wide / 2), point[1] + dy * 0.36
        self.labels.append(_Box(x - wide / 2, y - 0.2, x + wide / 2, y + 0.2))
        self.add(LABELS, f"\\node[{found}] at {spelled(point)} {{${text}$}};")
        return True

    def text(self, text: str, point: Point) -> bool:
        """A text in its middle at a point; nothing where there is no room for it."""
        point = near(point)
        wide = _width(text)
        box = _Box(point[0] - wide / 2, point[1] - 0.17, point[0] + wide / 2, point[1] + 0.17)
        if self._room(box, np.array(self.ink).reshape(-1, 2)) <= 0.02:
            return False
        self.labels.append(box)
        self.add(LABELS, f"\\node at {spelled(point)} {{${text}$}};")
        return True

    def _room(self, box: _Box, ink: NDArray[np.float64]) -> float:
        """How far the nearest of the ink, (N, 2), is from the box, up to a centimetre; 0 where it meets a label."""
        if any(box.meets(other) for other in self.labels):
            return 0.0
        x, y = ink.T
        right = np.maximum(np.maximum(box.x0 - x, x - box.x1), 0)
        up = np.maximum(np.maximum(box.y0 - y, y - box.y1), 0)
        return float(np.sqrt((right * right + up * up).min(initial=1.0)))

    def source(self) -> str:
        """The TikZ: of the usual size, with its lower left at 0."""
        left, low = min(x for x, _ in self.extent), min(y for _, y in self.extent)
        most = max(max(x for x, _ in self.extent) - left, max(y for _, y in self.extent) - low)
        placed = _Placed(left, low, SIZE / most)
        final = dict.fromkeys((layer, placed.statement(text)) for layer, text in self.statements)
        ordered = sorted(final, key=lambda known: (known[0], _place(known[1]), known[1]))
        return "\n".join(["\\begin{tikzpicture}", *(text for _, text in ordered), "\\end{tikzpicture}"])


class _Placed(NamedTuple):
    """Where a figure goes, and how large it becomes."""

    left: float
    low: float
    scale: float

    def statement(self, text: str) -> str:
        """A statement as it is written in the end."""
        head, label = (text, "") if "{$" not in text else (text[: text.index("{$")], text[text.index("{$") :])
        head = re.sub(r"\((-?\d+\.\d{6}|-?\d+),(-?\d+\.\d{6}|-?\d+)\)", self._point, head)
        head = re.sub(r"\d+\.\d{6}", lambda found: number(float(found[0]) * self.scale), head)
        return _ordered(head) + label

    def _point(self, found: re.Match[str]) -> str:
        x, y = (float(found[1]) - self.left) * self.scale, (float(found[2]) - self.low) * self.scale
        return f"({number(x)},{number(y)})"


_PATH = re.compile(r"(\\\w+(?:\[[^\]]*\])? )(\([^()]*\)(?: -- \([^()]*\))+)( -- cycle)?;")


def _ordered(statement: str) -> str:
    """A segment from its left end, a mark too, a polygon from its leftmost corner: where they begin can't be seen."""
    found = _PATH.fullmatch(statement)
    if not found or "->" in found[1]:
        return statement
    points = found[2].split(" -- ")
    places = [_place(point) for point in points]
    if found[3]:
        first = places.index(min(places))
        points = points[first:] + points[:first]
    elif places[-1] < places[0]:
        points = points[::-1]
    return f"{found[1]}{' -- '.join(points)}{found[3] or ''};"


def _place(statement: str) -> list[float]:
    """Where a statement begins."""
    path = re.sub(r"\{.*|\[[^\]]*\]", "", statement)
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", path)]


def _width(text: str) -> float:
    """Of a label, in centimetres, more or less."""
    plain = re.sub(r"\\(?:frac|sqrt|circ)|[{}^_$ ]", "", text.replace("^\\circ", "o"))
    return 0.12 + 0.2 * max(1, len(re.sub(r"\\[a-zA-Z]+", "m", plain)))
