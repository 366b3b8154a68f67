"""Samples looked at a second time, in a way of its own for each kind: does a picture show what its text says?

    finding = checked("table", engine[7], read)    # read: an OCR-1.0 reader
    finding.lost                                   # ("not read: Topaz",): what doesn't match

Words are looked for by the reader (see `reread`). Formulas are set again, and the picture compared with that; what the
two engines of formulas make of the same LaTeX is compared sign by sign. Rules of tables are found in the picture, and
so are bonds and labels of molecules. Geometry is drawn again by TeX. The signs of music are counted as engraved.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ocr2.characters import molecule, table
from ocr2.characters.chart import data as chartdata
from ocr2.characters.document import markdown, spans
from ocr2.characters.document.blocks import Abstract, Code, Display, List, Rule, Table
from ocr2.data import redrawn, ruled, skeleton
from ocr2.data.reread import lost
from ocr2.errors import BadInput, OcrError, RendererMissing
from ocr2.renderers.apart import apart
from ocr2.types import Box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL import Image

    from ocr2.characters.document.blocks import Block
    from ocr2.types import Page, Sample

    Pixels = NDArray[np.uint8]

Read = Callable[["Image.Image"], "Page"]
"""An OCR-1.0 reader."""
AGAIN = (1.6, 0.6)
"""How large a picture is that is read again, since words weren't found in it."""
MOST = 2400
"""Pixels of its longer side, at most."""


@dataclass(frozen=True)
class Finding:
    """What a second look at a sample has found."""

    how: str
    """The way it was looked at."""
    lost: tuple[str, ...] = ()
    """What the text says and the picture doesn't show, or the other way round."""
    unchecked: str = ""
    """What couldn't be looked at, and why."""


def checked(name: str, sample: Sample, read: Read) -> Finding:
    """The sample of the engine of that name, looked at again; `read` is an OCR-1.0 reader.

    For clean samples: on worn paper readers miss words, and rules aren't found. Raises RendererMissing where nothing
    can be looked at without a tool.
    """
    findings: list[Finding] = []
    for way in _WAYS.get(name, (_words,)):
        try:
            findings.append(way(sample, read))
        except RendererMissing as error:
            findings.append(Finding("", (), str(error)))
        except OcrError as error:  # a tool that can't draw what another can
            findings.append(Finding("", (), f"{type(error).__name__}: {error!s:.120}"))
    return Finding(
        ", ".join(filter(None, (finding.how for finding in findings))),
        tuple(one for finding in findings for one in finding.lost),
        "; ".join(filter(None, (finding.unchecked for finding in findings))),
    )


def _words(sample: Sample, read: Read) -> Finding:
    """The words of the text, in what is asked for of the pictures."""
    pictures, text = _asked(sample), words(sample)
    readings = ["\n".join(read(picture).text for picture in pictures)]
    missing = lost(text, readings)
    for scale in AGAIN if missing else ():
        larger = [_scaled(picture, scale) for picture in pictures]
        readings.append("\n".join(read(picture).text for picture in larger))
        missing = lost(text, readings)
        if not missing:
            break
    return Finding("words read", tuple(f"not read: {word}" for word in missing))


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    scale = min(scale, MOST / max(picture.size)) if scale > 1 else scale
    wide, high = (max(8, round(side * scale)) for side in picture.size)
    return picture.resize((wide, high))


def _asked(sample: Sample) -> list[Image.Image]:
    """The pictures, or the part of one that the question is about."""
    prompt, picture = sample.prompt, sample.images[0]
    if prompt.color:
        box = _framed(np.asarray(picture.convert("RGB")), ("red", "green", "blue").index(prompt.color))
        return [picture.crop((int(box.x0), int(box.y0), int(box.x1), int(box.y1)))]
    if prompt.box:
        box = prompt.box
        return [picture.crop((round(box.x0), round(box.y0), round(box.x1), round(box.y1)))]
    return list(sample.images)


def _framed(pixels: Pixels, channel: int) -> Box:
    """The inside of the frame of one colour. Raises BadInput where there is none."""
    paint = np.zeros(3, np.uint8)
    paint[channel] = 255
    mask = (pixels == paint).all(axis=2).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        raise BadInput("no frame in the picture: expected one of the colour that is asked for")
    x, y, wide, high, area = max(stats[1:].tolist(), key=lambda stat: stat[2] * stat[3])
    thick = max(1, round(area / (2 * (wide + high))))
    return Box(x + thick, y + thick, x + wide - thick, y + high - thick)


def words(sample: Sample) -> str:
    """What of the sample's text a reader of plain words finds in the picture; formulas aren't."""
    kind = sample.kind
    if kind == "table":
        return _cells(sample.text)
    if kind == "chart":
        chart = chartdata.parsed(sample.text)
        labels = list(dict.fromkeys(label for row in chart.series.values() for label in row))
        if all(re.fullmatch(r"-?[\d.]+", label) for label in labels):  # places on an axis, perhaps
            labels = []
        return "\n".join([chart.title, chart.source, chart.x_title, chart.y_title, *chart.series, *labels])
    if kind == "music":
        return "\n".join(line.partition(":")[2] for line in sample.text.split("\n") if line.startswith("!!!"))
    if kind == "document":
        return "\n".join(text for block in markdown.parsed(sample.text) for text in _said(block))
    return sample.text


def _cells(source: str) -> str:
    """The plain text of a table's cells."""
    return "\n".join(piece.text for cell in table.parsed(source).cells for piece in cell.content if not piece.math)


def _said(block: Block) -> Iterator[str]:
    """The plain text of a block."""
    some: list[spans.Spans] = []
    if isinstance(block, Table):
        yield _cells(block.source)
    elif isinstance(block, Code):
        yield block.text
    elif isinstance(block, Abstract):
        some = list(block.paragraphs)
    elif isinstance(block, List):
        some = [item.spans for item in block.items]
    elif not isinstance(block, Display | Rule):
        some = [block.spans]
    for each in some:
        yield " ".join(span.text for span in each if isinstance(span, spans.Text))


def _rules(sample: Sample, _: Read) -> Finding:
    """The rules of a table."""
    return Finding("rules found", tuple(ruled.wrong_rules(_pixels(sample), table.parsed(sample.text))))


def _backend(sample: Sample) -> str:
    """The tool that drew a formula where it was mathra, else the default."""
    return "mathra" if '"backend": "mathra ' in sample.origin else ""


def _picture_of_formula(sample: Sample, _: Read) -> Finding:
    return Finding(
        "picture compared", tuple(redrawn.picture_of_formula(_pixels(sample), sample.text, _backend(sample)))
    )


def _signs_of_formula(sample: Sample, _: Read) -> Finding:
    return Finding("signs compared with mathra's", tuple(redrawn.signs_of_formula(sample.text)))


def _geometry(sample: Sample, _: Read) -> Finding:
    return Finding("drawn by TeX", tuple(redrawn.picture_of_geometry(_pixels(sample), sample.text)))


def _music(sample: Sample, _: Read) -> Finding:
    return Finding("engraved signs counted", tuple(redrawn.signs_of_music(sample.text)))


def _molecule(sample: Sample, _: Read) -> Finding:
    """Bonds and labels; a molecule of less than three bonds fits too many places."""
    shapes: list[skeleton.Skeleton] = apart("ocr2.data.skeleton:skeletons", molecule.body(sample.text))
    if max(len(shape.bonds) for shape in shapes) < 3:
        return Finding("", (), "a molecule of less than three bonds")
    picture = _pixels(sample)
    dark = 255 - (picture if picture.ndim == 2 else picture.min(axis=2))
    x, y, wide, high = cv2.boundingRect((dark > skeleton.LEAST).astype(np.uint8))
    found = skeleton.unseen(dark[y : y + high, x : x + wide], shapes)
    return Finding("bonds and labels found", ("another molecule, or none",) if found is None else tuple(found))


def _pixels(sample: Sample) -> Pixels:
    return np.asarray(sample.images[0])


_WAYS: dict[str, tuple[Callable[[Sample, Read], Finding], ...]] = {
    "formula": (_picture_of_formula, _signs_of_formula),
    "geometry": (_geometry,),
    "molecule": (_molecule,),
    "music": (_words, _music),
    "table": (_words, _rules),
}
"""Of engines that have others than `_words`."""
