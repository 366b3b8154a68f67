"""Lines break where they should, stand where their quads say, and say what is printed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from random import Random

import numpy as np
import pytest

pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")

from PIL import Image, ImageDraw

from ocr2.errors import BadInput
from ocr2.renderers.fonts import CODES, covered, faces, opened
from ocr2.renderers.galley import CLOSING, OPENING, Galley, Style
from ocr2.renderers.typeset import Block, Part, Sheet, typeset
from ocr2.types import Box, join

ENGLISH = (
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a "
    "wife. However little known the feelings or views of such a man may be on his first entering a neighbourhood, this "
    "truth is so well fixed in the minds of the surrounding families."
)
CHINESE = (
    "子曰：“学而时习之，不亦说乎？有朋自远方来，不亦乐乎？人不知而不愠，不亦君子乎？”"
    "有子曰：“其为人也孝弟，而好犯上者，鲜矣；不好犯上，而好作乱者，未之有也。”"
)
STYLE = Style(faces("serif")[0], faces("han")[1], 18)
STYLES = {
    "left": STYLE,
    "justified": replace(STYLE, align="justified", indent=2, hyphens=True),
    "centred": replace(STYLE, align="centred", spread=0.05),
    "right": replace(STYLE, align="right", latin=faces("mono")[0]),
    "kerned": replace(STYLE, kerned=True, latin=faces("serif")[2]),
    "by hand": replace(STYLE, latin=faces("hand")[0], han=faces("han")[2], hang=1.5),
    "narrow": replace(STYLE, han=faces("han")[3], gap=0.2, ink=150),
}
FRAME = Box(20, 10, 460, 300)


def printed(text: str, style: Style = STYLE, frame: Box = FRAME) -> Sheet:
    return typeset([Part([Block(text, style)], [frame])], 480, 320)


@pytest.mark.parametrize(
    "text", [ENGLISH, CHINESE, ENGLISH[:80] + CHINESE[:30] + ENGLISH[80:120]], ids=["en", "zh", "mixed"]
)
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_quads_hold_all_ink_and_no_more(style: Style, text: str) -> None:
    sheet = printed(text, style)
    rest = sheet.ink.copy()
    assert len(sheet.lines) >= 3
    for line in sheet.lines:
        (x0, y0), _, (x1, y1), _ = line.place
        part = sheet.ink[int(y0) : int(y1), int(x0) : int(x1)]
        assert part[0].any() and part[-1].any() and part[:, 0].any() and part[:, -1].any()
        rest[int(y0) : int(y1), int(x0) : int(x1)] = 0
    assert not rest.any()
    assert sheet.ink.max() == style.ink


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_characters_stand_where_their_centers_say(style: Style) -> None:
    sheet = printed("o 国 " * 30, style)
    assert len(sheet.lines) >= 3
    for line in sheet.lines:
        (x0, y0), _, (x1, y1), _ = line.place
        assert len(line.centers) == len(line.text)
        assert list(line.centers) == sorted(line.centers)
        inked = np.diff(sheet.ink[int(y0) : int(y1), int(x0) : int(x1)].any(0), prepend=False, append=False)
        starts, ends = np.flatnonzero(inked).reshape(-1, 2).T
        known = [x * (x1 - x0) for x, char in zip(line.centers, line.text, strict=True) if char != " "]
        assert np.abs((starts + ends) / 2 - known).max() < 0.13 * style.size


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_nothing_is_lost_at_the_ends_of_lines(style: Style) -> None:
    for text in (ENGLISH, CHINESE):
        lines = [line.text for line in printed(text, replace(style, hyphens=False)).lines]
        spaced = " ".join(lines) if text is ENGLISH else "".join(lines)
        assert spaced == text
        assert all(line == line.strip() for line in lines)


def test_lines_are_as_pillow_draws_them() -> None:
    """Words drawn whole, at the places of a line without kerning: the same picture but for what kerning moves."""
    for face in (faces("mono")[0], faces("sans")[0]):
        sheet = printed("monospaced", replace(STYLE, latin=face, size=32))
        image = Image.new("L", (480, 320))
        (x0, y0), (x1, _), _, _ = sheet.lines[0].place
        font = opened(face, 32)
        left, top, _, _ = font.getbbox("monospaced")
        ImageDraw.Draw(image).text((x0 - left, y0 - top), "monospaced", 255, font)
        theirs = np.asarray(image)
        ours = sheet.ink
        assert abs(int(theirs.sum()) - int(ours.sum())) < 0.03 * theirs.sum()
        assert np.abs(theirs.sum(axis=1, dtype=int) - ours.sum(axis=1, dtype=int)).sum() < 0.1 * theirs.sum()
        assert x1 - x0 == pytest.approx(font.getlength("monospaced"), abs=5)


def test_justified_lines_end_together_and_last_ones_do_not() -> None:
    for text in (ENGLISH, CHINESE):
        rights = [line.place[1][0] for line in printed(text, STYLES["justified"]).lines]
        near = FRAME.x1 - STYLE.size  # a closing mark fills half of its square
        assert min(rights[:-1]) > near > rights[-1]


def test_words_are_split_with_hyphens_only_where_asked() -> None:
    narrow = Box(10, 10, 130, 310)
    lines = [line.text for line in printed(ENGLISH, STYLES["justified"], narrow).lines]
    split = [n for n, line in enumerate(lines[:-1]) if line.endswith("-")]
    assert split
    whole = ENGLISH.replace(" ", "")
    assert whole.startswith(
        "".join(line.removesuffix("-") if n in split else line for n, line in enumerate(lines)).replace(" ", "")
    )
    assert not [line for line in printed(ENGLISH, STYLE, narrow).lines if line.text.endswith("-")]


def test_chinese_lines_never_begin_with_closing_marks_nor_end_with_opening_ones() -> None:
    for width in range(100, 400, 7):
        lines = [line.text for line in printed(CHINESE, STYLE, Box(10, 10, 10 + width, 310)).lines]
        assert not [line for line in lines[1:] if line[0] in CLOSING]
        assert not [line for line in lines[:-1] if line[-1] in OPENING]


def test_text_runs_through_frames_in_reading_order() -> None:
    frames = [Box(10, 10, 230, 60), Box(250, 10, 470, 60), Box(10, 100, 470, 310)]
    lines = typeset([Part([Block(ENGLISH, STYLE)], frames)], 480, 320).lines
    assert " ".join(line.text for line in lines) == ENGLISH
    assert [line.end for line in lines[:4]] == ["\n", "\n\n", "\n", "\n\n"]
    assert [line.place[0][0] < 240 for line in lines[:4]] == [True, True, False, False]
    assert all(line.place[0][1] > 90 for line in lines[4:])


def test_paragraphs_and_parts_end_with_an_empty_line() -> None:
    sheet = typeset(
        [
            Part([Block("One.", STYLE), Block("Two.", STYLE)], [FRAME]),
            Part([Block("7", STYLE)], [Box(20, 280, 460, 320)]),
        ],
        480,
        320,
    )
    assert join(sheet.lines) == "One.\n\nTwo.\n\n7"


def test_what_no_font_has_is_left_out() -> None:
    assert not (covered(STYLE.latin) | covered(STYLE.han))[0x0E01]
    sheet = printed("  ab\u0e01c \u200b  \U0001f600  d\u0e01 ", STYLE)
    assert join(sheet.lines) == "abc d"
    assert join(printed("a\u200bb\xadc\u3000d\x07e\u0301f\ud800\ufeff").lines) == "abc def"
    assert printed("\u0e01\u0e02").lines == () and not printed("\u0e01").ink.any()
    assert not printed("").ink.any()


def test_every_character_is_set_in_a_face_that_has_it() -> None:
    rng = Random(5)
    text = " ".join(chr(rng.randrange(33, CODES)) for _ in range(3000))
    galley = Galley(text, STYLE)
    assert covered(STYLE.han)[galley.codes[galley.in_han]].all()
    assert covered(STYLE.latin)[galley.codes[~galley.in_han]].all()


def test_quotes_are_chinese_in_chinese_and_latin_in_english() -> None:
    assert Galley("他说“好”。", STYLE).in_han.all()
    assert not Galley("He said “good”.", STYLE).in_han.any()


def test_nothing_is_cut_off() -> None:
    sheet = printed("jÅfg", replace(STYLE, size=60, latin=faces("hand")[2]), Box(0, 0, 480, 320))
    (x0, y0), _, (x1, y1), _ = sheet.lines[0].place
    assert min(x0, y0) >= 0 and x1 <= 480 and y1 <= 320
    low = printed("jÅfg", replace(STYLE, size=60), Box(300, 262, 480, 340))
    assert low.lines[0].place[2][1] <= 320
    with pytest.raises(BadInput, match=r"doesn't fit on 480 × 320.*smaller type"):
        printed("WWWWWWWWWWWW", replace(STYLE, size=200), Box(0, 0, 4800, 320))


def test_the_number_of_characters_is_bounded() -> None:
    lines = typeset([Part([Block(ENGLISH, STYLE)] * 9, [FRAME], 100)], 480, 320).lines
    assert 100 <= sum(len(line.text) for line in lines) < 180


def test_same_text_same_bytes_in_any_process() -> None:
    """Whatever glyphs a process drew before."""
    code = (
        "import sys; sys.path.insert(0, 'tests'); import test_typeset as t; from hashlib import sha256\n"
        "t.printed(t.CHINESE[::-1]); "
        "inks = [t.printed(t.ENGLISH + t.CHINESE, style).ink for style in t.STYLES.values()]; "
        "print(sha256(b''.join(ink.tobytes() for ink in inks)).hexdigest())"
    )
    here = sha256(b"".join(printed(ENGLISH + CHINESE, style).ink.tobytes() for style in STYLES.values())).hexdigest()
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == here
