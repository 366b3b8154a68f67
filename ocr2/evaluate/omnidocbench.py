"""OmniDocBench: whole pages, compared piece by piece: paragraphs, formulas, tables, and the order they are read in.

    for item in OMNIDOCBENCH.items(Path("OmniDocBench")):
        OMNIDOCBENCH.score(item, Answer("# Title\\n\\nText"), "corrected")  # {"text_edit_distance": 0.02, …}

L. Ouyang et al., "OmniDocBench" (CVPR 2025): 981 pages in v1.0, 1,355 in v1.5, 1,651 in v1.6, all in one layout.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ocr2.characters.alike import alike
from ocr2.characters.latex import normal
from ocr2.errors import BadInput, RendererMissing
from ocr2.evaluate import omnitables
from ocr2.evaluate.benchmark import Item
from ocr2.evaluate.folders import Entry, Folder, entries, opened, picture
from ocr2.evaluate.omniblocks import Block, as_formula, as_table, as_text, blocks, cells, rows, unmarked
from ocr2.evaluate.omnimatch import assigned, distances, matched
from ocr2.metrics import need
from ocr2.metrics.teds import teds
from ocr2.types import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ocr2.evaluate.benchmark import Answer, Mode, Scored, Table

TEXT = ("text_block", "title", "code_txt", "code_txt_caption", "reference")
IGNORED = (
    *("equation_caption", "figure_caption", "figure_footnote", "table_caption", "table_footnote", "code_algorithm"),
    *("code_algorithm_caption", "header", "footer", "page_footnote", "page_number"),
)
"""Text that may be read or left out."""
FORMULA, TABLE = "equation_isolated", "table"
LANGUAGES = {"english": "en", "en": "en", "simplified_chinese": "zh"}


@dataclass(frozen=True)
class Piece:
    """What a page has in one place."""

    category: str
    order: float
    """Its place in the reading order; 0 for what has none."""
    text: str
    """LaTeX where it is a formula, HTML where it is a table."""


@dataclass(frozen=True)
class _Pair:
    """Pieces of a page that belong together, and what was read of them."""

    truth: tuple[Piece, ...]
    read: tuple[Block, ...]

    @property
    def category(self) -> str:
        """That of most of them."""
        return Counter(piece.category for piece in self.truth).most_common(1)[0][0]


@dataclass(frozen=True)
class OmniDocBench:
    """Pages of nine kinds of documents."""

    title: str = "OmniDocBench: whole pages (L. Ouyang et al., 2024)"
    source: str = "https://huggingface.co/datasets/opendatalab/OmniDocBench (for research only)"

    def items(self, folder: Path) -> Iterable[Item]:
        """A page each, by the names of their images: official folders of predictions (`<image>.md`) fit.

        Raises BadInput, and MetricMissing without rapidfuzz.
        """
        need("rapidfuzz")
        root = Folder(folder, "OmniDocBench.json and images/", self.source)
        told = entries(root.file("OmniDocBench.json"))
        images = root.folder("images")
        taken: dict[str, str] = {}
        found = []
        for entry in told:
            page = _inner(entry, "page_info")
            name = PurePosixPath(page.text("image_path").replace("\\", "/")).name
            path = picture(images, name, entry.where)
            if path.stem in taken:
                raise BadInput(
                    f"{entry.where} is of the image {name!r}, as {taken[path.stem]} is: expected one entry each"
                )
            taken[path.stem] = entry.where
            found.append(_item(path, entry, page))
        return found

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float] | None:
        """Edit distances of the text, the formulas, the tables and the order, the tables' TEDS, the formulas' likeness.

        Each is there only where the page has such pieces. A distance is that of all its pieces over their lengths (the
        longer of both); the others are means over pieces, and 0 for one that wasn't read. Pieces are put together by
        `omnimatch`; what was read and isn't labelled costs nothing. LaTeX tables are made HTML by `characters.table`
        (published: by LaTeXML), and tables count in any notation. "formula_likeness" stands in for CDM, which needs
        pdflatex, Ghostscript and ImageMagick: both formulas are drawn by us and their pictures compared.

        Published: None for a page without an answer; "/t" and "/n" are taken out of text; a formula that is read as
        text counts as text, and not as a formula.
        """
        published = mode == "published"
        if published and answer.error:
            return None
        read = blocks(answer.text)
        scores, rest = _tables([piece for piece in item.more if piece.category == TABLE], read)
        pairs = _pairs([piece for piece in item.more if piece.category != TABLE], rest, published)
        if published:
            pairs = [_as_read(pair) for pair in pairs]
        text = [pair for pair in pairs if pair.category in TEXT]
        formulas = [pair for pair in pairs if pair.category == FORMULA]
        scores |= _distance("text_edit_distance", [_compared(pair, published) for pair in text])
        scores |= _distance("formula_edit_distance", [_compared(pair, published) for pair in formulas])
        scores |= _likeness(formulas)
        return scores | _order(text)

    def worth(self, scores: dict[str, float]) -> float:
        """The mean over what the page has: text, order, formulas, tables; 1 for a page that has nothing."""
        formula = "formula_likeness" if "formula_likeness" in scores else "formula_edit_distance"
        parts = [
            name for name in ("text_edit_distance", "order_edit_distance", formula, "table_teds") if name in scores
        ]
        worths = [1 - scores[name] if name.endswith("distance") else scores[name] for name in parts]
        return fmean(worths) if worths else 1.0

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """The table of v1.0, by language, and that of v1.5 and v1.6, over all pages."""
        return [omnitables.by_language(scored, name), omnitables.over_all(scored, name)]


OMNIDOCBENCH = OmniDocBench()


def _inner(entry: Entry, name: str) -> Entry:
    """The object in a field of an entry. Raises BadInput."""
    value = entry.value(name)
    if not isinstance(value, dict):
        raise BadInput(f"{entry.where}, {name!r} is {value!r:.60}: expected an object")
    return Entry(value, f"{entry.where}, {name!r}")


def _objects(entry: Entry, name: str) -> list[Entry]:
    """The objects in a field of an entry. Raises BadInput."""
    value = entry.value(name)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadInput(f"{entry.where}, {name!r} is {value!r:.60}: expected a list of objects")
    return [Entry(each, f"{entry.where}, {name!r}, entry {number}") for number, each in enumerate(value, 1)]


def _item(path: Path, entry: Entry, page: Entry) -> Item:
    pieces = _pieces(entry)
    attributes = page.fields.get("page_attribute")
    told = attributes if isinstance(attributes, dict) else {}
    return Item(
        path.stem,
        opened(path),
        "\n\n".join(piece.text for piece in pieces if piece.category not in IGNORED),
        "document",
        str(told.get("data_source", "")),
        Prompt(format=True),
        LANGUAGES.get(str(told.get("language", "")).lower(), ""),
        pieces,
    )


def _pieces(entry: Entry) -> tuple[Piece, ...]:
    """The pieces of a page that are compared, in their order: what is cut in two by a column or picture is one."""
    found: dict[object, Piece] = {}
    for told in _objects(entry, "layout_dets"):
        category = told.text("category_type")
        field = {FORMULA: "latex", TABLE: "html"}.get(category, "text" if category in (*TEXT, *IGNORED) else "")
        if not field or told.fields.get("ignore") is True:
            continue
        order = told.fields.get("order")
        if order is not None and (isinstance(order, bool) or not isinstance(order, int | float)):
            raise BadInput(f"{told.where}, 'order' is {order!r:.60}: expected a number")
        key = told.fields.get("anno_id", told.where)
        if not isinstance(key, int | str) or key in found:
            raise BadInput(f"{told.where}, 'anno_id' is {key!r:.60}: expected a number that no other piece has")
        found[key] = Piece(category, order or 0, told.text(field))
    for group in _cut(entry):
        parts = sorted((found.pop(key) for key in group if key in found), key=lambda piece: piece.order)
        if parts:
            found[min(group, key=str)] = replace(parts[0], text="".join(part.text for part in parts))
    return tuple(sorted(found.values(), key=lambda piece: piece.order))


def _cut(entry: Entry) -> list[set[Any]]:
    """The ids of pieces that are parts of one, by the page's relations."""
    groups: list[set[Any]] = []
    if entry.fields.get("extra") is None:
        return groups
    extra = _inner(entry, "extra")
    for told in _objects(extra, "relation") if extra.fields.get("relation") is not None else []:
        if told.fields.get("relation_type") == "truncated":
            ends = {told.value("source_anno_id"), told.value("target_anno_id")}
            met = [group for group in groups if group & ends]
            groups = [group for group in groups if not group & ends] + [ends.union(*met)]
    return groups


def _tables(truth: Sequence[Piece], read: Sequence[Block]) -> tuple[dict[str, float], list[Block]]:
    """The scores of a page's tables, and what else was read: cells of tables that aren't any of it are text."""
    tables = [block for block in read if block.kind == "table"]
    theirs, ours = ([as_table(each.text) for each in found] for found in (truth, tables))
    pairs = dict(assigned(distances(theirs, ours)))
    rest = [block for block in read if block.kind != "table"]
    for number, block in enumerate(tables):
        if number not in pairs.values():
            rest += [Block("text", block.place, cell) for cell in cells(block.text)]
    rest.sort(key=lambda block: (block.kind == "inline", block.place))
    if not truth:
        return {}, rest
    compared = [(ours[pairs[number]] if number in pairs else "", html) for number, html in enumerate(theirs)]
    scores = {
        "table_teds": fmean(teds(*pair) for pair in compared),
        "table_teds_structure": fmean(teds(*pair, structure=True) for pair in compared),
    }
    return scores | _distance("table_edit_distance", compared), rest


def _pairs(truth: Sequence[Piece], read: Sequence[Block], published: bool) -> list[_Pair]:
    """The pieces of a page with what was read of each. Rows of a formula, and of an array, are put together anew."""
    wanted: list[tuple[Piece, str]] = []
    for piece in truth:
        if piece.category == FORMULA:
            found = rows(piece.text)
            steps = [place / 10 if len(found) > 1 else 0.0 for place in range(1, len(found) + 1)]
            parts = [replace(piece, text=row, order=piece.order + step) for row, step in zip(found, steps, strict=True)]
            wanted += [(part, as_formula(part.text)) for part in parts]
        else:
            wanted.append((piece, as_text(piece.text, published)))
    given = [(block, _plain(block, published)) for block in read]
    wanted, given = [each for each in wanted if each[1]], [each for each in given if each[1]]
    ignored = [plain for piece, plain in wanted if piece.category in IGNORED]
    wanted = [each for each in wanted if each[0].category not in IGNORED]
    matches = matched([plain for _, plain in wanted], [plain for _, plain in given], ignored)
    return [
        _Pair(tuple(wanted[number][0] for number in match.truth), tuple(given[number][0] for number in match.predicted))
        for match in matches
    ]


def _plain(block: Block, published: bool) -> str:
    return as_text(block.text, published) if block.kind == "text" else as_formula(block.text)


def _as_read(pair: _Pair) -> _Pair:
    """A formula that was read as text as text; anything else as it is."""
    if pair.category != FORMULA or not pair.read or pair.read[0].kind != "text":
        return pair
    return replace(pair, truth=tuple(replace(each, category=TEXT[0], text=unmarked(each.text)) for each in pair.truth))


def _compared(pair: _Pair, published: bool) -> tuple[str, str]:
    """What was read and what stands there, in comparable form."""
    theirs = [
        as_formula(each.text) if each.category == FORMULA else as_text(each.text, published) for each in pair.truth
    ]
    return "".join(_plain(block, published) for block in pair.read), "".join(theirs)


def _distance(measure: str, pairs: Iterable[tuple[str, str]]) -> dict[str, float]:
    """The edits of all pairs over the lengths of the longer ones; nothing where there is no text."""
    from rapidfuzz.distance import Levenshtein

    edits = [(Levenshtein.distance(ours, theirs), max(len(ours), len(theirs))) for ours, theirs in pairs]
    total = sum(length for _, length in edits)
    return {measure: sum(edit for edit, _ in edits) / total} if total else {}


def _likeness(pairs: Sequence[_Pair]) -> dict[str, float]:
    """How alike the formulas look, on average; nothing where there is none, or nothing that draws them."""
    found = []
    for pair in pairs:
        ours, theirs = _stacked([block.text for block in pair.read]), _stacked([piece.text for piece in pair.truth])
        try:
            found.append(1.0 if _spelled_alike(ours, theirs) else alike("formula", ours, theirs) if ours else 0.0)
        except RendererMissing:
            return {}
    return {"formula_likeness": fmean(found)} if found else {}


def _spelled_alike(one: str, other: str) -> bool:
    """Whether two formulas have one normal form: they are then one picture, too."""
    try:
        return normal(one) == normal(other)
    except BadInput:
        return False


def _stacked(formulas: Sequence[str]) -> str:
    """The formulas as one, a row each."""
    if len(formulas) < 2:
        return "".join(formulas)
    inner = (text.strip().removeprefix("\\[").removesuffix("\\]").strip("$").strip() for text in formulas)
    return "\\[\\begin{array}{l} " + r" \\ ".join(f"{{{text}}}" for text in inner) + " \\end{array}\\]"


def _order(pairs: Sequence[_Pair]) -> dict[str, float]:
    """The edit distance of the order in which the page's text was read from that in which it is to be read."""
    from rapidfuzz.distance import Levenshtein

    told = sorted(piece.order for pair in pairs for piece in pair.truth if piece.order)
    read = sorted((pair for pair in pairs if pair.read), key=lambda pair: pair.read[0].place)
    ours = [piece.order for pair in read for piece in pair.truth if piece.order]
    return {"order_edit_distance": Levenshtein.normalized_distance(ours, told)} if told else {}
