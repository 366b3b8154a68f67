"""Prompts in the words that GOT is asked in, and back. What stands around those words is known to got/prompt.py alone.

query(Prompt(box=Box(82, 80, 640, 121)), 800, 1000)     # "[102, 80, 800, 121] OCR: "
asked("[102, 80, 800, 121] OCR: ", 800, 1000)           # Prompt(box=Box(82, 80, 640, 121))
"""

from __future__ import annotations

import re
from math import ceil
from typing import cast

from ocr2.errors import BadPrompt
from ocr2.types import COLORS, MOST_TILES, Box, Color, Prompt

_PLAIN, _FORMATTED = "OCR: ", "OCR with format: "
_TILES, _PAGES = "OCR with format upon the patch reference: ", "OCR with format across multi pages: "
_KNOWN = (
    f'expected "{_PLAIN}", "{_FORMATTED}", "{_TILES}" or "{_PAGES}", the first two after a [box] or [colour] or not'
)


def query(prompt: Prompt, width: int, height: int) -> str:
    """The question in the words that the model was trained on; the page is `width` × `height` pixels.

    Raises BadPrompt where the region reaches outside the page.
    """
    if prompt.tiles:
        return _TILES
    if prompt.pages > 1:
        return _PAGES
    plain = _FORMATTED if prompt.format else _PLAIN
    if prompt.color:
        return f"[{prompt.color}] {plain}"
    if prompt.box:
        _check_place(f"box={prompt.box}", prompt.box.x1, prompt.box.y1, width, height)
        return f"{list(prompt.box.scaled(width, height))} {plain}"
    if prompt.point:
        x, y = prompt.point
        _check_place(f"point={x:g},{y:g}", x, y, width, height)
        return f"[{int(x / width * 1000)}, {int(y / height * 1000)}] {plain}"
    return plain


def _check_place(name: str, right: float, bottom: float, width: int, height: int) -> None:
    if right > width or bottom > height:
        raise BadPrompt(f"{name} reaches outside the page of {width} × {height} pixels: give a place within it")


def asked(words: str, width: int, height: int, pages: int = 1) -> Prompt:
    """The prompt that these words ask of so many pages, whatever spaces are around them; `query` gives them back.

    Places are exact to a thousandth of the page. Tiles are as many as there may be. Raises BadPrompt for other words.
    """
    question = re.fullmatch(r"(?:\[([^\]]*)\])?\s*(OCR\b[^\[\]]*)", words.strip())
    plain = f"{' '.join(question[2].split()).removesuffix(':').rstrip()}: " if question else ""
    region = question and question[1]
    if not question or plain not in (_PLAIN, _FORMATTED, _TILES, _PAGES):
        raise BadPrompt(f"{words!r:.80} is no question of GOT's: {_KNOWN}")
    if (plain == _PAGES) != (pages > 1) or (region is not None and plain in (_TILES, _PAGES)):
        raise BadPrompt(f"{words!r:.80} of {pages} page{'s' * (pages > 1)}: {_KNOWN}; several pages are asked as such")
    if plain in (_TILES, _PAGES):
        return Prompt(tiles=MOST_TILES) if plain == _TILES else Prompt(pages=pages)
    formatted = plain == _FORMATTED
    if region is None:
        return Prompt(formatted)
    if region.strip() in COLORS:
        return Prompt(formatted, color=cast("Color", region.strip()))
    return _about(region, formatted, width, height)


def _about(region: str, formatted: bool, width: int, height: int) -> Prompt:
    """The prompt about a box or a point, given in thousandths of the page."""
    if not re.fullmatch(r"\s*\d{1,4}\s*(,\s*\d{1,4}\s*){1,3}", region):
        raise BadPrompt(f"[{region:.40}] is no place: expected [x0, y0, x1, y1], [x, y] or {', '.join(COLORS)}")
    numbers = [int(part) for part in region.split(",")]
    if len(numbers) == 3 or max(numbers) > 1000:
        raise BadPrompt(f"[{region:.40}] is no place: expected 4 numbers or 2, from 0 to 1000")
    pixels = [_pixel(number, side) for number, side in zip(numbers, (width, height) * 2, strict=False)]
    if len(pixels) == 2:
        return Prompt(formatted, point=(pixels[0], pixels[1]))
    return Prompt(formatted, box=Box(*pixels))


def _pixel(thousandths: int, side: int) -> float:
    """The place on a side of so many pixels that `query` tells so: a whole pixel where there is one."""
    first = ceil(thousandths * side / 1000)
    for pixel in (first, first + 1):
        if pixel <= side and int(pixel / side * 1000) == thousandths:
            return float(pixel)
    return (thousandths + 0.5) / 1000 * side
