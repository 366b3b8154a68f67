"""Every stage of GOT's training in minutes on a laptop: small numbers, eight samples of each kind, the same code.

    ocr2 train tiny --out runs/tiny-1
    ocr2 train tiny --stage 2 --init runs/tiny-1/model --out runs/tiny-2
    ocr2 train tiny --stage 3 --init runs/tiny-2/model --out runs/tiny-3

It needs no data. The number to reach is nought: each stage ends with every sample read without an error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig, OPTConfig
from ocr2.got.prompt import NEEDED, SYSTEM, Tokenizer
from ocr2.recipes.recipe import Recipe
from ocr2.stage import Stage
from ocr2.types import Box, Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ocr2.data.mixture import Source

TEXTS = (
    "Call me Ishmael.",
    "42 is prime? No.",
    "x + y = z",
    "Mr. Bennet, 1813",
    "to be, or not",
    "E-mail: a@b.c",
    "£7.50",
    "Ahoy!",
)
WORDS = 320
"""Entries of the vocabulary: bytes, and pieces of what every prompt says."""


def drawn(*lines: str, size: int = 22) -> Image.Image:
    """Lines of text, one below the other, in the font that Pillow brings along."""
    page = Image.new("L", (256, 64 * len(lines)), 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    for n, line in enumerate(lines):
        pen.text((6, 64 * n + 16), line, 0, font)
    return page


def line(n: int) -> Sample:
    """Plain text (stage 1)."""
    return Sample((drawn(TEXTS[n]),), Prompt(), TEXTS[n], "text", f"tiny/lines/{n}")


def heading(n: int) -> Sample:
    """Formatted text: large type is a heading (stage 2)."""
    return Sample((drawn(TEXTS[n], size=32),), Prompt(format=True), f"# {TEXTS[n]}", "text", f"tiny/headings/{n}")


def region(n: int) -> Sample:
    """The upper or the lower of two lines, by its box (stage 3, GOT §3.4.1)."""
    other = TEXTS[n - 1]
    page = drawn(TEXTS[n], other) if n % 2 else drawn(other, TEXTS[n])
    box = Box(0, 0, 256, 64) if n % 2 else Box(0, 64, 256, 128)
    return Sample((page,), Prompt(box=box), TEXTS[n], "text", f"tiny/regions/{n}")


def pages(n: int) -> Sample:
    """Two pages as one text (stage 3, GOT §3.4.3)."""
    both = TEXTS[n], TEXTS[n - 1]
    return Sample(tuple(map(drawn, both)), Prompt(pages=2), "\n".join(both), "text", f"tiny/pages/{n}")


@dataclass(frozen=True)
class Cards:
    """The samples of one kind."""

    make: Callable[[int], Sample]

    def __len__(self) -> int:
        return len(TEXTS)

    def __getitem__(self, index: int) -> Sample:
        return self.make(index)


SOURCES = {"lines": Cards(line), "headings": Cards(heading), "regions": Cards(region), "pages": Cards(pages)}


def recipes() -> tuple[Recipe, ...]:
    """The three stages: OPT as the first decoder, all of the model, then the decoder alone."""
    encoder = EncoderConfig(
        side=256,
        square=False,
        stem="conv",
        width=64,
        layers=2,
        heads=2,
        mlp=128,
        window=16,
        global_layers=(1,),
        positions="rotary",
        pool=4,
        neck=64,
        out=(96, 128),
    )
    opt = OPTConfig(vocabulary=WORDS, width=128, layers=2, heads=4, mlp=256, positions=512)
    qwen = DecoderConfig(vocabulary=WORDS, width=128, layers=2, heads=4, kv_heads=4, mlp=256, theta=1e4, ahead=3)
    first, then = (GOTConfig(encoder, decoder, context=512, image_token=5) for decoder in (opt, qwen))
    few = len(TEXTS) / 1e6
    # four batches a step: each is of samples that are as long as each other, and often the same
    base = Stage("pre-training", 220, 1e-3, accumulate=4, tokens=512, data={"lines": few}, precision="fp32")
    stages = (
        base,
        replace(base, name="joint training", data={"headings": few}, carry=0.8),
        replace(base, name="post-training", data={"regions": few, "pages": few}, carry=0.8, frozen=("encoder",)),
    )
    return tuple(
        Recipe(stage, config, _sources, budget=4096, rows=2, tokenizer=tokenizer)
        for stage, config in zip(stages, (first, then, then), strict=True)
    )


def _sources(data: Sequence[Path], names: Sequence[str], seed: int) -> Mapping[str, Source]:
    return {name: SOURCES[name] for name in names}


def tokenizer() -> Tokenizer:
    """One that spells texts byte by byte."""
    from tokenizers import Tokenizer as Inner
    from tokenizers import decoders, models, pre_tokenizers, trainers

    inner = Inner(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = list(NEEDED)
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS, initial_alphabet=alphabet, special_tokens=special, show_progress=False
    )
    inner.train_from_iterator([SYSTEM], trainer)
    return Tokenizer(inner)
