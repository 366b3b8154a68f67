"""`ocr2 check`: does what is made show what it says? Samples of each kind, looked at in a second way."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ocr2.cli.make import Label, folder, names
from ocr2.data.check import checked
from ocr2.data.corpus import Corpus
from ocr2.data.engines import ENGINES, Materials, engine_of
from ocr2.data.sheet import sheet
from ocr2.errors import BadInput, OcrError
from ocr2.files import whole

if TYPE_CHECKING:
    from ocr2.types import Sample

COUNT = 60
"""Samples of a kind, unless asked otherwise."""


@click.command(epilog=f"Kinds: {', '.join(ENGINES)}.")
@click.argument("kinds", metavar="KIND[,KIND…]", callback=names)
@click.option("--count", type=click.IntRange(1), default=COUNT, show_default=True, help="Samples of each kind.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one makes other samples.")
@click.option("--preview", type=Path, metavar="PNG", help="Draw a contact sheet of the mismatches.")
@click.option("--corpus", multiple=True, type=folder, metavar="DIR", help="Texts, formulas, scores, …; repeatable.")
@click.option("--photos", multiple=True, type=folder, metavar="DIR", help="Photos with text on them, for photo…")
@click.option("--pdfs", multiple=True, type=folder, metavar="DIR", help="PDFs with a text layer, for pdf…")
def check(kinds: list[str], count: int, seed: int, preview: Path | None, **options: Any) -> None:
    """Look at clean samples a second time, in a way of its own for each kind, and tell what doesn't match its text.

    \b
    ocr2 check formula,table --count 100
    ocr2 check page-en --corpus texts/ --preview mismatches.png

    Words are read by the OCR-1.0 reader; the others are drawn by another tool, or measured in the picture. The status
    is 1 where anything doesn't match. A reader errs on one page in some dozens: look at what is told.
    """
    having = Materials(
        Corpus(options["corpus"]), strength=0, photos=options["photos"], pdfs=options["pdfs"], label=Label()
    )
    wrong: list[Sample] = []
    click.echo(f"{'kind':16}{'checked':>8}{'mismatches':>12}  how")
    for name in kinds:
        wrong += _checked(name, having, seed, count)
    if preview and wrong:
        with whole(preview) as file:
            sheet(wrong).save(file, "PNG")
    sys.exit(bool(wrong))


def _checked(name: str, having: Materials, seed: int, count: int) -> list[Sample]:
    """The samples of a kind that don't match, told below the kind's line. Raises BadInput where none is made."""
    engine = engine_of(name, having, seed)
    assert having.label
    looked, wrong, told = 0, [], []
    ways: dict[str, int] = {}
    lacking: dict[str, int] = {}
    for index in range(count):
        try:
            sample = engine[index]
        except IndexError:
            break
        except OcrError as error:
            click.echo(f"ocr2: {name} {index}: {error}", err=True)
            continue
        finding = checked(name, sample, having.label)
        looked += bool(finding.how)
        ways[finding.how] = ways.get(finding.how, 0) + bool(finding.how)
        if finding.unchecked:
            lacking[finding.unchecked] = lacking.get(finding.unchecked, 0) + 1
        if finding.lost:
            wrong.append(sample)
            told.append(f"  {name} {index}: {'; '.join(finding.lost[:6])}" + " …" * (len(finding.lost) > 6))
    if not ways:
        raise BadInput(f"no sample of {name} could be made: see the reasons above")
    click.echo(f"{name:16}{looked:>8}{len(wrong):>12}  {max(ways, key=lambda way: ways[way]) or 'in no way'}")
    for line in told:
        click.echo(line)
    for reason, times in lacking.items():
        click.echo(f"  {times} × not all could be checked: {reason}")
    return wrong
