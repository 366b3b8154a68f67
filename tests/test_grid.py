"""A table has one grid and one spelling in each notation, however it was written."""

from __future__ import annotations

import pytest

from ocr2.characters.table import plainmath, tabular, webtable
from ocr2.characters.table.celltext import content_of, written
from ocr2.characters.table.grid import Cell, Grid, Piece, grid, runs, settled
from ocr2.errors import BadInput


def latex(body: str, spec: str = "|l|c|") -> str:
    return tabular.latex(tabular.parsed(f"\\begin{{tabular}}{{{spec}}}{body}\\end{{tabular}}"))


def lines(*rows: str, spec: str = "|l|c|") -> str:
    return "\n".join([f"\\begin{{tabular}}{{{spec}}}", *rows, r"\end{tabular}"])


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("a  b\n c", (Piece("a b c"),)),
        (r"5\% \& \$3 \#1 a\_b \{x\}", (Piece("5% & $3 #1 a_b {x}"),)),
        (r"\textbf{a} b", (Piece("a", style="b"), Piece(" b"))),
        (r"{\bf a b} c", (Piece("a b", style="b"), Piece(" c"))),
        (r"\textbf{a \textit{b}}", (Piece("a", style="b"), Piece(" "), Piece("b", style="bi"))),
        (r"$x^2$ \(y\)", (Piece("x^2", True), Piece(" "), Piece("y", True))),
        (r"$a\$b$", (Piece(r"a\$b", True),)),
        ("``a'' -- b---c ~ d", (Piece("“a” – b—c d"),)),
        (r"caf\'e na\"{\i}ve \c{c}a \v{S} \ss \O", (Piece("café naïve ça Š ßØ"),)),
        (r"\makecell[l]{a \\ b}", (Piece("a\nb"),)),
        (r"\begin{tabular}{@{}c@{}}a\\b\end{tabular}", (Piece("a\nb"),)),
        (r"x\textsuperscript{2}", (Piece("x"), Piece("^{2}", True))),
        (r"\textcolor{red}{a} \cellcolor{blue!20} \small b", (Piece("a b"),)),
        (r"\textbackslash\textasciitilde{}\^{}", (Piece("\\~"),)),
        (r"\underline{a}", (Piece("a", style="u"),)),
        ("  ", ()),
    ],
)
def test_a_cell_is_read_as_it_is_seen(text: str, content: tuple[Piece, ...]) -> None:
    assert content_of(text) == content
    assert content_of(written(content)) == content


@pytest.mark.parametrize(
    "text", ["a--b ''c'' ``d ---", r"\ ~ ^ & % $ # _ { }", "<a> |b| \"c\" 'd' `e", "it's – — “q” …"]
)
def test_any_text_is_written_so_that_it_is_read_again(text: str) -> None:
    assert content_of(written((Piece(text),))) == settled([Piece(text)])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (r"\foo{a}", r"\\foo in a table's cell isn't known"),
        ("{a", "no } for the {"),
        ("a}", "a } too many after 'a'"),
        ("$a", r"no \$ for the \$"),
        (r"\textbf", r"nothing follows"),
        (r"\begin{tabular}{ll}a & b\end{tabular}", "a table in a table's cell"),
        ("{" * 30 + "}" * 30, "20 deep"),
        ("$ $", "an empty formula"),
    ],
)
def test_a_cell_that_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        content_of(text)


def test_pieces_settle_to_one_form() -> None:
    pieces = [Piece(" a", style="b"), Piece(" "), Piece("b ", style="b"), Piece("\n \n"), Piece("c"), Piece(" ")]
    assert settled(pieces) == (Piece("a b", style="b"), Piece("\nc"))
    assert settled(settled(pieces)) == settled(pieces)


@pytest.mark.parametrize(
    ("written_so", "spelled"),
    [
        (r"\hline a&b\\\hline", lines(r"\hline a & b \\", r"\hline")),
        ("a & b", lines(r"a & b \\")),
        ("a & b \\\\[2pt] % and\n c & d \\\\* \n", lines(r"a & b \\", r"c & d \\")),
        (r"\cline{1-1}\cline{2-2} a & b \\", lines(r"\hline a & b \\")),
        (r"\cline{2-2} a & b \\", lines(r"\cline{2-2} a & b \\")),
        (r"\hline\hline a & b \\", lines(r"\hline\hline a & b \\")),
        (r"a \\ & \\", lines(r"a & \\", r"& \\")),
        (r"\multicolumn{2}{|c|}{x} \\ a & b", lines(r"\multicolumn{2}{|c|}{x} \\", r"a & b \\")),
        (r"\multicolumn{1}{|l|}{a} & \multicolumn{1}{c|}{b} \\", lines(r"a & b \\")),
        (
            r"\multirow{2}{*}{x} & 1 \\ \hline & 2 \\",
            lines(r"\multirow{2}{*}{x} & 1 \\", r"\cline{2-2} & 2 \\"),
        ),
        (r" & 1 \\ \multirow{-2}*{x} & 2 \\", lines(r"\multirow{2}{*}{x} & 1 \\", r"& 2 \\")),
        (
            r"\multicolumn{2}{|c|}{\multirow{2}{3cm}{x}} \\ \multicolumn{2}{|c|}{} \\",
            lines(r"\multicolumn{2}{|c|}{\multirow{2}{*}{x}} \\", r"\multicolumn{2}{|c|}{} \\", spec="|lc|"),
        ),
        (r"\rowcolor{red} \small a & {b} \tabularnewline", lines(r"a & b \\")),
        (r"a \& b & \( \begin{matrix} 1 & 2 \\ 3 & 4 \end{matrix} \) \\", None),
    ],
)
def test_there_is_one_spelling_for_one_picture(written_so: str, spelled: str | None) -> None:
    if spelled is None:
        spelled = lines(r"a \& b & \( \begin{matrix} 1 & 2 \\ 3 & 4 \end{matrix} \) \\")
    assert latex(written_so) == spelled
    assert tabular.latex(tabular.parsed(spelled)) == spelled


@pytest.mark.parametrize(
    ("spec", "spelled"),
    [
        ("@{} l @{\\hspace{3pt}} | c @{}", "l|c"),
        ("*{2}{l|}", "l|l|"),
        ("|*{1}{l}|*{1}{r|}", "|l|r|"),
        (r">{\centering\arraybackslash}p{3cm}X", "cl"),
        ("||l||r", "||l||r"),
        ("m{2cm}S[table-format=2.1]", "lr"),
    ],
)
def test_columns_are_read_however_they_are_specified(spec: str, spelled: str) -> None:
    assert latex(r"a & b \\", spec) == lines(r"a & b \\", spec=spelled)


def test_booktabs_are_one_spelling_too() -> None:
    body = r"\toprule[1pt] a & \multicolumn{2}{c}{b} \\ \cmidrule(lr){2-3} & c & d \\ \hline 1 & 2 & 3 \\ \bottomrule"
    expected = lines(
        r"\toprule a & \multicolumn{2}{c}{b} \\",
        r"\cmidrule(lr){2-3} & c & d \\",
        r"\midrule 1 & 2 & 3 \\",
        r"\bottomrule",
        spec="lcr",
    )
    assert latex(body, "lcr") == expected
    apart = (
        r"\toprule \multicolumn{2}{c}{a} & \multicolumn{2}{c}{b} \\ \cmidrule{1-2}\cmidrule(l){3-4} 1 & 2 & 3 & 4 \\"
    )
    assert r"\cmidrule(lr){1-2} \cmidrule(lr){3-4} 1" in latex(apart, "llll")


def test_what_stands_around_a_tabular_is_invisible_or_an_error() -> None:
    inner = lines(r"a & b \\")
    around = "\\begin{table}[ht]\n\\centering\\small\n" + inner + "\n\\label{t}\\end{table}"
    assert tabular.latex(tabular.parsed(around)) == inner
    starred = r"\begin{tabular*}{\textwidth}[t]{@{\extracolsep{\fill}}|l|c|} a & b \end{tabular*}"
    assert tabular.latex(tabular.parsed(starred)) == inner
    array = tabular.parsed(r"\[ \begin{array}{l|c} x & \text{a b} \end{array} \]")
    assert [cell.content for cell in array.cells] == [(Piece("x", True),), (Piece("a b"),)]
    for beside in (f"Text {inner}", inner + inner, inner + r"\caption{A}"):
        with pytest.raises(BadInput, match=r"beside the table|too many after|more than"):
            tabular.parsed(beside)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (r"\begin{tabular}{ll} a & b & c \end{tabular}", "row 1 has more than the 2 columns .* from 'c' on"),
        (r"\begin{tabular}{ll} a & b", r"no \\end\{tabular\}"),
        (r"a & b \end{tabular}", r"no \\begin\{tabular\}"),
        (r"\begin{tabular}{ll} \multicolumn{3}{c}{a} \end{tabular}", "spans too much"),
        (r"\begin{tabular}{ll} \multicolumn{x}{c}{a} \end{tabular}", "expected a number"),
        (r"\begin{tabular}{ll} \multirow{3}{*}{a} & b \\ & c \end{tabular}", "spans 3 rows by .* expected up to 2"),
        (r"\begin{tabular}{ll} \multirow{2}{*}{a} & b \\ x & c \end{tabular}", "'x' in row 2, column 1 overlaps"),
        (r"\begin{tabular}{ll} \multirow{-2}{*}{a} & b \end{tabular}", "expected a number"),
        (r"\begin{tabular}{ll} \multirow{2}{*}{a} x & b \\ & \end{tabular}", "'x' after .*multirow"),
        (r"\begin{tabular}{lq} a & b \end{tabular}", "'q' in the columns"),
        (r"\begin{tabular}{} a \end{tabular}", "no columns in"),
        (r"\begin{tabular}{l@{:}l} a & b \end{tabular}", "expected no text between columns"),
        (r"\begin{tabular}{*{9999}{l}} a \end{tabular}", "expected a number up to 60"),
        (r"\begin{tabular}{ll} \cline{1-3} a & b \end{tabular}", "expected columns from 1 to 2"),
        (r"\begin{tabular}{ll} {a & b \end{tabular}", "braces or environments that don't end"),
        (r"\begin{tabular}{ll} a} & b \end{tabular}", "too many after"),
        (r"\begin{tabular}{l}\end{tabular}", "a table without rows"),
        (r"\begin{tabular}{l}" + r"a\\" * 301 + r"\end{tabular}", "301 rows"),
        (r"\begin{tabular}{l}" + "a" * 100_001, "expected up to 100,000"),
        (r"\begin{tabular}{l}\includegraphics{/etc/passwd}\end{tabular}", "isn't known here"),
    ],
)
def test_a_tabular_that_is_wrong_is_told(source: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        tabular.parsed(source)


def test_a_grid_has_no_rules_through_cells() -> None:
    made = grid("ll", [Cell(0, 0, (Piece("a"),), 2, 2)], ["--", "--", "--"], ["111", "111"])
    assert made.rules == ("--", "  ", "--") and made.bars == ("101", "101")
    with pytest.raises(BadInput, match="overlaps"):
        grid("l", [Cell(0, 0), Cell(0, 0)], [" "] * 2, ["00"])
    with pytest.raises(BadInput, match="spans 2 columns: expected 1 to 1"):
        grid("l", [Cell(0, 0, (), 1, 2)], [" "] * 2, ["00"])


def test_runs_are_the_rules_of_a_line() -> None:
    assert runs("-- =CcC t") == [("-", 0, 2), ("=", 3, 4), ("c", 4, 6), ("c", 6, 7), ("t", 8, 9)]


def spanned() -> Grid:
    body = r"\hline \multirow{2}{*}{a} & \multicolumn{2}{c|}{$x<1$} \\ \cline{2-3} & \textbf{\$5} & 3 \\ \hline"
    return tabular.parsed(f"\\begin{{tabular}}{{|l|r|c|}}{body}\\end{{tabular}}")


def test_html_is_read_as_it_is_written() -> None:
    expected = (
        '<table>\n<tr><td rowspan="2">a</td><td colspan="2">\\( x&lt;1 \\)</td></tr>\n'
        '<tr><th align="right">&#36;5</th><td align="center">3</td></tr>\n</table>'
    )
    assert webtable.html(spanned()) == expected
    assert webtable.html(webtable.from_html(expected)) == expected
    cells = webtable.from_html(expected).cells
    assert [(cell.text, cell.rowspan, cell.colspan) for cell in cells] == [
        (cell.text, cell.rowspan, cell.colspan) for cell in spanned().cells
    ]


def test_html_of_browsers_is_read() -> None:
    source = (
        "<TABLE border=1 class='t'><thead><tr><th>A<th colspan=2>B &amp; C&nbsp;<tbody>"
        "<tr><td style='text-align: right'>x<sup>2</sup><td>1<br/>2<td><i>z</i> &#8364;</table>"
    )
    assert tabular.latex(webtable.from_html(source)) == lines(
        r"\hline \multicolumn{1}{|l|}{\textbf{A}} & \multicolumn{2}{c|}{\textbf{B \& C}} \\",
        r"\hline x\( ^{2} \) & \makecell[l]{1 \\ 2} & \textit{z} € \\",
        r"\hline",
        spec="|r|l|l|",
    )
    assert tabular.latex(webtable.from_html('<table border="0"><tr><td>a</td></tr></table>')) == lines(
        r"a \\", spec="l"
    )


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("<table><tr><td rowspan=2>a</td></tr></table>", "spans 2 rows: expected up to 1"),
        ("<table><tr><td colspan=0>a</td></tr></table>", "expected a number from 1"),
        ("<table><tr><td colspan=1000>a</td></tr></table>", "more than 60 columns"),
        ("<table><tr><td>a", "which ends"),
        ("<table></table>", "a table without rows"),
        ("<table><tr><td><table></table></td></tr></table>", "a table in a table's cell"),
        ("<table><tr><td><img src=x></td></tr></table>", "<img> in a table"),
        ("<table><tr><td>a</td></tr></table><table></table>", "exactly one"),
        ("text <table><tr><td>a</td></tr></table>", "'text' beside the table's cells"),
        ("<table>" + "<tr><td>a" * 301 + "</table>", "more than 300 rows"),
    ],
)
def test_html_that_is_wrong_is_told(source: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        webtable.from_html(source)


def test_markdown_is_read_as_it_is_written() -> None:
    text = (
        "| a | **b** | c \\| d |\n| --- | ---: | :---: |\n| \\( x \\) | \\$5 \\*x\\* | 1<br>2 |\n|  | *i* | <u>u</u> |"
    )
    table = webtable.from_markdown(text)
    assert webtable.markdown(table) == text
    assert [cell.content for cell in table.cells][3:6] == [(Piece("x", True),), (Piece("$5 *x*"),), (Piece("1\n2"),)]
    assert table.aligns == "lrc" and table.cells[2].text == "c | d"


def test_markdown_of_people_is_read() -> None:
    table = webtable.from_markdown(
        "name|$|x|$|snake_case_x\n:-:|-|-\n2 * 3 * 4|__b__ $5 and $6\n".replace("$|x|$", r"$\|x\|$")
    )
    assert [cell.text for cell in table.cells] == ["name", r"\( |x| \)", "snake_case_x", "2 * 3 * 4", "b $5 and $6", ""]
    assert table.cells[4].content[0] == Piece("b", style="b")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("| a | b |\n| 1 | 2 | 3 |", "row 2 .* has 3 cells: expected 2"),
        ("a | b\ntext", "row 2"),
        ("| a | b |\n|---|---|\n| 1 | 2 | 3 |", "row 2 .* has 3 cells: expected 2"),
        ("| a | b |\n|---|---|\ntext", "row 2"),
        ("| a |", "one row"),
    ],
)
def test_markdown_that_is_wrong_is_told(source: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        webtable.from_markdown(source)


def test_markdown_has_no_spans() -> None:
    with pytest.raises(BadInput, match="write the table as LaTeX or HTML"):
        webtable.markdown(spanned())


@pytest.mark.parametrize(
    ("latex_formula", "typst_formula"),
    [
        ("x^{2}", "x^(2)"),
        (r"\alpha_{i}^2", "alpha_(i)^(2)"),
        (r"\sqrt{54}", "sqrt(54)"),
        (r"3.2 \times 10^{-5}", "3.2 times 10^(- 5)"),
        (r"\mathbb{R}^n", "bb(R)^(n)"),
        (r"\frac{1}{2}", ""),
        (r"x^", ""),
        (r"x^2^3", ""),
        (r"\text{a}", ""),
        ("{x", ""),
        ("x}", ""),
        ("汉", ""),
        ("a $ b", ""),
        ("{" * 50 + "}" * 50, ""),
    ],
)
def test_only_simple_formulas_are_left_to_typst(latex_formula: str, typst_formula: str) -> None:
    assert plainmath.typst(latex_formula) == typst_formula
