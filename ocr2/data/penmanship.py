"""Lines in a handwriting font, as a hand might write them: no two words alike, and none of them quite level.

Shapes: h × w the ink of a line, in pixels; 0 is none, 255 is as black as the ink.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocr2.errors import BadInput
from ocr2.order import UNSPACED
from ocr2.renderers.fonts import CODES, Face, covered, faces, opened

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from random import Random

FONTS = (".ttf", ".otf", ".woff", ".ttc")
_FOLDED = {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."}
"""What few hands write, and what they write instead."""
_NOWHERE = "\U0010fffd"
"""A character that no font has: how a font draws it is how it draws what it lacks."""
_ROOM = 2
"""Sizes above and below the base line that a line is drawn on."""


class Hand(NamedTuple):
    """A font of handwriting: of a package, or a file of the user's."""

    name: str
    licence: str
    face: Face | None
    file: str = ""


def hands(folder: Path | None, held: bool) -> tuple[Hand, ...]:
    """The fonts of a folder; without one those of packages, to train on or held back. Raises BadInput."""
    if folder is None:
        return tuple(Hand(face.name, face.licence, face) for face in faces("hand", held))
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in FONTS)
    if not files:
        raise BadInput(f"{folder} has no fonts: expected files of handwriting fonts, {' '.join(FONTS)}")
    found = tuple(Hand(file.name, "as its file says", None, str(file)) for file in files)
    for hand in found:
        _font(hand, 32)
    return found


def written(hand: Hand, text: str, size: float, width: float, rng: Random) -> tuple[np.ndarray, int, str]:
    """(h, w) As much of the text as fits, the row of its base line, and what is written of it.

    What the font lacks isn't written: words that have such a character, or Chinese characters. Raises BadInput where
    nothing is left, RendererMissing.
    """
    tall, deep = round(_ROOM * size), round(2 * _ROOM * size)
    image = Image.new("L", (math.ceil(width + 2 * size), deep))
    draw = ImageDraw.Draw(image)
    sizes = [max(6, round(size * share)) for share in (0.95, 1.0, 1.06)]
    gap, room = size * rng.uniform(0.28, 0.5), width - 0.6 * size
    loose, restless = rng.uniform(0, 0.02) * size, rng.uniform(0, 0.05) * size
    pen, done = 0.0, ""
    for piece, spaced in _pieces(hand, text):
        font = _font(hand, rng.choice(sizes))
        start = pen + (gap * rng.uniform(0.8, 1.4) if spaced and done else loose)
        while not done and len(piece) > 1 and font.getlength(piece) > room:
            piece = piece[:-1]
        if start + font.getlength(piece) > room:
            break
        draw.text((0.5 * size + start, tall + rng.uniform(-restless, restless)), piece, 255, font, "ls")
        pen = start + font.getlength(piece)
        done += (" " if spaced and done else "") + piece
    if not done:
        raise BadInput(f"the font {hand.name} has no characters of {text[:20]!r}: expected text in its script")
    ink = _moved(np.asarray(image), tall, size, rng)
    if not ink.any():
        raise BadInput(f"the font {hand.name} draws nothing of {done!r}: take it away")
    x, y, w, h = cv2.boundingRect(ink)
    return ink[y : y + h, x : x + w], tall - y, done


def _moved(ink: np.ndarray, tall: int, size: float, rng: Random) -> np.ndarray:
    """The line slanted, and its base line bent."""
    height, width = ink.shape
    lean, rise = math.tan(math.radians(rng.uniform(-6, 12))), math.tan(math.radians(rng.uniform(-0.8, 0.8)))
    swing, length, phase = rng.uniform(0, 0.06) * size, rng.uniform(6, 20) * size, rng.uniform(0, 2 * math.pi)
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    bend = swing * np.sin(2 * math.pi * xs / length + phase) + rise * (xs - width / 2)
    from_y = (ys + bend).astype(np.float32)
    from_x = (xs + lean * (from_y - tall)).astype(np.float32)
    bent = cv2.remap(ink, from_x, from_y, cv2.INTER_LINEAR)
    return np.asarray(bent)


def _pieces(hand: Hand, text: str) -> Iterable[tuple[str, bool]]:
    """Words and Chinese characters that the hand can write, each with whether a space comes before it."""
    spaced = False
    for found in re.finditer(rf"\s+|{UNSPACED.pattern}|(?:(?!{UNSPACED.pattern})\S)+", text):
        piece = found[0]
        if piece.isspace():
            spaced = True
            continue
        piece = "".join(char if can_write(hand, char) else _FOLDED.get(char, char) for char in piece)
        if all(can_write(hand, char) for char in piece):
            yield piece, spaced
            spaced = False


@lru_cache(maxsize=1 << 15)
def can_write(hand: Hand, char: str) -> bool:
    """Whether the font has the character. Raises RendererMissing."""
    if hand.face:
        return bool(ord(char) < CODES and covered(hand.face)[ord(char)])
    font = _font(hand, 32)
    mask = font.getmask(char)
    return mask.getbbox() is not None and bytes(mask) != bytes(font.getmask(_NOWHERE))


@lru_cache(maxsize=32)  # each is about a megabyte
def _font(hand: Hand, size: int) -> ImageFont.FreeTypeFont:
    """Raises BadInput for a file that is no font, RendererMissing."""
    if hand.face:
        return opened(hand.face, size)
    try:
        return ImageFont.truetype(hand.file, size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise BadInput(f"{hand.file} can't be read as a font ({error}): expected {' '.join(FONTS)}") from error
