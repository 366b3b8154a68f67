"""What a training step costs: samples a second, and how much of the device's own matrix product it keeps busy.

    python benchmarks/training.py [--recipe nano] [--stage 1] [--device cuda] [--rows 2] [--tokens 1000] [--steps 3]
                                  [--json OUT.json]

The samples are the example pages, with their texts over and over to so many tokens. A step is `train.fit`'s: forward,
backward, clipping and AdamW in bf16. The peer, in the same run, is one large bf16 matrix product: the ratio of the two
rates is the model FLOP utilisation. Recomputed layers count as time, not as work. The cost of a stage is its samples by
that rate: hours of one such device.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from importlib import import_module
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

import ocr2
from ocr2 import files
from ocr2.got.batch import Batch, collate
from ocr2.got.model import GOT
from ocr2.got.prompt import Tokenizer
from ocr2.train import fit
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from ocr2.recipes.recipe import Recipe

ROOT = Path(__file__).parent.parent
PAGES = ("page.png", "photo.jpg")
SIDE = {"cpu": 2048, "cuda": 8192}
"""Of the matrices."""


def samples(tokenizer: Tokenizer, rows: int, tokens: int) -> list[Sample]:
    """The examples in turn, each with a text of that length."""
    found = []
    for n in range(rows):
        path = ROOT / "examples" / PAGES[n % len(PAGES)]
        (page,) = files.pages(path)
        text = path.with_suffix(".txt").read_text(encoding="utf-8")
        ids = (tokenizer.encode(text) * (tokens // 10))[:tokens]
        found.append(Sample((page.image,), Prompt(), tokenizer.decode(ids), "text", path.name))
    return found


def product(device: str) -> float:
    """FLOP/s of a bf16 matrix product."""
    one, two = (torch.randn(SIDE[device], SIDE[device], device=device).bfloat16() for _ in range(2))
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        (one @ two)[0, 0].item()
        best = max(best, 2 * SIDE[device] ** 3 / (time.perf_counter() - start))
    return best


def work(recipe: Recipe, batch: Batch) -> float:
    """FLOP of a batch, forward and backward, as if the results of all layers were kept."""
    model = GOT(replace(recipe.config, checkpointing=False))
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not name.startswith(recipe.stage.frozen)
    with FlopCounterMode(display=False) as counter, torch.autocast("cpu", torch.bfloat16):
        sum(model(batch).values()).backward()
    return counter.get_total_flops()


def seconds(recipe: Recipe, batch: Batch, device: str, steps: int) -> float:
    """The best of so many steps."""
    model = GOT(recipe.config).to(device)
    stage = replace(recipe.stage, steps=steps + 2, accumulate=1, samples=0, every=steps + 2)
    with tempfile.TemporaryDirectory() as folder:
        taken = fit(model, lambda _: repeat((batch, None)), stage, folder, augment=recipe.augment)
        # the first step warms up; the last, which would save, is never taken
        return min(step.seconds for step in list(islice(taken, steps + 1))[1:])


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="nano")
    parser.add_argument("--stage", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=list(SIDE))
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    recipe = import_module(f"ocr2.recipes.{args.recipe}").recipes()[args.stage - 1]
    tokenizer = Tokenizer.load(Path(ocr2.__file__).parent / "weights" / "nano")
    recipe = replace(recipe, config=replace(recipe.config, image_token=tokenizer.image))
    batch = collate(samples(tokenizer, args.rows, args.tokens), tokenizer, recipe.config)
    flop, peer = work(recipe, batch) / args.rows, product(args.device)
    rate = args.rows / seconds(recipe, batch, args.device, args.steps)
    hours = recipe.stage.steps * recipe.stage.samples / rate / 3600 if recipe.stage.samples else None
    row = {name: value for name, value in vars(args).items() if name != "json"}
    row |= {"samples_per_second": rate, "tflop_per_sample": flop / 1e12, "product_tflops": peer / 1e12}
    row |= {"utilisation": rate * flop / peer, "hours": hours}
    print("| recipe | stage | samples/s | TFLOP a sample | matrix product, TFLOP/s | utilisation | hours |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    shown = [f"{rate:.3f}", f"{flop / 1e12:.3f}", f"{peer / 1e12:.2f}", f"{row['utilisation']:.0%}"]
    print(f"| {args.recipe} | {args.stage} | {' | '.join(shown)} | {f'{hours:,.0f}' if hours else '–'} |")
    if args.json:
        args.json.write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
