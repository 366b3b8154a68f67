"""The state of a run of training on disk: one safetensors file, written whole or not at all, read number for number.

Weights, their means, the optimizer's means of the gradient ("first") and of its square ("second"), each by the name of
its parameter; in the file's metadata the stage, what else the run is about, the step, and where each process stood in
its data. Of random numbers there is nothing to keep: those of a step are drawn from the stage's seed and the number of
the step. Beside it is a file that is locked for as long as the run goes on.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections import deque
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import SafetensorError, safe_open

from ocr2 import files
from ocr2.errors import BadCheckpoint, BadInput, BadOutput, OcrError
from ocr2.ranks import full

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor, nn

    from ocr2.ranks import Ranks
    from ocr2.stage import Stage

STATE = "state.safetensors"
LOCK = ".lock"
WEIGHTS, EMA, FIRST, SECOND = "weights/", "ema/", "first/", "second/"
"""What the names of tensors begin with, by what they are."""

_log = logging.getLogger(__name__)
_KEY = "ocr2"
_MAY_CHANGE = ("every",)
"""The fields of a stage that don't change what comes out of it."""
_SAID = 200
"""The longest value that an error tells."""
_PART = re.compile(r"\.[0-9a-f]{16}\.part")
_DTYPES = {
    **{torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"},
    **{torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8"},
    torch.bool: "BOOL",
}


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    step: int
    """The last one that was done."""
    stage: dict[str, Any]
    """As Stage.to_json has it."""
    positions: list[Any]
    """Where in its data each process stood after that step."""
    about: dict[str, Any] = field(default_factory=dict)
    """What else must be the same when it is resumed."""


@dataclass(frozen=True)
class Folder:
    """Where a run keeps its state."""

    path: Path
    """The file."""
    stage: Stage
    about: dict[str, Any]
    """What else must be the same when the run is resumed."""
    ranks: Ranks

    def save(self, tensors: Mapping[str, Tensor], step: int, position: Any) -> None:
        """Writes the file, from the first process; one tensor at a time is gathered from all. Raises BadOutput in all.

        `position` is where this process stands in its data.
        """
        progress = Progress(step, self.stage.to_json(), self.ranks.gather(position), self.about)
        ordered = dict(sorted(tensors.items(), key=lambda item: -item[1].element_size()))  # so that each begins aligned
        gathered = (full(tensor) for tensor in ordered.values())
        error = None
        if self.ranks.rank == 0:
            try:
                _write(self.path, _header(ordered, progress), gathered)
            except OcrError as failed:
                error = failed
        deque(gathered, maxlen=0)  # what is left to do, after an error or in the other processes, is to take part
        self.ranks.agree(error)

    def restore(self, tensors: Mapping[str, Tensor]) -> Progress | None:
        """Fills the tensors as they were saved; None where nothing was. The first process reads, for all.

        Raises BadCheckpoint, in all processes, for a file that is damaged or of another run. Then the tensors have not
        been touched, unless the damage is among their numbers.
        """
        found, error = None, None
        if self.ranks.rank == 0 and os.path.exists(self.path):
            try:
                with _reading(self.path) as file:
                    found = _progress(self.path, file)
                    self._check(found)
                    _check_names(self.path, file, tensors)
            except BadCheckpoint as failed:
                error = failed
        self.ranks.agree(error)
        found = self.ranks.gather(found)[0]
        if found:
            _fill(self.path, tensors, self.ranks)
        return found

    def _check(self, found: Progress) -> None:
        """Raises BadCheckpoint, naming the first difference, where that is another run's."""
        anew = f"to start anew from its weights, give another --out and --init {self.path.parent / 'model'}"
        there, here = (
            {name: each[name] for name in each if name not in _MAY_CHANGE}
            for each in (found.stage, self.stage.to_json())
        )
        if first := _difference(there, here, "stage") or _difference(found.about, self.about):
            raise BadCheckpoint(
                f"{self.path} is of a run that differs from this one in {first}: to go on, give what it was; {anew}"
            )
        if len(found.positions) != self.ranks.world:
            raise BadCheckpoint(
                f"{self.path} is of {len(found.positions)} processes, and this is {self.ranks.world}: to go on, start "
                f"as many; {anew}"
            )


@contextmanager
def opened(out: str | Path, stage: Stage, about: Mapping[str, Any] | None, ranks: Ranks) -> Iterator[Folder]:
    """The folder of a run, which no other run can open meanwhile. What a killed run had half written goes.

    Raises BadOutput where it can't be made or is in use, BadInput where `about` isn't what JSON has.
    """
    try:
        plain = json.loads(json.dumps(dict(about or {}), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as failed:
        raise BadInput(f"about={about!r:.200} ({failed}): expected plain values, as JSON has them") from failed
    path = Path(out) / STATE
    error: BadOutput | None = None
    with ExitStack() as stack:
        if ranks.rank == 0:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(_locked(path.parent))
                for left in path.parent.iterdir():
                    if _PART.fullmatch(left.name):
                        left.unlink(missing_ok=True)
            except OSError as failed:
                error = BadOutput(f"{out} can't be written ({failed.strerror}): expected a folder, or a place for one")
            except BadOutput as failed:
                error = failed
        ranks.agree(error)
        yield Folder(path, stage, plain, ranks)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Where no other process locks the folder; the system unlocks it when this one ends, however it does.

    Raises BadOutput where another does.
    """
    with open(folder / LOCK, "ab") as lock:
        if not files.locked(lock):
            raise BadOutput(
                f"{folder}: another run is using it: expected a folder for this run alone; wait until that one ends, "
                "stop it, or give another --out"
            )
        yield


def _difference(old: Any, new: Any, name: str = "") -> str:
    """The first difference of two plain values, as "data.lines: 1.0 → 2.0"; nothing where there is none."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            place = f"{name}.{key}" if name else key
            if key not in new or key not in old:
                known, other = ("nothing" if key not in each else _said(each[key]) for each in (old, new))
                return f"{place}: {known} → {other}"
            if first := _difference(old[key], new[key], place):
                return first
        return ""
    return "" if old == new else f"{name}: {_said(old)} → {_said(new)}"


def _said(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SAID else text[: _SAID - 1] + "…"


def stored(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers that make up a model, each once."""
    tensors: dict[str, Tensor] = {name: parameter.detach() for name, parameter in model.named_parameters()}
    lasting = model.state_dict(keep_vars=True)
    return tensors | {name: buffer for name, buffer in model.named_buffers() if name in lasting}


def _write(path: Path, header: bytes, tensors: Iterable[Tensor]) -> None:
    with files.whole(path) as file:
        file.write(header)
        for tensor in tensors:
            file.write(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def _header(tensors: Mapping[str, Tensor], progress: Progress) -> bytes:
    """How a safetensors file begins: the length of a JSON object, and the object, which says where each tensor is."""
    header: dict[str, Any] = {"__metadata__": {_KEY: json.dumps(asdict(progress))}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _fill(path: Path, tensors: Mapping[str, Tensor], ranks: Ranks) -> None:
    error = None
    for name, target in tensors.items():
        source = torch.zeros(target.shape, dtype=target.dtype)
        if ranks.rank == 0 and error is None:
            try:
                with _reading(path) as file:
                    source = _tensor(path, file, name)
            except BadCheckpoint as failed:
                error = failed  # raised when all processes have come as far
        ranks.copy(source, target)
    ranks.agree(error)


def weights(out: str | Path, model: nn.Module, *, ema: bool = True) -> Progress:
    """Puts a run's weights into a model, in this process alone: their means if the stage has any and `ema` is set.

    `out` is the folder of the run, or its state file. Parameters that didn't learn have no means; they and buffers come
    as they are. How far the run had come is what is returned. Raises BadCheckpoint where it isn't this model's run.
    """
    path = Path(out) / STATE if os.path.isdir(out) else Path(out)
    ours = {WEIGHTS + name: tensor for name, tensor in stored(model).items()}
    with torch.no_grad(), _reading(path) as file:
        progress = _progress(path, file)
        names = set(file.keys())
        _check_names(path, file, ours, {name for name in names if name.startswith(WEIGHTS)})
        for name, target in ours.items():
            mean = EMA + name.removeprefix(WEIGHTS)
            target.copy_(_tensor(path, file, mean if ema and mean in names else name))
    return progress


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError as error:
        raise BadCheckpoint(f"{path} doesn't exist: expected the state of a run of training") from error
    except (OSError, SafetensorError) as error:
        raise BadCheckpoint(
            f"{path} can't be read ({error}): expected the state of a run of training, undamaged; copy it again, or "
            "remove it to start anew"
        ) from error


def _tensor(path: Path, file: Any, name: str) -> Tensor:
    """A tensor of the file. Raises BadCheckpoint where it has numbers that are none: training never saves such."""
    tensor = cast("Tensor", file.get_tensor(name))
    if tensor.is_floating_point() and tensor.numel() and not all(torch.stack(tensor.aminmax()).isfinite()):
        raise BadCheckpoint(f"{path}: {name} has infinite or undefined numbers: expected finite ones; copy it again")
    return tensor


def _progress(path: Path, file: Any) -> Progress:
    """What the metadata says. Raises BadCheckpoint where it says nothing of a run."""
    with suppress(ValueError, TypeError, RecursionError):
        progress = Progress(**json.loads((file.metadata() or {}).get(_KEY, "{}")))
        kinds = (type(progress.step), type(progress.stage), type(progress.positions), type(progress.about))
        if kinds == (int, dict, list, dict) and progress.step > 0:
            return progress
    raise BadCheckpoint(f"{path} isn't the state of a run of training: expected a file that ocr2 train wrote")


def _check_names(path: Path, file: Any, tensors: Mapping[str, Tensor], names: set[str] | None = None) -> None:
    """Raises BadCheckpoint, naming the first difference, where the file has other tensors than the model calls for."""
    names = set(file.keys()) if names is None else names
    for name, tensor in tensors.items():
        if name not in names:
            raise BadCheckpoint(f"{path} has no {name}, which this model has: expected the state of this very model")
        part = file.get_slice(name)
        there, here = (tuple(part.get_shape()), part.get_dtype()), (tuple(tensor.shape), _DTYPES[tensor.dtype])
        if there[0] != here[0] or (there[1] != here[1] and not tensor.is_floating_point()):
            raise BadCheckpoint(
                f"{path}: {name} is {there[1]} {there[0]}, and this model's is {here[1]} {here[0]}: expected the state "
                "of this very model"
            )
    if left := sorted(names - set(tensors)):
        raise BadCheckpoint(f"{path} has {left[0]}, which this model hasn't: expected the state of this very model")
