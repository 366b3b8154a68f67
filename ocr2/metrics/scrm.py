"""SCRM: how well the dict of a chart was read (StructChart, arXiv 2309.11268; ChartQA-SE and PlotQA-SE, OneChart §4).

    {'title': 'Rain', 'source': 'None', 'x_title': 'Month', 'y_title': 'mm', 'values': {'May': 61, 'June': 47.5}}

`values` is {label: number} or {series: {label: number}}; each number is a triple with its two heads. Two charts are as
similar as the triples that they share are among all there are; AP counts the charts that are similar enough.
Published (`published=True`) is what OneChart's `ChartSE_eval` counts.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from contextlib import suppress
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from ocr2.metrics import edit_distance, levenshtein

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Triple = tuple[str, str, float | str]
"""Two heads, in lower case, and what stands there: a number, or a text that is none."""
Tolerance = Literal["strict", "slight", "high"]
TOLERANCES: dict[Tolerance, tuple[int, float]] = {"strict": (0, 0.0), "slight": (2, 0.05), "high": (5, 0.1)}
"""The edits that heads may be off, and how far a number may be, against the true one."""
TEXTS = ("title", "source", "x_title", "y_title")
FLAT = "value"
"""The second head where there are no series."""
MOST_CHARACTERS = 20_000
"""Of an answer: a longer one is no chart."""
_THRESHOLDS = tuple(twentieths / 20 for twentieths in range(10, 20))
_STEP = 0.55 - 0.5
_PUBLISHED_THRESHOLDS = tuple(0.5 + step * _STEP for step in range(10))
"""As numpy.arange(0.5, 1, 0.05) has them: from the third on a little more than they should be."""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
_TIMES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6}
_TIMES |= {"b": 1e9, "bn": 1e9, "billion": 1e9, "t": 1e12, "tn": 1e12, "trillion": 1e12}


def scores(answer: str, truth: Mapping[str, Any], *, published: bool = False) -> dict[str, float]:
    """What an answer is worth, 0 to 1 each: `ap_strict`, `ap_slight`, `ap_high`, whose means over all charts are the AP
    that OneChart and GOT report; `structure`, whether it is a chart at all; `em`, whether all values are right; and the
    texts by their names.

    An answer that is no chart has 0 in all. Published: such a chart counts in the AP, and is left out of `em` and of
    the texts, as is a text whose truth is "None". `truth` has the values and texts by their names, as `parse` has them.
    """
    found = parse(answer, published=published)
    similar: dict[Tolerance, float] = dict.fromkeys(TOLERANCES, 0.0)
    if found is not None:
        ours, theirs = (triples(each["values"], published=published) for each in (found, truth))
        similar = {each: similarity(ours, theirs, each, published=published) for each in TOLERANCES}
    scored = {f"ap_{each}": ap([value], published=published) for each, value in similar.items()}
    scored["structure"] = float(found is not None)
    if found is None:
        return scored if published else {**scored, "em": 0.0, **dict.fromkeys(TEXTS, 0.0)}
    scored["em"] = float(similar["strict"] >= 1)
    texts = {name: anls(found[name], truth.get(name), published=published) for name in TEXTS}
    return scored | {name: value for name, value in texts.items() if value is not None}


def ap(similarities: Sequence[float], total: int | None = None, *, published: bool = False) -> float:
    """AP: the share of charts that are as similar as a threshold asks for, mean over 0.5, 0.55, … 0.95.

    `similarities` are those of the answers that are charts, of `total` charts (all, by default): OneChart's structure
    accuracy × AP. Published: the thresholds are floats that were added up, so a similarity of 0.6 doesn't reach 0.6.
    """
    total = len(similarities) if total is None else total
    thresholds = _PUBLISHED_THRESHOLDS if published else _THRESHOLDS
    reached = sum(similarity >= threshold for similarity in similarities for threshold in thresholds)
    return reached / (total * len(thresholds)) if total else 0.0


# --- what an answer says ----------------------------------------------------------------------------------------------


def parse(answer: str, *, published: bool = False) -> dict[str, Any] | None:
    """The values and texts of an answer by their names, with the braces that it lacks; None where it is no chart.

    It may be JSON or a Python dict, with values (or data) that are a dict; a text that isn't there is None. Published:
    JSON alone, and all texts have to be there; values that are no dict end the script, here they are no chart.
    """
    if len(answer) > MOST_CHARACTERS:
        return None
    whole = answer + "}" * max(0, answer.count("{") - answer.count("}"))
    given = _read([whole], [json.loads]) if published else _read([whole, answer], [json.loads, _python])
    if not isinstance(given, dict) or (published and not all(name in given for name in TEXTS)):
        return None
    if not published:
        given = {re.sub(r"[\s-]+", "_", str(key).strip().lower()): value for key, value in given.items()}
    values = given.get("values", given.get("data"))
    return {**{name: given.get(name) for name in TEXTS}, "values": values} if isinstance(values, dict) else None


def _read(answers: Sequence[str], readers: Sequence[Callable[[str], Any]]) -> Any:
    """What the first reader says that can read one."""
    for read in readers:
        for answer in answers:
            with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
                return read(answer)
    return None


def _python(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that Python doesn't know
        return ast.literal_eval(text.strip())


def triples(values: Mapping[Any, Any], *, published: bool = False) -> list[Triple]:
    """The numbers of a chart with their heads: (series, label, number), and (label, "value", number) without series.

    Numbers may have signs of money, %, commas, and K, M, B, T or an exponent: "$1.2K" is 1200. Published: what isn't a
    digit, point or minus is left out of them first, so "1K" is 1 and "1e3" is 13.
    """
    number = _digits if published else _number
    head: Callable[[str], str] = str.lower if published else _plain
    return [(head(one), head(other), number(value)) for one, other, value in _cells(values)]


def _cells(values: Mapping[Any, Any]) -> Iterator[tuple[str, str, Any]]:
    for key, value in values.items():
        for other, number in value.items() if isinstance(value, dict) else [(FLAT, value)]:
            yield str(key), str(other), number


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _digits(value: Any) -> float | str:
    left = re.sub(r"[^\d.-]", "", str(value))
    with suppress(ValueError):
        return float(left)
    return left


def _number(value: Any) -> float | str:
    """The one number in it; where there is none, or more than one, it is a text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if isfinite(float(value)):
                return float(value)
    text = _plain(str(value))
    bare = re.sub(r"[\s,$€£¥%]", "", text.replace("−", "-"))
    found = list(_NUMBER.finditer(bare))
    if len(found) != 1:
        return text
    unit = re.match(r"[^\W\d_]*", bare[found[0].end() :])
    number = float(found[0][0]) * _TIMES.get(unit[0] if unit else "", 1.0)
    return number if isfinite(number) else text


# --- how similar two are ----------------------------------------------------------------------------------------------


def similarity(
    predicted: Sequence[Triple], truth: Sequence[Triple], tolerance: Tolerance, *, published: bool = False
) -> float:
    """The share that two charts have in common of the triples of both, 0 to 1; of two without any it is 1.

    Each triple is paired with one at most, so that the most are. Two can be a pair whose heads are few enough edits
    apart, and whose numbers are near; it doesn't matter if a chart is told by its series or by its labels, nor what its
    one series is called where the truth has no series. Where one has more than twice as many as the other, it is 0:
    less than half counts nowhere. 500 of one number against 1,000 take seconds, as they come they take milliseconds.
    Published: heads are joined, and may also be a part of each other ("ple" of "apple"); several triples count for the
    same true one, which can make more than 1; the heads are sorted for as many triples as the shorter of the two has;
    two charts without triples end the script, here they have 0.
    """
    words, share = TOLERANCES[tolerance]
    if published:
        return _published(list(predicted), list(truth), words, share)
    less, more = sorted((len(predicted), len(truth)))
    if 2 * less < more or not more:
        return float(not more)
    paired = max(_paired(each, truth, words, share) for each in _told(predicted, truth))
    return paired / (len(predicted) + len(truth) - paired)


def _told(predicted: Sequence[Triple], truth: Sequence[Triple]) -> Iterator[Sequence[Triple]]:
    """The ways to tell the same chart."""
    yield predicted
    if all(head == FLAT for _, head, _ in predicted):
        return
    turned = [(label, series, value) for series, label, value in predicted]
    yield turned
    if all(head == FLAT for _, head, _ in truth):
        for named in (predicted, turned):
            if len({series for series, _, _ in named}) == 1:
                yield [(label, FLAT, value) for _, label, value in named]


def _paired(predicted: Sequence[Triple], truth: Sequence[Triple], words: int, share: float) -> int:
    """How many pairs there can be at most."""
    near = [[place for place, each in enumerate(truth) if _near(triple, each, words, share)] for triple in predicted]
    pairs: dict[int, int] = {}
    """By the place in the truth, that in the prediction."""
    lost: set[int] = set()
    """Places in the truth that nothing can be moved away from."""
    for start in range(len(near)):
        if len(pairs) == len(truth):
            break
        _pair(start, near, pairs, lost)
    return len(pairs)


def _pair(start: int, near: list[list[int]], pairs: dict[int, int], lost: set[int]) -> None:
    """Adds a pair for the triple at `start`, if others can be paired anew to make room for it: an augmenting path."""
    came: dict[int, int] = {}
    """By a place in the truth, the place in the prediction that would take it."""
    queue = [start]
    for ours in queue:
        for theirs in near[ours]:
            if theirs in came or theirs in lost:
                continue
            came[theirs] = ours
            if theirs in pairs:
                queue.append(pairs[theirs])
                continue
            held = {mine: place for place, mine in pairs.items()}
            place: int | None = theirs
            while place is not None:
                pairs[place] = came[place]
                place = held.get(came[place])
            return
    lost.update(came)


def _near(one: Triple, other: Triple, words: int, share: float) -> bool:
    """Whether a predicted triple can be a pair with a true one."""
    mine, right = one[2], other[2]
    if isinstance(mine, str) or isinstance(right, str):
        if not (isinstance(mine, str) and isinstance(right, str)):
            return False
        words -= _edits(mine, right, words)
    elif abs(mine - right) > (share + 1e-9) * abs(right):  # to nine digits: floats aren't exact
        return False
    words -= _edits(one[0], other[0], words)
    return words >= 0 and _edits(one[1], other[1], words) <= words


def _edits(one: str, other: str, most: int) -> int:
    """The edits between two texts; more than `most` where they are more, however many."""
    if one == other:
        return 0
    if most <= 0 or abs(len(one) - len(other)) > most:
        return most + 1
    return levenshtein(one, other)


def _published(predicted: list[Triple], truth: list[Triple], words: int, share: float) -> float:
    for place, (mine, right) in enumerate(zip(predicted, truth, strict=False)):
        heads = mine[:2]
        if right[1] == FLAT and FLAT not in heads:
            heads = (heads[0], FLAT)
        predicted[place] = (min(heads), max(heads), mine[2])
        truth[place] = (min(right[:2]), max(right[:2]), right[2])
    ours, theirs = set(predicted), set(truth)
    hits = {one for one in ours if any(_loosely(one, other, words, share) for other in theirs)}
    every = (ours | theirs) - (hits - theirs)
    return len(hits) / len(every) if every else 0.0


def _loosely(one: Triple, other: Triple, words: int, share: float) -> bool:
    """Whether a predicted triple counts for a true one in the published script."""
    if isinstance(one[2], float) and isinstance(other[2], float):
        if not abs(one[2] - other[2]) / (abs(other[2]) + 1e-6) <= share:
            return False
        ours, theirs = "".join(one[:2]), "".join(other[:2])
        return ours in theirs or theirs in ours or _edits(ours, theirs, words) <= words
    return _edits("".join(map(str, one)), "".join(map(str, other)), words) <= words


# --- the texts --------------------------------------------------------------------------------------------------------


def anls(predicted: Any, truth: Any, *, published: bool = False) -> float | None:
    """How near a title or another text is to the truth: 1 less the edit distance over the longer, whatever its case.

    None and "None" are the text that isn't there: 1 where it is so in both, 0 in one. Any text of a list of truths will
    do. Published (there called "EM"): a truth of "None" isn't counted, whatever was read, and None is returned; of a
    list of truths, the best match is divided by the length of the list.
    """
    ours, theirs = (list(map(str, each)) if isinstance(each, list) else [str(each)] for each in (predicted, truth))
    if published:
        return _published_anls(ours, theirs)
    wanted = [_plain("" if text == "None" else text) for text in theirs]
    read = _plain(" ".join("" if text == "None" else text for text in ours))
    return max((1 - edit_distance(read, text) for text in wanted), default=float(not read))


def _published_anls(ours: list[str], theirs: list[str]) -> float | None:
    def near(read: str, text: str) -> float:
        return 1 - edit_distance(read.lower(), text.lower())

    if len(ours) == 1 and ours[0] != "None" and "None" not in theirs:
        return max(near(ours[0], text) for text in theirs) / len(theirs) if theirs else None
    read = [*ours[: len(theirs)], *(ours or [""])[:1] * (len(theirs) - len(ours))]
    told = [(mine, text) for mine, text in zip(read, theirs, strict=True) if text != "None"]
    return sum(near(*pair) for pair in told if pair[0] != "None") / len(told) if told else None
