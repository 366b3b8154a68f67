"""Qwen2, the decoder (GOT §3.1): embeddings of prompt and image go in, what comes next comes out.

B rows, T tokens of each, W width, H heads, D = W / H, S the longest row's tokens in the cache.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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
        self.rows, self.length = rows, length
        like = torch.empty(0) if like is None else like
        shape = (rows, config.kv_heads, length, config.width // config.heads)
        self.keys = [like.new_zeros(shape) for _ in range(config.layers)]
        self.values = [like.new_zeros(shape) for _ in range(config.layers)]

    def resize(self, rows: int, length: int) -> None:
        """Make room for `rows` × `length` tokens; what it holds stays, as far as there is room."""
        kept = slice(min(rows, self.rows)), slice(None), slice(min(length, self.length))
        for layers in (self.keys, self.values):
            for n, old in enumerate(layers):  # one by one: never two caches in memory
                layers[n] = old.new_zeros(rows, old.shape[1], length, old.shape[3])
                layers[n][kept] = old[kept]
        self.rows, self.length = rows, length

    def move(self, source: int, target: int) -> None:
        """Put one row in the place of another."""
        for layer in (*self.keys, *self.values):
            layer[target] = layer[source]


@dataclass(frozen=True)
class Place:
    """Where the tokens of a call belong: in which rows of a cache, from which position on."""

    cache: Cache
    rows: Tensor
    """(B,): the rows of the cache; 0 to B - 1 where it is read, too."""
    start: Tensor
    """(B,): how many tokens each row has so far; what the cache holds beyond is written over."""
    span: int = 0
    """How many tokens the longest row has after this call, or more; 0 where all rows begin, whatever they held."""


class Call(NamedTuple):
    """What all layers of one call share."""

    positions: Tensor
    """(B or 1, T): of the tokens in their rows."""
    seen: Tensor | None
    """(B, 1, T, S): added to the scores, 0 for what a token sees of the cache; None where it sees this call alone."""
    place: Place | None
    turn: tuple[Tensor, Tensor] | None = None
    """Cosines and sines of rotary positions, each (B or 1, 1, T, D)."""

    @classmethod
    def of(cls, x: Tensor, place: Place | None) -> Call:
        """The call about tokens (B, T, W)."""
        positions = torch.arange(x.shape[1], device=x.device)[None]
        if place is None or not place.span:
            return cls(positions, None, place)
        positions = positions + place.start[:, None]
        hidden = torch.arange(place.span, device=x.device) > positions[..., None]  # (B, T, S)
        seen = torch.zeros(hidden.shape, dtype=x.dtype, device=x.device).masked_fill_(hidden, -torch.inf)
        return cls(positions, seen[:, None], place)


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

    def forward(self, x: Tensor, place: Place | None = None, watched: list[Tensor] | None = None) -> Tensor:
        """The states of tokens that see what is before them: in this call, and in the cache if a place is given.

        `watched` gets what goes into each layer.
        """
        call = Call.of(x, place)
        width = self.config.width // self.config.heads
        call = call._replace(turn=rotations(call.positions, width, self.config.theta, x.dtype))
        return self.norm(through(self.layers, x, call, self.checkpointing, watched))


def through(
    layers: nn.ModuleList, x: Tensor, call: Call, checkpointing: bool, watched: list[Tensor] | None = None
) -> Tensor:
    """(B, T, W) after all layers; with `checkpointing`, training keeps the input of each and computes the rest anew."""
    for n, layer in enumerate(layers):
        if watched is not None:
            watched.append(x)
        if checkpointing and torch.is_grad_enabled():
            x = checkpoint(layer, x, n, call, use_reentrant=False)
        else:
            x = layer(x, n, call)
    return x


class Layer(nn.Module):
    """Attention, then a gated MLP."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.norm1 = nn.RMSNorm(config.width, eps=config.eps)
        self.attention = Attention(config.width, config.heads, config.kv_heads, bias=False)
        self.norm2 = nn.RMSNorm(config.width, eps=config.eps)
        self.gate_up = nn.Linear(config.width, 2 * config.mlp, bias=False)
        self.down = nn.Linear(config.mlp, config.width, bias=False)

    def forward(self, x: Tensor, n: int, call: Call) -> Tensor:
        """(B, T, W) → the same shape."""
        x = x + self.attention(self.norm1(x), n, call)
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)

    def looks(self, x: Tensor, theta: float) -> Tensor:
        """(B, T, W), rows from their start → (B, T, T): what its first head's softmax is of; −∞ what is unseen."""
        return self.attention.scores(self.norm1(x), theta)


class Ahead(nn.Module):
    """A state (…, W) → the state that the token some places further on would have: the same head makes its logits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.up = nn.Linear(width, width, bias=False)
        self.down = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(…, W) → the same shape."""
        return x + self.down(F.silu(self.up(self.norm(x))))


class Attention(nn.Module):
    """Causal attention with a cache; `bias` is about the last linear map, the first always has one."""

    def __init__(self, width: int, heads: int, kv_heads: int, bias: bool) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = heads, kv_heads, width // heads
        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * self.head_width)
        self.out = nn.Linear(width, width, bias=bias)

    def forward(self, x: Tensor, n: int, call: Call) -> Tensor:
        """(B, T, W) → the same shape; `n` is the layer's number in the cache."""
        b, t, _ = x.shape
        qkv = self.qkv(x).view(b, t, -1, self.head_width).transpose(1, 2)
        qk, v = qkv.split((self.heads + self.kv_heads, self.kv_heads), 1)  # (B, H, T, D)
        if call.turn is not None:
            qk = rotate(qk, *call.turn)
        q, k = qk.split((self.heads, self.kv_heads), 1)
        if call.place is not None:
            k, v = _remember(call.place, call.positions, n, k, v)
        mixed = F.scaled_dot_product_attention(
            q, k, v, attn_mask=call.seen, is_causal=call.seen is None, enable_gqa=self.heads != self.kv_heads
        )
        return self.out(mixed.transpose(1, 2).reshape(b, t, -1))

    def scores(self, x: Tensor, theta: float) -> Tensor:
        """The first head's, of each token (B, T, W) for each: (B, T, T)."""
        t, width, first = x.shape[1], self.head_width, self.heads * self.head_width
        rows = torch.cat([self.qkv.weight[:width], self.qkv.weight[first : first + width]])
        bias = torch.cat([self.qkv.bias[:width], self.qkv.bias[first : first + width]])
        q, k = F.linear(x, rows, bias).chunk(2, -1)  # (B, T, D)
        positions = torch.arange(t, device=x.device)
        turn = rotations(positions[None], width, theta, q.dtype)
        q, k = rotate(torch.stack([q, k], 1), *turn).unbind(1)
        scores = q @ k.transpose(1, 2) / math.sqrt(width)
        return scores.masked_fill(positions > positions[:, None], -torch.inf)


def _remember(place: Place, positions: Tensor, n: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Writes keys and values (B, H, T, D) into layer `n` of the cache; what the tokens may attend to."""
    keys, values = place.cache.keys[n], place.cache.values[n]  # (rows, H, length, D)
    rows = place.rows[:, None]
    keys[rows, :, positions] = k.transpose(1, 2)
    values[rows, :, positions] = v.transpose(1, 2)
    if not place.span:
        return k, v
    count = len(place.rows)  # a call that reads the cache is about its first rows
    return keys[:count, :, : place.span], values[:count, :, : place.span]


def rotations(positions: Tensor, width: int, theta: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """How far to turn queries and keys at (B, T) positions."""
    frequency = theta ** (-torch.arange(0, width, 2, device=positions.device, dtype=torch.float32) / width)
    angle = (positions[..., None] * frequency).repeat(1, 1, 2)[:, None]  # (B or 1, 1, T, D)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Queries or keys (B, H, T, D) turned, dimension i with dimension i + D / 2 (RoPE)."""
    one, two = x.chunk(2, -1)
    return x * cos + torch.cat([-two, one], -1) * sin
