"""Images, PDFs and folders in, pages out: one page in memory at a time, and a bad file never stops the good ones.

    for path in find(["scans/", "letter.pdf", "-"]):
        for page in pages(path):
            ...

`whole` is the way back: a file that is either written completely or not at all.
"""

from __future__ import annotations

import io
import logging
import math
import os
import re
import secrets
import signal
import sys
import threading
import warnings
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import pypdfium2 as pdfium
from PIL import Image, UnidentifiedImageError

from ocr2.errors import BadInput, BadOutput
from ocr2.pixels import BROKEN, normalized
from ocr2.types import Page

EXPECTED = "PNG, JPEG, WebP, BMP, GIF, TIFF, PPM or PDF"
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".bmp", ".gif"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pdf"),
)
DPI = 200
"""PDF pages are drawn at this many pixels an inch, unless asked otherwise."""
MOST_PIXELS = 12_000_000
"""No PDF page is drawn with more pixels than about this, whatever its size and the dpi asked for: 3464 × 3464."""
LONGEST = 30_000
"""Nor with more pixels than this on its longer side."""
REOPENED = 16
"""A PDF is opened afresh after so many pages: pdfium keeps what it has read of the file until the file is closed."""
MOST_BYTES = 2**30
"""Standard input and pipes are held in memory, up to this size."""

_log = logging.getLogger(__name__)
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
_LOCK = threading.RLock()


def find(inputs: Iterable[str | Path]) -> Iterator[str | Path]:
    """The files to read, in order: a folder stands for the files below it that have a suffix in `SUFFIXES`.

    Folders are searched to the bottom in natural order ("2.png" before "10.png"), without hidden files and without
    following links to folders. Everything else comes out as it went in: "-", a file of any name, and also what can't be
    read (a missing file, a folder without any readable file), for `pages` to raise BadInput when its turn comes.
    """
    for given in inputs:
        if given == "-":
            yield given
        elif os.path.isdir(given):
            below = _below(Path(given))
            yield next(below, Path(given))
            yield from below
        else:
            yield Path(given)


def _below(folder: Path) -> Iterator[Path]:
    """The readable files below a folder, and the folders that can't be listed."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: natural(entry.name))
    except OSError:
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(folder / entry.name)
        elif entry.name.lower().endswith(SUFFIXES):
            yield folder / entry.name


def natural(name: str) -> tuple[list[str | int], str]:
    """A sort key that reads digits as numbers and ignores case: "page 2" comes before "Page 10"."""
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if odd % 2 else part for odd, part in enumerate(parts)], name


class Pages(Iterator[Page]):
    """The pages asked for of one source, each made when its turn comes; `len` is how many were asked for.

    The source is closed after the last page, by `close`, and when the iterator is dropped. A page that can't be read
    raises BadInput; the next call goes on with the page after it.
    """

    def __init__(self, book: _Pdf | _Picture, numbers: Sequence[int], origin: str, name: str, stack: ExitStack) -> None:
        """Only `pages` makes these; `name` is what errors call the source, `stack` holds what is to be closed."""
        self._book, self._numbers, self._origin, self._name = book, numbers, origin, name
        self._left = iter(numbers)
        self._close = weakref.finalize(self, stack.close)
        self._close.atexit = False  # pdfium cleans up after itself, and may have done so by then

    @property
    def numbers(self) -> Sequence[int]:
        """The pages asked for, by their numbers in the file."""
        return self._numbers

    def __len__(self) -> int:
        """How many pages were asked for, whether or not they have come already."""
        return len(self._numbers)

    def __next__(self) -> Page:
        """The next page, read or drawn now."""
        number = next(self._left, None)
        if number is None:
            self.close()
            raise StopIteration
        return self.page(number)

    def page(self, number: int) -> Page:
        """The page of that number, read or drawn now."""
        with _reading(self._name if self._book.total == 1 else f"{self._name}, page {number},"):
            image = self._book.draw(number)
        return Page(image, number=number, origin=self._origin)

    def close(self) -> None:
        """Closes the source; no more pages come."""
        self._left = iter(())
        self._close()


def pages(
    source: str | Path | bytes | BinaryIO | Image.Image,
    *,
    select: str | None = None,
    dpi: int = DPI,
    origin: str | None = None,
) -> Pages:
    """The pages of a file, of standard input ("-"), of bytes or a binary stream, or of one Pillow image.

    What the source is follows from its content, not its name. PDF pages are drawn at `dpi`, or less, as `MOST_PIXELS`
    and `LONGEST` say; of animations the first frame is read. `select` is as in `parse_pages`. `origin` is what the
    pages say they come from, by default the path. A binary stream is read from its start and stays open. Raises
    BadInput: here for a source without pages, while iterating for a damaged page.
    """
    if dpi < 1:
        raise BadInput(f"dpi={dpi}: expected a whole number from 1 on, such as 200")
    if origin is None:
        origin = str(source) if isinstance(source, str | Path) else ""
    name = "standard input" if origin == "-" else origin or "the input"
    with ExitStack() as stack:
        book: _Pdf | _Picture
        if isinstance(source, Image.Image):
            book = _Picture(source, total=1)
        else:
            stream = _stream(source, name, stack)
            with _reading(name):
                head = stream.read(1024)
                if not head:
                    raise BadInput(f"{name} is empty: expected {EXPECTED}")
                book = _book(stream, head, dpi, stack)
        numbers = range(1, book.total + 1) if select is None else parse_pages(select, book.total, name)
        return Pages(book, numbers, origin, name, stack.pop_all())


def parse_pages(select: str, total: int, name: str) -> list[int]:
    """The page numbers, from 1 on, that "2-5,9", "3-" or "-4" selects of `total` pages, in the order asked for."""
    numbers: list[int] = []
    for first, last in parse_ranges(select):
        last = last or max(total, first)
        if last > total:
            raise BadInput(f"{name} has {total} page{'s' * (total != 1)}; page {last} was asked for")
        numbers += range(first, last + 1)
    return numbers


def parse_ranges(select: str) -> list[tuple[int, int | None]]:
    """The first and last page of each range in "2-5,9", "3-" or "-4"; None for the end of whatever is read."""
    ranges: list[tuple[int, int | None]] = []
    for part in select.split(","):
        match = re.fullmatch(r"\s*(?:([0-9]{1,9})|([0-9]{1,9})?\s*-\s*([0-9]{1,9})?)\s*", part)
        if not match or not any(match.groups()):
            raise BadInput(f"pages {select!r}: {part.strip()!r} is no page or range; expected e.g. 2-5,9 or 3- or -4")
        first, end = int(match[1] or match[2] or 1), match[1] or match[3]
        if first < 1 or (end and int(end) < first):
            raise BadInput(f"pages {select!r}: {part.strip()!r} is empty; pages count from 1, and ranges go upwards")
        ranges.append((first, int(end) if end else None))
    return ranges


def place(path: str | Path) -> str:
    """Where a file of that name will be, for a link stays a link. Raises BadOutput for a folder or device."""
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        raise BadOutput(f"{path} is a folder or a device: expected the name of a file")
    return target


@contextmanager
def whole(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write bytes to, which takes the name `path` once all of it is on disk.

    After an error, `path` is as it was before, and nothing else is left. Raises BadOutput where it can't be written.
    """
    target = place(path)
    part = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        if error.errno is None or error.filename not in (None, part):
            raise  # about something else that the caller did meanwhile
        raise BadOutput(
            f"{path} can't be written ({error.strerror}): expected a folder that exists, is writable and has space left"
        ) from error
    finally:
        with suppress(OSError):
            os.unlink(part)


def locked(file: BinaryIO) -> bool:
    """Keep other processes from locking the file until it is closed; False where one has it.

    Nobody is kept away where there are no such locks, as on Windows and on some network's disks.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        _log.warning("%s can't be locked (%s): see to it that no other run uses it", file.name, error.strerror)
    return True


def _stream(source: str | Path | bytes | BinaryIO, name: str, stack: ExitStack) -> BinaryIO:
    """The source as a stream that can seek, at its start; the stack closes what is opened here."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, str) and source == "-":
        return standard_input()
    if isinstance(source, str | Path):
        try:
            source = stack.enter_context(open(source, "rb"))  # noqa: SIM115
        except IsADirectoryError as error:
            raise _folder(cast("str | Path", source), name) from error
        except FileNotFoundError as error:
            raise BadInput(f"{name} doesn't exist: expected a file or folder") from error
        except (OSError, ValueError) as error:
            raise BadInput(f"{name} can't be opened: {getattr(error, 'strerror', error)}") from error
    if not hasattr(source, "seekable"):
        raise BadInput(
            f"{name} is of type {type(source).__name__}: expected a path, bytes, a binary stream or a Pillow image, "
            "such as PIL.Image.fromarray makes of an array (red, green, blue)"
        )
    if not source.seekable():
        return _held(source, name)
    source.seek(0)
    return source


def _folder(path: str | Path, name: str) -> BadInput:
    """What is wrong with a folder that stands where a file should: it can't be listed, or has nothing to read."""
    try:
        os.scandir(path).close()
    except OSError as error:
        return BadInput(f"{name} is a folder that can't be listed ({error.strerror}): make it readable")
    return BadInput(f"{name} is a folder: expected a file, or a folder with {EXPECTED} files in it")


def standard_input() -> BinaryIO:
    """All of standard input, in memory: it can be read but once."""
    if sys.stdin is None:  # as Python has it where it was closed before the start
        raise BadInput("standard input is closed: leave it open, or name a file")
    return _held(sys.stdin.buffer, "standard input")


def _held(stream: BinaryIO, name: str, most: int = MOST_BYTES) -> BinaryIO:
    """All of a stream, in memory."""
    held = io.BytesIO()
    try:
        while chunk := stream.read(2**20):
            held.write(chunk)
            if held.tell() > most:
                raise BadInput(f"{name} is more than {most / 2**30:g} GiB: save it as a file first")
    except OSError as error:
        raise BadInput(f"{name} can't be read: {error.strerror or error}; try again, or save it as a file") from error
    held.seek(0)
    return held


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Where decoders run: one at a time (warning filters aren't thread-safe either), all failures BadInput."""
    with in_pdfium(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            size = "".join(re.findall(r"\d+ pixels", str(error))[:1])
            most = (Image.MAX_IMAGE_PIXELS or 0) // 10**6
            raise BadInput(f"{name} is too large: {size} is more than {most} megapixels; scale it down") from error
        except UnidentifiedImageError as error:
            raise BadInput(f"{name} is not an image or PDF that can be read: expected {EXPECTED}") from error
        except BROKEN as error:
            code = getattr(error, "err_code", None)
            if code == pdfium.raw.FPDF_ERR_PASSWORD:
                raise BadInput(f"{name} needs a password: remove it first, e.g. with qpdf --decrypt") from error
            if code == pdfium.raw.FPDF_ERR_FILE:
                raise BadInput(f"{name} has no pages: expected at least one") from error
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise BadInput(f"{name} can't be read: {reason}; expected {EXPECTED}, undamaged") from error


@contextmanager
def in_pdfium() -> Iterator[None]:
    """Where pdfium is called: by one thread at a time, for it isn't made for more, and Ctrl-C waits for the end.

    No generator may yield in there: other threads would wait for whoever takes its time over what was yielded.
    """
    with _LOCK, _uninterrupted():
        yield


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Where Ctrl-C waits for the end: when pdfium calls Python, the interrupt would be lost and the page be damaged."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is ever interrupted
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


def _book(stream: BinaryIO, head: bytes, dpi: int, stack: ExitStack) -> _Pdf | _Picture:
    """An image, by its signature; else a PDF, which may have anything before its own."""
    try:
        return _Picture.open(stream)
    except UnidentifiedImageError:
        if b"%PDF" not in head:
            raise
    return _Pdf(stream, dpi, stack)


class _Pdf:
    """A PDF, drawn a page at a time."""

    def __init__(self, stream: BinaryIO, dpi: int, stack: ExitStack) -> None:
        self._stream, self._dpi, self._drawn = stream, dpi, 0
        self._open()
        self.total = len(self._pdf)
        stack.callback(self._close)

    def _open(self) -> None:
        # pdfium answers a PDF without pages with the last error it had: make it one that no stream can have
        pdfium.raw.FPDF_LoadDocument(b"", None)
        self._pdf = pdfium.PdfDocument(self._stream)
        self._pdf.init_forms()

    def _close(self) -> None:
        with in_pdfium():
            self._pdf.close()

    def draw(self, number: int) -> Image.Image:
        if self._drawn and self._drawn % REOPENED == 0:
            self._close()
            self._open()
        self._drawn += 1
        with closing(self._pdf[number - 1]) as page:
            width, height = page.get_size()
            if not width * height:
                raise ValueError("a page without area")
            # pdfium rounds the size up, hence half a pixel less
            longest = (LONGEST - 0.5) / max(width, height)
            scale = min(self._dpi / 72, math.sqrt(MOST_PIXELS / (width * height)), longest)
            with closing(page.render(scale=scale)) as bitmap:
                image = cast("Image.Image", bitmap.to_pil())
        image.info["dpi"] = (72 * scale, 72 * scale)
        return image


class _Picture:
    """An image file, or a Pillow image as it is; only the pages of a TIFF count as pages."""

    def __init__(self, image: Image.Image, total: int) -> None:
        self._image, self.total = image, total

    @classmethod
    def open(cls, stream: BinaryIO) -> _Picture:
        image = Image.open(stream, formats=_FORMATS)
        return cls(image, getattr(image, "n_frames", 1) if image.format == "TIFF" else 1)

    def draw(self, number: int) -> Image.Image:
        if self.total > 1:
            self._image.seek(number - 1)
        self._image.load()
        if not all(self._image.size):
            raise ValueError("an image without pixels")
        return normalized(self._image)
