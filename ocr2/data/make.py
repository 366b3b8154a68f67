"""Engines at work: shards of samples, made by the processes of this machine, or by a Ray cluster.

    works = planned("formula", Materials(Corpus([])), seed=0, count=100_000, out=Path("data"))
    for shard in here(works, workers=8):
        print(shard.path, shard.samples, shard.dropped)

A shard is one piece of work, made of the seed and its numbers alone: whoever makes it, it has the same bytes. What an
earlier run has written isn't made again, so a run that was stopped goes on.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sized
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import cv2

from ocr2.data.engines import Materials, engine_of
from ocr2.errors import BadInput, BadOutput, RendererMissing
from ocr2.shards import Encoding, Shard, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ocr2.types import Source

EACH = 250
"""Samples in a shard: few enough that a thousand of them keep several processes busy."""
RAY = "pip install 'ocr2[ray]'"


@dataclass(frozen=True)
class Work:
    """One shard to be made: all that whoever makes it has to know."""

    name: str
    having: Materials
    seed: int
    numbers: range
    out: Path
    each: int = EACH
    encoding: Encoding = field(default_factory=Encoding)

    def done(self) -> Shard:
        """The shard, on disk. Raises what `write` raises."""
        source = _engine(self.name, self.having, self.seed)
        (shard,) = write(source, self.out / self.name, self.numbers, each=self.each, encoding=self.encoding)
        return shard


@cache
def _engine(name: str, having: Materials, seed: int) -> Source:
    """The engine, once in each process: it keeps what it has read."""
    return engine_of(name, having, seed)


def planned(
    name: str, having: Materials, seed: int, count: int | None, out: Path, *, each: int = EACH, encoding: Encoding
) -> list[Work]:
    """The shards of so many samples of one engine; without a count, of all that it has.

    Raises BadInput for an engine that there isn't, or that has nothing to make samples of.
    """
    source = _engine(name, having, seed)
    there = len(source) if isinstance(source, Sized) else None
    if count is None and there is None:
        raise BadInput(f"{name} has no end: say how many samples to make")
    stop = min(count if count is not None else there or 0, there if there is not None else 1 << 62)
    return [
        Work(name, having, seed, range(first, min(first + each, stop)), out, each, encoding)
        for first in range(0, stop, each)
    ]


def here(works: Sequence[Work], workers: int) -> Iterator[Shard]:
    """The shards as they are done, by so many processes of this machine; with one, by this very process.

    Raises BadOutput, RendererMissing, and BadInput where a process ended before its time.
    """
    if workers <= 1:
        yield from (work.done() for work in works)
        return
    context = multiprocessing.get_context("spawn")  # a fork would share what this process has open
    with ProcessPoolExecutor(min(workers, len(works) or 1), mp_context=context, initializer=_begin) as pool:
        try:
            for future in as_completed([pool.submit(work.done) for work in works]):
                yield future.result()
        except BrokenProcessPool as error:
            raise BadOutput(
                "a process that made samples ended before its time, as one does when memory is short: "
                "the same command goes on, with fewer workers"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in context.active_children():
                process.terminate()


def _begin() -> None:
    """A process that shares the machine with others like it."""
    cv2.setNumThreads(1)


def on_ray(works: Sequence[Work]) -> Iterator[Shard]:
    """The shards as they are done, by the Ray cluster that this process is part of, else one of this machine alone.

    `out` has to be a folder that all its machines see. Raises RendererMissing without Ray, else as `here`.
    """
    try:
        import ray
    except ImportError as error:
        raise RendererMissing(f"to make samples on Ray takes the package ray: {RAY}") from error

    ray.init(ignore_reinit_error=True, include_dashboard=False, log_to_driver=False)
    task: Any = ray.remote(_on_ray)
    waiting = [task.remote(work) for work in works]
    try:
        while waiting:
            (first,), waiting = ray.wait(waiting)
            yield ray.get(first)
    except ray.exceptions.RayTaskError as error:
        cause: Exception = error.as_instanceof_cause()  # type: ignore[no-untyped-call]
        raise cause from error
    except ray.exceptions.RayError as error:
        raise BadOutput(f"Ray lost a worker ({error!s:.200}): the same command goes on") from error
    finally:
        for left in waiting:
            ray.cancel(left)


def _on_ray(work: Work) -> Shard:
    _begin()
    return work.done()
