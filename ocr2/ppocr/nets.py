"""The networks of PP-OCRv2: detector, direction classifier, recogniser, and the detector's teacher (PP-OCRv2 §2).

Layers stand in the order in which they are computed, which is how the published ONNX graphs are read (`graphs.py`).
Shapes: B images, h w pixels of the input, T = w / 4 steps along a line, C characters (0 is CTC's blank).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEEPNESS = 50
"""How steeply differentiable binarization goes from 0 to 1 at the threshold."""
RARE = -3.0
"""The logit of text that a new detector begins with, about."""
Stride = int | tuple[int, int]
Row = tuple[int, int, int, float, str, Stride]
"""Of a MobileNetV3 at width 1: kernel, channels inside, channels out, slope of its squeeze (0: none), activation
("relu" or "hard"), stride."""


class ConvNorm(nn.Sequential):
    """A convolution that keeps the size, batch norm, and an activation: "relu", "hard" (hard swish) or "" for none."""

    def __init__(
        self, inner: int, outer: int, kernel: int, stride: Stride = 1, act: str = "hard", groups: int = 1
    ) -> None:
        conv = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False)
        acts: dict[str, list[nn.Module]] = {"relu": [nn.ReLU()], "hard": [nn.Hardswish()], "": []}
        super().__init__(conv, nn.BatchNorm2d(outer), *acts[act])


class Squeeze(nn.Module):
    """Squeeze and excitation: each channel weighed by what all of them are on the whole image."""

    def __init__(self, channels: int, slope: float) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)
        self.slope = slope
        """Of the hard sigmoid: 1/6 in the recogniser, 0.2 in MobileNetV3 and RSE-FPN, as their weights need it."""

    def forward(self, x: Tensor) -> Tensor:
        """The same, weighed."""
        weights = self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1))))  # (B, C, 1, 1)
        return x * (self.slope * weights + 0.5).clamp(0, 1)


def made_divisible(channels: float) -> int:
    """The nearest multiple of 8, at least 8 and not less than nine tenths (MobileNetV3)."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


class Inverted(nn.Module):
    """MobileNetV3's block: widened, filtered channel by channel, narrowed."""

    def __init__(self, inner: int, row: Row, width: float) -> None:
        super().__init__()
        kernel, wide, outer, slope, act, stride = row
        wide, outer = made_divisible(wide * width), made_divisible(outer * width)
        self.layers = nn.Sequential(
            ConvNorm(inner, wide, 1, 1, act),
            ConvNorm(wide, wide, kernel, stride, act, groups=wide),
            *([Squeeze(wide, slope)] if slope else []),
            ConvNorm(wide, outer, 1, 1, ""),
        )
        self.adds = stride == 1 and inner == outer
        self.channels = outer

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h / stride, w / stride)."""
        return x + self.layers(x) if self.adds else self.layers(x)


def _blocks(inner: int, rows: tuple[Row, ...], width: float) -> tuple[list[Inverted], int]:
    found: list[Inverted] = []
    for row in rows:
        found.append(Inverted(inner, row, width))
        inner = found[-1].channels
    return found, inner


_SMALL: tuple[Row, ...] = (
    (3, 16, 16, 0.2, "relu", (2, 1)),
    (3, 72, 24, 0, "relu", (2, 1)),
    (3, 88, 24, 0, "relu", 1),
    (5, 96, 40, 0.2, "hard", (2, 1)),
    (5, 240, 40, 0.2, "hard", 1),
    (5, 240, 40, 0.2, "hard", 1),
    (5, 120, 48, 0.2, "hard", 1),
    (5, 144, 48, 0.2, "hard", 1),
    (5, 288, 96, 0.2, "hard", (2, 1)),
    (5, 576, 96, 0.2, "hard", 1),
    (5, 576, 96, 0.2, "hard", 1),
)
"""MobileNetV3 small, which keeps the width of a line."""
_LARGE: tuple[tuple[Row, ...], ...] = (
    ((3, 16, 16, 0, "relu", 1), (3, 64, 24, 0, "relu", 2), (3, 72, 24, 0, "relu", 1)),
    ((5, 72, 40, 0, "relu", 2), (5, 120, 40, 0, "relu", 1), (5, 120, 40, 0, "relu", 1)),
    (
        (3, 240, 80, 0, "hard", 2),
        (3, 200, 80, 0, "hard", 1),
        (3, 184, 80, 0, "hard", 1),
        (3, 184, 80, 0, "hard", 1),
        (3, 480, 112, 0, "hard", 1),
        (3, 672, 112, 0, "hard", 1),
    ),
    ((5, 672, 160, 0, "hard", 2), (5, 960, 160, 0, "hard", 1), (5, 960, 160, 0, "hard", 1)),
)
"""MobileNetV3 large without its squeezes, in four stages at a quarter to a thirty-second of the input's size."""


class SmallNet(nn.Module):
    """MobileNetV3 small for lines, as the direction classifier and the recogniser before LCNet have it."""

    def __init__(self, width: float, first: Stride = (2, 1)) -> None:
        """`first` is the stride of the first block."""
        super().__init__()
        stem = made_divisible(16 * width)
        blocks, last = _blocks(stem, ((*_SMALL[0][:5], first), *_SMALL[1:]), width)
        self.channels = made_divisible(576 * width)
        self.layers = nn.Sequential(ConvNorm(3, stem, 3, 2), *blocks, ConvNorm(last, self.channels, 1), nn.MaxPool2d(2))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, h, w) to features (B, channels, h / 64 or 32, w / 4)."""
        return self.layers(images)


class Classifier(nn.Module):
    """Which way a line stands: upright or upside down."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = SmallNet(0.35)
        self.head = nn.Linear(self.backbone.channels, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Lines (B, 3, 48, 192) to logits (B, 2): upright, upside down."""
        return self.head(self.backbone(images).mean((2, 3)))


class LCNet(nn.Module):
    """PP-LCNet for lines at half its width: depthwise separable convolutions, no residuals (PP-OCRv2, "MobileNetV1
    enhanced")."""

    channels = 512

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNorm(3, 16, 3, 2),
            *self._separable(16, 32, 3, 1),
            *self._separable(32, 64, 3, 1),
            *self._separable(64, 64, 3, 1),
            *self._separable(64, 128, 3, (2, 1)),
            *self._separable(128, 128, 3, 1),
            *self._separable(128, 256, 3, (2, 1)),
            *(layer for _ in range(5) for layer in self._separable(256, 256, 5, 1)),
            *self._separable(256, 512, 5, (2, 1), True),
            *self._separable(512, 512, 5, 1, True),
            nn.MaxPool2d(2),
        )

    @staticmethod
    def _separable(inner: int, outer: int, kernel: int, stride: Stride, squeezed: bool = False) -> list[nn.Module]:
        squeeze = [Squeeze(inner, 1 / 6)] if squeezed else []
        return [ConvNorm(inner, inner, kernel, stride, groups=inner), *squeeze, ConvNorm(inner, outer, 1)]

    def forward(self, images: Tensor) -> Tensor:
        """Lines (B, 3, 32, w) to features (B, 512, 1, T)."""
        return self.layers(images)


class Read(NamedTuple):
    """What a recogniser makes of lines."""

    logits: Tensor
    """(B, T, C)"""
    hidden: Tensor
    """(B, T, 96) What the logits are made of: what Enhanced CTC's centres are of."""
    features: Tensor
    """(B, channels, 1, T) Of the backbone, of lines 64 high (B, channels, 2, T): what U-DML compares."""


class Recognizer(nn.Module):
    """Reads lines: a backbone, a recurrent network both ways, and a head for CTC."""

    def __init__(self, classes: int, backbone: str = "lcnet") -> None:
        """`backbone` is "lcnet", PP-OCRv2's, or "mobilenet", that of PP-OCR before it."""
        super().__init__()
        self.backbone: nn.Module = LCNet() if backbone == "lcnet" else SmallNet(0.5, 1)
        inside = 64 if backbone == "lcnet" else 48
        self.sequence = nn.LSTM(self.backbone.channels, inside, 2, bidirectional=True, batch_first=True)
        self.middle = nn.Linear(2 * inside, 96) if backbone == "lcnet" else nn.Identity()
        self.head = nn.Linear(96, classes)
        self.apply(_initialised)

    def forward(self, lines: Tensor) -> Read:
        """Lines (B, 3, 32, w); of higher ones, the mean of what is above each other is read."""
        features = self.backbone(lines)  # (B, channels, 1, T)
        steps, _ = self.sequence(features.mean(2).transpose(1, 2))  # (B, T, 2 · inside)
        hidden = self.middle(steps)  # (B, T, 96)
        return Read(self.head(hidden), hidden, features)


class LargeNet(nn.Module):
    """MobileNetV3 large at half its width, without squeezes: the detector's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, inner = ConvNorm(3, 8, 3, 2), 8
        stages: list[nn.Sequential] = []
        self.channels: list[int] = []
        for rows in _LARGE:
            blocks, inner = _blocks(inner, rows, 0.5)
            stages.append(nn.Sequential(*blocks))
            self.channels.append(inner)
        stages[-1].append(ConvNorm(inner, 480, 1))
        self.channels[-1] = 480
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, h, w) to features of 16, 24, 56 and 480 channels, at a quarter to a thirty-second of the size."""
        found = []
        x = self.stem(images)
        for stage in self.stages:
            found.append(x := stage(x))
        return found


class Basic(nn.Module):
    """ResNet's block of two convolutions, whose shortcut averages where it shrinks (ResNet-D)."""

    def __init__(self, inner: int, outer: int, stride: int, projected: bool) -> None:
        super().__init__()
        self.first, self.second = ConvNorm(inner, outer, 3, stride, "relu"), ConvNorm(outer, outer, 3, 1, "")
        pool = [nn.AvgPool2d(2, 2, ceil_mode=True)] if stride == 2 else []
        self.shortcut = nn.Sequential(*pool, ConvNorm(inner, outer, 1, 1, "")) if projected else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h / stride, w / stride)."""
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


class ResNet(nn.Module):
    """ResNet18_vd: the teacher's."""

    def __init__(self) -> None:
        super().__init__()
        stem = [ConvNorm(3, 32, 3, 2, "relu"), ConvNorm(32, 32, 3, 1, "relu"), ConvNorm(32, 64, 3, 1, "relu")]
        self.stem = nn.Sequential(*stem, nn.MaxPool2d(3, 2, 1))
        self.channels = [64, 128, 256, 512]
        self.stages = nn.ModuleList(
            nn.Sequential(Basic(inner, outer, 1 if outer == 64 else 2, True), Basic(outer, outer, 1, False))
            for inner, outer in pairwise([64, *self.channels])
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, h, w) to features at a quarter to a thirty-second of the size."""
        found = []
        x = self.stem(images)
        for stage in self.stages:
            found.append(x := stage(x))
        return found


class Residual(nn.Module):
    """A convolution and its own squeeze added to it: RSE-FPN's (PP-OCRv3)."""

    def __init__(self, inner: int, outer: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, kernel, padding=kernel // 2, bias=False)
        self.squeeze = Squeeze(outer, 0.2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h, w)."""
        x = self.conv(x)
        return x + self.squeeze(x)


class Pyramid(nn.Module):
    """DB's feature pyramid: four sizes in, one map at a quarter of the input's size out."""

    def __init__(self, channels: list[int], width: int = 96, residual: bool = False) -> None:
        """`residual` makes it RSE-FPN, 20,000 parameters more."""
        super().__init__()

        def conv(inner: int, outer: int, kernel: int) -> nn.Module:
            if residual:
                return Residual(inner, outer, kernel)
            return nn.Conv2d(inner, outer, kernel, padding=kernel // 2, bias=False)

        self.laterals = nn.ModuleList(conv(inner, width, 1) for inner in reversed(channels))
        self.smooth = nn.ModuleList(conv(width, width // 4, 3) for _ in channels)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Features from the largest to the smallest, to (B, width, h / 4, w / 4)."""
        tops: list[Tensor] = []
        for lateral, x in zip(self.laterals, reversed(features), strict=True):
            x = lateral(x)
            tops.append(x + F.interpolate(tops[-1], scale_factor=2.0) if tops else x)
        smoothed = [conv(top) for conv, top in zip(self.smooth, tops, strict=True)]
        scales = (8.0, 4.0, 2.0)
        grown = [F.interpolate(x, scale_factor=scale) for x, scale in zip(smoothed, scales, strict=False)]
        return torch.cat([*grown, smoothed[-1]], 1)


class Maps(NamedTuple):
    """What a detector makes of images, each (B, 1, h, w), 0 to 1."""

    shrink: Tensor
    """How likely a pixel is in the middle of text."""
    threshold: Tensor
    """Above which likelihood it counts."""
    binary: Tensor
    """Whether it counts, differentiably."""


class Detector(nn.Module):
    """Finds text by differentiable binarization (DB)."""

    def __init__(self, backbone: str = "mobilenet", residual: bool = False) -> None:
        """`backbone` is "mobilenet", or "resnet" for CML's teacher; `residual` makes its pyramid RSE-FPN."""
        super().__init__()
        self.backbone = LargeNet() if backbone == "mobilenet" else ResNet()
        width = 96 if backbone == "mobilenet" else 256
        self.pyramid = Pyramid(self.backbone.channels, width, residual)
        self.shrink, self.threshold = _head(width), _head(width)
        self.apply(_initialised)
        # Released code: 0. From there a new one can come to see text everywhere, which no Dice loss lets it forget.
        nn.init.constant_(cast("Tensor", self.shrink[-1].bias), RARE)

    def forward(self, images: Tensor) -> Maps:
        """Images (B, 3, h, w), sides of multiples of 32."""
        x = self.pyramid(self.backbone(images))
        shrink, threshold = torch.sigmoid(self.shrink(x)), torch.sigmoid(self.threshold(x))
        return Maps(shrink, threshold, torch.sigmoid(STEEPNESS * (shrink - threshold)))

    def probability(self, images: Tensor) -> Tensor:
        """(B, 1, h, w) Of text, for images as in `forward`: all that finding text takes."""
        return torch.sigmoid(self.shrink(self.pyramid(self.backbone(images))))


def _head(width: int) -> nn.Sequential:
    """One of DB's heads: a map of logits at the input's size."""
    inside = width // 4
    return nn.Sequential(
        ConvNorm(width, inside, 3, 1, "relu"),
        nn.ConvTranspose2d(inside, inside, 2, 2),
        nn.BatchNorm2d(inside),
        nn.ReLU(),
        nn.ConvTranspose2d(inside, 1, 2, 2),
    )


def _initialised(module: nn.Module) -> None:
    """As published: convolutions by Kaiming, linear layers small (those of CTC's head)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        bound = module.in_features**-0.5
        nn.init.uniform_(module.weight, -bound, bound)
        nn.init.uniform_(module.bias, -bound, bound)
