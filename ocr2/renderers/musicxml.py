"""MusicXML of **kern: what Verovio makes of the music (MEI), told as MusicXML 4.0, which every notation program reads.

    content = written(source, "Mazurka", "F. Chopin")   # called apart

Two staves with a brace are one part, others one each. Told are notes, rests, chords, grace notes and tuplets, voices,
clefs, keys, meters and transpositions, accidentals as they are printed, ties, slurs, beams, stems that are given,
articulations, fermatas, trills, mordents, turns, arpeggios, bar lines, repeats and their endings. Lyrics, dynamics and
words are left out.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from math import lcm
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from ocr2.errors import RenderFailed
from ocr2.renderers import kern, mei

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
    '"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_FINEST = 1 << 24
"""Parts that a quarter is divided into, at most: bars of nested odd tuplets would need more than a reader can count."""
_SLURS = 16
"""That may be under way at the same time."""
_TYPES = {"1": "whole", "2": "half", "4": "quarter", "8": "eighth", "32": "32nd"}
_ALTERED = {"s": 1, "ss": 2, "x": 2, "xs": 3, "sx": 3, "ts": 3, "f": -1, "ff": -2, "tf": -3, "n": 0}
_ACCIDENTALS = {
    "s": "sharp", "ss": "sharp-sharp", "x": "double-sharp", "xs": "triple-sharp", "sx": "triple-sharp",
    "ts": "triple-sharp", "f": "flat", "ff": "flat-flat", "tf": "triple-flat", "n": "natural",
}  # fmt: skip
_ARTICULATIONS = {
    "acc": "accent", "marc": "strong-accent", "stacc": "staccato", "ten": "tenuto", "stacciss": "staccatissimo",
    "spicc": "spiccato", "ten-stacc": "detached-legato",
}  # fmt: skip
_ORNAMENTS = {
    "trill": "trill-mark", "mordent": "mordent", "mordent upper": "inverted-mordent", "turn": "turn",
    "turn lower": "inverted-turn",
}  # fmt: skip
_ATTRIBUTES = ("divisions", "key", "time", "staves", "clef", "transpose")
"""In the order that MusicXML has them."""
_LINES = {"dbl": "light-light", "end": "light-heavy", "invis": "none", "dashed": "dashed", "dotted": "dotted"}


def written(source: str, title: str = "", author: str = "") -> bytes:
    """The music, which is **kern that its caller has checked, as a file of MusicXML. Raises RenderFailed for what
    Verovio can't read and for bars that no reader could count, RendererMissing.
    """
    score = fromstring(kern.mei(source)).find(f".//{mei.MEI}score")  # noqa: S314 Verovio's, which declares nothing
    if score is None or score.find(f".//{mei.MEI}measure") is None:
        raise RenderFailed("Verovio found no bar in the music: expected notes or rests below **kern")
    root = Element("score-partwise", version="4.0")
    if title:
        _told(SubElement(root, "work"), "work-title", title)
    made = SubElement(root, "identification")
    if author:
        _told(made, "creator", author, type="composer")
    _told(SubElement(made, "encoding"), "software", "ocr2")
    parts, marks = mei.parts(score), mei.marks(score)
    listed = SubElement(root, "part-list")
    for part in parts:
        _told(SubElement(listed, "score-part", id=part.name), "part-name", "Piano" if len(part.staves) > 1 else "")
    for part in parts:
        _Writer(part, marks).part(SubElement(root, "part", id=part.name), score)
    return (_HEAD + tostring(root, encoding="unicode") + "\n").encode()


def _told(above: Element, name: str, text: str = "", **attributes: str) -> Element:
    """An element in the other one, with that in it."""
    element = SubElement(above, name, {key.replace("_", "-"): value for key, value in attributes.items()})
    if text:
        element.text = text
    return element


class _Writer:
    """One part, while it is written."""

    def __init__(self, part: mei.Part, marks: mei.Marks) -> None:
        self.staves = part.staves
        self.marks = marks
        self.meter = Fraction(4)
        """Quarters of a bar, as its meter has them."""
        self.open: dict[int, Element] = {}
        """Slurs of which one end is written, by their numbers."""
        self.measure = Element("measure")
        self.divisions = 1
        self.voices = 4

    def part(self, above: Element, score: Element) -> None:
        """All bars of the part."""
        bars = list(mei.bars(score))
        self.divisions, self.voices = self._measured(bars)
        numbered = all(bar.element.get("n") for bar in bars)
        repeats = False
        for count, (bar, changes, begins, ends) in enumerate(bars, 1):
            self.measure = SubElement(above, "measure", number=bar.get("n", "") if numbered else str(count))
            if count == 1:
                self._attribute("divisions", str(self.divisions))
            for change in changes:
                self._changed(change)
            if count == 1 and len(self.staves) > 1:
                self._attribute("staves", str(len(self.staves)))
            if repeats or bar.get("left") in ("rptstart", "rptboth"):
                self._bar_line("left", "heavy-light", begins, "forward")
            elif begins is not None:
                self._bar_line("left", "", begins)
            self._bar(bar)
            right = bar.get("right", "")
            repeats = right in ("rptboth", "rptstart")
            if right in ("rptend", "rptboth"):
                self._bar_line("right", "light-heavy", ends, "backward")
            elif right in _LINES or ends is not None:
                self._bar_line("right", _LINES.get(right, ""), ends)

    def _measured(self, bars: list[mei.Bar]) -> tuple[int, int]:
        """Into how many parts a quarter is divided, and how many voices a staff has. Raises RenderFailed."""
        divisions, voices = 1, 4
        for bar, changes, *_ in bars:
            meters = [meter for change in changes for meter in change.iter(f"{mei.MEI}meterSig")]
            units = [meter.get("unit", "4") for meter in (*meters, *bar.iter(f"{mei.MEI}meterSig"))]
            divisions = lcm(
                divisions, *(Fraction(4, int(unit)).denominator for unit in units if unit.isdigit() and int(unit))
            )
            for staff in self._of(bar):
                layers = staff.findall(f"{mei.MEI}layer")
                voices = max(voices, len(layers))
                for layer in layers:
                    divisions = lcm(divisions, *(event.length.denominator for event in mei.events(layer, Fraction(0))))
                    if divisions > _FINEST:
                        raise RenderFailed("the music has tuplets of too many kinds: expected usual ones")
        return divisions, voices

    def _of(self, bar: Element) -> list[Element]:
        """Its staves that are of this part, from the top down."""
        found = {staff.get("n", "1"): staff for staff in bar.findall(f"{mei.MEI}staff")}
        return [found[number] for number in self.staves if number in found]

    def _attribute(self, name: str, text: str = "", **attributes: str) -> Element:
        """One of the attributes that stand after what was written last, in their order."""
        last = self.measure[-1] if len(self.measure) else None
        above = last if last is not None and last.tag == "attributes" else SubElement(self.measure, "attributes")
        element = _told(above, name, text, **attributes)
        above[:] = sorted(above, key=lambda child: _ATTRIBUTES.index(child.tag))
        return element

    def _changed(self, definition: Element) -> None:
        """Clefs, keys and meters of a definition, of the whole score or a staff of it."""
        shared = [child for child in definition if mei.name_of(child) in ("keySig", "meterSig")]
        staves = [staff for staff in definition.iter(f"{mei.MEI}staffDef") if staff.get("n") in self.staves]
        for name in ("keySig", "meterSig", "clef"):
            found = [child for child in shared if mei.name_of(child) == name]
            own = [(staff, child) for staff in staves for child in staff if mei.name_of(child) == name]
            for child in found:
                self._change(child, 0)
            alike = len(own) == len(self.staves) and len({tostring(mei.bare(child)) for _, child in own}) == 1
            for staff, child in own[:1] if alike and name != "clef" else own:
                self._change(child, 0 if alike and name != "clef" else 1 + self.staves.index(staff.get("n", "1")))
        for staff in staves:
            self._transposed(staff)

    def _change(self, element: Element, staff: int) -> None:
        """A clef, key or meter, of a staff, counted from 1, or of all (0)."""
        number = {"number": str(staff)} if staff and len(self.staves) > 1 else {}
        if mei.name_of(element) == "clef":
            clef = self._attribute("clef", **number)
            _told(clef, "sign", {"perc": "percussion"}.get(element.get("shape", "G"), element.get("shape", "G")))
            if element.get("line"):
                _told(clef, "line", element.get("line", "2"))
            if element.get("dis"):
                octaves = {"8": 1, "15": 2}.get(element.get("dis", ""), 0)
                _told(clef, "clef-octave-change", str(octaves if element.get("dis.place") == "above" else -octaves))
        elif mei.name_of(element) == "keySig":
            _keyed(self._attribute("key", **number), element)
        else:
            self._metered(element, number)

    def _transposed(self, staff: Element) -> None:
        """How far what a staff sounds lies from what is written: in steps and semitones, and octaves besides."""
        steps, semitones = (int(staff.get(f"trans.{name}", "0")) for name in ("diat", "semi"))
        if not steps and not semitones:
            return
        octaves = int(semitones / 12)
        several = len(self.staves) > 1
        number = {"number": str(1 + self.staves.index(staff.get("n", "1")))} if several else {}
        transpose = self._attribute("transpose", **number)
        _told(transpose, "diatonic", str(steps - 7 * octaves))
        _told(transpose, "chromatic", str(semitones - 12 * octaves))
        if octaves:
            _told(transpose, "octave-change", str(octaves))

    def _metered(self, element: Element, number: dict[str, str]) -> None:
        sign = {"common": "4", "cut": "2"}.get(element.get("sym", ""), "")  # which may be all that there is
        count, unit = element.get("count", sign), element.get("unit", sign)
        if not all(part.isdigit() and int(part) for part in (count, unit)):
            return
        self.meter = Fraction(4 * int(count), int(unit))
        time = self._attribute("time", **number, **({"symbol": element.get("sym", "")} if sign else {}))
        _told(time, "beats", count)
        _told(time, "beat-type", unit)

    def _bar_line(self, side: str, style: str, ending: Element | None = None, repeats: str = "") -> None:
        line = _told(self.measure, "barline", location=side)
        if style:
            _told(line, "bar-style", style)
        if ending is not None:
            number = ending.get("n", "")
            closed = repeats or style in ("light-heavy", "light-light")
            kind = "start" if side == "left" else "stop" if closed else "discontinue"
            _told(line, "ending", number=number if number.isdigit() and int(number) else "", type=kind)
        if repeats:
            _told(line, "repeat", direction=repeats)

    def _bar(self, bar: Element) -> None:
        """The voices of a bar, one after the other."""
        staves = [(1 + self.staves.index(staff.get("n", "1")), staff) for staff in self._of(bar)]
        lanes = [(place, layer) for place, staff in staves for layer in staff.findall(f"{mei.MEI}layer")]
        lengths = [sum((event.length for event in mei.events(layer, Fraction(0))), Fraction(0)) for _, layer in lanes]
        whole = max(lengths, default=Fraction(0)) or self.meter
        counts: dict[int, int] = defaultdict(int)
        changed: dict[int, set[tuple[Fraction, str]]] = defaultdict(set)
        gone = Fraction(0)
        for staff, layer in lanes:
            if gone:
                self._moved("backup", gone)
            counts[staff] += 1
            voice = str(self.voices * (staff - 1) + counts[staff])
            gone = self._voice(layer, whole, staff, voice, changed[staff])

    def _voice(
        self, layer: Element, whole: Fraction, staff: int, voice: str, changed: set[tuple[Fraction, str]]
    ) -> Fraction:
        """One voice of a bar of that length; how many quarters it takes. `changed` has the clefs, keys and meters that
        other voices of the staff have told.
        """
        events = list(mei.events(layer, whole))
        beams = mei.beams(layer)
        time = Fraction(0)
        for event in events:
            time += event.length
            if mei.name_of(event.element) in ("clef", "keySig", "meterSig"):
                told = time, tostring(mei.bare(event.element), encoding="unicode").strip()
                if told not in changed:
                    self._change(event.element, staff)
                changed.add(told)
            elif mei.name_of(event.element) in ("space", "mSpace"):
                self._moved("forward", event.length, voice, staff)
            else:
                self._event(event, voice, staff, beams.get(event.element.get(mei.ID, ""), []))
        return time

    def _moved(self, way: str, length: Fraction, voice: str = "", staff: int = 0) -> None:
        move = SubElement(self.measure, way)
        _told(move, "duration", self._duration(length))
        if voice:
            _told(move, "voice", voice)
        if staff and len(self.staves) > 1:
            _told(move, "staff", str(staff))

    def _duration(self, length: Fraction) -> str:
        return str(round(length * self.divisions))

    def _event(self, event: mei.Event, voice: str, staff: int, beams: list[tuple[int, str]]) -> None:
        """A note, a chord or a rest."""
        element = event.element
        heads = element.findall(f"{mei.MEI}note") if mei.name_of(element) == "chord" else [element]
        for place, head in enumerate(heads):
            hidden = "false" in (element.get("visible"), head.get("visible"))
            note = SubElement(self.measure, "note", {"print-object": "no"} if hidden else {})
            grace = element.get("grace")
            if grace:
                _told(note, "grace", **({"slash": "yes"} if grace == "unacc" or element.get("stem.mod") else {}))
            if place:
                _told(note, "chord")
            self._sounding(note, head)
            if not grace:
                _told(note, "duration", self._duration(event.length))
            ties = sorted(self.marks.ties.get(head.get(mei.ID, ""), ()), reverse=True)  # stop before start
            for kind in ties:
                _told(note, "tie", type=kind)
            _told(note, "voice", voice)
            _printed(note, event, head)
            if len(self.staves) > 1:
                _told(note, "staff", str(staff))
            for level, kind in beams if not place else []:
                _told(note, "beam", kind, number=str(level))
            self._notations(note, event, head, ties, place)

    def _sounding(self, note: Element, head: Element) -> None:
        """Its pitch, or that it is a rest."""
        if mei.name_of(head) != "note":
            rest = _told(note, "rest", **({"measure": "yes"} if mei.name_of(head) in mei.WHOLE else {}))
            if head.get("ploc") and head.get("oloc"):
                _told(rest, "display-step", head.get("ploc", "").upper())
                _told(rest, "display-octave", head.get("oloc", ""))
            return
        pitch = _told(note, "pitch")
        _told(pitch, "step", head.get("pname", "c").upper())
        accid = head.find(f"{mei.MEI}accid")
        names = [one.get(name) for name in ("accid.ges", "accid") for one in (head, accid) if one is not None]
        alter = _ALTERED.get(next(filter(None, names), "n"), 0)
        if alter:
            _told(pitch, "alter", str(alter))
        _told(pitch, "octave", head.get("oct.ges", head.get("oct", "4")))  # below a line of 8va, what sounds

    def _notations(self, note: Element, event: mei.Event, head: Element, ties: list[str], place: int) -> None:
        """Ties, slurs, tuplets, articulations and other signs; those of a chord are its first note's, but for the line
        before it, which is every note's.
        """
        notations = Element("notations")
        for kind in ties:
            _told(notations, "tied", type=kind)
        whole = list(dict.fromkeys((event.element, head)))
        own = [head] if place else whole
        for one in own:
            for slur, kind in sorted(self.marks.slurs.get(one.get(mei.ID, ""), []), key=mei.ends_first):
                self._slur(notations, slur, kind)
        if not place:
            self._tuplets(notations, event)
        signs = [sign for one in own for sign in self.marks.signs.get(one.get(mei.ID, ""), [])]
        _listed(notations, "ornaments", [_ornament(sign) for sign in signs])
        names = [
            name for one in own for artic in one.findall(f"{mei.MEI}artic") for name in artic.get("artic", "").split()
        ]
        _listed(notations, "articulations", [_ARTICULATIONS.get(name, "") for name in names])
        for sign in signs:
            if mei.name_of(sign) == "fermata":
                _told(notations, "fermata", type="inverted" if sign.get("place") == "below" else "upright")
        if any(mei.name_of(sign) == "arpeg" for one in whole for sign in self.marks.signs.get(one.get(mei.ID, ""), [])):
            _told(notations, "arpeggiate")
        if len(notations):
            note.append(notations)

    def _slur(self, notations: Element, slur: Element, kind: str) -> None:
        """An end of a slur, which has a number from the end that is written first to the other one."""
        held = next((number for number, other in self.open.items() if other is slur), 0)
        if held:
            del self.open[held]
        else:
            held = next(number for number in range(1, len(self.open) + 2) if number not in self.open)
            self.open[held] = slur
        if held <= _SLURS:
            _told(notations, "slur", number=str(held), type=kind)

    def _tuplets(self, notations: Element, event: mei.Event) -> None:
        for tuplet, kind in event.edges:
            level = {"number": str(1 + event.tuplets.index(tuplet))}
            shown: dict[str, str] = {}
            if kind == "start":
                shown["bracket"] = "no" if tuplet.get("bracket.visible") == "false" else "yes"
                shown |= {"show-number": "none"} if tuplet.get("num.visible") == "false" else {}
            _told(notations, "tuplet", type=kind, **level, **shown)


def _keyed(key: Element, element: Element) -> None:
    """A key signature: so many sharps or flats, or what it has besides."""
    named = element.findall(f"{mei.MEI}keyAccid")
    if named:
        for one in named:
            _told(key, "key-step", one.get("pname", "c").upper())
            _told(key, "key-alter", str(_ALTERED.get(one.get("accid", "n"), 0)))
        return
    sign = element.get("sig", "0")
    count = int(sign[:-1]) if sign[:-1].isdigit() else 0
    _told(key, "fifths", str(-count if sign.endswith("f") else count))
    if element.get("mode") in ("major", "minor", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian"):
        _told(key, "mode", element.get("mode", ""))


def _printed(note: Element, event: mei.Event, head: Element) -> None:
    """The kind of note, its dots, its accidental, what its length is changed by, and its stem."""
    element = event.element
    value = element.get("dur", "4")
    if mei.name_of(element) not in mei.WHOLE:
        _told(note, "type", _TYPES.get(value, f"{value}th" if value.isdigit() else value))
        for _ in range(int(element.get("dots", "0"))):
            _told(note, "dot")
    accid = head.find(f"{mei.MEI}accid")
    sign = _ACCIDENTALS.get(head.get("accid", "") or (accid.get("accid", "") if accid is not None else ""))
    if sign:
        caution = accid is not None and accid.get("func") == "caution"
        round_ = accid is not None and accid.get("enclose") == "paren"
        shown = {**({"cautionary": "yes"} if caution else {}), **({"parentheses": "yes"} if round_ else {})}
        _told(note, "accidental", sign, **shown)
    if event.tuplets and not element.get("grace"):
        ratio = _told(note, "time-modification")
        actual, normal = 1, 1
        for tuplet in event.tuplets:
            actual *= int(tuplet.get("num", "1"))
            normal *= int(tuplet.get("numbase", "1"))
        _told(ratio, "actual-notes", str(actual))
        _told(ratio, "normal-notes", str(normal))
    if stem := {"up": "up", "down": "down"}.get(element.get("stem.dir", "")):
        _told(note, "stem", stem)


def _listed(notations: Element, name: str, found: list[str]) -> None:
    """An element with those in it that are known, each once, where there are any."""
    kept = list(dict.fromkeys(filter(None, found)))
    above = SubElement(notations, name) if kept else notations
    for one in kept:
        _told(above, one)


def _ornament(sign: Element) -> str:
    """What MusicXML calls it; "" for other signs."""
    return _ORNAMENTS.get(f"{mei.name_of(sign)} {sign.get('form', '')}", _ORNAMENTS.get(mei.name_of(sign), ""))
