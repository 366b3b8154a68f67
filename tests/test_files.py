"""Every kind of file comes out as the right pixels, every bad one as one line that says what to do."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import struct
import sys
import threading
import time
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image

from ocr2 import files
from ocr2.errors import BadInput, BadOutput
from ocr2.files import find, pages, parse_pages, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
Color = tuple[int, int, int]


def halves(
    mode: str = "RGB", left: object = RED, right: object = BLUE, size: tuple[int, int] = (64, 32)
) -> Image.Image:
    """An image whose left half has one colour and its right half another."""
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def first(source: object) -> Image.Image:
    """The first page's image."""
    return next(iter(pages(source))).image


def near(image: Image.Image, at: tuple[int, int], color: Color, off: int = 3) -> bool:
    """Whether the pixel has the colour, about."""
    assert image.mode == "RGB"
    return all(abs(got - wanted) <= off for got, wanted in zip(image.getpixel(at), color, strict=True))


def left_right(image: Image.Image, left: Color, right: Color, off: int = 3) -> bool:
    """Whether the left and right quarters' middles have the colours, about."""
    width, height = image.size
    return near(image, (width // 4, height // 2), left, off) and near(image, (3 * width // 4, height // 2), right, off)


def pdf(*sheets: str, content: str = "", more: str = "", trailer: str = "") -> bytes:
    """A PDF of hand-written page dictionaries; `more` and `trailer` are added as is; pdfium mends the xref."""
    stream = f"4 0 obj <</Length {len(content)}>> stream\n{content}\nendstream endobj\n"
    kids = " ".join(f"{10 + number} 0 R" for number in range(len(sheets)))
    body = "".join(
        f"{10 + number} 0 obj <</Type/Page/Parent 2 0 R/Contents 4 0 R{sheet}>> endobj\n"
        for number, sheet in enumerate(sheets)
    )
    return (
        "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R/AcroForm 3 0 R>> endobj\n"
        f"2 0 obj <</Type/Pages/Count {len(sheets)}/Kids[{kids}]>> endobj\n{stream}{body}{more}"
        f"trailer <</Root 1 0 R/Size 99{trailer}>>\n%%EOF\n"
    ).encode()


def sheets(*sizes: tuple[float, float]) -> bytes:
    """A PDF of blank pages, in points, made by pdfium."""
    document, out = pdfium.PdfDocument.new(), io.BytesIO()
    for size in sizes:
        document.new_page(*size).close()
    document.save(out)
    document.close()
    return out.getvalue()


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    """The path, after saving the image there."""
    image.save(path, **options)
    return path


def complaint(call: Callable[[], object], kind: type[Exception] = BadInput) -> str:
    """The message of the error, which is one line."""
    with pytest.raises(kind) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Formats


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".png", {}),
        (".jpg", {"quality": 95}),
        (".jpg", {"quality": 95, "progressive": True}),
        (".webp", {"lossless": True}),
        (".bmp", {}),
        (".gif", {}),
        (".tif", {}),
        (".tif", {"compression": "tiff_lzw"}),
        (".tif", {"compression": "jpeg", "quality": 95}),
        (".ppm", {}),
    ],
)
def test_formats(tmp_path: Path, suffix: str, options: dict[str, object]) -> None:
    path = saved(tmp_path / f"x{suffix}", halves(), **options)
    (page,) = pages(path)
    assert left_right(page.image, RED, BLUE)
    assert (page.origin, page.number, page.image.size) == (str(path), 1, (64, 32))


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pdf", halves(), format="PNG")
    assert left_right(first(path), RED, BLUE)
    (tmp_path / "y.png").write_bytes(b"\n" * 100 + sheets((72, 72)))
    assert first(tmp_path / "y.png").size == (200, 200)


def test_an_image_that_mentions_pdf_is_an_image(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.jpg", halves(), comment=b"made from a %PDF-1.7", quality=95)
    assert b"%PDF-1.7" in path.read_bytes()[:1024]
    assert left_right(first(path), RED, BLUE, off=8)
    bomb = png(30000, 30000, data=zlib.compress(b"%PDF-1.7"))
    assert "is too large: 900000000 pixels" in complaint(lambda: pages(bomb[:41] + b"%PDF" + bomb[41:]))


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".mpo"])
def test_only_the_first_frame_of_animations(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"x{suffix}", halves(), save_all=True, append_images=[halves(left=GREEN)])
    assert len(pages(path)) == 1
    assert left_right(first(path), RED, BLUE, off=8)


def test_every_page_of_a_tiff(tmp_path: Path) -> None:
    frames = [halves(left=RED), halves("L", 0, 255), halves("1", 1, 0), halves("CMYK", (0, 255, 255, 0), (0, 0, 0, 0))]
    path = saved(tmp_path / "x.tif", frames[0], save_all=True, append_images=frames[1:])
    book = pages(path)
    assert len(book) == 4
    first_page, second, third, fourth = book
    assert left_right(first_page.image, RED, BLUE)
    assert left_right(second.image, BLACK, WHITE)
    assert left_right(third.image, WHITE, BLACK)
    assert left_right(fourth.image, RED, WHITE)
    assert [page.number for page in pages(path, select="4,1-2")] == [4, 1, 2]
    assert left_right(next(pages(path, select="3")).image, WHITE, BLACK)


# Pixels


def modes() -> Iterator[tuple[str, Image.Image, Color, Color]]:
    """Images in every mode, and the colours of their halves."""
    clear = halves("RGBA", (255, 0, 0, 0), (0, 0, 255, 255))
    yield "RGBA", clear, WHITE, BLUE
    yield "RGBA half", halves("RGBA", (0, 0, 0, 128), (0, 0, 0, 255)), (127, 127, 127), BLACK
    yield "RGBa", clear.convert("RGBa"), WHITE, BLUE
    yield "RGBX", halves().convert("RGBX"), RED, BLUE
    yield "LA", halves("LA", (0, 0), (0, 255)), WHITE, BLACK
    yield "La", halves("LA", (0, 0), (0, 255)).convert("La"), WHITE, BLACK
    yield "L", halves("L", 0, 200), BLACK, (200, 200, 200)
    yield "1", halves("1", 1, 0), WHITE, BLACK
    yield "CMYK", halves("CMYK", (0, 255, 255, 0), (255, 255, 0, 0)), RED, BLUE
    yield "YCbCr", halves().convert("YCbCr"), RED, BLUE
    yield "HSV", halves().convert("HSV"), RED, BLUE
    palette = halves().convert("P", palette=Image.Palette.ADAPTIVE)
    yield "P", palette, RED, BLUE
    yield "PA", palette.convert("PA"), RED, BLUE
    see_through = palette.copy()
    see_through.info["transparency"] = palette.getpixel((0, 0))
    yield "P and transparency", see_through, WHITE, BLUE
    yield (
        "LAB",
        Image.merge("LAB", [halves("L", 138, 255), halves("L", 209, 128), halves("L", 198, 128)]),
        (251, 5, 4),
        WHITE,
    )


@pytest.mark.parametrize(("image", "left", "right"), [pytest.param(*case[1:], id=case[0]) for case in modes()])
def test_modes(image: Image.Image, left: Color, right: Color) -> None:
    before = image.mode, image.tobytes()
    (page,) = pages(image)
    assert left_right(page.image, left, right)
    assert (page.origin, page.number) == ("", 1)
    assert (image.mode, image.tobytes()) == before


@pytest.mark.parametrize(
    ("name", "mode", "left", "right"),
    [
        ("x.png", "RGBA", (255, 0, 0, 0), (0, 0, 255, 255)),
        ("x.webp", "RGBA", (255, 0, 0, 0), (0, 0, 255, 255)),
        ("x.tif", "RGBA", (255, 0, 0, 0), (0, 0, 255, 255)),
        ("x.gif", "RGBA", (255, 0, 0, 0), (0, 0, 255, 255)),
    ],
)
def test_transparent_files_are_white(tmp_path: Path, name: str, mode: str, left: object, right: object) -> None:
    path = saved(tmp_path / name, halves(mode, left, right))
    assert left_right(first(path), WHITE, BLUE)


def test_transparent_colour_of_a_png(tmp_path: Path) -> None:
    assert left_right(first(saved(tmp_path / "rgb.png", halves(), transparency=RED)), WHITE, BLUE)
    assert left_right(first(saved(tmp_path / "l.png", halves("L", 7, 9), transparency=7)), WHITE, (9, 9, 9))
    palette = halves().convert("P", palette=Image.Palette.ADAPTIVE)
    alphas = bytes(0 if index == palette.getpixel((0, 0)) else 255 for index in range(256))
    assert left_right(first(saved(tmp_path / "p.png", palette, transparency=alphas)), WHITE, BLUE)


def test_cmyk_jpeg_is_not_inverted(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.jpg", halves("CMYK", (0, 255, 255, 0), (0, 0, 0, 0)), quality=95)
    assert left_right(first(path), RED, WHITE, off=8)


@pytest.mark.parametrize(
    ("kind", "values", "grays"),
    [
        (np.uint16, (0, 65535), (0, 255)),
        (np.uint16, (257 * 100, 65535), (100, 255)),
        (np.uint16, (16 * 100, 4095), (100, 255)),
        (np.uint16, (100, 200), (100, 200)),
        (np.uint16, (0, 0), (0, 0)),
        (np.int32, (257 * 100, 65535), (100, 255)),
        (np.int32, (-1000, 1000), (0, 255)),
        (np.int32, (70000, 70000), (0, 0)),
        (np.float32, (0.5, 1.0), (128, 255)),
        (np.float32, (-5.0, 1e9), (0, 255)),
        (np.float32, (100.0, 255.0), (100, 255)),
        (np.float32, (float("nan"), float("inf")), (0, 0)),
        (np.float32, (float("nan"), 1.0), (255, 255)),
    ],
)
def test_deep_grays(tmp_path: Path, kind: type, values: tuple[float, float], grays: tuple[int, int]) -> None:
    image = Image.fromarray(np.repeat(np.array([values], kind), 32, 1).repeat(32, 0))
    left, right = ((gray,) * 3 for gray in grays)
    assert left_right(first(image), left, right, off=1)
    assert left_right(first(saved(tmp_path / "x.tif", image)), left, right, off=1)
    if kind is np.uint16:
        assert left_right(first(saved(tmp_path / "x.png", image)), left, right, off=1)
        swapped = Image.frombytes("I;16B", image.size, np.asarray(image).byteswap().tobytes())
        assert left_right(first(swapped), left, right, off=1)


def test_deep_rgb_png(tmp_path: Path) -> None:
    rows = (b"\0" + struct.pack(">6H", 65535, 0, 0, 0, 0, 65535)) * 2
    (tmp_path / "x.png").write_bytes(png(2, 2, depth=16, color=2, data=zlib.compress(rows)))
    image = first(tmp_path / "x.png")
    assert (image.getpixel((0, 0)), image.getpixel((1, 1))) == (RED, BLUE)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1)])
def test_tiny_and_blank(size: tuple[int, int]) -> None:
    image = first(Image.new("L", size, 255))
    assert image.size == size
    assert image.getcolors() == [(size[0] * size[1], WHITE)]


# What files say about themselves


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    corners = [(RED, GREEN), (BLUE, BLACK)]
    upright = Image.fromarray(np.array(corners, np.uint8).repeat(16, 0).repeat(32, 1))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's Transpose values, each the inverse of the turn
    turned = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    page = first(saved(tmp_path / f"x{suffix}", turned, exif=exif, dpi=(100, 200), **lossless))
    assert page.size == (64, 32)
    assert near(page, (8, 8), RED, 8) and near(page, (56, 8), GREEN, 8) and near(page, (8, 24), BLUE, 8)
    assert "exif" not in page.info
    if suffix in {".jpg", ".png"}:
        assert page.info["dpi"] == pytest.approx((100, 200) if orientation < 5 else (200, 100), abs=0.1)


def test_damaged_exif_is_no_reason_to_stop(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0131] = "software with quite a long name"
    whole_exif = exif.tobytes()
    for number, data in enumerate([b"Exif\0\0nonsense", whole_exif[:-20], b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]):
        path = saved(tmp_path / f"{number}.jpg", halves(), exif=data, quality=95)
        assert first(path).size in {(64, 32), (32, 64)}
    assert first(tmp_path / "1.jpg").size == (32, 64)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_dpi_is_kept(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"x{suffix}", halves(), dpi=(150, 150))
    assert first(path).info == {"dpi": pytest.approx((150, 150), abs=0.1)}


@pytest.mark.parametrize("dpi", [None, (0, 0), (72,), ("a", "b"), (float("nan"), 1), 72])
def test_nonsense_dpi_is_dropped(dpi: object) -> None:
    image = halves()
    image.info = {"dpi": dpi, "exif": b"", "comment": "x"}
    assert first(image).info == {}


# PDF


def test_pdf_pages_have_the_size_dpi_says(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sheets((72, 144), (144, 72)))
    one, two = pages(tmp_path / "x.pdf", dpi=100)
    assert (one.image.size, two.image.size) == ((100, 200), (200, 100))
    assert (one.number, two.number) == (1, 2)
    assert one.image.info["dpi"] == pytest.approx((100, 100))
    assert one.image.getcolors() == [(20000, WHITE)]


def test_pdf_colours_and_rotation(tmp_path: Path) -> None:
    content = "1 0 0 rg 0 0 36 72 re f 0 0 1 rg 36 0 36 72 re f"
    box = "/MediaBox[0 0 72 72]"
    (tmp_path / "x.pdf").write_bytes(pdf(box, box + "/Rotate 90", box + "/Rotate 180", content=content))
    straight, quarter, half = (page.image for page in pages(tmp_path / "x.pdf", dpi=72))
    assert left_right(straight, RED, BLUE)
    assert near(quarter, (36, 18), RED) and near(quarter, (36, 54), BLUE)
    assert left_right(half, BLUE, RED)


def test_filled_in_form_fields_are_drawn() -> None:
    field = (
        "20 0 obj <</Type/Annot/Subtype/Widget/FT/Tx/T(a)/V(b)/F 4/Rect[0 0 36 72]/AP<</N 21 0 R>>>> endobj\n"
        "21 0 obj <</Type/XObject/Subtype/Form/BBox[0 0 36 72]/Length 23>> stream\n"
        "1 0 0 rg 0 0 36 72 re f\nendstream endobj\n"
        "3 0 obj <</Fields[20 0 R]>> endobj\n"
    )
    assert left_right(first(pdf("/MediaBox[0 0 72 72]/Annots[20 0 R]", more=field)), RED, WHITE)


@pytest.mark.parametrize(
    ("size", "dpi", "drawn"),
    [
        ((841.89, 595.28), 200, 200),
        ((14173, 14173), 200, 17.6),
        ((612, 14400), 200, 84),
        ((14400, 3), 200, 150),
        ((0.001, 14400), 200, 150),
        ((0.1, 0.1), 200, 200),
        ((612, 792), 2400, 358.2),
    ],
)
def test_no_pdf_page_is_too_large_or_too_small(size: tuple[float, float], dpi: int, drawn: float) -> None:
    (page,) = pages(sheets(size), dpi=dpi)
    width, height = page.image.size
    assert 1 <= min(width, height) <= max(width, height) <= files.LONGEST
    assert (width - 1) * (height - 1) <= files.MOST_PIXELS
    assert page.image.info["dpi"] == pytest.approx((drawn, drawn), rel=1e-3)


def test_a_pdf_page_without_area() -> None:
    data = pdf("/MediaBox[0 0 72 72]/CropBox[100 100 200 200]")
    assert complaint(lambda: first(data)).startswith("the input can't be read: a page without area; expected PNG")


def test_pages_are_drawn_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    render = pdfium.PdfPage.render

    def counted(page: pdfium.PdfPage, **options: float) -> pdfium.PdfBitmap:
        drawn.append(page.get_width())
        return render(page, **options)

    monkeypatch.setattr(pdfium.PdfPage, "render", counted)
    book = pages(sheets(*((100 + number, 50) for number in range(1, 101))), select="7-9,90-", dpi=20)
    assert len(book) == 14
    assert drawn == []
    assert next(book).number == 7
    assert drawn == [107]
    assert [page.number for page in book] == [8, 9, *range(90, 101)]
    assert drawn == [107, 108, 109, *range(190, 201)]
    assert len(book) == 14


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is measured as Linux tells it")
def test_memory_stays_flat_over_many_pages(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (500, 500), np.uint8)
    image = Image.fromarray(noise)
    image.save(tmp_path / "x.pdf", save_all=True, append_images=[image] * 199)
    assert (tmp_path / "x.pdf").stat().st_size > 20e6

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    sizes = [resident() for _ in pages(tmp_path / "x.pdf", dpi=72)]
    assert len(sizes) == 200
    assert max(sizes) - sizes[files.REOPENED] < 8e6


def test_the_file_is_closed_at_the_end_and_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sheets((72, 72), (72, 72)))

    def opened() -> int:
        links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        return sum(os.path.realpath(link) == str(tmp_path / "x.pdf") for link in links)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("open files are counted as Linux lists them")
    book = pages(tmp_path / "x.pdf", dpi=20)
    assert opened() == 1
    list(book)
    assert opened() == 0
    for _ in pages(tmp_path / "x.pdf", dpi=20):
        assert opened() == 1
        break
    assert opened() == 0
    len(pages(tmp_path / "x.pdf"))
    assert opened() == 0
    with contextlib.closing(pages(tmp_path / "x.pdf")) as book:
        next(book)
    assert (opened(), list(book)) == (0, [])
    complaint(lambda: pages(tmp_path / "x.pdf", select="3"))
    assert opened() == 0


def test_threads(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sheets(*((72, 72),) * 40))
    saved(tmp_path / "x.tif", halves(), save_all=True, append_images=[halves()] * 39)
    counts: list[int] = []
    before = list(warnings.filters)

    def read(path: Path) -> None:
        counts.append(sum(page.image.mode == "RGB" for page in pages(path, dpi=20)))

    threads = [threading.Thread(target=read, args=(tmp_path / name,)) for name in ["x.pdf", "x.tif"] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [40] * 6
    assert warnings.filters == before


def test_one_thread_at_a_time_is_in_pdfium() -> None:
    """And threads go on with each other's pages half read: nothing is locked between two pages."""
    inside: list[int] = []
    most: list[int] = []

    def call() -> None:
        for _ in pages(sheets((72, 72), (72, 72)), dpi=20):
            with files.in_pdfium(), files.in_pdfium():
                inside.append(1)
                time.sleep(0.001)
                most.append(len(inside))
                inside.pop()

    book = pages(sheets((72, 72), (72, 72)), dpi=20)
    next(book)
    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == [1] * 8
    assert next(book).number == 2


# Sources


def test_bytes_streams_and_strings(tmp_path: Path) -> None:
    data = saved(tmp_path / "x.png", halves()).read_bytes()
    assert left_right(first(data), RED, BLUE)
    assert next(pages(data)).origin == ""
    assert next(pages(str(tmp_path / "x.png"))).origin == str(tmp_path / "x.png")
    for content in (data, sheets((72, 72))):
        stream = io.BytesIO(content)
        stream.seek(5)
        assert len(list(pages(stream))) == 1
        assert not stream.closed


def test_pipes_are_read_whole() -> None:
    reading, writing = os.pipe()
    with open(writing, "wb") as out:
        out.write(sheets((72, 72), (72, 72)))
    with open(reading, "rb", buffering=0) as stream:
        assert len(list(pages(stream))) == 2


def test_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = saved(tmp_path / "x.png", halves()).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    (page,) = pages("-")
    assert (page.origin, left_right(page.image, RED, BLUE)) == ("-", True)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert complaint(lambda: pages("-")).startswith("standard input is empty: expected PNG, ")
    monkeypatch.setattr(sys, "stdin", None)
    assert complaint(lambda: pages("-")) == "standard input is closed: leave it open, or name a file"


def test_endless_input_is_stopped() -> None:
    with open("/dev/zero", "rb") as endless:
        message = complaint(lambda: files._held(endless, "standard input", most=2**22))
    assert message == "standard input is more than 0.00390625 GiB: save it as a file first"


# Bad input


@pytest.mark.parametrize("seekable", [True, False])
def test_a_medium_that_fails(seekable: bool) -> None:
    class Failing(io.BytesIO):
        def seekable(self) -> bool:
            return seekable

        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    message = complaint(lambda: pages(Failing(), origin="disk/a.png"))
    assert message.startswith("disk/a.png can't be read: ") and "Input/output error" in message


@pytest.mark.parametrize("source", [np.zeros((4, 4, 3), np.uint8), None, 5])
def test_what_is_no_source(source: object) -> None:
    message = complaint(lambda: pages(source))  # type: ignore[arg-type]
    assert message.startswith(f"the input is of type {type(source).__name__}: expected a path, bytes, ")


def png(width: int, height: int, depth: int = 1, color: int = 0, data: bytes = b"") -> bytes:
    """A PNG by hand."""
    chunks = [(b"IHDR", struct.pack(">2I5B", width, height, depth, color, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def test_what_is_not_there(tmp_path: Path) -> None:
    assert (
        complaint(lambda: pages(tmp_path / "no.png")) == f"{tmp_path}/no.png doesn't exist: expected a file or folder"
    )
    assert complaint(lambda: pages(tmp_path)).startswith(f"{tmp_path} is a folder: expected a file")
    assert "can't be opened: Not a directory" in complaint(lambda: pages(saved(tmp_path / "a.png", halves()) / "b.png"))
    assert "can't be opened: embedded null" in complaint(lambda: pages("a\0b"))
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert "can't be opened: Too many levels" in complaint(lambda: pages(tmp_path / "loop.png"))


@pytest.mark.parametrize(
    "content", [b"Dear reader", b"\0" * 100, b"<svg/>", b"%!PS-Adobe-3.0", b"\x89PNG\r\n\x1a\n", b"BM"]
)
def test_what_is_no_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    assert complaint(lambda: pages(tmp_path / "x.png")) == (
        f"{tmp_path}/x.png is not an image or PDF that can be read: "
        "expected PNG, JPEG, WebP, BMP, GIF, TIFF, PPM or PDF"
    )


@pytest.mark.parametrize("suffix", [".ico", ".tga", ".pcx", ".eps", ".jp2"])
def test_other_formats_are_refused(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"x{suffix}", halves())
    assert "expected PNG, JPEG, WebP, BMP, GIF, TIFF, PPM or PDF" in complaint(lambda: list(pages(path)))


def test_empty_input(tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    assert complaint(lambda: pages(tmp_path / "x.png")).startswith(f"{tmp_path}/x.png is empty: expected PNG")
    assert complaint(lambda: pages(b"")).startswith("the input is empty: expected PNG")
    assert "an image without pixels" in complaint(lambda: first(Image.new("RGB", (0, 5))))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif", ".bmp", ".ppm", ".tif"])
@pytest.mark.parametrize("kept", [0.3, 0.6])
def test_truncated_images(tmp_path: Path, suffix: str, kept: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    path = saved(tmp_path / f"x{suffix}", noise)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    message = complaint(lambda: list(pages(path)))
    assert message.startswith(f"{path} ")
    assert "expected PNG, JPEG" in message


def test_decompression_bombs(tmp_path: Path) -> None:
    for side, pixels in ((30000, "900000000 pixels"), (10000, "100000000 pixels")):
        (tmp_path / "x.png").write_bytes(png(side, side, data=zlib.compress(b"\0" * 9999)))
        message = complaint(lambda: pages(tmp_path / "x.png"))
        assert message == f"{tmp_path}/x.png is too large: {pixels} is more than 89 megapixels; scale it down"


def test_a_bomb_on_the_second_page_of_a_tiff(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.tif", halves(), save_all=True, append_images=[halves(size=(66, 32))])
    width = struct.pack("<HHIHH", 256, 4, 1, 66, 0)
    short = struct.pack("<HHIHH", 256, 3, 1, 66, 0)
    data = path.read_bytes()
    assert data.count(width) + data.count(short) == 1
    huge = struct.pack("<HHII", 256, 4, 1, 66_000_000)
    path.write_bytes(data.replace(width, huge).replace(short, huge))
    book = pages(path)
    assert next(book).number == 1
    assert f"{path}, page 2, is too large" in complaint(lambda: next(book))


ENCRYPTION = (
    "5 0 obj <</Filter/Standard/Length 40/V 1/R 2/P -12"
    "/O<853fee3f6550fc3bc212797eaed99cc9be53347583a738e25fdfb1242bf93366>"
    "/U<d233a934f8a794e352f70550015850f781b97a386736c78724ffbb51bebc0b59>>> endobj\n"
)
ENCRYPTED = pdf(
    "/MediaBox[0 0 72 72]",
    more=ENCRYPTION,
    trailer="/Encrypt 5 0 R/ID[<31415926535897932384626433832795><31415926535897932384626433832795>]",
)


def test_encrypted_pdf(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(ENCRYPTED)
    assert complaint(lambda: pages(tmp_path / "x.pdf")) == (
        f"{tmp_path}/x.pdf needs a password: remove it first, e.g. with qpdf --decrypt"
    )
    pdfium.PdfDocument(ENCRYPTED, password="u").close()


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.7\n" + b"\xff" * 5000, sheets((72, 72))[:60]])
def test_damaged_pdf(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pdf").write_bytes(content)
    message = complaint(lambda: pages(tmp_path / "x.pdf"))
    assert message.startswith(f"{tmp_path}/x.pdf can't be read: Failed to load document")


def test_pdf_without_pages() -> None:
    for before in (ENCRYPTED, b"%PDF-1.7", sheets((72, 72))):  # pdfium mixes up their errors
        with contextlib.suppress(BadInput):
            pages(before)
        assert complaint(lambda: pages(sheets())) == "the input has no pages: expected at least one"


def test_a_damaged_page_does_not_stop_the_others() -> None:
    data = pdf(*["/MediaBox[0 0 72 72]"] * 3).replace(b"11 0 R", b"77 0 R")
    book = pages(data)
    assert (len(book), next(book).number) == (3, 1)
    assert complaint(lambda: next(book)).startswith("the input, page 2, can't be read: Failed to load page; expected")
    assert [page.number for page in book] == [3]


def test_pdf_with_a_broken_xref_is_mended() -> None:
    data = sheets((72, 72), (72, 72))
    assert len(list(pages(data[: data.rindex(b"startxref")] + b"startxref\n99999\n%%EOF"))) == 2


@pytest.mark.parametrize("dpi", [0, -1])
def test_nonsense_dpi(dpi: int) -> None:
    assert complaint(lambda: pages(halves(), dpi=dpi)).startswith(f"dpi={dpi}: expected a whole number from 1 on")


def test_damage_anywhere_is_bad_input_or_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    exif = Image.Exif()
    exif[0x0112] = 6
    samples = [pdf("/MediaBox[0 0 72 72]", content="1 0 0 rg 0 0 36 72 re f"), sheets((72, 72))]
    for suffix in (".png", ".jpg", ".webp", ".gif", ".bmp", ".ppm", ".tif"):
        samples.append(saved(tmp_path / f"x{suffix}", halves(), exif=exif).read_bytes())
    for data in samples * 20:
        spoiled = np.frombuffer(data, np.uint8).copy()
        spoiled[rng.integers(0, len(data), 6)] = rng.integers(0, 256, 6)
        with contextlib.suppress(BadInput):
            assert all(page.image.mode == "RGB" for page in pages(spoiled.tobytes(), dpi=20))


# Page selections


@pytest.mark.parametrize(
    ("select", "numbers"),
    [
        ("1", [1]),
        ("2-5,9", [2, 3, 4, 5, 9]),
        ("3-", [3, 4, 5, 6, 7, 8, 9]),
        ("-4", [1, 2, 3, 4]),
        (" 9 , 1 - 2 ", [9, 1, 2]),
        ("9-9", [9]),
        ("2,2", [2, 2]),
        ("09", [9]),
    ],
)
def test_selections(select: str, numbers: list[int]) -> None:
    assert parse_pages(select, 9, "x.pdf") == numbers


@pytest.mark.parametrize("select", ["", " ", "-", "a", "1,", ",1", "1-2-3", "1..3", "1.5", "--2", "²", "٣", "1" * 5000])
def test_nonsense_selections(select: str) -> None:
    assert "is no page or range; expected e.g. 2-5,9 or 3- or -4" in complaint(lambda: parse_pages(select, 9, "x.pdf"))


@pytest.mark.parametrize("select", ["0", "0-3", "-0", "5-2", "1,0"])
def test_empty_selections(select: str) -> None:
    assert "pages count from 1, and ranges go upwards" in complaint(lambda: parse_pages(select, 9, "x.pdf"))


@pytest.mark.parametrize(("select", "page"), [("9", 9), ("1-9", 9), ("9-", 9), ("-9", 9), ("1-999999999", 999999999)])
def test_selections_past_the_end(select: str, page: int) -> None:
    assert complaint(lambda: parse_pages(select, 2, "doc.pdf")) == f"doc.pdf has 2 pages; page {page} was asked for"


def test_selection_of_a_single_image() -> None:
    assert [page.number for page in pages(halves(), select="1")] == [1]
    assert complaint(lambda: pages(halves(), select="2")) == "the input has 1 page; page 2 was asked for"


# Folders


def test_folders_in_natural_order(tmp_path: Path) -> None:
    names = "10.png 2.PNG 1.jpeg notes.txt .hidden.png .git/x.png b/3.tif B2/x.pdf b10/y.gif a/deep/er/z.webp"
    for name in names.split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "gone.png").symlink_to("nowhere")
    (tmp_path / "round").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in find([tmp_path])]
    expected = "1.jpeg 2.PNG 10.png a/deep/er/z.webp b/3.tif B2/x.pdf b10/y.gif gone.png"
    assert found == expected.split()
    assert list(find([tmp_path / "round" / "b"])) == [tmp_path / "round" / "b" / "3.tif"]


def test_inputs_pass_through(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "x.png").mkdir()
    inputs = ["-", str(tmp_path / "notes.txt"), tmp_path / "missing.png", str(tmp_path / "x.png"), Path("-")]
    found = list(find(inputs))
    assert found == ["-", tmp_path / "notes.txt", tmp_path / "missing.png", tmp_path / "x.png", Path("-")]
    assert "doesn't exist" in complaint(lambda: pages(found[2]))
    assert "is a folder" in complaint(lambda: pages(found[3]))
    assert "doesn't exist" in complaint(lambda: pages(found[4]))


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(files._below(tmp_path / "vanished")) == [tmp_path / "vanished"]

    def refused(path: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "scandir", refused)  # the superuser, who may run this, is never refused
    assert complaint(lambda: pages(tmp_path)) == (
        f"{tmp_path} is a folder that can't be listed (Permission denied): make it readable"
    )


# Writing


def test_whole_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    for content in (b"one", b"two"):
        with whole(path) as file:
            file.write(content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["x.txt"]
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_whole_follows_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("x.txt")
    with whole(str(tmp_path / "link")) as file:
        file.write(b"one")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "x.txt").read_bytes() == b"one"


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyboardInterrupt(), FileNotFoundError(2, "no", "other"), OSError("x")]
)
def test_after_an_error_all_is_as_before(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"old")
    with pytest.raises(type(error)) as caught, whole(path) as file:
        file.write(b"new")
        raise error
    assert caught.value is error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_a_full_disk(tmp_path: Path) -> None:
    def fill() -> None:
        with whole(tmp_path / "x.txt"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert complaint(fill, BadOutput).startswith(
        f"{tmp_path}/x.txt can't be written (No space left on device): expected"
    )
    assert os.listdir(tmp_path) == []


def test_unwritable_places(tmp_path: Path) -> None:
    def write(path: Path) -> str:
        def attempt() -> None:
            with whole(path) as file:
                file.write(b"x")

        return complaint(attempt, BadOutput)

    (tmp_path / "file").touch()
    no_folder = tmp_path / "no" / "x.txt"
    assert write(no_folder).startswith(f"{no_folder} can't be written (No such file or directory): expected a folder")
    assert "(Not a directory)" in write(tmp_path / "file" / "x.txt")
    assert write(tmp_path) == f"{tmp_path} is a folder or a device: expected the name of a file"
    assert "is a folder or a device" in write(Path("/dev/null"))
    assert "can't be written" in write(Path("/proc/x.txt"))
    assert "(File name too long)" in write(tmp_path / ("x" * 300))
    assert os.listdir(tmp_path) == ["file"]
