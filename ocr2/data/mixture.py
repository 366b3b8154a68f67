"""Which sample comes when: sources, each with its weight, mixed so that sample number i is always the same.

    sources = opened(["formula", "table"], ["/data/ocr"])
    mixture = Mixture({"formula": (sources["formula"], 0.2), "table": (sources["table"], 0.1), "text": (engine, 1)}, 0)
    mixture[123_456]

Nothing is remembered from one sample to the next: any process may make any of them, in any order.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sized
from math import ceil, isfinite
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from ocr2.errors import BadInput
from ocr2.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ocr2.types import Sample

BLOCK = 1000
"""Samples in a block at least: in each block every source has its share, to the nearest whole sample."""
LARGEST = 100_000
"""Samples in a block at most, however small the smallest share is."""
_KEPT = 2
"""Orders of blocks, and of each source's epochs, that are kept in memory: those that neighbouring samples need."""


class Source(Protocol):
    """What makes samples: sample `index` is always the same. One with a `len` is finite, any other has no end.

    A sample that can't be made raises an OcrError, and is never replaced by another.
    """

    def __getitem__(self, index: int, /) -> Sample: ...


class Mixture:
    """An endless source that is made of others, each as often as its weight says.

    Of a finite source all samples come before any comes again, in another order each time.
    """

    def __init__(self, sources: Mapping[str, tuple[Source, float]], seed: int) -> None:
        """The sources by name, with their weights: only how they compare counts. Raises BadInput."""
        if not sources:
            raise BadInput("a mixture of no sources: expected at least one")
        for name, (source, weight) in sources.items():
            if not (isfinite(weight) and weight > 0):
                raise BadInput(f"source {name!r} has weight {weight}: expected a number above 0, or leave it out")
            if isinstance(source, Sized) and not len(source):
                raise BadInput(f"source {name!r} has no samples: expected at least one")
        self.sources = {name: source for name, (source, _) in sources.items()}
        self.seed = seed
        self.counts = _apportioned({name: weight for name, (_, weight) in sources.items()})
        """How many samples of a block each source has."""
        self._block = sum(self.counts.values())
        self._orders: dict[str, OrderedDict[int, list[Any]]] = {}

    def __getitem__(self, index: int) -> Sample:
        """The sample of that number, from 0 on."""
        name, place = self.where(index)
        return self.sources[name][place]

    def where(self, index: int) -> tuple[str, int]:
        """The name of the source that sample is from, and its number there."""
        if index < 0:
            raise IndexError(f"sample {index}: expected a number from 0 on")
        block, place = divmod(index, self._block)
        name, nth = self._kept("", block, self._shuffled)[place]
        number = block * self.counts[name] + nth
        source = self.sources[name]
        if not isinstance(source, Sized):
            return name, number
        epoch, place = divmod(number, len(source))
        return name, self._kept(name, epoch, lambda epoch: self._epoch(name, epoch, len(source)))[place]

    def __getstate__(self) -> dict[str, Any]:
        """All but the orders: they are made again."""
        return self.__dict__ | {"_orders": {}}

    def _kept(self, name: str, number: int, make: Callable[[int], list[Any]]) -> list[Any]:
        orders = self._orders.setdefault(name, OrderedDict())
        if number not in orders:
            orders[number] = make(number)
            if len(orders) > _KEPT:
                orders.popitem(last=False)
        orders.move_to_end(number)
        return orders[number]

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

    def _epoch(self, name: str, epoch: int, count: int) -> list[int]:
        """The samples of a finite source in the order of one time through it."""
        order = list(range(count))
        Random(f"{self.seed}/{name}/{epoch}").shuffle(order)
        return order


def _apportioned(weights: Mapping[str, float]) -> dict[str, int]:
    """How many samples of a block each source has: at least one, else by its weight, largest remainders rounded up."""
    total = sum(weights.values())
    block = min(LARGEST, max(BLOCK, ceil(total / min(weights.values()))))
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
    old = {name: share * weight for name, weight in previous.items() if share}
    return old | {name: old.get(name, 0) + weight for name, weight in new.items()}


def opened(names: Iterable[str], folders: Sequence[str | Path]) -> dict[str, Shards]:
    """The shards of each source: those in the folder of its name, in all the data folders that have one.

    Raises one BadInput for all the sources that are nowhere.
    """
    names = list(names)
    places = {name: [place for folder in folders if (place := Path(folder) / name).is_dir()] for name in names}
    if missing := [name for name in names if not places[name]]:
        looked = ", ".join(map(str, folders)) or "no data folder"
        raise BadInput(
            f"no data for {', '.join(missing)}: looked in {looked}; expected a folder of that name with shards (*.tar) "
            "in it for each: make them, or give the data folder that has them"
        )
    return {name: Shards(*found) for name, found in places.items()}


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
