"""What the networks are taught by: each loss a mean over a batch, as one number of float32.

B rows, h × w pixels, T steps along a line, C characters (0 is CTC's blank), N numbers of a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from ocr2.ppocr.batch import Scenes
    from ocr2.ppocr.nets import Maps

SHRINK, THRESHOLD = 5.0, 10.0
"""How much DB's losses on the shrink map and on the threshold map count beside that on the binary map."""
SURE = 0.3
"""Above which likelihood the teacher's pixels are text."""
_HARDEST = 3
"""So many pixels without text count for each pixel of text: the hardest."""
_LEAST = 1e-5
"""What likelihoods of pixels are compared from."""


def dice(predicted: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """How little two maps overlap where the mask is 1: 0 where they are the same, up to 1."""
    predicted = predicted.float() * mask
    return 1 - 2 * (predicted * truth).sum() / (predicted.sum() + (truth * mask).sum() + 1e-6)


def balanced(predicted: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Dice over the pixels of text and the likeliest others, three for each, where the mask is 1."""
    other = (1 - truth) * mask
    counted = truth * mask
    most = min(int(other.sum()), _HARDEST * int(counted.sum()))
    likely = torch.where(other > 0, predicted.detach().float(), -1.0)
    counted.view(-1)[likely.flatten().topk(most, sorted=False).indices] = 1
    return dice(predicted, truth, counted)


def db(maps: Maps, scenes: Scenes) -> dict[str, Tensor]:
    """What differentiable binarization learns from the truth: losses on its shrink, threshold and binary maps."""
    return _seen(maps, scenes.shrink, scenes.shrink_mask) | {
        "threshold": THRESHOLD * _off(maps.threshold, scenes.threshold, scenes.threshold_mask)
    }


def distil(maps: Maps, teacher: Tensor, mask: Tensor) -> Tensor:
    """What a student learns from the teacher's shrink map (B, 1, h, w): more text, as it is dilated (PP-OCRv2, CML)."""
    return torch.stack(list(_seen(maps, dilated((teacher > SURE).float()), mask).values())).sum()


def dilated(text: Tensor) -> Tensor:
    """The map (B, 1, h, w) with its text grown by one pixel to the right and down."""
    return F.max_pool2d(F.pad(text, (1, 0, 1, 0)), 2, 1)


def _seen(maps: Maps, text: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """The losses against a map of text."""
    # Papers (DB §3.5, PP-OCRv2 §2.1): on the shrink map cross-entropy, of text and three times as many of the hardest
    # other pixels. Released code: Dice, balanced like that only by name, as it is one number for all pixels. Here Dice
    # is balanced indeed: detectors that had found 9 of 10 lines after 240 steps had found none by cross-entropy.
    return {"shrink": SHRINK * balanced(maps.shrink, text, mask), "binary": dice(maps.binary, text, mask)}


def _off(predicted: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """How far off a map is on average where the mask is 1."""
    return ((predicted.float() - truth).abs() * mask).sum() / (mask.sum() + 1e-6)


def dml(one: Tensor, other: Tensor) -> Tensor:
    """How differently two detectors see text: the symmetric divergence of their maps' pixels (PP-OCRv2, DML)."""
    one, other = one.float(), other.float()
    return (_symmetric(one, other, (one + _LEAST).log(), (other + _LEAST).log())).mean()


def symmetric_kl(one: Tensor, other: Tensor) -> Tensor:
    """How differently two recognisers read, by their logits (B, T, C): summed over a line's steps (PP-OCRv2, U-DML)."""
    logs = one.float().log_softmax(-1), other.float().log_softmax(-1)
    return _symmetric(logs[0].exp(), logs[1].exp(), *logs).sum() / len(one)


def _symmetric(one: Tensor, other: Tensor, log_one: Tensor, log_other: Tensor) -> Tensor:
    """Half of p ln(p / q) and of q ln(q / p)."""
    return (one - other) * (log_one - log_other) / 2


def features(one: Tensor, other: Tensor) -> Tensor:
    """The mean squared difference of two backbones' features (PP-OCRv2, U-DML)."""
    return F.mse_loss(one.float(), other.float())


def ctc(logits: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """How unlikely the texts (B, L) are by logits (B, T, C), in nats a line: infinite where T steps can't spell one."""
    steps = torch.full_like(lengths, logits.shape[1])
    logs = logits.float().log_softmax(-1).transpose(0, 1)  # (T, B, C)
    return F.ctc_loss(logs, targets, steps, lengths, reduction="none").mean()


def read_right(read: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Which lines (B,) the likeliest characters (B, T) spell right: repeats collapse, blanks go."""
    kept = (read != 0) & (read != F.pad(read, (1, 0))[:, :-1])
    places = kept.cumsum(1) * kept  # (B, T): from 1, 0 for what goes
    spelled = read.new_zeros(len(read), max(read.shape[1], targets.shape[1]) + 1)
    spelled.scatter_(1, places, read * kept)
    return (spelled[:, 1 : targets.shape[1] + 1] == targets).all(1) & (kept.sum(1) == lengths)
