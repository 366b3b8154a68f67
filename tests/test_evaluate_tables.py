"""Means over samples, and tables for terminals and in Markdown."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from ocr2.evaluate.benchmark import Answer, Item, Scored, Table
from ocr2.evaluate.tables import markdown, mean, text

TABLE = Table(
    "Fox, nano",
    ("method", "size", "edit ↓", "note"),
    (("GOT", "580M", 0.0351, "a"), ("文字识别", "1", None, "b"), ("nano\x1b[31m", 12, 1.0, "c|d")),
    ("One rule.", "An\nother."),
    digits=2,
)


def of(scores: dict[str, float] | None, error: str = "") -> Scored:
    return Scored(Item("1", tuple, ""), Answer(), scores, error)


@pytest.mark.parametrize(
    ("scored", "measure", "expected"),
    [
        ([of({"f1": 1.0}), of({"f1": 0.5})], "f1", 0.75),
        ([of({"f1": 1.0}), of({}, "crashed")], "f1", 0.5),
        ([of({"edit_distance": 0.0}), of({}, "crashed")], "edit_distance", 0.5),
        ([of({"symbol_error": 0.0}), of({}, "crashed")], "symbol_error", 0.5),
        ([of({"f1": 1.0}), of({})], "f1", 1.0),  # has no such part
        ([of({"f1": 1.0}), of(None), of(None, "not read")], "f1", 1.0),  # left out, as published
        ([of({"f1": 0.5}, "not read")], "f1", 0.5),  # scored as an empty text
        ([of(None), of({})], "f1", None),
        ([of({"f1": 1.0}), of({"bleu": 0.5}, "not read")], "f1", 1.0),  # not read, and has no such part
        ([of({"f1": 1.0}), of({}, "crashed")], "bleu", None),  # no measure of theirs
        ([of({}, "crashed"), of(None)], "f1", 0.0),
        ([], "f1", None),
    ],
)
def test_mean(scored: list[Scored], measure: str, expected: float | None) -> None:
    assert mean(iter(scored), measure) == expected


def test_a_terminal_has_columns() -> None:
    assert text(TABLE).splitlines() == [
        "Fox, nano",
        "",
        "method     size  edit ↓  note",
        "─────────────────────────────",
        "GOT        580M    0.04  a",
        "文字识别      1       –  b",
        "nano [31m    12    1.00  c|d",
        "* One rule.",
        "* An other.",
    ]


def test_markdown_is_read_back_as_it_was() -> None:
    awkward = Table("A *bold* <b>title</b>", ("x", "a|b"), (("$1$ ~y~ [z](u)", 0.5), ("`c` \\ &amp;", None)), ("_n_",))
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown(awkward))
    for shown in ("A *bold* &lt;b&gt;title&lt;/b&gt;", ">a|b<", "$1$ ~y~ [z](u)", "`c` \\ &amp;amp;", ">0.500<", "_n_"):
        assert shown in html
    assert html.count("<tr>") == 3
    assert (html.count("<strong>"), html.count("<em>"), html.count("<li>")) == (1, 0, 1)


def test_a_table_without_rows_or_notes() -> None:
    empty = Table("T", ("x", "y"), ())
    assert text(empty).splitlines() == ["T", "", "x  y", "────"]
    assert markdown(empty) == "**T**\n\n| x | y |\n|---|---:|"
