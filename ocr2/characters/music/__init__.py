"""Music: a system of one or two staves as Humdrum **kern (GOT §3.3.2), a line a moment and a column a staff.

    **kern	**kern
    *clefF4	*clefG2
    *k[b-]	*k[b-]
    *M3/4	*M3/4
    4F	4a 4cc
    4C	8ffL
    .	8eeJ
    4r	4dd
    ==	==
    *-	*-

Lines of `!!!OTL:` and `!!!COM:` before it are a title and an author above the music. What is seen, and its one
spelling, is told in `scores.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from ocr2.characters.music.excerpts import excerpt, read
from ocr2.characters.music.kern import checked
from ocr2.characters.music.melodies import invented
from ocr2.characters.music.scores import Score, written
from ocr2.errors import BadInput, RenderFailed
from ocr2.metrics import edit_distance
from ocr2.metrics.kern import counts
from ocr2.renderers import kern as verovio
from ocr2.renderers.apart import apart
from ocr2.renderers.drawing import Drawing, readable
from ocr2.renderers.fonts import covered, faces
from ocr2.renderers.tools import chosen, need

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from ocr2.characters import Corpus
    from ocr2.renderers.fonts import Face

BACKENDS = ("verovio",)
SIDE = 1024
"""Pixels of the longest side of a picture."""
LEAST_SPACE = 5.0
"""Pixels from one line of a staff to the next, at least: music that is too wide for it is broken into systems."""
FULLEST = 80
"""Lines of notes in a bar that is as wide as a picture, at most: bars aren't broken."""
COLUMNS = 44
"""Of notes and bar lines, at most, in a system that is composed."""
_HEADING = re.compile(r"^!!!(OTL|COM)(?:@+[\w-]+|\d+)?:(.*)$", re.MULTILINE)


def compose(corpus: Corpus, rng: Random) -> str:
    """A few bars of a score of the corpus, or invented ones; a third of them with a title or an author."""
    bars = None
    if corpus.has("kern") and rng.random() < 0.6:
        source = corpus.item(rng, "kern")
        lines = source.count("\n=")
        for _ in range(2):
            begin = rng.randrange(max(1, lines - 3))
            try:
                bars = excerpt(read(source, begin, begin + 8), rng, COLUMNS)
                break
            except BadInput:  # bars that can't be drawn by themselves
                continue
    if bars is None:
        bars = invented(rng, COLUMNS)
    title, author = ("", "")
    if rng.random() < 0.35:
        title, author = _title(corpus, rng), _author(corpus, rng) if rng.random() < 0.7 else ""
    return written(Score(bars, title, author, common=rng.random() < 0.15))


def _title(corpus: Corpus, rng: Random) -> str:
    """A few words as a title is written; "" where the corpus has none that can be printed."""
    if rng.random() < 0.25:
        return _printable(corpus, rng, "zh", rng.randint(2, 8))
    words = _printable(corpus, rng, "en", rng.randint(1, 5))
    words = rng.choice((words.title(), words.capitalize(), words.upper()))
    number = rng.choice((f" No. {rng.randint(1, 30)}", f", Op. {rng.randint(1, 120)}", "", "", ""))
    return (words + number) if words else ""


def _author(corpus: Corpus, rng: Random) -> str:
    if rng.random() < 0.2:
        return _printable(corpus, rng, "zh", rng.randint(2, 4))
    words = _printable(corpus, rng, "en", 2).title().split(" ")
    initial = f"{rng.choice('ABCDEFGHJKLMNPRSTVW')}. "
    return rng.choice((" ".join(words), initial + words[-1])) if words[-1] else ""


def _printable(corpus: Corpus, rng: Random, language: Literal["en", "zh"], count: int) -> str:
    """Words that all faces have; "" where there are none."""
    try:
        words = corpus.words(rng, language, count)
    except BadInput:
        return ""
    kept = re.sub(r"[^A-Za-z0-9 ',.&-]" if language == "en" else r"[^一-鿿]", "", words)
    if language == "zh":
        kept = "".join(char for char in kept if all(covered(face)[ord(char)] for face in faces("han", corpus.held)))
    return " ".join(kept.split()).strip("',.&- ")[:40].strip()


def draw(source: str, rng: Random | None, backend: str = "", held: bool = False) -> Drawing:
    """The music in one system, or in several where it is long; with `rng` as some publisher prints it, and
    `held` with a title in type that is never trained on.

    Raises BadInput for a source with wrong columns or tokens, RenderFailed, RendererMissing.
    """
    tool = need(chosen(backend, BACKENDS))
    music = _music(source)
    engraving = _engraving(rng, 8.0 if rng is None else rng.uniform(5.5, 10.0))
    headings = _headings(source, rng, engraving.space, held and rng is not None)
    svg, width, height = apart("ocr2.renderers.kern:drawn", music, engraving, headings)
    scale = min(1.0, SIDE / width)
    if scale * engraving.space < LEAST_SPACE:
        if (fullest := _fullest(music)) > FULLEST:
            raise RenderFailed(f"a bar with notes on {fullest} lines: expected up to {FULLEST}, with bar lines between")
        engraving = verovio.Engraving(engraving.font, 6.5, SIDE - 2 * verovio.MARGIN, engraving.options)
        svg, width, height = apart("ocr2.renderers.kern:drawn", music, engraving, headings)
        scale = min(1.0, SIDE / width)
    if height * scale > SIDE:
        scale = SIDE / height if SIDE / height * engraving.space >= LEAST_SPACE else scale
    return Drawing(svg.encode(), "svg", f"{tool.name} {tool.version}", scale)


def _fullest(music: str) -> int:
    """How many lines of notes the fullest bar has."""
    found = [0]
    for line in music.splitlines():
        if line.startswith("="):
            found.append(0)
        elif not line.startswith(("*", "!")):
            found[-1] += 1
    return max(found)


def _engraving(rng: Random | None, space: float) -> verovio.Engraving:
    """How the music is drawn. Lines are never thinner than most of a pixel."""
    least = 1.6 / space  # in half spaces
    if rng is None:
        return verovio.Engraving(space=space, options=(("staffLineWidth", min(0.3, max(0.15, least))),))
    options = {
        "staffLineWidth": min(0.3, max(least, rng.uniform(0.13, 0.25))),
        "stemWidth": min(0.5, max(least, rng.uniform(0.15, 0.3))),
        "barLineWidth": min(0.8, max(least, rng.uniform(0.2, 0.45))),
        "beamMaxSlope": rng.choice((0, 5, 10, 15)),
        "spacingLinear": rng.uniform(0.2, 0.3),
        "spacingNonLinear": rng.uniform(0.55, 0.65),
        "spacingStaff": rng.randint(8, 14),
        "slurMidpointThickness": rng.uniform(0.4, 0.8),
        "tieMidpointThickness": rng.uniform(0.4, 0.7),
        "graceFactor": rng.uniform(0.65, 0.8),
        "ledgerLineThickness": max(least, rng.uniform(0.2, 0.35)),
        "measureMinWidth": rng.choice((10, 15)),
    }
    font = rng.choice(verovio.FONTS)
    return verovio.Engraving(font, space, options=tuple((name, round(value, 3)) for name, value in options.items()))


def _headings(source: str, rng: Random | None, space: float, held: bool) -> tuple[verovio.Heading, ...]:
    """The title, in the middle, and the author, to the right, as the source has them. Raises BadInput for a script that
    no face has.
    """
    told = _titles(source)
    size = max(14, round(space * (2.4 if rng is None else rng.uniform(1.9, 3.0))))
    small = max(11, round(size * (0.7 if rng is None else rng.uniform(0.55, 0.8))))
    found = []
    if told.get("OTL"):
        found.append(verovio.Heading(told["OTL"], _face(told["OTL"], rng, held), size, "centred"))
    if told.get("COM"):
        found.append(verovio.Heading(told["COM"], _face(told["COM"], rng, held), small, "right"))
    return tuple(found)


def _titles(source: str) -> dict[str, str]:
    """The title (OTL) and the author (COM), as far as the source has them."""
    told: dict[str, str] = {}
    for match in _HEADING.finditer(source):
        told.setdefault(match[1], match[2].strip())
    return told


def _face(text: str, rng: Random | None, held: bool) -> Face:
    """One that has all of the text. Raises BadInput where none has."""
    latin = faces("serif" if rng is None or rng.random() < 0.7 else "sans", held)
    for some in (latin, faces("serif", held), faces("han", held)):
        able = [face for face in some if _plain_cut(face) and _has(face, text)]
        if able:
            return able[0] if rng is None else rng.choice(able)
    raise BadInput(f"no typeface has all of {text[:40]!r}: expected a title in English or Chinese")


def _plain_cut(face: Face) -> bool:
    """Whether its outlines are in its file as they are."""
    return face.stretch == 1 and not face.swollen and not face.variable


def _has(face: Face, text: str) -> bool:
    known = covered(face)
    return all(ord(char) < len(known) and known[ord(char)] for char in text)


def looks_like(text: str) -> bool:
    """Whether it begins with **kern, but for lines of comment."""
    return bool(re.match(r"(\s*!![^\n]*\n)*\s*\*\*b?e?kern(_\d+\.\d+)?([\t\n\r]|$)", text))


def score(predicted: str, truth: str) -> dict[str, float]:
    """Edit distance over the longer's length; edits of characters, of symbols and of lines over the truth's count of
    them (0 is perfect): GrandStaff's CER, SER and LER. Titles count as the rest does; blank lines, and blanks where a
    line ends, don't.
    """
    one, other = _plain(predicted), _plain(truth)
    errors = {name: found.rate for name, found in counts(one, other).items()}
    return {"edit_distance": edit_distance(one, other), **errors}


def _plain(text: str) -> str:
    """With one kind of line ends, and no blanks at theirs."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines() if line.strip())


def _music(transcript: str) -> str:
    """The source, checked. Raises BadInput."""
    return checked(readable(transcript.lstrip("\ufeff")))


def _midi(transcript: str) -> bytes:
    """What the music sounds like. Raises BadInput, RenderFailed, RendererMissing."""
    need("verovio")
    content: bytes = apart("ocr2.renderers.kern:midi", _music(transcript))
    return content


def _musicxml(transcript: str) -> bytes:
    """The music as notation programs take it. Raises BadInput, RenderFailed, RendererMissing."""
    need("verovio")
    music, told = _music(transcript), _titles(transcript)
    content: bytes = apart("ocr2.renderers.musicxml:written", music, told.get("OTL", ""), told.get("COM", ""))
    return content


EXPORTS: Mapping[str, Callable[[str], bytes]] = {
    "kern": lambda transcript: _music(transcript).encode(),
    "musicxml": _musicxml,
    "midi": _midi,
}
"""What a transcript can be written as."""
