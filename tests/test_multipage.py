"""Several short pages are read as one text, in their order, none twice."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from PIL import Image

from ocr2.data.multipage import AMONG, MOST_TOKENS, Multipage, estimate
from ocr2.errors import BadInput
from ocr2.types import Prompt, Sample


class Numbered:
    """Endless pages; every third is too long, every fifth can't be made."""

    identity = "numbered"

    def __getitem__(self, index: int) -> Sample:
        if index % 5 == 4:
            raise BadInput(f"page {index} can't be made")
        text = f"page {index}" + " word" * (700 if index % 3 == 2 else 5)
        return Sample((Image.new("L", (8, 8), index % 256),), Prompt(), text, "text", f"n{index}")


class Few(Numbered):
    def __len__(self) -> int:
        return 30


class Long(Numbered):
    def __getitem__(self, index: int) -> Sample:
        return Sample((Image.new("L", (8, 8)),), Prompt(), "word " * 700, "text", "")


def count(text: str) -> int:
    return len(text.split())


def test_pages_are_short_in_order_and_their_own() -> None:
    counts, last = set(), -1
    for index in range(40):
        sample = Multipage.of(Numbered(), 1, count)[index]
        assert sample.prompt == Prompt(pages=len(sample.images)) and 2 <= len(sample.images) <= 8
        counts.add(len(sample.images))
        numbers = []
        for image, text in zip(sample.images, sample.text.split("\n\n"), strict=True):
            number = int(text.split()[1])
            assert number % 256 == image.getpixel((0, 0)) and number % 3 != 2 and number % 5 != 4
            assert count(text) < MOST_TOKENS
            numbers.append(number)
        assert numbers == sorted(numbers) and numbers[0] > last and index * AMONG <= numbers[0]
        last = numbers[-1]
        assert last < (index + 1) * AMONG
    assert counts >= {2, 3, 4, 5, 6}


def test_all_of_them_stay_below_the_limit_of_the_whole() -> None:
    sample = Multipage.of(Numbered(), 1, lambda text: 640 if count(text) < 100 else 1000, among=30)
    assert max(len(sample[index].images) for index in range(20)) == 8  # 5,120 tokens are fewer than 8,000


def test_where_too_few_are_short_enough_it_says_so() -> None:
    with pytest.raises(BadInput, match=r"0 of 12 pages .* page 11 has \d+ tokens"):
        Multipage.of(Long(), 1)[0]


def test_a_finite_engine_has_a_len_and_items_are_the_same_anywhere() -> None:
    several: Any = Multipage.of(Few(), 1, count)
    assert len(several) == 30 // AMONG and not hasattr(Multipage.of(Numbered(), 1), "__len__")
    again = pickle.loads(pickle.dumps(several))
    assert again[1].text == several[1].text and again.identity == several.identity
    with pytest.raises(BadInput, match="among=1"):
        Multipage.of(Few(), 1, among=1)


def test_tokens_are_estimated_rather_too_high() -> None:
    english = "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in "
    assert 26 <= estimate(english + "want of a wife.") < 45  # Qwen's tokenizer makes 26
    assert 25 <= estimate("子曰：“学而时习之，不亦说乎？有朋自远方来，不亦乐乎？”") < 45  # and 25
    assert estimate("") == 0 and estimate("1234567890") >= 10
