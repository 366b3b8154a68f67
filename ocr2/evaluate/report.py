"""A run's error report: one HTML file that loads nothing from anywhere, to look at what was misread.

    with open("report.html", "w", encoding="utf-8") as file:
        report.write(file, FOX, scored, FOX.tables(scored, "nano", "corrected"), "nano")

Whatever stands in it was written by others, down to the names of files: the template escapes all of it, pictures are
<img> in which nothing runs, and the page's policy lets the browser run one script, the template's own.
"""

from __future__ import annotations

import io
import unicodedata
from base64 import b64encode
from collections import defaultdict
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from math import sqrt
from pathlib import PurePath
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, TextIO

from PIL import Image, ImageDraw

from ocr2.characters import CHARACTERS
from ocr2.errors import OcrError
from ocr2.evaluate.benchmark import Table
from ocr2.evaluate.run import worth
from ocr2.evaluate.tables import shown
from ocr2.metrics import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jinja2 import Template

    from ocr2.evaluate.benchmark import Answer, Benchmark, Cell, Item, Scored
    from ocr2.types import Page, Point

MOST_CHARACTERS = 20_000
"""Of a truth or a transcript that are shown, compared and drawn; how many more there are is said."""
MOST_PAGES = 8
"""Of an item that are shown."""
AREA = 1_000_000
"""Pixels of a sample's pages, all together, and of a drawing: a page of text can be read in as many."""
LONGEST = 2000
"""Pixels of a picture's longer side."""
MOST_OUTLINES = 200_000
"""Bytes of an SVG: one that is larger is shown as pixels."""
_FOLDED, _KEPT = 600, 120
"""Characters in a row that were read right, from which on they are folded, and how many stay on either side."""
_SCAN = 100_000
"""Bytes of a JPEG from which on no PNG of the same is smaller."""
_BRIEF = 1000
"""Characters of a reason."""


@dataclass(frozen=True)
class Stretch:
    """What stands in the truth, and in the transcript in its place."""

    truth: str
    predicted: str
    sort: Literal["same", "changed", "folded"]
    """Folded: the same, and so long that it is out of the way until it is asked for."""


@dataclass(frozen=True)
class _Picture:
    address: str = ""
    """The picture itself, as a data: address; "" where there is none."""
    width: int = 0
    """On the screen; 0: its own."""
    told: str = ""
    """What it is, for those who can't see it; or why there is none."""


@dataclass(frozen=True)
class _Shown:
    """A sample, as the template wants it."""

    scored: Scored
    worth: float
    place: int
    """In the benchmark."""
    pages: tuple[_Picture, ...]
    hidden: int
    """How many more pages there are."""
    wide: bool
    """Whether the page is a line, which stands above its text."""
    stretches: tuple[Stretch, ...]
    drawn: dict[str, _Picture]
    """The truth and the transcript, by their source; none of text, which shows what it is by itself."""


def write(
    file: TextIO,
    benchmark: Benchmark,
    scored: Sequence[Scored],
    tables: Sequence[Table],
    name: str,
    worst: int = 100,
) -> None:
    """Writes the report on the reader `name`: the tables, then the samples that lost most, at most `worst` of them.

    Each has its pages, truth and transcript with what differs marked, both drawn, its scores, seconds and error. They
    are written one by one, so that one at a time is in memory. The file's encoding must be a Unicode one; samples that
    don't count aren't shown. What can't be opened or drawn is said in its place.
    Raises MetricMissing without jinja2 and rapidfuzz.
    """
    template = _template()
    worths = ((worth(benchmark, each), place) for place, each in enumerate(scored))
    ranked = sorted((value, place) for value, place in worths if value is not None)
    lost = ranked[: max(worst, 0)]
    kinds = sorted({scored[place].item.kind for _, place in lost})
    tasks = sorted({scored[place].item.task for _, place in lost})
    pieces = template.generate(
        title=benchmark.title,
        source=benchmark.source,
        name=name,
        tables=[*tables, *_overview(scored, ranked)],
        counts={"all": len(scored), "scored": len(ranked), "failed": sum(bool(each.error) for each in scored)},
        kinds=kinds,
        tasks=tasks,
        most=MOST_CHARACTERS,
        listed=len(lost),
        errors=sum(bool(scored[place].error) for _, place in lost),
        samples=(_shown(scored[place], value, place) for value, place in lost),
    )
    for piece in pieces:
        file.write(piece)


def _template() -> Template:
    """The page. Raises MetricMissing."""
    need("jinja2", "rapidfuzz")  # the latter for `compared`, before anything is written
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, finalize=_legible, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"fingerprint": _fingerprint, "cell": shown, "marked": _marked, "brief": _brief}
    return environment.from_string((files("ocr2.evaluate") / "report.html.j2").read_text("utf-8"))


def _fingerprint(script: str) -> str:
    """What a policy calls this script by."""
    return f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}"


def _overview(scored: Sequence[Scored], ranked: Sequence[tuple[float, int]]) -> list[Table]:
    """A table of what was lost where, if there are any samples."""
    groups: dict[str, list[tuple[float, Scored]]] = defaultdict(list)
    for value, place in ranked:
        item = scored[place].item
        groups[" · ".join(dict.fromkeys(filter(None, (item.task, item.kind))))].append((value, scored[place]))
    rows: list[tuple[Cell, ...]] = []
    for group, members in groups.items():
        seconds = [each.answer.seconds for _, each in members if each.answer.seconds]
        numbers = len(members), sum(bool(each.error) for _, each in members), sum(value == 1 for value, _ in members)
        mean = fmean(value for value, _ in members)
        rows.append((group, *numbers, mean, fmean(seconds) if seconds else None))
    rows.sort(key=lambda row: (row[4], row[0]))
    columns = "Part", "Samples", "Failed", "All right", "Worth", "Seconds"
    notes = ("Worth and seconds are means. Worth is one figure of a sample's scores: 0 all is lost, 1 all is right.",)
    return [Table("Where it loses", columns, tuple(rows), notes)] if rows else []


def _shown(each: Scored, worth: float, place: int) -> _Shown:
    """A sample with its pictures."""
    item, answer = each.item, each.answer
    pages, hidden, wide = _pages(item, answer)
    sources = dict.fromkeys(source for source in (item.truth, answer.text) if item.kind != "text" and source.strip())
    drawn = {source: _drawn(item.kind, source) for source in sources}
    stretches = tuple(_folded(compared(answer.text[:MOST_CHARACTERS], item.truth[:MOST_CHARACTERS])))
    return _Shown(each, worth, place, pages, hidden, wide, stretches, drawn)


def compared(predicted: str, truth: str) -> list[Stretch]:
    """The stretches of two texts that are the same and those that aren't, in turn; put together they are the texts.

    The alignment is one with the least edits (rapidfuzz). What agrees by chance alone, shorter than the changes on
    both its sides, counts as changed, so that two different words don't come out as a lace of letters.
    """
    from rapidfuzz.distance import Levenshtein

    stretches: list[Stretch] = []
    for step in Levenshtein.opcodes(truth, predicted):
        ours, theirs = predicted[step.dest_start : step.dest_end], truth[step.src_start : step.src_end]
        _append(stretches, Stretch(theirs, ours, "same" if step.tag == "equal" else "changed"))
    return stretches


def _append(stretches: list[Stretch], new: Stretch) -> None:
    """Adds a stretch, as one with those before it where they are all changes, or as good as that."""
    while stretches and new.sort == "changed":
        if stretches[-1].sort == "changed":
            new = _joined(stretches.pop(), new)
        elif len(stretches) > 1 and len(stretches[-1].truth) < min(_length(stretches[-2]), _length(new)):
            new = _joined(stretches.pop(-2), _joined(stretches.pop(), new))
        else:
            break
    stretches.append(new)


def _joined(first: Stretch, second: Stretch) -> Stretch:
    return Stretch(first.truth + second.truth, first.predicted + second.predicted, "changed")


def _length(stretch: Stretch) -> int:
    return max(len(stretch.truth), len(stretch.predicted))


def _folded(stretches: Sequence[Stretch]) -> Iterator[Stretch]:
    """The same, with the middles of long stretches that are right folded, from word to word."""
    for number, stretch in enumerate(stretches):
        text = stretch.truth
        if stretch.sort == "changed" or len(text) < _FOLDED:
            yield stretch
            continue
        begin = text.rfind(" ", _KEPT // 2, _KEPT) + 1 or _KEPT if number else 0
        end = len(text)
        if number < len(stretches) - 1:
            end = text.find(" ", end - _KEPT, end - _KEPT // 2) + 1 or end - _KEPT
        for sort, part in (("same", text[:begin]), ("folded", text[begin:end]), ("same", text[end:])):
            if part:
                yield Stretch(part, part, sort)  # type: ignore[arg-type]


def _pages(item: Item, answer: Answer) -> tuple[tuple[_Picture, ...], int, bool]:
    """The pages, how many more there are, and whether it is but a line. One that can't be opened says why."""
    try:
        pages = item.pages()
        room = AREA / max(1, min(len(pages), MOST_PAGES))
        pictures = tuple(_page(page, room, item, answer if len(pages) == 1 else None) for page in pages[:MOST_PAGES])
        return pictures, max(0, len(pages) - MOST_PAGES), len(pages) == 1 and _is_line(pages[0].image)
    except Exception as error:  # noqa: BLE001 whatever it is, it is said in the picture's place
        return (_Picture(told=f"The page can't be shown. {_why(error)}"),), 0, False


def _is_line(image: Image.Image) -> bool:
    return image.width > 3 * image.height


def _page(page: Page, room: float, item: Item, answer: Answer | None) -> _Picture:
    """A page, small, with a frame around what was asked for, and around the lines that the answer has a place for."""
    width, height = page.image.size
    small = _small(page.image.convert("RGB"), room)
    scale = small.width / width
    pen = ImageDraw.Draw(small)
    found = [line.quad for line in answer.lines if line.quad] if answer else []
    for quad in found:
        pen.polygon([_at(point, scale) for point in quad], outline=(40, 110, 220))
    box, point = item.prompt.box, item.prompt.point
    if box:
        pen.rectangle([_at((box.x0, box.y0), scale), _at((box.x1, box.y1), scale)], outline=(225, 30, 60), width=2)
    if point:
        pen.circle(_at(point, scale), 7, outline=(225, 30, 60), width=3)
    asked = f", framed: {box}" if box else f", ringed: {point[0]:g},{point[1]:g}" if point else ""
    asked += ", outlined: the lines found" if found else ""
    file = PurePath(page.origin).name
    told = f"{file and file + ', '}page {page.number}, {width} × {height} pixels{asked}"
    times = min(3, 64 // height)  # the crop of a word, large enough to see
    return _Picture(_encoded(small), width * times if times > 1 else 0, told)


def _small(image: Image.Image, room: float) -> Image.Image:
    """The picture with at most so many pixels."""
    scale = min(1.0, sqrt(room / (image.width * image.height)), LONGEST / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _at(point: Point, scale: float) -> Point:
    return point[0] * scale, point[1] * scale


def _encoded(image: Image.Image) -> str:
    """The address of a picture in pixels: lossless, or as a photo where that is smaller, as it is of scans."""
    photo, lossless = io.BytesIO(), io.BytesIO()
    image.save(photo, "jpeg", quality=75)
    if photo.tell() < _SCAN:  # else the other is larger, and takes far longer
        image.save(lossless, "png")
    if 0 < lossless.tell() <= photo.tell():
        return _address("png", lossless.getvalue())
    return _address("jpeg", photo.getvalue())


def _address(form: str, content: bytes) -> str:
    return f"data:image/{form};base64,{b64encode(content).decode()}"


def _drawn(kind: str, source: str) -> _Picture:
    """What a source looks like, or why it can't be drawn."""
    if len(source) > MOST_CHARACTERS:
        return _Picture(told=f"Not drawn: {len(source):,} characters, expected up to {MOST_CHARACTERS:,}.")
    try:
        drawing = CHARACTERS[kind].draw(source, None)
        told = f"drawn by {drawing.tool}"
        if drawing.format != "pixels":
            svg = drawing.svg().encode()
            if len(svg) <= MOST_OUTLINES:
                return _Picture(_address("svg+xml", svg), told=told)
        return _Picture(_encoded(_small(Image.fromarray(drawing.pixels()), AREA)), told=told)
    except Exception as error:  # noqa: BLE001 a tool fails in ways of its own, and this is one picture
        return _Picture(told=f"Not drawn. {_why(error)}")


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, OcrError) else f"{type(error).__name__}: {error}"


def _brief(text: str) -> str:
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]} … and {len(text) - _BRIEF:,} characters more"


def _legible(value: Any) -> Any:
    """What the template writes: for what no eye sees (control characters, halves of characters, what turns the
    direction of text), signs that stand for it. No file could hold some, and others would hide an error.
    """
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    unseen = {char for char in set(value) - {"\n", "\t"} if unicodedata.category(char) in _UNSEEN}
    return value.translate({ord(char): _sign(char) for char in unseen})


_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _sign(char: str) -> str:
    """One for control characters as Unicode has it, or the character's number."""
    code = ord(char)
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def _marked(text: str) -> str:
    """What is marked as changed: the ends of lines, tabs and odd spaces can be seen, too."""
    odd = {ord(char): _sign(char) for char in set(text) - {" ", "\u3000"} if unicodedata.category(char) == "Zs"}
    return text.translate(odd | {ord("\n"): "⏎\n", ord("\t"): "⇥\t"})
