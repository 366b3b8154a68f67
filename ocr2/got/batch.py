"""Samples → what the model trains on: views, ids and labels in tensors.

B samples, T tokens of the longest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import torch

from ocr2.errors import TooLong
from ocr2.got import prompt as prompts
from ocr2.got.views import look

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

    def __post_init__(self) -> None:
        if not (self.size and self.tokens):
            labelled = self.labels >= 0
            places = torch.arange(1, self.labels.shape[1] + 1, device=labelled.device)
            object.__setattr__(self, "size", int(labelled[:, 1:].sum()))
            object.__setattr__(self, "tokens", int((labelled * places).amax(1).sum()))

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        views = tuple(view.to(device, non_blocking=True) for view in self.views)
        ids, labels = (part.to(device, non_blocking=True) for part in (self.ids, self.labels))
        return Batch(views, ids, labels, self.origins, self.size, self.tokens)


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

    def __len__(self) -> int:
        """How many tokens it has."""
        return len(self.ids)


def prepare(sample: Sample, tokenizer: Tokenizer, config: GOTConfig, tokens: int | None = None) -> Prepared:
    """A sample looked at and encoded. Raises TooLong if it has more than `tokens`, which is the context by default."""
    views = look(sample.images, sample.prompt, config.encoder)
    count = sum(config.encoder.tokens(*view.shape[1:]) for view in views)
    asked = prompts.encode(sample.prompt, tokenizer, count, *sample.images[0].size, config.asked)
    answer = [*tokenizer.encode(sample.text), tokenizer.end]
    most = f"the context of {config.context}" if tokens is None else f"the {tokens} of this stage"
    if len(asked) + len(answer) > (config.context if tokens is None else tokens):
        raise TooLong(
            f"{sample.origin}: {len(asked)} tokens of prompt and {len(answer)} of answer are more than {most}: "
            "cut the text, or leave the sample out"
        )
    return Prepared(tuple(views), np.array(asked + answer, np.int64), len(asked), sample.origin)


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
    return Batch(views, ids, labels, tuple(row.origin for row in rows), size, tokens)


def collate(samples: Sequence[Sample], tokenizer: Tokenizer, config: GOTConfig) -> Batch:
    """The batch of some samples. Raises TooLong for one that has more tokens than the context."""
    return combined([prepare(sample, tokenizer, config) for sample in samples], tokenizer.pad)
