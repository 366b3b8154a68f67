r"""Parts of formatted pages: built of known ones, and held against the expressions of the published script."""

import random
import re
import time

import pytest

from ocr2.metrics.formatted import split, suite

PAGE = r"""Let \( x \) be a number, then

\[
y = x^{2} \\[2pt]
\left[ z \right]
\]

\begin{tabular}{|l|c|}
\hline sixth & \( 12 \) \\
\hline
\end{tabular}

holds."""


def test_a_page_is_split() -> None:
    assert split(PAGE) == {
        "text": "Let be a number, then holds.",
        "formula": "x\n" + r"y = x^{2} \\[2pt] \left[ z \right]",
        "table": r"{|l|c|} \hline sixth & \( 12 \) \\ \hline",
    }


def test_published_takes_all_for_text_and_loses_formulas_of_several_lines() -> None:
    assert split(f" {PAGE}\n", published=True) == {
        "text": PAGE,
        "formula": " x \n 12 ",
        "table": "{|l|c|}\n\\hline sixth & \\( 12 \\) \\\\\n\\hline\n",
    }


PIECES = ["\\(", "\\)", "\\[", "\\]", "\\\\", "\\\\)", "\\\\]", "\n", "a", " b ", "\\begin{tabular}", "\\end{tabular}"]


def test_published_is_what_the_expressions_find() -> None:
    rng = random.Random(1)
    for _ in range(3000):
        text = "".join(rng.choices(PIECES, k=rng.randrange(30)))
        inline = re.findall(r"\\\((.*?)(?<!\\)\\\)", text)
        display = re.findall(r"\\\[(.+?)(?<!\\)\\\]", text)
        tables = re.findall(r"\\begin\{tabular\}(.+?)(?:\\end\{tabular\}|$)", text, re.DOTALL)
        assert split(text, published=True) == {
            "text": text.strip(),
            "formula": "\n".join(inline) + "\n".join(display),
            "table": "\n".join(tables),
        }


FORMULAS = [r"\[{}\]", r"\({}\)", "$${}$$", "${}$", r"\begin{{align*}} {} \end{{align*}}", "\\[\n{}\n\\]"]
FORMULAS += [r"\begin{{equation}}{}\end{{equation}}", "$$\n{}\n$$"]
BODIES = [
    r"a_{1}",
    r"x\\[2pt] y",
    r"f\left( \frac{1}{2} \right)",
    r"\{ |a| \}",
    r"5\$",
    r"\begin{aligned} a &= b \end{aligned}",
]
TEXTS = [
    "It costs $5 and $10.",
    "a | b",
    "# Head\n",
    "plain $ text",
    "100\\% \\\\ of it",
    "(see [3])",
    "<b>bold</b> of 5\\$",
]
LATEX = r"\begin{tabular}{ll} a & \( b_{1} \) \\ c & \begin{tabular}{l} d \end{tabular} \end{tabular}"
HTML = "<table border='1'><tr><td>a</td><td>\n<table><tr><td>$b$</td></tr></table></td></tr></table>"
TABLES = {
    LATEX: LATEX.removeprefix(r"\begin{tabular}").removesuffix(r"\end{tabular}").strip(),
    LATEX.replace("tabular", "longtable"): LATEX.replace("tabular", "longtable")[17:-15].strip(),
    HTML: "<tr><td>a</td><td> <table><tr><td>$b$</td></tr></table></td></tr>",
    "| a | $b$ |\n|:---|-----:|\n| c |  |": "a|$b$ c|",
    "a | b\n--- | ---\n1 | 2\n3 | 4": "a|b 1|2 3|4",
}


@pytest.mark.parametrize("seed", range(20))
def test_parts_are_found_in_any_notation(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(30):
        parts: dict[str, list[str]] = {"text": [], "formula": [], "latex": [], "markdown": []}
        page = []
        for _ in range(rng.randrange(12)):
            kind = rng.choice(("text", "formula", "table"))
            if kind == "text":
                page.append(text := rng.choice(TEXTS))
                parts["text"] += text.split()
            elif kind == "formula":
                body = rng.choice(BODIES)
                page.append(rng.choice(FORMULAS).format(body))
                parts["formula"].append(body)
            else:
                source = rng.choice([*TABLES])
                page.append(source)
                parts["latex" if source[0] in "\\<" else "markdown"].append(TABLES[source])
        assert split("\n\n".join(page)) == {
            "text": " ".join(parts["text"]),
            "formula": "\n".join(parts["formula"]),
            "table": "\n".join(parts["latex"] + parts["markdown"]),
        }


@pytest.mark.parametrize(
    ("page", "text", "formula", "table"),
    [
        ("", "", "", ""),
        (r"a \( b", r"a \( b", "", ""),
        (r"a \[ b \[ c \] d", r"a \[ b d", "c", ""),
        (r"\\[ no \\]", r"\\[ no \\]", "", ""),
        ("$x$ and $ y $, 5$ or $6$", "and , 5$ or", "x\ny\n6", ""),
        ("US$ 5, $6 and $7, $a $b", "US$ 5, $6 and $7, $a $b", "", ""),
        ("$5 or US$6", "$5 or US$6", "", ""),
        (r"<table> \end{tabular} a </table> b", "b", "", r"\end{tabular} a"),
        ("$a\nb$", "$a b$", "", ""),
        ("$$ $$ \\(\\)", "", "", ""),
        (r"b \begin{tabular}{l} a", "b", "", "{l} a"),
        ("b <TABLE> a", "b", "", "a"),
        (r"\end{tabular} a </table>", r"\end{tabular} a </table>", "", ""),
        ("a | b\n---\nc", "a | b --- c", "", ""),
        ("|a|\n|-|\n|b|\n\n|c|", "|c|", "", "a b"),
        (r"\begin{align} a", r"\begin{align} a", "", ""),
        (r"\begin{align} a \end{align*}", r"\begin{align} a \end{align*}", "", ""),
    ],
)
def test_what_is_broken_or_looks_alike(page: str, text: str, formula: str, table: str) -> None:
    assert split(page) == {"text": text, "formula": formula, "table": table}


def test_measures_are_of_the_page_and_of_its_parts() -> None:
    found = suite(PAGE, PAGE) or {}
    assert {name.rpartition("_f1")[0] for name in found if name.endswith("_f1")} == {"text", "formula", "table"}
    assert all(found[f"{part}edit_distance"] == 0 for part in ("", "text_", "formula_", "table_"))
    wrong = suite(PAGE.replace("x^{2}", "x^{3}"), PAGE) or {}
    assert wrong["formula_edit_distance"] > wrong["edit_distance"] > 0
    assert wrong["text_f1"] == wrong["table_f1"] == 1
    marked = suite(PAGE.replace("\\(", "$").replace("\\)", "$").replace("$ x $", "$x$"), PAGE) or {}
    assert marked["formula_edit_distance"] == 0 < marked["edit_distance"]


def test_parts_that_are_missing() -> None:
    plain = "Let x be a number, then holds."
    lost = suite(plain, PAGE) or {}
    assert lost["formula_edit_distance"] == 1 == lost["table_edit_distance"] and lost["formula_bleu"] == 0
    assert lost["text_edit_distance"] < 0.1
    invented = suite(PAGE, plain) or {}
    assert set(invented) == {name for name in lost if not name.startswith(("formula", "table"))}
    left = suite(plain, PAGE, published=True) or {}
    assert set(left) == {name for name in lost if not name.startswith(("text", "formula", "table"))}
    assert left["precision"] == (suite(plain, PAGE) or {})["recall"]
    assert suite("", PAGE, published=True) is None and suite(PAGE, "", published=True) is None
    empty = suite("", PAGE) or {}
    assert {empty["edit_distance"], empty["text_edit_distance"], empty["table_edit_distance"]} == {1.0}
    assert (suite("", "") or {})["f1"] == 1


HOSTILE = [
    "\\(",
    "\\[",
    "$",
    "$ ",
    "$$",
    "$a",
    "\\",
    "\\\\)",
    "\\(\\\\)",
    "\\begin{align}",
    "\\begin{math}\\begin{align}",
]
HOSTILE += ["\\begin{tabular}", "<table>", "<table", "|", "-|", "|-|\n", " ", "\\( \\[ $", "\\[\\]"]


@pytest.mark.parametrize("part", HOSTILE)
def test_takes_time_in_proportion(part: str) -> None:
    def seconds(length: int) -> float:
        page, found = part * (length // len(part)), []
        for _ in range(3):
            start = time.process_time()
            split(page)
            split(page, published=True)
            found.append(time.process_time() - start)
        return min(found)

    assert seconds(80_000) < 24 * max(seconds(10_000), 0.0005)  # 8 in proportion, 64 by the square
