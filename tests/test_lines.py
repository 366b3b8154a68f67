"""Drawn lines have their truth: the text that is printed, the place it stands at, and where it came from."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import unicodedata
from hashlib import sha256
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from text_helpers import write_corpus

from ocr2.data.corpus import Corpus
from ocr2.data.lines import COST, EASY_VIEWS, SHAPES, VIEWS, Lines, Shape
from ocr2.data.writing import EASY_SIZE, SPEECHES, Speech, Writing
from ocr2.errors import BadInput
from ocr2.renderers import glyphs
from ocr2.renderers.fonts import FACES
from ocr2.types import Box, Prompt

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")

EACH = 6
"""Pictures that most tests draw of each engine."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return Corpus([folder])


@pytest.fixture(params=SPEECHES, scope="module")
def speech(request: pytest.FixtureRequest) -> Speech:
    return request.param


@pytest.fixture(params=SHAPES, scope="module")
def shape(request: pytest.FixtureRequest) -> Shape:
    return request.param


def test_pictures_have_a_listed_size_and_text_on_them(corpus: Corpus, shape: Shape, speech: Speech) -> None:
    engine = Lines(corpus, shape, speech, 1)
    for index in range(EACH):
        page = engine.page(index)
        assert page.image.size in VIEWS[shape]
        assert page.image.mode == ("RGB" if shape == "scene" else "L")
        assert page.lines and page.text.strip()
        pixels = np.asarray(page.image.convert("L")).astype(int)
        for line in page.lines:
            box = Box.around(line.place)
            assert min(box.x0, box.y0) >= 0 and box.x1 <= page.image.width and box.y1 <= page.image.height
            part = pixels[int(box.y0) : int(box.y1) + 1, int(box.x0) : int(box.x1) + 1]
            assert np.ptp(part) > 20, f"{page.origin}: {line.text!r}"


def test_easy_pictures_have_their_ink_in_quads_and_nowhere_else(corpus: Corpus, shape: Shape, speech: Speech) -> None:
    engine = Lines(corpus, shape, speech, 2, easy=True)
    for index in range(EACH):
        page = engine.page(index)
        assert page.image.size in EASY_VIEWS[shape]
        ink = 255 - np.asarray(page.image)
        for line in page.lines:
            (x0, y0), _, (x1, y1), _ = line.place
            assert y1 - y0 <= 1.6 * EASY_SIZE
            assert ink[int(y0) : int(y1), int(x0) : int(x1)].any()
            ink[int(y0) : int(y1), int(x0) : int(x1)] = 0
        assert not ink.any()


def test_truth_is_in_normal_form(corpus: Corpus, shape: Shape, speech: Speech) -> None:
    engine = Lines(corpus, shape, speech, 3)
    for index in range(EACH):
        page = engine.page(index)
        assert unicodedata.is_normalized("NFC", page.text)
        assert not re.search(r"  |\n\n\n|[^\S \n]| \n|\n ", page.text) and page.text == page.text.strip()
        assert not [char for char in page.text if unicodedata.category(char)[0] in "CM" and char != "\n"]
        assert {line.end for line in page.lines} <= {"\n", "\n\n"}


def test_lines_come_in_reading_order(corpus: Corpus) -> None:
    for shape, speech in (("page", "en"), ("page", "zh"), ("paragraph", "mixed")):
        for index in range(EACH):
            page = Lines(corpus, shape, speech, 4).page(index)
            middles = [(line.place[0][1] + line.place[3][1]) / 2 for line in page.lines]
            assert all(one < other for one, other in pairwise(middles)), page.origin


def test_clean_pictures_are_black_on_white(corpus: Corpus) -> None:
    for index in range(6):
        worn, clean = (
            Lines(corpus, "slice", "en", 2).page(index),
            Lines(corpus, "slice", "en", 2, clean=True).page(index),
        )
        assert worn.text == clean.text
        image = np.asarray(clean.image)
        assert image.ndim == 2 and (image == 255).mean() > 0.5 and image.min() < 60
    assert Lines(corpus, "slice", "en", 2).identity != Lines(corpus, "slice", "en", 2, clean=True).identity


def test_columns_are_read_one_after_the_other(corpus: Corpus) -> None:
    found = 0
    for index in range(EACH):
        page = Lines(corpus, "columns", "en", 5, easy=True).page(index)
        sides = [line.place[1][0] > page.image.width / 2 + 20 for line in page.lines]
        first = sides.index(True)
        assert first > 0 and all(sides[first:])
        assert page.lines[first - 1].end == "\n\n"
        found += first
    assert found > EACH


def test_a_sample_is_the_page_and_its_text(corpus: Corpus, shape: Shape) -> None:
    engine = Lines(corpus, shape, "mixed", 6)
    page, sample = engine.page(9), engine[9]
    assert sample.text == page.text and sample.prompt == Prompt() and sample.kind == "text"
    assert sample.images[0].tobytes() == page.image.tobytes()
    told = json.loads(sample.origin)
    assert [each["points"] for each in told["lines"]] == [
        [[round(x, 2), round(y, 2)] for x, y in line.place] for line in page.lines
    ]
    assert (told["engine"], told["seed"], told["index"]) == (f"{shape}-mixed", 6, 9)
    assert re.fullmatch(r"random|(english|chinese)\.txt(, \w+\.txt)?", told["source"])
    assert re.fullmatch(r"[^(]+\([^)]+\)(, [^(]+\([^)]+\))*", told["fonts"])


def test_an_item_is_the_same_in_any_order_and_differs_from_others(corpus: Corpus, shape: Shape) -> None:
    engine = Lines(corpus, shape, "mixed", 7)
    forwards = [engine.page(index) for index in range(5)]
    backwards = [Lines(corpus, shape, "mixed", 7).page(index) for index in reversed(range(5))][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        assert one.image.tobytes() == other.image.tobytes() and one.lines == other.lines and one.origin == other.origin
    assert len({page.text for page in forwards}) == 5
    assert Lines(corpus, shape, "mixed", 8).page(0).text != forwards[0].text


def test_same_seed_same_bytes_in_any_process(folder: Path, corpus: Corpus) -> None:
    code = (
        "import sys\nfrom hashlib import sha256\n"
        "from ocr2.data.corpus import Corpus\nfrom ocr2.data.lines import Lines, SHAPES\n"
        "for shape in reversed(SHAPES):\n    page = Lines(Corpus([sys.argv[1]]), shape, 'mixed', 7).page(3)\n"
        "    print(shape, sha256(page.image.tobytes() + repr(page.lines).encode()).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "5"}
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    there = dict(line.split() for line in done.stdout.splitlines())
    for shape in SHAPES:
        page = Lines(corpus, shape, "mixed", 7).page(3)
        assert there[shape] == sha256(page.image.tobytes() + repr(page.lines).encode()).hexdigest()


def test_an_engine_goes_to_other_processes(corpus: Corpus) -> None:
    engine = Lines(corpus, "line", "zh", 1)
    data = pickle.dumps(engine)
    assert len(data) < 2000
    assert pickle.loads(data).page(4).image.tobytes() == engine.page(4).image.tobytes()


def test_held_back_texts_are_set_in_held_back_fonts(corpus: Corpus, tmp_path: Path) -> None:
    lines = "".join(f"Sentence number {n} of a longer text, which nobody has read.\n" for n in range(900))
    (tmp_path / "many.txt").write_text(lines)
    held = {face.family for face in FACES if face.held}
    trained = {face.family for face in FACES if not face.held}
    for texts, families in ((Corpus([tmp_path], held=True), held), (Corpus([tmp_path]), trained)):
        seen = set()
        for easy in (False, True):
            engine = Lines(texts, "page", "en", 1, easy=easy)
            for index in range(12):
                named = json.loads(engine.page(index).origin)["fonts"]
                seen |= {
                    family
                    for family in held | trained
                    if re.search(rf"(^|, ){re.escape(family)}( bold| italic)* \(", named)
                }
        assert seen <= families and len(seen) >= 3


def test_pages_are_dense_and_bounded(corpus: Corpus) -> None:
    for speech in SPEECHES:
        for most in (600, 4000):
            counts = [len(Lines(corpus, "page", speech, 1, most=most).page(index).text) for index in range(12)]
            assert max(counts) < 1.35 * most / COST[speech]
            assert np.median(counts) > 0.35 * most / COST[speech]


def test_views_can_be_given(corpus: Corpus) -> None:
    engine = Lines(corpus, "paragraph", "en", 1, views=((192, 320),))
    assert {engine.page(index).image.size for index in range(4)} == {(192, 320)}


def test_unknown_shapes_and_languages_are_refused(corpus: Corpus) -> None:
    with pytest.raises(BadInput, match=r"'poem' is no shape or language .* word, line"):
        Lines(corpus, "poem", "en", 1)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"'fr' .* expected en, zh, mixed"):
        Lines(corpus, "page", "fr", 1)  # type: ignore[arg-type]


def test_a_corpus_without_the_language_raises(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("One paragraph of English, and no more than that one.\n" * 3)
    engine = Lines(Corpus([tmp_path]), "line", "zh", 1)
    with pytest.raises(BadInput, match="no Chinese paragraph"):
        [engine[index] for index in range(8)]


def test_the_lines_of_a_sign_are_one_text(corpus: Corpus) -> None:
    engine = Lines(corpus, "scene", "en", 11)
    two = [page for page in map(engine.page, range(60)) if len(page.lines) == 2]
    assert two
    assert all(page.lines[0].end == "\n" for page in two)


def test_a_space_is_wider_than_the_gap_between_scripts(corpus: Corpus) -> None:
    for seed in range(60):
        style = Writing(corpus, "mixed", False, Random(seed)).style(20)
        assert style.gap <= 0.12


def test_fonts_that_come_and_go_are_not_kept(corpus: Corpus) -> None:
    engine = Lines(corpus, "line", "mixed", 3)
    for index in range(150):
        engine.page(index)
    assert glyphs._font.cache_info().currsize <= 64
    assert sum(kept.size_in_memory for kept in glyphs._founts.values()) < 2 * glyphs.KEPT
