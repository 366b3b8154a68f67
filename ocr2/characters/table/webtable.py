r"""Tables in HTML and in Markdown, read and written.

Which rules are drawn is not in them: read, a table has all of them, as browsers and GitHub show it, but for
`<table border="0">`, which has none. Markdown has no spans either.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from ocr2.characters.table.celltext import escaped
from ocr2.characters.table.grid import (
    LONGEST,
    MOST_COLUMNS,
    MOST_ROWS,
    Cell,
    Content,
    Grid,
    Piece,
    grid,
    settled,
    usual,
)
from ocr2.errors import BadInput
from ocr2.renderers.drawing import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

_MATH = re.compile(r"(?<!\\)\\\((.+?)\\\)|(?<![\\$])\$(?=\S)([^$\n]{1,300}?)(?<=\S)\$(?![\d$])", re.DOTALL)
_UNSAID = re.compile(r"[\s#$%&{}_^~]")
"""What is text, and would be lost or be a command in a formula."""
_STYLES = {"b": "b", "strong": "b", "i": "i", "em": "i", "u": "u", "ins": "u"}
_TAGS = {"b": "b", "i": "i", "u": "u"}
_SILENT = {
    "thead",
    "tbody",
    "tfoot",
    "colgroup",
    "col",
    "span",
    "a",
    "font",
    "small",
    "big",
    "code",
    "center",
}
_SPANS = 1000
_SAFE = {"$": "\ue000", "\\": "\ue001", "*": "\ue002", "_": "\ue003", "|": "\ue004", "`": "\ue005", "<": "\ue006"}
"""What stands for a sign that was escaped, until all is read: no text has these characters, which have no shape."""
_PLAIN = {ord(private): char for char, private in _SAFE.items()}
_ESCAPABLE = r"\\`*_{}\[\]<>#+\-.!|~$&\"'/:;=?@^%,"


def html(table: Grid) -> str:
    """The table as HTML, a line for each row; cells that are bold are `<th>`. Rules are told as far as HTML can."""
    drawn = any(line.strip() for line in table.rules) or any(line.strip("0") for line in table.bars)
    lines = ["<table>" if drawn else '<table border="0">']
    for row in range(table.rows):
        line = ""
        for cell in (cell for cell in table.cells if cell.row == row):
            bold = bool(cell.content) and all("b" in piece.style for piece in cell.content)
            tag = "th" if bold else "td"
            spans = f' rowspan="{cell.rowspan}"' * (cell.rowspan > 1) + f' colspan="{cell.colspan}"' * (
                cell.colspan > 1
            )
            usually = "c" if cell.colspan > 1 else "l"
            align = {"l": "left", "c": "center", "r": "right"}[cell.align]
            spans += f' align="{align}"' if cell.align != usually else ""
            content = tuple(
                piece._replace(style=piece.style.replace("b", "" if bold else "b")) for piece in cell.content
            )
            line += f"<{tag}{spans}>{_tagged(content)}</{tag}>"
        lines.append(f"<tr>{line}</tr>")
    return "\n".join([*lines, "</table>"])


def _tagged(content: Content) -> str:
    found = ""
    for piece in content:
        if piece.math:
            found += f"\\( {escape(piece.text, quote=False)} \\)"
            continue
        text = escape(piece.text, quote=False).replace("\n", "<br>").replace("$", "&#36;").replace("\\", "&#92;")
        for style in reversed(piece.style):
            text = f"<{_TAGS[style]}>{text}</{_TAGS[style]}>"
        found += text
    return found


def from_html(text: str) -> Grid:
    """The only table of the HTML. Raises BadInput for none, several or nested ones, and what a cell can't have."""
    _check(text)
    reader = _Html()
    reader.feed(text)
    reader.close()
    if reader.tables != 1 or reader.inside:
        raise BadInput("HTML without one <table> … </table>: expected exactly one, which ends")
    cells, columns = _placed(reader.rows)
    rows = len(reader.rows)
    aligns = "".join(
        usual((cell.align for cell in cells if cell.column == column and cell.colspan == 1 and cell.align), "l")
        for column in range(columns)
    )
    return _ruled(aligns, cells, rows, reader.border)


def _check(text: str) -> None:
    if len(text) > LONGEST:
        raise BadInput(f"a table of {len(text):,} characters: expected up to {LONGEST:,}")
    if private := re.search("[\ue000-\uf8ff]", text):
        raise BadInput(f"a table with the character U+{ord(private[0]):04X}, which has no shape: expected text")


def _ruled(aligns: str, cells: Sequence[Cell], rows: int, all_rules: bool) -> Grid:
    rule, bar = ("-", "1") if all_rules else (" ", "0")
    columns = len(aligns)
    return grid(aligns, cells, [rule * columns] * (rows + 1), [bar * (columns + 1)] * rows)


def _placed(rows: Sequence[Sequence[Cell]]) -> tuple[list[Cell], int]:
    """The cells in the columns that are free, and how many columns there are."""
    taken: set[tuple[int, int]] = set()
    found = []
    for row, cells in enumerate(rows):
        column = 0
        for cell in cells:
            while (row, column) in taken:
                column += 1
            if column + cell.colspan > MOST_COLUMNS:
                raise BadInput(f"a table of more than {MOST_COLUMNS} columns: expected fewer")
            if row + cell.rowspan > len(rows):
                raise BadInput(
                    f"the cell {cell.text[:20]!r} in row {row + 1} spans {cell.rowspan} rows: "
                    f"expected up to {len(rows) - row}, the table has {len(rows)}"
                )
            found.append(Cell(row, column, cell.content, cell.rowspan, cell.colspan, cell.align))
            taken.update(found[-1].slots)
    return found, max((column for _, column in taken), default=-1) + 1


class _Html(HTMLParser):
    """Reads a table's rows; cells are not placed yet."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.tables, self.inside, self.border = 0, False, True
        self.rows: list[list[Cell]] = []
        self.pieces: list[Piece] | None = None
        self.styles: list[str] = []
        self.script = ""
        self.told: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "table":
            self._begin(told)
        elif tag == "tr" and self.inside:
            self._end_cell()
            self.rows.append([])
            if len(self.rows) > MOST_ROWS:
                raise BadInput(f"a table of more than {MOST_ROWS} rows: expected fewer")
        elif tag in ("td", "th") and self.inside:
            self._end_cell()
            if not self.rows:
                self.rows.append([])
            self.pieces, self.styles, self.told = [], ["b"] if tag == "th" else [], told
        elif tag in ("br", "p", "div"):
            self._add("\n")
        elif tag in _STYLES:
            self.styles.append(_STYLES[tag])
        elif tag in ("sup", "sub"):
            self.script = "^" if tag == "sup" else "_"
        elif tag == "caption" or (self.inside and tag not in _SILENT):
            raise BadInput(f"<{tag}> in a table: expected <tr>, <td>, <th>, text, <b>, <i>, <u>, <br>, <sup> and <sub>")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr"):
            self._end_cell()
        elif tag == "table":
            self._end_cell()
            self.inside = False
        elif tag in _STYLES and _STYLES[tag] in self.styles:
            self.styles.remove(_STYLES[tag])
        elif tag in ("p", "div"):
            self._add("\n")
        elif tag in ("sup", "sub"):
            self.script = ""

    def handle_data(self, data: str) -> None:
        self._add(re.sub(r"\s", " ", data))

    def handle_charref(self, name: str) -> None:
        from html import unescape

        char = unescape(f"&#{name};")
        self._add(_SAFE.get(char, readable(char)))

    def handle_entityref(self, name: str) -> None:
        from html import unescape

        char = unescape(f"&{name};")
        self._add(" " if char == "\xa0" else char)

    def _begin(self, told: dict[str, str]) -> None:
        if self.inside:
            raise BadInput("a table in a table's cell: expected text and formulas")
        self.tables, self.inside = self.tables + 1, True
        self.border = told.get("border") != "0"

    def _add(self, text: str) -> None:
        if self.pieces is None:
            if text.strip():
                raise BadInput(f"{text.strip()[:40]!r} beside the table's cells: expected <table> … </table> alone")
        elif self.script and text.strip():
            raised = text.strip()
            if "\\" not in raised and _UNSAID.search(raised):
                raised = f"\\text{{{escaped(raised)}}}"
            self.pieces.append(Piece(f"{self.script}{{{raised}}}", True))
        else:
            self.pieces.append(Piece(text, False, "".join(sorted(set(self.styles)))))

    def _end_cell(self) -> None:
        if self.pieces is None:
            return
        down, across = _span(self.told, "rowspan"), _span(self.told, "colspan")
        told = self.told.get("align") or "".join(re.findall(r"text-align:\s*(\w+)", self.told.get("style", "")))
        align = {"left": "l", "center": "c", "right": "r"}.get(told.lower(), "")
        content = settled(_math(settled(self.pieces)))
        self.rows[-1].append(Cell(0, 0, content, down, across, align or ("l" if across == 1 else "c")))
        self.pieces = None


def _span(told: dict[str, str], name: str) -> int:
    value = told.get(name, "1").strip()
    if not re.fullmatch(r"\d{1,4}", value) or not 0 < int(value) <= _SPANS:
        raise BadInput(f'{name}="{value:.20}": expected a number from 1')
    return int(value)


def _math(content: Sequence[Piece]) -> list[Piece]:
    """The pieces with the formulas among the text as such, and signs that were escaped as they are."""
    found: list[Piece] = []
    for piece in content:
        place = 0
        for match in () if piece.math else _MATH.finditer(piece.text):
            found.append(piece._replace(text=piece.text[place : match.start()]))
            found.append(Piece((match[1] or match[2]).strip(), True))
            place = match.end()
        found.append(piece._replace(text=piece.text[place:]))
    return [piece._replace(text=piece.text.translate(_PLAIN)) for piece in found if piece.text]


def markdown(table: Grid, formula: str = r"\( {} \)") -> str:
    """The table in pipes, whose first row is the head; `formula` says how formulas are marked.

    Raises BadInput where cells span several.
    """
    if table.structure[2]:
        raise BadInput("Markdown has no cells that span several: write the table as LaTeX or HTML")
    lines = [[piped(cell.content, formula) for cell in cells] for cells in table.owners()]
    lines.insert(1, [{"l": "---", "c": ":---:", "r": "---:"}[align] for align in table.aligns])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def piped(content: Content, formula: str) -> str:
    """The content of one cell."""
    found = ""
    for piece in content:
        if piece.math:
            found += formula.format(piece.text).replace("|", "\\|")
            continue
        text = re.sub(r"([\\`*_<|$])", r"\\\1", piece.text).replace("\n", "<br>")
        marks = {"b": ("**", "**"), "i": ("*", "*"), "u": ("<u>", "</u>")}
        for style in reversed(piece.style):
            text = marks[style][0] + text + marks[style][1]
        found += text
    return found


def from_markdown(text: str) -> Grid:
    """The table in pipes that the text is; without a line | --- |, too, the first row is its head. Raises BadInput for
    other text beside it, for one row alone, and for rows that are too long.
    """
    _check(text)
    lines = [line.strip() for line in text.strip().splitlines()]
    if len(lines) < 2:
        raise BadInput("one row is no Markdown table: expected its head, a line | --- |, and rows below it")
    if not is_separator(lines[1]):
        lines.insert(1, "|" + "---|" * len(_cells(lines[0])))
    ends = _cells(lines[1])
    aligns = "".join("c" if end[0] == end[-1] == ":" else "r" if end[-1] == ":" else "l" for end in ends)
    cells = []
    for row, line in enumerate([lines[0], *lines[2:]]):
        texts = _cells(line)
        if "|" not in line or len(texts) > len(aligns):
            raise BadInput(
                f"row {row + 1} of the Markdown table, {line[:40]!r}, has {len(texts)} cells: "
                f"expected {len(aligns)}, with | between them"
            )
        cells += [Cell(row, column, _read(told), align=aligns[column]) for column, told in enumerate(texts)]
    return _ruled(aligns, cells, len(lines) - 1, True)


def is_separator(line: str) -> bool:
    """Whether it is the line below a Markdown table's head."""
    return "|" in line and bool(re.fullmatch(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?", line.strip()))


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = re.sub(r"(?<!\\)\|$", "", inner)
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", inner)]


def _read(text: str) -> Content:
    """A cell's content: formulas first, then escapes, then styles."""
    text = text.replace("\\|", "|")
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append((match[1] or match[2]).strip())
        return f"\ue010{len(kept) - 1}\ue011"

    text = _MATH.sub(keep, text)
    text = re.sub(rf"\\([{_ESCAPABLE}])", lambda match: _SAFE.get(match[1], match[1]), text)
    found, styles = [], set[str]()
    tokens = re.split(
        r"((?<!\s)\*{1,3}|\*{1,3}(?!\s)|__|(?<!\w)_|_(?!\w)|</?(?:u|b|i|strong|em)>|<br\s*/?>|\ue010\d+\ue011)", text
    )
    ends = [n > 1 if not before else not before[-1].isspace() for n, before in enumerate(["", *tokens[:-1]])]
    begins = [n < len(tokens) - 2 if not after else not after[0].isspace() for n, after in enumerate([*tokens[1:], ""])]
    left = Counter(token for token, end in zip(tokens, ends, strict=True) if end)
    for token, end, begin in zip(tokens, ends, begins, strict=True):
        style = {"**": "b", "__": "b", "*": "i", "_": "i", "***": "bi"}.get(token)
        left[token] -= end
        if style and end and styles.issuperset(style):
            styles.difference_update(style)
        elif style and begin and styles.isdisjoint(style) and _is_closed(token, left):
            styles.update(style)
        elif tag := re.fullmatch(r"<(/?)(u|b|i|strong|em)>", token):
            (styles.discard if tag[1] else styles.add)(_STYLES[tag[2]])
        elif token.startswith("<br"):
            found.append(Piece("\n"))
        elif token.startswith("\ue010"):
            found.append(Piece(kept[int(token[1:-1])], True))
        else:
            found.append(Piece(token.translate(_PLAIN), False, "".join(sorted(styles))))
    return settled(found)


def _is_closed(mark: str, left: Counter[str]) -> bool:
    """Whether what begins with a mark can end with one of those that are left in the cell: else it is a star."""
    if mark == "***":
        return left[mark] > 0 or min(left["*"], left["**"]) > 0
    return left[mark] > 0 or ("*" in mark and left["***"] > 0)
