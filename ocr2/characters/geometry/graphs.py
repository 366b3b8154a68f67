"""Curves of functions on axes with numbers: lines, parabolas, ellipses, hyperbolas, waves, growth (GOT §3.3.2).

Unlike other figures these stand where their coordinates say: the axes show them.
"""

from __future__ import annotations

from math import cosh, exp, log, sinh, sqrt
from typing import TYPE_CHECKING, NamedTuple

from ocr2.characters.geometry.figures import number

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

COLOURS = ("red", "blue", "orange", "purple", "teal", "brown", "green!60!black")


class _Curve(NamedTuple):
    """A curve: TikZ, and how it is told in mathematics."""

    paths: list[str]
    equation: str
    mark: tuple[float, float] | None = None
    """A point of it that is worth a dot."""


def _factor(value: float) -> str:
    """Before a variable: nothing for 1."""
    return {1.0: "", -1.0: "-"}.get(value, number(value))


def _times(value: float) -> str:
    return {1.0: "", -1.0: "-"}.get(value, f"{number(value)}*")


def _plus(value: float) -> str:
    return "" if not value else f"{'+' if value > 0 else '-'}{number(abs(value))}"


def _shown(
    function: Callable[[float], float], from_: float, to: float, most: float, start: float
) -> tuple[float, float] | None:
    """The part of a function's domain, around a point, where its values are no greater than that, in tenths."""
    if not from_ <= start <= to:
        return None
    ends = []
    for step in (-1, 1):
        tenths = round(10 * start)
        while round(10 * from_) <= tenths + step <= round(10 * to):
            try:
                if abs(function((tenths + step) / 10)) > most:
                    break
            except (ValueError, ZeroDivisionError, OverflowError):
                break
            tenths += step
        ends.append(tenths / 10)
    low, high = ends
    return (low, high) if high - low >= 1 else None


def _plot(style: str, domain: tuple[float, float], path: str) -> str:
    options = [style] * bool(style) + ["smooth", "samples=100", f"domain={number(domain[0])}:{number(domain[1])}"]
    return f"\\draw[{', '.join(options)}] plot {path};"


def graph(rng: Random) -> str:
    """Axes with one to three curves."""
    wide, high = rng.randint(2, 5), rng.randint(2, 4)
    lines = []
    if rng.random() < 0.3:
        lines.append(f"\\draw[{rng.choice(('gray!60', 'gray', 'lightgray'))}] ({-wide},{-high}) grid ({wide},{high});")
    names = rng.choice((("x", "y"), ("x", "y"), ("x", "y"), ("t", "s"), ("x", "f(x)")))
    lines += _axes(wide, high, names, rng)
    curves: list[str] = []
    told: list[str] = []
    dots: list[str] = []
    count = rng.choices((1, 2, 3), (6, 3, 1))[0]
    coloured = rng.random() < 0.5
    colours = rng.sample(COLOURS, count)
    kinds = rng.sample(_KINDS, count)
    for n, kind in enumerate(kinds):
        style = ", ".join(
            part
            for part in (colours[n] * coloured, "thick" * (rng.random() < 0.5), "dashed" * (rng.random() < 0.1))
            if part
        )
        curve = kind(rng, style, wide, high)
        if curve is None:
            continue
        curves += curve.paths
        if curve.mark and rng.random() < 0.5 and abs(curve.mark[0]) <= wide and abs(curve.mark[1]) <= high:
            dots += _dot(curve.mark, rng)
        if curve.equation and rng.random() < 0.6:
            colour = f"{colours[n]}" if coloured else ""
            place = f"({number(wide + 0.3)},{number(high - 0.6 * len(told))})"
            told.append(f"\\node[{', '.join(filter(None, ('right', colour)))}] at {place} {{${curve.equation}$}};")
    if not curves:
        line = _line(rng, "", wide, high)
        curves = line.paths if line else [f"\\draw ({-wide},0.5) -- ({wide},0.5);"]
    return "\n".join(["\\begin{tikzpicture}", *lines, *curves, *dots, *told, "\\end{tikzpicture}"])


def _axes(wide: int, high: int, names: tuple[str, str], rng: Random) -> list[str]:
    """Two arrows with their names and numbers."""
    lines = [
        f"\\draw[->] ({-wide - 0.5:g},0) -- ({wide + 0.5:g},0) node[right] {{${names[0]}$}};",
        f"\\draw[->] (0,{-high - 0.5:g}) -- (0,{high + 0.5:g}) node[above] {{${names[1]}$}};",
    ]
    some = [n for n in range(-wide, wide + 1) if n]
    others = [n for n in range(-high, high + 1) if n]
    if rng.random() < 0.3:
        some, others = [1], [1]
    lines.append(
        f"\\foreach \\x in {{{','.join(map(str, some))}}} \\draw (\\x,2pt) -- (\\x,-2pt) node[below] {{$\\x$}};"
    )
    lines.append(
        f"\\foreach \\y in {{{','.join(map(str, others))}}} \\draw (2pt,\\y) -- (-2pt,\\y) node[left] {{$\\y$}};"
    )
    if rng.random() < 0.6:
        lines.append("\\node[below left] at (0,0) {$O$};")
    return lines


def _dot(point: tuple[float, float], rng: Random) -> list[str]:
    """A point, and the way to it along the axes."""
    x, y = number(point[0]), number(point[1])
    lines = [f"\\fill ({x},{y}) circle (2pt);"]
    if rng.random() < 0.4 and x != "0" and y != "0":
        lines.insert(0, f"\\draw[dashed] ({x},0) -- ({x},{y}) -- (0,{y});")
    return lines


def _tenth(rng: Random, low: float, high: float) -> float:
    return rng.randint(round(10 * low), round(10 * high)) / 10


def _line(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    slope = rng.choice((-2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0))
    lift = float(rng.randint(-high + 1, high - 1))
    span = _shown(lambda x: slope * x + lift, -wide, wide, high, 0)
    if span is None:
        return None
    ends = [f"({number(x)},{number(slope * x + lift)})" for x in span]
    start = f"\\draw[{style}]" if style else "\\draw"
    return _Curve([f"{start} {ends[0]} -- {ends[1]};"], f"y={_factor(slope)}x{_plus(lift)}", (0.0, lift))


def _parabola(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    a = rng.choice((-2.0, -1.0, -0.5, -0.3, 0.3, 0.5, 1.0, 2.0))
    p, q = float(rng.choice((0, 0, -1, 1, 2, -2))), float(rng.randint(-2, 2))
    span = _shown(lambda x: a * (x - p) ** 2 + q, -wide, wide, high, p)
    inner = f"(\\x{_plus(-p)})^2" if p else "\\x^2"
    if span is None or abs(q) > high:
        return None
    told = f"y={_factor(a)}(x{_plus(-p)})^2{_plus(q)}" if p else f"y={_factor(a)}x^2{_plus(q)}"
    # pgf reads -x^2 as (-x)^2: the variable is multiplied by itself
    times = inner.removesuffix("^2")
    return _Curve([_plot(style, span, f"(\\x, {{{_times(a)}{times}*{times}{_plus(q)}}})")], told, (p, q))


def _cubic(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    a, b = rng.choice((-0.5, -0.2, 0.2, 0.5, 1.0)), float(rng.choice((0, -1, -2, 1)))
    span = _shown(lambda x: a * x**3 + b * x, -wide, wide, high, 0)
    if span is None:
        return None
    tail = f"{'+' if b > 0 else '-'}{_times(abs(b))}\\x" if b else ""
    told = f"y={_factor(a)}x^3" + (f"{'+' if b > 0 else '-'}{_factor(abs(b))}x" if b else "")
    return _Curve([_plot(style, span, f"(\\x, {{{_times(a)}\\x*\\x*\\x{tail}}})")], told)


def _wave(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    name = rng.choice(("sin", "cos"))
    a, b = rng.choice((1.0, 1.5, 2.0)), rng.choice((0.5, 1.0, 1.0, 2.0))
    mark = (0.0, a) if name == "cos" else None
    inner = f"{_times(b)}\\x r"
    return _Curve(
        [_plot(style, (-wide, wide), f"(\\x, {{{_times(a)}{name}({inner})}})")],
        f"y={_factor(a)}\\{name} {_factor(b)}x",
        mark,
    )


def _growth(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    b = rng.choice((-1.0, -0.5, 0.5, 1.0))
    span = _shown(lambda x: exp(b * x), -wide, wide, high, 0)
    if span is None:
        return None
    return _Curve([_plot(style, span, f"(\\x, {{exp({_times(b)}\\x)}})")], f"y=e^{{{_factor(b)}x}}", (0.0, 1.0))


def _logarithm(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    a = rng.choice((1.0, 1.0, 1.5, -1.0))
    span = _shown(lambda x: a * log(x), 0.1, wide, high, 1)
    if span is None:
        return None
    return _Curve([_plot(style, span, f"(\\x, {{{_times(a)}ln(\\x)}})")], f"y={_factor(a)}\\ln x", (1.0, 0.0))


def _root(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    a = rng.choice((1.0, 1.0, 1.5, -1.0))
    span = _shown(lambda x: a * sqrt(x), 0, wide, high, 0)
    if span is None:
        return None
    return _Curve([_plot(style, span, f"(\\x, {{{_times(a)}sqrt(\\x)}})")], f"y={_factor(a)}\\sqrt{{x}}", (1.0, a))


def _modulus(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    p, q = float(rng.randint(-1, 1)), float(rng.randint(-1, 1))
    reach = min(wide - abs(p), high - q)
    start = f"\\draw[{style}]" if style else "\\draw"
    points = [(p - reach, q + reach), (p, q), (p + reach, q + reach)]
    path = " -- ".join(f"({number(x)},{number(y)})" for x, y in points)
    return _Curve([f"{start} {path};"], f"y=|x{_plus(-p)}|{_plus(q)}", (p, q))


def _reciprocal(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    k = rng.choice((-2.0, -1.0, 1.0, 2.0))
    span = _shown(lambda x: k / x, 0.1, wide, high, wide)
    if span is None:
        return None
    sides = (span, (-span[1], -span[0]))
    return _Curve(
        [_plot(style, side, f"(\\x, {{{number(k)}/\\x}})") for side in sorted(sides)], f"y=\\frac{{{number(k)}}}{{x}}"
    )


def _ellipse(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    a, b = _tenth(rng, 1, wide), _tenth(rng, 1, high)
    shape = f"circle ({number(a)})" if a == b else f"ellipse ({number(a)} and {number(b)})"
    start = f"\\draw[{style}]" if style else "\\draw"
    whole = a == int(a) and b == int(b) and a != b
    told = (
        f"\\frac{{x^2}}{{{a * a:g}}}+\\frac{{y^2}}{{{b * b:g}}}=1" if whole else f"x^2+y^2={a * a:g}" if a == b else ""
    )
    return _Curve([f"{start} (0,0) {shape};"], told)


def _hyperbola(rng: Random, style: str, wide: int, high: int) -> _Curve | None:
    a, b = _tenth(rng, 0.5, max(0.6, wide - 1.5)), _tenth(rng, 0.5, 2)
    most = 0.1
    while a * cosh(most + 0.1) <= wide and b * sinh(most + 0.1) <= high:
        most += 0.1
    if most < 0.5:
        return None
    span = (-round(most, 1), round(most, 1))
    paths = [_plot(style, span, f"({{{_times(sign * a)}cosh(\\x)}}, {{{_times(b)}sinh(\\x)}})") for sign in (-1, 1)]
    if rng.random() < 0.4:
        reach = min(wide, high * a / b)
        up, along = number(reach * b / a), number(reach)
        paths += [
            f"\\draw[dashed] (-{along},-{up}) -- ({along},{up});",
            f"\\draw[dashed] (-{along},{up}) -- ({along},-{up});",
        ]
    return _Curve(paths, "")


_KINDS = (
    _line,
    _line,
    _parabola,
    _parabola,
    _cubic,
    _wave,
    _growth,
    _logarithm,
    _root,
    _modulus,
    _reciprocal,
    _ellipse,
    _hyperbola,
)
