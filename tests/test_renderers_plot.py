"""Matplotlib's charts: their bars are as long as their values, their texts as they were given, their settings alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from chart_helpers import figure, read_bars

from ocr2.errors import BadInput
from ocr2.renderers.figure import Axis, Cramped, axis, broken, grain, number, on, step, wide
from ocr2.renderers.fonts import path
from ocr2.renderers.plan import planned, seen
from ocr2.renderers.plot import FACES, drawn, written

matplotlib = pytest.importorskip("matplotlib", reason="engines: pip install 'ocr2[engines]'")


@pytest.mark.parametrize("form", ["bar", "barh"])
def test_bars_are_as_long_as_their_values(form: str) -> None:
    shown = figure(form, (10, 37, 0, 25), (5, 12, 40, 33), grid=False)
    plan = planned(shown)
    assert np.allclose(read_bars(drawn(shown, plan), shown, plan), shown.rows, atol=0.4)


@pytest.mark.parametrize("form", ["stacked", "stackedh"])
def test_stacked_bars_are_as_long_as_their_values(form: str) -> None:
    shown = figure(form, (10, 37, 3, 25), (5, 12, 40, 33), grid=False)
    plan = planned(shown)
    assert np.allclose(read_bars(drawn(shown, plan), shown, plan), shown.rows, atol=0.6)


def test_lines_and_points_are_where_their_values_are() -> None:
    for form, xs in (("line", ()), ("scatter", (1.0, 2.0, 4.0, 7.0))):
        shown = replace(figure(form, (10, 37, 3, 25), grid=False, stroke=1), xs=xs)
        plan = planned(shown)
        pixels = drawn(shown, plan).astype(int)
        left, top, right, bottom = plan.plot
        for place, value in enumerate(shown.rows[0]):
            x = left + (plan.across.at(xs[place]) if xs else (place + 0.5) / 4) * (right - left)
            y = bottom - plan.numbers.at(value) * (bottom - top)
            assert np.abs(pixels[round(y), round(x)] - [0x1F, 0x77, 0xB4]).max() < 30


def test_slices_are_as_large_as_their_values() -> None:
    shown = replace(figure("pie", (10, 20, 30, 40), printed=True), label_title="", value_title="")
    pixels = drawn(shown, planned(shown)).astype(int)
    colours = [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in shown.look.colours[:4]]
    areas = np.array([(np.abs(pixels - colour).max(axis=2) < 12).sum() for colour in colours])
    assert np.allclose(areas / areas.sum() * 100, [10, 20, 30, 40], atol=0.7)


def test_texts_are_never_formulas() -> None:
    shown = replace(figure("bar", (1, 2, 3, 4), labels="$a$ b_2 \\frac c^2"), title="from $5 to $6 & {7}")
    assert {"$a$", "b_2", "\\frac", "c^2", "from $5 to $6 & {7}"} <= {text for text, _ in written(shown)}


def test_the_users_settings_neither_count_nor_change() -> None:
    shown = figure("bar", (1, 2, 3, 4))
    plain = drawn(shown, planned(shown))
    with matplotlib.rc_context(
        {"font.size": 30, "axes.facecolor": "red", "patch.edgecolor": "green", "axes.grid": True}
    ):
        before = dict(matplotlib.rcParams)
        assert np.array_equal(drawn(shown, planned(shown)), plain)
        assert dict(matplotlib.rcParams) == before


def test_variable_faces_are_regular_as_they_come() -> None:
    fonts = pytest.importorskip("fontTools.ttLib", reason="fonts: pip install 'ocr2[fonts]'")
    variable = [face for face in FACES if face.variable]
    assert variable and not any(face.bold or face.italic for face in variable)
    for face in variable:
        with fonts.TTFont(path(face), fontNumber=face.index, lazy=True) as font:
            assert {each.axisTag: each.defaultValue for each in font["fvar"].axes}["wght"] == face.weight == 400


def test_figures_and_axes() -> None:
    assert [number(value) for value in (3.0, 0.5, -2.25, 1e6, 0.1 + 0.2)] == ["3", "0.5", "-2.25", "1000000", "0.3"]
    assert number(1234567.5, commas=True) == "1,234,567.5"
    assert (grain((120, 340, 500)), grain((0.25, 1.5)), grain((0, 0)), grain((437.29, 1))) == (20, 0.25, 0, 0.01)
    assert (step(100, 5), step(0.9, 5), step(7, 7), step(1100, 8)) == (20, 0.2, 1, 200)
    assert axis(0, 97, 6).ticks == (0, 20, 40, 60, 80, 100)
    assert axis(-3, 0.2, 6).low <= -3 and axis(5, 5, 6).low < axis(5, 5, 6).high and axis(0, 0, 6) == Axis(0, 1, 0.2)


def test_texts_are_broken_where_they_may_be_or_refused() -> None:
    face = figure("bar", (1,), labels="a").look.face
    text = broken("a title of several words", face, 10, 80, 4)
    assert text.replace("\n", " ") == "a title of several words" and wide(text, face, 10) <= 80
    with pytest.raises(Cramped):
        broken("a title of several words", face, 10, 80, 1)
    with pytest.raises(BadInput, match="no room"):
        planned(figure("bar", (1, 2), labels="x" * 90 + " " + "y" * 90))


def test_values_are_seen_only_where_an_axis_can_tell_them_apart() -> None:
    for row, can in (((10, 37, 3, 25), True), ((437.29, 51.2, 9.01, 1), False)):
        assert seen(figure("bar", row), planned(figure("bar", row))) is can
        assert seen(figure("bar", row, printed=True), planned(figure("bar", row, printed=True)))
    same = figure("line", (1, 2, 3, 4), (1, 2, 3, 5))  # one line hides the other
    assert not seen(same, planned(same))


def test_text_on_a_colour_is_read() -> None:
    assert on("#000080") == "#ffffff" and on("#ffee88") != "#ffffff"
