"""The papers' tables as data: whole, and with a reader's row beside."""

from __future__ import annotations

import pytest

from ocr2.evaluate.benchmark import Answer, Item, Scored
from ocr2.evaluate.published import BEYOND, CHARTQA, FORMATTED, PAGES, PLOTQA, REGIONS, SCENE, means, notes
from ocr2.evaluate.run import UNASKED


def of(table, name):
    return {task: scores for system in table.systems if system.name == name for task, scores in system.scores.items()}


def test_what_got_reports() -> None:
    pages, regions, scene = (of(table, "GOT") for table in (PAGES, REGIONS, SCENE))
    assert [pages[task]["edit_distance"] for task in ("page-en", "page-zh")] == [0.035, 0.038]
    assert [pages[task]["f1"] for task in ("page-en", "page-zh")] == [0.972, 0.980]
    edits = [regions[task]["edit_distance"] for task in ("box-en", "box-zh", "color-en", "color-zh")]
    assert edits == [0.041, 0.033, 0.034, 0.040]
    assert [scene[task]["edit_distance"] for task in ("scene-en", "scene-zh")] == [0.112, 0.096]
    one, tiles = of(FORMATTED, "GOT, one view"), of(FORMATTED, "GOT, tiles")
    assert [one[part]["edit_distance"] for part in ("text", "formula", "table")] == [0.097, 0.269, 0.254]
    assert [tiles[part]["edit_distance"] for part in ("text", "formula", "table")] == [0.086, 0.159, 0.220]
    assert [one[part]["edit_distance"] for part in ("music", "geometry")] == [0.046, 0.061]
    assert list(of(CHARTQA, "GOT")["chartqa-se"].values()) == [0.747, 0.845, 0.867]
    assert list(of(PLOTQA, "GOT")["plotqa-se"].values()) == [0.133, 0.596, 0.640]


def test_fox_is_the_same_in_both_papers() -> None:
    assert of(PAGES, "Fox")["page-en"]["meteor"] == 0.954
    fox = of(REGIONS, "Fox")
    assert [fox[task]["edit_distance"] for task in ("color-en", "box-en", "line-en")] == [0.064, 0.059, 0.116]
    assert [fox[task]["edit_distance"] for task in ("color-zh", "box-zh", "line-zh")] == [0.114, 0.042, 0.084]
    assert of(BEYOND, "Fox")["summary"] == {"rouge_l_recall": 0.261, "rouge_l_precision": 0.316, "rouge_l": 0.282}


@pytest.mark.parametrize(
    "table", [PAGES, SCENE, REGIONS, FORMATTED, BEYOND, CHARTQA, PLOTQA], ids=lambda table: table.title
)
def test_tables_are_whole(table) -> None:
    for system in table.systems:
        for task, scores in system.scores.items():
            assert task in table.tasks
            assert table is BEYOND or list(scores) == list(table.measures), (system.name, task)
            assert all(0 <= score <= 1 for score in scores.values()), (system.name, task)


def test_f1_lies_between_precision_and_recall() -> None:
    """As it must, nearly, in the mean over samples: this finds numbers in the wrong row or column."""
    for table in (PAGES, SCENE, REGIONS, FORMATTED):
        for system in table.systems:
            for task, scores in system.scores.items():
                low, high = sorted((scores["precision"], scores["recall"]))
                assert low - 0.06 <= scores["f1"] <= high + 0.005, (table.title, system.name, task)


def test_a_row_for_each_system_and_a_column_for_each_measure_and_task() -> None:
    table = PAGES.beside("ours", lambda task, measure: {"page-en": 0.25}.get(task), ["a rule"])
    assert table.columns[:6] == ("Method", "Size", "Edit ↓ en", "Edit ↓ zh", "F1 en", "F1 zh")
    assert table.rows[0][:4] == ("UReader", "7B", 0.718, None)
    assert table.rows[-1] == ("ours", "", *[0.25, None] * 6)
    assert table.notes == ("a rule",)
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_rows_for_each_task() -> None:
    table = REGIONS.beside("ours", lambda task, measure: 0.5 if measure == "f1" else None)
    assert table.columns == ("Task", "Method", "Size", "Edit ↓", "F1", "Prec.", "Recall", "BLEU", "METEOR")
    english = [row for row in table.rows if row[0] == "Box, en"]
    assert [row[1] for row in english] == ["DocOwl1.5", "Fox", "GOT", "ours"]
    assert english[-1] == ("Box, en", "ours", "", None, 0.5, None, None, None, None)


def sample(task, scores, error=""):
    return Scored(Item("id", lambda: [], "", task=task), Answer(error=error), scores, error)


def test_means_take_meteor_with_wordnet_where_it_was_counted() -> None:
    plain = [sample("a", {"meteor": 0.4}), sample("a", {"meteor": 0.6})]
    full = [sample("b", {"meteor": 0.4, "meteor_wordnet": 0.5, "formula_meteor": 0.1, "formula_meteor_wordnet": 0.2})]
    reached = means(plain + full)
    assert reached("a", "meteor") == pytest.approx(0.5)
    assert reached("b", "meteor") == 0.5
    assert reached("b", "formula_meteor") == 0.2
    assert reached("c", "meteor") is None
    assert any("WordNet" in note for note in notes(plain, "corrected"))
    assert not notes(full, "corrected")


def test_a_task_that_cannot_be_asked_has_no_numbers() -> None:
    unasked = sample("a", {"f1": 0.0}, f"{UNASKED}: no such prompt")
    assert means([unasked])("a", "f1") is None
    assert means([unasked, sample("a", {"f1": 1.0})])("a", "f1") == 0.5
    assert means([sample("a", {}, "not read: broken")])("a", "f1") == 0.0
