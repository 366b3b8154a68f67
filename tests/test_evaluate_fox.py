"""Fox in its published layout, small: what is asked, how it is scored, and what is wrong with a folder."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ocr2.errors import BadInput, BadPrompt
from ocr2.evaluate.benchmark import Answer, Scored
from ocr2.evaluate.fox import FOX, rouge_l
from ocr2.evaluate.run import UNASKED, answered, scored
from ocr2.queries import query
from ocr2.types import Prompt

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (613, 797)
LONG = "one two three four five six seven eight"
FILES = {
    "en_page_ocr": ("en_pdf_png", "OCR this image: ", LONG),
    "cn_page_ocr": ("cn_pdf_png", "识别图片中的文字：", "中文文字"),
    "en_box_ocr": ("en_pdf_png", "OCR the text in the box [101, 202, 499, 777].", "in the box"),
    "cn_box_ocr": ("cn_pdf_png", "OCR the text in the box [0, 0, 1000, 1000].", "框"),
    "en_line_ocr": ("en_pdf_png", "OCR the line at [333, 666].", "a line"),
    "cn_line_ocr": ("cn_pdf_png", "OCR the line at [5,7].", "一行"),
    "en_onbox_ocr": ("en_pdf_png_onbox", "OCR the bordered text in the Red box.", "framed"),
    "cn_onbox_ocr": ("cn_pdf_png_onbox", "识别蓝色框中的文字。", "色框"),
    "en_box_translation": ("en_pdf_png", "Translate [10, 20, 30, 40] into Chinese.", "翻译成中文的句子"),
    "en_box_summary": ("en_pdf_png", "Summarize the text in [10, 20, 30, 40].", "It is about rain and wind."),
    "en_page_indoc_caption": ("en_pdf_png_render_laioncoco", "What is this in the box [1, 2, 3, 4]?", "a red house"),
    "encn-multi-8page-box-ocr": ("pdfpng_encn_multi_8page", "Page 1: [1, 2, 3, 4]; Page 2: [1, 2, 3, 4]", "one\ntwo"),
    "encn-multi-8page-cross-vqa": ("pdfpng_encn_multi_8page", "Which box has most characters?", "Box 3"),
}
TASKS = ["page", "box", "line", "color"]


def entry(image: object, question: str, answer: object) -> dict[str, object]:
    turns = [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]
    return {"image": image, "len": 8, "conversations": turns}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "focus_benchmark_test"
    for name, (images, question, answer) in FILES.items():
        (root / images).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, "white").save(root / images / "p_1.png")
        image: object = [f"p_{page}.png" for page in range(8)] if "multi" in name else "p_1.png"
        (root / f"{name}.json").write_text(json.dumps([entry(image, question, answer)]), encoding="utf-8")
    return tmp_path


def by_task(folder: Path):
    return {item.task: item for item in FOX.items(folder)}


def test_all_tasks_load_from_the_folder_or_from_the_one_above(folder: Path) -> None:
    items = FOX.items(folder)
    assert [item.id for item in items] == [item.id for item in FOX.items(folder / "focus_benchmark_test")]
    assert {item.id for item in items if "multi" not in item.id} == {
        f"{name}-p_1" for name in FILES if "multi" not in name
    }
    assert {item.task for item in items} == {
        *(f"{task}-{language}" for task in TASKS for language in ("en", "zh")),
        *("translation", "summary", "caption", "pages", "vqa"),
    }
    assert len({item.id for item in items}) == len(items) == len(FILES)
    page = by_task(folder)["page-en"]
    assert (page.truth, page.prompt, page.language, page.more) == (LONG, Prompt(), "en", "OCR this image:")
    assert [page.image.size for page in page.pages()] == [SIZE]


def test_regions_are_asked_for_in_the_numbers_that_fox_has(folder: Path) -> None:
    found = {task: query(item.prompt, *SIZE) for task, item in by_task(folder).items()}
    assert found["box-en"] == "[101, 202, 499, 777] OCR: "
    assert found["box-zh"] == "[0, 0, 1000, 1000] OCR: "
    assert found["line-en"] == "[333, 666] OCR: "
    assert found["line-zh"] == "[5, 7] OCR: "
    assert found["color-en"] == "[red] OCR: "
    assert found["color-zh"] == "[blue] OCR: "


def test_the_same_image_twice_makes_two_ids(folder: Path) -> None:
    path = folder / "focus_benchmark_test/en_box_ocr.json"
    path.write_text(json.dumps([entry("p_1.png", f"[1, 2, {x}, 4]", "text") for x in (30, 40, 50)]))
    assert [item.id for item in FOX.items(folder) if item.task == "box-en"] == [
        "en_box_ocr-p_1",
        "en_box_ocr-p_1-2",
        "en_box_ocr-p_1-3",
    ]


@pytest.mark.parametrize("task", ["translation", "summary", "caption", "pages", "vqa"])
def test_what_no_prompt_can_say_is_not_asked_but_scored(folder: Path, task: str) -> None:
    item = by_task(folder)[task]
    with pytest.raises(BadPrompt, match="Fox asks"):
        item.pages()
    ((_, unread),) = answered([item], lambda asked: iter([*asked][:0]))
    assert unread.error.startswith(UNASKED)
    assert FOX.worth(FOX.score(item, Answer(item.truth), "corrected") or {}) > 0.9
    assert FOX.worth(FOX.score(item, Answer("nothing of it"), "corrected") or {}) < 0.2


@pytest.mark.parametrize("question", ["OCR the text there.", "[5, 5, 5, 5]", "[900, 1, 1200, 5]", "[1, 2, 3]"])
def test_a_region_that_cannot_be_understood_is_not_asked_for(folder: Path, question: str) -> None:
    path = folder / "focus_benchmark_test/en_box_ocr.json"
    path.write_text(json.dumps([entry("p_1.png", question, "text")]))
    item = by_task(folder)["box-en"]
    with pytest.raises(BadPrompt, match="Fox asks"):
        item.pages()
    assert FOX.score(item, Answer("text"), "corrected")["edit_distance"] == 0


def test_scores_are_the_right_way_round_unless_published(folder: Path) -> None:
    """A transcript that ends in the middle: the numbers of the published script, and of nltk in the right order."""
    item, answer = by_task(folder)["page-en"], Answer("one two three four")
    right, published = (FOX.score(item, answer, mode) for mode in ("corrected", "published"))
    assert (right["precision"], right["recall"]) == (1.0, 0.5)
    assert (published["precision"], published["recall"]) == (0.5, 1.0)
    assert right["bleu"] == pytest.approx(0.3679, abs=5e-5)
    assert published["bleu"] == pytest.approx(0.3457, abs=5e-5)
    assert right["edit_distance"] == published["edit_distance"] == pytest.approx(1 - 18 / 39)


@pytest.mark.parametrize("task", ["page-en", "box-zh", "translation", "summary", "caption", "pages"])
def test_empty_transcripts_are_all_wrong_or_left_out_if_published(folder: Path, task: str) -> None:
    item = by_task(folder)[task]
    scores = FOX.score(item, Answer(""), "corrected")
    assert all(score == (key == "edit_distance") for key, score in scores.items())
    assert FOX.worth(scores) == 0
    assert FOX.score(item, Answer(""), "published") is None
    assert FOX.worth(FOX.score(replace(item, truth=""), Answer(""), "corrected")) == 1


def test_a_transcript_of_dots_is_a_transcript_if_published(folder: Path) -> None:
    assert FOX.score(by_task(folder)["page-en"], Answer("..."), "published")["edit_distance"] == 1
    assert FOX.score(by_task(folder)["caption"], Answer("..."), "published") is None


def test_questions_are_right_or_wrong(folder: Path) -> None:
    item = by_task(folder)["vqa"]
    right = {mode: FOX.score(item, Answer(" box  3\n"), mode) for mode in ("corrected", "published")}
    assert right == {"corrected": {"accuracy": 1.0}, "published": {"accuracy": 0.0}}
    assert FOX.score(item, Answer("Box 3"), "published") == {"accuracy": 1.0}
    assert FOX.score(item, Answer("Box 4"), "corrected") == {"accuracy": 0.0}


def test_each_task_has_the_measures_of_its_paper(folder: Path) -> None:
    measures = {task: set(FOX.score(item, Answer("x"), "corrected")) for task, item in by_task(folder).items()}
    rouge = {"rouge_l", "rouge_l_recall", "rouge_l_precision"}
    assert measures["summary"] == rouge
    assert measures["caption"] - {"meteor_wordnet"} == rouge | {"meteor"}
    assert measures["translation"] - {"meteor_wordnet"} == {"bleu", "meteor"}
    assert measures["page-en"] >= {"edit_distance", "f1", "precision", "recall", "bleu", "meteor"}
    assert measures["pages"] == measures["page-en"]


def test_tables_have_our_row_beside_the_papers(folder: Path) -> None:
    items = by_task(folder)
    told = [scored(FOX, items[task], Answer("one two three four"), "corrected") for task in ("page-en", "box-en")]
    told.append(Scored(items["vqa"], Answer(error=f"{UNASKED}: why"), {"accuracy": 0.0}, f"{UNASKED}: why"))
    pages, regions, beyond = FOX.tables(told, "ours", "corrected")
    assert pages.rows[-2][:4] == ("GOT", "580M", 0.035, 0.038)
    assert pages.rows[-1][:3] == ("ours", "", pytest.approx(1 - 18 / 39))
    assert pages.rows[-1][3] is None
    (ours,) = [row for row in regions.rows if row[:2] == ("Box, en", "ours")]
    assert ours[3] == FOX.score(items["box-en"], Answer("one two three four"), "corrected")["edit_distance"]
    assert [row[1:3] + row[-1:] for row in beyond.rows if row[0] == "Question on 8 pages"] == [
        ("Fox", "1.8B", 0.827),
        ("ours", "", None),
    ]
    (published,) = FOX.tables(told[:1], "ours", "published")
    assert any("changed over" in note for note in published.notes)


# what is wrong with a folder


def test_a_folder_that_is_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere is no folder: expected .*focus_benchmark_test.* from https://hugg"):
        FOX.items(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"has no en_page_ocr\.json, .*, from https://huggingface"):
        FOX.items(tmp_path)


def test_a_task_whose_file_is_not_there_is_left_out_and_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "focus_benchmark_test/en_line_ocr.json").unlink()
    assert "line-en" not in by_task(folder)
    assert "has no en_line_ocr.json: line-en is left out" in caplog.text


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([entry("p_1.png", "OCR", "x"), {"image": "p_1.png"}], r"entry 2 has no 'conversations'"),
        ([{"image": "p_1.png", "conversations": []}], r"entry 1: expected two turns"),
        ([{"image": "p_1.png", "conversations": ["a", "b"]}], r"entry 1: expected two turns"),
        ([entry("p_1.png", "OCR", 7)], r"entry 1, 'value' is 7: expected a string"),
        ([entry("p_2.png", "OCR", "x")], r"entry 1: .*p_2\.png isn't there"),
        ([entry("../p_1.png", "OCR", "x")], r"entry 1: '\.\./p_1\.png' is no place"),
        ([entry(None, "OCR", "x")], r"entry 1, the image is None"),
    ],
)
def test_entries_that_are_wrong(folder: Path, entries: list[object], words: str) -> None:
    (folder / "focus_benchmark_test/en_page_ocr.json").write_text(json.dumps(entries))
    with pytest.raises(BadInput, match=rf"en_page_ocr\.json, {words}"):
        FOX.items(folder)


def test_an_image_that_is_none_and_a_folder_that_is_missing(folder: Path) -> None:
    image = folder / "focus_benchmark_test/en_pdf_png/p_1.png"
    image.write_bytes(b"no image")
    with pytest.raises(BadInput, match=r"p_1\.png can't be read"):
        FOX.items(folder)
    image.unlink()
    image.parent.rmdir()
    with pytest.raises(BadInput, match=r"has no folder en_pdf_png: expected .* from https"):
        FOX.items(folder)


# ROUGE-L


def longest(one: list[str], other: list[str]) -> int:
    """The length of the longest common subsequence, by trying all of the first's."""
    for size in range(len(one), 0, -1):
        for words in combinations(one, size):
            rest = iter(other)
            if all(word in rest for word in words):
                return size
    return 0


def test_rouge_l_is_the_longest_common_subsequence_against_each_length() -> None:
    rng = random.Random(5)
    for _ in range(150):
        ours, theirs = (rng.choices("abcd", k=rng.randint(1, 8)) for _ in range(2))
        common = longest(ours, theirs)
        found = rouge_l(" ".join(ours), " ".join(theirs))
        recall, precision = common / len(theirs), common / len(ours)
        assert found["rouge_l_recall"] == pytest.approx(recall)
        assert found["rouge_l_precision"] == pytest.approx(precision)
        assert found["rouge_l"] == pytest.approx(2 * common / (len(ours) + len(theirs)))


@pytest.mark.parametrize(
    ("predicted", "truth", "recall", "precision", "f1"),
    [
        (
            "The survey found that prices rose. Rents fell in the north.",
            "Prices rose sharply. In the north, rents fell.",
            *(0.25, 0.18181818181818182, 0.21052631091412755),
        ),
        ("a b c d", "a c b d e", 0.6, 0.75, 0.6666666617283951),
    ],
)
def test_published_rouge_l_is_that_of_the_package_rouge(
    predicted: str, truth: str, recall: float, precision: float, f1: float
) -> None:
    """Printed by rouge 1.0.1, which Fox's eval_summary_test.py calls."""
    found = rouge_l(predicted, truth, published=True)
    assert found == pytest.approx({"rouge_l": f1, "rouge_l_recall": recall, "rouge_l_precision": precision}, abs=1e-12)


def test_rouge_l_of_empty_texts() -> None:
    assert rouge_l("", "")["rouge_l"] == 1
    assert rouge_l("a", "")["rouge_l"] == rouge_l(" ", "a")["rouge_l"] == 0
    assert [rouge_l(*texts, published=True) for texts in (("", "a"), ("a", ""), ("...", "a"))] == [None] * 3
