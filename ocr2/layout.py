"""How the lines of a page make paragraphs, rows, flowing text and words."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate, pairwise
from statistics import median
from typing import TYPE_CHECKING

from ocr2.order import ITEM, UNSPACED
from ocr2.types import Line, Point, Quad, Transcript, join

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = list[Line]
Paragraph = list[Row]

_UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Control characters and lone surrogates: what XML forbids or UTF-8 can't hold."""
_SPLIT_WORD = re.compile("[^\\W\\d_][-\u2010\u00ad]$")
_PROSE_SLACK = 0.15
"""How far short of its paragraph's right edge, as a share of the width, a row of running prose may end."""
_HEADING_SIZES = ((1.8, 1), (1.35, 2))
"""How many times the page's median line height make a heading, and of which level."""
_MARK = re.compile(rf"(?:[•●▪■○·]\s*|-\s+(?!.*\s-$)|([1-9]\d{{0,2}})[.)、](?:\s+|(?={UNSPACED.pattern})))(?=\S)")
"""What an item of a list begins with, where Markdown and HTML have such lists; "- 41 -" is a page's number."""


@dataclass(frozen=True)
class Block:
    """A paragraph, a heading or a list, as flowing text."""

    level: int
    """0 for a paragraph and for a list, 1 or 2 for a heading."""
    stretches: tuple[str, ...]
    """The text between hard line breaks, or of each item."""
    number: int | None = None
    """Of a list that of its first item, the others follow; 0 where they have dots or dashes. None for no list."""


def paragraphs(lines: Iterable[Line]) -> list[Paragraph]:
    """The lines put into rows, and the rows into paragraphs, by what stands after each line; no empty lines."""
    found: list[Paragraph] = []
    end = "\n\n"
    for line in lines:
        if not line.text.strip():
            end = max(end, line.end, key=lambda mark: mark.count("\n"))
            continue
        if end.count("\n") > 1:
            found.append([[line]])
        elif "\n" in end:
            found[-1].append([line])
        else:
            found[-1][-1].append(line)
        end = line.end
    return found


def printed(lines: Iterable[Line]) -> list[Line]:
    """The lines as they stand on the page: one that was printed as several is so many, each in a row of its own."""
    found: list[Line] = []
    for line in lines:
        if not line.pieces:
            found.append(line)
            continue
        found += [Line(piece.text.strip(), piece.quad, line.score) for piece in line.pieces]
        found[-1] = replace(found[-1], end=line.end)
    return found


def unplaced(text: str) -> tuple[Line, ...]:
    """The lines of a text, all without a place; `join` makes them the text again, but for blank lines at either end."""
    found = list(re.finditer(r"[^\n]*\S[^\n]*", text))
    ends = [text[line.end() : after.start()] for line, after in pairwise(found)]
    return tuple(Line(line.group(), None, 1.0, end) for line, end in zip(found, [*ends, "\n"], strict=False))


def is_flat(transcript: Transcript) -> bool:
    """Whether its lines are printed ones, which may be put into paragraphs, and its characters mean themselves.

    Otherwise the text is all there is: of an answer in tokens, which a language model has put into lines and may have
    marked up, whether or not it was asked to and whether or not the lines have places; and where places are missing.
    """
    prompt = transcript.prompt
    is_answer = transcript.tokens or prompt.format or prompt.tiles or prompt.pages > 1
    return bool(transcript.lines) and not is_answer and all(line.quad for line in transcript.lines)


def blocks(transcript: Transcript) -> list[Block]:
    """The transcript as flowing paragraphs, headings and lists; by its text alone where that is all there is."""
    if not is_flat(transcript):
        chunks = re.split(r"\n\s*\n", printable(transcript.text).strip())
        return [Block(0, tuple(chunk.split("\n"))) for chunk in chunks if chunk]
    usual = height(transcript.lines)
    found = []
    for paragraph in paragraphs(transcript.lines):
        stretches = _flow(paragraph)
        letters = sum(map(str.isalpha, "".join(stretches)))
        size = height(lines_of(paragraph)) / usual
        level = next((level for least, level in _HEADING_SIZES if size >= least), 0)
        if level and len(paragraph) <= 2 and letters >= 2:
            found.append(Block(level, (reduce(_glue, stretches),)))
        else:
            found.append(Block(0, tuple(stretches)))
    return _listed(found)


def _listed(some: Iterable[Block]) -> list[Block]:
    """The blocks, with lists apart from other text, and each from the next: their items' numbers follow each other."""
    found: list[tuple[int, list[str], int | None]] = []
    for block in some:
        joins = False
        for stretch in block.stretches:
            mark = None if block.level else _MARK.match(stretch)
            number = int(mark[1] or 0) if mark else None
            text = stretch[mark.end() :] if mark else stretch
            _, texts, first = found[-1] if joins else (0, [], -1)
            if number == (first + len(texts) if first and number else first):
                texts.append(text)
            else:
                found.append((block.level, [text], number))
            joins = True
    return [Block(level, tuple(texts), number) for level, texts, number in found]


def words(line: Line) -> list[tuple[str, Quad]]:
    """The line's words, as spaces divide them, each with its own share of the line's quad."""
    edges = _edges(line)
    found = ((word.group(), word.start(), word.end()) for word in re.finditer(r"\S+", line.text))
    return [(text, _share(line.place, edges[start], edges[stop])) for text, start, stop in found]


def part(line: Line, start: int, stop: int) -> Quad:
    """The quad of the line's characters from start to stop; the line's own for all of them."""
    edges = [0.0, *_edges(line)[1:-1], 1.0]
    return _share(line.place, edges[start], edges[stop])


def _edges(line: Line) -> list[float]:
    """Where each character starts along the line, 0 to 1, and where the last one ends: n + 1 numbers.

    Characters meet midway between their centers; without centers, each is as wide as its kind.
    """
    centers = line.centers
    if len(centers) == len(line.text) > 1 and all(a <= b for a, b in pairwise(centers)):
        first, last = (3 * centers[0] - centers[1]) / 2, (3 * centers[-1] - centers[-2]) / 2
        return [max(first, 0.0), *((a + b) / 2 for a, b in pairwise(centers)), min(last, 1.0)]
    ends = list(accumulate(map(units, line.text), initial=0))
    return [end / (ends[-1] or 1) for end in ends]


def units(character: str) -> int:
    """How wide the character is: 2 for East Asian wide ones, else 1."""
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _share(quad: Quad, start: float, stop: float) -> Quad:
    """The part of the quad between two places along its text, 0 to 1."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad

    def top(at: float) -> Point:
        return ax + (bx - ax) * at, ay + (by - ay) * at

    def bottom(at: float) -> Point:
        return dx + (cx - dx) * at, dy + (cy - dy) * at

    return top(start), top(stop), bottom(stop), bottom(start)


def printable(text: str) -> str:
    """The text without control characters and lone surrogates."""
    return _UNPRINTABLE.sub("", text)


def lines_of(paragraph: Paragraph) -> list[Line]:
    """The paragraph's lines, row after row."""
    return [line for row in paragraph for line in row]


def height(lines: Iterable[Line]) -> float:
    """The median height of the lines, weighted by their characters, in pixels; 1 where there are none.

    All of them have places, here as in everything below and in `words`.
    """
    sides = [
        (math.dist(line.place[0], line.place[3]) + math.dist(line.place[1], line.place[2])) / 2
        for line in lines
        for _ in line.text
    ]
    return max(median(sides or [1.0]), 1.0)


def _flow(paragraph: Paragraph) -> list[str]:
    """The paragraph's text, broken only after rows that are clearly not prose: short ones, and those with wide gaps."""
    lines = lines_of(paragraph)
    dx = sum(line.place[1][0] - line.place[0][0] for line in lines)
    dy = sum(line.place[1][1] - line.place[0][1] for line in lines)
    length = math.hypot(dx, dy) or 1.0

    def extent(line: Line) -> tuple[float, float]:
        along = [(x * dx + y * dy) / length for x, y in line.place]
        return min(along), max(along)

    spans = [[extent(line) for line in row] for row in paragraph]
    tops = [min(y * dx - x * dy for line in row for x, y in line.place) for row in paragraph]
    wide = 2 * height(lines)
    stretches: list[str] = []
    broken = True
    starts = [0, *(n for n, (above, top) in enumerate(pairwise(tops), 1) if top < above), len(paragraph)]
    for start, stop in pairwise(starts):  # a paragraph may run on at the top of the next column, which ends elsewhere
        sides = [side for row in spans[start:stop] for span in row for side in span]
        slack = max(_PROSE_SLACK * (max(sides) - min(sides)), wide)
        for row, span in zip(paragraph[start:stop], spans[start:stop], strict=True):
            text = re.sub(r"[ \t\n]+", " ", printable(join(tuple(row)))).strip()
            columns = any(after[0] - before[1] > wide for before, after in pairwise(span))
            if broken or columns or ITEM.match(text):
                stretches.append(text)
            else:
                stretches[-1] = _glue(stretches[-1], text)
            broken = columns or max(sides) - max(end for _, end in span) > slack
    return stretches


def _glue(first: str, second: str) -> str:
    """Two rows as one: a word split by a hyphen made whole, and no space between characters that go without."""
    if _SPLIT_WORD.search(first) and second[:1].isalnum():
        return (first[:-1] if second[0].islower() else first) + second
    unspaced = UNSPACED.match(first[-1:]) and UNSPACED.match(second[:1])
    return first + ("" if unspaced else " ") + second
