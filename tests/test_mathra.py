"""Formulas by mathra."""

import numpy as np
import pytest

from ocr2.errors import RenderFailed
from ocr2.renderers.drawing import Drawing
from ocr2.renderers.mathpix import formulas
from ocr2.renderers.mathra import formula

pytest.importorskip("mathra", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")


def ink(svg: str) -> np.ndarray:
    image = Drawing(svg.encode(), "svg", "test", 2).pixels()
    return (image if image.ndim == 2 else image.min(axis=2)) < 128


@pytest.mark.parametrize(
    "source", [r"\frac{a+b}{\sqrt{c}}", r"\sum_{i=1}^{n}x_{i}^{2}", r"\begin{pmatrix}a&b\\c&d\end{pmatrix}"]
)
def test_it_is_about_as_large_as_mathjax_s(source: str) -> None:
    pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
    ours, theirs = formula(source), formulas([(source, True)])[0]
    assert ours.width == pytest.approx(theirs.width, rel=0.25)
    assert ours.height + ours.depth == pytest.approx(theirs.height + theirs.depth, rel=0.35)
    assert ink(ours.svg).sum() == pytest.approx(ink(theirs.svg).sum(), rel=0.5)


def test_nothing_but_the_formula_is_in_the_picture() -> None:
    svg = formula("x+y", True, "#123").svg
    assert "#123" in svg and not {"<text", "<title", "<metadata", "currentColor"} & set(
        svg.replace(" ", ">").split(">")
    )
    assert formula("x+y", True, "#123").svg == svg


@pytest.mark.parametrize(
    "source",
    [
        r"\foo",
        r"\frac{a",
        r"\text{中文}",
        r"\begin{array}{c|c}a&b\end{array}",
        r"\begin{array} { c } a \\ \hline b \end{array}",
        r"\mathscr{L}",
        r"\mathbf{x1}",
    ],
)
def test_what_it_draws_wrongly_is_refused(source: str) -> None:
    with pytest.raises(RenderFailed):
        formula(source)
