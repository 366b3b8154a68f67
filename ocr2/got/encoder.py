"""VitDet, the encoder (GOT §3.1): a view goes in, its image tokens come out.

V views of height × width pixels; h × w the grid of patches, 16 pixels each; W width, H heads, D = W / H;
N = height / 64 × width / 64 image tokens (256 for the paper's 1024 × 1024), C channels of a token.
Names of the parts follow the paper and Segment Anything's image encoder, which VitDet is taken from.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from ocr2.got.config import EncoderConfig

PATCH = 16
"""Pixels along a side of a patch."""


class Encoder(nn.Module):
    """(V, 3, height, width) normalised pixels → (V, N, C) image tokens."""

    def __init__(self, config: EncoderConfig, checkpointing: bool = False) -> None:
        super().__init__()
        self.config, self.checkpointing = config, checkpointing
        self.stem = nn.Conv2d(3, config.width, PATCH, PATCH) if config.stem == "patch" else conv_stem(config.width)
        grid = config.side // PATCH
        if config.positions == "relative":
            self.positions = nn.Parameter(torch.zeros(grid, grid, config.width))
        self.layers = nn.ModuleList(
            Layer(config, grid if n in config.global_layers else None) for n in range(config.layers)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(config.width, config.neck, 1, bias=False),
            ChannelNorm(config.neck, eps=config.eps),
            nn.Conv2d(config.neck, config.neck, 3, padding=1, bias=False),
            ChannelNorm(config.neck, eps=config.eps),
        )
        middle, out = config.out
        self.down = nn.Sequential(
            nn.Conv2d(config.neck, middle, 3, stride=2, padding=1, bias=False),
            nn.Conv2d(middle, out, 3, stride=2, padding=1, bias=False),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """The image tokens of views, row by row."""
        return self.maps(pixels)[-1].flatten(1, 2)

    def maps(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Patches, the map after the first convolution that follows them, and image tokens, row by row.

        (V, h, w, W), (V, h / 2, w / 2, …), (V, h / 4, w / 4, C).
        """
        x = self.stem(pixels).permute(0, 2, 3, 1)  # (V, h, w, W)
        if self.config.positions == "relative":
            x = x + self.positions
        for layer in self.layers:
            if self.checkpointing and torch.is_grad_enabled():
                x = checkpoint(layer, x, use_reentrant=False)
            else:
                x = layer(x)
        middle = self.down[0](self.neck(x.permute(0, 3, 1, 2)))  # (V, C / 2, h / 2, w / 2)
        # Never two columns alone: in bfloat16 on processors with AMX, PyTorch 2.13 reads what was never written.
        wider = F.pad(middle, (0, 2)) if middle.shape[3] == 2 else middle
        tokens = self.down[1](wider)[..., : middle.shape[3] // 2]  # (V, C, h / 4, w / 4)
        return x, middle.permute(0, 2, 3, 1), tokens.permute(0, 2, 3, 1)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of (V, C, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, each place normalised."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def conv_stem(width: int) -> nn.Sequential:
    """Four 3 × 3 convolutions of stride 2: strokes are seen before patches are made.

    Early convolutions train far faster from scratch than one linear map of 16 × 16 pixels (Xiao et al. 2021).
    """
    channels = (3, width // 8, width // 4, width // 2, width)
    steps: list[nn.Module] = []
    for before, after in pairwise(channels):
        steps += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), ChannelNorm(after), nn.GELU()]
    return nn.Sequential(*steps, nn.Conv2d(width, width, 1))


class Layer(nn.Module):
    """A transformer layer: attention within windows or, given the grid's side, over the whole view; then an MLP."""

    def __init__(self, config: EncoderConfig, grid: int | None) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=config.eps)
        self.attention = Attention(config, grid)
        self.norm2 = nn.LayerNorm(config.width, eps=config.eps)
        self.mlp = nn.Sequential(nn.Linear(config.width, config.mlp), nn.GELU(), nn.Linear(config.mlp, config.width))

    def forward(self, x: Tensor) -> Tensor:
        """(V, h, w, W) → the same shape."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Attention(nn.Module):
    """Attention over a grid, with relative or rotary positions."""

    def __init__(self, config: EncoderConfig, grid: int | None) -> None:
        super().__init__()
        self.heads, self.relative = config.heads, config.positions == "relative"
        self.window = None if grid else config.window
        self.pool = config.pool if grid else 1
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        if self.relative:
            entries = 2 * (grid or config.window) - 1
            self.relative_y = nn.Parameter(torch.zeros(entries, config.width // config.heads))
            self.relative_x = nn.Parameter(torch.zeros(entries, config.width // config.heads))

    def forward(self, x: Tensor) -> Tensor:
        """(V, h, w, W) → the same shape."""
        _, h, w, _ = x.shape
        x = self.qkv(x)  # (V, h, w, 3 W)
        if self.window is None:
            return self.out(self.attend(x))
        # windows of one size, as even as they can be; relative positions were learned for the full size only
        size = (self.window, self.window) if self.relative else (even(h, self.window), even(w, self.window))
        # The release pads the layer's input with zeros and lets them be attended to: their queries, keys and values
        # are the bias. So padding comes after the linear map here: the same numbers for a fifth less work.
        x = self.attend(window_partition(x, size, self.qkv.bias))
        return self.out(window_unpartition(x, size, (h, w)))

    def attend(self, qkv: Tensor) -> Tensor:
        """(B, h, w, 3 W) → (B, h, w, W): softmax attention among the h × w places of each of B grids."""
        b, h, w, _ = qkv.shape
        q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).permute(3, 0, 4, 1, 2, 5)  # each (B, H, h, w, D)
        if self.relative:
            y, x = relative_bias(q, self.relative_y, self.relative_x)
            mixed = biased_attention(q.flatten(2, 3), k.flatten(2, 3), v.flatten(2, 3), y, x)  # (B, H, h w, D)
        else:
            q = rotate(q)
            k, v = rotate(pooled(k, self.pool), self.pool), pooled(v, self.pool)
            mixed = F.scaled_dot_product_attention(q.flatten(2, 3), k.flatten(2, 3), v.flatten(2, 3))
        return mixed.transpose(1, 2).reshape(b, h, w, -1)


def even(side: int, window: int) -> int:
    """The side of equal windows, none larger than `window`, that cover `side` patches with the least padding."""
    return math.ceil(side / math.ceil(side / window))


def window_partition(x: Tensor, size: tuple[int, int], fill: Tensor) -> Tensor:
    """(V, h, w, C) → (V · windows, *size, C), padded at the right and at the bottom with `fill`, (C,)."""
    v, h, w, c = x.shape
    rows, columns = math.ceil(h / size[0]), math.ceil(w / size[1])
    if (rows * size[0], columns * size[1]) != (h, w):
        padded = fill.to(x.dtype).expand(v, rows * size[0], columns * size[1], c).clone()
        padded[:, :h, :w] = x
        x = padded
    x = x.view(v, rows, size[0], columns, size[1], c).transpose(2, 3)
    return x.reshape(-1, *size, c)


def window_unpartition(x: Tensor, size: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """(V · windows, *size, C) → (V, *grid, C): `window_partition` undone, its padding cut off."""
    h, w = grid
    rows, columns = math.ceil(h / size[0]), math.ceil(w / size[1])
    x = x.view(-1, rows, columns, *size, x.shape[-1]).transpose(2, 3)
    return x.reshape(-1, rows * size[0], columns * size[1], x.shape[-1])[:, :h, :w]


def relative_bias(q: Tensor, table_y: Tensor, table_x: Tensor) -> tuple[Tensor, Tensor]:
    """What each query (B, H, h, w, D) adds for keys by their row (B, H, h w, h) and by their column (B, H, h w, w)."""
    _, _, h, w, _ = q.shape
    by_row, by_column = table_y[_differences(h, q.device)], table_x[_differences(w, q.device)]  # (h, h, D), (w, w, D)
    y = q @ by_row.transpose(1, 2)  # (B, H, h, w, h): row i of queries meets row i of the table
    x = (q.transpose(2, 3) @ by_column.transpose(1, 2)).transpose(2, 3)  # (B, H, h, w, w)
    return y.flatten(2, 3), x.flatten(2, 3)


def _differences(side: int, device: torch.device) -> Tensor:
    """(side, side): where the distance from key to query stands in a table of 2 side - 1 entries."""
    places = torch.arange(side, device=device)
    return places[:, None] - places[None, :] + side - 1


def biased_attention(q: Tensor, k: Tensor, v: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """softmax(q kᵀ / √D + bias) v → (B, H, N, D), where the bias of key (i, j) is y[…, i] + x[…, j].

    The bias has N² numbers for each head: for windows they are few; for a whole view they are never all in memory.
    """
    if y.shape[-1] * x.shape[-1] <= 1024:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=(y[..., :, None] + x[..., None, :]).flatten(-2))
    if q.device.type == "cpu" and not (torch.is_grad_enabled() or torch.compiler.is_compiling()):
        return _in_slices(q, k, v, y, x)
    return _folded(q, k, v, y, x)


def _folded(q: Tensor, k: Tensor, v: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The bias as more dimensions of queries and keys: bias · (one-hot row, one-hot column). No N² numbers then."""
    h, w, d = y.shape[-1], x.shape[-1], q.shape[-1]
    rows = torch.eye(h, dtype=k.dtype, device=k.device).repeat_interleave(w, 0)  # (h w, h)
    columns = torch.eye(w, dtype=k.dtype, device=k.device).repeat(h, 1)  # (h w, w)
    root = math.sqrt(d)
    q = torch.cat([q, y * root, x * root], -1)
    k = torch.cat([k, torch.cat([rows, columns], -1).expand(*k.shape[:2], -1, -1)], -1)
    if q.device.type == "cpu":  # its kernel wants values as wide as keys
        v = F.pad(v, (0, h + w))
    return F.scaled_dot_product_attention(q, k, v, scale=1 / root)[..., :d]


_SLICE = 64
"""Queries at a time: their scores (12 heads × 64 × 4096 in the paper's shape) stay in a processor's cache."""


def _in_slices(q: Tensor, k: Tensor, v: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """A slice of the queries at a time: on a processor a third less time than more dimensions."""
    mixed = torch.empty_like(q)
    q, k = q / math.sqrt(q.shape[-1]), k.transpose(-1, -2)
    for start in range(0, q.shape[2], _SLICE):
        part = slice(start, start + _SLICE)
        scores = q[:, :, part] @ k
        grid = scores.unflatten(-1, (y.shape[-1], x.shape[-1]))
        grid += y[:, :, part, :, None]
        grid += x[:, :, part, None, :]
        mixed[:, :, part] = scores.softmax(-1) @ v
    return mixed


def pooled(x: Tensor, pool: int) -> Tensor:
    """(B, H, h, w, D) → (B, H, h / pool, w / pool, D): the means of pool × pool places."""
    if pool == 1:
        return x
    return x.unflatten(3, (-1, pool)).unflatten(2, (-1, pool)).mean((3, 5))


def rotate(x: Tensor, stride: int = 1) -> Tensor:
    """(B, H, h, w, D) turned by its place: half of D by the row, half by the column, both in units of patches.

    Rotary positions in two dimensions, as RoPE-ViT has them (Heo et al. 2024), wavelengths up to 100 patches.
    """
    _, _, h, w, d = x.shape
    frequency = 100.0 ** (-torch.arange(d // 4, device=x.device, dtype=torch.float32) / (d // 4))  # (D / 4)
    first = (stride - 1) / 2  # the middle of pooled patches
    y = (torch.arange(h, device=x.device) * stride + first)[:, None, None] * frequency
    x_ = (torch.arange(w, device=x.device) * stride + first)[None, :, None] * frequency
    angle = torch.cat([y.expand(h, w, -1), x_.expand(h, w, -1)], -1)  # (h, w, D / 2)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    one, two = x.chunk(2, -1)
    return torch.cat([one * cos - two * sin, one * sin + two * cos], -1)
