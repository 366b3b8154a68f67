"""Handwritten lines are on their page, whole, with what they say."""

from __future__ import annotations

import json
import pickle
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw
from text_helpers import write_corpus

from ocr2.data.corpus import Corpus
from ocr2.data.handwriting import FEWEST, MOST, Handwriting, labelled
from ocr2.data.penmanship import can_write, hands, written
from ocr2.errors import BadInput
from ocr2.renderers.fonts import faces, path
from ocr2.types import Box, Page, Prompt

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus([write_corpus(tmp_path_factory.mktemp("texts"))])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of lines: bars, as many as their text has words."""
    folder = tmp_path_factory.mktemp("lines")
    rows = []
    for n in range(1, 9):
        image = Image.new("L", (60 * n + 40, 60), 235)
        draw = ImageDraw.Draw(image)
        for bar in range(n):
            draw.rectangle((20 + 60 * bar, 15, 60 + 60 * bar, 45), 30)
        image.save(folder / f"{n}.png")
        if n % 2:
            (folder / f"{n}.txt").write_text("bar  " * n + "\n")
        else:
            rows.append(f"{n}.png\t{'bar ' * n}")
    (folder / "labels.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def check_page(page: Page, least: int) -> None:
    """That ink is within the quads, in each of them, and that these don't meet."""
    assert FEWEST <= len(page.lines) <= MOST
    ink = 255 - np.asarray(page.image.convert("L")).astype(int)
    below = 0.0
    for line in page.lines:
        box = Box.around(line.place)
        assert box.x0 >= 0 and box.x1 <= page.image.width and below <= box.y0 and box.y1 <= page.image.height
        assert ink[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)].max() > 100 and line.text.strip()
        ink[int(box.y0) - 1 : int(box.y1) + 1, int(box.x0) - 1 : int(box.x1) + 1] = 0
        below = box.y1 - 1
    assert ink.max() < least


def test_clean_pages_have_their_ink_in_quads(corpus: Corpus) -> None:
    engine = Handwriting(corpus, 1, strength=0)
    for index in range(12):
        check_page(engine.page(index), 100)  # rules are lighter


def test_lines_say_what_the_corpus_says(corpus: Corpus) -> None:
    source = " ".join(passage.text for passage in corpus.passages("en"))
    for index in range(6):
        page = Handwriting(corpus, 2, strength=0).page(index)
        for line in page.lines:
            assert line.text in source or all(word in source for word in line.text.split())
        assert page.text == "\n".join(line.text for line in page.lines)


def test_no_more_is_written_than_fits_and_all_that_is_written_is_said(corpus: Corpus) -> None:
    rng, text = Random(1), "word " * 40
    for hand in hands(None, False):
        for width in (120, 500):
            ink, base, said = written(hand, text, 30, width, rng)
            assert ink.shape[1] <= width and 0 < base <= ink.shape[0] and said.split() == ["word"] * len(said.split())
        shorter = written(hand, said[: len(said) // 2], 30, width, rng)[0]
        assert shorter.shape[1] < 0.75 * ink.shape[1]


def test_words_that_a_hand_cannot_write_are_not_said() -> None:
    hand = hands(None, False)[0]
    assert not can_write(hand, "字")
    assert written(hand, "one 字 two “three”", 30, 900, Random(1))[2].split()[:2] == ["one", "two"]
    with pytest.raises(BadInput, match="has no characters of '汉字'"):
        written(hand, "汉字", 30, 900, Random(1))


def test_a_folder_of_fonts_is_written_with(corpus: Corpus, tmp_path: Path) -> None:
    face = faces("han", False)[0]
    (tmp_path / path(face).name).symlink_to(path(face))
    engine = Handwriting(corpus, 1, language="zh", fonts=tmp_path, strength=0)
    page = engine.page(0)
    check_page(page, 100)
    assert sum("\u4e00" <= char <= "\u9fff" for char in page.text) > 20
    assert can_write(engine.hands[0], "字") and not can_write(engine.hands[0], "\U0001f600")
    (tmp_path / "bad.ttf").write_text("no font")
    with pytest.raises(BadInput, match=r"bad\.ttf can't be read as a font"):
        Handwriting(corpus, 1, language="zh", fonts=tmp_path)
    with pytest.raises(BadInput, match="no font of Chinese handwriting"):
        Handwriting(corpus, 1, language="zh")


def test_lines_of_a_folder_are_pasted_whole_with_their_texts(corpus: Corpus, folder: Path) -> None:
    engine = Handwriting(corpus, 3, folder, strength=0)
    for index in range(8):
        page = engine.page(index)
        check_page(page, 100)
        for line in page.lines:
            box = Box.around(line.place)
            row = np.asarray(page.image.convert("L"))[int((box.y0 + box.y1) / 2), int(box.x0) : int(box.x1)] < 160
            bars = int((np.diff(row.astype(int)) == 1).sum()) + int(row[0])
            assert line.text == " ".join(["bar"] * bars)


def test_both_ways_of_labelling_are_read_and_mistakes_are_told(folder: Path, tmp_path: Path) -> None:
    assert [(file.name, len(text.split())) for file, text in labelled(folder)] == [(f"{n}.png", n) for n in range(1, 9)]
    with pytest.raises(BadInput, match="has no handwritten lines"):
        labelled(tmp_path)
    (tmp_path / "labels.txt").write_text("missing.png\ttext\n")
    with pytest.raises(BadInput, match=r"labels\.txt, line 1: expected the name of an image"):
        labelled(tmp_path)
    Image.new("L", (100, 40), 200).save(tmp_path / "blank.png")
    (tmp_path / "labels.txt").write_text("blank.png\ttext\n")
    with pytest.raises(BadInput, match=r"blank\.png is blank"):
        Handwriting(Corpus([write_corpus(tmp_path / "texts")]), 1, tmp_path)[0]


def test_worn_pages_keep_quads_on_their_text(corpus: Corpus) -> None:
    for index in range(4):
        page = Handwriting(corpus, 4).page(index)
        grey = np.asarray(page.image.convert("L")).astype(int)
        for line in page.lines:
            box = Box.around(line.place)
            assert np.ptp(grey[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]) > 40


def test_items_are_the_same_anywhere(corpus: Corpus, folder: Path) -> None:
    for engine in (Handwriting(corpus, 5), Handwriting(corpus, 5, folder)):
        later = [engine[index] for index in (2, 1, 0)][::-1]
        again = pickle.loads(pickle.dumps(engine))
        for index, sample in enumerate(later):
            other = again[index]
            assert other.images[0].tobytes() == sample.images[0].tobytes() and other.text == sample.text
            assert sample.prompt == Prompt() and sample.kind == "text"
        assert again.identity == engine.identity and not hasattr(engine, "__len__")
    assert Handwriting(corpus, 5).identity != Handwriting(corpus, 6).identity
    told = json.loads(Handwriting(corpus, 5)[0].origin)
    assert told["engine"] == "handwriting" and "OFL" in told["fonts"]
