"""Paper, light, scanners and cameras: what was legible stays so, and quads move with the ink."""

from __future__ import annotations

from random import Random

import cv2
import numpy as np
import pytest

from ocr2.renderers import paper
from ocr2.types import Box, Line, Quad

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
    image = paper.noisy(np.full((1800, 2000), 128, np.uint8), Random(1), 16)
    assert min(part.std() for part in (image[:64, :64], image[-64:, -64:])) > 10
