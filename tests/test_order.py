"""Reading order on layouts drawn by hand: the texts say where each line belongs."""

import math
import random

import pytest

from ocr2 import order
from ocr2.order import reading_order
from ocr2.types import Line, Quad, join


def line(text: str, x: float, y: float, width: float, height: float = 20) -> Line:
    return Line(text, ((x, y), (x + width, y), (x + width, y + height), (x, y + height)), 1.0)


def column(name: str, x: float, y: float, rows: int, width: float = 400) -> list[Line]:
    """A column of justified prose whose lines are called name1, name2, …, the last of them short."""
    return [line(f"{name}{n + 1}", x, y + 30 * n, width / 2 if n + 1 == rows else width) for n in range(rows)]


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{n + 1}" for n in range(count)]


def shuffled(lines: list[Line]) -> list[Line]:
    return random.Random(0).sample(lines, len(lines))


def texts(lines: list[Line]) -> list[str]:
    return [found.text for found in reading_order(shuffled(lines))]


def turned(lines: list[Line], degrees: float) -> list[Line]:
    """The lines on the page turned round, each quad still beginning where its text begins."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def quad(of: Line) -> Quad:
        a, b, c, d = ((x * cos - y * sin, x * sin + y * cos) for x, y in of.quad)
        return a, b, c, d

    return [Line(of.text, quad(of), of.score) for of in lines]


PAPER = [
    line("title", 200, 40, 500, 40),
    *column("a", 50, 150, 8),
    *column("b", 490, 150, 8),
    line("figure across both columns", 100, 430, 700),
    *column("c", 50, 500, 5),
    *column("d", 490, 515, 6),
    line("7", 465, 760, 12),
]
PAPER_ORDER = [
    *("title", *names("a", 8), *names("b", 8), "figure across both columns"),
    *(*names("c", 5), *names("d", 6), "7"),
]


def test_one_column() -> None:
    assert texts(column("a", 50, 50, 12)) == names("a", 12)


def test_two_columns_with_a_title_and_a_figure_across() -> None:
    assert texts(PAPER) == PAPER_ORDER


@pytest.mark.parametrize("degrees", [2, -5, 90, 180, 270, 93])
def test_the_page_may_lie_as_it_likes(degrees: float) -> None:
    assert texts(turned(PAPER, degrees)) == PAPER_ORDER


def test_three_columns() -> None:
    lines = [*column("a", 50, 50, 9, 280), *column("b", 350, 50, 9, 280), *column("c", 650, 50, 9, 280)]
    assert texts(lines) == names("a", 9) + names("b", 9) + names("c", 9)


def test_a_receipt_is_read_row_by_row() -> None:
    goods = ["Coffee beans 1 kg", "Tea", "Cake with a long name", "Sum"]
    lines = [line(good, 20, 40 * n, 12 * len(good)) for n, good in enumerate(goods)]
    lines += [line(f"{n}.50", 400, 40 * n + 3, 50) for n in range(4)]
    assert join(reading_order(shuffled(lines))).split("\n") == [f"{good} {n}.50" for n, good in enumerate(goods)]


def test_a_form_is_read_row_by_row() -> None:
    labels = ["Name:", "Date of birth:", "Place of residence and street:", "Phone:"]
    values = ["Ann", "1 April 1970", "12, Long Lane, Little Village", "none"]
    lines = [line(label, 20, 50 * n, 11 * len(label)) for n, label in enumerate(labels)]
    lines += [line(value, 420, 50 * n, 11 * len(value)) for n, value in enumerate(values)]
    order = [text for pair in zip(labels, values, strict=True) for text in pair]
    assert texts(lines) == order


def test_rows_of_a_bent_page_stay_together() -> None:
    lines = [  # sags by more than a line from one side to the other; words end anywhere
        line(f"{row}{piece}", 100 * piece + 7 * row, 30 * row + 35 * (piece / 7) ** 2, 90)
        for row in range(6)
        for piece in range(8)
    ]
    assert texts(lines) == [f"{row}{piece}" for row in range(6) for piece in range(8)]


def test_a_stamp_on_the_margin_comes_last() -> None:
    lines = [*column("a", 100, 50, 10), *turned([line("arXiv", -300, 20, 200)], 270)]
    assert texts(lines) == [*names("a", 10), "arXiv"]


def test_paragraphs_part_at_gaps_indents_and_sizes() -> None:
    lines = [
        line("A heading", 50, 0, 200, 36),
        *(line("The first paragraph begins", 50, 50, 400), line("and ends.", 50, 80, 120)),
        *(line("The second is indented", 80, 110, 370), line("and goes on,", 50, 140, 400), line("on.", 50, 170, 60)),
        line("The third stands apart.", 50, 240, 400),
    ]
    assert join(reading_order(lines)) == (
        "A heading\n\nThe first paragraph begins\nand ends.\n\nThe second is indented\nand goes on,\non.\n\n"
        "The third stands apart."
    )


def test_the_lines_of_a_list_item_stay_together() -> None:
    lines = [
        line("1. An item that goes on", 50, 50, 400),
        line("hanging, indented", 75, 80, 250),
        line("2. Another", 50, 110, 150),
        line("3. A third, as long as the first", 50, 140, 400),
    ]
    assert "\n\n" not in join(reading_order(lines))


def test_a_sentence_runs_on_into_the_next_column() -> None:
    lines = [*column("a", 50, 50, 6), *(line("b runs on", 500, 50 + 30 * n, 400) for n in range(6))]
    ends = {found.text: found.end for found in reading_order(lines)}
    assert ends["a6"] == "\n"
    assert join(reading_order([*column("a", 50, 50, 6), *column("B", 500, 50, 6)])).count("\n\n") == 1


def test_spaces_between_pieces_of_a_row() -> None:
    def row(first: str, second: str, gap: float) -> str:
        return join(reading_order([line(first, 0, 0, 100), line(second, 100 + gap, 0, 100)]))

    assert row("two", "words", 10) == "two words"
    assert row("中文", "中文", 4) == "中文中文"
    assert row("中文", "中文", 40) == "中文 中文"
    assert row("中文", "Latin", 4) == "中文 Latin"


@pytest.mark.parametrize("seed", range(20))
def test_the_gutter_is_the_best_of_all_places(seed: int) -> None:
    """Also where most of them were passed over."""
    rng = random.Random(seed)
    lines = [line("across", rng.randrange(900), rng.randrange(400), rng.randrange(1, 900)) for _ in range(seed % 4)]
    for left in range(50, 1050, rng.choice([250, 340, 500])):
        lines += [line("row", left, 50 + 30 * n, rng.uniform(120, 240)) for n in range(rng.randrange(12))]
    rows = order._rows(order._turned(lines)[0])
    with_all = {
        x: sum(
            len(row)
            for band in order._bands(rows, x)
            for left, right in [order._sides(band, x)]
            if not order._crosses(band[0], x)
            and order._is_prose(left)
            and order._is_prose(right)
            and order._is_clear(left, right)
            for row in (*left, *right)
        )
        for x in _places(rows)
    }
    best = max(with_all, key=with_all.__getitem__, default=None)
    assert order._gutter(rows) == (best if best and with_all[best] else None)


def _places(rows: list[list[order._Piece]]) -> list[float]:
    """Where a gutter may be: midway between an end and the next start."""
    starts = sorted(piece.x0 for row in rows for piece in row)
    ends = sorted({round(piece.x1) for row in rows for piece in row})
    after = [(end, next((start for start in starts if start >= end - 2), None)) for end in ends]
    return [(end + start) / 2 for end, start in after if start is not None]


def test_nothing() -> None:
    assert reading_order([]) == ()


def test_every_line_comes_out_once() -> None:
    rng = random.Random(3)
    for _ in range(200):
        lines = [
            line(str(n), rng.uniform(0, 900), rng.uniform(0, 900), rng.uniform(5, 500), rng.uniform(5, 60))
            for n in range(rng.randrange(1, 40))
        ]
        found = reading_order(turned(lines, rng.choice([0, 1, 90, 200])))
        assert sorted(one.text for one in found) == sorted(one.text for one in lines)
        assert all(one.end in ("", " ", "\n", "\n\n") for one in found)
