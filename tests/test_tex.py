"""Pages of LaTeX files: what they show is what their text says, and nothing is guessed."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

import pytest
from text_helpers import write_corpus

from ocr2.characters import document
from ocr2.characters.document import markdown
from ocr2.characters.document.blocks import Display, Paragraph
from ocr2.data.corpus import Corpus
from ocr2.data.detex import Opened, converted
from ocr2.data.tex import Tex
from ocr2.errors import BadInput
from ocr2.types import Prompt

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("typst", reason="engines: pip install 'ocr2[engines]'")

ARTICLE = r"""
\documentclass{article}
\newcommand{\R}{\mathbb{R}} \newcommand{\pair}[2]{(#1, #2)} \DeclareMathOperator{\gr}{gr}
\newcommand{\me}{A. \emph{Nobody}}
\begin{document}
\maketitle % not seen
\section{Lines \& points}\label{sec:lines}
Let $x \in \R$ be a \emph{line}\index{line}, as ``we'' say~--- \textbf{bold} % hidden
things by \me{} and M\"obius, see \cite{a,b} and \eqref{eq:one}.

\begin{equation}\label{eq:one}
\pair{x}{y} = \frac{1}{2} \gr(V),
\end{equation}

\begin{lemma}[A name] It holds that \(y\) is it. \end{lemma}
\begin{proof} Trivially\footnote{By $z$.}. \end{proof}

\begin{itemize} \item One \item Two $x_1$ \begin{enumerate} \item Three \end{enumerate} \end{itemize}

\begin{table} \caption{Some numbers} \begin{tabular}{|l|r|} \hline a & 1 \\ \hline \end{tabular} \end{table}

A paragraph with \unknowncommand{in} it.

A formula $\unknown{x}$ in it.

\begin{tikzpicture} \draw (0,0); \end{tikzpicture}

The last one, 100\% sure, costs \$3.
\end{document}
Never shown.
"""


def texts(tex: str, **wanted: int) -> tuple[str, dict[str, int]]:
    blocks, left_out = converted(Opened(tex), wanted.get("start", 0), wanted.get("most", 10_000), Random(3))
    return markdown.written(blocks) if blocks else "", dict(left_out)


def one(tex: str) -> str:
    return texts(tex)[0]


def test_words_of_one_style_are_stressed_together() -> None:
    tex = r"See \emph{Stacks for Everybody} and \textbf{a {bold} one}, {\it slanted as it is}."
    assert one(tex) == "See *Stacks for Everybody* and **a bold one**, *slanted as it is*."


def test_an_article_is_converted() -> None:
    text, left_out = texts(ARTICLE)
    lines = [line for line in text.split("\n") if line]
    assert lines[0].startswith("\\section*{") and lines[0].endswith(" Lines & points}")
    first = lines[1]
    assert first.startswith(
        r"Let \( x\in\mathbb{R} \) be a *line*, as “we” say — **bold** things by A. *Nobody* and Möbius, see ["
    )
    assert lines[2].startswith("\\[ (x,y)=\\frac{1}{2}") and "\\tag{" in lines[2] and "gr" in lines[2]
    assert lines[3].startswith("**Lemma ") and lines[3].endswith(r".** It holds that \( y \) is it.")
    assert lines[4].startswith("*Proof.* Trivially[^") and lines[4].endswith("].")
    assert lines[5:8] == ["- One", r"- Two \( x_{1} \)", "   1. Three"]
    assert lines[8].startswith("Table ") and lines[8].endswith(": Some numbers")
    assert "\\begin{tabular}{|l|r|}" in text
    assert lines[-2] == r"The last one, 100% sure, costs \$3."
    assert lines[-1].startswith("[^") and lines[-1].endswith(r"]: By \( z \).")
    assert not set(("hidden", "Never", "unknown")) & set(text.split())
    assert left_out == {"\\unknowncommand": 1, "\\unknown in a formula": 1, "environment tikzpicture": 1}


@pytest.mark.parametrize(
    ("tex", "shown"),
    [
        ("a\nb   c", "a b c"),
        ("中文\n字 and\nmore", "中文字 and more"),
        ("{\\bf a} b {\\it c}", "**a** b *c*"),
        ("\\'e\\^{\\i}\\c{c}\\v s\\ss{}\\o", "éîçšßø"),
        ("`a' 1--2 3---4 ''", "‘a’ 1–2 3—4 ”"),
        ("\\LaTeX{} is\\ldots", "LaTeX is…"),
        ("a\\%b\\_c\\#d\\&e", "a%b_c#d&e"),
        ("x\\verb|a_b|y", "x`a_b`y"),
        ("\\url{http://a.b}", "http://a.b"),
        ("$a$\\label{x}\\vspace{1em}\\noindent b", "\\( a \\)b"),
        ("\\[ \\begin{array}{c} 1 \\end{array} \\]", None),
        ("a & b", ""),
        ("a_b", ""),
        ("{a", ""),
        ("$a", ""),
        ("a \\textbackslash b", ""),
        ("\\begin{align*} a &= b \\\\ c &= d \\end{align*}", "\\[ \\begin{aligned}a&=b\\\\c&=d\\end{aligned} \\]"),
        ("\\begin{figure}\\includegraphics{a}\\end{figure}", ""),
        ("\\begin{quote} so it is \\end{quote}", "so it is"),
        ("\\def\\x{some words}\nall \\x{} here", "all some words here"),
        ("\\newcommand{\\x}[1][a]{b}\n\nsee \\x{} here", ""),
        ("\\paragraph{Now} then", "**Now**\n\nthen"),
    ],
)
def test_what_a_line_shows(tex: str, shown: str | None) -> None:
    assert shown is None or one(tex) == shown


def test_what_is_converted_is_read_again_as_it_is() -> None:
    text = one(ARTICLE)
    assert markdown.written(markdown.parsed(text)) == text
    assert document.draw(text, None).pixels().min() < 50


def test_pages_start_and_end_between_blocks() -> None:
    tex = "\n\n".join(f"Paragraph {n} of this file, with \\emph{{some}} text." for n in range(60))
    blocks, _ = converted(Opened(tex), 20, 600, Random(1))
    assert all(isinstance(block, Paragraph) for block in blocks) and 5 < len(blocks) < 12
    assert markdown.written(blocks).startswith("Paragraph 20 ")
    blocks, _ = converted(Opened("\\begin{lemma} One.\n\nTwo $$x$$\n\nThree. \\end{lemma}\n\nFour."), 0, 300, Random(1))
    assert [type(block) for block in blocks] == [Paragraph, Paragraph, Display, Paragraph, Paragraph]


def test_hostile_files_are_read_in_time() -> None:
    for part in (
        "\\begin{lemma}",
        "{",
        "$",
        "\\def\\a{\\a\\a}\\a ",
        "\\item",
        "\\[",
        "%",
        "\\x{",
        "\\begin{itemize}\\item",
    ):
        texts(part * 2000)
    assert len(one("\\newcommand{\\a}{\\b\\b}\\newcommand{\\b}{\\a\\a}" + "\\a words")) < 30_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_corpus(tmp_path_factory.mktemp("texts"))
    for n in range(3):
        parts = [f"\\section{{Part {k}}}\nText {n} of part {k} is $x_{{{k}}}$, and so on. " * 4 for k in range(12)]
        (folder / f"paper{n}.tex").write_text("\\begin{document}\n" + "\n\n".join(parts) + "\n\\end{document}")
    return folder


def test_samples_are_pages_with_their_text(folder: Path) -> None:
    engine = Tex(Corpus([folder]), 1)
    for index in range(4):
        sample = engine[index]
        assert sample.prompt == Prompt(format=True) and sample.kind == "document"
        assert document.looks_like(sample.text) and max(sample.images[0].size) <= 1024
        assert '"engine": "tex"' in sample.origin and "paper" in sample.origin
    assert len({engine[index].text for index in range(4)}) == 4


def test_the_same_seed_makes_the_same_sample_in_any_process(folder: Path) -> None:
    code = (
        "import sys\nfrom hashlib import sha256\nfrom ocr2.data.corpus import Corpus\nfrom ocr2.data.tex import Tex\n"
        "for index in (5, 2):\n    sample = Tex(Corpus([sys.argv[1]]), 7)[index]\n"
        "    print(sha256(sample.text.encode() + sample.images[0].tobytes()).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4"}
    command = [sys.executable, "-c", code, str(folder)]
    told = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout.split()
    engine = pickle.loads(pickle.dumps(Tex(Corpus([folder]), 7)))
    for index, there in zip((5, 2), told, strict=True):
        sample = engine[index]
        assert sha256(sample.text.encode() + sample.images[0].tobytes()).hexdigest() == there


def test_a_corpus_without_pages_is_told(tmp_path: Path) -> None:
    (tmp_path / "short.tex").write_text("Nothing much, $x$.")
    with pytest.raises(BadInput, match="no page of text in 40 LaTeX files"):
        Tex(Corpus([tmp_path]), 1)[0]
