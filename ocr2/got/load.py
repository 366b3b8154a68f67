"""A model folder or hub id goes in, an Engine on torch comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ocr2.errors import BadCheckpoint, BadInput, ModelMissing
from ocr2.got.engine import Engine

if TYPE_CHECKING:
    import torch

    from ocr2.got.config import GOTConfig
    from ocr2.got.model import GOT
    from ocr2.got.prompt import Tokenizer

ROWS_CPU, ROWS_CUDA = 4, 128
"""Pages in flight. On a processor four cost little more than one, more save nothing; a GPU is idle with fewer."""
CACHE_CPU = 3 << 30
"""Bytes of keys and values on a processor, if answers grow as long: four of 4,096 tokens in GOT's shape. On a GPU it is
half of what the weights leave."""
VIEW = 1 << 30
"""Bytes of a GPU's room for each view that is encoded at once."""


def is_got(model: str) -> bool:
    """Whether that is a GOT model's folder, or could be its hub id."""
    folder = Path(model)
    if not folder.exists():
        return model.count("/") == 1 and not model.startswith((".", "/", "~")) and "\\" not in model
    try:
        record = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return any(path.suffix in (".safetensors", ".bin", ".pt", ".pth", ".ckpt") for path in folder.glob("*"))
    return isinstance(record, dict) and ("model_type" in record or "format" in record)


def load(model: str, threads: int | None = None, precision: str | None = None, device: str | None = None) -> Engine:
    """The engine for a model. By default on a GPU if there is one, in the precision that is fastest there.

    Raises BadCheckpoint where that isn't a model, ModelMissing where torch or the hub is, BadInput for a device or
    precision that this machine can't run.
    """
    try:
        import tokenizers  # noqa: F401  for Tokenizer.load
        import torch

        from ocr2.got import checkpoint
        from ocr2.got import precision as precisions
        from ocr2.got.prompt import Tokenizer
        from ocr2.got.runner import TorchRunner
    except ModuleNotFoundError as error:
        raise ModelMissing(f"--model {model} needs the package {error.name}: pip install 'ocr2[got]'") from error
    if precision is not None:
        precisions.check(precision)
    if threads:
        torch.set_num_threads(threads)
    try:
        where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=where).item()  # there are devices without memory
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"device {device!r} can't be used ({reason:.200}): expected cpu, or cuda where it is") from error
    folder = checkpoint.find(model)
    tokenizer = Tokenizer.load(folder)
    network = checkpoint.load(folder)
    _check(tokenizer, network.config, folder)
    network = precisions.converted(network.to(where), precision or precisions.fastest(where))  # type: ignore[arg-type]
    room = torch.cuda.mem_get_info(where)[0] if where.type == "cuda" else 0
    runner = TorchRunner(network, max(1, min(room // VIEW, 16)))
    rows = ROWS_CUDA if room else ROWS_CPU
    return Engine(runner, tokenizer, network.config, rows, _budget(network, runner.example, room // 2 or CACHE_CPU))


def _check(tokenizer: Tokenizer, config: GOTConfig, folder: Path) -> None:
    """A tokenizer of another model would make nonsense of every prompt."""
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


def _budget(model: GOT, example: torch.Tensor, room: int) -> int:
    """How many tokens' keys and values there is room for, and at least one sequence's."""
    decoder = model.config.decoder
    token = 2 * decoder.layers * decoder.kv_heads * decoder.width // decoder.heads * example.element_size()
    return max(room // token, model.config.context)
