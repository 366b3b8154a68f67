"""The steps of a run as JSON lines, as a picture of its loss, and in TensorBoard.

with StepLog("out/steps.jsonl") as log:
    for step in fit(…):
        log.add(step)
draw(read("out/steps.jsonl"), "out/loss.png")
"""

from __future__ import annotations

import json
import math
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from ocr2.errors import BadInput, BadOutput, RendererMissing
from ocr2.files import whole
from ocr2.stage import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType


class StepLog:
    """A file of JSON lines, one for each step, in order; a step that is done again takes the place of what it was.

    A step is saved before it is logged: a run that is killed between the two goes on after that step, and its line is
    missing, as is what TensorBoard would show of it.
    """

    def __init__(self, path: str | Path) -> None:
        """Goes on with the file if it is there. Raises BadInput where that isn't such a file, BadOutput otherwise."""
        self.path = path
        try:
            self._file = open(path, "r+b" if os.path.exists(path) else "w+b")  # noqa: SIM115 closed in close
        except OSError as error:
            raise BadOutput(
                f"{path} can't be written ({error.strerror}): expected a folder that exists and is writable"
            ) from error
        try:
            self._ends: dict[int, int] = {}  # where each step's line ends
            place = 0
            for line, step in _lines(path, self._file.read()):
                place += len(line)
                self._ends[step.number] = place
        except BadInput:
            self.close()
            raise

    def add(self, step: Step) -> None:
        """Writes a step; whatever is there of this one and later ones goes: the run was resumed from before them."""
        while self._ends and next(reversed(self._ends)) >= step.number:
            self._ends.popitem()
        self._file.seek(next(reversed(self._ends.values()), 0))
        try:
            self._file.truncate()
            self._file.write(json.dumps(step.to_json(), ensure_ascii=False).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise BadOutput(f"{self.path} can't be written ({error.strerror}): make room, and resume") from error
        self._ends[step.number] = self._file.tell()

    def close(self) -> None:
        """No more steps come."""
        self._file.close()

    def __enter__(self) -> Self:
        """The log, closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, also after an error."""
        self.close()


def read(path: str | Path) -> list[Step]:
    """The steps in a file that a StepLog wrote. Raises BadInput where it isn't one."""
    try:
        with open(path, "rb") as file:
            return [step for _, step in _lines(path, file.read())]
    except OSError as error:
        raise BadInput(f"{path} can't be read ({error.strerror}): expected the JSON lines of a run") from error


def _lines(path: str | Path, content: bytes) -> list[tuple[bytes, Step]]:
    """Each line and its step; a last line that was cut short is none."""
    lines = []
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        if not line.endswith(b"\n"):
            break
        try:
            lines.append((line, Step.from_json(json.loads(line))))
        except (ValueError, RecursionError, BadInput) as error:
            raise BadInput(f"{path}, line {number} is no step of training ({error}): expected JSON lines") from error
    return lines


def draw(steps: Sequence[Step], path: str | Path, title: str = "") -> None:
    """Writes a PNG of the losses by step: each as it was, faintly, and its running mean; below, the learning rate.

    Raises RendererMissing without Matplotlib, BadInput without steps, BadOutput where it can't be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RendererMissing("loss curves are drawn by Matplotlib: pip install 'ocr2[train]'") from error
    if not steps:
        raise BadInput("there is no loss to draw: expected one step or more")
    figure = Figure(figsize=(9, 6), dpi=120, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    numbers = [step.number for step in steps]
    curves = {"loss": [step.loss for step in steps]}
    if len(names := dict.fromkeys(name for step in steps for name in step.losses)) > 1:
        curves |= {name: [step.losses.get(name, math.nan) for step in steps] for name in names}
    for n, (name, values) in enumerate(curves.items()):
        above.plot(numbers, values, color=f"C{n}", alpha=0.25, linewidth=0.8)
        above.plot(numbers, smooth(values), color=f"C{n}", label=name)
    above.set(ylabel="loss", title=title)
    above.legend()
    above.grid(alpha=0.3)
    below.plot(numbers, [step.rate for step in steps], color="gray")
    below.set(xlabel="step", ylabel="learning rate")
    below.grid(alpha=0.3)
    with whole(path) as file:
        figure.savefig(file, format="png")


def smooth(values: Sequence[float], share: float = 0.02) -> list[float]:
    """The mean of each value and those before it, the nearer the more: over that share of them all, about."""
    keep = 1 - 1 / max(share * len(values), 1)
    total = weight = 0.0
    means = []
    for value in values:
        if not math.isnan(value):  # as where a step didn't have this loss
            total, weight = keep * total + value, keep * weight + 1
        means.append(total / weight if weight else value)
    return means


class TensorBoard:
    """What TensorBoard shows, in a folder: `tensorboard --logdir FOLDER`.

    Of a run that was resumed it shows no step twice: what an earlier run did from there on is no longer seen.
    """

    def __init__(self, folder: str | Path) -> None:
        """Raises RendererMissing where its package isn't installed, BadOutput where the folder can't be written."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise RendererMissing("this is shown by TensorBoard: pip install tensorboard") from error
        self._folder, self._make = folder, SummaryWriter
        self._writer: Any = None
        with self._writing():
            os.makedirs(folder, exist_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BadOutput(
                f"{self._folder} can't be written ({error.strerror}): expected a folder that is writable and has room"
            ) from error

    def add(self, step: Step) -> None:
        """Shows a step. Raises BadOutput where the folder can't be written."""
        if self._writer is None:
            with self._writing():
                self._writer = self._make(str(self._folder), purge_step=step.number)
        told = {"loss": step.loss, "rate": step.rate, "norm": step.norm, "memory": step.memory, "waited": step.waited}
        told |= {f"losses/{name}": loss for name, loss in step.losses.items()}
        told |= {"tokens per second": step.tokens_per_second, "dropped": sum(step.dropped.values())}
        for name, value in told.items():
            self._writer.add_scalar(name, value, step.number)

    def close(self) -> None:
        """Writes what is left."""
        if self._writer is not None:
            self._writer.close()
