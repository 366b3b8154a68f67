"""OPT, the small decoder of stage 1 (GOT §3.2): it teaches the encoder to read, then gives way to Qwen.

B rows, T tokens of each, W width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

from ocr2.got.decoder import Attention, Call, through

if TYPE_CHECKING:
    from ocr2.got.config import OPTConfig
    from ocr2.got.decoder import Place

_OFFSET = 2
"""The first position's entry in the table: OPT was trained so."""


class OPTDecoder(nn.Module):
    """(B, T, W) embeddings → (B, T, W) states, of which `head` makes (B, T, vocabulary) logits."""

    def __init__(self, config: OPTConfig, checkpointing: bool = False) -> None:
        super().__init__()
        self.config, self.checkpointing = config, checkpointing
        self.embed = nn.Embedding(config.vocabulary, config.width)
        self.positions = nn.Embedding(config.positions + _OFFSET, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=config.eps)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        self.tie()

    def tie(self) -> None:
        """The head is the embedding."""
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor, place: Place | None = None) -> Tensor:
        """The states of tokens that see what is before them: in this call, and in the cache if a place is given."""
        call = Call.of(x, place)
        x = x + self.positions(call.positions + _OFFSET)
        return self.norm(through(self.layers, x, call, self.checkpointing))


class Layer(nn.Module):
    """Attention, then an MLP."""

    def __init__(self, config: OPTConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=config.eps)
        self.attention = Attention(config.width, config.heads, config.heads, bias=True)
        self.norm2 = nn.LayerNorm(config.width, eps=config.eps)
        self.up = nn.Linear(config.width, config.mlp)
        self.down = nn.Linear(config.mlp, config.width)

    def forward(self, x: Tensor, n: int, call: Call) -> Tensor:
        """(B, T, W) → the same shape."""
        x = x + self.attention(self.norm1(x), n, call)
        return x + self.down(F.relu(self.up(self.norm2(x))))
