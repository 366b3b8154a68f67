"""The command line: verbs on pages, results on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, count, groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from tqdm import tqdm

from ocr2 import files
from ocr2.errors import BadOutput, OcrError
from ocr2.journal import Journal, Key
from ocr2.outputs import FORMATS
from ocr2.reader import Reader, load
from ocr2.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SUFFIXES = {"text": ".txt"} | {name: f".{name}" for name in FORMATS if name != "text"}
"""What each format's files are called."""


@dataclass
class _Run:
    """One call of `ocr2 read`: its options, and how far it has come."""

    reader: Reader
    model: str
    to: str
    pages: str | None
    dpi: int
    bar: tqdm[None]
    read: int = 0
    """How many pages were read, and got to where they go: the terminal, the journal."""
    failed: int = 0
    stdin: BinaryIO | None = field(default=None, repr=False)

    def fail(self, error: OcrError) -> None:
        """One line about what couldn't be read; the rest goes on."""
        self.failed += 1
        self.tell(error)

    def tell(self, what: object) -> None:
        """One line on standard error, above the progress bar."""
        self.bar.write(_told(what), file=sys.stderr)

    def open(self, source: str | Path) -> files.Pages:
        """The pages of an input. Standard input is kept, for it can't be read twice."""
        if source != "-":
            return files.pages(source, select=self.pages, dpi=self.dpi)
        self.stdin = self.stdin or files.standard_input()
        return files.pages(self.stdin, select=self.pages, dpi=self.dpi, origin="-")

    def results(self, sources: Iterable[str | Path], journal: Journal | None = None) -> Iterator[Result]:
        """Each page as it is read, or as the journal has it; those that fail are told and counted."""
        for source in sources:
            try:
                with closing(self.open(source)) as pages:
                    self.bar.total += len(pages) - 1
                    for number in pages.numbers:
                        self.bar.update()
                        try:
                            result = self.result(pages, (str(source), number), journal)
                        except OcrError as error:
                            self.fail(error)
                            continue
                        yield result
                        self.read += 1
            except OcrError as error:
                self.bar.update()
                self.fail(error)

    def result(self, pages: files.Pages, key: Key, journal: Journal | None) -> Result:
        """One page, from the journal if it is there."""
        if journal is not None and key in journal:
            return journal[key]
        page = pages.page(key[1])
        return Result.of(page, self.reader.answer(page))

    def show(self, sources: Iterable[str | Path]) -> None:
        """All pages of the sources on standard output, as they are read; nothing where none could be."""
        results = self.results(sources)
        first = next(results, None)
        if first is None:
            return
        for chunk in FORMATS[self.to](chain([first], results)):
            try:
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            except BrokenPipeError:
                raise  # click ends the run, without a word
            except OSError as error:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python flushes the rest to
                raise BadOutput(
                    f"standard output can't be written ({error.strerror}): make room, or write elsewhere with -o FILE"
                ) from error

    def write(self, sources: list[str | Path], target: Path, *, resume: bool) -> bool:
        """All pages of the sources as one file, by way of a journal; False where an earlier run wrote it whole."""
        if resume and os.path.isfile(target) and not os.path.exists(Journal.path_for(target)):
            self.read += 1
            self.bar.update(len(sources))
            return False
        run = {"model": self.model, "dpi": self.dpi}
        with Journal(target, run, resume=resume) as journal:
            order: list[Key] = []
            for result in self.results(sources, journal):
                order.append((result.origin, result.number))
                if order[-1] not in journal:
                    journal.add(result)
            if order:
                with files.whole(target) as file:
                    for chunk in FORMATS[self.to](self.recall(order, journal)):
                        file.write(chunk)
            journal.remove()
        return True

    def recall(self, order: list[Key], journal: Journal) -> Iterator[Result]:
        """What the journal holds, in that order; with the images, drawn anew, if the format needs them."""
        if self.to != "pdf":
            yield from (journal[key] for key in order)
            return
        for source, keys in groupby(order, itemgetter(0)):
            with closing(self.open(source)) as pages:
                for key in keys:
                    yield replace(journal[key], image=pages.page(key[1]).image)


def _told(what: object) -> str:
    """What to say as one line, whatever is in the names of files."""
    return " ".join(f"ocr2: {what}".splitlines())


def _targets(inputs: Iterable[str], folder: Path, suffix: str) -> Iterator[tuple[str | Path, Path]]:
    """Each file to read, and the file in the folder for its result: named after it alone, so that --resume finds it.

    Folders keep their shape. Files of one name, from different folders or different in case only, are numbered.
    """
    taken: set[str] = set()
    for given in inputs:
        for source in files.find([given]):
            inside = Path(source).relative_to(given) if os.path.isdir(given) else Path(Path(source).name)
            inside = Path("stdin") if source == "-" else inside
            names = chain([inside.name], (f"{inside.name}-{n}" for n in count(2)))
            targets = (folder / inside.parent / (name + suffix) for name in names)
            target = next(target for target in targets if str(target).casefold() not in taken)
            taken.add(str(target).casefold())
            yield source, target


def _refuse_inputs(sources: Iterable[str | Path], targets: Iterable[Path]) -> None:
    """Raises BadOutput where a result would take the place of a file that is read."""
    read = {os.path.realpath(source) for source in sources if source != "-"}
    for target in targets:
        if os.path.realpath(target) in read:
            raise BadOutput(f"{target} is one of the inputs: write to another file or folder")


def _is_folder(output: str) -> bool:
    """Whether results go to files in it: it is a folder, ends like one, or has no suffix."""
    return os.path.isdir(output) or output.endswith(("/", os.sep)) or not Path(output).suffix


def _format(to: str | None, output: str | None) -> str:
    """The format asked for, or the one that the output's name asks for; text if none does."""
    names = {suffix: name for name, suffix in SUFFIXES.items()} | {".htm": "html", ".markdown": "md", "": "text"}
    suffix = "" if output is None or _is_folder(output) else Path(output).suffix.lower()
    if to is None and suffix not in names:
        raise BadOutput(
            f"{output}: {suffix} is no format of ours: expected {', '.join(SUFFIXES.values())}, or say --to"
        )
    return to or names[suffix]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ocr2")
def commands() -> None:
    """Read pages: scans, photos and PDFs in, text out."""


@commands.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option("--model", default="ppocr", metavar="NAME|PATH", help="ppocr (default), ppocrv2, or a model folder.")
@click.option("--to", type=click.Choice(list(FORMATS)), help="Output format; else by the name of -o, else text.")
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIR",
    help='File, folder (exists, ends in / or has no suffix) or "-", standard output.',
)
@click.option("--pages", metavar="2-5,9", help="Pages of PDFs and TIFFs to read; else all.")
@click.option("--dpi", type=click.IntRange(1, 2400), default=files.DPI, show_default=True, help="To draw PDF pages at.")
@click.option("--resume", is_flag=True, help="Go on where a stopped run of the same command left off.")
@click.option("--threads", type=click.IntRange(1), help="Processors to use; else all.")
def read(
    inputs: tuple[str, ...],
    model: str,
    to: str | None,
    output: str | None,
    pages: str | None,
    dpi: int,
    resume: bool,
    threads: int | None,
) -> None:
    """Read images, PDFs and folders; "-" is standard input.

    \b
    ocr2 read scan.png                        text to the terminal
    ocr2 read book.pdf --pages 2-5 --to md    Markdown
    ocr2 read book.pdf -o book.searchable.pdf the pages with an invisible text layer
    ocr2 read scans/ -o texts/ --to json      a file each, with every line's place and score
    ocr2 read books/ -o out.jsonl --resume    go on after a stop
    curl … | ocr2 read -                      from standard input

    Exit status: 0 all was read and written, 1 some was not, 2 nothing was.
    """
    output = None if output == "-" else output
    to = _format(to, output)
    if resume and output is None:
        raise BadOutput("--resume goes on with a file: say which with -o FILE or -o DIR")
    if to == "pdf" and output is None and sys.stdout.isatty():
        raise BadOutput("a PDF is not for the terminal: say where it goes with -o FILE")
    if pages is not None:
        files.parse_ranges(pages)  # said once, not for each input
    try:
        reader = load(model, threads)
        with tqdm(total=0, unit="page", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
            run = _Run(reader, model, to, pages, dpi, bar)
            try:
                _read(run, inputs, output, resume)
            except OcrError as error:  # the end of it, but for what was read before
                run.fail(error)
    except KeyboardInterrupt:
        click.echo("ocr2: stopped" + "; the same command with --resume goes on" * (output is not None), err=True)
        sys.exit(130)
    sys.exit(0 if not run.failed else 1 if run.read else 2)


def _read(run: _Run, inputs: Iterable[str], output: str | None, resume: bool) -> None:
    """The run, with its results where they were asked for: standard output, a folder or a file."""
    if output is None:
        sources = list(files.find(inputs))
        run.bar.total = len(sources)
        run.show(sources)
    elif _is_folder(output):
        pairs = list(_targets(inputs, Path(output), SUFFIXES[run.to]))
        run.bar.total = len(pairs)
        _refuse_inputs(*zip(*pairs, strict=True))
        for source, target in pairs:
            with suppress(OSError):  # Journal tells
                target.parent.mkdir(parents=True, exist_ok=True)
            try:
                run.write([source], target, resume=resume)
            except OcrError as error:
                run.fail(error)
    else:
        sources = list(files.find(inputs))
        run.bar.total = len(sources)
        _refuse_inputs(sources, [Path(output)])
        if not run.write(sources, Path(output), resume=resume):
            run.tell(f"{output} is whole already: left as it is; leave --resume out to read anew")


def main(args: Sequence[str] | None = None) -> None:
    """The command `ocr2`, with the arguments of the process unless some are given."""
    try:
        commands(args)
    except OcrError as error:
        click.echo(_told(error), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
