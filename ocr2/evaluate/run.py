"""Items in, answers and scores out, as they come; and what was answered so far on disk, for a run that is killed.

items = chosen(FOX.items(Path("Fox_benchmark_data")), tasks=(), limit=None)
for item, answer in answered(items, read):
    print(item.id, scored(FOX, item, answer, "corrected").scores)
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ocr2.errors import BadInput, BadPrompt, MetricMissing, ModelMissing, OcrError, RendererMissing
from ocr2.evaluate.benchmark import Answer, Benchmark, Item, Mode, Scored
from ocr2.journal import Records
from ocr2.result import line_of, record_of
from ocr2.types import Page, Prompt, Transcript

_log = logging.getLogger(__name__)

Read = Callable[[Iterable[tuple[Item, Sequence[Page]]]], Iterator[tuple[int, Transcript | OcrError]]]
"""What answers items, each with its pages open: the item's number (0, 1, …) and what was read, or why nothing was; in
any order. It takes items as it has room for them."""

UNASKED, MISSING, UNREAD, UNSCORED = "not asked", "no prediction", "not read", "not scored"
"""How errors of answers and scores begin: the reader can't be asked that, a folder has no file for it, reading failed,
the measure did."""

MOST_CHARACTERS, MOST_LINES = 100_000, 5_000
"""Of an answer, if four times those of its truth aren't more: what is longer is no reading of it, and is wholly wrong.
Some measures take time with the square of it."""
MOST_SECONDS = 1e9
"""That an answer may have taken; NaN and infinity are no time either, and no JSON could hold them."""


def plainly(prompt: Prompt) -> Prompt:
    """What a reader of plain text is asked in its place: the same of the same page, in no other form and no closer.

    So it may still read the page, and what it doesn't tell of formulas and tables counts against it. A region, a frame,
    or several pages at once it can't be asked for.
    """
    return replace(prompt, format=False, tiles=0)


def chosen(items: Iterable[Item], tasks: Sequence[str] = (), limit: int | None = None) -> list[Item]:
    """The items of these tasks, or of all; of each task the first `limit`, or all.

    Raises BadInput for a task that there isn't, for two items of one id, and where there is no item.
    """
    found = list(items)
    if twice := [name for name, times in Counter(item.id for item in found).items() if times > 1]:
        raise BadInput(f"{len(twice)} samples have the id of another one, the first is {twice[0]!r}: give each its own")
    if not found:
        raise BadInput("the benchmark has no samples: expected one at least")
    names = dict.fromkeys(item.task for item in found)
    if unknown := [task for task in tasks if task not in names]:
        raise BadInput(f"no task {', '.join(unknown)}: expected {', '.join(names)}")
    seen = Counter[str]()
    kept = []
    for item in found:
        if not tasks or item.task in tasks:
            seen[item.task] += 1
            if limit is None or seen[item.task] <= limit:
                kept.append(item)
    return kept


def check(benchmark: Benchmark, items: Iterable[Item], mode: Mode) -> None:
    """Scores the truth of the first item of each task: raises MetricMissing or RendererMissing before any is read."""
    for item in {item.task: item for item in reversed(list(items))}.values():
        scored(benchmark, item, Answer(item.truth), mode)


def answered(items: Iterable[Item], read: Read) -> Iterator[tuple[Item, Answer]]:
    """Each item with what the reader said, as it comes: an error is an answer, too, and no item is left out.

    The time in which pages are opened, and that which the caller takes, is nobody's. Raises RendererMissing and
    ModelMissing where what draws the pages, or reads them, isn't there.
    """
    clock, taken = _Clock(), dict[int, Item]()
    broken: list[tuple[Item, Answer]] = []

    def asked() -> Iterator[tuple[Item, Sequence[Page]]]:
        for item in items:
            clock.stop()
            try:
                pages = item.pages()
            except (MetricMissing, RendererMissing):
                raise
            except Exception as error:  # noqa: BLE001 whatever it is, it is this sample's
                _log.debug("%s has no pages", item.id, exc_info=True)
                broken.append((item, _failed(error)))
                continue
            number = len(taken)
            taken[number] = item
            clock.start(number)
            yield item, pages

    for number, told in read(asked()):
        seconds, cpu = clock.end(number)
        yield from _emptied(broken)
        yield taken[number], replace(_answer(told), seconds=seconds, cpu=cpu)
        clock.go()
    yield from _emptied(broken)


def _emptied(answers: list[tuple[Item, Answer]]) -> Iterator[tuple[Item, Answer]]:
    while answers:
        yield answers.pop(0)


def _answer(told: Transcript | OcrError) -> Answer:
    if isinstance(told, Transcript):
        return Answer(told.text, told.lines, stop=told.stop)
    if isinstance(told, ModelMissing):
        raise told
    return _failed(told)


def _failed(error: Exception) -> Answer:
    return Answer(error=f"{UNASKED if isinstance(error, BadPrompt) else UNREAD}: {_reason(error)}")


def scored(benchmark: Benchmark, item: Item, answer: Answer, mode: Mode) -> Scored:
    """The answer with its scores: an empty text's where there is none, and no scores where the measure fails on it.

    Raises MetricMissing and RendererMissing, which are no fault of the sample's.
    """
    try:
        said = replace(answer, text="", lines=()) if answer.error else answer
        _check_length(said, 4 * len(item.truth))
        scores = benchmark.score(item, said, mode)
        if wrong := [name for name, score in (scores or {}).items() if not math.isfinite(score)]:
            raise ValueError(f"{wrong[0]} is no number")
    except (MetricMissing, RendererMissing):
        raise
    except Exception as error:  # noqa: BLE001 likewise
        _log.debug("%s can't be scored", item.id, exc_info=True)
        return Scored(item, answer, {}, answer.error or f"{UNSCORED}: {_reason(error)}")
    return Scored(item, answer, scores, answer.error)


def _check_length(answer: Answer, least: int) -> None:
    """Raises BadInput for an answer that is too long to be scored."""
    sizes = {"characters": (len(answer.text), MOST_CHARACTERS), "lines": (len(answer.lines), MOST_LINES)}
    for what, (size, most) in sizes.items():
        if size > max(most, least):
            raise BadInput(f"an answer of {size:,} {what}: expected up to {max(most, least):,}")


def worth(benchmark: Benchmark, each: Scored) -> float | None:
    """One figure of a sample, 0 to 1; 0 of one that failed, None of one that doesn't count."""
    if each.scores is None:
        return None
    return 0.0 if each.error else benchmark.worth(each.scores)


def _reason(error: Exception) -> str:
    """What to tell of an error, in one line."""
    words = " ".join(str(error).split())
    return words if isinstance(error, OcrError) and words else f"{type(error).__name__}: {words}".rstrip(": ")


class Answers(Records[str]):
    """Answers on disk, found by the item's id. What wasn't read isn't kept: it is tried again."""

    def key(self, record: dict[str, Any]) -> str | None:
        """The item's id."""
        name = record.get("id")
        return name if isinstance(name, str) else None

    def add(self, item: Item, answer: Answer) -> None:
        """Keep an answer: it is on disk when this returns."""
        if not answer.error:
            self.keep(item.id, {"id": item.id, **to_record(answer)})

    def __getitem__(self, name: str) -> Answer:
        """The answer to the item of that id."""
        return from_record(self.record(name), f"{self.path}, {name}")


def to_record(answer: Answer) -> dict[str, Any]:
    """The answer as plain lists and numbers, without its error."""
    times = {"seconds": round(answer.seconds, 4), "cpu": round(answer.cpu, 4), "stop": answer.stop}
    return {"text": answer.text, **times, "lines": [record_of(line) for line in answer.lines]}


def from_record(record: object, name: str) -> Answer:
    """The answer that `to_record` wrote down, or one with a text alone; what else is in the record is left alone.

    Raises BadInput, which begins with `name`.
    """
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise BadInput(f'{name}: expected an object with "text", a string; found {record!r:.80}')
    seconds, cpu, stop = (record.get(key, default) for key, default in (("seconds", 0), ("cpu", 0), ("stop", "eos")))
    if not all(isinstance(number, int | float) and 0 <= number < MOST_SECONDS for number in (seconds, cpu)):
        raise BadInput(f'{name}: expected times as "seconds" and "cpu", found {seconds!r:.80} and {cpu!r:.80}')
    if stop not in ("eos", "length", "repeat"):
        raise BadInput(f'{name}: expected "eos", "length" or "repeat" as "stop", found {stop!r:.80}')
    lines = record.get("lines") or []
    if not isinstance(lines, list):
        raise BadInput(f'{name}: expected a list as "lines", found {lines!r:.80}')
    try:
        read = tuple(line_of(line, f"lines[{n}]") for n, line in enumerate(lines))
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from error
    return Answer(record["text"], read, float(seconds), cpu=float(cpu), stop=stop)


def resumed(
    items: Iterable[Item], answers: Answers, ask: Callable[[Iterator[Item]], Iterator[tuple[Item, Answer]]]
) -> Iterator[tuple[Item, Answer]]:
    """Each item with its answer: those that are kept first, then as `ask` answers the others, which are kept, too."""
    items = list(items)
    for item in items:
        if item.id in answers:
            yield item, answers[item.id]
    for item, answer in ask(item for item in items if item.id not in answers):
        answers.add(item, answer)
        yield item, answer


@dataclass
class _Clock:
    """Shares the time that a reader takes among the questions that it has at the time."""

    share: tuple[float, float] = (0.0, 0.0)
    """What a question would have of it that was there from the beginning: seconds on the wall clock, of processors."""
    since: tuple[float, float] = (0.0, 0.0)
    """When it was last counted."""
    begun: dict[int, tuple[float, float]] = field(default_factory=dict)
    """The share when a question was taken, by its number."""

    def stop(self) -> None:
        """The reader waits from now on."""
        now = _now()
        if self.begun:
            wall, cpu = ((b - a) / len(self.begun) for a, b in zip(self.since, now, strict=True))
            self.share = self.share[0] + wall, self.share[1] + cpu
        self.since = now

    def go(self) -> None:
        """The reader works from now on."""
        self.since = _now()

    def start(self, number: int) -> None:
        """So it does, and has one more question."""
        self.begun[number] = self.share
        self.go()

    def end(self, number: int) -> tuple[float, float]:
        """The reader waits, and has answered that question: its seconds, on the wall clock and of processors."""
        self.stop()
        before = self.begun.pop(number)
        return self.share[0] - before[0], self.share[1] - before[1]


def _now() -> tuple[float, float]:
    """The wall clock, and the processor time of this process and of those that it has waited for."""
    times = os.times()
    return time.perf_counter(), time.process_time() + times.children_user + times.children_system
