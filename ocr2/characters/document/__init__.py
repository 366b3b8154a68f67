r"""Documents: pages of headings, paragraphs, formulas, lists and tables, as Mathpix Markdown.

    \title{On lines}

    \section*{1 Introduction}
    A paragraph is a line, and \( a^{2} \) in it is a formula.

    \[ a^{2} + b^{2} = c^{2} \tag{1} \]

`markdown` says what belongs to it. Of a figure there is only its caption; running heads and page numbers are no part of
a page's text (GOT §3.3.2).
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ocr2.characters import formula, molecule, table
from ocr2.characters.document import article, github, markdown, press, prose, spans, webpage
from ocr2.characters.document.blocks import Abstract, Code, Display, List, Paragraph, Rule, Table
from ocr2.characters.document.look import Look, plain, stressable, tightened, varied
from ocr2.characters.document.press import Picture, Press, captions, tagged
from ocr2.characters.document.spans import Math, Molecule, Text
from ocr2.characters.table import exports as tables
from ocr2.characters.table import plainmath
from ocr2.errors import BadInput, RenderFailed
from ocr2.metrics import edit_distance
from ocr2.metrics.formatted import split
from ocr2.renderers import chromium, mathpix, typst
from ocr2.renderers.drawing import Drawing, readable
from ocr2.renderers.tools import chosen, need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from random import Random

    from ocr2.characters import Corpus
    from ocr2.characters.document.blocks import Block
    from ocr2.characters.document.spans import Spans

BACKENDS = ("typst", "chromium")
SIDE = 1024
"""Pixels of the longer side of a page."""
SMALLEST, LARGEST = 9.5, 20.0
"""Pixels of a page's type."""
LEAST = 8.0
"""Pixels of the type of formulas and tables that are too wide otherwise."""
_SIGNS = re.compile(r"[!-/:-@\[-`{-~]")
_BOND = 22.0
"""Pixels of a molecule by itself that are an em within a page."""
_HEADED = re.compile(
    r"^[ \t]*(?:\\(?:title|author|chapter|(?:sub){0,2}section)\*?\{|\\begin\{abstract\}|#{1,6} \S|\[\^\w+\]: \S)", re.M
)


def compose(corpus: Corpus, rng: Random) -> str:
    """A page of an article, a book or notes: English, Chinese or both. Raises BadInput."""
    return prose.compose(corpus, rng)


def draw(source: str, rng: Random | None, backend: str = "", held: bool = False) -> Drawing:
    """The page; with `rng` in some typeface, in one column or two; `held` in one that is never trained on, but for
    bold Chinese.

    Raises BadInput for what is no Mathpix Markdown or has letters that no font here has, RenderFailed for what doesn't
    fit on one page or has a formula or table that can't be drawn, RendererMissing.
    """
    tool = chosen(backend, BACKENDS)
    blocks = markdown.parsed(readable(source))
    if tool == "chromium":
        content = chromium.pdf(mathpix.page(markdown.written(_spelled(blocks))))
        return Drawing(content, "pdf", f"chromium {need('chromium').version}", _scale_of(content))
    text = "".join(map(_letters, blocks))
    chinese = 4 * sum("\u4e00" <= char <= "\u9fff" for char in text) > len(text)
    words = [span for block in blocks for span in _words(block)]
    if rng is None:
        look = plain(chinese)
    else:
        italic = any(isinstance(span, Text) and span.italic for span in words)
        look = varied(rng, chinese, italic, captions(blocks), held)
    look = _covering(look, text)
    math, files = _formulas(blocks, words)
    others: dict[str, str | Picture] = {}
    for smiles in dict.fromkeys(span.smiles for span in words if isinstance(span, Molecule)):
        name = f"molecule {len(others)}.svg"
        others[smiles], files[name] = _molecule(smiles, name)
    for block in blocks:
        if isinstance(block, Table):
            grid = table.parsed(block.source)
            style = table.plain(grid) if rng is None else table.styled(grid, rng, held)
            bold = any("b" in piece.style for cell in grid.cells for piece in cell.content)
            faces = stressable(look.faces) if bold else look.faces
            shown = table.markup(grid, replace(style, faces=faces, size=10.0))
            others[block.source] = shown.removeprefix("#")
    return _fitted(blocks, look, math, files, others, rng)


def _spelled(blocks: list[Block]) -> list[Block]:
    """The blocks with signs among letters spelled so that no Markdown takes them for anything but signs."""

    def spelled(some: Spans) -> Spans:
        return tuple(
            replace(span, text=_SIGNS.sub(lambda sign: f"&#{ord(sign[0])};" + "&#8288;" * (sign[0] == ":"), span.text))
            if isinstance(span, Text) and not span.code
            else span
            for span in some
        )

    found: list[Block] = []
    for block in blocks:
        if isinstance(block, List):
            found.append(List(tuple(replace(item, spans=spelled(item.spans)) for item in block.items)))
        elif isinstance(block, Abstract):
            found.append(Abstract(tuple(map(spelled, block.paragraphs))))
        elif isinstance(block, Display | Table | Code | Rule):
            found.append(block)
        else:
            found.append(replace(block, spans=spelled(block.spans)))
    return found


def _scale_of(pdf: bytes) -> float:
    """Pixels a point, such that the page's longer side is as long as any page's."""
    box = re.search(rb"/MediaBox\s*\[\s*([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)", pdf)
    assert box
    x0, y0, x1, y1 = map(float, box.groups())
    return min(1.5, SIDE / max(x1 - x0, y1 - y0))


def _letters(block: Block) -> str:
    """All letters of a block."""
    if isinstance(block, Table):
        return ""
    return block.text if isinstance(block, Code) else spans.letters(tuple(_words(block)))


def _words(block: Block) -> Iterator[spans.Span]:
    """All that stands in the lines of a block."""
    some: list[Spans] = []
    if isinstance(block, List):
        some = [item.spans for item in block.items]
    elif isinstance(block, Abstract):
        some = list(block.paragraphs)
    elif not isinstance(block, Display | Table | Code | Rule):
        some = [block.spans]
    for each in some:
        yield from each


def _covering(look: Look, text: str) -> Look:
    """The look, in which every letter can be drawn. Raises BadInput where no font has one."""
    if lacking := typst.missing("".join(text.split()), look.faces):
        raise BadInput(
            f"no font here has {lacking[:5]!r} (U+{ord(lacking[0]):04X}): leave it out, or write it otherwise"
        )
    return look


_kept: dict[tuple[str, bool], mathpix.Formula] = {}
"""Formulas that were drawn: the same ones come again and again."""
KEPT = 4000


def _formulas(blocks: list[Block], words: list[spans.Span]) -> tuple[dict[tuple[str, bool], Picture], dict[str, bytes]]:
    """The pictures of all formulas, and their files. Raises RenderFailed."""
    wanted = [(span.latex, False) for span in words if isinstance(span, Math)]
    wanted += [(block.latex, True) for block in blocks if isinstance(block, Display)]
    bare = {each: (tagged(each[0])[0], each[1]) for each in wanted}
    simple = {each: _plain(latex) for each, (latex, display) in bare.items() if not display}
    bare = {each: formula for each, formula in bare.items() if not simple.get(each)}
    new = [each for each in dict.fromkeys(bare.values()) if each not in _kept]
    made = dict(zip(new, mathpix.formulas(new), strict=True)) if new else {}
    drawn = {each: made.get(bare[each]) or _kept[bare[each]] for each in bare}
    if len(_kept) + len(made) > KEPT:
        _kept.clear()
    _kept.update({each: one._replace(raw="") for each, one in made.items() if len(one.svg) < 10_000})
    pictures = {each: _simple(each[0], code) for each, code in simple.items() if code}
    files = {}
    for number, (each, picture) in enumerate(drawn.items()):
        pictures[each] = Picture(f"{number}.svg", picture.width, picture.height, picture.depth)
        files[f"{number}.svg"] = picture.svg.encode()
    return pictures, files


def _plain(latex: str) -> str:
    """The formula as Typst sets it, as close as TeX does: it puts spaces around what is quoted; "" for any other."""
    code = re.sub(r'upright\("([A-Za-z]+)"\)', lambda found: f"upright({' '.join(found[1])})", plainmath.typst(latex))
    for sign, name in (('","', "comma"), ('";"', "semi"), ('"!"', "excl")):
        code = code.replace(sign, name)
    return "" if '"' in code else code


def _molecule(smiles: str, name: str) -> tuple[Picture, bytes]:
    """A structural formula, its middle in that of the line. Raises BadInput, RenderFailed."""
    drawing = molecule.draw(f"<smiles>{smiles}</smiles>", None)
    svg = drawing.svg()
    size = re.search(r"<svg\b[^>]*? width=[\"']([\d.]+)[^>]*? height=[\"']([\d.]+)", svg)
    assert size
    width, height = (float(side) * drawing.scale / _BOND for side in size.groups())
    return Picture(name, width, height / 2 + 0.3, height / 2 - 0.3), svg.encode()


def _simple(latex: str, code: str) -> Picture:
    """A formula that Typst sets itself, and about how wide it is."""
    signs = len(re.sub(r"\\([A-Za-z])[A-Za-z]*|[{}_^\s]", r"\1", latex))
    return Picture(f"${code}$", 0.6 * signs, 0.9, 0.3)


def _fitted(
    blocks: list[Block],
    look: Look,
    math: dict[tuple[str, bool], Picture],
    files: dict[str, bytes],
    others: dict[str, str | Picture],
    rng: Random | None,
) -> Drawing:
    """The page, in the largest type that it fits in, up to the one wanted. Raises RenderFailed where none does."""
    scale = SIDE / max(look.width, look.height)
    look = replace(look, least=round(LEAST / scale, 2))
    look = _sized(blocks, look, math, rng, scale)
    size, least, tight = look.size, SMALLEST / scale, False
    while True:
        size = max(size, least)
        try:
            markup = Press(replace(look, size=round(size, 2)), math, others).markup(blocks)
            content = typst.pdf(markup, files)
        except RenderFailed as error:
            if "too long" in str(error) and size > least:
                size *= 0.95
            elif "too long" in str(error) and not tight:
                look, tight = tightened(look), True
            elif look.columns == 2:
                look = replace(look, columns=1)
            else:
                raise _failure(error, blocks) from error
        else:
            outline = partial(typst.svg, markup, files)
            return Drawing(content, "pdf", f"typst {need('typst').version}", scale, outline)


def _sized(
    blocks: list[Block], look: Look, math: dict[tuple[str, bool], Picture], rng: Random | None, scale: float
) -> Look:
    """The look, in the size that it should have, or a smaller one in which all fits, as far as is known beforehand."""
    wanted = (13.0 if rng is None else rng.uniform(10.5, 14.5)) / scale
    larger, cropped = (1.0, 0.0) if rng is None else (rng.uniform(1, 1.4), rng.random())

    def fill(size: float) -> float:
        page = replace(look, size=size)
        return press.height(blocks, page, math) / page.room

    if fill(wanted) < 0.6:
        look = replace(look, columns=1)
    if fill(wanted * larger) < 0.8:
        wanted *= larger
    while fill(wanted) > 0.96 and wanted > SMALLEST / scale:
        wanted *= 0.96
    return replace(look, size=wanted, cropped=cropped < 0.6 and look.columns == 1 and fill(wanted) < 0.85)


def _failure(error: RenderFailed, blocks: list[Block]) -> RenderFailed:
    count = sum(len(_letters(block)) for block in blocks)
    if "too long" in str(error):
        return RenderFailed(f"{count} characters and {len(blocks)} blocks don't fit on one page: give fewer")
    if "too wide" in str(error):
        return RenderFailed("a table doesn't fit on the page, even in small type: give one with fewer columns")
    return error


_MATH = re.compile(r"\\\(((?:(?!\\\().)+?)(?<!\\)\\\)|\\\[((?:(?!\\\[).)+?)(?<!\\)\\\]", re.DOTALL)
_TABLES = re.compile(
    r"\\begin\{tabular\}.+?(?:\\end\{tabular\}|\Z)|<table\b.+?(?:</table>|\Z)"
    r"|^[ \t]*\|[^\n]*\|[ \t]*\n[ \t]*\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?:\n|\Z)(?:[ \t]*\|[^\n]*\|[ \t]*(?:\n|\Z))*",
    re.DOTALL | re.M,
)
_ITEMS = re.compile(r"(?:^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+\S.*\n?){2,}", re.M)


def looks_like(text: str) -> bool:
    """Whether it has headings, or formulas, tables or lists with text around them; none of them alone is a document."""
    if _HEADED.search(text):
        return True
    rest = _ITEMS.sub("", _TABLES.sub("", _MATH.sub("", text)))
    return len(rest) < len(text) and bool(re.search(r"\w", rest)) and not text.lstrip().startswith(("{", "**kern"))


def score(predicted: str, truth: str) -> dict[str, float]:
    """Edit distances over the longer's length (0 is perfect): of all, and of text, formulas and tables by themselves.

    Those that the truth hasn't are left out; how a page is split is told in `metrics.formatted`.
    """
    ours, theirs = split(predicted), split(truth)
    parts = {f"{part}_edit_distance": edit_distance(ours[part], wanted) for part, wanted in theirs.items() if wanted}
    return {"edit_distance": edit_distance(predicted, truth), **parts}


def _read(text: str) -> list[Block]:
    """The blocks of a page that may be broken: a part of it that can't be read is a paragraph as it is."""
    try:
        return markdown.parsed(text)
    except BadInput:
        found: list[Block] = []
    for part in filter(str.strip, re.split(r"\n[ \t]*\n", text)):
        try:
            found += markdown.parsed(part)
        except BadInput:
            found.append(Paragraph((Text(" ".join(part.split())),)))
    if not found:
        raise BadInput("a page without anything on it: expected Mathpix Markdown")
    return found


def _csv(text: str) -> bytes:
    """The tables of the page; those that can't be read are left out."""
    found = []
    for block in _read(text):
        with suppress(BadInput):
            found += [tables.rows(table.parsed(block.source))] if isinstance(block, Table) else []
    if not found:
        raise BadInput("a page without a table that can be read: expected one for CSV")
    return tables.csv(found)


def _mathml(text: str) -> bytes:
    """The formulas of the page, those in lines too, in their order."""
    found = []
    for block in _read(text):
        found += [(block.latex, True)] if isinstance(block, Display) else []
        found += [(span.latex, False) for span in _words(block) if isinstance(span, Math)]
    if not found:
        raise BadInput("a page without formulas: expected one for MathML")
    return formula.listed(found)


def _smiles(text: str) -> bytes:
    """The molecules of the page, one a line; what is no SMILES is left out."""
    found = []
    for span in (span for block in _read(text) for span in _words(block)):
        with suppress(BadInput):
            found += [molecule.EXPORTS["smiles"](span.smiles)] if isinstance(span, Molecule) else []
    if not found:
        raise BadInput("a page without molecules: expected one for SMILES")
    return b"".join(found)


EXPORTS: Mapping[str, Callable[[str], bytes]] = {
    "latex": lambda text: f"{article.written(_read(text))}\n".encode(),
    "html": lambda text: f"{webpage.written(_read(text))}\n".encode(),
    "md": lambda text: f"{github.written(_read(text))}\n".encode(),
    "csv": _csv,
    "mathml": _mathml,
    "smiles": _smiles,
}
"""What a transcript can be written as; each raises BadInput for a page without anything for it."""
