"""ECharts' charts: their bars are as long as their values, no label is hidden, and their SVG has all that it shows."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import pytest
from chart_helpers import figure, read_bars

from ocr2.renderers.apart import apart
from ocr2.renderers.drawing import FONTS, Drawing
from ocr2.renderers.echarts import FACES, written
from ocr2.renderers.plan import planned

if TYPE_CHECKING:
    from ocr2.renderers.figure import Figure

pytest.importorskip("pyecharts", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")

ALL = ("bar", "barh", "stacked", "stackedh", "line", "scatter", "pie", "area")


def svg_of(shown: Figure) -> str:
    return str(apart("ocr2.renderers.echarts:drawn", shown, planned(shown)))


def some(form: str) -> Figure:
    rows = ((10, 37, 3, 25),) if form in ("pie", "area") else ((10, 37, 3, 25), (5, 12, 40, 33))
    shown = replace(figure(form, *rows, printed=form == "pie"), xs=(1, 2, 4, 7) if form == "scatter" else ())
    return replace(shown, label_title="", value_title="") if form == "pie" else shown


@pytest.mark.parametrize("form", ALL)
def test_the_svg_is_whole_and_the_same_each_time(form: str) -> None:
    first = svg_of(some(form))
    ElementTree.fromstring(first)
    svg_of(some("line" if form != "line" else "pie"))
    assert svg_of(some(form)) == first
    assert "…" not in first and not re.search(r"https?://(?!www\.w3\.org)", first)
    families = re.findall(r"font-family:\s*([^;\"]+)", first)
    assert families and {family.strip() for family in families} <= set(FONTS)


@pytest.mark.parametrize("form", ALL)
def test_every_text_is_there(form: str) -> None:
    shown = some(form)
    told = {text for text, _ in written(svg_of(shown), shown.look.face)}
    names = {f"{label}: {value}" for label, value in zip(shown.labels, (10, 37, 3, 25), strict=True)}
    expected = {*shown.names, "A title", "Source: us"} | (names if form == "pie" else {"Across", "Upwards"})
    assert expected <= told
    assert form in ("pie", "scatter") or set(shown.labels) <= told


@pytest.mark.parametrize("form", ["bar", "barh", "stacked", "stackedh"])
def test_bars_are_as_long_as_their_values(form: str) -> None:
    shown = figure(form, (10, 37, 3, 25), (5, 12, 40, 33), grid=False)
    plan = planned(shown)
    pixels = Drawing(svg_of(shown).encode(), "svg", "echarts").pixels()
    assert pixels.shape[:2] == (shown.look.height, shown.look.width)
    assert np.allclose(read_bars(pixels, shown, plan), shown.rows, atol=0.7)


def test_no_label_is_hidden_and_all_are_in_order() -> None:
    labels = " ".join(f"Label-{n:02}" for n in range(24))
    shown = figure("bar", tuple(range(24)), labels=labels)
    assert planned(shown).turn in (45, 90)
    told = [text for text, _ in written(svg_of(shown), shown.look.face)]
    assert [text for text in told if text.startswith("Label-")] == labels.split()


def test_numbers_of_the_axis_are_as_planned() -> None:
    for commas, told in ((True, "12,000"), (False, "12000")):
        shown = figure("bar", (11000, 400, 2000, 3000), commas=commas)
        assert told in {text for text, _ in written(svg_of(shown), shown.look.face)}
    shares = figure("barh", (25, 25, 10, 40), unit="%", printed=True)
    assert {"25%", "10%", "40%", "0%"} <= {text for text, _ in written(svg_of(shares), shares.look.face)}


def test_labels_are_not_templates() -> None:
    shown = figure("bar", (1, 2, 3, 4), labels="{b} {c}% {a|x} <b>&amp;")
    told = {text for text, _ in written(svg_of(shown), shown.look.face)}
    assert set(shown.labels) <= told


def test_faces_are_those_that_svg_can_be_set_in() -> None:
    assert {face.family for face in FACES} >= {"DejaVu Sans", "Noto Sans SC", "STIX"}
    assert all(not face.italic and not face.swollen for face in FACES)
