"""Places for lines that have none: pages whose printed lines are known, and transcripts of them with errors."""

import random
from itertools import islice
from pathlib import Path

import pytest

from ocr2.align import place
from ocr2.layout import printed as printed_lines
from ocr2.layout import words
from ocr2.types import Box, Line, Quad, join

EXAMPLES = Path(__file__).parent.parent / "examples"
WORDS = """
time year people way day man thing woman life child world school state family student group country problem hand part
place case week company system program question work government number night point home water room mother area money
story fact month lot right study book eye job word business issue side kind head house service friend father power
hour game line end member law car city community name president team minute idea kid body back information nothing ago
lead social whether understand watch together follow around parent stop face anything
"""
LATIN = WORDS.split()
HAN = [chr(code) for code in random.Random(7).sample(range(0x4E00, 0x9FA5), 600)]
HEIGHT = 20


def at(text: str, x: float, y: float) -> Line:
    """A printed line whose characters are each ten pixels wide."""
    quad = (x, y), (x + 10 * len(text), y), (x + 10 * len(text), y + HEIGHT), (x, y + HEIGHT)
    return Line(text, quad, 0.9, "\n", tuple((n + 0.5) / len(text) for n in range(len(text))))


def printed(*texts: str, x: float = 0) -> list[Line]:
    return [at(text, x, 30 * n) for n, text in enumerate(texts)]


def prose(rng: random.Random, chinese: bool = False) -> str:
    if chinese:
        return "".join(rng.choices(HAN, k=rng.randrange(8, 25)))
    return " ".join(rng.choices(LATIN, k=rng.randrange(4, 9)))


def noisy(text: str, share: float, rng: random.Random) -> str:
    """The text with that share of its characters replaced, left out or doubled."""
    alphabet = HAN if text[0] in HAN else "abcdefghijklmnopqrstuvwxyz"

    def misread(character: str) -> str:
        return rng.choice(["", character + rng.choice(alphabet), *[rng.choice(alphabet)] * 3])

    return "".join(misread(character) if rng.random() < share else character for character in text)


def placed(text: str, read: list[Line]) -> tuple[Line, ...]:
    return place(text, [0.5] * len(text), read)


def boxes(text: str, read: list[Line]) -> list[tuple[float, ...] | None]:
    """The box of each line, in characters and lines: x0, x1, y0, y1."""
    found = [line.box for line in placed(text, read)]
    return [box and (box.x0 / 10, box.x1 / 10, box.y0 / 30, (box.y1 - HEIGHT) / 30 + 1) for box in found]


@pytest.mark.parametrize("chinese", [False, True])
@pytest.mark.parametrize(("share", "least"), [(0.0, 1.0), (0.1, 0.97), (0.3, 0.7)])
@pytest.mark.parametrize("order", ["same", "rows", "columns swapped", "shuffled"])
def test_lines_are_found_in_any_order_of_columns(order: str, share: float, least: float, chinese: bool) -> None:
    rng = random.Random(1)
    right = total = 0
    for _ in range(10):
        left_column = [at(prose(rng, chinese), 0, 30 * n) for n in range(25)]
        right_column = [at(prose(rng, chinese), 1000, 30 * n) for n in range(25)]
        lines = left_column + right_column
        read = {
            "same": lines,
            "rows": [line for row in zip(left_column, right_column, strict=True) for line in row],
            "columns swapped": right_column + left_column,
            "shuffled": rng.sample(lines, len(lines)),
        }[order]
        text = "\n".join(noisy(line.text, share, rng) for line in lines)
        found = placed(text, read)
        right += sum(line.quad == true.quad for line, true in zip(found, lines, strict=True))
        total += len(lines)
    assert right / total >= least


def test_a_printed_line_is_divided_among_the_lines_that_it_holds() -> None:
    read = printed("One and two of them", "Three", "最后一行文字。")
    assert boxes("One and\ntwo of them\nThree\n最后\n一行文字", read) == [
        (0, 7, 0, 1),
        (8, 19, 0, 1),
        (0, 5, 1, 2),
        (0, 2, 2, 3),
        (2, 7, 2, 3),
    ]


def test_a_part_read_alone_gets_its_part() -> None:
    assert boxes("the beginning of it", printed("the beginning of it and then all the rest")) == [(0, 19, 0, 1)]


def test_a_part_of_a_turned_line() -> None:
    up: Quad = (0, 100), (0, 0), (20, 0), (20, 100)  # runs from bottom to top
    found = placed("first\nafter", [Line("firstafter", up, 1)])
    assert [line.quad for line in found] == [
        ((0, 100), (0, 50), (20, 50), (20, 100)),
        ((0, 50), (0, 0), (20, 0), (20, 50)),
    ]


def test_a_paragraph_gets_the_box_around_its_lines() -> None:
    read = printed("A Heading", "the first line of it is exam-", "plary, and the second", "is short.", "Another one")
    text = "# A Heading\n\nthe first line of it is exemplary, and the second is short.\n\nAnother one"
    assert boxes(text, read) == [(0, 9, 0, 1), (0, 29, 1, 4), (0, 11, 4, 5)]


def pieces(text: str, read: list[Line]) -> list[list[tuple[str, tuple[float, ...]]]]:
    """What of each line stands where, in characters and lines: x0, x1, y0."""
    found = [[(piece.text, Box.around(piece.quad)) for piece in line.pieces] for line in placed(text, read)]
    return [[(said, (box.x0 / 10, box.x1 / 10, box.y0 / 30)) for said, box in line] for line in found]


def test_the_pieces_of_a_paragraph_stand_on_the_lines_it_was_read_from() -> None:
    read = printed("A Heading", "the first line of it is exam-", "plary, and the second", "is short.", "Another one")
    text = "# A Heading\n\nthe **first** line of it is exemplary, and the *second* is short.\n\nAnother one"
    assert pieces(text, read) == [
        [],
        [
            ("the **first** line of it is exemplary,", (0, 29, 1)),
            (" and the *second*", (0, 21, 2)),
            (" is short.", (0, 9, 3)),
        ],
        [],
    ]
    assert [said for said, _ in pieces("extraordinary", printed("extra-", "ordinary"))[0]] == ["extra", "ordinary"]
    assert [said for said, _ in pieces("a well-known thing", printed("a well-", "known thing"))[0]] == [
        "a well-",
        "known thing",
    ]
    assert pieces("最后一行文字。还有一行文章", printed("最后一行文字。", "还有一行文章")) == [
        [("最后一行文字。", (0, 7, 0)), ("还有一行文章", (0, 6, 1))]
    ]


def test_words_that_were_misread_stand_where_the_page_has_room_for_them() -> None:
    read = printed("some words of the first qqqqqqq", "and the words that follow", "wwwwwww other words again")
    text = "some words of the first misread and the words that follow another other words again"
    assert [said for said, _ in pieces(text, read)[0]] == [
        "some words of the first misread",
        " and the words that follow",
        " another other words again",
    ]


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_each_word_of_a_paragraph_stands_on_its_line(share: float) -> None:
    """Columns of paragraphs, whatever order the page has them in: hOCR's words against the lines they are from."""
    rng = random.Random(2)
    right = total = 0
    for _ in range(5):
        columns = [[at(prose(rng), x, 30 * n) for n in range(24)] for x in (0, 1000)]
        paragraphs = [column[n : n + 6] for column in columns for n in range(0, 24, 6)]
        true = [
            (noisy(word, share, rng) or "x", line)
            for lines in paragraphs
            for line in lines
            for word in line.text.split()
        ]
        counts = [sum(len(line.text.split()) for line in lines) for lines in paragraphs]
        said = iter(word for word, _ in true)
        text = "\n\n".join(" ".join(islice(said, count)) for count in counts)
        found = printed_lines(placed(text, columns[1] + columns[0]))
        shown = [(word, Box.around(quad)) for line in found for word, quad in words(line)]
        assert [word for word, _ in shown] == [word for word, _ in true]
        for (_, box), (_, line) in zip(shown, true, strict=True):
            assert line.box
            right += line.box.x0 <= (box.x0 + box.x1) / 2 <= line.box.x1 and box.y0 == line.box.y0
        total += len(true)
    assert right / total >= (0.99 if share else 1)


def test_lines_that_are_alike_are_told_apart_by_their_neighbours() -> None:
    read = printed("Coffee", "Total", "3.20", "Tea", "Total", "1.50", "Cake", "Total", "1.50")
    assert boxes("Coffee\nTotal\nTea\nTotal\n1.50\nCake\nTotal\n1.50", read) == [
        (0, len(read[n].text), n, n + 1) for n in (0, 1, 3, 4, 5, 6, 7, 8)
    ]
    zeros = printed(*["0.00"] * 7)
    assert [line.quad for line in placed("\n".join(["0.00"] * 7), zeros)] == [line.quad for line in zeros]


def test_no_place_is_given_twice() -> None:
    read = printed("The same words again", "and other words that follow")
    text = "The same words again\nThe same words again\nand other words that follow\nThe same words again"
    found = [line.quad for line in placed(text, read)]
    assert sorted(quad for quad in found if quad) == sorted(line.quad for line in read if line.quad)
    assert found[2] == read[1].quad


def test_cells_are_found_in_another_order() -> None:
    read = printed("Name", "Ann", "Bob", "Age", "41", "37", "Born", "1983", "1987")
    text = "Name\nAge\nBorn\nAnn\n41\n1983\nBob\n37\n1987"
    assert [line.quad for line in placed(text, read)] == [read[n].quad for n in (0, 3, 6, 1, 4, 7, 2, 5, 8)]


def test_markup_width_and_case_make_no_difference() -> None:
    read = printed("AN IMPORTANT TITLE", "bold words and others", "Item Price", "Tea 1.50", "第１章（绪论）", "end")
    text = (
        "\\title{An Important Title}\n**Bold** words and *others*\n\\begin{tabular}{|l|r|}\n\\hline Item & Price \\\\\n"
        "\\hline Tea & 1.50 \\\\\n\\hline\n\\end{tabular}\n## 第1章(绪论)\nend"
    )
    found = [line.quad for line in placed(text, read)]
    n = [line.quad for line in read]
    assert found == [n[0], n[1], None, n[2], n[3], None, None, n[4], n[5]]


def test_tables_in_html() -> None:
    read = printed("Item", "Price", "Tea", "1.50", "Cake", "3.20")
    rows = [
        '<table border="1"><thead>',
        '<tr><th colspan="2">Item</th><th>Price</th></tr></thead>',
        "<tbody><tr><td>Tea</td><td>1.50</td></tr>",
        "<tr><td>Cake<br/></td><td>3.20</td></tr>",
        "</tbody></table>",
    ]
    assert boxes("\n".join(rows), read) == [None, (0, 5, 0, 2), (0, 4, 2, 4), (0, 4, 4, 6), None]
    ((*cells,),) = pieces("".join(rows), read)
    assert "".join(said for said, _ in cells) == "".join(rows)
    assert [at for _, at in cells] == [(0, len(line.text), n) for n, line in enumerate(read)]
    assert cells[2][0] == "Tea</td><td>"


def test_what_is_not_on_the_page_has_no_place() -> None:
    rng = random.Random(4)
    known = [" ".join(rng.choices(LATIN[:60], k=6)) for _ in range(30)]
    other = [" ".join(rng.choices(LATIN[60:], k=6)) for _ in range(30)]
    formula = "\\[\\frac{x_{1}^{2}}{\\sqrt{y}} = \\sum_{i=0}^{n} q_{i}\\]"
    lines = [known[0], "---", formula, *other[:3], *known[1:20], *other[3:], *known[20:]]
    found = placed("\n".join(lines), printed(*known))
    for line, text in zip(found, lines, strict=True):
        assert (line.quad is not None) == (text in known), text
    assert not any(line.quad for line in placed("\n".join(other), printed(*known)))


def test_texts_make_lines_again() -> None:
    text = "\n\n one \n\n\n \ntwo\n  \nthree\x0b3\n\n"
    found = place(text, [n / len(text) for n in range(len(text))], [])
    assert [line.text for line in found] == [" one ", "two", "three\x0b3"]
    assert [line.end for line in found] == ["\n\n\n \n", "\n  \n", "\n"]
    assert join(found) == text.strip("\n")
    assert found[0].score == pytest.approx(4 / len(text))
    assert found[1].score == pytest.approx((text.index("two") + 1) / len(text))
    assert not any(line.quad for line in found)


def test_a_large_page_takes_a_second() -> None:
    rng = random.Random(8)
    read = printed(*(" ".join(rng.choices(LATIN, k=2)) for _ in range(3000)))
    found = placed("\n".join(noisy(line.text, 0.1, rng) for line in read), read)
    assert sum(line.quad == true.quad for line, true in zip(found, read, strict=True)) > 2900
    assert not any(line.quad for line in placed("a" * 30000, [at("a" * 10, 0, 30 * n) for n in range(3000)]))


def test_nothing() -> None:
    read = printed("a line", "", "...")
    assert place("", [], []) == place("", [], read) == place("\n \n", [1, 1, 1], read) == ()
    assert boxes("...", read) == [None]
    assert boxes("7", printed("7")) == [(0, 1, 0, 1)]
    assert boxes("some", [Line("some", None, 1)]) == [None]


def test_any_text_may_come() -> None:
    """Whatever comes, the lines make the text, and lie on what was printed."""
    rng = random.Random(5)
    alphabets = ["ab \n", "0. \n", "ab中文 \n\\{}$&#*", "".join(map(chr, rng.sample(range(0x2FFFF), 500))) + "\n"]
    for trial in range(400):
        letters = rng.choice(alphabets)
        texts = ["".join(rng.choices(letters, k=rng.randrange(60))) for _ in range(rng.randrange(12))]
        read = [at(text, rng.randrange(500), 30 * n) for n, text in enumerate(texts) if text]
        shown = [noisy(text, 0.2, rng) for text in texts if text] if trial % 2 else rng.choices(letters, k=200)
        text = ("\n" if trial % 3 else "").join(shown)
        found = placed(text, read)
        blank = [line for line in text.split("\n") if line.strip()]
        assert [line.text for line in found] == blank
        assert join(found) in text
        for line in found:
            assert "".join(piece.text for piece in line.pieces) in (line.text, "")
            assert all(piece.text.strip() for piece in line.pieces) and len(line.pieces) != 1
        if any(line.quad for line in found):
            page = Box.around(tuple(point for line in read for point in line.place))
            for box in filter(None, (line.box for line in found)):
                assert page.x0 <= box.x0 and page.y0 <= box.y0 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1


def test_the_example(tmp_path: Path) -> None:
    """The OCR-1.0 reader's lines of a real page, its text noisy and in other lines."""
    import ocr2

    read = ocr2.load().read(EXAMPLES / "page.png").lines
    rng = random.Random(6)
    words = [(word, n) for n, line in enumerate(read) for word in line.text.split(" ")]
    chunks = [words[n : n + 5] for n in range(0, len(words), 5)]
    text = "\n".join(" ".join(noisy(word, 0.1, rng) for word, _ in chunk) for chunk in chunks)
    for line, chunk in zip(placed(text, list(read)), chunks, strict=True):
        assert line.box, line
        used = [read[n].box for n in {n for _, n in chunk}]
        assert line.box.y0 == pytest.approx(min(box.y0 for box in used), abs=6)
        assert line.box.y1 == pytest.approx(max(box.y1 for box in used), abs=6)
        if len(used) == 1:
            start = read[chunk[0][1]].text.index(chunk[0][0]) / len(read[chunk[0][1]].text)
            (box,) = used
            assert line.box.x0 == pytest.approx(box.x0 + start * (box.x1 - box.x0), abs=40)
