"""Searchable PDF: the page images with their text, invisible, over them."""

from __future__ import annotations

import base64
import cmath
import ctypes
import io
import math
import tempfile
import zlib
from contextlib import closing
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, cast

from ocr2.errors import BadOutput
from ocr2.files import in_pdfium
from ocr2.layout import Row, paragraphs, printable, printed, units, unplaced, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from PIL import Image

    from ocr2.result import Result
    from ocr2.types import Line, Point, Quad

WIDEST_JPEG = 65500
"""No side of a JPEG has more pixels: what libjpeg takes."""
WIDEST_PAGE = 14400
"""No side of a PDF page has more points (ISO 32000-1, Annex C)."""
_FOOT = 0.02
"""The share of the page's height, at its foot, for text whose place is not known; no row of it is higher."""
_ASKEW = 0.1
"""A word that is askew by less (in radians), and rises by less than half its height, is written level."""


def write_pdf(results: Iterable[Result]) -> Iterator[bytes]:
    """One PDF of the page images with the text, invisible, over them; it comes after the last page, by way of a file.

    Until then pdfium has the pages in memory, as JPEGs.
    """
    try:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 closed below
    except OSError as error:
        raise _no_room(error) from error
    with file:
        _save(results, file)
        file.seek(0)
        while chunk := file.read(2**20):
            yield chunk


def _no_room(error: OSError) -> BadOutput:
    return BadOutput(
        f"a PDF can't be written in {tempfile.gettempdir()} ({error.strerror}), where it is put together: "
        "make room, or set TMPDIR to another folder"
    )


def _save(results: Iterable[Result], file: IO[bytes]) -> None:
    """Write the PDF of the results to the file."""
    import pypdfium2

    with in_pdfium():
        document = pypdfium2.PdfDocument.new()
    try:
        count = 0
        for count, result in enumerate(results, 1):  # noqa: B007
            _pdf_page(document, result)
        if not count:
            raise BadOutput("no pages: a PDF has at least one; give a page, or choose another format")
        sink = _Sink(file)
        with in_pdfium():
            document.save(sink)
        if sink.error:
            raise _no_room(sink.error) from sink.error
    finally:
        with in_pdfium():
            document.close()


class _Sink:
    """A file for pdfium to write to; it keeps the error that pdfium would lose."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.error = file, cast("OSError | None", None)

    def write(self, data: Any) -> None:
        """Write all of the data, unless an earlier write failed."""
        left = memoryview(data)
        try:
            while left and not self.error:
                left = left[self.file.write(left) :]
        except OSError as error:
            self.error = error


# A font to stand for any invisible text: glyph 1 is a box half an em wide, glyph 2 one of a whole em.
# Made from Tesseract's tessdata/pdf.ttf (by the Tesseract authors, Apache-2.0) by adding the second glyph; compressed.
_FONT = (
    "eNpjYGRgYOBiaGBgZlDwD9Y3Crt3YgpQZA0QJyTnJhYA5UwYGBh5gHy59JzKNDWXLg8gXwfIN8hITUzhr/iYCuTHAPlmGUABHiYOZiAfZIZKRm5J"
    "BUgjkL8DSPDk5CcnMvAwSAD5R4B8jtzEigIGViBkYDwD5CvkJeamfnotdgvIfwPkexfkF5cwMAIhA5MFSJ4BZPIEkHrsgBWiGAtw9/d3Z3CAOOX/"
    "fxDJwNiAqgSikQlKi4DsAtNswBBAUcPCwMEAkjVUFFRkYfgD4oHFOZDEORh+wMSBuMz3ako8v81XFnYOsDHnZ/3JA9FXDi//BNfJwCAAtB1uDwcD"
    "yJ0Q9SwMGN5ihopDVYBCFxiujGAZFqhqbEHBzKAF1c3KIAZXw8rADeQxMzCycELFwxhSGYoYihkyGfIZ8oAhb8igx2AQllpUnJmfp2CoZ4BuOoZd"
    "ANPiPJw="
)
_CMAP = """/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /ocr2 def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
{ranges}endcmap CMapName currentdict /CMap defineresource pop end end
"""


def _pdf_page(document: Any, result: Result) -> None:
    """Add the page: its image as a JPEG, over it the text. Nothing but their compressed streams stays in memory."""
    import pypdfium2

    if result.image is None:
        raise BadOutput(
            f"page {result.number} of {result.origin!r} has no image, which a PDF shows: read the page again"
        )
    jpeg = _jpeg(result.image)
    across, down = (72 / dpi for dpi in _dpi(result.image))
    shrunk = min(1.0, WIDEST_PAGE / max(result.width * across, result.height * down))
    across, down = across * shrunk, down * shrunk
    width, height = result.width * across, result.height * down
    rows = (row for paragraph in paragraphs(_settled(result)) for row in paragraph)
    spaced = [
        (text, _levelled(cast("Quad", tuple((x * across, height - y * down) for x, y in quad))))
        for row in rows
        for text, quad in _spaced(row)
    ]
    with in_pdfium(), closing(document.new_page(width, height)) as page:
        picture = pypdfium2.PdfImage.new(document)
        picture.load_jpeg(jpeg, inline=True)
        picture.set_matrix(pypdfium2.PdfMatrix().scale(width, height))
        page.insert_obj(picture)
        _add_text(document, page, spaced)
        page.gen_content()


def _jpeg(image: Image.Image) -> io.BytesIO:
    """The image as a JPEG, smaller where a JPEG can't be as large."""
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    if max(image.size) > WIDEST_JPEG:
        width, height = (max(1, side * WIDEST_JPEG // max(image.size)) for side in image.size)
        image = image.resize((width, height))
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=85)
    return jpeg


def _dpi(image: Image.Image) -> tuple[float, float]:
    """The image's resolution across and down, where it names a credible one; else 150."""
    try:
        across, down = (float(dpi) for dpi in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 150.0, 150.0
    return (across, down) if 10 <= across <= 1200 and 10 <= down <= 1200 else (150.0, 150.0)


def _settled(result: Result) -> list[Line]:
    """The lines in their order, each with a place: in rows at the foot of the page, small, where it had none.

    Where none has one, the rows go down the page from its top. There is no room for them beside their neighbours:
    pdfium takes what is less than half a character below a line for more of it, and mixes their words.
    """
    lines = printed(result.transcript.lines) or unplaced(result.transcript.text)
    loose = sum(line.quad is None for line in lines)
    tall = result.height * (1.0 if loose == len(lines) else _FOOT)
    row = min(tall / max(loose, 1), result.height * _FOOT)
    y, found = result.height - tall, []
    for line in lines:
        if line.quad:
            found.append(line)
        else:
            wide, base = min(sum(map(units, line.text)) * row / 3, result.width), y + 2 * row / 3
            found.append(replace(line, quad=((0.0, y), (wide, y), (wide, base), (0.0, base))))
            y += row
    return found


def _spaced(row: Row) -> Iterator[tuple[str, Quad]]:
    """The row's words from first to last, each with the space that follows it, if one does, and its quad.

    A line that runs to the left (upside down) stays whole: pdfium would put its words in the order of their x.
    """
    for n, line in enumerate(row, 1):
        (x0, y0), (x1, y1) = line.place[:2]
        parts = [(line.text.strip(), line.place)] if x0 - x1 > abs(y1 - y0) else words(line)
        found = [(printable(text), quad) for text, quad in parts if printable(text)]
        last = len(found) if n == len(row) or not line.end else len(found) + 1
        yield from ((text + " " * (m < last), quad) for m, (text, quad) in enumerate(found, 1))


def _levelled(quad: Quad) -> Quad:
    """The quad, turned about its middle to lie along the page where it is but a little askew.

    Poppler takes words apart whose letters don't stand at one height: it would find no long ones in a scan askew by 1°.
    """
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad
    askew = math.remainder(math.atan2(cy - dy, cx - dx), math.pi / 2)
    rise = math.sin(abs(askew)) * math.dist((cx, cy), (dx, dy))
    if abs(askew) > _ASKEW or rise > math.dist((ax, ay), (dx, dy)) / 2:
        return quad
    middle, turn = complex(ax + bx + cx + dx, ay + by + cy + dy) / 4, cmath.rect(1, -askew)
    corners = (middle + (complex(*corner) - middle) * turn for corner in quad)
    return cast("Quad", tuple((corner.real, corner.imag) for corner in corners))


def _add_text(document: Any, page: Any, spaced: list[tuple[str, Quad]]) -> None:
    """Write each word, invisible, over its quad, given in points, y up."""
    from pypdfium2 import raw

    # A code is a place in the page's alphabet, from 1: characters beyond 16 bits need no surrogates.
    codes = {character: n for n, character in enumerate(sorted({c for text, _ in spaced for c in text}), 1)}
    font = _font(document, list(codes))
    try:
        for text, (top_left, _, bottom_right, bottom_left) in spaced:
            up, along = _way(bottom_left, top_left, (0.0, 0.1)), _way(bottom_left, bottom_right, (0.1, 0.0))
            size = math.hypot(*up)
            advance = sum(map(units, text.rstrip())) * size / 2
            piece = raw.FPDFPageObj_CreateTextObj(document, font, size)
            raw.FPDFText_SetCharcodes(piece, (ctypes.c_uint32 * len(text))(*[codes[c] for c in text]), len(text))
            shape = (along[0] / advance, along[1] / advance, up[0] / size, up[1] / size)
            raw.FPDFPageObj_SetMatrix(piece, raw.FS_MATRIX(*shape, *bottom_left))
            raw.FPDFTextObj_SetTextRenderMode(piece, raw.FPDF_TEXTRENDERMODE_INVISIBLE)
            raw.FPDFPage_InsertObject(page, piece)
    finally:
        raw.FPDFFont_Close(font)


def _font(document: Any, alphabet: list[str]) -> Any:
    """A font of empty shapes for the alphabet, whose codes 1, 2, … mean its characters; the caller closes it."""
    from pypdfium2 import raw

    entries = [f"<{code:04X}> <{character.encode('utf-16-be').hex()}>\n" for code, character in enumerate(alphabet, 1)]
    chunks = [entries[n : n + 100] for n in range(0, len(entries), 100)]  # a CMap takes 100 at a time
    ranges = "".join(f"{len(chunk)} beginbfchar\n{''.join(chunk)}endbfchar\n" for chunk in chunks)
    shapes = zlib.decompress(base64.b64decode(_FONT))
    glyphs = b"".join(units(character).to_bytes(2, "big") for character in ["\0", *alphabet])
    shapes_array, glyphs_array = ((ctypes.c_uint8 * len(data)).from_buffer_copy(data) for data in (shapes, glyphs))
    font = raw.FPDFText_LoadCidType2Font(
        document, shapes_array, len(shapes), _CMAP.format(ranges=ranges).encode(), glyphs_array, len(glyphs)
    )
    if not font:
        raise BadOutput("pdfium refused the font of the text layer: install the pypdfium2 that ocr2 asks for")
    return font


def _way(start: Point, stop: Point, least: Point) -> Point:
    """The way from start to stop; `least` where they are in the same place, for a glyph must have some size."""
    way = stop[0] - start[0], stop[1] - start[1]
    return way if math.hypot(*way) > 0.1 else least
