"""GOT 580M on a processor: ours beside `transformers`, the same weights and the same pages in the same run.

    python benchmarks/got_cpu.py [--threads 2] [--tokens 64] [--rounds 2] [--model FOLDER] [--json OUT.json]

Without --model, a folder in transformers' layout, the weights are random ones of the published shape and type
(bfloat16), which cost as much as trained ones. The pages are the examples. Every engine runs in a process of its own;
the engines take turns, and the best of the rounds counts, since other work on the machine only ever adds time.

encode is one page of 1024 × 1024, from its pixels to 256 image tokens for the decoder; decode is what each further
token takes, after a prompt of 287, for one page and for four together. Memory is the peak of a process that loads the
model and encodes a page. The first 64 tokens of both engines in float32 are compared, too.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"
ENGINES = ("transformers fp32", "ocr2 fp32", "ocr2 bf16", "ocr2 int8")
PEER = ENGINES[0]
TOGETHER = 4
BEFORE, AFTER = 14, 17
"""Tokens of a prompt before and after the image's."""


def make_weights(folder: Path) -> None:
    """Random weights of the published shape and type, in transformers' layout."""
    import torch

    from ocr2.got import checkpoint
    from ocr2.got.config import PRESETS
    from ocr2.got.model import GOT

    torch.manual_seed(0)
    model = GOT(PRESETS["580m"])
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():  # positions and biases, which begin at nothing
                parameter.normal_(std=0.02)
    checkpoint.export(model.to(torch.bfloat16), folder)


def pages(side: int):
    """The examples as views."""
    from ocr2 import files
    from ocr2.got.views import squashed

    found = [page for name in ("page.png", "photo.jpg", "two-pages.pdf") for page in files.pages(EXAMPLES / name)]
    return [squashed(page.image, side) for page in found][:TOGETHER]


def prompt(image: int, side: int) -> list[int]:
    """Ids of a prompt of the usual length, with the image's token in it."""
    return [*range(BEFORE), *[image] * (side // 64) ** 2, *range(BEFORE, BEFORE + AFTER)]


class Ours:
    """This package."""

    def __init__(self, folder: str, precision: str) -> None:
        import torch

        from ocr2.got import checkpoint
        from ocr2.got.precision import converted
        from ocr2.got.runner import TorchRunner

        self.torch = torch
        self.runner = TorchRunner(converted(checkpoint.load(folder), precision))
        self.side = self.runner.model.config.encoder.side

    def encode(self, view) -> None:
        """One page's image tokens."""
        with self.torch.inference_mode():
            self.runner.features([view])

    def decode(self, views, count: int) -> tuple[list[list[int]], float]:
        """The tokens of each page, and the seconds that a step took after the first."""
        ids = prompt(self.runner.model.config.image_token, self.side)
        self.runner.resize(len(views), 512)
        bans = [()] * len(views)
        tokens, _, _ = self.runner.begin(range(len(views)), [([view], ids) for view in views], bans)
        found = [tokens]
        began = time.perf_counter()
        for place in range(count - 1):
            chosen, _, _ = self.runner.step([len(ids) + place] * len(views), [[last] for last in found[-1]], bans)
            found.append([row[0] for row in chosen])
        seconds = (time.perf_counter() - began) / (count - 1)
        return [list(row) for row in zip(*found, strict=True)], seconds


class Transformers:
    """Its model and its `generate`, with the defaults."""

    def __init__(self, folder: str) -> None:
        import torch
        from transformers import GotOcr2ForConditionalGeneration
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.torch = torch
        self.model = GotOcr2ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
        self.side = self.model.config.vision_config.image_size

    def pixels(self, views):
        """The views as normalised colours."""
        from ocr2.got.model import normalized

        return normalized(self.torch.stack([self.torch.from_numpy(view) for view in views]))

    def encode(self, view) -> None:
        """One page's image tokens."""
        with self.torch.inference_mode():
            self.model.get_image_features(self.pixels([view]))

    def decode(self, views, count: int) -> tuple[list[list[int]], float]:
        """The tokens of each page, and the seconds that a step took after the first."""
        from transformers import LogitsProcessor

        times: list[float] = []

        class Clock(LogitsProcessor):
            """Notes when the logits of each token are there."""

            def __call__(self, input_ids, scores):
                times.append(time.perf_counter())
                return scores

        ids = self.torch.tensor([prompt(self.model.config.image_token_index, self.side)] * len(views))
        found = self.model.generate(
            input_ids=ids,
            attention_mask=self.torch.ones_like(ids),
            pixel_values=self.pixels(views),
            max_new_tokens=count,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
            logits_processor=[Clock()],
        )
        return found[:, ids.shape[1] :].tolist(), (times[-1] - times[0]) / (count - 1)


def work(name: str, folder: str, what: str, threads: int, count: int) -> dict[str, object]:
    """What one engine takes to encode or to decode, measured in this process."""
    import torch

    torch.set_num_threads(threads)
    kind, precision = name.split()
    engine = Transformers(folder) if kind == "transformers" else Ours(folder, precision)
    views = pages(engine.side)
    if what == "encode":
        engine.encode(views[0])  # the first time is no measure
        began = time.perf_counter()
        engine.encode(views[1])
        seconds = time.perf_counter() - began
        return {"encode": seconds, "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    one, alone = engine.decode(views[:1], count)
    many, together = engine.decode(views, count)
    return {"alone": alone, "together": together, "tokens": one + many}


def measure(folder: str, threads: int, count: int, rounds: int) -> dict[str, dict]:
    """The best of each engine, the engines in turn."""
    found: dict[str, dict] = {name: {} for name in ENGINES}
    for _ in range(rounds):
        for what in ("encode", "decode"):
            for name in ENGINES:
                command = [sys.executable, __file__, "--worker", name, what, "--model", folder]
                command += ["--threads", str(threads), "--tokens", str(count)]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    sys.exit(f"{name}, {what}: {done.stderr.strip().splitlines()[-1]}")
                for key, value in json.loads(done.stdout.splitlines()[-1]).items():
                    found[name][key] = min(value, found[name].get(key, value))
                print(name, {key: value for key, value in found[name].items() if key != "tokens"}, file=sys.stderr)
    return found


def table(found: dict[str, dict]) -> str:
    """The numbers, each beside its share or multiple of the peer's."""
    rows = [
        f"| engine | encode s | of peer | memory GB | of peer | tokens/s, 1 page | times peer | {TOGETHER} pages "
        "| times peer alone |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    peer = found[PEER]
    for name, of in found.items():
        one, many, base = 1 / of["alone"], TOGETHER / of["together"], 1 / peer["alone"]
        seconds, size = of["encode"] / peer["encode"], of["bytes"] / peer["bytes"]
        rows.append(
            f"| {name} | {of['encode']:.2f} | {seconds:.2f} | {of['bytes'] / 1e9:.2f} | {size:.2f} "
            f"| {one:.1f} | {one / base:.1f} | {many:.1f} | {many / base:.1f} |"
        )
    return "\n".join(rows)


def same(found: dict[str, dict]) -> str:
    """Whether both engines wrote the same in float32."""
    rows = zip(found["ocr2 fp32"]["tokens"], found[PEER]["tokens"], strict=True)
    pairs = [pair for ours, theirs in rows for pair in zip(ours, theirs, strict=True)]
    return f"{sum(a == b for a, b in pairs)} of {len(pairs)} tokens of ocr2 fp32 are those of {PEER}"


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--tokens", type=int, default=64)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--model", metavar="FOLDER")
    options.add_argument("--json", type=Path)
    options.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.weights:
        make_weights(asked.weights)
        return
    if asked.worker:
        print(json.dumps(work(asked.worker[0], asked.model, asked.worker[1], asked.threads, asked.tokens)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.model or scratch + "/model"
        if not asked.model:
            # in a process of its own: those that this one starts would have its peak for theirs
            subprocess.run([sys.executable, __file__, "--weights", folder], check=True)
        found = measure(folder, asked.threads, asked.tokens, asked.rounds)
    print(table(found), same(found), sep="\n\n")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
