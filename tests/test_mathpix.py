"""Formulas and pages by mathpix-markdown-it."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ocr2.errors import RenderFailed
from ocr2.renderers.drawing import Drawing
from ocr2.renderers.mathpix import EM, Formula, formulas, page

pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")


def one(source: str, display: bool = True) -> Formula:
    return formulas([(source, display)])[0]


def ink(formula: Formula, scale: float = 2.0) -> np.ndarray:
    image = Drawing(formula.svg.encode(), "svg", "test", scale).pixels()
    return (image if image.ndim == 2 else image.min(axis=2)) < 128


def test_a_formula_is_as_large_as_it_says() -> None:
    fraction = one(r"\frac{a}{b}")
    root = ET.fromstring(fraction.svg)
    assert float(root.get("width", "")) == pytest.approx(fraction.width * EM, abs=0.01)
    assert float(root.get("height", "")) == pytest.approx((fraction.height + fraction.depth) * EM, abs=0.01)
    assert fraction.height > 0.9 and fraction.depth > 0.5
    assert one("x").depth < 0.1
    assert one(r"\sum_a^b", display=False).height < one(r"\sum_a^b").height


def test_a_formula_is_nothing_but_shapes() -> None:
    names = {
        element.tag.partition("}")[2]
        for element in ET.fromstring(one(r"\sqrt[3]{\frac{a}{b}}\xrightarrow{abc}").svg).iter()
    }
    assert names <= {"svg", "g", "path", "rect", "line"}
    assert "currentColor" not in one("x").svg and 'fill="#123"' in formulas([("x", True)], "#123")[0].svg


def test_several_formulas_are_those_that_they_are_alone() -> None:
    sources = [(r"\frac{a}{b}", True), ("x^2", False), (r"\begin{cases}a\\b\end{cases}", True)]
    assert formulas(sources) == [formulas([source])[0] for source in sources]


def test_rules_of_arrays_are_drawn() -> None:
    ruled = ink(one(r"\begin{array}{|c|c|}\hline a&b\\\hline c&d\\\hline\end{array}"))
    assert (ruled.mean(axis=0) > 0.9).sum() >= 3 and (ruled.mean(axis=1) > 0.9).sum() >= 3
    inner = ink(one(r"\begin{array}{c|c}a&b\\\hline c&d\end{array}"))
    assert (inner.mean(axis=0) > 0.8).any() and (inner.mean(axis=1) > 0.8).any()
    dashed = ink(one(r"\begin{array}{c}a\\\hdashline b\end{array}"))
    assert 0.3 < dashed.mean(axis=1).max() < 0.9


def test_nothing_sticks_out() -> None:
    for source in ("f", r"\vec{l}", r"\bar{l}", r"\not a", r"\widehat{W}", r"y^{f}_{f}", r"\overbrace{x}"):
        drawn, padded = one(source), one(source).padded(1.0)
        assert ink(drawn, 4).sum() == pytest.approx(ink(padded, 4).sum(), rel=0.03), source
        assert padded.width == pytest.approx(drawn.width + 2) and padded.depth == pytest.approx(drawn.depth + 1)


def test_chinese_is_drawn_in_a_font_that_has_it() -> None:
    words = one(r"\text{若 }x>0")
    assert "Noto Sans SC" in words.svg and 'font-family="serif"' not in words.svg
    shown = ink(words)
    assert shown[:, : shown.shape[1] // 4].sum() > 50
    with pytest.raises(RenderFailed, match=r"U\+05D0"):
        one(r"\text{א}")


def test_numbers_stand_right_of_their_lines() -> None:
    numbered, plain = one(r"a=b\tag{12}"), one("a=b")
    assert numbered.width > plain.width + 3
    lines = one(r"\begin{align}a&=b\tag{1}\\c&=d\end{align}")
    assert ink(lines)[:20, -20:].any() and not ink(lines)[-20:, -20:].any()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (r"\foo", "Undefined control sequence"),
        (r"\frac{a", "Missing close brace"),
        ("a}", "Extra close brace"),
        ("x^a^b", "Double exponent"),
        (r"\begin{CD}a\end{CD}", "Unknown environment"),
        ("a" * 20_000, "20000 characters"),
        (r"\def\a{b}\a", r"\\def"),
        (r"\href{http://a}{b}", r"\\href"),
    ],
)
def test_what_can_t_be_drawn_has_mathjax_s_words(source: str, words: str) -> None:
    with pytest.raises(RenderFailed, match=words):
        formulas([("x", True), (source, True)])


@pytest.mark.parametrize(
    "source", [r'\unicode[a" onload="b]{65}', r'\fcolorbox{a" onload="b}{c" onload="d}{x}', r'\color{red" onload="b}a']
)
def test_no_attribute_comes_out_of_another(source: str) -> None:
    names = {name for element in ET.fromstring(one(source).svg).iter() for name in element.attrib}
    assert "onload" not in names
    assert ' onload="b' not in page(f"\\({source}\\)")


def test_a_colour_is_nothing_that_is_elsewhere() -> None:
    with pytest.raises(RenderFailed, match="expected a colour"):
        one(r"\color{url(http://localhost/x)}a")
    assert one(r"\text{url(}").width > 1


def test_nothing_is_left_of_the_formulas_before() -> None:
    first = one(r"\begin{equation}x\label{a}\end{equation}")
    assert one(r"\begin{equation}x\label{a}\end{equation}") == first  # a label that is there already is an error
    with pytest.raises(RenderFailed, match="DeclareMathOperator"):
        one(r"\DeclareMathOperator{\foo}{foo}\foo")
    with pytest.raises(RenderFailed, match="Undefined"):
        one(r"\foo")
    assert one(r"a\\def") is not None  # a new line, and letters


PAGE = r"""# Title

Text with $x^2$, 中文 and \eqref{e}.

\begin{equation} a=b \label{e}\end{equation}

| a | b |
|---|---|
| 1 | $\frac{a}{b}$ |

<smiles>CCO</smiles>

![name](http://example.com/a.png) <script>alert(1)</script> <img src="https://example.com/b.png">
"""


def test_a_page_has_all_it_shows_in_it() -> None:
    html = page(PAGE)
    assert html.startswith("<!DOCTYPE html>") and "Content-Security-Policy" in html
    for shown in ("Title", "中文", "<table", "<svg", "border-collapse"):
        assert shown in html
    assert "<script" not in html and "@import" not in html
    outside = re.findall(r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//[^"' )]+""", html)
    assert not outside


def test_tables_have_formulas_in_them() -> None:
    table = "\\begin{tabular}{|c|c|}\n\\hline \\( n^{2} \\) & sum \\\\\n\\hline\n\\end{tabular}"
    html = page(f"Words.\n\n{table}\n\n- one\n- two")
    assert "<td" in html and html.count("<svg") == 1 and "sum" in html and "two" in html
    assert html == page(f"Words.\n\n{table}\n\n- one\n- two")


def test_a_page_is_the_same_whatever_was_before() -> None:
    first = page(PAGE)
    page(r"$$\newcommand{\q}{z} \q$$ \begin{equation} c \end{equation}")
    assert page(PAGE) == first
    with pytest.raises(RenderFailed, match="Undefined control sequence"):
        page(r"$\q$")


def test_a_broken_formula_of_a_page_is_told() -> None:
    with pytest.raises(RenderFailed, match="Missing close brace"):
        page(r"Text \[\frac{a\] and more")
