"""Which sample comes when."""

from __future__ import annotations

import pickle
import tracemalloc
from collections import Counter
from itertools import pairwise
from random import Random
from statistics import correlation
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from ocr2.data.mixture import Mixture, Revisited, carried, opened
from ocr2.errors import BadInput, TooLong
from ocr2.shards import write
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Named:
    """An endless source; its samples' texts are their numbers."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, index: int) -> Sample:
        return Sample((Image.new("L", (8, 8), index % 256),), Prompt(), str(index), "text", self.name)


class Finite(Named):
    def __init__(self, name: str, length: int) -> None:
        super().__init__(name)
        self.length = length

    def __len__(self) -> int:
        return self.length


def told(mixture: Mixture, count: int, start: int = 0) -> list[tuple[str, int]]:
    samples = (mixture[index] for index in range(start, start + count))
    return [(sample.origin, int(sample.text)) for sample in samples]


def mixtures() -> Iterator[tuple[Mixture, dict[str, float]]]:
    """Many of one to six sources, finite and endless, with weights of all sizes."""
    rng = Random("mixtures")
    for seed in range(12):
        names = "abcdef"[: rng.randrange(1, 7)]
        sources = {name: rng.choice([Named(name), Finite(name, rng.randrange(1, 400))]) for name in names}
        weights = {name: 10 ** rng.uniform(-2, 2) for name in names}
        yield Mixture({name: (source, weights[name]) for name, source in sources.items()}, seed), weights


def test_each_block_has_exactly_its_shares() -> None:
    mixture = Mixture({"a": (Named("a"), 2), "b": (Named("b"), 1), "c": (Finite("c", 7), 1)}, 0)
    assert mixture.counts == {"a": 500, "b": 250, "c": 250}
    for block in range(3):
        found = Counter(name for name, _ in told(mixture, 1000, block * 1000))
        assert found == mixture.counts
    thirds = Mixture({name: (Named(name), 1 / 3) for name in "abc"}, 0)
    assert sorted(thirds.counts.values()) == [333, 333, 334]


def test_shares_are_near_the_weights_whatever_they_are() -> None:
    for mixture, weights in mixtures():
        block = sum(mixture.counts.values())
        found = Counter(mixture.where(index)[0] for index in range(block, 2 * block))
        for name, weight in weights.items():
            exact = block * weight / sum(weights.values())
            assert abs(found[name] - exact) <= 1 if exact >= 1 else found[name] == 1


@pytest.mark.parametrize("weight", [0.001, 0.0001])
def test_small_weights_appear_as_often_as_they_say(weight: float) -> None:
    mixture = Mixture({"rare": (Named("rare"), weight), "usual": (Named("usual"), 1 - weight)}, 0)
    block = round(1 / weight)
    for start in (0, block):
        assert sum(mixture.where(index)[0] == "rare" for index in range(start, start + block)) == 1


def test_weights_that_are_hardly_there_appear_too() -> None:
    mixture = Mixture({"rare": (Named("rare"), 1e-12), "usual": (Named("usual"), 1)}, 0)
    assert mixture.counts["rare"] == 1


@pytest.mark.parametrize(
    ("weights", "counts"),
    [
        ((1.7e308, 1.7e308), (500, 500)),
        ((5e-324, 5e-324, 5e-324, 5e-324), (250, 250, 250, 250)),
        ((5e-324, 1.7e308, 1.7e308), (1, 50_000, 50_000)),
        ((5e-324, 1), (1, 99_999)),
        ((10**300, 3 * 10**300), (250, 750)),
    ],
    ids=str,
)
def test_weights_of_all_sizes(weights: tuple[float, ...], counts: tuple[int, ...]) -> None:
    sources = {name: (Named(name), weight) for name, weight in zip("abcd", weights, strict=False)}
    assert tuple(Mixture(sources, 0).counts.values()) == pytest.approx(counts, abs=1)


def test_endless_sources_are_taken_in_order() -> None:
    mixture = Mixture({"a": (Named("a"), 3), "b": (Named("b"), 2)}, 0)
    found = told(mixture, 2500)
    for name in "ab":
        numbers = [number for origin, number in found if origin == name]
        assert numbers == list(range(len(numbers)))


def test_epochs_are_without_repeats_and_in_new_orders() -> None:
    mixture = Mixture({"a": (Finite("a", 130), 1), "b": (Named("b"), 9), "c": (Finite("c", 1), 1)}, 5)
    found = [number for origin, number in told(mixture, 8000) if origin == "a"]
    epochs = [found[start : start + 130] for start in range(0, len(found) - 130, 130)]
    assert len(epochs) > 4
    for epoch in epochs:
        assert sorted(epoch) == list(range(130))
    assert len(set(map(tuple, epochs))) == len(epochs)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 15, 16, 17, 255, 256, 257, 3000])
def test_each_epoch_has_all_samples_once(length: int) -> None:
    mixture = Mixture({"a": (Finite("a", length), 1)}, 3)
    for epoch in (0, 1, 10**9):
        numbers = [mixture.where(index)[1] for index in range(epoch * length, (epoch + 1) * length)]
        assert sorted(numbers) == list(range(length))


def test_orders_of_epochs_are_random() -> None:
    """Each order of four comes about as often as any other; what stood together doesn't stay together."""
    mixture = Mixture({"a": (Finite("a", 4), 1)}, 0)
    orders = Counter(tuple(mixture.where(4 * n + place)[1] for place in range(4)) for n in range(2400))
    assert len(orders) == 24
    assert 60 < min(orders.values()) < max(orders.values()) < 140
    large = Mixture({"a": (Finite("a", 4096), 1)}, 0)
    numbers = [[large.where(4096 * epoch + place)[1] for place in range(4096)] for epoch in range(2)]
    steps = [later - earlier for earlier, later in pairwise(numbers[0])]
    assert max(Counter(steps).values()) < 12
    for one, other in ((range(4096), numbers[0]), (range(4096), numbers[1]), (numbers[0], numbers[1])):
        assert abs(correlation(one, other)) < 0.06


def test_a_large_source_takes_no_memory() -> None:
    mixture = Mixture({"a": (Finite("a", 5_000_000), 1), "b": (Finite("b", 2**40), 1)}, 0)
    tracemalloc.start()
    found = [mixture.where(index) for index in range(0, 10**8, 10**6)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len({*found}) == 100
    assert peak < 10**6


def test_any_order_gives_the_same_samples() -> None:
    for mixture, _ in mixtures():
        count = 3 * sum(mixture.counts.values())
        numbers = Random("order").sample(range(count), 400)
        again = pickle.loads(pickle.dumps(mixture))
        in_order = {index: mixture.where(index) for index in sorted(numbers)}
        assert {index: again.where(index) for index in numbers} == {index: in_order[index] for index in numbers}


def test_seeds_and_processes() -> None:
    sources = {"a": (Named("a"), 1), "b": (Finite("b", 50), 1)}
    one, same, other = (told(Mixture(sources, seed), 300) for seed in (1, 1, 2))
    assert one == same != other
    assert [Mixture(sources, 1).where(n) for n in (0, 1, 2, 3, 99_999)] == [
        ("a", 0), ("b", 14), ("a", 1), ("a", 2), ("b", 29),
    ]  # fmt: skip # whatever Python's hash seed is


def test_little_is_kept_and_none_of_it_pickled() -> None:
    mixture = Mixture({"a": (Finite("a", 1000), 1), "b": (Named("b"), 1)}, 0)
    new = len(pickle.dumps(mixture))
    told(mixture, 5000)
    assert len(mixture._orders) == 2
    assert len(pickle.dumps(mixture)) == new


def test_errors_are_those_of_the_source() -> None:
    class Broken(Named):
        def __getitem__(self, index: int) -> Sample:
            raise TooLong(f"number {index}")

    with pytest.raises(TooLong, match="number 2"):
        Mixture({"a": (Broken("a"), 1)}, 0)[2]


def test_identity() -> None:
    """It changes with whatever the samples follow from, and with nothing else."""
    base: dict[str, tuple[Any, float]] = {"a": (Named("a"), 1.0), "b": (Finite("b", 50), 2.0)}
    same = [Mixture(base, 1), Mixture({name: (source, 7 * weight) for name, (source, weight) in base.items()}, 1)]
    told = Named("a")
    told.identity = "other texts"  # type: ignore[attr-defined]
    others = [
        Mixture(base, 2),
        Mixture(dict(reversed(base.items())), 1),
        Mixture(base | {"b": (Finite("b", 51), 2.0)}, 1),
        Mixture(base | {"b": (Finite("b", 50), 2.5)}, 1),
        Mixture(base | {"a": (told, 1.0)}, 1),
        Mixture({"a": base["a"], "c": base["b"]}, 1),
        Mixture(base | {"c": base["b"]}, 1),
        Revisited(same[0], 8, 2),
        Revisited(same[0], 8, 3),
        Revisited(same[0], 9, 2),
        Revisited(Mixture(base, 2), 8, 2),
    ]
    assert same[0].identity == same[1].identity == "4ef5edab31242794"  # whatever Python's hash seed is
    assert len({source.identity for source in (same[0], *others)}) == 1 + len(others)


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), pytest.param(10**400, id="huge"), "many", None])
def test_wrong_weights(weight: Any) -> None:
    with pytest.raises(BadInput, match=r"source 'b' has weight .*: expected a number above 0"):
        Mixture({"a": (Named("a"), 1), "b": (Named("b"), weight)}, 0)


def test_wrong_sources_and_numbers() -> None:
    with pytest.raises(BadInput, match="no sources"):
        Mixture({}, 0)
    with pytest.raises(BadInput, match="'a' has no samples"):
        Mixture({"a": (Finite("a", 0), 1)}, 0)
    with pytest.raises(IndexError):
        Mixture({"a": (Named("a"), 1)}, 0)[-1]


def test_four_fifths_of_the_last_stage_are_carried_over() -> None:
    """GOT §4.1: the first stage's data, then 80 % of it, then 80 % of all that."""
    first = carried({}, {"scene": 2.0, "pdf": 3.0})
    second = carried(first, {"formula": 1.0, "pdf": 0.5})
    third = carried(second, {"box": 0.5})
    assert first == {"scene": 2.0, "pdf": 3.0}
    assert second == pytest.approx({"scene": 1.6, "pdf": 2.9, "formula": 1.0})
    assert third == pytest.approx({"scene": 1.28, "pdf": 2.32, "formula": 0.8, "box": 0.5})
    mixture = Mixture({name: (Named(name), weight) for name, weight in third.items()}, 0)
    found = Counter(mixture.where(index)[0] for index in range(10_000))
    for name, weight in second.items():
        assert found[name] / found["box"] == pytest.approx(0.8 * weight / 0.5, rel=0.02)


def test_other_shares() -> None:
    assert carried({"a": 1.0}, {"b": 1.0}, 0) == {"b": 1.0}
    assert carried({"a": 1.0}, {"b": 1.0}, 1) == {"a": 1.0, "b": 1.0}
    with pytest.raises(BadInput, match=r"share=80"):
        carried({}, {}, 80)
    for previous, new in (({"a": 10**400}, {}), ({}, {"a": 10**400}), ({"a": float("inf")}, {})):
        with pytest.raises(BadInput, match=r"source 'a' has weight .*: expected a number above 0"):
            carried(previous, new)


def test_opening_data_folders(tmp_path: Path) -> None:
    for place, count in (("one/formula", 3), ("two/table", 2), ("two/formula", 4)):
        list(write(Finite(place, count), tmp_path / place))
    folders = [tmp_path / "one", str(tmp_path / "two")]
    found = opened(["formula", "table"], folders)
    assert {name: len(shards) for name, shards in found.items()} == {"formula": 7, "table": 2}
    assert [sample.origin for sample in found["formula"]] == ["one/formula"] * 3 + ["two/formula"] * 4
    with pytest.raises(BadInput, match=r"no data for music, chart: looked in .*one, .*two; expected a folder of that"):
        opened(["music", "table", "chart"], folders)
    with pytest.raises(BadInput, match="no data for table: looked in no data folder"):
        opened(["table"], [])
    (tmp_path / "one" / "empty").mkdir()
    with pytest.raises(BadInput, match="empty has no shards"):
        opened(["empty"], folders)


def test_folders_that_are_not_there_or_there_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, count in (("one/formula", 3), ("two/formula", 4)):
        list(write(Finite(place, count), tmp_path / place))
    (tmp_path / "link").symlink_to(tmp_path / "one")
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "formula").symlink_to(tmp_path / "two" / "formula")
    monkeypatch.chdir(tmp_path)
    folders = [tmp_path / "one", "one/", tmp_path / "link", tmp_path / "three" / ".." / "one", "two", "three", "one"]
    assert len(opened(["formula"], folders)["formula"]) == 7
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadInput, match=r"no data folder: .*typo, .*file; expected a folder"):
        opened(["formula"], [tmp_path / "one", tmp_path / "typo", tmp_path / "file"])


class Counted(Named):
    """Tells how often each sample was drawn."""

    def __init__(self) -> None:
        super().__init__("drawn")
        self.drawn: Counter[int] = Counter()

    def __getitem__(self, index: int) -> Sample:
        self.drawn[index] += 1
        return super().__getitem__(index)


def test_pages_come_back_as_often_as_asked() -> None:
    source = Counted()
    found = [int(sample.text) for sample in map(Revisited(source, pages=5, visits=3).__getitem__, range(40))]
    assert found == [*[0, 1, 2, 3, 4] * 3, *[5, 6, 7, 8, 9] * 3, *[10, 11, 12, 13, 14] * 2]
    assert source.drawn == dict.fromkeys(range(15), 1)


def test_workers_draw_each_page_once_together() -> None:
    """Three workers that are handed four samples at a time, and 24 pages: a multiple of 12."""
    sources = [Counted() for _ in range(3)]
    workers = [Revisited(source, pages=24, visits=4) for source in sources]
    for index in range(24 * 4 * 2):
        workers[index // 4 % 3][index]
    assert sum((source.drawn for source in sources), Counter()) == dict.fromkeys(range(48), 1)
    assert [len(source.drawn) for source in sources] == [16, 16, 16]


def test_revisited_in_any_order_and_any_process() -> None:
    revisited = Revisited(Counted(), pages=4, visits=2)
    in_order = [revisited[index] for index in range(30)]
    again = pickle.loads(pickle.dumps(revisited))
    assert not again._drawn
    assert [again[index] for index in range(29, -1, -1)] == in_order[::-1]


def test_what_was_drawn_does_not_pile_up() -> None:
    revisited = Revisited(Counted(), pages=6, visits=2)
    assert max(len(revisited._drawn) for index in range(100) if revisited[index]) == 6


def test_wrong_visits() -> None:
    with pytest.raises(BadInput, match=r"pages=0, visits=2"):
        Revisited(Named("a"), 0, 2)
    with pytest.raises(BadInput, match="finite source"):
        Revisited(Finite("a", 3), 2, 2)
    with pytest.raises(IndexError):
        Revisited(Named("a"), 2, 2)[-1]
