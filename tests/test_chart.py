"""Charts: what their dicts say, that what is drawn says the same, and how a transcript is scored."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from chart_helpers import wrong
from text_helpers import write_corpus

from ocr2.characters import chart
from ocr2.characters.chart.data import Chart, parsed
from ocr2.data.corpus import Corpus
from ocr2.errors import BadInput
from ocr2.renderers import echarts
from ocr2.renderers.apart import apart
from ocr2.renderers.plan import seen

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("pyecharts", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("matplotlib", reason="engines: pip install 'ocr2[engines]'")

RAIN = "{'title': 'Rain', 'source': 'None', 'x_title': 'Month', 'y_title': 'mm', 'values': {'May': 61, 'June': 47.5}}"
TWO = "{'title': 'T', 'values': {'A': {'x': 1, 'y': 2}, 'B': {'x': 3, 'y': 4}}}"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus([write_corpus(tmp_path_factory.mktemp("texts"))])


def dicted(values: object, **texts: str) -> str:
    return repr({"title": "None", "source": "None", "x_title": "None", "y_title": "None", **texts, "values": values})


# --- the dict ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        RAIN,
        RAIN.replace("'", '"'),
        "\n "
        + RAIN.replace("x_title", "x-title").replace("'y_title'", "'Y Title'").replace("'values'", "'data'")
        + " ",
        RAIN.replace("61", "'61 %'").replace("47.5", "'$47.50'"),
        RAIN.replace("'None'", "None"),
        RAIN.replace("'source': 'None', ", ""),
        RAIN[:-2],
        RAIN.replace("'Rain'", "'  Rain '"),
    ],
)
def test_one_chart_has_one_line_however_it_was_spelled(source: str) -> None:
    assert str(parsed(source)) == RAIN


def test_series_points_and_sources_are_kept() -> None:
    assert parsed(TWO).series == {"A": {"x": 1, "y": 2}, "B": {"x": 3, "y": 4}} and not parsed(TWO).flat
    assert parsed(dicted({2019: 1, 2020: -2})).series == {"": {"2019": 1, "2020": -2}}
    assert (
        parsed(dicted({"a": 1}, source="Source: UN")).source
        == parsed(dicted({"a": 1}, source="来源：UN")).source
        == "UN"
    )
    assert parsed(dicted({"it's": 1, 'a "b"': 2})).series == {"": {"it's": 1, 'a "b"': 2}}
    assert parsed('{"values": {"é\\u00e9": "1,234"}}').series == {"": {"éé": 1234}}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "neither a Python dict nor JSON"),
        ("[1, 2]", "no dict"),
        ("{'title': 'a'}", "without values"),
        ("{'values': {}}", "without values"),
        ("{'values': {'a': {}}}", "without values of 'a'"),
        ("{'values': {'a': 'many'}}", "'many' at 'a': expected a number"),
        ("{'values': {'a': None}}", "expected a number"),
        ("{'values': {'a': True}}", "expected a number"),
        ("{'values': {'a': 1e999}}", "expected numbers up to"),
        ('{"values": {"a": NaN}}', "expected numbers up to"),
        (f"{{'values': {{'a': 0x{'f' * 6000}}}}}", "a chart with a number of 24000 bits: expected up to"),
        (f"{{'values': {{0x{'f' * 6000}: 1}}}}", "a chart with a number of 24000 bits: expected up to"),
        ("{'values': {'a': 1, 'a': 2}}", "'a' twice"),
        ("{'values': {'a': 1, ' a': 2}}", "'a' twice"),
        ("{'values': {'a': 1, 'b': {'c': 2}}}", "numbers beside series"),
        ("{'values': {'a': {'b': {'c': 2}}}}", "series in the series 'a'"),
        ("{'values': {' ': 1}}", "empty label"),
        ("{'values': {'a': 1}, 'type': 'bar'}", "with 'type'"),
        ("{'values': {'a': __import__('os').getpid()}}", "in it: expected texts, numbers and dicts"),
        ("{'values': {**{'a': 1}}}", r"with \*\* in it"),
        ("{" * 5000, "neither"),
        ("(" * 5000 + ")" * 5000, "neither|expected"),
        ("{'values': {'a': " + "1" * 30_000 + "}}", "expected up to 20000"),
        (dicted({f"{n}": n for n in range(501)}), "501 values"),
    ],
)
def test_what_is_no_chart_is_refused(source: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        chart.draw(source, None)
    assert not chart.looks_like(source)


def test_a_chart_is_known_and_other_dicts_are_not() -> None:
    assert chart.looks_like(RAIN) and chart.looks_like(json.dumps({"title": "a", "values": {"b": 1}}))
    for other in ("{'a': 1}", "title: 1", "{'values': {'a': 1}}", "C1=CC=CC=C1", "{'title': 'a'}", ""):
        assert not chart.looks_like(other)


# --- composed ---------------------------------------------------------------------------------------------------------


def test_what_is_composed_is_canonical_and_the_same_for_a_seed(corpus: Corpus) -> None:
    sources = [chart.compose(corpus, Random(seed)) for seed in range(200)]
    assert sources[:30] == [chart.compose(corpus, Random(seed)) for seed in range(30)]
    assert all(str(parsed(source)) == source and chart.looks_like(source) for source in sources)
    assert len(set(sources)) == 200 and all("\n" not in source and "\\" not in source for source in sources)
    charts = list(map(parsed, sources))
    assert 50 < sum(any(char >= "\u4e00" for char in source) for source in sources) < 150
    assert {form for each in charts for form in chart.forms(each)} == {
        *("bar", "barh", "stacked", "stackedh", "line", "area", "scatter", "pie")
    }
    assert any(not each.flat for each in charts) and any(each.flat for each in charts)


@pytest.mark.parametrize("backend", chart.BACKENDS)
def test_all_that_is_composed_is_in_the_picture_and_can_be_read(backend: str, corpus: Corpus) -> None:
    for seed in range(14 if backend == "matplotlib" else 28):
        rng = Random(seed)
        data = parsed(chart.compose(corpus, rng))
        figure, plan = chart.laid_out(data, rng, backend)
        assert seen(figure, plan)
        if backend == "echarts":
            written = echarts.written(apart("ocr2.renderers.echarts:drawn", figure, plan), figure.look.face)
        else:
            written = apart("ocr2.renderers.plot:written", figure)
        assert not wrong(figure, data, written), seed
        if figure.look.printed:
            told = [text.rsplit(": ")[-1] for text, _ in written]
            assert not {figure.told(value) for value in figure.values} - set(told), seed


def test_charts_and_tables_of_a_corpus_are_used(tmp_path: Path) -> None:
    class Given(Corpus):
        def has(self, kind: str) -> bool:
            return kind in ("chart", "table")

        def item(self, rng: Random, kind: str) -> str:
            ys = {f"Town {n}": 12.5 * n for n in range(40)}
            if kind == "chart":
                return json.dumps({"title": "Towns \\ x", "x_title": "Town", "y_title": "km", "series": {"Way": ys}})
            rows = [["Year", "Goals", "Club"], ["2001", "1,200", "x"], ["2002", "340", "y"], ["2003", "15", "z"]]
            return json.dumps({"rows": rows, "title": "Goals a year"})

    given = Given([write_corpus(tmp_path / "texts")])
    charts = [parsed(chart.compose(given, Random(seed))) for seed in range(60)]
    towns = [each for each in charts if each.title == "Towns x"]
    goals = [each for each in charts if each.title == "Goals a year"]
    assert towns and goals
    for each in towns:
        (row,) = each.series.values()
        assert each.x_title == "Town" and 2 <= len(row) <= 24 and all(label.startswith("Town ") for label in row)
        truth = {label: 12.5 * int(label[5:]) for label in row}
        assert all(abs(row[label] - truth[label]) <= max(truth.values()) / 50 for label in row)
    assert {label: round(value, -1) for label, value in next(iter(goals[0].series.values())).items()} == {
        "2001": 1200,
        "2002": 340,
        "2003": pytest.approx(20, abs=10),
    }


# --- drawn ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", chart.BACKENDS)
def test_the_same_seed_draws_the_same_whatever_was_drawn_before(backend: str) -> None:
    once = [chart.draw(RAIN, Random(seed), backend).pixels() for seed in range(3)]
    chart.draw(TWO, Random(9), backend)
    again = [chart.draw(RAIN, Random(seed), backend).pixels() for seed in range(3)]
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
    assert once[0].shape != once[1].shape and max(max(image.shape) for image in once) <= 1024
    plain = chart.draw(RAIN, None, backend).pixels()
    assert np.array_equal(plain, chart.draw(RAIN, None, backend).pixels()) and (plain[:2] == 255).all()


def test_half_of_the_charts_are_of_each_tool() -> None:
    tools = [chart.draw(RAIN, Random(seed)).tool.split()[0] for seed in range(16)]
    assert 3 <= tools.count("matplotlib") <= 13 and set(tools) == set(chart.BACKENDS)
    assert chart.draw(RAIN, None).tool.startswith("matplotlib ")
    with pytest.raises(BadInput, match="expected matplotlib, echarts"):
        chart.draw(RAIN, None, "verovio")


def test_forms_suit_the_data() -> None:
    assert chart.forms(parsed(dicted({"a": 60, "b": 40}))) == ("bar", "barh", "pie")
    assert "pie" not in chart.forms(parsed(dicted({"a": 60, "b": 40}, x_title="no place on a pie")))
    assert "pie" not in chart.forms(parsed(dicted({"a": 60, "b": -40})))
    assert {"stacked", "stackedh"} < set(chart.forms(parsed(TWO)))
    assert not {"stacked", "area"} & set(chart.forms(parsed(dicted({"A": {"x": 1, "y": -2}, "B": {"x": 3, "y": 4}}))))
    points = dicted({"A": {"1": 5, "2.5": 7}, "B": {"0.5": 3, "9": 2}})
    assert chart.forms(parsed(points)) == ("scatter",)
    assert "scatter" not in chart.forms(parsed(dicted({"1.50": 1, "2": 1, "3": 3, "4": 2})))  # an axis shows 1.5
    assert "scatter" not in chart.forms(parsed(dicted({"4": 1, "2": 1, "3": 3, "5": 2})))


def test_values_too_fine_for_an_axis_are_printed() -> None:
    data = parsed(dicted({"a": 437.29, "b": 512.83, "c": 99.01}))
    for seed in range(10):
        figure, _ = chart.laid_out(data, Random(seed), "matplotlib")
        assert figure.look.printed


def test_what_a_user_gives_is_drawn_as_well_as_it_can_be() -> None:
    many = dicted({f"label number {n}": n * 1.2345 for n in range(30)}, title="A title of many words " * 4)
    assert chart.draw(many, None).pixels().shape[1] <= 1024
    for texts in ({"title": "ก"}, {"x_title": "한국"}):
        with pytest.raises(BadInput, match="no font here has"):
            chart.draw(dicted({"a": 1}, **texts), None)
    with pytest.raises(BadInput, match="expected"):
        chart.draw(dicted({f"a long label with number {n}": n for n in range(300)}), Random(1))
    for values in (
        {"a": 0},
        {"a": 0, "b": 0},
        {"a": -3},
        {"a": 1e-6, "b": 2e-6},
        {"a": 1e14, "b": 5},
        {"a": 5, "b": 5},
    ):
        for backend in chart.BACKENDS:
            for rng in (None, Random(3)):
                assert chart.draw(dicted(values), rng, backend).pixels().std() > 4


# --- scored -----------------------------------------------------------------------------------------------------------


def test_scores() -> None:
    def values(predicted: str, truth: str) -> list[float]:
        scores = chart.score(predicted, truth)
        return [scores[f"ap_{tolerance}"] for tolerance in ("strict", "slight", "high")]

    perfect = {"edit_distance": 0.0, "ap_strict": 1.0, "ap_slight": 1.0, "ap_high": 1.0}
    assert chart.score(RAIN.replace("'", '"'), RAIN) == perfect
    assert values(RAIN.replace("61", "63"), RAIN) == [0, 1, 1]  # 3 % more
    assert values(RAIN.replace("61", "66"), RAIN) == [
        0,
        0,
        1,
    ]  # 8 % more; one of the two is right: a third of all three
    assert values(RAIN.replace("'May': 61, ", ""), RAIN) == pytest.approx([0.1] * 3)  # half of them: one threshold
    assert values(TWO.replace("'B'", "'C'"), TWO) == [0, 1, 1]
    assert chart.score(TWO.replace("'T'", "'U'"), TWO)["edit_distance"] > 0
    broken = chart.score("no dict", RAIN)
    assert broken["ap_high"] == 0 and broken["edit_distance"] > 0.8
    assert chart.score(RAIN, "no dict")["ap_high"] == 0 < chart.score(RAIN, "no dict")["edit_distance"]
    assert chart.score("no dict", "no dict") == perfect


def test_missing_texts_are_named() -> None:
    data = Chart("A title in two lines", "UN", "x", "", {"S": {"a b": 1, "c": 2}})
    told = ["A title in", "two lines", "Source: UN", "x", "S", "a", "b", "c", "1"]
    assert chart.missing(data, told) == []
    assert chart.missing(data, [text for text in told if text not in ("two lines", "S", "b")]) == [
        *("A title in two lines", "S", "a b")
    ]
    assert chart.missing(data, [text for text in told if "UN" not in text]) == ["UN"]


# --- what it is written as --------------------------------------------------------------------------------------------


def test_a_chart_is_a_table_of_its_values() -> None:
    assert chart.EXPORTS["csv"](RAIN) == b"Month,mm\r\nMay,61\r\nJune,47.5\r\n"
    assert chart.EXPORTS["md"](RAIN) == b"**Rain**\n\n| Month | mm |\n| --- | ---: |\n| May | 61 |\n| June | 47.5 |\n"
    several = dicted({"A": {"x|y": 1, "z": -2.25}, "B, b": {"z": 3e-5, "w": 4}}, y_title="kg", source="<Me>")
    rows = list(csv.reader(io.StringIO(chart.EXPORTS["csv"](several).decode(), newline="")))
    assert rows == [["label", "A", "B, b"], ["x|y", "1", ""], ["z", "-2.25", "3e-05"], ["w", "", "4"]]
    shown = ET.fromstring(f"<div>{chart.EXPORTS['html'](several).decode()}</div>")
    assert [element.tag for element in shown] == ["table", "p"]
    assert [shown.findtext("table/caption"), shown.findtext("p")] == ["kg", "<Me>"]
    assert [["".join(cell.itertext()) for cell in row] for row in shown.iter("tr")] == rows
    assert rb"| x\|y | 1 |  |" in chart.EXPORTS["md"](several)


def test_json_says_all_of_it(corpus: Corpus) -> None:
    for seed in range(40):
        source = chart.compose(corpus, Random(seed))
        record = json.loads(chart.EXPORTS["json"](source))
        assert list(record) == ["title", "source", "x_title", "y_title", "values"]
        assert parsed(json.dumps(record)) == parsed(source)
        rows = list(csv.reader(io.StringIO(chart.EXPORTS["csv"](source).decode(), newline="")))
        series = list(parsed(source).series.values())
        numbers = [{row[0]: float(row[place]) for row in rows[1:] if row[place]} for place in range(1, len(rows[0]))]
        assert numbers == [pytest.approx(row) for row in series]
    assert json.loads(chart.EXPORTS["json"](TWO))["title"] == "T"
    assert json.loads(chart.EXPORTS["json"](TWO))["source"] is None


def test_no_chart_is_written_as_none() -> None:
    for write in chart.EXPORTS.values():
        for none in ("", "{'title': 'T'}", "{'title': 'T', 'values': {}}", "words"):
            with pytest.raises(BadInput):
                write(none)


def test_an_svg_of_matplotlib_is_the_picture_in_lines() -> None:
    plain = chart.draw(RAIN, None)
    svg = plain.svg()
    assert svg.startswith("<svg") and "<image" not in svg and "<text" not in svg and svg == plain.svg()
    drawn = apart("ocr2.renderers.drawing:raster", svg, 1.0)
    assert drawn.shape == plain.pixels().shape
    assert np.abs(drawn.astype(int) - plain.pixels().astype(int)).mean() < 3
