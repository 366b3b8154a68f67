"""Typst sets exactly what it is given, in the typefaces asked for, and reaches nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from ocr2.errors import RenderFailed
from ocr2.renderers import fonts, typst
from ocr2.renderers.drawing import Drawing
from ocr2.renderers.typst import MODERN, MODERN_BOLD, escaped, pdf, setting, svg

pytest.importorskip("typst", reason="engines: pip install 'ocr2[engines]'")
pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")

PAGE = "#set page(width: auto, height: auto, margin: 4pt)\n"
ODD = "a--b ''c'' ``d \"e\" $x$ #f *g* _h_ <i> @j = k // /* l */ [m] {n} \\o ~p... https://q.r #\"s\";"


def text_of(content: bytes) -> str:
    import pypdfium2

    document = pypdfium2.PdfDocument(content)
    try:
        return " ".join(str(page.get_textpage().get_text_bounded()) for page in document)
    finally:
        document.close()


def pixels(markup: str) -> np.ndarray:
    return Drawing(pdf(PAGE + markup), "pdf", "typst", 2.0).pixels()


@pytest.mark.parametrize(
    "face", [MODERN, *typst.faces("sans")[:1], *typst.faces("mono")[:1]], ids=lambda face: face.name
)
def test_text_is_shown_exactly(face: fonts.Face) -> None:
    assert text_of(pdf(f"{PAGE}#set text({setting([face])})\n{escaped(ODD)}")).strip() == ODD


def test_marks_that_tex_type_joins_stay_apart() -> None:
    shown = f"#set text({setting([MODERN], 20)})\n"
    for joined, apart in (("–", "--"), ("”", "''"), ("“", "``"), ("¡", "!`"), ("¿", "?`")):
        one, two = pixels(shown + escaped(f"a{joined}a")), pixels(shown + escaped(f"a{apart}a"))
        assert one.shape != two.shape


def test_what_typst_calls_a_face_is_that_face() -> None:
    known = {(each.family, each.style) for each in typst._fonts().fonts()}
    for kind in fonts.KINDS:
        for face in typst.faces(kind) + typst.faces(kind, held=True):
            cut = "italic" if face.italic else "normal"
            assert (typst.family(face), cut) in known, face.name


def test_each_face_is_drawn_in_its_own_letters() -> None:
    drawn = {}
    for kind in fonts.KINDS:
        for face in typst.faces(kind):
            image = pixels(f"#set text({setting([face], 24)})\n{escaped('Rag 123')}")
            assert (image < 128).sum() > 100
            drawn[image.tobytes()] = face.name
    faces = [face for kind in fonts.KINDS for face in typst.faces(kind)]
    assert len(drawn) == len({face.name for face in faces})


def test_chinese_and_rare_signs_come_from_the_faces_after_the_first() -> None:
    han = typst.faces("han")[0]
    assert typst.missing("Ab 汉字", [MODERN]) == "汉字"
    assert typst.missing("Ab 汉字", [MODERN, han]) == ""
    assert typst.missing("\u0e01\U0001f600", [MODERN, han]) == "\u0e01\U0001f600"
    assert text_of(pdf(f"{PAGE}#set text({setting([MODERN, han])})\n{escaped('Ab 汉字')}")).strip() == "Ab 汉字"


def test_modern_has_what_it_is_said_to_have() -> None:
    """Each character is drawn otherwise than one that the font lacks."""
    has = typst.covered(MODERN)
    codes = [code for code in np.flatnonzero(has) if code > 32][::23]
    for face in (MODERN, MODERN_BOLD):
        words = f"#set page(width: 40pt, height: 20pt, margin: 2pt)\n#set text({setting([face], 12)})\n"
        pages = [Drawing(pdf(words + escaped(chr(code))), "pdf", "", 1.0).pixels() for code in (0x4E00, *codes)]
        box = pages[0].tobytes()
        assert all(page.tobytes() != box and (page < 200).any() for page in pages[1:])


def test_files_are_given_with_the_markup() -> None:
    red = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="#f00"/></svg>'
    shown = Drawing(pdf(PAGE + '#image(file("é.svg"), width: 20pt)', {"é.svg": red.encode()}), "pdf", "").pixels()
    assert tuple(shown[14, 14]) == (255, 0, 0)
    import cv2

    green = cv2.imencode(".png", np.full((4, 4, 3), (0, 255, 0), np.uint8))[1].tobytes()
    shown = Drawing(pdf(PAGE + '#image(file("a.png"), width: 20pt)', {"a.png": green}), "pdf", "").pixels()
    assert tuple(shown[14, 14]) == (0, 255, 0)


def test_an_svg_is_of_paths_and_one_page() -> None:
    shown = svg(PAGE + "Hello")
    assert "<text" not in shown and "<path" in shown
    with pytest.raises(RenderFailed, match="2 pages"):
        svg("a\n#pagebreak()\nb")


def test_pixels_are_grey_where_the_page_is() -> None:
    square = "#set page(width: 10pt, height: 20pt, margin: 0pt)\n#rect(width: 10pt, height: 10pt, fill: rgb({}))"
    grey, red = typst.pixels(square.format('"#808080"'), 2.0), typst.pixels(square.format('"#ff0000"'), 1.5)
    assert grey.shape == (40, 20) and grey[10, 10] == 128 and grey[30, 10] == 255
    assert red.shape == (30, 15, 3) and tuple(red[5, 5]) == (255, 0, 0)


def test_the_same_markup_gives_the_same_bytes() -> None:
    assert pdf(PAGE + "Hello") == pdf(PAGE + "Hello")


@pytest.mark.parametrize(
    ("markup", "told"),
    [
        ("#nothing", "unknown variable: nothing"),
        ("$x", "unclosed delimiter"),
        ('#read("/etc/passwd")', "file"),
        ('#read("../../../../etc/passwd")', "root"),
        ('#image("/etc/hostname")', "file"),
        ('#import "@preview/cetz:0.3.0"', "failed to download package"),
        ('#text(font: "No Such Font")[a]', "unknown font family"),
        ("#let f(x) = f(x) + 1\n#f(1)", "depth"),
        ("#let x = 0\n#while x < 1 { x -= 1 }", "infinite"),
        ('#image(file("none.svg"))', "none.svg"),
    ],
)
def test_broken_markup_and_what_reaches_out_is_an_error_in_its_words(markup: str, told: str) -> None:
    with pytest.raises(RenderFailed, match=told):
        pdf(markup)


def test_an_endless_loop_ends() -> None:
    with pytest.raises(RenderFailed, match="took longer than 1 seconds"):
        pdf("a")
        pdf("#for i in range(100000) { for j in range(100000) { let x = i * j } }", seconds=1)
    assert text_of(pdf("again")).strip().startswith("again")
