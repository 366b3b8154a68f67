"""A model's name, folder or hub id goes in, an Engine comes out: on onnxruntime if it was exported, else on torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ocr2.errors import BadCheckpoint, BadInput, ModelMissing
from ocr2.got.engine import Engine
from ocr2.got.onnx import OnnxRunner, described, is_exported
from ocr2.got.prompt import Tokenizer

if TYPE_CHECKING:
    from ocr2.got.config import GOTConfig

NAMES = ("nano",)
"""The models known by name: GOT-nano, if this build of the package has its weights."""
WEIGHTS = Path(__file__).parent.parent / "weights"
"""The folders of the models that the package ships, by their names."""
ROWS_CPU, ROWS_CUDA = 4, 128
"""Pages in flight. On a processor four cost little more than one, more save nothing; a GPU is idle with fewer."""
CACHE_CPU = 3 << 30
"""Bytes of keys and values on a processor, if answers grow as long: four of 4,096 tokens in GOT's shape. On a GPU it is
half of what the weights leave."""
VIEW = 1 << 30
"""Bytes of a GPU's room for each view that is encoded at once."""


def is_got(model: str) -> bool:
    """Whether that is a GOT model's name or folder, or could be its hub id."""
    if model in NAMES:
        return True
    folder = Path(model)
    if not folder.exists():
        return (
            model.count("/") == 1 and not model.startswith((".", "/", "~")) and model[-1] != "/" and "\\" not in model
        )
    if is_exported(folder):
        return True
    try:
        record = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return any(path.suffix in (".safetensors", ".bin", ".pt", ".pth", ".ckpt") for path in folder.glob("*"))
    return isinstance(record, dict) and ("model_type" in record or "format" in record)


def load(
    model: str,
    threads: int | None = None,
    precision: str | None = None,
    device: str | None = None,
    *,
    weights: Path = WEIGHTS,
) -> Engine:
    """The engine for a model. By default on a GPU if there is one, in the precision that is fastest there.

    An exported folder is read on the processor, in the precision that it has. Raises BadCheckpoint where that isn't a
    model, ModelMissing where it, torch or the hub is, BadInput for a device or precision that can't be had, or has no
    room for it. `weights` has the models that are known by name.
    """
    model = str(named(model, weights)) if model in NAMES else model
    if found := described(Path(model)):
        return _exported(Path(model), *found, threads, precision, device)
    return _on_torch(model, threads, precision, device)


def is_shipped(model: str, weights: Path = WEIGHTS) -> bool:
    """Whether this build of the package has weights for a model that is known by name."""
    return (weights / model / "config.json").is_file()


def named(model: str, weights: Path = WEIGHTS) -> Path:
    """The folder of a model that the package ships. Raises ModelMissing where this build has no weights for it."""
    folder = weights / model
    if not is_shipped(model, weights):
        raise ModelMissing(
            f"--model {model}: this build of ocr2 has no weights for it: read with --model ppocr, or train it: "
            f"ocr2 train {model} --data CORPORA --out OUT writes OUT/onnx, which is read with --model OUT/onnx"
        )
    return folder


def _exported(
    folder: Path, config: GOTConfig, exported: str, threads: int | None, precision: str | None, device: str | None
) -> Engine:
    """The engine for graphs on onnxruntime; `exported` is the precision that they are in."""
    if precision not in (None, exported):
        raise BadInput(
            f"{folder} is exported in {exported}, and --precision is {precision}: leave that out, or export the model "
            "in that precision"
        )
    if device not in (None, "cpu"):
        raise BadInput(
            f"{folder} is exported for processors, and --device is {device}: leave that out, or give the folder of "
            "the model that it was exported from"
        )
    tokenizer = Tokenizer.load(folder)
    check(tokenizer, config, folder)
    return Engine(OnnxRunner(folder, config, threads), tokenizer, config, ROWS_CPU, _budget(config, 4, CACHE_CPU))


def _on_torch(model: str, threads: int | None, precision: str | None, device: str | None) -> Engine:
    """The engine for weights of any layout."""
    try:
        import tokenizers  # noqa: F401  for Tokenizer.load
        import torch

        from ocr2.got import checkpoint
        from ocr2.got import precision as precisions
        from ocr2.got.runner import TorchRunner
    except ModuleNotFoundError as error:
        raise ModelMissing(f"--model {model} needs the package {error.name}: pip install 'ocr2[got]'") from error
    if precision is not None:
        precisions.check(precision)
    if threads:
        torch.set_num_threads(threads)
    try:
        where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=where, dtype=torch.float64).item()  # some have no memory, or no such numbers
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"device {device!r} can't be used ({reason:.200}): expected cpu, or cuda where it is") from error
    folder = checkpoint.find(model)
    tokenizer = Tokenizer.load(folder)
    try:
        network = checkpoint.load(folder)
        check(tokenizer, network.config, folder)
        network = precisions.converted(network.to(where), precision or precisions.fastest(where))  # type: ignore[arg-type]
    except (MemoryError, RuntimeError) as error:  # torch's, without a type of its own on processors
        reason = str(error).splitlines()[0]
        raise BadInput(
            f"{folder} can't be loaded on {where} ({reason:.200}): free memory there, or choose another device or "
            "fewer bits"
        ) from error
    room = torch.cuda.mem_get_info(where)[0] if where.type == "cuda" else 0
    runner = TorchRunner(network, max(1, min(room // VIEW, 16)))
    rows = ROWS_CUDA if room else ROWS_CPU
    budget = _budget(network.config, runner.example.element_size(), room // 2 or CACHE_CPU)
    return Engine(runner, tokenizer, network.config, rows, budget)


def check(tokenizer: Tokenizer, config: GOTConfig, folder: Path) -> None:
    """Raises BadCheckpoint for a tokenizer of another model: it would make nonsense of every prompt."""
    if tokenizer.image != config.image_token:
        raise BadCheckpoint(
            f"{folder}: <imgpad> is token {tokenizer.image} of the tokenizer and {config.image_token} of the model: "
            "take the tokenizer that came with the model"
        )
    if tokenizer.size > config.decoder.vocabulary:
        raise BadCheckpoint(
            f"{folder}: the tokenizer has {tokenizer.size} tokens, the model {config.decoder.vocabulary}: "
            "take the tokenizer that came with the model"
        )


def _budget(config: GOTConfig, size: int, room: int) -> int:
    """How many tokens' keys and values there is room for, in numbers of `size` bytes, and at least one sequence's."""
    decoder = config.decoder
    token = 2 * decoder.layers * decoder.kv_heads * decoder.width // decoder.heads * size
    return max(room // token, config.context)
