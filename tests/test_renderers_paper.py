"""Paper, light, scanners and cameras: what was legible stays so, and quads move with the ink."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from ocr2.errors import BadInput
from ocr2.renderers import camera, light, paper
from ocr2.types import Box, Line, Quad

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")

SIZES = ((1024, 64), (256, 256), (128, 64), (640, 480))


def quad(x0: float, y0: float, x1: float, y1: float) -> Quad:
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def bars(width: int, height: int) -> tuple[np.ndarray, tuple[Line, ...]]:
    """Ink in solid bars, each of which is a line."""
    ink = np.zeros((height, width), np.uint8)
    boxes = [(6, y, width - 6, y + 12) for y in range(6, height - 16, 20)]
    for x0, y0, x1, y1 in boxes:
        ink[y0:y1, x0:x1] = 255
    return ink, tuple(Line("bar", quad(*box), 1.0) for box in boxes)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_quads_move_with_the_ink(size: tuple[int, int]) -> None:
    for seed in range(30):
        ink, lines = bars(*size)
        turned, moved = paper.tilted(ink, lines, Random(seed), 6, 0.06)
        inside = np.zeros_like(turned)
        for line in moved:
            cv2.fillPoly(inside, [np.rint(np.array(line.place) - 0.5).astype(np.int32)], 255)
            assert min(min(point) for point in line.place) > 0
            assert max(x for x, _ in line.place) < size[0] and max(y for _, y in line.place) < size[1]
        assert not turned[cv2.dilate(inside, np.ones((3, 3))) == 0].any()
        core = cv2.erode(inside, np.ones((5, 5)))
        assert core.any() and turned[core > 0].min() > 200


def test_tilting_tilts_and_depth_deepens() -> None:
    ink, lines = bars(640, 480)
    slopes = []
    for seed in range(40):
        _, moved = paper.tilted(ink, lines, Random(seed), 5, 0)
        (x0, y0), (x1, y1), _, _ = moved[0].place
        slopes.append(np.degrees(np.arctan2(y1 - y0, x1 - x0)))
    assert -5.01 < min(slopes) < -2 and 2 < max(slopes) < 5.01


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_picture_has_its_size_and_its_ink_can_be_seen(size: tuple[int, int]) -> None:
    ink, lines = bars(*size)
    looks = set()
    for seed in range(60):
        image, moved = paper.worn(ink, lines, Random(seed), 16)
        assert image.shape == ink.shape and image.dtype == np.uint8 and len(moved) == len(lines)
        looks.add(image.tobytes())
        assert contrast(image, moved) > 30
    assert len(looks) > 35


def contrast(image: np.ndarray, lines: tuple[Line, ...]) -> float:
    """How much the lines' middles differ from what is around them."""
    boxes = [Box.around(line.place) for line in lines]
    inside = np.zeros(image.shape[:2], np.uint8)
    core = inside.copy()
    for line in lines:
        points = np.rint(np.array(line.place)).astype(np.int32)
        cv2.fillPoly(inside, [points], 1)
        middle = points.mean(axis=0)
        cv2.fillPoly(core, [np.rint((points - middle) * 0.5 + middle).astype(np.int32)], 1)
    assert boxes
    outside = cv2.dilate(inside, np.ones((5, 5))) == 0
    image = image.reshape(*image.shape[:2], -1).astype(float)
    return float(np.abs(image[core > 0].mean(axis=0) - image[outside].mean(axis=0)).max())


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_paint_is_seen_on_its_surface(size: tuple[int, int]) -> None:
    ink, lines = bars(*size)
    for seed in range(60):
        image, moved = paper.painted(ink, lines, Random(seed))
        assert image.shape == (*ink.shape, 3) and image.dtype == np.uint8
        assert contrast(image, moved) > 30


def test_the_same_seed_gives_the_same_bytes() -> None:
    ink, lines = bars(640, 480)
    for seed in range(20):
        for damage in (lambda rng: paper.worn(ink, lines, rng, 16), lambda rng: paper.painted(ink, lines, rng)):
            (one, at), (other, there) = damage(Random(seed)), damage(Random(seed))
            assert np.array_equal(one, other) and at == there


def test_some_are_inverted_and_some_black_and_white() -> None:
    ink, lines = bars(256, 256)
    images = [paper.worn(ink, lines, Random(seed), 16)[0] for seed in range(200)]
    assert any(np.median(image[:4]) < 100 for image in images)
    assert any(set(np.unique(image)) == {0, 255} and not np.array_equal(image, paper.plain(ink)) for image in images)
    assert any(np.array_equal(image, paper.plain(ink)) for image in images)


def test_a_sheet_without_lines_stays_one() -> None:
    ink = np.zeros((64, 128), np.uint8)
    for seed in range(20):
        assert paper.worn(ink, (), Random(seed), 16)[1] == () and paper.painted(ink, (), Random(seed))[1] == ()


def test_pictures_larger_than_the_noise_are_noisy_all_over() -> None:
    image = camera.noisy(np.full((1800, 2000), 128, np.uint8), Random(1), 16)
    assert min(part.std() for part in (image[:64, :64], image[-64:, -64:])) > 10


def colours() -> np.ndarray:
    """Five patches on white: red, green, blue, a pale one, black."""
    image = np.full((240, 320, 3), 255, np.uint8)
    patches = ((220, 40, 40), (40, 160, 60), (40, 80, 200), (250, 220, 150), (0, 0, 0))
    for n, colour in enumerate(patches):
        image[80:160, 20 + 60 * n : 60 + 60 * n] = colour
    return image


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("strength", [0.3, 1.0, 1.5])
def test_what_has_aged_has_its_size_and_its_ink_can_be_seen(size: tuple[int, int], strength: float) -> None:
    ink, lines = bars(*size)
    quads = [line.place for line in lines]
    looks = set()
    for seed in range(40):
        image, moved = paper.aged(paper.plain(ink), Random(seed), strength, quads)
        assert image.shape[:2] == ink.shape and image.dtype == np.uint8 and image.ndim in (2, 3)
        assert len(moved) == len(quads)
        for quad in moved:
            assert min(min(point) for point in quad) > 0
            assert max(x for x, _ in quad) < size[0] and max(y for _, y in quad) < size[1]
        assert contrast(image, tuple(Line("bar", quad, 1.0) for quad in moved)) > 35
        looks.add(image.tobytes())
    assert len(looks) > (25 if strength < 1 else 38)


def test_strength_zero_changes_nothing_and_more_changes_more() -> None:
    ink, lines = bars(256, 256)
    image, quads = paper.plain(ink), tuple(line.place for line in lines)
    for picture in (image, colours()):
        same, at = paper.aged(picture, Random(0), 0, quads)
        assert np.array_equal(same, picture) and at == quads
    changes = []
    for strength in (0.1, 0.4, 1.0):
        drawn = [paper.aged(image, Random(seed), strength)[0] for seed in range(60)]
        grey = [one if one.ndim == 2 else one[..., 1] for one in drawn]
        changes.append(np.mean([np.abs(one.astype(float) - image).mean() for one in grey]))
    assert changes[0] < changes[1] < changes[2]


def test_quads_stay_on_their_ink_as_it_ages() -> None:
    ink, lines = bars(640, 480)
    leaning = 0
    for seed in range(40):
        image, moved = paper.aged(paper.plain(ink), Random(seed), 1.0, [line.place for line in lines])
        leaning += moved[0] != lines[0].place
        dark = image if image.ndim == 2 else image[..., 1]
        inside = np.zeros_like(ink)
        for quad in moved:
            cv2.fillPoly(inside, [np.rint(np.array(quad) - 0.5).astype(np.int32)], 255)
        core, beyond = cv2.erode(inside, np.ones((5, 5))), cv2.dilate(inside, np.ones((5, 5)))
        near = (beyond == 0) & (cv2.dilate(beyond, np.ones((5, 5))) > 0)
        assert dark[core > 0].mean() + 35 < dark[near].mean()
    assert 8 < leaning < 32


def test_a_drawing_without_quads_stays_in_its_picture() -> None:
    image = np.full((80, 400), 255, np.uint8)
    image[4:76, 4:396:28] = 0
    image[4:76, 20:396:28] = 0
    image[4:7, 4:396] = 0
    for seed in range(60):
        turned, _ = paper.aged(image, Random(seed), 1.0, smallest=10)
        edge = np.concatenate([turned[0], turned[-1], turned[:, 0], turned[:, -1]])
        assert edge.reshape(-1, edge.shape[-1] if turned.ndim == 3 else 1).max(axis=1).min() > 60


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_colours_stay_apart(strength: float) -> None:
    names = {"red": 0, "green": 1, "blue": 2}
    for seed in range(50):
        image, _ = paper.aged(colours(), Random(seed), strength, smallest=12)
        assert image.shape == (240, 320, 3)
        middles = [image[105:135, 30 + 60 * n : 50 + 60 * n].reshape(-1, 3).mean(axis=0) for n in range(5)]
        for name, channel in names.items():
            assert middles[channel].argmax() == channel, name
        ground = image[20:60, 20:300].reshape(-1, 3).mean(axis=0)
        assert min(np.abs(one - other).max() for n, one in enumerate(middles) for other in middles[:n]) > 25
        assert np.abs(middles[3] - ground).max() > 12 and np.abs(middles[4] - ground).max() > 60


def test_shades_and_hairlines_are_never_made_black_and_white() -> None:
    shaded, fine = np.full((200, 300), 255, np.uint8), np.full((200, 300), 255, np.uint8)
    shaded[40:160, 40:260] = 190
    shaded[90:110, 60:240] = 0
    fine[40:160:20] = 190
    bold = paper.plain(bars(300, 200)[0])
    black = dict.fromkeys(("shaded", "fine", "bold"), 0)
    for name, image in (("shaded", shaded), ("fine", fine), ("bold", bold)):
        for seed in range(150):
            aged, _ = paper.aged(image, Random(seed), 1.0, smallest=20)
            black[name] += aged.ndim == 2 and set(np.unique(aged)) == {0, 255}
    assert black["bold"] > 2 and black["shaded"] == black["fine"] == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (300, 2), (9, 9), (40, 2000), (24, 24, 3)], ids=str)
def test_any_size_ages(shape: tuple[int, ...]) -> None:
    for seed in range(40):
        image = np.full(shape, 255, np.uint8)
        image[: shape[0] // 2, : shape[1] // 2] = 0
        assert paper.aged(image, Random(seed), 1.0)[0].shape[:2] == shape[:2]


def test_ageing_is_the_same_in_any_process_and_leaves_the_drawing_alone() -> None:
    for image in (paper.plain(bars(640, 480)[0]), colours()):
        kept = image.copy()
        for seed in range(20):
            assert np.array_equal(paper.aged(image, Random(seed))[0], paper.aged(image, Random(seed))[0])
        assert np.array_equal(image, kept)


def test_the_size_of_the_smallest_type_is_measured() -> None:
    measured = []
    for scale in (0.4, 0.8, 1.2):
        image = np.full((120, 700), 255, np.uint8)
        cv2.putText(image, "a man wears some new cars", (10, 80), cv2.FONT_HERSHEY_SIMPLEX, scale, 0, 1, cv2.LINE_AA)
        measured.append(paper.type_size(image))
    assert measured[0] < measured[1] < measured[2] and 8 <= measured[0] <= 18 and 22 <= measured[2] <= 40
    assert paper.type_size(np.full((40, 40, 3), 255, np.uint8)) == 16


def test_photos_of_paper_are_drawn_on(tmp_path: Path) -> None:
    green = np.full((300, 500, 3), (60, 200, 90), np.uint8)
    cv2.imwrite(str(tmp_path / "sheet.png"), green)
    (tmp_path / "notes.txt").write_text("no photo")
    papers = light.Papers(tmp_path)
    sheet = papers.sheet(Random(0))
    assert sheet.shape == (300, 500, 3) and tuple(sheet[0, 0]) == (90, 200, 60)
    image, _ = bars(640, 480)
    on = [paper.aged(paper.plain(image), Random(seed), 1.0, texture=sheet)[0] for seed in range(30)]
    greens = [one for one in on if one.ndim == 3 and np.diff(np.median(one[:4], axis=(0, 1))[[0, 1]])[0] > 40]
    assert 5 < len(greens) < 25


def test_a_dark_photo_is_lit_up() -> None:
    ground = light.photographed(np.full((50, 60, 3), 30, np.uint8), 640, 480, Random(0))
    assert ground.shape == (480, 640, 3) and ground.min() > 200


def test_a_folder_without_photos_and_a_damaged_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no photos of paper"):
        light.Papers(tmp_path)
    with pytest.raises(BadInput, match="can't be listed"):
        light.Papers(tmp_path / "nowhere")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(BadInput, match=r"broken\.jpg can't be read as a photo"):
        light.Papers(tmp_path).sheet(Random(0))
