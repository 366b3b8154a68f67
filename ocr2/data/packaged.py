"""What packages ship that data can be made of: English and Chinese words, molecules, scores.

    written(Random(7), "en")    # a paragraph, made up
    items("smiles")             # RDKit's sample of the NCI's open database

Paragraphs are sentences of no sense: words as frequent as they are in print (but the frequent ones somewhat less), in
the order of a small grammar, so that a page of them looks like one and can't be guessed. English words are wordfreq's,
Chinese ones jieba's; scores are those that music21 comes with, where it is installed.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from ocr2.data.materials import Item, Origin, score
from ocr2.data.sentences import CLASSES, Chinese, English, paragraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from ocr2.characters import Material

INSTALL = "pip install 'ocr2[engines]'"


class Package(NamedTuple):
    """Where a kind of things comes from."""

    name: str
    what: str
    """What is taken of it."""
    licence: str


PACKAGES: dict[str, Package] = {
    "en": Package("wordfreq", "words", "CC-BY-SA-4.0"),
    "zh": Package("jieba", "dict.txt", "MIT"),
    "smiles": Package("rdkit", "Data/NCI/first_5K.smi", "BSD-3-Clause (RDKit; molecules of the NCI's open database)"),
    "kern": Package("music21", "corpus", "each score's own, see music21/corpus/license.txt"),
}
"""By kind of things, or by language."""
LEAST = 10
"""How often jieba's list has to have a Chinese word."""
MOST = 60_000
"""English words, the most frequent ones."""
_ENGLISH = re.compile(r"[a-zß-öø-ÿ]{2,}('s)?")
_CHINESE = re.compile("[\u4e00-\u9fff]+")


def has(kind: str) -> bool:
    """Whether the package is installed that has that; kind is a Material, "en" or "zh"."""
    return _found(kind) is not None


def version(kind: str) -> str:
    """The package and its version; "" where it isn't installed."""
    if not has(kind):
        return ""
    name = PACKAGES[kind].name
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name


def origin(kind: str) -> Origin:
    """The package as the origin of what is of that kind."""
    return Origin(version(kind), PACKAGES[kind].what, PACKAGES[kind].licence)


def written(rng: Random, language: Literal["en", "zh"], chosen: Callable[[str], bool]) -> str:
    """A paragraph in that language, made up, that is chosen. Its package has to be installed."""
    if language == "en":
        return paragraph(_english().sentence, rng, " ", chosen)
    return paragraph(_chinese().sentence, rng, "", chosen)


def han() -> Counter[str]:
    """How often each character comes in the Chinese words. Its package has to be installed."""
    counts = Counter[str]()
    for words in _words().values():
        for word, count in words.items():
            for char in word:
                counts[char] += count
    return counts


def items(kind: Material) -> Iterator[tuple[Item, Origin]]:
    """All of the package's things of that kind; none where it isn't installed or has none."""
    root = _found(kind)
    if root is None:
        return
    if kind == "smiles":
        where = origin(kind)
        for line in root.read_text("ascii").splitlines():
            yield Item("smiles", line.split()[0].encode()), where
        return
    package, named = PACKAGES[kind], version(kind)
    for path in sorted(root.rglob("*.krn")):
        data = path.read_bytes()
        try:
            data.decode()
        except UnicodeDecodeError:  # some of them are in Latin-1
            data = data.decode("latin-1").encode()
        source = path.relative_to(root).as_posix()
        if found := score(data, source):
            yield (
                found,
                Origin(named, source, f"{found.licence}; {package.licence}" if found.licence else package.licence),
            )


def _found(kind: str) -> Path | None:
    """The data in the package, which isn't imported."""
    package = PACKAGES.get(kind)
    spec = util.find_spec(package.name) if package else None
    if package is None or spec is None or not spec.submodule_search_locations:
        return None
    if kind == "en":
        return Path(spec.submodule_search_locations[0])
    roots = [Path(root) for root in spec.submodule_search_locations]
    if kind == "smiles":
        roots.append(Path(sys.prefix) / "share" / "RDKit")  # where conda has it
    return next((root / package.what for root in roots if (root / package.what).exists()), None)


@cache
def _english() -> English:
    from wordfreq import get_frequency_list

    weights: dict[str, int] = {}
    for level, words in enumerate(get_frequency_list("en", "best")):
        for word in words:
            if len(weights) < MOST and _ENGLISH.fullmatch(word):
                weights[word] = _tempered(10 ** (9 - level / 100))
    return English(weights)


@cache
def _words() -> dict[str, dict[str, int]]:
    """Of each class of Chinese words how often they come."""
    path = _found("zh")
    assert path is not None
    found: dict[str, dict[str, int]] = {name: {} for name in CLASSES.values()}
    for line in path.read_text("utf-8").splitlines():
        word, count, mark = line.split(" ")
        name = CLASSES.get(mark)
        if name and int(count) >= LEAST and _CHINESE.fullmatch(word):
            found[name][word] = _tempered(int(count))
    return found


@cache
def _chinese() -> Chinese:
    return Chinese(_words())


def _tempered(count: float) -> int:
    """Less for what is frequent, so that more words come."""
    return max(1, round(float(count**0.75)))
