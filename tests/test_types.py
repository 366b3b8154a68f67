"""The words of the package: what they refuse and what they put together."""

import ast
import math
import random
from pathlib import Path

import pytest
from PIL import Image

import ocr2
from ocr2 import errors
from ocr2.errors import BadPrompt, OcrError
from ocr2.types import Box, Line, Page, Prompt, Sample, join

QUAD = ((0.0, 0.0), (9.0, 0.0), (9.0, 4.0), (0.0, 4.0))


def test_a_box_is_never_empty() -> None:
    with pytest.raises(BadPrompt, match="box 5,5,5,9 is empty: x0 must be less than x1"):
        Box(5, 5, 5, 9)
    with pytest.raises(BadPrompt, match="box nan,0,1,1 is empty"):
        Box(math.nan, 0, 1, 1)
    assert Box(10, 20, 110, 220).scaled(1000, 2000) == (10, 10, 110, 110)
    assert Box.around(((3.0, 1.0), (3.0, 1.0))) == Box(3, 1, 4, 2)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"box": Box(0, 0, 1, 1), "color": "red"}, "box=0,0,1,1 and color='red'"),
        ({"box": Box(0, 0, 1, 1), "point": (0, 0)}, "box=0,0,1,1 and point=0,0 each name a region: give one"),
        ({"point": (2, 3.5), "color": "green"}, "point=2,3.5 and color='green'"),
        ({"box": Box(0, 0, 1, 1), "tiles": 6}, "box=0,0,1,1 and tiles=6 don't go together: a region is read from one"),
        ({"point": (2, 3), "pages": 2}, "point=2,3 and pages=2"),
        ({"color": "blue", "pages": 2}, "color='blue' and pages=2"),
        ({"tiles": 12, "pages": 3}, "tiles=12 and pages=3 don't go together: tiles are made of one page"),
        ({"pages": 0}, "pages=0: a prompt is about at least one page"),
        ({"tiles": 13}, "tiles=13: expected 1 to 12 tiles, or 0 for one view"),
        ({"tiles": -1}, "tiles=-1: expected 1 to 12"),
        ({"color": "pink"}, "color='pink' is unknown: expected red, green, blue"),
        ({"color": ""}, "color='' is unknown"),
        ({"point": (-1, 0)}, "point=-1,0 is no place on a page: expected pixels from 0 on, x right, y down"),
        ({"point": (0, math.inf)}, "point=0,inf is no place"),
        ({"point": (math.nan, 0)}, "point=nan,0 is no place"),
        ({"box": Box(-0.5, 0, 1, 1)}, "box=-0.5,0,1,1 is no place"),
        ({"box": Box(0, 0, math.inf, 1)}, "box=0,0,inf,1 is no place"),
    ],
)
def test_impossible_prompts_name_both(options: dict[str, object], named: str) -> None:
    with pytest.raises(BadPrompt, match=named):
        Prompt(**options)  # type: ignore[arg-type]


def test_a_box_is_scaled_as_the_released_code_does_it() -> None:
    rng = random.Random(0)
    differs = 0
    for _ in range(5000):
        width, height = rng.randint(300, 5000), rng.randint(300, 5000)
        x, y = rng.randrange(width), rng.randrange(height)
        released = (int(x / width * 1000), int(y / height * 1000))
        assert Box(x, y, width, height).scaled(width, height) == (*released, 1000, 1000)
        differs += released != (int(x * (1000 / width)), int(y * (1000 / height)))
    assert differs  # or this test would not tell the two ways apart
    assert Box(117, 1, 195, 2).scaled(1950, 1000) == (60, 1, 100, 2)


def test_lines_are_joined_by_what_stands_between_them() -> None:
    lines = (Line("one", QUAD, 1, " "), Line("two", QUAD, 1, "\n"), Line("three", QUAD, 1, "\n\n"))
    assert join(lines) == "one two\nthree"
    assert Page(Image.new("RGB", (1, 1)), lines).text == "one two\nthree"
    assert join(()) == ""
    assert lines[0].box == Box(0, 0, 9, 4)


def test_a_sample_has_an_image_for_each_page() -> None:
    with pytest.raises(BadPrompt, match="1 images for a prompt about 2 pages"):
        Sample((Image.new("RGB", (1, 1)),), Prompt(pages=2), "", "text", "test")


def test_public_names() -> None:
    assert sorted(ocr2.__all__) == ["Box", "Page", "Prompt", "Transcript", "load", "read"]


def test_the_error_tree_is_as_drawn() -> None:
    tree = ast.parse(Path(errors.__file__).read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    drawn = set(str(errors.__doc__).split()) & defined
    assert drawn == defined
    assert all(issubclass(getattr(errors, name), OcrError) for name in defined)
