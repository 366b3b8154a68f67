"""Whether a GOT model in fewer bits says the same: the share of its tokens that are those of float32.

    python benchmarks/got_precision.py [--model FOLDER] [--texts FILE] [--lines 48] [--steps 500] [--json OUT.json]

float32 reads short lines of text, drawn with Pillow's font; int8 and bfloat16 are asked for each token of its answers,
given all tokens before it (teacher forcing: one other token doesn't make all that follow others). The texts are the
examples'. Without --model, a small model of nano's kind is trained on these lines first, some 2 minutes on a core, and
is asked about the same lines and about fresh ones: cut elsewhere, in another size. Of those it can read next to
nothing, so there many choices are close calls. "Right" is the share of lines that float32 reads without an error.

Fewer bits choose otherwise where two tokens are about equally likely. "Worst" is by how much, in nats, float32 finds
the other token less likely than its own, at worst: near 0 it was a close call.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import textwrap
import time
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image, ImageDraw, ImageFont
from tokenizers import Tokenizer as Inner
from tokenizers import decoders, models, pre_tokenizers, trainers
from tqdm import tqdm

from ocr2.errors import BadInput
from ocr2.got import checkpoint
from ocr2.got.batch import collate
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig
from ocr2.got.engine import Engine
from ocr2.got.generate import Answer, generate
from ocr2.got.model import GOT
from ocr2.got.precision import converted
from ocr2.got.prompt import LETTERS, NEEDED, Tokenizer, wording
from ocr2.got.runner import TorchRunner
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXAMPLES = Path(__file__).parent.parent / "examples"
NANO = GOTConfig(
    EncoderConfig(
        side=256, square=False, stem="conv", width=64, layers=2, heads=4, mlp=128, window=8, global_layers=(1,),
        positions="rotary", neck=32, out=(32, 64),
    ),
    DecoderConfig(vocabulary=290, width=64, layers=3, heads=4, kv_heads=4, mlp=176, theta=1e4),
    context=1024,
    image_token=5,
)  # fmt: skip
"""Of the nano preset's kind, as small as can be trained while one waits."""
LIMIT = 64
"""The most tokens of an answer."""


def small_tokenizer(size: int = 290) -> Tokenizer:
    """Bytes, special tokens, and a few more for the prompt's words, which are in every question."""
    inner = Inner(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(NEEDED), initial_alphabet=LETTERS)
    said = wording(Prompt(), 0, 1, 1)
    for name in NEEDED:
        said = said.replace(name, " ")
    inner.train_from_iterator([said], trainer)
    return Tokenizer(inner)


def drawn(text: str, size: int = 30) -> Sample:
    """A line of text in Pillow's font, light on dark, which is learned sooner, and what it says.

    All are 256 pixels wide: convolutions of new shapes begin slowly.
    """
    image = Image.new("RGB", (256, 64), "black")
    ImageDraw.Draw(image).text((4, 28), text, "white", ImageFont.load_default(size), anchor="lm")
    return Sample((image,), Prompt(), text, "line", "drawn by Pillow")


def trained(
    config: GOTConfig, tokenizer: Tokenizer, samples: Sequence[Sample], steps: int, rate: float = 2e-3, rows: int = 16
) -> GOT:
    """A model that has seen some of the samples at each of so many steps."""
    torch.manual_seed(0)
    rng, model = random.Random(0), GOT(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.1)
    with tqdm(range(steps), desc="training", disable=not sys.stderr.isatty()) as bar:
        for _ in bar:
            loss = model(collate(rng.sample(samples, min(rows, len(samples))), tokenizer, config))["next"]
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            bar.set_postfix(loss=f"{loss.item():.3f}")
    return model.eval()


def answers(model: GOT, tokenizer: Tokenizer, samples: Sequence[Sample]) -> list[list[int]]:
    """What the model reads, with the end token where it is done."""
    engine = Engine(TorchRunner(model), tokenizer, model.config, rows=4, budget=0, limit=LIMIT)
    asked = [engine.question(sample.images, sample.prompt) for sample in samples]
    found: list[list[int]] = [[] for _ in samples]
    budget = 4 * model.config.context
    for number, news in generate(engine.runner, asked, ends=(tokenizer.end,), rows=4, budget=budget):
        if isinstance(news, Answer):
            found[number] = [*news.ids, *[tokenizer.end] * (news.stop == "eos")]
    return found


@torch.inference_mode()
def forced(
    model: GOT, tokenizer: Tokenizer, samples: Sequence[Sample], given: Sequence[Sequence[int]]
) -> list[torch.Tensor]:
    """(T, V) log probabilities for each sample, at each token of the answer that is given."""
    engine, scores = Engine(TorchRunner(model), tokenizer, model.config, 1, 0), []
    for sample, answer in zip(samples, given, strict=True):
        question = engine.question(sample.images, sample.prompt)
        features = engine.runner.features(question.views)
        embedded = model.embeddings(torch.tensor([[*question.ids, *answer]]), features)
        states = model.decoder(embedded)[0, len(question.ids) - 1 : -1]
        logits = model.decoder.head(states).float()
        logits[:, model.config.image_token] = -torch.inf
        scores.append(logits.log_softmax(-1))
    return scores


def compare(load: Callable[[], GOT], tokenizer: Tokenizer, samples: Sequence[Sample]) -> list[dict]:
    """A record for each precision: how often its first choice is float32's."""
    model = load().float()
    given = answers(model, tokenizer, samples)
    truth = forced(model, tokenizer, samples, given)
    right = sum(tokenizer.decode(ids) == sample.text for ids, sample in zip(given, samples, strict=True))
    tokens = sum(map(len, given))
    records = []
    for precision in ("int8", "bf16"):
        try:
            other = forced(converted(load(), precision), tokenizer, samples, given)
        except BadInput as error:
            print(f"{precision} is left out: {error}", file=sys.stderr)
            continue
        lost = [
            float(score.max() - score[choice])
            for one, two in zip(truth, other, strict=True)
            for score, choice in zip(one, two.argmax(-1), strict=True)
            if int(choice) != int(score.argmax())
        ]
        records.append(
            {
                **{"precision": precision, "lines": len(samples), "right": right / len(samples), "tokens": tokens},
                **{"same": 1 - len(lost) / tokens, "worst": max(lost, default=0.0)},
            }
        )
    return records


def cut(texts: Sequence[str], width: int) -> list[str]:
    """The texts in lines of at most so many characters."""
    return [line for text in texts for line in textwrap.wrap(" ".join(text.split()), width)]


def table(records: list[dict]) -> str:
    """A Markdown table: a row for each kind of lines and each precision."""
    rows = [
        "| lines | precision | count | right | tokens | same as fp32 | worst, in nats |",
        "|---|---|" + "---:|" * 5,
    ]
    rows += [
        f"| {r['kind']} | {r['precision']} | {r['lines']} | {r['right']:.1%} | {r['tokens']} | {r['same']:.2%} "
        f"| {r['worst']:.3f} |"
        for r in records
    ]
    return "\n".join(rows)


def main() -> None:
    """Train if there is no model, compare, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a folder or hub id; else a small model is trained")
    parser.add_argument("--texts", type=Path, help="a text file; else the examples")
    parser.add_argument("--lines", type=int, default=48, help="as many of each kind at most")
    parser.add_argument("--steps", type=int, default=500, help="of training")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    paths = [options.texts] if options.texts else sorted(EXAMPLES.glob("*.txt"))
    texts = [path.read_text(encoding="utf-8") for path in paths if "LICENSE" not in path.name]
    kinds = {
        "seen": [drawn(line) for line in cut(texts, 12)[: options.lines]],
        "fresh": [drawn(line, 34) for line in cut(texts, 9)[: options.lines]],
    }
    began = time.perf_counter()
    if options.model:
        folder = checkpoint.find(options.model)
        tokenizer = Tokenizer.load(folder)
        kinds = {"all": kinds["seen"]}

        def load() -> GOT:
            return checkpoint.load(folder)

    else:
        tokenizer = small_tokenizer()
        model = trained(NANO, tokenizer, kinds["seen"], options.steps)
        print(f"trained for {time.perf_counter() - began:.0f} s", file=sys.stderr)

        def load() -> GOT:
            return deepcopy(model)

    records = [{"kind": kind, **record} for kind, found in kinds.items() for record in compare(load, tokenizer, found)]
    print(table(records))
    if options.json:
        options.json.write_text(json.dumps(records, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
