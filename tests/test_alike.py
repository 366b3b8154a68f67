"""Pictures of two sources: one that is spelled in two ways is the same, one with something else in it isn't."""

import pytest

from ocr2.characters.alike import alike, compared
from ocr2.metrics.picture import SAME

pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("tikra", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")

GAUSS = r"\[ \int_{0}^{\infty}e^{-x^{2}}dx=\frac{\sqrt{\pi}}{2}+\sum_{n=1}^{N}\left(\alpha_{n}+\beta_{n}^{2}\right) \]"
SQUARES = r"\[ a^{2}+b^{2}=c^{2} \]"
LINES = (
    r"\draw (0,0) -- (5,0) -- (1.2,3) -- cycle;",
    r"\node[below left] at (0,0) {$A$};",
    r"\node[below right] at (5,0) {$B$};",
    r"\node[above] at (1.2,3) {$C$};",
    r"\draw[dashed] (1.2,3) -- (1.2,0);",
    r"\draw (2,1) circle (0.6);",
)


def tikz(*lines: str) -> str:
    return "\n".join(("\\begin{tikzpicture}", *lines, "\\end{tikzpicture}"))


TRIANGLE = tikz(*LINES)


@pytest.mark.parametrize(
    ("kind", "source", "other"),
    [
        (
            "formula",
            GAUSS,
            r"$$\int^\infty_0 e^{-x^2} dx = \frac{\sqrt\pi}2 + \sum^N_{n=1} \left( \alpha_n + \beta^2_n \right)$$",
        ),
        ("formula", r"\[ a\leq b\neq c \]", r"\[ a \le b \ne {c} \]"),
        ("formula", r"\[ \begin{pmatrix}a\\b\end{pmatrix} \]", r"\[ \left(\begin{matrix}a\\b\end{matrix}\right) \]"),
        ("geometry", TRIANGLE, tikz(*reversed(LINES))),
        (
            "geometry",
            TRIANGLE,
            tikz(
                r"\draw (1,1) -- ++(5,0) -- (2.2,4) -- (1,1) -- cycle;",
                r"\draw[dashed] (2.2,1) -- ++(0,3) node[above] {$C$};",
                r"\draw (3,2) circle[radius=0.6] (1,1) node[below left] {$A$} (6,1) node[below right] {$B$};",
            ),
        ),
        ("molecule", "c1ccccc1O", "C1=CC=CC=C1O"),
        ("chart", "{'title': 'T', 'values': {'a': 1, 'b': 2}}", '{"title": "T", "data": {"a": "1", "b": 2.0}}'),
        ("music", "**kern\n*clefG2\n*M4/4\n=1\n4c\n4d\n==\n*-", "**kern\n*clefG2\n*M4/4\n=1\n4c\n4d\n==\n*-\n!!end"),
    ],
)
def test_one_picture_in_two_spellings(kind: str, source: str, other: str) -> None:
    assert compared(kind, source, other) == (alike(kind, other, source), "")
    assert alike(kind, source, other) >= SAME


@pytest.mark.parametrize(
    ("kind", "source", "other"),
    [
        *(("formula", GAUSS, GAUSS.replace(*change)) for change in (("x^{2}", "x^{3}"), ("+", "-"), ("n=1", "m=1"))),
        *(("formula", SQUARES, SQUARES.replace(*change)) for change in (("c^", "e^"), ("a", "o"), ("=", "\\neq "))),
        ("formula", SQUARES, SQUARES.replace("c^{2}", "c^{3}")),
        *(("geometry", TRIANGLE, TRIANGLE.replace(*change)) for change in (("C", "G"), ("B", "E"), ("[dashed]", ""))),
        *(("geometry", TRIANGLE, tikz(*LINES[:line], *LINES[line + 1 :])) for line in range(6)),
        ("geometry", TRIANGLE, TRIANGLE.replace("(0.6)", "(0.7)")),
        ("molecule", "c1ccccc1O", "c1ccccc1N"),
        ("text", "A page of words", "A page of worms"),
    ],
)
def test_one_part_that_is_another_shows(kind: str, source: str, other: str) -> None:
    assert source != other
    assert 0.2 < alike(kind, source, other) < 0.93


def test_unrelated_pictures() -> None:
    assert alike("formula", GAUSS, SQUARES) < 0.2
    assert alike("geometry", TRIANGLE, tikz(r"\draw (0,0) circle (2);")) < 0.2


def test_what_cannot_be_drawn_is_like_nothing_but_itself() -> None:
    for broken, why in ((r"\[ \frac{1}{ \]", "MathJax"), ("\\[ \x00 \\]", r"U\+0000"), ("", "empty formula")):
        found, reason = compared("formula", broken, SQUARES)
        assert found == 0 and reason.startswith("the answer can't be drawn: ")
        with pytest.raises(AssertionError, match=why):
            raise AssertionError(reason)
        assert compared("formula", broken, broken) == (1, "")
    found, reason = compared("geometry", TRIANGLE, "no figure")
    assert found == 0 and reason.startswith("the truth can't be drawn: no TikZ")
