"""The one loop that trains: a model, batches and a stage go in, a record of each step comes out.

    for step in fit(model, batches, stage, "out/"):  # the model is on the device where it trains
        print(step.number, step.loss)
    weights("out/", model)                    # the weights' means, which are what ships

It saves all of its state in out/state.safetensors, and goes on from there when it is called again: a run that was
killed and resumed is, bit for bit on a processor, the run that never was. Under `torchrun` the model is spread over all
processes, and the losses are those of one process over the same batches.
"""

from __future__ import annotations

import hashlib
import logging
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, Self, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ocr2 import state
from ocr2.errors import BadInput, OcrError, TrainingFailed
from ocr2.ranks import Ranks, full, local
from ocr2.stage import Stage, Step
from ocr2.state import weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ocr2.state import Folder

__all__ = ["Batch", "Batches", "Stage", "Step", "fit", "weights"]

_log = logging.getLogger(__name__)
_NAMED = 32
"""The origins that an error names; all of them are logged."""


class Batch(Protocol):
    """What a model learns from at once."""

    @property
    def size(self) -> int:
        """How many items its losses are means over."""

    @property
    def tokens(self) -> int:
        """How many tokens it has, those that only ask included."""

    @property
    def origins(self) -> tuple[str, ...]:
        """Where each sample is from."""

    def to(self, device: torch.device) -> Self:
        """The same on a device."""


B = TypeVar("B", bound=Batch)
T = TypeVar("T")
Batches: TypeAlias = Callable[[Any], Iterator[tuple[B, Any]]]
"""The batches from a position on (None: the start), each with the position after it: plain values, as JSON has them."""
Augment: TypeAlias = Callable[[B, torch.Generator], B]
"""Changes a batch on the device, by a generator that is seeded for it."""


def fit(
    model: nn.Module,
    batches: Batches[B],
    stage: Stage,
    out: str | Path,
    *,
    augment: Augment[B] | None = None,
    stop: Callable[[], bool] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Generator[Step, None, None]:
    """Trains a model where it is, and yields each step when it is done; nothing where the stage was done before.

    `model(batch)` answers with its losses by name, each a mean over the batch's `size` items. Of several processes,
    each has the model on a device of its own: `model.to(Ranks.join("cuda").device)`. `augment` changes batches on the
    device. `stop` is asked at each step, in each process: where one says yes, that step is saved and is the last one.
    `about`, plain values, is what else must be the same when the run is resumed: the model's config, the data.

    Raises TrainingFailed, with the origins of the batch, where a loss or gradient isn't a finite number: the weights
    are those of the step before, and what was last saved stays. Raises BadInput where the data ends before the steps
    do, or where the model's device is none to train on; BadOutput where the state can't be saved, or another run uses
    the folder; BadCheckpoint where what was saved is damaged or of another run.
    """
    ranks = Ranks.join(next((each.device for each in model.parameters()), "cpu"))
    with state.opened(out, stage, about, ranks) as folder:
        yield from _steps(_Learner(model, stage, ranks), batches, folder, augment, stop or (lambda: False))


def _steps(
    learner: _Learner[B],
    batches: Batches[B],
    folder: Folder,
    augment: Augment[B] | None,
    stop: Callable[[], bool],
) -> Generator[Step, None, None]:
    """What `fit` yields."""
    stage, ranks = folder.stage, folder.ranks
    kept, position = learner.restore(folder)
    if kept == stage.steps:
        return
    with _closing(batches(position)) as stream:
        for number in range(kept + 1, stage.steps + 1):
            start = time.monotonic()
            try:
                taken, after = _take(stream, number, stage, ranks)
            except OcrError:
                if number - 1 > kept:
                    folder.save(learner.tensors(), number - 1, position)
                raise
            waited = time.monotonic() - start
            learnt, norm = learner.learn(taken, number, augment)
            told = ranks.gather(_Part(learnt, norm, waited, stop(), _dropped(after)))
            _check_finite(told, number, stage, f"{folder.path} holds step {kept}" if kept else "nothing was saved yet")
            learner.step(number)
            position = after
            step = _step(number, stage, told, time.monotonic() - start, ranks.device)
            last = number == stage.steps or any(part.stop for part in told)
            if last or number % stage.every == 0:
                folder.save(learner.tensors(), number, position)
                kept = number
            yield step
            if last:
                return


@contextmanager
def _closing(stream: Iterator[T]) -> Iterator[Iterator[T]]:
    """The same; afterwards whatever prepares what comes next is stopped, if it can be."""
    try:
        yield stream
    finally:
        if isinstance(stream, Generator):
            stream.close()


def _take(stream: Iterator[tuple[B, Any]], number: int, stage: Stage, ranks: Ranks) -> tuple[list[B], Any]:
    """The batches of a step and the position after them: in each process equally many, for all work together on each.

    What fails in one process is raised in all.
    """
    taken: list[tuple[B, Any]] = []

    def take(batches: int, samples: int) -> OcrError | None:
        """Takes until there are so many; what failed."""
        try:
            while len(taken) < batches or sum(len(batch.origins) for batch, _ in taken) < samples:
                taken.append(next(stream))
        except StopIteration:
            ended = f"the data of stage {stage.name!r} ended after {number - 1} of {stage.steps} steps"
            return BadInput(f"{ended}: give more data, or fewer steps")
        except OcrError as failed:
            return failed
        return None

    error = take(stage.accumulate, math.ceil(stage.samples / ranks.world))
    most = max(ranks.gather(len(taken)))
    ranks.agree(error or take(most, 0))
    return [batch for batch, _ in taken], taken[-1][1]


class _Learnt(NamedTuple):
    """What came of one batch."""

    size: int
    tokens: int
    origins: tuple[str, ...]
    losses: dict[str, float]
    """Each named loss."""
    loss: float
    """Their weighted sum."""


class _Part(NamedTuple):
    """What one process tells the others of its part in a step."""

    batches: list[_Learnt]
    norm: float
    """The length of the whole gradient, the same in all."""
    waited: float
    """Seconds without data."""
    stop: bool
    """Whether this step is to be the last one of the run."""
    dropped: Counter[str]


class _Learner(Generic[B]):
    """A model that learns: what of it does, its mean, and the optimizer."""

    def __init__(self, model: nn.Module, stage: Stage, ranks: Ranks) -> None:
        """All of the model is in float32 from here on, and on the device of its first parameter."""
        self.model, self.stage, self.ranks = model, stage, ranks
        model.to(ranks.device, torch.float32)
        model.zero_grad()
        self.still = _freeze(model, stage)
        ranks.spread(model)
        self.learning = {name: each for name, each in model.named_parameters() if each.requires_grad}
        learning = list(self.learning.values())
        groups = [
            {"params": [each for each in learning if each.ndim >= 2], "weight_decay": stage.decay},
            {"params": [each for each in learning if each.ndim < 2], "weight_decay": 0.0},
        ]
        fused = ranks.device.type == "cuda"
        self.optimizer = torch.optim.AdamW(groups, lr=stage.rate, betas=stage.betas, fused=fused or None)
        for each in learning:
            first, second = torch.zeros_like(each.detach()), torch.zeros_like(each.detach())
            count = torch.zeros((), device=ranks.device if fused else "cpu")
            self.optimizer.state[each] = {"step": count, "exp_avg": first, "exp_avg_sq": second}
        self.means = [each.detach().clone() for each in learning] if stage.ema else []
        self.generator = torch.Generator(ranks.device)

    def tensors(self) -> dict[str, Tensor]:
        """All that is saved, by the names it has in the file."""
        found = {state.WEIGHTS + name: tensor for name, tensor in state.stored(self.model).items()}
        for name, each in self.learning.items():
            moments = self.optimizer.state[each]
            found |= {state.FIRST + name: moments["exp_avg"], state.SECOND + name: moments["exp_avg_sq"]}
        return found | {state.EMA + name: mean for name, mean in zip(self.learning, self.means, strict=False)}

    def restore(self, folder: Folder) -> tuple[int, Any]:
        """Goes on from what was saved there, if anything: the last step, and where this process stood in its data."""
        found = folder.restore(self.tensors())
        if found is None:
            return 0, None
        for each in self.learning.values():
            self.optimizer.state[each]["step"].fill_(found.step)
        return found.step, found.positions[self.ranks.rank]

    def learn(self, batches: Sequence[B], number: int, augment: Augment[B] | None) -> tuple[list[_Learnt], float]:
        """What came of each batch of a step, and the gradient's length before it is clipped. No weight changes yet."""
        self.model.train()
        for module in self.still:
            module.eval()
        ranks, parts = self.ranks, []
        total = max(sum(ranks.gather(sum(batch.size for batch in batches))), 1)
        for n, batch in enumerate(batches):
            with self._drawing(f"{self.stage.seed}/{number}/{n * ranks.world + ranks.rank}"):
                losses, loss = self._losses(batch.to(ranks.device), augment)
                ranks.before_backward(self.model, n + 1 == len(batches))
                # what processes that share a model get is the mean of their gradients, and a sum is wanted
                (loss * (batch.size * ranks.world / total)).backward()
            parts.append(({name: part.detach() for name, part in losses.items()}, loss.detach()))
        norm = self._clip()
        learnt = [
            _Learnt(batch.size, batch.tokens, batch.origins, {k: float(v) for k, v in losses.items()}, float(loss))
            for batch, (losses, loss) in zip(batches, parts, strict=True)
        ]
        return learnt, float(norm)

    def _losses(self, batch: B, augment: Augment[B] | None) -> tuple[dict[str, Tensor], Tensor]:
        """The losses of a batch by name, and their weighted sum."""
        if augment is not None:
            batch = augment(batch, self.generator)
        with torch.autocast(self.ranks.device.type, torch.bfloat16, enabled=self.stage.precision == "bf16"):
            losses: dict[str, Tensor] = self.model(batch)
        shares = self.stage.losses
        if unknown := [name for name in shares if name not in losses]:
            names = ", ".join(losses)
            raise BadInput(
                f"stage {self.stage.name!r} weighs a loss {unknown[0]!r}: expected some of the model's: {names}"
            )
        return losses, torch.stack([loss.float() * shares.get(name, 1.0) for name, loss in losses.items()]).sum()

    def _clip(self) -> Tensor:
        """The length of the gradient, which is then no longer than the stage has it."""
        learning = list(self.learning.values())
        for each in learning:
            if each.grad is None:  # no loss came by it
                each.grad = torch.zeros_like(each)
        norm = get_total_norm([each.grad for each in learning if each.grad is not None])
        if self.stage.clip:
            clip_grads_with_norm_(learning, self.stage.clip, norm)
        return full(norm)

    def step(self, number: int) -> None:
        """The weights change by what was learned, and their means follow."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.rate_at(number)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.means:
            keep = min(self.stage.ema, number / (number + 9))  # or else the first weights, often random, stay for long
            now = [local(each.detach()) for each in self.learning.values()]
            get_ema_multi_avg_fn(keep)([local(mean) for mean in self.means], now, number)

    @contextmanager
    def _drawing(self, name: str) -> Iterator[None]:
        """Where all random numbers follow from a name; those of whoever calls are as before, afterwards."""
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
        device = self.ranks.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            self.generator.manual_seed(seed)
            yield


def _freeze(model: nn.Module, stage: Stage) -> list[nn.Module]:
    """The modules that stay as they are; all else learns. Raises BadInput for a name that the model hasn't."""
    names = {name.strip("."): False for name in stage.frozen}
    model.requires_grad_(True)
    for name, parameter in model.named_parameters(remove_duplicate=False):
        for part in names:
            if f"{name}.".startswith(f"{part}."):
                names[part] = True
                parameter.requires_grad = False
    if unknown := [part for part, found in names.items() if not found]:
        first = sorted({name.partition(".")[0] for name, _ in model.named_parameters()})
        raise BadInput(
            f"stage {stage.name!r} freezes {unknown[0]!r}, which the model has no parameter of: expected "
            f"{', '.join(first)} or a part of one"
        )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise BadInput(f"stage {stage.name!r} freezes all of the model: expected some of it to learn")
    return [
        module for name, module in model.named_modules() if any(f"{name}.".startswith(f"{part}.") for part in names)
    ]


def _check_finite(told: Sequence[_Part], number: int, stage: Stage, kept: str) -> None:
    """Raises TrainingFailed where a loss or the gradient isn't a finite number."""
    batches = [batch for part in told for batch in part.batches]
    bad = [batch for batch in batches if not math.isfinite(batch.loss)]
    if not bad and math.isfinite(told[0].norm):
        return
    what = f"the loss is {bad[0].loss}" if bad else f"the gradient's length is {told[0].norm}"
    origins = [origin or "a sample of no origin" for batch in bad[:1] or batches for origin in batch.origins]
    _log.error("step %d of stage %r: %s for %s", number, stage.name, what, origins)
    more = f" and {len(origins) - _NAMED} more, which are logged" if len(origins) > _NAMED else ""
    raise TrainingFailed(
        f"step {number} of stage {stage.name!r}: {what} for a batch of {', '.join(origins[:_NAMED])}{more}: expected a "
        f"finite number; leave these samples out, or learn at a lower rate than {stage.rate:g}; {kept}"
    )


def _step(number: int, stage: Stage, told: Sequence[_Part], seconds: float, device: torch.device) -> Step:
    """The record of a step, from what all processes told of it."""
    batches = [batch for part in told for batch in part.batches]
    total = max(sum(batch.size for batch in batches), 1)
    losses: dict[str, float] = {}
    for batch in batches:
        for name, loss in batch.losses.items():
            losses[name] = losses.get(name, 0.0) + loss * batch.size / total
    tokens = sum(batch.tokens for batch in batches)
    return Step(
        number=number,
        losses=losses,
        loss=sum(batch.loss * batch.size / total for batch in batches),
        rate=stage.rate_at(number),
        norm=told[0].norm,
        tokens=tokens,
        tokens_per_second=tokens / seconds,
        waited=sum(part.waited for part in told) / len(told) / seconds,
        memory=_memory(device),
        seconds=seconds,
        dropped=dict(sum((part.dropped for part in told), Counter())),
    )


def _dropped(position: object) -> Counter[str]:
    """The samples left out so far by reason, if the position tells."""
    dropped = position.get("dropped") if isinstance(position, dict) else None
    return Counter(dropped if isinstance(dropped, dict) else {})


def _memory(device: torch.device) -> int:
    """Bytes in use at most, so far; 0 where it isn't known."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
