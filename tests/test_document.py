"""Documents: every block is on the page, in its order, once; pages that are composed fit, and are what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import cache
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from text_helpers import write_corpus

from ocr2.characters import document, markup, molecule, table, text
from ocr2.characters.document import markdown
from ocr2.characters.document.blocks import Display, Heading, List, Table
from ocr2.characters.document.spans import letters
from ocr2.data.corpus import Corpus
from ocr2.errors import BadInput, RendererMissing, RenderFailed
from ocr2.renderers.tools import tool

if TYPE_CHECKING:
    from pathlib import Path

    from ocr2.characters.document.blocks import Block
    from ocr2.renderers.drawing import Drawing

pytest.importorskip("typst", reason="engines: pip install 'ocr2[engines]'")
pypdfium2 = pytest.importorskip("pypdfium2", reason="engines: pip install 'ocr2[engines]'")

COUNT = 24
PAGE = r"""\title{Upon Lines}

\author{Ada Byron \\
London}

\begin{abstract}
First of all.
\end{abstract}

\section*{1 Introduction}
Second, \( a_{1} \) and more **bold words** with *slanted ones* and a note[^1].

\[ \frac{a}{b}=c\tag{7} \]

- third item
   1. fourth item

Figure 3: Fifth caption.

\begin{tabular}{|l|c|}
\hline sixth & 12 \\
\hline
\end{tabular}

Seventh 中文 paragraph.

[^1]: Eighth note."""
WORDS = (
    *(
        "Upon Lines",
        "Ada Byron",
        "London",
        "First of all",
        "Introduction",
        "Second",
        "bold words",
        "slanted ones",
        "(7)",
    ),
    *("third item", "1. fourth item", "Fifth caption", "sixth", "Seventh", "中文", "Eighth note"),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus([write_corpus(tmp_path_factory.mktemp("texts"))])


@cache
def composed(seed: int, corpus: Corpus) -> str:
    return document.compose(corpus, Random(seed))


def words_of(drawing: Drawing) -> str:
    """The text layer, with single spaces; words that were hyphenated are whole again."""
    assert isinstance(drawing.content, bytes)
    page = pypdfium2.PdfDocument(drawing.content)
    assert len(page) == 1
    found = page[0].get_textpage().get_text_range()
    return " ".join(re.sub(r"[\ufffe\x02-]\s*", "", found).split())


@pytest.mark.parametrize("seed", [None, *range(8)])
def test_everything_is_on_the_page_in_its_order(seed: int | None) -> None:
    shown = words_of(document.draw(PAGE, None if seed is None else Random(seed)))
    places = [shown.find(word.replace("-", "")) for word in WORDS]
    assert min(places) >= 0, (WORDS[places.index(-1)], shown)
    assert places == sorted(places)
    assert all(shown.count(word) == 1 for word in WORDS)


def test_pages_that_are_composed_show_all_their_letters(corpus: Corpus) -> None:
    for seed in range(10):
        source = composed(seed, corpus)
        shown = re.sub(r"\s", "", words_of(document.draw(source, Random(seed))))
        for block in markdown.parsed(source):
            if isinstance(block, Heading):
                assert re.sub(r"[\s-]", "", letters(block.spans)) in shown
            if isinstance(block, List):
                for item in block.items:
                    for part in re.findall(r"[A-Za-z]{4,}|[\u4e00-\u9fff]", letters(item.spans)):
                        assert part in shown


def test_pages_that_are_composed_fit_and_are_known(corpus: Corpus) -> None:
    kinds: set[type] = set()
    for seed in range(COUNT):
        source = composed(seed, corpus)
        assert document.looks_like(source)
        assert not any(other.looks_like(source) for other in (table, molecule))
        assert markdown.written(markdown.parsed(source)) == source
        assert 100 < len(source) < 6000
        kinds |= {type(block) for block in markdown.parsed(source)}
        drawing = document.draw(source, Random(seed))
        height, width = drawing.pixels().shape[:2]
        assert max(height, width) <= document.SIDE and width > 400 and height > 120
    assert {Heading, List, Table, Display} <= kinds


def test_the_same_seed_makes_the_same_page_in_any_process(corpus: Corpus) -> None:
    code = (
        "import sys\nfrom hashlib import sha256\nfrom random import Random\nfrom ocr2.characters import document\n"
        "from ocr2.data.corpus import Corpus\nfor seed in (9, 4):\n"
        "    source = document.compose(Corpus([sys.argv[1]]), Random(seed))\n"
        "    drawing = document.draw(source, Random(seed))\n"
        "    print(sha256(source.encode() + drawing.pixels().tobytes()).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "3"}
    command = [sys.executable, "-c", code, corpus.folders[0]]
    told = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout.split()
    for seed, there in zip((9, 4), told, strict=True):
        source = composed(seed, corpus)
        pixels = document.draw(source, Random(seed)).pixels()
        assert sha256(source.encode() + pixels.tobytes()).hexdigest() == there


def test_plainly_a_page_is_one_column_in_black(corpus: Corpus) -> None:
    image = document.draw(PAGE, None).pixels()
    assert image.ndim == 2 and image.shape[1] == 724
    assert document.draw(PAGE, None).pixels().tobytes() == image.tobytes()


def test_two_columns_are_read_one_after_the_other() -> None:
    source = "\n\n".join(
        f"Paragraph number {n} has some words in it, which say next to nothing. " * 2 for n in range(30)
    )
    source = f"\\section*{{Heading}}\n{source}"
    found = 0
    for seed in range(12):
        drawing = document.draw(source, Random(seed))
        numbers = [int(number) for number in re.findall(r"aragraph number (\d+)", words_of(drawing))]
        assert numbers == sorted(numbers) and set(numbers) == set(range(30))
        ink = (drawing.pixels().min(0 if drawing.pixels().ndim == 2 else (0, 2)) < 128).nonzero()[0]
        gaps = np.diff(ink)
        found += bool(gaps.max() > 10 and 0.35 < ink[gaps.argmax()] / drawing.pixels().shape[1] < 0.6)
    assert found >= 2


def test_what_doesnt_fit_is_refused() -> None:
    with pytest.raises(RenderFailed, match="don't fit on one page: give fewer"):
        document.draw("# Much\n" + "A sentence that is there many times over. " * 400, None)
    wide = "\\[ " + "+".join(f"x_{{{n}}}" for n in range(120)) + " \\]"
    with pytest.raises(RenderFailed, match="doesn't fit on the page"):
        document.draw(f"so {wide}", Random(1))
    assert document.draw(f"so {wide}", None).pixels().min() < 100


@pytest.mark.parametrize(
    ("source", "error", "told"),
    [
        ("so \\( x", BadInput, "without its other end"),
        ("so \\( \\foo \\)", RenderFailed, "foo"),
        ("# \u0e01\u0e02", BadInput, r"no font here has '\u0e01\u0e02' \(U\+0E01\)"),
        ("", BadInput, "without anything on it"),
        ("so\n\n\\begin{tabular}{l}a & b & c\\end{tabular}", BadInput, "column"),
        ("is <smiles>C1CC</smiles>", BadInput, "C1CC"),
    ],
)
def test_what_is_wrong_is_told(source: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        document.draw(source, None)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(BadInput, match="expected typst, chromium"):
        document.draw(PAGE, None, "word")


def test_formulas_stand_on_the_line() -> None:
    """Below the base line of "xxx" is no ink, of an x as a formula neither, but of a y."""
    page = "\\section*{{A}}\nxxx \\( {} \\) xxx"
    rows = []
    for formula in ("x", "y", "\\vec{{x}}"):
        ink = document.draw(page.format(formula), None).pixels() < 100
        rows.append(int(ink.any(1).nonzero()[0][-1]))
    assert rows[0] == rows[2] < rows[1]


def test_signs_in_formulas_stand_close() -> None:
    """A formula is about as wide as its LaTeX would be, whoever sets it."""
    for latex in ("f(a,b;c)", "n!", "\\mathrm{Spec}(A)", "g(|x|)", "x_{1},\\ldots,x_{n}"):
        widths = []
        for source in (latex, f"{latex}\\hspace{{0pt}}"):  # the second is MathJax's
            ink = (document.draw(f"\\( {source} \\)\n\n", None).pixels() < 128).any(0).nonzero()[0]
            widths.append(int(ink[-1] - ink[0]))
        assert abs(widths[0] - widths[1]) < 0.09 * widths[1] + 2, latex


@pytest.mark.parametrize(
    "source",
    [
        *("\\section*{A}", "# A\n\nb", "\\title{A}\n\nb", "a\n\n\\[ x \\]", "a \\( x \\) b", "- a\n- b\n\nand c"),
        *("so\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", "| a |\n|---|\nit"),
        *("so\n\n\\begin{tabular}{l} a \\end{tabular}", "\\begin{abstract} a \\end{abstract}", "a[^1]\n\n[^1]: b"),
    ],
)
def test_documents_look_like_documents(source: str) -> None:
    assert document.looks_like(source)


@pytest.mark.parametrize(
    "source",
    [
        *("\\[ x \\]", "\\( x \\)", "\\begin{tabular}{l} a \\end{tabular}", "<smiles>CCO</smiles>", "Just text.", ""),
        *(
            "**kern\n4c\n*-",
            "{'title': 'a \\( x \\)'}",
            "1. Only one.\n\nMore",
            "It cost $5 * 3 #1",
            "<table>a</table>",
            "| a |\n|---|\n| 1 |",
            "| so\n|---|",
        ),
    ],
)
def test_other_kinds_dont(source: str) -> None:
    assert not document.looks_like(source)


def test_text_is_no_document(corpus: Corpus) -> None:
    assert not any(document.looks_like(text.compose(corpus, Random(seed))) for seed in range(60))


def test_scores_are_of_all_and_of_parts() -> None:
    assert set(document.score(PAGE, PAGE).values()) == {0.0}
    assert set(document.score(PAGE, PAGE)) == {
        *("edit_distance", "text_edit_distance", "formula_edit_distance", "table_edit_distance"),
    }
    assert set(document.score("a", "\\section*{b}")) == {"edit_distance", "text_edit_distance"}
    wrong = document.score(PAGE.replace("a_{1}", "a_{2}"), PAGE)
    assert wrong["formula_edit_distance"] > 0 == wrong["table_edit_distance"] == wrong["text_edit_distance"]
    assert document.score("", PAGE)["table_edit_distance"] == 1


def test_molecules_stand_in_lines() -> None:
    pytest.importorskip("rdkit", reason="engines: pip install 'ocr2[engines]'")
    without, drawn = (document.draw(f"# A\nis {part} so", None).pixels() for part in ("", "<smiles>CCO</smiles>"))
    assert (drawn < 128).sum() > (without < 128).sum() + 50


@pytest.mark.skipif(not tool("chromium").version, reason="chromium isn't installed")
def test_chromium_shows_the_same() -> None:
    shown = words_of(document.draw(f'{PAGE}\n\n_no_ ~signs~ "are" <b>bent</b>', None, "chromium"))
    for word in ("Upon Lines", "First of all", "bold words", "sixth", "中文", '_no_ ~signs~ "are" <b>bent</b>'):
        assert word in shown


# --- what it is written as --------------------------------------------------------------------------------------------

MORE = r"""# Notes & more

Costs \$5 for a_b and <b>, 2 * 3; see <smiles>CCO</smiles> or <smiles>C1CC</smiles>.
1. is no item [^*]

(a) first
- second

$$ \begin{align} a &= b \\ c &= d \end{align} $$

<table><tr><td rowspan="2">a</td><td>b $x$</td></tr><tr><td>c</td></tr></table>

```
{ verbatim `code` \input{x}
```

[^*]: a star

---"""


def written(form: str, source: str) -> str:
    return document.EXPORTS[form](source).decode()


def test_markdown_is_what_most_programs_read() -> None:
    assert written("md", PAGE) == (
        "# Upon Lines\n\nAda Byron  \nLondon\n\n> First of all.\n\n## 1 Introduction\n\n"
        "Second, $a_{1}$ and more **bold words** with *slanted ones* and a note[^1].\n\n"
        "$$\n\\frac{a}{b}=c\\tag{7}\n$$\n\n- third item\n    1. fourth item\n\nFigure 3: Fifth caption.\n\n"
        "| sixth | 12 |\n| --- | :---: |\n\nSeventh 中文 paragraph.\n\n[^1]: Eighth note.\n"
    )
    more = written("md", MORE)
    assert more.startswith("# Notes & more\n\nCosts \\$5 for a_b and \\<b>, 2 \\* 3; see `CCO` or `C1CC`.")
    assert '<td rowspan="2">a</td>' in more and "$x$" in more and "- (a) first\n- second" in more
    assert "```\n{ verbatim `code` \\input{x}\n```" in more


def said(blocks: list[Block]) -> str:
    """All words of a page, with the markers that Markdown has none for."""
    found = ""
    for block in blocks:
        if isinstance(block, List):
            found += "".join(item.marker * (item.marker[0] == "(") + letters(item.spans) for item in block.items)
        elif not isinstance(block, Table):
            found += letters(tuple(document._words(block)))
    return re.sub(r"[\s>]", "", found)  # Markdown quotes an abstract


def test_markdown_reads_as_the_same_page(corpus: Corpus) -> None:
    for seed in range(COUNT):
        blocks = markdown.parsed(document.compose(corpus, Random(seed)))
        again = markdown.parsed(written("md", markdown.written(blocks)))
        assert said(again) == said(blocks)
        for sort in (Display, Table, List, Heading):
            ours, theirs = ([block for block in each if isinstance(block, sort)] for each in (again, blocks))
            assert len(ours) == len(theirs), sort
        assert [block for block in again if isinstance(block, Display)] == [
            block for block in blocks if isinstance(block, Display)
        ]


def test_html_is_well_formed_with_all_text_and_formulas_as_mathml(corpus: Corpus) -> None:
    pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
    page = ET.fromstring(f"<div>{written('html', PAGE)}</div>")
    tags = [element.tag.rpartition("}")[2] for element in page]
    assert tags == ["h1", "p", "blockquote", "h2", "p", "p", "ul", "p", "table", "p", "p"]
    text = " ".join("".join(page.itertext()).split())
    assert all(text.find(word) >= 0 for word in WORDS)
    assert len(page.findall(".//{*}math")) == 2 and page.find(".//{*}math[@display='block']") is not None
    assert [item.text for item in page.iter("li")] == ["third item", "1. fourth item"]
    more = ET.fromstring(f"<div>{written('html', MORE)}</div>")
    assert more.find("h1").text == "Notes & more" and more.find(".//td").get("rowspan") == "2"
    assert [picture.get("alt") for picture in more.iter("img")] == ["CCO"]
    assert "C1CC" in [code.text for code in more.iter("code")]
    for seed in range(6):
        source = document.compose(corpus, Random(seed))
        root = ET.fromstring(f"<div>{written('html', source)}</div>")
        asked = sum(isinstance(block, Display) for block in markdown.parsed(source))
        assert len(root.findall(".//{*}math[@display='block']")) == asked
        assert not re.search(r"\\[(\[]", "".join(root.itertext()))


def test_tables_formulas_and_molecules_of_a_page() -> None:
    assert written("csv", PAGE) == "sixth,12\r\n"
    assert written("csv", PAGE + "\n\n| a | b |\n|---|---|\n| 1 | 2 |") == "sixth,12\r\n\r\na,b\r\n1,2\r\n"
    assert written("smiles", MORE) == "CCO\n"
    for form, kind in (("csv", "table"), ("mathml", "formulas"), ("smiles", "molecules")):
        with pytest.raises(BadInput, match=f"a page without .*{kind}|a page without a table"):
            document.EXPORTS[form]("# Only words")


def test_mathml_of_a_page_has_all_its_formulas() -> None:
    pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
    found = written("mathml", PAGE)
    assert found.count("<math") == 2 and "a_{1}" in found and r"\frac{a}{b}=c\tag{7}" in found


def test_mathml_of_a_page_keeps_the_latex_of_an_unknown_formula() -> None:
    pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
    root = ET.fromstring(written("mathml", "Let \\( \\foo{a<b} \\) be\n\n\\[ x \\text{ of \\(y\\) } \\]"))
    space = "{http://www.w3.org/1998/Math/MathML}"
    assert [one.get("display") for one in root] == [None, "block"]
    assert root[0].findtext(f".//{space}merror/{space}mtext") == "\\foo{a<b}"
    assert root[1].find(f".//{space}merror") is None
    with pytest.raises(RenderFailed, match="Undefined control sequence"):
        document.EXPORTS["mathml"]("Let \\( \\foo \\) be \\( \\foe \\)")


@pytest.mark.skipif(not tool("pdflatex").version, reason="texlive: apt-get install texlive-latex-extra")
def test_latex_is_an_article(tmp_path: Path) -> None:
    packages = r"\usepackage[T1]{fontenc}\usepackage{lmodern,amsmath,amssymb,multirow,makecell}"
    body = written("latex", f"{PAGE.replace('中文', '')}\n\n{MORE}")
    assert "\\maketitle" in body and "\\[ \\begin{align}" not in body and "\\footnotemark[1]" in body
    (tmp_path / "page.tex").write_text(
        f"\\documentclass{{article}}{packages}\\begin{{document}}\n{body}\\end{{document}}\n"
    )
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout[-2000:]
    with pypdfium2.PdfDocument(tmp_path / "page.pdf") as pdf:
        shown = "".join(page.get_textpage().get_text_range() for page in pdf)
    for word in ("Upon Lines", "First of all", "fourth item", "sixth", "verbatim", "$5 for a_b and <b>"):
        assert word in " ".join(shown.split())


@pytest.mark.parametrize(
    "formula",
    [
        r"\input{/etc/passwd}",
        r"\iffalse\begin{verbatim}\fi \input{/etc/passwd} \iffalse\end{verbatim}\fi",
        r"\text{\string\begin{verbatim}} \input{/etc/passwd} \text{\string\end{verbatim}}",
    ],
)
def test_latex_reads_no_files(formula: str) -> None:
    with pytest.raises(BadInput, match="reads and writes no files"):
        document.EXPORTS["latex"](rf"and \( {formula} \)")


def test_code_may_say_what_it_likes_in_latex() -> None:
    code = "```\n\\input{/etc/passwd} } \\end{verbatim}\n```"
    assert written("latex", code) == "\\begin{verbatim}\n\\input{/etc/passwd} } \\end {verbatim}\n\\end{verbatim}\n"


@pytest.mark.parametrize("form", ["md", "html", "latex"])
def test_a_list_without_items_is_nothing(form: str) -> None:
    """As LaTeX that was read badly has it."""
    text = written(form, "\\begin{itemize}\n\\itea\n\\end{itemize}\n\nbelow")
    assert "below" in text and "ul" not in text and "itemize" not in text


def test_a_broken_formula_breaks_no_more_than_its_paragraph() -> None:
    broken = "# Title\n\nGood **words**\n\nand \\( a^{2} that doesn't end\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    md = written("md", broken)
    assert md.startswith("# Title\n\nGood **words**\n\nand") and "| a | b |\n| --- | --- |\n| 1 | 2 |" in md
    assert written("csv", broken) == "a,b\r\n1,2\r\n"
    with pytest.raises(BadInput, match="without anything on it"):
        document.EXPORTS["md"](" \n ")


def test_without_the_renderer_html_keeps_the_latex(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def absent(name: str) -> None:
        raise RendererMissing(f"{name} is missing: pip install 'ocr2[engines]'")

    for part in ("ocr2.renderers.mathml", "ocr2.renderers.mathpix", "ocr2.characters.molecule"):
        if hasattr(sys.modules[part], "need"):
            monkeypatch.setattr(sys.modules[part], "need", absent)
    markup.told.cache_clear()
    page = ET.fromstring(f"<div>{written('html', PAGE + chr(10) * 2 + PAGE)}</div>")
    assert r"\( a_{1} \)" in "".join(page.itertext()) and r"\[ \frac{a}{b}=c\tag{7} \]" in "".join(page.itertext())
    assert [record.message for record in caplog.records if "pip install" in record.message][1:] == []
    assert "formulas and figures stay as their source" in caplog.text
    markup.told.cache_clear()
