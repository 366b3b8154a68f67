"""Two pages as one large picture, to be read in tiles (GOT §3.4.2).

engine = Crops(Lines(Corpus(["/data/texts"]), "page", "en", seed=7), seed=7)
engine[123]    # pages 246 and 247, side by side or one above the other, and both their texts
"""

from __future__ import annotations

from collections.abc import Sized
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ocr2.data.origin import origin, told
from ocr2.errors import BadInput
from ocr2.types import MOST_TILES, Prompt, Sample

if TYPE_CHECKING:
    from ocr2.types import Source

BREAK = "\n\n"
"""Between the texts of two pages."""


class Crops:
    """Each two pages in a row of an engine, as endless as that is; no page comes twice."""

    def __init__(self, pages: Source, seed: int) -> None:
        """Of an engine of pictures of one page each."""
        self.pages, self.seed = pages, seed

    @staticmethod
    def of(pages: Source, seed: int) -> Crops:
        """With a `len` where the engine has one."""
        return (FiniteCrops if isinstance(pages, Sized) else Crops)(pages, seed)

    @property
    def identity(self) -> str:
        """Of the same samples the same."""
        return f"crops/{self.seed}/{getattr(self.pages, 'identity', '')}"

    def __getitem__(self, index: int) -> Sample:
        """Pages 2·index and 2·index + 1, and the text of the first, then the second's. Raises as the engine does."""
        rng = Random(f"crops/{self.seed}/{index}")
        first, second = (one_page(self.pages[2 * index + n]) for n in (0, 1))
        image = stitched(first.images[0], second.images[0], beside=rng.random() < 0.5)
        kind = first.kind if first.kind == second.kind else "document"
        where = origin("crops", self.seed, index, pages=[told(first.origin), told(second.origin)])
        return Sample((image,), Prompt(tiles=MOST_TILES), first.text + BREAK + second.text, kind, where)


class FiniteCrops(Crops):
    """Each two pages of an engine that has a `len`."""

    pages: Any

    def __len__(self) -> int:
        """Half as many as there are pages."""
        return len(self.pages) // 2


def one_page(sample: Sample) -> Sample:
    """The sample. Raises BadInput where it isn't about all of one page."""
    prompt = sample.prompt
    if len(sample.images) != 1 or prompt.box or prompt.point or prompt.color:
        raise BadInput(f"a sample about a part of a page, or about several, can't be put together: {sample.origin}")
    return sample


def stitched(first: Image.Image, second: Image.Image, beside: bool) -> Image.Image:
    """The second right of the first, or below it; where one is smaller, more of its own paper is around it."""
    mode = "L" if first.mode == second.mode == "L" else "RGB"
    images = [np.asarray(image.convert(mode)) for image in (first, second)]
    along = 1 if beside else 0
    most = max(image.shape[1 - along] for image in images)
    return Image.fromarray(np.concatenate([_filled(image, most, 1 - along) for image in images], axis=along))


def _filled(image: np.ndarray, length: int, axis: int) -> np.ndarray:
    """The image, so long along that axis: at its end are more lines of the colour that its last one has most."""
    missing = length - image.shape[axis]
    if not missing:
        return image
    edge = np.take(image, [-1], axis=axis)
    paper = np.median(edge.reshape(-1, *image.shape[2:]), axis=0).astype(np.uint8)
    shape = [missing if n == axis else size for n, size in enumerate(image.shape)]
    return np.concatenate([image, np.broadcast_to(paper, shape)], axis=axis)
