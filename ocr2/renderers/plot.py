"""Charts drawn by Matplotlib, without pyplot and without its settings: where everything goes is planned before.

All here is called apart, but for FACES and HELD.
"""

from __future__ import annotations

import io
import re
from functools import cache
from math import cos, pi, radians, sin
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ocr2.renderers.figure import BLACK, Figure, number, on
from ocr2.renderers.fonts import FACES as ALL
from ocr2.renderers.fonts import Face, path
from ocr2.renderers.plan import BESIDE, GAP, MARGIN, REACH, SWATCH, Plan, beside, circle, planned, sliced
from ocr2.renderers.tools import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from numpy.typing import NDArray

# Matplotlib draws a variable font as its makers put it: only those that they put at the regular weight are here
_FAMILIES = (
    *("STIX", "DejaVu Serif", "PT Serif", "Libre Baskerville", "Noto Serif", "Zilla Slab"),
    *("DejaVu Sans", "Arimo", "Roboto", "Open Sans", "IBM Plex Sans", "PT Sans", "Roboto Condensed"),
    *("DejaVu Sans Mono", "IBM Plex Mono", "Noto Sans SC", "Noto Serif SC"),
    *("Spectral", "Work Sans", "WenQuanYi Micro Hei"),
)
_CUTS: tuple[Face, ...] = tuple(
    face
    for face in ALL
    if face.family in _FAMILIES
    and not face.italic
    and face.stretch == 1
    and not (face.bold and face.variable)
    and not face.swollen
)
FACES, HELD = (tuple(face for face in _CUTS if face.held == held) for held in (False, True))
"""That charts are lettered in, and those that are kept for tests; bold ones are for titles."""
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "---", "ooo", "+++")
MARKERS = "osD^vPX*"
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)))
Quad = tuple[tuple[float, float], ...]


def drawn(figure: Figure, plan: Plan) -> NDArray[np.uint8]:
    """(H, W, 3) The chart. Raises RendererMissing."""
    canvas = _canvas(figure, plan)
    pixels = np.asarray(canvas.canvas.buffer_rgba())  # type: ignore[attr-defined]
    return cast("NDArray[np.uint8]", pixels[..., :3].copy())


def outlined(figure: Figure, plan: Plan) -> str:
    """The chart as an SVG, of lines alone. Raises RendererMissing."""
    canvas = _canvas(figure, plan)
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context():
        dict.update(matplotlib.rcParams, matplotlib.rcParamsDefault | {"svg.hashsalt": "ocr2"})
        canvas.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = stream.getvalue()
    return re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', svg[svg.index("<svg") :], count=2)  # pixels


def written(figure: Figure) -> list[tuple[str, Quad]]:
    """Every text of the chart, and its corners in the picture."""
    canvas = _canvas(figure, planned(figure))
    found = []
    for text in canvas.texts:
        box = text.get_window_extent()
        x, y = (box.x0 + box.x1) / 2, figure.look.height - (box.y0 + box.y1) / 2
        turn = -radians(text.get_rotation())
        text.set_rotation(0)
        flat = text.get_window_extent()
        across, down = flat.width / 2, flat.height / 2
        corners = ((-across, -down), (across, -down), (across, down), (-across, down))
        quad = tuple((x + a * cos(turn) - b * sin(turn), y + a * sin(turn) + b * cos(turn)) for a, b in corners)
        found.append((text.get_text(), quad))
    return found


def _canvas(figure: Figure, plan: Plan) -> Canvas:
    """The chart as Matplotlib holds it, drawn. Its settings are what it comes with, whatever the user's are."""
    need("matplotlib")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context():
        dict.update(matplotlib.rcParams, matplotlib.rcParamsDefault)
        look = figure.look
        canvas = Canvas(figsize=(look.width / 72, look.height / 72), dpi=72)  # a pixel is a point
        agg = FigureCanvasAgg(canvas)
        _Drawn(figure, plan, canvas).all()
        agg.draw()  # type: ignore[no-untyped-call]
    return canvas


@cache
def _font(face: Face) -> Any:
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=str(path(face)))


class _Drawn:
    """A chart that is being drawn."""

    def __init__(self, figure: Figure, plan: Plan, canvas: Canvas) -> None:
        self.figure, self.look, self.plan, self.canvas = figure, figure.look, plan, canvas
        left, top, right, bottom = plan.plot
        size = self.look.width, self.look.height
        place = (left / size[0], 1 - bottom / size[1], (right - left) / size[0], (bottom - top) / size[1])
        self.ax: Axes = canvas.add_axes(place)
        for axis in (self.ax.xaxis, self.ax.yaxis):
            axis.set_visible(False)

    def all(self) -> None:
        self._titles()
        if self.figure.form == "pie":
            self._pie()
            self._legend(self.figure.labels)
            return
        self._axes()
        {"line": self._lines, "area": self._lines, "scatter": self._points}.get(self.figure.form, self._bars)()
        self._legend(self.figure.names)

    def _text(self, x: float, y: float, text: str, how: str = "center top", **more: Any) -> None:
        """A text at a place in the picture; `how` says what of it is there."""
        across, down = how.split()
        size, face = more.pop("size", self.look.size), more.pop("face", self.look.face)
        if "\n" not in text and not more.get("rotation") and down in ("top", "bottom"):
            y, down = y + size * (0.95 if down == "top" else -0.25), "baseline"  # in one line with its neighbours
        self.canvas.text(
            x / self.look.width,
            1 - y / self.look.height,
            text,
            ha=across,
            va=down,
            font=_font(face),
            size=size,
            parse_math=False,
            linespacing=1.05,
            color=more.pop("color", BLACK),
            **more,
        )

    def _titles(self) -> None:
        look, plan = self.look, self.plan
        left, top, right, bottom = plan.plot
        x, across = (MARGIN, "left") if look.left else (look.width / 2, "center")
        if plan.title:
            self._text(x, MARGIN, plan.title, f"{across} top", size=look.title_size, face=look.heading)
        x, across = (MARGIN, "left") if look.source_left else (look.width - MARGIN, "right")
        if plan.source:
            self._text(x, look.height - MARGIN, plan.source, f"{across} bottom", size=look.size - 1, color="#444444")
        lying, standing = plan.label_title, plan.value_title
        if self.figure.lying:
            lying, standing = standing, lying
        if lying:
            self._text((left + right) / 2, bottom + plan.below, lying)
        if standing and look.name_on_top:
            self._text(max(MARGIN, left - plan.aside), top - look.size / 2 - GAP, standing, "left bottom")
        elif standing:
            self._text(left - plan.aside - 3, (top + bottom) / 2, standing, "right center", rotation=90)

    def _axes(self) -> None:
        """Frame, marks, grid, numbers and labels."""
        from matplotlib.collections import LineCollection

        figure, look, plan, ax = self.figure, self.look, self.plan, self.ax
        ax.set_facecolor(look.backdrop)
        for side, spine in ax.spines.items():
            shown = {"box": True, "half": side in ("left", "bottom"), "none": False}[look.frame]
            spine.set_visible(shown or (side == ("left" if figure.lying else "bottom")))
        numbers, slots = (plan.numbers.low, plan.numbers.high), (-0.5, len(figure.labels) - 0.5)
        if figure.form == "scatter":
            slots = plan.across.low, plan.across.high
        (ax.set_ylim if figure.lying else ax.set_xlim)(*(slots[::-1] if figure.lying else slots))
        (ax.set_xlim if figure.lying else ax.set_ylim)(*numbers)
        lines = [((slots[0], tick), (slots[1], tick)) for tick in plan.numbers.ticks] if not look.bare else []
        if figure.lying:
            lines = [((tick, slots[0]), (tick, slots[1])) for tick in plan.numbers.ticks] if not look.bare else []
        if figure.form == "scatter":
            lines += [((tick, numbers[0]), (tick, numbers[1])) for tick in plan.across.ticks]
        if look.grid:
            colour = "#ffffff" if look.backdrop != "#ffffff" else "#d4d4d4"
            ax.add_collection(LineCollection(lines, colors=colour, linewidths=0.8, zorder=0.5), autolim=False)
        self._numbers()
        if figure.form != "scatter":
            self._labels()
        if numbers[0] < 0 < numbers[1] and figure.form != "scatter":
            (ax.axvline if figure.lying else ax.axhline)(0, color=BLACK, linewidth=0.8)

    def _mark(self, x: float, y: float, across: float, down: float) -> None:
        """A short stroke in the picture."""
        from matplotlib.lines import Line2D

        size = self.look.width, self.look.height
        xs, ys = (x / size[0], (x + across) / size[0]), (1 - y / size[1], 1 - (y + down) / size[1])
        self.canvas.add_artist(Line2D(xs, ys, color=BLACK, linewidth=0.8))

    def _numbers(self) -> None:
        """The numbers of the axes, each with its mark."""
        look, plan = self.look, self.plan
        left, top, right, bottom = plan.plot
        for tick in plan.numbers.ticks if not look.bare else ():
            text = self.figure.told(tick)
            if self.figure.lying:
                x = left + plan.numbers.at(tick) * (right - left)
                self._mark(x, bottom, 0, 3)
                self._text(x, bottom + GAP, text)
            else:
                y = bottom - plan.numbers.at(tick) * (bottom - top)
                self._mark(left - 3, y, 3, 0)
                self._text(left - GAP, y, text, "right center_baseline")
        for tick in plan.across.ticks if self.figure.form == "scatter" else ():
            x = left + plan.across.at(tick) * (right - left)
            self._mark(x, bottom, 0, 3)
            self._text(x, bottom + self.plan.drop, number(tick))

    def _labels(self) -> None:
        plan, size = self.plan, self.look.size
        left, top, right, bottom = plan.plot
        for place, label in enumerate(plan.labels):
            if self.figure.lying:
                y = top + (place + 0.5) / len(plan.labels) * (bottom - top)
                self._text(left - GAP, y, label, "right center", multialignment="right")
                continue
            x = left + (place + 0.5) / len(plan.labels) * (right - left)
            if plan.turn == 45:
                how = {"rotation": 45, "rotation_mode": "anchor"}
                self._text(x + size * 0.35, bottom + GAP + size * 0.5, label, "right center", **how)
            else:
                self._text(x, bottom + GAP, label, "center top", rotation=plan.turn)

    def _fill(self, place: int) -> dict[str, Any]:
        """How the areas of a series are filled."""
        look = self.look
        filled: dict[str, Any] = {"facecolor": look.colours[place % len(look.colours)], "linewidth": 0}
        if look.hatched:
            filled |= {"hatch": HATCHES[place % len(HATCHES)], "edgecolor": BLACK, "linewidth": 0.8}
        return filled

    def _bars(self) -> None:
        figure, look = self.figure, self.look
        count = len(figure.labels)
        bars = 1 if figure.stacked else len(figure.rows)
        ends = np.zeros(count)
        for place, row in enumerate(figure.rows):
            offset = 0.0 if figure.stacked else (place - (bars - 1) / 2) * look.share / bars
            where = np.arange(count) + offset
            values = np.array([value or 0.0 for value in row])
            thick, fill = look.share / bars * (1 if bars == 1 else 0.94), self._fill(place)
            if figure.lying:
                self.ax.barh(where, values, thick, left=ends if figure.stacked else 0, **fill)
            else:
                self.ax.bar(where, values, thick, bottom=ends if figure.stacked else 0, **fill)
            for at, value, start in zip(where, row, ends, strict=True):
                if look.printed and value is not None:
                    self._printed(at, value, start, fill["facecolor"])
            ends = ends + values if figure.stacked else ends

    def _printed(self, where: float, value: float, start: float, colour: str) -> None:
        """A value at the end of its bar, or in the middle of its part of one."""
        figure, plan = self.figure, self.plan
        left, top, right, bottom = plan.plot
        length, breadth = (right - left, bottom - top) if figure.lying else (bottom - top, right - left)
        across = (where + 0.5) / len(figure.labels) * breadth
        along = plan.numbers.at(start + value / 2 if figure.stacked else value) * length
        out = 0 if figure.stacked else 4 if value >= 0 else -4
        text, how = figure.told(value), {"color": on(colour)} if figure.stacked and not self.look.hatched else {}
        if figure.stacked and self.look.hatched:
            how = {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.5}}  # type: ignore[dict-item]
        if figure.lying:
            side = "center" if figure.stacked else "left" if value >= 0 else "right"
            self._text(left + along + out, top + across, text, f"{side} center_baseline", **how)
        else:
            side = "center" if figure.stacked else "bottom" if value >= 0 else "top"
            self._text(left + across, bottom - along - out, text, f"center {side}", rotation=plan.printed_turn, **how)

    def _stroke(self, place: int) -> dict[str, Any]:
        """How the line of a series is drawn."""
        look = self.look
        return {
            "color": look.colours[place % len(look.colours)],
            "marker": MARKERS[place % len(MARKERS)] if look.marker else "",
            "markersize": look.marker,
            "linestyle": DASHES[place % len(DASHES)] if look.hatched else "-",
            "linewidth": look.stroke,
        }

    def _lines(self) -> None:
        for place, row in enumerate(self.figure.rows):
            there = [(n, value) for n, value in enumerate(row) if value is not None]
            xs, ys = [n for n, _ in there], [value for _, value in there]
            stroke = self._stroke(place)
            self.ax.plot(xs, ys, clip_on=False, **stroke)
            if self.figure.form == "area":
                self.ax.fill_between(xs, ys, color=stroke["color"], alpha=0.4, linewidth=0)
            left, top, right, bottom = self.plan.plot
            for n, value in there if self.look.printed else ():
                x = left + (n + 0.5) / len(row) * (right - left)
                y, off = bottom - self.plan.numbers.at(value) * (bottom - top), self.look.marker / 2 + 3
                under = n in self.plan.under[place]
                clear = {"facecolor": self.look.backdrop, "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
                how = f"center {'top' if under else 'bottom'}"
                self._text(x, y + (off if under else -off), self.figure.told(value), how, bbox=clear)

    def _points(self) -> None:
        for place, row in enumerate(self.figure.rows):
            there = [(x, value) for x, value in zip(self.figure.xs, row, strict=True) if value is not None]
            stroke = self._stroke(place) | {"linestyle": ""}
            self.ax.plot([x for x, _ in there], [y for _, y in there], clip_on=False, **stroke)

    def _pie(self) -> None:
        from matplotlib.patches import Wedge

        figure, look = self.figure, self.look
        left, top, right, bottom = self.plan.plot
        x, y, radius = circle(figure, self.plan)
        self.ax.set(xlim=(left, right), ylim=(bottom, top), frame_on=False)
        for place, ((start, end), text) in enumerate(zip(sliced(figure), beside(figure), strict=True)):
            ring = radius * (1 - look.hole) if look.hole else None
            edge = self._fill(place) | {"edgecolor": BLACK if look.hatched else "white", "linewidth": 1}
            self.ax.add_patch(Wedge((x, y), radius, 360 * start - 90, 360 * end - 90, width=ring, **edge))
            turn = (start + end) * pi
            tip = x + (radius + REACH) * sin(turn), y - (radius + REACH) * cos(turn)
            foot = x + radius * sin(turn), y - radius * cos(turn)
            self.ax.plot(
                [foot[0], x + (tip[0] - x) * 0.99], [foot[1], y + (tip[1] - y) * 0.99], color="#888888", linewidth=0.8
            )
            side = "left" if sin(turn) >= 0 else "right"
            self._text(tip[0] + (3 if side == "left" else -3), tip[1], text, f"{side} center")

    def _legend(self, names: tuple[str, ...]) -> None:
        """Each name, beside a sample of what is drawn for it."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Rectangle

        size = self.look.width, self.look.height
        for place, ((left, top), name) in enumerate(zip(self.plan.legend, names, strict=False)):
            middle = top + self.look.size * 0.675 + 2
            if self.figure.form in ("line", "area", "scatter"):
                xs = [left / size[0], (left + SWATCH / 2) / size[0], (left + SWATCH) / size[0]]
                stroke = self._stroke(place)
                if self.figure.form == "scatter":
                    stroke["linestyle"] = ""
                self.canvas.add_artist(Line2D(xs, [1 - middle / size[1]] * 3, markevery=[1], **stroke))
            else:
                high = self.look.size * 0.8
                corner = left / size[0], 1 - (middle + high / 2) / size[1]
                self.canvas.add_artist(Rectangle(corner, SWATCH / size[0], high / size[1], **self._fill(place)))
            self._text(left + SWATCH + BESIDE, middle, name, "left center")
