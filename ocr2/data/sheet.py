"""A contact sheet: pictures with what they are said to say beside them, for people to look at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from ocr2.records import record
from ocr2.renderers.fonts import faces
from ocr2.renderers.galley import Galley, Style
from ocr2.renderers.typeset import Block, Part, typeset
from ocr2.types import Box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocr2.types import Sample

WIDTH, HEIGHT = 500, 420
"""Pixels of a picture, and of the text beside it, at most."""
_SIZE, _LEADING, _MARGIN = 13, 1.25, 8
_FAMILY = "DejaVu Sans Mono"


def sheet(samples: Sequence[Sample], across: int = 2) -> Image.Image:
    """The samples in rows of so many, in their order: picture, prompt and text. Raises RendererMissing.

    Larger pictures are shrunk; of longer texts the rest is left out, and counted.
    """
    cells = [_cell(sample) for sample in samples]
    rows = [cells[n : n + across] for n in range(0, len(cells), across)]
    heights = [max(cell.height for cell in row) for row in rows]
    wide = 2 * WIDTH + 3 * _MARGIN
    whole = Image.new("RGB", (across * wide, sum(heights) + _MARGIN * len(rows)), "white")
    y = 0
    for row, height in zip(rows, heights, strict=True):
        for n, cell in enumerate(row):
            whole.paste(cell, (n * wide, y))
        ImageDraw.Draw(whole).line((0, y + height + 3, whole.width, y + height + 3), (200, 200, 200))
        y += height + _MARGIN
    return whole


def _cell(sample: Sample) -> Image.Image:
    """One sample."""
    picture = _beside([image.convert("RGB") for image in sample.images])
    if box := sample.prompt.box:
        ImageDraw.Draw(picture).rectangle((box.x0, box.y0, box.x1, box.y1), outline=(255, 0, 255), width=3)
    picture.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    words = _written(f"{sample.kind} {json.dumps(record(sample)['prompt'])}", sample.text)
    height = max(picture.height, words.height) + 2 * _MARGIN
    cell = Image.new("RGB", (2 * WIDTH + 3 * _MARGIN, height), "white")
    frame = (_MARGIN - 1, _MARGIN - 1, _MARGIN + picture.width, _MARGIN + picture.height)
    ImageDraw.Draw(cell).rectangle(frame, outline=(120, 160, 220))
    cell.paste(picture, (_MARGIN, _MARGIN))
    cell.paste(words, (WIDTH + 2 * _MARGIN, _MARGIN))
    return cell


def _beside(pages: list[Image.Image]) -> Image.Image:
    """The pages of a sample side by side, the first ones of many."""
    if len(pages) == 1:
        return pages[0].copy()
    whole = Image.new("RGB", (sum(page.width for page in pages), max(page.height for page in pages)), "grey")
    x = 0
    for page in pages:
        whole.paste(page, (x, 0))
        x += page.width
    return whole


def _written(head: str, text: str) -> Image.Image:
    """The text in type, under a heading."""
    mono = next(face for face in faces("mono") if face.family == _FAMILY)
    style = Style(mono, faces("han")[0], _SIZE, _LEADING)
    shown, room = [head], HEIGHT / (_SIZE * _LEADING) - 3
    lines = text.split("\n")
    for n, line in enumerate(lines):
        room -= max(1.0, Galley(line, style).width / (0.9 * WIDTH)) if line.strip() else 0
        if room < 0 and n:
            shown.append(f"… {len(lines) - n} lines more")
            break
        shown.append(line)
    blocks = [Block(line, style) for line in shown if line.strip()]
    ink = typeset([Part(blocks, [Box(0, 0, WIDTH, 10 * HEIGHT)])], WIDTH + 40, 10 * HEIGHT).ink
    used = np.flatnonzero(ink.any(axis=1))
    return Image.fromarray(255 - ink[: min(HEIGHT, int(used[-1]) + 4), :WIDTH]).convert("RGB")
