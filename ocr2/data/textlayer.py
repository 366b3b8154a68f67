"""What a born-digital PDF page shows, character by character, and where: its image and its lines in reading order.

    pixels, lines = apart("ocr2.data.textlayer:read", "manual.pdf", 3, 200, 1024)

A text layer says more than a page shows: text that is invisible, white, cut off by the page's edge, or covered. Only
what has ink in the image is in the truth; a page that may be misread, or that shows what its layer doesn't say, is
refused. How characters make lines is in ocr2/data/printed.py.

Frames: points of the page as pdfium has them, y up; pixels of the image, y down.
Shapes: H × W the image, N characters of a page.
"""

from __future__ import annotations

import ctypes
import math
import os
import unicodedata
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import cv2
import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ocr2.data.printed import Glyph, lines_of
from ocr2.errors import BadInput
from ocr2.files import REOPENED, in_pdfium

if TYPE_CHECKING:
    from ocr2.types import Line

MOST_UNKNOWN = 0.02
"""Of a page's characters, those that the file doesn't name: with more, its text layer isn't readable."""
COVERED = 0.7
"""Of a page, under images: with more, and little text on them, it is a scan."""
LITTLE = 100
"""Characters."""
SMALLEST = 7.0
"""Pixels of type that can be read; a twentieth of a page may be smaller."""
_CONTRAST = 24
"""Of 255, between ink and paper within three pixels."""
_SLANT = math.radians(2)
_SIGNS = {"\uf0b7": "•", "\uf0a7": "▪", "\uf0a8": "◦", "\uf0d8": "➢", "\uf0fc": "✓", "\uf0e0": "→", "\uf0df": "←"}
"""Of Symbol and Wingdings, by the private codes that word processors give them."""
_RADICALS = dict(
    zip(
        "⻄⻅⻆⻉⻋⻓⻔⻘⻚⻛⻜⻝⻢⻣⻤⻥⻦⻨⻩⻬⻮⻰⻳⺟⺠",
        "西见角贝车长门青页风飞食马骨鬼鱼鸟麦黄齐齿龙龟母民",
        strict=True,
    )
)
"""Radicals that fonts with one glyph for both give for the characters; Unicode itself folds the others."""
_FOLDED = _SIGNS | _RADICALS | {"\u2010": "-", "\u2011": "-", "\xad": "-", "\x02": "-", "\u2015": "—", "\xb5": "\u03bc"}
"""As running text is cleaned (see ocr2/data/corpus.py), but for soft hyphens: those in a PDF's text are printed, where
a word is split. 2 is pdfium's code for such a hyphen."""
_INVISIBLE = (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP)
_DEEPEST = 6
"""Forms in forms that images are looked for in."""


class _Char(NamedTuple):
    """A character as pdfium knows it: points of the page."""

    text: str
    thing: int
    """The address of the text object that it is a part of."""
    ink: tuple[float, float, float, float]
    cell: tuple[float, float, float, float]
    """Left, bottom, right, top of its ink; and of the room that the pen takes for it."""
    origin: tuple[float, float]
    spaced: bool
    named: bool


class _Style(NamedTuple):
    """How a text object is set."""

    size: float
    """Points of the page."""
    direction: tuple[float, float]
    visible: bool


class _Picture(NamedTuple):
    """An image on the page: left, bottom, right, top, and how many objects were drawn before it."""

    box: tuple[float, float, float, float]
    place: int
    opaque: bool


class _Book:
    """The PDF that was opened last in this process."""

    opened: pdfium.PdfDocument | None = None
    which: tuple[str, int, int] = ("", 0, 0)
    """Its path, size and time."""
    reads = 0


def count(path: str) -> int:
    """How many pages the file has. Raises BadInput."""
    with in_pdfium():
        return len(_opened(path))


def read(path: str, number: int, dpi: float, longest: int) -> tuple[np.ndarray, tuple[Line, ...]]:
    """The image, (H, W) where all of it is grey, else (H, W, 3), and the lines of page `number` (from 1 on).

    It is drawn at so many dots an inch, or fewer, so that no side is longer than that. First come lines without text:
    places of characters that are there but can't be named. Annotations and forms, which are no part of the text layer,
    aren't drawn. Raises BadInput for what can't be read, is scanned, or may be read wrongly.
    """
    name = f"{os.path.basename(path)}, page {number}"
    with in_pdfium():
        document = _opened(path)
        try:
            with closing(document[number - 1]) as page:
                size = max(page.get_size())
                if min(page.get_size()) < 1 or size > 1e5:
                    raise BadInput(f"{name} is {page.get_size()} points large: expected a page with room for text")
                scale = min(dpi / 72, (longest - 0.5) / size)  # pdfium rounds up
                with closing(page.render(scale=scale, may_draw_forms=False, draw_annots=False)) as bitmap:
                    pixels = np.array(bitmap.to_pil().convert("RGB"))
                glyphs = _glyphs(page, pixels, name)
        except (pdfium.PdfiumError, IndexError) as error:
            raise BadInput(f"{name} can't be read ({error!s:.100}): expected an undamaged PDF") from error
    small = sum(glyph.em < SMALLEST for _, glyph in glyphs)
    if small > len(glyphs) / 20:
        raise BadInput(f"{name}: type is less than {SMALLEST:g} pixels large: draw it larger, or leave it out")
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    colourful = any((pixels[:, :, n] != grey).any() for n in range(3))
    return pixels if colourful else grey, lines_of(glyphs, name)


def _opened(path: str) -> pdfium.PdfDocument:
    """The file, opened afresh from time to time: pdfium keeps what it has read of it."""
    book, name = _Book, os.path.basename(path)
    try:
        found = os.stat(path)
        which = path, found.st_size, found.st_mtime_ns
        if book.opened is None or book.which != which or book.reads >= REOPENED:
            if book.opened:
                book.opened.close()
            book.opened = None
            book.opened, book.which, book.reads = pdfium.PdfDocument(path), which, 0
    except (pdfium.PdfiumError, OSError, ValueError) as error:
        if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD:
            raise BadInput(f"{name} needs a password: remove it first, e.g. with qpdf --decrypt") from error
        raise BadInput(f"{name} can't be read as a PDF ({error!s:.100}): expected an undamaged one") from error
    book.reads += 1
    return book.opened


def _glyphs(page: Any, pixels: np.ndarray, name: str) -> list[tuple[int, Glyph]]:
    """The characters that are seen, each with the quarters, clockwise, that its text is turned by."""
    with closing(page.get_textpage()) as layer:
        chars, styles = _chars(layer)
    places, pictures = _objects(page)
    if not chars:
        _check_scan(0, 0, pictures, page, name)
        raise BadInput(f"{name} has no text: expected a born-digital page")
    matrix = _to_pixels(page, pixels)
    ink = _boxes(np.array([char.ink for char in chars]), matrix)
    seen = _inked(ink, pixels)
    for n, char in enumerate(chars):
        seen[n] &= styles[char.thing].visible and not _is_covered(char, places.get(char.thing, 0), pictures)
    _check_scan(int(seen.sum()), len(chars), pictures, page, name)
    _check(chars, int(seen.sum()), name)
    some = np.flatnonzero(seen)
    ink = np.clip(ink, 0, np.tile(pixels.shape[1::-1], 2))
    return _turned([chars[n] for n in some], ink[some], styles, matrix, name)


def _chars(layer: Any) -> tuple[list[_Char], dict[int, _Style]]:
    """All characters but for spaces, in the order of the file, and the styles of the text objects they are parts of."""
    left, right, bottom, top, x, y = (ctypes.c_double() for _ in range(6))
    cell, found, spaced = raw.FS_RECTF(), [], False
    styles: dict[int, _Style] = {}
    for n in range(raw.FPDFText_CountChars(layer)):
        code, made_up = raw.FPDFText_GetUnicode(layer, n), raw.FPDFText_IsGenerated(layer, n) == 1
        if made_up or chr(code).isspace():
            spaced |= not made_up
            continue
        thing = raw.FPDFText_GetTextObject(layer, n)
        text, named = _written(code), raw.FPDFText_HasUnicodeMapError(layer, n) != 1
        if not named and not 32 < code < 127:  # for want of a name it is the font's own code, which often is ASCII
            text = ""
        if not thing or text is None:
            continue
        address = ctypes.addressof(thing.contents)
        if address not in styles:
            styles[address] = _style(layer, n, thing)
        raw.FPDFText_GetCharBox(layer, n, left, right, bottom, top)
        raw.FPDFText_GetLooseCharBox(layer, n, cell)
        raw.FPDFText_GetCharOrigin(layer, n, x, y)
        ink = left.value, bottom.value, right.value, top.value
        room = cell.left, cell.bottom, cell.right, cell.top
        found.append(_Char(text, address, ink, room, (x.value, y.value), spaced, named and text != ""))
        spaced = False
    return found, styles


def _style(layer: Any, n: int, thing: Any) -> _Style:
    """How the text object is set that character n is a part of."""
    matrix = raw.FS_MATRIX()
    raw.FPDFText_GetMatrix(layer, n, matrix)
    size = raw.FPDFText_GetFontSize(layer, n) * math.hypot(matrix.c, matrix.d)
    visible = raw.FPDFTextObj_GetTextRenderMode(thing) not in _INVISIBLE
    return _Style(size, (matrix.a, matrix.b), visible)


def _written(code: int) -> str | None:
    """The character as it is written; "" where the code names none, None where it is nothing to see."""
    char = chr(code)
    if char in _FOLDED:
        return _FOLDED[char]
    if "\ufb00" <= char <= "\ufb06" or "\u2e80" <= char <= "\u2fdf":  # ligatures; radicals
        return unicodedata.normalize("NFKC", char)
    kind = unicodedata.category(char)
    if kind == "Cf":
        return None
    return "" if kind[0] == "C" or char == "\ufffd" else unicodedata.normalize("NFC", char)


def _objects(page: Any) -> tuple[dict[int, int], list[_Picture]]:
    """How many objects are drawn before each text object, by its address; and the images."""
    places: dict[int, int] = {}
    pictures: list[_Picture] = []
    number = iter(range(1 << 60))

    def look(thing: Any, matrix: np.ndarray, deep: int) -> None:
        place, kind = next(number), raw.FPDFPageObj_GetType(thing)
        if kind == raw.FPDF_PAGEOBJ_TEXT:
            places[ctypes.addressof(thing.contents)] = place
        elif kind == raw.FPDF_PAGEOBJ_IMAGE:
            edges = [ctypes.c_float() for _ in range(4)]
            raw.FPDFPageObj_GetBounds(thing, *edges)
            box = _boxes(np.array([[edge.value for edge in edges]]), matrix)[0].tolist()
            pictures.append(_Picture(box, place, not raw.FPDFPageObj_HasTransparency(thing)))
        elif kind == raw.FPDF_PAGEOBJ_FORM and deep < _DEEPEST:
            own = raw.FS_MATRIX()
            raw.FPDFPageObj_GetMatrix(thing, own)
            inner = matrix @ np.array([[own.a, own.c, own.e], [own.b, own.d, own.f], [0, 0, 1]])
            for n in range(raw.FPDFFormObj_CountObjects(thing)):
                look(raw.FPDFFormObj_GetObject(thing, n), inner, deep + 1)

    for n in range(raw.FPDFPage_CountObjects(page)):
        look(raw.FPDFPage_GetObject(page, n), np.eye(3), 0)
    return places, pictures


def _is_covered(char: _Char, place: int, pictures: list[_Picture]) -> bool:
    """Whether an image is drawn over it."""
    x, y = (char.ink[0] + char.ink[2]) / 2, (char.ink[1] + char.ink[3]) / 2
    return any(picture.place > place and picture.opaque and _holds(picture.box, x, y) for picture in pictures)


def _holds(box: tuple[float, float, float, float], x: float, y: float) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _check_scan(seen: int, count: int, pictures: list[_Picture], page: Any, name: str) -> None:
    """Raises BadInput for a page that images cover, and on which few of its characters are seen."""
    left, bottom, right, top = page.get_cropbox()
    covered = 0.0
    for x0, y0, x1, y1 in (picture.box for picture in pictures):
        covered += max(0.0, min(x1, right) - max(x0, left)) * max(0.0, min(y1, top) - max(y0, bottom))
    if covered >= COVERED * (right - left) * (top - bottom) and seen < max(LITTLE, count / 2):
        raise BadInput(f"{name} is scanned, as images cover it and hardly any text: expected a born-digital page")


def _check(chars: list[_Char], seen: int, name: str) -> None:
    """Raises BadInput for a page whose text layer doesn't say what it shows."""
    if not seen:
        raise BadInput(f"{name} has no text that is seen: expected a born-digital page")
    unknown = sum(not char.named for char in chars)
    if unknown > MOST_UNKNOWN * len(chars):
        raise BadInput(
            f"{name}: the text layer isn't readable ({unknown} of {len(chars)} characters have no name): leave it out"
        )
    if any(unicodedata.bidirectional(char.text[0]) in ("R", "AL") for char in chars if char.text):
        raise BadInput(f"{name} has text that runs to the left: expected scripts that run to the right")


def _to_pixels(page: Any, pixels: np.ndarray) -> np.ndarray:
    """(3, 3) From points of the page to pixels, whatever its rotation and crop box."""
    far, fine = 1000, 1 << 20
    x, y = ctypes.c_int(), ctypes.c_int()
    corners = []
    for at in ((0, 0), (far, 0), (0, far)):
        raw.FPDF_PageToDevice(page, 0, 0, fine, fine, 0, *at, x, y)
        corners.append((x.value / fine * pixels.shape[1], y.value / fine * pixels.shape[0]))
    zero, right, up = (np.array(corner) for corner in corners)
    matrix = np.eye(3)
    matrix[:2] = np.stack([(right - zero) / far, (up - zero) / far, zero], axis=1)
    return matrix


def _boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(N, 4) Upright boxes where an upright matrix puts them: left, top, right, bottom."""
    linear, shift = matrix[:2, :2].T, matrix[:2, 2]
    corners = [boxes[:, (x, y)] @ linear + shift for x in (0, 2) for y in (1, 3)]
    return np.concatenate([np.minimum.reduce(corners), np.maximum.reduce(corners)], axis=1)


def _inked(boxes: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N,) Whether there is an edge of ink in each box, the middle of which is on the page."""
    height, width = pixels.shape[:2]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    edges = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > _CONTRAST
    sums = cv2.integral(edges.astype(np.uint8))  # (H + 1, W + 1)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((middle > 0) & (middle < (width, height))).all(axis=1)
    x0, y0 = (np.clip(np.floor(boxes[:, n]), 0, most).astype(int) for n, most in enumerate((width, height)))
    x1, y1 = (np.clip(np.ceil(boxes[:, n + 2]), 0, most).astype(int) for n, most in enumerate((width, height)))
    found = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return cast("np.ndarray", (found > 0) & inside)


def _turned(
    chars: list[_Char], ink: np.ndarray, styles: dict[int, _Style], matrix: np.ndarray, name: str
) -> list[tuple[int, Glyph]]:
    """The characters, whose ink (N, 4) is in pixels, each in the frame in which its text runs to the right."""
    scale = math.sqrt(abs(float(np.linalg.det(matrix[:2, :2]))))
    turns = {thing: _quarter(styles[thing], matrix, name) for thing in {char.thing for char in chars}}
    quarters = np.array([turns[char.thing] for char in chars])  # (N,)
    cos, sin = np.array([1, 0, -1, 0])[quarters], np.array([0, 1, 0, -1])[quarters]

    def framed(boxes: np.ndarray) -> np.ndarray:
        x0, y0, x1, y1 = boxes.T
        us, vs = (x0 * cos + y0 * sin, x1 * cos + y1 * sin), (y0 * cos - x0 * sin, y1 * cos - x1 * sin)
        return np.stack([np.minimum(*us), np.minimum(*vs), np.maximum(*us), np.maximum(*vs)], axis=1)

    cells = framed(_boxes(np.array([char.cell for char in chars]), matrix))
    x, y = (np.array([char.origin for char in chars]) @ matrix[:2, :2].T + matrix[:2, 2]).T
    sizes = scale * np.array([styles[char.thing].size for char in chars])
    rows = np.column_stack([framed(ink), cells[:, 0], cells[:, 2], y * cos - x * sin, sizes]).tolist()
    return [
        (quarter, Glyph._make((char.text, *row, char.spaced)))
        for quarter, char, row in zip(quarters.tolist(), chars, rows, strict=True)
    ]


def _quarter(style: _Style, matrix: np.ndarray, name: str) -> int:
    """How many quarters, clockwise, the text is turned by. Raises BadInput for text at a slant."""
    dx, dy = (matrix[:2, :2] @ style.direction).tolist()
    quarters = math.atan2(dy, dx) / (math.pi / 2)
    if abs(quarters - round(quarters)) * math.pi / 2 > _SLANT:
        raise BadInput(f"{name} has text at a slant: expected lines that are level or upright")
    return round(quarters) % 4
