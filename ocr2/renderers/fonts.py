"""The typefaces that pages are printed in: freely licensed fonts from packages, and which characters each can draw.

Four families of Latin type and one of Chinese are held back: no training page shows them, so that a model can be tested
on type it has never seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from unicodedata import category

import numpy as np

from ocr2.errors import RendererMissing

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont

Kind = Literal["serif", "sans", "mono", "hand", "display", "han"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Five of Latin type, and Chinese."""
INSTALL = "pip install 'ocr2[fonts]'"
CODES = 1 << 16
"""Characters beyond these, the basic plane, are never drawn."""


@dataclass(frozen=True)
class Face:
    """One cut of a family: what a line is set in."""

    family: str
    kind: Kind
    package: str
    """The package that ships the font, as it is imported."""
    file: str
    """Below the package's folder."""
    licence: str = "OFL-1.1"
    index: int = 0
    """Which font of a collection."""
    weight: int = 400
    """Of a variable font; others have the one they have."""
    bold: bool = False
    italic: bool = False
    swollen: float = 0.0
    """How much strokes are thickened by us, in sizes: a bold cut of a family that ships none."""
    stretch: float = 1.0
    """How wide the letters are drawn, against how they were made."""
    held: bool = False
    """Whether it is kept for tests."""
    variable: bool = field(default=False, kw_only=True)

    def __hash__(self) -> int:
        """Quickly, for faces are what most is looked up by."""
        return hash((self.family, self.weight, self.file))

    @property
    def name(self) -> str:
        """What it is called in a sample's origin."""
        cut = [*(["bold"] if self.bold else []), *(["italic"] if self.italic else [])]
        cut += [f"{self.weight}"] if self.variable and self.weight not in (400, 700) else []
        cut += [f"×{self.stretch:g}"] if self.stretch != 1 else []
        return " ".join([self.family, *cut])


def _family(family: str, kind: Kind, stem: str, style: str = "static", **more: Any) -> tuple[Face, ...]:
    """The faces of a `fontpkg-…` package: regular, bold, italic and bold italic, as far as it has them."""
    package = f"fontpkg_{family.lower().replace(' ', '_')}"
    regular = Face(family, kind, package, f"files/{stem}-Regular.ttf", **more)
    if style == "alone":
        return (regular,)
    if style == "bold":
        return regular, replace(regular, file=f"files/{stem}-Bold.ttf", bold=True)
    if style == "static":
        cuts = {"Regular": (False, False), "Bold": (True, False), "Italic": (False, True), "BoldItalic": (True, True)}
        return tuple(
            replace(regular, file=f"files/{stem}-{cut}.ttf", bold=bold, italic=italic)
            for cut, (bold, italic) in cuts.items()
        )
    axes = style.removeprefix("upright ")
    upright = replace(regular, file=f"files/{stem}[{axes}].ttf", variable=True)
    faces = (upright, replace(upright, weight=700, bold=True))
    if axes != style:
        return faces
    slanted = replace(upright, file=f"files/{stem}-Italic[{axes}].ttf", italic=True)
    return (*faces, slanted, replace(slanted, weight=700, bold=True))


def _matplotlib(family: str, kind: Kind, licence: str, *files: str) -> tuple[Face, ...]:
    """Faces that Matplotlib ships: regular, bold, italic, bold italic."""
    cuts = ((False, False), (True, False), (False, True), (True, True))
    return tuple(
        Face(family, kind, "matplotlib", f"mpl-data/fonts/ttf/{file}.ttf", licence, bold=bold, italic=italic)
        for file, (bold, italic) in zip(files, cuts, strict=False)
    )


def _chinese() -> tuple[Face, ...]:
    """Chinese type. Thickened and narrowed cuts stand in for the families that no package ships."""
    sans = Face("Noto Sans SC", "han", "pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf")
    serif = Face("Noto Serif SC", "han", "pylopdf_fonts_zh_cn", "NotoSerifSC-Regular.otf")
    cjk = Face("Noto Sans CJK SC", "han", "manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc", index=2, variable=True)
    micro = Face("WenQuanYi Micro Hei", "han", "paperang_p2_fonts_cjk", "fonts/wqy-microhei.ttc", "Apache-2.0")
    return (
        sans,
        serif,
        replace(serif, swollen=0.03, bold=True),
        replace(serif, stretch=0.9),
        replace(cjk, weight=300),
        replace(cjk, weight=700, bold=True),
        replace(cjk, weight=900, bold=True),
        replace(cjk, family="Noto Sans CJK TC", index=3, weight=500),
        replace(micro, held=True),
    )


# Times and Helvetica look like STIX and Arimo: they are what most of the printed world is set in.
FACES: tuple[Face, ...] = (
    *_matplotlib("STIX", "serif", "STIX", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *_matplotlib("DejaVu Serif", "serif", "Bitstream-Vera", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"),
    *_family("PT Serif", "serif", "PT_Serif-Web"),
    *_family("Source Serif 4", "serif", "SourceSerif4", "opsz,wght"),
    *_family("EB Garamond", "serif", "EBGaramond", "wght"),
    *_family("Libre Baskerville", "serif", "LibreBaskerville", "wght"),
    *_family("Crimson Text", "serif", "CrimsonText"),
    *_family("Noto Serif", "serif", "NotoSerif", "wdth,wght"),
    *_family("Zilla Slab", "serif", "ZillaSlab"),
    *_family("Spectral", "serif", "Spectral", held=True),
    *_family("Arimo", "sans", "Arimo", "wght"),
    *_matplotlib("DejaVu Sans", "sans", "Bitstream-Vera", "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"),
    *_family("Roboto", "sans", "Roboto", "wdth,wght"),
    *_family("Open Sans", "sans", "OpenSans", "wdth,wght"),
    *_family("Source Sans 3", "sans", "SourceSans3", "wght"),
    *_family("IBM Plex Sans", "sans", "IBMPlexSans", "wdth,wght"),
    *_family("PT Sans", "sans", "PT_Sans-Web"),
    *_family("Roboto Condensed", "sans", "RobotoCondensed", "wght"),
    *_family("Montserrat", "sans", "Montserrat", "wght"),
    *_family("Work Sans", "sans", "WorkSans", "wght", held=True),
    *_matplotlib("DejaVu Sans Mono", "mono", "Bitstream-Vera", "DejaVuSansMono", "DejaVuSansMono-Bold"),
    *_family("IBM Plex Mono", "mono", "IBMPlexMono"),
    *_family("Source Code Pro", "mono", "SourceCodePro", "wght"),
    *_family("Inconsolata", "mono", "Inconsolata", "upright wdth,wght"),
    *_family("Roboto Mono", "mono", "RobotoMono", "wght", held=True),
    *_family("Caveat", "hand", "Caveat", "upright wght"),
    *_family("Kalam", "hand", "Kalam", "bold"),
    *_family("Indie Flower", "hand", "IndieFlower", "alone"),
    replace(_family("Shadows Into Light", "hand", "", "alone")[0], file="files/ShadowsIntoLight.ttf"),
    *_family("Delius", "hand", "Delius", "alone", held=True),
    *_family("Oswald", "display", "Oswald", "upright wght"),
    *_family("Alfa Slab One", "display", "AlfaSlabOne", "alone"),
    *_chinese(),
)


@cache
def faces(kind: Kind, held: bool = False) -> tuple[Face, ...]:
    """The faces of a kind that are trained on, or those held back; `display` has none of those, and gives sans."""
    found = tuple(face for face in FACES if face.kind == kind and face.held == held)
    return found or faces("sans", held)


@cache
def path(face: Face) -> Path:
    """Its font file. Raises RendererMissing where the package that ships it isn't installed."""
    spec = find_spec(face.package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        found = Path(folder) / face.file
        if found.is_file():
            return found
    raise RendererMissing(f"the font {face.name} is missing ({face.package}/{face.file}): {INSTALL}")


def opened(face: Face, size: float, shaped: bool = False) -> FreeTypeFont:
    """The face at that size, in pixels, as Pillow draws it. Raises RendererMissing.

    Shaped, its letters are kerned and joined as its makers meant them to be, where Pillow has Raqm.
    """
    from PIL import ImageFont, features

    engine = ImageFont.Layout.RAQM if shaped and features.check("raqm") else ImageFont.Layout.BASIC
    font = ImageFont.truetype(str(path(face)), size, index=face.index, layout_engine=engine)
    if face.variable:
        axes = [_place(axis, face.weight) for axis in font.get_variation_axes()]
        font.set_variation_by_axes(axes)
    return font


def _place(axis: Any, weight: int) -> float:
    """Where on a variable font's axis the face is: at its weight, and else where the font's makers put it."""
    name = axis["name"].decode() if isinstance(axis["name"], bytes) else str(axis["name"])
    if name.lower() == "weight":
        return float(max(axis["minimum"], min(axis["maximum"], weight)))
    return float(axis["default"])


@cache
def covered(face: Face) -> NDArray[np.bool_]:
    """(CODES,) Which characters the font has; those without ink count only where they are a space.

    Raises RendererMissing.
    """
    return _mapped(path(face), face.index)


def _is_blank(glyph: Any) -> bool:
    """Whether a glyph of fontTools' that hasn't been read yet has no ink: asked of its bytes, a tenth of the time."""
    return bool(getattr(glyph, "data", bytes(2))[:2] == bytes(2))


@cache
def _mapped(file: Path, index: int) -> NDArray[np.bool_]:
    try:
        from fontTools.ttLib import TTFont
    except ImportError as error:
        raise RendererMissing(
            f"which characters a font has is asked of fontTools, which is missing: {INSTALL}"
        ) from error

    with TTFont(file, fontNumber=index, lazy=True) as font:
        names = {code: name for code, name in (font.getBestCmap() or {}).items() if code < CODES and name != ".notdef"}
        # some fonts have a glyph without any ink for a sign that they lack: no bytes, or an outline of no contours
        outlines = font["glyf"].glyphs if "glyf" in font else {}
        blank = {code for code, name in names.items() if outlines and _is_blank(outlines[name])}
    has = np.zeros(CODES, bool)
    has[[code for code in names.keys() - blank if category(chr(code))[0] not in "CMZ"]] = True
    has[ord(" ")] = ord(" ") in names
    return has
