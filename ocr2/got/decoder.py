"""Qwen2, the decoder (GOT §3.1): embeddings of prompt and image go in, what comes next comes out.

B rows, T tokens of each, W width, H heads, D = W / H, S the longest row's tokens in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from ocr2.got.config import DecoderConfig, OPTConfig


class Cache:
    """The keys and values of every layer, for a number of rows of the same length. All zero at first."""

    def __init__(self, config: DecoderConfig | OPTConfig, rows: int, length: int, like: Tensor | None = None) -> None:
        """Room for `rows` × `length` tokens, of the type and on the device of `like`."""
        self.config, self.rows, self.length = config, rows, length
        shape = (config.layers, rows, config.kv_heads, length, config.width // config.heads)
        like = torch.empty(0) if like is None else like
        self.keys, self.values = like.new_zeros(shape), like.new_zeros(shape)

    def grown(self, rows: int, length: int) -> Cache:
        """A cache of another size with what this one holds, as far as there is room."""
        grown = Cache(self.config, rows, length, self.keys)
        rows, length = min(rows, self.rows), min(length, self.length)
        for old, new in ((self.keys, grown.keys), (self.values, grown.values)):
            new[:, :rows, :, :length] = old[:, :rows, :, :length]
        return grown

    def move(self, source: int, target: int) -> None:
        """Put one row in the place of another."""
        for part in (self.keys, self.values):
            part[:, target] = part[:, source]


@dataclass(frozen=True)
class Place:
    """Where the tokens of a call belong: in which rows of a cache, from which position on."""

    cache: Cache
    rows: Tensor
    """(B,): the rows of the cache."""
    start: Tensor
    """(B,): how many tokens each row has so far."""
    span: int = 0
    """How many tokens the longest row has after this call, or more; 0 where all rows begin, whatever they held."""

    def positions(self, count: int) -> Tensor:
        """(B, T): the positions of `count` tokens a row."""
        return self.start[:, None] + torch.arange(count, device=self.start.device)


class Decoder(nn.Module):
    """(B, T, W) embeddings → (B, T, W) states, of which `head` makes (B, T, vocabulary) logits."""

    def __init__(self, config: DecoderConfig, checkpointing: bool = False) -> None:
        super().__init__()
        self.config, self.checkpointing = config, checkpointing
        self.embed = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=config.eps)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        self.tie()

    def tie(self) -> None:
        """The head is the embedding."""
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor, place: Place | None = None) -> Tensor:
        """The states of tokens that see what is before them: in this call, and in the cache if a place is given."""
        positions = positions_of(x, place)  # (B, T)
        turn = rotations(positions, self.config.width // self.config.heads, self.config.theta, x.dtype)
        seen = visible(place, x.shape[1])
        for n, layer in enumerate(self.layers):
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(layer, x, n, turn, place, seen, use_reentrant=False)
            else:
                x = layer(x, n, turn, place, seen)
        return self.norm(x)


class Layer(nn.Module):
    """Attention, then a gated MLP."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.norm1 = nn.RMSNorm(config.width, eps=config.eps)
        self.attention = Attention(config.width, config.heads, config.kv_heads, bias=False)
        self.norm2 = nn.RMSNorm(config.width, eps=config.eps)
        self.gate_up = nn.Linear(config.width, 2 * config.mlp, bias=False)
        self.down = nn.Linear(config.mlp, config.width, bias=False)

    def forward(self, x: Tensor, n: int, turn: Turn, place: Place | None, seen: Tensor | None) -> Tensor:
        """(B, T, W) → the same shape."""
        x = x + self.attention(self.norm1(x), n, turn, place, seen)
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


Turn = tuple[Tensor, Tensor]
"""Cosines and sines, each (B, 1, T, D)."""


class Attention(nn.Module):
    """Causal attention with a cache; `bias` is about the last linear map, the first always has one."""

    def __init__(self, width: int, heads: int, kv_heads: int, bias: bool) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = heads, kv_heads, width // heads
        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * self.head_width)
        self.out = nn.Linear(width, width, bias=bias)

    def forward(self, x: Tensor, n: int, turn: Turn | None, place: Place | None, seen: Tensor | None) -> Tensor:
        """(B, T, W) → the same shape; `n` is the layer's number in the cache."""
        b, t, _ = x.shape
        qkv = self.qkv(x).view(b, t, -1, self.head_width).transpose(1, 2)
        q, k, v = qkv.split((self.heads, self.kv_heads, self.kv_heads), 1)  # (B, H, T, D)
        if turn is not None:
            q, k = rotate(q, turn), rotate(k, turn)
        if place is not None:
            k, v = _remember(place, n, k, v)
        mixed = F.scaled_dot_product_attention(
            q, k, v, attn_mask=seen, is_causal=seen is None, enable_gqa=self.heads != self.kv_heads
        )
        return self.out(mixed.transpose(1, 2).reshape(b, t, -1))


def _remember(place: Place, n: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Writes keys and values (B, H, T, D) into layer `n` of the cache; what the tokens may attend to."""
    keys, values = place.cache.keys[n], place.cache.values[n]  # (rows, H, length, D)
    rows, positions = place.rows[:, None], place.positions(k.shape[2])
    keys[rows, :, positions] = k.transpose(1, 2)
    values[rows, :, positions] = v.transpose(1, 2)
    if not place.span:
        return k, v
    count = len(place.rows)  # a call that reads the cache is about its first rows
    return keys[:count, :, : place.span], values[:count, :, : place.span]


def positions_of(x: Tensor, place: Place | None) -> Tensor:
    """(B or 1, T): the positions of the tokens (B, T, W) of a call."""
    return place.positions(x.shape[1]) if place else torch.arange(x.shape[1], device=x.device)[None]


def visible(place: Place | None, count: int) -> Tensor | None:
    """(B, 1, T, S): which keys of the cache each token sees; None where a call sees nothing but itself."""
    if place is None or not place.span:
        return None
    keys = torch.arange(place.span, device=place.start.device)
    return (keys <= place.positions(count)[..., None])[:, None]


def rotations(positions: Tensor, width: int, theta: float, dtype: torch.dtype) -> Turn:
    """How far to turn queries and keys at (B, T) positions."""
    frequency = theta ** (-torch.arange(0, width, 2, device=positions.device, dtype=torch.float32) / width)
    angle = (positions[..., None] * frequency).repeat(1, 1, 2)[:, None]  # (B, 1, T, D)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x: Tensor, turn: Turn) -> Tensor:
    """Queries or keys (B, H, T, D) turned, dimension i with dimension i + D / 2 (RoPE)."""
    one, two = x.chunk(2, -1)
    return x * turn[0] + torch.cat([-two, one], -1) * turn[1]
