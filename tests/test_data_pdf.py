"""What a PDF page shows is its truth, all of it, and nothing else."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pdf_helpers import locked, pdf, text

from ocr2.data.pdf import SHAPES, Pdf, Shape
from ocr2.data.printed import Glyph, lines_of
from ocr2.errors import BadInput
from ocr2.types import Box, Page, Prompt

if TYPE_CHECKING:
    from pathlib import Path

HEAD, FOOT = "A running head", "7"
TALE = "the ship sailed on through night and fog until a light came up and all of them cheered it"
WORDS = TALE.split()


def columns(order: str) -> str:
    """A page of two columns with a head and a foot; the lines of both are written in turns, or one after the other."""
    rows = [" ".join(WORDS[(n * 3 + k) % len(WORDS)] for k in range(4)) for n in range(28)]
    left = [text(30, 720 - 14 * n, row.ljust(20, "x"), 10) for n, row in enumerate(rows[:14])]
    right = [text(230, 720 - 14 * n, row.ljust(20, "x"), 10) for n, row in enumerate(rows[14:])]
    body = [both for pair in zip(left, right, strict=True) for both in pair] if order == "rows" else [*left, *right]
    return "".join([text(30, 770, HEAD, 9), *body, text(210, 30, FOOT, 9)])


def page_of(folder: Path, *pages: str, **more: object) -> Page:
    """The first page of a PDF."""
    (folder / "one.pdf").write_bytes(pdf(*pages, **more))  # type: ignore[arg-type]
    return Pdf([folder / "one.pdf"], 0, strength=0).page(0)


def refused(folder: Path, *pages: str, **more: object) -> str:
    """Why the first page of a PDF is refused."""
    with pytest.raises(BadInput) as error:
        page_of(folder, *pages, **more)
    return str(error.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pdfs")
    (folder / "b").mkdir()
    prose = "".join(text(30, 360 - 15 * n, f"Line {n}: {' '.join(WORDS[n : n + 5])}") for n in range(12))
    gap = "".join(text(30, 120 - 15 * n, f"Below {n}: {' '.join(WORDS[n : n + 5])}") for n in range(4))
    (folder / "a.pdf").write_bytes(pdf(prose + gap, text(30, 200, "A second page")))
    (folder / "b" / "c.pdf").write_bytes(pdf(text(30, 200, "Elsewhere")))
    (folder / "note.txt").write_text("no PDF")
    return folder


def test_quads_hold_the_ink_of_their_lines_and_all_ink_there_is(folder: Path) -> None:
    page = Pdf([folder], 0, strength=0).page(0)
    assert [line.text for line in page.lines][:2] == [
        "Line 0: the ship sailed on through",
        "Line 1: ship sailed on through night",
    ]
    assert len(page.lines) == 16 and max(page.image.size) <= 1024 and page.image.mode == "L"
    ink = 255 - np.asarray(page.image).astype(int)
    for line in page.lines:
        box = Box.around(line.place)
        rows, across = slice(int(box.y0) - 1, int(box.y1) + 2), slice(int(box.x0) - 1, int(box.x1) + 2)
        assert ink[rows, across].max() > 150
        ink[rows, across] = 0  # with the next pixel, into which outlines smear
    assert not ink.any()


@pytest.mark.parametrize("order", ["rows", "columns"])
def test_columns_are_read_one_after_the_other_however_they_were_written(tmp_path: Path, order: str) -> None:
    page = page_of(tmp_path, columns(order), box="0 0 450 800")
    texts = [line.text for line in page.lines]
    assert texts[0] == HEAD and texts[-1] == FOOT
    middles = [(line.place[0][0] + line.place[1][0]) / 2 for line in page.lines[1:-1]]
    assert [middle > page.image.width / 2 for middle in middles] == [False] * 14 + [True] * 14


def test_ragged_columns_are_read_as_the_file_has_them(tmp_path: Path) -> None:
    entries = [f"{word}{', 12' * (n % 4)}" for n, word in enumerate(sorted(set(WORDS)))]
    left = [text(30, 700 - 16 * n, entry) for n, entry in enumerate(entries[:8])]
    right = [text(230, 700 - 16 * n, entry) for n, entry in enumerate(entries[8:])]
    page = page_of(tmp_path, "".join([text(30, 770, HEAD), *left, *right, text(210, 30, FOOT)]), box="0 0 450 800")
    assert [line.text for line in page.lines] == [HEAD, *entries, FOOT]
    rows = [part for pair in zip(left, right, strict=False) for part in pair]
    table = page_of(tmp_path, "".join(rows), box="0 0 450 800")  # written row by row
    assert table.text.startswith(f"{entries[0]} {entries[8]}\n{entries[1]}")


def test_spaces_are_where_they_are_seen(tmp_path: Path) -> None:
    gaps = "BT /F1 12 Tf 30 300 Td [(Kerned) -300 (w) 20 (ords) -220 (apart)] TJ ET\n"
    parts = text(30, 250, "in two") + text(66, 250, "pieces")
    wide = text(30, 200, "name") + text(200, 200, "value")
    page = page_of(tmp_path, gaps + parts + wide)
    assert page.text.split("\n") == ["Kerned words apart", "", "in two pieces", "", "name value"]


def test_raised_and_lowered_figures_are_on_their_line(tmp_path: Path) -> None:
    line = "BT /F1 12 Tf 30 300 Td (E = mc) Tj /F1 8 Tf 5 Ts (2) Tj 0 Ts /F1 12 Tf ( and H) Tj /F1 8 Tf -3 Ts (2) Tj"
    assert page_of(tmp_path, f"{line} 0 Ts /F1 12 Tf (O) Tj ET").text == "E = mc2 and H2O"


def test_split_words_keep_their_hyphens_and_odd_codes_are_folded(tmp_path: Path) -> None:
    split = text(30, 300, "all infor-") + text(30, 285, "mation and sol\\255")
    odd = text(30, 250, "abcd", font="F2")
    page = page_of(tmp_path, split + odd, names={"a": 0xFB01, "b": 0x2F08, "c": 0xF0B7, "d": 0x2EE2})
    assert page.text.split() == ["all", "infor-", "mation", "and", "sol-", "fi人•马"]


def test_what_is_not_seen_is_not_in_the_truth(tmp_path: Path) -> None:
    seen = text(30, 300, "This is seen")
    hidden = text(30, 280, "invisible", more="3 Tr") + "1 g " + text(30, 260, "white on white") + "0 g "
    outside = text(-90, 240, "left of it") + text(30, 420, "above")
    covered = text(30, 220, "covered") + "q 100 0 0 30 25 210 cm /I Do Q "
    on_dark = "0.2 g 20 150 200 30 re f 1 g " + text(30, 160, "white on dark")
    page = page_of(tmp_path, seen + hidden + outside + covered + on_dark)
    assert [line.text for line in page.lines] == ["This is seen", "white on dark"]


def test_a_line_that_the_crop_box_cuts_ends_where_the_page_does(tmp_path: Path) -> None:
    page = page_of(tmp_path, text(30, 300, "one two three four five six seven"), extra="/CropBox [0 0 100 400]")
    assert "one two three".startswith(page.text) and len(page.text) > 6
    assert page.lines[0].place[1][0] <= page.image.width


def test_turned_pages_are_upright(tmp_path: Path) -> None:
    turned = "BT /F1 12 Tf 0 1 -1 0 100 50 Tm (Written upwards) Tj ET BT /F1 12 Tf 0 1 -1 0 120 50 Tm (and below) Tj ET"
    page = page_of(tmp_path, turned, extra="/Rotate 90")
    assert page.image.width > page.image.height
    assert page.text == "Written upwards\nand below"
    (x0, y0), (x1, y1), _, (_, y3) = page.lines[0].place
    assert x1 > x0 + 50 and y0 == pytest.approx(y1) and y3 > y0


def test_text_that_runs_upwards_has_its_quad_along_it(tmp_path: Path) -> None:
    level = "".join(text(60, 300 - 15 * n, "a level line of text") for n in range(6))
    page = page_of(tmp_path, level + "BT /F1 12 Tf 0 1 -1 0 30 150 Tm (at the side) Tj ET")
    assert page.lines[-1].text == "at the side"
    (x0, y0), (x1, y1), _, _ = page.lines[-1].place
    assert x0 == pytest.approx(x1) and y1 < y0 - 40


def test_scans_are_refused(tmp_path: Path) -> None:
    cover = "q 300 0 0 400 0 0 cm /I Do Q "
    layer = "".join(text(30, 300 - 15 * n, "what a scanner's software read", more="3 Tr") for n in range(9))
    behind = "".join(text(30, 300 - 15 * n, "what stands behind the picture") for n in range(9))
    for content in (cover, cover + layer, behind + cover, cover + text(20, 20, "Downloaded by you")):
        assert "scanned" in refused(tmp_path, content)
    slide = "".join(text(30, 300 - 15 * n, "text on a picture, as slides have it") for n in range(9))
    assert page_of(tmp_path, cover + slide).text.count("slides") == 9


def test_pages_that_may_be_misread_are_refused(tmp_path: Path) -> None:
    plain = text(30, 300, "enough plain text to outweigh it by far, in one line of a page ")
    private = text(30, 200, "aaaa", font="F2")
    assert "no name" in refused(tmp_path, plain + private, names={"a": 0xE123})
    assert "slant" in refused(tmp_path, plain + "BT /F1 12 Tf .8 .6 -.6 .8 50 50 Tm (Draft) Tj ET")
    assert "to the left" in refused(tmp_path, plain + text(30, 200, "a", font="F2"), names={"a": 0x5D0})
    assert "downwards" in refused(tmp_path, "".join(text(30, 380 - 15 * n, "abcdefghijklmnop"[n]) for n in range(16)))
    assert "less than 7 pixels" in refused(tmp_path, text(300, 3000, "small print", 6), box="0 0 3000 4000")
    assert "no text" in refused(tmp_path, "0 0 10 10 re f")
    assert "seen" in refused(tmp_path, text(30, 300, "nothing to see", more="3 Tr"))


def test_a_nameless_character_has_a_place_and_no_text(tmp_path: Path) -> None:
    plain = "".join(text(30, 380 - 15 * n, " ".join(WORDS[:8])) for n in range(8))
    page = page_of(tmp_path, plain + text(30, 100, "before ") + text(80, 100, "a", font="F2"), names={"a": 0xE123})
    assert page.lines[0].text == "" and page.lines[0].quad and page.text.startswith("the ship")
    assert page.text.endswith("before")


def test_damaged_and_locked_files_are_bad_items_not_bad_folders(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf(text(30, 300, "a good page")))
    (tmp_path / "b.pdf").write_bytes(locked())
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.4 and then nothing")
    engine = Pdf([tmp_path], 0)
    assert len(engine) == 3 and engine[0].text == "a good page"
    with pytest.raises(BadInput, match=r"b\.pdf needs a password"):
        engine[1]
    with pytest.raises(BadInput, match=r"c\.pdf can't be read"):
        engine[2]


def test_folders_without_pdfs_and_unknown_shapes_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(BadInput, match="no PDF files"):
        Pdf([tmp_path], 0)
    with pytest.raises(BadInput, match="page, line, paragraph"):
        Pdf([folder], 0, "word")  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_item_is_the_same_in_any_order_and_after_pickling(folder: Path, shape: Shape) -> None:
    engine = Pdf([folder], 3, shape)
    first = {}
    for index in range(len(engine)):
        try:
            first[index] = engine[index]
        except BadInput as error:
            assert "stand" in str(error) and shape != "page"  # the short pages have few lines
    assert len(first) >= 3
    for index in reversed(list(first)):
        again = pickle.loads(pickle.dumps(engine))[index]
        assert again.text == first[index].text and again.images[0].tobytes() == first[index].images[0].tobytes()
    assert pickle.loads(pickle.dumps(engine)).identity == engine.identity != Pdf([folder], 4, shape).identity
    with pytest.raises(IndexError):
        engine[len(engine)]


@pytest.mark.parametrize("shape", ["line", "paragraph"])
def test_slices_are_whole_and_alone(folder: Path, shape: Shape) -> None:
    whole = Pdf([folder], 0, strength=0).page(0).text
    engine = Pdf([folder], 0, shape, strength=0, each=5 if shape == "line" else 2)
    found = [engine.page(index) for index in range(engine.each)]
    assert len({page.text for page in found}) == len(found)
    for page in found:
        assert page.text in whole and ("\n" in page.text) == (shape == "paragraph")
        pixels = np.asarray(page.image)
        edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert edge.min() > 200 and pixels.min() < 100 and max(pixels.shape) <= 1024


def test_a_sample_says_where_it_comes_from(folder: Path) -> None:
    sample = Pdf([folder], 5)[1]
    assert sample.prompt == Prompt() and sample.kind == "text" and sample.text == "A second page"
    told = json.loads(sample.origin)
    assert told["source"] == "a.pdf, page 2" and told["seed"] == 5 and told["backend"].startswith("pypdfium2 ")


def test_accents_printed_over_letters_are_theirs() -> None:
    glyphs, pen = [], 0.0
    for char, width in (("c", 5.0), ("a", 5.0), ("f", 3.0), ("´", 0.0), ("e", 5.0), ("s", 4.0)):
        glyphs.append((0, Glyph(char, pen + 0.5, 0, pen + 4.5, 8, pen, pen + width, 8, 10)))
        pen += width
    assert [line.text for line in lines_of(glyphs, "")] == ["cafés"]
