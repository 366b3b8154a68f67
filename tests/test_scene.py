"""Photos have the texts that the reader is sure of, and no others."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from ocr2.data.scene import KEPT, Scene, rectified
from ocr2.errors import BadInput
from ocr2.types import Line, Page, Prompt, Quad

if TYPE_CHECKING:
    from pathlib import Path

asked: list[int] = []


def quad(x0: float, y0: float, x1: float, y1: float) -> Quad:
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def label(image: Image.Image) -> Page:
    """What is on the photos of these tests: their left upper pixel says which it is."""
    kind = image.convert("RGB").getpixel((0, 0))[0]  # type: ignore[index]
    asked.append(kind)
    lines = {
        10: (Line("below", quad(20, 60, 180, 80), 0.99), Line("right", quad(120, 20, 180, 40), 0.95),
             Line("left", quad(20, 20, 80, 40), 0.97), Line("??", quad(20, 90, 60, 98), 0.4)),
        20: (Line("illegible", quad(20, 20, 180, 40), 0.5),),
        30: (Line("sure", quad(20, 20, 180, 40), 0.99), Line("a long unsure line", quad(20, 60, 180, 80), 0.5)),
        40: (Line("in large type", quad(200, 200, 1800, 400), 0.99), Line("tiny", quad(200, 600, 300, 610), 0.99)),
    }[kind]  # fmt: skip
    return Page(image, lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for kind, size in ((10, (200, 100)), (20, (200, 100)), (30, (200, 100)), (40, (2000, 1000))):
        pixels = np.full((size[1], size[0], 3), (kind, 90, 160), np.uint8)
        pixels[2 * size[1] // 10 : 4 * size[1] // 10, 5:] = (kind, 200, 200)
        Image.fromarray(pixels).save(folder / f"{kind}.png")
    (folder / "paper.pdf").write_bytes(b"%PDF-1.4")
    return folder


def test_texts_are_joined_from_top_to_bottom_and_left_to_right(folder: Path) -> None:
    sample = Scene([folder], label, 1)[0]
    assert sample.text == "left right\n\nbelow" and sample.prompt == Prompt() and sample.images[0].size == (200, 100)
    page = Scene([folder], label, 1).page(0)
    assert page.text == sample.text
    assert (page.lines[0].text, page.lines[0].place[0]) == ("", (20, 90))  # the place of what isn't sure


def test_photos_that_are_not_read_for_sure_are_refused(folder: Path) -> None:
    engine = Scene([folder], label, 1)
    assert len(engine) == 4
    with pytest.raises(BadInput, match=r"20\.png has no text that is read for sure \(1 lines"):
        engine[1]
    with pytest.raises(BadInput, match=r"30\.png: 18 of 22 characters are in doubt"):
        engine[2]
    with pytest.raises(IndexError):
        engine[4]


def test_large_photos_are_made_smaller_and_quads_follow(folder: Path) -> None:
    page = Scene([folder], label, 1).page(3)
    assert page.image.size == (1024, 512) and page.text == "in large type"
    assert page.lines[-1].place == pytest.approx(np.array(quad(102.4, 102.4, 921.6, 204.8)))
    assert [line.text for line in page.lines] == ["", "in large type"]  # five pixels are too low to be read


def test_slices_are_cut_by_their_boxes(folder: Path) -> None:
    engine = Scene([folder], label, 1, "slice")
    assert len(engine) == 16
    found = [engine.page(index) for index in range(3)]
    assert {page.text: page.image.size for page in found} == {"left": (60, 20), "right": (60, 20), "below": (160, 20)}
    with pytest.raises(BadInput, match="has 3 lines that are read for sure: expected 4"):
        engine[3]


def test_slanted_text_is_made_level_and_upright_text_is_turned() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[:, 50:] = (255, 0, 0)
    photo = Image.fromarray(pixels)
    turned = rectified(photo, ((80, 10), (80, 90), (20, 90), (20, 10)))  # text that runs downwards
    assert turned.size == (80, 60)
    assert turned.getpixel((40, 2)) == (255, 0, 0) and turned.getpixel((40, 57)) == (0, 0, 0)
    upright = rectified(photo, quad(40, 10, 60, 90))  # letters below each other
    assert upright.size == (80, 20) and upright.getpixel((40, 2)) == (255, 0, 0)


def test_a_photo_is_labelled_once_and_in_each_process(folder: Path) -> None:
    engine = Scene([folder], label, 1, "slice")
    asked.clear()
    for index in (0, 1, 2, 0, 13, 12, 1):
        if index != 13:
            engine.page(index)
    assert asked == [10, 40]
    again = pickle.loads(pickle.dumps(engine))
    assert again.page(1).image.tobytes() == engine.page(1).image.tobytes() and asked == [10, 40, 10]
    assert again.identity == engine.identity != Scene([folder], label, 2, "slice").identity


def test_no_more_labels_are_kept_than_so_many(tmp_path: Path) -> None:
    for n in range(KEPT + 3):
        Image.new("RGB", (200, 100), (10, n, 0)).save(tmp_path / f"{n}.png")
    engine = Scene([tmp_path], label, 1)
    for index in range(len(engine)):
        engine.page(index)
    assert len(engine._labels) == KEPT


def test_folders_without_photos_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no photos in"):
        Scene([tmp_path], label, 1)
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(BadInput, match=r"a\.png is not an image"):
        Scene([tmp_path], label, 1)[0]
    with pytest.raises(BadInput, match="page, slice"):
        Scene([tmp_path], label, 1, "line")  # type: ignore[arg-type]
