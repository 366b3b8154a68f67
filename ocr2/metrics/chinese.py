"""Chinese text cut into words as jieba's `lcut` cuts it, in a fraction of its time.

A run of letters without punctuation is cut along the likeliest way through jieba's dictionary; single characters left
next to each other are cut again by its hidden Markov model of a word's beginning, middle, end and of words that are
one character. jieba's own code copies the whole way for every character, which is quadratic.
"""

from __future__ import annotations

import re
import warnings
from functools import cache, lru_cache
from importlib import resources
from math import log
from typing import Any

from ocr2.metrics import need

_RUNS = re.compile(r"[\u4e00-\u9fd5a-zA-Z0-9+#&._%-]+|\r\n|.", re.DOTALL)
_SINGLES = re.compile(r"([\u4e00-\u9fd5]+)|[a-zA-Z0-9]+(?:\.\d+)?%?|[+#&._%-]+")
_BEFORE = {"B": ("S", "E"), "M": ("M", "B"), "E": ("M", "B"), "S": ("S", "E")}
"""What stands before each state. Of two as likely jieba takes the later letter, so it is first."""
_NEVER = -3.14e100


def words(text: str) -> list[str]:
    """The words of a text, which joined are the text: white space and punctuation are words too.

    Raises MetricMissing without jieba, whose dictionary it needs.
    """
    found: list[str] = []
    for run in _RUNS.findall(text):
        if len(run) > 1 and run != "\r\n":
            found += _cut(run)
        else:
            found.append(run)
    return found


@cache
def _dictionary() -> tuple[dict[str, float], float]:
    """The logarithms of words' frequencies, 0 for beginnings of words that are none themselves; and the least one."""
    total, counts = 0, dict[str, int]()
    for line in (resources.files(_jieba()) / "dict.txt").read_text("utf-8").splitlines():
        word, count = line.split(" ")[:2]
        counts[word] = int(count)
        total += int(count)
    least = -log(total)
    known = {word: log(count) + least if count else 0.0 for word, count in counts.items()}
    for word in counts:
        for end in range(1, len(word)):
            known.setdefault(word[:end], 0.0)
    return known, least


@cache
def _jieba() -> Any:
    need("jieba")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jieba.finalseg
    return jieba


@lru_cache(maxsize=2000)
def _cut(run: str) -> tuple[str, ...]:
    """The words of a run without white space. Truth and prediction share most runs, so they are kept for a while."""
    known, least = _dictionary()
    size = len(run)
    scores, ends = [0.0] * (size + 1), [0] * size  # of what follows each place, and where the word there ends
    for start in range(size - 1, -1, -1):
        last = end = start + 1
        weight = known.get(run[start])
        best = (weight or least) + scores[end]
        while weight is not None and end < size:
            end += 1
            weight = known.get(run[start:end])
            if weight and (score := weight + scores[end]) >= best:
                best, last = score, end
        scores[start], ends[start] = best, last
    found: list[str] = []
    place = alone = 0
    while place < size:
        end = ends[place]
        if end > place + 1:
            if alone < place:
                found += _singles(run[alone:place])
            found.append(run[place:end])
            alone = end
        place = end
    return (*found, *_singles(run[alone:]))


@lru_cache(maxsize=20_000)
def _singles(text: str) -> tuple[str, ...]:
    """The words of characters of which the dictionary's likeliest way has made none."""
    if len(text) < 2 or _dictionary()[0].get(text):
        return tuple(text)
    found: list[str] = []
    for match in _SINGLES.finditer(text):
        found += _hidden(match[1]) if match[1] else [match[0]]
    return tuple(found)


@cache
def _model() -> tuple[dict[str, float], dict[str, tuple[str, float, str, float, dict[str, float]]]]:
    """How likely each state is at the start; what stands before it, how likely that is, and which characters it has."""
    model = _jieba().finalseg
    states = {
        state: (one, model.trans_P[one][state], other, model.trans_P[other][state], model.emit_P[state])
        for state, (one, other) in _BEFORE.items()
    }
    return model.start_P, states


def _hidden(text: str) -> list[str]:
    """Chinese characters cut by the likeliest states of the hidden Markov model (Viterbi)."""
    first, states = _model()
    scores = {state: first[state] + states[state][-1].get(text[0], _NEVER) for state in states}
    origins: list[dict[str, str]] = []
    for char in text[1:]:
        after, origin = {}, {}
        for state, (one, move, other, shift, shown) in states.items():
            likely = shown.get(char, _NEVER)
            left, right = scores[one] + move + likely, scores[other] + shift + likely
            after[state], origin[state] = (left, one) if left >= right else (right, other)
        origins.append(origin)
        scores = after
    way = ["S" if scores["S"] >= scores["E"] else "E"]
    for origin in reversed(origins):
        way.append(origin[way[-1]])
    found, start = [], 0
    for place, state in enumerate(reversed(way)):
        if state == "B":
            start = place
        elif state in "ES":
            found.append(text[place if state == "S" else start : place + 1])
    return found
