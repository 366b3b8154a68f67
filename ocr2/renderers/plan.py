"""Where everything in a chart goes: room for every text that it has to show, and the rest for its bars or lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import cos, pi, sin
from typing import Any

from ocr2.renderers.figure import LEADING, Axis, Cramped, Figure, axis, broken, grain, high, number, wide

MARGIN = 10
GAP = 5
"""Between an axis and its numbers or labels."""
SWATCH = 26
"""How wide the sample of colour beside a name in the legend is."""
BESIDE = 6
"""Between that and the name."""
BETWEEN = 14
"""From one entry of the legend to the next."""
LEAST = 120
"""Pixels of a side of the room for bars or lines."""
NEAR = 1.5
"""Pixels that the smallest difference of values takes, where they are to be read off an axis."""

NONE = Axis(0, 1, 1)


@dataclass(frozen=True)
class Plan:
    """Where everything goes; texts broken into lines."""

    plot: tuple[float, float, float, float]
    """Left, top, right and bottom of the room between the axes."""
    title: str
    source: str
    label_title: str
    value_title: str
    labels: tuple[str, ...]
    turn: int = 0
    """Degrees that the labels are turned by, to read upwards: 0, 45, 90."""
    numbers: Axis = NONE
    across: Axis = NONE
    """Of the labels, where they are numbers: in a scatter."""
    legend: tuple[tuple[float, float], ...] = ()
    """Left and top of each entry."""
    aside: float = 0
    """How far the numbers or labels on the left reach from their axis."""
    below: float = 0
    """How far the numbers or labels below do."""
    drop: float = GAP
    """From the lower axis to its numbers or labels."""
    printed_turn: int = 0
    under: tuple[frozenset[int], ...] = ()
    """For each line the places where a value is printed under it, and not above."""

    @property
    def sides(self) -> tuple[float, float]:
        """Width and height of the room between the axes."""
        return self.plot[2] - self.plot[0], self.plot[3] - self.plot[1]


def planned(figure: Figure) -> Plan:
    """The plan of a figure. Raises Cramped where there is no room for what it has to show."""
    look = figure.look
    width = look.width - 2 * MARGIN
    title = broken(figure.title, look.heading, look.title_size, width, 3)
    source = broken(figure.source, look.face, look.size - 1, width, 2)
    top = MARGIN + (high(title, look.title_size) + GAP if title else 0)
    bottom = look.height - MARGIN - (high(source, look.size - 1) + GAP if source else 0)
    entries, top, right, bottom = _legend(figure, top, bottom)
    if figure.form == "pie":
        plot = (MARGIN, top, right, bottom)
        return _pie(figure, Plan(plot, title, source, "", "", figure.labels, legend=entries))
    plan = _axes(figure, Plan((MARGIN, top, right, bottom), title, source, "", "", (), legend=entries))
    if look.printed:
        _check_printed(figure, plan)
    return plan


def _legend(figure: Figure, top: float, bottom: float) -> tuple[tuple[tuple[float, float], ...], float, float, float]:
    """Left and top of each entry of the legend, and the top, right and bottom of what room it leaves."""
    look = figure.look
    shown = figure.labels if figure.form == "pie" and not look.beside else figure.names
    right = look.width - MARGIN
    if not shown or (figure.form == "pie" and look.beside):
        return (), top, right - (0 if figure.form == "pie" else GAP), bottom
    row = look.size * LEADING + 4
    widths = [SWATCH + BESIDE + wide(name, look.face, look.size) for name in shown]
    if look.legend == "right":
        left = right - max(widths)
        start = (top + bottom - row * len(shown)) / 2
        if left < look.width * 0.6 or start < top:
            raise Cramped("a chart whose legend has no room: expected shorter names")
        return tuple((left, start + place * row) for place in range(len(shown))), top, left - 2 * BETWEEN, bottom
    rows = _lines(widths, right - MARGIN)
    start = bottom - row * len(rows) if look.legend == "bottom" else top
    entries = []
    whole = max(sum(each) + BETWEEN * (len(each) - 1) for each in rows)
    for place, line in enumerate(rows):
        left = MARGIN if look.left else (look.width - whole) / 2
        for one in line:
            entries.append((left, start + place * row))
            left += one + BETWEEN
    if look.legend == "bottom":
        return tuple(entries), top, right - GAP, start - GAP
    return tuple(entries), top + row * len(rows) + GAP, right - GAP, bottom


def _lines(widths: list[float], room: float) -> list[list[float]]:
    """The widths of a legend's entries, line by line. Raises Cramped where they are more than three."""
    rows: list[list[float]] = [[]]
    for each in widths:
        if sum(rows[-1]) + each + BETWEEN * len(rows[-1]) > room - 1:
            rows.append([])
        rows[-1].append(each)
    if len(rows) > 3 or max(widths) > room - 1:
        raise Cramped("a chart whose legend has no room: expected fewer or shorter names")
    return rows


def _axes(figure: Figure, plan: Plan) -> Plan:
    """The plan with axes, in the room that it has."""
    look, face = figure.look, figure.look.face
    left, top, right, bottom = plan.plot
    line = look.size * LEADING
    standing, lying = figure.value_title, figure.label_title
    if figure.lying:
        standing, lying = lying, standing
    if standing and look.name_on_top:
        standing = broken(standing, face, look.size, right - left, 1)
        top += line + GAP
    elif standing:
        standing = broken(standing, face, look.size, (bottom - top) * 0.75, 2)
        left += high(standing, look.size) + GAP
    lying = broken(lying, face, look.size, (right - left) * 0.8, 2)
    bottom -= high(lying, look.size) + GAP if lying else 0
    top += look.size / 2
    inner = replace(plan, plot=(left, top, right, bottom))
    inner = _lying(figure, inner) if figure.lying else _standing(figure, inner)
    if min(inner.sides) < LEAST:
        raise Cramped("a chart whose texts leave no room for its values: expected shorter ones")
    names = (standing, lying) if figure.lying else (lying, standing)
    return replace(inner, label_title=names[0], value_title=names[1])


def numbers(figure: Figure, length: float, most: int) -> Axis:
    """The axis of the values, on that many pixels; with room for what is printed at the ends of bars or lines."""
    look = figure.look
    least, largest = min(figure.values), max(figure.values)
    if figure.stacked:
        totals = [sum(row[place] or 0 for row in figure.rows) for place in range(len(figure.labels))]
        least, largest = 0, max(totals)
    elif figure.form != "scatter" and (look.zero or figure.form != "line"):
        least, largest = min(least, 0), max(largest, 0)
    room = 0.02 if figure.form in ("line", "scatter") else 0.0
    if look.printed and not figure.stacked:
        widest = max(wide(figure.told(value), look.face, look.size) for value in figure.values)
        room = ((widest if figure.lying or _upright(figure) else look.size * LEADING) + GAP + look.marker / 2) / length
        if room > 0.35:
            raise Cramped("a chart whose values are too long to be printed: expected fewer digits")
    beneath = least < 0 or figure.form == "scatter" or (figure.form == "line" and least > 0)
    return axis(least, largest, most, (room if beneath else 0.0, room))


def _upright(figure: Figure) -> bool:
    """Whether values on standing bars are too wide for them, and turned."""
    look = figure.look
    widest = max(wide(figure.told(value), look.face, look.size) for value in figure.values)
    bars = len(figure.rows) if figure.form == "bar" else 1
    pitch = (look.width - 80) / len(figure.labels) * (look.share if bars > 1 else 0.95) / bars
    return figure.form == "bar" and widest > pitch - 2


def _standing(figure: Figure, plan: Plan) -> Plan:
    """The plan with the numbers on the left and the labels below."""
    look = figure.look
    left, top, right, bottom = plan.plot
    line = look.size * LEADING
    marks = max(3, min(8, int((bottom - top) / (2.6 * line))))
    values = numbers(figure, (bottom - top) * 0.7, marks)
    aside = GAP if look.bare else GAP + max(_ticked(figure, values))
    left += aside
    if figure.form == "scatter":
        across = axis(min(figure.xs), max(figure.xs), 7, (0.03, 0.03))
        widths = [wide(number(tick), look.face, look.size) for tick in across.ticks]
        right -= widths[-1] / 2
        if max(widths) * 1.3 > (right - left) / (len(widths) - 1):
            raise Cramped("a chart whose numbers have no room below: expected fewer digits")
        plot, drop = (
            (left, top, right, bottom - line - look.size),
            float(look.size),
        )  # away from the lowest number on the left
        return replace(plan, plot=plot, numbers=values, across=across, aside=aside, below=line + drop + 3, drop=drop)
    labels, turn, below = _below(figure, left, right, (bottom - top) * 0.45)
    plot = (left, top, right, bottom - GAP - below)
    printed = 90 * (look.printed and _upright(figure))
    under = tuple(_under(figure, row, values, plot[3] - top) for row in figure.rows)
    where: dict[str, Any] = {"aside": aside, "below": GAP + below + 3, "printed_turn": printed, "under": under}
    return replace(plan, plot=plot, numbers=values, labels=labels, turn=turn, **where)


def _under(figure: Figure, row: tuple[float | None, ...], values: Axis, height: float) -> frozenset[int]:
    """Where a line is lower than beside, and there is room under it for a value."""
    room = figure.look.size * LEADING + figure.look.marker
    found = set()
    for place, value in enumerate(row):
        around = [
            other for other in (*row[max(0, place - 1) : place], *row[place + 1 : place + 2]) if other is not None
        ]
        if value is not None and around and value < min(around) and values.at(value) * height > room:
            found.add(place)
    return frozenset(found)


def _lying(figure: Figure, plan: Plan) -> Plan:
    """The plan with the labels on the left and the numbers below."""
    look = figure.look
    left, top, right, bottom = plan.plot
    line = look.size * LEADING
    bottom -= GAP + (0 if look.bare else line)
    slot = (bottom - top) / len(figure.labels)
    if slot < line:
        raise Cramped(f"a chart of {len(figure.labels)} labels: expected fewer")
    lines = max(1, min(3, int(slot / line)))
    labels = tuple(broken(label, look.face, look.size, (right - left) * 0.35, lines) for label in figure.labels)
    aside = GAP + max(wide(label, look.face, look.size) for label in labels)
    left += aside
    for most in (7, 6, 5, 4, 3):
        values = numbers(figure, right - left, most)
        widths = _ticked(figure, values)
        if look.bare or max(widths) * 1.3 < (right - left - widths[-1] / 2) / (len(widths) - 1):
            break
    else:
        raise Cramped("a chart whose numbers have no room below: expected fewer digits")
    right -= 0 if look.bare else widths[-1] / 2
    below = GAP + (3 if look.bare else line + 3)
    return replace(plan, plot=(left, top, right, bottom), numbers=values, labels=labels, aside=aside, below=below)


def _ticked(figure: Figure, values: Axis) -> list[float]:
    """How wide the numbers of the axis are."""
    return [wide(figure.told(tick), figure.look.face, figure.look.size) for tick in values.ticks]


def _below(figure: Figure, left: float, right: float, most: float) -> tuple[tuple[str, ...], int, float]:
    """The labels below an axis: in lines, or turned where they are wide; by how much; and how high they are."""
    face, size = figure.look.face, figure.look.size
    slot = (right - left) / len(figure.labels)
    try:
        labels = tuple(broken(label, face, size, slot - size * 0.6, 3) for label in figure.labels)
        return labels, 0, max(high(label, size) for label in labels)
    except Cramped:
        pass
    longest = max(wide(label, face, size) for label in figure.labels)
    first = wide(figure.labels[0], face, size)
    slanted = (longest + size * 1.3) * sin(pi / 4) + size * 0.6
    if slot > size * LEADING * 1.3 and slanted < most and first * cos(pi / 4) < left + slot / 2 - MARGIN:
        return figure.labels, 45, slanted
    if slot > size * 1.25 and longest < most:
        return figure.labels, 90, longest
    raise Cramped("a chart whose labels have no room: expected fewer or shorter ones")


def _check_printed(figure: Figure, plan: Plan) -> None:
    """Raises Cramped where the printed values would cover each other."""
    look = figure.look
    line = look.size * LEADING
    width, height = plan.sides
    slot = (height if figure.lying else width) / len(figure.labels)
    widest = max(wide(figure.told(value), look.face, look.size) for value in figure.values)
    pitch = slot * look.share / (1 if figure.stacked else len(figure.rows))
    cramped = Cramped("a chart whose values have no room to be printed: expected fewer")
    if figure.form in ("bar", "barh"):
        alone = slot * 0.95 if len(figure.rows) == 1 else pitch
        if (line if figure.lying or plan.printed_turn else widest + 2) > alone:
            raise cramped
    elif figure.stacked:
        length = (width if figure.lying else height) / (plan.numbers.high - plan.numbers.low)
        least = min(figure.values) * length
        if (widest + 4 > least or line > pitch) if figure.lying else (line > least or widest + 4 > pitch):
            raise cramped
    else:
        room = line + look.marker + 6
        for place in range(len(figure.labels)):
            there = [(row[place], place in under) for row, under in zip(figure.rows, plan.under, strict=False)]
            found = sorted((plan.numbers.at(value) * height, under) for value, under in there if value is not None)
            for (low, below), (other, under) in pairwise(found):
                if other - low < room * ((not below) + under):
                    raise cramped
        if figure.form == "scatter" or widest + 4 > slot or len(figure.rows) > 2 or _pinched(figure, plan):
            raise cramped


def _pinched(figure: Figure, plan: Plan) -> bool:
    """Whether a value would be printed in a sharp bend of its line, for want of room under it."""
    height = plan.sides[1]
    for row, under in zip(figure.rows, plan.under, strict=True):
        heights = [0.0 if value is None else plan.numbers.at(value) * height for value in row]
        for place, (a, b, c) in enumerate(zip(heights, heights[1:], heights[2:], strict=False), 1):
            if min(a, c) - b > figure.look.size * LEADING and place not in under:
                return True
    return False


def seen(figure: Figure, plan: Plan) -> bool:
    """Whether each value can be read: it is printed, or far enough from the next to be read off the axis."""
    width, height = plan.sides
    long = width if figure.lying else height
    if figure.form == "pie":
        return True
    if figure.form in ("line", "scatter", "area") and not _apart(figure, plan):
        return False
    if figure.form == "scatter" and grain(figure.xs) * width / (plan.across.high - plan.across.low) < NEAR:
        return False
    if figure.look.printed:
        return True
    return grain(figure.values) * long / (plan.numbers.high - plan.numbers.low) >= NEAR * (1.5 if figure.stacked else 1)


def _apart(figure: Figure, plan: Plan) -> bool:
    """Whether no point hides another: for lines, not at two labels that follow each other."""
    width, height = plan.sides
    near = figure.look.marker * 0.7 + 1
    places = [
        [
            (plan.across.at(figure.xs[n]) * width if figure.xs else n * 1000, plan.numbers.at(value) * height)
            for n, value in enumerate(row)
            if value is not None
        ]
        for row in figure.rows
    ]
    if figure.form == "scatter":
        every = [place for row in places for place in row]
        return all(
            abs(a[0] - b[0]) > near or abs(a[1] - b[1]) > near for n, a in enumerate(every) for b in every[n + 1 :]
        )
    hidden = 0
    for place, row in enumerate(places):
        for other in places[place + 1 :]:
            both = [abs(a[1] - b[1]) < 2.5 for a, b in zip(row, other, strict=False)]
            if any(a and b for a, b in pairwise(both)) or (len(both) < 3 and any(both)):
                return False
            hidden += sum(both)
    return hidden * 10 <= len(figure.values)


# --- pies -------------------------------------------------------------------------------------------------------------


def sliced(figure: Figure) -> tuple[tuple[float, float], ...]:
    """Where each slice of a pie begins and ends, in turns, clockwise from the top."""
    (row,) = figure.rows
    whole = sum(value or 0 for value in row)
    ends = [sum(value or 0 for value in row[: place + 1]) / whole for place in range(len(row))]
    return tuple(zip([0.0, *ends[:-1]], ends, strict=True))


def beside(figure: Figure) -> tuple[str, ...]:
    """What stands beside each slice of a pie."""
    (row,) = figure.rows
    values = [figure.told(value or 0) for value in row]
    if not figure.look.beside:
        return tuple(values)
    return tuple(f"{label}: {value}" for label, value in zip(figure.labels, values, strict=True))


REACH = 14
"""From a pie to what stands beside it."""


def circle(figure: Figure, plan: Plan) -> tuple[float, float, float]:
    """The middle of a pie, and its radius."""
    look = figure.look
    left, top, right, bottom = plan.plot
    widest = max(wide(text, look.face, look.size) for text in beside(figure))
    radius = min((right - left) / 2 - widest - REACH - 4, (bottom - top) / 2 - look.size * LEADING - REACH)
    return (left + right) / 2, (top + bottom) / 2, radius


def _pie(figure: Figure, plan: Plan) -> Plan:
    """The plan of a pie. Raises Cramped where its texts would cover each other."""
    x, y, radius = circle(figure, plan)
    if radius < LEAST / 2:
        raise Cramped("a pie whose labels leave no room for it: expected shorter ones")
    slices = sliced(figure)
    if min(end - start for start, end in slices) < 0.02:
        raise Cramped("a pie with slices too thin to be seen: expected a fiftieth of it at least")
    boxes = []
    for (start, end), text in zip(slices, beside(figure), strict=True):
        turn = (start + end) * pi
        across, down = x + (radius + REACH) * sin(turn), y - (radius + REACH) * cos(turn)
        long = wide(text, figure.look.face, figure.look.size)
        boxes.append((across if sin(turn) >= 0 else across - long, down, long))
    line = figure.look.size * LEADING
    for place, a in enumerate(boxes):
        for b in boxes[place + 1 :]:
            if abs(a[1] - b[1]) < line and a[0] < b[0] + b[2] + 4 and b[0] < a[0] + a[2] + 4:
                raise Cramped("a pie whose labels would cover each other: expected fewer, or shorter ones")
    return plan
