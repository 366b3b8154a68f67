"""Batches from samples, from any position on: other processes look and encode, this one puts together.

    loader = Loader(mixture, tokenizer, config, Limits(tokens=2048, budget=32768), workers=8)
    for batch, position in loader(None):
        ...
    loader(position)    # goes on where that batch was the last one

Samples are taken in the order of their numbers. Those with views of the same sizes and about as many tokens wait in one
bucket, which becomes a batch when it is full. Which samples make which batch follows from their numbers alone.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Sized
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, count, islice
from queue import Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ocr2.errors import BadCheckpoint, BadInput, OcrError, TrainingFailed
from ocr2.got.batch import Batch, Prepared, combined, prepare
from ocr2.got.buckets import Buckets
from ocr2.got.buckets import Limits as Limits
from ocr2.types import MOST_TILES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from ocr2.got.config import GOTConfig
    from ocr2.got.prompt import Tokenizer
    from ocr2.types import Source

T = TypeVar("T")
GROUP = 8
"""Samples that a worker is handed at a time."""
MOST_DROPPED = 1000
"""So many samples in a row that can't be used end the run."""
TOLD = 3
"""Dropped samples of each kind of error that are logged; all are counted."""

_AHEAD = 2
"""Groups that each worker has before it, and batches that wait to be trained on."""
_PATIENCE = 10.0
"""Seconds that the end waits for what is being prepared."""
_log = logging.getLogger(__name__)


class Loader:
    """What `train.fit` learns from: called with a position (None: the start), it gives batches and the positions after.

    A position is plain values, as JSON has them: the next sample's number, the numbers of those that wait in buckets,
    how many were dropped by the kind of error, and the samples' identity where they have one. Going on prepares the
    waiting ones again, at most as many views as may wait.
    """

    def __init__(
        self,
        samples: Source,
        tokenizer: Tokenizer,
        config: GOTConfig,
        limits: Limits,
        *,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
        pinned: bool = False,
    ) -> None:
        """Takes every `world`-th sample from the one numbered `rank` on. Raises BadInput for numbers that can't be.

        workers: processes that prepare samples; 0: this one does.
        pinned: whether batches are in memory that a GPU copies from by itself; takes CUDA.
        """
        if workers < 0:
            raise BadInput(f"workers={workers}: expected at least 0")
        if not 0 <= rank < world:
            raise BadInput(f"rank={rank} of world={world}: expected 0 to {world - 1}")
        if limits.tokens > config.context:
            raise BadInput(f"tokens={limits.tokens}: expected 1 to {config.context}, the context of the model")
        self.samples, self.tokenizer, self.config, self.limits = samples, tokenizer, config, limits
        self.workers, self.rank, self.world, self.pinned = workers, rank, world, pinned

    def __call__(self, position: dict[str, Any] | None = None) -> Iterator[tuple[Batch, dict[str, Any]]]:
        """The batches after a position, each with the position after it; without end if the samples have none.

        Raises BadCheckpoint for a position of another split or of other samples; while iterating, BadInput where no
        sample can be used, TrainingFailed where a worker was killed, and what a sample raises other than an OcrError.
        """
        batches = self._batches(self._state(position))
        return _ahead(batches) if self.workers else batches

    @property
    def _end(self) -> int | None:
        return len(self.samples) if isinstance(self.samples, Sized) else None

    @property
    def _identity(self) -> str | None:
        told: str | None = getattr(self.samples, "identity", None)
        return told if told is not None or self._end is None else f"{self._end} samples"

    def _state(self, position: dict[str, Any] | None) -> _State:
        identity = self._identity
        if position is None:
            return _State(self.rank, identity)
        if not _sound(position) or (self._end is not None and position["next"] >= self._end + self.world):
            raise BadCheckpoint(f"the data position {position!r:.80} is none: expected what this loader gave")
        waiting = sorted(position["waiting"])
        if any(index % self.world != self.rank for index in (position["next"], *waiting)):
            raise BadCheckpoint(f"the data position is not of process {self.rank} of {self.world}: train with as many")
        if position.get("data", identity) != identity:
            raise BadCheckpoint(
                f"the data position is one in other samples ({position['data']!r:.40}, these are {identity!r}): go on "
                "with the same --data, --seed and --workers, or begin anew in another folder"
            )
        return _State(position["next"], identity, waiting, Counter(position["dropped"]))

    def _batches(self, state: _State) -> Generator[tuple[Batch, dict[str, Any]], None, None]:
        buckets = Buckets(self.limits, self.world)
        failed, made = 0, state.next != self.rank
        indices = count(state.next, self.world) if self._end is None else range(state.next, self._end, self.world)
        for index, outcome in self._outcomes(chain(list(state.again), indices)):
            if isinstance(outcome, _Dropped):
                state.taken(index, self.world)
                state.dropped[outcome.kind] += 1
                failed += 1
                _log.log(
                    logging.DEBUG if state.dropped[outcome.kind] > TOLD else logging.WARNING, "left out: %s", outcome
                )
                if failed == MOST_DROPPED:
                    raise BadInput(f"{failed} samples in a row could not be used; the last one: {outcome}")
                continue
            failed, made = 0, True
            for full in buckets.before(index, outcome):
                yield combined(full, self.tokenizer.pad, pinned=self.pinned), state.position(buckets)
            state.taken(index, self.world)
            for full in buckets.add(index, outcome):
                yield combined(full, self.tokenizer.pad, pinned=self.pinned), state.position(buckets)
        if failed and not made:
            raise BadInput(f"none of {failed} samples could be used; the last one: {outcome}")
        for full in buckets.rest():
            yield combined(full, self.tokenizer.pad, pinned=self.pinned), state.position(buckets)

    def _outcomes(self, indices: Iterable[int]) -> Iterator[tuple[int, Prepared | _Dropped]]:
        """Each of the samples, prepared or dropped, in order."""
        if not self.workers:
            work = _Work(self.samples, self.tokenizer, self.config, self.limits.tokens)
            for index in indices:
                yield index, work.outcome(index)
            return
        # Neither fork nor spawn: a forked process has half of what CUDA and thread pools need, and a spawned one
        # imports torch anew. The server imports it once, has no threads, and forks all workers.
        context = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
        context.set_forkserver_preload(["__main__", __name__])
        room = (MOST_TILES + 1) * 3 * self.config.encoder.side**2
        slots = context.RawArray(ctypes.c_uint8, (self.workers * _AHEAD + 1) * room)
        work = _Work(self.samples, self.tokenizer, self.config, self.limits.tokens, slots, room)
        loaded = DataLoader(
            work,
            sampler=_Tasks(indices, self.workers * _AHEAD + 1),
            batch_size=None,
            num_workers=self.workers,
            prefetch_factor=_AHEAD,
            collate_fn=_unchanged,
            generator=torch.Generator(),  # else it takes from the one that training goes by
            worker_init_fn=begin,
            multiprocessing_context=context,
        )
        for slot, outcomes in told(loaded):
            for index, outcome, shapes, start in outcomes:
                yield index, work.taken_out(slot, outcome, shapes, start)


@dataclass
class _State:
    """How far the loader has come."""

    next: int
    """The number of the next sample that has never waited."""
    data: str | None
    """What the samples are."""
    again: list[int] = field(default_factory=list)
    """Those that waited at the position that was given, and are still to be prepared again."""
    dropped: Counter[str] = field(default_factory=Counter)

    def taken(self, index: int, world: int) -> None:
        if self.again:
            assert self.again.pop(0) == index
        else:
            self.next = index + world

    def position(self, buckets: Buckets) -> dict[str, Any]:
        waiting = sorted([*self.again, *buckets])
        return {"next": self.next, "waiting": waiting, "dropped": dict(self.dropped), "data": self.data}


def _sound(position: Any) -> bool:
    """Whether it has all that a position has, of the right kinds."""
    if not isinstance(position, dict):
        return False
    last, waiting, dropped = position.get("next"), position.get("waiting"), position.get("dropped")
    if not (type(last) is int and last >= 0 and isinstance(waiting, list) and isinstance(dropped, dict)):
        return False
    if any(type(number) is not int or number < 0 for number in (*waiting, *dropped.values())):
        return False
    return len({*waiting}) == len(waiting) and all(number < last for number in waiting)


@dataclass(frozen=True)
class _Dropped:
    """Why a sample is left out."""

    index: int
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"sample {self.index}: {self.kind}: {self.reason}"


_Sent = tuple[int, Prepared | _Dropped, list[tuple[int, ...]], int]
"""A sample's number, what became of it, and where its views are: their shapes, and where the first one begins."""


@dataclass
class _Work(Dataset[tuple[int, list[_Sent]]]):
    """What workers do. Views come back in memory that all processes share, in as many slots as are needed at once."""

    samples: Source
    tokenizer: Tokenizer
    config: GOTConfig
    tokens: int
    memory: ctypes.Array[ctypes.c_uint8] | None = None
    room: int = 0
    """The bytes of a slot."""

    @cached_property
    def slots(self) -> np.ndarray:
        """The memory, a row for each slot."""
        assert self.memory is not None
        return np.frombuffer(memoryview(self.memory), np.uint8).reshape(-1, self.room)

    def __getstate__(self) -> dict[str, Any]:
        """Without the array, whose copy would be memory of its own."""
        return {name: value for name, value in self.__dict__.items() if name != "slots"}

    def outcome(self, index: int) -> Prepared | _Dropped:
        """The sample of that number, prepared, or why it isn't."""
        try:
            return prepare(self.samples[index], self.tokenizer, self.config, self.tokens)
        except OcrError as error:
            return _Dropped(index, type(error).__name__, str(error))

    def __getitem__(self, task: tuple[int, list[int]]) -> tuple[int, list[_Sent]]:
        """A slot, and what became of some samples; of views that have no room in it, the arrays themselves."""
        slot, indices = task
        memory, end, sent = self.slots[slot], 0, list[_Sent]()
        for index in indices:
            outcome, start, shapes = self.outcome(index), end, list[tuple[int, ...]]()
            if isinstance(outcome, Prepared) and end + sum(view.size for view in outcome.views) <= len(memory):
                for view in outcome.views:
                    np.copyto(memory[end : end + view.size].reshape(view.shape), view)
                    shapes.append(view.shape)
                    end += view.size
                outcome = replace(outcome, views=())
            sent.append((index, outcome, shapes, start))
        return slot, sent

    def taken_out(
        self, slot: int, outcome: Prepared | _Dropped, shapes: list[tuple[int, ...]], start: int
    ) -> Prepared | _Dropped:
        """What became of a sample, with its own copy of the views in the slot."""
        if isinstance(outcome, _Dropped) or not shapes:
            return outcome
        views = []
        for shape in shapes:
            size = int(np.prod(shape))
            views.append(self.slots[slot, start : start + size].reshape(shape).copy())
            start += size
        return replace(outcome, views=tuple(views))


@dataclass(frozen=True)
class _Tasks:
    """The numbers in groups, each with the slot for its views.

    A task is given out when one is done, which is then being read: its slot is the last to be taken again.
    """

    indices: Iterable[int]
    slots: int

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        numbers = iter(self.indices)
        for n in count():
            if not (group := list(islice(numbers, GROUP))):
                return
            yield n % self.slots, group


def _unchanged(outcomes: T) -> T:
    return outcomes


def begin(worker: int) -> None:
    """Workers are as many as there are cores: none of their libraries is to use more than one. torch sees to itself.

    Ctrl-C is for the process that started them: it ends them. If that one is killed, they end by themselves: the server
    that forked them, which torch watches, goes on as long as they do.
    """
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    cv2.setNumThreads(0)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent, "a worker was started by another process"
    parent.join()
    os._exit(1)


def told(loaded: Iterable[T]) -> Iterator[T]:
    """The same, with a clear word about a worker that is gone."""
    try:
        yield from loaded
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        raise TrainingFailed(
            "a process that prepares samples has ended: the system kills those that take too much memory, so try fewer "
            f"--workers; if they can't start at all, what they said is above ({error!s:.80})"
        ) from error


def _ahead(items: Generator[T, None, None]) -> Iterator[T]:
    """The same items, made by a thread that is a few ahead: putting a batch together takes as long as copying it."""
    made: Queue[tuple[T | None, BaseException | None]] = Queue(_AHEAD)
    stop = Event()

    def put(item: T | None, error: BaseException | None = None) -> None:
        while not stop.is_set():
            with suppress(Full):
                made.put((item, error), timeout=0.1)
                return

    def work() -> None:
        try:
            with closing(items):
                for item in items:
                    put(item)
                    if stop.is_set():
                        return
            put(None)
        except BaseException as error:  # noqa: BLE001 raised where the items are taken
            put(None, error)

    thread = Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stop.set()
        thread.join(_PATIENCE)
