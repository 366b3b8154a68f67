"""PP-OCRv2's two ablation tables at a laptop's size: what each trick is worth here, and what is published.

    python benchmarks/ppocr_ablation.py [CORPUS …] [--json OUT.json] [--jobs 2] [--seeds 2] [--tables det,rec]
                                        [--steps DET REC] [--rows DET REC] [--learnt DET REC] [--held DET REC]

Pages with five lines or so, signs, and short lines of Latin text are drawn from the texts of CORPUS, or from words that
packages ship. Networks learn from them by the stages of `ocr2 train ppocr`, on one thread each, `--jobs` of them at a
time; all detectors take as many steps, and so do all recognisers. What is measured is drawn of texts and in fonts that
are held back. A seed is that of the first weights, of the order of the samples and of how they are augmented; CML's
students have one teacher, as published. A detector's boxes (box threshold 0.6) count where they share more than half of
their union with a line; a line is read right if all but its spaces is.

With --json each result is written as soon as it is known, and what is drawn and learned is kept in a folder beside: the
same command goes on where it was stopped. More seeds or other tables may be asked for then; sizes must be the same.
"""

from __future__ import annotations

import argparse
import json
import re
import string
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

import torch

from ocr2.data.corpus import Corpus
from ocr2.data.lines import Lines
from ocr2.data.paddle import pages, write_pages
from ocr2.errors import BadInput, OcrError
from ocr2.files import whole
from ocr2.metrics.boxes import Region, detected, matched, recognised
from ocr2.ppocr.detector import detect
from ocr2.ppocr.load import V2
from ocr2.ppocr.parts import Known, known
from ocr2.ppocr.recognizer import decode
from ocr2.ppocr.samples import Alphabet, cut, pixels, word_row, words
from ocr2.recipes.learning import Run
from ocr2.recipes.ppocr import Recipe, recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocr2.types import Page

DRAWN = {
    "det": (("page", (256, 256)), ("scene", (256, 256))),
    "rec": (("word", (80, 32)),),
}
"""The shapes of the pictures, as many of each, and their widths and heights."""
CHARACTERS = 120
"""Of a page, which its type is large enough to be filled with."""
LETTERS = string.ascii_lowercase + string.digits
READABLE = re.compile("[a-z0-9]{1,5}")
"""What is on a line."""
SIDE, WIDTH = 160, 56
"""Pixels of what a detector and a recogniser learn from."""
RATE = {"det": 1e-3, "rec": 2e-3}
"""How fast they learn: recognisers faster than in long runs."""
DETECTOR = replace(V2.detector, pixels=256 * 256)
READ = 32
"""Lines that are read at once."""
LABELS = "det.txt"
OPTIONS = ("steps", "rows", "learnt", "held")


class Row(NamedTuple):
    """A row of a table."""

    table: str
    name: str
    stage: str
    """Of `ocr2 train ppocr`."""
    published: tuple[float, ...] = ()
    """On Baidu's own sets: a detector's precision, recall and their harmonic mean, a recogniser's accuracy."""
    pasted: bool = False
    ratios: tuple[float, float] = (0.4, 0.4)
    """As in the recipe."""


class Sizes(NamedTuple):
    """How large a table is: with others there are other results."""

    steps: int
    rows: int
    learnt: int
    held: int


TEACHER = Row("det", "CML's teacher", "teacher")
ROWS = (
    Row("det", "PP-OCR", "det", published=(0.718, 0.805, 0.759)),
    Row("det", "+ DML", "det-dml", published=(0.743, 0.815, 0.777)),
    Row("det", "+ CML", "det-cml", published=(0.746, 0.835, 0.789)),
    Row("det", "+ CML + CopyPaste", "det-cml", published=(0.754, 0.840, 0.795), pasted=True),
    Row("det", "PP-OCR + RSE-FPN (PP-OCRv3)", "det-rse"),
    Row("det", "PP-OCR + shrink ratio 0.4 to 0.6 (PP-OCRv4)", "det", ratios=(0.4, 0.6)),
    Row("rec", "PP-OCR (MobileNetV3)", "rec-mobilenet", published=(0.667,)),
    Row("rec", "LCNet", "rec", published=(0.693,)),
    Row("rec", "+ U-DML", "rec-mutual", published=(0.739,)),
    Row("rec", "+ U-DML + Enhanced CTC", "rec-center", published=(0.748,)),
)
COLUMNS = {"det": ("precision", "recall", "hmean"), "rec": ("accuracy",)}


# what is drawn


def drawn(table: str, sizes: Sizes, texts: Sequence[Path], folder: Path) -> None:
    """Draws what a table's networks learn from and what they are measured on, where it isn't there yet."""
    for held, number in ((False, sizes.learnt), (True, sizes.held)):
        place = _pictures(folder, table, held)
        if not (place / LABELS).is_file():
            rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            (place / "characters.txt").write_text("\n".join(LETTERS), encoding="utf-8")
            for _ in write_pages(islice(_pages(table, Corpus(texts, held)), number), place / LABELS):
                pass


def _pages(table: str, corpus: Corpus) -> Iterator[Page]:
    """Endless pictures of a table's shapes in turn, with those lines only that it is about."""
    sources = [
        Lines(corpus, shape, "en", 0, most=CHARACTERS, views=(size,), easy=table == "rec")
        for shape, size in DRAWN[table]
    ]
    for number in count():
        try:
            page = sources[number % len(sources)].page(number)
        except OcrError:  # a few can't be set
            continue
        if table == "det" or all(READABLE.fullmatch(line.text) for line in page.lines):
            yield page


def _pictures(folder: Path, table: str, held: bool) -> Path:
    return folder / table / ("held" if held else "learnt")


# what is learned


def learned(row: Row, seed: int, sizes: Sizes, folder: Path) -> dict[str, float]:
    """Trains the network of a row, and measures it."""
    begun, model = time.process_time(), _model(row, seed, folder)
    chosen = _chosen(row, seed, sizes)
    teacher = [_model(TEACHER, 0, folder)] if chosen.taught else []
    for _ in Run(chosen, [_pictures(folder, row.table, False)], model.parent, teacher).steps():
        pass
    net = known(str(model), chosen.part)
    assert net
    net.net.eval()
    with torch.inference_mode():
        scores = (found if row.table == "det" else read)(net, _pictures(folder, row.table, True) / LABELS)
    if row != TEACHER:
        rmtree(model.parent)
    return {name: scores[name] for name in COLUMNS[row.table]} | {"seconds": time.process_time() - begun}


def _model(row: Row, seed: int, folder: Path) -> Path:
    """Where the network is kept."""
    return folder / f"{row.stage}{'-pasted' * row.pasted}-{row.ratios[1]}-{seed}" / "model"


def _chosen(row: Row, seed: int, sizes: Sizes) -> Recipe:
    """The stage, at this size."""
    chosen = recipe(row.stage, sizes.steps, sizes.rows)
    stage = replace(chosen.stage, rate=RATE[row.table], seed=seed, every=100)
    return replace(chosen, stage=stage, side=SIDE, width=WIDTH, pasted=row.pasted, ratios=row.ratios, damaged=False)


def found(detector: Known, labels: Path) -> dict[str, float]:
    """How well a detector finds the lines of pages."""

    def network(images):
        return detector.net.probability(torch.from_numpy(images)).numpy()

    counts = []
    for page in pages(labels):
        quads = detect(pixels(page.image), network, DETECTOR)
        counts.append(matched([Region(quad) for quad in quads], [Region(line.quad) for line in page.lines]))
    return detected(counts)


def read(recognizer: Known, labels: Path) -> dict[str, float]:
    """How many lines a recogniser reads."""
    characters = recognizer.characters
    lines = [word for page in pages(labels) for word in cut(page)]
    right = []
    for start in range(0, len(lines), READ):
        some = lines[start : start + READ]
        batch = words([word_row(word, None, Alphabet(characters), None, width=WIDTH) for word in some])
        told = recognizer.net(batch.images).logits.softmax(-1).numpy()
        texts = [decode(each, ["", *characters]).text for each in told]
        right += [recognised(text, word.text)["accuracy"] for text, word in zip(texts, some, strict=True)]
    return {"accuracy": mean(right)}


# all of it


class Record:
    """What is known so far, in a file if it has one."""

    def __init__(self, path: Path | None, sizes: dict[str, Sizes], corpus: str) -> None:
        """Raises BadInput for a file of other sizes or texts."""
        self.path, self.sizes, self.results = path, {name: each._asdict() for name, each in sizes.items()}, []
        self.sizes["corpus"] = corpus
        if path and path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            if before["sizes"] != self.sizes:
                raise BadInput(f"{path} has results of {before['sizes']}, not {self.sizes}: give another file")
            self.results = before["results"]

    def of(self, row: Row, seed: int) -> dict | None:
        """A result, if it is known."""
        same = row.table, row.name, seed
        return next((each for each in self.results if (each["table"], each["row"], each["seed"]) == same), None)

    def add(self, row: Row, seed: int, scores: dict[str, float]) -> None:
        """Keeps a result, instead of an earlier one."""
        if before := self.of(row, seed):
            self.results.remove(before)
        self.results.append({"table": row.table, "row": row.name, "seed": seed, **scores})
        if self.path:
            with whole(self.path) as file:
                file.write(json.dumps({"sizes": self.sizes, "results": self.results}, indent=2).encode())


def table(name: str, record: Record, seeds: int) -> str:
    """A table in Markdown: the mean of all seeds, each of them, and what is published."""
    columns = COLUMNS[name]
    heads = ["detector" if name == "det" else "recogniser", *columns, f"{columns[-1]}, each seed", "published"]
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for row in [*([TEACHER] if name == "det" else []), *(row for row in ROWS if row.table == name)]:
        known = [each for seed in range(seeds) if (each := record.of(row, seed))]
        cells = [f"{mean(each[column] for each in known):.3f}" for column in columns]
        each = " ".join(f"{one[columns[-1]]:.3f}" for one in known)
        published = " / ".join(f"{number:.3f}" for number in row.published) or "–"
        lines.append(f"| {' | '.join([row.name, *cells, each, published])} |")
    return "\n".join(lines)


def run(options: argparse.Namespace, folder: Path) -> None:
    """Computes what isn't known yet, and prints the tables."""
    sizes = {name: Sizes(*(getattr(options, each)[n] for each in OPTIONS)) for n, name in enumerate(COLUMNS)}
    record = Record(options.json, sizes, Corpus(options.corpus).identity)
    asked = [(row, seed) for row in ROWS for seed in range(options.seeds) if row.table in options.tables]
    missing = [(row, seed) for row, seed in asked if not record.of(row, seed)]
    taught = [(row, seed) for row, seed in missing if recipe(row.stage).taught]
    first = [each for each in missing if each not in taught]
    if taught and not _model(TEACHER, 0, folder).is_dir():
        first.insert(0, (TEACHER, 0))
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        tables = sorted({row.table for row, _ in missing})
        list(pool.map(partial(drawn, texts=options.corpus, folder=folder), tables, [sizes[name] for name in tables]))
        for some in (first, taught):
            jobs = {pool.submit(learned, row, seed, sizes[row.table], folder): (row, seed) for row, seed in some}
            for job in as_completed(jobs):
                record.add(*jobs[job], job.result())
                print(json.dumps(record.results[-1]), file=sys.stderr, flush=True)
    print("\n\n".join(table(name, record, options.seeds) for name in COLUMNS if name in options.tables))


def main() -> None:
    """Train, measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="*", metavar="CORPUS")
    parser.add_argument("--json", type=Path, metavar="OUT.json")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--tables", type=lambda text: text.split(","), default=list(COLUMNS), metavar="det,rec")
    for name, default in zip(OPTIONS, ((600, 2400), (8, 16), (600, 4000), (200, 1000)), strict=True):
        parser.add_argument(f"--{name}", type=int, nargs=2, default=default, metavar=("DET", "REC"))
    options = parser.parse_args()
    try:
        kept = options.json and options.json.with_suffix("")
        with nullcontext(kept) if kept else tempfile.TemporaryDirectory() as folder:
            run(options, Path(folder))
    except OcrError as error:
        print(f"ppocr_ablation.py: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
