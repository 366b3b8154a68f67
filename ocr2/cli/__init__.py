"""The command line: a module for each verb. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ocr2.cli import read, train
from ocr2.errors import OcrError

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ocr2")
def commands() -> None:
    """Read pages: scans, photos and PDFs in, text out. And train what reads them."""


commands.add_command(read.read)
commands.add_command(train.train)


def main(args: Sequence[str] | None = None) -> None:
    """The command `ocr2`, with the arguments of the process unless some are given."""
    try:
        commands(args)
    except OcrError as error:
        click.echo(read.told(error), err=True)
        sys.exit(2)
