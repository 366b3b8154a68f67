"""Which pieces of a page belong together: OmniDocBench's quick match, on the pieces' comparable forms.

    matched(["Abc", "Defghi"], ["Defghi", "Ab c"], [])       # Match((0,), (1,)), Match((1,), (0,))

The least costly assignment by edit distance, where neighbouring pieces may have been read as one paragraph or one
paragraph in several pieces.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Costs = NDArray[np.float64]

SURE = 0.25
"""Pieces nearer than this are the same: they are never merged with others."""
LOST = 0.7
"""Pieces farther apart than this are paired only once all else is."""
PART = 0.6
"""How far a piece may be from the nearest place in the paragraph that it is merged into."""
INSIDE = 0.4
"""How far a paragraph may be from a place in the piece that it is found in."""
LONGEST = 160
"""Pieces that are merged, at most."""
OVERHEAD = 100
"""Steps that take as long as to ask for a comparison."""
MOST_WORK = 20_000_000
"""Steps of comparing, on one page, spent on merging. (Published: 300 s, and then the plain assignment, as here.)"""


@dataclass(frozen=True)
class Match:
    """Pieces of the truth, and of the transcript, by their numbers, that belong together."""

    truth: tuple[int, ...]
    predicted: tuple[int, ...]
    """() where nothing was read."""


class _TooMuch(Exception):
    """More work than one page may take."""


@dataclass
class _Pages:
    """The truth's pieces and the transcript's, and the distances asked for so far."""

    truth: Sequence[str]
    predicted: Sequence[str]
    work: int = 0
    known: dict[tuple[str, str], float] = field(default_factory=dict)

    def joined(self, run: tuple[int, ...]) -> str:
        return "".join(self.predicted[number] for number in run)

    def distance(self, one: str, other: str) -> float:
        from rapidfuzz.distance import Levenshtein

        self._worked(OVERHEAD + len(one) * (len(other) // 64 + 1))
        return Levenshtein.normalized_distance(one, other)

    def within(self, part: str, whole: str) -> float:
        """How far the part is from the stretch of the whole that it is most like, over its length; 1 if too long.

        (Published: from the nearest one of its length, which takes a hundred times as long to find.)
        """
        from rapidfuzz import fuzz
        from rapidfuzz.distance import Levenshtein

        self._worked(OVERHEAD)
        if not 0 < len(part) <= len(whole):
            return 1.0
        if (part, whole) not in self.known:
            self._worked(len(whole) * (len(part) // 64 + 1))
            like = fuzz.partial_ratio_alignment(part, whole)
            stretch = whole[like.dest_start : like.dest_end] if like else ""
            self.known[part, whole] = Levenshtein.distance(part, stretch) / len(part)
        return self.known[part, whole]

    def _worked(self, steps: int) -> None:
        self.work += steps
        if self.work > MOST_WORK:
            raise _TooMuch


def distances(truth: Sequence[str], predicted: Sequence[str]) -> Costs:
    """(T, P) Edit distances over the longer's length."""
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    found: Costs = process.cdist(truth, predicted, scorer=Levenshtein.normalized_distance, dtype=np.float64)
    return found.reshape(len(truth), len(predicted))


def assigned(costs: Costs) -> list[tuple[int, int]]:
    """Pairs of a row and a column, as many as the shorter side has, whose costs add up to the least; by rows.

    R. Jonker and A. Volgenant's shortest augmenting paths, without their start: rows² × columns at worst.
    """
    if costs.shape[0] > costs.shape[1]:
        return sorted((row, column) for column, row in assigned(costs.T))
    rows, columns = costs.shape
    of_row, of_column = np.zeros(rows + 1), np.zeros(columns + 1)  # place 0 is none
    owner, before = np.zeros(columns + 1, int), np.zeros(columns + 1, int)
    for row in range(1, rows + 1):
        owner[0], column = row, 0
        least = np.full(columns + 1, np.inf)
        seen = np.zeros(columns + 1, bool)
        while True:
            seen[column] = True
            rest = costs[owner[column] - 1] - of_row[owner[column]] - of_column[1:]
            nearer = ~seen[1:] & (rest < least[1:])
            least[1:][nearer], before[1:][nearer] = rest[nearer], column
            column = int(np.where(seen, np.inf, least).argmin())
            step = least[column]
            of_row[owner[seen]] += step
            of_column[seen] -= step
            least[~seen] -= step
            if not owner[column]:
                break
        while column:
            owner[column], column = owner[before[column]], int(before[column])
    return sorted((int(row) - 1, place) for place, row in enumerate(owner[1:]) if row)


def matched(truth: Sequence[str], predicted: Sequence[str], ignored: Sequence[str]) -> list[Match]:
    """Every piece of the truth with what was read of it; what was read beside it, and what is near ignored texts, isn't
    in any. Pieces are in comparable form, none of them empty.

    Text that is matched with nothing costs nothing, as published: a page's pieces aren't all labelled.
    """
    beside = {place for row in distances(ignored, predicted) for place in np.flatnonzero(row < SURE)}
    left = [number for number in range(len(predicted)) if number not in beside]
    pages = _Pages(truth, [predicted[number] for number in left])
    try:
        pairs = _paired(pages, _runs(pages))
        found = _joined(pages, pairs)
    except _TooMuch:
        found = _paired(pages, [])
    return [Match(match.truth, tuple(left[number] for number in match.predicted)) for match in _rest(pages, found)]


def _runs(pages: _Pages) -> list[tuple[int, ...]]:
    """Neighbouring pieces that make one paragraph of the truth when they are put together."""
    costs = distances(pages.truth, pages.predicted)
    sure = {int(place) for place in np.flatnonzero((costs < SURE).any(axis=0))}
    best = []
    for number, paragraph in enumerate(pages.truth):
        if (costs[number] < SURE).any():
            continue
        starts = [place for place in range(len(pages.predicted)) if place not in sure]
        grown = [_grown(pages, paragraph, place, sure, float(costs[number, place])) for place in starts]
        best += sorted(grown)[:1]
    runs: list[tuple[int, ...]] = []
    for _, run in sorted(best):
        if len(run) > 1 and not any(set(run) & set(other) for other in runs):
            runs.append(run)
    return runs


def _grown(pages: _Pages, paragraph: str, start: int, sure: set[int], cost: float) -> tuple[float, tuple[int, ...]]:
    """The pieces from one on that are nearest to the paragraph, with their distance."""
    run: tuple[int, ...] = (start,)
    if pages.within(pages.predicted[start], paragraph) > PART:
        return cost, run
    while len(pages.joined(run)) <= len(paragraph) and len(run) < LONGEST:
        more = (*run, run[-1] + 1)
        if more[-1] in sure or more[-1] >= len(pages.predicted):
            break
        if pages.within(pages.predicted[more[-1]], paragraph) > PART:
            break
        farther = pages.distance(pages.joined(more), paragraph)
        if farther > cost:
            break
        run, cost = more, farther
    return cost, run


def _paired(pages: _Pages, runs: list[tuple[int, ...]]) -> list[Match]:
    """The pieces, and the runs of them, that are near enough, one to one."""
    inside = {number for run in runs for number in run}
    parts = sorted([*runs, *((number,) for number in range(len(pages.predicted)) if number not in inside)])
    costs = distances(pages.truth, [pages.joined(part) for part in parts])
    return [Match((row,), parts[column]) for row, column in assigned(costs) if costs[row, column] <= LOST]


def _joined(pages: _Pages, pairs: list[Match]) -> list[Match]:
    """The pairs, with the paragraphs that stand in a longer piece added to what that piece is paired with."""
    owner = {number: match.predicted for match in pairs for number in match.predicted}
    groups = {match.predicted: list(match.truth) for match in pairs}
    done = {number for match in pairs for number in match.truth}
    for place, piece in enumerate(pages.predicted):
        for number, paragraph in enumerate(pages.truth):
            if number not in done and pages.within(paragraph, piece) < INSIDE:
                groups.setdefault(owner.get(place, (place,)), []).append(number)
                done.add(number)
    return [Match(tuple(sorted(numbers)), part) for part, numbers in groups.items()]


def _rest(pages: _Pages, found: list[Match]) -> list[Match]:
    """All matches: what is left over is paired as well as it can be, and what is left then has no partner."""
    lost = sorted(set(range(len(pages.truth))) - {number for match in found for number in match.truth})
    free = sorted(set(range(len(pages.predicted))) - {number for match in found for number in match.predicted})
    costs = distances([pages.truth[number] for number in lost], [pages.predicted[number] for number in free])
    last = {lost[row]: (free[column],) for row, column in assigned(costs)}
    return found + [Match((number,), last.get(number, ())) for number in lost]
