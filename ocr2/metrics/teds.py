"""TEDS, how alike two HTML tables are: 1 less the edits that turn one's tree into the other's, over its nodes.

    teds("<table><tr><td>a</td></tr></table>", "<table><tr><td>b</td></tr></table>")  # 0.5: one of two nodes is wrong

The tree is `<table>`, what sections and rows it has, and its cells, which have no children: tags in a cell, as `<b>`,
are each a character of its text. Nothing is normalised but character references (`&amp;`), comments, and end tags that
are left out: white space counts, and so do `<thead>` and `<tbody>`.

Source: X. Zhong et al., "Image-based table recognition: data, model, and evaluation" (2020), and its script,
PubTabNet's `metric.py`. OmniDocBench's is the same, of tables that it first normalises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_PAIRS = 10_000_000
"""Nodes of one tree by those of the other: 150 rows of 20 columns against as many. It takes 200 MB."""
MOST_STEPS = 200_000_000
"""Of the tree edit distance: some seconds."""
MOST_TEXT = 1_000_000_000
"""Characters of one table's cells by those of the other's: 30,000 against as many. It takes a second."""
DEEPEST = 100
"""How deep tags may stand in tags: those that stand deeper are left out, as parsers do."""
OVERHEAD = 500
"""Steps that take as long as to begin with a row of them."""
BLOCK = 250_000
"""Steps whose numbers are held at once."""
_TAG = re.compile(r"<!--(?:.*?-->|.*)|<[!?][^<>]*>|<(/?)([a-z][\w:-]*+)([^<>]*)>", re.DOTALL | re.IGNORECASE)
_SPAN = r"(?:^|[\s\"']){}\s*+=\s*+(?:[\"']\s*+)?(\d{{1,9}})(?!\d)"
_SPANS = [re.compile(_SPAN.format(name), re.IGNORECASE) for name in ("colspan", "rowspan")]
_WITHOUT_END = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "wbr"}
_CELLS = {"td", "th"}
_SECTIONS = {"thead", "tbody", "tfoot"}
_ENDED_BY = {
    **dict.fromkeys(_CELLS, _CELLS),
    "tr": _CELLS | {"tr", "caption", "colgroup"},
    **dict.fromkeys(_SECTIONS, _CELLS | _SECTIONS | {"tr", "caption", "colgroup"}),
}
"""What is open, and ends where another such part of the table begins."""
_RANK = {"td": 1, "th": 1, "tr": 2, **dict.fromkeys(_SECTIONS, 3), "table": 4}
"""An end tag ends nothing of a higher rank."""


def teds(predicted: str, truth: str, structure: bool = False, *, published: bool = False) -> float:
    """1 (the same table) to 0, of the first table in each HTML text; with `structure`, whatever the cells' texts.

    To insert or delete a node costs 1; so does to make it another tag, or one with another span; a cell's text costs
    its edit distance over the longer's length. The edits are divided by the tags in the larger table, those in its
    cells too, but for `<table>` itself (in the paper, by the tree's nodes; every TEDS in print is the script's).

    Without a table in both it is 0, and 1 for tables that have nothing in them (the script divides by zero). Time and
    memory are bounded: for tables that differ and are larger than MOST_PAIRS, MOST_STEPS or MOST_TEXT allow it is 0, as
    OmniDocBench's is after two minutes.

    Published differs in two things: the text of `<th>` doesn't count, and deeply nested tags that have nothing in
    common give less than 0. (It wants `<html><body>` right around each table; that is never asked here.)
    """
    one, two = (_tree(text, structure, published) for text in (predicted, truth))
    if one is None or two is None:
        return 0.0
    if one.depths == two.depths and one.tags == two.tags and one.texts == two.texts:
        return 1.0
    edits = _edits(one, two)
    if edits is None:
        return 0.0
    worth = 1 - edits / max(one.elements, two.elements)
    return worth if published else max(0.0, worth)


@dataclass
class _Tree:
    """A table's n nodes, in the order of their start tags."""

    depths: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    tags: list[tuple[str, ...]] = field(default_factory=list)
    """A cell's with its spans."""
    texts: list[tuple[str, ...]] = field(default_factory=list)
    """Characters and tags; none of what is no cell."""
    elements: int = 0
    """Tags in the table, those in its cells too."""

    def sizes(self) -> Array:
        """(n) How many nodes each is with all that are in it."""
        sizes = [1] * len(self.depths)
        for node in range(len(sizes) - 1, 0, -1):
            sizes[self.parents[node]] += sizes[node]
        return np.array(sizes)

    def add(self, parent: int, tag: tuple[str, ...]) -> int:
        """The number of a new node."""
        self.depths.append(self.depths[parent] + 1 if parent >= 0 else 0)
        self.parents.append(parent)
        self.tags.append(tag)
        self.texts.append(())
        return len(self.depths) - 1


class _Builder:
    """Makes the tree of a table's tags and texts, as they come."""

    def __init__(self, structure: bool, published: bool) -> None:
        self.tree = _Tree()
        self.structure, self.published = structure, published
        self.open: list[str] = []
        """Tags that didn't end yet."""
        self.nodes: list[int] = []
        """Of each its node; -1 in a cell."""
        self.text: list[str] | None = None
        """What the cell that is open has so far."""
        self.after_cell = False
        """Whether the last thing in the cell was a cell of a table in it: what comes up to the next tag is nowhere."""

    def start(self, tag: str, rest: str) -> None:
        """A start tag, with what is told in it."""
        ended = _ENDED_BY.get(tag, ())
        for place in range(len(self.open) - 1, -1, -1) if ended else ():
            if self.open[place] == "table":
                break
            if self.open[place] in ended:
                self._end(place)
        if len(self.open) >= DEEPEST:
            return
        self.after_cell = False
        self.tree.elements += 1
        node = -1
        if self.text is not None:
            self.text.append(f"<{tag}>")
        else:
            is_cell = tag == "td" or (tag == "th" and not self.published)
            spans = [found[1].lstrip("0") if (found := span.search(rest)) else "1" for span in _SPANS]
            node = self.tree.add(self.nodes[-1] if self.open else -1, ("td", *spans) if is_cell else (tag,))
            self.text = [] if is_cell else None
        self.open.append(tag)
        self.nodes.append(node)
        if tag in _WITHOUT_END or rest.endswith("/"):
            self._end(len(self.open) - 1)

    def end(self, tag: str) -> None:
        """An end tag: of the last such tag that is open, if any, and of all in it."""
        for place in range(len(self.open) - 1, -1, -1) if tag in self.open else ():
            if self.open[place] == tag:
                self._end(place)
                return
            if _RANK.get(self.open[place], 0) > _RANK.get(tag, 0):
                return

    def characters(self, text: str) -> None:
        """Text between tags."""
        if self.text is not None and not self.after_cell and not self.structure:
            self.text.extend(unescape(text))

    def _end(self, place: int) -> None:
        while len(self.open) > place:
            tag, node = self.open.pop(), self.nodes.pop()
            if self.text is None:
                continue
            if node < 0:
                self.text.append(f"</{tag}>")
                self.after_cell = tag == "td"
            else:
                self.tree.texts[node] = () if self.structure else tuple(self.text)
                self.text, self.after_cell = None, False


def _tree(text: str, structure: bool, published: bool) -> _Tree | None:
    """The first table's, to its end or the text's; None where there is none."""
    builder = _Builder(structure, published)
    place = 0
    for found in _TAG.finditer(text):
        tag = (found[2] or "").lower()
        if builder.open:
            builder.characters(text[place : found.start()])
            if found[1]:
                builder.end(tag)
            elif tag:
                builder.start(tag, found[3])
            if not builder.open:
                break
        elif tag == "table" and not found[1]:
            builder.start(tag, "")
        place = found.end()
    else:
        if not builder.open:
            return None
        builder.characters(text[place:])
        builder.end("table")
    builder.tree.elements -= 1
    return builder.tree


@dataclass
class _Forest:
    """A tree's n nodes, each after all that are in it: its postorder, or that of its mirror image."""

    order: Array
    """(n) Which node of the tree each is."""
    first: Array
    """(n) The first of those that are in it; itself where none is."""
    roots: dict[int, Array]
    """By their size, each node of which no other with the same first is part: the "keyroots"."""

    @property
    def steps(self) -> int:
        """The nodes in all roots."""
        return sum(size * len(roots) for size, roots in self.roots.items())


def _forest(tree: _Tree, mirrored: bool) -> _Forest:
    sizes = tree.sizes()
    numbers = np.arange(len(sizes))
    place = numbers[::-1] if mirrored else numbers - np.array(tree.depths) + sizes - 1
    order = np.empty_like(numbers)
    order[place] = numbers
    first = numbers - sizes[order] + 1
    roots = np.array(sorted(dict(zip(first.tolist(), numbers.tolist(), strict=True)).values()))
    by_size = {size: roots[roots - first[roots] + 1 == size] for size in np.unique(sizes[order][roots]).tolist()}
    return _Forest(order, first, by_size)


def _edits(one: _Tree, two: _Tree) -> float | None:
    """The least cost of turning one tree into the other; None where that may take too long.

    Source: K. Zhang, D. Shasha, "Simple fast algorithms for the editing distance between trees and related problems"
    (1989). Roots of one size are never part of each other, so that all pairs of two sizes are done at once. Of the
    trees and their mirror images, those are taken that have less to do.
    """
    one, two = sorted((one, two), key=lambda tree: len(tree.depths))  # either way it costs the same
    if len(one.depths) * len(two.depths) > MOST_PAIRS:
        return None
    if sum(map(len, set(one.texts))) * sum(map(len, set(two.texts))) > MOST_TEXT:
        return None
    steps, ours, theirs = min(
        ((_steps(*pair), *pair) for pair in ((_forest(one, flip), _forest(two, flip)) for flip in (False, True))),
        key=lambda told: told[0],
    )
    if steps > MOST_STEPS:
        return None
    costs = _replacing(one, two)[ours.order[:, None], theirs.order]
    for our_size, our_roots in ours.roots.items():
        for size, roots in theirs.roots.items():
            if our_size == size == 1:
                continue  # what a leaf costs to be another one is less than to delete and insert it
            wide = max(1, BLOCK // (len(roots) * (our_size + 1) * (size + 1)))
            for place in range(0, len(our_roots), wide):
                _settle(costs, our_roots[place : place + wide], roots, ours.first, theirs.first)
    return float(costs[-1, -1])


def _steps(ours: _Forest, theirs: _Forest) -> int:
    return ours.steps * theirs.steps + OVERHEAD * sum(ours.roots) * len(theirs.roots)


def _settle(costs: Array, our_roots: Array, roots: Array, our_first: Array, first: Array) -> None:
    """Sets the distances of the trees at all roots, a in number and m in size, and b of size n, and of those at the
    first nodes in them and in what has the same first. What isn't set yet is what it costs to replace the node itself.
    """
    m, n = (int(some[0] - begins[some[0]]) + 1 for some, begins in ((our_roots, our_first), (roots, first)))
    ours = our_first[our_roots][:, None] + np.arange(m)  # (a, m)
    theirs = first[roots][:, None] + np.arange(n)  # (b, n)
    before_ours, before = our_first[ours] - ours[:, :1], first[theirs] - theirs[:, :1]
    columns = np.arange(1.0, n + 1)
    shape = len(our_roots), len(roots), n + 1
    forests = np.empty((m + 1, *shape))  # of each, the first nodes, 0 to m and 0 to n
    forests[0] = np.arange(n + 1)
    flat, every = forests.reshape(-1), forests[0].size
    places = np.arange(every).reshape(shape)[..., :1] + before  # (a, b, n)
    for row in range(m):
        trees = (before_ours[:, row, None, None] == 0) & (before == 0)
        pairs = ours[:, row, None, None], theirs
        above = forests[row]
        replaced = np.where(trees, above[..., :-1], flat[places + before_ours[:, row, None, None] * every])
        replaced += costs[pairs]
        line = np.minimum(above[..., 1:] + 1, replaced) - columns
        np.minimum(line, row + 1, out=line)
        np.minimum.accumulate(line, axis=-1, out=line)  # to insert costs 1 each: the best start, and from there on
        line += columns
        forests[row + 1, ..., 0], forests[row + 1, ..., 1:] = row + 1, line
        if not before_ours[:, row].all():
            costs[pairs] = np.where(trees, line, costs[pairs])


def _replacing(one: _Tree, two: _Tree) -> Array:
    """What it costs to make each node of one each of the other."""
    ours, theirs = (list(dict.fromkeys(tree.texts)) for tree in (one, two))
    numbers = [
        np.array([places[text] for text in tree.texts])
        for tree, places in ((one, _places(ours)), (two, _places(theirs)))
    ]
    costs: Array = _differences(ours, theirs)[numbers[0][:, None], numbers[1]]
    tags = _places(list(dict.fromkeys(one.tags + two.tags)))
    kinds = [np.array([tags[tag] for tag in tree.tags]) for tree in (one, two)]
    costs[kinds[0][:, None] != kinds[1]] = 1
    return costs


def _places(values: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    return {value: place for place, value in enumerate(values)}


def _differences(ours: Sequence[tuple[str, ...]], theirs: Sequence[tuple[str, ...]]) -> Array:
    """(ours, theirs) The edit distance of each two over the length of the longer; 0 for two that are empty.

    As in `metrics.levenshtein` a column of the table is one integer. Here it is those of all of ours, one beside the
    other, each with a bit or more to spare, where what is carried over ends.
    """
    lengths = np.array([len(text) for text in ours])
    widths = lengths // 8 + 1  # bytes
    starts = np.cumsum(widths) - widths
    many = int(widths.sum())
    where = _where(ours, starts.tolist(), many, {token for text in theirs for token in text})
    bits = np.arange(8 * many) - np.repeat(8 * starts, 8 * widths)  # of its text, the number of each
    rows, tops = (_integer(some) for some in (bits < np.repeat(lengths, 8 * widths), bits == 0))
    tops &= rows
    found = np.empty((len(ours), len(theirs)))
    for place, text in enumerate(theirs):
        rises, falls = rows, 0
        for token in text:
            equal = where.get(token, 0)
            zero = (((equal & rises) + rises) ^ rises) | equal | falls
            right = (falls | (rows & ~(zero | rises))) << 1 | tops
            falls, rises = right & zero & rows, ((rises & zero) << 1 | (rows & ~(zero | right))) & rows
        longer = np.maximum(lengths, max(1, len(text)))
        found[:, place] = (len(text) + _counts(rises, many, starts) - _counts(falls, many, starts)) / longer
    return found


def _where(texts: Sequence[tuple[str, ...]], starts: Sequence[int], many: int, wanted: set[str]) -> dict[str, int]:
    """Of each wanted token the bits at which it stands."""
    places: dict[str, bytearray] = {}
    for text, start in zip(texts, starts, strict=True):
        for place, token in enumerate(text):
            if token in wanted:
                bits = places.get(token) or places.setdefault(token, bytearray(many))
                bits[start + place // 8] |= 1 << place % 8
    return {token: int.from_bytes(bits, "little") for token, bits in places.items()}


def _integer(bits: Array) -> int:
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


_BITS = np.array([value.bit_count() for value in range(256)], np.int64)


def _counts(bits: int, many: int, starts: Array) -> Array:
    """How many bits are set from each start on."""
    return np.add.reduceat(_BITS[np.frombuffer(bits.to_bytes(many, "little"), np.uint8)], starts)
