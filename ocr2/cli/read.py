"""`ocr2 read`: pages in, results on standard output or in files, everything else on standard error."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from ocr2 import files
from ocr2.cli.reading import ONE, Run
from ocr2.errors import BadOutput, BadPrompt, OcrError
from ocr2.outputs import FORMATS
from ocr2.reader import GOTReader, embedded, load
from ocr2.types import EXPORTED, MOST_TILES, Box, Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


SUFFIXES = {"text": ".txt"} | {name: f".{name}" for name in FORMATS if name != "text"} | EXPORTED
"""What each format's files are called."""
_OTHERS = {".htm": "html", ".markdown": "md", ".midi": "midi", ".smiles": "smiles", ".mathml": "mathml", "": "text"}
"""What else they may be called."""


def _numbers(option: str, value: str | None, names: str) -> list[float]:
    """The numbers of an option like --box, as many as it has names; none if it isn't given."""
    if value is None:
        return []
    try:
        numbers = [float(number) for number in value.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != len(names.split(",")):
        raise BadPrompt(f"{option} {value}: expected {names}, in pixels of the page, x to the right, y down")
    return numbers


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
    names = {suffix: name for name, suffix in SUFFIXES.items()} | _OTHERS
    suffix = "" if output is None or _is_folder(output) else Path(output).suffix.lower()
    if to is None and suffix not in names:
        raise BadOutput(
            f"{output}: {suffix} is no format of ours: expected {', '.join(SUFFIXES.values())}, or say --to"
        )
    return to or names[suffix]


@click.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "--model",
    metavar="NAME|PATH|ID",
    help="ppocr, ppocrv2, nano, a model folder, or a hub id; else the embedded one that is best at what is asked.",
)
@click.option(
    "--to",
    type=click.Choice(list(SUFFIXES)),
    help="Output format; else by the name of -o, else text. From kern on: notations, for GOT.",
)
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
@click.option("--format", "formatted", is_flag=True, help="GOT: Markdown and LaTeX instead of plain text.")
@click.option("--box", metavar="X0,Y0,X1,Y1", help="Only what stands in this box, in pixels (PDF: at --dpi).")
@click.option("--point", metavar="X,Y", help="Only what stands at this point, in pixels.")
@click.option("--color", metavar="red|green|blue", help="Only what is framed in this colour.")
@click.option("--tiles", type=int, default=0, metavar="N", help=f"GOT: look closer, in up to N tiles, 1-{MOST_TILES}.")
@click.option("--together", is_flag=True, help="GOT: read all pages of an input as one text.")
@click.option("--boxes", is_flag=True, help="GOT: find each line's place, with the help of ppocr.")
@click.option("--precision", metavar="int8|bf16|fp32", help="GOT: else the fastest that reads as well here.")
@click.option("--device", metavar="cpu|cuda", help="On torch. GOT: else a GPU if there is one.")
def read(
    inputs: tuple[str, ...],
    model: str | None,
    to: str | None,
    output: str | None,
    pages: str | None,
    dpi: int,
    resume: bool,
    threads: int | None,
    device: str | None,
    **asked: Any,
) -> None:
    """Read images, PDFs and folders; "-" is standard input.

    \b
    ocr2 read scan.png                        text to the terminal
    ocr2 read book.pdf --pages 2-5 --to md    Markdown
    ocr2 read book.pdf -o book.searchable.pdf the pages with an invisible text layer
    ocr2 read scans/ -o texts/ --to json      a file each, with every line's place and score
    ocr2 read books/ -o out.jsonl --resume    go on after a stop
    curl … | ocr2 read -                      from standard input
    ocr2 read page.png --box 80,120,640,300   what stands in a box
    ocr2 read page.png --model GOT --format   formulas and tables too, by a GOT model
    ocr2 read score.png --model GOT -o score.musicxml

    Exit status: 0 all was read and written, 1 some was not, 2 nothing was.
    """
    output = None if output == "-" else output
    to = _format(to, output)
    if resume and output is None:
        raise BadOutput("--resume goes on with a file: say which with -o FILE or -o DIR")
    if to in ("pdf", "midi") and output is None and sys.stdout.isatty():
        raise BadOutput(f"a {to.upper()} is not for the terminal: say where it goes with -o FILE")
    if len(inputs) > 1:
        _refuse_several(to, output, len(inputs))
    asked["formatted"] = asked["formatted"] or to in EXPORTED
    if asked["together"] and to in ("hocr", "pdf"):
        raise BadOutput(f"--together makes one text of several pages, {to} has one for each page: choose another")
    if pages is not None:
        files.parse_ranges(pages)  # said once, not for each input
    prompt = _prompt(asked)
    model = model or embedded(replace(prompt, pages=2) if asked["together"] else prompt)
    options = {name: value for name, value in asked.items() if value} | weights(model)
    options |= {"pages": pages} if pages and asked["together"] else {}  # else each page is known by its number
    try:
        reader = load(model, threads, precision=asked["precision"], device=device, boxes=asked["boxes"])
        if to in EXPORTED and not isinstance(reader, GOTReader):
            raise BadOutput(
                f"{model} reads plain text, which can't be written as {to}: "
                f"take a GOT model, or one of {', '.join(FORMATS)}"
            )
        reader.check(prompt)
        with tqdm(total=0, unit="page", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
            run = Run(reader, model, to, pages, dpi, bar, prompt, asked["together"], options)
            try:
                _read(run, inputs, output, resume)
            except OcrError as error:  # the end of it, but for what was read before
                run.fail(error)
    except KeyboardInterrupt:
        click.echo("ocr2: stopped" + "; the same command with --resume goes on" * (output is not None), err=True)
        sys.exit(130)
    sys.exit(0 if not run.failed else 1 if run.read else 2)


def _refuse_several(to: str, output: str | None, count: int) -> None:
    """Raises BadOutput where so many files would go to one that holds one page."""
    if to in ONE and (output is None or not _is_folder(output)):
        raise BadOutput(f"{count} inputs, and {to} holds one page: have a file written for each, with -o DIR/")


def weights(model: str) -> dict[str, Any]:
    """What tells a model's folder from its next version: a digest of its files' names, sizes and times."""
    if not os.path.isdir(model):
        return {}
    state = sorted((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in os.scandir(model))
    return {"weights": sha256(repr(state).encode()).hexdigest()[:12]}


def _prompt(asked: dict[str, Any]) -> Prompt:
    """The question that the options ask."""
    box, point = _numbers("--box", asked["box"], "x0,y0,x1,y1"), _numbers("--point", asked["point"], "x,y")
    return Prompt(
        asked["formatted"],
        box=Box(*box) if box else None,
        point=(point[0], point[1]) if point else None,
        color=asked["color"],
        tiles=asked["tiles"],
    )


def _read(run: Run, inputs: Iterable[str], output: str | None, resume: bool) -> None:
    """The run, with its results where they were asked for: standard output, a folder or a file."""
    if output is None:
        sources = _sources(run, inputs, output)
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
        sources = _sources(run, inputs, output)
        _refuse_inputs(sources, [Path(output)])
        if not run.write(sources, Path(output), resume=resume):
            run.tell(f"{output} is whole already: left as it is; leave --resume out to read anew")


def _sources(run: Run, inputs: Iterable[str], output: str | None) -> list[str | Path]:
    """The files that the inputs are. Raises BadOutput for more than the format holds."""
    sources: list[str | Path] = list(files.find(inputs))
    run.bar.total = len(sources)
    if len(sources) > 1:
        _refuse_several(run.to, output, len(sources))
    return sources
