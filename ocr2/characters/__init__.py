"""Kinds of characters: each file is one kind of artificial optical signal, and knows how to invent, draw and score it.

A new kind is a module with the four functions of `Character`, and a line in CHARACTERS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from ocr2.characters import chart, document, formula, geometry, molecule, music, table, text

if TYPE_CHECKING:
    from random import Random

    from ocr2.renderers.drawing import Drawing


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
