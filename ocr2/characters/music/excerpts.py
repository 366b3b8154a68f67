"""Bars of a whole score in **kern, of one or two staves: those that can be drawn just as they are written again.

    bars = read(source)             # None where a bar has something that isn't drawn, or doesn't add up
    some = excerpt(bars, rng, 60)   # a few one after the other, of up to so many notes and rests in a row

Invisible rests are shown, notes that are invisible are rests; numbers of tuplets that the score hides are shown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from ocr2.characters.music.kern import rows
from ocr2.characters.music.scores import (
    MARKS,
    STEPS,
    Bar,
    Event,
    Note,
    bar_line,
    beamed,
    cleaned,
    flags,
    key,
    length,
    signed,
)
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from random import Random

    from ocr2.characters.music.kern import Row
    from ocr2.characters.music.scores import Voice

CLEFS = ("G2", "F4", "C3", "C4")
METERS = ("2/4", "3/4", "4/4", "2/2", "3/8", "6/8", "9/8", "12/8", "3/2", "6/4")
_VALUES = {str(2**n) + "." * dots for n in range(7) for dots in range(3) if n + dots < 7} | {"3", "6", "12", "24", "48"}
_TOKEN = re.compile(r"(\d+\.{0,2})?([qQ]{0,2})(\d+\.{0,2})?(r|([a-gA-G])\5{0,3})(#{1,2}|-{1,2}|n)?")
_CLEF_RANGE = {"G2": (26, 50), "F4": (14, 38), "C3": (20, 44), "C4": (18, 42)}
"""Steps that a staff of that clef shows with up to five ledger lines or so."""


class _Open(NamedTuple):
    """An event, as the score has it."""

    event: Event
    beam: int
    """Strokes that begin here, less those that end."""
    hidden: bool


class _Reading:
    """A score while it is read: what holds for each staff, and the bar that is under way."""

    def __init__(self, staves: list[int]) -> None:
        self.staves = staves
        self.clefs: dict[int, str] = {}
        self.key: int | None = 0
        self.meter = ""
        self.bars: list[Bar | None] = []
        self.begin()

    def begin(self) -> None:
        """A new bar."""
        self.bad = False
        self.free: dict[tuple[int, int], Fraction] = defaultdict(Fraction)
        self.voices: dict[tuple[int, int], list[_Open]] = defaultdict(list)
        self.now = Fraction(0)

    def lanes(self, row: Row) -> list[tuple[int, int] | None]:
        """Of each column its staff, and which voice of it; None for what isn't drawn."""
        seen: dict[int, int] = defaultdict(int)
        found: list[tuple[int, int] | None] = []
        for column in row.columns:
            if column.spine not in self.staves:
                found.append(None)
                continue
            found.append((self.staves.index(column.spine), seen[column.spine]))
            seen[column.spine] += 1
        return found

    def interpreted(self, row: Row) -> None:
        """A line of clefs, keys, meters, or splits. A change amid a bar makes it one that isn't used."""
        lanes = self.lanes(row)
        for token, lane in zip(row.tokens, lanes, strict=True):
            if lane is None or token == "*":  # noqa: S105 no password
                continue
            amid = self.now > 0 or bool(self.voices)
            if token.startswith("*clef"):
                self.bad |= amid
                self.clefs[lane[0]] = token[5:]
            elif token.startswith("*k["):
                self.bad |= amid
                self.key = key(token)
            elif found := re.fullmatch(r"\*M(\d+/\d+)", token):
                self.bad |= amid
                self.meter = found[1]
            elif token == "*^":  # noqa: S105
                self.free[lane[0], 1] = self.now
                self.voices.setdefault((lane[0], 1), [])
                self.fill((lane[0], 1), self.now)
            elif token in ("*x", "*+"):
                self.bad = True

    def fill(self, lane: tuple[int, int], end: Fraction) -> None:
        """Rests for what the voice doesn't have."""
        events = self.voices[lane]
        lack = end - sum((part.event.length for part in events), Fraction(0))
        if not lack:
            return
        for value in ("1", "2.", "2", "4.", "4", "8.", "8", "16", "32"):
            while lack >= length(value):
                lack -= length(value)
                events.append(_Open(Event(value), 0, True))
        self.bad |= lack != 0

    def noted(self, row: Row) -> None:
        """A line of notes."""
        starts = []
        for token, lane in zip(row.tokens, self.lanes(row), strict=True):
            if lane is None or token == ".":  # noqa: S105
                continue
            if lane[1] > 1:
                self.bad = True
                continue
            parsed = _event(token, self.key or 0)
            if parsed is None:
                self.bad = True
                continue
            if not parsed.event.grace:
                starts.append(self.free[lane])
                self.free[lane] += parsed.event.length
            self.voices[lane].append(parsed)
        if starts:
            self.bad |= len(set(starts)) > 1
            self.now = starts[0]
        if self.free:
            self.now = max(self.now, min(self.free.values()))

    def ended(self, line: str) -> None:
        """A bar line."""
        if self.voices or self.bad:
            self.bars.append(self.bar(line))
        self.begin()

    def bar(self, line: str) -> Bar | None:
        """What was read since the last one; None where it can't be drawn so."""
        known = self.meter in METERS and self.key is not None and len(self.clefs) == len(self.staves)
        if self.bad or not known or any(clef not in CLEFS for clef in self.clefs.values()):
            return None
        whole = Fraction(self.meter)
        staves = []
        for staff in range(len(self.staves)):
            voices = [self._voice(staff, voice, whole) for voice in (0, 1) if (staff, voice) in self.voices]
            if self.bad or not voices:
                return None
            some = [voice for voice in voices if voice] or [(Event(rest),) for rest in _whole(whole)[:1]]
            if not some or any(_beyond(voice, self.clefs[staff]) for voice in some):
                return None
            staves.append(tuple(some))
        clefs = tuple(self.clefs[staff] for staff in range(len(self.staves)))
        return Bar(tuple(staves), line, clefs, self.key or 0, self.meter)

    def _voice(self, staff: int, voice: int, whole: Fraction) -> Voice:
        """A voice of the bar; none where all of it is invisible."""
        lane = staff, voice
        events = self.voices[lane]
        if len(events) == 1 and not events[0].event.notes and not events[0].hidden:
            self.bad |= not _whole(whole)
            return tuple(Event(rest, marks=events[0].event.marks) for rest in _whole(whole))
        if all(part.hidden for part in events):
            return ()
        self.fill(lane, whole)
        self.bad |= sum((part.event.length for part in events), Fraction(0)) != whole or not _adds_up(events)
        return tuple(_beams(events))


def _whole(whole: Fraction) -> list[str]:
    """The rest of a whole bar, if there is one such value."""
    return [value for value in ("1", "2.", "2", "4.", "1.") if length(value) == whole]


def _beyond(voice: Voice, clef: str) -> bool:
    """Whether a note is too far above or below the staff."""
    low, high = _CLEF_RANGE[clef]
    return any(not low <= note.step <= high for event in voice for note in event.notes)


def _event(token: str, count: int) -> _Open | None:
    """What is seen of a token; None where it isn't anything usual."""
    notes, values, graces = [], set(), set()
    for part in token.split(" "):
        found = _TOKEN.search(part)
        if not found or re.search("[a-gA-Gr#]", part[: found.start()] + part[found.end() :]):
            return None
        value = found[1] or found[3]
        if value is None:
            return None
        values.add(value)
        graces.add("q" * len(found[2]))
        if found[4] != "r" and "yy" not in part:
            octave = 3 + len(found[4]) if found[4].islower() else 4 - len(found[4])
            sign = found[6] or ""
            alter = sign.count("#") - sign.count("-")
            notes.append(Note(7 * octave + STEPS.index(found[4][0].lower()), alter, "[" in part or "_" in part))
    value, grace = values.pop(), graces.pop()
    if values or graces or value not in _VALUES or len({note.step for note in notes}) < len(notes) or len(notes) > 6:
        return None
    if grace and (not notes or value not in ("4", "8", "16", "32")):
        return None
    event = Event(value, tuple(sorted(notes)), grace=grace, opens="(" in token, closes=")" in token)
    event = replace(event, marks=signed({mark for mark in MARKS if mark in token}, event, count))
    return _Open(event, token.count("L") - token.count("J"), not notes and "yy" in token)


def _adds_up(events: list[_Open]) -> bool:
    """Whether triplets are whole: those in a row begin and end where plain notes could."""
    time, run = Fraction(0), Fraction(0)
    for part in [*events, None]:
        if part is not None and part.event.grace:
            continue
        if part is not None and int(part.event.value.rstrip(".")) % 3 == 0:
            run += part.event.length
        elif run:
            begins = time - run
            unit = Fraction(1, 4) if run.denominator < 8 else Fraction(1, 8)
            if (run / unit).denominator > 1 or (begins / unit).denominator > 1:
                return False
            run = Fraction(0)
        if part is not None:
            time += part.event.length
    return True


def _beams(events: list[_Open]) -> list[Event]:
    """The events, beamed as the score has them; graces by themselves."""
    found = [part.event for part in events]
    for grace in (False, True):
        group: list[int] = []
        depth = 0
        for place, part in enumerate(events):
            if bool(part.event.grace) != grace:
                if grace:
                    group, depth = [], 0  # graces before another note
                continue
            if depth or part.beam > 0:
                group.append(place)
            depth = max(0, depth + part.beam)
            if group and not depth:
                some = [found[n] for n in group]
                if len(some) > 1 and all(event.notes and flags(event.value) for event in some):
                    for n, event in zip(group, beamed(some), strict=True):
                        found[n] = event
                group = []
    return found


def read(source: str, begin: int = 0, end: int = 1 << 30) -> list[Bar | None]:
    """Its bars, or those between so many bar lines; None for one that can't be drawn as it is.

    Raises BadInput for a score of more or fewer staves, or whose columns are wrong.
    """
    reading: _Reading | None = None
    lines = 0
    for row in rows(source):
        first = row.tokens[0]
        if reading is None:
            staves = [column.spine for column in row.columns if column.kind == "**kern"]
            if len(staves) not in (1, 2):
                raise BadInput(f"a score of {len(staves)} staves: expected one or two columns of **kern")
            reading = _Reading(staves)
        elif first.startswith("*"):
            reading.interpreted(row)
        elif first.startswith("="):
            reading.ended(bar_line(first))
            lines += 1
            if lines >= end:
                break
        elif lines >= begin:
            reading.noted(row)
    return reading.bars if reading else []


def excerpt(bars: list[Bar | None], rng: Random, most: int) -> tuple[Bar, ...]:
    """A few bars in a row, of up to so many notes and rests in all. Raises BadInput where there are none."""
    starts = [n for n, bar in enumerate(bars) if bar and _wide(bar) <= most and sounds(bar)]
    if not starts:
        raise BadInput("no bar of the score can be drawn by itself: expected whole bars of one or two staves")
    start = rng.choice(starts)
    wanted = rng.randint(1, 8)
    taken: list[Bar] = []
    for bar in bars[start : start + wanted]:
        if bar is None or (len(bar.staves) == 1 and not sounds(bar)) or sum(map(_wide, taken)) + _wide(bar) > most:
            break
        taken.append(bar)
    return cleaned(tuple(taken))


def sounds(bar: Bar) -> bool:
    """Whether it has a note. Bars of one staff in a row that have none are drawn as one, with a number."""
    return any(event.notes for staff in bar.staves for voice in staff for event in voice)


def _wide(bar: Bar) -> int:
    """Columns of notes that the bar takes, more or less: its line and what is changed before it count too."""
    times: set[tuple[Fraction, int]] = set()
    for staff in bar.staves:
        for voice in staff:
            time, turn = Fraction(0), 0
            for event in voice:
                turn = turn + 1 if event.grace else 0
                times.add((time, turn))
                time += event.length
    return len(times) + 2
