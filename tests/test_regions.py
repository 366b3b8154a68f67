"""A box or a frame holds what is asked for, and nothing else."""

from __future__ import annotations

import json
import pickle
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image
from text_helpers import write_corpus

from ocr2.data.corpus import Corpus
from ocr2.data.lines import Lines
from ocr2.data.regions import Kind, Regions
from ocr2.data.units import Unit, meets, regions
from ocr2.errors import BadInput
from ocr2.types import Box, Line, Page, Quad

KINDS, UNITS = get_args(Kind), get_args(Unit)
PAINT = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def quad(x0: float, y0: float, x1: float, y1: float) -> Quad:
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def drawn(lines: tuple[Line, ...], paper: str = "white") -> Page:
    """A page with black bars for lines."""
    image = Image.new("RGB", (200, 200), paper)
    for line in lines:
        (x0, y0), _, (x1, y1), _ = line.place
        image.paste("black", (int(x0), int(y0), int(x1), int(y1)))
    return Page(image, lines, 1, "drawn")


class Pages:
    """Pages that are given, over and over."""

    identity = "pages"

    def __init__(self, *pages: Page) -> None:
        self.pages = pages

    def page(self, index: int) -> Page:
        return self.pages[index % len(self.pages)]


class Few(Pages):
    def __len__(self) -> int:
        return len(self.pages)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")
    return Lines(Corpus([write_corpus(tmp_path_factory.mktemp("texts"))]), "columns", "en", 5, easy=True)


@pytest.mark.parametrize("unit", UNITS)
def test_a_box_holds_its_lines_and_no_part_of_others(pages: Lines, unit: Unit) -> None:
    wider = 0
    for index in range(12):
        sample, page = Regions.of(pages, 1, "box", unit)[index], pages.page(index)
        assert sample.images[0].tobytes() == page.image.tobytes() and sample.prompt.box
        width, height = page.image.size
        x0, y0, x1, y1 = sample.prompt.box.scaled(width, height)  # what the model is told
        inside = []
        for line in page.lines:
            box = Box.around(line.place)
            edges = box.x0 * 1000 / width, box.y0 * 1000 / height, box.x1 * 1000 / width, box.y1 * 1000 / height
            if x0 <= edges[0] and y0 <= edges[1] and edges[2] <= x1 and edges[3] <= y1:
                inside.append(line)
            else:
                assert edges[2] <= x0 or edges[0] >= x1 or edges[3] <= y0 or edges[1] >= y1
        assert sample.text.split("\n") == [line.text for line in inside]
        tight = Box.around(tuple(point for line in inside for point in line.place))
        wider += sample.prompt.box.x0 < tight.x0 - 1
    assert wider > 6


@pytest.mark.parametrize("unit", UNITS)
def test_a_frame_is_around_its_lines_and_on_no_ink(pages: Lines, unit: Unit) -> None:
    colors = set()
    for index in range(16):
        try:
            sample = Regions.of(pages, 1, "color", unit)[index]
        except BadInput:
            continue
        page = pages.page(index)
        before, after = np.asarray(page.image.convert("RGB")).astype(int), np.asarray(sample.images[0]).astype(int)
        changed = (before != after).any(axis=2)
        assert sample.prompt.color and (after[changed] == PAINT[sample.prompt.color]).all()
        assert before[changed].min() > 200  # paper
        ys, xs = np.nonzero(changed)
        frame = Box(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        inside = [line for line in page.lines if meets(frame, line.place)]
        assert sample.text.split("\n") == [line.text for line in inside]
        across = changed[(ys.min() + ys.max()) // 2]
        thick = int(across[: len(across) // 2 + xs.min()].cumprod().sum()) or int(np.argmin(across[xs.min() :]))
        assert 2 <= thick <= 5
        colors.add(sample.prompt.color)
    assert len(colors) >= 2


def test_what_stands_too_close_is_never_asked_for() -> None:
    close = (Line("one", quad(20, 20, 100, 30), 1.0), Line("two", quad(20, 29, 100, 40), 1.0, "\n\n"))
    free = Line("three", quad(20, 100, 100, 110), 1.0)
    for kind in KINDS:
        engine = Regions.of(Pages(drawn((*close, free))), 1, kind, "line")
        assert {engine[index].text for index in range(9)} == {"three"}
        with pytest.raises(BadInput, match="none of 0 lines"):
            Regions.of(Pages(drawn(close)), 1, kind, "line")[0]
    both = Regions.of(Pages(drawn(close)), 1, "box", "paragraph")
    assert both[0].text == "one\ntwo"


def test_places_whose_text_is_not_known_are_kept_out() -> None:
    unknown = Line("", quad(60, 22, 70, 28), 0.0, "")
    known = (Line("with a gap", quad(20, 20, 100, 30), 1.0), Line("whole", quad(20, 60, 100, 70), 1.0))
    engine = Regions.of(Pages(drawn((unknown, *known))), 1)
    assert {engine[index].text for index in range(6)} == {"whole"}


def test_pieces_of_one_row_are_one_line() -> None:
    lines = (Line("left", quad(20, 20, 60, 30), 1.0, " "), Line("right", quad(120, 20, 160, 30), 1.0, "\n"))
    assert [region.text for region in regions(lines, "line")] == ["left right"]


def test_a_frame_is_of_a_colour_that_is_seen() -> None:
    for paper in ("red", "lime", "blue"):
        page = drawn((Line("a line", quad(50, 50, 150, 70), 1.0),), paper)
        found = {Regions.of(Pages(page), seed, "color")[0].prompt.color for seed in range(12)}
        assert found == {"red", "green", "blue"} - {paper.replace("lime", "green")}


def test_slanted_neighbours_count_where_they_are() -> None:
    slope: Quad = ((0, 0), (100, 50), (95, 60), (-5, 10))
    assert meets(Box(40, 20, 60, 40), slope)
    assert not meets(Box(60, 0, 100, 20), slope)  # within its upright box, but above it


def test_items_are_the_same_anywhere_and_lengths_are_the_pages(pages: Lines) -> None:
    endless, finite = (
        Regions.of(pages, 2, "color"),
        Regions.of(Few(*(drawn((Line("x", quad(50, 50, 90, 70), 1.0),)),) * 3), 2),
    )
    several: Any = pickle.loads(pickle.dumps(finite))
    assert len(several) == 3 and not hasattr(endless, "__len__")
    assert pickle.loads(pickle.dumps(endless))[4].images[0].tobytes() == endless[4].images[0].tobytes()
    ways = [(seed, kind, unit) for seed in (1, 2) for kind in KINDS for unit in UNITS]
    assert len({Regions.of(pages, *way).identity for way in ways}) == 8
    assert json.loads(several[1].origin)["page"] == "drawn"
    with pytest.raises(BadInput, match="'point' is no region"):
        Regions.of(pages, 1, "point")  # type: ignore[arg-type]
