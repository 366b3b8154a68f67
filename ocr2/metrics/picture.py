"""How alike two drawings are: what tells whether two sources draw the same, however they are spelled."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

SAME = 0.98
"""From this likeness on, two drawings are the same picture."""
MOST = 2048 * 2048
"""Pixels of a sheet that both fit on; larger ones are made smaller, both alike."""
DARK = 48
"""How much darker than white ink is, in the channel where it is darkest."""
SHARE = 3
"""Ink is found again where the other picture is at least a third as dark: the edges of a thin line are pale."""
PLACE = 20
"""Pixels of a side of the places that are looked at one by one: about a letter."""
LARGER = 1.25
"""Times as large one picture may be for both to be the same."""
_AROUND = np.ones((3, 3), np.uint8)


def likeness(ours: Pixels, theirs: Pixels) -> float:
    """How alike two drawings on white are: 1 the same, 0 nothing in common; (H, W) or (H, W, 3) each, of any sizes.

    The mean of two F1s of ink that has ink of the other within a pixel: that of the whole, and that of the place where
    they differ most. So one wrong letter among many right ones shows. From SAME (0.98) on it is the same picture; a
    part that is wrong or missing makes it 0.3 to 0.95, and unrelated pictures have less than 0.3. Letters are told
    apart that are 16 pixels high or more.
    Margins don't count, nor colours, and it matters little that one is up to a quarter larger. Other pictures are
    compared as large as they are, with the two corners together where they agree most. Two blank ones are alike, a
    blank one is like no other.
    """
    if not (ours.size and theirs.size):
        return likeness(*(each if each.size else np.full((1, 1), 255, np.uint8) for each in (ours, theirs)))
    height, width = (max(sides) for sides in zip(ours.shape[:2], theirs.shape[:2], strict=True))
    one, other = (_cropped(each, min(1.0, sqrt(MOST / (height * width)))) for each in (ours, theirs))
    if one is None or other is None:
        return float(one is other)
    f1, laid = max(((_f1(*laid), laid) for laid in _laid(one, other)), key=lambda found: found[0])
    return (f1 + _worst(*laid)) / 2


class _Ink(NamedTuple):
    """A picture; (h, w) each, 0 to 255."""

    asked: Any
    """How dark the other has to be there; 0 where there is no ink."""
    around: Any
    """How dark it is within a pixel."""


Corner = tuple[int, int]
"""Top (0) or bottom (1), left (0) or right (1): where two pictures of unlike sizes are laid on each other."""


def _cropped(image: Pixels, factor: float) -> Any:
    """(h, w) How dark it is where there is ink, 0 to 255, so many times as large; None where it is blank."""
    grey: Any = image
    if image.ndim == 3:
        grey = cv2.min(cv2.min(image[..., 0], image[..., 1]), image[..., 2])
    if factor < 1:
        size = [max(1, round(side * factor)) for side in grey.shape]
        grey = cv2.resize(grey, size[::-1], interpolation=cv2.INTER_AREA)
    dark = cv2.bitwise_not(grey)
    if int(dark.max()) < DARK:
        return None
    x, y, width, height = cv2.boundingRect(cv2.threshold(dark, DARK - 1, 0, cv2.THRESH_TOZERO)[1])
    return dark[y : y + height, x : x + width]


def _laid(one: Any, other: Any) -> Iterator[tuple[_Ink, _Ink, Corner]]:
    """The ways to lay them on each other: as large as each other where they may be the same, and by each corner."""
    if _same_shape(one.shape, other.shape):
        height, width = (max(sides) for sides in zip(one.shape, other.shape, strict=True))
        yield _ink(_stretched(one, height, width)), _ink(_stretched(other, height, width)), (0, 0)
    if one.shape != other.shape:
        mine, their = _ink(one), _ink(other)
        for down in range(1 + (one.shape[0] != other.shape[0])):
            for right in range(1 + (one.shape[1] != other.shape[1])):
                yield mine, their, (down, right)


def _same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether sizes are the same but for a scale, to a few pixels."""
    scale = max(one) / max(other)
    fits = all(abs(side - scale * its) <= 2 + 0.01 * side for side, its in zip(one, other, strict=True))
    return fits and 1 / LARGER <= scale <= LARGER


def _stretched(dark: Any, height: int, width: int) -> Any:
    return dark if dark.shape == (height, width) else cv2.resize(dark, (width, height), interpolation=cv2.INTER_LINEAR)


def _ink(dark: Any) -> _Ink:
    """The ink, with a pixel of white around it."""
    dark = cv2.copyMakeBorder(dark, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return _Ink(cv2.threshold(dark, DARK - 1, 0, cv2.THRESH_TOZERO)[1] // SHARE, cv2.dilate(dark, _AROUND))


def _f1(one: _Ink, other: _Ink, corner: Corner) -> float:
    """F1 of ink that the other has too."""
    mine, their = (_met(each, by, corner) for each, by in ((one, other), (other, one)))
    shares = []
    for whole, part, against in ((one, mine, their), (other, their, mine)):
        found = cv2.countNonZero(part.asked) - cv2.countNonZero(_lost(part, against))
        shares.append(found / max(1, cv2.countNonZero(whole.asked)))
    precision, recall = shares
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _met(ink: _Ink, other: _Ink, corner: Corner) -> _Ink:
    """The part of it that lies on the other."""
    parts = []
    for mine, its, end in zip(ink.asked.shape, other.asked.shape, corner, strict=True):
        side = min(mine, its)
        parts.append(slice(mine - side, mine) if end else slice(side))
    return _Ink(ink.asked[tuple(parts)], ink.around[tuple(parts)])


def _lost(one: _Ink, other: _Ink) -> Any:
    """(h, w) 255 where there is ink that the other hasn't, else 0."""
    return cv2.compare(other.around, one.asked, cv2.CMP_LT)


def _worst(one: _Ink, other: _Ink, corner: Corner) -> float:
    """The share of ink that the other has too, in the place where it is least."""
    height, width = (max(sides) for sides in zip(one.asked.shape, other.asked.shape, strict=True))
    one, other = (_Ink(*(_sheet(mask, height, width, corner) for mask in ink)) for ink in (one, other))
    alone = cv2.bitwise_or(_lost(one, other), _lost(other, one))
    if not cv2.countNonZero(alone):
        return 1.0
    ink = cv2.threshold(cv2.max(one.asked, other.asked), 0, 255, cv2.THRESH_BINARY)[1]
    lost, all_ = (
        cv2.boxFilter(each, cv2.CV_32F, (PLACE, PLACE), normalize=False, borderType=cv2.BORDER_CONSTANT)
        for each in (alone, ink)
    )
    return 1 - float((lost / np.maximum(all_, 255 * PLACE)).max())


def _sheet(mask: Any, height: int, width: int, corner: Corner) -> Any:
    """(height, width) The mask in that corner."""
    top, left = ((whole - side) * end for whole, side, end in zip((height, width), mask.shape, corner, strict=True))
    bottom, right = height - mask.shape[0] - top, width - mask.shape[1] - left
    return cv2.copyMakeBorder(mask, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
