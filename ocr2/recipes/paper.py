"""GOT as its paper trains it: three stages, with the paper's numbers (GOT §3.2 to §3.4, §4.1).

    torchrun --nproc-per-node 8 -m ocr2 train paper --stage 1 --data DATA --init OPT-125M --out runs/1
    torchrun … -m ocr2 train paper --stage 2 --data DATA --init runs/1/model --init QWEN-0.5B --out runs/2
    torchrun … -m ocr2 train paper --stage 3 --data DATA --init runs/2/model --out runs/3

DATA holds a folder of WebDataset shards for each source below, as these make them, in millions where the corpora do:

    ocr2 make photo,photo-slice --photos PHOTOS --out DATA
    ocr2 make pdf,pdf-line,pdf-paragraph --pdfs PDFS --out DATA
    ocr2 make formula,molecule,chart --corpus CORPORA --count 1000000 --out DATA

OPT-125M and QWEN-0.5B are the folders of the published language models (facebook/opt-125m and Qwen/Qwen1.5-0.5B), in
safetensors; the encoder begins with random weights. Any number of GPUs up to 64 will do: the rest of a step's
128 samples are accumulated. On several machines add `--nnodes N --rdzv-backend c10d --rdzv-endpoint HOST:29500`; each
needs DATA and the models, the first one gets OUT.

Expect about 210 hours of an H100 for all three stages, or 26 of a machine with eight. A sample with 1,000 tokens of
text is 3.2, 5.9 and 4.4 TFLOP in the stages (15, 11.1 and 10.2 million samples). Two cores did 0.018 of stage 2's a
second, 26 % of the rate of their own matrix product (benchmarks/training.py --recipe paper --stage 2 --device cpu
--rows 1); the estimate is that much of a GPU's 800 TFLOP/s. The same command with --device cuda measures it.

The number to reach is the paper's: an edit distance of 0.035 on English pages of Fox, 0.038 on Chinese ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ocr2.data.mixture import opened
from ocr2.got.config import PRESETS, OPTConfig
from ocr2.recipes.recipe import Recipe, shares
from ocr2.train import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ocr2.data.mixture import Source

BATCH = 128
ROWS = 2
"""Samples that a GPU sees at once: the paper's 128 on its 64."""

CARRY = 0.8
"""The share of a stage's data that comes again in the next."""

# Millions of samples, by the paper's paragraphs, called as `ocr2 make` calls them.
TEXT = {"photo": 2.0, "photo-slice": 1.0, "pdf": 1.2, "pdf-line": 0.4, "pdf-paragraph": 0.4}
CHARACTERS = {
    "handwriting": 0.1,  # Paper: three public sets, of no stated size; their pages and lines are about so many.
    "formula": 1.0,
    "molecule": 1.0,
    "table": 0.3,
    "document": 0.6,  # Paper: a million full pages, half of them Chinese, and 0.2 in-house ones;
    "tex": 0.6,  # ours are invented ones, and those of LaTeX files.
    "music": 0.5,
    "geometry": 1.0,
    "chart": 2.0,
}
FEATURES = {"region": 0.6, "crops": 0.5, "multipage": 0.2}


def recipes() -> tuple[Recipe, ...]:
    """The three stages."""
    big = replace(PRESETS["580m"], checkpointing=True)
    decoder = OPTConfig(positions=4096)  # OPT-125M itself ends at 2048
    small = replace(big, decoder=decoder, context=4096, image_token=decoder.vocabulary - 1)
    pre = Stage("pre-training", _steps([TEXT], epochs=3), 1e-4, tokens=4096, data=TEXT)
    joint = Stage("joint training", _steps([TEXT, CHARACTERS]), 1e-4, tokens=6000, data=CHARACTERS, carry=CARRY)
    post = Stage(
        "post-training",
        _steps([TEXT, CHARACTERS, FEATURES]),
        2e-5,
        tokens=8192,
        data=FEATURES,
        carry=CARRY,
        frozen=("encoder",),
    )
    pairs = ((pre, small), (joint, big), (post, big))
    return tuple(
        Recipe(replace(stage, samples=BATCH), config, _sources, budget=ROWS * stage.tokens, rows=ROWS)
        for stage, config in pairs
    )


def _steps(data: Sequence[Mapping[str, float]], epochs: int = 1) -> int:
    """How many steps go so many times through the data of the last of these stages."""
    stages = [Stage("", 1, 1e-4, data=own, carry=CARRY) for own in data]
    return round(epochs * 1e6 * sum(shares(stages).values()) / BATCH)


def _sources(data: Sequence[Path], names: Sequence[str], seed: int) -> Mapping[str, Source]:
    return opened(names, data)
