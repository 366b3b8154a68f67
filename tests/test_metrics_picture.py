"""The likeness of pictures that are drawn here: the same ones moved, larger or paler, and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from ocr2.metrics.picture import SAME, likeness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

WORDS = ("triangle", "circle", "A", "B", "C")


def figure(*without: str, scale: float = 1.0, letters: str = "ABC", moved: float = 0.0, ink: int = 0) -> Pixels:
    """A triangle with its letters and a circle in it, at subpixel places."""
    sheet = np.full((round(400 * scale) + 20, round(600 * scale) + 20), 255, np.uint8)

    def at(x: float, y: float) -> tuple[int, int]:
        return round((x * scale + moved + 10) * 16), round((y * scale + moved + 10) * 16)

    corners = ((60, 350), (540, 350), (220, 60))
    if "triangle" not in without:
        for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
            cv2.line(sheet, at(*start), at(*end), ink, 2, cv2.LINE_AA, 4)
    if "circle" not in without:
        cv2.circle(sheet, at(270, 260), round(70 * scale * 16), ink, 2, cv2.LINE_AA, 4)
    for letter, name, (x, y) in zip(letters, "ABC", ((30, 365), (550, 365), (212, 45)), strict=True):
        if name not in without:
            x, y = (side >> 4 for side in at(x, y))
            cv2.putText(sheet, letter, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8 * scale, ink, 2, cv2.LINE_AA)
    return sheet


def noise(seed: int) -> Pixels:
    """A page of words in no order."""
    rng = np.random.default_rng(seed)
    sheet = np.full((400, 600), 255, np.uint8)
    for _ in range(40):
        place = int(rng.integers(0, 520)), int(rng.integers(20, 400))
        cv2.putText(sheet, "".join(map(chr, rng.integers(97, 123, 5))), place, 0, 0.7, 0, 1, cv2.LINE_AA)
    return sheet


@pytest.mark.parametrize("moved", [0.0, 0.3, 0.5, 0.8, 3.0])
def test_a_picture_is_the_same_wherever_it_stands(moved: float) -> None:
    assert likeness(figure(moved=moved), figure()) >= SAME
    assert likeness(figure(), np.pad(figure(), ((40, 3), (0, 90)), constant_values=255)) == 1


@pytest.mark.parametrize("scale", [0.97, 0.99, 1.01, 1.05])
def test_a_picture_is_the_same_a_little_larger(scale: float) -> None:
    larger = cv2.resize(figure(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else 1)
    assert likeness(np.asarray(larger, np.uint8), figure()) >= SAME


def test_grey_and_coloured_are_the_same_and_so_are_paler_inks() -> None:
    grey = figure()
    assert likeness(grey, np.repeat(grey[..., None], 3, 2)) == 1
    red = np.stack([np.full_like(grey, 255), grey, grey], 2)
    assert likeness(red, grey) == 1
    assert likeness(figure(ink=120), grey) == 1
    _, jpeg = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert likeness(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), np.uint8), grey) >= SAME


@pytest.mark.parametrize("part", WORDS)
def test_a_part_that_is_missing_shows_both_ways(part: str) -> None:
    assert 0.2 < likeness(figure(part), figure()) < 0.6
    assert likeness(figure(part), figure()) == pytest.approx(likeness(figure(), figure(part)))


@pytest.mark.parametrize("letters", ["ABG", "ABO", "AEC", "ADC", "HBC", "ARC"])
def test_a_letter_that_is_wrong_shows(letters: str) -> None:
    assert 0.3 < likeness(figure(letters=letters), figure()) < 0.96


def test_a_line_under_a_pale_area_shows() -> None:
    pale = np.full((200, 300), 255, np.uint8)
    cv2.rectangle(pale, (20, 20), (280, 180), 204, -1)
    outlined = pale.copy()
    cv2.rectangle(outlined, (20, 20), (280, 180), 0, 2)
    assert likeness(pale, outlined) < 0.95


def test_the_more_is_wrong_the_less_alike() -> None:
    found = [likeness(figure(*WORDS[5 - wrong :]), figure()) for wrong in range(5)]
    assert found == sorted(found, reverse=True) and found[0] == 1


def test_other_pictures_have_little_in_common() -> None:
    assert all(likeness(noise(seed), noise(seed + 1)) < 0.2 for seed in range(5))
    assert likeness(figure(), noise(1)) < 0.2


def test_shapes_are_not_bent_into_each_other() -> None:
    def line(x: int, y: int) -> Pixels:
        return np.asarray(cv2.line(np.full((300, 300), 255, np.uint8), (20, 20), (x, y), 0, 2), np.uint8)

    def ellipse(a: int, b: int) -> Pixels:
        sheet = np.full((300, 300), 255, np.uint8)
        return np.asarray(cv2.ellipse(sheet, (150, 150), (a, b), 0, 0, 360, 0, 2, cv2.LINE_AA), np.uint8)

    assert likeness(line(200, 20), line(20, 200)) < 0.2
    assert likeness(line(200, 20), line(110, 20)) < 0.5
    assert likeness(ellipse(100, 100), ellipse(100, 90)) < 0.5
    assert likeness(ellipse(100, 100), ellipse(140, 140)) < 0.2
    assert likeness(ellipse(100, 100), ellipse(104, 104)) >= SAME


def test_blank_pictures_have_a_likeness_too() -> None:
    blank, black = np.full((20, 30), 255, np.uint8), np.zeros((4, 4, 3), np.uint8)
    nothing = np.zeros((0, 7, 3), np.uint8)
    assert likeness(blank, blank) == likeness(blank, nothing) == likeness(nothing, nothing) == 1
    assert likeness(blank, figure()) == likeness(figure(), nothing) == likeness(black, blank) == 0
    assert likeness(black, black) == likeness(black, black[..., 0]) == 1


@pytest.mark.parametrize(("height", "width"), [(6000, 3000), (30, 60000), (60000, 30)])
def test_huge_pictures_are_made_smaller_first(height: int, width: int) -> None:
    sheet = np.full((height, width), 255, np.uint8)
    sheet[height // 3 :, width // 4 : width // 2] = 0
    other = np.full((height, width), 255, np.uint8)
    other[: height // 3, : width // 4] = 0
    assert likeness(sheet, sheet) == 1
    assert likeness(sheet, other) < 0.8
    assert 0 <= likeness(sheet, figure()) < 0.5
