"""Samples wait in buckets until they make a full batch: those of one bucket are alike, so little of it is padding."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocr2.got.batch import Prepared

LENGTHS = tuple(int(32 * 1.25**n) for n in range(50))
"""The longest sequences of each class: in a batch none is shorter than four fifths of the longest, or nearly so."""
OLDEST = 16
"""A bucket goes when so many times as many samples have come as views may wait."""


@dataclass(frozen=True)
class Limits:
    """How large batches get, and how much waits to be one. Raises BadInput for numbers that can't be."""

    tokens: int
    """The longest sequence, prompt and answer; longer samples are dropped."""
    budget: int
    """Rows × longest sequence of a batch, at most."""
    rows: int | None = None
    """The most rows of a batch."""
    waiting: int = 512
    """The most views that wait in buckets; when there are more, the bucket that has waited longest goes, and so does
    one that has waited while sixteen times as many samples came."""

    def __post_init__(self) -> None:
        for name, number in (("tokens", self.tokens), ("rows", self.rows), ("waiting", self.waiting)):
            if number is not None and number < 1:
                raise BadInput(f"{name}={number}: expected at least 1")
        if self.budget < self.tokens:
            raise BadInput(
                f"budget={self.budget} is less than tokens={self.tokens}: a batch could not hold the longest sample"
            )


class Buckets:
    """Samples that wait, by the sizes of their views and the class of their length; the oldest bucket is the first."""

    def __init__(self, limits: Limits, world: int = 1) -> None:
        """`world`: every how manieth sample comes here."""
        self._limits = limits
        self._oldest = OLDEST * limits.waiting * world
        self._buckets: dict[Any, dict[int, Prepared]] = {}
        self._views = 0

    def __iter__(self) -> Iterator[int]:
        """The numbers of the samples."""
        return chain.from_iterable(self._buckets.values())

    def before(self, index: int, row: Prepared) -> Iterator[list[Prepared]]:
        """The batches that have waited too long, and the one that has to go as this sample doesn't fit into it."""
        while self._buckets and next(iter(self)) < index - self._oldest:
            yield self._out(next(iter(self._buckets)))
        bucket = self._buckets.get(_key(row), {})
        longest = max(map(len, [*bucket.values(), row]))
        if bucket and (len(bucket) + 1) * longest > self._limits.budget:
            yield self._out(_key(row))

    def add(self, index: int, row: Prepared) -> Iterator[list[Prepared]]:
        """Puts the sample into its bucket; the batches that are to go now."""
        bucket = self._buckets.setdefault(_key(row), {})
        bucket[index] = row
        self._views += len(row.views)
        longest = max(map(len, bucket.values()))
        if len(bucket) == self._limits.rows or (len(bucket) + 1) * longest > self._limits.budget:
            yield self._out(_key(row))
        while self._views > self._limits.waiting:
            yield self._out(next(iter(self._buckets)))

    def rest(self) -> Iterator[list[Prepared]]:
        """All the others, at the end."""
        while self._buckets:
            yield self._out(next(iter(self._buckets)))

    def _out(self, key: Any) -> list[Prepared]:
        rows = list(self._buckets.pop(key).values())
        self._views -= sum(len(row.views) for row in rows)
        return rows


def _key(row: Prepared) -> tuple[Any, int]:
    return tuple(view.shape for view in row.views), bisect_left(LENGTHS, len(row))
