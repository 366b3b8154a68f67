"""Regions of pages for readers that know whole pages only: found on the page, read as parts of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageOps

import ocr2
from ocr2 import region
from ocr2.errors import BadInput, BadPrompt
from ocr2.types import COLORS, Box, Color, Page, Prompt

PAGE = Path(__file__).parent.parent / "examples" / "page.png"


def drawn(*frames: tuple[tuple[int, int, int, int], str, int], size: tuple[int, int] = (200, 160)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for place, color, thick in frames:
        pen.rectangle(place, outline=color, width=thick)
    return image


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("thick", [2, 5])
def test_a_frame_is_found_by_its_color(color: Color, thick: int) -> None:
    pure = {"red": "#ff0000", "green": "#00ff00", "blue": "#0000ff"}
    others = [((5, 5, 195, 20), pure[other], 3) for other in COLORS if other != color]
    image = drawn(*others, ((30, 40, 120, 90), pure[color], thick))
    found = region.framed(image, color)
    assert (found.x0, found.y0, found.x1, found.y1) == (30 + thick, 40 + thick, 121 - thick, 91 - thick)


def test_a_frame_that_was_compressed_or_has_a_gap(tmp_path: Path) -> None:
    image = drawn(((30, 40, 120, 90), "#ff0000", 3))
    ImageDraw.Draw(image).rectangle((70, 38, 80, 44), "white")
    image.save(tmp_path / "x.jpg", quality=60)
    with Image.open(tmp_path / "x.jpg") as opened:
        found = region.framed(opened, "red")
    assert abs(found.x0 - 33) <= 2 and abs(found.y0 - 43) <= 2 and abs(found.x1 - 118) <= 2 and abs(found.y1 - 88) <= 2


def test_the_largest_frame_counts_and_filled_shapes_are_none() -> None:
    image = drawn(((30, 40, 60, 60), "#ff0000", 2), ((80, 50, 150, 100), "#ff0000", 2))
    ImageDraw.Draw(image).rectangle((0, 105, 199, 159), "#ff0000")
    assert region.framed(image, "red").x0 == 82


@pytest.mark.parametrize("corner", range(3))
def test_a_frame_on_a_large_page_with_specks(corner: int) -> None:
    """It is found to the pixel though things are told apart in less; specks of the colour close to it are no sides."""
    image = drawn(((400 + corner, 300 + corner, 900, 700), "#ff0000", 3), size=(4000, 3001))
    image.putpixel((600, 298 + corner), (255, 0, 0))
    found = region.framed(image, "red")
    assert (found.x0, found.y0, found.x1, found.y1) == (403 + corner, 303 + corner, 898, 698)


def test_a_large_page_of_specks_is_looked_at_in_fewer_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """For every thing of the colour takes memory: 22 million of them took 7 GB."""
    looked = []
    real = region.cv2.connectedComponentsWithStats
    monkeypatch.setattr(
        region.cv2, "connectedComponentsWithStats", lambda mask, **how: looked.append(mask.size) or real(mask, **how)
    )
    image = Image.new("P", (4000, 3001), 1)
    image.putpalette([255, 0, 0, 255, 255, 255])
    image.paste(0, (0, 0, 4000, 1))
    with pytest.raises(BadInput, match="no red frame is seen"):
        region.framed(image, "red")
    assert looked == [2000 * 1501]


@pytest.mark.parametrize("image", [drawn(), drawn(((30, 40, 90, 80), "#ff0000", 30)), Image.new("L", (3, 1))])
def test_no_frame(image: Image.Image) -> None:
    with pytest.raises(BadInput, match="no red frame is seen: expected one drawn on the page, in pure red, around"):
        region.framed(image, "red")


def test_places_are_on_the_page() -> None:
    image = Image.new("RGB", (100, 50))
    assert region.find(image, Prompt()) is None
    assert region.find(image, Prompt(point=(99, 49))) is None
    assert region.find(image, Prompt(box=Box(10, 10, 100, 50))) == Box(10, 10, 100, 50)
    for prompt in (Prompt(box=Box(10, 10, 101, 50)), Prompt(point=(10, 51))):
        with pytest.raises(BadPrompt, match="reaches outside the page of 100 × 50 pixels"):
            region.find(image, prompt)


def test_parts_of_a_page_are_read_in_their_places() -> None:
    reader = ocr2.load(threads=1)
    with Image.open(PAGE) as opened:
        image = ImageOps.expand(opened.convert("RGB"), 20, "white")
    lines = reader.answer(Page(image)).lines
    line = lines[3]
    assert line.box
    box = Box(line.box.x0 - 4, line.box.y0 - 2, line.box.x1 + 4, line.box.y1 + 2)
    boxed = reader.answer(Page(image), Prompt(box=box))
    assert boxed.text == line.text and boxed.prompt.box == box
    assert boxed.lines[0].box
    assert all(abs(a - b) < 12 for a, b in zip(_sides(boxed.lines[0].box), _sides(line.box), strict=True))
    middle = (line.box.x0 + line.box.x1) / 2, (line.box.y0 + line.box.y1) / 2
    assert reader.answer(Page(image), Prompt(point=middle)).text == line.text
    assert reader.answer(Page(image), Prompt(point=(0, 0))).text == ""
    ImageDraw.Draw(image).rectangle(_sides(box), outline="#00ff00", width=2)
    assert reader.answer(Page(image), Prompt(color="green")).text == line.text
    with pytest.raises(BadInput, match="the input, page 1: no red frame is seen"):
        reader.answer(Page(image), Prompt(color="red"))


def test_the_smallest_box() -> None:
    reader = ocr2.load(threads=1)
    assert reader.answer(Page(Image.new("RGB", (64, 64), "white")), Prompt(box=Box(3.2, 3.2, 3.4, 3.4))).text == ""


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.x0, box.y0, box.x1, box.y1
