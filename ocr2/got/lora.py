"""LoRA (Hu et al. 2021): a model learns by small maps beside its own, which stay; afterwards they are added to them.

    adapt(model)                 # as good as it was, to the last bit
    ...                          # model.adapters learns
    merge(model)                 # a plain GOT again

N image tokens, W width; r, the rank, is how wide the small maps are within.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.utils.hooks import RemovableHandle

    from ocr2.got.model import GOT

RANK = 16
SCALE = 2.0
"""What an adapter's product counts: the paper's α / r."""
PARTS = ("decoder.layers", "ahead")
"""The linear maps below these have adapters, and so has the embedding: some tokens were hardly ever learned."""


class Adapter(nn.Module):
    """(…, inputs) → (…, outputs), nothing at first: what is added to the product of the linear map beside it."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        like = linear.weight
        self.down = nn.Parameter(like.new_empty(RANK, linear.in_features).normal_(std=linear.in_features**-0.5))
        self.up = nn.Parameter(like.new_zeros(linear.out_features, RANK))

    def forward(self, x: Tensor) -> Tensor:
        """The product of both maps."""
        return F.linear(F.linear(x, self.down), self.up) * SCALE

    def beside(self, linear: nn.Linear, given: tuple[Tensor], product: Tensor) -> Tensor:
        """A hook: what the linear map tells with the adapter."""
        return product + self(given[0])

    def merge(self, linear: nn.Linear) -> None:
        """The linear map tells by itself what both told."""
        linear.weight += (self.up @ self.down) * SCALE


class Words(nn.Module):
    """An adapter beside the embedding, and beside the head as it is the same; new rows of both learn as they are."""

    def __init__(self, table: Tensor, new: range) -> None:
        super().__init__()
        self.new = new
        self.down = nn.Parameter(table.new_empty(RANK, table.shape[1]).normal_(std=table.shape[1] ** -0.5))
        self.up = nn.Parameter(table.new_zeros(len(table), RANK))
        self.rows = nn.Parameter(table.detach()[new.start : new.stop].clone()) if new else None

    def embed(self, module: nn.Module, given: tuple[Tensor], told: Tensor) -> Tensor:
        """A hook: the embeddings (…, W) of ids (…)."""
        told = told + F.embedding(given[0], self.up) @ self.down * SCALE
        if self.rows is None:
            return told
        ids = given[0] - self.new.start
        rows = F.embedding(ids.clamp(0, len(self.new) - 1), self.rows).to(told.dtype)
        return torch.where(((ids >= 0) & (ids < len(self.new)))[..., None], rows, told)

    def head(self, module: nn.Module, given: tuple[Tensor], told: Tensor) -> Tensor:
        """A hook: the logits of states (…, W), in place, for they are large."""
        told += F.linear(F.linear(given[0], self.down) * SCALE, self.up)
        if self.rows is not None:
            told[..., self.new.start : self.new.stop] = F.linear(given[0], self.rows)
        return told

    def merge(self, table: Tensor) -> None:
        """The embedding tells by itself what both told."""
        table += (self.up @ self.down) * SCALE
        if self.rows is not None:
            table[self.new.start : self.new.stop] = self.rows


class Adapters(nn.Module):
    """All that learns beside a model."""

    def __init__(self, model: GOT, new: range) -> None:
        super().__init__()
        linears = dict(_linears(model))
        self.maps = nn.ModuleDict({name.replace(".", "/"): Adapter(linear) for name, linear in linears.items()})
        self.hooks: list[RemovableHandle] = []
        for linear, adapter in zip(linears.values(), self.maps.values(), strict=True):
            assert isinstance(adapter, Adapter)
            self.hooks.append(linear.register_forward_hook(adapter.beside))
        self.words = Words(model.decoder.embed.weight, new)
        self.hooks.append(model.decoder.embed.register_forward_hook(self.words.embed))
        self.hooks.append(model.decoder.head.register_forward_hook(self.words.head))


def adapt(model: GOT, new: range = range(0)) -> None:
    """Puts adapters, as `model.adapters`, beside the decoder's linear maps and embedding, whose `new` rows learn whole.

    What it answers is what it answered before. Their random numbers are torch's.
    """
    model.adapters = Adapters(model, new)


@torch.no_grad()
def merge(model: GOT) -> None:
    """What adapters have learned goes into the weights, and they are gone."""
    adapters: Any = model.adapters
    for hook in adapters.hooks:
        hook.remove()
    for (_, linear), adapter in zip(_linears(model), adapters.maps.values(), strict=True):
        adapter.merge(linear)
    adapters.words.merge(model.decoder.embed.weight)
    del model.adapters


def _linears(model: GOT) -> Iterator[tuple[str, nn.Linear]]:
    """The linear maps that have adapters, by their names."""
    for part in PARTS:
        for name, module in model.get_submodule(part).named_modules(prefix=part):
            if isinstance(module, nn.Linear):
                yield name, module
