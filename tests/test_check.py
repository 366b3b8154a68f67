"""A second look at samples: each way passes what is right, and finds what isn't."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest
from PIL import Image
from text_helpers import write_corpus

from ocr2.characters import CHARACTERS, table
from ocr2.data import redrawn, ruled
from ocr2.data.check import checked, words
from ocr2.data.corpus import Corpus
from ocr2.data.engines import Materials, engine_of
from ocr2.data.origin import origin
from ocr2.data.reread import lost
from ocr2.errors import RendererMissing
from ocr2.renderers.tools import tool
from ocr2.types import Box, Line, Page, Prompt, Sample

pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")

TABLE = (
    "\\begin{tabular}{|l|c|}\n\\hline Mineral & Hardness \\\\\n\\hline Topaz & 8001 \\\\\n"
    "\\cline{1-1} Quartz & 7001 \\\\\n\\hline\n\\end{tabular}"
)
KERN = "**kern\n*clefG2\n*k[]\n*M4/4\n4c\n4r\n4d;\n4fn\n==\n*-"


def reader(*texts):
    """Reads these lines, whatever the picture."""
    return lambda image: Page(image, tuple(Line(text, None, 1.0) for text in texts))


def drawn(kind, text, seed=None):
    drawing = CHARACTERS[kind].draw(text, None if seed is None else Random(seed))
    told = origin(kind, 0, 0, backend=drawing.tool)
    return Sample((Image.fromarray(drawing.pixels()),), Prompt(format=True), text, kind, told)


def without(sample, area):
    """The sample with that part of its picture as blank as its paper."""
    pixels = np.asarray(sample.images[0]).copy()
    x0, y0, x1, y1 = area
    pixels[y0:y1, x0:x1] = np.median(pixels.reshape(-1, *pixels.shape[2:]), axis=0)
    return replace(sample, images=(Image.fromarray(pixels),))


def spot(sample, number):
    """One patch of ink, as an area."""
    pixels = np.asarray(sample.images[0].convert("L"))
    _, _, stats, _ = cv2.connectedComponentsWithStats((pixels < 128).astype(np.uint8))
    x, y, wide, high, _ = sorted(stats[1:].tolist())[number]
    return x - 2, y - 2, x + wide + 2, y + high + 2


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return Corpus([write_corpus(Path(tmp_path_factory.mktemp("corpus")))])


@pytest.mark.parametrize(
    ("reading", "missing"),
    [
        ("the quick brown foxes ran 1,234 miles", ()),
        ("ran 1234 miles the qu1ck br0wn foxes", ()),
        ("the quick br own fo xes ran 1234 mi1es", ()),
        ("the quikc bruvn foxes ran 1284 miles", ()),
        ("the quick foxes ran 1234 miles", ("brown",)),
        ("the quick brown foxes ran miles", ("1234",)),
        ("", ("brown", "foxes", "miles", "quick", "1234")),
    ],
)
def test_words_that_a_reading_lacks(reading, missing):
    assert sorted(lost("The quick brown foxes ran 1,234 miles", [reading])) == sorted(missing)


def test_words_are_counted_and_one_reading_is_enough():
    assert lost("hello hello", ["hello"]) == ("hello",)
    assert lost("hello there", ["hello", "there"]) == ()
    assert lost("hello there", []) == ("hello", "there")
    assert lost("工程建设 标准", ["工程建没标准"]) == ()
    assert lost("工程建设", ["标准"]) == ("工程建设",)
    assert lost("饕餮魑魅", ["龘靐齉爩"]) == () and lost("饕餮魑魅", [""]) == ("饕餮魑魅",)


def test_what_is_read_is_plain():
    assert words(drawn("table", TABLE)).split() == ["Mineral", "Hardness", "Topaz", "8001", "Quartz", "7001"]
    chart = "{'title': 'Rain', 'source': 'None', 'x_title': 'Month', 'y_title': 'mm', 'values': {'May': 61, 'June': 4}}"
    assert words(drawn("chart", chart)).split() == ["Rain", "Month", "mm", "May", "June"]
    page = Sample((Image.new("L", (9, 9)),), Prompt(), "\\title{Lines}\n\n**Bold** \\( a+b \\) text", "document", "{}")
    assert words(page).split() == ["Lines", "Bold", "text"]


def test_a_region_is_read_alone():
    seen = []

    def read(image):
        seen.append(image.size)
        return Page(image, (Line("hello", None, 1.0),))

    picture = Image.new("RGB", (100, 60), "white")
    checked("region", Sample((picture,), Prompt(box=Box(10, 20, 60, 50)), "hello", "text", ""), read)
    framed = np.asarray(picture).copy()
    cv2.rectangle(framed, (20, 10), (79, 49), (255, 0, 0), 3)
    frame = Sample((Image.fromarray(framed),), Prompt(color="red"), "hello", "text", "")
    assert not checked("region", frame, read).lost
    assert seen[0] == (50, 30) and abs(seen[1][0] - 57) <= 3 and abs(seen[1][1] - 37) <= 3
    missing = checked("region", replace(frame, text="hello world"), read)
    assert missing.lost == ("not read: world",) and len(seen) == 5
    assert "no frame" in checked("region", replace(frame, images=(picture,)), read).unchecked


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_rules_of_a_table(seed):
    sample, read = drawn("table", TABLE, seed), reader("Mineral Hardness", "Topaz 8001", "Quartz 7001")
    assert not checked("table", sample, read).lost
    assert checked("table", sample, reader("Mineral Hardness", "Topaz", "Quartz 7001")).lost == ("not read: 8001",)
    for other in (TABLE.replace("\\cline{1-1} ", ""), TABLE.replace("{|l|c|}", "{|lc|}"), TABLE.replace("1-1", "1-2")):
        assert checked("table", replace(sample, text=other), read).lost
    assert ruled.wrong_rules(np.full((80, 120), 255, np.uint8), table.parsed(TABLE))


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_formulas(seed):
    sample = drawn("formula", "\\[ \\frac{a+b}{\\sqrt{7}}=\\sum_{n=0}^{9}x_{n} \\]", seed)
    found = checked("formula", sample, reader())
    assert not found.lost and not found.unchecked and "mathra" in found.how
    for number in (0, 6, 11):
        assert checked("formula", without(sample, spot(sample, number)), reader()).lost
    for one, other in (("a+b", "a+x"), ("{a+b}", "{a-b}"), ("x_{n}", "x^{n}")):
        assert checked("formula", replace(sample, text=sample.text.replace(one, other)), reader()).lost


def test_two_engines_of_formulas_see_the_same_signs():
    assert not redrawn.signs_of_formula(
        "\\[ \\begin{cases}\\tilde{x}&n>0\\\\ \\sqrt[3]{y}&\\text{if }k\\end{cases} \\]"
    )
    assert redrawn.tree("ab") != redrawn.tree("ac")


def test_molecules():
    for seed in range(2):
        sample = drawn("molecule", "<smiles>CC(=O)Oc1ccc(Cl)cc1C(=O)O</smiles>", seed)
        assert not checked("molecule", sample, reader()).lost
        for other in ("CC(O)Oc1ccc(Cl)cc1C(=O)O", "CC(=O)Oc1ccc(Cl)cc1", "CC(=O)OC1CCC(Cl)CC1C(=O)O"):
            assert checked("molecule", replace(sample, text=f"<smiles>{other}</smiles>"), reader()).lost
    small = checked("molecule", drawn("molecule", "<smiles>CO</smiles>"), reader())
    assert not small.how and "three bonds" in small.unchecked


def test_music():
    assert not checked("music", drawn("music", KERN), reader()).lost
    assert redrawn.signs_of_music(KERN) == []
    titled = drawn("music", "!!!OTL: Gavotte\n" + KERN)
    assert checked("music", titled, reader()).lost == ("not read: gavotte",)
    assert not checked("music", titled, reader("Gavotte")).lost


@pytest.mark.skipif(tool("pdflatex").version is None, reason="pdflatex is missing: see ocr2 doctor")
def test_geometry():
    text = (
        "\\begin{tikzpicture}\n\\draw (0,0) -- (4,0) -- (1,3) -- cycle;\n"
        "\\node[left] at (1,3) {$A$};\n\\end{tikzpicture}"
    )
    sample = drawn("geometry", text, 5)
    assert not checked("geometry", sample, reader()).lost
    assert checked("geometry", replace(sample, text=text.replace("(1,3) -- cycle", "(1,3)")), reader()).lost
    assert checked("geometry", replace(sample, text=text.replace("\\node[left] at (1,3) {$A$};\n", "")), reader()).lost


def test_what_is_missing_is_told(monkeypatch):
    def need(name):
        raise RendererMissing(f"{name} is missing: apt-get install")

    monkeypatch.setattr(redrawn, "need", need)
    found = checked("geometry", Sample((Image.new("L", (9, 9)),), Prompt(), "", "geometry", ""), reader())
    assert not found.how and "pdflatex is missing: apt-get" in found.unchecked


@pytest.mark.parametrize("kind", ["formula", "molecule", "music"])
def test_what_engines_make_is_right(corpus, kind):
    engine = engine_of(kind, Materials(corpus, strength=0), 3)
    for index in range(4):
        sample = engine[index]
        assert not checked(kind, sample, reader(words(sample))).lost
