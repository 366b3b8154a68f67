"""A GOT model learns what its reader needs: a typeface, a hand, a notation, characters that it never saw.

    ocr2 train finetune --init MODEL --data mine.jsonl --out runs/mine                       the usual way
    ocr2 train finetune --init MODEL --data mine.jsonl --data general/ --lora --out runs/mine
    ocr2 train finetune --init MODEL --data scans/ --whole --out runs/mine
    ocr2 eval … --model runs/mine/model                                                      on pages held back

MODEL is a folder that `ocr2 read --model` takes, with weights: the published 580 M in any layout, GOT-nano, what a run
of `ocr2 train` made. Data are label files (GOT's JSON, ms-swift's JSON lines, PaddleOCR's), shards, and folders of
pictures with their texts; of several, each counts by its number of samples.

- By default connector and decoder learn, the encoder stays as it is (as in GOT's own third stage, §3.4): for new
  layouts, notations, languages and ways to answer. Each parameter that learns takes 16 bytes, one that stays 4: the
  580 M takes 8 GiB and what a batch needs, nano less than 1.
- With --lora small maps learn beside the decoder's, and the connector: the 580 M took 3.2 GiB with one short sample at
  a time. For a few hundred samples of what the model nearly reads already: what isn't among them is forgotten least.
- With --whole the encoder learns, too: for pictures unlike all that it saw, such as hands and scripts, and many of
  them. The 580 M takes 9 GiB and what a batch needs; by its arithmetic a step is up to twice as long.

Characters that are in the labels five times or more, and have no token of their own, get one; those in the file that
--characters names get one in any case. A run takes three passes over the data, and 200 steps at
least.
"""

from __future__ import annotations

import logging
import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from math import ceil
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import torch

from ocr2.data.formats import opened
from ocr2.data.mixture import Mixture
from ocr2.errors import BadInput, OcrError
from ocr2.got import checkpoint, lora
from ocr2.got.config import OPTConfig
from ocr2.got.extend import extended, grow, normal, spelled
from ocr2.got.load import NAMES, check, named
from ocr2.got.model import GOT
from ocr2.got.onnx import is_exported
from ocr2.got.precision import learns_in
from ocr2.got.prompt import Tokenizer
from ocr2.recipes.recipe import Recipe, Run
from ocr2.stage import Stage
from ocr2.train import weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ocr2.data.formats import Samples
    from ocr2.got.config import GOTConfig
    from ocr2.types import Source

Mode = Literal["decoder", "lora", "whole"]
FROZEN: dict[Mode, tuple[str, ...]] = {
    "decoder": ("encoder",),
    "lora": ("encoder", "decoder", "ahead"),
    "whole": (),
}
"""What stays as it is."""
PASSES, LEAST_STEPS = 3, 200
ROWS, TOGETHER = 4, 16
"""Samples at once, and of a step."""
BUDGET = 8192
"""Tokens of a batch at most, where the context isn't longer."""
WAITING = 128
"""Views in memory that wait for others of their size: a square one is 3 MiB."""
BIG = 100_000_000
"""Parameters of a model that gets no graphs, and keeps only the input of each layer for the way back."""
RATES: dict[Mode, tuple[float, float]] = {"decoder": (2e-5, 1e-3), "lora": (2e-4, 3e-3), "whole": (2e-5, 1e-3)}
"""The learning rate at the width of 1024 (the paper's third stage; adapters learn ten times as fast), and the highest:
narrow models learn faster."""
SEEN = 5
"""So often a character is in the labels that gets a token: rarer ones are better spelled as before."""
MOST = 20_000
"""New characters at most, the most frequent ones."""
LOOKED = 10_000
"""Samples of each --data at most whose characters are counted; those of all the others are estimated from them."""
LONGEST = 1 << 20
"""Bytes of a file of characters at most."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FineTuning(Run):
    """One call of `ocr2 train finetune`."""

    recipes: Sequence[Recipe] = ()
    number: int = 1
    mode: Mode = "decoder"
    characters: Path | None = None
    """A file whose characters get tokens."""
    asked: int | None = None
    """How many steps; else by the number of samples."""
    rows: int | None = None
    """The most samples at once."""
    seed: int = 0
    """Of the order of the samples, and of adapters."""

    @cached_property
    def folders(self) -> list[Path]:
        """That of the model to begin with. Raises BadInput where none is given, or that can't learn."""
        if len(self.init) != 1:
            given = f"{len(self.init)} are" if self.init else "none is"
            raise BadInput(
                f"finetune begins with one model, and {given} given: expected --init MODEL, a "
                "folder that ocr2 read --model takes"
            )
        name = str(self.init[0])
        folder = checkpoint.find(named(name) if name in NAMES else name)
        if is_exported(folder):
            raise BadInput(
                f"{folder} holds graphs, which read and can't learn: give the folder with the model's weights "
                "(model.safetensors), which ocr2 train writes as OUT/model"
            )
        if os.path.realpath(folder) == os.path.realpath(self.out / "model"):
            raise BadInput(f"{folder} is where the model that is made goes, and would be gone: give another --out")
        return [folder]

    @cached_property
    def sources(self) -> dict[str, Samples]:
        """The data, by number and name. Raises BadInput."""
        if not self.data:
            raise BadInput(
                "finetune has no data: expected --data FILE, with labels (GOT's JSON, ms-swift's JSON lines, "
                "PaddleOCR's text), or --data FOLDER, with shards or with pictures and their texts"
            )
        return {f"{number} {path.name}": opened(path) for number, path in enumerate(self.data, 1)}

    @cached_property
    def begun(self) -> Begun:
        """What the run begins with. Raises BadInput, BadCheckpoint."""
        (folder,), sources = self.folders, list(self.sources.values())
        model, before = checkpoint.load(folder, dtype=torch.float32), Tokenizer.load(folder)
        if isinstance(model.config.decoder, OPTConfig):
            raise BadInput(
                f"{folder} is of stage 1, whose decoder only teaches the encoder: give a model of stage 2 or 3"
            )
        check(before, model.config, folder)
        wanted = _characters(self.characters) if self.characters else ""
        tokenizer = extended(before, [*normal(before, wanted), *frequent(sources, before)])
        new = grow(model, before, tokenizer)
        _log.info("%d new characters: %s", len(new), tokenizer.decode(new))
        return Begun(tokenizer, model.config, sum(each.numel() for each in model.parameters()), new, model)

    @cached_property
    def recipe(self) -> Recipe:
        """The only stage's."""
        config, (rate, fastest) = self.begun.config, RATES[self.mode]
        rows = self.rows or ROWS
        samples = {name: len(source) for name, source in self.sources.items()}
        passed = ceil(PASSES * sum(samples.values()) / TOGETHER)
        stage = Stage(
            f"fine-tuning, {self.mode}",
            self.asked or max(LEAST_STEPS, passed),
            min(rate * (1024 / config.decoder.width) ** 2, fastest),
            warmup=0.05,
            decay=0.0 if self.mode == "lora" else 0.1,
            samples=TOGETHER,
            precision=learns_in(torch.device(self.device)),
            frozen=tuple(part for part in FROZEN[self.mode] if part != "ahead" or config.decoder.ahead),
            losses={"ahead": 0.5} if config.decoder.ahead else {},
            tokens=config.context,
            data={name: count / 1e6 for name, count in samples.items()},
            seed=self.seed,
        ).often_saved()
        portable = self.begun.size < BIG and config.encoder.positions == "rotary" and find_spec("onnx") is not None
        budget = max(BUDGET, config.context)
        return Recipe(stage, config, lambda *_: self.sources, budget, rows, WAITING, portable=portable)

    def samples(self) -> Source:
        """The data, mixed by the number of samples."""
        return Mixture({name: (source, len(source)) for name, source in self.sources.items()}, self.recipe.stage.seed)

    def beginning(self) -> tuple[Tokenizer, GOT]:
        """The tokenizer, and the model as it learns."""
        model = self.begun.take()
        if self.mode == "lora":
            with torch.random.fork_rng([]):
                torch.manual_seed(self.recipe.stage.seed)
                lora.adapt(model, self.begun.new)
        model.decoder.checkpointing = model.encoder.checkpointing = self.begun.size >= BIG
        return self.begun.tokenizer, model

    def about(self, model: GOT) -> dict[str, Any]:
        """Also the new characters."""
        new = self.begun.tokenizer.decode(self.begun.new)
        return super().about(model) | {"characters": new, "rank": lora.RANK}

    def learned(self, config: GOTConfig) -> GOT:
        """The model as it is saved, adapters merged."""
        if self.mode != "lora":
            return super().learned(config)
        model = GOT(config)
        lora.adapt(model, self.begun.new)
        weights(self.out, model)
        lora.merge(model)
        return model


@dataclass
class Begun:
    """What a run begins with, new characters among it."""

    tokenizer: Tokenizer
    config: GOTConfig
    size: int
    """How many parameters there are."""
    new: range
    """The numbers of the new tokens."""
    model: GOT | None

    def take(self) -> GOT:
        """The model, which is then nobody else's: there is one in memory."""
        model, self.model = self.model, None
        assert model, "a run begins once"
        return model


def frequent(sources: Iterable[Samples], tokenizer: Tokenizer) -> list[str]:
    """The characters of the labels that the tokenizer spells with several tokens, if they are there SEEN times."""
    counts = defaultdict[str, float](float)
    for source in sources:
        unseen = source.unseen()
        looked = sorted(Random(0).sample(range(len(unseen)), min(len(unseen), LOOKED)))
        found = Counter(char for index in looked for char in normal(tokenizer, _text(unseen, index)))
        for char, times in found.items():
            counts[char] += times * len(unseen) / len(looked)
    often = [char for char in spelled(tokenizer, counts) if counts[char] >= SEEN]
    return sorted(often, key=lambda char: -counts[char])[:MOST]


def _text(source: Samples, index: int) -> str:
    """The answer of a sample; none of one that can't be used."""
    try:
        return source[index].text
    except OcrError:  # which the loader counts
        return ""


def _characters(path: Path) -> str:
    """The characters in a file. Raises BadInput."""
    expected = "expected UTF-8 text, all of whose characters the model is to have"
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST + 1).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} can't be read ({error!s:.100}): {expected}") from error
    if len(text.encode()) > LONGEST or len({*text}) > MOST:
        raise BadInput(f"{path} is too long: {expected}, {MOST:,} at most; name each once")
    return text
