"""Which sample comes when: sources, each with its weight, mixed so that sample number i is always the same.

    sources = opened(["formula", "table"], ["/data/ocr"])
    mixture = Mixture({"formula": (sources["formula"], 0.2), "table": (sources["table"], 0.1), "text": (engine, 1)}, 0)
    mixture[123_456]

Nothing is remembered from one sample to the next: any process may make any of them, in any order.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Sized
from hashlib import blake2b, sha256
from math import ceil, isfinite
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from ocr2.errors import BadInput
from ocr2.shards import Shards
from ocr2.types import Source as Source  # noqa: TC001 others take it from here

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ocr2.types import Sample

BLOCK = 1000
"""Samples in a block at least: in each block every source has its share, to the nearest whole sample."""
LARGEST = 100_000
"""Samples in a block at most, however small the smallest share is."""
_KEPT = 2
"""Orders of blocks that are kept in memory: those that neighbouring samples need."""
_ROUNDS = 8
"""Of the network that orders an epoch: four will do for large ones (Luby and Rackoff), small ones take more."""


class Mixture:
    """An endless source that is made of others, each as often as its weight says.

    Of a finite source all samples come before any comes again, in another order each time.
    """

    def __init__(self, sources: Mapping[str, tuple[Source, float]], seed: int) -> None:
        """The sources by name, with their weights: only how they compare counts. Raises BadInput."""
        if not sources:
            raise BadInput("a mixture of no sources: expected at least one")
        for name, (source, weight) in sources.items():
            if _number(name, weight) <= 0:
                raise BadInput(f"source {name!r} has weight {weight}: expected a number above 0, or leave it out")
            if isinstance(source, Sized) and not len(source):
                raise BadInput(f"source {name!r} has no samples: expected at least one")
        self.sources = {name: source for name, (source, _) in sources.items()}
        self.seed = seed
        self.counts = _apportioned({name: float(weight) for name, (_, weight) in sources.items()})
        """How many samples of a block each source has."""
        self._block = sum(self.counts.values())
        self._orders: OrderedDict[int, list[tuple[str, int]]] = OrderedDict()

    @property
    def identity(self) -> str:
        """Another one where the samples are others, as far as the sources tell: of other names, shares or lengths."""
        told = [
            (name, count, len(source) if isinstance(source, Sized) else None, getattr(source, "identity", None))
            for (name, count), source in zip(self.counts.items(), self.sources.values(), strict=True)
        ]
        return _digest([self.seed, told])

    def __getitem__(self, index: int) -> Sample:
        """The sample of that number, from 0 on."""
        name, place = self.where(index)
        return self.sources[name][place]

    def where(self, index: int) -> tuple[str, int]:
        """The name of the source that sample is from, and its number there."""
        if index < 0:
            raise IndexError(f"sample {index}: expected a number from 0 on")
        block, place = divmod(index, self._block)
        name, nth = self._order(block)[place]
        number = block * self.counts[name] + nth
        source = self.sources[name]
        if not isinstance(source, Sized):
            return name, number
        epoch, place = divmod(number, len(source))
        return name, _permuted(place, len(source), f"{self.seed}/{name}/{epoch}")

    def __getstate__(self) -> dict[str, Any]:
        """All but the orders: they are made again."""
        return self.__dict__ | {"_orders": OrderedDict()}

    def _order(self, block: int) -> list[tuple[str, int]]:
        """The order of a block, kept for those that ask next."""
        if block not in self._orders:
            self._orders[block] = self._shuffled(block)
            if len(self._orders) > _KEPT:
                self._orders.popitem(last=False)
        self._orders.move_to_end(block)
        return self._orders[block]

    def _shuffled(self, block: int) -> list[tuple[str, int]]:
        """For each place of a block its source, and the how manieth of that source it is within the block."""
        names = [name for name, count in self.counts.items() for _ in range(count)]
        Random(f"{self.seed}/{block}").shuffle(names)
        seen = dict.fromkeys(self.counts, -1)
        order = []
        for name in names:
            seen[name] += 1
            order.append((name, seen[name]))
        return order


def _permuted(place: int, count: int, name: str) -> int:
    """What comes at a place of an order of `count` numbers, one that the name stands for. No other place is looked at.

    A Feistel network puts all numbers of so many bits in order; those that are too large are passed on through it.
    """
    half = max(2, ((count - 1).bit_length() + 1) // 2)
    key, low = sha256(name.encode()).digest(), (1 << half) - 1
    while True:
        left, right = place >> half, place & low
        for n in range(_ROUNDS):
            mixed = blake2b(b"%d/%d" % (n, right), key=key, digest_size=8).digest()
            left, right = right, left ^ int.from_bytes(mixed, "big") & low
        place = left << half | right
        if place < count:
            return place


def _digest(told: Any) -> str:
    return sha256(json.dumps(told).encode()).hexdigest()[:16]


def _number(name: str, weight: float) -> float:
    """The weight of a source. Raises BadInput for what is no number, or larger than computers count."""
    try:
        number = float(weight)
    except (OverflowError, TypeError, ValueError):
        number = float("nan")
    if not isfinite(number):
        raise BadInput(f"source {name!r} has weight {weight!r:.40}: expected a number above 0, or leave it out")
    return number


def _apportioned(weights: Mapping[str, float]) -> dict[str, int]:
    """How many samples of a block each source has: at least one, else by its weight, largest remainders rounded up."""
    most = max(weights.values())
    weights = {name: weight / most for name, weight in weights.items()}  # the sum of the largest is no number
    total, least = sum(weights.values()), min(weights.values())
    block = LARGEST if least * LARGEST < total else max(BLOCK, ceil(total / least))
    exact = {name: block * weight / total for name, weight in weights.items()}
    counts = {name: max(1, int(share)) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: max(0, block - sum(counts.values()))]:
        counts[name] += 1
    return counts


def carried(previous: Mapping[str, float], new: Mapping[str, float], share: float = 0.8) -> dict[str, float]:
    """The weights of a stage: that share of each of the previous stage's, and its own (GOT §4.1: 80 %)."""
    if not 0 <= share <= 1:
        raise BadInput(f"share={share}: expected 0 (nothing is carried over) to 1 (all of it)")
    old = {name: share * _number(name, weight) for name, weight in previous.items() if share}
    return old | {name: old.get(name, 0) + _number(name, weight) for name, weight in new.items()}


def opened(names: Iterable[str], folders: Sequence[str | Path]) -> dict[str, Shards]:
    """The shards of each source: those in the folder of its name, in all the data folders that have one.

    A folder that is given twice, by whatever name, counts once. Raises one BadInput for all the data folders that
    aren't there, or for all the sources that are nowhere.
    """
    if absent := [str(folder) for folder in folders if not Path(folder).is_dir()]:
        raise BadInput(
            f"no data folder: {', '.join(absent)}; expected a folder that has one with shards (*.tar) for each source"
        )
    names = list(names)
    places = {name: _once(Path(folder) / name for folder in folders) for name in names}
    if missing := [name for name in names if not places[name]]:
        looked = ", ".join(map(str, folders)) or "no data folder"
        raise BadInput(
            f"no data for {', '.join(missing)}: looked in {looked}; expected a folder of that name with shards (*.tar) "
            "in it for each: make them, or give the data folder that has them"
        )
    return {name: Shards(*found) for name, found in places.items()}


def _once(places: Iterable[Path]) -> list[Path]:
    """Those that are folders, each once."""
    real: dict[str, Path] = {}
    for place in places:
        if place.is_dir():
            real.setdefault(os.path.realpath(place), place)
    return list(real.values())


class Revisited:
    """An endless source whose samples come back: for what takes longer to draw than to damage anew.

    Of `pages` samples one after the other each comes `visits` times, that many samples apart, before the next ones
    do. They are kept in the memory of each process that asks for them. So put it around a whole Mixture, and make
    `pages` a multiple of processes × workers × 8 (what `got.loader` hands to a worker at a time): then each is drawn
    by one process only, and all of them together keep `pages` of them.
    """

    def __init__(self, source: Source, pages: int, visits: int) -> None:
        """Raises BadInput for a finite source: its samples need no drawing."""
        if pages < 1 or visits < 1:
            raise BadInput(f"pages={pages}, visits={visits}: expected at least 1 of each")
        if isinstance(source, Sized):
            raise BadInput("a finite source can't be revisited: put a Mixture around it first")
        self.source, self.pages, self.visits = source, pages, visits
        self._block = -1
        self._drawn: dict[int, Sample] = {}

    @property
    def identity(self) -> str:
        """Another one where the samples are others, as far as the source tells, or come in another order."""
        return _digest([getattr(self.source, "identity", None), self.pages, self.visits])

    def __getitem__(self, index: int) -> Sample:
        """The sample of that number, drawn now or kept from its last visit."""
        if index < 0:
            raise IndexError(f"sample {index}: expected a number from 0 on")
        block, page = index // (self.pages * self.visits), index % self.pages
        if block != self._block:
            self._block = block
            self._drawn.clear()
        if page not in self._drawn:
            self._drawn[page] = self.source[block * self.pages + page]
        return self._drawn[page]

    def __getstate__(self) -> dict[str, Any]:
        """All but the drawn samples."""
        return self.__dict__ | {"_block": -1, "_drawn": {}}
