"""The command line: verbs on pages, results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from ocr2 import files
from ocr2.errors import BadOutput, OcrError
from ocr2.journal import Journal
from ocr2.outputs import FORMATS, Result
from ocr2.reader import Reader, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    failed: int = 0
    stdin: bytes | None = field(default=None, repr=False)

    def fail(self, error: OcrError) -> None:
        """One line about what couldn't be read; the rest goes on."""
        self.failed += 1
        self.bar.write(f"ocr2: {error}", file=sys.stderr)

    def open(self, source: str | Path) -> files.Pages:
        """The pages of an input. Standard input is kept, for it can't be read twice."""
        if source != "-":
            return files.pages(source, select=self.pages, dpi=self.dpi)
        self.stdin = self.stdin if self.stdin is not None else sys.stdin.buffer.read(files.MOST_BYTES + 1)
        return files.pages(self.stdin, select=self.pages, dpi=self.dpi, origin="-")

    def results(self, sources: Iterable[str | Path], journal: Journal | None = None) -> Iterator[Result]:
        """Each page as it is read; those in the journal are passed over, those that fail are told and counted."""
        for source in sources:
            try:
                with closing(self.open(source)) as pages:
                    self.bar.total += len(pages) - 1
                    for number in pages.numbers:
                        self.bar.update()
                        if journal is not None and (str(source), number) in journal:
                            self.read += 1
                            continue
                        try:
                            page = pages.page(number)
                        except OcrError as error:
                            self.fail(error)
                            continue
                        self.read += 1
                        yield Result.of(page, self.reader.answer(page))
            except OcrError as error:
                self.bar.update()
                self.fail(error)

    def write(self, sources: list[str | Path], target: Path, *, resume: bool) -> None:
        """All pages of the sources as one file, by way of a journal."""
        if resume and target.is_file() and not Journal.path_for(target).exists():
            self.read += 1  # written whole by an earlier run
            self.bar.update(len(sources))
            return
        run = {"model": self.model, "dpi": self.dpi}
        with Journal(target, run, resume=resume) as journal:
            for result in self.results(sources, journal):
                journal.add(result)
            if journal:
                with files.whole(target) as file:
                    for chunk in FORMATS[self.to](self.recall(sources, journal)):
                        file.write(chunk)
            journal.remove()

    def recall(self, sources: list[str | Path], journal: Journal) -> Iterator[Result]:
        """What the journal holds, in the order of the sources; with the images if the format needs them."""
        for source in sources:
            try:
                with closing(self.open(source)) as pages:
                    for number in pages.numbers:
                        if (str(source), number) in journal:
                            result = journal[str(source), number]
                            yield replace(result, image=pages.page(number).image) if self.to == "pdf" else result
            except OcrError:
                continue  # told when it was read


def _targets(inputs: Iterable[str], folder: Path, suffix: str) -> Iterator[tuple[str | Path, Path]]:
    """Each file to read, and the file in the folder for its result; folders keep their shape."""
    taken: set[Path] = set()
    for given in inputs:
        for source in files.find([given]):
            inside = Path(source).relative_to(given) if Path(given).is_dir() else Path(Path(source).name)
            target = folder / ("stdin" + suffix if source == "-" else inside.with_suffix(suffix))
            if target in taken:  # a.png and a.jpg
                target = target.with_name(inside.name + suffix)
            taken.add(target)
            yield source, target


def _format(to: str | None, output: str | None) -> str:
    """The format asked for, or the one that the output's name asks for."""
    names = {suffix: name for name, suffix in SUFFIXES.items()} | {".htm": "html", ".markdown": "md"}
    return to or names.get(Path(output or "").suffix.lower(), "text")


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
    help="File, or a folder (ends in / or has no suffix).",
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

    Exit status: 0 all was read, 1 some inputs were not, 2 none was.
    """
    to = _format(to, output)
    if resume and output is None:
        raise BadOutput("--resume goes on with a file: say which with -o FILE or -o DIR")
    if to == "pdf" and output is None and sys.stdout.isatty():
        raise BadOutput("a PDF is not for the terminal: say where it goes with -o FILE")
    reader = load(model, threads)
    with tqdm(total=0, unit="page", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        run = _Run(reader, model, to, pages, dpi, bar)
        if output is None:
            sources = list(files.find(inputs))
            bar.total = len(sources)
            for chunk in FORMATS[to](run.results(sources)):
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
        elif Path(output).is_dir() or output.endswith("/") or not Path(output).suffix:
            pairs = list(_targets(inputs, Path(output), SUFFIXES[to]))
            bar.total = len(pairs)
            for source, target in pairs:
                with suppress(OSError):  # Journal tells
                    target.parent.mkdir(parents=True, exist_ok=True)
                run.write([source], target, resume=resume)
        else:
            sources = list(files.find(inputs))
            bar.total = len(sources)
            run.write(sources, Path(output), resume=resume)
    sys.exit(0 if not run.failed else 1 if run.read else 2)


def main() -> None:
    """The command `ocr2`."""
    try:
        commands()
    except OcrError as error:
        click.echo(f"ocr2: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
