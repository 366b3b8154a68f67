"""Music as Verovio understands it (MEI), taken apart: parts of staves, bars in the order they stand, what a voice has.

score = fromstring(kern.mei(source))
for part in parts(score): ...
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple
from xml.etree.ElementTree import Element, fromstring, tostring

if TYPE_CHECKING:
    from collections.abc import Iterator

MEI = "{http://www.music-encoding.org/ns/mei}"
ID = "{http://www.w3.org/XML/1998/namespace}id"
WHOLE = ("mRest", "multiRest")
"""Rests that fill bars."""
_LONGER = {"maxima": Fraction(32), "long": Fraction(16), "breve": Fraction(8)}


@dataclass(frozen=True)
class Event:
    """A note, chord, rest, gap or change of clef, key or meter, as it stands in a voice."""

    element: Element
    length: Fraction
    """In quarters; 0 for what takes no time."""
    ratio: Fraction = Fraction(1)
    """Of its length to the one that is printed: 2/3 in a triplet."""
    tuplets: tuple[Element, ...] = ()
    """That it is in, the outermost first."""
    edges: tuple[tuple[Element, Literal["start", "stop"]], ...] = ()
    """Of the tuplets that begin or end with it."""


class Part(NamedTuple):
    """Staves that one player has."""

    name: str
    staves: tuple[str, ...]
    """Their numbers in the MEI, from the top down."""


class Bar(NamedTuple):
    """A bar of all staves, and what stands before it or over it."""

    element: Element
    changes: list[Element]
    """The definitions before it."""
    begins: Element | None
    """The ending (1st time, 2nd time) that it is the first bar of."""
    ends: Element | None
    """The one that it is the last bar of."""


@dataclass
class Marks:
    """What ties, slurs and signs say of notes and chords, by their names in the MEI."""

    ties: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    slurs: dict[str, list[tuple[Element, str]]] = field(default_factory=lambda: defaultdict(list))
    signs: dict[str, list[Element]] = field(default_factory=lambda: defaultdict(list))


def name_of(element: Element) -> str:
    """What MEI calls it."""
    return element.tag.removeprefix(MEI)


def parts(score: Element) -> list[Part]:
    """The parts, as the first definition of the score groups its staves."""
    groups: list[tuple[str, ...]] = []

    def grouped(group: Element) -> None:
        if group.get("symbol") == "brace":
            groups.append(tuple(staff.get("n", "1") for staff in group.iter(f"{MEI}staffDef")))
            return
        for child in group:
            if name_of(child) == "staffGrp":
                grouped(child)
            elif name_of(child) == "staffDef":
                groups.append((child.get("n", "1"),))

    first = score.find(f"{MEI}scoreDef/{MEI}staffGrp")
    if first is not None:
        grouped(first)
    return [Part(f"P{number}", staves) for number, staves in enumerate(groups, 1)]


def marks(score: Element) -> Marks:
    """Everything that is told beside the staves, by the notes that it begins and ends at."""
    found = Marks()
    for element in score.iter():
        tag = name_of(element)
        ends = [element.get(name, "").removeprefix("#") for name in ("startid", "endid")]
        if tag == "tie":
            for name, kind in zip(ends, ("start", "stop"), strict=True):
                found.ties[name].add(kind)
        elif tag == "slur" and all(ends):
            for name, kind in zip(ends, ("start", "stop"), strict=True):
                found.slurs[name].append((element, kind))
        elif tag in ("fermata", "trill", "mordent", "turn", "arpeg"):
            for name in {ends[0], *element.get("plist", "").replace("#", "").split()}:
                found.signs[name].append(element)
    return found


def bars(score: Element) -> Iterator[Bar]:
    """Every bar, in the order that they stand in."""
    over = [(ending, list(ending.iter(f"{MEI}measure"))) for ending in score.iter(f"{MEI}ending")]
    begins = {id(within[0]): ending for ending, within in over if within}
    ends = {id(within[-1]): ending for ending, within in over if within}
    changes: list[Element] = []
    for element in score.iter():
        if name_of(element) == "scoreDef":
            changes.append(element)
        elif name_of(element) == "measure":
            several = _repeated(element)
            for place, bar in enumerate(several):
                begun = None if place else begins.get(id(element))
                yield Bar(bar, changes, begun, ends.get(id(element)) if bar is several[-1] else None)
                changes = []


def _repeated(bar: Element) -> list[Element]:
    """The bar; several empty ones, where it is drawn as a rest with the number of them."""
    count = max((int(rest.get("num", "1")) for rest in bar.iter(f"{MEI}multiRest")), default=1)
    number = bar.get("n", "")
    found = []
    for place in range(count):
        one = Element(
            bar.tag, {name: value for name, value in bar.attrib.items() if name not in ("left", "right", "n")}
        )
        one.attrib |= {"left": bar.get("left", "")} if not place else {}
        one.attrib |= {"right": bar.get("right", "")} if place == count - 1 else {}
        one.attrib |= {"n": str(int(number) + place)} if number.isdigit() else {}
        one.extend(bar)
        found.append(one)
    return found


def bare(element: Element) -> Element:
    """The same without its name."""
    copy = fromstring(tostring(element))  # noqa: S314 our own
    for one in copy.iter():
        one.attrib.pop(ID, None)
    return copy


def events(layer: Element, whole: Fraction) -> Iterator[Event]:
    """The events of a voice in their order; a rest of all the bar is as long as that."""

    def within(above: Element, scale: Fraction, tuplets: tuple[Element, ...]) -> Iterator[Event]:
        for element in above:
            tag = name_of(element)
            if tag in ("note", "chord", "rest", "space"):
                length = Fraction(0) if element.get("grace") else _length(element) * scale
                yield Event(element, length, scale, tuplets)
            elif tag in ("mRest", "multiRest", "mSpace"):
                yield Event(element, whole)
            elif tag in ("clef", "keySig", "meterSig"):
                if not element.get("sameas"):
                    yield Event(element, Fraction(0))
            elif tag == "tuplet":
                yield from _edged(list(within(element, scale * _ratio(element), (*tuplets, element))), element)
            elif tag in ("beam", "graceGrp", "bTrem"):
                yield from within(element, scale, tuplets)
            elif tag == "fTrem":
                yield from within(element, scale / 2, tuplets)

    return within(layer, Fraction(1), ())


def _edged(events: list[Event], tuplet: Element) -> list[Event]:
    """The events of a tuplet, of which the first and the last say that they are."""
    places = [place for place, event in enumerate(events) if event.length and name_of(event.element) != "space"]
    if places:
        first, last = places[0], places[-1]
        events[first] = replace(events[first], edges=((tuplet, "start"), *events[first].edges))
        events[last] = replace(events[last], edges=(*events[last].edges, (tuplet, "stop")))
    return events


def _ratio(tuplet: Element) -> Fraction:
    return Fraction(int(tuplet.get("numbase", "1")), int(tuplet.get("num", "1")))


def _length(element: Element) -> Fraction:
    """Quarters that it sounds for, which may be others than are printed; of a tuplet's note, before it is squeezed."""
    value = element.get("dur.ges", element.get("dur", "4"))
    dots = element.get("dots.ges", element.get("dots", "0"))
    plain = _LONGER.get(value) or Fraction(4, int(value) if value.isdigit() else 4)
    return plain * (2 - Fraction(1, 2 ** int(dots)))


def ends_first(slur: tuple[Element, str]) -> bool:
    """To sort those that end before those that start."""
    return slur[1] == "start"


def beams(layer: Element) -> dict[str, list[tuple[int, str]]]:
    """What notes say of their beams, by their names: which beam, counted from the main one, begins, goes on or ends."""
    found: dict[str, list[tuple[int, str]]] = {}
    for beam in layer.iter(f"{MEI}beam"):
        within = [each for each in beam.iter() if name_of(each) in ("note", "chord", "rest")]
        inner = {id(head) for chord in within if name_of(chord) == "chord" for head in chord}
        inner |= {id(each) for other in beam.iter(f"{MEI}beam") if other is not beam for each in other.iter()}
        some = [each for each in within if id(each) not in inner]
        if not all(each.get("grace") for each in some):
            some = [each for each in some if not each.get("grace")]
        counts = [_strokes(each) for each in some]
        breaks = [int(each.get("breaksec", "9")) for each in some]
        for place, each in enumerate(some):
            if name_of(each) == "rest":
                continue
            told = []
            for level in range(1, counts[place] + 1):
                before = place > 0 and counts[place - 1] >= level and breaks[place - 1] >= level
                after = place + 1 < len(some) and counts[place + 1] >= level and breaks[place] >= level
                kind = "continue" if before and after else "end" if before else "begin" if after else ""
                told.append((level, kind or ("forward hook" if not place else "backward hook")))
            found[each.get(ID, "")] = told
    return found


def _strokes(element: Element) -> int:
    """How many beams it can have; a rest lets only the main one through."""
    if name_of(element) == "rest":
        return 1
    value = element.get("dur", "4")
    return min(8, max(0, int(value).bit_length() - 3)) if value.isdigit() else 0
