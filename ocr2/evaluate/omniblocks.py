r"""A transcript cut into what OmniDocBench compares: paragraphs, formulas and tables, each in its comparable form.

    for block in blocks("# Title\n\nText with $x^2$.\n\n\\[ E = mc^2 \\]"):
        block.kind, block.place, block.text        # ("text", 0, "# Title"), ("text", 9, "Text with …"), …

From OmniDocBench's end-to-end evaluation (v1.5): an inline formula is one of the text around it, and by itself a
candidate for a displayed one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from html import escape, unescape
from typing import TYPE_CHECKING, Literal

from ocr2.characters import table
from ocr2.characters.latex.symbols import FUNCTIONS, LIMITS, UNICODE
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["text", "formula", "inline", "table"]

DEEPEST = 20
"""How deep tables may stand in tables."""

_IMAGE = re.compile(r"!\[[^\]\n]{0,500}\]\([^)\n]{0,1000}\)")
_FENCE = re.compile(r"^```(?:markdown|html|latex)\n", re.M)
_PAGE = re.compile(r"</?(?:html|body)>")
_HEADING = re.compile(r"\\(?:title|author|(?:sub){0,2}section|chapter|paragraph)\*?\s*\{([^{}]{0,2000})\}")
_CODE = re.compile(r"```(\w+)\n")
_LATEX = re.compile(r"\\(begin|end)\{(table\*?|tabular[*xy]?)\}")
_HTML = re.compile(r"<(/?)(table)\b[^>]*>", re.I)
_MARKS = {"$$": "$$", r"\[": r"\]", "$": "$", r"\(": r"\)"}
_OPENS = re.compile(r"\$\$|\\\[|\$|\\\(")
_ARRAY = re.compile(r"\\begin\{array\}\{([^{}]*)\}")

_LETTERS = {name: char for char, name in reversed(UNICODE.items()) if char.isalpha() and len(name) > 1}
_COMMAND = re.compile(r"\\([A-Za-z]+|.)")
_INLINE = re.compile(r"\$([^$\n]*)\$|\\\((.{0,200}?)\\\)")
_CIRCLED = {0x2460 + place: str(place + 1) for place in range(20)}
_CIRCLED |= {0x24D0 + place: chr(ord("a") + place) for place in range(26)}
_CIRCLED |= {0x24B6 + place: chr(ord("A") + place) for place in range(26)}
_TAG = re.compile(r"\\tag\*?\s*\{[^{}]*\}|\\(?:notag|nonumber)(?![A-Za-z])")
_SILENT = re.compile(
    r"\\(?:mathbf|mathrm|mathnormal|mathit|mathbb|mathcal|mathscr|mathfrak|mathsf|mathtt|textbf|text|boldmath"
    r"|boldsymbol|operatorname|bm|symbfit|mathbfcal|symbf|scriptscriptstyle|setlength|coloneqq|space|thickspace"
    r"|thinspace|medspace|nobreakspace|negmedspace|quad|qquad|enspace|left|right|displaystyle)(?![A-Za-z])"
    r"|\\[!,;:]|\\[{}]|(?<!\\)&|~|\s|\\(?:begin|end)\{[^{}]*\}|\\hspace\*?\{[^{}]*\}|\\phantom\{[^{}]*\}"
    r"|\{[lcr| ]+\}"
)
_GROUPED = re.compile(r"([A-Za-z0-9.+\-]+)|.", re.S)
"""What needs no braces, and any other sign."""

_ANY_TAG = re.compile(r"<(/?)([A-Za-z][\w-]*)([^<>]*)>")
_SPAN = re.compile(r"""\b(colspan|rowspan)\s*=\s*["']?(\d+)""", re.I)
_UNSEEN = {"thead", "tbody", "tfoot", "span", "div", "p", "sup", "sub", "colgroup", "col", "html", "body", "font"}
_SIGNS = {"✓": "√", "✔": "√", "☑": "√", "✅": "√", "✗": "×", "✘": "×", "✕": "×", "✖": "×", "☒": "×", "❌": "×"}
_SIGNS |= {"Ø": "∅", "∼": "～", "〜": "～"}
_NAMED = _LETTERS | {r"\checkmark": "√", r"\surd": "√", r"\times": "×", r"\pm": "±", r"\mp": "∓", r"\sim": "～"}
_NAMED |= {r"\partial": "∂", r"\emptyset": "∅", r"\varnothing": "∅", r"\%": "%", r"\#": "#", r"\&": "&", r"\_": "_"}


@dataclass(frozen=True)
class Block:
    """A piece of a transcript."""

    kind: Kind
    place: int
    """Of its first character in the transcript, once that is tidied."""
    text: str
    """Tables are HTML, "" where they can't be read as one; formulas are in their delimiters."""


def blocks(transcript: str) -> list[Block]:
    """The pieces, in their order, but formulas in lines of text last: those are also in their text."""
    text = _PAGE.sub("", _FENCE.sub("", _IMAGE.sub("", transcript)))
    text = re.sub(" {4,}", "    ", re.sub("_{4,}", "____", text))
    found: list[Block] = []
    for marks in (_LATEX, _HTML):
        for start, end in _outermost(marks, text):
            source = text[start:end]
            found.append(Block("table", start, source if marks is _HTML else _as_html(source)))
            text = _blanked(text, start, end)
    inline = []
    for start, end, mark in formulas(text):
        shown = f"\\[{text[start + len(mark) : end - len(mark)]}\\]".replace("\n", " ")
        if mark in ("$$", r"\["):
            found += [Block("formula", start, row) for row in rows(shown)]
            text = _blanked(text, start, end)
        else:
            inline.append(Block("inline", start, shown))
    for start, end in list(_markdown_tables(text)):
        found.append(Block("table", start, _lines_as_html(text[start:end])))
        text = _blanked(text, start, end)
    for start, end, code in list(_programs(text)):
        found.append(Block("text", start, code))
        text = _blanked(text, start, end)
    found += _paragraphs(text)
    return sorted(found, key=lambda block: block.place) + inline


def _blanked(text: str, start: int, end: int) -> str:
    return f"{text[:start]}{' ' * (end - start)}{text[end:]}"


def latex_tables(text: str) -> list[tuple[int, int, str]]:
    """Start, end and HTML of each table in LaTeX; "" for one that can't be read."""
    return [(start, end, _as_html(text[start:end])) for start, end in _outermost(_LATEX, text)]


def _outermost(marks: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """Where what begins and ends with such marks is, but for what is in another; what has no end isn't one."""
    begun: list[re.Match[str]] = []
    closed: list[tuple[int, int]] = []
    for mark in marks.finditer(text):
        if mark[1] in ("", "begin"):
            begun.append(mark)
        elif any(each[2].lower() == mark[2].lower() for each in begun[-DEEPEST:]):
            while begun[-1][2].lower() != mark[2].lower():
                begun.pop()
            start = begun.pop().start()
            while closed and closed[-1][0] > start:
                closed.pop()
            closed.append((start, mark.end()))
    return closed


def formulas(text: str) -> list[tuple[int, int, str]]:
    """Start, end and opening mark of each formula: the first that closes, of those that begin at a place."""
    found, place, absent = [], 0, set[str]()
    while opened := _OPENS.search(text, place):
        mark, place = opened[0], opened.end()
        if mark in absent:
            continue
        end = text.find(_MARKS[mark], place)
        if end < 0:
            absent.add(mark)
            place = opened.start() + 1 if mark == "$$" else place
            continue
        place = end + len(mark)
        if text[opened.end() : end].strip():
            found.append((opened.start(), place, mark))
    return found


def rows(formula: str) -> list[str]:
    """The formula, or each row of one that is an array of one column: scripts and models set those either way."""
    array, end = _ARRAY.search(formula), formula.rfind(r"\end{array}")
    if not array or end < array.end() or not re.fullmatch("[lcr]", re.sub(r"[\s|]|[@!]\{[^}]*\}", "", array[1])):
        return [formula]
    inner = formula[array.end() : end]
    return [f"\\[{line.strip()}\\]" for line in inner.split(r"\\") if line.strip()] or [formula]


def _markdown_tables(text: str) -> Iterator[tuple[int, int]]:
    """Where lines with pipes are, the second of which rules off the first."""
    lines = list(re.finditer(r"[^\n]+\n?", text))
    first = 0
    while first < len(lines):
        last = first
        while last < len(lines) and "|" in lines[last][0] and (last == first or _follows(lines, last)):
            last += 1
        if last - first >= 2 and re.fullmatch(r"[\s|:-]*-[\s|:-]*", lines[first + 1][0]):
            yield lines[first].start(), lines[last - 1].end()
        first = max(last, first + 1)


def _follows(lines: list[re.Match[str]], number: int) -> bool:
    return lines[number - 1].end() == lines[number].start()


def _programs(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each fenced program is, and what it says."""
    place = 0
    while begun := _CODE.search(text, place):
        end = text.find("```", begun.end())
        if end < 0:
            return
        place = end + 3
        yield begun.start(), place, text[begun.end() : end].strip()


def _paragraphs(text: str) -> Iterator[Block]:
    """What blank lines part; lines, where there are no blank ones."""
    split = "\n\n" if "\n\n" in text.strip() else "\n"
    place = 0
    for part in text.split(split):
        shown = "\n".join(line.strip() for line in _HEADING.sub(r"\1", part).split("\n") if line.strip())
        if shown:
            yield Block("text", place + len(part) - len(part.lstrip()), shown)
        place += len(part) + len(split)


def _as_html(source: str) -> str:
    """A table in LaTeX as HTML; "" for what is none."""
    begun = re.search(r"\\begin\{(tabular[*xy]?)\}", source)
    end = source.rfind(f"\\end{{{begun[1]}}}") if begun else -1
    if not begun or end < 0:
        return ""
    try:
        return table.converted(source[begun.start() : end] + f"\\end{{{begun[1]}}}", "html")
    except BadInput:
        return ""


def _lines_as_html(source: str) -> str:
    lines = [re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|")) for line in source.splitlines()]
    shown = (
        "".join(f"<td>{escape(cell.strip(), quote=False)}</td>" for cell in line) for line in lines[:1] + lines[2:]
    )
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in shown) + "</table>"


def as_text(source: str, published: bool = False) -> str:
    r"""Text as it is compared: letters and digits alone, without spaces and punctuation, inline formulas as text.

    `published` also leaves out "/t" and "/n" ("and/not" is "andot"), and `\t` and `\n`, as the script does.
    """
    text = _INLINE.sub(_worded, source).translate(_CIRCLED)
    if published:
        text = re.sub(r"[/\\][tn]", "", text)
    return re.sub(r"[^\w\u4e00-\u9fff]", "", text)


def _worded(inline: re.Match[str]) -> str:
    """A simple inline formula as text; others as they are. (Published: by pylatexenc.)"""
    latex = inline[1] if inline[1] is not None else inline[2]
    if not re.search(r"[\\^_]", latex) or len(latex) > 128 or re.search(r"\\(begin|end)\{|\\\\|(?<!\\)&", latex):
        return inline[0]
    return unmarked(latex)


def unmarked(latex: str) -> str:
    """The letters and digits of a formula, with Greek letters and functions for their commands."""
    names = {name[1:] for name in FUNCTIONS | LIMITS}
    return _COMMAND.sub(lambda sign: _LETTERS.get(sign[0], sign[1] if sign[1] in names else " "), latex)


def as_formula(source: str) -> str:
    """A formula as it is compared: without delimiters, number, fonts, spacing, environments and needless braces."""
    text = source.strip().translate(_CIRCLED)
    for mark, end in _MARKS.items():
        if text.startswith(mark) and text.endswith(end) and len(text) >= 2 * len(mark):
            text = text[len(mark) : -len(mark)].strip()
    text = re.sub(r"\\(?:mid|vert)(?![A-Za-z])", "|", _TAG.sub("", text))
    text = _SILENT.sub("", text).strip(".")
    return _ungrouped(text).lower()


def _ungrouped(formula: str) -> str:
    """The formula without the braces around letters and digits alone, and those around what is such then."""
    found: list[str] = []
    begun: list[int] = []
    """Where braces are that nothing else follows yet."""
    for part in _GROUPED.finditer(formula):
        if part[0] == "}" and begun:
            found[begun.pop()] = ""
            continue
        if part[0] == "{":
            begun.append(len(found))
        elif not part[1]:
            begun.clear()
        found.append(part[0])
    return "".join(found)


def as_table(html: str) -> str:
    """A table as it is compared: rows and cells with their spans, all of them `<td>`, and their texts in one spelling.

    "" for what has no `<table>`.
    """
    found, place = [], 0
    for tag in _ANY_TAG.finditer(html):
        found += [_cell_text(html[place : tag.start()]), _tag(tag)]
        place = tag.end()
    text = "".join(found)
    start, end = text.find("<table>"), text.rfind("</table>")
    return f"<html><body>{text[start:end]}</table></body></html>" if 0 <= start < end else ""


def _tag(tag: re.Match[str]) -> str:
    name = tag[2].lower().replace("th", "td") if tag[2].lower() == "th" else tag[2].lower()
    if name in _UNSEEN:
        return ""
    spans = "" if tag[1] else "".join(f' {key.lower()}="{value}"' for key, value in _SPAN.findall(tag[3]))
    return f"<{tag[1]}{name}{spans}>"


def _cell_text(source: str) -> str:
    text = unicodedata.normalize("NFKC", unescape(source)).replace("\u200b", "")
    text = " ".join(_COMMAND.sub(lambda sign: _NAMED.get(sign[0], sign[0]), text).split())
    for mark, end in _MARKS.items():
        if text.startswith(mark) and text.endswith(end) and "$" not in (inner := text[len(mark) : -len(mark)]):
            text = inner.strip() or text
    text = "".join(_SIGNS.get(char, char) for char in text)
    return escape("—" if text in ("-", "–", "−", "－") else text, quote=False)


def cells(html: str) -> list[str]:
    """The texts of a table's cells that have any."""
    texts = re.findall(r"<td[^<>]*>(.*?)(?=</?td|</tr|</table)", as_table(html), re.S)
    return [plain for text in texts if (plain := unescape(_ANY_TAG.sub("", text)).strip())]
