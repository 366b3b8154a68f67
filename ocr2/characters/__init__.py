"""Kinds of characters: each file is one kind of artificial optical signal, and knows how to invent, draw and score it.

A new kind is a module with the four functions of `Character`, and a line in CHARACTERS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from ocr2.characters import text

if TYPE_CHECKING:
    from random import Random

    from PIL import Image


class Texts(Protocol):
    """Where words come from: a corpus."""

    @property
    def rare(self) -> str:
        """Chinese characters that can't be guessed from what stands before them."""

    def paragraph(self, rng: Random, language: Literal["en", "zh"], /) -> str:
        """Any paragraph of running text. Raises BadInput where there is none in that language."""


class Character(Protocol):
    """One kind of character."""

    def compose(self, corpus: Texts, rng: Random) -> str:
        """One source text, invented. Raises BadInput where the corpus has nothing to make it of."""

    def draw(self, source: str, rng: Random | None) -> Image.Image:
        """What it looks like; without `rng` plainly. Raises RendererMissing, BadInput for what can't be drawn."""

    def looks_like(self, text: str) -> bool:
        """Whether a transcript is one of this kind."""

    def score(self, predicted: str, truth: str) -> dict[str, float]:
        """How near a transcript is to the truth, by the measures of this kind."""


CHARACTERS: dict[str, Character] = {"text": text}
"""Text last: it is what nothing else is."""


def kind_of(transcript: str) -> str:
    """The kind of character that the transcript is."""
    return next((kind for kind, character in CHARACTERS.items() if character.looks_like(transcript)), "text")
