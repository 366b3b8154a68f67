"""Fonts open, and draw what they say they have."""

from __future__ import annotations

import string
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")

from ocr2.data.corpus import gb2312
from ocr2.errors import RendererMissing
from ocr2.renderers.fonts import FACES, KINDS, Face, covered, faces, opened, path
from ocr2.renderers.glyphs import Fount, advances, fount, stamps, word


@pytest.mark.parametrize("face", FACES, ids=lambda face: f"{face.name} {face.file}")
def test_a_face_draws_all_of_ascii(face: Face) -> None:
    codes = np.array([ord(char) for char in string.ascii_letters + string.digits + string.punctuation], np.uint32)
    assert covered(face)[codes].all() and covered(face)[32]
    drawn = fount(face, 20)
    places = drawn.places[drawn.numbers(codes, np.zeros(len(codes), np.int32))]
    assert (places[:, 1] > 0).all()
    assert (advances(face, codes) > 0).all()


def test_every_family_looks_different_in_every_cut() -> None:
    seen = {}
    for face in FACES:
        ink, _, _ = stamps(face, opened(face, 40), [("Rag", 0.0)], 160)[0]
        assert ink.tobytes() not in seen, f"{face} looks like {seen.get(ink.tobytes())}"
        seen[ink.tobytes()] = face


def test_bold_is_blacker_than_regular() -> None:
    for family in {face.family for face in FACES if face.bold}:
        cuts = {face.bold: face for face in FACES if face.family == family and not face.italic and face.stretch == 1}
        if len(cuts) == 2:
            ink = {
                bold: int(stamps(face, opened(face, 40), [("nHo", 0.0)], 160)[0][0].sum())
                for bold, face in cuts.items()
            }
            assert ink[True] > 1.1 * ink[False], family


@pytest.mark.parametrize("face", faces("han") + faces("han", True), ids=lambda face: face.name)
def test_chinese_faces_have_what_chinese_is_written_with(face: Face) -> None:
    han = [ord(char) for char in gb2312()]
    assert covered(face)[han].all()
    assert covered(face)[[ord(char) for char in "，。、；：？！（）《》“”繁體龍"]].all()
    width = advances(face, np.array(han, np.uint32))
    assert np.ptp(width) < 1e-6


def test_families_held_back_are_of_every_kind_of_running_text_and_never_trained_on() -> None:
    for kind in KINDS:
        trained, held = ({face.family for face in faces(kind, back)} for back in (False, True))
        assert trained and held and not trained & held
    assert len({face.family for face in FACES if face.kind != "han"}) >= 25


def test_a_missing_font_names_the_command() -> None:
    with pytest.raises(RendererMissing, match=r"No Such bold.*pip install 'ocr2\[fonts\]'"):
        path(replace(FACES[1], family="No Such", package="no_such_package"))
    with pytest.raises(RendererMissing, match=r"nothing\.ttf"):
        path(replace(FACES[0], file="nothing.ttf"))


def test_glyphs_are_what_pillow_draws() -> None:
    """One by one, at whole pixels and at half ones."""
    face = faces("serif")[0]
    drawn = Fount(face, 24)
    for char in "Agjf":
        for phase in (0, 1):
            (ink, x, y), codes = (
                stamps(face, opened(face, 24), [(char, phase / 2)])[0],
                np.array([ord(char)], np.uint32),
            )
            number = drawn.numbers(codes, np.array([phase], np.int32))[0]
            first, width, left, top, bottom = drawn.places[number].tolist()
            cell = drawn.columns[first : first + width, top - drawn.top : bottom - drawn.top].T
            assert np.array_equal(cell, ink) and (left, top) == (x, y)


def test_what_was_drawn_before_changes_nothing() -> None:
    """A glyph that needs a higher cell than all before it moves them, not their ink."""
    face, codes = faces("sans")[0], np.array([ord(char) for char in "aÅgj|"], np.uint32)
    zeros = np.zeros(len(codes), np.int32)
    together, apart = Fount(face, 30), Fount(face, 30)
    for n in reversed(range(len(codes))):
        apart.numbers(codes[n : n + 1], zeros[:1])
    for known in (together, apart):
        known.numbers(codes, zeros)
    for one, other in zip(
        *(known.places[known.numbers(codes, zeros)].tolist() for known in (together, apart)), strict=True
    ):
        assert one[1:] == other[1:]
        cells = [
            known.columns[place[0] : place[0] + place[1], place[3] - known.top : place[4] - known.top]
            for known, place in ((together, one), (apart, other))
        ]
        assert np.array_equal(*cells)


def test_words_drawn_whole_are_kerned() -> None:
    face = faces("serif")[0]
    ink, _, _ = word(face, 40, "AVAVA", 0)
    apart = float(advances(face, np.array([ord(char) for char in "AVAVA"], np.uint32)).sum()) * 40
    assert ink.any() and ink.shape[1] <= apart + 2
    assert word(face, 40, "AVAVA", 0)[0] is ink


def test_a_sign_that_a_font_draws_without_ink_is_not_one_it_has() -> None:
    (micro,) = [face for face in FACES if face.held and face.kind == "han"]
    assert not covered(micro)[ord("℃")]
    assert covered(micro)[ord("汉")] and covered(micro)[ord(" ")]
