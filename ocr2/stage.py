"""What a stage of training is, and what is known of each of its steps. Needs no torch: recipes are read without it."""

from __future__ import annotations

import math
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Stage:
    """All that decides how a model's weights change, but the model and the data themselves."""

    name: str
    steps: int
    rate: float
    """The highest learning rate: where the warm-up ends. From there half a cosine falls to nothing."""
    warmup: float = 0.02
    """The share of the steps in which the learning rate grows."""
    decay: float = 0.1
    """The weight decay of matrices and larger (convolutions, embeddings); biases and norms have none."""
    betas: tuple[float, float] = (0.9, 0.95)
    """How slowly AdamW's means of the gradient and of its square change."""
    clip: float = 1.0
    """The longest gradient, longer ones are scaled down to it; 0 leaves all as they are."""
    accumulate: int = 1
    """The batches of a step, for each process: this many at least …"""
    samples: int = 0
    """… and as many as hold so many samples, of all processes together: batches of rare sizes are small."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """What is multiplied in; weights, their means and the optimizer's are float32 in any case."""
    ema: float = 0.0
    """How much of the weights' mean stays at each step, such as 0.999; the first steps keep less. 0 is no mean."""
    frozen: tuple[str, ...] = ()
    """The parts that don't learn, by the names of modules or parameters: "encoder", "decoder.layers.0"."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """The weights of the model's losses by name; one that isn't named counts fully."""
    tokens: int = 4096
    """The longest sequence, prompt and answer: longer samples are left out."""
    data: Mapping[str, float] = field(default_factory=dict)
    """Millions of samples of each source."""
    carry: float = 0.0
    """The share of the previous stage's data that comes again."""
    every: int = 1000
    """Steps from one checkpoint to the next."""
    seed: int = 0

    def __post_init__(self) -> None:
        for fits, name, expected in (
            (self.steps >= 1, "steps", "1 or more"),
            (0 < self.rate < math.inf, "rate", "more than 0, such as 1e-4"),
            (0 <= self.warmup < 1, "warmup", "a share of the steps, 0 or more and less than 1"),
            (0 <= self.decay < math.inf, "decay", "0 or more"),
            (
                len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas),
                "betas",
                "two, each from 0 to below 1",
            ),
            (0 <= self.clip < math.inf, "clip", "the longest gradient, or 0 for any"),
            (self.accumulate >= 1, "accumulate", "1 batch or more"),
            (self.samples >= 0, "samples", "0 or more"),
            (self.precision in ("bf16", "fp32"), "precision", "'bf16' or 'fp32'"),
            (0 <= self.ema < 1, "ema", "0 or more and less than 1"),
            (all(part.strip(".") for part in self.frozen), "frozen", "names of modules or parameters"),
            (all(0 <= weight < math.inf for weight in self.losses.values()), "losses", "weights of 0 or more"),
            (self.tokens >= 1, "tokens", "1 or more"),
            (all(0 < amount < math.inf for amount in self.data.values()), "data", "millions of samples, more than 0"),
            (0 <= self.carry <= 1, "carry", "a share from 0 to 1"),
            (self.every >= 1, "every", "1 step or more"),
        ):
            if not fits:
                raise BadInput(f"stage {self.name!r}: {name}={getattr(self, name)!r}: expected {expected}")

    def often_saved(self) -> Stage:
        """The same, with ten checkpoints at least: a crash costs no more than a tenth of it."""
        return replace(self, every=min(self.every, math.ceil(self.steps / 10)))

    def rate_at(self, number: int) -> float:
        """The learning rate of a step, counted from 1."""
        warm = math.ceil(self.warmup * self.steps)
        if number <= warm:
            return self.rate * number / warm
        return self.rate * (1 + math.cos(math.pi * (number - 1 - warm) / (self.steps - warm))) / 2

    def to_json(self) -> dict[str, Any]:
        """A record of plain values."""
        lists = {"betas": list(self.betas), "frozen": list(self.frozen)}
        return asdict(self) | lists | {"losses": dict(self.losses), "data": dict(self.data)}

    @classmethod
    def from_json(cls, record: object) -> Stage:
        """What `to_json` wrote. Raises BadInput, which names the first field that is wrong."""
        checked = _checked("stage", fields(cls), record)
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in checked.items()}
        return cls(**values)


def _checked(what: str, known: Sequence[Field[Any]], record: object) -> dict[str, Any]:
    """The same record, which has all fields that must be and no others. Raises BadInput, naming the first wrong one."""
    types = {each.name: str(each.type) for each in known}
    least = [each.name for each in known if each.default is MISSING and each.default_factory is MISSING]
    if not isinstance(record, dict):
        raise BadInput(f"a {what} is {record!r:.80}: expected an object with the fields {', '.join(types)}")
    for name, value in record.items():
        if name not in types:
            raise BadInput(f"a {what} has no field {name!r:.80}: expected {', '.join(types)}")
        if not _fits(value, types[name]):
            raise BadInput(f"a {what}'s {name} is {value!r:.80}: expected {types[name]}")
    if lacking := [name for name in least if name not in record]:
        raise BadInput(f"a {what} lacks {lacking[0]!r}: expected at least {', '.join(least)}")
    return record


def _fits(value: object, kind: str) -> bool:
    """Whether a value of a JSON record is of a field's type."""
    if kind.startswith(("Mapping", "dict")):
        whole = kind.endswith("int]")
        return isinstance(value, dict) and all(
            type(amount) is int if whole else _number(amount) for amount in value.values()
        )
    if kind.startswith("tuple"):
        right = _number if "float" in kind else lambda part: isinstance(part, str)
        return isinstance(value, list) and all(map(right, value))
    if kind == "float":
        return _number(value)
    return type(value) is int if kind == "int" else isinstance(value, str)


def _number(value: object) -> bool:
    return type(value) in (int, float)


@dataclass(frozen=True)
class Step:
    """What is known of one step, over all processes."""

    number: int
    """Counted from 1, through all runs of the stage."""
    losses: dict[str, float]
    """Each named loss: its mean over all that the step's batches were to teach."""
    loss: float
    """Their weighted sum, which is what was learned from."""
    rate: float
    """The learning rate."""
    norm: float
    """The length of the gradient, before it was clipped."""
    tokens: int
    """All tokens of the step's batches."""
    tokens_per_second: float
    waited: float
    """The share of the time in which there was no data: the mean over the processes."""
    memory: int
    """Bytes of the device that were in use at most, so far; on a processor, of this process."""
    seconds: float
    """How long the step took, without the saving after it."""
    dropped: dict[str, int] = field(default_factory=dict)
    """How many samples were left out since the stage began, by reason."""

    def to_json(self) -> dict[str, Any]:
        """A record of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: object) -> Step:
        """What `to_json` wrote. Raises BadInput, which names the first field that is wrong."""
        return cls(**_checked("step", fields(cls), record))
