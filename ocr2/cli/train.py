"""`ocr2 train`: a stage of a recipe, with each step on the screen, in a file of JSON lines and in a picture."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from ocr2.errors import BadInput, ModelMissing, RendererMissing

if TYPE_CHECKING:
    from ocr2.recipes.learning import Run as Learning
    from ocr2.recipes.recipe import Run
    from ocr2.stage import Step

RECIPES = ("finetune", "nano", "paper", "ppocr", "tiny")


@click.command()
@click.argument("recipe", type=click.Choice(RECIPES))
@click.option("--stage", default="1", show_default=True, help="The recipe's stage; of ppocr its name, such as det.")
@click.option(
    "--data", multiple=True, type=Path, metavar="PATH", help="Texts, shards, labels; may be given several times."
)
@click.option(
    "--init",
    multiple=True,
    type=Path,
    metavar="PATH",
    help="A model to begin with; several, in their order. ppocrv2 is one.",
)
@click.option("--lora", is_flag=True, help="finetune: small maps beside the decoder's learn, which takes less memory.")
@click.option("--whole", is_flag=True, help="finetune: the encoder learns, too.")
@click.option("--characters", type=Path, metavar="FILE", help="finetune: characters that are to be tokens.")
@click.option("-o", "--out", required=True, type=Path, metavar="DIR", help="Gets the model, and all to go on from.")
@click.option("--steps", type=click.IntRange(1), help="How many; else as many as the recipe says.")
@click.option(
    "--rows", type=click.IntRange(1), help="The most samples at once, where memory is short; else the recipe's."
)
@click.option("--seed", type=click.IntRange(0), help="Another one than the recipe's: other samples, in another order.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Stop after so long, to go on another time.")
@click.option("--workers", type=click.IntRange(0), help="Processes that make samples; else one less than processors.")
@click.option("--device", metavar="cpu|cuda", help="Else a GPU if there is one.")
@click.option("--tensorboard", is_flag=True, help="Write what TensorBoard shows, too.")
def train(recipe: str, out: Path, minutes: float | None, tensorboard: bool, **asked: Any) -> None:
    """Train a model by a recipe: finetune (a GOT model on data of yours), nano (the embedded one), paper (GOT as
    published), tiny (GOT in minutes on a laptop), or ppocr (the networks of PP-OCRv2).

    \b
    ocr2 train finetune --init MODEL --data my.jsonl --out runs/mine
    ocr2 train tiny --out runs/tiny                     see it work
    ocr2 train nano --data corpora/ --out runs/1        stage 1: texts, drawn as they are needed
    ocr2 train nano --stage 2 --data corpora/ --init runs/1/model --out runs/2
    ocr2 train paper --stage 2 --data shards/ --init runs/1/model --init QWEN --out runs/2
    ocr2 train ppocr --stage rec --data labels/ --init ppocrv2 --out runs/rec
    torchrun --nproc-per-node 8 -m ocr2 train paper …   on several GPUs

    The same command goes on where a run stopped. OUT/model is what ocr2 read takes, steps.jsonl and loss.png show how
    the losses fell.
    """
    with _Stop(minutes) as stop:
        run = _run(recipe, stop, out=out, **asked)
        _follow(run, recipe if recipe == "finetune" else f"{recipe}, stage {run.number}", tensorboard)
    if stop.asked:
        click.echo(f"ocr2: stopped, and saved in {out}; the same command goes on", err=True)
        sys.exit(130)


class _Stop:
    """Whether a step is to be the last one: the time is over, or Ctrl-C was pressed or the process told to end."""

    def __init__(self, minutes: float | None) -> None:
        self.end = time.monotonic() + 60 * minutes if minutes else math.inf
        self.asked = False

    def __call__(self) -> bool:
        return self.asked or time.monotonic() >= self.end

    def __enter__(self) -> _Stop:
        self.before = {number: signal.signal(number, self.ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def ask(self, number: int, _: object) -> None:
        """The step that is on its way is finished and saved; asked again, the process ends as it is."""
        if self.asked:
            signal.default_int_handler(number, None)
        self.asked = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


def _run(
    recipe: str,
    stop: _Stop,
    *,
    stage: str,
    steps: int | None,
    rows: int | None,
    seed: int | None,
    workers: int | None,
    **asked: Any,
) -> Run | Learning:
    """The run that the options ask for. Raises ModelMissing without what it runs on."""
    asked["workers"] = _processors() - 1 if workers is None else workers
    tuning = _tuning(recipe, stage, **{name: asked.pop(name) for name in ("lora", "whole", "characters")})
    try:
        import torch

        from ocr2.recipes import learning, ppocr
        from ocr2.recipes.recipe import Run

        asked["device"] = asked["device"] or ("cuda" if torch.cuda.is_available() else "cpu")
        if recipe == "finetune":
            from ocr2.recipes import finetune

            return finetune.FineTuning(stop=stop, asked=steps, rows=rows, seed=seed or 0, **tuning, **asked)
        if recipe == "ppocr":
            return learning.Run(ppocr.recipe(stage, steps, rows, seed), stop=stop, **asked)
        recipes = import_module(f"ocr2.recipes.{recipe}").recipes()
    except ModuleNotFoundError as error:
        if str(error.name).startswith("ocr2"):
            raise
        raise ModelMissing(f"to train takes the package {error.name}: pip install 'ocr2[train]'") from error
    if not stage.isdecimal():
        raise BadInput(f"stage {stage!r}: this recipe has stages 1 to {len(recipes)}")
    changed = {name: value for name, value in (("steps", steps), ("seed", seed)) if value is not None}
    recipes = [replace(each, stage=replace(each.stage, **changed)) for each in recipes]
    recipes = [each.at_once(rows) if rows else each for each in recipes]
    return Run(recipes, int(stage), stop=stop, **asked)


def _tuning(recipe: str, stage: str, lora: bool, whole: bool, characters: Path | None) -> dict[str, Any]:
    """What is for fine-tuning alone. Raises BadInput where it is asked of another recipe, or contradicts itself."""
    given = {"--lora": lora, "--whole": whole, "--characters": characters}
    if recipe != "finetune" and (asked := [name for name, value in given.items() if value]):
        raise BadInput(f"{asked[0]} is for ocr2 train finetune: leave it out")
    if lora and whole:
        raise BadInput("--lora and --whole don't go together: small maps learn beside the decoder, or all of the model")
    if recipe == "finetune" and stage != "1":
        raise BadInput(f"--stage {stage}: finetune has one stage: leave it out")
    return {"mode": "lora" if lora else "whole" if whole else "decoder", "characters": characters}


def _processors() -> int:
    """Those of this process, shared with the others that train on this machine."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(here // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 2)


def _follow(run: Run | Learning, title: str, tensorboard: bool) -> None:
    """Takes all steps; the first process shows them."""
    from ocr2 import curves
    from ocr2.ranks import Ranks

    shown, last = Ranks.join(run.device).rank == 0, None
    often = 0.1 if sys.stderr.isatty() else 60.0  # seconds
    with ExitStack() as stack:
        logs: list[curves.StepLog | curves.TensorBoard] = []
        bar = stack.enter_context(tqdm(total=run.recipe.stage.steps, unit="step", disable=not shown, mininterval=often))
        for step in run.steps():
            if last is None and shown:
                logs = [stack.enter_context(curves.StepLog(run.out / "steps.jsonl"))]
                bar.initial = bar.n = step.number - 1
            if last is None and shown and tensorboard:
                logs.append(board := curves.TensorBoard(run.out / "tensorboard"))
                stack.callback(board.close)
            for log in logs:
                log.add(step)
            bar.update()
            bar.set_postfix_str(told(step))
            last = step
    if not shown:
        return
    if last is None:
        click.echo(f"ocr2: {title} is done: {run.out / 'model'} has what it made", err=True)
        return
    try:
        curves.draw(curves.read(run.out / "steps.jsonl"), run.out / "loss.png", title)
    except RendererMissing as error:
        click.echo(f"ocr2: {error}", err=True)


def told(step: Step) -> str:
    """A step in a few words."""
    words = [f"loss {step.loss:.3f}", f"{step.tokens_per_second:,.0f} tokens/s", f"waited {step.waited:.0%}"]
    words += [f"{step.memory / 2**30:.1f} GiB"]
    words += [f"{dropped} left out" for dropped in [sum(step.dropped.values())] if dropped]
    return ", ".join(words)
