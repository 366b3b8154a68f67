"""Pages of LaTeX files: their running text, converted and typeset once more (GOT §3.3.2, full pages).

    engine = Tex(Corpus(["/data/papers"]), seed=7)
    engine[123]         # a page of some file, the same wherever and whenever it is made

Paper: pages that TeX rendered of arXiv's sources. Here what a file shows is set by our own typesetter, so that no TeX
is needed and no source can harm; what can't be converted faithfully is left out (see `detex`).
"""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

from PIL import Image

from ocr2.characters import document
from ocr2.characters.document import markdown
from ocr2.data.detex import Opened, converted, cost
from ocr2.data.origin import origin
from ocr2.data.synth import placed
from ocr2.errors import BadInput
from ocr2.renderers.paper import aged, wear
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from ocr2.data.corpus import Corpus

SHORTEST, LONGEST = 600, 3800
"""Characters of a page, of which a Chinese one counts as two."""
TRIES = 40
"""Files, or places in them, that are looked at for a page: many are short, or have little text."""


class Tex:
    """An endless source of pages."""

    def __init__(self, corpus: Corpus, seed: int, *, strength: float = 1.0) -> None:
        """`strength` is that of paper and damage (see `paper.aged`), 0 for none. Raises BadInput without files."""
        corpus.found(Random(), "tex")
        self.corpus, self.seed, self.strength = corpus, seed, strength

    @property
    def identity(self) -> str:
        """Of the same samples the same."""
        return f"tex/{self.seed}/{self.strength:g}/{self.corpus.identity}"

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`. Raises BadInput, RenderFailed for one that can't be made, RendererMissing."""
        rng = Random(f"tex/{self.seed}/{index}")
        text, source, licence = self._passage(rng)
        drawing = document.draw(text, rng, held=self.corpus.held)
        image, _ = aged(placed(drawing.pixels(), rng)[0], rng, wear(self.strength, rng))
        told = origin("tex", self.seed, index, backend=drawing.tool, source=source, licence=licence)
        return Sample((Image.fromarray(image),), Prompt(format=True), text, "document", told)

    def _passage(self, rng: Random) -> tuple[str, str, str]:
        """A page's text, the file it is from, and its licence. Raises BadInput where no file has any."""
        left_out = ""
        for _ in range(TRIES):
            found = self.corpus.found(rng, "tex")
            file = _opened(found.text)
            wanted = rng.randint(SHORTEST, LONGEST)
            for start in (rng.randrange(len(file.pieces)), 0):
                blocks, odd = converted(file, start, wanted, rng)
                left_out = next(iter(odd), left_out)
                if sum(map(cost, blocks)) >= SHORTEST:
                    break
            else:
                continue
            text = markdown.written(blocks)
            if document.looks_like(text) and markdown.written(markdown.parsed(text)) == text:
                return text, str(found.origin), found.origin.licence
        raise BadInput(
            f"no page of text in {TRIES} LaTeX files (left out: {left_out or 'nothing'}): expected articles or books"
        )


@lru_cache(64)
def _opened(tex: str) -> Opened:
    return Opened(tex)
