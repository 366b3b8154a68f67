"""GOT on one GPU: how fast it sees and writes, and how near that is to what the GPU could do.

    python benchmarks/got_gpu.py [--preset 580m|nano] [--device cuda] [--json OUT.json]

Weights are random, which cost as much as trained ones, in bfloat16 (on a processor float32). Pages are the examples.
The defaults of --tflops and --tbps are an H100's. A smoke run without a GPU: --preset tiny --device cpu.

encode is from views in memory to image tokens; decode is `TorchRunner.step`, with the choice of each token, for so many
rows of about 800 tokens each, where no guess ahead is right; pages are whole: `generate`, each page looked at and
answered with 1,000 tokens, without the guard against loops, no 20 tokens twice, as many pages in flight as `ocr2` has.
The floor is the time that the arithmetic alone would take, or moving the weights and what the cache holds, whichever is
longer. Sizes that don't fit into memory are left out.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from dataclasses import dataclass
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ocr2 import files
from ocr2.got.config import PRESETS, DecoderConfig, EncoderConfig, GOTConfig
from ocr2.got.generate import Answer, Question, generate
from ocr2.got.load import ROWS_CPU, ROWS_CUDA
from ocr2.got.model import GOT
from ocr2.got.runner import TorchRunner
from ocr2.got.views import look
from ocr2.types import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parent.parent / "examples"
TINY = GOTConfig(
    EncoderConfig(side=128, width=32, layers=2, heads=2, mlp=64, window=4, global_layers=(1,), neck=16, out=(16, 32)),
    DecoderConfig(vocabulary=300, width=32, layers=2, heads=2, kv_heads=2, mlp=64),
    context=2048,
    image_token=299,
)
WORDS = 31
"""Tokens of a prompt beside the image's."""
PEERS = "LightOnOCR-2 5.7, Surya 4.5, olmOCR 3.4, DeepSeek-OCR 3.3 pages/s on an H100; MinerU 2.5 2.1 on an A100"
"""As published, each with its own pages."""


@dataclass(frozen=True)
class Floor:
    """Operations and bytes."""

    flops: float = 0.0
    bytes: float = 0.0

    def seconds(self, tflops: float, tbps: float) -> float:
        """The least time for it on such a GPU."""
        return max(self.flops / tflops, self.bytes / tbps) / 1e12


def seeing(config: GOTConfig, height: int, width: int, views: int) -> Floor:
    """Encoder and connector, for views of a size. A multiplication and an addition are two operations."""
    e, patches = config.encoder, height * width // 256
    flops = patches * 3 * 256 * e.width
    if e.stem == "conv":
        c = (3, e.width // 8, e.width // 4, e.width // 2, e.width)
        flops = sum(9 * c[n] * c[n + 1] * height * width // 4 ** (n + 1) for n in range(4)) + patches * e.width**2
    for layer in range(e.layers):
        flops += patches * (4 * e.width**2 + 2 * e.width * e.mlp)
        seen = patches // e.pool**2 if layer in e.global_layers else min(e.window**2, patches)
        flops += patches * 2 * e.width * seen
    flops += patches * (e.width * e.neck + 9 * e.neck**2)
    tokens = e.tokens(height, width)
    flops += 9 * tokens * (4 * e.neck * e.out[0] + e.out[0] * e.out[1]) + tokens * e.out[1] * config.decoder.width
    linear = e.layers * (4 * e.width**2 + 2 * e.width * e.mlp)
    return Floor(2.0 * views * flops, 2.0 * linear)


def cached(config: GOTConfig) -> int:
    """Bytes of the keys and values of a token, in bfloat16."""
    d = config.decoder
    return 4 * d.layers * d.kv_heads * (d.width // d.heads)


def writing(config: GOTConfig, rows: int, context: float, head: int = 1, tokens: int = 1) -> Floor:
    """The decoder for so many new tokens a row, the head for `head` of them; each row has `context` tokens on average.

    What is read: the weights once, and what the cache holds if there is but one new token a row.
    """
    d, e = config.decoder, config.decoder.width
    kv = d.kv_heads * (e // d.heads)
    linear = d.layers * (2 * e * e + 2 * e * kv + 3 * e * d.mlp)
    flops = rows * (tokens * (linear + 2 * d.layers * e * context) + head * e * d.vocabulary)
    return Floor(
        2.0 * flops, 2.0 * (linear + e * d.vocabulary) + (rows * context * cached(config) if tokens == 1 else 0)
    )


def reading(
    config: GOTConfig, sizes: list[tuple[int, int]], rows: int, answer: int, rates: tuple[float, float]
) -> float:
    """The least seconds for a page: see it, take its prompt in, write the answer with so many others at once."""
    total = 0.0
    for height, width in sizes:
        asked = config.encoder.tokens(height, width) + WORDS
        total += seeing(config, height, width, rows).seconds(*rates) / rows
        total += writing(config, rows, asked / 2, tokens=asked).seconds(*rates) / rows
        total += (answer - 1) * writing(config, rows, asked + answer / 2).seconds(*rates) / rows
    return total / len(sizes)


def example_views(config: EncoderConfig) -> list[np.ndarray]:
    """The examples' pages as the model sees them, the first of the PDF's first."""
    found = [page.image for name in ("two-pages.pdf", "page.png", "photo.jpg") for page in files.pages(EXAMPLES / name)]
    return [look([image], Prompt(), config)[0] for image in found]


def random_model(config: GOTConfig, device: torch.device) -> GOT:
    """The weights are made where they will be."""
    torch.manual_seed(0)
    with device:
        model = GOT(config)
    return model.to(torch.bfloat16 if device.type == "cuda" else torch.float32).eval()


def finish(device: torch.device) -> None:
    """Wait for what was started."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(run: Callable[[], object], rounds: int, device: torch.device) -> float:
    """Seconds for one of so many runs, after one that doesn't count."""
    run()
    finish(device)
    began = time.perf_counter()
    for _ in range(rounds):
        run()
    finish(device)
    return (time.perf_counter() - began) / rounds


class Bench:
    """A model on a device, and the rows of the table that are measured."""

    def __init__(self, config: GOTConfig, device: torch.device, rates: tuple[float, float], quick: bool) -> None:
        self.config, self.device, self.rates, self.quick = config, device, rates, quick
        self.runner = TorchRunner(random_model(config, device))
        self.views = example_views(config.encoder)
        self.records: list[dict] = []

    def all(self, pages: int, answer: int) -> None:
        """Every row; what doesn't fit is told."""
        cases = [(f"encode, {n} at once", partial(self.encode, n)) for n in (1, 4, 16)]
        cases += [(f"decode, {n} rows", partial(self.decode, n)) for n in (1, 16, 64, 256)]
        cases += [(f"pages of {answer} tokens", partial(self.pages, pages, answer))]
        for name, measure in cases:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats(self.device)
            try:
                rate, unit, floor = measure()
            except (torch.OutOfMemoryError, MemoryError) as error:
                print(f"{name}: left out, it doesn't fit ({str(error).splitlines()[0]:.120})", file=sys.stderr)
                self.runner.resize(0, 0)
                continue
            record = {"name": name, "rate": rate, "unit": unit, "floor": floor, "reached": rate / floor}
            self.records.append(record | {"memory": self.memory()})
            print(f"{name}: {rate:,.1f} {unit}", file=sys.stderr)

    def memory(self) -> float:
        """The peak in GiB: of this row on a GPU, of the process so far elsewhere."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**30
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    def encode(self, count: int) -> tuple[float, str, float]:
        """Views a second, of those of one size, so many at once."""
        view = torch.from_numpy(np.stack([self.views[0]] * count)).to(self.device)
        with torch.inference_mode():
            seconds = timed(lambda: self.runner.model.features([view]), 1 if self.quick else 10, self.device)
        floor = seeing(self.config, *self.views[0].shape[1:], count).seconds(*self.rates)
        return count / seconds, "pages/s", count / floor

    def decode(self, rows: int) -> tuple[float, str, float]:
        """Tokens a second of all rows together: a step is one for each, no guess ahead is right."""
        first, steps, length = 784, 1 if self.quick else 100, 1024
        self.fits(rows * length * cached(self.config))
        self.runner.resize(rows, length)
        start, together = count(first), 1 + self.runner.ahead

        def step() -> None:
            self.runner.step([next(start)] * rows, [[row] * together for row in range(rows)], [()] * rows)

        seconds = timed(step, steps, self.device)
        self.runner.resize(0, 0)
        floor = writing(self.config, rows, first + 1 + steps / 2).seconds(*self.rates)
        return rows / seconds, "tokens/s", rows / floor

    def fits(self, needed: int) -> None:
        """Raises MemoryError where so many bytes are not to be had."""
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.device)[0]
            if needed > 0.95 * free:
                raise MemoryError(f"the cache needs {needed / 2**30:.1f} GiB, {free / 2**30:.1f} are free")

    def pages(self, count: int, answer: int) -> tuple[float, str, float]:
        """Whole pages a second, `count` pages as they come."""
        rows = ROWS_CUDA if self.device.type == "cuda" else ROWS_CPU
        room = torch.cuda.mem_get_info(self.device)[0] * 3 // 4 if self.device.type == "cuda" else 2**30
        sizes = [view.shape[1:] for view in self.views]

        def read(number: int, limit: int) -> None:
            asked = (self.question(view, limit) for view in islice(cycle(self.views), number))
            told = generate(self.runner, asked, ends=(), rows=rows, budget=room // cached(self.config), guard=False)
            assert {len(news.ids) for _, news in told if isinstance(news, Answer)} == {limit}

        read(min(rows, count), 2)  # what is set up at first
        finish(self.device)
        began = time.perf_counter()
        read(count, answer)
        seconds = time.perf_counter() - began
        return count / seconds, "pages/s", 1 / reading(self.config, sizes, min(rows, count), answer, self.rates)

    def question(self, view: np.ndarray, limit: int) -> Question:
        """A prompt of the usual length: what it says costs nothing."""
        words = [n + 5 for n in range(WORDS)]
        image = [self.config.image_token] * self.config.encoder.tokens(*view.shape[1:])
        return Question([view], [*words[:14], *image, *words[14:]], limit, ngram=20)


def table(records: list[dict], where: str, rates: tuple[float, float]) -> str:
    """A Markdown table, and what it should be read beside."""
    rows = ["| | measured | floor | reached | peak memory, GiB |", "|---|" + "---:|" * 4]
    rows += [
        f"| {r['name']} | {r['rate']:,.1f} {r['unit']} | {r['floor']:,.0f} | {r['reached']:.1%} | {r['memory']:.1f} |"
        for r in records
    ]
    floor = "Floor: {:g} TFLOP/s, {:g} TB/s.".format(*rates)
    return "\n".join([*rows, "", f"{where}. {floor}", f"Published: {PEERS}."])


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=[*PRESETS, "tiny"], default="580m")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--pages", type=int, default=256, help="how many whole pages are read")
    parser.add_argument("--tokens", type=int, default=1000, help="of each page's answer")
    parser.add_argument("--tflops", type=float, default=990.0, help="the GPU's, in bfloat16")
    parser.add_argument("--tbps", type=float, default=3.35, help="terabytes a second of its memory")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    device, tiny = torch.device(options.device), options.preset == "tiny"
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no GPU here: take another machine, or --preset tiny --device cpu for a smoke run")
    rates = options.tflops, options.tbps
    bench = Bench(TINY if tiny else PRESETS[options.preset], device, rates, tiny)
    bench.all(*((4, 8) if tiny else (options.pages, options.tokens)))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "a processor"
    where = f"{options.preset} on {name}, torch {torch.__version__}"
    print(table(bench.records, where, rates))
    if options.json:
        record = {"preset": options.preset, "device": name, "torch": torch.__version__}
        record |= {"tflops": options.tflops, "tbps": options.tbps, "rows": bench.records}
        options.json.write_text(json.dumps(record, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
