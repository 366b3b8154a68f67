"""Text recognition by connectionist temporal classification (CTC): rectified lines go in, texts and scores come out.

Shapes: 3 × h × w a rectified line, T time steps, C characters (0 is CTC's blank).
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

_BOUNDARY = re.compile("[\u3400-\u9fff](?=[A-Za-z0-9])|[A-Za-z0-9](?=[\u3400-\u9fff])")
"""Where Chinese characters (not their punctuation, which brings its own space) and Latin meet without a space."""
_GAP = 0.2
"""A printed space between Chinese and Latin is wider than this share of the line's height; other gaps are narrower."""

_LEAST = 8
"""Lines of fewer pixels in height hold no letters to be read: however long, they are squeezed and read once."""


@dataclass(frozen=True)
class RecognizerConfig:
    """How a line is scaled for the recogniser."""

    height: int = 48
    """Lines are scaled to this height, keeping their shape."""
    squeeze: float = 0.75
    """Lines are this much narrower than their shape says: fewer columns to read, and none that is missed …"""
    shortest: int = 160
    """… but never squeezed below this width; narrower lines are padded to it."""
    longest: int = 4096
    """Wider lines are cut at gaps between words into pieces of at most this width: memory stays bounded."""

    def __post_init__(self) -> None:
        if self.height < 8 or not 0 < self.squeeze <= 1 or not 1 <= self.shortest <= self.longest:
            raise ValueError(f"{self}: expected a height from 8 on, 0 < squeeze <= 1, 1 <= shortest <= longest")


class Recognized(NamedTuple):
    """A line's text, its score (its characters' mean probability) and where along the line each of them is, 0 to 1."""

    text: str
    score: float
    centers: tuple[float, ...]


def line_width(image: np.ndarray, config: RecognizerConfig) -> int:
    """How many columns of the network's input a rectified line (H, W, 3) fills; padding comes after them."""
    height, width = image.shape[:2]
    w: int = math.ceil(config.height * width / height)
    return min(w, config.longest, max(config.shortest, round(w * config.squeeze)))


def line_input(image: np.ndarray, config: RecognizerConfig) -> np.ndarray:
    """A rectified line (H, W, 3) of blue, green, red bytes as the network's input (1, 3, h, w), −1 to 1."""
    height, w = image.shape[0], line_width(image, config)
    shrinks = height > config.height
    scaled = cv2.resize(image, (w, config.height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    out = np.zeros((1, 3, config.height, max(w, config.shortest)), np.float32)
    out[0, :, :, :w] = (scaled * np.float32(1 / 127.5) - 1).transpose(2, 0, 1)
    return out


def decode(probabilities: np.ndarray, alphabet: list[str], filled: float = 1.0) -> Recognized:
    """The likeliest text by greedy CTC decoding of (T, C): repeats collapse, blanks go.

    `filled` is the share of the steps that the line fills; the others are padding.
    """
    steps, _ = probabilities.shape
    best = probabilities.argmax(1)
    keep = np.flatnonzero((best != 0) & (np.diff(best, prepend=0) != 0))
    text = "".join(alphabet[i] for i in best[keep])
    left, right = len(text) - len(text.lstrip()), len(text.rstrip())
    text, keep = text[left:right], keep[left:right]
    score = float(probabilities[keep, best[keep]].mean()) if len(keep) else 0.0
    return Recognized(text, score, tuple(np.minimum((keep + 0.5) / (steps * filled), 1).tolist()))


def spaced(read: Recognized, image: np.ndarray) -> Recognized:
    """The reading with the spaces between Chinese and Latin that are printed: recognisers learn to leave them out.

    A space is where the image (H, W, 3) shows a wide gap without ink between the two characters. On 27 Chinese pages
    5 % of the printed spaces were narrower than 0.2 of the line's height, and 10 % of the other gaps were wider.
    """
    places = [match.start() for match in _BOUNDARY.finditer(read.text)]
    if not places:
        return read
    inked = _inked(image)
    text, centers = read.text, list(read.centers)
    for place in reversed(places):
        start, stop = (round(center * len(inked)) for center in centers[place : place + 2])
        edges = np.flatnonzero(np.concatenate([[True], inked[start:stop], [True]]))
        if np.diff(edges).max() - 1 > _GAP * len(image):
            text = f"{text[: place + 1]} {text[place + 1 :]}"
            centers.insert(place + 1, (centers[place] + centers[place + 1]) / 2)
    return Recognized(text, read.score, tuple(centers))


def cuts(image: np.ndarray, config: RecognizerConfig) -> list[tuple[int, int]]:
    """The columns, first and behind the last, of the pieces in which a rectified line (H, W, 3) is read.

    It is one piece unless the line is too long for the network; each cut is in the middle of the widest gap without
    ink that is near.
    """
    height, width = image.shape[:2]
    most = math.floor(config.longest * height / (config.height * config.squeeze))
    if width <= most or height < _LEAST:
        return [(0, width)]
    inked, ends = _inked(image), [0]
    while width - ends[-1] > most:
        first = ends[-1] + most * 3 // 4
        edges = np.flatnonzero(np.concatenate([[True], inked[first : ends[-1] + most], [True]]))
        widest = int(np.diff(edges).argmax())
        ends.append(first + int(edges[widest] + edges[widest + 1]) // 2)
    return list(pairwise([*ends, width]))


def joined(parts: list[Recognized], spans: list[tuple[int, int]]) -> Recognized:
    """The reading of a line that was read in pieces, `spans` its columns; a space where not both sides are Chinese."""
    text, centers, width = "", list[float](), spans[-1][1]
    for part, (start, stop) in zip(parts, spans, strict=True):
        inside = [(start + center * (stop - start)) / width for center in part.centers]
        if text and part.text and not (_is_wide(text[-1]) and _is_wide(part.text[0])):
            text += " "
            centers.append((centers[-1] + inside[0]) / 2)
        text += part.text
        centers += inside
    known = sum(len(part.text) for part in parts)
    score = sum(part.score * len(part.text) for part in parts) / max(known, 1)
    return Recognized(text, score, tuple(centers))


def _is_wide(char: str) -> bool:
    """Whether a character is of a script that is written without spaces, or its punctuation."""
    return unicodedata.east_asian_width(char) in "WF"


def _inked(image: np.ndarray) -> np.ndarray:
    """Which columns (W,) of a line (H, W, 3) hold ink: whichever of dark and bright is rarer."""
    _, ink = cv2.threshold(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    inked: np.ndarray = np.any(ink == (ink.mean() < 0.5), axis=0)
    return inked
