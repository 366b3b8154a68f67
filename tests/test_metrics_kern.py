"""GrandStaff's error rates against the textbook's table and numbers worked out by hand."""

from __future__ import annotations

from random import Random

import pytest

from ocr2.metrics.kern import Edits, counts, rates, symbols

TRUTH = "**kern\t**kern\n4F\t4a 4cc\n4C\t8ffL\n*-\t*-"


def distance(one: list[str], two: list[str]) -> int:
    """The textbook's table, cell by cell."""
    row = list(range(len(two) + 1))
    for i, x in enumerate(one, 1):
        above, row = row, [i]
        for j, y in enumerate(two, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


def test_notes_tabs_and_line_ends_are_symbols() -> None:
    assert symbols("4F\t4a 4cc\n=") == ["4F", "<t>", "4a", "4cc", "<b>", "="]
    assert symbols("4F \n") == ["4F", "", "<b>", ""]  # as published: a blank before a line end is one more


def test_one_wrong_note_is_one_of_each() -> None:
    assert counts(TRUTH.replace("4F", "4G"), TRUTH) == {
        "character_error": Edits(1, len(TRUTH)),
        "symbol_error": Edits(1, 16),
        "line_error": Edits(1, 4),
    }


def test_a_line_left_out_is_all_that_is_in_it() -> None:
    found = counts(TRUTH.replace("4C\t8ffL\n", ""), TRUTH)
    assert [each.edits for each in found.values()] == [len("4C\t8ffL\n"), 4, 1]


def test_counts_equal_the_table() -> None:
    rng = Random(1)
    for _ in range(100):
        one, two = ("".join(rng.choices("4a\t\n .", k=rng.randrange(30))) for _ in range(2))
        found = counts(one, two)
        assert found["character_error"] == (distance(list(one), list(two)), len(two))
        assert found["line_error"] == (distance(one.split("\n"), two.split("\n")), two.count("\n") + 1)
        parts = [text.replace("\n", " <b> ").replace("\t", " <t> ").split(" ") for text in (one, two)]
        assert found["symbol_error"] == (distance(*parts), len(parts[1]))


def test_rates_are_of_all_that_there_is() -> None:
    samples = [counts("4a\n4b", "4a\n4c"), counts("", "4d"), counts("4e\n4e\n4e", "4e")]
    assert rates(samples) == {
        "character_error": pytest.approx((1 + 2 + 6) / (5 + 2 + 2)),
        "symbol_error": pytest.approx((1 + 1 + 4) / (3 + 1 + 1)),
        "line_error": pytest.approx((1 + 1 + 2) / (2 + 1 + 1)),
    }
    assert rates(samples * 2) == rates(samples)
    assert rates([]) == {}


def test_of_no_music_nothing_is_right_and_all_else_wrong() -> None:
    assert set(rates([counts("", "")]).values()) == {0.0}
    assert counts("4a", "")["character_error"].rate == 1
    assert counts("", TRUTH)["character_error"].rate == counts("", TRUTH)["line_error"].rate == 1
    assert counts("4a\n" * 9, "4a")["line_error"].rate == 9  # more than 1, as published
