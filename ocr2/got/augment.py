"""The damage that scanners, cameras and files do to a page, done on the device that trains: new at each visit.

V views of height × width pixels. Every number of a view's damage is drawn for that view alone.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from ocr2.got.batch import Batch

SHARE = 0.4
"""How often each kind of damage is done to a view."""
_GREY = 128 / 255
"""What JPEG takes from each pixel first."""
_VIEWS = 32
"""Views whose pixels are in memory as floating numbers at once."""
_LUMINANCE = (
    *((16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56)),
    *((14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92)),
    *((49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99)),
)
"""The steps of JPEG's luminance at quality 50 (ITU T.81, table K.1)."""


def damaged(batch: Batch, generator: torch.Generator) -> Batch:
    """The batch with its views damaged; the generator is of their device."""
    return replace(batch, views=tuple(_together(views, generator) for views in batch.views))


def _together(views: Tensor, generator: torch.Generator) -> Tensor:
    return torch.cat([_damaged(part, generator) for part in views.split(_VIEWS)])


def _damaged(views: Tensor, generator: torch.Generator) -> Tensor:
    """(V, 3, height, width) bytes, the same after ink, lens, light, sensor and file."""
    draw = _Draw(len(views), generator)
    x = views.float() / 255
    x = _mixed(x, _thicker(x), draw.sometimes() * draw.between(0.1, 0.6))
    x = _mixed(x, 1 - _thicker(1 - x), draw.sometimes() * draw.between(0.1, 0.5))  # thinner
    x = _mixed(x, _blurred(x, 0.6), draw.sometimes())
    x = _mixed(x, _blurred(x, 1.0), draw.sometimes() * draw.between(0, 1))
    x = _mixed(x, _coarse(x), draw.sometimes() * draw.between(0, 1))
    x = _lit(x, draw)
    x = x * (1 - draw.sometimes() * draw.between(0, 0.5) * _shade(x, generator))
    x = x + draw.sometimes() * draw.between(0, 0.08) * torch.randn(x.shape, generator=generator, device=x.device)
    x = _mixed(x, _jpeg(x, draw.between(0.3, 2.5)), draw.sometimes())
    return (x.clamp(0, 1) * 255).round().byte()


class _Draw:
    """Numbers (V, 1, 1, 1), one for each view."""

    def __init__(self, views: int, generator: torch.Generator) -> None:
        self.shape, self.generator = (views, 1, 1, 1), generator

    def between(self, low: float, high: float) -> Tensor:
        """Evenly distributed ones."""
        return low + (high - low) * torch.rand(self.shape, generator=self.generator, device=self.generator.device)

    def sometimes(self) -> Tensor:
        """1 as often as SHARE, else 0."""
        return (self.between(0, 1) < SHARE).float()


def _mixed(x: Tensor, other: Tensor, share: Tensor) -> Tensor:
    return torch.lerp(x, other, share)


def _thicker(x: Tensor) -> Tensor:
    """Each pixel is the darkest of 3 × 3."""
    return -F.max_pool2d(-x, 3, 1, 1)


def _blurred(x: Tensor, sigma: float) -> Tensor:
    """After a Gaussian of that many pixels."""
    reach = math.ceil(2.5 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=x.device) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    x = F.conv2d(F.pad(x, (reach,) * 4, mode="replicate"), kernel, groups=3)
    return F.conv2d(x, kernel.transpose(2, 3), groups=3)


def _coarse(x: Tensor) -> Tensor:
    """As scanned with three quarters of the pixels a side."""
    size = x.shape[2:]
    small = F.interpolate(x, scale_factor=0.75, mode="bilinear", antialias=True)
    return F.interpolate(small, size, mode="bilinear")


def _lit(x: Tensor, draw: _Draw) -> Tensor:
    """With less contrast, and greys that are darker or lighter."""
    low = draw.sometimes() * draw.between(0, 0.4)  # the darkest ink there is
    high = 1 - draw.sometimes() * draw.between(0, 0.3)
    x = x.clamp(0, 1)  # a blur is off by some 1e-7, and no power of less than 0 is a number
    return low + (high - low) * x ** draw.between(0.7, 1.4)


def _shade(x: Tensor, generator: torch.Generator) -> Tensor:
    """(V, 1, height, width) from 0 to 1, smooth: the shadow of a hand or of a book's fold."""
    coarse = torch.rand((len(x), 1, 3, 3), generator=generator, device=x.device)
    return F.interpolate(coarse, x.shape[2:], mode="bicubic", align_corners=True).clamp(0, 1)


def _jpeg(x: Tensor, strength: Tensor) -> Tensor:
    """What JPEG leaves of it, at `strength` times the steps of quality 50; colours are kept as finely as light."""
    basis = _cosines(x.device)
    steps = torch.tensor(_LUMINANCE, device=x.device, dtype=x.dtype) * strength[..., None, None] / 255
    blocks = (x - _GREY).unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)  # (V, 3, rows, columns, 8, 8)
    waves = basis @ blocks @ basis.T
    blocks = basis.T @ ((waves / steps).round() * steps) @ basis
    return blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3) + _GREY


@cache
def _cosines(device: torch.device) -> Tensor:
    """(8, 8): the orthonormal discrete cosine transform."""
    wave, place = torch.meshgrid(torch.arange(8, device=device), torch.arange(8, device=device), indexing="ij")
    basis = torch.cos(math.pi / 8 * wave * (place + 0.5)) / 2
    basis[0] /= math.sqrt(2)
    return basis
