"""The one way from pages to transcripts: load a model once, then read as many files as you like.

reader = ocr2.load()
for page, transcript in reader.stream("scan.pdf"):
    print(page.number, transcript.text)
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ocr2 import files
from ocr2.errors import BadInput, BadPrompt, OcrError
from ocr2.types import Page, Prompt, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from PIL import Image

    from ocr2.types import Line

    Source = str | Path | bytes | BinaryIO | Image.Image


class Model(Protocol):
    """What reads one page: an image in, the same page with its lines out."""

    def read(self, image: Image.Image, number: int = 1, origin: str = "") -> Page:
        """The page with its lines in reading order."""


class Reader:
    """A loaded model and all that stands around it. Not to be shared between threads."""

    def __init__(self, model: Model) -> None:
        """`load` makes these; a model of your own is anything that turns an image into a Page."""
        self.model = model

    def answer(self, page: Page, prompt: Prompt | None = None) -> Transcript:
        """The transcript of one page. Raises BadInput where the model fails on it, out of memory for instance."""
        prompt = prompt or Prompt()
        if prompt != Prompt():
            raise BadPrompt(
                f"this model reads whole pages as plain text and can't answer {prompt}: leave the prompt out"
            )
        began = time.perf_counter()
        try:
            read = self.model.read(page.image, page.number, page.origin)
        except OcrError:
            raise
        except Exception as error:
            raise _unreadable(page, error) from error
        seconds = time.perf_counter() - began
        return Transcript(read.text, "text", prompt, "eos", _score(read.lines), read.lines, seconds)

    def stream(
        self, source: Source, *, pages: str | None = None, dpi: int = files.DPI, prompt: Prompt | None = None
    ) -> Iterator[tuple[Page, Transcript]]:
        """Each page of an image, PDF or TIFF with its transcript, one page at a time in memory."""
        with closing(files.pages(source, select=pages, dpi=dpi)) as found:
            for page in found:
                yield page, self.answer(page, prompt)

    def read(
        self, source: Source, *, pages: str | None = None, dpi: int = files.DPI, prompt: Prompt | None = None
    ) -> Transcript:
        """The transcript of a whole image, PDF or TIFF; texts of several pages stand apart by a form feed.

        Its lines are those of all pages, each in pixels of its own page: `stream` tells the pages apart.
        """
        answers = [answer for _, answer in self.stream(source, pages=pages, dpi=dpi, prompt=prompt)]
        if len(answers) == 1:
            return answers[0]
        lines = tuple(line for answer in answers for line in answer.lines)
        return replace(
            answers[0],
            text="\f".join(answer.text for answer in answers),
            score=_score(lines),
            lines=lines,
            seconds=sum(answer.seconds for answer in answers),
        )


def _unreadable(page: Page, error: Exception) -> BadInput:
    """What to tell of a page that the model failed on."""
    name = "standard input" if page.origin == "-" else page.origin or "the input"
    width, height = page.image.size
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return BadInput(
        f"{name}, page {page.number} ({width}×{height} pixels) can't be read: {reason}; scale it down, or report it"
    )


def _score(lines: tuple[Line, ...]) -> float:
    """The mean score of the characters; 1 where there are none."""
    characters = sum(len(line.text) for line in lines)
    return sum(line.score * len(line.text) for line in lines) / characters if characters else 1.0


def load(model: str | Path = "ppocr", threads: int | None = None) -> Reader:
    """A reader for a model by name ("ppocr", "ppocrv2") or folder, on `threads` threads (all there are by default)."""
    from ocr2.ppocr.load import load as load_pipeline

    return Reader(load_pipeline(str(model), threads))


def read(source: Source, model: str | Path = "ppocr", *, pages: str | None = None, dpi: int = files.DPI) -> Transcript:
    """The transcript of an image, PDF or TIFF. To read many, `load` once and use the reader."""
    return load(model).read(source, pages=pages, dpi=dpi)
