"""GOT's own sets, small: scene text by characters, formatted pages by their parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ocr2.errors import BadInput
from ocr2.evaluate.benchmark import Answer
from ocr2.evaluate.gotsets import FORMATTED, FORMATTED_TILES, SCENE
from ocr2.evaluate.run import scored
from ocr2.metrics.words import suite
from ocr2.types import Prompt

if TYPE_CHECKING:
    from pathlib import Path

PAGE = r"""Let \( x \) be a number and its inverse
\[ x^{-1} = \frac{1}{x} \]
\begin{tabular}{ll} a & b \\ c & d \end{tabular}"""
PROSE = "Only words stand on this page"
MUSIC = "**kern\t**kern\n*clefF4\t*clefG2\n*M3/4\t*M3/4\n4F\t4a 4cc\n4C\t4ff\n4r\t4dd\n==\t==\n*-\t*-"
GEOMETRY = "\\begin{tikzpicture}\n\\draw (0,0) -- (1,2) -- (2,0) -- cycle;\n\\end{tikzpicture}"


def entry(image: str, answer: str) -> dict[str, object]:
    turns = [{"from": "human", "value": "<image>\nOCR: "}, {"from": "gpt", "value": answer}]
    return {"image": image, "conversations": turns}


def put(path: Path, images: Path, *answers: str) -> None:
    images.mkdir(parents=True, exist_ok=True)
    names = [f"{number}.jpg" for number in range(len(answers))]
    for name in names:
        Image.new("RGB", (40, 30), "white").save(images / name)
    found = [entry(name, answer) for name, answer in zip(names, answers, strict=True)]
    path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    put(tmp_path / "scene_en.json", tmp_path / "scene_en", "open", "24 h")
    put(
        tmp_path / "scene_cn.json",
        tmp_path / "cn_images",
        "出口",
        "24",
        "EXIT",
        "four",
        "five",
        "six",
        "7",
        "8",
        "9",
        "10",
    )
    (tmp_path / "results_final.json").write_text('[{"image": "0.jpg", "label": "x", "answer": "y"}]')
    return tmp_path


@pytest.fixture
def formatted(tmp_path: Path) -> Path:
    put(tmp_path / "mathpix.json", tmp_path / "images", PAGE, PROSE, MUSIC, GEOMETRY)
    return tmp_path


def test_scene_items_are_of_the_language_that_their_file_is_named_by(scene: Path) -> None:
    items = SCENE.items(scene)
    assert [(item.id, item.task) for item in items[:3]] == [
        ("scene_cn-0", "scene-zh"),
        ("scene_cn-1", "scene-zh"),
        ("scene_cn-2", "scene-zh"),
    ]
    assert [(item.id, item.task, item.truth) for item in items if item.language == "en"] == [
        ("scene_en-0", "scene-en", "open"),
        ("scene_en-1", "scene-en", "24 h"),
    ]
    assert all(item.prompt == Prompt() for item in items)
    assert items[0].pages()[0].image.size == (40, 30)


def test_scene_items_are_of_the_language_of_their_text_where_the_file_says_nothing(tmp_path: Path) -> None:
    put(tmp_path / "bench.json", tmp_path, "出口", "exit")
    assert [item.task for item in SCENE.items(tmp_path)] == ["scene-zh", "scene-en"]


def test_scene_text_is_counted_by_characters(scene: Path) -> None:
    item = next(item for item in SCENE.items(scene) if item.truth == "open")
    right, published = (SCENE.score(item, Answer("opens"), mode) for mode in ("corrected", "published"))
    assert (right["precision"], right["recall"]) == (0.8, 1.0)
    assert (published["precision"], published["recall"]) == (1.0, 0.8)
    assert SCENE.worth(right) == pytest.approx(0.8)
    assert SCENE.score(item, Answer(""), "published") is None
    assert SCENE.score(item, Answer(""), "corrected")["edit_distance"] == 1


def test_the_scene_table(scene: Path) -> None:
    told = [scored(SCENE, item, Answer(item.truth), "corrected") for item in SCENE.items(scene)]
    (table,) = SCENE.tables(told, "ours", "corrected")
    assert table.rows[-2][:4] == ("GOT", "580M", 0.112, 0.096)
    assert table.rows[-1][:6] == ("ours", "", 0.0, 0.0, 1.0, 1.0)
    assert "these are of 12" in table.notes[0]


def test_formatted_items_are_of_the_kind_of_their_truth(formatted: Path) -> None:
    items = FORMATTED.items(formatted)
    assert [item.task for item in items] == ["pages", "pages", "music", "geometry"]
    assert all(item.prompt == Prompt(format=True) for item in items)
    assert [item.prompt.tiles for item in FORMATTED_TILES.items(formatted)] == [12, 12, 0, 0]


def test_formatted_pages_are_scored_whole_and_by_part(formatted: Path) -> None:
    item = FORMATTED.items(formatted)[0]
    perfect = FORMATTED.score(item, Answer(PAGE), "corrected")
    assert {perfect[f"{part}edit_distance"] for part in ("", "text_", "formula_", "table_")} == {0}
    bare = Answer("Let x be a number and its inverse")
    lost, published = (FORMATTED.score(item, bare, mode) for mode in ("corrected", "published"))
    assert lost["formula_edit_distance"] == lost["table_edit_distance"] == 1
    assert not {key for key in published if key.startswith(("formula", "table"))}
    assert published["edit_distance"] == lost["edit_distance"] > 0.5


def test_the_formatted_table(formatted: Path) -> None:
    items = FORMATTED.items(formatted)
    answers = [PAGE.replace("inverse", "reverse"), "", MUSIC, GEOMETRY]
    told = [scored(FORMATTED, item, Answer(text), "corrected") for item, text in zip(items, answers, strict=True)]
    (table,) = FORMATTED.tables(told, "ours", "corrected")
    ours = {row[0]: row[3:] for row in table.rows if row[1] == "ours"}
    assert ours["All text"][0] == pytest.approx((suite(answers[0], PAGE)["edit_distance"] + 1) / 2)
    assert ours["Formula"][:2] == ours["Table"][:2] == (0.0, 1.0)  # of the one page that has any
    assert ours["Text without them"][0] > 0.5
    assert ours["Sheet music"][:5] == ours["Geometry"][:5] == (0.0, 1.0, 1.0, 1.0, 1.0)
    assert [row[1] for row in table.rows if row[0] == "Formula"] == ["GOT, one view", "GOT, tiles", "ours"]
    (published,) = FORMATTED.tables(
        [scored(FORMATTED, item, Answer(text), "published") for item, text in zip(items, answers, strict=True)],
        *("ours", "published"),
    )
    ours = {row[0]: row[3:] for row in published.rows if row[1] == "ours"}
    assert ours["All text"][0] == pytest.approx(suite(answers[0], PAGE, published=True)["edit_distance"])
    assert ours["Text without them"] == (None,) * 6


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no JSON file of conversations: expected .* from the folder of benchmarks"):
        SCENE.items(tmp_path)
    (tmp_path / "scene_en.json").write_text(json.dumps([entry("0.jpg", "open")]))
    with pytest.raises(BadInput, match=r"has no image 0\.jpg, which scene_en\.json names"):
        SCENE.items(tmp_path)
    put(tmp_path / "scene_en.json", tmp_path, "open", "shut")
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(BadInput, match=r"scene_en\.json, entry 2: .*1\.jpg isn't there"):
        FORMATTED.items(tmp_path)
