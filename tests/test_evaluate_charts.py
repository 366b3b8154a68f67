"""ChartQA-SE and PlotQA-SE in the layout of the folder ChartSE, small."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ocr2.errors import BadInput
from ocr2.evaluate.benchmark import Answer
from ocr2.evaluate.charts import CHARTQA_SE, PLOTQA_SE
from ocr2.evaluate.run import scored
from ocr2.types import Prompt

if TYPE_CHECKING:
    from pathlib import Path

RAIN = {"title": "Rain", "source": "None", "x_title": "Month", "y_title": "mm", "values": {"May": "61", "June": "47.5"}}
WIND = {**RAIN, "title": ["Wind", "wind speed"], "values": {"north": {"May": "5"}, "south": {"May": "7"}}}


def put(root: Path, file: str, images: str, entries: list[object]) -> None:
    (root / images).mkdir(parents=True, exist_ok=True)
    for each in entries:
        if isinstance(each, dict) and isinstance(each.get("images"), str):
            Image.new("RGB", (40, 30), "white").save(root / images / each["images"])
    (root / file).write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")


ENTRIES = [{"images": "41.png", "gts": RAIN}, {"images": "42.png", "gts": WIND, "type": "bar"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path / "ChartSE", "ChartQA_test_human_filter.json", "imgs/ChartQA-test", ENTRIES)
    put(tmp_path / "ChartSE", "PlotQA_test.json", "imgs/PlotQA-test", ENTRIES[:1])
    return tmp_path


def test_items_of_both_sets(folder: Path) -> None:
    first, second = CHARTQA_SE.items(folder)
    assert (first.id, first.kind, first.task, first.prompt) == ("41", "chart", "chartqa-se", Prompt(format=True))
    assert json.loads(first.truth) == first.more == RAIN
    assert [page.image.size for page in second.pages()] == [(40, 30)]
    assert [item.task for item in PLOTQA_SE.items(folder / "ChartSE")] == ["plotqa-se"]


@pytest.mark.parametrize("images", ["imgs/ChartQA-test", "imgs", "ChartQA-test", "."])
def test_images_are_found_where_archives_put_them(tmp_path: Path, images: str) -> None:
    put(tmp_path, "ChartQA_test_human_filter.json", images, ENTRIES)
    assert len(CHARTQA_SE.items(tmp_path)) == 2


def test_scores_and_the_half_of_the_papers_table(folder: Path) -> None:
    first, second = CHARTQA_SE.items(folder)
    answers = [(first, Answer(json.dumps(RAIN))), (second, Answer("no chart"))]
    told = [scored(CHARTQA_SE, item, answer, "corrected") for item, answer in answers]
    assert [each.scores["ap_strict"] for each in told] == [1.0, 0.0]
    assert [CHARTQA_SE.worth(each.scores) for each in told] == [1.0, 0.0]
    table, others = CHARTQA_SE.tables(told, "ours", "corrected")
    assert table.rows[-2] == ("ChartQA-SE", "GOT", "0.58B", 0.747, 0.845, 0.867)
    assert table.rows[-1] == ("ChartQA-SE", "ours", "", 0.5, 0.5, 0.5)
    assert others.columns[3:] == ("All right", "Is a chart", "Title", "Source", "X title", "Y title")
    assert others.rows == (("ChartQA-SE", "ours", "", *[0.5] * 6),)


def test_published_takes_json_alone(folder: Path) -> None:
    item = CHARTQA_SE.items(folder)[0]
    python = Answer(str(RAIN))
    assert CHARTQA_SE.score(item, python, "corrected")["ap_strict"] == 1
    assert CHARTQA_SE.score(item, python, "published")["structure"] == 0
    part = Answer(json.dumps({**RAIN, "values": {"ay": 61, "ne": 47.5}}))
    assert CHARTQA_SE.score(item, part, "corrected")["ap_strict"] == 0
    assert CHARTQA_SE.score(item, part, "published")["ap_strict"] == 1  # the end of a label is the label there


@pytest.mark.parametrize("answer", ["", "{", "{}", "[1, 2]", "null", "{'title': {'values'", "{" * 5000])
def test_answers_that_are_no_chart_are_all_wrong(folder: Path, answer: str) -> None:
    item = CHARTQA_SE.items(folder)[0]
    for mode in ("corrected", "published"):
        found = scored(CHARTQA_SE, item, Answer(answer), mode)
        assert not found.error
        assert found.scores["structure"] == found.scores["ap_high"] == 0


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"images": "1.png"}], "entry 1 has no 'gts'"),
        ([{"images": "1.png", "gts": 5}], "entry 1, 'gts': no 'title'; expected title, source, x_title, y_title and"),
        ([{"images": "1.png", "gts": {**RAIN, "values": [1]}}], r"entry 1, 'gts', 'values' is \[1\]"),
        ([{"images": "1.png", "gts": {**RAIN, "source": 5}}], "entry 1, 'gts', 'source' is 5: expected a string"),
        ([{"images": "1.png", "gts": {**RAIN, "title": ["a", None]}}], "entry 1, 'gts', 'title' is None"),
        ([{"images": "1.png", "gts": RAIN}, {"images": 2, "gts": RAIN}], "entry 2, 'images' is 2: expected a string"),
    ],
)
def test_entries_that_are_wrong(tmp_path: Path, entries: list[object], words: str) -> None:
    put(tmp_path, "PlotQA_test.json", "imgs/PlotQA-test", entries)
    with pytest.raises(BadInput, match=rf"PlotQA_test\.json, {words}"):
        PLOTQA_SE.items(tmp_path)


def test_what_is_missing_is_told(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"has no PlotQA_test\.json: expected the folder ChartSE, from https://hugg"):
        PLOTQA_SE.items(folder / "ChartSE/imgs")
    image = folder / "ChartSE/imgs/ChartQA-test/42.png"
    image.unlink()
    with pytest.raises(BadInput, match=r"entry 2: .*42\.png isn't there"):
        CHARTQA_SE.items(folder)
    image.with_stem("41").unlink()
    with pytest.raises(BadInput, match=r"has no image 41\.png in imgs/ChartQA-test, .*, from https://huggingface"):
        CHARTQA_SE.items(folder)
