"""Solids as they are drawn in the plane: what is behind is dashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocr2.characters.geometry.figures import between, fitted, near

if TYPE_CHECKING:
    from random import Random

    from ocr2.characters.geometry.figures import Figure, Point


def box(figure: Figure, rng: Random) -> None:
    """A cube, a cuboid or a prism."""
    w, h, d = rng.uniform(3, 6), rng.uniform(2.5, 5), rng.uniform(1, 2)
    if rng.random() < 0.4:
        h = w
    front: list[Point] = [(0, 0), (w, 0), (w, h), (0, h)]
    front = [near(point) for point in front]
    shift = near((d, d * rng.choice((0.6, 0.8, 1))))
    back = [near((x + shift[0], y + shift[1])) for x, y in front]
    figure.rectangle(front[0], front[2])
    for n in (1, 2, 3):
        figure.segment(front[n], back[n])
    figure.segment(back[1], back[2])
    figure.segment(back[2], back[3])
    for end in (front[0], back[1], back[3]):
        figure.segment(back[0], end, "dashed")
    if rng.random() < 0.8:
        for point, name in zip((*front, *back), "ABCDEFGH", strict=True):
            figure.label(name, point)


def round_solid(figure: Figure, rng: Random) -> None:
    """A cylinder, a cone or a sphere."""
    kind = rng.choice(("cylinder", "cone", "sphere"))
    r, h = rng.choice((1.5, 2.0, 2.5)), rng.choice((3.0, 4.0, 5.0))
    flat = round(r * 0.3, 1)
    low, top = (r, flat), (r, round(flat + h, 1))
    if kind == "sphere":
        figure.circle((r, r), r)
        low = (r, r)
    figure.arc(low, (r, flat), 180, 360)
    figure.arc(low, (r, flat), 0, 180, "dashed")
    if kind == "cylinder":
        figure.ellipse(top, r, flat)
        for x in (0.0, 2 * r):
            figure.segment((x, low[1]), (x, top[1]))
    elif kind == "cone":
        for x in (0.0, 2 * r):
            figure.segment((x, low[1]), top)
    figure.dot(low)
    if rng.random() < 0.7:
        if kind != "sphere":
            figure.segment(low, top, "dashed")
            figure.label("h", between(low, top))
        figure.segment(low, (2 * r, low[1]), "dashed")
        figure.label("r", between(low, (2 * r, low[1]), 0.6))
    figure.label("O", low)


def pyramid(figure: Figure, rng: Random) -> None:
    """A pyramid on three or four corners."""
    w, d, h = rng.uniform(4, 6), rng.uniform(1.2, 2.2), rng.uniform(4, 6)
    if rng.random() < 0.5:
        base = fitted([(0, d), (w * rng.uniform(0.3, 0.6), 0), (w, d), (w / 2, d + h)], 7)
        hidden = [(0, 2)]
    else:
        base = fitted([(0, 0), (w, 0), (w + d, d), (d, d), ((w + d) / 2, d / 2 + h)], 7)
        hidden = [(0, 3), (2, 3), (3, 4)]
    tip, count = len(base) - 1, len(base) - 1
    edges = [(n, (n + 1) % count) for n in range(count)] + [(n, tip) for n in range(count)]
    for one, other in edges:
        back = tuple(sorted((one, other))) in hidden
        figure.segment(base[one], base[other], *(("dashed",) if back else ()))
    names = "PABCD" if rng.random() < 0.5 else "SABCD"
    for point, name in zip([base[tip], *base[:tip]], names, strict=False):
        figure.label(name, point)
