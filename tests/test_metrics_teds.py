"""TEDS against the published way to it: lxml's parser and the `apted` package."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING

import pytest
from apted import APTED, Config
from lxml import html
from rapidfuzz.distance import Levenshtein

from ocr2.metrics.teds import teds

if TYPE_CHECKING:
    from lxml.html import HtmlElement

WORDS = (
    *("a", "b", "12.5", "–", "中文", "x &amp; y", "&lt;0.05", "", " ", "foo bar", "<b>h</b>", "<b>A</b> 1", "<i>p</i>"),
    *("x<sup>2</sup>", "<sub>i</sub>", "a<br>b", "a<br/>b", "<b><i>z</i></b>", "<!-- c -->k", "&nbsp;", "\n"),
    "word " * 30,
)


class Node:
    """A node as `apted` wants it."""

    def __init__(self, element: HtmlElement, structure: bool) -> None:
        cell = element.tag == "td"
        self.label = (element.tag, *(int(element.get(name, "1")) for name in ("colspan", "rowspan") if cell))
        self.text = tokens(element)[1:-1] if cell and not structure else []
        self.children = [] if cell else [Node(child, structure) for child in element]


def tokens(element: HtmlElement) -> list[str]:
    found = [f"<{element.tag}>", *(element.text or "")]
    for child in element:
        found += [*tokens(child), *((child.tail or "") if child.tag != "td" else "")]
    return [*found, f"</{element.tag}>"]


class Costs(Config):
    def rename(self, one: Node, two: Node) -> float:
        if one.label != two.label:
            return 1.0
        return Levenshtein.distance(one.text, two.text) / max(1, len(one.text), len(two.text))


def slow(predicted: str, truth: str, structure: bool = False) -> float:
    """The published measure."""
    parser = html.HTMLParser(remove_comments=True, encoding="utf-8")
    pages = (f"<html><body>{text}</body></html>".encode() for text in (predicted, truth))
    one, two = (html.fromstring(page, parser=parser).xpath("body/table")[0] for page in pages)
    most = max(len(table.xpath(".//*")) for table in (one, two))
    edits = APTED(Node(one, structure), Node(two, structure), Costs()).compute_edit_distance()
    return 1 - edits / most if most else 1.0


def random_table(rng: Random, most: int = 5) -> str:
    def cell() -> str:
        spans = "".join(f' {name}="{rng.randint(2, 3)}"' for name in ("rowspan", "colspan") if rng.random() < 0.15)
        tag = rng.choice(("td", "td", "td", "th"))
        return f"<{tag}{spans}>{''.join(rng.choices(WORDS, k=rng.choice((1, 1, 2))))}</{tag}>"

    rows = [f"<tr>{''.join(cell() for _ in range(rng.randint(0, most)))}</tr>" for _ in range(rng.randint(0, most))]
    head, form = rng.randint(0, len(rows)), rng.random()
    if form < 0.5:
        return f"<table><thead>{''.join(rows[:head])}</thead><tbody>{''.join(rows[head:])}</tbody></table>"
    return (
        f"<table border='1'><tbody>{''.join(rows)}</tbody></table>" if form < 0.7 else f"<table>{''.join(rows)}</table>"
    )


def damaged(table: str, rng: Random) -> str:
    """The table without some end tags, or one tag, or what comes after it."""
    tag = rng.choice(list(re.finditer(r"<[^<>]*>", table)))
    forms = table[: tag.end()], table[: tag.start()] + table[tag.end() :], re.sub("</t[dr]>", "", table)
    return rng.choice([form if form.startswith("<table") else table for form in forms])


def edited(table: str, rng: Random) -> str:
    """The table with some cells and spans changed."""
    return table.replace("12", "13").replace("i>", "b>").replace(rng.choice((' colspan="2"', "<tr></tr>")), "")


@pytest.mark.parametrize("structure", [False, True], ids=["all", "structure"])
@pytest.mark.parametrize("change", [edited, damaged, None])
def test_it_is_the_published_measure(change, structure: bool) -> None:
    rng = Random(7)
    worths = set()
    for _ in range(100):
        truth = random_table(rng)
        predicted = change(truth, rng) if change else random_table(rng)
        found = teds(predicted, truth, structure, published=True)
        assert found == pytest.approx(slow(predicted, truth, structure), abs=1e-9), (predicted, truth)
        worths.add(round(found, 3))
    assert len(worths) > 8


def test_it_is_the_published_measure_of_any_tree() -> None:
    rng = Random(8)

    def tree(most: int) -> str:
        """Up to so many nodes, deep to the left or to the right or neither."""
        text, lean = "", rng.choice((0.1, 0.5, 0.9))
        for _ in range(rng.randint(0, most)):
            tag = rng.choice(("u", "i", "q"))
            whole = f"<{tag}>{text}</{tag}>"
            text = whole if rng.random() < 0.6 else f"<s></s>{whole}" if rng.random() < lean else f"{whole}<s></s>"
        return text

    for _ in range(80):
        one, two = (f"<table>{tree(9)}{tree(9)}</table>" for _ in range(2))
        assert teds(one, two, published=True) == pytest.approx(slow(one, two), abs=1e-9), (one, two)


def test_a_large_table_is_the_published_measure() -> None:
    rng = Random(9)

    def row() -> str:
        return f"<tr>{''.join(f'<td>{rng.randint(0, 9999)}' for _ in range(rng.randint(6, 8)))}</tr>"

    one, two = (f"<table>{''.join(row() for _ in range(16))}</table>" for _ in range(2))
    assert teds(one, two) == pytest.approx(slow(one, two), abs=1e-9)


def numbered(rows: range | list[int], columns: int) -> str:
    cells = "<tr>{}</tr>".format
    return f"<table>{''.join(cells(''.join(f'<td>{r}-{c}</td>' for c in range(columns))) for r in rows)}</table>"


def test_what_is_missing_costs_its_nodes() -> None:
    rows = [row for row in range(40) if row not in (0, 17, 18, 39)]
    whole, less = numbered(range(40), 20), numbered(rows, 20)
    for one, two in ((whole, less), (less, whole)):
        assert teds(one, two) == pytest.approx(36 / 40)
        assert teds(one, two, structure=True) == pytest.approx(36 / 40)
    columns = numbered(range(40), 17)
    assert teds(columns, whole) == pytest.approx(1 - 3 / 21)


def test_texts_count_by_their_distance() -> None:
    rng = Random(10)
    for length in (0, 1, 7, 8, 9, 63, 64, 65, 300):
        one, two = ("".join(rng.choices("ab中d", k=max(0, length + rng.randint(-2, 2)))) for _ in range(2))
        tables = [f"<table><tr><td>{text}</td><td>x</td></tr></table>" for text in (one, two)]
        assert teds(*tables) == pytest.approx(1 - Levenshtein.normalized_distance(one, two) / 3, abs=1e-12)
        assert teds(*tables, structure=True) == 1


def test_heads_are_cells_but_for_the_published_script() -> None:
    head = "<table><tr><th>a</th></tr></table>"
    assert teds(head, head.replace("th", "td")) == 1
    assert teds(head, head.replace("a<", "b<")) == 0.5
    assert teds(head, head.replace("a<", "b<"), published=True) == 1
    assert teds(head, head.replace("th", "td"), published=True) == 0.5


def test_less_than_nothing_is_nothing_but_for_the_published_script() -> None:
    deep, flat = f"<table>{'<i>' * 40}</table>", f"<table>{'<tr></tr>' * 40}</table>"
    assert teds(deep, flat) == 0
    assert teds(deep, flat, published=True) == pytest.approx(slow(deep, flat)) and slow(deep, flat) < -0.9


CELL = "<table><tr><td>x</td></tr></table>"


def test_the_first_table_counts() -> None:
    assert teds(f"<p>x</p>\n{CELL} and <table><tr><td>b</td></tr></table>", f"<html><body>{CELL}</body></html>") == 1
    assert teds("<TABLE><TR><TD>x</TD></TR></TABLE>", CELL) == 1
    nested = CELL.replace("x", f"1{CELL} lost <b>kept</b>2")
    assert teds(nested, nested.replace("kept", "left")) == pytest.approx(slow(nested, nested.replace("kept", "left")))
    other = nested.replace("lost", "other").replace("2<", "3<")
    assert teds(nested, other) == pytest.approx(slow(nested, other))


@pytest.mark.parametrize("text", ["", "text", "| a |\n|---|\n| b |", "</table>", "<!-- <table><tr> -->", "<tr><td>a"])
def test_without_a_table_it_is_0(text: str) -> None:
    assert teds(text, CELL) == teds(CELL, text) == teds(text, text) == 0


def test_tables_without_anything() -> None:
    assert teds("<table></table>", "<table>") == 1
    assert teds("<table></table>", CELL) == teds(CELL, "<table>") == 0


def test_what_is_too_large_is_0_unless_it_is_the_same() -> None:
    cells = "<table>" + "<td>" * 5_000
    assert teds(cells, cells.replace("<td>", "<td>a", 1)) == teds(numbered(range(400), 10), cells) == 0
    assert teds(cells, cells) == 1
    assert teds(cells, CELL) == pytest.approx(1 - 5_000 / 5_000)  # the row, the cell's text, and 4,999 cells
    assert teds(cells, CELL.replace("x", "")) == pytest.approx(1 - (4_999 + 1) / 5_000)
    long = [CELL.replace("x", letter * 40_000 + "c") for letter in "ab"]
    assert teds(*long) == 0 < teds(*(text.replace("a" * 39_000, "").replace("b" * 39_000, "") for text in long))


HOSTILE = {
    "td": "<table>" + "<td>" * 250_000,
    "deep": "<table>" + "<div>" * 100_000,
    "deeper": "<table>" + "<tr><td><table>" * 50_000,
    "ends": "<table><tr><td>" + "<b>" * 200 + "</i>" * 250_000,
    "brackets": "<table>" + "<" * 1_000_000,
    "comments": "<table>" + "<!--" * 250_000,
    "no end": "<table><td " + "a" * 1_000_000,
    "span": "<table><td colspan=" + "9" * 1_000_000 + ">",
    "blanks": "<table><td colspan=" + " " * 1_000_000 + "x>",
    "signs": "<table><td>" + "&" * 1_000_000,
    "bits": "<table><td>\0\ud800",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_made_to_take_long_has_a_worth(name: str) -> None:
    assert 0 <= teds(HOSTILE[name], numbered(range(20), 8)) < 0.2
    assert teds(HOSTILE[name], HOSTILE[name]) == 1
