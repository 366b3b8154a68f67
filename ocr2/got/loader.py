"""Batches from samples, from any position on: other processes look and encode, this one puts together.

    loader = Loader(mixture, tokenizer, config, tokens=2048, budget=32768, workers=8)
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
from itertools import chain, count, islice
from queue import Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ocr2.errors import BadCheckpoint, BadInput, OcrError, TrainingFailed
from ocr2.got.batch import Batch, Prepared, combined, prepare
from ocr2.got.buckets import OLDEST, Buckets
from ocr2.got.prompt import Tokenizer
from ocr2.types import MOST_TILES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    import tokenizers

    from ocr2.got.config import GOTConfig
    from ocr2.types import Sample

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


class Samples(Protocol):
    """What gives the sample of a number, always the same one. One with a `len` ends, any other goes on for ever."""

    def __getitem__(self, index: int, /) -> Sample: ...


class Loader:
    """What `train.fit` learns from: called with a position (None: the start), it gives batches and the positions after.

    A position is plain values, as JSON has them: the next sample's number, the numbers of those that wait in buckets,
    and how many were dropped by the kind of error. Going on prepares the waiting ones again, at most `waiting` views.
    """

    def __init__(
        self,
        samples: Samples,
        tokenizer: Tokenizer,
        config: GOTConfig,
        *,
        tokens: int,
        budget: int,
        rows: int | None = None,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
        waiting: int = 512,
    ) -> None:
        """Takes every `world`-th sample from the one numbered `rank` on. Raises BadInput for numbers that can't be.

        tokens: the longest sequence, prompt and answer; longer samples are dropped.
        budget: rows × longest sequence of a batch, at most.
        rows: the most rows of a batch.
        workers: processes that prepare samples; 0: this one does.
        waiting: the most views that wait in buckets; when there are more, the bucket that has waited longest goes, and
            so does one that has waited while sixteen times as many samples came.
        """
        for name, number, least in (
            ("rows", 1 if rows is None else rows, 1),
            ("workers", workers, 0),
            ("waiting", waiting, 1),
        ):
            if number < least:
                raise BadInput(f"{name}={number}: expected at least {least}")
        if not 0 <= rank < world:
            raise BadInput(f"rank={rank} of world={world}: expected 0 to {world - 1}")
        if not 0 < tokens <= config.context:
            raise BadInput(f"tokens={tokens}: expected 1 to {config.context}, the context of the model")
        if budget < tokens:
            raise BadInput(f"budget={budget} is less than tokens={tokens}: a batch could not hold the longest sample")
        self.samples, self.tokenizer, self.config = samples, tokenizer, config
        self.tokens, self.budget, self.rows, self.waiting = tokens, budget, rows, waiting
        self.workers, self.rank, self.world = workers, rank, world

    def __call__(self, position: dict[str, Any] | None = None) -> Iterator[tuple[Batch, dict[str, Any]]]:
        """The batches after a position, each with the position after it; without end if the samples have none.

        Raises BadCheckpoint for a position of another split; while iterating, BadInput where no sample can be used,
        TrainingFailed where a worker was killed, and whatever else than an OcrError a sample raises.
        """
        batches = self._batches(self._state(position))
        return _ahead(batches) if self.workers else batches

    def _state(self, position: dict[str, Any] | None) -> _State:
        if position is None:
            return _State(self.rank)
        try:
            state = _State(int(position["next"]), sorted(map(int, position["waiting"])), Counter(position["dropped"]))
        except (LookupError, TypeError, ValueError) as error:
            raise BadCheckpoint(
                f"the data position {position!r:.80} is none: expected what this loader gave"
            ) from error
        if any(index % self.world != self.rank for index in (state.next, *state.again)):
            raise BadCheckpoint(f"the data position is not of process {self.rank} of {self.world}: train with as many")
        return state

    def _batches(self, state: _State) -> Generator[tuple[Batch, dict[str, Any]], None, None]:
        buckets = Buckets(self.budget, self.rows, self.waiting, OLDEST * self.waiting * self.world)
        pinned = torch.cuda.is_available()
        failed, made = 0, state.next != self.rank
        end = len(self.samples) if isinstance(self.samples, Sized) else None
        indices = range(state.next, end, self.world) if end is not None else count(state.next, self.world)
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
                yield combined(full, self.tokenizer.pad, pinned=pinned), state.position(buckets)
            state.taken(index, self.world)
            for full in buckets.add(index, outcome):
                yield combined(full, self.tokenizer.pad, pinned=pinned), state.position(buckets)
        if failed and not made:
            raise BadInput(f"none of {failed} samples could be used; the last one: {outcome}")
        for full in buckets.rest():
            yield combined(full, self.tokenizer.pad, pinned=pinned), state.position(buckets)

    def _outcomes(self, indices: Iterable[int]) -> Iterator[tuple[int, Prepared | _Dropped]]:
        """Each of the samples, prepared or dropped, in order."""
        if not self.workers:
            work = _Work(self.samples, self.tokenizer.inner, self.config, self.tokens)
            for index in indices:
                yield index, work.outcome(index)
            return
        # Neither fork nor spawn: a forked process has half of what CUDA and thread pools need, and a spawned one
        # imports torch anew. The server imports it once, has no threads, and forks all workers.
        context = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
        context.set_forkserver_preload(["__main__", __name__])
        room = (MOST_TILES + 1) * 3 * self.config.encoder.side**2
        slots = context.RawArray(ctypes.c_uint8, (self.workers * _AHEAD + 1) * room)
        work = _Work(self.samples, self.tokenizer.inner, self.config, self.tokens, slots, room)
        loaded = DataLoader(
            work,
            sampler=_Tasks(indices, self.workers * _AHEAD + 1),
            batch_size=None,
            num_workers=self.workers,
            prefetch_factor=_AHEAD,
            collate_fn=_unchanged,
            generator=torch.Generator(),  # else it takes from the one that training goes by
            worker_init_fn=_begin,
            multiprocessing_context=context,
        )
        for slot, outcomes in _told(loaded):
            for index, outcome, shapes, start in outcomes:
                yield index, work.taken_out(slot, outcome, shapes, start)


@dataclass
class _State:
    """How far the loader has come."""

    next: int
    """The number of the next sample that has never waited."""
    again: list[int] = field(default_factory=list)
    """Those that waited at the position that was given, and are still to be prepared again."""
    dropped: Counter[str] = field(default_factory=Counter)

    def taken(self, index: int, world: int) -> None:
        if self.again:
            assert self.again.pop(0) == index
        else:
            self.next = index + world

    def position(self, buckets: Buckets) -> dict[str, Any]:
        return {"next": self.next, "waiting": sorted([*self.again, *buckets]), "dropped": dict(self.dropped)}


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


class _Work(Dataset[tuple[int, list[_Sent]]]):
    """What workers do. Views come back in memory that all processes share, in as many slots as are needed at once."""

    def __init__(
        self,
        samples: Samples,
        inner: tokenizers.Tokenizer,
        config: GOTConfig,
        tokens: int,
        slots: ctypes.Array[ctypes.c_uint8] | None = None,
        room: int = 0,
    ) -> None:
        self._made_of = samples, inner, config, tokens, slots, room
        self._samples, self._config, self._tokens = samples, config, tokens
        self._tokenizer = Tokenizer(inner)
        self._slots = np.frombuffer(memoryview(slots), np.uint8).reshape(-1, room) if slots else None

    def __reduce__(self) -> Any:
        """Made anew in a worker: a pickled tokenizer forgets that names of special tokens are plain text."""
        return _Work, self._made_of

    def outcome(self, index: int) -> Prepared | _Dropped:
        """The sample of that number, prepared, or why it isn't."""
        try:
            return prepare(self._samples[index], self._tokenizer, self._config, self._tokens)
        except OcrError as error:
            return _Dropped(index, type(error).__name__, str(error))

    def __getitem__(self, task: tuple[int, list[int]]) -> tuple[int, list[_Sent]]:
        """A slot, and what became of some samples; of views that have no room in it, the arrays themselves."""
        assert self._slots is not None
        slot, indices = task
        memory, end, sent = self._slots[slot], 0, list[_Sent]()
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
        assert self._slots is not None
        views = []
        for shape in shapes:
            size = int(np.prod(shape))
            views.append(self._slots[slot, start : start + size].reshape(shape).copy())
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


def _begin(worker: int) -> None:
    """Workers are as many as there are cores: none of their libraries is to use more than one. torch sees to itself.

    Ctrl-C is for the process that started them: it ends them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["OPENCV_FOR_THREADS_NUM"] = "1"  # where it is imported later
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(0)


def _told(loaded: Iterable[T]) -> Iterator[T]:
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
