"""Where parts of formulas and molecules are seen, from what draws them to the samples that are made of it."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from text_helpers import write_corpus

from ocr2.characters import formula, molecule
from ocr2.characters.formula.grammar import Grammar
from ocr2.characters.formula.places import places
from ocr2.characters.latex import normal
from ocr2.data.corpus import Corpus
from ocr2.data.synth import Synth
from ocr2.errors import OcrError, RenderFailed
from ocr2.renderers.drawing import Drawing
from ocr2.renderers.mathjax import RULE, signs
from ocr2.renderers.mathpix import formulas

pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("rdkit", reason="engines: pip install 'ocr2[engines]'")


def raw(source: str) -> str:
    return formulas([(source, True)])[0].raw


def parts(source: str) -> list[tuple[str, float, float]]:
    return [(source[int(start) : int(end)], x, y) for start, end, x, y in places(source, raw(source)).tolist()]


def ink(drawing: Drawing) -> np.ndarray:
    """(N, 2) Pixels of it, x and y, from the picture's top left."""
    image = drawing.pixels()
    return np.argwhere((image if image.ndim == 2 else image.min(axis=2)) < 128)[:, ::-1]


def test_signs_are_what_is_drawn_and_where() -> None:
    rule, a, b = signs(raw(r"\frac{a}{b}"))
    assert (rule.text, a.text, b.text) == (RULE, "a", "b")
    assert a.y < rule.y < b.y < 1000 and a.x == pytest.approx(b.x, abs=60) == pytest.approx(rule.x, abs=60)
    outer, first, inner, *rest = signs(raw(r"\frac{1}{\frac{2}{3}}"))
    assert [outer.text, first.text, inner.text, *(sign.text for sign in rest)] == [RULE, "1", RULE, "2", "3"]
    assert outer.y < inner.y
    assert [sign.text for sign in signs(raw(r"\mathbf{x}\mathcal{L}\left(\dfrac{\dfrac{1}{2}}{3}\right)"))[:2]] == [
        "x",
        "L",
    ]


def test_tall_brackets_are_one_sign() -> None:
    column = r"\\".join("abcdefgh")
    texts = [sign.text for sign in signs(raw(rf"\left(\begin{{array}}{{c}}{column}\end{{array}}\right)"))]
    assert texts.count("(") == texts.count(")") == 1


@pytest.mark.parametrize("source", [r"x\tag{1}", r"x\text{汉}"])
def test_what_has_no_signs_has_no_places(source: str) -> None:
    with pytest.raises(RenderFailed, match="whose signs can't be told"):
        signs(raw(source))
    assert places(source, raw(source)).shape == (0, 4)


def test_parts_of_a_formula() -> None:
    found = parts(r"\bar{x}_{1}^{2}=\frac{\sin\alpha}{\sqrt{y}}\mathrm{d}x")
    assert [text for text, *_ in found] == [
        *("\\bar", "x", "1", "2", "=", "\\frac", "\\sin", "\\alpha", "\\sqrt", "y", "d", "x")
    ]
    where = {text: (x, y) for text, x, y in found[:-1]}
    assert where["2"][1] < where["x"][1] < where["1"][1]
    assert where["\\bar"][1] < where["x"][1] and where["\\bar"][0] == pytest.approx(where["x"][0], abs=100)
    assert where["\\sin"][1] < where["\\frac"][1] < where["\\sqrt"][1]
    assert where["\\sin"][0] < where["\\alpha"][0] and found[-1][1] > where["d"][0]


def test_where_signs_and_parts_dont_match_there_is_no_place() -> None:
    """The bar of a norm is drawn as several, or of several parts: whose is whose can't be told. All else can."""
    found = parts(r"\binom{n}{k}(a)+b")
    assert [text for text, *_ in found] == ["n", "k", "a", "+", "b"]


def test_most_of_what_is_invented_has_places(tmp_path: Path) -> None:
    rng, seen, placed = Random(3), 0, 0
    grammar = Grammar(Corpus([write_corpus(tmp_path)]), rng)
    for _ in range(40):
        source = normal(grammar.formula())
        try:
            drawn = raw(source)
            wanted = signs(drawn)
        except RenderFailed:
            continue
        found = places(source, drawn)
        assert (np.diff(found[:, 0]) > 0).all() and (found[:, 1] > found[:, 0]).all()
        assert {(x, y) for x, y in found[:, 2:].tolist()} <= {(np.float32(x), np.float32(y)) for _, x, y in wanted}
        seen, placed = seen + len(wanted), placed + len(found)
    assert placed > 0.75 * seen > 500, "functions are one part, of several signs"


def test_a_drawing_has_its_places_in_its_picture() -> None:
    source = r"\[ \blacksquare \]"
    for rng in (None, Random(1), Random(4)):
        drawing = formula.draw(source, rng, "mathpix")
        assert drawing.places
        ((start, end, x, y),) = drawing.places().tolist()
        assert source[int(start) : int(end)] == "\\blacksquare"
        pixels = ink(drawing)
        middle = (pixels.min(0) + pixels.max(0) + 1) / 2
        assert (x * drawing.scale, y * drawing.scale) == pytest.approx(middle, abs=1.5)


def test_atoms_of_a_molecule() -> None:
    source = "<smiles>C[C@@H](O)Cl</smiles>"
    for rng in (None, Random(0), Random(2)):
        drawing = molecule.draw(source, rng)
        assert drawing.places
        found = drawing.places()
        assert [source[int(start) : int(end)] for start, end, *_ in found] == ["C", "C", "O", "Cl"]
        points = found[:, 2:]
        lengths = np.hypot(*(points[[0, 2, 3]] - points[1]).T)
        assert lengths.min() == pytest.approx(lengths.max(), rel=0.02) and lengths.min() > 20
        pixels = ink(drawing)
        for point in points * drawing.scale:
            assert np.hypot(*(pixels - point).T).min() < 6, "a label's letter, or where bonds meet"


@pytest.mark.parametrize("smiles", ["[13CH4]", "c1cc[nH]c1", "C[Si](C)(C)C", "[Na+].[Cl-]", "Brc1cc[se]c1", "[2H]C"])
def test_every_atom_has_a_place(smiles: str) -> None:
    drawing = molecule.draw(smiles, None)
    assert drawing.places
    spans = drawing.places()[:, :2].astype(int)
    elements = [smiles[start:end] for start, end in spans]
    assert len(elements) == len(spans) > 0
    assert {*elements} <= {"C", "c", "n", "Si", "Na", "Cl", "Br", "se", "H"}


def test_a_hydrogen_that_isnt_drawn_leaves_all_without_places() -> None:
    drawing = molecule.draw("[H]OC", None)
    assert drawing.places
    assert drawing.places().shape == (0, 4)


def test_places_move_with_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scanned, turned, seen from the side: where the ink is, the place is."""
    monkeypatch.setattr(formula, "compose", lambda *_: r"\[ a\quad\quad\quad\quad\quad\quad\blacksquare \]")
    engine = Synth("formula", Corpus([write_corpus(tmp_path)]), 1, backend="mathpix")
    leant = 0
    for index in range(40):
        try:
            sample = engine[index]
        except OcrError:
            continue
        (*_, low), (_, _, x, y) = sample.places
        grey = np.asarray(sample.images[0].convert("L")).astype(float)
        around = grey[max(0, int(y) - 2) : int(y) + 3, max(0, int(x) - 2) : int(x) + 3]
        assert around.mean() < 0.75 * np.median(grey), index
        leant += abs(low - y) > 5
    assert leant
