"""What the encoder is shown: against the reference library's own views, and the rule of tiles against brute force."""

import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageColor, ImageDraw, ImageFont, ImageOps
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import (
    GotOcr2ImageProcessorPil,
    get_optimal_tiled_canvas,
)

from ocr2.data.corpus import Corpus
from ocr2.data.synth import Synth
from ocr2.errors import BadPrompt
from ocr2.got.config import PRESETS, EncoderConfig
from ocr2.got.views import grid, inked, look, shown, smallest_type
from ocr2.types import Box, Prompt

SQUARE = EncoderConfig(side=128)
NANO = PRESETS["nano"].encoder
SAME = replace(NANO, enlarged=1.0)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A page without two equal neighbours: no pixel can be misplaced unseen."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def reference(image: Image.Image, side: int, tiles: int = 0) -> np.ndarray:
    """The views of the reference library's image processor, before it normalises their colours."""
    size = {"height": side, "width": side}
    options = {"crop_to_patches": tiles > 0, "max_patches": tiles, "do_rescale": False, "do_normalize": False}
    return np.stack(GotOcr2ImageProcessorPil(size=size)(image, **options)["pixel_values"])


SIZES = [(128, 128), (300, 200), (37, 411), (640, 63), (129, 127), (1, 1)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_square_view_is_the_reference_librarys(size: tuple[int, int]) -> None:
    (view,) = look([noise(*size)], Prompt(), SQUARE)
    assert (view.shape, view.dtype) == ((3, 128, 128), np.uint8)
    assert (view == reference(noise(*size), 128)[0]).all()


@pytest.mark.parametrize("most", [2, 6, 12])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_tiles_are_the_reference_librarys(size: tuple[int, int], most: int) -> None:
    views = look([noise(*size)], Prompt(tiles=most), SQUARE)
    expected = reference(noise(*size), 128, most)
    assert len(views) == len(expected)
    assert (np.stack(views) == expected).all()


def test_tiles_go_row_by_row_and_the_whole_page_comes_last() -> None:
    page = Image.new("RGB", (384, 256))
    colors = ["red", "green", "blue", "white", "gray", "yellow"]
    for n, color in enumerate(colors):
        page.paste(color, (n % 3 * 128, n // 3 * 128, n % 3 * 128 + 128, n // 3 * 128 + 128))
    for config in (SQUARE, EncoderConfig(side=128, square=False, positions="rotary")):
        *tiles, whole = look([page], Prompt(tiles=6), config)
        assert len(tiles) == 6
        for tile, color in zip(tiles, colors, strict=True):
            assert (tile.transpose(1, 2, 0) == ImageColor.getrgb(color)).all()
        assert (whole == look([page], Prompt(), config)[0]).all()


def test_one_tile_is_the_page_itself() -> None:
    for most, size in ((1, (500, 100)), (12, (100, 100))):
        views = look([noise(*size)], Prompt(tiles=most), SQUARE)
        assert (np.stack(views) == look([noise(*size)], Prompt(), SQUARE)).all()


def test_a_view_for_each_page() -> None:
    pages = [noise(200, 100, 1), noise(100, 200, 2)]
    expected = [look([page], Prompt(), SQUARE)[0] for page in pages]
    assert (np.stack(look(pages, Prompt(pages=2), SQUARE)) == np.stack(expected)).all()
    for count, asked in ((2, 1), (0, 1), (2, 3)):
        with pytest.raises(BadPrompt, match=f"{count} images for a prompt about {asked} pages: give one image a page"):
            look(pages[:count], Prompt(pages=asked), SQUARE)


@pytest.mark.parametrize("config", [SQUARE, NANO], ids=["square", "fitted"])
@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA"])
def test_other_modes_become_rgb(mode: str, config: EncoderConfig) -> None:
    page = noise(900, 500).convert(mode)
    for prompt in (Prompt(), Prompt(tiles=4)):
        both = zip(look([page], prompt, config), look([page.convert("RGB")], prompt, config), strict=True)
        assert all((view == same).all() for view, same in both)


@pytest.mark.parametrize(
    ("size", "ink", "view"),
    [
        ((200, 30), (200, 30), (256, 64)),
        ((64, 128), (64, 128), (64, 128)),
        ((65, 1), (65, 1), (128, 64)),
        ((1024, 1024), (1024, 1024), (1024, 1024)),
        ((2480, 3508), (724, 1024), (768, 1024)),
        ((20000, 30), (1024, 2), (1024, 64)),
        ((3, 30000), (1, 1024), (64, 1024)),
    ],
    ids=str,
)
def test_a_fitted_view(size: tuple[int, int], ink: tuple[int, int], view: tuple[int, int]) -> None:
    (made,) = look([Image.new("RGB", size)], Prompt(), NANO)
    expected = Image.new("RGB", view, "white")
    expected.paste("black", (0, 0, *ink))
    assert (made == np.asarray(expected).transpose(2, 0, 1)).all()
    assert NANO.tokens(*made.shape[1:]) == view[0] * view[1] / 64**2


def lettered(*parts: tuple[str, int], size: tuple[int, int] = (900, 1000)) -> Image.Image:
    """Texts, each in type of a size, below each other."""
    page, y = Image.new("L", size, 250), 20
    pen = ImageDraw.Draw(page)
    for text, high in parts:
        pen.multiline_text((20, y), text, 20, ImageFont.load_default(high))
        y += round(1.4 * high * (1 + text.count("\n")))
    return page


LARGE = "\n".join(["The quick brown fox jumps over", "a lazy dog, every now and then;"] * 10)


def test_a_page_in_large_type_is_shown_smaller() -> None:
    page = lettered((LARGE, 32))
    (view,) = look([page], Prompt(), NANO)
    assert 0.9 * 512 * 512 <= view[0].size <= 0.6 * page.width * page.height
    assert (view[0, :, -1] == 250).any()  # no column is for nothing
    assert 14 <= smallest_type(view) <= 24  # as small as pictures become
    (same,) = look([page], Prompt(format=True), NANO)
    assert (same == view).all()
    wide, high = page.size
    (regional,) = look([page], Prompt(box=Box(0, 0, wide, high)), NANO)
    assert regional.size < 0.6 * 3 * wide * high


@pytest.mark.parametrize(
    "page",
    [
        lettered((LARGE, 32), ("See the footnote, in type as small as pages have it.", 11)),
        lettered((LARGE, 13)),
        lettered(*[("word", 32)] * 10),  # as in columns: no line of it is seen as one
        ImageOps.invert(lettered((LARGE, 32))),
        noise(900, 1000),
        Image.new("RGB", (900, 1000)),
    ],
    ids=["small print", "usual type", "no lines", "light on dark", "noise", "black"],
)
def test_other_pages_are_not_made_smaller(page: Image.Image) -> None:
    (view,) = look([page], Prompt(box=Box(0, 0, 9, 9)), NANO)
    assert (view[:, : page.height, : page.width] == np.asarray(page.convert("RGB")).transpose(2, 0, 1)).all()


@pytest.mark.parametrize("kind", ["music", "molecule", "chart", "geometry"])
def test_what_is_no_text_is_not_made_smaller(kind: str) -> None:
    sample = Synth(kind, Corpus(), 1, strength=0)[0]
    page = sample.images[0].resize((1000, 1000))
    (view,) = look([page], Prompt(box=Box(0, 0, 9, 9)), NANO)
    assert view.shape == (3, 1024, 1024)


@pytest.mark.parametrize(
    ("size", "high", "larger"),
    [
        ((400, 100), 20, 2),  # as much as may be
        ((400, 100), 25, 26 / 14),  # up to large type
        ((400, 100), 60, 1),
        ((400, 400), 20, 1.28),  # as far as the picture is a small one
        ((700, 60), 20, 1024 / 700),  # to the side's end
        ((700, 520), 20, 1),
        ((2000, 100), 30, 0.512),
    ],
)
def test_small_type_in_small_pictures_is_enlarged(size: tuple[int, int], high: int, larger: float) -> None:
    page = lettered(("monsoon mason moon sun"[: size[0] // high], high), size=size)
    prompt = Prompt(point=(0, 0))  # nothing is cut off
    ((view, _, scale),), _ = shown([page], prompt, NANO)
    assert scale == pytest.approx((larger, larger), rel=0.03)
    assert max(view.shape[1:]) <= 1024
    (same,) = look([page], prompt, replace(NANO, enlarged=1.0))
    assert (same.shape == view.shape) == (larger <= 1)


def test_a_line_keeps_its_pixels() -> None:
    page = lettered(("The quick brown fox jumps over", 40), size=(700, 80))
    (view,) = look([page], Prompt(box=Box(0, 0, 9, 9)), SAME)
    assert (view[:, :80, :700] == np.asarray(page.convert("RGB")).transpose(2, 0, 1)).all()


def test_a_small_page_is_shown_pixel_by_pixel() -> None:
    (made,) = look([noise(70, 40)], Prompt(), SAME)
    assert (made[:, :40, :70] == np.asarray(noise(70, 40)).transpose(2, 0, 1)).all()


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((1000, 1000), 12, (1, 1)),
        ((1448, 1448), 12, (1, 1)),  # fewer pixels than half of four tiles
        ((1449, 1449), 12, (2, 2)),
        ((2172, 2172), 12, (2, 2)),
        ((2173, 2173), 12, (3, 3)),
        ((2173, 2173), 6, (2, 2)),
        ((1600, 800), 12, (2, 1)),
        ((2896, 1448), 12, (2, 1)),  # fewer pixels than half of eight tiles
        ((2898, 1449), 12, (4, 2)),
        ((2480, 3508), 12, (2, 3)),
        ((2480, 3508), 6, (2, 3)),
        ((2550, 3300), 12, (3, 4)),
        ((3300, 2550), 12, (4, 3)),
        ((3300, 2550), 6, (3, 2)),
        ((1200, 800), 12, (3, 2)),
        ((1500, 1000), 1, (1, 1)),
        ((9000, 100), 12, (12, 1)),
        ((100, 9000), 6, (1, 6)),
        ((300, 200), 2, (1, 1)),  # as near to 1 : 1 as to 2 : 1, with fewer pixels than half of two tiles
        ((3000, 2000), 2, (2, 1)),
        ((2500, 2000), 12, (4, 3)),
    ],
    ids=str,
)
def test_the_grid_of_tiles(size: tuple[int, int], most: int, expected: tuple[int, int]) -> None:
    assert grid(*size, most) == expected


def brute(width: int, height: int, most: int, side: int) -> tuple[int, int]:
    """The same rule by elimination: of the nearest shapes the largest that pays, or the smallest."""
    shapes = [(c, r) for c in range(1, 13) for r in range(1, 13) if c * r <= most]
    away = {shape: abs(width / height - shape[0] / shape[1]) for shape in shapes}
    nearest = [shape for shape in shapes if away[shape] == min(away.values())]
    paying = [(c, r) for c, r in nearest if 2 * width * height > side * side * c * r]
    return max(paying, key=np.prod) if paying else min(nearest, key=np.prod)


def test_the_grid_against_brute_force_and_the_reference_library() -> None:
    rng = random.Random(0)
    sizes = [(rng.randint(1, 6000), rng.randint(1, 6000)) for _ in range(1000)]
    sizes += [
        (columns * unit, rows * unit) for columns in range(1, 9) for rows in range(1, 9) for unit in (64, 500, 901)
    ]
    for width, height in sizes:
        most, side = rng.randint(1, 12), rng.choice([1024, 448])
        expected = get_optimal_tiled_canvas((height, width), (side, side), 1, most)
        assert grid(width, height, most, side) == expected, (width, height, most, side)
        assert brute(width, height, most, side) == expected, (width, height, most, side)


# Empty edges


def printed(colour: str = "white", at: tuple[int, int, int, int] = (400, 300, 900, 500)) -> Image.Image:
    """A page of 1000 × 1600 pixels with rows of print in that box of it."""
    page = Image.new("RGB", (1000, 1600), colour)
    x0, y0, x1, y1 = at
    for top in range(y0, y1, 20):
        page.paste(noise(x1 - x0, 10, top), (x0, top))
    return page


def trimmed(page: Image.Image) -> Image.Image:
    return page.crop(inked(page))


@pytest.mark.parametrize("colour", ["white", "#f2e8d0", "black"])
def test_empty_edges_are_cut_off(colour: str) -> None:
    around = trimmed(printed(colour))
    assert around.size == (500 + 2 * 25, 192 + 2 * 25)  # the last row of print ends at 490, in a square until 492
    assert np.array_equal(around, printed(colour).crop((375, 275, 925, 517)))
    (view,) = look([printed(colour)], Prompt(), SAME)
    assert view.shape == (3, 256, 576)


def test_what_is_at_the_edge_stays() -> None:
    page = printed(at=(0, 0, 1000, 1600))
    assert trimmed(page).size == page.size
    for size in SIZES:
        assert trimmed(noise(*size)).size == size


def test_of_an_empty_page_all_stays_and_specks_are_print() -> None:
    assert trimmed(Image.new("RGB", (1000, 1600), "white")).size == (1000, 1600)
    specked = printed()
    specked.paste((0, 0, 0), (4, 1590, 7, 1593))
    assert trimmed(specked).size == (925, 1600 - 275)
    paper = np.asarray(printed(), np.int16) + np.random.default_rng(0).integers(-16, 16, (1600, 1000, 1))
    assert trimmed(Image.fromarray(paper.clip(0, 255).astype(np.uint8))).size == (550, 242)


def test_where_places_are_told_by_their_share_of_the_page_all_of_it_is_shown() -> None:
    whole = look([printed()], Prompt(box=Box(400, 300, 900, 500)), NANO)[0].shape
    assert whole == look([printed()], Prompt(point=(400, 300)), NANO)[0].shape == (3, 1024, 640)
    assert look([printed()], Prompt(color="red"), SAME)[0].shape == (3, 256, 576)
    assert (look([printed()], Prompt(), SQUARE)[0] == reference(printed(), 128)[0]).all()
