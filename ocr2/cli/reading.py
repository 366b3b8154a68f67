"""A call of `ocr2 read`: pages are read as they come, in any order, and written as they were asked for."""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, count, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, BinaryIO

from ocr2 import files
from ocr2.cli.stdout import put
from ocr2.errors import BadOutput, OcrError, RendererMissing
from ocr2.journal import Journal, Key
from ocr2.outputs import BETWEEN, FORMATS, joined
from ocr2.result import Result
from ocr2.types import EXPORTED, Prompt, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tqdm import tqdm

    from ocr2.reader import Reader
    from ocr2.types import Page

ONE = EXPORTED.keys() - BETWEEN.keys()
"""The formats that hold one page."""
CUT = {
    "length": "the answer filled the model's context, or 4096 tokens: the rest of the text is missing",
    "repeat": "the answer ran in a loop, which was cut: text may be missing",
}
"""What to tell of an answer that stopped before its end."""


@dataclass
class Run:
    """One call of `ocr2 read`: its options, and how far it has come."""

    reader: Reader
    model: str
    to: str
    pages: str | None
    dpi: int
    bar: tqdm[None]
    prompt: Prompt = field(default_factory=Prompt)
    together: bool = False
    """All pages of an input are read as one text."""
    options: dict[str, Any] = field(default_factory=dict)
    """What else makes a difference to what is read."""
    read: int = 0
    """How many pages were read, and got to where they go: the terminal, the journal."""
    failed: int = 0
    stdin: BinaryIO | None = field(default=None, repr=False)
    hinted: set[str] = field(default_factory=set)
    """The files that it has told what else they can be written as."""

    def fail(self, error: OcrError) -> None:
        """One line about what couldn't be read; the rest goes on."""
        self.failed += 1
        self.tell(error)

    def tell(self, what: object) -> None:
        """One line on standard error, above the progress bar."""
        self.bar.write(told(what), file=sys.stderr)

    def open(self, source: str | Path) -> files.Pages:
        """The pages of an input. Standard input is kept, for it can't be read twice."""
        if source != "-":
            return files.pages(source, select=self.pages, dpi=self.dpi)
        self.stdin = self.stdin or files.standard_input()
        return files.pages(self.stdin, select=self.pages, dpi=self.dpi, origin="-")

    def results(
        self, sources: Iterable[str | Path], journal: Journal | None = None
    ) -> Iterator[tuple[int, Result | None]]:
        """Each page with its place among all (0, 1, …), as it is read or as the journal has it: not always in order.

        Those that fail are told and counted; None stands for them.
        """
        known: deque[tuple[int, Result | None]] = deque()
        asked: dict[int, tuple[int, Result]] = {}
        for number, answer in self.reader.answers(self.questions(sources, journal, known, asked), self.prompt):
            place, result = asked.pop(number)
            if isinstance(answer, OcrError):
                self.fail(answer)
                known.append((place, None))
            else:
                known.append((place, replace(result, transcript=answer)))
                if answer.stop != "eos":
                    self.tell(f"{result.origin}, page {result.number}: {CUT[answer.stop]}")
                self.hint(result.origin, answer.kind)
            self.bar.update()
            yield from self.counted(known)
        yield from self.counted(known)

    def counted(self, known: deque[tuple[int, Result | None]]) -> Iterator[tuple[int, Result | None]]:
        """What is known, each counted when it got to where it goes."""
        while known:
            place, result = known.popleft()
            yield place, result
            self.read += result is not None

    def questions(
        self,
        sources: Iterable[str | Path],
        journal: Journal | None,
        known: deque[tuple[int, Result | None]],
        asked: dict[int, tuple[int, Result]],
    ) -> Iterator[list[Page]]:
        """The pages to read, nearly always one by one. Each is put down in `asked` by its number, or in `known`."""
        places, numbers = count(), count()
        for source in sources:
            try:
                with closing(self.open(source)) as pages:
                    groups = [list(pages.numbers)] if self.together else [[number] for number in pages.numbers]
                    self.check(source, len(groups[0]))
                    self.check_one(source, len(groups))
                    self.bar.total += len(groups) - 1
                    for group in groups:
                        place = next(places)
                        key = str(source), group[0]
                        result = journal[key] if journal is not None and key in journal else None
                        question = None if result else self.drawn(pages, group)
                        if question is None:
                            self.bar.update()
                            known.append((place, result))
                            continue
                        # without its image: many pages may be on their way
                        asked[next(numbers)] = place, replace(Result.of(question[0], Transcript("")), image=None)
                        yield question
            except OcrError as error:
                self.bar.update()
                self.fail(error)

    def check(self, source: str | Path, pages: int) -> None:
        """Raises BadPrompt or TooLong, which name the input, where so many of its pages can't be read together."""
        try:
            self.reader.check(replace(self.prompt, pages=pages))
        except OcrError as error:
            raise type(error)(f"{_name(source)}: {error}") from error

    def check_one(self, source: str | Path, pages: int) -> None:
        """Raises BadOutput, which names the input, where it has more pages than the format holds."""
        if self.to in ONE and pages > 1:
            raise BadOutput(
                f"{_name(source)}: {pages} pages, and {self.to} holds one: "
                "choose it with --pages N, or read them as one text with --together"
            )

    def hint(self, origin: str, kind: str) -> None:
        """On a terminal, of a file that is printed as text but is more: what it can be written as."""
        if self.to != "text" or kind == "text" or origin in self.hinted or not sys.stderr.isatty():
            return
        from ocr2.characters import forms  # the reader, which has told the kind, has it already

        self.hinted.add(origin)
        self.tell(f"{_name(origin)}: {kind}; --to {', '.join(forms(kind))}")

    def drawn(self, pages: files.Pages, numbers: list[int]) -> list[Page] | None:
        """The pages of these numbers; None, told and counted, where one can't be read."""
        try:
            return [pages.page(number) for number in numbers]
        except OcrError as error:
            self.fail(error)
            return None

    def show(self, sources: Iterable[str | Path]) -> None:
        """All pages of the sources on standard output, as they are read; nothing where none could be."""
        results = self.imaged(in_order(self.results(sources)))
        first = next(results, None)
        if first is None:
            return
        for chunk in self.written(chain([first], results)):
            put(chunk)

    def written(self, results: Iterable[Result]) -> Iterator[bytes]:
        """The bytes of the document; none where no page can be written so."""
        if self.to in FORMATS:
            return FORMATS[self.to](results)
        return joined(self.exported(results), self.to)

    def exported(self, results: Iterable[Result]) -> Iterator[bytes]:
        """Each page in the notation asked for; those that can't be are told and counted. Raises RendererMissing."""
        from ocr2.characters import exported

        for result in results:
            read = result.transcript
            try:
                content = exported(read.text, self.to, read.kind)
            except RendererMissing:
                raise
            except OcrError as error:
                self.read -= 1
                self.fail(type(error)(f"{_name(result.origin)}, page {result.number}: {error}"))
            else:
                yield content

    def write(self, sources: list[str | Path], target: Path, *, resume: bool) -> bool:
        """All pages of the sources as one file, by way of a journal; False where an earlier run wrote it whole."""
        if resume and os.path.isfile(target) and not os.path.exists(Journal.path_for(target)):
            self.read += 1
            self.bar.update(len(sources))
            return False
        run = {"model": self.model, "dpi": self.dpi, **self.options}
        with Journal(target, run, resume=resume) as journal:
            keys: dict[int, Key] = {}
            for place, result in self.results(sources, journal):
                if result:
                    keys[place] = result.origin, result.number
                    if keys[place] not in journal:
                        journal.add(result)
            self.put(self.imaged(journal[keys[place]] for place in sorted(keys)), target, len(keys))
            journal.remove()
        return True

    def put(self, results: Iterable[Result], target: Path, count: int) -> None:
        """So many results as one file; no file where there are none. Raises RendererMissing."""
        before = self.read
        try:
            chunks = self.written(results)
            first = next(chunks, None) if count else None
            if first is not None:
                with files.whole(target) as file:
                    for chunk in chain([first], chunks):
                        file.write(chunk)
        except RendererMissing as error:
            self.read = before - count  # those that couldn't be written are among them
            raise RendererMissing(f"{error}; what was read is kept: then the same command with --resume") from error

    def imaged(self, results: Iterable[Result]) -> Iterator[Result]:
        """The same results, with the pages' images, drawn anew, if the format needs them."""
        if self.to != "pdf":
            yield from results
            return
        for source, of in groupby(results, attrgetter("origin")):
            with closing(self.open(source)) as pages:
                for result in of:
                    yield replace(result, image=pages.page(result.number).image)


def _name(source: str | Path) -> str:
    """What an input is called."""
    return "standard input" if source == "-" else str(source)


def in_order(results: Iterable[tuple[int, Result | None]]) -> Iterator[Result]:
    """Numbered results from the first to the last, each as soon as its turn comes."""
    held: dict[int, Result | None] = {}
    due = 0
    for place, result in results:
        held[place] = result
        while due in held:
            if found := held.pop(due):
                yield found
            due += 1


def told(what: object) -> str:
    """What to say as one line, whatever is in the names of files."""
    return " ".join(f"ocr2: {what}".splitlines())
