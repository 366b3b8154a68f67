"""A few words of a text, for labels, titles and cells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_HAN = re.compile(f"[{HAN}]")
_HANS = re.compile(f"[{HAN}]+")
_ENDS = re.compile(r"^[\W_]+|[\W_]+$")


def english(rng: Random, text: str, count: int) -> str:
    """So many words from anywhere in the text, without marks between them if there is a place, and never at the ends.

    All of them where there are fewer; "" where there are none.
    """
    words = text.split(" ")
    stretches: list[list[str]] = [[]]
    for word in words:
        if not word[:1].isalnum():
            stretches.append([])
        if bare := _bare(word):
            stretches[-1].append(bare)
        if not word[-1:].isalnum():
            stretches.append([])
    if place := _within(rng, [len(stretch) for stretch in stretches], count):
        return " ".join(stretches[place[0]][place[1] : place[1] + count])
    words = [word for word in words if _bare(word)]
    first = rng.randrange(max(1, len(words) - count + 1))
    return _bare(" ".join(words[first : first + count]))


def chinese(rng: Random, text: str, count: int) -> str:
    """So many Chinese characters from anywhere in the text, in the same way."""
    stretches = [match[0] for match in _HANS.finditer(text)]
    if place := _within(rng, [len(stretch) for stretch in stretches], count):
        return stretches[place[0]][place[1] : place[1] + count]
    places = [match.start() for match in _HAN.finditer(text)]
    first = rng.randrange(max(1, len(places) - count + 1))
    return text[places[first] : places[min(first + count, len(places)) - 1] + 1] if places else ""


def _within(rng: Random, lengths: list[int], count: int) -> tuple[int, int] | None:
    """In which of the stretches, and where in it, so many begin: any place in any of them; None without a place."""
    rooms = [max(0, length - count + 1) for length in lengths]
    if not any(rooms):
        return None
    place = rng.randrange(sum(rooms))
    for number, room in enumerate(rooms):
        if place < room:
            return number, place
        place -= room
    raise AssertionError


def _bare(text: str) -> str:
    """Without the marks at its ends."""
    return text if text.isalnum() else _ENDS.sub("", text)
