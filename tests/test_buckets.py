"""What goes together, and when."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

from dataclasses import replace
from random import Random

import numpy as np

from ocr2.errors import BadInput
from ocr2.got.batch import Prepared
from ocr2.got.buckets import Buckets, Limits


def buckets(budget: int, rows: int | None = None, waiting: int = 99, world: int = 1) -> Buckets:
    return Buckets(Limits(1, budget, rows, waiting), world)


def row(length: int, *sizes: int) -> Prepared:
    views = tuple(np.zeros((3, size, size), np.uint8) for size in sizes or (64,))
    return Prepared(views, np.zeros(length, np.int64), 1, "")


def lengths(waiting: Buckets, rows: dict[int, Prepared]) -> list[list[int]]:
    """The lengths of the batches that come of some samples, in order."""
    out = []
    for index, one in rows.items():
        out += [list(map(len, full)) for full in waiting.before(index, one)]
        out += [list(map(len, full)) for full in waiting.add(index, one)]
    return out


def test_full_when_no_other_of_its_length_has_a_place() -> None:
    waiting = buckets(300)
    assert lengths(waiting, {n: row(100) for n in range(7)}) == [[100] * 3, [100] * 3]
    assert list(waiting) == [6]


def test_a_longer_sample_sends_off_those_it_has_no_place_with() -> None:
    waiting = buckets(310)
    assert lengths(waiting, {0: row(101), 1: row(102), 2: row(115)}) == [[101, 102]]
    assert list(waiting) == [2]


def test_full_by_rows() -> None:
    assert lengths(buckets(10**6, 2), {n: row(100) for n in range(5)}) == [[100, 100]] * 2
    assert lengths(buckets(10**6, 1), {n: row(100) for n in range(2)}) == [[100]] * 2


def test_sizes_and_lengths_are_apart() -> None:
    waiting = buckets(400)
    rows = {0: row(100), 1: row(100, 128), 2: row(40), 3: row(100, 64, 64), 4: row(99), 5: row(98, 128)}
    assert lengths(waiting, rows) == []
    assert [list(map(len, rest)) for rest in waiting.rest()] == [[100, 99], [100, 98], [40], [100]]
    assert list(waiting) == []


def test_the_oldest_goes_when_too_many_views_wait() -> None:
    waiting = buckets(10**6, waiting=3)
    assert lengths(waiting, {0: row(40), 1: row(100), 2: row(100), 3: row(100)}) == [[40]]
    assert lengths(waiting, {4: row(500, 64, 64)}) == [[100, 100, 100]]
    assert list(waiting) == [4]


@pytest.mark.parametrize("world", [1, 3])
def test_none_waits_too_long(world: int) -> None:
    """Sixteen times as many samples of this process as may wait."""
    waiting = buckets(10**6, waiting=5, world=world)
    assert lengths(waiting, {0: row(40), 40 * world: row(100), 80 * world: row(100)}) == []
    assert lengths(waiting, {81 * world: row(100)}) == [[40]]
    assert lengths(waiting, {240 * world: row(41)}) == [[100, 100, 100]]


def test_a_handful_of_shapes_makes_full_batches() -> None:
    """Five shapes of views, lengths of ten classes, and thousands of rows."""
    rng, budget = Random("fill"), 8192
    kinds = [row(0, *sizes) for sizes in ((64,), (128,), (192,), (256,), (64, 64))]
    waiting, out = buckets(budget, waiting=2048), list[list[Prepared]]()
    for index in range(6000):
        one = replace(rng.choice(kinds), ids=np.zeros(round(64 * 10 ** rng.random()), np.int64))
        out += [*waiting.before(index, one), *waiting.add(index, one)]
    taken = [len(rows) * max(map(len, rows)) for rows in out]
    assert sum(map(len, out)) > 4500
    assert max(taken) <= budget
    assert sum(taken) > 0.95 * budget * len(out)  # few batches have room for more
    assert sum(len(one) for rows in out for one in rows) > 0.9 * sum(taken)  # and little of them is padding


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"tokens": 0}, "tokens=0: expected at least 1"),
        ({"budget": 100}, "budget=100 is less than tokens=210"),
        ({"rows": 0}, "rows=0: expected at least 1"),
        ({"waiting": 0}, "waiting=0: expected at least 1"),
    ],
    ids=str,
)
def test_limits_that_cannot_be(wrong: dict[str, int], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Limits(**{"tokens": 210, "budget": 800} | wrong)
