"""Drawings become pixels: of the size asked for, on white, in as many channels as they need."""

from __future__ import annotations

import io

import numpy as np
import pytest

from ocr2.errors import BadOutput, RenderFailed
from ocr2.renderers import drawing
from ocr2.renderers.drawing import Drawing

pytest.importorskip("resvg", reason="engines: pip install 'ocr2[engines]'")

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="50" height="40">'
    '<rect x="10" y="5" width="20" height="10" fill="{}"/></svg>'
)
WORD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40">'
    '<text x="5" y="30" font-size="24" font-family="{}">{}</text></svg>'
)


def svg(text: str, scale: float = 1.0) -> Drawing:
    return Drawing(text.encode(), "svg", "test 1", scale)


@pytest.mark.parametrize("scale", [1, 2, 0.5])
def test_an_svg_is_as_large_as_asked_for(scale: float) -> None:
    image = svg(SVG.format("black"), scale).pixels()
    assert image.shape == (40 * scale, 50 * scale)
    rows, columns = np.nonzero(image < 128)
    box = (columns.min() / scale, rows.min() / scale, (columns.max() + 1) / scale, (rows.max() + 1) / scale)
    assert box == pytest.approx((10, 5, 30, 15), abs=1 / scale)
    assert svg(SVG.format("black")).scaled(scale).pixels().tobytes() == image.tobytes()


def test_colours_are_red_green_blue() -> None:
    image = svg(SVG.format("#ff0000")).pixels()
    assert image.shape == (40, 50, 3)
    assert image[10, 20].tolist() == [255, 0, 0] and image[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("family", "text"), [(name, "Hg") for name in drawing.FONTS] + [("Noto Sans SC", "中文")])
def test_text_is_seen_in_every_family(family: str, text: str) -> None:
    pytest.importorskip("fontTools", reason="fonts: pip install 'ocr2[fonts]'")
    shown = svg(WORD.format(family, text)).pixels()
    assert (shown < 128).sum() > 60
    assert shown.tobytes() != svg(WORD.format(family, "xi")).pixels().tobytes()


@pytest.mark.parametrize(
    "inside",
    [
        '<image id=">" href="{}"/>',
        '<s:image xmlns:s="http://www.w3.org/2000/svg" href="{}"/>',
        '<image xmlns:l="http://www.w3.org/1999/xlink" l:href=" {}"/>',
        '<!-- <image id=" --><image id="" href="{}"/>',
        '<filter id="f"><feImage href="{}"/></filter><rect width="9" height="9" filter="url(#f)"/>',
    ],
)
def test_files_are_not_shown_however_they_are_named(inside: str) -> None:
    with pytest.raises(RenderFailed, match="shows a file"):
        svg(f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{inside.format("/a.png")}</svg>').pixels()


def test_entities_are_not_read() -> None:
    declared = """<!DOCTYPE svg [<!ENTITY i "&#60;&#105;mage href='/a.png'/>">]>"""
    with pytest.raises(RenderFailed, match="declares entities"):
        svg(f'{declared}<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">&i;</svg>').pixels()


def test_pictures_within_are_shown() -> None:
    dot = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='9' height='9'%3E%3Crect width='9' height='9'/%3E%3C/svg%3E"  # noqa: E501
    shown = svg(f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image id=">" href="{dot}"/></svg>')
    assert (shown.pixels() < 128).any()


def test_files_are_not_shown() -> None:
    for reference in ("/etc/passwd", "file:///etc/hostname", "http://localhost/x.png"):
        shown = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image  href="{reference}"/></svg>'
        with pytest.raises(RenderFailed, match="shows a file"):
            svg(shown).pixels()


def test_what_is_broken_or_too_large_is_refused() -> None:
    with pytest.raises(RenderFailed, match="ParsingFailed"):
        svg("<svg").pixels()
    with pytest.raises(RenderFailed, match="expected up to 16 million"):
        svg(SVG.format("black"), 200).pixels()
    with pytest.raises(RenderFailed, match="PDF that can't be drawn"):
        Drawing(b"%PDF", "pdf", "test 1").pixels()


def test_a_page_of_a_pdf_is_drawn() -> None:
    import pypdfium2

    document = pypdfium2.PdfDocument.new()
    document.new_page(100, 50)
    stream = io.BytesIO()
    document.save(stream)
    document.close()
    page = Drawing(stream.getvalue(), "pdf", "test 1", 1.5)
    assert page.pixels().shape == (75, 150) and (page.pixels() == 255).all()
    with pytest.raises(RenderFailed, match="expected up to"):
        page.scaled(100).pixels()


def test_anything_is_an_svg() -> None:
    pixels = Drawing(np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5, "pixels", "test 1")
    assert svg(SVG).svg() == SVG
    assert svg(pixels.svg()).pixels().tobytes() == pixels.pixels().tobytes()
    outlined = Drawing(b"", "pdf", "test 1", outline=lambda: SVG)
    assert outlined.svg() == outlined.scaled(2).svg() == SVG
    with pytest.raises(BadOutput, match="can't be drawn larger"):
        pixels.scaled(2)
