"""`ocr2 make`: samples of any kind in shards, by as many processes as there are; and a look at them."""

from __future__ import annotations

import os
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from ocr2.data.corpus import Corpus
from ocr2.data.engines import ENGINES, Materials, engine_of
from ocr2.data.make import EACH, Work, here, on_ray, planned
from ocr2.data.sheet import sheet
from ocr2.errors import BadInput, OcrError
from ocr2.files import whole
from ocr2.ppocr.load import load
from ocr2.shards import Encoding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from ocr2.ppocr.pipeline import Pipeline
    from ocr2.shards import Shard
    from ocr2.types import Page, Sample

SHOWN = 16
"""Samples of a kind on a contact sheet, unless asked otherwise."""


class Label:
    """The OCR-1.0 reader as a function that other processes can be given; each loads it when it is first asked."""

    def __call__(self, image: Image.Image) -> Page:
        """The image, with its lines."""
        return _reader().read(image)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Label)

    def __hash__(self) -> int:
        return hash(Label)


@cache
def _reader() -> Pipeline:
    return load(threads=1)


def names(_: click.Context, __: click.Parameter, value: str) -> list[str]:
    """The kinds in a list with commas. Raises UsageError for one that there isn't."""
    names = list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    if unknown := [name for name in names if name not in ENGINES]:
        raise click.UsageError(f"no kind {', '.join(unknown)}: expected {', '.join(ENGINES)}")
    if not names:
        raise click.UsageError(f"no kind: expected {', '.join(ENGINES)}")
    return names


folder = click.Path(exists=True, path_type=Path)


@click.command(epilog=f"Kinds: {', '.join(ENGINES)}.")
@click.argument("kinds", metavar="KIND[,KIND…]", callback=names)
@click.option("--count", type=click.IntRange(1), help="Samples of each kind; without it, all that photos or PDFs give.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one makes other samples.")
@click.option("-o", "--out", type=Path, metavar="DIR", help="Gets a folder of shards for each kind.")
@click.option("--preview", type=Path, metavar="PNG|JPG", help="Draw a contact sheet: pictures beside their texts.")
@click.option("--corpus", multiple=True, type=folder, metavar="DIR", help="Texts, formulas, scores, …; repeatable.")
@click.option("--photos", multiple=True, type=folder, metavar="DIR", help="Photos with text on them, for photo…")
@click.option("--pdfs", multiple=True, type=folder, metavar="DIR", help="PDFs with a text layer, for pdf…")
@click.option("--hands", type=folder, metavar="DIR", help="Handwritten lines with their texts, for handwriting.")
@click.option("--papers", type=folder, metavar="DIR", help="Photos of paper, to draw on now and then.")
@click.option("--strength", type=click.FloatRange(0, 2), default=1.0, show_default=True, help="Of paper and damage.")
@click.option("--backend", default="", help="The tool that draws, one that ocr2 doctor lists.")
@click.option("--held", is_flag=True, help="Of texts and in type that are never trained on: to test with.")
@click.option("--format", "form", type=click.Choice(["png", "jpg", "webp"]), default="jpg", show_default=True)
@click.option("--each", type=click.IntRange(1), default=EACH, show_default=True, help="Samples in a shard.")
@click.option("--workers", type=click.IntRange(1), help="Processes; else as many as there are processors.")
@click.option("--on", "place", type=click.Choice(["here", "ray"]), default="here", show_default=True)
def make(
    kinds: list[str], count: int | None, seed: int, out: Path | None, preview: Path | None, **options: Any
) -> None:
    """Make samples to train on: pictures of every kind of character, with the texts that they show.

    \b
    ocr2 make formula,table --count 1000 --out data/
    ocr2 make page-en,page-zh --corpus texts/ --count 100000 --out data/ --workers 16
    ocr2 make photo --photos photos/ --out data/
    ocr2 make chart --preview charts.png

    DIR/KIND gets WebDataset shards. The same seed and count give the same bytes with any number of workers; the same
    command goes on where a run was stopped. What can't be made is counted by its reason, never replaced.
    """
    if not (out or preview):
        raise click.UsageError("nothing to do: give --out DIR for shards, or --preview PNG for a look")
    having = Materials(
        Corpus(options["corpus"], held=options["held"]),
        strength=options["strength"],
        backend=options["backend"],
        photos=options["photos"],
        pdfs=options["pdfs"],
        papers=options["papers"],
        hands=options["hands"],
        label=Label(),
    )
    if preview:
        _look(kinds, having, seed, count or SHOWN, preview)
    if out:
        encoding = Encoding(options["form"])
        works = [
            work
            for name in kinds
            for work in planned(name, having, seed, count, out, each=options["each"], encoding=encoding)
        ]
        workers = options["workers"] or _processors()
        _follow(works, on_ray(works) if options["place"] == "ray" else here(works, workers))


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _look(kinds: list[str], having: Materials, seed: int, count: int, path: Path) -> None:
    """The first samples of each kind, on one sheet."""
    samples: list[Sample] = []
    for name in kinds:
        engine, made = engine_of(name, having, seed), 0
        for index in range(2 * count):
            if made == count:
                break
            try:
                samples.append(engine[index])
                made += 1
            except IndexError:
                break
            except OcrError as error:
                click.echo(f"ocr2: {name} {index}: {error}", err=True)
    if not samples:
        raise BadInput("no sample could be made: see the reasons above")
    with whole(path) as file:
        sheet(samples).save(file, "JPEG" if path.suffix.lower() in (".jpg", ".jpeg") else "PNG", quality=75)


def _follow(works: list[Work], shards: Iterator[Shard]) -> None:
    """Takes all shards, shows how far it is, and tells in the end what was made and what wasn't."""
    made, dropped = 0, Counter[str]()
    often = 0.1 if sys.stderr.isatty() else 60.0  # seconds
    with tqdm(total=sum(len(work.numbers) for work in works), unit="sample", mininterval=often) as bar:
        for shard in shards:
            made += shard.samples
            dropped.update(shard.dropped)
            bar.update(shard.samples + sum(shard.dropped.values()))
    click.echo(f"{made:,} made" + f", {dropped.total():,} dropped" * bool(dropped))
    for reason, count in dropped.most_common():
        click.echo(f"  {count:,} × {reason}")
    if not made:
        first = works[0]
        engine_of(first.name, first.having, first.seed)[first.numbers[0]]  # whose error says all, and what to do
        raise BadInput("no sample could be made: see the reasons above")
