"""A contact sheet shows each sample: its picture, what is asked, and the text."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ocr2.data.sheet import HEIGHT, WIDTH, sheet
from ocr2.types import Box, Prompt, Sample

pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")


def sample(text: str, colour: str = "red", size: tuple[int, int] = (80, 60), prompt: Prompt | None = None) -> Sample:
    prompt = prompt or Prompt(format=True)
    return Sample((Image.new("RGB", size, colour),) * prompt.pages, prompt, text, "formula", "made up")


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    return {colour for count, colour in image.getcolors(1 << 20) if count > 300}


def test_pictures_and_texts_are_there() -> None:
    whole = sheet([sample("one"), sample("two\nthree", "green"), sample("四", "blue")])
    assert whole.width > 4 * WIDTH
    assert {(255, 0, 0), (0, 128, 0), (0, 0, 255)} <= colours(whole)
    for text in ("one!", "two", "five"):
        other = sheet([sample(text), sample("two\nthree", "green"), sample("四", "blue")])
        assert other.tobytes() != whole.tobytes()


def test_large_pictures_and_long_texts_are_cut_down() -> None:
    long = "\n".join(f"line {n} of many" for n in range(400))
    for whole in (sheet([sample(long, size=(3000, 4000))], 1), sheet([sample(long.replace("\n", " "))], 1)):
        assert whole.height <= HEIGHT + 40 and whole.width < 2 * WIDTH + 40


def test_boxes_are_drawn_and_pages_stand_side_by_side() -> None:
    boxed = sheet([sample("x", "white", (400, 300), Prompt(box=Box(20, 30, 200, 100)))], 1)
    assert (255, 0, 255) in colours(boxed)
    two = np.asarray(sheet([sample("x", "red", (100, 100), Prompt(pages=2))], 1))
    assert (two == [255, 0, 0]).all(axis=2).sum() == 2 * 100 * 100
