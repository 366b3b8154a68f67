"""Typst: pages typeset from markup, in the typefaces of this package and in New Computer Modern, TeX's own.

    set = f"#set text({setting([MODERN, han], size=11)})"
    content = pdf(f"#set page(width: auto, height: auto, margin: 6pt)\n{set}\n{escaped('10 % of #1')}")

Markup is code: whatever isn't ours goes through `escaped`. It runs apart, and reaches no file, no package and no
network; pictures are given with it: `pdf('#image(file("a.svg"))', {"a.svg": content})`.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from ocr2.errors import RenderFailed
from ocr2.renderers import fonts
from ocr2.renderers.apart import SECONDS, apart
from ocr2.renderers.fonts import FACES, Face, Kind
from ocr2.renderers.tools import need

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ocr2.renderers.drawing import Pixels

MODERN = Face("New Computer Modern", "serif", "typst", "", "GUST")
"""What TeX's pages are set in; it comes with Typst, and has Latin, Greek and Cyrillic."""
MODERN_BOLD = Face("New Computer Modern", "serif", "typst", "", "GUST", bold=True)
_LEFT_OUT = ("Roboto Condensed",)
"""Families that Typst can't tell from another: it calls this one Roboto."""
_NAMES = {"STIX": "STIXGeneral", "Shadows Into Light": "Shadows Into"}
"""Families that it calls by another name."""
_MODERN_HAS = (
    "\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u0391-\u03a1\u03a3-\u03ff\u0400-\u0482\u1e00-\u1eff\u2010-\u2014\u2016"
    "\u2018-\u2022\u2026\u2030-\u2031\u2039-\u203b\u203d\u2044\u2070-\u207f\u20a0-\u20c0\u2103\u2116-\u2117\u2122"
    "\u2126-\u2127\u212e\u2190-\u2193\u2212\u221a\u221e\u25cb\u25e6\u2640\u266a"
)
"""The characters that every cut of New Computer Modern has; a dash stands between the first and last of some."""


def pdf(markup: str, files: Mapping[str, bytes] | None = None, seconds: float = SECONDS) -> bytes:
    """The pages as a PDF. Raises RenderFailed, with Typst's words, and RendererMissing."""
    return bytes(apart("ocr2.renderers.typst:drawn", markup, dict(files or {}), "pdf", seconds=seconds))


def svg(markup: str, files: Mapping[str, bytes] | None = None, seconds: float = SECONDS) -> str:
    """The only page as an SVG of paths, whose unit is the point, on white. Raises as `pdf`."""
    return bytes(apart("ocr2.renderers.typst:drawn", markup, dict(files or {}), "svg", seconds=seconds)).decode()


def pixels(markup: str, scale: float, files: Mapping[str, bytes] | None = None, seconds: float = SECONDS) -> Pixels:
    """(H, W), or (H, W, 3) where it has colours: the only page, at so many pixels a point. Raises as `pdf`.

    A third faster than a PDF that is drawn by pdfium.
    """
    arguments = (markup, dict(files or {}), scale)
    return cast("Pixels", apart("ocr2.renderers.typst:painted", *arguments, seconds=seconds))


def escaped(text: str) -> str:
    """Markup, for wherever text may stand, that shows exactly this text: no quotes are bent, no dashes joined."""
    return _JOINED.sub('";#h(0.001pt);#"', f'#"{quoted(text)}";')


_JOINED = re.compile(r"(?<=-)(?=-)|(?<=')(?=')|(?<=[`!?])(?=`)|(?<=<)(?=<)|(?<=>)(?=>)|(?<=,)(?=,)")
"""Where TeX's type would make one sign of two: a dash, a quote."""


def quoted(text: str) -> str:
    """The text as it stands between quotation marks in Typst's code."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in plain)


def faces(kind: Kind, held: bool = False) -> tuple[Face, ...]:
    """The typefaces of a kind that Typst can set: all but those that it can't tell apart, narrow or thicken."""
    return tuple(
        face
        for face in fonts.faces(kind, held)
        if face.family not in _LEFT_OUT and face.stretch == 1 and not face.swollen
    )


def setting(chosen: Sequence[Face], size: float = 0) -> str:
    """Arguments of Typst's `text`: the first face, the others for what it lacks, and no more; the size in points.

    Raises RendererMissing where a face's package isn't installed.
    """
    for face in chosen:
        if face.package != MODERN.package:
            fonts.path(face)
    chinese = any(face.kind == "han" for face in chosen)
    names = "".join(f"{_named(face, chinese)}, " for face in chosen)
    first = chosen[0]
    weight = first.weight if first.variable or not first.bold else 700
    style = "italic" if first.italic else "normal"
    told = f'font: ({names}), weight: {weight}, style: "{style}", fallback: false'
    return f"{told}, size: {size:g}pt" if size else told


def _named(face: Face, chinese: bool) -> str:
    """The family; beside a Chinese one without full-width marks, which Typst would else set too narrow."""
    name = f'"{family(face)}"'
    return f'(name: {name}, covers: regex("[^\u3000-\u303f\uff00-\uffef]"))' if chinese and face.kind != "han" else name


def family(face: Face) -> str:
    """What Typst calls the face's family."""
    return _NAMES.get(face.family, face.family)


def missing(text: str, chosen: Sequence[Face]) -> str:
    """The characters that none of the faces has, in their order; "" where all can be drawn. Raises RendererMissing."""
    has = _covered(tuple(chosen))
    return "".join(char for char in dict.fromkeys(text) if ord(char) >= fonts.CODES or not has[ord(char)])


@lru_cache(256)
def _covered(chosen: tuple[Face, ...]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.logical_or.reduce([covered(face) for face in chosen])
    return found


def covered(face: Face) -> NDArray[np.bool_]:
    """(fonts.CODES,) Which characters the face has, as `fonts.covered`, for MODERN too."""
    return _modern() if face.package == MODERN.package else fonts.covered(face)


@cache
def _modern() -> NDArray[np.bool_]:
    has = np.zeros(fonts.CODES, bool)
    for place, char in enumerate(_MODERN_HAS):
        if char != "-":
            has[ord(char)] = True
        elif place > 0:
            has[ord(_MODERN_HAS[place - 1]) : ord(_MODERN_HAS[place + 1])] = True
    return has


def painted(markup: str, files: dict[str, bytes], scale: float) -> Pixels:
    """The page at so many pixels a point; called apart. Raises RenderFailed."""
    import cv2

    image = cv2.imdecode(np.frombuffer(drawn(markup, files, "png", scale), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image is not None  # our own PNG
    grey = (image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all()
    return cast("Pixels", np.ascontiguousarray(image[..., 0]) if grey else image)


def drawn(markup: str, files: dict[str, bytes], form: Literal["pdf", "svg", "png"], scale: float = 1.0) -> bytes:
    """The document in that format, PNG at so many pixels a point; called apart. Raises RenderFailed."""
    need("typst")
    import typst

    try:
        made, warnings = typst.compile_with_warnings(
            _FILE + markup.encode(),
            format=form,
            ppi=72 * scale,
            root=__file__,  # no folder: nothing is found in it
            font_paths=_fonts(),
            ignore_system_fonts=True,
            sys_inputs=dict(_input(name, content) for name, content in files.items()),
            timestamp=0,
            pdf_tags=False,
        )
    except typst.TypstError as error:
        raise RenderFailed(f"typst: {_told(error)}") from error
    for warning in warnings:
        raise RenderFailed(f"typst: {_told(warning)}")
    if not isinstance(made, bytes):
        raise RenderFailed(f"typst: {len(made or ())} pages, where one was expected: make the page higher")
    return made


# Typst takes strings only: a file that is no text is one with a character for each byte
_FILE = b"""#let file(name) = {
  let text = sys.inputs.at("text " + name, default: none)
  if text != none { bytes(text) } else { bytes(sys.inputs.at("data " + name).codepoints().map(str.to-unicode)) }
};"""


def _input(name: str, content: bytes) -> tuple[str, str]:
    try:
        return f"text {name}", content.decode()
    except UnicodeDecodeError:
        return f"data {name}", content.decode("latin-1")


def _told(error: Any) -> str:
    return f"{'; '.join([error.message, *error.hints])}"[:300]


@cache
def _fonts() -> Any:
    """The faces, always in the same order: Typst takes folders only, and this takes longer than a table."""
    import typst

    os.environ["https_proxy"] = os.environ["HTTPS_PROXY"] = "http://127.0.0.1:9"  # it would fetch packages
    with tempfile.TemporaryDirectory() as folder:
        found = sorted({_installed(face) for face in FACES if face.family not in _LEFT_OUT} - {None}, key=str)
        for number, file in enumerate(found):
            assert file
            link = Path(folder) / f"{number:03}{file.suffix}"
            try:
                link.symlink_to(file)
            except OSError:  # Windows lets only some make links
                shutil.copyfile(file, link)
        return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[folder])


def _installed(face: Face) -> Path | None:
    return fonts.path(face) if find_spec(face.package) else None
