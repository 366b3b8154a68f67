"""The words this package speaks: a page and a prompt go in, a transcript comes out.

Coordinates are pixels of the page they belong to, x to the right, y down, unless a field says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

from ocr2.errors import BadPrompt

if TYPE_CHECKING:
    from PIL import Image

Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]
"""Four corners in the order of the text itself: its top left, top right, bottom right, bottom left."""

Stop = Literal["eos", "length", "repeat"]
Color = Literal["red", "green", "blue"]
COLORS: tuple[Color, ...] = get_args(Color)
MOST_TILES = 12
"""The most tiles that a page is cut into."""

EXPORTED = {
    "kern": ".krn",
    "musicxml": ".musicxml",
    "midi": ".mid",
    "svg": ".svg",
    "latex": ".tex",
    "mathml": ".mml",
    "smiles": ".smi",
    "mol": ".mol",
    "csv": ".csv",
    "tikz": ".tikz",
}
"""The notations that a transcript may be written in, and what their files are called; see `characters.exported`."""


@dataclass(frozen=True)
class Box:
    """An upright rectangle: pixels of its page, half-open, x right, y down."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise BadPrompt(
                f"box {self} is empty: x0 must be less than x1 and y0 less than y1 (pixels, x right, y down)"
            )

    def __str__(self) -> str:
        return f"{self.x0:g},{self.y0:g},{self.x1:g},{self.y1:g}"

    @classmethod
    def around(cls, points: Quad | tuple[Point, ...]) -> Box:
        """The smallest box that holds all the points; at least one pixel wide and high."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return cls(min(xs), min(ys), max(max(xs), min(xs) + 1), max(max(ys), min(ys) + 1))

    def meets(self, other: Box) -> bool:
        """Whether the two have a part in common."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1

    def scaled(self, width: float, height: float, to: int = 1000) -> tuple[int, int, int, int]:
        """The box on a `width` × `height` page as the whole numbers 0…`to` that a prompt holds (GOT §3.4.1)."""
        x0, x1 = (int(x / width * to) for x in (self.x0, self.x1))  # in this order: the released code's rounding
        y0, y1 = (int(y / height * to) for y in (self.y0, self.y1))
        return x0, y0, x1, y1


@dataclass(frozen=True)
class Piece:
    """What of a line stands in one place, where the line was printed as several."""

    text: str
    """With the spaces and the markup around it: the pieces of a line, put together, are its text."""
    quad: Quad


@dataclass(frozen=True)
class Line:
    """A run of text in one place: what a detector and a recogniser, or a PDF parser, know."""

    text: str
    quad: Quad | None
    """None where the reader doesn't know its place."""
    score: float
    """How sure the reader is, 0 to 1: the mean probability of the characters."""
    end: str = "\n"
    """What stands between this line and the next one in reading order: "" or " " where both are pieces of one printed
    line, "\\n" where the next starts a new line, "\\n\\n" where it starts a new paragraph or column."""
    centers: tuple[float, ...] = ()
    """The middle of each character along the line, 0 (its left edge) to 1 (its right edge); empty where not known."""
    pieces: tuple[Piece, ...] = ()
    """Where the line was printed as several: what of it stands in each of them, in the order of its text, and where.
    The quad is then the upright one around them all. Empty where the quad says it all."""

    @property
    def box(self) -> Box | None:
        """The upright box around the quad; None where there is no quad."""
        return Box.around(self.quad) if self.quad else None

    @property
    def place(self) -> Quad:
        """The quad of a line that is known to have one, as all have that a detector found."""
        assert self.quad, f"{self} has no place"
        return self.quad


@dataclass(frozen=True)
class Page:
    """One page: an image, and where known the lines on it in reading order."""

    image: Image.Image
    """RGB, upright as its file says (EXIF applied), on white where it was transparent."""
    lines: tuple[Line, ...] = ()
    number: int = 1
    """1 for the first page of its file."""
    origin: str = ""
    """The file it came from, "-" for standard input, "" where it was made in memory."""

    @property
    def text(self) -> str:
        """The lines' text, put together by what stands between them."""
        return join(self.lines)


@dataclass(frozen=True)
class Prompt:
    """What is asked of a page. The default asks for its plain text."""

    format: bool = False
    """Ask for formatted output: Markdown and LaTeX, and whatever notation the page's characters have. Tiles and pages
    always ask for it, since GOT was trained on no other questions about them: it makes no difference there."""
    box: Box | None = None
    """Read this region only."""
    point: Point | None = None
    """Read what stands at this point only, in pixels (from the released code)."""
    color: Color | None = None
    """Read the region framed in this colour only."""
    tiles: int = 0
    """Look at the page in at most this many tiles and a thumbnail, 1 to 12: for dense or very large pages (GOT §3.4.2).
    0: in one view. Paper: 12; released code: 6."""
    pages: int = 1
    """How many pages are read together as one text (GOT §3.4.3)."""

    def __post_init__(self) -> None:
        if self.box is not None and not isinstance(self.box, Box):
            raise BadPrompt(f"box={self.box!r}: expected a Box, as in Prompt(box=Box(80, 120, 640, 300))")
        if not (isinstance(self.tiles, int) and isinstance(self.pages, int)):
            raise BadPrompt(f"tiles={self.tiles!r}, pages={self.pages!r}: expected whole numbers")
        if self.pages < 1:
            raise BadPrompt(f"pages={self.pages}: a prompt is about at least one page")
        if not 0 <= self.tiles <= MOST_TILES:
            raise BadPrompt(f"tiles={self.tiles}: expected 1 to {MOST_TILES} tiles, or 0 for one view")
        if self.color is not None and self.color not in COLORS:
            raise BadPrompt(f"color={self.color!r} is unknown: expected {', '.join(COLORS)}")
        if self.tiles and self.pages > 1:
            raise BadPrompt(f"tiles={self.tiles} and pages={self.pages} don't go together: tiles are made of one page")
        self._check_region()

    def _check_region(self) -> None:
        regions = [f"box={self.box}"] if self.box else []
        regions += ["point={:g},{:g}".format(*self.point)] if self.point else []
        regions += [f"color={self.color!r}"] if self.color else []
        if len(regions) > 1:
            raise BadPrompt(f"{' and '.join(regions)} each name a region: give one of them")
        if regions and (self.tiles or self.pages > 1):
            other = f"tiles={self.tiles}" if self.tiles else f"pages={self.pages}"
            raise BadPrompt(f"{regions[0]} and {other} don't go together: a region is read from one whole page")
        box = self.box
        numbers = (box.x0, box.y0, box.x1, box.y1) if box else self.point or ()
        if not all(0 <= number < inf for number in numbers):
            raise BadPrompt(f"{regions[0]} is no place on a page: expected pixels from 0 on, x right, y down")


@dataclass(frozen=True)
class Transcript:
    """What was answered."""

    text: str
    kind: str = "text"
    """The kind of character the text is: "text", "formula", "table", …"""
    prompt: Prompt = field(default_factory=Prompt)
    stop: Stop = "eos"
    """Why the reader stopped: it was done, it ran out of length, or it caught itself in a loop."""
    score: float = 1.0
    """How sure the reader is of the whole, 0 to 1: the mean over the characters; 1 for a page without any."""
    lines: tuple[Line, ...] = ()
    """The lines in reading order, each with its place and score, where the reader knows them."""
    seconds: float = 0.0
    """How long it took, on the wall clock."""
    tokens: int = 0
    """How many tokens the text is made of; 0 for a reader that has none."""
    prompt_tokens: int = 0
    """How many tokens the question took, those that stand for the image among them; 0 for a reader that has none."""


class Place(NamedTuple):
    """Where a part of a text is seen: a character, what a command of LaTeX stands for, an atom."""

    start: int
    """Where in the text it begins."""
    end: int
    """Where in the text it is over."""
    x: float
    """Of its middle, as is y."""
    y: float


@dataclass(frozen=True)
class Sample:
    """One item to train on: images, what is asked, and the right answer."""

    images: tuple[Image.Image, ...]
    prompt: Prompt
    text: str
    kind: str
    origin: str
    """The engine, seed, source and licence it came from."""
    places: tuple[Place, ...] = ()
    """Where parts of the text are seen in its only image, in the order of the text; empty where that isn't known."""

    def __post_init__(self) -> None:
        if len(self.images) != self.prompt.pages:
            raise BadPrompt(f"{len(self.images)} images for a prompt about {self.prompt.pages} pages ({self.origin})")


class Source(Protocol):
    """What makes samples: sample `index` is always the same. One with a `len` is finite, any other has no end.

    A sample that can't be made raises an OcrError, and is never replaced by another. A source may have an `identity`,
    a string that is another one wherever its samples are others: a training run goes on with the same one only.
    """

    def __getitem__(self, index: int, /) -> Sample: ...


def join(lines: tuple[Line, ...]) -> str:
    """The text of lines in reading order: each line's text, then what stands between it and the next."""
    return "".join(f"{line.text}{line.end}" for line in lines[:-1]) + (lines[-1].text if lines else "")
