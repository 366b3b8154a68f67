"""Where the lines of a transcript stand, for a reader that tells no places: another reader has found them on the page.

GOT answers with a text alone; the OCR-1.0 reader finds every printed line, but knows no formulas and no Markdown. Both
mean the same letters. So: runs of equal letters → a path through them, which may jump, for the two may take columns in
another order → what lies between is aligned letter by letter → each printed line goes to the transcript lines whose
letters it holds. Source: ours, not the paper's; what GOT's users ask for.

N letters of the transcript, M letters of the page. Only letters and digits count, in one width and case; commands of
LaTeX and tags of HTML tables don't. A Han character is two letters, for it tells as much.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from functools import cache
from heapq import heappop, heappush
from itertools import pairwise, zip_longest
from operator import itemgetter
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from ocr2.layout import part, unplaced
from ocr2.order import UNSPACED
from ocr2.types import Box, Line, Piece, Quad

if TYPE_CHECKING:
    from collections.abc import Sequence

_GRAM = 4
"""Letters that must agree for a place to be looked at."""
_SEEDS = 100_000
"""At most so many such places are looked at: those of the rarest letters."""
_JUMP = 6
"""What it costs to go on elsewhere on the page, in letters: less is sooner chance than a line."""
_BAND = 16
"""How many letters either side may have left out for the text to go on without a jump."""
_LONGEST_GAP = 1000
"""Letters between two that agree: where there are more, they are left alone."""
_AGREE = 0.6
"""Where a line was read, at least this share of the letters agrees."""
_COVERED = 0.5
"""At least this share of a transcript line's letters is found on the page."""
_SLACK = 0.15
"""This share of a printed line, left at one of its ends, belongs to what was read from the rest."""
_FEW = 4
"""Fewer letters than this count only where they are most of what a printed line has."""

_COMMAND = re.compile(
    r"\\(?:begin|end)\{[^{}]*\}(?:\{[^{}]*\})?|\\[A-Za-z]+|</?(?:table|thead|tbody|tr|t[dh])\b[^>]*>|<br ?/?>"
)
"""What of LaTeX and HTML is not printed: \\begin{tabular}{|l|r|}, \\hline, <td>."""
_WORD_ENDS = re.compile(rf"[\s\0]|{UNSPACED.pattern}")

_Run = tuple[int, int, int]
"""Equal letters: the first in the transcript, the first on the page, how many."""
_Step = tuple[int, int, bool]
"""How a path comes to a run: from which one, -1 for none; with how many letters that both have; whether by a jump."""


def place(text: str, scores: Sequence[float], read: Sequence[Line]) -> tuple[Line, ...]:
    """The transcript's lines, each with the place it was read from, or none; `join` makes them the text again.

    `scores` has the probability of each character of the text, `read` another reader's lines in its own order. A line
    that was printed as several has pieces, and the upright box around them. Blank lines at either end are left out.
    """
    lines, start = [], 0
    for line in unplaced(text):
        start = text.index(line.text, start)
        stop = start + len(line.text)
        lines.append(replace(line, score=fmean(scores[start:stop])))
        start = stop
    printed = [line for line in read if line.quad]
    ours, page = _Letters.of(lines), _Letters.of(printed)
    to = _follow(_runs(ours, page), ours, page)
    _fill(to, ours.codes, page.codes)
    claims = _claims(to, ours, page)
    claims += _equals(claims, ours, page)
    for n, places in _places(claims, printed, page).items():
        pieces = _pieces(lines[n].text, places, ours, page)
        lines[n] = replace(lines[n], quad=_around([*places.values()]), pieces=pieces)
    return tuple(lines)


@dataclass(frozen=True)
class _Letters:
    """The letters of lines, one after the other."""

    codes: np.ndarray
    """What each is."""
    lines: np.ndarray
    """Which line each is from."""
    at: np.ndarray
    """Which character of its line each is from."""
    starts: np.ndarray
    """The first letter of each line, and after the last one how many there are."""

    @classmethod
    def of(cls, lines: Sequence[Line]) -> _Letters:
        found = [
            (code, n, at)
            for n, line in enumerate(lines)
            for at, character in enumerate(_bare(line.text))
            for code in _codes(character)
        ]
        codes, which, at = np.array(found, np.int64).reshape(-1, 3).T
        return cls(codes, which, at, np.searchsorted(which, np.arange(len(lines) + 1)))

    def count(self, line: int) -> int:
        """How many letters the line has."""
        return int(self.starts[line + 1] - self.starts[line])


def _bare(text: str) -> str:
    """The text with zeros for what is not printed."""
    return _COMMAND.sub(lambda command: "\0" * len(command.group()), text)


@cache
def _codes(character: str) -> tuple[int, ...]:
    """The letters that a character counts as."""
    letters = filter(str.isalnum, unicodedata.normalize("NFKC", character).casefold())
    return tuple(code for c in letters for code in ((ord(c), -ord(c)) if UNSPACED.match(c) else (ord(c),)))


def _runs(ours: _Letters, page: _Letters) -> list[_Run]:
    """The runs of letters within a line that both have, as far as the rarer ones tell, in the transcript's order."""
    if min(len(ours.codes), len(page.codes)) < _GRAM:
        return []
    _, codes = np.unique(np.concatenate([ours.codes, page.codes]), return_inverse=True)
    size, wide = int(codes.max()) + 1, len(codes) - _GRAM + 1
    grams = sum(codes[n : n + wide] * size**n for n in range(_GRAM))
    ours_grams, page_grams = grams[: len(ours.codes) - _GRAM + 1], grams[len(ours.codes) :]
    for nothing, side, found in ((-1, ours, ours_grams), (-2, page, page_grams)):
        found[side.lines[_GRAM - 1 :] != side.lines[: 1 - _GRAM]] = nothing
    order = np.argsort(page_grams, kind="stable")
    first = np.searchsorted(page_grams[order], ours_grams, "left")
    counts = np.searchsorted(page_grams[order], ours_grams, "right") - first
    most = 64
    while counts[counts <= most].sum() > _SEEDS:
        most //= 2
    counts[counts > most] = 0
    i = np.repeat(np.arange(len(counts)), counts)
    j = order[np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(len(i))]
    along = np.lexsort((i, j - i))  # seeds on one diagonal, one letter apart, are one run
    i, j = i[along], j[along]
    begins = np.flatnonzero((np.diff(j - i, prepend=-len(ours.codes)) != 0) | (np.diff(i, prepend=-2) != 1))
    lengths = np.diff(begins, append=len(i)) + _GRAM - 1
    return sorted(zip(i[begins].tolist(), j[begins].tolist(), lengths.tolist(), strict=True))


def _follow(runs: list[_Run], ours: _Letters, page: _Letters) -> np.ndarray:
    """For each letter of the transcript (N,) the letter of the page that it is, -1 for none; none is taken twice."""
    to, taken = np.full(len(ours.codes), -1), np.zeros(len(page.codes), bool)
    begins, page_begins = set(ours.starts.tolist()), set(page.starts.tolist())
    jumps = [_JUMP + (i not in begins) + (j not in page_begins) for i, j, _ in runs]  # rather where a line begins
    for chain in sorted(_chains(runs, jumps), key=lambda chain: -sum(length for _, _, length in chain)):
        for i, j, length in chain:
            free = np.flatnonzero(~taken[j : j + length])
            to[i + free], taken[j + free] = j + free, True
    return to


def _chains(runs: list[_Run], jumps: list[int]) -> list[list[_Run]]:
    """The path with the most letters that agree, less what the jumps to its runs cost, parted at the jumps."""
    best, steps = _paths(runs, jumps)
    at = max(range(len(best)), key=best.__getitem__, default=-1)
    at = at if max(best, default=0.0) > 0 else -1
    chains: list[list[_Run]] = []
    chain: list[_Run] = []
    while at >= 0:
        (i, j, length), (at, overlap, is_jump) = runs[at], steps[at]
        chain.append((i + overlap, j + overlap, length - overlap))
        if is_jump:
            chains.append(chain)
            chain = []
    return chains


def _paths(runs: list[_Run], jumps: list[int]) -> tuple[list[float], list[_Step]]:
    """What the best path to each run has gained with it, and the step by which it comes there."""
    best: list[float] = []
    steps: list[_Step] = []
    ended: list[tuple[int, int]] = []  # a heap: where runs end that begin before this one, and which they are
    near: dict[int, int] = {}  # the best run so far in each band of diagonals
    top, top_score = -1, 0.0
    for n, ((i, j, length), jump) in enumerate(zip(runs, jumps, strict=True)):
        while ended and ended[0][0] <= i:
            before = heappop(ended)[1]
            if best[before] > top_score:
                top, top_score = before, best[before]
        ways: list[tuple[float, _Step]] = []
        band = (j - i) // _BAND
        for m in {near[at] for at in (band - 1, band, band + 1) if at in near}:
            a, b, run = runs[m]
            overlap = max(0, a + run - i, b + run - j)
            if a < i and b < j and overlap < length:
                ways.append((best[m] - overlap - abs((j - i) - (b - a)) / 2, (m, overlap, False)))
        ways.append((top_score - jump, (top, 0, True)))
        ways += [(best[m] - (end - i) - jump, (m, end - i, True)) for end, m in ended if end < i + length]
        gained, step = max(ways, key=itemgetter(0))  # the first of equal ones: rather not a jump
        best.append(gained + length)
        steps.append(step)
        heappush(ended, (i + length, n))
        if band not in near or best[n] >= best[near[band]]:
            near[band] = n
    return best, steps


def _fill(to: np.ndarray, ours: np.ndarray, page: np.ndarray) -> None:
    """Also match letters between those that are: with what follows the one before, and what precedes the one after."""
    taken = np.zeros(len(page), bool)
    taken[to[to >= 0]] = True
    known = [-1, *np.flatnonzero(to >= 0).tolist(), len(ours)]
    for before, after in pairwise(known):
        gap = after - before - 1
        if not 0 < gap <= _LONGEST_GAP:
            continue
        start = int(to[before]) + 1 if before >= 0 else 0
        stop = int(to[after]) if after < len(ours) else len(page)
        reach = 3 * gap // 2 + 8
        follows, precedes = taken[start : start + reach], taken[max(stop - reach, 0) : stop][::-1]
        behind = start + np.arange(follows.argmax() if follows.any() else len(follows))
        ahead = stop - 1 - np.arange(precedes.argmax() if precedes.any() else len(precedes))[::-1]
        free = np.union1d(behind, ahead) if start <= stop else np.concatenate([behind, ahead])
        for i, j in _aligned(ours[before + 1 : after], page[free]):
            to[before + 1 + i] = free[j]
            taken[free[j]] = True


def _aligned(a: np.ndarray, b: np.ndarray) -> list[tuple[int, int]]:
    """The pairs of equal letters in the best alignment of a (A,) and b (B,).

    Ten for a pair that agrees; ten less for another; ten less for leaving out letters of either, and one more for each:
    so what is in one only is left out whole, whatever letters happen to agree (Gotoh 1982).
    """
    if not (len(a) and len(b)):
        return []
    ramp = np.arange(len(b) + 1, dtype=np.int32)
    paired = np.full((len(a) + 1, len(b) + 1), -(10**6), np.int32)  # ends with a pair
    above = paired.copy()  # ends with letters of a left out
    best = paired.copy()  # ends in any way
    paired[0, 0] = 0
    for i in range(len(a) + 1):
        if i:
            paired[i, 1:] = best[i - 1, :-1] + np.where(b == a[i - 1], 10, -10)
            above[i] = np.maximum(best[i - 1] - 10, above[i - 1]) - 1
        stem = np.maximum(paired[i], above[i]) + ramp
        best[i] = np.maximum(stem, np.maximum.accumulate(stem) - 10) - ramp
    pairs = []
    i, j = len(a), len(b)
    while i:
        if best[i, j] > max(paired[i, j], above[i, j]):
            j = int(np.argmax(np.maximum(paired[i, :j], above[i, :j]) + ramp[:j]))
        if paired[i, j] >= above[i, j]:
            i, j = i - 1, j - 1
            if a[i] == b[j]:
                pairs.append((i, j))
        else:
            while above[i, j] != best[i - 1, j] - 11:
                i -= 1
            i -= 1
    return pairs


@dataclass(frozen=True, eq=False)
class _Claim:
    """Letters of a transcript line that are in a printed line."""

    line: int
    printed: int
    letters: list[int]
    """Those of the transcript that agree."""
    first: int
    """The first letter on the page that agrees."""
    last: int
    """The last one."""
    start: int
    """The first letter on the page that is the line's, read wrong or not."""
    stop: int
    """The letter after the last one."""


def _claims(to: np.ndarray, ours: _Letters, page: _Letters) -> list[_Claim]:
    """Which transcript lines have which letters of which printed lines, without what looks like chance."""
    shared: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i in np.flatnonzero(to >= 0).tolist():
        shared[int(ours.lines[i])][int(page.lines[to[i]])].append(i)
    taken = np.bincount(page.lines[to[to >= 0]], minlength=len(page.starts))
    claims = []
    for line, by_printed in shared.items():
        sure = []
        for printed, found in by_printed.items():
            others = int(taken[printed]) - len(found)
            if _is_sure(np.array(found), to[found], page.count(printed) - others):
                sure.append((printed, found))
        if sum(len(found) for _, found in sure) < _COVERED * ours.count(line):
            continue
        begins = [int(ours.starts[line]), *(found[-1] + 1 for _, found in sure)]
        ends = [*(found[0] for _, found in sure), int(ours.starts[line + 1])]
        missed = [max(end - begin, 0) for begin, end in zip(begins, ends, strict=True)]
        for n, (printed, found) in enumerate(sure):
            edges = _edges(printed, to[found], (missed[n], missed[n + 1]), page)
            claims.append(_Claim(line, printed, found, int(to[found].min()), int(to[found].max()), *edges))
    return claims


def _is_sure(found: np.ndarray, to: np.ndarray, free: int) -> bool:
    """Whether letters that agree are more than chance in a printed line that has so many that no other agrees with."""
    spread = max(int(np.ptp(found)), int(np.ptp(to))) + 1
    return len(to) >= _AGREE * spread and (len(to) >= _FEW or 2 * len(to) >= free)


def _edges(printed: int, to: np.ndarray, missed: tuple[int, int], page: _Letters) -> tuple[int, int]:
    """From where to where a claim goes: letters that agree, as many beside them as ours missed, a short rest."""
    left, right = int(page.starts[printed]), int(page.starts[printed + 1])
    slack = max(2, round(_SLACK * (right - left)))
    start, stop = int(to.min()) - missed[0], int(to.max()) + 1 + missed[1]
    return left if start - slack <= left else start, right if stop + slack >= right else stop


def _equals(claims: list[_Claim], ours: _Letters, page: _Letters) -> list[_Claim]:
    """Claims of the lines that have none yet on printed lines that have the same letters and no claim, in order."""
    placed, printed = {claim.line for claim in claims}, {claim.printed for claim in claims}
    unread: dict[bytes, deque[int]] = defaultdict(deque)
    for n, (left, right) in enumerate(pairwise(page.starts.tolist())):
        if n not in printed:
            unread[page.codes[left:right].tobytes()].append(n)
    found = []
    for line, (left, right) in enumerate(pairwise(ours.starts.tolist())):
        same = unread[ours.codes[left:right].tobytes()]
        if line not in placed and left < right and same:
            n = same.popleft()
            first, stop = page.starts[n : n + 2].tolist()
            found.append(_Claim(line, n, [*range(left, right)], first, stop - 1, first, stop))
    return found


def _places(claims: list[_Claim], printed: list[Line], page: _Letters) -> dict[int, dict[_Claim, Quad]]:
    """The places that each transcript line was read from, by its claims: printed lines, or its parts of them."""
    by_printed: dict[int, list[_Claim]] = defaultdict(list)
    for claim in sorted(claims, key=lambda claim: claim.first):
        by_printed[claim.printed].append(claim)
    places: dict[int, dict[_Claim, Quad]] = defaultdict(dict)
    for n, parts in by_printed.items():
        text, edge = printed[n].text, int(page.starts[n])
        for claim, after in zip_longest(parts, parts[1:]):
            first = max(claim.start, edge)
            edge = min(claim.stop, after.first) if after else claim.stop
            start = 0 if first == page.starts[n] else int(page.at[first])
            stop = len(text) if edge == page.starts[n + 1] else max(int(page.at[edge]), start + 1)
            places[claim.line][claim] = part(printed[n], start, start + len(text[start:stop].rstrip()))
    return places


def _pieces(text: str, places: dict[_Claim, Quad], ours: _Letters, page: _Letters) -> tuple[Piece, ...]:
    """What of a transcript line stands in each place, all of its characters in one of them; none for a single place."""
    first, *others = sorted(places, key=lambda claim: fmean(claim.letters))
    kept = [(0, first)]
    for claim in others:
        start, before = kept[-1]
        cut = _cut(_bare(text), before, claim, ours, page)
        if not text[start:cut].strip():
            kept[-1] = start, claim
        elif text[cut:].strip():
            kept.append((cut, claim))
    spans = zip_longest(kept, kept[1:], fillvalue=(len(text), first))
    return tuple(Piece(text[start:stop], places[claim]) for (start, claim), (stop, _) in spans if len(kept) > 1)


def _cut(bare: str, before: _Claim, after: _Claim, ours: _Letters, page: _Letters) -> int:
    """The first character of a bare transcript line that belongs to the later of two claims on it.

    At a space, or where there is none, at its first letter; but a word stays whole, where it begins.
    """
    signs = sorted([(letter, 1) for letter in before.letters] + [(letter, -1) for letter in after.letters])
    at = int(np.cumsum([0, *(sign for _, sign in signs)]).argmax())  # here most letters are on their own side
    if at in (0, len(signs)):
        return len(bare) if at else 0
    last = int(ours.at[signs[at - 1][0]]) + 1
    first = max(int(ours.at[signs[at][0]]), last)
    if spaces := [n for n in range(last, first) if bare[n].isspace()]:
        ends, begins = page.starts[before.printed + 1] - 1 - before.last, after.first - page.starts[after.printed]
        unread = last + (first - last) * ends / max(ends + begins, 1)
        return min(spaces, key=lambda n: abs(n - unread))
    if (last < first and not bare[last:first].isalnum()) or any(map(UNSPACED.match, bare[last - 1 : first + 1])):
        return first
    stop = first + len(_WORD_ENDS.split(bare[first:], 1)[0])
    return stop if stop <= ours.at[after.letters[-1]] else first


def _around(quads: list[Quad]) -> Quad:
    """The quad, or the upright one around several."""
    box = Box.around(tuple(point for quad in quads for point in quad))
    upright = (box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)
    return upright if len(quads) > 1 else quads[0]
