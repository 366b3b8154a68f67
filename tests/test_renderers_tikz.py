"""TikZ by tikra."""

from __future__ import annotations

import re
import time

import pytest

pytest.importorskip("tikra", reason="engines: pip install 'ocr2[engines]'")

from ocr2.errors import RenderFailed
from ocr2.renderers.apart import apart
from ocr2.renderers.drawing import Drawing
from ocr2.renderers.tikz import MARGIN


def drawn(body):
    return apart("ocr2.renderers.tikz:drawn", f"\\begin{{tikzpicture}}{body}\\end{{tikzpicture}}", seconds=10)


def test_pictures_are_as_large_as_tex_makes_them():
    svg, width, height = drawn(r"\draw (0,0) rectangle (4,2);")
    assert width == pytest.approx(4 * 28.45 + 2 * MARGIN, abs=5)
    assert height == pytest.approx(2 * 28.45 + 2 * MARGIN, abs=5)
    ink = Drawing(svg.encode(), "svg", "", 2).pixels() < 200
    assert ink.shape == (round(2 * round(height)), round(2 * round(width))) or abs(ink.shape[0] - 2 * height) < 3
    assert not ink[:8].any() and not ink[:, :8].any() and ink.any()


def test_nothing_of_the_source_is_in_the_picture_as_text():
    svg, _, _ = drawn(r"\draw (0,0) -- (1,1) node[right] {$A$};")
    assert "tikzpicture" not in svg and "<text" not in svg and "<title" not in svg
    assert not re.search(r"href=\"(?!#)", svg)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (r"\draw[strange] (0,0) -- (1,1);", "strange"),
        (r"\draw (A) -- (1,1);", r"unknown coordinate: \(A\)"),
        (r"\drow (0,0) -- (1,1);", "drow"),
        (r"\node at (0,0) {点};", "点"),
        (r"\input{/etc/passwd} \draw (0,0) -- (1,1);", "input"),
        (r"\node at (0,0) {\includegraphics{a.png}};", "includegraphics"),
        ("", "empty"),
        (r"\coordinate (A) at (0,0);", "empty"),
        (r"\draw (0,0) rectangle (300,1);", "points"),
    ],
)
def test_what_would_be_left_out_is_told(body, told):
    with pytest.raises(RenderFailed, match=told):
        drawn(body)


@pytest.mark.parametrize(
    "body",
    [
        r"\foreach \i in {1,...,1000000000} {\draw (0,0) -- (1,\i);}",
        r"\def\a{\a\a}\a \draw (0,0) -- (1,1);",
        r"\foreach \i in {1,...,999} {\foreach \j in {1,...,999} {\foreach \k in {1,...,9} {\draw (0,0) -- (1,1);}}}",
    ],
)
def test_loops_end(body):
    start = time.monotonic()
    with pytest.raises(RenderFailed):
        drawn(body)
    assert time.monotonic() - start < 90
