"""TeX draws a page as large as its ink, and nothing gets in or out of it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ocr2.errors import BadInput, RenderFailed
from ocr2.renderers import latex
from ocr2.renderers.drawing import Drawing
from ocr2.renderers.latex import page, unbalanced
from ocr2.renderers.tools import tool

if TYPE_CHECKING:
    from pathlib import Path

pdflatex = pytest.mark.skipif(tool("pdflatex").program is None, reason=f"pdflatex: {tool('pdflatex').install}")
xelatex = pytest.mark.skipif(tool("xelatex").program is None, reason=f"xelatex: {tool('xelatex').install}")
RULE = r"\rule{40pt}{20pt}"


@pytest.mark.parametrize("engine", [pytest.param("pdflatex", marks=pdflatex), pytest.param("xelatex", marks=xelatex)])
def test_a_page_is_as_large_as_what_is_on_it(engine: latex.Engine) -> None:
    image = Drawing(page(RULE, engine=engine), "pdf", engine, 4.0).pixels()
    scale = 4 * 72 / 72.27
    assert image.shape == pytest.approx((32 * scale, 52 * scale), abs=3)
    rows, columns = np.nonzero(image < 128)
    ink = (columns.min(), columns.max() + 1, rows.min(), rows.max() + 1)
    assert ink == pytest.approx((6 * scale, 46 * scale, 6 * scale, 26 * scale), abs=2)


@pdflatex
def test_the_same_source_gives_the_same_page() -> None:
    assert page(RULE) == page(RULE)


@pdflatex
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (r"a \nothing", r"Undefined control sequence., after 'a \\\\nothing'"),
        ("a & b", "Misplaced alignment tab character &"),
        (r"\begin{tabular}{l} a", "Missing } inserted"),
        ("", "Nothing is drawn"),
        ("% nothing", "Nothing is drawn"),
        ("汉", "Unicode character"),
        (r"\def\x{\x\x}\x", "capacity exceeded"),
        (r"a\end{lrbox}\end{document}", "pdflatex: "),
    ],
)
def test_errors_are_told_in_tex_words(body: str, told: str) -> None:
    with pytest.raises(RenderFailed, match=told):
        page(body)


@xelatex
def test_a_character_that_the_font_lacks_is_an_error() -> None:
    with pytest.raises(RenderFailed, match="no 汉"):
        page("汉", engine="xelatex")


@pdflatex
def test_a_source_that_loops_ends_in_time() -> None:
    begun = time.monotonic()
    with pytest.raises(RenderFailed, match="took longer than 1 seconds"):
        page(r"\loop\iftrue\repeat", seconds=1)
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize(
    "body", [r"\begin{array}{l} a \end{array}", r"\begin {align*} a", r"\beginning", r"\fontsize{9}{9}"]
)
def test_what_does_not_is_taken(body: str) -> None:
    latex.check(body)


@pdflatex
def test_a_plot_without_its_points_is_an_error() -> None:
    body = r"\begin{tikzpicture}\draw (0,0) -- (1,1) plot[id=f] function{x};\end{tikzpicture}"
    with pytest.raises(RenderFailed, match="not found"):
        page(body, r"\usepackage{tikz}")


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of time on this system")
@pdflatex
def test_tex_ends_by_itself_when_nobody_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    confine = latex._confine
    monkeypatch.setattr(latex, "_confine", lambda number, _: confine(number, 0))
    begun = time.monotonic()
    with pytest.raises(RenderFailed, match="no page came out"):
        page(r"\loop\iftrue\repeat", seconds=60)
    assert time.monotonic() - begun < 40


@pytest.mark.parametrize(
    "body",
    [
        r"\input{/etc/passwd}",
        r"\input /etc/passwd",
        r"\begin{input}",
        r"\immediate\write18{touch x}",
        r"\openout1=x",
        r"\csname input\endcsname",
        r"^^5cinput x",
        r"\catcode`\!=0 !input x",
        r"\special{psfile=x}",
        r"\includegraphics{x}",
        r"\def\z{special}\begin{\z}",
        "\\begin%\n{input}{x}",
        r"\def\z{input}\begin\z{x}",
        r"\UseName{special}{x}",
        r"\ExplSyntaxOn\tex_special:D{x}",
        r"\fontspec[Path=/]{x}",
        r"\newfontfamily\x{/x.ttf}",
    ],
)
def test_what_reaches_out_is_refused(body: str) -> None:
    with pytest.raises(BadInput, match="reads and writes no files"):
        page(body)


@pdflatex
def test_tex_itself_reads_and_writes_nothing_outside(tmp_path: Path) -> None:
    """Even where no word gives it away: the preamble isn't looked at."""
    (tmp_path / "secret.tex").write_text("secret")
    with pytest.raises(RenderFailed, match=r"not found|can't find"):
        page(RULE, rf"\input{{{tmp_path / 'secret.tex'}}}")
    with pytest.raises(RenderFailed, match="can't write"):
        page(RULE, rf"\newwrite\out\immediate\openout\out={tmp_path / 'made'} ")
    page(RULE, rf"\immediate\write18{{touch {tmp_path / 'run'}}}")
    assert [file.name for file in tmp_path.iterdir()] == ["secret.tex"]


@pytest.mark.parametrize("body", ["{a}", r"\{", r"a \} b", "{ % }\n}", r"{\\}", r"{\%}", "", "{{}{}}"])
def test_balanced_braces(body: str) -> None:
    assert unbalanced(body) == ""


@pytest.mark.parametrize(
    ("body", "told"), [("{a", "no }"), ("a}b", "a } too many"), (r"{\}", "no }"), ("{ % }", "no }")]
)
def test_unbalanced_braces_are_told_before_tex_runs(body: str, told: str) -> None:
    assert told in unbalanced(body)
    with pytest.raises(BadInput, match="unbalanced braces"):
        latex.check(body)


def test_a_source_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadInput, match="expected up to"):
        latex.check("a" * 200_001)
