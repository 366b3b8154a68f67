"""LaTeX of formulas: one spelling for one picture."""

import re
from collections import Counter

import pytest

from ocr2.characters.latex import body, normal
from ocr2.errors import BadInput

SPELLED = {
    # spaces, braces, scripts
    r"x ^ 2 _ { i }": "x_{i}^{2}",
    r"{ { x } } + { y }": "x+y",
    r"\alpha b \beta 2": r"\alpha b\beta2",
    r"f''(x)": r"f^{\prime\prime}(x)",
    r"x'^2": r"x^{\prime2}",
    r"{x_a}^b": "x_{a}{}^{b}",
    r"{}^{14}C": "{}^{14}C",
    r"x^{} y_{}": "xy",
    r"\frac12": r"\frac{1}{2}",
    r"\sqrt x \sqrt [ 3 ] { y }": r"\sqrt{x}\sqrt[3]{y}",
    # what isn't seen
    r"\displaystyle x \, \! y \nonumber \label{a}": "xy",
    r"\dfrac{a}{b} \color{red} c": r"\frac{a}{b}c",
    r"a % b": "a",
    r"50\%": r"50\%",
    r"\mathrel{=} a": "=a",
    # gaps
    r"\quad x \qquad y \quad": r"x\quad y",
    r"x \; \; \; \; y": r"x\quad y",
    r"x \hspace { 1 cm } y \hskip 2em z": r"x\quad y\quad z",
    r"x ~ y": "xy",
    # fonts
    r"{\bf x} y": r"\mathbf{x}y",
    r"\mathbf { a b } + \mathbf c": r"\mathbf{ab}+\mathbf{c}",
    r"{\cal L} \mathit{x} \mathcal{a}": r"\mathcal{L}xa",
    r"\mathrm{a}_{1}\mathrm{b}": r"\mathrm{a}_{1}\mathrm{b}",
    r"\boldsymbol{\alpha + x 1}": r"\boldsymbol{\alpha}+\boldsymbol{x}\mathbf{1}",
    r"\mathfrak{R}": r"\Re",
    # words
    r"a \text{ if } b": r"a\text{ if }b",
    r"\mathrm { f o r ~ a l l } x": r"\text{for all}x",
    r"\quad \mbox{and} \quad x": r"\mathrm{and}\quad x",
    r"5~\mathrm{GeV}": r"5\text{ GeV}",
    r"\text{如果 $x>0$，}": r"\text{如果 }x>0\text{，}",
    r"\text{otherwise.}": r"\mathrm{otherwise}.",
    # operators
    r"\operatorname { s i n } x": r"\sin x",
    r"\mathrm{exp}(x)": r"\exp(x)",
    r"\operatorname*{lim}_{x\to 0}": r"\lim_{x\rightarrow0}",
    r"\lim\limits_{x} \sum\limits_i \int\limits_0": r"\lim_{x}\sum_{i}\int\limits_{0}",
    r"\mathop{\rm argmax}_x": r"\underset{x}{\mathrm{argmax}}",
    r"\stackrel{a}{=} \underset{x}{\max}": r"\overset{a}{=}\max_{x}",
    r"\mathrm{lim}_x": r"\mathrm{lim}_{x}",
    # names
    r"a \le b \ne c \to d ... e": r"a\leq b\neq c\rightarrow d\ldots e",
    r"\vert a \vert \not= \lbrace α ≤ β": r"|a|\neq\{\alpha\leq\beta",
    # fractions of plain TeX
    r"{a \over b} + {n \choose k}": r"\frac{a}{b}+\binom{n}{k}",
    r"\left( {n \atop k} \right)": r"\binom{n}{k}",
    r"\root 3 \of {x}": r"\sqrt[3]{x}",
    # delimiters
    r"\left( x \right) \left( \frac{a}{b} \right)": r"(x)\left(\frac{a}{b}\right)",
    r"\Big( \frac{a}{b} \Big) \bigl( x \bigr)": r"\left(\frac{a}{b}\right)(x)",
    r"\left. x \right|_{0} \big| y": r"\left.x\right|_{0}\big|y",
    # tables
    r"\left( \begin{array} { c c } { a } & { b } \\ { c } & { d } \\ \end{array} \right)": (
        r"\begin{pmatrix}a&b\\c&d\end{pmatrix}"
    ),
    r"\left\{ \begin{array}{ll} a & b \\ c & d \end{array} \right.": r"\begin{cases}a&b\\c&d\end{cases}",
    r"\begin{array}{|c|c|} \hline a & b \\ \hline c & d \\ \hline \end{array}": (
        r"\begin{array}{|c|c|}\hline a&b\\\hline c&d\\\hline\end{array}"
    ),
    r"\begin{eqnarray} a &=& b \\ &=& c \end{eqnarray}": r"\begin{aligned}a&=b\\&=c\end{aligned}",
    r"\begin{eqnarray} a &=& b \end{eqnarray}": "a=b",
    r"\pmatrix{a & b \cr c & d}": r"\begin{pmatrix}a&b\\c&d\end{pmatrix}",
    r"\begin{matrix} [a] \\ [2pt] * \end{matrix}": r"\begin{matrix}{[}a]\\{*}\end{matrix}",
    r"a \\ b": r"\begin{gathered}a\\b\end{gathered}",
    r"\begin{equation} x \tag{1} \end{equation}": r"x\tag{1}",
    r"x \eqno(2.1)": r"x\tag{2.1}",
    r"\begin{align} a &= b \tag{1} \\ c &= d \end{align}": r"\begin{align}a&=b\tag{1}\\c&=d\end{align}",
}  # fmt: skip


@pytest.mark.parametrize(("source", "spelled"), SPELLED.items())
def test_a_formula_has_one_spelling(source: str, spelled: str) -> None:
    assert normal(source) == spelled
    assert normal(spelled) == spelled


@pytest.mark.parametrize(
    "source", ["x", r" x ", r"\[x\]", r"\( x \)", "$$ x $$", "$x$", r"\begin{equation*}x\end{equation*}"]
)
def test_what_marks_a_formula_isn_t_of_it(source: str) -> None:
    assert normal(source) == "x"


def test_the_body_is_what_is_between_the_marks() -> None:
    assert body(r"\[ a$ \]") == "a$" and body("$$") == "" and body(" a ") == "a"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "shows nothing"),
        (r"\, \quad", "shows nothing"),
        (r"\foo", r"\\foo is nothing known"),
        ("{a", "without its }"),
        ("a}", "was to end"),
        ("x^a^b", "two \\^"),
        (r"\left( a", r"without its \\right"),
        (r"\left a b \right)", "as a delimiter"),
        (r"\frac{a}", "without what it applies to"),
        (r"\def\a{b} \a", r"\\def is nothing known"),
        (r"\begin{tabular}{c}a\end{tabular}", "environment tabular"),
        (r"\begin{matrix}a\end{pmatrix}", "was to end"),
        (r"\begin{array}{p{3cm}}a\end{array}", "columns"),
        (r"\begin{array}{c}a&b\end{array}", "2 cells"),
        (r"\text{a $b}", "without its other"),
        (r"\frac{a\tag{1}}{b}", "number of a formula within"),
        (r"a\tag{1}\tag{2}", "two numbers"),
        (r"\raisebox{1em}{a}", "raisebox"),
        (r"a @ b", "@ is nothing known"),
        ("{" * 60 + "}" * 60, "groups in groups"),
        (r"\frac" * 1100, "within each other"),
        (r"\big(" * 600 + r"\big)" * 590, "within each other"),
        ("a" * 7000, "7000 characters"),
        (r"\not\alpha", "no relation"),
        (r"\hspace{big}", "a gap of"),
    ],
)  # fmt: skip
def test_what_has_no_spelling_is_told(source: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        normal(source)


def test_the_picture_stays_the_same() -> None:
    pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")
    from ocr2.renderers.apart import apart

    def signs(svg: str) -> Counter[str]:
        found = Counter(re.findall('data-c="([^"]*)"', svg))
        for spaces in ("20", "A0", "2061"):
            del found[spaces]
        return found

    # what is named otherwise there, but drawn alike, and sizes of type and delimiters apart
    other = [
        source
        for source in SPELLED
        if not re.search(
            r"vert|\.\.\.|[Bb]ig|cal|frak|\\boldsymbol|text|mbox|root|atop|α|matrix} \[|eqno|lim}_x|tag|''", source
        )
    ]
    pairs = [(source, SPELLED[source]) for source in other]
    drawn = apart("ocr2.renderers.mathpix:drawn", [(text, True) for pair in pairs for text in pair])
    assert len(pairs) > 30
    for number, (source, spelled) in enumerate(pairs):
        (before, wrong), (after, error) = drawn[2 * number : 2 * number + 2]
        assert not wrong and not error, (source, wrong, error)
        assert signs(before) == signs(after), (source, spelled)
