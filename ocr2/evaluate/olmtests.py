"""olmOCR-bench's tests: one fact of a page each, that its transcript shows or doesn't.

    test = parsed('{"pdf": "a.pdf", "page": 1, "id": "1", "type": "present", "text": "Iron"}', "tests.jsonl, line 1")
    test.failure("# Iron")          # "": it passes

They run as in the benchmark's `tests.py`, whose fields these are; rapidfuzz and fuzzysearch are part of what they mean.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, get_type_hints

from ocr2.errors import BadInput
from ocr2.evaluate import olmmath, olmtables
from ocr2.evaluate.folders import entry

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = (
    dict.fromkeys(map(ord, "‘’‚"), "'") | dict.fromkeys(map(ord, "“”„"), '"') | dict.fromkeys(map(ord, "–—‑‒−"), "-")
)
_PLAIN |= {0xFF3F: "_", 0xB5: "\u03bc"}
_REPEATED = 5
"""Characters of a run that a transcript may end with again and again."""
_UNWANTED = re.compile(
    "[\u4e00-\u9fff\u3040-\u309f\u30a0-\u30ff\U0001f600-\U0001f64f\U0001f300-\U0001f5ff\U0001f680-\U0001f6ff"
    "\U0001f1e0-\U0001f1ff]"
)
_RAISED = dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))
_AROUND = 200
"""Characters before and after a footnote's mark in which its text is looked for."""
MOST_ALIKE = 200
"""Cells of a table's transcript that are taken for the one that is asked about, at most."""
_FORMATS = {
    "heading": (r"(?m)^#{1,6}\s+(.+?)$",),
    "bold": (r"(?s)\*\*(.*?)\*\*", r"(?s)__(.*?)__"),
    "italic": (r"(?s)(?<!\*)\*(?!\*)(.*?)(?<!\*)\*(?!\*)", r"(?s)(?<!_)_(?!_)(.*?)(?<!_)_(?!_)"),
}
_TAGS = {"heading": ("h[1-6]",), "bold": ("b", "strong"), "italic": ("i", "em")}


@lru_cache(maxsize=256)
def plain(text: str) -> str:
    """The text without bold and italic marks, on one line, with plain quotes and hyphens."""
    text = re.sub(r"<br/?>", " ", text)
    text = re.sub(r"__(.*?)__", r"\1", re.sub(r"\*\*(.*?)\*\*", r"\1", text))
    text = re.sub(r"</?[bi]>", "", text)
    text = re.sub(r"(\*|_)(.*?)\1", r"\2", re.sub(r"(\*\*|__)(.*?)\1", r"\2", text))
    return unicodedata.normalize("NFC", re.sub(r"\s+", " ", text)).translate(_PLAIN)


def _like(part: str, text: str) -> float:
    """How like a part is to the stretch of the text that it is most like, 0 to 1, by rapidfuzz's `partial_ratio`."""
    from rapidfuzz import fuzz

    return fuzz.partial_ratio(part, text) / 100


@dataclass(frozen=True, kw_only=True)
class Test:
    """A fact of a page."""

    __test__ = False  # nothing that pytest collects

    pdf: str
    page: int
    id: str
    type: str
    max_diffs: int = 0
    """Characters that may be wrong."""
    checked: str | None = None
    url: str | None = None

    def failure(self, text: str) -> str:
        """Why a transcript fails it; "" where it passes."""
        return self._failure(text)

    def _failure(self, text: str) -> str:
        raise NotImplementedError

    def _wrong(self) -> str:
        """What is wrong with the test itself; "" where nothing is."""
        return ""

    @property
    def fact(self) -> str:
        """It, in a line."""
        own = [field.name for field in fields(self) if field.name not in _COMMON]
        told = (f"{name}={getattr(self, name)!r}" for name in own if getattr(self, name))
        return f"{self.type}: {', '.join(told)}"

    def _least(self, wanted: str) -> float:
        """How like a text is to be to what is wanted."""
        return 1 - self.max_diffs / (len(wanted) or 1)


_COMMON = {field.name for field in fields(Test)}


@dataclass(frozen=True, kw_only=True)
class Presence(Test):
    """A text that is there ("present"), or, as a page's header, left out ("absent")."""

    text: str
    case_sensitive: bool = True
    first_n: int | None = None
    last_n: int | None = None

    def _wrong(self) -> str:
        return "" if plain(self.text).strip() else "an empty text"

    def _failure(self, text: str) -> str:
        wanted, text = plain(self.text), plain(text)
        if not self.case_sensitive:
            wanted, text = wanted.lower(), text.lower()
        if self.first_n or self.last_n:
            text = (text[: self.first_n] if self.first_n else "") + (text[-self.last_n :] if self.last_n else "")
        there = len(text) >= len(wanted) - self.max_diffs and _like(wanted, text) >= self._least(wanted)
        if there == (self.type == "present"):
            return ""
        return f"{wanted[:40]!r} is {'there' if there else 'not there'}"


@dataclass(frozen=True, kw_only=True)
class Order(Test):
    """Two texts, the first of which is somewhere before the second."""

    before: str
    after: str

    def _wrong(self) -> str:
        texts = plain(self.before), plain(self.after)
        if not all(text.strip() for text in texts):
            return "an empty text"
        return "max_diffs of more than half of a text" if self.max_diffs > min(map(len, texts)) // 2 else ""

    def _failure(self, text: str) -> str:
        found = []
        for wanted in (plain(self.before), plain(self.after)):
            found.append(near(wanted, plain(text), self.max_diffs))
            if not found[-1]:
                return f"{wanted[:40]!r} is not there"
        return "" if found[0][0] < found[1][-1] else f"{self.before[:40]!r} is not before {self.after[:40]!r}"


def near(wanted: str, text: str, most: int) -> list[int]:
    """Where the wanted text begins in another, but for so many edits, from the first place on.

    As by fuzzysearch's `find_near_matches`: of places that overlap, the nearest counts, or of those the longest. That
    compares all of them with each other, which takes long where a transcript repeats itself.
    """
    from fuzzysearch.levenshtein import find_near_matches_levenshtein  # type: ignore[import-untyped]

    if not most:
        return [place for place in (text.find(wanted), text.rfind(wanted)) if place >= 0]
    found: list[int] = []
    best, end = (0, 0, 0), 0
    for match in sorted(find_near_matches_levenshtein(wanted, text, most), key=lambda each: each.start):
        rank = match.dist, match.start - match.end, match.start
        if not found or match.start >= end:
            best = rank
            found.append(match.start)
        elif rank < best:
            best, found[-1] = rank, match.start
        end = max(end, match.end)
    return found


@dataclass(frozen=True, kw_only=True)
class Format(Test):
    """A text that is a heading, or bold or italic."""

    text: str
    format: str
    case_sensitive: bool = True

    def _wrong(self) -> str:
        if not plain(self.text).strip():
            return "an empty text"
        return "" if self.format in _FORMATS else f"format {self.format!r}: expected {', '.join(_FORMATS)}"

    def _failure(self, text: str) -> str:
        wanted = plain(self.text) if self.case_sensitive else plain(self.text).lower()
        for found in self._formatted(text):
            if _like(wanted, plain(found) if self.case_sensitive else plain(found).lower()) >= self._least(wanted):
                return ""
        return f"{wanted[:40]!r} is no {self.format}"

    def _formatted(self, text: str) -> Iterator[str]:
        """What has the format, in Markdown, then in HTML."""
        for pattern in _FORMATS[self.format]:
            yield from re.findall(pattern, text)
        for tag in _TAGS[self.format]:
            last = max((end.end() for end in re.finditer(rf"(?i)</{tag}>", text)), default=0)  # no search beyond it
            yield from re.findall(rf"(?is)<{tag}[^>]{{0,300}}>(.*?)</{tag}>", text[:last])


@dataclass(frozen=True, kw_only=True)
class Table(Test):
    """A cell, and what stands beside, above and below it, and at the head of its column and row."""

    cell: str
    up: str | None = ""
    down: str | None = ""
    left: str | None = ""
    right: str | None = ""
    top_heading: str | None = ""
    left_heading: str | None = ""
    ignore_markdown_tables: bool = False

    def _failure(self, text: str) -> str:
        wanted = plain(self.cell)
        found = olmtables.tables(text, not self.ignore_markdown_tables)
        reasons = []
        alike = ((grid, place) for grid in found for place, told in grid.texts.items() if self._same(wanted, told))
        for grid, place in islice(alike, MOST_ALIKE):
            reason = self._misplaced(grid, place)
            if not reason:
                return ""
            reasons.append(reason)
        return "; ".join(reasons) or (f"no cell {wanted[:40]!r}" if found else "no table")

    def _misplaced(self, grid: olmtables.Grid, place: olmtables.Place) -> str:
        """What isn't where it should be, seen from a cell."""
        ways = {
            "up": partial(grid.up, *place),
            "down": partial(grid.down, *place),
            "left": partial(grid.left, *place),
            "right": partial(grid.right, *place),
            "top_heading": partial(grid.headings, place, grid.up),
            "left_heading": partial(grid.headings, place, grid.left),
        }
        for name, way in ways.items():
            wanted = plain(getattr(self, name) or "")
            if wanted and not any(self._same(wanted, grid.texts[there]) for there in way()):
                return f"{wanted[:40]!r} is not {name} of {plain(self.cell)[:40]!r}"
        return ""

    def _same(self, wanted: str, told: str) -> bool:
        from rapidfuzz import fuzz

        return fuzz.ratio(wanted, plain(told)) / 100 >= max(0.5, self._least(wanted))


@dataclass(frozen=True, kw_only=True)
class Math(Test):
    """A formula that stands somewhere, by itself or in a longer one; see `olmmath`."""

    math: str
    ignore_dollar_delimited: bool = False

    def _wrong(self) -> str:
        return "" if self.math.strip() else "an empty formula"

    def _failure(self, text: str) -> str:
        there = olmmath.stands(self.math, text, not self.ignore_dollar_delimited)
        return "" if there else f"{self.math[:60]!r} is not there"


@dataclass(frozen=True, kw_only=True)
class Baseline(Test):
    """A page that has text, that doesn't end in a loop, and has no character that no page of the benchmark has; or,
    with `max_length`, hardly any text.
    """

    max_length: int | None = None
    max_length_skips_image_alt_tags: bool = False
    max_repeats: int = 30
    check_disallowed_characters: bool = True

    def _failure(self, text: str) -> str:
        if self.max_length is not None:
            if self.max_length_skips_image_alt_tags:
                text = re.sub(r"!\[[^\]\n]*\]\([^)\n]*\)", "", text)
            length = sum(map(str.isalnum, text))
            return f"{length} letters of a blank page" if length > self.max_length else ""
        if not any(map(str.isalnum, text)):
            return "no letters"
        for size in range(1, _REPEATED + 1):
            if (count := repeats(text, size)) > self.max_repeats:
                return f"it ends with {text[-size:]!r} {count} times"
        unwanted = _UNWANTED.findall(text) if self.check_disallowed_characters else []
        return f"it has {''.join(dict.fromkeys(unwanted))[:40]}" if unwanted else ""


def repeats(text: str, size: int) -> int:
    """How many times in a row a text has its last characters, so many, at its end."""
    last, count = text[-size:], 0
    while len(last) == size and text.endswith(last, 0, len(text) - count * size):
        count += 1
    return count


@dataclass(frozen=True, kw_only=True)
class Footnote(Test):
    """A footnote's mark, raised or as `[^1]`, with what stands before and after it."""

    marker: str
    appears_before_marker: str | None = None
    appears_after_marker: str | None = None

    def _wrong(self) -> str:
        if not self.marker or " " in self.marker:
            return f"the marker {self.marker!r}: expected one without spaces"
        told = (self.appears_before_marker, self.appears_after_marker)
        return "an empty text" if any(text and not plain(text).strip() for text in told) else ""

    def _failure(self, text: str) -> str:
        mark = re.escape(self.marker)
        found = [*re.finditer(rf"\[\^{mark}\](?!:)", text), *re.finditer(rf"(?i)<sup[^>]{{0,300}}>{mark}</sup>", text)]
        if set(self.marker) <= set(_RAISED):
            found += re.finditer("".join(_RAISED[digit] for digit in self.marker), text)
        if not found:
            return f"no mark {self.marker!r}"
        before = [_letters(text[max(0, each.start() - _AROUND) : each.start()]) for each in found]
        after = [_letters(text[each.end() : each.end() + _AROUND]) for each in found]
        if not self._near(self.appears_before_marker, before, last=True):
            return f"{self.appears_before_marker[:40]!r} is before no mark" if self.appears_before_marker else ""
        if not self._near(self.appears_after_marker, after, last=False):
            return f"{self.appears_after_marker[:40]!r} is after no mark" if self.appears_after_marker else ""
        return ""

    def _near(self, wanted: str | None, given: list[str], last: bool) -> bool:
        if not wanted:
            return True
        letters, size = _letters(wanted), 2 * len(_letters(wanted))
        ends = [(text[-size:] if last else text[:size]) if size else text for text in given if text]
        return any(_like(letters, text) >= self._least(plain(wanted)) for text in ends)


def _letters(text: str) -> str:
    return "".join(char for char in plain(text) if char.isalnum()).lower()


TYPES: dict[str, type[Test]] = {
    "present": Presence,
    "absent": Presence,
    "order": Order,
    "table": Table,
    "math": Math,
    "baseline": Baseline,
    "format": Format,
    "footnote": Footnote,
}


def parsed(line: str, where: str) -> Test:
    """The test that a line of JSON is. Raises BadInput, which says where it is, for one that is none."""
    told = entry(line, where).fields
    kind = TYPES.get(str(told.get("type")))
    if not kind:
        raise BadInput(f"{where}: the type {told.get('type')!r:.60} is unknown: expected {', '.join(TYPES)}")
    known = {field.name: field for field in fields(kind)}
    if unknown := [name for name in told if name not in known]:
        raise BadInput(f"{where}: {unknown[0]!r:.60} is no field of {told['type']!r}: expected {', '.join(known)}")
    hints = get_type_hints(kind)
    for name, field in known.items():
        if name not in told and field.default is MISSING:
            raise BadInput(f"{where} has no {name!r}: it has {', '.join(map(repr, told))}")
        if name in told and not _fits(told[name], hints[name]):
            raise BadInput(f"{where}, {name!r} is {told[name]!r:.60}: expected {_named(hints[name])}")
    test = kind(**told)
    wrong = (
        "" if test.pdf and test.id and test.page > 0 and test.max_diffs >= 0 else "an empty name or a negative number"
    )
    if wrong := wrong or test._wrong():
        raise BadInput(f"{where}: a test with {wrong}")
    return test


def _fits(value: object, hint: Any) -> bool:
    if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        return False
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _named(hint: Any) -> str:
    return str(getattr(hint, "__name__", hint)).replace("str", "a string").replace("int", "a whole number")
