"""Published language models as decoders to begin with: OPT-125M in stage 1, Qwen-0.5B in stage 2 (GOT §3.2, §3.3).

A folder holds config.json of model_type "opt" or "qwen2", safetensors, and a tokenizer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from ocr2.errors import BadCheckpoint
from ocr2.got import checkpoint, layouts
from ocr2.got.config import OPTConfig
from ocr2.got.prompt import NEEDED, QWEN_SPECIAL, Tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from ocr2.got.model import GOT

KINDS = {"opt": list(NEEDED), "qwen2": list(QWEN_SPECIAL)}
"""The special tokens that GOT adds to the tokenizer of each, in their order."""
_OPT = {
    "decoder.embed.weight": "embed_tokens.weight",
    "decoder.positions.weight": "embed_positions.weight",
    "decoder.norm": "final_layer_norm",
    "decoder.layers.N.norm1": "layers.N.self_attn_layer_norm",
    "decoder.layers.N.attention.qkv": "layers.N.self_attn.q_proj layers.N.self_attn.k_proj layers.N.self_attn.v_proj",
    "decoder.layers.N.attention.out": "layers.N.self_attn.out_proj",
    "decoder.layers.N.norm2": "layers.N.final_layer_norm",
    "decoder.layers.N.up": "layers.N.fc1",
    "decoder.layers.N.down": "layers.N.fc2",
}
_TABLES = ("decoder.embed.weight", "decoder.positions.weight")
"""Their first rows are taken, as many as both have: special tokens and longer texts are learned anew."""


def kind(folder: Path) -> str | None:
    """Which language model a folder holds: one of KINDS, or None."""
    record = checkpoint.read_json(folder / "config.json")
    found = record.get("model_type")
    return found if isinstance(found, str) and found in KINDS else None


def fill(model: GOT, folder: Path) -> None:
    """Copies the weights in a folder into the model's decoder. Raises BadCheckpoint where they don't fit it."""
    expected = "opt" if isinstance(model.config.decoder, OPTConfig) else "qwen2"
    if (found := kind(folder)) != expected:
        raise BadCheckpoint(f"{folder} holds a model of type {found}: expected {expected}, as this stage's decoder is")
    stored = {re.sub(r"^(model\.)?(decoder\.)?", "", name): where for name, where in checkpoint.stored(folder).items()}
    with torch.no_grad():
        for ours, values in model.decoder.named_parameters(prefix="decoder"):
            parts = _parts(expected, model, ours)
            if missing := [name for name in parts if name not in stored]:
                raise BadCheckpoint(f"{folder} lacks tensor {missing[0]}: expected a whole {expected}; copy it again")
            if ours in _TABLES:
                where = stored[next(iter(parts))]
                table = torch.empty(where.shape[0], values.shape[1])
                where.fitting(tuple(table.shape)).read(table)
                rows = min(len(table), len(values))
                values[:rows] = table[:rows]
                continue
            sizes = [len(values) // len(parts) if rows is None else rows for rows in parts.values()]
            for name, part in zip(parts, values.split(sizes), strict=True):
                stored[name].fitting(tuple(part.shape)).read(part)


def _parts(expected: str, model: GOT, ours: str) -> dict[str, int | None]:
    """The tensors that a parameter is stored as, one below the other: their names and rows (None: as many each)."""
    if expected == "qwen2":
        return layouts.parts("release", model.config, ours)
    number = re.search(r"layers\.(\d+)", ours)
    stem, leaf = re.sub(r"layers\.\d+", "layers.N", ours), ""
    if stem not in _OPT:
        stem, _, leaf = stem.rpartition(".")
    names = [name + ("." + leaf if leaf else "") for name in _OPT[stem].split()]
    return dict.fromkeys(name.replace("N", number[1], 1) if number else name for name in names)


def tokenizer(folder: Path) -> Tokenizer:
    """The language model's tokenizer, with the special tokens that GOT's prompts need. Raises BadCheckpoint."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    found = kind(folder)
    if found is None or (folder / "qwen.tiktoken").exists():
        return Tokenizer.load(folder)
    try:
        if (folder / "tokenizer.json").exists():
            inner = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        else:
            inner = tokenizers.Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
            inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            inner.decoder = decoders.ByteLevel()
        inner.post_processor = None
    except Exception as error:  # the library raises nothing narrower
        raise BadCheckpoint(
            f"{folder} has no tokenizer that can be read ({error!s:.100}): expected tokenizer.json, or vocab.json and "
            "merges.txt; copy them again"
        ) from error
    inner.add_special_tokens(KINDS[found])
    return Tokenizer(inner)
