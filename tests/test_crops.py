"""Two pages make one picture, and both texts its truth."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocr2.data.crops import Crops, stitched
from ocr2.errors import BadInput
from ocr2.types import Box, Prompt, Sample


class Numbered:
    """Endless pages, each of a grey of its own, and of three sizes."""

    identity = "numbered"
    prompt = Prompt()

    def __getitem__(self, index: int) -> Sample:
        size = ((40, 60), (60, 40), (50, 50))[index % 3]
        return Sample((Image.new("L", size, index % 256),), self.prompt, f"page {index}", "text", f"n{index}")


class Few(Numbered):
    def __len__(self) -> int:
        return 7


def test_no_page_comes_twice_and_the_first_is_read_first() -> None:
    seen = []
    for index in range(20):
        sample = Crops.of(Numbered(), 1)[index]
        assert sample.prompt == Prompt(tiles=12) and sample.kind == "text"
        first, second = sample.text.split("\n\n")
        pixels = np.asarray(sample.images[0])
        assert [f"page {pixels[0, 0]}", f"page {pixels[-1, -1]}"] in ([first, second], [first, first], [first, second])
        values = list(dict.fromkeys(pixels.reshape(-1).tolist()))
        assert values == [2 * index, 2 * index + 1] and (first, second) == tuple(f"page {value}" for value in values)
        seen += values
    assert seen == list(range(40))


def test_both_ways_of_stitching_come_up() -> None:
    shapes = {Crops.of(Numbered(), 1)[3 * index].images[0].size for index in range(12)}  # pages 40 × 60 and 60 × 40
    assert shapes == {(100, 60), (60, 100)}


def test_the_smaller_page_is_filled_up_with_its_own_paper() -> None:
    image = stitched(Image.new("L", (10, 10), 200), Image.new("RGB", (20, 30), (255, 0, 0)), beside=True)
    assert image.size == (30, 30) and image.mode == "RGB"
    assert image.getpixel((5, 29)) == (200, 200, 200) and image.getpixel((29, 29)) == (255, 0, 0)


def test_a_finite_engine_makes_half_as_many() -> None:
    crops: Any = Crops.of(Few(), 1)
    assert len(crops) == 3 and crops[2].text == "page 4\n\npage 5"
    assert not hasattr(Crops.of(Numbered(), 1), "__len__")
    again = pickle.loads(pickle.dumps(crops))
    assert len(again) == 3 and again[1].images[0].tobytes() == crops[1].images[0].tobytes()
    assert again.identity == crops.identity != Crops.of(Few(), 2).identity


def test_parts_of_pages_are_refused() -> None:
    parts = Numbered()
    parts.prompt = Prompt(box=Box(0, 0, 5, 5))
    with pytest.raises(BadInput, match="part of a page"):
        Crops.of(parts, 1)[0]
