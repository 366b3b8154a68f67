"""Rows to learn from: what networks see, and what they are to answer, is that of the page or line."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from ocr2.errors import BadInput
from ocr2.ppocr import samples
from ocr2.ppocr.augment import Word
from ocr2.ppocr.samples import Alphabet
from ocr2.ppocr.targets import maps
from ocr2.types import Line, Page, Piece, Quad

ALPHABET = Alphabet(tuple("abcdefghij "))


def quad(x0: float, y0: float, x1: float, y1: float) -> Quad:
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def page() -> Page:
    image = Image.new("RGB", (128, 96), (200, 100, 50))
    ImageDraw.Draw(image).rectangle((20, 30, 79, 49), (0, 10, 20))
    lines = (
        Line("read", quad(20, 30, 80, 50), 1.0),
        Line("", quad(5, 60, 40, 80), 0.0),
        Line("nowhere", None, 1.0),
        Line(
            "in two",
            quad(60, 5, 120, 30),
            1.0,
            pieces=(Piece("in ", quad(60, 5, 80, 17)), Piece("two", quad(90, 18, 120, 30))),
        ),
    )
    return Page(image, lines, origin="here")


def word(text: str, seed: int = 0, width: int = 90, height: int = 40) -> Word:
    drawn = np.random.Generator(np.random.PCG64(seed))
    return Word(drawn.integers(0, 255, (height, width, 3), np.uint8), text)


# the alphabet


def test_texts_are_encoded_and_come_back() -> None:
    assert ALPHABET.classes == 12
    assert ALPHABET.encode("a bad cage") == ([1, 11, 2, 1, 4, 11, 3, 1, 7, 5], 0)
    assert ALPHABET.encode("aXb√") == ([1, 2], 2)
    assert ALPHABET.encode("") == ([], 0)
    assert ALPHABET.decode(ALPHABET.encode("a bad cage")[0]) == "a bad cage"
    assert ALPHABET.decode([0, 1, 0, 0, 2, 0]) == "ab"


@pytest.mark.parametrize("characters", [("a", "b", "a"), ("a", "bc"), ("",)])
def test_an_alphabet_has_each_character_once(characters: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match="each once"):
        Alphabet(characters)


# scenes


def test_a_page_becomes_what_a_detector_sees_and_answers() -> None:
    row = samples.scene_row(page(), None, 128, None)
    assert row.images.shape == (1, 3, 128, 128)
    assert row.origins == ("here",)
    for channel, value in enumerate((50, 100, 200)):  # blue, green, red
        mean, std = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))[channel]
        assert row.images[0, channel, 0, 0] == pytest.approx((value / 255 - mean) / std, abs=1e-5)
        assert row.images[0, channel, 127, 127] == pytest.approx(-mean / std, abs=1e-5)  # black below
    texts = [quad(20, 30, 80, 50), quad(5, 60, 40, 80), quad(60, 5, 80, 17), quad(90, 18, 120, 30)]
    wanted = maps([np.array(each) for each in texts], [False, True, False, False], 128, 128)
    given = (row.shrink, row.shrink_mask, row.threshold, row.threshold_mask)
    for one, other in zip(given, wanted, strict=True):
        assert one.shape == (1, 1, 128, 128)
        assert one.dtype == torch.float32
        assert np.array_equal(one[0, 0].numpy(), other)
    assert row.shrink[0, 0, 40, 50] == 1
    assert row.shrink_mask[0, 0, 70, 20] == 0  # nobody can read it
    assert row.shrink[0, 0, 15, 86] == 0  # between the pieces


def test_what_is_to_be_answered_follows_what_is_seen() -> None:
    """The dark rectangle is the line: wherever it is now, its middle is shrunk text."""
    rng = Random(1)
    for _ in range(20):
        only = Page(page().image, page().lines[:1])
        row = samples.scene_row(only, None, 160, rng)
        red = row.images[0, 2] * 0.225 + 0.406
        blue = row.images[0, 0] * 0.229 + 0.485
        dark = (red < 0.1) & (blue > 0.04)  # black beyond the page has no blue
        ys, xs = torch.nonzero(row.shrink[0, 0]).T
        assert len(ys) > 20
        assert dark[ys, xs].float().mean() > 0.97
        grown = row.threshold_mask[0, 0] > 0
        assert grown[dark].float().mean() > 0.97


def test_text_is_shrunk_by_the_ratio_given() -> None:
    areas = [samples.scene_row(page(), None, 128, None, ratio).shrink.sum() for ratio in (0.4, 0.5, 0.6)]
    assert areas[0] < areas[1] < areas[2]


def test_text_of_another_page_is_pasted() -> None:
    rng, blank = Random(2), Page(Image.new("RGB", (200, 200), "white"))
    with_text = [samples.scene_row(blank, page(), 64, rng).shrink.sum() > 0 for _ in range(10)]
    assert sum(with_text) > 3  # the smallest piece is too small to be taught
    nothing = samples.scene_row(blank, blank, 64, rng)
    assert not nothing.shrink.any()
    assert nothing.shrink_mask.all()


def test_the_same_seed_makes_the_same_row() -> None:
    first, again = (samples.scene_row(page(), page(), 96, Random(3)) for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.threshold, again.threshold)


@pytest.mark.parametrize("side", [0, 31, 100])
def test_sides_are_halved_five_times(side: int) -> None:
    with pytest.raises(BadInput, match="multiple of 32"):
        samples.scene_row(page(), None, side, Random(0))


def test_lines_are_cut_from_pages() -> None:
    words = samples.cut(page())
    assert [each.text for each in words] == ["read", "in two"]
    assert words[0].image.shape == (20, 60, 3)
    assert (words[0].image[2:-2, 2:-2] == (20, 10, 0)).all()


# lines


@pytest.mark.parametrize("height", samples.HEIGHTS)
def test_a_line_becomes_what_a_recogniser_sees_and_answers(height: int) -> None:
    row = samples.word_row(word("a bad"), None, ALPHABET, None, height, "there")
    assert row.images.shape == (1, 3, height, 320)
    filled = -(-height * 90 // 40)
    assert row.images[..., :filled].abs().mean() > 0.2
    assert not row.images[..., filled:].any()
    assert row.targets.tolist() == [[1, 11, 2, 1, 4]]
    assert row.targets.dtype == row.lengths.dtype == torch.int64
    assert row.lengths.tolist() == [5]
    assert row.origins == ("there",)


def test_unknown_characters_are_left_out() -> None:
    row = samples.word_row(word("aXb"), None, ALPHABET, Random(0))
    assert row.targets.tolist() == [[1, 2]]
    assert row.lengths.tolist() == [2]


@pytest.mark.parametrize("text", ["", "XYZ", "a" * 26])
def test_texts_that_cannot_be_learnt_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="expected"):
        samples.word_row(word(text), None, ALPHABET, Random(0))


def test_half_the_lines_are_joined_with_the_other() -> None:
    rng = Random(4)
    rows = [samples.word_row(word("abc"), word("def", 1), ALPHABET, rng) for _ in range(200)]
    texts = [ALPHABET.decode(row.targets[0].tolist()) for row in rows]
    assert set(texts) == {"abc", "abcdef"}
    assert 75 < texts.count("abc") < 125
    assert {int(row.lengths) for row in rows} == {3, 6}
    long = [samples.word_row(word("abc", width=350), word("def", 1), ALPHABET, rng) for _ in range(20)]
    assert {int(row.lengths) for row in long} == {3}  # 350 + 90 pixels are more than ten times the height


def test_high_lines_are_damaged_at_the_height_they_are_seen_at() -> None:
    large = word("abc", width=900, height=400)
    same = samples.word_row(large, None, ALPHABET, None).images
    assert same.shape == (1, 3, 32, 320)
    assert same[..., 72:].any() == False  # noqa: E712 a tensor
    assert samples.word_row(large, None, ALPHABET, Random(0)).images.shape == (1, 3, 32, 320)


# ways


def test_labels_say_which_lines_stand_on_their_heads() -> None:
    """Lines with a pattern in their upper half only, however they are damaged."""
    rng, labels = Random(5), []
    drawn = np.random.Generator(np.random.PCG64(0))
    for n in range(120):
        image = np.full((48, 100 + 7 * n, 3), 128, np.uint8)
        image[6:20] = (
            np.kron(drawn.integers(0, 2, (1, len(image[0]) // 6 + 1)), np.ones((14, 6)))[:, : len(image[0]), None] * 255
        )
        row = samples.way_row(image, rng, f"line {n}")
        assert row.images.shape == (1, 3, 48, 192)
        assert row.origins == (f"line {n}",)
        upper, lower = (half.mean(0)[48:144].std() for half in row.images[0].mean(0).split(24))  # noise evens out
        assert (lower > upper) == bool(row.labels), n
        labels.append(int(row.labels))
    assert 40 < sum(labels) < 80


# batches


def test_rows_are_put_together() -> None:
    several = samples.scenes([samples.scene_row(page(), None, 64, Random(seed)) for seed in range(3)])
    assert several.size == several.tokens == 3
    assert several.images.shape == (3, 3, 64, 64)
    assert several.shrink.shape == several.threshold_mask.shape == (3, 1, 64, 64)
    assert several.origins == ("here",) * 3
    for n in range(3):
        one = samples.scene_row(page(), None, 64, Random(n))
        for name in ("images", "shrink", "shrink_mask", "threshold", "threshold_mask"):
            assert torch.equal(getattr(several, name)[n], getattr(one, name)[0])


def test_targets_are_padded_with_blanks() -> None:
    rows = [samples.word_row(word(text), None, ALPHABET, None, origin=text) for text in ("ab", "abcd", "c")]
    batch = samples.words(rows)
    assert batch.targets.tolist() == [[1, 2, 0, 0], [1, 2, 3, 4], [3, 0, 0, 0]]
    assert batch.lengths.tolist() == [2, 4, 1]
    assert batch.tokens == 7
    assert batch.size == 3
    assert batch.images.shape == (3, 3, 32, 320)
    assert batch.origins == ("ab", "abcd", "c")


def test_ways_are_put_together() -> None:
    batch = samples.ways([samples.way_row(word("abc").image, Random(seed)) for seed in range(6)])
    assert batch.images.shape == (6, 3, 48, 192)
    assert batch.labels.shape == (6,)
    assert batch.labels.dtype == torch.int64
    assert batch.origins == ("",) * 6


def test_a_line_of_one_pixel() -> None:
    dot = np.full((1, 1, 3), 9, np.uint8)
    assert samples.word_row(Word(dot, "a"), Word(dot, "b"), ALPHABET, Random(0)).images.isfinite().all()
    assert samples.way_row(dot, Random(0)).images.isfinite().all()
