"""The one way from pages to transcripts: load a model once, then read as many files as you like.

reader = ocr2.load()
for page, transcript in reader.stream("scan.pdf"):
    print(page.number, transcript.text)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

from ocr2 import align, files
from ocr2.errors import BadInput, BadPrompt, OcrError
from ocr2.types import Box, Page, Prompt, Transcript, join

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from PIL import Image

    from ocr2.got.engine import Engine, Reading
    from ocr2.types import Line, Quad

    Source = str | Path | bytes | BinaryIO | Image.Image

_log = logging.getLogger(__name__)
EMBEDDED = {"text": "ppocr", "region": "ppocr", "format": "nano"}
"""Which reader of those that the package ships answers, where no model is named: the one that measured better for what
is asked (README, "Which reader answers"). Where this build has no weights for it, it is ppocr that answers, or refuses.
"""
_KEPT = 16
"""Pages whose images are kept while one before them is still being read."""

Question = Sequence[Page]
"""The pages that are read together as one text: nearly always one."""


class Model(Protocol):
    """What reads one page: an image in, the same page with its lines out."""

    def read(self, image: Image.Image, number: int = 1, origin: str = "") -> Page:
        """The page with its lines in reading order."""


class Reader:
    """A loaded model and all that stands around it. Not to be shared between threads."""

    def __init__(self, model: Model) -> None:
        """`load` makes these; a model of your own is anything that turns an image into a Page."""
        self.model = model

    def check(self, prompt: Prompt) -> None:
        """Raises BadPrompt for what this reader can't be asked, whatever the page."""
        plain = Prompt()
        asked = [name for name in ("format", "tiles", "pages") if getattr(prompt, name) != getattr(plain, name)]
        if asked:
            raise BadPrompt(
                f"this model reads plain text, page by page, without {', '.join(asked)}: leave that out, "
                "or take a GOT model, such as --model stepfun-ai/GOT-OCR-2.0-hf: pip install 'ocr2[got]'"
            )

    def answers(
        self, questions: Iterable[Question], prompt: Prompt | None = None
    ) -> Iterator[tuple[int, Transcript | OcrError]]:
        """The number of a question (0, 1, …) and its transcript, or the error that its page gave; as they are done.

        Questions are taken as there is room for them, so any number of pages may come.
        """
        return self.prompted((question, prompt or Prompt()) for question in questions)

    def prompted(self, asked: Iterable[tuple[Question, Prompt]]) -> Iterator[tuple[int, Transcript | OcrError]]:
        """As `answers`, for questions that have each a prompt of their own."""
        for number, (question, prompt) in enumerate(asked):
            answer: Transcript | OcrError
            try:
                answer = self._answer(question, prompt)
            except OcrError as error:
                answer = error
            yield number, answer

    def _answer(self, question: Question, prompt: Prompt) -> Transcript:
        self.check(_about(prompt, question))
        page, began = question[0], time.perf_counter()
        try:
            lines = self._lines_of(page, prompt)
        except OcrError:
            raise
        except Exception as error:
            raise _unreadable(page, error) from error
        seconds = time.perf_counter() - began
        return Transcript(join(lines), "text", prompt, "eos", _score(lines), lines, seconds)

    def _lines_of(self, page: Page, prompt: Prompt) -> tuple[Line, ...]:
        """The lines of the page, or of the region that is asked for. Raises BadInput, BadPrompt."""
        if not (prompt.box or prompt.point or prompt.color):
            return self.model.read(page.image, page.number, page.origin).lines
        from ocr2 import region  # brings OpenCV

        try:
            box = region.find(page.image, prompt)
        except OcrError as error:
            raise type(error)(f"{_name(page)}, page {page.number}: {error}") from error
        if box is None:
            x, y = prompt.point or (0.0, 0.0)
            at = Box(x, y, x + 1, y + 1)
            return tuple(line for line in self._lines_of(page, Prompt()) if line.box and line.box.meets(at))
        part, x0, y0 = region.alone(page.image, box)
        return tuple(_moved(line, x0, y0) for line in self.model.read(part, page.number, page.origin).lines)

    def live(self, question: Page | Question, prompt: Prompt | None = None) -> Iterator[str | Transcript]:
        """Pieces of the text as they are read, then the whole transcript, whose text they are."""
        transcript = self.answer(question, prompt)
        yield transcript.text
        yield transcript

    def answer(self, question: Page | Question, prompt: Prompt | None = None) -> Transcript:
        """The transcript of one page, or of several as one text.

        Raises BadInput where the model fails on it, out of memory for instance, and BadPrompt for what it can't answer.
        """
        ((_, answer),) = self.answers([[question] if isinstance(question, Page) else question], prompt)
        if isinstance(answer, OcrError):
            raise answer
        return answer

    def stream(
        self, source: Source, *, pages: str | None = None, dpi: int = files.DPI, prompt: Prompt | None = None
    ) -> Iterator[tuple[Page, Transcript]]:
        """Each page of an image, PDF or TIFF with its transcript, in the file's order."""
        taken: dict[int, Page | int] = {}
        """What is on its way: the page, or if there are many its number in the file, to be drawn again."""
        done: dict[int, Transcript | OcrError] = {}
        broken: list[OcrError] = []
        due = 0

        def questions() -> Iterator[Question]:
            try:
                for number, at in enumerate(found.numbers):
                    page = found.page(at)
                    taken[number] = page if len(taken) < _KEPT else at
                    yield [page]
            except OcrError as error:  # told when the pages before it are
                broken.append(error)

        with closing(files.pages(source, select=pages, dpi=dpi)) as found:
            for number, answer in self.answers(questions(), prompt):
                done[number] = answer
                while due in done:
                    answer = done.pop(due)
                    if isinstance(answer, OcrError):
                        raise answer
                    page = taken.pop(due)
                    yield (found.page(page) if isinstance(page, int) else page), answer
                    due += 1
        if broken:
            raise broken[0]

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
            stop=next((answer.stop for answer in answers if answer.stop != "eos"), "eos"),
            score=_score(lines),
            lines=lines,
            seconds=sum(answer.seconds for answer in answers),
            tokens=sum(answer.tokens for answer in answers),
            prompt_tokens=sum(answer.prompt_tokens for answer in answers),
        )


class GOTReader(Reader):
    """A reader by GOT: many pages are on their way at once, and it takes every prompt."""

    def __init__(self, engine: Engine, places: Model | None = None) -> None:
        """With a model for places, such as the OCR-1.0 pipeline, lines get the boxes that it finds them in."""
        self.engine, self.places = engine, places

    def check(self, prompt: Prompt) -> None:
        """Raises BadPrompt or TooLong for what can't be asked, whatever the page."""
        self._check_places(prompt)
        self.engine.check(prompt)

    def _check_places(self, prompt: Prompt) -> None:
        if self.places and prompt.pages > 1:
            raise BadPrompt(f"boxes and pages={prompt.pages} don't go together: a box is a place on one page")

    def prompted(self, asked: Iterable[tuple[Question, Prompt]]) -> Iterator[tuple[int, Transcript | OcrError]]:
        """As in Reader, in the order in which answers end."""
        for number, news in self._events(asked):
            if not isinstance(news, str):
                yield number, news

    def live(self, question: Page | Question, prompt: Prompt | None = None) -> Iterator[str | Transcript]:
        """As in Reader, token by token."""
        pages = [question] if isinstance(question, Page) else question
        for _, news in self._events([(pages, prompt or Prompt())]):
            if isinstance(news, OcrError):
                raise news
            yield news

    def _events(self, asked: Iterable[tuple[Question, Prompt]]) -> Iterator[tuple[int, str | Transcript | OcrError]]:
        """What the engine tells, by the questions' own numbers.

        Where it fails, the questions on their way are begun again one by one; that on which it fails alone is lost.
        """
        numbered = iter(enumerate(asked))
        while True:
            taken: dict[int, _Taken] = {}
            try:
                for place, news in self.engine.answers(self._taken(numbered, taken)):
                    if isinstance(news, str):
                        yield taken[place].number, news
                    else:
                        told = self._told(taken[place], news)
                        yield taken.pop(place).number, told
                return
            except OcrError:
                raise
            except Exception as error:  # whatever a network raises, out of memory for instance
                if not taken:
                    raise
                lost = list(taken.values())
                broken = [(each.number, _unreadable(each.question[0], error)) for each in lost]
            # the error is gone by now, and with it what the network had in memory: there may be room for one at a time
            if len(lost) == 1:
                yield from broken
                continue
            for each in lost:
                for _, again in self._events([(each.question, each.prompt)]):
                    yield each.number, again

    def _taken(
        self, numbered: Iterator[tuple[int, tuple[Question, Prompt]]], taken: dict[int, _Taken]
    ) -> Iterator[tuple[list[Image.Image], Prompt]]:
        """The questions as the engine wants them, each written down when it is taken."""
        try:
            for place, (number, (question, prompt)) in enumerate(numbered):
                asked = _about(prompt, question)
                self._check_places(asked)
                taken[place] = _Taken(number, question, asked, time.perf_counter())
                yield [page.image for page in question], asked
        except Exception:  # the asker's, not the engine's: it is nothing that those on their way are to blame for
            taken.clear()
            raise

    def _told(self, asked: _Taken, news: Reading | OcrError) -> Transcript | OcrError:
        """The engine's answer as a transcript, or its error with the name of the page."""
        from ocr2.characters import kind_of  # brings OpenCV, which a page that is refused needn't wait for

        page = asked.question[0]
        if isinstance(news, OcrError):
            return type(news)(f"{_name(page)}, page {page.number}: {news}")
        try:
            found = self._lines(page, asked.prompt)
        except OcrError as error:  # what GOT has read is not lost for that
            _log.warning("its lines get no places: %s", error)
            found = ()
        lines = align.place(news.text, news.scores, found)
        seconds = time.perf_counter() - asked.began
        score = fmean(news.scores) if news.scores else 1.0
        counts = news.tokens, news.prompt_tokens
        return Transcript(news.text, kind_of(news.text), asked.prompt, news.stop, score, lines, seconds, *counts)

    def _lines(self, page: Page, prompt: Prompt) -> Sequence[Line]:
        """The page's lines with their places; of those, the ones that the box that was asked for has a part of."""
        if not self.places:
            return ()
        lines = Reader(self.places).answer(page).lines
        return [line for line in lines if not prompt.box or prompt.box.meets(Box.around(line.place))]


@dataclass
class _Taken:
    """A question that the engine has."""

    number: int
    question: Question
    prompt: Prompt
    began: float


def _about(prompt: Prompt, question: Question) -> Prompt:
    """The prompt for all the pages of a question, unless it says itself about how many it is."""
    return prompt if prompt.pages > 1 else replace(prompt, pages=len(question))


def _moved(line: Line, x: float, y: float) -> Line:
    """A line of a part of a page, on the page: the part's corner is at x, y."""

    def moved(quad: Quad) -> Quad:
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad
        return (x0 + x, y0 + y), (x1 + x, y1 + y), (x2 + x, y2 + y), (x3 + x, y3 + y)

    pieces = tuple(replace(piece, quad=moved(piece.quad)) for piece in line.pieces)
    return replace(line, quad=line.quad and moved(line.quad), pieces=pieces)


def _name(page: Page) -> str:
    """What to call the file that a page is from."""
    return "standard input" if page.origin == "-" else page.origin or "the input"


def _unreadable(page: Page, error: Exception) -> BadInput:
    """What to tell of a page that the model failed on."""
    width, height = page.image.size
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return BadInput(
        f"{_name(page)}, page {page.number} ({width}×{height} pixels) can't be read: {reason}; "
        "scale it down, or report it"
    )


def _score(lines: tuple[Line, ...]) -> float:
    """The mean score of the characters; 1 where there are none."""
    characters = sum(len(line.text) for line in lines)
    return sum(line.score * len(line.text) for line in lines) / characters if characters else 1.0


def embedded(prompt: Prompt) -> str:
    """The name of the model that the package ships for such a question."""
    from ocr2.got.load import NAMES, is_shipped

    formatted = prompt.format or prompt.tiles or prompt.pages > 1
    region = prompt.box or prompt.point or prompt.color
    name = EMBEDDED["format" if formatted else "region" if region else "text"]
    return name if name not in NAMES or is_shipped(name) else "ppocr"


def load(
    model: str | Path = EMBEDDED["text"],
    threads: int | None = None,
    *,
    precision: str | None = None,
    device: str | None = None,
    boxes: bool = False,
) -> Reader:
    """A reader for a model by name ("ppocr", "ppocrv2", "nano"), folder or hub id, on `threads` threads (else all).

    GOT models also take a `precision` ("int8", "bf16", "fp32"), by default the fastest that reads as well on the
    `device` ("cpu", "cuda"), by default a GPU if there is one; and `boxes`, which finds each line's place on the page
    with the OCR-1.0 reader. PP-OCR models run on onnxruntime; with a `device`, "ppocrv2" and what was trained or
    converted here run on torch.
    """
    from ocr2.got.load import is_got
    from ocr2.got.load import load as load_engine
    from ocr2.ppocr.load import load as load_pipeline

    if is_got(str(model)):
        places = load_pipeline(threads=threads) if boxes else None
        return GOTReader(load_engine(str(model), threads, precision, device), places)
    if precision:
        raise BadPrompt(f"--precision is for GOT models: leave it out for {model}")
    return Reader(load_pipeline(str(model), threads, device))


def read(
    source: Source,
    model: str | Path | None = None,
    *,
    pages: str | None = None,
    dpi: int = files.DPI,
    prompt: Prompt | None = None,
) -> Transcript:
    """The transcript of an image, PDF or TIFF, by default as the embedded reader for such a question reads it.

    To read many, `load` once and use the reader.
    """
    return load(model or embedded(prompt or Prompt())).read(source, pages=pages, dpi=dpi, prompt=prompt)
