"""The words of the package: what they refuse and what they put together."""

import ast
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
    assert Box(10, 20, 110, 220).scaled(1000, 2000) == (10, 10, 110, 110)
    assert Box.around(((3.0, 1.0), (3.0, 1.0))) == Box(3, 1, 4, 2)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"box": Box(0, 0, 1, 1), "color": "red"}, "box=0,0,1,1 and color='red'"),
        ({"box": Box(0, 0, 1, 1), "crop": True}, "box=0,0,1,1 and crop=True"),
        ({"color": "blue", "pages": 2}, "color='blue' and pages=2"),
        ({"crop": True, "pages": 3}, "crop=True and pages=3"),
        ({"pages": 0}, "pages=0"),
    ],
)
def test_impossible_prompts_name_both(options: dict[str, object], named: str) -> None:
    with pytest.raises(BadPrompt, match=named):
        Prompt(**options)  # type: ignore[arg-type]


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
    assert sorted(ocr2.__all__) == ["Page", "Prompt", "Transcript", "load", "read"]


def test_the_error_tree_is_as_drawn() -> None:
    tree = ast.parse(Path(errors.__file__).read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    drawn = set(str(errors.__doc__).split()) & defined
    assert drawn == defined
    assert all(issubclass(getattr(errors, name), OcrError) for name in defined)
