r"""Pages of text with formulas and tables in it, and how good each of them is by itself (GOT, table 3).

    split(r"Let \( x \) be | its inverse: $$ x^{-1} $$")
    # {"text": "Let be | its inverse:", "formula": "x\nx^{-1}", "table": ""}

How a part is marked makes no difference, so that a reader which writes `$` is as good as one which writes `\(`.
"""

from __future__ import annotations

import re

from ocr2.metrics import words

_EDGES = re.compile(
    r"\\(?P<edge>begin|end)\{(?:tabular[*xy]?|tabulary|longtable)\}|<(?P<slash>/?)(?P<tag>(?i:table))\b[^<>]*>"
)
DISPLAYED = ("equation", "align", "alignat", "flalign", "gather", "multline", "eqnarray", "displaymath")
"""LaTeX's environments of formulas that stand by themselves."""
_FORMULAS = re.compile(
    rf"\\begin\{{(?P<name>{'|'.join(DISPLAYED)}|math)(?P<star>\*?)\}}"
    r"""
        (?P<environment>(?:[^\\]|\\(?!(?:begin|end)\{(?P=name)(?P=star)\}).)*+)\\end\{(?P=name)(?P=star)\}
    | \\\[(?P<display>(?:[^\\]|\\[^][])*+)\\\]
    | \\\((?P<inline>(?:[^\\]|\\[^()])*+)\\\)
    | \$\$(?P<dollars>(?:[^\\$]|\\.|\$(?!\$))*+)\$\$
    | \$(?=\S)(?P<dollar>(?:[^\\$\n]|\\[^\n])++)(?<=\S)\$(?!\d)
    | \$(?=\s)(?P<spaced>(?:[^\\$\n]|\\[^\n])++)(?<=\s)\$(?!\d)
    | \\.
    """,
    re.DOTALL | re.VERBOSE,
)
_INLINE = re.compile(r"\\\((.*?)(?<!\\)\\\)")
_DISPLAY = re.compile(r"\\\[(.+?)(?<!\\)\\\]")
_TABULAR = re.compile(r"\\begin\{tabular\}(.+?)(?:\\end\{tabular\}|$)", re.DOTALL)


def suite(predicted: str, truth: str, *, published: bool = False) -> dict[str, float] | None:
    """The measures of `words.suite`: of the whole page ("f1"), and of its parts ("text_f1", "formula_f1", "table_f1").

    Of the page is what the paper calls all text. Parts that the truth hasn't are left out; those that are missing from
    the prediction are all wrong. For the parts see `split`. Raises MetricMissing, as `words.suite` does.

    Published (GOT's eval_ocr_format.py) leaves out formulas and tables that are missing from either side, has no part
    of text by itself, and takes the truth for the prediction. None is a page that is empty on either side.
    """
    ours, theirs = (split(text, published=published) for text in (predicted, truth))
    found = words.suite(*((ours["text"], theirs["text"]) if published else (predicted, truth)), published=published)
    if found is None:
        return None
    for part in ("formula", "table") if published else ours:
        if theirs[part] and (scores := words.suite(ours[part], theirs[part], published=published)):
            found |= {f"{part}_{name}": score for name, score in scores.items()}
    return found


def split(text: str, *, published: bool = False) -> dict[str, str]:
    r"""What is "text", "formula" and "table" of a page; formulas and tables without what marks them, one a line.

    Formulas are in `\[ \]`, `\( \)`, `$$`, `$` or environments such as `equation`, in their order; those in tables are
    the tables'. Two `$` are on one line, with blanks inside of both or neither, and no digit behind, so that prices are
    none. Tables are in LaTeX, HTML or Markdown, and those in Markdown are last; one that isn't closed reaches to the
    end. White space is one space each. Takes time in proportion to the length, whatever is there.

    Published (GOT's eval_ocr_format.py): the text is all of the page. Formulas are those in `\( \)`, then those in
    `\[ \]` that are on one line, those in tables too; tables are those in `tabular`, up to the first end of one.
    """
    if published:
        formula = "\n".join(_closed(_INLINE, r"\)", text)) + "\n".join(_closed(_DISPLAY, r"\]", text))
        return {"text": text.strip(), "formula": formula, "table": "\n".join(_TABULAR.findall(text))}
    rest, tables = _without_tables(text)
    rest, grids = _without_grids(rest)
    formulas = [match[match.lastgroup] for match in _FORMULAS.finditer(rest) if match.lastgroup]
    rest = _FORMULAS.sub(lambda match: " " if match.lastgroup else match[0], rest)
    return {"text": " ".join(rest.split()), "formula": _lines(formulas), "table": _lines(tables + grids)}


def _lines(parts: list[str]) -> str:
    return "\n".join(filter(None, (" ".join(part.split()) for part in parts)))


def _closed(formula: re.Pattern[str], closer: str, text: str) -> list[str]:
    """All that the pattern finds; it isn't tried where a line has no more end of one, which takes long."""
    found: list[str] = []
    for line in text.split("\n"):
        end = line.rfind(closer)
        while end > 0 and line[end - 1] == "\\":
            end = line.rfind(closer, 0, end)
        found += formula.findall(line[: end + len(closer)] if end >= 0 else "")
    return found


def _without_tables(text: str) -> tuple[str, list[str]]:
    """The text without tables in LaTeX and HTML, and what is in them; a table within one belongs to that."""
    rest, tables = [], []
    place = depth = 0
    html = False
    for edge in _EDGES.finditer(text):
        opens = edge["edge"] == "begin" or edge["slash"] == ""
        if not depth and opens:
            rest.append(text[place : edge.start()])
            place, depth, html = edge.end(), 1, bool(edge["tag"])
        elif depth and html == bool(edge["tag"]):
            depth += 1 if opens else -1
            if not depth:
                tables.append(text[place : edge.start()])
                place = edge.end()
    (tables if depth else rest).append(text[place:])
    return " ".join(rest), tables


def _without_grids(text: str) -> tuple[str, list[str]]:
    """The text without tables in Markdown, and their rows; the one of dashes isn't one."""
    rest, tables = [], []
    lines = text.split("\n")
    place = 0
    while place < len(lines):
        end = place + 1
        if "|" in lines[place] and end < len(lines) and "|" in lines[end] and _is_dashes(lines[end]):
            while end < len(lines) and "|" in lines[end]:
                end += 1
            rows = ["|".join(_cells(line)) for line in (lines[place], *lines[place + 2 : end])]
            tables.append("\n".join(rows))
        else:
            rest.append(lines[place])
        place = end
    return "\n".join(rest), tables


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().removeprefix("|").removesuffix("|").split("|")]


def _is_dashes(row: str) -> bool:
    return all("-" in cell and not cell.removeprefix(":").removesuffix(":").strip("-") for cell in _cells(row))
