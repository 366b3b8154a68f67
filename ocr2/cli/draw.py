"""`ocr2 draw`: any source as a picture, as the data engines draw it, or in another notation."""

from __future__ import annotations

import base64
import html
import io
import re
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import click
from PIL import Image

from ocr2.characters import CHARACTERS, EXPORTED, exported, kind_of
from ocr2.cli.stdout import put
from ocr2.errors import BadInput, BadOutput
from ocr2.files import standard_input, whole
from ocr2.renderers import mathpix
from ocr2.renderers.paper import aged

if TYPE_CHECKING:
    from ocr2.renderers.drawing import Drawing, Pixels

KINDS = {
    ".krn": "music",
    ".tikz": "geometry",
    ".smi": "molecule",
    ".smiles": "molecule",
    ".md": "document",
    ".mmd": "document",
    ".txt": "text",
}
"""What the names of files tell; what a .tex or any other is, is told by what is in it."""
PICTURES = ("png", "svg", "html")
"""What a source is drawn as."""
NOTATIONS = {suffix: form for form, suffix in EXPORTED.items() if form != "svg"} | {".md": "md", ".json": "json"}
"""What else it is written as, by the name of the file."""
LONGEST = 1 << 20
"""Bytes of a source."""
_DOCUMENT = re.compile(r"\\documentclass\b.*?\\begin\{document\}(.*)\\end\{document\}", re.DOTALL)
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@click.command()
@click.argument("source", metavar="FILE|-")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE|-",
    help="A .png, .svg or .html, or another notation: .musicxml, .mid, .mml, .mol, .csv, …; - is a PNG, printed.",
)
@click.option(
    "--kind", type=click.Choice(sorted(CHARACTERS)), help="Of characters; else told by the name, or the source."
)
@click.option("--backend", default="", help="The tool that draws, as ocr2 doctor lists them; else the kind's own.")
@click.option("--seed", type=int, help="Draw in one of many looks; without it, plainly.")
@click.option("--scale", type=click.FloatRange(0, 20, min_open=True), help="So many times as large.")
@click.option(
    "--aged",
    "strength",
    type=click.FloatRange(0, 2),
    default=0.0,
    help="As an old copy or a bad photo: 0 not, 1 fairly.",
)
def draw(
    source: str,
    out: str,
    kind: str | None,
    backend: str,
    seed: int | None,
    scale: float | None,
    strength: float,
) -> None:
    """Draw a source: a formula, a molecule, a table, a page, a score, a figure, a chart or text.

    \b
    printf '%s' '\\[ \\frac{a}{b} \\]' | ocr2 draw - -o formula.png
    ocr2 draw chopin.krn --seed 7 --aged 0.5 -o chopin.png
    ocr2 draw page.md -o page.html
    ocr2 draw circle.tikz -o circle.svg
    ocr2 draw chopin.krn -o chopin.musicxml
    ocr2 draw table.tex -o table.csv
    echo CCO | ocr2 draw - --kind molecule -o - | ocr2 read -
    """
    suffix = ".png" if out == "-" else Path(out).suffix.lower()
    form = NOTATIONS.get(suffix, suffix[1:])
    looks = {"--seed": seed is not None, "--aged": strength, "--scale": scale, "--backend": backend}
    _check(out, form, [option for option, given in looks.items() if given])
    text = _body(_text(source))
    kind = kind or KINDS.get(Path(source).suffix.lower()) or kind_of(text)
    if form not in PICTURES:
        content = exported(text, form, kind)
    elif form == "html" and kind == "document" and not (backend or strength or scale or seed is not None):
        content = mathpix.page(text).encode()
    else:
        drawing = CHARACTERS[kind].draw(text, None if seed is None else Random(f"draw/{seed}"), backend)
        drawing = drawing.scaled(scale) if scale else drawing
        content = _drawn(drawing, form, strength, scale, seed, text)
    _write(content, out)


def _check(out: str, form: str, looks: list[str]) -> None:
    """Raises BadOutput for a file that isn't written, and for options of how it looks where it has no such looks."""
    if form not in (*PICTURES, *NOTATIONS.values()):
        raise BadOutput(
            f"{out}: expected a name that ends in .png, .svg or .html, - for a PNG on standard output, or for another "
            f"notation one that ends in {', '.join(NOTATIONS)}"
        )
    if form not in PICTURES and looks:
        raise BadOutput(f"{out}: {', '.join(looks)}, but only pictures have looks: leave it out, or write a PNG")
    if form == "svg" and {"--scale", "--aged"} & set(looks):
        raise BadOutput(
            f"{out}: an SVG has no size in pixels and can't age: leave --scale and --aged out, or write a PNG"
        )


def _text(source: str) -> str:
    """What is to be drawn. Raises BadInput."""
    name = "standard input" if source == "-" else source
    try:
        content = standard_input().read() if source == "-" else Path(source).read_bytes()
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{name} can't be read ({getattr(error, 'strerror', error)}): expected a file of text"
        ) from error
    if len(content) > LONGEST:
        raise BadInput(f"{name} has {len(content):,} bytes: expected a source of up to {LONGEST:,}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is no text in UTF-8: expected the source of what is to be drawn") from error


def _body(text: str) -> str:
    """What a LaTeX document shows, without its preamble; any other text as it is."""
    found = _DOCUMENT.search(text)
    return found[1] if found else text


def _drawn(drawing: Drawing, form: str, strength: float, scale: float | None, seed: int | None, text: str) -> bytes:
    """The bytes of the file."""
    if form == "svg":
        return drawing.svg().encode()
    if form == "html" and (drawing.format == "svg" or drawing.outline) and not (strength or scale):
        return _shown(drawing.svg().encode(), "image/svg+xml", text)
    pixels, _ = aged(drawing.pixels(), Random(f"aged/{seed}"), strength)
    content = _png(pixels)
    return _shown(content, "image/png", text) if form == "html" else content


def _png(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _shown(picture: bytes, kind: str, text: str) -> bytes:
    """A page with the picture in it, in which nothing runs, and the source as what is read aloud of it."""
    address = f"data:{kind};base64,{base64.b64encode(picture).decode()}"
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    body = f'<img src="{address}" alt="{html.escape(text, quote=True)}">'
    return f"<!DOCTYPE html>\n<html><head>{head}</head>\n<body>{body}</body></html>\n".encode()


def _write(content: bytes, out: str) -> None:
    """Writes the file, whole or not at all. Raises BadOutput."""
    if out == "-":
        put(content)
        return
    with whole(out) as file:
        file.write(content)
