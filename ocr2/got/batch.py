"""Samples → what the model trains on: views, ids and labels in tensors.

B samples, T tokens of the longest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

import numpy as np
import torch

from ocr2.errors import TooLong
from ocr2.got import prompt as prompts
from ocr2.got.views import Shown, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ocr2.got.config import GOTConfig
    from ocr2.got.prompt import Tokenizer
    from ocr2.types import Sample

IGNORED = -100
"""The label of a token that isn't learned."""


@dataclass(frozen=True)
class Batch:
    """Tensors to train on. `GOT.forward` turns them into a loss."""

    views: tuple[Tensor, ...]
    """Bytes (V, 3, height, width), a tensor for each run of views of one size, in the order of their places."""
    ids: Tensor
    """(B, T): prompt, answer, end, then padding."""
    labels: Tensor
    """(B, T): the answer and its end where they stand in `ids`, IGNORED elsewhere."""
    origins: tuple[str, ...] = ()
    """Where each sample is from."""
    size: int = 0
    """How many tokens are learned: what a loss is the mean of. Counted from the labels where it isn't given."""
    tokens: int = 0
    """How many tokens the rows have without their padding. Counted from the labels where it isn't given."""
    glyphs: Tensor = field(default_factory=lambda: torch.zeros(0, 6, dtype=torch.long))
    """(G, 6) Signs whose places are known: row, view, the sign's token or −1, where in the row the token is that is to
    look there or 0, x and y of its middle, in pixels of the view."""

    def __post_init__(self) -> None:
        if not (self.size and self.tokens):
            labelled = self.labels >= 0
            places = torch.arange(1, self.labels.shape[1] + 1, device=labelled.device)
            object.__setattr__(self, "size", int(labelled[:, 1:].sum()))
            object.__setattr__(self, "tokens", int((labelled * places).amax(1).sum()))

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        views = tuple(view.to(device, non_blocking=True) for view in self.views)
        ids, labels, glyphs = (part.to(device, non_blocking=True) for part in (self.ids, self.labels, self.glyphs))
        return Batch(views, ids, labels, self.origins, self.size, self.tokens, glyphs)


@dataclass(frozen=True)
class Prepared:
    """A sample as the model learns from it, by itself."""

    views: tuple[np.ndarray, ...]
    """Bytes (3, height, width)."""
    ids: np.ndarray
    """Prompt, answer and end."""
    asked: int
    """How many of the ids are the prompt."""
    origin: str
    glyphs: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    """(G, 4) Those of its only view, as a batch has them, without row and view."""

    def __len__(self) -> int:
        """How many tokens it has."""
        return len(self.ids)


def prepare(sample: Sample, tokenizer: Tokenizer, config: GOTConfig, tokens: int | None = None) -> Prepared:
    """A sample looked at and encoded. Raises TooLong if it has more than `tokens`, which is the context by default."""
    whole, parts = shown(sample.images, sample.prompt, config.encoder)
    views = parts + [each.view for each in whole]
    count = sum(config.encoder.tokens(*view.shape[1:]) for view in views)
    asked = prompts.encode(sample.prompt, tokenizer, count, *sample.images[0].size, config.asked)
    encoding = tokenizer.encoding(sample.text)
    answer = [*encoding.ids, tokenizer.end]
    most = f"the context of {config.context}" if tokens is None else f"the {tokens} of this stage"
    if len(asked) + len(answer) > (config.context if tokens is None else tokens):
        raise TooLong(
            f"{sample.origin}: {len(asked)} tokens of prompt and {len(answer)} of answer are more than {most}: "
            "cut the text, or leave the sample out"
        )
    ids = np.array(asked + answer, np.int64)
    glyphs = np.zeros((0, 4), np.int64)
    if sample.places and not parts:
        glyphs = _glyphs(sample, whole[0], tokenizer, np.array(encoding.offsets, np.int64), len(asked))
    return Prepared(tuple(views), ids, len(asked), sample.origin, glyphs)


def _glyphs(sample: Sample, shown: Shown, tokenizer: Tokenizer, offsets: np.ndarray, asked: int) -> np.ndarray:
    """(G, 4) The parts of a sample's text that are seen, then where each token of its answer looks: at the first part
    that goes on where it begins.

    `offsets`, (tokens, 2): the part of the text that each token of the answer stands for; `asked` are before them.
    """
    seen = np.array([tokenizer.sign(sample.text[place.start : place.end]) for place in sample.places])
    _, ends, *points = np.array(sample.places).T
    where = ((np.stack(points, 1) - shown.corner) * shown.scale).astype(np.int64)
    next_ = np.searchsorted(ends, offsets.reshape(-1, 2)[:, 0], "right")
    looks = np.flatnonzero(next_ < len(ends))
    glyphs = np.concatenate(
        [
            np.column_stack([seen, np.zeros_like(seen), where])[seen >= 0],
            np.column_stack([np.full_like(looks, -1), asked + looks, where[next_[looks]]]),
        ]
    )
    _, height, width = shown.view.shape
    inside = (glyphs[:, 2:] >= 0) & (glyphs[:, 2:] < (width, height))
    return glyphs[inside.all(1)]


def combined(rows: Sequence[Prepared], pad: int, *, pinned: bool = False) -> Batch:
    """The batch of prepared samples; `pinned`: in memory that a GPU copies from by itself."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad, pin_memory=pinned)
    labels = torch.full((len(rows), longest), IGNORED, pin_memory=pinned)
    for n, row in enumerate(rows):
        ids[n, : len(row)] = torch.from_numpy(row.ids)
        labels[n, row.asked : len(row)] = ids[n, row.asked : len(row)]
    runs = [list(run) for _, run in groupby((view for row in rows for view in row.views), lambda view: view.shape)]
    views = tuple(torch.empty((len(run), *run[0].shape), dtype=torch.uint8, pin_memory=pinned) for run in runs)
    for together, run in zip(views, runs, strict=True):
        np.stack(run, out=together.numpy())
    size, tokens = sum(len(row) - row.asked for row in rows), sum(map(len, rows))
    counts, first = [len(row.glyphs) for row in rows], [0, *accumulate(len(row.views) for row in rows[:-1])]
    of = np.repeat([range(len(rows)), first], counts, 1).T  # (G, 2): row and view
    glyphs = torch.from_numpy(np.concatenate([of, np.concatenate([row.glyphs for row in rows])], 1))
    return Batch(views, ids, labels, tuple(row.origin for row in rows), size, tokens, glyphs)


def collate(samples: Sequence[Sample], tokenizer: Tokenizer, config: GOTConfig) -> Batch:
    """The batch of some samples. Raises TooLong for one that has more tokens than the context."""
    return combined([prepare(sample, tokenizer, config) for sample in samples], tokenizer.pad)
