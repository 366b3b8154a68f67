"""PaddleOCR's label files as a benchmark: small ones, written here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ocr2.errors import BadInput
from ocr2.evaluate.benchmark import Answer, Scored
from ocr2.evaluate.paddle import PADDLE
from ocr2.types import Line, Piece, Prompt

if TYPE_CHECKING:
    from pathlib import Path


def quad(x, y, width=40, height=10):
    return ((x, y), (x + width, y), (x + width, y + height), (x, y + height))


def label(x, y, text, **more):
    return {"transcription": text, "points": [list(point) for point in quad(x, y)]} | more


PAGE = [label(0, 40, "second"), label(0, 0, "first"), label(0, 80, "###")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "img").mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (100, 120), "white").save(tmp_path / "img" / f"{name}.png")
    lines = [f"img/a.png\t{json.dumps(PAGE)}", f"img/b.png\t{json.dumps([label(5, 5, '银行 A')], ensure_ascii=False)}"]
    (tmp_path / "det.txt").write_text("\n".join([*lines, "img/c.png\t[]"]), encoding="utf-8")
    (tmp_path / "rec.txt").write_text("img/a.png\tHello\nimg/b.png\t银行\nimg/c.png\tof it\n", encoding="utf-8")
    (tmp_path / "dict.txt").write_text("a\nb\n", encoding="utf-8")
    return tmp_path


def test_label_files_are_read(folder: Path) -> None:
    items = list(PADDLE.items(folder))
    assert [item.task for item in items] == ["det.txt"] * 3 + ["rec.txt"] * 3
    assert [item.truth for item in items] == ["first\n\nsecond", "银行 A", "", "Hello", "银行", "of it"]
    assert len({item.id for item in items}) == 6 and not any("/" in item.id for item in items)
    assert items[0].id == "img_a" and all(item.prompt == Prompt() for item in items)
    (page,) = items[0].pages()
    assert page.image.size == (100, 120) and page.image.mode == "RGB"
    assert [item.id for item in PADDLE.items(folder / "rec.txt")] == ["img_a", "img_b", "img_c"]


def line(text, x, y):
    return Line(text, quad(x, y), 1.0)


def results(folder: Path, answers: dict[str, Answer], mode="corrected") -> list[Scored]:
    items = PADDLE.items(folder)
    return [Scored(item, answer := answers[item.id], PADDLE.score(item, answer, mode)) for item in items]


def test_pictures_are_scored_by_places_and_texts(folder: Path) -> None:
    blur = Line("blur", ((10, 82), (30, 82), (30, 88), (10, 88)), 1.0)
    answers = {
        "img_a": Answer("first\nsecund", (line("first", 1, 0), line("secund", 0, 41), blur)),
        "img_b": Answer("银行 A\nX", (line("银行 Ａ", 5, 5), line("X", 50, 100))),
        "img_c": Answer(),
    }
    scored = results(folder / "det.txt", answers)
    first, second, third = (each.scores for each in scored)
    assert first["precision"] == first["recall"] == first["hmean"] == 1 and first["end_to_end"] == 0.5
    assert first["edit_distance"] == pytest.approx(1 / 12)
    assert (second["matched"], second["right"], second["found"], second["wanted"]) == (1, 1, 2, 1)
    assert third["hmean"] == 1 and third["edit_distance"] == 0
    (table,) = PADDLE.tables(scored, "me", "corrected")
    (row,) = table.rows
    assert row[:2] == ("det.txt", 3)
    assert row[2:6] == pytest.approx((3 / 4, 1.0, 6 / 7, 2 * 2 / (4 + 3)))
    assert PADDLE.worth(first) == 1 and PADDLE.worth(second) == pytest.approx(2 / 3)
    failed = [*scored[1:], Scored(scored[0].item, answers["img_a"], {}, "no such thing")]
    (row,) = PADDLE.tables(failed, "me", "corrected")[0].rows
    assert row[2:5] == pytest.approx((1 / 2, 1 / 3, 2 * 1 / (2 + 3)))
    assert row[6] == pytest.approx((second["edit_distance"] + 0 + 1) / 3)


def test_a_line_in_pieces_is_found_in_each(folder: Path) -> None:
    pieces = Piece("first ", quad(0, 0)), Piece("second", quad(0, 40))
    item = next(iter(PADDLE.items(folder)))
    scores = PADDLE.score(
        item, Answer("", (Line("first second", quad(0, 0, 40, 50), 1.0, pieces=pieces),)), "corrected"
    )
    assert scores["hmean"] == scores["end_to_end"] == 1


def test_without_places_only_texts_are_compared(folder: Path) -> None:
    answers = {"img_a": Answer("first second"), "img_b": Answer("银行 A"), "img_c": Answer("x")}
    scored = results(folder / "det.txt", answers)
    assert [each.scores for each in scored] == [{"edit_distance": 0}, {"edit_distance": 0}, {"edit_distance": 1}]
    (table,) = PADDLE.tables(scored, "me", "corrected")
    assert table.rows == (("det.txt", 3, None, None, None, None, pytest.approx(1 / 3)),)
    assert "3 pictures that were read without places" in table.notes[-1]


def test_words_are_scored(folder: Path) -> None:
    answers = {"img_a": Answer("hello\n"), "img_b": Answer("银"), "img_c": Answer("of  it")}
    scored = results(folder / "rec.txt", answers)
    (table,) = PADDLE.tables(scored, "me", "corrected")
    assert table.rows[0][:5] == pytest.approx(("rec.txt", 3, 1 / 3, 1 / 3, 1.0))
    assert table.rows[0][5] == pytest.approx((4 / 5 + 1 / 2 + 1) / 3)
    published = results(folder / "rec.txt", answers, "published")
    assert len([each for each in published if "accuracy_alnum" in each.scores]) == 3
    assert PADDLE.worth(scored[0].scores) == pytest.approx(4 / 5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("img/a.png", "has no tab"),
        ("img/none.png\tHello", "none.png isn't there"),
        ("../a.png\tHello", "is no place in"),
        ("img/c.png\tHello", "rec.txt, line 4: img/c.png is also in .*rec.txt, line 3"),
    ],
)
def test_broken_labels_of_words_are_named(folder: Path, line: str, said: str) -> None:
    with open(folder / "rec.txt", "a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    with pytest.raises(BadInput, match=said) as caught:
        list(PADDLE.items(folder))
    assert "rec.txt, line 4" in str(caught.value)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ('[{"transcription": "a"}]', "points None"),
        ('[{"transcription": 7, "points": [[0, 0], [1, 0], [1, 1], [0, 1]]}]', "has no text"),
        ('[{"transcription": "a", "points": [[0, 0], [1, 0], [1, NaN], [0, 1]]}]', "points"),
        (json.dumps([{"transcription": "a", "points": [[n, n * n] for n in range(502)]}]), "an outline of 502 points"),
        ("[{", "no JSON"),
        ("Hello", "no JSON"),
    ],
)
def test_broken_labels_of_pictures_are_named(folder: Path, label: str, said: str) -> None:
    with open(folder / "det.txt", "a", encoding="utf-8") as file:
        file.write(f"\nimg/c.png\t{label}")
    with pytest.raises(BadInput, match=said) as caught:
        list(PADDLE.items(folder))
    assert "det.txt, line 4" in str(caught.value)


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dict.txt").write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(BadInput, match="has no label file: expected"):
        list(PADDLE.items(tmp_path))
    with pytest.raises(BadInput, match="can't be read"):
        list(PADDLE.items(tmp_path / "none"))
