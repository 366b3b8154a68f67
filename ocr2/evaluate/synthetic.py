"""Fresh sets like the paper's: music, geometry, charts, formulas and the rest, made on demand and never stored.

    for item in SYNTHETIC.items(None):
        print(item.id, item.pages()[0].image.size, item.truth[:40])

Nobody has trained on them: their texts, molecules and scores are the fiftieth that a corpus holds back, set in type
that is held back, and what is invented is drawn with random numbers of its own (see `Synth`). No type is held back of
formulas and figures, which are TeX's, of music's notes, and of bold Chinese. The same seed makes the same samples, by
the same versions of the packages that draw.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ocr2.characters import CHARACTERS
from ocr2.data.corpus import NAMES, Corpus
from ocr2.data.engines import Materials, engine_of
from ocr2.errors import BadInput, OcrError
from ocr2.evaluate.benchmark import Item, Table
from ocr2.evaluate.jsonl import by_kind, measured, worth
from ocr2.evaluate.published import SUITE, means, notes
from ocr2.metrics.words import suite
from ocr2.renderers.tools import TOOLS, need
from ocr2.types import Page, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ocr2.evaluate.benchmark import Answer, Mode, Scored
    from ocr2.types import Sample

SEED = 240901704
"""Of all sets."""
COUNTS: dict[str, int] = {
    "music": 100,
    "geometry": 180,
    "chart": 100,
    "formula": 100,
    "table": 100,
    "molecule": 100,
    "document": 60,
    "page-en": 40,
    "page-zh": 40,
    "region": 80,
    "multipage": 20,
}
"""Samples of each engine: as many of music and geometry as the paper has (GOT, table 4)."""
KEPT = 16
"""Samples whose pictures are kept, for what is next asked of them."""


class _Told(NamedTuple):
    """What is kept of a sample."""

    truth: str = ""
    prompt: Prompt = Prompt()
    why: str = ""
    """It couldn't be made."""


class Fresh(Item):
    """An item whose sample is made when it is first looked at; of what was made, its pictures aren't kept.

    `more` is why it couldn't be made, "" where it could.
    """

    def __init__(self, name: str, kind: str, task: str, language: str, make: Callable[[], Sample]) -> None:
        """Not made yet."""
        vars(self).update(id=name, kind=kind, task=task, language=language, _make=make)

    @cached_property
    def _told(self) -> _Told:
        try:
            sample = self._sample()
        except OcrError as error:
            return _Told(why=str(error))
        return _Told(sample.text, sample.prompt)

    def _sample(self) -> Sample:
        make: Callable[[], Sample] = vars(self)["_make"]
        return make()

    @property
    def truth(self) -> str:
        """What stands there; "" where it couldn't be made."""
        return self._told.truth

    @property
    def prompt(self) -> Prompt:
        """What is asked."""
        return self._told.prompt

    @property
    def more(self) -> str:
        """Why it couldn't be made."""
        return self._told.why

    def pages(self) -> Sequence[Page]:
        """Its pages, made anew where they were let go. Raises OcrError where they can't be made."""
        if self._told.why:
            raise BadInput(self._told.why)
        return [Page(image.convert("RGB"), number=n) for n, image in enumerate(self._sample().images, 1)]


@dataclass(frozen=True)
class Synthetic:
    """Sets of samples that are made on demand."""

    title: str = "fresh samples of every kind, in type and of texts that are kept out of training"
    source: str = ""
    seed: int = SEED

    def items(self, folder: Path | None = None) -> Iterator[Item]:
        """So many of each set, none of them made yet; `folder` has texts and other sources instead of the packages'.

        Raises RendererMissing where something that draws isn't installed, BadInput where there are no texts.
        """
        for tool in TOOLS:
            if tool.package:
                need(tool.name)
        corpus = Corpus([folder] if folder else [], held=True)
        for spoken in NAMES:
            corpus.paragraph(Random(0), spoken)
        engines = {name: engine_of(name, Materials(corpus), self.seed) for name in COUNTS}

        @lru_cache(KEPT)
        def made(name: str, index: int) -> Sample:
            return engines[name][index]

        def maker(name: str, index: int) -> Callable[[], Sample]:
            return lambda: made(name, index)

        for name, count in COUNTS.items():
            kind = name if name in CHARACTERS else "text"
            language = name.partition("-")[2]
            for index in range(count):
                yield Fresh(f"{name}-{index:03}", kind, name, language, maker(name, index))

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float] | None:
        """By the measures of its kind, and the paper's suite; None for a sample that couldn't be made."""
        if item.more:
            return None
        published = mode == "published"
        found = suite(answer.text, item.truth, published=published)
        if found is None:
            return None
        return {f"suite_{name}": value for name, value in found.items()} | measured(
            item.kind, answer.text, item.truth, published=published
        )

    def worth(self, scores: dict[str, float]) -> float:
        """As of our own format."""
        return worth(scores)

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """The paper's measures, a row for each set; then for each kind of character those of its own."""
        made = [each for each in scored if not each.item.more]
        counts, reached = Counter(each.item.task for each in made), means(made)
        rows = tuple(
            (task, counts[task], *(reached(task, f"suite_{one}") for one in SUITE)) for task in COUNTS if counts[task]
        )
        told = [f"Made anew of seed {self.seed}.", *notes(made, mode)]
        if lost := [f"{each.item.id} ({each.item.more:.80})" for each in scored if each.item.more]:
            told.append(f"{len(lost)} samples couldn't be made, and count nowhere: {'; '.join(lost)}.")
        columns = ("Set", "Samples", *SUITE.values())
        return [Table(f"Fresh samples, {name}", columns, rows, tuple(told)), *by_kind(made, name)]


SYNTHETIC = Synthetic()
