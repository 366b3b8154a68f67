"""What the networks learn from at once: pages for detectors, lines for recognisers and for the classifier.

B rows, h × w pixels, L characters of the longest text. Images are as the networks take them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Self

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Images and where they are from; what they teach is in the fields of those that follow."""

    images: Tensor
    """(B, 3, h, w) float, normalised."""

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.images)

    @property
    def tokens(self) -> int:
        """As many: a row is one thing to tell."""
        return self.size

    def to(self, device: torch.device | str) -> Self:
        """The same on a device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {k: v.to(device, non_blocking=True) for k, v in values.items() if isinstance(v, torch.Tensor)}
        return replace(self, **moved)


@dataclass(frozen=True)
class Scenes(Rows):
    """Pages, and the maps that a detector should answer (`targets.Targets`), each (B, 1, h, w) float."""

    shrink: Tensor
    shrink_mask: Tensor
    threshold: Tensor
    threshold_mask: Tensor
    origins: tuple[str, ...]


@dataclass(frozen=True)
class Words(Rows):
    """Lines, and the characters that a recogniser should read: 0 is CTC's blank."""

    targets: Tensor
    """(B, L) int64, padded with 0."""
    lengths: Tensor
    """(B,) int64: how many characters each line has."""
    origins: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """How many characters there are."""
        return int(self.lengths.sum())


@dataclass(frozen=True)
class Ways(Rows):
    """Lines (B, 3, 48, 192), and which way they stand."""

    labels: Tensor
    """(B,) int64: 0 upright, 1 upside down."""
    origins: tuple[str, ...]
