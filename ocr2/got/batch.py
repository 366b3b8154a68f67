"""Samples → what the model trains on: views, ids and labels in tensors.

B samples, T tokens of the longest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

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

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        views = tuple(view.to(device, non_blocking=True) for view in self.views)
        ids, labels = (part.to(device, non_blocking=True) for part in (self.ids, self.labels))
        return Batch(views, ids, labels, self.origins)


def collate(samples: Sequence[Sample], tokenizer: Tokenizer, config: GOTConfig) -> Batch:
    """The batch of some samples. Raises TooLong for one that has more tokens than the context."""
    views, rows = [], []
    for sample in samples:
        looked = look(sample.images, sample.prompt, config.encoder)
        count = sum(config.encoder.tokens(*view.shape[1:]) for view in looked)
        asked = prompts.encode(sample.prompt, tokenizer, count, *sample.images[0].size)
        answer = [*tokenizer.encode(sample.text), tokenizer.end]
        if len(asked) + len(answer) > config.context:
            raise TooLong(
                f"{sample.origin}: {len(asked)} tokens of prompt and {len(answer)} of answer are more than the context "
                f"of {config.context}: cut the text, or leave the sample out"
            )
        views += looked
        rows.append((asked, answer))
    longest = max(len(asked) + len(answer) for asked, answer in rows)
    ids = torch.full((len(rows), longest), tokenizer.pad)
    labels = torch.full((len(rows), longest), IGNORED)
    for row, (asked, answer) in enumerate(rows):
        ids[row, : len(asked) + len(answer)] = torch.tensor(asked + answer)
        labels[row, len(asked) : len(asked) + len(answer)] = torch.tensor(answer)
    same = [list(run) for _, run in groupby(views, lambda view: view.shape)]
    tensors = tuple(torch.stack([torch.from_numpy(view) for view in run]) for run in same)
    return Batch(tensors, ids, labels, tuple(sample.origin for sample in samples))
