"""PaddleOCR's label files: a line for each picture, with its text for recognisers, with its lines for detectors.

    train/000000031.png<tab>E = mc²
    train/000000031.png<tab>[{"transcription": "E = mc²", "points": [[4, 8], [96, 8], [96, 30], [4, 30]]}, …]

Points are pixels; a quad's are in the order of `types.Quad`. Of the second kind, `pages` gives pages with quads, and
`write_pages` takes them. As a source it has the text of all lines: in reading order, or as "end" says, which we write
beside and PaddleOCR passes over. Lines marked as illegible are on the page without text, and in no sample.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ocr2 import files
from ocr2.data.labels import Form, Labels, Pictures, images_of, lines, parsed, written
from ocr2.data.origin import ILLEGIBLE, places, with_lines
from ocr2.errors import BadInput, BadOutput
from ocr2.order import reading_order
from ocr2.types import Line, Page, Prompt, Sample, join

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ocr2.types import Point, Quad

DONT_CARE = (ILLEGIBLE, "*")
"""What stands for text that nobody can read."""


def halves(text: str) -> tuple[str, str]:
    """The name of the picture, and what else a line of a label file says. Raises BadInput."""
    name, tab, rest = text.partition("\t")
    if not tab:
        raise BadInput(f"{text!r:.60} has no tab: expected a picture's name, a tab, and its label")
    return name, rest


def _plain(sample: Sample) -> Sample:
    """The sample. Raises BadOutput for one that is no picture with its plain text."""
    if sample.prompt != Prompt():
        raise BadOutput("a question other than for the plain text: PaddleOCR's labels have none")
    if re.search("[\ud800-\udfff]", sample.text):
        raise BadOutput("half a surrogate pair in a text: expected whole characters")
    return sample


# for recognisers


def _rec_sample(text: str, pictures: Pictures, origin: str) -> Sample:
    name, label = halves(text)
    return Sample((pictures.read(name),), Prompt(), written(label, "label"), "text", origin)


def _rec_record(sample: Sample, name: str, pictures: Pictures) -> str:
    text = _plain(sample).text
    if re.search(r"[\t\r\n]", text) or not text.strip():
        raise BadOutput("a text of no line, of several lines, or with a tab: PaddleOCR's labels can't hold it")
    return f"{pictures.put(f'{name}.png', sample.images[0])}\t{text}"


# for detectors


class Labelled(NamedTuple):
    """What a line of a detector's label file says."""

    name: str
    """Of the picture."""
    lines: tuple[Line, ...]
    """In reading order."""
    outlines: tuple[tuple[str, tuple[Point, ...]], ...]
    """In the order of the label: each text as it stands there, and all of its outline."""


def labelled(text: str) -> Labelled:
    """What a line of a detector's label file says. Raises BadInput."""
    name, label = halves(text)
    found = parsed(label)
    if not isinstance(found, list):
        raise BadInput(f'{label!r:.60} is no list: expected [{{"transcription", "points"}}, …]')
    told = tuple(_line(each) for each in found)
    if not any("end" in each for each in found):
        told = reading_order(told)
    return Labelled(name, told, tuple((each["transcription"], _points(each["points"])) for each in found))


def page_of(text: str, pictures: Pictures, origin: str = "") -> Page:
    """The page of a line of a detector's label file, with its lines in reading order. Raises BadInput."""
    name, told, _ = labelled(text)
    return Page(pictures.read(name), told, origin=origin)


def _line(told: Any) -> Line:
    """A line of such a label. Raises BadInput."""
    text, points = (told.get(name) for name in ("transcription", "points")) if isinstance(told, dict) else (None, None)
    end = told.get("end", "\n") if isinstance(told, dict) else "\n"
    if not isinstance(text, str) or not isinstance(end, str) or re.search("[\ud800-\udfff]", text + end):
        raise BadInput(f'{told!r:.60} has no text: expected {{"transcription", "points"}}')
    if text in DONT_CARE:
        return Line("", _quad(points), 0.0, end)
    return Line(text, _quad(points), 1.0, end)


def _quad(points: Any) -> Quad:
    """The four corners; of a longer outline, along the text and back again, its ends. Raises BadInput."""
    outline = _points(points)
    half = len(outline) // 2
    return outline[0], outline[half - 1], outline[half], outline[-1]


def _points(points: Any) -> tuple[Point, ...]:
    """The outline. Raises BadInput."""
    given = points if isinstance(points, list) else []
    numbers = [tuple(point) for point in given if isinstance(point, list) and len(point) == 2]
    fine = all(type(x) in (int, float) and math.isfinite(x) and abs(x) < 1e6 for point in numbers for x in point)
    if len(numbers) != len(given) or len(numbers) < 4 or len(numbers) % 2 or not fine:
        raise BadInput(f"points {points!r:.60}: expected [[x, y], …], four or any larger even number of them")
    return cast("tuple[Point, ...]", tuple(numbers))


def _det_sample(text: str, pictures: Pictures, origin: str) -> Sample:
    page = page_of(text, pictures)
    if not all(line.text for line in page.lines):
        raise BadInput("lines that are marked as illegible: no text says all of this page")
    return Sample((page.image,), Prompt(), page.text, "text", with_lines(origin, page.lines))


def _det_record(sample: Sample, name: str, pictures: Pictures) -> str:
    try:
        known = json.loads(_plain(sample).origin)["lines"]
        text = join(tuple(_line(each) for each in known))
    except (BadInput, LookupError, TypeError, ValueError, RecursionError) as error:
        raise BadOutput('a sample whose origin has no "lines": nobody knows where its text is') from error
    if text != sample.text:
        raise BadOutput('a sample whose text is not that of the "lines" in its origin: make it again')
    return f"{pictures.put(f'{name}.png', sample.images[0])}\t{json.dumps(known, ensure_ascii=False)}"


def pages(path: str | Path, images: str | Path | None = None) -> Iterator[Page]:
    """The pages of a detector's label file, with their quads. Raises BadInput, which names the line."""
    labels = Labels(path, DET, images)
    for number in range(len(labels)):
        try:
            yield page_of(labels.text(number), labels.pictures, labels.where(number))
        except BadInput as error:
            raise BadInput(f"{error} ({labels.where(number)})") from error


def write_pages(found: Iterable[Page], path: str | Path) -> Iterator[int]:
    """Writes a detector's label file, whole or not at all, and its pictures beside; counts the pages as it goes."""
    path = Path(path)
    pictures, folder = Pictures(path.parent), images_of(path).name
    with files.whole(path) as file:
        for number, page in enumerate(found):
            name = pictures.put(f"{folder}/{number:09}.png", page.image)
            file.write(f"{name}\t{json.dumps(places(page.lines), ensure_ascii=False)}\n".encode())
            yield number + 1


REC = Form(lines, _rec_sample, _rec_record)
DET = Form(lines, _det_sample, _det_record)
