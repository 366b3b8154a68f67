"""Bends go where their marks go, and letters keep their places."""

from __future__ import annotations

from random import Random

import cv2
import numpy as np
import pytest

from ocr2.ppocr import warp


def drawn(rng: Random, height: int, width: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(rng.getrandbits(32))).integers(0, 255, (height, width, 3), np.uint8)


def test_marks_are_followed_to_where_they_go() -> None:
    rng = Random(12)
    before, after = (np.array([complex(rng.uniform(0, 99), rng.uniform(0, 32)) for _ in range(8)]) for _ in range(2))
    assert np.abs(warp.followed(before, before, after) - after).max() < 1e-4


def test_points_between_marks_follow_the_similarity_that_fits_best() -> None:
    """Held against least squares by the book: [x −y 1 0; y x 0 1] · (a, b, u, v), rows weighed by 1 / distance."""
    rng = Random(13)
    before, after = (np.array([complex(rng.uniform(0, 99), rng.uniform(0, 32)) for _ in range(7)]) for _ in range(2))
    points = np.array([complex(rng.uniform(0, 99), rng.uniform(0, 32)) for _ in range(20)])
    ours = warp.followed(points, before, after)

    def rows(z: np.ndarray) -> np.ndarray:
        x, y, one, none = z.real, z.imag, np.ones(len(z)), np.zeros(len(z))
        return np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])

    for point, moved in zip(points, ours, strict=True):
        weights = np.tile(1 / np.abs(point - before), 2)
        aims = np.concatenate([after.real, after.imag])
        fit, *_ = np.linalg.lstsq(rows(before) * weights[:, None], aims * weights, rcond=None)
        x, y = rows(np.array([point])) @ fit
        assert abs(moved - complex(x, y)) < 1e-8


def test_bends_are_done_in_their_order() -> None:
    image = drawn(Random(14), 32, 64)
    shift, mirror = (lambda z: z + 8), (lambda z: 64 - z.conj())  # where points come from
    assert (warp.bent(image, []) == image).all()
    assert (warp.bent(image, [shift])[:, :56] == image[:, 8:]).all()
    assert (warp.bent(image, [shift, mirror])[:, 8:] == image[:, 8:][:, ::-1]).all()
    assert (warp.bent(image, [mirror, shift])[:, :56] == image[:, ::-1][:, 8:]).all()


@pytest.mark.parametrize("size", [(320, 32), (100, 32), (64, 64), (30, 21), (1000, 48)])
def test_bends_stay_near_and_turn_nothing_over(size: tuple[int, int]) -> None:
    """Each pixel comes from somewhere near, and no letter is turned over."""
    width, height = size
    rng = Random(15)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    points = x + 1j * y
    for _ in range(10):
        count = rng.randint(3, 6)
        for bend, along, down in (
            (warp.tia_distorted(width, height, count, rng), height / 3, 0.4 * height),
            (warp.tia_stretched(width, height, count, rng), 0.45 * width / count, 0.1 * height),
            (warp.perspective(width, height, rng), width / 5, 0.55 * height),
        ):
            source = bend(points.ravel()).reshape(points.shape)
            away = source - points
            assert np.abs(away.real).max() <= along + 1
            assert np.abs(away.imag).max() <= down + 1
            assert np.abs(away).max() > 0.2
            right, under = np.diff(source, axis=1)[:-1], np.diff(source, axis=0)[:, :-1]
            assert ((right.conj() * under).imag > 0).mean() > 0.99


def test_points_followed_are_enough() -> None:
    """Following every pixel makes the same picture, but for a level or two."""
    image = cv2.GaussianBlur(drawn(Random(16), 40, 200), (0, 0), 2)
    for seed in range(5):
        rng = Random(seed)
        bends = [
            warp.tia_distorted(200, 40, 4, rng),
            warp.tia_stretched(200, 40, 4, rng),
            warp.perspective(200, 40, rng),
        ]
        fine, coarse = (warp.bent(image, bends, step).astype(int) for step in (1, warp.STEP))
        assert np.abs(fine - coarse).mean() < 1.5
