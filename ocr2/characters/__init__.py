"""Kinds of characters: each file is one kind of artificial optical signal, and knows how to invent, draw and score it.

A new kind is a module with the four functions of `Character` and what it can be written as, and a line in CHARACTERS.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Protocol

from ocr2.characters import chart, document, formula, geometry, molecule, music, table, text
from ocr2.errors import BadInput
from ocr2.types import EXPORTED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from ocr2.renderers.drawing import Drawing

__all__ = ["CHARACTERS", "EXPORTED", "Character", "Corpus", "Material", "called", "exported", "forms", "kind_of"]

Material = Literal["formula", "smiles", "kern", "table", "chart", "tikz", "tex"]
"""What a corpus may have beside running text."""


class Corpus(Protocol):
    """Where sources come from."""

    @property
    def held(self) -> bool:
        """Whether it is what is held back for tests, to be drawn in type that is held back too."""

    @property
    def rare(self) -> str:
        """Chinese characters that can't be guessed from what stands before them."""

    def paragraph(self, rng: Random, language: Literal["en", "zh"], /) -> str:
        """Any paragraph of running text. Raises BadInput where there is none in that language."""

    def words(self, rng: Random, language: Literal["en", "zh"], count: int, /) -> str:
        """So many words, or Chinese characters, of running text, with no marks at either end. Raises BadInput."""

    def has(self, kind: Material, /) -> bool:
        """Whether there is any of that."""

    def item(self, rng: Random, kind: Material, /) -> str:
        """Any of that, as it is. Raises BadInput where there is none."""


class Character(Protocol):
    """One kind of character."""

    @property
    def BACKENDS(self) -> tuple[str, ...]:
        """The tools that draw it, the default one first."""

    @property
    def EXPORTS(self) -> Mapping[str, Callable[[str], bytes]]:
        """What a transcript of this kind can be written as, beside an SVG: the form's name, and what makes the file.

        Each raises BadInput for what is none of this kind, RenderFailed, RendererMissing.
        """

    def compose(self, corpus: Corpus, rng: Random) -> str:
        """One source text, invented. Raises BadInput where the corpus has nothing to make it of."""

    def draw(self, source: str, rng: Random | None, backend: str = "", held: bool = False) -> Drawing:
        """What it looks like; without `rng` plainly; with both, `held` has it in type that is never trained on, as far
        as there is such type for it. Raises BadInput, RenderFailed, RendererMissing.
        """

    def looks_like(self, text: str) -> bool:
        """Whether a transcript is one of this kind."""

    def score(self, predicted: str, truth: str) -> dict[str, float]:
        """How near a transcript is to the truth, by the measures of this kind."""


CHARACTERS: dict[str, Character] = {
    "molecule": molecule,
    "music": music,
    "geometry": geometry,
    "chart": chart,
    "table": table,
    "formula": formula,
    "document": document,
    "text": text,
}
"""Text last: it is what nothing else is."""


def kind_of(transcript: str) -> str:
    """The kind of character that the transcript is."""
    return next((kind for kind, character in CHARACTERS.items() if character.looks_like(transcript)), "text")


def called(kind: str) -> str:
    """What a transcript of that kind is called: "plain text", "a table"."""
    return {"text": "plain text", "music": "music", "geometry": "a figure in TikZ"}.get(kind, f"a {kind}")


def forms(kind: str) -> list[str]:
    """What a transcript of that kind can be written as."""
    return [*CHARACTERS[kind].EXPORTS, "svg"]


def exported(transcript: str, form: str, kind: str = "") -> bytes:
    """The transcript as a file of another form, one of `forms` of its kind; without one, of what it looks like. Of a
    table that it stops in, as long answers do, the whole rows.

    Raises BadInput where what it is can't be written so, or isn't what it looks like; RenderFailed, RendererMissing.
    """
    kind = kind if kind in CHARACTERS else kind_of(transcript)
    if kind in ("text", "table", "document") and (whole := table.ended(transcript)) != transcript:
        transcript, kind = whole, kind_of(whole)
    marked: tuple[Character, ...] = (molecule, music, geometry)
    for other in marked:  # perhaps it is without its marks, as bare SMILES
        if kind == "text" and form in other.EXPORTS:
            with suppress(BadInput):
                return other.EXPORTS[form](transcript)
    if form not in forms(kind):
        raise BadInput(f"this is {called(kind)}, and can't be written as {form}: expected {', '.join(forms(kind))}")
    transcript = transcript.encode(errors="replace").decode()  # halves of characters are in no file
    if form == "svg":
        return CHARACTERS[kind].draw(transcript, None).svg().encode()
    return CHARACTERS[kind].EXPORTS[form](transcript)
