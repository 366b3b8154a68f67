"""Engraved music, as paths."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("verovio", reason="engines: pip install 'ocr2[engines]'")

from ocr2.errors import BadInput, RenderFailed
from ocr2.renderers.apart import apart
from ocr2.renderers.drawing import Drawing
from ocr2.renderers.fonts import faces
from ocr2.renderers.kern import FONTS, MARGIN, Engraving, Heading

MUSIC = "**kern\t**kern\n*clefF4\t*clefG2\n*k[b-]\t*k[b-]\n*M3/4\t*M3/4\n{met}2.F\t4a\n.\t4b-\n.\t4cc\n==\t==\n*-\t*-\n"
PLAIN = MUSIC.format(met="")


def drawn(source, engraving=Engraving(), headings=()):  # noqa: B008 it is frozen
    return apart("ocr2.renderers.kern:drawn", source, engraving, headings)


def glyphs(svg):
    """Of SMuFL, as they are used."""
    return re.findall(r'xlink:href="#(E\w{3})-', svg)


def test_all_is_paths_and_nothing_is_loaded():
    svg, width, height = drawn(PLAIN)
    assert not re.search(r"<text[ >]|href=\"(?!#)", svg)
    assert svg.startswith(
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}"'
    )
    ink = Drawing(svg.encode(), "svg", "").pixels() < 128
    assert ink.shape == (height, width)
    assert not ink[:, : MARGIN - 4].any() and not ink[:4].any() and not ink[-4:].any()


@pytest.mark.parametrize("space", [6, 8, 10])
def test_staffs_are_as_large_as_told(space):
    svg, _, _ = drawn(PLAIN, Engraving(space=space, options=(("staffLineWidth", 0.3),)))
    ink = Drawing(svg.encode(), "svg", "").pixels() < 160
    rows = [row for row, share in enumerate(ink.mean(axis=1)) if share > 0.6]
    lines = [row for row, before in zip(rows, [-9, *rows], strict=False) if row - before > 1]
    assert len(lines) == 10
    assert lines[4] - lines[0] == pytest.approx(4 * space, abs=1)


def test_fonts_differ():
    assert len({drawn(PLAIN, Engraving(font=font))[0] for font in FONTS}) == len(FONTS)


def test_what_was_drawn_before_changes_nothing():
    first = drawn(PLAIN)
    drawn(MUSIC.format(met="*met(c)\t*met(c)\n"), Engraving(FONTS[3], 6.0, options=(("stemWidth", 0.4),)))
    assert drawn(PLAIN) == first


def test_meters_told_by_signs_are_shown_at_the_beginning():
    four = PLAIN.replace("M3/4", "M4/4").replace("2.F", "1F").replace("4cc", "2cc")
    signs = four.replace("*M4/4\t*M4/4\n", "*M4/4\t*M4/4\n*met(c)\t*met(c)\n")
    assert "E084" in glyphs(drawn(four)[0])
    assert glyphs(drawn(signs)[0]).count("E08A") == 2


def test_headings_stand_above_the_music_within_the_picture():
    face = faces("serif")[0]
    _, width, height = drawn(PLAIN)
    headings = (
        Heading("A title much wider than the music is", face, 24, "centred"),
        Heading("W. A.", face, 14, "right"),
    )
    svg, wide, high = drawn(PLAIN, headings=headings)
    assert wide > width and high > height + 24
    ink = Drawing(svg.encode(), "svg", "").pixels() < 128
    above = ink[: high - height]
    assert above[:, : wide // 4].any() and above[:, -wide // 4 :].any()
    assert not above[:, :4].any() and not above[:, -4:].any()


def test_headings_that_the_face_lacks_are_told():
    with pytest.raises(BadInput, match="STIX hasn't"):
        drawn(PLAIN, headings=(Heading("小步舞曲", faces("serif")[0], 24, "centred"),))


def test_long_music_is_broken_into_systems():
    long = PLAIN.replace("==\t==\n", "=\t=\n" + "2.F\t2.a\n=\t=\n" * 20)
    _, width, height = drawn(long, Engraving(width=600))
    assert width <= 600 + 2 * MARGIN + 30
    assert height > 2 * drawn(PLAIN)[2]


@pytest.mark.parametrize(
    ("source", "told"), [("", "can't read"), ("**kern\n*-\n", "nothing"), ("not music at all", "can't read|nothing")]
)
def test_what_is_no_music_is_told(source, told):
    with pytest.raises(RenderFailed, match=told):
        drawn(source)


def test_a_crash_of_the_engraver_is_an_error():
    with pytest.raises(RenderFailed, match=r"kern: crashed|can't read"):
        drawn("**kern\t**kern\n*clefF4\t*clefG2\n4c\t4e\n4d\n=\t=\n*-\t*-\n")
    assert drawn(PLAIN)
