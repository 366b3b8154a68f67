"""GOT-nano, the embedded model: 36 M parameters, from scratch on what our own engines draw.

    ocr2 train nano --data corpora/ --out runs/nano --minutes 9        the same again, until its steps are done
    ocr2 train nano --data corpora/ --init runs/nano/model --out runs/more

Stage 1, text: `corpora/` holds running text in English and Chinese (*.txt or *.txt.xz, a paragraph a line). Pages are
drawn from it in 15 processes or so while the model learns on a GPU, and damaged anew at each visit. Expect the loss to
fall off its plateau (2.5 to 3 nats a token: the language, unseen) within 100,000 samples; the number to reach is an
edit distance of 0.02 on pages of texts and fonts that were never trained on.

What differs from the paper, and what it is for:
- a stem of convolutions, where a linear map of 16 × 16 pixels stayed on the plateau (a toy: 3.32 nats a token against
  1.09 after 150,000 lines);
- views as small as the page needs, without its empty edges, so that a line costs a sixteenth of a page;
- heads that guess the next three tokens as well, which a processor verifies at little more than the cost of one;
- linear maps of the decoder that begin with 1/√width: with 0.02 narrow models stayed without eyes (12 lines by heart:
  0.003 nats after 80 steps against 0.155 after 120).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocr2.data.corpus import Corpus
from ocr2.data.lines import Lines
from ocr2.got.augment import damaged
from ocr2.got.config import PRESETS
from ocr2.got.prompt import Tokenizer
from ocr2.recipes.recipe import Recipe
from ocr2.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocr2.data.lines import Shape
    from ocr2.data.mixture import Source
    from ocr2.data.writing import Speech
    from ocr2.types import Sample

VOCABULARY = Path(__file__).parent.parent / "weights" / "nano"
EASY = 200_000
"""Samples at first that are of large, clean type, with few characters: eyes come first."""
SHAPES: dict[Shape, int] = {"word": 6, "scene": 9, "slice": 12, "line": 15, "paragraph": 18, "page": 27, "columns": 13}
SPEECHES: dict[Speech, float] = {"en": 0.45, "zh": 0.4, "mixed": 0.15}
KINDS = {f"{shape}-{speech}": (shape, speech) for shape in SHAPES for speech in SPEECHES}
TEXT = {name: SHAPES[shape] * SPEECHES[speech] / 100 for name, (shape, speech) in KINDS.items()}
"""Millions of samples."""


@dataclass(frozen=True)
class Grown:
    """A source that is easy at first."""

    easy: Lines
    full: Lines
    first: int
    """The number of the first sample that isn't easy."""

    def __getitem__(self, index: int) -> Sample:
        return (self.easy if index < self.first else self.full)[index]

    @property
    def identity(self) -> str:
        """Of the same samples the same."""
        return f"{self.easy.identity}, from {self.first} {self.full.identity}"


def recipes() -> tuple[Recipe, ...]:
    """Text."""
    text = Stage("text", 6000, 1e-3, accumulate=4, ema=0.999, tokens=3584, data=TEXT, losses={"ahead": 0.5}, every=2000)
    return (
        Recipe(
            text,
            PRESETS["nano"],
            _sources,
            budget=16384,
            rows=64,
            waiting=2048,
            visits=4,
            tokenizer=_tokenizer,
            augment=damaged,
            portable=True,
        ),
    )


def _sources(data: Sequence[Path], names: Sequence[str], seed: int) -> Mapping[str, Source]:
    """The engines, on the texts of the data folders."""
    corpus, total = Corpus(data), sum(TEXT.values())
    engines = {}
    for name in names:
        easy, full = (Lines(corpus, *KINDS[name], seed, easy=easy) for easy in (True, False))
        engines[name] = Grown(easy, full, round(EASY * TEXT[name] / total))
    return engines


def _tokenizer() -> Tokenizer:
    return Tokenizer.load(VOCABULARY)
