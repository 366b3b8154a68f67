"""Other readers by their own words, and predictions from folders and from earlier runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import EXAMPLES
from PIL import Image

from ocr2 import files
from ocr2.errors import BadInput, ModelMissing
from ocr2.evaluate.benchmark import Answer, Item
from ocr2.evaluate.peers import Predictions, RapidOCR, Tesseract, _lines

if TYPE_CHECKING:
    from pathlib import Path

    from ocr2.types import Page

needs_tesseract = pytest.mark.skipif(not shutil.which("tesseract"), reason="apt install tesseract-ocr")


@pytest.fixture(scope="module")
def page() -> Page:
    return next(iter(files.pages(EXAMPLES / "page.png")))


def items(*names: str) -> list[Item]:
    return [Item(name, tuple, "abc") for name in names]


def answers(told: Predictions, *names: str) -> dict[str, Answer]:
    return {item.id: answer for item, answer in told.answers(items(*names))}


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / name.replace("_DOT_", ".").replace("_IN_", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


# Peers


@needs_tesseract
def test_tesseract_reads_lines_in_their_places(page: Page) -> None:
    peer = Tesseract(threads=1)
    assert peer.versions["tesseract"][0].isdigit()
    read = peer.read(page.image, 3, "x.png")
    assert (read.number, read.origin, read.lines[0].text[-18:]) == (3, "x.png", "based segmentation")
    alone = subprocess.run(["tesseract", EXAMPLES / "page.png", "stdout"], capture_output=True, text=True, check=True)
    assert read.text.split() == alone.stdout.split()
    box = read.lines[0].box
    assert box and 0 <= box.x0 < box.x1 <= page.image.width and 0 <= box.y0 < box.y1 < 60
    assert all(0 < line.score <= 1 and line.quad for line in read.lines)
    assert peer.read(Image.new("RGB", (300, 200), "white")).lines == ()


@needs_tesseract
def test_tesseract_is_told_the_language(page: Page) -> None:
    peer = Tesseract()
    peer.languages = {"eng"}
    peer.language = "zh"
    with pytest.raises(ModelMissing, match="no data for chi_sim: apt install tesseract-ocr-chi-sim"):
        peer.read(page.image)


@needs_tesseract
def test_tesseract_says_why_it_failed() -> None:
    with pytest.raises(BadInput, match="tesseract failed: "):
        Tesseract()._run("no-such-file.png", "stdout")


def test_tesseract_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(ModelMissing, match="apt install tesseract-ocr"):
        Tesseract()


def test_lines_without_a_table_to_match_have_no_places() -> None:
    head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"
    row = "5\t1\t1\t1\t{}\t1\t10\t{}\t30\t10\t{}\t{}"
    table = "\n".join([head, row.format(1, 0, 90, "a"), row.format(1, 5, 80, "b"), row.format(2, 20, 70, "c")])
    one, other = _lines("a b\n\nc\n\f", table)
    assert (one.text, one.end, one.score) == ("a b", "\n\n", pytest.approx(0.85))
    assert one.quad == ((10, 0), (40, 0), (40, 15), (10, 15))
    assert (other.text, other.quad) == ("c", ((10, 20), (40, 20), (40, 30), (10, 30)))
    assert [(line.text, line.quad, line.end) for line in _lines("a\nb\nc\n", table)] == [
        ("a", None, "\n"),
        ("b", None, "\n"),
        ("c", None, "\n\n"),
    ]


def test_rapidocr_reads_lines_in_their_places(title: Image.Image, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rapidocr", reason="pip install 'ocr2[bench]'")
    peer = RapidOCR(threads=1)
    paper = Image.new("RGB", (title.width, 200), "white")
    paper.paste(title, (0, 80))
    (line,) = peer.read(paper).lines
    assert line.text.replace(" ", "") == "Region-basedsegmentation"
    assert line.box and 70 < line.box.y0 < line.box.y1 < 130
    assert 0.5 < line.score <= 1
    assert peer.read(Image.new("RGB", (64, 64), "white")).lines == ()
    assert capsys.readouterr().out == ""
    assert set(peer.versions) == {"rapidocr"}


# Predictions


def test_files_are_named_after_samples(tmp_path: Path) -> None:
    page = {"file": "d.png", "text": "one", "stop": "eos", "lines": []}
    (tmp_path / "nougat").mkdir()
    told = Predictions(
        write(
            tmp_path / "nougat",
            a_DOT_txt="one\ntwo\n",
            b_DOT_md="\ufeff# b",
            c_DOT_json=json.dumps({"text": "c", "unknown": 1}),
            d_DOT_json=json.dumps([page, page | {"text": "two"}]),
            e_DOT_png_DOT_txt="as `ocr2 read -o` calls it",
            f_IN_g_DOT_txt="in a folder",
            h_DOT_txt="",
            i_DOT_1_DOT_txt="a dot",
            _DOT_hidden_DOT_txt="x",
            notes_DOT_csv="x",
        )
    )
    assert told.model == "nougat"
    names = ["a", "b", "c", "d", "e", "f__g", "h", "i.1"]
    assert {name: answer.text for name, answer in answers(told, *names).items()} == {
        "a": "one\ntwo",
        "b": "# b",
        "c": "c",
        "d": "one\ntwo",
        "e": "as `ocr2 read -o` calls it",
        "f__g": "in a folder",
        "h": "",
        "i.1": "a dot",
    }
    assert not any(answer.error for answer in answers(told, *names).values())
    assert told.notes == ()


def test_missing_and_broken_predictions_are_told_with_their_samples(tmp_path: Path) -> None:
    write(tmp_path, a_DOT_txt="a", b_DOT_json="{", c_DOT_json='{"texts": 1}', d_DOT_txt="x", d_DOT_md="y")
    (tmp_path / "e.txt").write_bytes(b"\xff\xfe")
    told = answers(Predictions(tmp_path), *"abcdef")
    assert {name: answer.error.partition(":")[0] for name, answer in told.items() if answer.error} == {
        "b": "not read",
        "c": "not read",
        "d": "not read",
        "e": "not read",
        "f": "no prediction",
    }
    assert "b.json is no JSON" in told["b"].error
    assert 'expected an object with "text", a string' in told["c"].error
    assert "d.md and d.txt are both for it" in told["d"].error
    assert "e.txt is no UTF-8" in told["e"].error
    assert told["f"].error.endswith("has nothing by the name f")


def test_predictions_for_no_sample_are_told(tmp_path: Path) -> None:
    told = Predictions(write(tmp_path, a_DOT_txt="a", **{f"x{n}_DOT_txt": "x" for n in range(7)}))
    answers(told, "a")
    assert told.notes == ("7 predictions are for no sample here and are left alone: x0, x1, x2, x3, x4, ….",)


def test_no_prediction_for_any_sample(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="doesn't exist: expected a folder of predictions"):
        Predictions(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="has no predictions: expected a file for each sample"):
        Predictions(tmp_path)
    write(tmp_path, page1_DOT_txt="a")
    with pytest.raises(BadInput, match=r"for any of the 2 samples: .* such as a\.txt; found page1"):
        answers(Predictions(tmp_path), "a", "b")


def test_an_earlier_run_is_scored_again(tmp_path: Path) -> None:
    samples = [
        {"id": "a", "text": "one", "seconds": 1.5, "cpu": 2.0, "stop": "repeat", "error": "", "lines": []},
        {"id": "b", "text": "", "error": "not asked: without box"},
        {"id": "c", "text": "three", "error": "not scored: KeyError"},
    ]
    record = {"benchmark": "fox", "model": "nano", "plain": True, "date": "2026-01-02", "machine": {"cpu": "x"}}
    path = tmp_path / "out.json"
    path.write_text(json.dumps(record | {"samples": samples}))
    told = Predictions(path, "fox")
    assert answers(told, "a", "b", "c") == {
        "a": Answer("one", seconds=1.5, cpu=2.0, stop="repeat"),
        "b": Answer(error="not asked: without box"),
        "c": Answer("three"),
    }
    assert (told.model, told.plain, told.read) == ("nano", True, {"date": "2026-01-02", "machine": {"cpu": "x"}})
    with pytest.raises(BadInput, match="has answers to 'fox', not to paddle"):
        Predictions(path, "paddle")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "is no outcome of a run"),
        ('{"samples": {}}', "is no outcome of a run"),
        ('{"samples": [1]}', "sample 1: expected an object"),
        ('{"samples": [{"text": "a"}]}', 'sample 1: expected strings as "id" and "error"'),
        ('{"samples": [{"id": "a", "text": "a", "error": 1}]}', 'sample 1: expected strings as "id" and "error"'),
        ('{"samples": [{"id": "a", "text": "a"}, {"id": "a", "text": "b"}]}', "sample 2: 'a' is there twice"),
        ('{"samples": [], "read": ["date"]}', 'expected an object as "read"'),
    ],
)
def test_what_is_no_earlier_run(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "out.json").write_text(text)
    with pytest.raises(BadInput, match=said):
        Predictions(tmp_path / "out.json")
