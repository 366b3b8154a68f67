"""Models on disk: a folder or a hub's id goes in, a GOT comes out; and the way back.

A folder holds config.json, the weights as model.safetensors (or in shards, with model.safetensors.index.json) and the
tokenizer. Besides our own layout, those of `layouts` are read. Nothing is unpickled, and no code is run.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ocr2.errors import BadCheckpoint, BadOutput, ModelMissing
from ocr2.got import layouts
from ocr2.got.model import GOT, MEAN, STD, changed
from ocr2.got.model import carry as carry  # so that a model is loaded and carried on by one module
from ocr2.got.onnx import FORMAT
from ocr2.got.prompt import END, PAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocr2.got.config import GOTConfig
    from ocr2.got.layouts import Layout
    from ocr2.got.prompt import Tokenizer

SHARD = 2 * 10**9
"""Weights of more bytes than this are split into several files."""

_CONFIG, _WEIGHTS, _INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
_EXPECTED = f"expected a folder with {_CONFIG} and {_WEIGHTS}, or a hub's id such as stepfun-ai/GOT-OCR2_0"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_OURS = re.compile(
    r"(config|generation_config|preprocessor_config|tokenizer|tokenizer_config)\.json"
    r"|model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json|(encoder|decoder)\.onnx"
)
"""The files that are written into a model's folder."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_PATIENCE = 8.0
"""Seconds to wait for the hub's first answer."""


def load(
    model: str | Path,
    *,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> GOT:
    """The model in a folder, or of that id on the hub, ready to read; its numbers as stored if no `dtype` is given.

    Never takes more memory than the model and one of its tensors. Raises BadCheckpoint where it isn't a whole model,
    ModelMissing where it can't be fetched.
    """
    folder = find(model)
    record = read_json(folder / _CONFIG)
    layout = _layout(record, folder / _CONFIG)
    tensors = {layouts.plain(layout, name): where for name, where in stored(folder).items()}
    try:
        config = layouts.described(layout, record, {name: where.shape for name, where in tensors.items()})
    except BadCheckpoint as error:
        raise BadCheckpoint(f"{folder / _CONFIG}: {error}") from error
    got = _unfilled(config, folder / _CONFIG, len(tensors))
    placed = _placed(got, layout, tensors, folder)
    dtype = dtype or _FLOATS[placed["connector.bias"][0].dtype]
    with torch.no_grad():
        for ours, parts in placed.items():
            values = torch.empty(got.get_parameter(ours).shape, dtype=dtype, device=device)
            for where, part in zip(parts, values.split([where.shape[0] for where in parts]), strict=True):
                where.read(part)
            owner, _, leaf = ours.rpartition(".")
            setattr(got.get_submodule(owner), leaf, nn.Parameter(values))
        got.decoder.tie()
        if layouts.HEAD in tensors:
            _check_tied(tensors[layouts.HEAD], got.decoder.embed.weight)
    return got.eval()


def _layout(record: dict[str, Any], path: Path) -> Layout:
    if record.get("format") == "ocr2":
        return "ocr2"
    kind = record.get("model_type")
    if not isinstance(kind, str) or kind not in layouts.KINDS:
        raise BadCheckpoint(f"{path} is of model_type {kind!r:.80}: expected {', '.join(layouts.KINDS)} or format ocr2")
    return layouts.KINDS[kind]


def _unfilled(config: GOTConfig, path: Path, tensors: int) -> GOT:
    """The network without any numbers: it takes no memory and no time."""
    if config.encoder.layers + config.decoder.layers + config.decoder.ahead > tensors:
        layers = f"{config.encoder.layers} + {config.decoder.layers + config.decoder.ahead} layers"
        raise BadCheckpoint(f"{path} has {layers}, and the weights {tensors} tensors: expected some for each layer")
    try:
        with torch.device("meta"):
            return GOT(config)
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise BadCheckpoint(f"{path} describes no network ({reason:.200}): expected GOT's sizes") from error


def _placed(got: GOT, layout: Layout, stored: dict[str, _Stored], folder: Path) -> dict[str, list[_Stored]]:
    """The tensors that each parameter is stored as. Raises BadCheckpoint if one lacks, doesn't fit, or is left over."""
    placed, left = {}, stored.copy()
    left.pop(layouts.HEAD, None)
    for ours, like in got.named_parameters():
        parts = layouts.parts(layout, got.config, ours)
        for name in parts:
            if name not in left:
                raise BadCheckpoint(f"{folder} lacks tensor {name}, which {_CONFIG} calls for: copy it again")
        placed[ours] = [
            left.pop(name).fitting((like.shape[0] if rows is None else rows, *like.shape[1:]))
            for name, rows in parts.items()
        ]
    for where in left.values():
        raise BadCheckpoint(f"{where} is none of GOT's ({len(left)} such): expected the weights of {_CONFIG} only")
    return placed


def _check_tied(where: _Stored, embedding: Tensor) -> None:
    where.fitting(tuple(embedding.shape)).read(head := torch.empty_like(embedding))
    if not torch.equal(head, embedding):
        raise BadCheckpoint(f"{where} isn't the embedding: expected a decoder with tied embeddings, as GOT's is")


@dataclass(frozen=True)
class _Stored:
    """A tensor in a file."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.path}: tensor {self.name}"

    def fitting(self, shape: tuple[int, ...]) -> _Stored:
        """The same, of that shape. Raises BadCheckpoint where it has another, or no floating numbers."""
        if self.shape not in (shape, (1, *shape)):  # the published position embeddings are those of a batch of one
            raise BadCheckpoint(f"{self} is {self.shape}: expected {shape}, as {_CONFIG} says")
        if self.dtype not in _FLOATS:
            raise BadCheckpoint(f"{self} holds {self.dtype}: expected {', '.join(_FLOATS)}; convert it")
        return replace(self, shape=shape)

    def read(self, target: Tensor) -> None:
        """Copies it into `target`. Raises BadCheckpoint where it has numbers that are none."""
        with _reading(self.path), safe_open(self.path, framework="pt") as file:  # anew: what was read is let go
            target.copy_(file.get_tensor(self.name).view(self.shape))
        if not all(math.isfinite(end) for end in torch.stack(torch.aminmax(target)).tolist()):
            raise BadCheckpoint(f"{self} has infinite or undefined numbers: expected finite ones; copy it again")


def stored(folder: Path) -> dict[str, _Stored]:
    """Where each tensor of a folder is, by the name it is stored under. Raises BadCheckpoint."""
    found = {}
    for path in _files(folder):
        with _reading(path), safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  it is no dict
                part = file.get_slice(name)
                found[name] = _Stored(path, name, tuple(part.get_shape()), part.get_dtype())
    return found


def _files(folder: Path) -> list[Path]:
    """The files of a folder's weights."""
    if (folder / _WEIGHTS).exists():
        return [folder / _WEIGHTS]
    if not (folder / _INDEX).exists():
        _refuse_pickles(folder)
        raise BadCheckpoint(f"{folder} has no {_WEIGHTS} and no {_INDEX}: copy or download it again")
    places = read_json(folder / _INDEX).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise BadCheckpoint(f"{folder / _INDEX} has no weight_map: expected the file of each tensor; copy it again")
    names = sorted({str(name) for name in places.values()})
    for name in names:
        if not re.fullmatch(r"[\w-][\w.-]*\.safetensors", name):
            raise BadCheckpoint(f"{folder / _INDEX} names {name!r:.200}: expected safetensors beside it, and no path")
        if not (folder / name).is_file():
            raise BadCheckpoint(f"{folder} lacks {name}, which {_INDEX} names: copy or download it again")
    return [folder / name for name in names]


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise BadCheckpoint(
            f"{path} can't be read ({error}): expected safetensors, undamaged; copy it again"
        ) from error


def _refuse_pickles(folder: Path) -> None:
    for path in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
        if path.suffix in _PICKLES:
            raise BadCheckpoint(
                f"{path} is a pickle, which may run any code when it is loaded: take the model's safetensors, or make "
                "some where you trust the pickle, with "
                "safetensors.torch.save_file(torch.load(pickle, weights_only=True), 'model.safetensors')"
            )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises BadCheckpoint."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadCheckpoint(f"{path} can't be read as JSON ({error}): copy or download it again") from error
    if not isinstance(record, dict):
        raise BadCheckpoint(f"{path} is {record!r:.80}: expected an object; copy or download it again")
    return record


def find(model: str | Path) -> Path:
    """The folder of a model, downloaded if need be. Raises BadCheckpoint, ModelMissing."""
    folder = Path(model)
    if not folder.exists():
        if folder.name and _beside(folder, "old").is_dir():  # a save was killed between its last two steps
            return _beside(folder, "old")
        if not _NAME.fullmatch(str(model)):
            raise BadCheckpoint(f"{model} doesn't exist: {_EXPECTED}")
        return _downloaded(str(model))
    if not folder.is_dir():
        _refuse_pickles(folder)
        raise BadCheckpoint(f"{model} is a file: {_EXPECTED}")
    if not (folder / _CONFIG).exists():
        _refuse_pickles(folder)
        raise BadCheckpoint(f"{model} has no {_CONFIG}: {_EXPECTED}")
    return folder


def fingerprint(folder: Path) -> str:
    """Another one for other weights. Raises BadCheckpoint where they can't be read."""
    found = sha256()
    for path in _files(folder):  # not what else is there, a run that goes on in the same folder, say
        try:
            with open(path, "rb") as file:
                found.update(file_digest(file, "sha256").digest())
        except OSError as error:
            raise BadCheckpoint(f"{path} can't be read ({error.strerror}): copy it again") from error
    return found.hexdigest()[:16]


def _downloaded(name: str) -> Path:
    """The folder of a model on the hub: the one in the hub's cache, if it was downloaded before."""
    try:
        import huggingface_hub as hub
    except ImportError as error:
        raise ModelMissing(f"{name} is no folder here, and to download it takes: pip install 'ocr2[got]'") from error
    wanted = ["*.json", "*.safetensors", "*.tiktoken"]
    with suppress(OSError, ValueError, BadCheckpoint):
        cached = Path(hub.snapshot_download(name, allow_patterns=wanted, local_files_only=True))
        if (cached / _CONFIG).exists() and _files(cached):  # an interrupted download lacks some
            return cached
    try:
        hub.HfApi().model_info(name, timeout=_PATIENCE)  # the download itself would wait for an answer for ever
        return Path(hub.snapshot_download(name, allow_patterns=wanted))
    except Exception as error:  # each version of the package raises other libraries' errors
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelMissing(
            f"{name} is no folder here, and can't be downloaded from the hub ({reason:.200}): download it where there "
            f"is a network, with: hf download {name} --local-dir FOLDER; then give the folder"
        ) from error


def save(model: GOT, folder: str | Path, tokenizer: Tokenizer | None = None, *, shard: int = SHARD) -> None:
    """Writes a folder that `load` reads: whole, or not at all. Raises BadOutput where it can't.

    An older model of that name is replaced, with all of its folder; a folder of anything else is left as it is.
    """
    config = {"format": "ocr2", "version": layouts.VERSION, **model.config.to_json()}
    with _whole(Path(folder)) as part:
        _write(part, config, _state(model, "ocr2"), shard)
        if tokenizer:
            _write_tokenizer(part, tokenizer)


def export(model: GOT, folder: str | Path, tokenizer: Tokenizer | None = None, *, shard: int = SHARD) -> None:
    """Writes a folder that transformers' GotOcr2ForConditionalGeneration reads, and AutoProcessor given a tokenizer.

    It is written as `save` does. Raises BadOutput for a model that `transformers` has no class for.
    """
    config = layouts.exported(model.config) | {"dtype": str(model.connector.bias.dtype).removeprefix("torch.")}
    side = {"height": model.config.encoder.side, "width": model.config.encoder.side}
    colors = {"image_mean": MEAN, "image_std": STD, "do_convert_rgb": True, "do_normalize": True}
    views = {"do_resize": True, "resample": 3, "size": side, "do_rescale": True, "crop_to_patches": False, **colors}
    kinds = {"image_processor_type": "GotOcr2ImageProcessor", "processor_class": "GotOcr2Processor"}
    with _whole(Path(folder)) as part:
        _write(part, config, _state(model, "transformers"), shard)
        _write_json(part / "preprocessor_config.json", views | kinds)
        ends = {"eos_token_id": tokenizer.end, "pad_token_id": tokenizer.pad} if tokenizer else {}
        _write_json(part / "generation_config.json", {"do_sample": False, **ends})
        if tokenizer:
            _write_tokenizer(part, tokenizer)
            names = {"eos_token": END, "pad_token": PAD, "processor_class": "GotOcr2Processor", "padding_side": "left"}
            rest = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": model.config.context}
            _write_json(part / "tokenizer_config.json", names | rest)


def _state(model: GOT, layout: Layout) -> dict[str, Tensor]:
    """The tensors to store, by name; the embedding only once. They are views of the model's own."""
    if changed(model):
        raise BadOutput("the model was changed after it was made (int8, compiled): save the one it was made from")
    state: dict[str, Tensor] = {}
    for ours, values in model.named_parameters():
        parts = layouts.parts(layout, model.config, ours)
        rows = [len(values) if count is None else count for count in parts.values()]
        state.update(zip(parts, values.detach().split(rows), strict=True))
    if layout == "transformers":
        state["vision_tower.pos_embed"] = state["vision_tower.pos_embed"][None]
    return state


def _write(part: Path, config: dict[str, Any], state: dict[str, Tensor], shard: int) -> None:
    from safetensors.torch import save_file

    _write_json(part / _CONFIG, config)
    groups: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, values in state.items():
        size += values.nbytes
        if size > shard and groups[-1]:
            groups.append({})
            size = values.nbytes
        groups[-1][name] = values
    count = len(groups)
    names = [f"model-{n:05}-of-{count:05}.safetensors" for n in range(1, count + 1)] if count > 1 else [_WEIGHTS]
    for name, group in zip(names, groups, strict=True):
        save_file(group, part / name, {"format": "pt"})
        shutil.copymode(part / _CONFIG, part / name)  # or else its owner alone could read it
    if count > 1:
        total = {"total_size": sum(values.nbytes for values in state.values())}
        places = {name: file for file, group in zip(names, groups, strict=True) for name in group}
        _write_json(part / _INDEX, {"metadata": total, "weight_map": places})


def _write_json(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _write_tokenizer(part: Path, tokenizer: Tokenizer) -> None:
    try:
        tokenizer.save(part)
    except Exception as error:  # the library raises nothing narrower
        raise OSError(str(error)) from error


def _beside(folder: Path, kind: str) -> Path:
    return folder.with_name(f".{folder.name}.{kind}")


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A folder to write to, which takes the name `folder` once all of it is on disk; else everything is as it was."""
    folder = Path(os.path.realpath(folder))
    part, old = _beside(folder, "part"), _beside(folder, "old")
    try:
        check_replaceable(folder)
        if not folder.exists() and old.exists():  # a save was killed between its last two steps
            os.rename(old, folder)
        shutil.rmtree(part, ignore_errors=True)  # of a save that was killed
        part.mkdir(parents=True)
        yield part
        for path in part.iterdir():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.rename(folder, old)
        os.rename(part, folder)
    except (OSError, SafetensorError) as error:
        raise BadOutput(
            f"{folder} can't be written ({error}): expected a place for a folder that is writable and has space left"
        ) from error
    finally:
        if old.exists() and not folder.exists():
            os.rename(old, folder)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)


def check_replaceable(folder: Path) -> None:
    """Raises BadOutput where a folder is there and holds anything that isn't a model's: it would be gone."""
    try:
        names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise BadOutput(f"{folder} can't be written ({error.strerror}): expected a new folder, or a model's") from error
    foreign = [name for name in names if not _OURS.fullmatch(name)]
    if not foreign and names:
        try:
            record = read_json(folder / _CONFIG)
            if record.get("format") != FORMAT:
                _layout(record, folder / _CONFIG)
        except BadCheckpoint:
            foreign = names
    if foreign:
        raise BadOutput(f"{folder} holds {foreign[0]}: expected a new or empty folder, or an older model to replace")
