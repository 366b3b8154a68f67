"""Words that a picture should show and a reader doesn't find in it: what was dropped, cut off or drawn invisibly.

    lost("The quick brown fox", ["The brown f0x"])    # ("quick",)

The order of words counts for nothing. A word that is read wrongly leaves something like it behind, one that isn't there
leaves nothing: that is what tells a reader's errors from a picture's.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEAST = {"latin": 5, "number": 3, "han": 3}
"""Characters of a word that is missed where it isn't found: readers drop shorter ones too often."""
WRONG = {"latin": 0.45, "number": 0.4, "han": 0.67}
"""The share of a word's characters that may be read wrongly."""
_CHUNK = 4
"""Chinese characters in a row that are looked for together."""
_TOKEN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+|[^\W_\u3400-\u9fff\uf900-\ufaff]+")
_POINT = re.compile(r"(?<=\d)[.,:](?=\d)")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_LIKE = str.maketrans("oiıl|", "01111")  # what readers, and typefaces, don't tell apart


def lost(text: str, readings: Sequence[str]) -> tuple[str, ...]:
    """The distinctive words of the text that are in none of the readings, each as often as it lacks there."""
    missing = _missing(text, readings[0]) if readings else Counter(_tokens(text))
    for reading in readings[1:]:
        missing &= _missing(text, reading)
    return tuple(missing.elements())


def _missing(text: str, reading: str) -> Counter[str]:
    """The distinctive words of the text that aren't in the reading."""
    wanted, found = _tokens(text), _tokens(reading)
    keys = Counter(map(_key, wanted))
    rest = []
    for token in found:  # those that are the same leave a gap
        if keys[_key(token)] > 0:
            keys[_key(token)] -= 1
            rest.append("\0")
        else:
            rest.append(_key(token))
    soup = "".join(rest)
    open_ = []
    for token in wanted:
        if keys[_key(token)] > 0:
            keys[_key(token)] -= 1
            open_.append(token)
    misread = []
    for token in sorted(filter(_distinctive, open_), key=len, reverse=True):
        soup, there = _taken(soup, _key(token), 0)
        misread += [] if there else [token]
    unlike = []
    for token in misread:
        soup, there = _taken(soup, _key(token), int(len(token) * WRONG[_sort(token)]))
        unlike += [] if there else [token]
    missing: Counter[str] = Counter()
    for token in unlike:
        soup, there = _garbled(soup, token)
        missing[token] += not there
    return +missing


def _tokens(text: str) -> list[str]:
    """Words, numbers and pieces of Chinese, in small letters without accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = _POINT.sub("", "".join(char for char in plain if not unicodedata.combining(char)))
    some: Iterable[str] = _TOKEN.findall(plain)
    return [part for token in some for part in (_pieces(token) if _sort(token) == "han" else [token])]


def _pieces(token: str) -> list[str]:
    return [token[start : start + _CHUNK] for start in range(0, len(token), _CHUNK)]


def _key(token: str) -> str:
    return token.translate(_LIKE)


def _sort(token: str) -> str:
    if "\u3400" <= token[0] <= "\ufaff":
        return "han"
    return "number" if token.isdecimal() else "latin"


def _distinctive(token: str) -> bool:
    """Whether it is long enough, and in a script that the reader reads."""
    return len(token) >= LEAST[_sort(token)] and (token.isascii() or _sort(token) == "han")


def _taken(soup: str, word: str, wrong: int) -> tuple[str, bool]:
    """The text without the place that is most like the word, and whether there is one with so few errors."""
    if not wrong:
        place = soup.find(word)
        return (soup, False) if place < 0 else (f"{soup[:place]}\0{soup[place + len(word) :]}", True)
    errors, end = _nearest(word, soup)
    if errors > wrong:
        return soup, False
    start = end - (len(word) - _nearest(word[::-1], soup[max(0, end - 2 * len(word)) : end][::-1])[0])
    return f"{soup[: max(0, start)]}\0{soup[end:]}", True


def _garbled(soup: str, token: str) -> tuple[str, bool]:
    """The text without the first run of Chinese as long as the word, and whether there is one.

    Only for words of characters that readers hardly know: of any other, something is read rightly.
    """
    if sum(map(_common, token)) < len(token) / 2:
        for found in _HAN.finditer(soup):
            if len(found[0]) >= len(token):
                return f"{soup[: found.start()]}\0{soup[found.start() + len(token) :]}", True
    return soup, False


def _common(char: str) -> bool:
    """Whether it is one of the 3,755 most frequent Chinese characters, or no Chinese."""
    code = char.encode("gb2312", "replace")
    return not _HAN.match(char) or (len(code) == 2 and code[0] < 0xD8)


def _nearest(word: str, soup: str) -> tuple[int, int]:
    """The least edit distance of the word to any part of a text, and where that part ends (Myers 1999)."""
    where: dict[str, int] = {}
    for place, char in enumerate(word):
        where[char] = where.get(char, 0) | 1 << place
    every, top = (1 << len(word)) - 1, 1 << (len(word) - 1)
    more, less, errors = every, 0, len(word)
    best = errors, 0
    for end, char in enumerate(soup, 1):
        same = where.get(char, 0)
        down = same | less
        across = (((same & more) + more) ^ more) | same
        up = less | (~(across | more) & every)
        falls = more & across
        errors += bool(up & top) - bool(falls & top)
        up, falls = up << 1 & every, falls << 1 & every
        more, less = falls | (~(down | up) & every), up & down
        best = min(best, (errors, end), key=lambda each: each[0])
    return best
