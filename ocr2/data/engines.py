"""All engines by name: what `ocr2 make` makes, and which data paragraph of the paper it is.

engine = engine_of("table", Materials(Corpus(["/data/texts"])), seed=0)
engine[123]
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any, Literal

from ocr2.characters import CHARACTERS
from ocr2.data.crops import Crops
from ocr2.data.handwriting import Handwriting
from ocr2.data.lines import MOST, SHAPES, Lines
from ocr2.data.multipage import Multipage
from ocr2.data.pdf import Pdf
from ocr2.data.regions import KINDS, Regions
from ocr2.data.scene import Scene
from ocr2.data.synth import Synth
from ocr2.data.tex import Tex
from ocr2.data.units import UNITS
from ocr2.data.writing import SPEECHES
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from ocr2.data.corpus import Corpus
    from ocr2.data.lines import Shape
    from ocr2.data.writing import Speech
    from ocr2.types import Page, Sample, Source

SHORT = 1200
"""Latin characters of a page among several that are read together: some 300 tokens (GOT §3.4.3: less than 650)."""


@dataclass(frozen=True)
class Materials:
    """What engines make samples of."""

    corpus: Corpus
    strength: float = 1.0
    """Of paper and damage: 0 is none."""
    backend: str = ""
    """The tool that draws; "" for what a kind draws with by itself."""
    photos: tuple[Path, ...] = ()
    """Folders of photos with text on them."""
    pdfs: tuple[Path, ...] = ()
    """Folders of PDFs with a text layer."""
    papers: Path | None = None
    """A folder with photos of paper, to draw on."""
    hands: Path | None = None
    """A folder of handwritten lines with their texts."""
    label: Callable[[Image.Image], Page] | None = None
    """What reads photos: an OCR-1.0 reader."""
    most: int = MOST
    """Latin characters of a printed page at most."""


@dataclass(frozen=True)
class Turns:
    """The samples, and pages, of several engines, in turn."""

    engines: tuple[Any, ...]

    @staticmethod
    def of(*engines: Any) -> Turns:
        """With a `len` where all of them have one."""
        return (FiniteTurns if all(isinstance(engine, Sized) for engine in engines) else Turns)(engines)

    @property
    def identity(self) -> str:
        """Of the same pages the same."""
        return "|".join(engine.identity for engine in self.engines)

    def page(self, index: int) -> Page:
        """Page `index`."""
        turn, which = divmod(index, len(self.engines))
        page: Page = self.engines[which].page(turn)
        return page

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`."""
        turn, which = divmod(index, len(self.engines))
        sample: Sample = self.engines[which][turn]
        return sample


@dataclass(frozen=True)
class FiniteTurns(Turns):
    """Those of engines that have a `len`, until the shortest ends."""

    def __len__(self) -> int:
        return len(self.engines) * min(map(len, self.engines))


Build = Callable[[Materials, int], Any]
"""An engine, of materials and a seed."""


def engine_of(name: str, having: Materials, seed: int) -> Source:
    """The engine of that name. Raises BadInput where there is none, or nothing for it to make samples of."""
    if name not in ENGINES:
        raise BadInput(f"{name!r} is no engine: expected {', '.join(ENGINES)}")
    engine: Source = ENGINES[name](having, seed)
    return engine


def _drawn(having: Materials, seed: int) -> Turns:
    """Printed pages, in one column and two, English and Chinese."""
    shapes: tuple[tuple[Shape, Speech], ...] = (("page", "en"), ("page", "zh"), ("columns", "en"), ("columns", "zh"))
    clean = not having.strength
    return Turns.of(*(Lines(having.corpus, *shape, seed, most=having.most, clean=clean) for shape in shapes))


def _short(having: Materials) -> Materials:
    return replace(having, most=min(having.most, SHORT))


def _of_pdfs(having: Materials, seed: int, shape: Literal["page", "line", "paragraph"]) -> Pdf:
    if not having.pdfs:
        raise BadInput("no PDFs to take pages from: give a folder of them (--pdfs DIR)")
    return Pdf(having.pdfs, seed, shape, strength=having.strength)


def _of_photos(having: Materials, seed: int, shape: Literal["page", "slice"]) -> Scene:
    if not having.photos or not having.label:
        raise BadInput("no photos to take text from: give a folder of them (--photos DIR)")
    return Scene(having.photos, having.label, seed, shape)


def _fine(seed: int, *pages: Any) -> Turns:
    """Regions of pages, lines and paragraphs, by box and by colour; each of its own pages, where there are several."""
    ways = [(kind, unit) for kind in KINDS for unit in UNITS]
    return Turns.of(*(Regions.of(some, seed, *way) for way, some in zip(ways, cycle(pages), strict=False)))


def _lines(shape: Shape, speech: Speech, having: Materials, seed: int) -> Lines:
    return Lines(having.corpus, shape, speech, seed, clean=not having.strength)


def _synth(kind: str, having: Materials, seed: int) -> Synth:
    return Synth(kind, having.corpus, seed, strength=having.strength, backend=having.backend, papers=having.papers)


ENGINES: dict[str, Build] = {
    # GOT's first words, and PP-OCR's training
    **{f"{shape}-{speech}": partial(_lines, shape, speech) for shape in SHAPES for speech in SPEECHES},
    # GOT §3.2.2
    "photo": lambda having, seed: _of_photos(having, seed, "page"),
    "photo-slice": lambda having, seed: _of_photos(having, seed, "slice"),
    "pdf": lambda having, seed: _of_pdfs(having, seed, "page"),
    "pdf-line": lambda having, seed: _of_pdfs(having, seed, "line"),
    "pdf-paragraph": lambda having, seed: _of_pdfs(having, seed, "paragraph"),
    # GOT §3.3.2
    "handwriting": lambda having, seed: Handwriting(having.corpus, seed, having.hands, strength=having.strength),
    **{kind: partial(_synth, kind) for kind in CHARACTERS if kind != "text"},
    "tex": lambda having, seed: Tex(having.corpus, seed, strength=having.strength),
    # GOT §3.4.1
    "region": lambda having, seed: _fine(seed, *(_drawn(having, 4 * seed + n) for n in range(4))),
    "region-pdf": lambda having, seed: _fine(seed, _of_pdfs(having, seed, "page")),
    "region-photo": lambda having, seed: _fine(seed, _of_photos(having, seed, "page")),
    # GOT §3.4.2
    "crops": lambda having, seed: Crops.of(_drawn(having, seed), seed),
    "crops-pdf": lambda having, seed: Crops.of(_of_pdfs(having, seed, "page"), seed),
    # GOT §3.4.3
    "multipage": lambda having, seed: Multipage.of(_drawn(_short(having), seed), seed),
    "multipage-pdf": lambda having, seed: Multipage.of(_of_pdfs(having, seed, "page"), seed),
}
"""By name, each made of materials and a seed."""
