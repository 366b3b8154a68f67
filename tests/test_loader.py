"""Batches from any position on, and what becomes of bad samples and lost workers."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import torch
from got_helpers import tiny_tokenizer
from PIL import Image

from ocr2.data.mixture import Mixture
from ocr2.errors import BadCheckpoint, BadInput, TooLong, TrainingFailed
from ocr2.got import loader as loaders
from ocr2.got.batch import collate
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig
from ocr2.got.loader import Limits, Loader
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ocr2.got.batch import Batch

TOKENIZER = tiny_tokenizer()
ENCODER = EncoderConfig(
    side=128, square=False, stem="conv", width=32, layers=2, heads=2, mlp=64, window=4, global_layers=(1,),
    positions="rotary", pool=2, neck=16, out=(16, 32),
)  # fmt: skip
NANO = GOTConfig(
    ENCODER,
    DecoderConfig(vocabulary=300, width=32, layers=2, heads=4, kv_heads=4, mlp=64, theta=1e4),
    context=1024,
    image_token=TOKENIZER.image,
)
SQUARE = replace(NANO, encoder=EncoderConfig(side=128, width=64, layers=2, heads=2, global_layers=(1,)))
LEAST = len(collate([Sample((Image.new("L", (9, 9)),), Prompt(), "", "text", "")], TOKENIZER, NANO).ids[0])


class Drawn:
    """An endless source of small noisy pages, alone and several together, with texts of many lengths."""

    def __init__(self, bad: float = 0) -> None:
        self.bad = bad

    def __getitem__(self, index: int) -> Sample:
        rng = Random(f"drawn/{index}")
        if rng.random() < self.bad:
            raise TooLong(f"drawn/{index} is too long") if rng.random() < 0.7 else BadInput(f"drawn/{index} is bad")
        sizes = [rng.choice([(60, 60), (128, 40), (90, 128)]) for _ in range(rng.choice([1, 1, 1, 1, 2]))]
        images = tuple(Image.frombytes("L", (w, h), rng.randbytes(w * h)) for w, h in sizes)
        text = "the <|im_end|> " * rng.choice([0, 1, 1, 2, 5])
        return Sample(images, Prompt(pages=len(images)), text, "text", str(index))


class Some(Drawn):
    """The first of them."""

    def __init__(self, length: int, bad: float = 0) -> None:
        super().__init__(bad)
        self.length = length

    def __len__(self) -> int:
        return self.length


def loader(samples: object = None, config: GOTConfig = NANO, **options: Any) -> Loader:
    limits = {"tokens": 210, "budget": 800, "waiting": 16} | options
    others = {name: limits.pop(name) for name in options if name not in Limits.__annotations__}
    return Loader(samples or Drawn(), TOKENIZER, config, Limits(**limits), **others)


def first(count: int, loaded: Loader, position: dict[str, Any] | None = None) -> list[tuple[Batch, dict[str, Any]]]:
    """Some batches; positions go through JSON, as they do in a state file."""
    with closing(loaded(position)) as batches:  # type: ignore[type-var]
        return [(batch, json.loads(json.dumps(after))) for batch, after in islice(batches, count)]


def content(batch: Batch) -> tuple[Any, ...]:
    """All of a batch, to compare."""
    parts = [(tuple(part.shape), part.numpy().tobytes()) for part in (*batch.views, batch.ids, batch.labels)]
    return (*parts, batch.origins, batch.size, batch.tokens)


def contents(found: list[tuple[Batch, dict[str, Any]]], data: str | None = None) -> list[Any]:
    return [(content(batch), after | {"data": data or after["data"]}) for batch, after in found]


@pytest.mark.parametrize("config", [NANO, SQUARE], ids=["nano", "square"])
def test_batches_are_those_of_their_samples(config: GOTConfig) -> None:
    for batch, _ in first(12, loader(config=config)):
        samples = [Drawn()[int(origin)] for origin in batch.origins]
        assert content(batch) == content(collate(samples, TOKENIZER, config))


@pytest.mark.parametrize(("rank", "world"), [(0, 1), (0, 3), (2, 3)])
def test_each_sample_comes_once(rank: int, world: int) -> None:
    found = first(30, loader(rank=rank, world=world))
    came = sorted(int(origin) for batch, _ in found for origin in batch.origins)
    last = found[-1][1]
    assert sorted([*came, *last["waiting"]]) == list(range(rank, last["next"], world))
    assert last["dropped"] == {}


def test_all_of_a_finite_source_comes() -> None:
    for rank in (0, 1):
        found = first(999, loader(Some(61), rank=rank, world=2))
        assert sorted(int(name) for batch, _ in found for name in batch.origins) == list(range(rank, 61, 2))
        assert found[-1][1]["waiting"] == []
        assert first(1, loader(Some(61), rank=rank, world=2), found[-1][1]) == []


def test_limits_are_kept_and_little_is_wasted() -> None:
    found = [batch for batch, _ in first(80, loader(budget=1500, rows=9, waiting=64))]
    for batch in found:
        assert batch.ids.numel() <= 1500
        assert len(batch.ids) <= 9
        assert len({tuple(view.shape[1:]) for view in batch.views}) <= 2
    assert max(len(batch.ids) for batch in found) == 9
    assert sum(batch.tokens for batch in found) > 0.9 * sum(batch.ids.numel() for batch in found)
    full = [batch for batch, _ in first(20, loader(budget=1500, waiting=10**6))]
    for batch in full:  # nothing but a full bucket goes where any number may wait
        assert batch.ids.numel() + batch.ids.shape[1] * 1.25 > 1500


class Rare(Drawn):
    """One size of page, another one rarely, several pages more rarely still, and one page of its own."""

    def __getitem__(self, index: int) -> Sample:
        pages = 7 if index % 67 == 5 else 1
        size = (60, 60) if index % 41 else (128, 128)
        size = (128, 60) if index == 9 else size
        return Sample((Image.new("L", size),) * pages, Prompt(pages=pages), "a" * (index % 60), "text", str(index))


@pytest.mark.parametrize("waiting", [4, 40, 200])
def test_what_waits_is_bounded_and_nothing_waits_for_ever(waiting: int) -> None:
    came = set[str]()
    for batch, after in first(250, loader(Rare(), tokens=400, budget=2000, waiting=waiting)):
        assert sum(7 if index % 67 == 5 else 1 for index in after["waiting"]) < waiting + 7
        assert min([*map(int, batch.origins), *after["waiting"]]) >= after["next"] - 1 - 16 * waiting
        came |= {*batch.origins}
    assert "9" in came


def test_going_on_after_any_batch() -> None:
    loaded = loader(Drawn(bad=0.2), rank=1, world=2)
    whole = first(40, loaded)
    for stop, (_, position) in enumerate(whole):
        rest = first(min(6, 39 - stop), loader(Drawn(bad=0.2), rank=1, world=2), position)
        assert contents(rest) == contents(whole[stop + 1 :][:6])
    assert contents(first(40, loaded)) == contents(whole)


def test_going_on_to_the_end_of_a_finite_source() -> None:
    whole = first(999, loader(Some(50, bad=0.2)))
    for stop, (_, position) in enumerate(whole):
        assert contents(first(999, loader(Some(50, bad=0.2)), position)) == contents(whole[stop + 1 :])


@pytest.mark.parametrize(("waiting", "budget"), [(9, 800), (4, 2000), (30, 2000)])
def test_going_on_where_buckets_go_before_they_are_full(waiting: int, budget: int) -> None:
    options = {"tokens": 400, "budget": budget, "waiting": waiting, "world": 2, "rank": 1}
    whole = first(150, loader(Rare(), **options))
    for stop in range(0, 146, 3):
        assert contents(first(3, loader(Rare(), **options), whole[stop][1])) == contents(whole[stop + 1 : stop + 4])


def test_going_on_after_batches_of_single_rows() -> None:
    """Where one sample sends off two batches: the one that it doesn't fit into, and its own."""
    whole = first(40, loader(budget=210, waiting=3))
    assert max(len(batch.ids) for batch, _ in whole) == 1
    for stop, (_, position) in enumerate(whole[:-4]):
        assert contents(first(4, loader(budget=210, waiting=3), position)) == contents(whole[stop + 1 : stop + 5])


def test_going_on_with_other_limits_loses_nothing() -> None:
    """Also where it stops again while those that waited are still prepared again."""
    before = first(9, loader(waiting=30))
    position, after = before[-1][1], []
    assert len(position["waiting"]) > 10
    for _ in range(30):
        after += first(1, loader(budget=230, rows=2, waiting=2), position)
        position = after[-1][1]
    came = sorted(int(origin) for batch, _ in [*before, *after] for origin in batch.origins)
    assert sorted([*came, *position["waiting"]]) == list(range(position["next"]))


def test_workers_give_the_same_batches() -> None:
    for rank in (0, 1):
        alone = first(25, loader(Drawn(bad=0.2), rank=rank, world=2))
        both = first(25, loader(Drawn(bad=0.2), rank=rank, world=2, workers=2))
        assert contents(both) == contents(alone)
        on = first(8, loader(Drawn(bad=0.2), rank=rank, world=2, workers=2), both[11][1])
        assert contents(on) == contents(alone[12:20])


class Wide(Drawn):
    """Pages with views of more bytes together than a slot holds."""

    def __getitem__(self, index: int) -> Sample:
        pages = 20 if index % 3 else 1
        return Sample((Image.new("L", (128, 128), index),) * pages, Prompt(pages=pages), "", "text", str(index))


def test_views_that_have_no_room_between_processes() -> None:
    one, other = (first(6, loader(Wide(), tokens=300, budget=600, workers=workers)) for workers in (0, 2))
    assert contents(one) == contents(other)


def test_a_finite_source_in_workers() -> None:
    one, other = (first(999, loader(Some(45), workers=workers)) for workers in (0, 2))
    assert contents(one) == contents(other)


def test_training_goes_by_its_own_random_numbers() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first(3, loader(workers=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_bad_samples_are_counted_by_kind() -> None:
    found = first(60, loader(Drawn(bad=0.3)))
    after = found[-1][1]
    missing = set(range(after["next"])) - {int(name) for batch, _ in found for name in batch.origins}
    kinds = [kind_of(index) for index in missing - set(after["waiting"])]
    assert after["dropped"] == {"TooLong": kinds.count(TooLong), "BadInput": kinds.count(BadInput)}
    assert min(after["dropped"].values()) > 5


def kind_of(index: int) -> type[Exception] | None:
    try:
        Drawn(bad=0.3)[index]
    except (TooLong, BadInput) as error:
        return type(error)
    return None


def test_samples_that_are_too_long_for_the_stage(caplog: pytest.LogCaptureFixture) -> None:
    found = first(12, loader(tokens=LEAST + 20))
    assert max(batch.ids.shape[1] for batch, _ in found) <= LEAST + 20
    assert found[-1][1]["dropped"]["TooLong"] > 5
    assert "left out: sample" in caplog.text
    assert "of this stage: cut the text" in caplog.text
    assert len(caplog.records) == 3  # the others are only counted


class Hopeless(Drawn):
    def __getitem__(self, index: int) -> Sample:
        raise BadInput(f"no disk for {index}")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_source_that_gives_nothing_ends(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders, "MOST_DROPPED", 30)
    with pytest.raises(BadInput, match=r"^30 samples in a row could not be used; .* 29: BadInput: no disk for 29"):
        first(1, loader(Hopeless(), workers=workers))


def test_a_finite_source_that_gives_nothing() -> None:
    class Few(Hopeless):
        def __len__(self) -> int:
            return 3

    with pytest.raises(BadInput, match=r"^none of 3 samples could be used; the last one: sample 2: BadInput"):
        first(1, loader(Few()))


def test_a_finite_source_that_ends_badly() -> None:
    class Ending(Some):
        def __getitem__(self, index: int) -> Sample:
            return Hopeless()[index] if index > 20 else super().__getitem__(index)

    whole = first(99, loader(Ending(25)))
    for stop, (_, position) in enumerate(whole):
        assert contents(first(99, loader(Ending(25)), position)) == contents(whole[stop + 1 :])
    assert whole[-1][1]["dropped"] == {"BadInput": 4}


class Bug(Drawn):
    def __getitem__(self, index: int) -> Sample:
        if index == 20:
            raise ZeroDivisionError("a bug in the engine")
        return super().__getitem__(index)


def test_bugs_end_the_run() -> None:
    with pytest.raises(ZeroDivisionError):
        first(99, loader(Bug()))
    with pytest.raises(ZeroDivisionError, match=r"(?s)worker process.*in __getitem__.*a bug in the engine"):
        first(99, loader(Bug(), workers=2))


class Killed(Drawn):
    """Its process is killed, as the system does when memory runs out."""

    def __getitem__(self, index: int) -> Sample:
        if index == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def test_a_killed_worker() -> None:
    start = time.monotonic()
    with pytest.raises(TrainingFailed, match=r"a process that prepares samples has ended: .* fewer --workers"):
        first(99, loader(Killed(), workers=2))
    assert time.monotonic() - start < 30


class Tells(Drawn):
    """Writes down which process it works in, what that one waits for, and how many threads its libraries take."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __getitem__(self, index: int) -> Sample:
        path = self.folder / str(os.getpid())
        if not path.exists():
            told = {
                "cv2": cv2.getNumThreads(),
                "torch": torch.get_num_threads(),
                "tokenizers": os.environ.get("TOKENIZERS_PARALLELISM"),
                "interrupted": signal.getsignal(signal.SIGINT) is not signal.SIG_IGN,
                "parent": multiprocessing.parent_process().pid,  # type: ignore[union-attr]
            }
            path.write_text(json.dumps(told))
        return super().__getitem__(index)


def test_workers_take_one_thread_each_and_end_with_the_run(tmp_path: Path) -> None:
    batches: Iterator[Any] = loader(Tells(tmp_path), workers=2)(None)
    list(islice(batches, 10))
    told = {int(path.name): json.loads(path.read_text()) for path in tmp_path.iterdir()}
    assert len(told) == 2
    assert os.getpid() not in told
    expected = {"cv2": 1, "torch": 1, "tokenizers": "false", "interrupted": False}
    assert [*told.values()] == [expected | {"parent": os.getpid()}] * 2
    batches.close()  # type: ignore[attr-defined]
    assert gone(told)


def gone(processes: Iterable[int]) -> bool:
    """Whether all of these end within some seconds."""
    for _ in range(200):
        if not any(map(alive, processes)):
            return True
        time.sleep(0.05)
    return False


TRAINER = """
import os, sys, time
from test_loader import Drawn, loader

class Slow(Drawn):
    def __getitem__(self, index):
        if index > 60:
            time.sleep(60)  # in the middle of its work, where it doesn't ask torch for more
        return super().__getitem__(index)

if __name__ == "__main__":
    batches = loader(Slow() if "slow" in sys.argv else Drawn(), workers=2)(None)
    for _ in range(5):
        next(batches)
    time.sleep(0.5)
    print("begun", flush=True)
    time.sleep(120)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="needs /proc, to see what shares memory")
@pytest.mark.parametrize(("sent", "pace"), [(signal.SIGKILL, "quick"), (signal.SIGTERM, "slow")], ids=["kill", "end"])
def test_nothing_outlives_a_killed_trainer(tmp_path: Path, sent: signal.Signals, pace: str) -> None:
    """Its workers, the server that forked them, the memory that they share, and what else is in /dev/shm."""
    (tmp_path / "trainer.py").write_text(TRAINER)
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, tmp_path / "trainer.py", pace],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the resource tracker's word about what was left
        start_new_session=True,
    ) as trainer:
        assert trainer.stdout
        assert trainer.stdout.readline() == b"begun\n"
        family = [process for process in processes() if session(process) == trainer.pid != process]
        shared = {path for process in (trainer.pid, *family) for path in mapped(process)}
        sharing = [process for process in family if f"/pym-{trainer.pid}-" in " ".join(mapped(process))]
        os.kill(trainer.pid, sent)
    try:
        assert len(sharing) == 2  # the workers
        assert len(family) >= 3  # and the server
        assert gone(family)
        assert not any(os.path.exists(path) for path in shared)
        assert not [p for p in processes() if f"/dev/shm/pym-{trainer.pid}-" in " ".join(mapped(p))]
    finally:
        for process in filter(alive, family):
            os.kill(process, signal.SIGKILL)


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def session(process: int) -> int:
    try:
        return os.getsid(process)
    except ProcessLookupError:
        return -1


def mapped(process: int) -> set[str]:
    """The files of shared memory that a process sees."""
    try:
        lines = Path(f"/proc/{process}/maps").read_text().splitlines()
    except OSError:
        return set()
    return {line[line.index("/dev/shm/") :] for line in lines if "/dev/shm/" in line}


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    "position",
    [
        {},
        [],
        "here",
        {"next": 4, "waiting": 3, "dropped": {}},
        {"next": None, "waiting": [], "dropped": {}},
        {"next": 4, "waiting": [], "dropped": 7},
        {"next": -1, "waiting": [], "dropped": {}},
        {"next": 4.0, "waiting": [], "dropped": {}},
        {"next": "4", "waiting": [], "dropped": {}},
        {"next": True, "waiting": [], "dropped": {}},
        json.loads('{"next": 1e400, "waiting": [], "dropped": {}}'),
        {"next": 4, "waiting": [-1], "dropped": {}},
        {"next": 4, "waiting": [4], "dropped": {}},
        {"next": 4, "waiting": [2, 2], "dropped": {}},
        {"next": 4, "waiting": [2.0], "dropped": {}},
        {"next": 4, "waiting": ["2"], "dropped": {}},
        {"next": 4, "waiting": [[2]], "dropped": {}},
        {"next": 4, "waiting": "12", "dropped": {}},
        {"next": 4, "waiting": {"1": 1}, "dropped": {}},
        {"next": 4, "waiting": [], "dropped": ["TooLong"]},
        {"next": 4, "waiting": [], "dropped": {"TooLong": "3"}},
        {"next": 4, "waiting": [], "dropped": {"TooLong": -3}},
        {"next": 4, "waiting": [], "dropped": {"TooLong": 0.5}},
    ],
    ids=str,
)
def test_no_position(position: Any) -> None:
    with pytest.raises(BadCheckpoint, match=r"the data position .* is none"):
        loader()(position)


def test_a_position_after_the_end_of_the_samples() -> None:
    last = first(99, loader(Some(21), world=2, rank=1))[-1][1]
    assert last["next"] == 21
    assert first(9, loader(Some(21), world=2, rank=1), last) == []
    with pytest.raises(BadCheckpoint, match=r"the data position .* is none"):
        loader(Some(21), world=2, rank=1)(last | {"next": 23})


class Told(Drawn):
    def __init__(self, identity: str) -> None:
        super().__init__()
        self.identity = identity


def test_a_position_in_other_samples() -> None:
    (_, position), *_ = first(1, loader(Told("these")))
    assert position["data"] == "these"
    assert contents(first(3, loader(Told("these")), position)) == contents(first(4, loader())[1:], "these")
    with pytest.raises(
        BadCheckpoint, match=r"in other samples \('these', these are 'those'\): go on with the same --d"
    ):
        loader(Told("those"))(position)
    (_, position), *_ = first(1, loader(Some(40)))
    with pytest.raises(BadCheckpoint, match=r"in other samples \('40 samples', these are '41 samples'\)"):
        loader(Some(41))(position)
    (_, position), *_ = first(1, loader(Mixture({"a": (Some(40), 1), "b": (Drawn(), 1)}, 0)))
    for length, weight, seed in ((41, 1, 0), (40, 2, 0), (40, 1, 1)):
        with pytest.raises(BadCheckpoint, match="in other samples"):
            loader(Mixture({"a": (Some(length), 1), "b": (Drawn(), weight)}, seed))(position)
    assert first(1, loader(Mixture({"a": (Some(40), 2), "b": (Drawn(), 2)}, 0)), position)


def test_a_position_from_before_samples_had_an_identity() -> None:
    found = first(4, loader(Told("these")))
    position = {name: value for name, value in found[0][1].items() if name != "data"}
    assert contents(first(3, loader(Told("these")), position)) == contents(found[1:])


def test_memory_is_pinned_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not because there is a GPU that something else may train on."""
    there = torch.cuda.is_available()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    ((batch, _),) = first(1, loader())
    assert not any(part.is_pinned() for part in (*batch.views, batch.ids, batch.labels))
    if there:
        ((batch, _),) = first(1, loader(pinned=True))
        assert all(part.is_pinned() for part in (*batch.views, batch.ids, batch.labels))


def test_a_position_of_another_number_of_processes() -> None:
    (_, position), *_ = first(1, loader(rank=1, world=2))
    with pytest.raises(BadCheckpoint, match=r"not of process 0 of 2: train with as many"):
        loader(rank=0, world=2)(position)
    with pytest.raises(BadCheckpoint, match="not of process 1 of 3"):
        loader(rank=1, world=3)(position | {"next": 10, "waiting": [3]})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"tokens": 2000, "budget": 2000}, "tokens=2000: expected 1 to 1024, the context of the model"),
        ({"workers": -1}, "workers=-1: expected at least 0"),
        ({"rank": -1, "world": 2}, "rank=-1 of world=2"),
        ({"rank": 2, "world": 2}, "rank=2 of world=2: expected 0 to 1"),
    ],
    ids=str,
)
def test_numbers_that_cannot_be(wrong: dict[str, int], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        loader(**wrong)
