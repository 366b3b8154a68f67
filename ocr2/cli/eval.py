"""`ocr2 eval`: a benchmark's tables with a reader's column beside the published ones."""

from __future__ import annotations

import json as jsons
import os
import sys
import time
from functools import partial
from importlib import metadata
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from ocr2.cli.read import weights
from ocr2.cli.stdout import put
from ocr2.errors import BadInput, BadOutput, BadPrompt
from ocr2.evaluate import report as reports
from ocr2.evaluate.benchmarks import BENCHMARKS, benchmark
from ocr2.evaluate.folders import parsed, text_of
from ocr2.evaluate.outcome import Run, table_of
from ocr2.evaluate.peers import PEERS, Predictions
from ocr2.evaluate.run import Answers, answered, check, chosen, plainly, resumed, scored
from ocr2.evaluate.tables import text
from ocr2.files import place, whole
from ocr2.reader import GOTReader, Reader, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ocr2.errors import OcrError
    from ocr2.evaluate.benchmark import Answer, Benchmark, Item, Mode, Scored, Table
    from ocr2.types import Page, Prompt, Transcript

_file = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog=f"Benchmarks: {', '.join(BENCHMARKS)}.")
@click.argument("name", metavar="BENCHMARK", type=click.Choice(list(BENCHMARKS)))
@click.option("--model", metavar="NAME|PATH|ID", help=f"As for ocr2 read, or {', '.join(PEERS)}; else ppocr.")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Where the benchmark is, as published.")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="DIR|JSON",
    help="Read nothing: score files named after the samples, or the --json of an earlier run.",
)
@click.option("--published", is_flag=True, help="Count as the published script does, faults included.")
@click.option("--tasks", metavar="A,B", help="These parts of it alone.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The first N samples of each task alone.")
@click.option("--json", "out", type=_file, metavar="OUT.json", help="Write all scores, texts, times and versions here.")
@click.option("--report", type=_file, metavar="OUT.html", help="Write a page here that shows the worst samples.")
@click.option("--resume", is_flag=True, help="Go on where a stopped run with the same --json left off.")
@click.option("--threads", type=click.IntRange(1), help="Processors to use; else all.")
@click.option("--precision", metavar="int8|bf16|fp32", help="GOT: else the fastest that reads as well here.")
@click.option("--device", metavar="cpu|cuda", help="GOT: else a GPU if there is one.")
def eval(name: str, out: Path | None, report: Path | None, resume: bool, **asked: Any) -> None:
    """Score a reader on a benchmark, and print its tables beside what was published.

    \b
    ocr2 eval fox --data Fox_benchmark_data/ --model GOT-OCR-2.0-hf/
    ocr2 eval jsonl --data FOLDER --json ppocr.json --report ppocr.html
    ocr2 eval jsonl --data FOLDER --model tesseract --json tesseract.json
    ocr2 eval synthetic --tasks table,chart --limit 10
    ocr2 eval grandstaff --data grandstaff/ --predictions answers/ --published
    ocr2 eval jsonl --data FOLDER --predictions ppocr.json

    Answers are kept in OUT.json.partial as they come, for --resume. A sample that can't be read, asked or scored has
    lost all that it could; footnotes and the JSON say why.

    Exit status: 0 all was read and scored, 1 some was not, 2 nothing was.
    """
    if resume and (not out or asked["predictions"]):
        raise BadOutput("--resume goes on with a file: say which with --json OUT.json, and read with --model")
    if out and report and Path(place(out)) == Path(place(report)):
        raise BadOutput(f"{out} can't be both --json and --report: give each a file of its own")
    for path in filter(None, (out, report)):
        _check_place(path)
    try:
        if resume and out and out.is_file() and not Answers.path_for(out).exists():
            lost = _show_again(name, out, report, asked)
        else:
            lost = _evaluate(name, out, report, resume, asked)
    except KeyboardInterrupt:
        goes_on = "; the same command with --resume goes on" if out and not asked["predictions"] else ""
        click.echo(f"ocr2: stopped{goes_on}", err=True)
        sys.exit(130)
    sys.exit(0 if not any(lost) else 2 if all(lost) else 1)


def _check_place(path: Path) -> None:
    """Raises BadOutput where no file can be written: before hours of reading, not after."""
    if not os.access(Path(place(path)).parent, os.W_OK | os.X_OK):
        raise BadOutput(f"{path} can't be written: expected a folder that exists and is writable")


def _show_again(name: str, out: Path, report: Path | None, asked: dict[str, Any]) -> list[bool]:
    """The tables of a run that is whole, on standard output; whether each of its samples was lost.

    Raises BadInput where it is of another benchmark, model or options, BadOutput for a report that it hasn't written.
    """
    try:
        record = parsed(text_of(out), str(out))
        tables, samples = (record.get(key) if isinstance(record, dict) else None for key in ("tables", "samples"))
        if not isinstance(tables, list) or not isinstance(samples, list):
            raise BadInput(f"{out} is no outcome of a run")
        found = [table_of(table, str(out)) for table in tables]
        wanted = {"benchmark": name, "data": _data(asked), "mode": _mode(asked), "options": _options(asked)}
        wanted |= {"model": _called(asked["model"])} if asked["model"] else {}
        for key, value in wanted.items():
            theirs, ours = _compared(record.get(key, value)), _compared(value)
            if theirs != ours:
                raise BadInput(f"{out} is whole, of {key} {theirs!r:.200}, not {ours!r:.200}")
    except BadInput as error:
        raise BadInput(f"{error}; or leave --resume out to write it anew") from error
    if report and not report.is_file():
        raise BadOutput(f"{out} is whole, without {report}: give --predictions {out} for --model, --json and --resume")
    click.echo(f"ocr2: {out} is whole already: left as it is; leave --resume out to read anew", err=True)
    _show(found)
    return [isinstance(sample, dict) and bool(sample.get("error")) for sample in samples]


def _compared(value: object) -> object:
    """The value; of options those that make a difference to answers."""
    return {key: each for key, each in value.items() if key != "threads"} if isinstance(value, dict) else value


def _data(asked: dict[str, Any]) -> str:
    """What an outcome tells of where the benchmark was: its folder's name."""
    return Path(asked["data"]).resolve().name if asked["data"] else ""


def _mode(asked: dict[str, Any]) -> Mode:
    return "published" if asked["published"] else "corrected"


def _options(asked: dict[str, Any]) -> dict[str, Any]:
    """What an outcome tells of what was asked for."""
    options = {key: asked[key] for key in ("threads", "precision", "device", "limit") if asked[key]}
    tasks = [task.strip() for task in (asked["tasks"] or "").split(",") if task.strip()]
    return options | ({"tasks": tasks} if tasks else {})


def _called(model: str) -> str:
    """What tables call a reader: a folder by its name alone."""
    if not os.path.isdir(model):
        return model
    folder = Path(model).resolve()
    return f"{folder.parent.name}/{folder.name}" if folder.name in ("model", "onnx") else folder.name


def _evaluate(name: str, out: Path | None, report: Path | None, resume: bool, asked: dict[str, Any]) -> list[bool]:
    """The whole of a run, its tables on standard output; whether each sample was lost."""
    began, marks = time.perf_counter(), benchmark(name)
    mode, options = _mode(asked), _options(asked)
    if asked["data"] is None and marks.source:
        raise BadInput(f"{name} is read from a folder: give it with --data DIR; it is from {marks.source}")
    # what has no source is made on demand, and takes a folder only to make it of
    found = marks.items(asked["data"]) if asked["data"] else marks.items()  # type: ignore[call-arg]
    items = chosen(found, options.get("tasks", ()), asked["limit"])
    check(marks, items, mode)
    if report:
        reports.write(StringIO(), marks, [], [], "")  # what it needs is missed now, not after hours of reading
    source = _Given(name, asked) if asked["predictions"] else _Model(name, out, resume, asked)
    items = source.items(items)
    done = _followed(marks, items, source.answers(items), mode)
    seconds = time.perf_counter() - began
    run = Run(name, mode=mode, scored=done, options=options, seconds=seconds, data=_data(asked), **source.about())
    tables = run.tables(marks)
    if out:
        record = jsons.dumps(run.to_json(marks, tables), ensure_ascii=False, indent=1, allow_nan=False)
        with whole(out) as file:
            file.write(record.encode(errors="backslashreplace"))  # half a character becomes its escape
        Answers.path_for(out).unlink(missing_ok=True)
    _show(tables)
    if report:
        with whole(report) as file:
            words = TextIOWrapper(file, encoding="utf-8", errors="replace")
            reports.write(words, marks, done, tables, run.model)
            words.detach()
    return [bool(each.error) for each in done]


def _show(tables: Iterable[Table]) -> None:
    put(("\n\n".join(map(text, tables)) + "\n").encode(errors="replace"))


def _followed(
    marks: Benchmark, items: Sequence[Item], answers: Iterable[tuple[Item, Answer]], mode: Mode
) -> list[Scored]:
    """All answers scored, in the items' order, with a bar that shows how far it is."""
    found = {}
    with tqdm(total=len(items), unit="sample", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        for item, answer in answers:
            found[item.id] = scored(marks, item, answer, mode)
            bar.update()
    return [found[item.id] for item in items]


class _Model:
    """A reader by its name: one of ours, or a peer."""

    def __init__(self, benchmark: str, out: Path | None, resume: bool, asked: dict[str, Any]) -> None:
        name: str = asked["model"] or "ppocr"
        options = {key: asked[key] for key in ("precision", "device") if asked[key]}
        if name in PEERS and options:
            raise BadPrompt(f"--precision and --device are for GOT models: leave them out for {name}")
        self.peer = PEERS[name](asked["threads"]) if name in PEERS else None
        self.reader = Reader(self.peer) if self.peer else load(name, asked["threads"], **options)
        self.name = _called(name)
        self.plain = not isinstance(self.reader, GOTReader)
        self.out, self.resume = out, resume
        data = str(Path(asked["data"]).resolve()) if asked["data"] else ""
        self.run = {"benchmark": benchmark, "data": data, "model": name, **weights(name), **options}
        self.run["ocr2"] = metadata.version("ocr2")

    def items(self, items: list[Item]) -> list[Item]:
        """What it answers: each once."""
        return items

    def answers(self, items: Iterable[Item]) -> Iterator[tuple[Item, Answer]]:
        """As they come; by way of a journal where they are to be written down."""
        ask = partial(answered, read=self.read)
        if not self.out:
            yield from ask(items)
            return
        with Answers(self.out, self.run, resume=self.resume) as journal:
            yield from resumed(items, journal, ask)

    def read(self, asked: Iterable[tuple[Item, Sequence[Page]]]) -> Iterator[tuple[int, Transcript | OcrError]]:
        """What the reader says to each item's prompt, or to what can be asked of a reader of plain text."""

        def questions() -> Iterator[tuple[Sequence[Page], Prompt]]:
            for item, pages in asked:
                if self.peer:
                    self.peer.language = item.language
                yield pages, plainly(item.prompt) if self.plain else item.prompt

        return self.reader.prompted(questions())

    def about(self) -> dict[str, Any]:
        """What a Run is told of it."""
        return {"model": self.name, "plain": self.plain, "versions": self.peer.versions if self.peer else {}}


class _Given:
    """Predictions that are there already."""

    def __init__(self, benchmark: str, asked: dict[str, Any]) -> None:
        if given := [f"--{key}" for key in ("model", "precision", "device") if asked[key]]:
            raise BadPrompt(f"--predictions reads nothing: leave {' and '.join(given)} out")
        self.predictions = Predictions(asked["predictions"], benchmark)
        self.whole = not (asked["tasks"] or asked["limit"])

    def items(self, items: list[Item]) -> list[Item]:
        """What they answer: each as often as it was read."""
        return self.predictions.repeated(items)

    def answers(self, items: Iterable[Item]) -> Iterator[tuple[Item, Answer]]:
        """In the items' order."""
        return self.predictions.answers(items)

    def about(self) -> dict[str, Any]:
        """What a Run is told of them."""
        told = {key: getattr(self.predictions, key) for key in ("model", "plain", "notes", "read")}
        return told if self.whole else told | {"notes": ()}  # which are about samples that weren't chosen
