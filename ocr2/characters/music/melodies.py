"""Invented music: bars whose rhythms add up, of one or two staves, in all keys.

Not beautiful, but with everything that an excerpt may have, in places where it may stand: a model learns to read it,
and can't guess it.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ocr2.characters.music.scores import Bar, Event, Note, altered, beamed, cleaned, flags, length, signed

if TYPE_CHECKING:
    from random import Random

    from ocr2.characters.music.scores import Voice

_METERS = {"2/4": 4, "3/4": 5, "4/4": 6, "2/2": 1, "3/8": 1, "6/8": 3, "9/8": 1, "12/8": 1, "3/2": 1}
_RANGES = {"G2": (28, 42), "F4": (16, 30), "C3": (22, 35), "C4": (20, 33)}
"""Steps within or near a staff of that clef."""
_QUARTER = (
    *(("4",),) * 5,
    *(("8", "8"),) * 5,
    ("8.", "16"),
    ("16", "8."),
    *(("16", "16", "16", "16"),) * 2,
    ("8", "16", "16"),
    ("16", "16", "8"),
    ("16", "8", "16"),
    ("12", "12", "12"),
    ("6", "12"),
    ("12", "6"),
    ("24",) * 6,
    ("8..", "32"),
    ("8", "32", "32", "32", "32"),
    ("20",) * 5,
)
_HALF = (*(("2",),) * 4, *(("4.", "8"),) * 4, ("8", "4", "8"), ("8",) * 4, ("4..", "16"), ("8", "4."), ("6", "6", "6"))
_DOTTED = (
    *(("4.",),) * 3,
    *(("8", "8", "8"),) * 4,
    ("4", "8"),
    ("4", "8"),
    ("8", "4"),
    ("8.", "16", "8"),
    ("16",) * 6,
    ("8", "16", "16", "8"),
    ("8", "8", "16", "16"),
    ("16", "16", "8", "8"),
)
_WHOLE = {"4/4": "1", "2/2": "1", "3/4": "2.", "2/4": "2", "3/8": "4.", "6/8": "2.", "12/8": "1.", "3/2": "1."}


def invented(rng: Random, most: int) -> tuple[Bar, ...]:
    """Bars with up to so many columns of notes in all, more or less."""
    meter = rng.choices(list(_METERS), list(_METERS.values()))[0]
    count = rng.choices((0, rng.randint(-4, 4), rng.randint(-7, 7)), (2, 5, 2))[0]
    clefs: tuple[str, ...] = ("F4", "G2")
    kind = rng.random()
    if kind < 0.3:
        clefs = (rng.choices(("G2", "F4", "C3", "C4"), (8, 4, 1, 1))[0],)
    elif kind < 0.38:
        clefs = rng.choice((("G2", "G2"), ("F4", "F4")))
    wish = _Wish(rng)
    bars: list[Bar] = []
    left = most
    for _ in range(rng.randint(1, 8)):
        if bars and rng.random() < 0.03:
            clefs = tuple(rng.choice(("G2", "F4")) for _ in clefs)
            left -= 2
        if bars and rng.random() < 0.02:
            count = max(-7, min(7, count + rng.choice((-3, -2, -1, 1, 2, 3))))
            left -= 4
        staves = tuple(wish.staff(meter, clef, count) for clef in clefs)
        if not any(event.notes for staff in staves for voice in staff for event in voice):
            continue  # bars of rests in a row are drawn as one, with a number
        left -= 2 + max(len(voice) for staff in staves for voice in staff)
        if left < 0 and bars:
            break
        bars.append(Bar(staves, "=", clefs, count, meter))
    if len(bars) > 1 and rng.random() < 0.1:
        place = rng.randrange(len(bars) - 1)
        bars[place] = replace(bars[place], end=rng.choice(("=||", "=:|!", "=!|:", "=:|!|:")))
    bars = bars or [wish.plain(meter, clefs, count)]
    bars[-1] = replace(bars[-1], end=rng.choices(("=", "==", "=:|!", "=||"), (5, 4, 1, 1))[0])
    return cleaned(tuple(bars))


class _Wish:
    """What the piece has more or less of."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.rests = rng.choice((0.02, 0.08, 0.2))
        self.chords = rng.choice((0.0, 0.1, 0.3, 0.7))
        self.chromatic = rng.choice((0.0, 0.05, 0.15))
        self.marks = rng.choice((0.0, 0.0, 0.05, 0.2))
        self.slurs = rng.choice((0.0, 0.05, 0.15))
        self.ties = rng.choice((0.0, 0.05, 0.15))
        self.graces = rng.choice((0.0, 0.0, 0.05))
        self.second = rng.choice((0.0, 0.0, 0.3))
        self.calm = rng.choice((0.0, 0.3, 0.6))
        self.unbeamed = rng.random() < 0.06

    def staff(self, meter: str, clef: str, count: int) -> tuple[Voice, ...]:
        """A bar of one staff: a voice, or an upper one and a lower one."""
        low, high = _RANGES[clef]
        if self.rng.random() < self.second:
            middle = (low + high) // 2
            return self.voice(meter, (middle, high + 2), count), self.voice(meter, (low - 3, middle), count)
        if self.rng.random() < 0.04 and meter in _WHOLE:
            return ((Event(_WHOLE[meter]),),)
        reach = self.rng.choice((0, 0, 3))
        return (self.voice(meter, (low - reach, high + reach), count),)

    def plain(self, meter: str, clefs: tuple[str, ...], count: int) -> Bar:
        """A bar that has notes."""
        self.rests = 0.0
        staves = tuple((self.voice(meter, _RANGES[clef], count),) for clef in clefs)
        return Bar(staves, "=", clefs, count, meter)

    def voice(self, meter: str, within: tuple[int, int], count: int) -> Voice:
        """A bar of one voice."""
        rng = self.rng
        step = rng.randint(*within)
        events: list[Event] = []
        for values in _rhythm(meter, rng, self.calm):
            group = []
            for value in values:
                step = max(within[0], min(within[1], step + rng.choice((-4, -2, -2, -1, -1, -1, 0, 1, 1, 1, 2, 2, 3))))
                group.append(self.event(value, step, within, count))
            for n, event in enumerate(group):
                if event.notes and rng.random() < self.graces:
                    group[n : n + 1] = [*self.grace(step, count), event]
                    break
            events += group if self.unbeamed else _beams(group)
        return tuple(events)

    def event(self, value: str, step: int, within: tuple[int, int], count: int) -> Event:
        """A rest, a note or a chord."""
        rng = self.rng
        if rng.random() < self.rests and "." not in value:
            return Event(value)
        steps = {step}
        if rng.random() < self.chords:
            for _ in range(rng.randint(1, 3)):
                steps.add(max(steps) + rng.choice((1, 2, 2, 2, 3, 3, 4)))
            steps = {near for near in steps if near <= within[1] + 2 and near <= step + 8} or {step}
        tied = rng.random() < self.ties
        notes = tuple(Note(near, self.alteration(near, count), tied) for near in sorted(steps))
        event = Event(value, notes, opens=rng.random() < self.slurs, closes=rng.random() < 2 * self.slurs)
        if rng.random() < self.marks:
            event = replace(event, marks=signed({rng.choice("''~^^T:;MW")}, event, count))
        return event

    def alteration(self, step: int, count: int) -> int:
        """Of a note: as the key has it, and now and then another."""
        usual = altered(step, count)
        if self.rng.random() >= self.chromatic:
            return usual
        return max(-2, min(2, usual + self.rng.choice((-1, 1))))

    def grace(self, step: int, count: int) -> list[Event]:
        """One to three grace notes."""
        rng = self.rng
        if rng.random() < 0.6:
            near = step + rng.choice((-1, 1, 2))
            return [Event("8", (Note(near, altered(near, count)),), grace=rng.choice(("q", "qq")))]
        steps = [step + n for n in rng.choice(((1, -1), (-2, -1), (1, 2), (2, 1, -1)))]
        return beamed([Event("16", (Note(near, altered(near, count)),), grace="qq") for near in steps])


def _rhythm(meter: str, rng: Random, calm: float) -> list[tuple[str, ...]]:
    """Values that fill a bar, by what is beamed together."""
    whole = Fraction(meter)
    if rng.random() < calm / 3 and meter in _WHOLE:
        return [(_WHOLE[meter],)]
    groups: list[tuple[str, ...]] = []
    group: tuple[str, ...]
    while whole:
        if meter.endswith("/8"):
            group = ("4.",) if rng.random() < calm else rng.choice(_DOTTED)
        elif whole >= Fraction(1, 2) and (rng.random() < 0.3 or meter.endswith("/2")):
            group = ("2",) if rng.random() < calm else rng.choice((*_HALF, ("4", "4"), ("4", "4")))
        else:
            group = ("4",) if rng.random() < calm else rng.choice(_QUARTER)
        groups.append(group)
        whole -= sum(map(length, group), Fraction(0))
    return groups


def _beams(group: list[Event]) -> list[Event]:
    """A group, beamed: the notes in a row that have flags."""
    found: list[Event] = []
    run: list[Event] = []

    def end() -> None:
        mains = [event for event in run if not event.grace]
        done = iter(beamed(mains) if len(mains) > 1 else mains)
        found.extend(event if event.grace else next(done) for event in run)
        run.clear()

    for event in group:
        if event.grace or (event.notes and flags(event.value)):
            run.append(event)
        else:
            end()
            found.append(event)
    end()
    return found
