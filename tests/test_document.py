"""Documents: every block is on the page, in its order, once; pages that are composed fit, and are what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from text_helpers import write_corpus

from ocr2.characters import document, molecule, table, text
from ocr2.characters.document import markdown
from ocr2.characters.document.blocks import Display, Heading, List, Table
from ocr2.characters.document.spans import letters
from ocr2.data.corpus import Corpus
from ocr2.errors import BadInput, RenderFailed
from ocr2.renderers.tools import tool

if TYPE_CHECKING:
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
