"""Charts, and what they say: the paper's Python dict (GOT §3.3.2), on one line; see `chartdata`.

    {'title': 'Rain', 'source': 'None', 'x_title': 'Month', 'y_title': 'mm', 'values': {'May': 61, 'June': 47.5}}

The dict doesn't say how the chart is drawn; whatever suits it is one of: bars, standing or lying, one series or several
beside or on top of each other, lines, areas, pies and rings, points. Labels stand from left to right in the order of
the dict, on lying bars from top to bottom, on a pie clockwise from the top. `x_title` stands at the labels and
`y_title` at the numbers, wherever these are. Values are printed, or can be read off the axis.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from ocr2.characters.chart import exports
from ocr2.characters.chart.data import Chart, parsed
from ocr2.characters.chart.invented import invented
from ocr2.errors import BadInput
from ocr2.metrics import edit_distance, scrm
from ocr2.renderers import echarts, plot
from ocr2.renderers.apart import apart
from ocr2.renderers.drawing import Drawing
from ocr2.renderers.figure import COLOURS, Cramped, Figure, Form, Look, draws, grain, light, number
from ocr2.renderers.plan import Plan, planned, seen
from ocr2.renderers.tools import chosen, need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from random import Random

    from ocr2.characters import Corpus
    from ocr2.renderers.fonts import Face

BACKENDS = ("matplotlib", "echarts")
TRIES = 24
"""Looks that are tried before the plain ones."""
_PALETTES = (
    COLOURS,
    ("#5470c6", "#91cc75", "#fac858", "#ee6666", "#73c0de", "#3ba272", "#fc8452", "#9a60b4", "#ea7ccc", "#556270"),
    ("#c23531", "#2f4554", "#61a0a8", "#d48265", "#749f83", "#ca8622", "#8d4a9b", "#6e7074", "#bda29a", "#91c7ae"),
    ("#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e", "#e6ab02", "#a6761d", "#666666", "#1f78b4", "#b2182b"),
    ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#da8bc3", "#8c8c8c", "#ccb974", "#64b5cd"),
    ("#003f5c", "#ff6361", "#58508d", "#ffa600", "#bc5090", "#2a9d8f", "#8ab17d", "#e76f51", "#457b9d", "#6d597a"),
    ("#e41a1c", "#377eb8", "#4daf4a", "#984ea3", "#ff7f00", "#a65628", "#f781bf", "#999999", "#17a2a2", "#b8a000"),
)
_GREYS = ("#333333", "#b4b4b4", "#6f6f6f", "#dcdcdc", "#515151", "#9a9a9a", "#e8e8e8", "#444444", "#c8c8c8", "#808080")


def compose(corpus: Corpus, rng: Random) -> str:
    """What a chart says, English or Chinese, as one line. Raises BadInput where the corpus has no text."""
    return str(invented(corpus, rng))


def draw(source: str, rng: Random | None, backend: str = "", held: bool = False) -> Drawing:
    """A chart that says so, drawn by Matplotlib; with `rng` as it likes, and half of them by ECharts, by default;
    `held` in type that is never trained on.

    Raises BadInput for what is no chart's dict, or has no room in one; RendererMissing.
    """
    if not backend:
        backend = BACKENDS[0] if rng is None else rng.choice(BACKENDS)
    backend = chosen(backend, BACKENDS)
    need("fonts")
    figure, plan = laid_out(parsed(source), rng, backend, held and rng is not None)
    if backend == "echarts":
        tool = f"echarts {echarts.version()}"
        return Drawing(apart("ocr2.renderers.echarts:drawn", figure, plan).encode(), "svg", tool)
    pixels = apart("ocr2.renderers.plot:drawn", figure, plan)
    outline = partial(apart, "ocr2.renderers.plot:outlined", figure, plan)
    return Drawing(pixels, "pixels", f"matplotlib {need('matplotlib').version}", outline=outline)


def laid_out(chart: Chart, rng: Random | None, backend: str, held: bool = False) -> tuple[Figure, Plan]:
    """How the chart is drawn: the first of the looks that has room for its texts, and shows its values.

    Raises BadInput where none has.
    """
    reason = Cramped("nothing")
    second: tuple[Figure, Plan] | None = None
    drawer = echarts if backend == "echarts" else plot
    for figure in _figures(chart, rng, drawer.HELD if held else drawer.FACES):
        try:
            plan = planned(figure)
        except Cramped as error:
            reason = error
            continue
        if seen(figure, plan):
            return figure, plan
        second = second or (figure, plan)
    if second:  # the values of this one can be read less exactly than they are given
        return second
    raise reason


def forms(chart: Chart) -> tuple[Form, ...]:
    """The forms that suit the chart, the plainest first."""
    rows = list(chart.series.values())
    values = [value for row in rows for value in row.values()]
    labels = list(rows[0])
    alike, positive = all(list(row) == labels for row in rows), min(values) >= 0 and max(values) > 0
    points = all(_points(list(row)) for row in rows)
    found: list[Form] = ["bar", "barh"]
    if not alike:
        return ("scatter",) if points else tuple(found)
    if len(labels) > 2:
        found.append("line")
    if positive and len(rows) > 1:
        found += ["stacked", "stackedh"]
    if positive and len(rows) == 1 and len(labels) > 2:
        found.append("area")
    if points and len(labels) > 3:
        found.append("scatter")
    if chart.flat and min(values) > 0 and 2 <= len(labels) <= 10 and not chart.x_title and not chart.y_title:
        found.append("pie")
    return tuple(found)


def _points(labels: list[str]) -> bool:
    """Whether the labels are numbers, as an axis shows them, that rise."""
    if not all(re.fullmatch(r"-?\d{1,12}(\.\d{1,6})?", label) for label in labels):
        return False
    xs = [float(label) for label in labels]
    return [number(x) for x in xs] == labels and all(a < b for a, b in pairwise(xs))


def _figures(chart: Chart, rng: Random | None, cuts: tuple[Face, ...]) -> Iterator[Figure]:
    """Figures of the chart, one after the other, to be tried."""
    suiting = forms(chart)
    for tried in range(TRIES if rng else 0):
        assert rng
        form = "pie" if "pie" in suiting and rng.random() < 0.4 else rng.choice(suiting)
        yield _figure(chart, form, _look(chart, form, rng, cuts, tried), rng)
    faces = _cut(chart, None, cuts)
    for width, height in ((640, 440), (820, 560), (1024, 720), (1024, 1024)):
        for printed in (False, True):
            for form in suiting:
                look = Look(*faces, width=width, height=height, printed=printed or form == "pie")
                yield _figure(chart, form, replace(look, size=11) if width == 1024 else look, None)


def _figure(chart: Chart, form: Form, look: Look, rng: Random | None) -> Figure:
    labels = list(dict.fromkeys(label for row in chart.series.values() for label in row))
    if form == "scatter":
        labels.sort(key=float)
    prefix = "" if rng and rng.random() < 0.25 else "Source: "
    if prefix and re.search("[\u4e00-\u9fff]", "".join((chart.source, chart.title, *labels))):
        prefix = rng.choice(("来源：", "数据来源：")) if rng else "来源："
    elif prefix and rng:
        prefix = rng.choice((prefix, prefix, "Data source: "))
    return Figure(
        form,
        chart.title,
        prefix + chart.source if chart.source else "",
        chart.x_title,
        chart.y_title,
        () if chart.flat else tuple(chart.series),
        tuple(labels),
        tuple(tuple(row.get(label) for label in labels) for row in chart.series.values()),
        look,
        tuple(map(float, labels)) if form == "scatter" else (),
    )


def _cut(chart: Chart, rng: Random | None, cuts: tuple[Face, ...]) -> tuple[Face, Face]:
    """Faces for the texts and for the title, that have all characters. Raises BadInput where there are none."""
    labels = [label for row in chart.series.values() for label in row]
    titles = (chart.title, chart.source, chart.x_title, chart.y_title)
    texts = "".join(sorted({*"".join([*titles, *chart.series, *labels]), *" 0123456789.,-:%SourceDat"}))
    if re.search("[\u4e00-\u9fff]", texts):
        texts += "来源：数据"
    able = [face for face in cuts if not face.bold and draws(face, texts)]
    if not able:
        face = cuts[0]
        lacking = next((char for char in texts if not any(draws(face, char) for face in cuts)), texts[-1])
        raise BadInput(f"a chart with {lacking!r} in it, which no font here has: expected English or Chinese")
    sans = [face for face in able if face.kind == "sans"] or able
    face = rng.choice(sans if rng.random() < 0.6 else able) if rng else sans[0]
    bold = [each for each in cuts if each.family == face.family and each.bold and draws(each, texts)]
    return face, (bold[0] if bold and (rng is None or rng.random() < 0.5) else face)


def _look(chart: Chart, form: Form, rng: Random, cuts: tuple[Face, ...], tried: int) -> Look:
    """How it is drawn, at random; the more was tried, the larger."""
    values = tuple(value for row in chart.series.values() for value in row.values())
    size = rng.randint(11, 16) if tried < 12 else 11
    width = min(1000, rng.randint(440, 800) + 25 * tried)
    height = min(1000, round(width * rng.uniform(0.55, 0.85)), 620 + 20 * tried)
    if form in ("barh", "stackedh"):
        height = min(1000, max(height, round(len(next(iter(chart.series.values()))) * size * 1.6) + 120))
    fine = grain(values) * 150 < max(map(abs, values))  # too fine for an axis
    printed = form == "pie" or (form != "scatter" and (fine or rng.random() < 0.4))
    shares = chart.flat and abs(sum(values) - 100) < 1e-6
    hatched = rng.random() < 0.12
    palette = _PALETTES[rng.randrange(len(_PALETTES))]
    start = rng.randrange(len(palette))
    colours = _GREYS if hatched and rng.random() < 0.7 else palette[start:] + palette[:start]
    if form in ("line", "scatter"):  # thin: none as light as the paper
        colours = tuple(colour for colour in colours if light(colour) < 185)
    return Look(
        *_cut(chart, rng, cuts),
        width=width,
        height=height,
        size=size,
        title_size=size + rng.randint(1, 7),
        colours=colours,
        hatched=hatched,
        grid=rng.random() < (0.5 if printed else 0.85),
        backdrop="#ffffff"
        if rng.random() < 0.85 or hatched
        else rng.choice(("#eaeaf2", "#f0f0f0", "#ebebeb", "#e5ecf6")),
        legend=rng.choice(("top", "top", "bottom", "right")),
        left=rng.random() < 0.25,
        source_left=rng.random() < 0.6,
        printed=printed,
        bare=printed and rng.random() < 0.2,
        unit="%" if shares and rng.random() < (0.8 if form == "pie" else 0.3) else "",
        commas=rng.random() < 0.3,
        frame=rng.choice(("box", "half", "half", "none")),
        name_on_top=rng.random() < 0.25,
        share=rng.uniform(0.45, 0.88),
        stroke=rng.uniform(1.2, 3.2),
        marker=rng.uniform(4, 9) if form == "scatter" or hatched or rng.random() < 0.8 else 0.0,
        zero=rng.random() < 0.5,
        hole=rng.uniform(0.35, 0.65) if rng.random() < 0.4 else 0.0,
        beside=rng.random() < 0.6,
    )


def looks_like(text: str) -> bool:
    """Whether it is a dict of a chart, with values and a title."""
    if not re.match(r"""\s*\{\s*["'](?:title|source|[xy].title|values|data)["']\s*:""", text) or "title" not in text:
        return False
    return _read(text) is not None


def score(predicted: str, truth: str) -> dict[str, float]:
    """Edit distance of the two lines in their one spelling (0 is perfect), and the AP of its values at SCRM's three
    tolerances (1 is perfect); see `ocr2.metrics.scrm`. What can't be read as a chart has none.
    """
    distance = edit_distance(str(_read(predicted) or predicted), str(_read(truth) or truth))
    right = scrm.parse(truth)
    found = scrm.scores(predicted, right) if right else {}
    aps = {name: found.get(name, float(predicted == truth)) for name in ("ap_strict", "ap_slight", "ap_high")}
    return {"edit_distance": distance, **aps}


def _read(text: str) -> Chart | None:
    try:
        return parsed(text)
    except BadInput:
        return None


def missing(chart: Chart, written: list[str]) -> list[str]:
    """The texts of the chart that aren't among those written in its picture, whole or line by line, and in order."""
    lines = ["".join(text.split()) for text in written]
    joined = {"".join(lines[start:end]) for start in range(len(lines)) for end in range(start + 1, start + 5)}
    asked = [chart.title, chart.x_title, chart.y_title, *filter(None, chart.series)]
    asked += [label for row in chart.series.values() for label in row if not _points(list(row))]
    lost = [text for text in asked if text and not _there("".join(text.split()), joined)]
    source = "".join(chart.source.split())
    return lost + [chart.source] * (bool(source) and not any(text.endswith(source) for text in joined))


def _there(text: str, joined: set[str]) -> bool:
    """Whether a text is written; beside a slice of a pie its value follows."""
    return text in joined or any(each.startswith(f"{text}:") for each in joined)


EXPORTS: Mapping[str, Callable[[str], bytes]] = {
    "csv": lambda text: exports.csv(parsed(text)),
    "json": lambda text: exports.json(parsed(text)),
    "html": lambda text: exports.html(parsed(text)),
    "md": lambda text: exports.markdown(parsed(text)),
}
"""What a transcript can be written as; each raises BadInput for what is no chart."""
