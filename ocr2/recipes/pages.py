"""What PP-OCRv2's networks learn from: pages with known lines, of label files or drawn, as rows of a batch.

pages = opened([Path("train.txt"), Path("texts/")], seed=0)
pages.page(123)                                       # the same at any time, in any process
for batch, position in Batches(pages, row, scenes, 8)(None): ...
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from ocr2.data.corpus import Corpus
from ocr2.data.formats import FORMATS, format_of
from ocr2.data.labels import Labels
from ocr2.data.lines import Lines
from ocr2.data.mixture import Mixture
from ocr2.data.paddle import halves, labelled, page_of
from ocr2.errors import BadCheckpoint, BadInput, OcrError
from ocr2.files import SUFFIXES
from ocr2.got.loader import TOLD, begin, told
from ocr2.types import Line, Page

if TYPE_CHECKING:
    from pathlib import Path

    from ocr2.data.corpus import Language
    from ocr2.data.lines import Shape
    from ocr2.data.writing import Speech

B = TypeVar("B")
LINES, PAGES = "rec", "det"
"""PaddleOCR's two kinds of label files."""
SHAPES: dict[str, tuple[Shape, ...]] = {LINES: ("line", "word", "slice", "scene"), PAGES: ("page", "columns", "scene")}
"""What is drawn for each."""
SPEECHES: tuple[Speech, ...] = ("en", "zh", "mixed")
LANGUAGES: dict[Speech, tuple[Language, ...]] = {"en": ("en",), "zh": ("zh",), "mixed": ("en", "zh")}
MOST_EMPTY = 20
"""Batches in a row of which no sample can be used."""
_EXPECTED = "expected PaddleOCR's label files (*.txt), or folders of texts with a paragraph a line"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labelled:
    """The pages of a label file; of one for recognisers, each a line that fills its picture."""

    labels: Labels
    kind: str

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def identity(self) -> str:
        """Of the same pages the same."""
        return f"{self.kind}/{self.labels.identity}"

    def page(self, index: int) -> Page:
        """Page `index`. Raises BadInput."""
        where = self.labels.where(index)
        if self.kind == PAGES:
            return page_of(self.labels.text(index), self.labels.pictures, where)
        sample = self.labels[index]
        image = sample.images[0]
        width, height = image.size
        quad = ((0, 0), (width, 0), (width, height), (0, height))
        return Page(image, (Line(sample.text, quad, 1.0),), origin=where)

    def texts(self) -> Iterator[str]:
        """What stands on all of them, but on those with labels that can't be read; no picture is looked at."""
        for index in range(len(self)):
            try:
                text = self.labels.text(index)
                yield from (line.text for line in labelled(text).lines) if self.kind == PAGES else [halves(text)[1]]
            except BadInput as error:  # which is told when its turn comes
                _log.debug("%s (%s)", error, self.labels.where(index))


class Pages:
    """Endless pages of several sources, as often from each; of labels all before any comes again."""

    def __init__(self, sources: dict[str, Labelled | Lines], seed: int) -> None:
        """The sources by name. Raises BadInput where there is none."""
        self.sources = sources
        self._order = Mixture({name: (source, 1.0) for name, source in sources.items()}, seed)  # type: ignore[misc]
        self.identity = self._order.identity

    def page(self, index: int) -> Page:
        """Page `index`. Raises what its source raises."""
        name, number = self._order.where(index)
        return self.sources[name].page(number)

    def characters(self) -> set[str]:
        """Those of all labels."""
        labelled = (source for source in self.sources.values() if isinstance(source, Labelled))
        return {char for source in labelled for text in source.texts() for char in text}


def opened(data: Sequence[Path], kind: str, seed: int) -> Pages:
    """The pages for detectors (PAGES) or recognisers (LINES) in files and folders: label files, or running text.

    Raises BadInput where there are neither, or both.
    """
    found: dict[str, Labelled | Lines] = {}
    texts = []
    for place in data:
        if not place.exists():
            raise BadInput(f"{place} doesn't exist: {_EXPECTED}")
        forms = {path: _form(path) for path in (sorted(place.glob("*.txt")) if place.is_dir() else [place])}
        if any(path.with_suffix(suffix).exists() for path, form in forms.items() if not form for suffix in SUFFIXES):
            raise BadInput(
                f"{place} has pictures with texts beside: {_EXPECTED}; ocr2 convert {place} labels.txt --to rec makes "
                "such a file of them"
            )
        texts += [] if any(forms.values()) else [place]
        for path, form in forms.items():
            if form == kind or (form == PAGES and kind == LINES):
                found[str(path)] = Labelled(Labels(path, FORMATS[form]), form)
    if found and (others := [place for place in texts if not (place / "characters.txt").is_file()]):
        raise BadInput(f"{others[0]} has no labels, and {next(iter(found))} has some: {_EXPECTED}, not both")
    if not found:
        corpus = Corpus(texts)
        speeches = [speech for speech in SPEECHES if all(map(corpus.count, LANGUAGES[speech]))]
        if not speeches:
            raise BadInput(
                f"no labels for {kind} and no running text in {', '.join(map(str, data)) or 'no folder'}: {_EXPECTED}"
            )
        found = {
            f"{shape}-{speech}": Lines(corpus, shape, speech, seed) for shape in SHAPES[kind] for speech in speeches
        }
    return Pages(found, seed)


def _form(path: Path) -> str:
    """Which kind of label file it is; "" for none."""
    try:
        form = format_of(path)
    except BadInput:
        return ""
    return form if form in (LINES, PAGES) else ""


Row = Callable[[int, Random], B]
"""A row of a number, made with this randomness. Raises OcrError for one that can't be made."""


@dataclass(frozen=True)
class Batches(Generic[B]):
    """What `train.fit` learns from: batches of rows from a position on, each with the position after it.

    A row that can't be made is counted by its error and left out: its batch is smaller.
    """

    row: Row[B]
    joined: Callable[[list[B]], B]
    """Puts rows together."""
    rows: int
    """Of a batch."""
    identity: str
    """Of the same rows the same."""
    seed: int = 0
    workers: int = 0
    rank: int = 0
    world: int = 1

    def __call__(self, position: dict[str, Any] | None = None) -> Iterator[tuple[B, dict[str, Any]]]:
        """Batches after a position. Raises BadCheckpoint for one in other data, BadInput where no row can be made."""
        start = position or {"next": 0, "dropped": {}, "data": self.identity}
        if start.get("data") != self.identity:
            raise BadCheckpoint(
                "the data position is one in other samples: go on with the same --data, or begin anew in another folder"
            )
        dropped, empty = Counter[str](start["dropped"]), 0
        for number, found in self._made(start["next"]):
            made = [row for row in found if not isinstance(row, tuple)]
            lost = [row for row in found if isinstance(row, tuple)]
            for kind, reason in lost:
                dropped[kind] += 1
                _log.log(logging.DEBUG if dropped[kind] > TOLD else logging.WARNING, "left out: %s", reason)
            empty = 0 if made else empty + 1
            if empty == MOST_EMPTY:
                raise BadInput(f"{empty * self.rows} samples in a row could not be used; the last one: {lost[-1][1]}")
            if made:
                after = {"next": number + 1, "dropped": dict(dropped), "data": self.identity}
                yield self.joined(made), after

    def _made(self, start: int) -> Iterator[tuple[int, list[B | tuple[str, str]]]]:
        """The rows of each batch from a number on; an error and its reason for those that can't be made."""
        work = _Work(self)
        if not self.workers:
            for number in count(start):
                yield number, work[number]
            return
        loaded = DataLoader(
            work,
            sampler=count(start),
            batch_size=None,
            num_workers=self.workers,
            collate_fn=_unchanged,
            generator=torch.Generator(),  # else it takes from the one that training goes by
            worker_init_fn=begin,
            multiprocessing_context="forkserver",
        )
        yield from zip(count(start), told(loaded), strict=False)


@dataclass(frozen=True)
class _Work(Dataset[Any], Generic[B]):
    """Batches by their numbers, not yet put together."""

    batches: Batches[B]

    def __getitem__(self, number: int) -> list[B | tuple[str, str]]:
        cv2.setNumThreads(1)
        batches = self.batches
        first = (number * batches.world + batches.rank) * batches.rows
        found: list[B | tuple[str, str]] = []
        for index in range(first, first + batches.rows):
            try:
                found.append(batches.row(index, Random(f"{batches.seed}/{index}")))
            except OcrError as error:
                found.append((type(error).__name__, str(error)))
        return found


def _unchanged(rows: Any) -> Any:
    return rows
