"""A score as what is seen of it: bars of staves of voices of notes; written as **kern in one spelling.

    written(Score(bars, title="Mazurka"))

Each picture has one spelling: staves from the lowest up, notes of a chord from the lowest up, marks and beams on its
first note, `n` where a natural is printed and nowhere else, no *^ where one voice is enough. What no picture shows
(stem directions, editors' signs, comments) isn't in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import NamedTuple

STEPS = "cdefgab"
_SEMITONES = (0, 2, 4, 5, 7, 9, 11)
MARKS = ("'", "~", "^", "T", "M", "W", ":", ";")
"""Staccato, tenuto, accent, trill, mordents, arpeggio, fermata: as they are written, in this order."""
SHARPS = "fcgdaeb"
BARS = ("=", "=||", "==", "=:|!", "=!|:", "=:|!|:")
"""Lines between bars: plain, double, the last one, repeats."""


class Note(NamedTuple):
    """A note head."""

    step: int
    """Diatonic: 0 is C0, 7 C1, 28 the middle C."""
    alter: int = 0
    """Semitones: 1 is sharp."""
    tied: bool = False
    """To the same note of what follows."""


@dataclass(frozen=True)
class Event:
    """A rest, a note or a chord."""

    value: str
    """As **kern writes it: 4. is a dotted quarter."""
    notes: tuple[Note, ...] = ()
    """From the lowest up; none is a rest."""
    marks: str = ""
    """Of MARKS, in that order."""
    grace: str = ""
    """q with a slash, qq without."""
    opens: bool = False
    """Whether a slur begins."""
    closes: bool = False
    beam: str = ""
    """As **kern writes it; see `beamed`."""

    @property
    def length(self) -> Fraction:
        """In whole notes."""
        return Fraction(0) if self.grace else length(self.value)


Voice = tuple[Event, ...]


@dataclass(frozen=True)
class Bar:
    """What stands between two bar lines."""

    staves: tuple[tuple[Voice, ...], ...]
    """From the lowest up, each of one or two voices, the upper one first; all are as long as the meter says."""
    end: str = "="
    """The line after it, one of BARS."""
    clefs: tuple[str, ...] = ()
    """Of each staff at its beginning, as in G2."""
    key: int = 0
    """Sharps, or less than 0 flats."""
    meter: str = "4/4"


@dataclass(frozen=True)
class Score:
    """Bars one after the other, and what stands above them."""

    bars: tuple[Bar, ...]
    title: str = ""
    author: str = ""
    common: bool = False
    """Whether a meter of 4/4 or 2/2 is printed as a sign."""


@cache
def length(value: str) -> Fraction:
    """Of a note, in whole notes."""
    number = value.rstrip(".")
    return Fraction(1, int(number)) * (2 - Fraction(1, 2 ** (len(value) - len(number))))


def key(name: str) -> int | None:
    """The sharps of a key signature, as in *k[f#c#]; None for one that isn't usual."""
    for count in range(-7, 8):
        if name == signature(count):
            return count
    return None


def signature(count: int) -> str:
    """The key signature of so many sharps, or flats."""
    steps = SHARPS[:count] if count >= 0 else SHARPS[::-1][:-count]
    return "*k[" + "".join(step + ("#" if count > 0 else "-") for step in steps) + "]"


def altered(step: int, count: int) -> int:
    """How a note is altered by a key signature of so many sharps."""
    name = STEPS[step % 7]
    return int(name in SHARPS[:count]) if count >= 0 else -int(name in SHARPS[::-1][:-count])


def semitones(step: int, alter: int) -> int:
    """Above C0."""
    return 12 * (step // 7) + _SEMITONES[step % 7] + alter


def pitch(note: Note) -> str:
    """Its letters, as in cc."""
    octave, letter = note.step // 7, STEPS[note.step % 7]
    return letter * (octave - 3) if octave > 3 else letter.upper() * (4 - octave)


def flags(value: str) -> int:
    """Of a note that isn't beamed."""
    return max(0, int(value.rstrip(".")).bit_length() - 3)


def beamed(group: list[Event]) -> list[Event]:
    """Events under one beam: every stroke of it begins with L and ends with J, a stroke of one note is K or k."""
    counts = [flags(event.value) for event in group]
    found = []
    for place, (event, count) in enumerate(zip(group, counts, strict=True)):
        before = counts[place - 1] if place else 0
        after = counts[place + 1] if place + 1 < len(counts) else 0
        ends = max(0, min(before, count) - min(after, count))
        begins = max(0, min(after, count) - min(before, count))
        hooks = count - max(min(before, count), min(after, count))
        beam = "J" * ends + "L" * begins + ("k" if place else "K") * hooks
        found.append(replace(event, beam=beam))
    return found


def written(score: Score) -> str:
    """The score as **kern; see the top of this file."""
    first = score.bars[0]
    count = len(first.staves)
    lines = [f"!!!OTL: {score.title}"] * bool(score.title) + [f"!!!COM: {score.author}"] * bool(score.author)
    lines.append("\t".join(["**kern"] * count))
    lines.append("\t".join(f"*clef{clef}" for clef in first.clefs))
    lines.append("\t".join([signature(first.key)] * count))
    lines += _metered(first.meter, score.common, count)
    tied: list[set[tuple[int, int]]] = [set() for _ in first.staves]
    voices = [1] * count
    before = first
    for bar in score.bars:
        lines += _joined(voices, bar)
        lines += _changes(before, bar, voices, score.common) if bar is not first else []
        lines += _split(voices, bar)
        voices = [len(staff) for staff in bar.staves]
        lines += _notes(bar, tied)
        lines.append("\t".join([bar.end] * sum(voices)))
        before = bar
    return "\n".join([*lines, "\t".join(["*-"] * sum(voices))])


def _metered(meter: str, common: bool, count: int) -> list[str]:
    signs = {"4/4": "*met(c)", "2/2": "*met(c|)"} if common else {}
    names = [f"*M{meter}", *([signs[meter]] if meter in signs else [])]
    return ["\t".join([name] * count) for name in names]


def _changes(before: Bar, bar: Bar, voices: list[int], common: bool) -> list[str]:
    """The lines of what holds from this bar on: clefs, key, meter."""
    lines = []
    if bar.clefs != before.clefs:
        names = ["*" if new == old else f"*clef{new}" for new, old in zip(bar.clefs, before.clefs, strict=True)]
        lines.append("\t".join("\t".join([name] * k) for name, k in zip(names, voices, strict=True)))
    if bar.key != before.key:
        lines.append("\t".join([signature(bar.key)] * sum(voices)))
    if bar.meter != before.meter:
        lines += _metered(bar.meter, common, sum(voices))
    return lines


def _joined(voices: list[int], bar: Bar) -> list[str]:
    """The lines that join voices which end, one for each staff, which then has one."""
    lines = []
    for staff, (old, new) in enumerate(zip(voices, bar.staves, strict=True)):
        if old > len(new):
            lines.append("\t".join("\t".join(["*v" if n == staff else "*"] * k) for n, k in enumerate(voices)))
            voices[staff] = 1
    return lines


def _split(voices: list[int], bar: Bar) -> list[str]:
    """The line that splits staves which get a second voice."""
    new = [len(staff) > old for old, staff in zip(voices, bar.staves, strict=True)]
    if not any(new):
        return []
    return ["\t".join("*^" if more else "\t".join(["*"] * old) for old, more in zip(voices, new, strict=True))]


def _notes(bar: Bar, tied: list[set[tuple[int, int]]]) -> list[str]:
    """The lines of notes of a bar; `tied` has the notes of each staff that are tied to what follows."""
    rows: dict[Fraction, dict[tuple[int, int], list[Event]]] = defaultdict(lambda: defaultdict(list))
    places = [(staff, voice) for staff, voices in enumerate(bar.staves) for voice in range(len(voices))]
    for staff, voice in places:
        time = Fraction(0)
        for event in bar.staves[staff][voice]:
            rows[time][staff, voice].append(event)
            time += event.length
    lines = []
    spelled = [_Spelling(bar.key, before) for before in tied]
    for time in sorted(rows):
        now = rows[time]
        depth = max(map(len, now.values()))
        mains = {place: bool(events) and not events[-1].grace for place, events in now.items()}
        padded: dict[tuple[int, int], list[Event | None]] = {}
        for place, events in now.items():
            some: list[Event | None] = [*events] if mains[place] else [*events, None]
            padded[place] = [*[None] * (depth + 1 - len(some)), *some]
        for turn in range(depth + 1):
            tokens = []
            for place in places:
                here = padded[place][turn] if place in padded else None
                tokens.append(spelled[place[0]].token(here, place[1]) if here else ".")
            if any(token != "." for token in tokens):  # noqa: S105 no password
                lines.append("\t".join(tokens))
    for staff, spelling in enumerate(spelled):
        tied[staff] = spelling.tied
    return lines


class _Spelling:
    """How notes of a staff are spelled in a bar: which naturals are printed, which ties end."""

    def __init__(self, key: int, tied: set[tuple[int, int]]) -> None:
        self.key = key
        self.state: dict[int, int] = {}
        """How notes are altered by the signs before them in the bar, by step."""
        self.small: dict[int, int] = {}
        """The same for grace notes, whose own signs don't count for others."""
        self.graced: dict[int, set[int]] = {}
        """How grace notes have been altered since the last note that is none."""
        self.held: dict[int, int] = {}
        """The same for notes that are tied to the bar before, until another of their step comes."""
        self.tied = set(tied)
        """Voice and step of what is tied to the next note."""
        self.from_before = set(tied)

    def token(self, event: Event, voice: int) -> str:
        """An event as **kern."""
        if not event.notes:
            return f"{event.value}r" + event.marks
        parts, marks = [], self.marks(event)
        for place, note in enumerate(event.notes):
            comes = not event.grace and (voice, note.step) in self.tied
            tie = {(False, True): "[", (True, False): "]", (True, True): "_"}.get((comes, note.tied), "")
            sign = "#" * note.alter if note.alter >= 0 else "-" * -note.alter
            if comes and (voice, note.step) in self.from_before:
                self.held[note.step] = note.alter
            elif not comes:
                state = self.small if event.grace else self.state
                others = [] if event.grace else [self.held.get(note.step, 0), *self.graced.pop(note.step, ())]
                if not note.alter and any([state.get(note.step, self.usual(note.step)), *others]):
                    sign = "n"
                state[note.step] = self.small[note.step] = note.alter
                if event.grace:
                    self.graced.setdefault(note.step, set()).add(note.alter)
                else:
                    self.held.pop(note.step, None)
            first, last = place == 0, place == len(event.notes) - 1
            parts.append(
                ("[" if tie == "[" else "")
                + ("(" if event.opens and first else "")
                + f"{event.value}{event.grace}{pitch(note)}{sign}"
                + (marks + event.beam if first else "")
                + (tie if tie in ("]", "_") else "")
                + (")" if event.closes and last else "")
            )
        if not event.grace:
            self.tied = {(mine, step) for mine, step in self.tied if mine != voice}
            self.tied |= {(voice, note.step) for note in event.notes if note.tied}
            self.from_before = {(mine, step) for mine, step in self.from_before if mine != voice}
        return " ".join(parts)

    def marks(self, event: Event) -> str:
        """Its marks, but for an ornament whose second note has been altered in the bar, and would be told so."""
        step = event.notes[-1].step
        near = {step + 1: "TM", step - 1: "W"}
        changed = [marks for step, marks in near.items() if self.state.get(step, self.usual(step)) != self.usual(step)]
        return "".join(mark for mark in event.marks if not any(mark in marks for marks in changed))

    def usual(self, step: int) -> int:
        """How the key alters a note."""
        return altered(step, self.key)


def cleaned(bars: tuple[Bar, ...]) -> tuple[Bar, ...]:
    """The bars with only those ties and slurs that begin and end in them, and beams only where there is one to draw."""
    staves = len(bars[0].staves)
    lanes: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    grid = [[list(map(list, staff)) for staff in bar.staves] for bar in bars]
    for number, bar in enumerate(bars):
        for staff in range(staves):
            for voice, events in enumerate(bar.staves[staff]):
                lanes[staff, voice] += [(number, place) for place in range(len(events))]
    for (staff, voice), lane in lanes.items():
        found = [grid[number][staff][voice][place] for number, place in lane]
        kept = _slurred(_tied(found, [number for number, _ in lane]))
        for (number, place), event in zip(lane, kept, strict=True):
            grid[number][staff][voice][place] = event
    return tuple(
        replace(bar, staves=tuple(tuple(map(tuple, staff)) for staff in cells))
        for bar, cells in zip(bars, grid, strict=True)
    )


def _tied(events: list[Event], numbers: list[int]) -> list[Event]:
    """A voice's events with only those ties that have an end."""
    found = list(events)
    mains = [n for n, event in enumerate(events) if not event.grace]
    for here, there in zip(mains, [*mains[1:], None], strict=True):
        event = events[here]
        if not any(note.tied for note in event.notes):
            continue
        near = there is not None and numbers[there] - numbers[here] <= 1
        after = {(note.step, note.alter) for note in events[there].notes} if near and there is not None else set()
        notes = tuple(note._replace(tied=note.tied and (note.step, note.alter) in after) for note in event.notes)
        found[here] = replace(event, notes=notes)
    return [replace(e, notes=tuple(n._replace(tied=False) for n in e.notes)) if e.grace else e for e in found]


def _slurred(events: list[Event]) -> list[Event]:
    """A voice's events with only those slurs that have both ends, one at a time."""
    found = [replace(event, opens=False, closes=False) for event in events]
    began: int | None = None
    for place, event in enumerate(events):
        if not event.notes:
            continue
        if event.closes and began is not None and began < place:
            found[began] = replace(found[began], opens=True)
            found[place] = replace(found[place], closes=True)
            began = None
        if event.opens and began is None:
            began = place
        elif event.opens:
            began = place  # one within another: the later one
    return found


def signed(marks: set[str], event: Event, count: int) -> str:
    """The marks that an event can have, in their order; trills and mordents only where they need no accidental.

    Their second note is a whole tone away: else it would be told by another letter, and a sign above or below.
    """
    top = event.notes[-1] if event.notes else None
    found = set(marks) & set(MARKS if top else ";")
    if len(event.notes) < 2:
        found.discard(":")
    for mark, side in (("T", 1), ("M", 1), ("W", -1)):
        if mark in found and top:
            near = top.step + side
            away = semitones(near, altered(near, count)) - semitones(top.step, top.alter)
            usual = top.alter == altered(top.step, count)
            if away * side != 2 or not usual or event.grace or len(event.notes) > 1:
                found.discard(mark)
    if len(found & set("TMW")) > 1:
        found -= set("MW")
    if "'" in found:
        found.discard("~")
    return "".join(mark for mark in MARKS if mark in found)


def bar_line(token: str) -> str:
    """One of BARS: what a bar line's token shows."""
    sign = re.sub(r"[\d;a-z-]", "", token.lstrip("="))
    if ":|" in sign and "|:" in sign.replace(":|", "", 1):
        return "=:|!|:"
    if ":|" in sign:
        return "=:|!"
    if "|:" in sign:
        return "=!|:"
    return "=||" if sign == "||" else "==" if token.startswith("==") or "!" in sign else "="
