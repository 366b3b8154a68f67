"""Metrics against slower truths and numbers worked out by hand."""

import random

import pytest

from ocr2.metrics import edit_distance, levenshtein, plain, word_f1


def table(a: str, b: str) -> int:
    """The textbook's table, cell by cell."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


def test_levenshtein_equals_the_table() -> None:
    rng = random.Random(1)
    for _ in range(2000):
        a, b = ("".join(rng.choices("abc中", k=rng.randrange(14))) for _ in range(2))
        assert levenshtein(a, b) == table(a, b)


def test_levenshtein_of_long_strings() -> None:
    rng = random.Random(2)
    a = "".join(rng.choices("abcdef ", k=400))
    b = a[:100] + a[130:250] + "xyz" + a[250:]
    assert levenshtein(a, b) == table(a, b) <= 33


@pytest.mark.parametrize(
    ("predicted", "truth", "distance"),
    [("", "", 0), ("abc", "abc", 0), ("", "abc", 1), ("abc", "", 1), ("kitten", "sitting", 3 / 7), ("ab", "abcd", 0.5)],
)
def test_edit_distance_is_over_the_longer(predicted: str, truth: str, distance: float) -> None:
    assert edit_distance(predicted, truth) == pytest.approx(distance)


def test_plain_text_has_one_space_and_none_beside_chinese() -> None:
    assert plain("  a\n b\t c ") == "a b c"
    assert plain("用 LaTeX\n排 版。\nOK") == "用LaTeX排版。OK"


def test_word_f1_counts_words_and_chinese_characters() -> None:
    assert word_f1("the cat", "the cat") == 1
    assert word_f1("", "") == 1
    assert word_f1("a", "") == 0
    assert word_f1("the cat sat", "the dog sat") == pytest.approx(2 / 3)
    assert word_f1("the the", "the") == pytest.approx(2 / 3)  # a bag: the second "the" is not in the truth
    assert word_f1("北京 2008", "北京市 2008") == pytest.approx(2 * 3 / 7)
