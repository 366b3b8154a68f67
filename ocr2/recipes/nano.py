"""GOT-nano, the embedded model: 36 M parameters, from scratch, in three stages, on what our own engines draw.

    ocr2 train nano --data corpora/ --out runs/1 --minutes 9        the same again, until its steps are done
    ocr2 train nano --stage 2 --data corpora/ --init runs/1/model --out runs/2
    ocr2 train nano --stage 3 --data corpora/ --init runs/2/model --out runs/3

`corpora/` is what `ocr2 make --corpus` takes: running text in English and Chinese at least (*.txt or *.txt.xz, a
paragraph a line); what else is in it (scores, TikZ, formulas, molecules) is drawn beside what the engines invent. All
of it is drawn in 15 processes or so while the model learns on a GPU, and damaged anew at each visit.

Stage 1, text. The losses "sight" and "gaze" fall first; expect "next" to fall off its plateau (2.5 to 3 nats a
token: the language, unseen) within 100,000 samples. The number to reach is an edit distance of 0.02 on pages of texts
and fonts that were never trained on.
Stage 2, all characters and formatted pages, three fifths of it text still. To reach on what the engines draw: edit
distances of 0.15 (formulas) and 0.10 (music, geometry), TEDS 0.8, four of five molecules exact, AP@high 0.8 of charts.
Stage 3, regions by box and colour, tiles, several pages, with the encoder as it is; to reach for regions: 0.06.

What differs from the paper, and what it is for:
- a stem of convolutions, where a linear map of 16 × 16 pixels stayed on the plateau (a toy: 3.32 nats a token against
  1.09 after 150,000 lines);
- views as small as the page needs, without its empty edges, and smaller where all type is large, so that a line costs
  a sixteenth of a page;
- small type in small pictures shown up to twice as large, so that an image token has two or three signs: formulas in
  type of 16 to 30 pixels came from 2.52 to 2.06 nats a token in 36 minutes on two cores, then ones of 36 to 64 pixels
  from 2.30 to 1.03 in 28, and, held back ones, to 0.76 in 31 more; and the model that had learned from these read those
  of 16 to 30 at an edit distance of 0.68 as they were, at 0.32 enlarged;
- heads that guess the next three tokens as well, which a processor verifies at little more than the cost of one; among
  the most frequent 9,216 of 16,384, which are 99.9 of 100 in English text, 98.2 in Chinese;
- losses, in the first two stages, about which sign stands where (got/glyphs.py): what there is to see, and where to
  look, needn't be guessed from answers (a toy on clean lines, one core of a processor: after 31 minutes 1.15 nats a
  token with them and 52,800 lines, 1.48 without and 72,000; after 46,400 lines 1.13 and 1.67). At full size, with a
  like of them on two cores, image tokens told 98 of 100 characters of fresh lines after 90,000 views. Formulas, after
  36 minutes more: 2.52 nats a token, 2.97 with another formula's picture, and 2.06 and 3.00 after 72 minutes; without
  the losses 2.47 and 2.47 after 36: nothing was seen;
- linear maps of the decoder that begin with 1/√width: with 0.02 narrow models stayed without eyes (12 lines by heart:
  0.003 nats after 80 steps against 0.155 after 120).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ocr2.data.corpus import Corpus
from ocr2.data.engines import Materials, engine_of
from ocr2.data.lines import MOST, Lines
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
EASY = 50_000
"""Samples at first that are of large, clean type, with few characters: eyes come first."""
VISITS = 4
"""How often each sample is learned from, damaged anew."""
SHAPES: dict[Shape, int] = {"word": 6, "scene": 9, "slice": 12, "line": 15, "paragraph": 18, "page": 27, "columns": 13}
SPEECHES: dict[Speech, float] = {"en": 0.45, "zh": 0.4, "mixed": 0.15}
KINDS = {f"{shape}-{speech}": (shape, speech) for shape in SHAPES for speech in SPEECHES}
TEXT = {name: SHAPES[shape] * SPEECHES[speech] / 100 for name, (shape, speech) in KINDS.items()}
"""Millions of samples, of a million."""
CHARACTERS = {
    "formula": 0.08,
    "table": 0.06,
    "molecule": 0.05,
    "document": 0.08,
    "tex": 0.02,
    "handwriting": 0.02,
    "music": 0.03,
    "geometry": 0.03,
    "chart": 0.03,
}
"""With three fifths of the text before it a million."""
FEATURES = {"region": 0.1, "crops": 0.05, "multipage": 0.05}
"""With four fifths of all that was before it a million."""
SPARSE = {"crops": 1500, "multipage": 800}
"""Latin characters of a page where several are read together, so that they fit the context."""


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
    """Text, all characters, then regions, tiles and several pages."""
    text = Stage("text", 6000, 1e-3, accumulate=4, ema=0.999, tokens=3584, data=TEXT, losses={"ahead": 0.5}, every=2000)
    joint = replace(text, name="characters", rate=5e-4, data=CHARACTERS, carry=0.6, seed=1)
    post = replace(joint, name="features", rate=2e-4, data=FEATURES, carry=0.8, seed=2)
    stages = text, joint, replace(post, steps=1500, tokens=4096, frozen=("encoder",))
    return tuple(
        Recipe(
            stage,
            PRESETS["nano"],
            partial(_sources, easy=EASY if stage is text else 0),
            budget=16384,
            rows=64,
            waiting=2048,
            visits=VISITS,
            tokenizer=_tokenizer,
            augment=damaged,
            glyphs=not stage.frozen,
            portable=True,
        )
        for stage in stages
    )


def _sources(data: Sequence[Path], names: Sequence[str], seed: int, easy: int) -> Mapping[str, Source]:
    """The engines, on what the data folders have; `easy` samples of text are easy ones."""
    corpus, total = Corpus(data), sum(TEXT.values())
    engines: dict[str, Source] = {}
    for name in names:
        if easy:
            simple, full = (Lines(corpus, *KINDS[name], seed, easy=each) for each in (True, False))
            engines[name] = Grown(simple, full, round(easy * TEXT[name] / total))
        else:
            engines[name] = engine_of(name, Materials(corpus, most=SPARSE.get(name, MOST)), seed)
    return engines


def _tokenizer() -> Tokenizer:
    return Tokenizer.load(VOCABULARY)
