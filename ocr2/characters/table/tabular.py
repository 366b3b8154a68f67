r"""Tables in LaTeX: a `tabular` read, as people and models write it, and written, in one spelling.

    \begin{tabular}{|l|c|}
    \hline \multicolumn{2}{|c|}{ Year } \\
    \hline
    \end{tabular}
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ocr2.characters.table import celltext
from ocr2.characters.table.celltext import group, option
from ocr2.characters.table.grid import LONGEST, MOST_COLUMNS, Cell, Content, Grid, Piece, grid, runs, usual
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEGIN = re.compile(r"\\begin\s*\{(tabular\*?|tabularx|tabulary|array)\}")
_AROUND = re.compile(
    r"\\(begin|end)\s*\{(table\*?|center|document|small|footnotesize)\}|\\(centering|small|footnotesize|scriptsize"
    r"|normalsize|noindent)(?![A-Za-z])|\\(renewcommand|setlength)\s*\{?\\(arraystretch|tabcolsep)\}?\s*\{[^{}]*\}"
    r"|\\(label|vspace|hspace)\*?\{[^{}]*\}|\\\[|\\\]|\\\(|\\\)|\$\$?|(?<=\})\s*\[[!htbpH]+\]|```(latex|tex)?"
)
r"""What may stand around a table, and adds nothing to it. `\caption` does."""
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*\n?[ \t]*")
_RULE = re.compile(
    r"\\(hline|firsthline|lasthline|toprule|midrule|bottomrule|cline|cmidrule|specialrule|Xhline|addlinespace"
    r"|morecmidrules|rowcolor|arrayrulecolor|noalign|hdashline|thickhline)(?![A-Za-z])"
)
_CODES = {"toprule": "t", "midrule": "m", "bottomrule": "t", "specialrule": "t", "hline": "-", "cmidrule": "c"}
_ALIGNED = {
    "l": "l",
    "c": "c",
    "r": "r",
    "p": "l",
    "m": "l",
    "b": "l",
    "X": "l",
    "L": "l",
    "C": "c",
    "R": "r",
    "S": "r",
    "J": "l",
}


class _Columns(NamedTuple):
    """What a column specification says."""

    aligns: str
    bars: str
    """One more than the columns."""


def latex(table: Grid, write: Callable[[Content], str] = celltext.written) -> str:
    """The table as a tabular: a line for each row, the rules above it first; cells are written by `write`."""
    bars = "".join(_usual_bar(table, column) for column in range(table.columns + 1))
    spec = "|" * int(bars[0]) + "".join(
        align + "|" * int(bar) for align, bar in zip(table.aligns, bars[1:], strict=True)
    )
    lines = [f"\\begin{{tabular}}{{{spec}}}"]
    for row, cells in enumerate(table.owners()):
        line = _rule_text(table.rules[row], row, table.rows)
        column = 0
        while column < table.columns:
            cell = cells[column]
            text = _cell_text(table, cell, row, bars, write)
            line += ("& " if column else "") + (text + " " if text else "")
            column += cell.colspan
        lines.append(line + r"\\")
    if last := _rule_text(table.rules[-1], table.rows, table.rows).rstrip():
        lines.append(last)
    return "\n".join([*lines, r"\end{tabular}"])


def _usual_bar(table: Grid, column: int) -> str:
    """How many bars most rows have there, of those that can have any."""
    crossed = {
        row for cell in table.cells if cell.column < column < cell.column + cell.colspan for row, _ in cell.slots
    }
    return usual((table.bars[row][column] for row in range(table.rows) if row not in crossed), "0")


def _cell_text(table: Grid, cell: Cell, row: int, bars: str, write: Callable[[Content], str]) -> str:
    """What the cell is in that row, whose first it may not be."""
    first, end = cell.column, cell.column + cell.colspan
    text = write(cell.content) if row == cell.row else ""
    if text.startswith("\\makecell{") and cell.align != "c":
        text = text.replace("\\makecell", f"\\makecell[{cell.align}]", 1)
    if row == cell.row and cell.rowspan > 1:
        text = f"\\multirow{{{cell.rowspan}}}{{*}}{{{text}}}"
    left, right = table.bars[row][first], table.bars[row][end]
    usual_left = first or left == bars[0]
    if cell.colspan == 1 and right == bars[end] and usual_left and cell.align == table.aligns[first]:
        return text
    spec = "|" * (0 if first else int(left)) + cell.align + "|" * int(right)
    return f"\\multicolumn{{{cell.colspan}}}{{{spec}}}{{{text}}}"


def _rule_text(line: str, row: int, rows: int) -> str:
    """The commands that draw the rules above a row."""
    heavy = "\\bottomrule" if row == rows else "\\toprule"
    if len(set(line)) == 1 and line[0] in "-=mt":
        return {"-": "\\hline", "=": "\\hline\\hline", "m": "\\midrule", "t": heavy}[line[0]] + " "
    text = ""
    for code, start, end in runs(line):
        command = {"-": "\\cline", "=": "\\cline", "c": "\\cmidrule(lr)"}.get(code, "\\cmidrule")
        text += f"{command}{{{start + 1}-{end}}} " * (2 if code == "=" else 1)
    return text


def parsed(text: str) -> Grid:
    """The table that a LaTeX text is, with nothing but what is invisible around it. Raises BadInput."""
    if len(text) > LONGEST:
        raise BadInput(f"a table of {len(text):,} characters: expected up to {LONGEST:,}")
    text = _COMMENT.sub(r"\1", text)
    begins = BEGIN.search(text)
    if not begins:
        raise BadInput("no \\begin{tabular} in the LaTeX: expected \\begin{tabular}{…} … \\end{tabular}")
    name = begins[1]
    end = text.rfind(f"\\end{{{name}}}")
    if end < begins.end():
        raise BadInput(f"no \\end{{{name}}} after \\begin{{{name}}}: the table is cut short")
    around = _AROUND.sub("", text[: begins.start()] + " " + text[end + len(f"\\end{{{name}}}") :]).strip()
    if around:
        raise BadInput(f"{around[:40]!r} beside the table: expected the tabular alone")
    _, place = option(text, begins.end())
    if name in ("tabular*", "tabularx", "tabulary"):
        _, place = group(text, place)
        _, place = option(text, place)
    spec, place = group(text, place)
    return _table(text[place:end], _columns(spec), name == "array")


def _columns(spec: str) -> _Columns:
    """What the specification says. Raises BadInput for one that isn't known or has no columns."""
    aligns, bars, forced = "", ["0"], ""
    for char, inner in _signs(spec, 0):
        if char == "|" or (char == "!" and "vrule" in inner):
            bars[-1] = str(min(2, int(bars[-1]) + 1))
        elif char in _ALIGNED:
            aligns, forced = aligns + (forced or _ALIGNED[char]), ""
            bars.append("0")
        elif char == ">":
            forced = _forced(inner)
        elif char not in "@!<":
            raise BadInput(f"{char!r} in the columns {spec[:40]!r}: expected l, c, r, p{{…}} and |")
        elif celltext.content_of(_spacing(inner)):
            raise BadInput(f"{char}{{{inner:.30}}} in the columns {spec[:40]!r}: expected no text between columns")
        if len(aligns) > MOST_COLUMNS:
            raise BadInput(f"a table of more than {MOST_COLUMNS} columns: expected fewer")
    if not aligns:
        raise BadInput(f"no columns in {spec[:40]!r}: expected l, c or r for each")
    return _Columns(aligns, "".join(bars))


def _signs(spec: str, depth: int) -> Iterator[tuple[str, str]]:
    """The signs of a specification, with what follows each in braces; repeated ones so often as they are."""
    place = 0
    while place < len(spec):
        char, inner = spec[place], ""
        place += 1
        if char in "@!><pmb*":
            inner, place = group(spec, place)
        elif char == "S":
            _, place = option(spec, place)
        if char == "*":
            repeated, place = group(spec, place)
            if not inner.strip().isdecimal() or not 0 < int(inner) <= MOST_COLUMNS or depth > 2:
                raise BadInput(f"*{{{inner:.20}}} in the columns {spec[:40]!r}: expected a number up to {MOST_COLUMNS}")
            for _ in range(int(inner)):
                yield from _signs(repeated, depth + 1)
        elif not char.isspace():
            yield char, inner


def _spacing(inner: str) -> str:
    """What stands between columns, without commands that only space it."""
    return re.sub(r"\\(extracolsep|hskip|kern)\s*(\{[^{}]*\}|[\d.]+\s*[a-z]+|\\fill)|\\(fill|tabcolsep)", "", inner)


def _forced(inner: str) -> str:
    """The alignment that `>{…}` gives its column. Raises BadInput where it does anything else that is seen."""
    for command, align in (("centering", "c"), ("raggedleft", "r"), ("raggedright", "l")):
        if command in inner:
            return align
    if "series" in inner or "shape" in inner or celltext.content_of(inner):
        raise BadInput(f">{{{inner:.30}}} in the columns: expected no text or style before columns")
    return ""


def _split(body: str) -> list[list[str]]:
    """The cells of each row, where neither braces nor environments nor formulas are open."""
    rows, start, depth, inside = [[""]], 0, 0, 0
    for token in re.finditer(
        r"\\(begin|end)\s*\{[^{}]*\}|\\tabularnewline|\\cr(?![A-Za-z])|\\.|[{}&]", body, re.DOTALL
    ):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        inside += {"begin": 1, "end": -1}.get(token[1] or "", 0)
        if depth < 0 or inside < 0:
            raise BadInput(f"{token[0]} too many after {body[: token.start()][-30:]!r}: expected balanced braces")
        if depth or inside or token[0] not in ("&", r"\\", r"\tabularnewline", r"\cr"):
            continue
        rows[-1][-1] += body[start : token.start()]
        start = token.end()
        if token[0] == "&":
            rows[-1].append("")
        else:
            rows.append([""])
            if extra := re.compile(r"\*?\s*\[\s*-?[\d.]+\s*[a-z]+\s*\]|\*").match(body, start):
                start = extra.end()
    if depth or inside:
        raise BadInput("braces or environments that don't end in the table: expected balanced ones")
    rows[-1][-1] += body[start:]
    return rows


def _table(body: str, spec: _Columns, formulas: bool) -> Grid:
    count = len(spec.aligns)
    rules: list[list[str]] = [[" "] * count]
    bars: list[list[str]] = []
    cells: list[Cell] = []
    rows = _split(body)
    for number, row in enumerate(rows):
        row[0] = _ruled(row[0], rules[-1])
        if number == len(rows) - 1 and row == [""]:
            break
        bars.append(list(spec.bars))
        rules.append([" "] * count)
        column = 0
        for text in row:
            if column >= count:
                raise BadInput(
                    f"row {len(bars)} has more than the {count} columns that the table was begun with, "
                    f"from {text.strip()[:30]!r} on: expected {count}"
                )
            cells.append(_cell(text, len(bars) - 1, column, bars[-1], formulas))
            column += cells[-1].colspan
    return grid(spec.aligns, _spanned(cells, len(bars)), ["".join(line) for line in rules], ["".join(b) for b in bars])


def _ruled(text: str, rules: list[str]) -> str:
    """The text after the rules that it starts with, which are drawn. Raises BadInput for one beyond the table."""
    place = 0
    text = text.strip()
    while found := _RULE.match(text, place):
        name, place = found[1], found.end()
        first, last = 1, len(rules)
        if name in ("cline", "cmidrule"):
            _, place = option(text, place)
            _, place = option(text, place, "()")
            told, place = group(text, place)
            ends = re.fullmatch(r"\s*(\d{1,4})\s*-\s*(\d{1,4})\s*", told)
            if not ends or not 1 <= int(ends[1]) <= int(ends[2]) <= len(rules):
                raise BadInput(f"\\{name}{{{told:.20}}}: expected columns from 1 to {len(rules)}, as in {{1-2}}")
            first, last = int(ends[1]), int(ends[2])
        for _ in range({"specialrule": 3, "noalign": 1, "arrayrulecolor": 1, "rowcolor": 1}.get(name, 0)):
            _, place = option(text, place)
            _, place = group(text, place)
        _, place = option(text, place)
        if name == "Xhline" and (width := re.compile(r"\s*(\{[^{}]*\}|[\d.]+\s*[a-z]{2})").match(text, place)):
            place = width.end()
        if name not in ("addlinespace", "morecmidrules", "rowcolor", "arrayrulecolor", "noalign"):
            _draw(rules, _CODES.get(name, "-"), first - 1, last)
        while place < len(text) and text[place].isspace():
            place += 1
    return text[place:]


def _draw(rules: list[str], code: str, first: int, last: int) -> None:
    for column in range(first, last):
        before = rules[column]
        if code == "c":
            rules[column] = "C" if column == first else "c"
        else:
            rules[column] = "=" if code in "-m" and before in "-=" else before if before == "t" else code


def _cell(text: str, row: int, column: int, bars: list[str], formulas: bool) -> Cell:
    """The cell that the text is; bars are drawn as it says."""
    text = text.strip()
    align, colspan, rowspan = "", 1, 1
    if text.startswith("\\multicolumn"):
        told, place = group(text, len("\\multicolumn"))
        colspan = _number(told, "multicolumn", 1, len(bars) - 1 - column)
        spec, place = group(text, place)
        columns = _columns(spec)
        if len(columns.aligns) != 1:
            raise BadInput(f"\\multicolumn{{…}}{{{spec:.20}}}: expected one of l, c and r, and |")
        align = columns.aligns
        bars[column] = max(bars[column], columns.bars[0]) if column else columns.bars[0]
        bars[column + colspan] = columns.bars[1]
        text = _whole(text, place, "multicolumn")
    if text.startswith("\\multirow"):
        _, place = option(text, len("\\multirow"))
        told, place = group(text, place)
        rowspan = _number(told, "multirow", -row - 1, 10**6)
        _, place = option(text, place)
        _, place = group(text, place)
        _, place = option(text, place)
        text = _whole(text, place, "multirow")
    if not formulas:
        return Cell(row, column, celltext.content_of(text), rowspan, colspan, align)
    worded = re.fullmatch(r"\\(?:text|textbf|mathrm|mbox)\s*\{([^{}$]*)\}", text)
    content = celltext.content_of(text) if worded else ((Piece(text, True),) if text else ())
    return Cell(row, column, content, rowspan, colspan, align)


def _whole(text: str, place: int, name: str) -> str:
    """The last argument of a command that is all of a cell."""
    inner, place = group(text, place)
    if text[place:].strip():
        raise BadInput(f"{text[place:].strip()[:30]!r} after \\{name} in one cell: expected it to be all of the cell")
    return inner.strip()


def _number(told: str, name: str, least: int, most: int) -> int:
    if not re.fullmatch(r"\s*-?\d{1,4}\s*", told) or not (number := int(told)) or not least <= number <= most:
        raise BadInput(f"\\{name}{{{told:.20}}} spans too much or nothing: expected a number up to {most}")
    return number


def _spanned(cells: list[Cell], rows: int) -> list[Cell]:
    """The cells without the empty ones that stand where others span; those that span upwards start at their top."""
    turned = [
        replace(cell, row=cell.row + cell.rowspan + 1, rowspan=-cell.rowspan) if cell.rowspan < 0 else cell
        for cell in cells
    ]
    covered: dict[tuple[int, int], Cell] = {}
    for cell in turned:
        if cell.row + cell.rowspan > rows:
            raise BadInput(
                f"{cell.text[:20]!r} in row {cell.row + 1} spans {cell.rowspan} rows by \\multirow: "
                f"expected up to {rows - cell.row}, the table has {rows}"
            )
        if cell.rowspan > 1:
            covered.update((slot, cell) for slot in cell.slots if slot not in covered)
    kept = []
    for cell in turned:
        over = {covered.get(slot) for slot in cell.slots} - {cell}
        if cell.content or cell.rowspan > 1 or over == {None}:
            kept.append(cell)
        elif len(over) > 1:
            raise BadInput(
                f"an empty cell in row {cell.row + 1} is half below a \\multirow: expected it below or beside"
            )
    return kept
