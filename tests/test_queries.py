"""What GOT is asked, in its words, and what was asked by them."""

from __future__ import annotations

import subprocess
import sys
from random import Random

import pytest

from ocr2.errors import BadPrompt
from ocr2.queries import asked, query
from ocr2.types import COLORS, Box, Prompt

QUERIES = {
    "OCR: ": Prompt(),
    "OCR with format: ": Prompt(format=True),
    "[128, 250, 512, 1000] OCR: ": Prompt(box=Box(128, 500, 512, 2000)),
    "[60, 0, 100, 5] OCR with format: ": Prompt(box=Box(60, 0, 100, 10), format=True),
    "[10, 20] OCR: ": Prompt(point=(10.9, 40)),
    "[0, 0] OCR with format: ": Prompt(point=(0, 0), format=True),
    "[red] OCR: ": Prompt(color="red"),
    "[green] OCR: ": Prompt(color="green"),
    "[blue] OCR with format: ": Prompt(color="blue", format=True),
    "OCR with format upon the patch reference: ": Prompt(tiles=12),
    "OCR with format across multi pages: ": Prompt(pages=2),
}


@pytest.mark.parametrize(("expected", "prompt"), QUERIES.items(), ids=QUERIES)
def test_queries(expected: str, prompt: Prompt) -> None:
    assert query(prompt, 1000, 2000) == expected


def test_tiles_and_pages_ask_for_format_anyway() -> None:
    for prompt in (Prompt(tiles=1), Prompt(pages=3)):
        formatted = Prompt(format=True, tiles=prompt.tiles, pages=prompt.pages)
        assert query(prompt, 9, 9) == query(formatted, 9, 9)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (
            Prompt(box=Box(0, 0, 801, 5)),
            "box=0,0,801,5 reaches outside the page of 800 × 600 pixels: give a place with",
        ),
        (Prompt(box=Box(790, 599, 800, 600.5)), "box=790,599,800,600.5 reaches outside the page"),
        (Prompt(point=(800.5, 3)), "point=800.5,3 reaches outside the page of 800 × 600 pixels"),
        (Prompt(point=(0, 601)), "point=0,601 reaches outside"),
    ],
)
def test_places_outside_the_page(prompt: Prompt, message: str) -> None:
    with pytest.raises(BadPrompt, match=message):
        query(prompt, 800, 600)
    assert query(Prompt(box=Box(0, 0, 800, 600)), 800, 600) == "[0, 0, 1000, 1000] OCR: "
    assert query(Prompt(point=(800, 600)), 800, 600) == "[1000, 1000] OCR: "


@pytest.mark.parametrize(("words", "prompt"), QUERIES.items(), ids=QUERIES)
def test_words_are_understood_and_said_again(words: str, prompt: Prompt) -> None:
    found = asked(words, 1000, 2000, prompt.pages)
    assert query(found, 1000, 2000) == words
    assert (found.format, found.color, found.tiles, found.pages) == (
        prompt.format,
        prompt.color,
        prompt.tiles,
        prompt.pages,
    )
    assert (found.box is None, found.point is None) == (prompt.box is None, prompt.point is None)


def test_places_come_back_to_the_thousandth() -> None:
    rng = Random(0)
    for _ in range(3000):
        width, height = rng.randint(3, 3000), rng.randint(3, 3000)
        x0, y0 = rng.randint(0, 999), rng.randint(0, 999)
        x1, y1 = rng.randint(x0 + 1, 1000), rng.randint(y0 + 1, 1000)
        words = f"[{x0}, {y0}, {x1}, {y1}] OCR: "
        prompt = asked(words, width, height)
        assert prompt.box and query(prompt, width, height) == words
        assert abs(prompt.box.x0 - x0 * width / 1000) < 1 and abs(prompt.box.y1 - y1 * height / 1000) < 1
        words = f"[{x0}, {y1}] OCR with format: "
        assert query(asked(words, width, height), width, height) == words


def test_whole_pixels_stay_whole() -> None:
    for width, height in ((640, 480), (1000, 1000), (800, 999)):
        prompt = Prompt(box=Box(13, 27, width - 5, height))
        found = asked(query(prompt, width, height), width, height)
        assert found == prompt


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (" OCR: ", "OCR: "),
        ("OCR:", "OCR: "),
        ("OCR", "OCR: "),
        ("[red]  OCR with format:", "[red] OCR with format: "),
        ("[1,2,3,4]OCR:", "[1, 2, 3, 4] OCR: "),
        ("\n[ 1, 2 ] OCR : \n", "[1, 2] OCR: "),
    ],
)
def test_spaces_make_no_difference(words: str, same: str) -> None:
    assert asked(words, 1000, 1000) == asked(same, 1000, 1000)


@pytest.mark.parametrize(
    ("words", "pages", "message"),
    [
        ("", 1, "'' is no question of GOT's"),
        ("What is in the picture?", 1, "no question of GOT's"),
        ("OCR with love: ", 1, "no question of GOT's"),
        ("[red] [blue] OCR: ", 1, "no question"),
        ("[pink] OCR: ", 1, r"\[pink\] is no place: expected .* red, green, blue"),
        ("[1, 2, 3] OCR: ", 1, "expected 4 numbers or 2"),
        ("[1, 2, 3, 1001] OCR: ", 1, "from 0 to 1000"),
        ("[1, -2] OCR: ", 1, "is no place"),
        ("[5, 5, 5, 9] OCR: ", 1, "is empty"),
        ("OCR: ", 3, "of 3 pages"),
        ("OCR with format across multi pages: ", 1, "of 1 page:"),
        ("[red] OCR with format upon the patch reference: ", 1, "several pages"),
    ],
)
def test_other_words_are_refused(words: str, pages: int, message: str) -> None:
    with pytest.raises(BadPrompt, match=message):
        asked(words, 1000, 1000, pages)


def test_colours_are_those_of_prompts() -> None:
    for color in COLORS:
        assert asked(f"[{color}] OCR: ", 9, 9) == Prompt(color=color)


def test_it_needs_no_torch() -> None:
    code = "import sys, ocr2.queries; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
