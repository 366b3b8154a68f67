"""Printed text with known places: words, lines, slices, paragraphs, pages, columns, signs; drawn as they are asked for.

    engine = Lines(Corpus(["/data/texts"]), "page", "en", seed=7)
    engine.page(123)    # an image and the quads of its lines: what a detector and a recogniser learn from
    engine[123]         # the same as a question and its answer: what GOT learns from

Every picture has one of a few sizes and is filled: cost follows pixels, and what is learnt follows characters. A fifth
of the text is random (see ocr2/characters/text.py). Item i is made of the engine's seed and i alone.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from random import Random
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from PIL import Image

from ocr2.data.origin import origin, with_lines
from ocr2.data.writing import EASY_SIZE, SPEECHES, Speech, Writing, near
from ocr2.errors import BadInput
from ocr2.renderers import paper
from ocr2.renderers.galley import Galley, Style
from ocr2.renderers.typeset import Block, Part, Sheet, typeset
from ocr2.types import Box, Page, Place, Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.data.corpus import Corpus
    from ocr2.types import Line

Shape = Literal["word", "line", "slice", "paragraph", "page", "columns", "scene"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
Size = tuple[int, int]
VIEWS: dict[Shape, tuple[Size, ...]] = {
    "word": ((128, 64), (256, 64)),
    "line": ((512, 64), (1024, 64)),
    "slice": ((512, 128), (1024, 128), (512, 256)),
    "paragraph": ((512, 512), (1024, 256), (1024, 512)),
    "page": ((768, 1024), (768, 1024), (1024, 1024), (1024, 768)),
    "columns": ((768, 1024), (1024, 1024), (1024, 768)),
    "scene": ((128, 64), (256, 64), (256, 128), (512, 128)),
}
"""Width and height of the pictures, multiples of 64."""
EASY_VIEWS: dict[Shape, tuple[Size, ...]] = {
    "word": ((128, 64), (256, 64)),
    "line": ((512, 64),),
    "slice": ((512, 128),),
    "paragraph": ((512, 256),),
    "page": ((512, 512),),
    "columns": ((1024, 512),),
    "scene": ((256, 64),),
}
MOST = 4000
"""Latin characters of a picture; one in Chinese counts as many."""
COST = {"en": 1.0, "zh": 1.8, "mixed": 1.4}
SMALLEST = {"en": 10, "zh": 12, "mixed": 12}
"""Pixels of the smallest type."""
_AREA = {"en": 0.5, "zh": 1.02, "mixed": 0.75}
"""Of a character, in squares of its size, without leading."""


class Lines:
    """An endless source of pictures of one shape, in one language or both."""

    def __init__(
        self,
        corpus: Corpus,
        shape: Shape,
        speech: Speech,
        seed: int,
        *,
        easy: bool = False,
        most: int = MOST,
        views: tuple[Size, ...] = (),
        clean: bool = False,
    ) -> None:
        """Where the corpus is held back, in fonts that are held back too.

        Easy pictures are clean, of one type size, and have few lines; `most` is how many Latin characters a picture has
        at most, to the next line end; `views` are other sizes of pictures than the usual ones; clean ones are black on
        white. Raises BadInput for a shape or language that there isn't.
        """
        for given, known in ((shape, SHAPES), (speech, SPEECHES)):
            if given not in known:
                raise BadInput(f"{given!r} is no shape or language of printed text: expected {', '.join(known)}")
        self.corpus, self.shape, self.speech, self.seed, self.easy, self.most = corpus, shape, speech, seed, easy, most
        self.clean = clean or easy
        self.views = views or (EASY_VIEWS if easy else VIEWS)[shape]
        """Width and height of its pictures."""

    @property
    def identity(self) -> str:
        """Of the same pictures the same."""
        kind = f"{self.shape}/{self.speech}/{self.easy}/{self.clean}/{self.seed}/{self.most}/{self.views}"
        return f"{kind}/{self.corpus.identity}"

    def page(self, index: int) -> Page:
        """Picture `index` and its lines, in reading order, with their quads. Raises BadInput, RendererMissing."""
        return _Work(self, index).page()

    def __getitem__(self, index: int) -> Sample:
        """Picture `index`, the question for its text, and the text. Raises BadInput, RendererMissing."""
        page = self.page(index)
        return Sample(
            (page.image,), Prompt(), page.text, "text", with_lines(page.origin, page.lines), places(page.lines)
        )


def places(lines: Sequence[Line]) -> tuple[Place, ...]:
    """Those of the characters in the text that the lines make, as far as lines have centers."""
    found, start = list[Place](), 0
    for line in lines:
        (x0, y0), (x1, y1) = (np.mean([line.place[n], line.place[3 - n]], 0).tolist() for n in (0, 1))
        found += [
            Place(at, at + 1, x0 + center * (x1 - x0), y0 + center * (y1 - y0))
            for at, (char, center) in enumerate(zip(line.text, line.centers, strict=False), start)
            if not char.isspace()
        ]
        start += len(line.text) + len(line.end)
    return tuple(found)


class _Work:
    """One picture in the making."""

    def __init__(self, engine: Lines, index: int) -> None:
        self.engine, self.index = engine, index
        self.shape, self.speech = engine.shape, engine.speech
        self.rng = rng = Random(f"lines/{engine.shape}/{engine.speech}/{engine.easy}/{engine.seed}/{index}")
        self.width, self.height = rng.choice(engine.views)
        self.writing = Writing(engine.corpus, engine.speech, engine.easy, rng)

    def page(self) -> Page:
        """The picture."""
        if self.shape in ("word", "scene"):
            sheet, size = self._short()
        elif self.shape in ("page", "columns"):
            sheet, size = self._whole()
        else:
            sheet, size = self._run()
        sources = ", ".join(self.writing.files) or "random"
        if not sheet.lines:
            raise BadInput(f"no font has the characters of {sources}: expected texts in English or Chinese")
        if self.engine.clean:
            pixels, lines = paper.plain(sheet.ink), sheet.lines
        elif self.shape == "scene":
            pixels, lines = paper.painted(sheet.ink, sheet.lines, self.rng)
        else:
            pixels, lines = paper.worn(sheet.ink, sheet.lines, self.rng, size)
        told = origin(
            f"{self.shape}-{self.speech}",
            self.engine.seed,
            self.index,
            source=sources,
            fonts=", ".join(f"{face.name} ({face.licence})" for face in sheet.faces),
        )
        return Page(Image.fromarray(pixels), lines, 1, told)

    def _short(self) -> tuple[Sheet, int]:
        """A word or a few, as large as the picture lets it be, or somewhat smaller."""
        rng, easy = self.rng, self.engine.easy
        style = replace(self.writing.style(EASY_SIZE, short=True), leading=1.2, align=rng.choice(("left", "centred")))
        text = self.writing.words(style, (self.width, self.height))
        if self.shape == "scene" and rng.random() < 0.35:
            text = text.upper()
        lines = [text]
        if self.height >= 128 and (middle := text.find(" ", len(text) // 2)) > 0 and rng.random() < 0.7:
            lines = [text[:middle], text[middle + 1 :]]
        smaller = 1.0 if easy or rng.random() < 0.6 else rng.uniform(0.55, 1)
        room = (self.width - 4) * smaller, (self.height - 4) * smaller
        style, sheet = self._fitted(lines, style, *room)
        printed = tuple(replace(line, end="\n") for line in sheet.lines)  # of one text, if there are two
        sheet = replace(sheet, lines=printed)
        return _put(sheet, self.width, self.height, rng), style.size

    def _fitted(self, lines: list[str], style: Style, width: float, height: float) -> tuple[Style, Sheet]:
        """The lines, as large as their ink fits into so many pixels; what is too long for the smallest type is cut."""
        least = near(SMALLEST[self.speech])
        size, most = EASY_SIZE, EASY_SIZE if self.engine.easy else 1 << 10
        for _ in range(30):
            chosen = replace(style, size=size)
            blocks = [Block(line, chosen) for line in lines]
            longest = max(Galley(*block).width for block in blocks) + 2 * size
            frame = Box(size, size, size + longest, 6 * size)
            sheet = typeset([Part(blocks, [frame])], int(longest + 2 * size), 6 * size)
            if not sheet.lines:
                return chosen, sheet
            box = Box.around(tuple(point for line in sheet.lines for point in line.place))
            scale = min(width / (box.x1 - box.x0), height / (box.y1 - box.y0))
            if scale < 1 and size <= least:
                lines = [line[: max(1, int(len(line) * 0.8))] for line in lines]
            elif scale < 1:
                most = near(size - 1)
                size = max(least, min(most, near(size * scale)))
            elif min(most, near(size * scale)) <= size:
                return chosen, sheet
            else:
                size = min(most, near(size * scale))
        raise BadInput(f"{lines} don't fit into {width:.0f} × {height:.0f} pixels: expected shorter words")

    def _run(self) -> tuple[Sheet, int]:
        """A line, a few of them, or a paragraph or two, over all of the picture."""
        rng = self.rng
        size = self._size()
        style = self.writing.style(size)
        if self.shape != "paragraph":
            style = replace(style, indent=style.indent if rng.random() < 0.3 else 0)
        margin, edge = rng.uniform(2, 24 if self.shape == "paragraph" else 10), 0.15 * size
        top, bottom = max(margin, edge), self.height - max(margin, edge)
        if self.shape == "line":
            top = rng.uniform(edge, self.height - edge - 1.25 * size)
            bottom = top + 1.25 * size
        frame = Box(margin, top, self.width - margin, bottom)
        longest = self._longest(size)
        if self.shape == "paragraph":
            part = Part(self.writing.story(style, longest, False), [frame], self._most())
        else:
            part = Part(self.writing.excerpt(style, longest), [frame])
        return typeset([part], self.width, self.height), size

    def _whole(self) -> tuple[Sheet, int]:
        """A page: sometimes a running head, a title and a number, and text in one column or two between them."""
        rng = self.rng
        share = 0.02 if self.engine.easy else rng.choice((0.03, 0.08, 0.14))
        x0, x1 = self.width * share * rng.uniform(0.7, 1.3), self.width * (1 - share * rng.uniform(0.7, 1.3))
        y0, y1 = self.height * share * rng.uniform(0.7, 1.3), self.height * (1 - share * rng.uniform(0.7, 1.3))
        size = self._size((x1 - x0) * (y1 - y0))
        style = self.writing.style(size)
        small = replace(style, size=max(SMALLEST[self.speech], near(size * 0.85)), indent=0, align="centred", before=0)
        parts = []
        plain = self.engine.easy
        if not plain and rng.random() < 0.3:
            head = replace(small, align=rng.choice(("left", "centred", "right")))
            parts.append(Part([Block(self.writing.title(60), head)], [Box(x0, y0, x1, y0 + 1.3 * head.size)], 1))
            y0 += 2.5 * size
        foot = None
        if not plain and rng.random() < 0.4:
            foot = Part([Block(self.writing.page_number(), small)], [Box(x0, y1 - 1.2 * size, x1, y1 + size)], 1)
            y1 -= 2.6 * size
        if not plain and rng.random() < 0.25:
            title = self.writing.heading(style, rng.uniform(1.5, 2.4))
            room = 2.6 * title.style.size
            parts.append(Part([title], [Box(x0, y0, x1, y0 + room)]))
            y0 += room + size
        frames = [Box(x0, y0, x1, y1)]
        if self.shape == "columns":
            gutter, middle = max(1.6 * size, 0.03 * self.width), (x0 + x1) / 2
            frames = [Box(x0, y0, middle - gutter / 2, y1), Box(middle + gutter / 2, y0, x1, y1)]
        story = self.writing.story(style, self._longest(size), rng.random() < 0.4)
        parts.append(Part(story, frames, self._most()))
        if foot:
            parts.append(foot)
        return typeset(parts, self.width, self.height), min(size, small.size) if len(parts) > 1 else size

    def _most(self) -> int:
        return round(self.engine.most / COST[self.speech])

    def _longest(self, size: int) -> int:
        """Characters that a paragraph needs to fill the picture."""
        return round(min(self._most(), 1.6 * self.width * self.height / (_AREA[self.speech] * size**2)))

    def _size(self, area: float = 0.0) -> int:
        """Pixels of the type: what the picture has room for, or such that so many characters fill it."""
        rng = self.rng
        if self.engine.easy:
            return EASY_SIZE
        least = SMALLEST[self.speech]
        if self.shape == "line":
            return near(least * 1.3 * (44 / least / 1.3) ** rng.random())
        if self.shape == "slice":
            most = max(2, int(self.height / (least * 1.4)))
            return max(least, near((self.height - 8) / (1.32 * rng.randint(2, most))))
        area = area or (self.width - 20) * (self.height - 20)
        count = 1.2 * self._most() * rng.uniform(0.25, 1.0) ** (1 if self.shape == "paragraph" else 0.5)
        return max(least, near(min(44, 0.5 + sqrt(area / (1.4 * _AREA[self.speech] * count)))))


def _put(sheet: Sheet, width: int, height: int, rng: Random) -> Sheet:
    """The ink of a sheet anywhere on one of that size, on which it fits with two pixels to spare."""
    if not sheet.lines:
        return sheet
    box = Box.around(tuple(point for line in sheet.lines for point in line.place))
    x0, y0, x1, y1 = (int(edge) for edge in (box.x0, box.y0, box.x1, box.y1))
    x, y = rng.randint(2, width - 2 - (x1 - x0)), rng.randint(2, height - 2 - (y1 - y0))
    ink = np.zeros((height, width), np.uint8)
    ink[y : y + y1 - y0, x : x + x1 - x0] = sheet.ink[y0:y1, x0:x1]
    by = np.array([[1, 0, x - x0], [0, 1, y - y0], [0, 0, 1.0]])
    return replace(sheet, ink=ink, lines=tuple(replace(line, quad=paper.moved(line.place, by)) for line in sheet.lines))
