r"""Mathpix Markdown: what models write is read, and what is read is written in one spelling."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hangs import ended

from ocr2.characters.document.blocks import (
    Abstract,
    Author,
    Code,
    Display,
    Heading,
    Item,
    List,
    Note,
    Paragraph,
    Rule,
    Table,
)
from ocr2.characters.document.markdown import parsed, written
from ocr2.characters.document.spans import Break, Mark, Math, Molecule, Text, spans
from ocr2.errors import BadInput

TABULAR = "\\begin{tabular}{|l|c|}\n\\hline a & b \\\\\n\\hline\n\\end{tabular}"
PAGE = rf"""\title{{On \( n \) lines}}

\author{{Ada, Charles \\
London}}

\begin{{abstract}}
We show **this**.
\end{{abstract}}

\section*{{1 Introduction}}
A line costs \$5, x\*y, and[^1] \( a^{{2}} \) is *slanted*.

\[ a^{{2}}=b\tag{{1}} \]

\subsection*{{1.1 Lists}}
- one
   1. two
   2. \( x \)
- three

(a) four
(b) five

{TABULAR}

```
x = [1]  # $not$ *math*
```

[^1]: A note.

---"""


def text(string: str) -> tuple[Text]:
    return (Text(string),)


def test_a_page_is_its_blocks() -> None:
    blocks = parsed(PAGE)
    assert blocks == [
        Heading((Text("On "), Math("n"), Text(" lines")), 0),
        Author((Text("Ada, Charles"), Break(), Text("London"))),
        Abstract(((Text("We show "), Text("this", bold=True), Text(".")),)),
        Heading(text("1 Introduction"), 1),
        Paragraph(
            (
                *(Text("A line costs $5, x*y, and"), Mark("1"), Text(" "), Math("a^{2}"), Text(" is ")),
                *(Text("slanted", italic=True), Text(".")),
            )
        ),
        Display(r"a^{2}=b\tag{1}"),
        Heading(text("1.1 Lists"), 2),
        List(
            (
                *(Item("-", text("one")), Item("1.", text("two"), 1), Item("2.", (Math("x"),), 1)),
                *(Item("-", text("three")), Item("(a)", text("four")), Item("(b)", text("five"))),
            )
        ),
        Table(TABULAR),
        Code("x = [1]  # $not$ *math*"),
        Note("1", text("A note.")),
        Rule(),
    ]


def test_what_is_written_is_read_again_as_it_was() -> None:
    page = PAGE.replace("three\n\n", "three\n")
    assert written(parsed(page)) == page
    assert parsed(written(parsed(page))) == parsed(page)


@pytest.mark.parametrize(
    ("source", "block"),
    [
        ("## Two", Heading(text("Two"), 2)),
        ("# One #", Heading(text("One"), 1)),
        ("\\section{One}", Heading(text("One"), 1)),
        ("\\chapter*{\nOne\nmore\n}", Heading(text("One more"), 1)),
        ("$$\nx\n$$", Display("x")),
        ("\\begin{equation*} x \\end{equation*}", Display("x")),
        ("\\begin{align} x & y \\\\ z \\end{align}", Display("\\begin{align} x & y \\\\ z \\end{align}")),
        (
            "\\[\n\\begin{aligned} a \\\\[2pt] b \\end{aligned}\n\\]",
            Display("\\begin{aligned} a \\\\[2pt] b \\end{aligned}"),
        ),
        ("a $x$ b", Paragraph((Text("a "), Math("x"), Text(" b")))),
        ("it cost $5 and $6", Paragraph(text("it cost $5 and $6"))),
        ("\\textbf{a} \\emph{b}", Paragraph((Text("a", bold=True), Text(" "), Text("b", italic=True)))),
        ("***a***", Paragraph((Text("a", bold=True, italic=True),))),
        ("2 * 3 * 4, snake_case_name", Paragraph(text("2 * 3 * 4, snake_case_name"))),
        ("one\ntwo\\\\ three", Paragraph((Text("one"), Break(), Text("two"), Break(), Text("three")))),
        ("* a\n+ b", List((Item("-", text("a")), Item("-", text("b"))))),
        ("1) a\n\n2) b", List((Item("1)", text("a")), Item("2)", text("b"))))),
        ("- a\n  more", List((Item("-", text("a more")),))),
        ("\\begin{itemize}\\item a \\item b\\end{itemize}", List((Item("-", text("a")), Item("-", text("b"))))),
        (
            "\\begin{enumerate}\n\\item a\n\\item[(x)] b\n\\end{enumerate}",
            List((Item("1.", text("a")), Item("(x)", text("b")))),
        ),
        ("<table><tr><td>\na</td></tr></table>", Table("<table><tr><td>\na</td></tr></table>")),
        ("| a |\n|---|\n| 1 |", Table("| a |\n|---|\n| 1 |")),
        ("\\begin{figure}[h]\\includegraphics{x.png}\\caption{Seen}\\end{figure}", Paragraph(text("Seen"))),
        ("![alt](http://x/y.png) seen", Paragraph(text("seen"))),
        ("is <smiles>CCO</smiles>", Paragraph((Text("is "), Molecule("CCO")))),
        ("see [there](http://x)", Paragraph(text("see there"))),
        ("\\footnotetext{ a }", Note("", text("a"))),
        ("\\unknown{a} <b>c</b>", Paragraph(text("\\unknown{a} <b>c</b>"))),
        ("```\nnever closed", Code("never closed")),
        ("\\begin{verbatim}\n a\\b\n\\end{verbatim}", Code(" a\\b")),
    ],
)
def test_other_spellings_are_the_same_thing(source: str, block: object) -> None:
    assert parsed(source) == [block]


def test_formulas_part_paragraphs_and_items() -> None:
    assert parsed("so \\[ x \\] is\n\\[\ny\n\\]\nall") == [
        *(Paragraph(text("so")), Display("x"), Paragraph(text("is")), Display("y"), Paragraph(text("all"))),
    ]
    assert parsed("- a\n  \\[ x \\]\n  b\n- c") == [
        *(List((Item("-", text("a")),)), Display("x"), Paragraph(text("b")), List((Item("-", text("c")),))),
    ]


def test_footnotes_within_a_line_come_below() -> None:
    assert parsed("a\\footnote{b \\textbf{c}} d")[-1] == Note("1", (Text("b "), Text("c", bold=True)))
    assert parsed("a\\footnote{b}")[0] == Paragraph((Text("a"), Mark("1")))
    both = parsed("a[^1] b\\footnote{new}\n\n[^1]: old")
    assert both == [
        Paragraph((Text("a"), Mark("1"), Text(" b"), Mark("2"))),
        Note("1", (Text("old"),)),
        Note("2", (Text("new"),)),
    ]


def test_hashes_close_a_heading_after_a_space_alone() -> None:
    lines = ("# In C#", "# In C# ##", "# In C#\t#  ", "# In C ")
    assert [parsed(line)[0] for line in lines] == [*[Heading((Text("In C#"),), 1)] * 3, Heading((Text("In C"),), 1)]
    with ended(8):
        parsed("# a" + " " * 16_000 + "b\n[^1]: a" + " " * 16_000 + "b")


@pytest.mark.parametrize("source", ["so \\( x", "\\[ x", "a \\) b", "$$ x", "\\begin{align} x", "# a \\( b\n\nc \\)"])
def test_a_formula_without_an_end_is_refused(source: str) -> None:
    with pytest.raises(BadInput, match=r"expected .*(\\\)|\\\]|\$\$|\\end)"):
        parsed(source)


@pytest.mark.parametrize("source", ["", " \n\n ", "\\[ \\]", "![](a.png)"])
def test_nothing_is_refused(source: str) -> None:
    with pytest.raises(BadInput, match="without anything on it"):
        parsed(source)


def test_what_has_no_spelling_is_not_written() -> None:
    with pytest.raises(BadInput, match=r"can't be written"):
        written([Paragraph(text("a\\b"))])
    assert parsed(written([Paragraph(text("# a")), Paragraph(text("- b"))])) == [
        *(Paragraph(text("# a")), Paragraph(text("- b"))),
    ]


def test_long_and_hostile_texts_are_read_in_time() -> None:
    for part in (
        "\\begin{table}",
        "\\begin{itemize}\\item ",
        "\\textbf{",
        "[^1]",
        "`",
        "<table>",
        "\\item ",
        "**a ",
        "*",
        "- a\n",
        "\\(x\\)",
        "{",
        "$a",
        "\\[ x \\] ",
        "| a |\n",
        "\\footnote{",
    ):
        with suppress(BadInput):
            parsed(part * 3000)


@pytest.mark.parametrize(
    "part",
    ["a \\( b ", "a \\[ b ", "![[", "![a](", "\\includegraphics[", "<smiles>", "[a](", "**a ", "***a ", "\\textbf{"],
)
def test_what_isnt_closed_takes_time_in_proportion(part: str) -> None:
    for read in (spans, parsed):
        with ended(8), suppress(BadInput):
            read(part * 16_000)


def test_long_lists_of_latex_take_time_in_proportion() -> None:
    for item in ("\\item a ", "\\item[a "):
        with ended(8):
            (found,) = parsed(f"\\begin{{enumerate}}{item * 16_000}\\end{{enumerate}}")
        assert isinstance(found, List) and len(found.items) == 16_000


def test_items_deep_within_each_other_are_numbered() -> None:
    lists = 4
    source = "\\begin{enumerate}\\item a \\item b " * lists + "\\end{enumerate}" * lists
    (found,) = parsed(source)
    assert isinstance(found, List)
    assert [item.marker for item in found.items] == ["1.", "2."] * lists


def test_an_opening_mark_within_another_is_a_letter() -> None:
    assert spans("**a **b** c") == (Text("**a "), Text("b", bold=True), Text(" c"))
    assert spans("[a [b](c)") == (Text("[a b"),)
    assert spans(r"\( a \\\)") == (Math(r"a \\"),)
    assert spans(r"\( a \\(b) \)") == (Math(r"a \\(b)"),)


def test_spans_have_no_space_at_line_ends() -> None:
    assert spans("  a \n b ") == (Text("a"), Break(), Text("b"))
