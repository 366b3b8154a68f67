"""`ocr2 convert`: samples from one format to another, pictures and all; PaddleOCR's networks to a model folder."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from PIL import Image
from tqdm import tqdm

from ocr2.data import labels
from ocr2.data.formats import FORMATS, NAMES, READ, SHARDS, format_named, opened
from ocr2.errors import BadInput, BadOutput, BadPrompt, ModelMissing, OcrError
from ocr2.got.views import squashed, tiles
from ocr2.shards import EACH, Shards, reason, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocr2.data.formats import Samples
    from ocr2.types import Sample

_SIDE = 1024
"""Pixels of a tile's sides, as GOT was trained on."""


_GENUINE = "ppocrv2"
_NETWORKS = ("detector.onnx", "recognizer.onnx", "classifier.onnx")


class _Source(click.Path):
    """What there is, or the name of a model."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return Path(value) if value == _GENUINE else super().convert(value, param, ctx)


@click.command()
@click.argument("source", metavar="IN", type=_Source(exists=True, path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--from", "given", type=click.Choice(READ), help="What IN is; else told by what is in it.")
@click.option("--to", "wanted", type=click.Choice(NAMES), help="What OUT is to be; else told by its name.")
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where IN's names of pictures begin; else its folder.",
)
@click.option("--skip-bad", is_flag=True, help="Leave out samples that can't be converted, and count them.")
@click.option("--each", type=click.IntRange(1), default=EACH, show_default=True, help="Samples in a shard.")
def convert(
    source: Path,
    target: Path,
    given: str | None,
    wanted: str | None,
    images: Path | None,
    skip_bad: bool,
    each: int,
) -> None:
    """Convert samples between our shards and what other programs are trained on, and PaddleOCR's networks to a model.

    \b
    ocr2 convert shards/ train.json             got: the conversations of GOT's own training
    ocr2 convert shards/ train.jsonl            swift: ms-swift's JSON lines
    ocr2 convert shards/ train.txt --to rec     rec, det: PaddleOCR's labels for recognisers and for detectors
    ocr2 convert train.jsonl shards/            and back
    ocr2 convert label.txt shards/ --images ~/icdar
    ocr2 convert folder/ shards/                folder: Hugging Face's (metadata.jsonl or .csv), or a.png with a.txt
    ocr2 convert ppocrv2 model/                 the genuine PP-OCRv2, to train on with --init or to read with --device
    ocr2 convert networks/ model/               detector.onnx, recognizer.onnx, classifier.onnx of PaddleOCR, or some

    Pictures of train.json are put in train/. A label file is written whole or not at all; a folder of shards goes on
    where it was stopped. The first bad sample ends it all, unless --skip-bad is given.
    """
    if str(source) == _GENUINE or any((source / name).is_file() for name in _NETWORKS):
        if given or wanted or images or skip_bad:
            raise BadPrompt(
                f"{source} is a model: --from, --to, --images and --skip-bad are for samples, leave them out"
            )
        _networks(source, target)
        return
    samples = opened(source, given or "", images)
    wanted = wanted or format_named(target)
    if os.path.realpath(source) == os.path.realpath(target):
        raise BadOutput(f"{target} is what is to be converted: expected another place")
    taken = [labels.images_of(source)]
    if not isinstance(samples, Shards):  # names of pictures begin there
        taken.append(images or (source if source.is_dir() else source.parent))
    if wanted != SHARDS:
        _check_places(target, taken)
    done = _shards(samples, target, each, skip_bad) if wanted == SHARDS else _labels(samples, target, wanted, skip_bad)
    made, dropped = 0, Counter[str]()
    often = 0.1 if sys.stderr.isatty() else 60.0  # seconds
    with tqdm(total=len(samples), unit="sample", mininterval=often) as bar:
        for count, left_out in done:
            made += count
            dropped.update(left_out)
            bar.update(count + sum(left_out.values()))
    click.echo(f"{made:,} converted" + f", {dropped.total():,} dropped" * bool(dropped))
    for why, count in dropped.most_common():
        click.echo(f"  {count:,} × {why}")
    if not made:
        raise BadInput(f"{source}: no sample could be converted: see the reasons above")


def _check_places(target: Path, taken: list[Path]) -> None:
    """Raises BadOutput where the pictures of a label file would be among those that are read, or take their places.

    Its folder may lie among them if it is new, or if the label file is there that an earlier run wrote.
    """
    folder = labels.images_of(target)
    real, roots = folder.resolve(), [place.resolve() for place in taken]
    among = any(real.is_relative_to(root) for root in roots)
    old = among and not target.exists() and folder.is_dir() and any(folder.iterdir())
    if old or real in roots:
        raise BadOutput(f"{target}: its pictures would take the places of those in {folder}: expected another name")


def _networks(source: Path, target: Path) -> None:
    """Writes a model folder of PaddleOCR's networks."""
    try:
        from ocr2.ppocr.parts import parts
        from ocr2.recipes.learning import write as write_model
    except ModuleNotFoundError as error:
        raise ModelMissing(f"to convert networks takes the package {error.name}: pip install 'ocr2[train]'") from error
    if os.path.realpath(source) == os.path.realpath(target):
        raise BadOutput(f"{target} is what is to be converted: expected another place")
    found = parts(str(source))
    write_model(target, found, str(source))
    click.echo(f"{', '.join(found)} converted")


class _EndedError(Exception):
    """What was wrong with the first bad sample."""

    def __init__(self, error: OcrError) -> None:
        super().__init__(str(error))
        self.error = error


class _Strict:
    """A source whose first bad sample ends it all."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, index: int) -> Sample:
        try:
            return self.samples[index]
        except OcrError as error:
            raise _EndedError(error) from error


def _shards(samples: Samples, target: Path, each: int, skip_bad: bool) -> Iterator[tuple[int, dict[str, int]]]:
    """Writes shards; tells of each how many samples it has, and why others aren't there."""
    try:
        for shard in write(samples if skip_bad else _Strict(samples), target, range(len(samples)), each=each):
            if shard.dropped and not skip_bad:
                raise BadInput(f"{shard.path} lacks samples: {', '.join(shard.dropped)}; --skip-bad leaves them out")
            yield shard.samples, dict(shard.dropped)
    except _EndedError as ended:
        raise ended.error from ended


def _labels(samples: Samples, target: Path, name: str, skip_bad: bool) -> Iterator[tuple[int, dict[str, int]]]:
    """Writes a label file; tells of each sample whether it is there, and why not."""
    known: Counter[str] = Counter()
    for error in labels.write(samples, target, FORMATS[name], range(len(samples)), _cut):
        if error is None:
            yield 1, {}
        elif skip_bad:
            known[why := reason(error, known)] += 1
            yield 0, {why: 1}
        else:
            raise error


def _cut(page: Image.Image, most: int) -> list[Image.Image]:
    """The tiles of a page, row by row, and the page as large as one of them; nothing where that is as good."""
    page = page.convert("RGB")
    views = tiles(page, most, _SIDE)
    return [Image.fromarray(view.transpose(1, 2, 0)) for view in [*views, squashed(page, _SIDE)]] if views else []
