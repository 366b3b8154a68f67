"""Triangles, quadrilaterals and other polygons, with what textbooks draw in them."""

from __future__ import annotations

from math import cos, radians, sin, sqrt
from typing import TYPE_CHECKING

from ocr2.characters.geometry.figures import angle_of, between, distance, fitted, foot, near, polar

if TYPE_CHECKING:
    from random import Random

    from ocr2.characters.geometry.figures import Figure, Point

TINTS = ("blue!20", "red!20", "green!20", "orange!30", "gray!30", "teal!20")
_SETS = ("ABCDEFGH", "PQRSTUVW", "MNPQRSTU", "KLMNPQRS", "XYZWUVST", "DEFGHIJK")


def letters(rng: Random) -> str:
    """What points are called, one after the other."""
    return rng.choice(_SETS[:1] * 3 + _SETS)


def stroke(rng: Random) -> tuple[str, ...]:
    """Options of a line: mostly none."""
    return ("thick",) if rng.random() < 0.25 else ()


def tint(rng: Random) -> str:
    """What a shape is filled with: mostly nothing."""
    return rng.choice(TINTS) if rng.random() < 0.2 else ""


def _corners(figure: Figure, rng: Random, corners: list[Point], names: str) -> None:
    """Dots on the corners, or none, and their names."""
    dots = rng.random() < 0.4
    for corner in corners if dots else ():
        figure.dot(corner)
    if rng.random() < 0.92:
        for corner, name in zip(corners, names, strict=False):
            figure.label(name, corner)


def _triangle_of(rng: Random) -> tuple[list[Point], str]:
    """Three corners, and which triangle it is."""
    kind = rng.choice(("any", "any", "right", "isosceles", "equilateral"))
    base, high = rng.uniform(5, 9), rng.uniform(3, 7)
    top = {"right": 0.0, "isosceles": base / 2, "equilateral": base / 2}.get(kind, rng.uniform(0.15, 0.85) * base)
    if kind == "equilateral":
        high = base * sqrt(3) / 2
    corners = [(0.0, 0.0), (base, 0.0), (top, high)]
    if kind == "right" and rng.random() < 0.5:
        corners = [(base - x, y) for x, y in corners]
    if rng.random() < 0.2:
        turn = rng.choice((20, 35, -25, 180, 90))
        corners = [_turned(corner, turn) for corner in corners]
    return fitted(corners, rng.uniform(6, 9)), kind


def _turned(point: Point, angle: float) -> Point:
    x, y = point
    return x * cos(radians(angle)) - y * sin(radians(angle)), x * sin(radians(angle)) + y * cos(radians(angle))


def triangle(figure: Figure, rng: Random) -> None:
    """A triangle, with one thing or another in it."""
    corners, kind = _triangle_of(rng)
    a, b, c = corners
    names = letters(rng)
    figure.polygon(corners, *stroke(rng), fill=tint(rng))
    if kind == "right":
        figure.right_angle(a, b, c)
    if kind == "isosceles" and rng.random() < 0.6:
        figure.tick(a, c)
        figure.tick(b, c)
    if kind == "equilateral" and rng.random() < 0.5:
        for one, other in ((a, b), (b, c), (a, c)):
            figure.tick(one, other)
    extra = rng.choices(_INSIDE, (3, 3, 2, 2, 2, 2, 3, 2, 2))[0]
    extra(figure, rng, corners, names)
    _corners(figure, rng, corners, names)
    if rng.random() < 0.3:
        _sides(figure, rng, corners)


def _sides(figure: Figure, rng: Random, corners: list[Point]) -> None:
    """What the sides are called, or how long they are."""
    texts = rng.choice((("c", "a", "b"), tuple(str(rng.randint(2, 20)) for _ in range(3)), ("x", "y", "z")))
    for n, (one, other) in enumerate(zip(corners, corners[1:] + corners[:1], strict=True)):
        if rng.random() < 0.8:
            figure.label(texts[n % 3], between(one, other))


def _altitude(figure: Figure, rng: Random, corners: list[Point], names: str) -> None:
    a, b, c = corners
    low = near(foot(c, a, b))
    if min(distance(low, a), distance(low, b)) < 0.8:
        return
    figure.segment(c, low, *rng.choice(((), ("dashed",))))
    figure.right_angle(low, b, c)
    figure.label(rng.choice(("H", "D", names[3])), low)


def _median(figure: Figure, rng: Random, corners: list[Point], names: str) -> None:
    a, b, c = corners
    middle = near(between(a, b))
    figure.segment(c, middle, *rng.choice(((), ("dashed",))))
    figure.dot(middle)
    if rng.random() < 0.6:
        figure.tick(a, middle)
        figure.tick(middle, b)
    figure.label(rng.choice(("M", names[3])), middle)


def _medians(figure: Figure, rng: Random, corners: list[Point], names: str) -> None:
    a, b, c = corners
    for tip, one, other in ((a, b, c), (b, a, c), (c, a, b)):
        figure.segment(tip, between(one, other))
    centre = (a[0] + b[0] + c[0]) / 3, (a[1] + b[1] + c[1]) / 3
    figure.dot(centre)
    figure.label("G", centre)


def _bisector(figure: Figure, rng: Random, corners: list[Point], names: str) -> None:
    a, b, c = corners
    share = distance(a, c) / (distance(a, c) + distance(b, c))
    end = near(between(a, b, share))
    figure.segment(c, end, *rng.choice(((), ("dashed",))))
    figure.angle(c, a, end, size=1.0)
    figure.angle(c, end, b, size=1.2)
    figure.label(names[3], end)


def _around(figure: Figure, rng: Random, corners: list[Point], names: str) -> None:
    """The circle through the corners."""
    (ax, ay), (bx, by), (cx, cy) = corners
    d = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
    x = ((ax**2 + ay**2) * (by - cy) + (bx**2 + by**2) * (cy - ay) + (cx**2 + cy**2) * (ay - by)) / d
    y = ((ax**2 + ay**2) * (cx - bx) + (bx**2 + by**2) * (ax - cx) + (cx**2 + cy**2) * (bx - ax)) / d
    radius = distance((x, y), corners[0])
    if radius > 6:
        return
    figure.circle((x, y), radius)
    if rng.random() < 0.8:
        figure.dot((x, y))
        if rng.random() < 0.3:
            for corner in corners:
                figure.segment((x, y), corner, "dashed")
        figure.label("O", (x, y))


def _within(figure: Figure, rng: Random, corners: list[Point], names: str) -> None:
    """The circle that touches the sides."""
    a, b, c = corners
    sides = distance(b, c), distance(a, c), distance(a, b)
    total = sum(sides)
    centre = tuple(sum(side * corner[k] for side, corner in zip(sides, corners, strict=True)) / total for k in (0, 1))
    x, y = centre
    radius = distance((x, y), foot((x, y), a, b))
    figure.circle((x, y), radius)
    figure.dot((x, y))
    if rng.random() < 0.5:
        figure.segment((x, y), foot((x, y), a, b), *rng.choice(((), ("dashed",))))
        if radius > 1:
            figure.right_angle(foot((x, y), a, b), b, (x, y))
    figure.label(rng.choice("IO"), (x, y))


def _angles(figure: Figure, rng: Random, corners: list[Point], names: str) -> None:
    a, b, c = corners
    measured = rng.random() < 0.5
    greek = rng.choice((("\\alpha", "\\beta", "\\gamma"), ("1", "2", "3")))
    for n, (tip, one, other) in enumerate(((a, b, c), (b, c, a), (c, a, b))):
        turn = abs(angle_of(tip, one) - angle_of(tip, other))
        turn = round(min(turn, 360 - turn))
        if turn < 88 and rng.random() < 0.7:
            figure.angle(tip, one, other, f"{turn}^\\circ" if measured else greek[n])


def _middle_line(figure: Figure, rng: Random, corners: list[Point], names: str) -> None:
    """A line parallel to a side."""
    a, b, c = corners
    share = rng.choice((0.5, 0.5, 0.3, 0.6))
    one, other = near(between(c, a, share)), near(between(c, b, share))
    figure.segment(one, other)
    figure.label(names[3], one)
    figure.label(names[4], other)


def _nothing(figure: Figure, rng: Random, corners: list[Point], names: str) -> None:
    pass


_INSIDE = (_nothing, _altitude, _median, _medians, _bisector, _middle_line, _angles, _around, _within)


def quadrilateral(figure: Figure, rng: Random) -> None:
    """One of seven kinds."""
    kind = rng.choice(("rectangle", "square", "parallelogram", "trapezoid", "rhombus", "kite", "any"))
    w, h, s = rng.uniform(5, 9), rng.uniform(3, 6), rng.uniform(1, 3)
    shapes: dict[str, list[Point]] = {
        "rectangle": [(0, 0), (w, 0), (w, h), (0, h)],
        "square": [(0, 0), (6, 0), (6, 6), (0, 6)],
        "parallelogram": [(0, 0), (w, 0), (w + s, h), (s, h)],
        "trapezoid": [(0, 0), (w, 0), (w - s, h), (rng.choice((0.0, s * 0.7, s)), h)],
        "rhombus": [(0, 0), (w / 2, -h / 2), (w, 0), (w / 2, h / 2)],
        "kite": [(0, 0), (s + 1, -h / 2), (w, 0), (s + 1, h / 2)],
        "any": [(0, 0), (w, rng.uniform(-1, 1)), (w - s, h), (rng.uniform(-1, 2), h - rng.uniform(0, 1.5))],
    }
    corners = fitted(shapes[kind], rng.uniform(6, 9))
    a, b, c, d = corners
    names = letters(rng)
    if kind in ("rectangle", "square"):
        figure.rectangle(a, c, *stroke(rng), fill=tint(rng))
    else:
        figure.polygon(corners, *stroke(rng), fill=tint(rng))
    if kind in ("rectangle", "square") and rng.random() < 0.5:
        figure.right_angle(a, b, d)
    if rng.random() < 0.5:
        _diagonals(figure, rng, corners, kind)
    elif kind in ("parallelogram", "trapezoid"):
        _height(figure, corners, names[4])
    if kind in ("square", "rhombus") and rng.random() < 0.4:
        for one, other in ((a, b), (b, c), (c, d), (d, a)):
            figure.tick(one, other)
    _corners(figure, rng, corners, names)
    if rng.random() < 0.25:
        figure.label(rng.choice(("a", str(rng.randint(2, 20)))), between(a, b))


def _diagonals(figure: Figure, rng: Random, corners: list[Point], kind: str) -> None:
    a, b, c, d = corners
    style = rng.choice(((), ("dashed",)))
    figure.segment(a, c, *style)
    if rng.random() < 0.7:
        figure.segment(b, d, *style)
        cross = _crossing(a, c, b, d)
        if kind in ("rhombus", "kite", "square") and rng.random() < 0.5:
            figure.right_angle(cross, a if kind != "square" else c, d)
        figure.label(rng.choice("OE"), cross)


def _height(figure: Figure, corners: list[Point], name: str) -> None:
    a, b, _, d = corners
    low = near(foot(d, a, b))
    if min(distance(low, a), distance(low, b), distance(low, d)) > 0.8:
        figure.segment(d, low, "dashed")
        figure.right_angle(low, b, d)
        figure.label(name, low)


def _crossing(a: Point, b: Point, c: Point, d: Point) -> Point:
    """Where two lines meet."""
    x1, y1, x2, y2 = *a, *b
    x3, y3, x4, y4 = *c, *d
    share = ((x1 - x3) * (y3 - y4) - (y1 - y3) * (x3 - x4)) / ((x1 - x2) * (y3 - y4) - (y1 - y2) * (x3 - x4))
    return near(between(a, b, share))


def regular(figure: Figure, rng: Random) -> None:
    """A polygon with equal sides, or one that is none such."""
    count = rng.randint(5, 8)
    turn = -90 + 180 / count if rng.random() < 0.8 else 0
    even = rng.random() < 0.75
    corners = [polar((0, 0), turn + 360 * n / count, 4 if even else rng.uniform(2.8, 4.5)) for n in range(count)]
    centre = fitted([*corners, (0.0, 0.0)], 8)[-1]
    corners = fitted(corners, 8)
    names = letters(rng)
    figure.polygon(corners, *stroke(rng), fill=tint(rng))
    extra = rng.random()
    if extra < 0.3:
        for corner in corners[2:-1]:
            figure.segment(corners[0], corner, *rng.choice(((), ("dashed",))))
    elif extra < 0.5 and even:
        figure.circle(centre, distance(centre, corners[0]))
        figure.dot(centre)
        figure.label("O", centre)
    elif extra < 0.6:
        for n, corner in enumerate(corners):
            figure.segment(corner, corners[(n + 2) % count])
    _corners(figure, rng, corners, names)
