"""One page as it was read, and its JSON: what writers are given, and what the journal keeps."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

from ocr2.errors import BadInput, BadPrompt
from ocr2.types import Box, Line, Page, Piece, Prompt, Quad, Stop, Transcript

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")

_COUNTS = ("tokens", "prompt_tokens")
"""The transcript's counts, which a record has where they aren't 0."""


@dataclass(frozen=True)
class Result:
    """One page as it was read: all that a writer needs."""

    origin: str
    """The file the page came from."""
    number: int
    """1 for the first page of its file."""
    width: int
    height: int
    transcript: Transcript
    image: Image.Image | None = None
    """The page itself; only the PDF writer needs it."""

    @classmethod
    def of(cls, page: Page, transcript: Transcript) -> Result:
        """The result of reading `page`."""
        return cls(page.origin, page.number, *page.image.size, transcript, page.image)

    def to_json(self) -> dict[str, object]:
        """A record of plain lists and numbers, without the image; quads in pixels of the page."""
        read = self.transcript
        record: dict[str, object] = {"file": self.origin, "page": self.number, "width": self.width}
        record |= {"height": self.height, "text": read.text, "kind": read.kind, "stop": read.stop}
        record |= {"score": round(read.score, 4), "seconds": round(read.seconds, 3)}
        record |= {name: value for name in _COUNTS if (value := getattr(read, name))}
        if read.prompt != Prompt():
            asked = {field.name: getattr(read.prompt, field.name) for field in fields(Prompt)}
            asked["box"] = read.prompt.box and [getattr(read.prompt.box, side) for side in ("x0", "y0", "x1", "y1")]
            asked["point"] = read.prompt.point and list(read.prompt.point)
            record["prompt"] = {name: value for name, value in asked.items() if value != getattr(Prompt(), name)}
        record["lines"] = [record_of(line) for line in read.lines]
        return record

    @classmethod
    def from_json(cls, record: dict[str, object]) -> Result:
        """The result that `to_json` wrote down. Raises BadInput, which names the first field that is malformed."""
        stop = _take(record, "stop", str)
        if stop not in get_args(Stop):
            raise _malformed("stop", " or ".join(map(repr, get_args(Stop))), stop)
        lines = [line_of(line, f"lines[{n}]") for n, line in enumerate(_take(record, "lines", list))]
        transcript = Transcript(
            _take(record, "text", str),
            _take(record, "kind", str),
            _prompt_of(_take(record, "prompt", dict) if "prompt" in record else {}),
            cast("Stop", stop),
            _take(record, "score", float),
            tuple(lines),
            _take(record, "seconds", float),
            *(_take(record, name, int) if name in record else 0 for name in _COUNTS),
        )
        width, height = _take(record, "width", int), _take(record, "height", int)
        return cls(_take(record, "file", str), _take(record, "page", int), width, height, transcript)


def _malformed(field: str, expected: str, found: object) -> BadInput:
    return BadInput(
        f"field {field!r}: expected {expected}, found {found!r:.80}; give records as the json format has them"
    )


def _take(record: object, name: str, kind: type[T], within: str = "") -> T:
    """The record's field of that name, of that type; a whole number will do for a float, True won't for a number."""
    field = f"{within}.{name}" if within else name
    if not isinstance(record, dict):
        raise _malformed(within or "record", "an object", record)
    if name not in record:
        raise BadInput(f"field {field!r} is missing; give records as the json format has them")
    value = record[name]
    if kind is float and _is_number(value):
        value = float(value)
    elif kind is float or not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _malformed(field, kind.__name__, value)
    return cast("T", value)


def _is_number(value: object) -> bool:
    """Whether it is one that a float can be, and that JSON has: no NaN, no infinity."""
    return type(value) in (int, float) and abs(cast("float", value)) <= sys.float_info.max


def _numbers(value: object, field: str, count: int | None = None) -> tuple[float, ...]:
    sized = isinstance(value, list) and (count is None or len(value) == count)
    if not sized or not all(map(_is_number, cast("list[object]", value))):
        raise _malformed(field, f"{count} numbers" if count else "a list of numbers", value)
    return tuple(float(number) for number in cast("list[float]", value))


def record_of(line: Line) -> dict[str, object]:
    """The line's record: its pieces are in it where it has some."""
    record: dict[str, object] = {
        "text": line.text,
        "quad": line.quad and _corners(line.quad),
        "score": round(line.score, 4),
        "end": line.end,
        "centers": [round(center, 4) for center in line.centers],
    }
    if line.pieces:
        record["pieces"] = [{"text": piece.text, "quad": _corners(piece.quad)} for piece in line.pieces]
    return record


def _corners(quad: Quad) -> list[list[float]]:
    return [[round(x, 1), round(y, 1)] for x, y in quad]


def line_of(record: object, within: str) -> Line:
    """The line that `record_of` wrote down. Raises BadInput, which names the first field that is malformed."""
    place = _take(record, "quad", object, within)
    quad = None if place is None else _quad_of(place, f"{within}.quad", "four [x, y] corners or null")
    centers = _numbers(_take(record, "centers", list, within), f"{within}.centers")
    text, end = _take(record, "text", str, within), _take(record, "end", str, within)
    pieces = _pieces_of(record, within, text)
    return Line(text, quad, _take(record, "score", float, within), end, centers, pieces)


def _quad_of(value: object, field: str, expected: str = "four [x, y] corners") -> Quad:
    if not isinstance(value, list) or len(value) != 4:
        raise _malformed(field, expected, value)
    return cast("Quad", tuple(_numbers(corner, f"{field}[{n}]", 2) for n, corner in enumerate(value)))


def _pieces_of(record: object, within: str, text: str) -> tuple[Piece, ...]:
    """The pieces of the line, whose text they make; none where its record has none."""
    found = _take(record, "pieces", list, within) if isinstance(record, dict) and "pieces" in record else []
    pieces = []
    for n, piece in enumerate(found):
        field = f"{within}.pieces[{n}]"
        said, place = _take(piece, "text", str, field), _take(piece, "quad", object, field)
        pieces.append(Piece(said, _quad_of(place, f"{field}.quad")))
    if pieces and "".join(piece.text for piece in pieces) != text:
        raise _malformed(f"{within}.pieces", f"pieces that together are {text!r:.80}", [p.text for p in pieces])
    return tuple(pieces)


def _prompt_of(record: dict[str, object]) -> Prompt:
    kinds: dict[str, type] = {"format": bool, "color": str, "tiles": int, "pages": int}
    options: dict[str, Any] = {name: _take(record, name, kinds[name], "prompt") for name in kinds if name in record}
    try:
        if "box" in record:
            options["box"] = Box(*_numbers(record["box"], "prompt.box", 4))
        if "point" in record:
            options["point"] = _numbers(record["point"], "prompt.point", 2)
        return Prompt(**options)
    except BadPrompt as error:
        raise BadInput(f"field 'prompt': {error}") from error
