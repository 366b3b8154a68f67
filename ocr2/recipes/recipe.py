"""What a recipe is, and how it is run: data, weights and a stage are put together, and steps come out."""

from __future__ import annotations

import gc
import logging
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any

import torch

from ocr2.data.mixture import Mixture, Revisited, carried
from ocr2.errors import BadInput
from ocr2.got import checkpoint, onnx, pretrained
from ocr2.got.glyphs import Glyphs
from ocr2.got.loader import GROUP, Limits, Loader
from ocr2.got.model import GOT
from ocr2.ranks import Ranks
from ocr2.train import fit, weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ocr2.data.mixture import Source
    from ocr2.got.batch import Batch
    from ocr2.got.config import GOTConfig
    from ocr2.got.prompt import Tokenizer
    from ocr2.train import Stage, Step

_log = logging.getLogger(__name__)
KEPT = 5040
"""Samples in memory that come again, at least: as many more as it takes for each worker to have its own ones."""


@dataclass(frozen=True)
class Recipe:
    """One stage of training, with all that it needs."""

    stage: Stage
    config: GOTConfig
    sources: Callable[[Sequence[Path], Sequence[str], int], Mapping[str, Source]]
    """The sources of these names, from data folders, with a seed. Raises BadInput where one is not to be had."""
    budget: int
    """The most tokens of a batch, padding among them: what the memory of one device has room for."""
    rows: int | None = None
    """The most samples of a batch."""
    waiting: int = 512
    """The most views in memory that wait for others of their size: the more, the fuller are batches of rare sizes."""
    visits: int = 1
    """How often each sample comes, some thousand samples apart, once it is drawn: `augment` makes it new."""
    tokenizer: Callable[[], Tokenizer] | None = None
    """The tokenizer; else that of the weights to begin with, of those with the stage's decoder."""
    augment: Callable[[Batch, torch.Generator], Batch] | None = None
    glyphs: bool = False
    """Whether the model is taught by the places of signs, too, where samples have them."""
    portable: bool = False
    """Whether the model is written as ONNX graphs in 8 bits, too: what reads without torch."""

    def at_once(self, rows: int) -> Recipe:
        """The same with batches of other sizes, in samples and tokens, and as many more a step as they are smaller."""
        had, stage = self.rows or rows, self.stage
        if not stage.samples:
            stage = replace(stage, accumulate=ceil(stage.accumulate * had / rows))
        return replace(self, stage=stage, rows=rows, budget=max(self.budget * rows // had, stage.tokens))


def shares(stages: Sequence[Stage]) -> dict[str, float]:
    """Millions of samples of each source in the last of the stages: its own, and of those before (GOT §4.1)."""
    found: dict[str, float] = {}
    for stage in stages:
        found = carried(found, stage.data, stage.carry)
    return found


@dataclass(frozen=True)
class Run:
    """One call of `ocr2 train`."""

    recipes: Sequence[Recipe]
    number: int
    """The stage, from 1 on."""
    data: Sequence[Path]
    out: Path
    """Gets state.safetensors, from which a stopped run goes on, and model/ (or onnx/ too), which can be read with."""
    init: Sequence[Path] = ()
    """Folders with weights to begin with: models, and language models as their decoders; later ones count more."""
    device: str = "cpu"
    workers: int = 0
    """Processes that make and prepare samples, for each process that trains."""
    stop: Callable[[], bool] | None = None
    """Asked after every step: whether that was the last one for now."""

    def steps(self) -> Iterator[Step]:
        """Each step as it is done, with the model written at the end. Goes on where an earlier run stopped."""
        ranks, recipe = Ranks.join(self.device), self.recipe
        stage, samples = recipe.stage, self.samples()
        for name in ("model", "onnx"):
            checkpoint.check_replaceable(self.out / name)
        tokenizer, model = self.beginning()
        loader = Loader(
            samples,
            tokenizer,
            model.config,
            Limits(stage.tokens, recipe.budget, recipe.rows, recipe.waiting),
            workers=self.workers,
            rank=ranks.rank,
            world=ranks.world,
            pinned=ranks.device.type == "cuda",
        )
        config, about = model.config, self.about(model)
        if recipe.glyphs:
            with torch.random.fork_rng([]):
                torch.manual_seed(stage.seed)
                model.glyphs = Glyphs(config)
        model.to(ranks.device)
        steps = fit(model, loader, stage, self.out, augment=recipe.augment, stop=self.stop, about=about)
        with closing(steps):
            yield from steps
        del model, steps
        gc.collect()  # optimizers refer to themselves, and there is to be room for what is written
        if ranks.rank == 0:
            self.write(tokenizer, config)

    def about(self, model: GOT) -> dict[str, Any]:
        """What must be the same, beside the stage, when the run goes on."""
        recipe = self.recipe
        limits = {"budget": recipe.budget, "rows": recipe.rows, "waiting": recipe.waiting, "visits": recipe.visits}
        init = [checkpoint.fingerprint(folder) for folder in self.folders]
        return {"model": model.config.to_json(), "init": init, **limits}

    @cached_property
    def folders(self) -> list[Path]:
        """Those of --init, downloaded if need be. Raises BadCheckpoint, ModelMissing."""
        return [checkpoint.find(folder) for folder in self.init]

    @property
    def recipe(self) -> Recipe:
        """The stage's. Raises BadInput for a number that no stage has."""
        if not 0 < self.number <= len(self.recipes):
            raise BadInput(f"stage {self.number}: this recipe has stages 1 to {len(self.recipes)}")
        return self.recipes[self.number - 1]

    def samples(self) -> Source:
        """The stage's data: its sources, mixed by their weights."""
        recipe, seed = self.recipe, self.recipe.stage.seed
        data = shares([recipe.stage for recipe in self.recipes[: self.number]])
        sources = recipe.sources(self.data, list(data), seed)
        mixture = Mixture({name: (sources[name], weight) for name, weight in data.items()}, seed)
        if recipe.visits == 1:
            return mixture
        turn = GROUP * max(self.workers, 1) * Ranks.join(self.device).world
        return Revisited(mixture, ceil(KEPT / turn) * turn, recipe.visits)

    def beginning(self) -> tuple[Tokenizer, GOT]:
        """The tokenizer, and the model with the weights to begin with.

        Raises BadInput where the weights lack a part that doesn't learn, or the decoder that the tokenizer is for.
        """
        recipe = self.recipe
        with torch.random.fork_rng([]):
            torch.manual_seed(recipe.stage.seed)
            model = GOT(recipe.config)
        tokenizer = recipe.tokenizer() if recipe.tokenizer else None
        names = {name for name, _ in model.named_parameters()}
        random = set(names)
        for folder in self.folders:
            filled = names - _left(model, folder)
            random -= filled
            learned = {name for name in filled if name.startswith("decoder.")}
            if learned and "decoder.embed.weight" not in filled:
                raise BadInput(
                    f"{folder} has another vocabulary than this recipe's, as fine-tuned models with new characters "
                    "have: give the model that was fine-tuned, or go on with ocr2 train finetune"
                )
            _log.info("%s fills %d parameters, %d are random", folder, len(filled), len(random))
            if recipe.tokenizer is None and learned:
                tokenizer = pretrained.tokenizer(folder)
        if tokenizer is None:
            raise BadInput(
                f"stage {self.number} takes its decoder and tokenizer from --init, and none given has them: give the "
                "folder of a language model, or of a model that was trained with this stage's decoder"
            )
        if still := [part for part in recipe.stage.frozen if any(name.startswith(f"{part}.") for name in random)]:
            raise BadInput(f"stage {self.number} keeps the {still[0]} as it is, and no --init has one: give a model")
        if tokenizer.size > recipe.config.decoder.vocabulary:
            raise BadInput(
                f"the tokenizer has {tokenizer.size} entries and the decoder {recipe.config.decoder.vocabulary}: give "
                "the --init that belongs to this stage"
            )
        model.config = replace(model.config, image_token=tokenizer.image)
        return tokenizer, model

    def write(self, tokenizer: Tokenizer, config: GOTConfig) -> None:
        """The model as it is now, to read with: in bf16, the mean of late steps where the stage keeps one."""
        model = self.learned(config)
        if self.recipe.portable:
            onnx.export(model, self.out / "onnx", tokenizer)
        checkpoint.save(model.bfloat16(), self.out / "model", tokenizer)

    def learned(self, config: GOTConfig) -> GOT:
        """The model as it is saved."""
        model = GOT(config)
        model.glyphs = Glyphs(config) if self.recipe.glyphs else None
        weights(self.out, model)
        model.glyphs = None
        return model


def _left(model: GOT, folder: Path) -> set[str]:
    """Copies what a folder has of the model's parameters; the names of those that it hasn't."""
    if pretrained.kind(folder):
        pretrained.fill(model, folder)
        return {name for name, _ in model.named_parameters() if not name.startswith("decoder.")}
    return set(checkpoint.carry(checkpoint.load(folder), model))
