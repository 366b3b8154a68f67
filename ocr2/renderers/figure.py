"""A chart that is to be drawn: what it shows, how it looks, and how its texts are measured and broken.

What both chart tools share, so that neither cuts, hides or overlaps a text: they are told where everything goes.
Pixels of the picture, x right, y down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from math import ceil, floor, gcd, log10
from typing import Literal

from ocr2.errors import BadInput
from ocr2.renderers.fonts import CODES, Face, covered, opened

Form = Literal["bar", "barh", "stacked", "stackedh", "line", "area", "scatter", "pie"]
LYING = ("barh", "stackedh")
"""Forms whose labels stand on the left, the first on top."""
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")
BLACK = "#222222"
LEADING = 1.35
"""From one line to the next, in sizes."""
_PIECES = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]|[^\s\u2e80-\u9fff\uff00-\uffef]+|\s+")


class Cramped(BadInput):
    """A chart whose texts have no room in its picture."""


@dataclass(frozen=True)
class Look:
    """How a chart is drawn."""

    face: Face
    heading: Face
    """Of the title."""
    width: int = 640
    height: int = 440
    size: int = 13
    """Of the type."""
    title_size: int = 17
    colours: tuple[str, ...] = COLOURS
    hatched: bool = False
    """Whether areas are told apart by hatches, too, and lines by dashes."""
    grid: bool = True
    """Lines across, at the numbers of the axis."""
    backdrop: str = "#ffffff"
    """Behind the bars or lines."""
    legend: Literal["top", "bottom", "right"] = "top"
    left: bool = False
    """Whether the title and the legend begin on the left; else they stand in the middle."""
    source_left: bool = True
    printed: bool = False
    """Whether each value is printed."""
    bare: bool = False
    """Whether the axis of the numbers has none; for printed values."""
    unit: Literal["", "%"] = ""
    commas: bool = False
    frame: Literal["box", "half", "none"] = "half"
    name_on_top: bool = False
    """Whether the title of a standing axis is written on top of it, and not along it."""
    share: float = 0.7
    """Of the room that is a label's, what the bars take."""
    stroke: float = 2.0
    marker: float = 7.0
    """Their size on lines; 0 for none."""
    zero: bool = True
    """Whether the axis of the numbers of lines begins at zero."""
    hole: float = 0.0
    """In the middle of a pie, in radii."""
    beside: bool = True
    """Whether the labels of a pie stand beside its slices; else they are in a legend."""


@dataclass(frozen=True)
class Figure:
    """What is drawn."""

    form: Form
    title: str
    source: str
    """As it is printed, below; each of the texts may be "", and is left out."""
    label_title: str
    """Of the axis with the labels."""
    value_title: str
    """Of the axis with the numbers."""
    names: tuple[str, ...]
    """Of the series, in the legend; none where there is one series without a name."""
    labels: tuple[str, ...]
    rows: tuple[tuple[float | None, ...], ...]
    """For each series its value at each label, None where it has none."""
    look: Look
    xs: tuple[float, ...] = field(default=())
    """The labels as numbers, for a scatter."""

    @property
    def values(self) -> tuple[float, ...]:
        """All values."""
        return tuple(value for row in self.rows for value in row if value is not None)

    @property
    def lying(self) -> bool:
        """Whether its labels stand on the left."""
        return self.form in LYING

    @property
    def stacked(self) -> bool:
        """Whether its series stand on each other."""
        return self.form in ("stacked", "stackedh")

    def told(self, value: float) -> str:
        """The value as it is printed, beside a bar and at the axis."""
        return number(value, self.look.commas) + self.look.unit


def number(value: float, commas: bool = False) -> str:
    """A number in figures: no exponent, no zeros at its end."""
    if value == int(value):
        return f"{int(value):,}" if commas else f"{int(value)}"
    text = f"{value:{',' if commas else ''}.10f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def grain(values: tuple[float, ...]) -> float:
    """The largest number that all values are multiples of; 0 where all are 0."""
    texts = [number(value) for value in values]
    places = max((len(text.partition(".")[2]) for text in texts), default=0)
    return float(gcd(*(round(float(text) * 10**places) for text in texts)) / 10**places)


def step(span: float, most: int) -> float:
    """The distance of the marks on an axis that long: 1, 2 or 5 times a power of ten, for at most so many."""
    power = 10.0 ** floor(log10(span / most))
    times = next(times for times in (1, 2, 5, 10) if times * power * most >= span * (1 - 1e-9))
    return round(times * power, 12) if power < 1 else times * power


@dataclass(frozen=True)
class Axis:
    """An axis of numbers."""

    low: float
    high: float
    step: float

    @property
    def ticks(self) -> tuple[float, ...]:
        """Where its marks are."""
        first, last = ceil(self.low / self.step - 1e-6), floor(self.high / self.step + 1e-6)
        return tuple(round(count * self.step, 10) for count in range(first, last + 1))

    def at(self, value: float) -> float:
        """Where on the axis a value is: 0 at its low end, 1 at its high one."""
        return (value - self.low) / (self.high - self.low)


def axis(low: float, high: float, most: int, room: tuple[float, float] = (0, 0)) -> Axis:
    """One for values from low to high, that leaves free these shares of it before the lowest and after the highest."""
    if high - low < 1e-9 * max(abs(high), abs(low), 1e-3):
        low, high = min(low - abs(low) / 2, low), max(high + abs(high) / 2, low + 1)
    span = (high - low) / (1 - sum(room))
    each = step(span, most)
    return Axis(
        round(floor((low - room[0] * span) / each + 1e-6) * each, 10),
        round(ceil((high + room[1] * span) / each - 1e-6) * each, 10),
        each,
    )


# --- type -------------------------------------------------------------------------------------------------------------


@cache
def _font(face: Face) -> object:
    return opened(face, 100)


@cache
def advance(face: Face, char: str) -> float:
    """How wide a character is set, in sizes."""
    return float(_font(face).getlength(char)) / 100  # type: ignore[attr-defined]


def wide(text: str, face: Face, size: float) -> float:
    """How wide a text is, in pixels: the widest of its lines, and a little more, for letters set on whole pixels."""
    return max(sum(advance(face, char) for char in line) for line in text.split("\n")) * size * 1.03


def high(text: str, size: float) -> float:
    """How high the lines of a text are."""
    return (text.count("\n") + 1) * size * LEADING


def broken(text: str, face: Face, size: float, width: float, most: int) -> str:
    """The text in lines of that width, broken at spaces and between Chinese characters.

    Raises Cramped where they are more than so many.
    """
    if wide(text, face, size) <= width:
        return text
    lines, line = [], ""
    for piece in _PIECES.findall(text):
        if line and wide((line + piece).rstrip(), face, size) > width:
            lines.append(line.rstrip())
            line = ""
        line = line + piece if line else piece.lstrip()
    lines += [line.rstrip()] if line.strip() else []
    if len(lines) > most or any(wide(line, face, size) > width for line in lines):
        raise Cramped(f"the text {text[:40]!r} is too long for a chart: expected a shorter one")
    return "\n".join(lines)


def draws(face: Face, text: str) -> bool:
    """Whether the face has every character of the text."""
    has = covered(face)
    return all(ord(char) < CODES and has[ord(char)] for char in text)


def light(colour: str) -> float:
    """How light a colour is: 0 is black, 255 white."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return 0.3 * red + 0.59 * green + 0.11 * blue


def on(colour: str) -> str:
    """Black or white: what is read better on that colour."""
    return "#ffffff" if light(colour) < 140 else BLACK
