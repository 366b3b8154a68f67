"""How far a prediction is from the truth: the measures that papers on text recognition report."""

from __future__ import annotations

import re
from collections import Counter
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ocr2.errors import MetricMissing

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

CJK = "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
"""What a class of an expression has in it: characters that are words by themselves, and need no spaces."""
_SPACE_IN_CJK = re.compile(f"(?<=[{CJK}])\\s+|\\s+(?=[{CJK}])")
_WORD = re.compile(f"[{CJK}]|[^\\s{CJK}]+")


def need(*packages: str) -> None:
    """Raises MetricMissing, which tells how to get it, where one of these packages isn't installed."""
    for name in packages:
        if find_spec(name) is None:
            raise MetricMissing(f"{name} isn't installed: pip install 'ocr2[eval]'")


def levenshtein(predicted: Sequence[Hashable], truth: Sequence[Hashable]) -> int:
    """The least number of characters, or of tokens or lines, to insert, delete or replace between two sequences.

    Source: H. Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances" (2003): one column
    of the table is one integer, a bit a row, so two pages of 5,000 characters take milliseconds.
    """
    where: dict[Hashable, int] = {}
    for row, part in enumerate(truth):
        where[part] = where.get(part, 0) | 1 << row
    rows = (1 << len(truth)) - 1
    rises, falls = rows, 0
    for part in predicted:
        equal = where.get(part, 0) | falls
        zero = (((equal & rises) + rises) ^ rises | equal) & rows
        right = ((zero | rises) ^ rows | falls) << 1 | 1
        falls, rises = right & zero, ((rises & zero) << 1 | (zero | right) ^ rows) & rows
    return len(predicted) + rises.bit_count() - falls.bit_count()


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
