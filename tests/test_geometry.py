"""Geometry: composed figures, sources of users."""

from __future__ import annotations

import re
import shutil
from random import Random

import numpy as np
import pytest

pytest.importorskip("tikra", reason="engines: pip install 'ocr2[engines]'")

from ocr2.characters import geometry
from ocr2.characters.geometry.figures import SIZE, Figure
from ocr2.errors import BadInput, OcrError, RenderFailed

TRIANGLE = (
    "\\begin{tikzpicture}\n\\draw (0,0) -- (5,0) -- (1.2,3) -- cycle;\n\\node[left] at (0,0) {$A$};\n\\end{tikzpicture}"
)


class Nothing:
    """A corpus that has nothing but pictures, if any."""

    rare, held = "", False

    def __init__(self, *pictures):
        self.pictures = pictures

    def has(self, kind):
        return kind == "tikz" and bool(self.pictures)

    def item(self, rng, kind):
        return rng.choice(self.pictures)


def numbers(source):
    return [float(number) for pair in re.findall(r"\((-?[\d.]+),(-?[\d.]+)\)", source) for number in pair]


def test_composed_sources_are_spelled_one_way():
    for seed in range(300):
        source = geometry.compose(Nothing(), Random(seed))
        assert source == geometry.compose(Nothing(), Random(seed))
        assert source == geometry.tidied(source) == geometry.checked(source)
        assert len(source) < 2500 and geometry.looks_like(source)
        assert not re.search(r"\.\d\d|-0[,)]|\d\.0\b", re.sub(r"\{.*", "", source)), source
        if "plot" in source or "foreach" in source:
            continue
        lines = source.splitlines()[1:-1]
        assert len(set(lines)) == len(lines)
        assert min(numbers(source)) >= -0.3 and max(numbers(source)) <= SIZE + 1.5


def test_composed_sources_can_be_drawn():
    for seed in range(150):
        rng = Random(seed)
        source = geometry.compose(Nothing(), rng)
        image = geometry.draw(source, rng if seed % 3 else None).pixels()
        assert max(image.shape) <= geometry.SIDE and image.min() < 128


def test_figures_of_every_kind_come():
    sources = [geometry.compose(Nothing(), Random(seed)) for seed in range(600)]
    for part in (" circle (", "ellipse", "rectangle", "cycle", " arc (", "dashed", "thick", "\\fill[", "->", "plot",
                 "sin(", "exp(", "cosh(", "^\\circ", "\\alpha", "grid", "|x"):  # fmt: skip
        assert any(part in source for source in sources), part


def test_a_figure_has_its_lower_left_at_nought_and_is_as_large_as_others():
    small, large = Figure(), Figure()
    for figure, k, shift in ((small, 1.0, 2.0), (large, 2.0, -3.0)):
        figure.segment((shift + 4 * k, shift), (shift, shift))
        figure.polygon([(shift, shift), (shift, shift + 3 * k), (shift + 4 * k, shift)])
        figure.circle((shift + k, shift + k), k)
    assert small.source() == large.source()
    assert "\\draw (0,0) -- (9,0) -- (0,6.8) -- cycle;" in small.source()
    assert "\\draw (2.2,2.2) circle (2.2);" in small.source()


def test_labels_keep_clear_of_lines_and_of_each_other():
    figure = Figure()
    figure.segment((0, 0), (4, 0))
    figure.segment((0, 0), (0, 4))
    assert figure.label("A", (0, 0)) and figure.label("B", (0, 0))
    shown = re.findall(r"\\node\[(.*?)\]", figure.source())
    assert len(shown) == 2 and shown[0] != shown[1]
    for _ in range(8):
        figure.label("C", (0, 0))
    assert figure.source().count("\\node") < 8


def test_pictures_of_a_corpus_are_taken_where_they_can_be_drawn_as_they_are():
    good = (
        "\\begin{tikzpicture} % a comment\n  \\draw (0,0)   -- (2,1) ; \\fill (1,1) circle (3pt);\n\\end{tikzpicture}"
    )
    broken = "\\begin{tikzpicture}\\draw[mystyle] (0,0) -- (1,1);\\end{tikzpicture}"
    corpus = Nothing(f"\\documentclass{{article}}\n\\begin{{document}}{good}\\end{{document}}", broken, "nothing")
    found = {geometry.compose(corpus, Random(seed)) for seed in range(150)}
    tidy = "\\begin{tikzpicture}\n\\draw (0,0) -- (2,1) ;\n\\fill (1,1) circle (3pt);\n\\end{tikzpicture}"
    assert tidy in found
    assert not any("mystyle" in source or "%" in source for source in found)


def test_a_drawing_varies_with_rng_and_not_without():
    plain = geometry.draw(TRIANGLE, None)
    assert plain == geometry.draw(TRIANGLE, None)
    varied = [geometry.draw(TRIANGLE, Random(seed)).pixels().tobytes() for seed in range(12)]
    assert len(set(varied)) > 5
    assert varied[3] == geometry.draw(TRIANGLE, Random(3)).pixels().tobytes()
    assert plain.tool.startswith("tikra ")


def test_options_that_a_picture_has_are_kept():
    source = "\\begin{tikzpicture}[scale=2, red]\n\\draw (0,0) -- (1,0.5);\n\\end{tikzpicture}"
    for seed in range(5):
        image = geometry.draw(source, Random(seed)).pixels()
        assert image.ndim == 3 and image.shape[1] > image.shape[0]
        assert geometry.draw("\\tikz \\draw (0,0) -- (1,0.5);", Random(seed)).pixels().min() < 160


def test_large_pictures_are_made_smaller():
    source = "\\begin{tikzpicture}\\draw (0,0) rectangle (60,20);\\end{tikzpicture}"
    assert max(geometry.draw(source, None).pixels().shape) in (geometry.SIDE - 1, geometry.SIDE, geometry.SIDE + 1)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "no TikZ"),
        ("\\draw (0,0) -- (1,1);", "no TikZ"),
        ("\\begin{tikzpicture}\\draw (0,0) -- ;\\end{tikzpicture}", "ends with --"),
        ("\\begin{tikzpicture}\\draw (0,0) -- (1,1)", "aren't as many"),
        ("\\begin{tikzpicture}\\node at (0,0) {$A$;\\end{tikzpicture}", r"a \{ in the TikZ is never closed"),
        ("\\begin{tikzpicture}\\draw[red (0,0) -- (1,1);\\end{tikzpicture}", r"a [\[\]}] in the TikZ"),
        ("\\begin{tikzpicture}\\node at (0,0) {点};\\end{tikzpicture}", "点"),
        ("\\begin{tikzpicture}" + "\\draw (0,0) -- (1,1);" * 2000 + "\\end{tikzpicture}", "expected up to"),
    ],
)
def test_what_is_no_tikz_is_told(source, told):
    with pytest.raises(BadInput, match=told):
        geometry.draw(source, None)


def test_what_the_tool_leaves_out_is_told():
    with pytest.raises(RenderFailed, match="mystyle"):
        geometry.draw("\\begin{tikzpicture}\\draw[mystyle] (0,0) -- (1,1);\\end{tikzpicture}", None)
    with pytest.raises(BadInput, match="tikra, pdflatex"):
        geometry.draw(TRIANGLE, None, "inkscape")


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex: apt-get install texlive-pictures")
def test_tex_draws_the_same():
    cv2 = pytest.importorskip("cv2")
    for seed in (1, 4, 11):
        source = geometry.compose(Nothing(), Random(seed))
        try:
            pair = [_ink(geometry.draw(source, None, backend)) for backend in geometry.BACKENDS]
        except OcrError as error:  # a TeX without TikZ
            pytest.skip(str(error))
        size = max(image.shape[1] for image in pair), max(image.shape[0] for image in pair)
        assert abs(pair[0].shape[0] - pair[1].shape[0]) < 10 and abs(pair[0].shape[1] - pair[1].shape[1]) < 10
        one, other = (cv2.GaussianBlur(cv2.resize(image, size), (0, 0), 3).astype(int) for image in pair)
        assert np.mean(np.abs(one - other) > 60) < 0.01


def _ink(drawing):
    """What is drawn, without the paper around it."""
    image = drawing.pixels()
    image = image if image.ndim == 2 else image.min(axis=2)
    rows, columns = np.nonzero(image.min(axis=1) < 200)[0], np.nonzero(image.min(axis=0) < 200)[0]
    return np.ascontiguousarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def test_looks_like_itself_and_nothing_else():
    assert geometry.looks_like(TRIANGLE) and geometry.looks_like("\\tikz \\draw (0,0) circle (1);")
    for other in ("", "text", "\\begin{tabular}{c}a\\end{tabular}", "**kern\n4c", "\\tikzmath{x=1;}", "\\[ x \\]"):
        assert not geometry.looks_like(other)


def test_scores():
    assert geometry.score(TRIANGLE, TRIANGLE) == {"edit_distance": 0.0, "exact": 1.0}
    assert geometry.score(TRIANGLE.replace("\n", " \n\n  "), TRIANGLE)["exact"] == 1.0
    found = geometry.score(TRIANGLE.replace("5", "6"), TRIANGLE)
    assert 0 < found["edit_distance"] < 0.03 and found["exact"] == 0.0
