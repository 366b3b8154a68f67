"""How far a prediction is from the truth: the measures that papers on text recognition report."""

from __future__ import annotations

import re
from collections import Counter

_CJK = "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
_SPACE_IN_CJK = re.compile(f"(?<=[{_CJK}])\\s+|\\s+(?=[{_CJK}])")
_WORD = re.compile(f"[{_CJK}]|[^\\s{_CJK}]+")


def levenshtein(predicted: str, truth: str) -> int:
    """The least number of characters to insert, delete or replace between two strings.

    Source: H. Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances" (2003): one column
    of the table is one integer, a bit a row, so two pages of 5,000 characters take milliseconds.
    """
    if not truth:
        return len(predicted)
    where: dict[str, int] = {}
    for row, char in enumerate(truth):
        where[char] = where.get(char, 0) | 1 << row
    all_rows, last = (1 << len(truth)) - 1, 1 << len(truth) - 1
    rises, falls, distance = all_rows, 0, len(truth)
    for char in predicted:
        equal = where.get(char, 0)
        zero = (((equal & rises) + rises) ^ rises) | equal | falls
        right = falls | ~(zero | rises)
        left = rises & zero
        distance += bool(right & last) - bool(left & last)
        right, left = right << 1 | 1, left << 1
        rises, falls = (left | ~(zero | right)) & all_rows, right & zero & all_rows
    return distance


def edit_distance(predicted: str, truth: str) -> float:
    """Levenshtein distance over the length of the longer string: 0 (the same) to 1 (GOT, tables 1 to 5)."""
    longer = max(len(predicted), len(truth))
    return levenshtein(predicted, truth) / longer if longer else 0.0


def plain(text: str) -> str:
    """The text as benchmarks compare it: white space is one space, and none stands next to a Chinese character.

    How a layout breaks lines, and whether a typesetter put a thin space between Latin and Chinese, is thus left out.
    """
    return _SPACE_IN_CJK.sub("", " ".join(text.split()))


def word_f1(predicted: str, truth: str) -> float:
    """F1 of the words read, as bags: words are runs without white space, and each Chinese character by itself."""
    ours, theirs = (Counter(_WORD.findall(text)) for text in (predicted, truth))
    both = (ours & theirs).total()
    return 2 * both / (ours.total() + theirs.total()) if ours or theirs else 1.0
