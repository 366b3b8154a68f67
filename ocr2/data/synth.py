"""One kind of character, invented, drawn, put on paper: formulas, molecules, tables, documents, music, geometry, charts
(GOT §3.3.2, the paper's six renderers).

    engine = Synth("formula", Corpus(["/data/texts"]), seed=7)
    engine[123]         # sample 123, the same wherever and whenever it is made
"""

from __future__ import annotations

from bisect import bisect_left
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ocr2.characters import CHARACTERS
from ocr2.data.origin import origin
from ocr2.errors import BadInput
from ocr2.renderers.light import Papers
from ocr2.renderers.paper import aged, type_size, wear
from ocr2.types import Place, Prompt, Sample

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ocr2.data.corpus import Corpus

    Pixels = NDArray[np.uint8]

SIDES = (64, 128, 192, 256, 384, 512, 768, 1024)
"""Pixels that the sides of a picture have: few sizes, so that a batch finds pictures as large as each other."""


class Synth:
    """An endless source of one kind."""

    def __init__(
        self,
        kind: str,
        corpus: Corpus,
        seed: int,
        *,
        strength: float = 1.0,
        backend: str = "",
        papers: Path | None = None,
    ) -> None:
        """Where the corpus is held back, so are the random numbers, and the type as far as there is any of that kind.

        `strength` is that of paper and damage (see `paper.aged`), 0 for none; `backend` names the tool that draws,
        "" for what the kind draws with by itself; `papers` is a folder with photos of paper, to be drawn on now and
        then. Raises BadInput for a kind or backend that there isn't, or a folder without photos.
        """
        if kind not in CHARACTERS:
            raise BadInput(f"{kind!r} is no kind of character: expected {', '.join(CHARACTERS)}")
        if backend and backend not in CHARACTERS[kind].BACKENDS:
            raise BadInput(f"{backend} draws no {kind}: expected {', '.join(CHARACTERS[kind].BACKENDS)}")
        if not 0 <= strength <= 2:
            raise BadInput(f"strength={strength}: expected 0 (clean) to 1 (as worn as pages are), 2 at most")
        self.kind, self.corpus, self.seed, self.strength, self.backend = kind, corpus, seed, strength, backend
        self.papers = Papers(papers) if papers else None

    @property
    def identity(self) -> str:
        """Of the same samples the same."""
        papers = ",".join(path.name for path in self.papers.paths) if self.papers else ""
        return f"{self.kind}/{self.seed}/{self.strength:g}/{self.backend}/{papers}/{self.corpus.identity}"

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`. Raises BadInput, RenderFailed for one that can't be made, RendererMissing."""
        rng = Random(f"{self.kind}/{self.seed}/{index}" + "/held" * self.corpus.held)  # what is invented is new, too
        character, corpus = CHARACTERS[self.kind], self.corpus.traced()
        text = character.compose(corpus, rng)
        drawing = character.draw(text, rng, self.backend, corpus.held)
        drawn = drawing.pixels()
        sheet = self.papers.sheet(rng) if self.papers and rng.random() < 0.5 else None
        strength = wear(self.strength, rng)
        size = type_size(drawn) if strength else 0  # of the drawing alone: that is less to look at
        image, corner = placed(drawn, rng)
        places = drawing.places() if drawing.places else np.zeros((0, 4))
        spots = (places[:, 2:] * drawing.scale + corner).tolist()
        image, quads = aged(image, rng, strength, [((x, y),) * 4 for x, y in spots], size, sheet)
        spans = places[:, :2].astype(int).tolist()
        found = tuple(Place(start, end, *quad[0]) for (start, end), quad in zip(spans, quads, strict=True))
        told = origin(
            self.kind,
            self.seed,
            index,
            backend=drawing.tool,
            source=", ".join(corpus.sources),
            licence="; ".join(corpus.licences),
        )
        return Sample((Image.fromarray(image),), Prompt(format=self.kind != "text"), text, self.kind, told, found)


def placed(image: Pixels, rng: Random) -> tuple[Pixels, tuple[int, int]]:
    """(H', W') or (H', W', 3) The drawing somewhere on white whose sides are among SIDES; larger ones stay; and where
    its top left is: x, y.
    """
    height, width = (side if side > SIDES[-1] else SIDES[bisect_left(SIDES, side)] for side in image.shape[:2])
    y, x = rng.randint(0, height - image.shape[0]), rng.randint(0, width - image.shape[1])
    white = np.full((height, width, *image.shape[2:]), 255, np.uint8)
    white[y : y + image.shape[0], x : x + image.shape[1]] = image
    return white, (x, y)
