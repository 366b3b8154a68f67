"""Figures of plane geometry, and a few solids: what textbooks draw (GOT §3.3.2: points, lines, circles, rectangles,
triangles, polygons, angles, and what is built of them).
"""

from __future__ import annotations

from itertools import pairwise
from math import acos, degrees, sqrt
from typing import TYPE_CHECKING

from ocr2.characters.geometry.figures import (
    LABELS,
    Figure,
    Point,
    angle_of,
    between,
    distance,
    fitted,
    near,
    polar,
    spelled,
    towards,
)
from ocr2.characters.geometry.polygons import TINTS, letters, quadrilateral, regular, stroke, tint, triangle
from ocr2.characters.geometry.solids import box, pyramid, round_solid

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

COLOURS = ("red", "blue", "orange", "purple", "teal", "brown", "green!60!black")


def construction(rng: Random) -> str:
    """Any figure."""
    figure = Figure(rng.choice(COLOURS) if rng.random() < 0.12 else "")
    names, weights = zip(*_KINDS, strict=True)
    kind: Callable[[Figure, Random], None] = rng.choices(names, weights)[0]
    kind(figure, rng)
    return figure.source()


def _circle(figure: Figure, rng: Random) -> None:
    """A circle with a few lines."""
    radius = rng.choice((3.0, 3.5, 4.0))
    centre = (radius, radius)
    figure.circle(centre, radius, *stroke(rng), fill=tint(rng))
    figure.dot(centre)
    turn = rng.randint(0, 359)
    shown = rng.choice(_PARTS)(figure, rng, centre, radius, turn)
    for point, name in zip(shown, letters(rng), strict=False):
        figure.label(name, point)
    figure.label("O", centre)


def _radius(figure: Figure, rng: Random, centre: Point, radius: float, turn: int) -> list[Point]:
    end = near(polar(centre, turn, radius))
    figure.segment(centre, end)
    figure.label("r", between(centre, end))
    return [end]


def _diameter(figure: Figure, rng: Random, centre: Point, radius: float, turn: int) -> list[Point]:
    """And perhaps a triangle over it."""
    a, b = near(polar(centre, turn, radius)), near(polar(centre, turn + 180, radius))
    figure.segment(a, b)
    if rng.random() < 0.5:
        return [a, b]
    top = near(polar(centre, turn + rng.randint(50, 120), radius))
    figure.segment(a, top)
    figure.segment(b, top)
    figure.right_angle(top, a, b)
    return [a, b, top]


def _chord(figure: Figure, rng: Random, centre: Point, radius: float, turn: int) -> list[Point]:
    a, b = near(polar(centre, turn, radius)), near(polar(centre, turn + rng.randint(60, 130), radius))
    figure.segment(a, b)
    if rng.random() < 0.4:
        return [a, b]
    middle = near(between(a, b))
    figure.segment(centre, middle, *rng.choice(((), ("dashed",))))
    figure.right_angle(middle, centre, b)
    return [a, b, middle]


def _inscribed(figure: Figure, rng: Random, centre: Point, radius: float, turn: int) -> list[Point]:
    """An angle on the circle, and perhaps the one at its centre over the same arc."""
    a, b = near(polar(centre, turn, radius)), near(polar(centre, turn + rng.randint(60, 130), radius))
    tip = near(polar(centre, turn + 270, radius))
    ways = [(a, tip), (b, tip), *([(a, centre), (b, centre)] if rng.random() < 0.5 else [])]
    for one, other in ways:
        figure.segment(one, other)
    figure.angle(tip, a, b, size=0.8)
    return [a, b, tip]


def _central(figure: Figure, rng: Random, centre: Point, radius: float, turn: int) -> list[Point]:
    """Two radii, and perhaps what is between them."""
    wide = rng.randint(50, 130)
    a, b = near(polar(centre, turn, radius)), near(polar(centre, turn + wide, radius))
    if rng.random() < 0.5:
        figure.sector(centre, radius, turn, turn + wide, rng.choice(TINTS))
    figure.segment(centre, a)
    figure.segment(centre, b)
    figure.angle(centre, a, b, rng.choice(("\\theta", "\\alpha", "")))
    return [a, b]


def _tangent(figure: Figure, rng: Random, centre: Point, radius: float, turn: int) -> list[Point]:
    touch = near(polar(centre, turn, radius))
    far = near(polar(touch, turn + 90, rng.uniform(2.5, 4)))
    figure.segment(towards(touch, far, -2), far)
    figure.segment(centre, touch)
    figure.right_angle(touch, centre, far)
    return [touch, far]


def _cyclic(figure: Figure, rng: Random, centre: Point, radius: float, turn: int) -> list[Point]:
    """A quadrilateral on the circle."""
    corners = [
        near(polar(centre, turn + shift, radius)) for shift in (0, rng.randint(60, 110), rng.randint(150, 210), 270)
    ]
    figure.polygon(corners)
    return corners


_PARTS = (_radius, _diameter, _chord, _inscribed, _central, _tangent, _cyclic)


def _tangents(figure: Figure, rng: Random) -> None:
    """Two tangents from a point."""
    radius, away = rng.choice((2.0, 2.5, 3.0)), rng.uniform(5, 7)
    centre = near((radius, 3.0))
    outer = near((centre[0] + away, 3.0))
    turn = degrees(acos(radius / distance(centre, outer)))
    a, b = (near(polar(centre, side * turn, radius)) for side in (1, -1))
    figure.circle(centre, radius)
    for end in (a, b):
        figure.segment(outer, end)
        if rng.random() < 0.8:
            figure.segment(centre, end)
            figure.right_angle(end, centre, outer)
    if rng.random() < 0.5:
        figure.segment(centre, outer, "dashed")
    figure.dot(centre)
    for point, name in ((outer, "P"), (a, "A"), (b, "B"), (centre, "O")):
        figure.label(name, point)


def _two_circles(figure: Figure, rng: Random) -> None:
    first, second = rng.choice((2.0, 2.5, 3.0)), rng.choice((1.0, 1.5, 2.0, 3.0))
    kind = rng.choice(("apart", "touching", "crossing", "within"))
    far = {
        "apart": first + second + 1,
        "touching": first + second,
        "crossing": max(first, second) + 0.4 * min(first, second),
        "within": 0.0 if second < first else first + second,
    }[kind]
    one, other = (3.0, 3.0), (3.0 + far, 3.0)
    figure.circle(one, first, *stroke(rng), fill=tint(rng) if kind != "crossing" else "")
    figure.circle(other, second)
    figure.dot(one)
    if far:
        figure.dot(other)
        if rng.random() < 0.6:
            figure.segment(one, other, *rng.choice(((), ("dashed",))))
        if kind == "crossing":
            share = (first**2 - second**2 + far**2) / (2 * far)
            up = sqrt(max(0, first**2 - share**2))
            ends = (3 + share, 3 + up), (3 + share, 3 - up)
            figure.segment(*ends)
            for end, name in zip(ends, "AB", strict=True):
                figure.label(name, end)
        figure.label("O_1", one)
        figure.label("O_2", other)
    else:
        figure.label("O", one)


def _parallels(figure: Figure, rng: Random) -> None:
    """Two parallel lines and one across."""
    high, lean = rng.choice((2.0, 2.5, 3.0)), rng.choice((-1, 1)) * rng.uniform(0.8, 2)
    low_line = near((0, 1.5)), near((8, 1.5))
    high_line = near((0, 1.5 + high)), near((8, 1.5 + high))
    one, other = near((4 - lean, 1.5)), near((4 + lean, 1.5 + high))
    across = near(towards(one, other, -1.5)), near(towards(other, one, -1.5))
    arrows = rng.choice(((), ("->",), ("<->",)))
    for line in (low_line, high_line, across):
        figure.segment(*line, *arrows)
    names = rng.choice((("a", "b", "c"), ("l", "m", "t"), ("l_1", "l_2", "l_3"), ("m", "n", "p")))
    if rng.random() < 0.6:
        count = 0
        for at, line in ((other, high_line), (one, low_line)):
            ways = sorted((line[0], line[1], *across), key=lambda end, at=at: angle_of(at, end))  # type: ignore[misc]
            for first, last in zip(ways, [*ways[1:], ways[0]], strict=True):
                count += 1
                turn = (angle_of(at, last) - angle_of(at, first)) % 360
                figure.text(str(count), polar(at, angle_of(at, first) + turn / 2, 0.5 if turn > 80 else 0.75))
    else:
        figure.angle(other, across[1], high_line[1], "\\alpha")
        figure.angle(one, across[0], low_line[0], "\\beta")
    for name, line in zip(names, (high_line, low_line, across), strict=True):
        figure.label(name, line[1])


def _rays(figure: Figure, rng: Random) -> None:
    """Rays or lines through a point, and the angles between them."""
    at = (4.0, 4.0)
    count = rng.randint(2, 4)
    turns = sorted(rng.sample(range(0, 360, 15), count))
    arrows = rng.choice(((), ("->",)))
    names = letters(rng)
    ends = [near(polar(at, turn, rng.uniform(3, 4))) for turn in turns]
    for end in ends:
        figure.segment(at, end, *arrows)
    for one, other in pairwise(ends):
        turn = round((angle_of(at, other) - angle_of(at, one)) % 360)
        if turn == 90:
            figure.right_angle(at, one, other)
        elif turn < 170 and rng.random() < 0.8:
            figure.angle(at, one, other, rng.choice((f"{turn}^\\circ", "", rng.choice(("\\alpha", "\\theta", "x")))))
    for end, name in zip(ends, names, strict=False):
        figure.label(name, end)
    figure.label("O", at)


def _crossing_lines(figure: Figure, rng: Random) -> None:
    """A few lines, with points where they meet."""
    points = fitted([(rng.uniform(0, 9), rng.uniform(0, 7)) for _ in range(rng.randint(4, 6))])
    names = letters(rng)
    for n, point in enumerate(points):
        figure.dot(point)
        if n and rng.random() < 0.75:
            figure.segment(points[rng.randrange(n)], point, *rng.choice(((), (), ("dashed",), ("thick",))))
    for point, name in zip(points, names, strict=False):
        if rng.random() < 0.9:
            figure.label(name, point)


def _number_line(figure: Figure, rng: Random) -> None:
    low = -rng.randint(0, 4)
    high = rng.randint(3, 5)
    figure.segment((low - 0.7, 0), (high + 0.7, 0), "->")
    for place in range(low, high + 1):
        figure.segment((place, -0.1), (place, 0.1))
        figure.add(LABELS, f"\\node[below] at {spelled((place, -0.1))} {{${place}$}};")
    taken: list[float] = []
    for name in letters(rng)[: rng.randint(1, 3)]:
        spot = rng.randint(10 * low, 10 * high) / 10
        if any(abs(spot - other) < 0.5 for other in taken):
            continue
        taken.append(spot)
        figure.dot((spot, 0))
        figure.add(LABELS, f"\\node[above] at {spelled((spot, 0.1))} {{${name}$}};")


def _shapes(figure: Figure, rng: Random) -> None:
    """A few shapes beside and over each other."""
    for _ in range(rng.randint(2, 5)):
        figure.colour = rng.choice(COLOURS) if rng.random() < 0.5 else ""
        style, fill = stroke(rng), tint(rng)
        if rng.random() < 0.15:
            style = (*style, "dashed")
        x, y = rng.uniform(0, 6), rng.uniform(0, 5)
        kind = rng.choice(("circle", "ellipse", "rectangle", "triangle", "segment", "polygon", "arc"))
        if kind == "circle":
            figure.circle((x + 1.5, y + 1.5), rng.uniform(0.5, 2), *style, fill=fill)
        elif kind == "ellipse":
            figure.ellipse((x + 1.5, y + 1.5), rng.uniform(0.8, 2.5), rng.uniform(0.5, 1.5), *style, fill=fill)
        elif kind == "rectangle":
            figure.rectangle((x, y), (x + rng.uniform(0.8, 4), y + rng.uniform(0.8, 3)), *style, fill=fill)
        elif kind == "segment":
            figure.segment((x, y), (x + rng.uniform(-3, 3), y + rng.uniform(1, 3)), *style, *rng.choice(((), ("->",))))
        elif kind == "arc":
            first = rng.randint(0, 270)
            figure.arc((x + 2, y + 2), (1.5, 1.5), first, first + rng.randint(60, 200), *style)
        else:
            count = 3 if kind == "triangle" else rng.randint(4, 6)
            turn = rng.uniform(0, 360)
            corners = [polar((x + 1.5, y + 1.5), turn + 360 * n / count, rng.uniform(1, 2)) for n in range(count)]
            figure.polygon(corners, *style, fill=fill)
    figure.colour = ""


_KINDS: tuple[tuple[Callable[[Figure, Random], None], int], ...] = (
    (triangle, 10),
    (quadrilateral, 6),
    (regular, 3),
    (_circle, 6),
    (_tangents, 2),
    (_two_circles, 2),
    (_parallels, 3),
    (_rays, 3),
    (_crossing_lines, 3),
    (_number_line, 1),
    (_shapes, 5),
    (box, 2),
    (round_solid, 2),
    (pyramid, 2),
)
