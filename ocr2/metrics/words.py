"""How many of the words are right, and in order: the six measures that GOT's and Fox's tables print of every text.

    suite("the cat sat", "the cat sat down")
    # {"edit_distance": 0.31, "f1": 0.86, "precision": 1.0, "recall": 0.75, "bleu": 0.72, "meteor": 0.75}

BLEU and METEOR are nltk's to the digit, and words jieba's, by our own code, which is faster and never quadratic.
"""

from __future__ import annotations

import math
import re
import sys
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ocr2.metrics import chinese, edit_distance, need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_CHINESE = re.compile("[\u4e00-\u9fa5]")
_ORDERS = 4
_ALPHA, _BETA, _GAMMA = 0.9, 3, 0.5
"""METEOR's weight of recall, the power that disorder is raised to, and the most it costs."""


def suite(
    predicted: str, truth: str, *, tokens: Literal["words", "characters"] = "words", published: bool = False
) -> dict[str, float] | None:
    """Edit distance (0 is right), F1, precision, recall, BLEU and METEOR (1 is right) of a text, 0 to 1 each.

    The edit distance is of characters, the others are of words or, as for text in scenes, of characters too. "meteor"
    knows no synonyms; "meteor_wordnet", which does, stands beside it where nltk has its WordNet data. Two texts without
    a word are equal; if only one is, all is wrong. Raises MetricMissing without nltk and, for Chinese, jieba.

    Published (GOT's eval_ocr.py and eval_ocr_scene.py, Fox's eval_ocr_test.py) takes the truth for the prediction: its
    precision is recall and its recall precision, its BLEU is less for what is too long instead of too short. It cuts
    English words as Chinese if a Chinese character is on either side; here the truth decides. Its BLEU below four words
    is next to 0; here it is of the orders there are. It leaves out a text without words on either side: None (GOT's
    script for empty ones; for blank ones it ends with an error, and Fox's for both). Its METEOR is "meteor_wordnet".
    """
    cut: Callable[[str], list[str]] = list
    if tokens == "words":
        cut = chinese.words if _CHINESE.search(predicted + truth if published else truth) else str.split
    ours, theirs = cut(predicted), cut(truth)
    wordnet = wordnet_data()
    if not (ours and theirs):
        right = float(not ours and not theirs)
        names = ("f1", "precision", "recall", "bleu", "meteor", *(["meteor_wordnet"] if wordnet else []))
        return None if published else {"edit_distance": 1 - right, **dict.fromkeys(names, right)}
    if published:
        ours, theirs = theirs, ours
    found = {"edit_distance": edit_distance(predicted, truth), **set_scores(ours, theirs)}
    found["bleu"] = bleu(ours, theirs, _ORDERS if published else min(_ORDERS, len(ours), len(theirs)))
    found["meteor"] = meteor(ours, theirs)
    if wordnet:
        found["meteor_wordnet"] = meteor(ours, theirs, wordnet)
    return found


def set_scores(predicted: Iterable[str], truth: Iterable[str]) -> dict[str, float]:
    """F1, precision and recall of the sets of tokens: how often and in what order each comes makes no difference.

    Two empty sets are equal; otherwise what has nothing in common has 0 of each.
    """
    ours, theirs = set(predicted), set(truth)
    both = len(ours & theirs)
    if not both:
        return dict.fromkeys(("f1", "precision", "recall"), float(not ours and not theirs))
    precision, recall = both / len(ours), both / len(theirs)
    return {"f1": 1 / (0.5 / precision + 0.5 / recall), "precision": precision, "recall": recall}


def bleu(predicted: Sequence[str], truth: Sequence[str], orders: int = _ORDERS) -> float:
    """BLEU of one text with one truth: how many of its n-grams up to that order are right, 0 to 1, without smoothing.

    The geometric mean of their shares, less what brevity costs. Where all of an order are wrong it is next to 0, but
    not 0, as in nltk's `sentence_bleu`, which this equals. Source: Papineni et al., "BLEU" (2002).
    """
    numbers: dict[str, int] = {}
    ours, theirs = (
        np.array([numbers.setdefault(token, len(numbers)) for token in text], np.int64) for text in (predicted, truth)
    )
    grams, others, total = ours, theirs, 0.0
    for order in range(1, orders + 1):
        if order > 1:  # an n-gram's number and that of the token behind it are one number
            grams, others = (
                grams[:-1] * len(numbers) + ours[order - 1 :],
                others[:-1] * len(numbers) + theirs[order - 1 :],
            )
        kinds, places = np.unique(np.concatenate([grams, others]), return_inverse=True)
        grams, others = places[: len(grams)], places[len(grams) :]
        right = np.minimum(*(np.bincount(some, minlength=len(kinds)) for some in (grams, others))).sum()
        if order == 1 and not right:
            return 0.0
        total += math.log(right / len(grams) if right else sys.float_info.min) / orders
    brevity = 1.0 if len(ours) > len(theirs) else math.exp(1 - len(theirs) / len(ours))
    return brevity * math.exp(total)


def meteor(predicted: Sequence[str], truth: Sequence[str], wordnet: Any = None) -> float:
    """METEOR of one text with one truth, 0 to 1: the share of words that are right, less what their disorder costs.

    Words are right if they, or their stems (Porter), or, with a `wordnet` that has `synsets(word)`, their synonyms are
    in the truth, small or capital. Equals nltk's `meteor_score`, which pairs words from the end on, and not with the
    fewest crossings as the paper does: a text equal to its truth has 1 - 0.5 / words³. Source: Lavie and Agarwal,
    "Meteor" (2007). Raises MetricMissing without nltk.
    """
    ours, theirs = (dict(enumerate(map(str.lower, text))) for text in (predicted, truth))
    pairs = _paired(ours, theirs)
    if ours and theirs:
        ours, theirs = ({place: _stem(word) for place, word in some.items()} for some in (ours, theirs))
        pairs |= _paired(ours, theirs)
    if wordnet is not None:
        pairs |= _paired(ours, theirs, partial(_synonyms, wordnet))
    if not pairs:
        return 0.0
    precision, recall = len(pairs) / len(predicted), len(pairs) / len(truth)
    mean = precision * recall / (_ALPHA * precision + (1 - _ALPHA) * recall)
    chunks = sum(pairs.get(place - 1, -2) != other - 1 for place, other in pairs.items())
    return (1 - _GAMMA * (chunks / len(pairs)) ** _BETA) * mean


def _paired(
    ours: dict[int, str], theirs: dict[int, str], synonyms: Callable[[str], Iterable[str]] | None = None
) -> dict[int, int]:
    """Pairs of places, from the end on: each word's with the last one left of those equal to it. They are taken out."""
    places: dict[str, list[int]] = {}
    for place, word in theirs.items():
        places.setdefault(word, []).append(place)
    pairs = {}
    for place, word in reversed([*ours.items()]):
        if synonyms:
            word = max(filter(places.get, synonyms(word)), key=lambda each: places[each][-1], default=word)
        if left := places.get(word):
            pairs[place] = last = left.pop()
            del ours[place], theirs[last]
    return pairs


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    stem: str = _stemmer().stem(word) if "a" <= word[-1:] <= "z" else word  # it takes away nothing but such letters
    return stem


@cache
def _stemmer() -> Any:
    need("nltk")
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


@cache
def wordnet_data() -> Any:
    """nltk's WordNet, or None where its data isn't (`python -m nltk.downloader wordnet`). Raises MetricMissing."""
    _stemmer()
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError:
        return None
    return wordnet


@lru_cache(maxsize=1 << 16)
def _synonyms(wordnet: Any, word: str) -> frozenset[str]:
    """The word, and all that are one word and share a meaning with it."""
    names = (lemma.name() for meaning in wordnet.synsets(word) for lemma in meaning.lemmas())
    return frozenset(name for name in names if "_" not in name) | {word}
