"""Tables are composed in their one spelling, and drawn so that all that the spelling says is seen."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from text_helpers import write_corpus

from ocr2.characters import exported, table
from ocr2.characters.table import drawing as tabledrawing
from ocr2.characters.table import tabular
from ocr2.characters.table.grid import Piece
from ocr2.data.corpus import Corpus
from ocr2.errors import BadInput, RenderFailed
from ocr2.renderers import typst
from ocr2.renderers.tools import tool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ocr2.renderers.fonts import Face

pytest.importorskip("typst", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")

FULL = r"""\begin{tabular}{|l|r|}
\hline Name & Mass \\
\hline Iron & 55.8 \\
\hline Gold & 197 \\
\hline
\end{tabular}"""


class Tables:
    """A corpus of one table, and no words."""

    held, rare = False, ""

    def __init__(self, rows: object) -> None:
        self.rows = rows

    def paragraph(self, rng: Random, language: str) -> str:
        raise BadInput("no text")

    def words(self, rng: Random, language: str, count: int) -> str:
        raise BadInput("no words")

    def has(self, kind: str) -> bool:
        return kind == "table"

    def item(self, rng: Random, kind: str) -> str:
        return json.dumps({"rows": self.rows}, ensure_ascii=False)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus([write_corpus(tmp_path_factory.mktemp("texts"))])


def pixels(source: str, rng: Random | None = None, backend: str = "") -> NDArray[np.uint8]:
    image = table.draw(source, rng, backend).pixels()
    return image if image.ndim == 2 else image.min(axis=2)


def long_runs(image: NDArray[np.uint8], least: float = 0.9) -> tuple[int, int]:
    """How many rules go across the picture, and down it."""
    dark = image < 140
    rows, columns = np.nonzero(dark)
    inner = dark[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    counts = []
    for lines in (inner.mean(axis=1) > least, inner.mean(axis=0) > least):
        counts.append(int(np.count_nonzero(np.diff(np.concatenate([[0], lines.astype(int)])) == 1)))
    return counts[0], counts[1]


def test_what_is_composed_is_spelled_as_it_will_be_read(corpus: Corpus) -> None:
    seen: Counter[str] = Counter()
    for seed in range(200):
        source = table.compose(corpus, Random(seed))
        assert table.looks_like(source) and table.converted(source, "latex") == source
        assert len(source) < 4000
        words = ("multirow", "multicolumn", "toprule", "cmidrule", "cline", "textbf", "\\(", "\\hline", "学", "|l|")
        seen.update(word for word in words if word in source)
    assert all(
        seen[word] for word in ("multirow", "multicolumn", "toprule", "cmidrule", "cline", "textbf", "\\(", "|l|")
    )


def test_the_same_seed_composes_and_draws_the_same(corpus: Corpus) -> None:
    for seed in range(6):
        source = table.compose(corpus, Random(seed))
        assert source == table.compose(corpus, Random(seed))
        assert pixels(source, Random(seed)).tobytes() == pixels(source, Random(seed)).tobytes()


def test_tables_of_a_corpus_are_cut_to_fit() -> None:
    rows = [[f"head {n}" for n in range(14)]] + [[f"{row * n} " + "word " * 20 for n in range(14)] for row in range(90)]
    widths = set()
    for seed in range(40):
        made = table.parsed(table.compose(Tables(rows), Random(seed)))
        assert made.rows <= 18 and made.columns <= 7
        longest = [
            max(tabledrawing.longest(cell) for cell in made.cells if cell.column == n) for n in range(made.columns)
        ]
        assert sum(longest) + 2 * made.columns <= 110
        widths.add(made.columns)
    assert len(widths) > 1


def test_cells_of_a_corpus_lose_what_no_font_has() -> None:
    rows = [["a", "b"], ["ไ1\u0e01x", "−2\u2009‑\U0001f600"]]
    texts = {cell.text for seed in range(30) for cell in table.parsed(table.compose(Tables(rows), Random(seed))).cells}
    assert {"1x", "-2 -"} <= texts and not any("\u0e01" in text for text in texts)


@pytest.mark.parametrize("rows", [3, [], [[]], [["a"]], [3]])
def test_an_item_that_is_no_table_is_refused(rows: object) -> None:
    def tried(seed: int) -> None:
        table.compose(Tables(rows), Random(seed))

    with pytest.raises(BadInput, match="table of the corpus"):
        for seed in range(20):
            tried(seed)


def test_the_rules_of_the_source_are_seen() -> None:
    assert long_runs(pixels(FULL)) == (4, 3)
    assert long_runs(pixels(FULL.replace("{|l|r|}", "{l|r}"))) == (4, 1)
    assert long_runs(pixels(FULL.replace("{|l|r|}", "{||l|r|}"))) == (4, 4)
    assert long_runs(pixels(FULL.replace("\\hline Iron", "Iron"))) == (3, 3)
    assert long_runs(pixels(FULL.replace("\\hline Iron", "\\hline\\hline Iron"))) == (5, 3)
    assert long_runs(pixels(FULL.replace("\\hline", "").replace("|", ""))) == (0, 0)
    partial = FULL.replace("\\hline Iron", "\\cline{1-1} Iron")
    assert long_runs(pixels(partial)) == (3, 3) and long_runs(pixels(partial), 0.4)[0] == 4


def test_rules_are_seen_in_every_style() -> None:
    for seed in range(25):
        image = pixels(FULL, Random(seed))
        dark = np.where(image < 190, 0, 255).astype(np.uint8)
        assert long_runs(dark) == (4, 3), seed


def test_heavy_rules_are_heavier() -> None:
    source = "\\begin{tabular}{lr}\\toprule a & b \\\\ \\midrule 1 & 2 \\\\ \\bottomrule\\end{tabular}"
    for rng in (None, Random(1), Random(2)):
        ink = 255 - pixels(source, rng).astype(float)
        lines = ink[:, ink.shape[1] // 2 - 2 : ink.shape[1] // 2 + 2].mean(axis=1)  # between the columns
        bands = [band.sum() for band in np.split(lines, np.flatnonzero(lines < 20)) if band.sum() > 30]
        assert len(bands) == 3 and min(bands[0], bands[2]) > 1.5 * bands[1]


def test_spans_take_the_place_of_what_they_span() -> None:
    wide = "\\begin{tabular}{|l|l|}\\hline \\multicolumn{2}{|c|}{ab} \\\\ \\hline cc & dd \\\\ \\hline\\end{tabular}"
    image = pixels(wide) < 140
    middle = image.shape[1] // 2
    assert image[: image.shape[0] // 2, middle - 12 : middle + 12].any() and long_runs(pixels(wide)) == (3, 2)
    high = "\\begin{tabular}{|l|l|}\\hline \\multirow{2}{*}{ab} & c \\\\ \\cline{2-2} & d \\\\ \\hline\\end{tabular}"
    assert long_runs(pixels(high)) == (2, 3) and long_runs(pixels(high), 0.3)[0] == 3


def test_bold_and_slanted_text_is_seen_in_every_face() -> None:
    def ink(text: str, *faces: Face) -> float:
        grid = table.parsed(f"\\begin{{tabular}}{{c}}{text} \\\\\\end{{tabular}}")
        style = tabledrawing.Style((*faces, *tabledrawing.plain(grid).faces[1:]), size=30)
        page = f"#set page(width: auto, height: auto)\n{table.markup(grid, style)}"
        return float((255 - table.Drawing(typst.pdf(page), "pdf", "", 1.0).pixels().astype(float)).sum())

    han = typst.faces("han")
    latin = [face for kind in ("serif", "sans", "mono", "hand") for face in typst.faces(kind)]  # type: ignore[arg-type]
    for face in (typst.MODERN, *(face for face in latin if not face.bold and not face.italic)):
        assert ink(r"\textbf{Wm}", face, han[0]) > 1.15 * ink("Wm", face, han[0]), face.name
        assert ink(r"\textit{Wm}", face, han[0]) != ink("Wm", face, han[0]), face.name
    for face in (face for face in han if not face.bold):
        assert ink(r"\textbf{汉字}", typst.MODERN, face) > 1.15 * ink("汉字", typst.MODERN, face), face.name


def test_a_table_is_as_large_as_it_can_be_read() -> None:
    row = "a line of words \\\\"
    short, long = ("\\begin{tabular}{l}" + row * count + "\\end{tabular}" for count in (2, 120))
    assert pixels(short).shape[0] < 120
    for rng in (None, Random(3)):
        assert 1024 < pixels(long, rng).shape[0] < 3500  # type of eight pixels
    for seed in range(12):
        assert max(pixels(FULL, Random(seed)).shape) <= 1025
    wide = "\\begin{tabular}{" + "l" * 12 + "}" + " & ".join(["some words"] * 12) + "\\end{tabular}"
    assert 1000 < pixels(wide).shape[1] <= 1025


def test_long_cells_are_broken_into_lines() -> None:
    source = "\\begin{tabular}{|l|l|}\\hline a & " + "many words " * 40 + "\\\\ \\hline\\end{tabular}"
    height, width = pixels(source).shape
    assert height > 150 and width < 1025


def test_formulas_are_drawn_by_typst_or_mathjax() -> None:
    pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
    simple = "\\begin{tabular}{|c|}\\hline \\( x^{2} \\) \\\\ \\hline\\end{tabular}"
    hard = simple.replace("x^{2}", r"\frac{\sum a_i}{b}")
    assert pixels(hard).shape[0] > pixels(simple).shape[0] and long_runs(pixels(hard)) == (2, 2)
    with pytest.raises(RenderFailed, match="MathJax"):
        table.draw(simple.replace("x^{2}", r"\nothing"), None)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "is no table"),
        ("just text", "is no table"),
        ("\\begin{tabular}{l} \u0e01 \\end{tabular}", r"no font here has '\u0e01' \(U\+0E01\)"),
        ("<table><tr><td>😀</td></tr></table>", "no font here has"),
        ("\\begin{tabular}{l} a & b \\end{tabular}", "more than the 1 columns"),
        ("\\begin{tabular}{l} {a \\end{tabular}", "expected balanced"),
    ],
)
def test_what_cannot_be_drawn_is_told(source: str, told: str) -> None:
    for rng in (None, Random(0)):
        with pytest.raises(BadInput, match=told):
            table.draw(source, rng)
    with pytest.raises(BadInput, match="expected typst, pdflatex, xelatex"):
        table.draw(FULL, None, "word")


def test_markup_in_a_cell_is_text() -> None:
    odd = '#read("/etc/passwd") $x$ *b* ] [ " \\ // <a> @b'

    source = table.webtable.markdown(tabular.parsed(FULL)).replace("Iron", re.sub(r"([\\$*<])", r"\\\1", odd))
    assert table.parsed(source).cells[2].content == (Piece(odd),)
    assert long_runs(pixels(source)) == (4, 3)
    assert long_runs(pixels(table.converted(source, "html"))) == (4, 3)


@pytest.mark.parametrize("backend", ["pdflatex", "xelatex"])
def test_tex_draws_the_same_table(corpus: Corpus, backend: str) -> None:
    """Both pictures, at one size, have the same ink in the same places, as nearly as two typesetters can."""
    if tool(backend).program is None:
        pytest.skip(f"{backend}: {tool(backend).install}")
    odd = FULL.replace("Iron", r"it's -{}- \textbf{b} \textasciitilde{} \_ \# <\( x_{1} \)")
    odd = odd.replace("Gold", "汉字" if backend == "xelatex" else "Gold")
    for source in (FULL, odd):
        ours, theirs = pixels(source), pixels(source, None, backend)
        assert long_runs(ours) == long_runs(theirs) == (4, 3)
        small = [cv2.resize(_cut(image), (80, 24), interpolation=cv2.INTER_AREA).ravel() for image in (ours, theirs)]
        assert np.corrcoef(*small)[0, 1] > 0.6
    varied = {pixels(FULL, Random(seed), backend).shape for seed in range(2)}
    assert len(varied) == 2
    assert table.draw(FULL, None, backend).tool.startswith(backend)


def _cut(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = np.nonzero(image < 140)
    return image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def test_pdflatex_has_no_chinese() -> None:
    if tool("pdflatex").program is None:
        pytest.skip(f"pdflatex: {tool('pdflatex').install}")
    with pytest.raises(BadInput, match="choose the backend xelatex"):
        table.draw(FULL.replace("Iron", "铁"), None, "pdflatex")


def test_a_table_is_known_by_its_looks() -> None:
    html, markdown = table.converted(FULL, "html"), table.converted(FULL, "markdown")
    for source in (FULL, f" {FULL}\n", html, markdown):
        assert table.looks_like(source)
    for text in (
        "",
        "a | b",
        f"Text\n{FULL}",
        f"{FULL}\ntext",
        f"{FULL}\n\n{FULL}",
        "# Head\n| a |\n|---|",
        "| a |\n| b |",
        "a | b\nc | d | e",
        "a | b\n\nc | d",
    ):
        assert not table.looks_like(text)


def test_rows_with_bars_between_their_cells_are_a_table() -> None:
    answer = "Year | Iron | Gold\n2010 | 55.8 | 1,200\n2011 |  | 1,300"
    assert table.looks_like(answer)
    assert table.EXPORTS["csv"](answer).decode().splitlines() == [
        "Year,Iron,Gold",
        '2010,55.8,"1,200"',
        '2011,,"1,300"',
    ]
    assert table.converted(answer, "markdown").splitlines()[1] == "| --- | --- | --- |"


def test_notations_are_converted() -> None:
    assert table.converted(table.converted(FULL, "html"), "latex").count("\\hline") == 4
    assert table.converted(FULL, "markdown").splitlines()[1] == "| --- | ---: |"
    with pytest.raises(BadInput, match="expected latex, html, markdown"):
        table.converted(FULL, "word")  # type: ignore[arg-type]


def test_other_notations_can_be_composed(corpus: Corpus) -> None:
    for seed in range(5):
        assert table.compose(corpus, Random(seed), "html").startswith("<table")
        assert table.parsed(table.compose(corpus, Random(seed), "markdown")).structure[2] == ()


def test_scores_are_of_the_table_and_not_of_its_spelling() -> None:
    perfect = {"edit_distance": 0.0, "cells": 1.0, "structure": 1.0, "teds": 1.0, "teds_structure": 1.0}
    assert table.score(FULL, FULL) == perfect
    assert table.score(FULL.replace("\n", " ").replace(" & ", "&"), FULL) == perfect
    assert table.score(table.converted(FULL, "html"), FULL) == perfect
    unruled = table.score(table.converted(FULL, "html"), FULL.replace("|", "").replace("\\hline", ""))
    assert unruled["cells"] == unruled["structure"] == 1 and 0 < unruled["edit_distance"] < 0.4
    one_wrong = table.score(FULL.replace("55.8", "55.9"), FULL)
    assert one_wrong["cells"] == pytest.approx(5 / 6) and one_wrong["structure"] == 1
    row_missing = table.score(FULL.replace("\\hline Iron & 55.8 \\\\\n", ""), FULL)
    assert row_missing["cells"] == pytest.approx(8 / 10) and row_missing["structure"] == 0
    broken = table.score(FULL.replace("\\end{tabular}", ""), FULL)
    assert broken["cells"] == broken["structure"] == 0 and 0 < broken["edit_distance"] < 0.2
    lost = {"edit_distance": 1.0, "cells": 0.0, "structure": 0.0, "teds": 0.0, "teds_structure": 0.0}
    assert table.score("", FULL) == lost


def test_teds_is_of_the_table_in_any_notation() -> None:
    nodes = 9  # three rows of two
    plain = "\\begin{tabular}{ll}\n" + "\n".join(f"a{n} & b{n} \\\\" for n in range(3)) + "\n\\end{tabular}"
    wrong = plain.replace("a1", "c1")
    for notation in ("latex", "html", "markdown"):
        found = table.score(table.converted(wrong, notation), plain)
        assert found["teds"] == pytest.approx(1 - 0.5 / nodes) and found["teds_structure"] == 1
    spanning = table.score(plain.replace("a1 & b1", "\\multicolumn{2}{l}{a1}"), plain)
    assert spanning["teds_structure"] == pytest.approx(1 - 2 / nodes)
    cut = table.converted(plain, "html").replace("<tr>", "<thead><tr>", 1).replace("</tr>", "</tr></thead>", 1)
    cut = cut[: cut.index("<td>a2")]
    found = table.score(cut, plain)
    assert found["structure"] == 0 and found["teds"] == found["teds_structure"] == pytest.approx(1 - 2 / nodes)


def test_the_common_sequence_is_the_longest() -> None:
    def slow(one: str, two: str) -> int:
        table_ = [[0] * (len(two) + 1) for _ in range(len(one) + 1)]
        for i, a in enumerate(one):
            for j, b in enumerate(two):
                table_[i + 1][j + 1] = table_[i][j] + 1 if a == b else max(table_[i][j + 1], table_[i + 1][j])
        return table_[-1][-1]

    rng = Random(0)
    for _ in range(200):
        one, two = ("".join(rng.choices("abcd", k=rng.randint(0, 70))) for _ in "12")
        assert table._common(list(one), list(two)) == slow(one, two)


# --- what it is written as --------------------------------------------------------------------------------------------

SPANNING = r"""\begin{tabular}{|l|c|c|}
\hline \textbf{Name, first} & \multicolumn{2}{c|}{Mass} \\
\hline \multirow{2}{*}{Iron "Fe"} & \( 55.8 \pm 0.1 \) & \( x^{2} \) \\
& \( -3 \) & \$5 \\
\hline \makecell{two \\ lines} & 100\% & \\
\hline
\end{tabular}"""


def test_csv_has_a_cell_for_each_and_spans_once() -> None:
    content = table.EXPORTS["csv"](SPANNING)
    assert content == (
        b'"Name, first",Mass,\r\n"Iron ""Fe""",55.8 \xc2\xb1 0.1,\\( x^{2} \\)\r\n,-3,$5\r\n"two\nlines",100%,\r\n'
    )
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert rows == json.loads(table.EXPORTS["json"](SPANNING))
    assert rows[1] == ['Iron "Fe"', "55.8 ± 0.1", r"\( x^{2} \)"]


def test_every_table_is_as_many_rows_as_it_shows(corpus: Corpus) -> None:
    for seed in range(60):
        source = table.compose(corpus, Random(seed))
        grid = table.parsed(source)
        rows = list(csv.reader(io.StringIO(table.EXPORTS["csv"](source).decode(), newline="")))
        assert [len(row) for row in rows] == [grid.columns] * grid.rows
        assert sum(bool(text) for row in rows for text in row) == sum(bool(cell.content) for cell in grid.cells)
        assert table.parsed(table.EXPORTS["latex"](source).decode()) == grid


def test_markdown_is_in_pipes_where_it_can_be() -> None:
    assert table.EXPORTS["md"](FULL) == b"| Name | Mass |\n| --- | ---: |\n| Iron | 55.8 |\n| Gold | 197 |\n"
    formula = FULL.replace("Gold", r"\( \alpha|b \) \$")
    assert b"| $\\alpha\\|b$ \\$ | 197 |" in table.EXPORTS["md"](formula)
    spanning = table.EXPORTS["md"](SPANNING).decode()
    assert spanning.startswith("<table>") and '<td rowspan="2">' in spanning and "$x^{2}$" in spanning


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("1.23**", "1.23**"),
        ("0.4*", "0.4*"),
        ("***", "***"),
        ("snake_case_", "snake_case_"),
        ("x* y *z*", "x* y z"),
        ("**a *b***", "a b"),
        ("***a** b*", "a b"),
        ("**\\( a \\)**", "a"),
    ],
)
def test_marks_without_a_partner_are_text(cell: str, text: str) -> None:
    assert exported(f"| {cell} | b |\n| --- | --- |", "csv").decode() == f"{text},b\r\n"


def test_blocks_and_raised_text_of_html_cells_stay_what_they_are() -> None:
    def shown(cell: str, fmt: str) -> str:
        return exported(f"<table><tr><td>{cell}</td><td>b</td></tr></table>", fmt).decode()

    assert shown("<div>12</div><div>34</div>", "csv") == '"12\n34",b\r\n'
    assert shown("<p>one</p>", "csv") == "one,b\r\n"
    assert r"5\( ^{\text{\%}} \)" in shown("5<sup>%</sup>", "latex")
    assert r"\( ^{\text{see note}} \)" in shown("<sup>see note</sup>", "latex")
    assert r"CO\( _{2} \)" in shown("CO<sub>2</sub>", "latex")


def test_html_is_well_formed_and_has_no_latex_left() -> None:
    pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
    root = ET.fromstring(table.EXPORTS["html"](SPANNING))
    cells = [cell for row in root for cell in row]
    assert [cell.get("rowspan") or cell.get("colspan") for cell in cells[:3]] == [None, "2", "2"]
    assert cells[0].tag == "th" and "".join(cells[0].itertext()) == "Name, first"
    math = [cell[0].tag.rpartition("}")[2] for cell in cells if len(cell) and cell[0].tag != "br"]
    assert math == ["math"] * 3


def test_no_table_is_written_as_none() -> None:
    for write in table.EXPORTS.values():
        for wrong in ("", "words", r"\begin{tabular}{l} a & b \\ \end{tabular}"):
            with pytest.raises(BadInput):
                write(wrong)


@pytest.mark.parametrize("before", ["", "# Masses\n\nOf metals:\n\n"])
@pytest.mark.parametrize(
    "cut",
    [
        "\\begin{tabular}{|l|c|}\n\\hline Name & Mass \\\\\n\\hline Iron & \\( 55.8 \\) \\\\\n\\hline Cop",
        "<table><tr><th>Name</th><th>Mass</th></tr><tr><td>Iron</td><td>55.8</td></tr><tr><td>Cop",
    ],
)
def test_of_a_table_that_is_cut_short_the_whole_rows_are_written(before: str, cut: str) -> None:
    assert exported(before + cut, "csv", "text") == b"Name,Mass\r\nIron,55.8\r\n"
    page = exported(before + cut, "md").decode()
    assert page.startswith(before) and "Iron" in page and "Cop" not in page


def test_what_has_no_whole_row_or_is_whole_stays_as_it_is() -> None:
    whole = "\\begin{tabular}{l}a \\\\ \\end{tabular} and <table>s"
    for text in (whole, "\\begin{tabular}{l} a", "<table><tr><td>a", "plain \\\\ text"):
        assert table.ended(text) == text
