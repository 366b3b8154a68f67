"""Charts drawn by ECharts in V8, as SVG, from the options that pyecharts makes; where everything goes is planned.

ECharts hides labels that it thinks have no room, and without a browser it only guesses how wide a text is. So it is
told how wide each character is, to hide nothing, and where everything goes.
"""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any

from ocr2.errors import RenderFailed
from ocr2.renderers import v8
from ocr2.renderers.drawing import FONTS, HELD_FONTS
from ocr2.renderers.figure import BLACK, Figure, advance, draws, number, on, wide
from ocr2.renderers.fonts import FACES as ALL
from ocr2.renderers.fonts import Face
from ocr2.renderers.plan import BETWEEN, GAP, MARGIN, REACH, SWATCH, Plan, beside, circle
from ocr2.renderers.tools import need

if TYPE_CHECKING:
    from collections.abc import Callable

_CSS = {"STIX": "STIXGeneral"}
_CUTS: tuple[Face, ...] = tuple(
    face
    for face in ALL
    if _CSS.get(face.family, face.family) in FONTS + HELD_FONTS
    and not face.italic
    and face.stretch == 1
    and not face.swollen
)
FACES, HELD = (tuple(face for face in _CUTS if face.held == held) for held in (False, True))
"""That charts are lettered in, and those that are kept for tests; bold ones are for titles."""
SYMBOLS = ("circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect", "emptyTriangle", "emptyDiamond")
_DASHES: tuple[Any, ...] = ("solid", "dashed", "dotted", [12, 4, 2, 4], [2, 2, 8, 2])
_DECALS = ("none", "rect", "circle", "triangle", "diamond", "line", "arrow", "pin")
_SCRIPT = """(option, width, height, widths) => {
    echarts.setPlatformAPI({measureText(text, font) {
        const size = parseFloat(/([\\d.]+)px/.exec(font)[1]);
        const known = widths[/bold|[6-9]00/.test(font) ? 1 : 0];
        let total = 0;
        for (const char of text) total += known[char] ?? 1;
        return {width: total * size};
    }});
    for (const {axisLabel} of [...(option.xAxis ?? []), ...(option.yAxis ?? [])]) if (axisLabel.told) {
        const {low, step, told} = axisLabel;
        axisLabel.formatter = value => told[Math.round((value - low) / step)];
    }
    const chart = echarts.init(null, null, {renderer: 'svg', ssr: true, width, height});
    try { chart.setOption(option); return chart.renderToSVGString(); } finally { chart.dispose(); }
}"""
_TEXT = re.compile(r"<text\b([^>]*)>([^<]*)</text>")
Quad = tuple[tuple[float, float], ...]


def drawn(figure: Figure, plan: Plan) -> str:
    """The chart as SVG; called apart. Raises RenderFailed, RendererMissing."""
    need("echarts")
    option = _Options(figure, plan).all()
    texts = json.dumps(option, ensure_ascii=False)
    look = figure.look
    widths = [{char: advance(face, char) for char in sorted(set(texts)) if draws(face, char)} for face in _cuts(look)]
    svg = v8.called("echarts", _SCRIPT, option, look.width, look.height, widths)
    if not isinstance(svg, str) or "<svg" not in svg:
        raise RenderFailed("echarts drew nothing: give a simpler source")
    svg = re.sub(r' class="[^"]*"|<style\b.*?</style>', "", svg, flags=re.DOTALL)  # for pointers, that don't come here
    return re.sub(r"\bzr\d+-", "zr-", svg)  # numbered by what was drawn before


def _cuts(look: Any) -> tuple[Face, Face]:
    return look.face, look.heading


def _css(face: Face) -> str:
    return _CSS.get(face.family, face.family)


class _Options:
    """What ECharts is told, made by pyecharts."""

    def __init__(self, figure: Figure, plan: Plan) -> None:
        self.figure, self.look, self.plan = figure, figure.look, plan

    def all(self) -> dict[str, Any]:
        """All options, as JSON has them."""
        from pyecharts import options as opts

        figure, look = self.figure, self.look
        make: dict[str, Callable[[], Any]] = {"line": self._lines, "area": self._lines, "scatter": self._points}
        chart = self._pie() if figure.form == "pie" else make.get(figure.form, self._bars)()
        chart.set_colors(list(look.colours))
        shared: dict[str, Any] = {"legend_opts": self._legend()}
        shared["tooltip_opts"] = opts.TooltipOpts(is_show=False)
        if figure.form != "pie":
            shared |= self._axes(chart)
        chart.set_global_opts(**shared)
        chart.options["title"] = self._titles()
        option: dict[str, Any] = json.loads(chart.dump_options_with_quotes())
        option |= {"animation": False, "textStyle": {"fontFamily": _css(look.face)}}
        if look.hatched:
            decals = [{"symbol": symbol, "symbolSize": 0.7} for symbol in _DECALS]
            option["aria"] = {"enabled": True, "label": {"enabled": False}, "decal": {"show": True, "decals": decals}}
        option["legend"][0]["data"] = list(figure.labels if figure.form == "pie" else figure.names)
        if figure.form != "pie":
            left, top, right, bottom = self.plan.plot
            option["grid"] = {"left": left, "top": top, "width": right - left, "height": bottom - top}
            option["grid"] |= {"containLabel": False, "outerBoundsMode": "none"}
            if look.backdrop != "#ffffff":
                option["grid"] |= {"show": True, "backgroundColor": look.backdrop, "borderWidth": 0}
            self._name_axes(option)
        return option

    def _type(self, **more: Any) -> Any:
        from pyecharts import options as opts

        how = {"font_size": self.look.size, "font_family": _css(self.look.face), "color": BLACK}
        return opts.TextStyleOpts(**(how | more))

    def _titles(self) -> Any:
        from pyecharts import options as opts

        look, plan = self.look, self.plan
        bold = "bold" if look.heading.bold else "normal"
        style = self._type(font_size=look.title_size, font_family=_css(look.heading), font_weight=bold)
        where = {"pos_left": MARGIN} if look.left else {"pos_left": "center"}
        head = opts.TitleOpts(title=plan.title, pos_top=MARGIN, padding=0, title_textstyle_opts=style, **where)
        where = {"pos_left": MARGIN} if look.source_left else {"pos_right": MARGIN}
        small = self._type(font_size=look.size - 1, color="#444444", font_weight="normal")
        foot = opts.TitleOpts(title=plan.source, pos_bottom=MARGIN, padding=0, title_textstyle_opts=small, **where)
        return [item for each, text in ((head, plan.title), (foot, plan.source)) if text for item in each.opts]

    def _legend(self) -> Any:
        from pyecharts import options as opts

        look, entries = self.look, self.plan.legend
        if not entries:
            return opts.LegendOpts(is_show=False)
        left, top = min(x for x, _ in entries), min(y for _, y in entries)
        row = {y for _, y in entries}
        return opts.LegendOpts(
            pos_left=left,
            pos_top=top,
            padding=2,
            orient="vertical" if look.legend == "right" else "horizontal",
            item_gap=4 + look.size * 0.35 if look.legend == "right" or len(row) > 1 else BETWEEN,
            item_width=round(look.size * 0.8) if self.figure.form == "scatter" else SWATCH,
            item_height=round(look.size * 0.8),
            textstyle_opts=self._type(padding=[0, 0, 0, 1]),
        )

    def _axes(self, chart: Any) -> dict[str, Any]:
        """The options of both axes."""
        from pyecharts import options as opts

        figure, look, plan = self.figure, self.look, self.plan
        line = opts.AxisLineOpts(is_on_zero=True, linestyle_opts=opts.LineStyleOpts(color=BLACK))
        plain = {"font_size": look.size, "font_family": _css(look.face), "color": BLACK, "margin": GAP}

        def numbers(axis: Any, bare: bool, frame: bool) -> Any:
            return opts.AxisOpts(
                type_="value",
                min_=axis.low,
                max_=axis.high,
                interval=axis.step,
                axislabel_opts=opts.LabelOpts(is_show=not bare, **plain),
                axisline_opts=opts.AxisLineOpts(
                    is_show=frame, is_on_zero=False, linestyle_opts=opts.LineStyleOpts(color=BLACK)
                ),
                axistick_opts=opts.AxisTickOpts(is_show=not bare, length=3),
                splitline_opts=opts.SplitLineOpts(
                    is_show=look.grid and not bare,
                    linestyle_opts=opts.LineStyleOpts(color="#ffffff" if look.backdrop != "#ffffff" else "#d4d4d4"),
                ),
            )

        values = numbers(plan.numbers, look.bare, look.frame != "none")
        if figure.form == "scatter":
            return {"xaxis_opts": numbers(plan.across, False, True), "yaxis_opts": values}
        labels = opts.AxisOpts(
            type_="category",
            is_inverse=figure.lying,
            axislabel_opts=opts.LabelOpts(interval=0, rotate=plan.turn, **plain),
            axisline_opts=line,
            axistick_opts=opts.AxisTickOpts(is_show=look.frame != "none", length=3),
            splitline_opts=opts.SplitLineOpts(is_show=False),
        )
        if figure.lying:
            return {"xaxis_opts": values, "yaxis_opts": labels}
        return {"xaxis_opts": labels, "yaxis_opts": values}

    def _name_axes(self, option: dict[str, Any]) -> None:
        """Puts the titles of the axes where the plan has room for them."""
        figure, look, plan = self.figure, self.look, self.plan
        lying, standing = plan.label_title, plan.value_title
        if figure.lying:
            lying, standing = standing, lying
        (across,), (up,) = option["xAxis"], option["yAxis"]
        style = {"fontSize": look.size, "fontFamily": _css(look.face), "color": BLACK}
        for axis in (across, up):
            axis["nameTextStyle"], axis["nameMoveOverlap"] = style, False
        across |= {"name": lying, "nameLocation": "middle", "nameGap": plan.below}
        up |= {"name": standing, "nameLocation": "middle", "nameGap": plan.aside + 3}
        up["nameTextStyle"] = style | {"verticalAlign": "bottom"}
        across["nameTextStyle"] = style | {"verticalAlign": "top"}
        if look.name_on_top:
            up |= {"nameLocation": "start" if figure.lying else "end", "nameGap": look.size / 2 + GAP}
            up["nameTextStyle"] = style | {
                "align": "left",
                "padding": [0, 0, 0, -min(plan.aside, plan.plot[0] - MARGIN)],
            }
        for axis in (across, up):
            across["axisLabel"]["margin"] = plan.drop
            axis["axisLabel"] |= {"hideOverlap": False, "showMinLabel": True, "showMaxLabel": True}
        scales = [(across if figure.lying else up, plan.numbers, figure.told)]
        scales += [(across, plan.across, number)] if figure.form == "scatter" else []
        for axis, scale, told in scales:
            axis["axisLabel"] |= {"low": scale.low, "step": scale.step, "told": [told(tick) for tick in scale.ticks]}

    def _label(self, text: str, **more: Any) -> dict[str, Any]:
        """How a value is printed."""
        how = {"show": True, "formatter": text, "fontSize": self.look.size, "color": BLACK}
        return how | {"fontFamily": _css(self.look.face)} | more

    def _data(self, place: int) -> list[Any]:
        """The values of a series, each with what is printed for it."""
        figure, look = self.figure, self.look
        found: list[Any] = []
        for value in figure.rows[place]:
            if value is None or not look.printed:
                found.append("-" if value is None else value)
                continue
            where: dict[str, Any] = {"position": "top" if value >= 0 else "bottom", "distance": 4}
            if figure.lying:
                where["position"] = "right" if value >= 0 else "left"
            if figure.stacked:
                where = {"position": "inside", "color": on(look.colours[place % len(look.colours)])}
                where |= {"textBorderColor": "#ffffff", "textBorderWidth": 3, "color": BLACK} if look.hatched else {}
            elif self.plan.printed_turn:
                align = "left" if value >= 0 else "right"
                where |= {"rotate": 90, "align": align, "verticalAlign": "middle"}
            if figure.form in ("line", "area"):
                where |= {
                    "position": "bottom" if len(found) in self.plan.under[place] else "top",
                    "textBorderColor": look.backdrop,
                    "textBorderWidth": 3,
                }
            found.append({"value": value, "label": self._label(figure.told(value), **where)})
        return found

    def _bars(self) -> Any:
        from pyecharts import options as opts
        from pyecharts.charts import Bar

        figure, look = self.figure, self.look
        chart = Bar().add_xaxis(list(self.plan.labels))
        for place, name in enumerate(figure.names or ("",)):
            chart.add_yaxis(
                name,
                [],
                stack="all" if figure.stacked else None,
                gap="6%",
                category_gap=f"{round(100 * (1 - look.share))}%",
                label_opts=opts.LabelOpts(is_show=False),
            )
            chart.options["series"][-1]["data"] = self._data(place)
        return chart.reversal_axis() if figure.lying else chart

    def _lines(self) -> Any:
        from pyecharts import options as opts
        from pyecharts.charts import Line

        figure, look = self.figure, self.look
        chart = Line().add_xaxis(list(self.plan.labels))
        for place, name in enumerate(figure.names or ("",)):
            dash = _DASHES[place % len(_DASHES)] if look.hatched else "solid"
            chart.add_yaxis(
                name,
                [],
                is_symbol_show=True,
                symbol=SYMBOLS[place % len(SYMBOLS)],
                symbol_size=look.marker + bool(look.marker),
                is_hover_animation=False,
                is_clip=False,
                label_opts=opts.LabelOpts(is_show=False),
                linestyle_opts=opts.LineStyleOpts(width=look.stroke, type_=dash),
                areastyle_opts=opts.AreaStyleOpts(opacity=0.4 if figure.form == "area" else 0),
            )
            chart.options["series"][-1]["data"] = self._data(place)
        return chart

    def _points(self) -> Any:
        from pyecharts import options as opts
        from pyecharts.charts import Scatter

        figure = self.figure
        chart = Scatter().add_xaxis([])
        for place, name in enumerate(figure.names or ("",)):
            chart.add_yaxis(
                name,
                [],
                symbol=SYMBOLS[place % len(SYMBOLS)],
                symbol_size=self.look.marker + 1,
                label_opts=opts.LabelOpts(is_show=False),
            )
            there = zip(figure.xs, figure.rows[place], strict=True)
            chart.options["series"][-1]["data"] = [[x, value] for x, value in there if value is not None]
        return chart

    def _pie(self) -> Any:
        from pyecharts import options as opts
        from pyecharts.charts import Pie

        figure, look = self.figure, self.look
        x, y, radius = circle(figure, self.plan)
        (row,) = figure.rows
        items = []
        for label, value, text in zip(figure.labels, row, beside(figure), strict=True):
            item = opts.PieItem(name=label, value=value)
            item.opts["label"] = self._label(text)
            items.append(item)
        chart = Pie().add(
            "",
            items,
            radius=[radius * look.hole, radius],
            center=[x, y],
            label_opts=opts.LabelOpts(is_show=True),
            label_line_opts=opts.PieLabelLineOpts(length=REACH - 2, length_2=2),
        )
        chart.options["series"][-1] |= {"avoidLabelOverlap": False, "labelLine": {"length": REACH - 2, "length2": 2}}
        chart.options["series"][-1]["label"] = {"overflow": "none", "bleedMargin": 0, "edgeDistance": 0}
        return chart


def written(svg: str, face: Face) -> list[tuple[str, Quad]]:
    """Every text of a chart in SVG, and its corners in the picture, as that face sets it."""
    found = []
    for attributes, text in _TEXT.findall(svg):
        told = dict(re.findall(r'([\w-]+)="([^"]*)"', attributes))
        style = told.get("style", "") + ";" + told.get("font", "")
        size = float(re.search(r"font-size:\s*([\d.]+)|([\d.]+)px", style)[1] or 12)  # type: ignore[index]
        text = unescape(text)
        width = wide(text, face, size)
        x, y = float(told.get("x", 0)), float(told.get("y", 0))
        anchor = told.get("text-anchor", "start")
        left = x - {"start": 0, "middle": width / 2, "end": width}[anchor]
        top = y - size / 2 if told.get("dominant-baseline") == "central" else y - size * 0.85
        matrix = [1.0, 0, 0, 1, 0, 0]
        if moved := re.search(r"(matrix|translate)\(([^)]*)\)", told.get("transform", "")):
            numbers = [float(each) for each in re.split(r"[\s,]+", moved[2].strip())]
            matrix = numbers if moved[1] == "matrix" else [1, 0, 0, 1, *numbers]
        a, b, c, d, e, f = matrix
        corners = ((left, top), (left + width, top), (left + width, top + size), (left, top + size))
        found.append((text, tuple((a * x + c * y + e, b * x + d * y + f) for x, y in corners)))
    return found


def version() -> str:
    """The script's version."""
    return str(need("echarts").version)
