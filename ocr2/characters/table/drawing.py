"""A grid, drawn: as Typst's markup, which looks like LaTeX's tables in the plain style, and as TeX sets it.

What can't be told from a grid varies: typefaces, room, colours, shades. What can is always seen: rules are dark, heavy
ones twice as thick as light ones, bold is bold in any face.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ocr2.characters.table import celltext, plainmath, tabular
from ocr2.characters.table.grid import Grid, Piece, runs
from ocr2.errors import BadInput
from ocr2.renderers import fonts, mathpix, typst
from ocr2.renderers.typst import MODERN, MODERN_BOLD, escaped, quoted

if TYPE_CHECKING:
    from random import Random

    from ocr2.characters.table.grid import Cell
    from ocr2.renderers.fonts import Face, Kind

HAN = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+")
LONG = 44
"""Characters of a cell's longest line, of which a Chinese one counts as two, that isn't broken."""
SWOLLEN = 0.035
"""How much bold strokes are thicker, in sizes, where a face has no bold cut."""


@dataclass(frozen=True)
class Style:
    """How a table looks. Lengths are in points."""

    faces: tuple[Face, ...]
    """Of the text: the first, and others for what it lacks, of which the next is Chinese."""
    size: float = 10.0
    beside: float = 6.0
    """Room left and right of a cell's text, as TeX's \\tabcolsep."""
    above: float = 2.6
    """Room above and below it."""
    rule: float = 0.4
    """How thick rules are; heavy ones are twice as thick."""
    ink: str = "#000000"
    rules: str = "#000000"
    head: str = ""
    """What the first row is filled with; "" for nothing."""
    stripes: str = ""
    """What every second row is filled with."""


def plain(table: Grid) -> Style:
    """As LaTeX draws it."""
    return Style(
        (MODERN, _serif_han(), *spare()),
        above=2.8 + 0.4 * _is_chinese(table) + 0.8 * any("t" in line for line in table.rules),
    )


def _serif_han() -> Face:
    return next(face for face in typst.faces("han") if face.family == "Noto Serif SC")


@cache
def spare() -> tuple[Face, ...]:
    """Faces for what others lack: together they have all that a table can have."""
    return (
        *(next(face for face in fonts.FACES if face.family == name) for name in ("DejaVu Sans", "STIX")),
        _serif_han(),
    )


def _is_chinese(table: Grid) -> bool:
    return any(HAN.search(piece.text) for cell in table.cells for piece in cell.content)


def styled(table: Grid, rng: Random, held: bool = False) -> Style:
    """Any style in which all of the table can be read; `held` in a face that is never trained on."""
    kinds: tuple[Kind, ...] = ("serif", "serif", "sans", "mono", "hand")
    number = rng.choices(range(5), (35, 28, 27, 6, 4))[0]
    han = rng.choice([face for face in typst.faces("han", held) if not face.bold])
    upright = [face for face in typst.faces(kinds[number], held) if not face.bold and not face.italic]
    first = rng.choice(upright) if number or held else MODERN
    return Style(
        (first, han, *spare()),
        10.0,
        rng.uniform(3.5, 9),
        rng.uniform(3.0 if _is_chinese(table) else 2.4, 5.8),
        rng.uniform(0.35, 0.9),
        ink=rng.choice(("#000000",) * 6 + ("#1a1a1a", "#222244", "#333333")),
        rules=rng.choice(("#000000",) * 6 + ("#444444", "#666666", "#1f3f7f", "#7a2020", "#20603a")),
        head=rng.choice(_LIGHT) if rng.random() < 0.2 else "",
        stripes=rng.choice(_LIGHT) if rng.random() < 0.12 else "",
    )


_LIGHT = ("#e6e6e6", "#eeeeee", "#f2f2f2", "#dce6f1", "#e8f0e4", "#fbe9d9", "#f4e8f2", "#e4f2f2", "#fff6d6")


def markup(table: Grid, style: Style) -> str:
    """Typst's markup of the table, which can stand in a paragraph's place, in its own type.

    Raises BadInput for characters that no font here has, RenderFailed for formulas that can't be drawn.
    """
    check_covered(table, style)
    drawn = _formulas(table)
    across, down = Doubled.across(table), Doubled.down(table)
    inset = f"inset: (x: {style.beside:.4g}pt, y: {style.above:.4g}pt)"
    parts = [
        f"columns: ({_widths(table, across, style)}), rows: ({_heights(table, down, style)}), stroke: none, {inset}, "
        f"align: ({_sides(table, across)})"
    ]
    parts += [_placed(cell, table, style, across, down) + f"[{_content(cell, style, drawn)}]" for cell in table.cells]
    parts += [*_rules(table, style, across, down), *_bars(table, style, across, down)]
    text = f'#set text({typst.setting(style.faces, style.size)}, fill: rgb("{style.ink}"), hyphenate: false)'
    edges = '#show math.equation: set text(top-edge: "bounds", bottom-edge: "bounds")'
    paragraph = f"{edges}\n#set par(leading: 0.5em, spacing: 0.5em, justify: false)"
    return f"#[{text}\n{paragraph}\n#table({', '.join(parts)})]"


def _placed(cell: Cell, table: Grid, style: Style, across: Doubled, down: Doubled) -> str:
    """Typst's cell without its content, told as shortly as can be: that makes it faster."""
    told = [f"x: {across.start(cell.column)}, y: {down.start(cell.row)}"]
    for name, span in (
        ("colspan", across.span(cell.column, cell.colspan)),
        ("rowspan", down.span(cell.row, cell.rowspan)),
    ):
        told += [f"{name}: {span}"] if span > 1 else []
    if cell.align != table.aligns[cell.column]:
        told.append(f"align: {_SIDES[cell.align]}")
    if fill := filled(cell, style):
        told.append(f'fill: rgb("{fill}")')
    return f"table.cell({', '.join(told)})"


def filled(cell: Cell, style: Style) -> str:
    """The colour behind a cell; "" for none."""
    return style.head if cell.row == 0 and style.head else style.stripes if cell.row % 2 else ""


_SIDES = {"l": "left + horizon", "c": "center + horizon", "r": "right + horizon"}


def check_covered(table: Grid, style: Style) -> None:
    """Raises BadInput for characters that no face of the style has."""
    text = "".join(piece.text for cell in table.cells for piece in cell.content if not piece.math)
    if lacking := typst.missing(text.replace("\n", ""), style.faces):
        codes = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in lacking[:5])
        raise BadInput(f"no font here has {codes}: expected Latin, Greek, Cyrillic or Chinese text in a table")


def _formulas(table: Grid) -> dict[str, mathpix.Formula]:
    """Those that Typst can't set itself."""
    texts = dict.fromkeys(piece.text for cell in table.cells for piece in cell.content if piece.math)
    wanted = [text for text in texts if not plainmath.typst(text)]
    drawn = mathpix.formulas([(source, False) for source in wanted]) if wanted else []
    return dict(zip(wanted, drawn, strict=True))


def _content(cell: Cell, style: Style, drawn: dict[str, mathpix.Formula]) -> str:
    found = ""
    for piece in cell.content:
        if piece.math and (simple := plainmath.typst(piece.text)):
            found += f"${simple}$"
        elif piece.math:
            formula = drawn[piece.text]
            size = f'format: "svg", width: {formula.width:.4g}em, height: {formula.height + formula.depth:.4g}em'
            found += f'#box(baseline: {formula.depth:.4g}em, image(bytes("{quoted(formula.svg)}"), {size}));'
        else:
            found += "#linebreak();".join(_text(piece._replace(text=line), style) for line in piece.text.split("\n"))
    return found


def _text(piece: Piece, style: Style) -> str:
    """A line of text in its style: Chinese bold is thickened where its family has no bold cut, so is Latin."""
    if not piece.style or not piece.text:
        return escaped(piece.text)
    shown = ""
    for part in re.split(f"({HAN.pattern})", piece.text):
        face = style.faces[1 if HAN.fullmatch(part) else 0]
        told = []
        if "b" in piece.style:
            told.append("weight: 700" if has_cut(face, bold=True) else f"stroke: {SWOLLEN}em")
        if "i" in piece.style and has_cut(face, bold="b" in piece.style, italic=True):
            told.append('style: "italic"')
        slanted = "i" in piece.style and 'style: "italic"' not in told
        text = f"#text({', '.join(told)})[{escaped(part)}];" if told else escaped(part)
        shown += f"#box(skew(ax: -14deg, reflow: false)[{text}]);" if slanted and part else text if part else ""
    return f"#underline[{shown}];" if "u" in piece.style else shown


def has_cut(face: Face, bold: bool = False, italic: bool = False) -> bool:
    """Whether the face's family ships that cut."""
    if face.family == MODERN_BOLD.family:
        return True
    cuts = [other for other in fonts.FACES if other.family == face.family and not other.swollen]
    return any(other.bold == bold and other.italic == italic for other in cuts)


def _widths(table: Grid, across: Doubled, style: Style) -> str:
    """The columns' widths: as their texts need, but for those of long ones, whose lines are broken."""
    found = ["auto"] * across.total
    for cell in table.cells:
        if cell.colspan == 1 and longest(cell) > LONG:
            em = min(24.0, max(12.0, 0.5 * longest(cell) ** 0.5 * 4))
            found[across.start(cell.column)] = f"{em * style.size + 2 * style.beside:.4g}pt"
    for gap in across.gaps:
        found[gap] = f"{room(style):.4g}pt"
    return "".join(f"{width}, " for width in found)


def _sides(table: Grid, across: Doubled) -> str:
    """The columns' alignments."""
    found = ["left"] * across.total
    for column, align in enumerate(table.aligns):
        found[across.start(column)] = _SIDES[align]
    return "".join(f"{side}, " for side in found)


def _heights(table: Grid, down: Doubled, style: Style) -> str:
    """The rows' heights: as their cells need, but for those between rules."""
    found = ["auto"] * down.total
    for place, gap in down.gap_at.items():
        found[gap] = f"{room(style, table.rules[place]):.4g}pt"
    return "".join(f"{height}, " for height in found)


def longest(cell: Cell) -> int:
    """How long the cell's longest line is: a Chinese character counts as two, a formula as its letters."""
    text = "".join(
        re.sub(r"\\[A-Za-z]+", "x", re.sub(r"[{}^_ ]", "", piece.text)) if piece.math else piece.text
        for piece in cell.content
    )
    return max(len(line) + (0 if line.isascii() else sum(map(len, HAN.findall(line)))) for line in text.split("\n"))


def room(style: Style, line: str = "=") -> float:
    """Between the two lines of a double rule, or for a line of trimmed ones."""
    return max(2.0, 2.5 * style.rule) if "=" in line else style.rule


class Doubled:
    """Where a grid's rows, or columns, are among those drawn, which have one more for each double or trimmed rule."""

    def __init__(self, places: list[bool]) -> None:
        """Of all places before and after rows, whether one is drawn there."""
        self.starts, self.gap_at = [], {}
        total = 0
        for place, doubled in enumerate(places):
            if doubled:
                self.gap_at[place] = total
                total += 1
            self.starts.append(total)
            total += place < len(places) - 1
        self.total, self.gaps = total, list(self.gap_at.values())

    @classmethod
    def down(cls, table: Grid) -> Doubled:
        """Of the rows."""
        return cls([bool(set(line) & set("=Cc")) for line in table.rules])

    @classmethod
    def across(cls, table: Grid) -> Doubled:
        """Of the columns."""
        return cls([any(line[place] == "2" for line in table.bars) for place in range(table.columns + 1)])

    def start(self, place: int) -> int:
        """Of the row or column."""
        return self.starts[place]

    def span(self, place: int, count: int) -> int:
        """How many are drawn for so many from there on, with what is between them."""
        return self.starts[place + count - 1] - self.starts[place] + 1

    def lines(self, place: int, double: bool) -> list[int]:
        """Before which of those drawn the lines of the rule at a place are."""
        below = self.starts[place]
        return [self.gap_at[place], below] if double and place in self.gap_at else [below]


def _rules(table: Grid, style: Style, across: Doubled, down: Doubled) -> list[str]:
    found = []
    stroke = f'{{}}pt + rgb("{style.rules}")'
    for place, line in enumerate(table.rules):
        gap = down.gap_at.get(place)
        for code, start, end in runs(line):
            ends = (across.start(start), across.start(end - 1) + 1)
            if start == 0:
                ends = (0, ends[1])
            if end == table.columns:
                ends = (ends[0], across.total)
            thick = stroke.format(f"{style.rule * (2 if code == 't' else 1):.4g}")
            if code == "c":
                line_ = f"line(length: 100%, stroke: {thick})"
                inset = f"inset: (x: {0.5 * style.beside:.4g}pt, y: 0pt)"
                found.append(f"table.cell(x: {ends[0]}, y: {gap}, colspan: {ends[1] - ends[0]}, {inset}, {line_})")
            else:
                at = f"start: {ends[0]}, end: {ends[1]}, stroke: {thick}"
                found += [f"table.hline(y: {y}, {at})" for y in down.lines(place, code == "=")]
    return found


def _bars(table: Grid, style: Style, across: Doubled, down: Doubled) -> list[str]:
    """Rules between columns: from row to row, but for where a double rule parts them."""
    found = []
    stroke = f'{style.rule:.4g}pt + rgb("{style.rules}")'
    for column in range(table.columns + 1):
        start = 0
        for row in range(table.rows):
            count, below = (line[column] if line else "" for line in (*table.bars[row : row + 2], "")[:2])
            parted = below and "=" in table.rules[row + 1][max(0, column - 1) : column + 1]
            if count == below and not parted:
                continue
            if count != "0":
                end = down.start(row + 1) if below not in ("", "0") and not parted else down.start(row) + 1
                at = f"start: {down.start(start)}, end: {end}, stroke: {stroke}"
                found += [f"table.vline(x: {x}, {at})" for x in across.lines(column, count == "2")]
            start = row + 1
    return found


def tex(table: Grid, engine: str, rng: Random | None) -> tuple[str, str]:
    """The tabular as TeX is to set it, and its preamble. Raises BadInput for Chinese, which pdflatex has none of."""
    chinese = _is_chinese(table)
    if chinese and engine == "pdflatex":
        raise BadInput("Chinese in a table for pdflatex: choose the backend xelatex, or typst")
    preamble = r"\usepackage{amsmath,amssymb,booktabs,multirow,makecell}"
    if engine == "pdflatex":
        preamble += r"\usepackage[T1]{fontenc}\usepackage{lmodern,textcomp}"
    else:
        preamble += r"\usepackage{fontspec}"
        if chinese:
            file = fonts.path(_serif_han())
            preamble += (
                f"\\newfontfamily\\han[Path={file.parent.as_posix()}/,Extension={file.suffix},AutoFakeBold=2.5,"
                f"AutoFakeSlant=0.2]{{{file.stem}}}"
            )
    if rng is not None:
        preamble += f"\\setlength\\tabcolsep{{{rng.uniform(3, 9):.2f}pt}}"
        preamble += f"\\setlength\\arrayrulewidth{{{rng.uniform(0.4, 0.8):.2f}pt}}"
        preamble += f"\\renewcommand\\arraystretch{{{rng.uniform(1, 1.5):.2f}}}"
        preamble += rng.choice(
            ("", "", r"\renewcommand\familydefault{\sfdefault}", r"\renewcommand\familydefault{\ttdefault}")
        )
    return tabular.latex(table, _exact), preamble


def _exact(content: tuple[Piece, ...]) -> str:
    """The content as TeX shows it exactly: quotes that aren't bent, Chinese in its own face."""
    found = ""
    for piece in content:
        if piece.math:
            found += f"\\( {piece.text} \\)"
            continue
        text = celltext.escaped(piece.text)
        text = re.sub(r"([<>,!?])(?=[<>,`])", r"\1{}", text).replace("'", r"\textquotesingle{}")
        text = text.replace("`", r"\textasciigrave{}").replace("−", r"\( - \)")
        text = HAN.sub(lambda match: f"{{\\han {match[0]}}}", text)
        for style in reversed(piece.style):
            text = f"\\{celltext.STYLES[style]}{{{text}}}"
        found += text
    lines = found.replace("\n", r" \\ ")
    return f"\\makecell{{{lines}}}" if "\n" in found else found
