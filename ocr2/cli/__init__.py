"""The command line: a module for each verb. Results go to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from ocr2.errors import OcrError

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = ("read", "draw", "make", "check", "convert", "train", "eval", "doctor")


class Verbs(click.Group):
    """Commands, each loaded when it is asked for: who reads a page doesn't wait for what trains a model."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(import_module(f"ocr2.cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ocr2")
def commands() -> None:
    """Read pages: scans, photos and PDFs in, text out. And make what trains readers, and train them."""


def main(args: Sequence[str] | None = None) -> None:
    """The command `ocr2`, with the arguments of the process unless some are given."""
    try:
        commands(args)
    except OcrError as error:
        from ocr2.cli.reading import told

        click.echo(told(error), err=True)
        sys.exit(2)
