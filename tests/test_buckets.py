"""What goes together, and when."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import numpy as np

from ocr2.got.batch import Prepared
from ocr2.got.buckets import Buckets


def row(length: int, *sizes: int) -> Prepared:
    views = tuple(np.zeros((3, size, size), np.uint8) for size in sizes or (64,))
    return Prepared(views, np.zeros(length, np.int64), 1, "")


def lengths(buckets: Buckets, rows: dict[int, Prepared]) -> list[list[int]]:
    """The lengths of the batches that come of some samples, in order."""
    out = []
    for index, one in rows.items():
        out += [list(map(len, full)) for full in buckets.before(index, one)]
        out += [list(map(len, full)) for full in buckets.add(index, one)]
    return out


def test_full_when_no_other_of_its_length_has_a_place() -> None:
    buckets = Buckets(300, None, 99, 99)
    assert lengths(buckets, {n: row(100) for n in range(7)}) == [[100] * 3, [100] * 3]
    assert list(buckets) == [6]


def test_a_longer_sample_sends_off_those_it_has_no_place_with() -> None:
    buckets = Buckets(310, None, 99, 99)
    assert lengths(buckets, {0: row(101), 1: row(102), 2: row(115)}) == [[101, 102]]
    assert list(buckets) == [2]


def test_full_by_rows() -> None:
    assert lengths(Buckets(10**6, 2, 99, 99), {n: row(100) for n in range(5)}) == [[100, 100]] * 2
    assert lengths(Buckets(10**6, 1, 99, 99), {n: row(100) for n in range(2)}) == [[100]] * 2


def test_sizes_and_lengths_are_apart() -> None:
    buckets = Buckets(400, None, 99, 99)
    rows = {0: row(100), 1: row(100, 128), 2: row(40), 3: row(100, 64, 64), 4: row(99), 5: row(98, 128)}
    assert lengths(buckets, rows) == []
    assert [list(map(len, rest)) for rest in buckets.rest()] == [[100, 99], [100, 98], [40], [100]]
    assert list(buckets) == []


def test_the_oldest_goes_when_too_many_views_wait() -> None:
    buckets = Buckets(10**6, None, 3, 99)
    assert lengths(buckets, {0: row(40), 1: row(100), 2: row(100), 3: row(100)}) == [[40]]
    assert lengths(buckets, {4: row(500, 64, 64)}) == [[100, 100, 100]]
    assert list(buckets) == [4]


def test_none_waits_too_long() -> None:
    buckets = Buckets(10**6, None, 99, 10)
    assert lengths(buckets, {0: row(40), 5: row(100), 10: row(100)}) == []
    assert lengths(buckets, {11: row(100)}) == [[40]]
    assert lengths(buckets, {30: row(41)}) == [[100, 100, 100]]
