"""Any Pillow image as this package has pages: upright, RGB, 8 bits a channel, on white where it was transparent."""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np
from PIL import Image

BROKEN: tuple[type[Exception], ...] = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError),
    *(RuntimeError, MemoryError, struct.error, zlib.error),
)
"""What Pillow and pdfium are known to raise on damaged files."""

_Turn = Image.Transpose
_TURNS = {
    **{2: _Turn.FLIP_LEFT_RIGHT, 3: _Turn.ROTATE_180, 4: _Turn.FLIP_TOP_BOTTOM},
    **{5: _Turn.TRANSPOSE, 6: _Turn.ROTATE_270, 7: _Turn.TRANSVERSE, 8: _Turn.ROTATE_90},
}
"""What makes an image upright, by its EXIF orientation; those from 5 on swap width and height."""


def normalized(source: Image.Image) -> Image.Image:
    """A copy of the image, upright as its EXIF data says, in RGB; of what it knew, only the dots per inch are kept."""
    turn, dpi = _orientation(source), _dpi(source)
    image = _rgb(source)
    if turn in _TURNS:
        image, dpi = image.transpose(_TURNS[turn]), dpi[::-1] if turn >= 5 else dpi
    image.info = {"dpi": dpi} if dpi else {}
    return image


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 for none, or where the EXIF data is damaged."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except BROKEN:
        return 1


def _dpi(image: Image.Image) -> tuple[float, ...]:
    """The dots per inch across and down; empty where the file doesn't say, or says nonsense."""
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except BROKEN:
        return ()
    return (across, down) if 0 < across < math.inf and 0 < down < math.inf else ()


def _rgb(image: Image.Image) -> Image.Image:
    """A copy in RGB, 8 bits a channel, on white where it was transparent."""
    if image.mode[0] == "I" or image.mode == "F":
        image = _eight_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image)
    return page


def _eight_bits(image: Image.Image) -> Image.Image:
    """Gray values of more than 8 bits as 8: by the smallest usual range that holds them all, else stretched to fit."""
    values = np.asarray(image).astype(np.float32)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    ranges = (1, 255, 4095, 65535) if image.mode == "F" else (255, 4095, 65535)
    top = next((top for top in ranges if 0 <= low <= high <= top), None)
    bottom, span = (0.0, float(top)) if top else (low, (high - low) or 1.0)
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return Image.fromarray(((values - bottom) * (255 / span) + 0.5).clip(0, 255).astype(np.uint8))
