"""What reading costs on a processor: an exported model on onnxruntime against the same model on torch.

    python benchmarks/got_onnx.py [--model FOLDER] [--threads 1] [--repeats 9] [--json OUT.json]

Without --model, nano with random weights: times depend on no weights. "See" is a view becoming image tokens;
"write" is one step of answers, for so many rows, tokens of each (the last one and its guesses) and tokens before them.
The engines take turns, and the least of the repeats counts, so that what else the machine does matters little. The last
row is the size of what a reader downloads: weights in float32 as torch stores them, or the two graphs.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch
from got_precision import NANO

from ocr2.got import checkpoint
from ocr2.got.config import PRESETS
from ocr2.got.load import WEIGHTS
from ocr2.got.model import GOT
from ocr2.got.onnx import OnnxRunner, export
from ocr2.got.prompt import Tokenizer
from ocr2.got.runner import TorchRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENGINES = "torch fp32", "onnx fp32", "onnx int8"
SHAPES = [(1, 1), (1, 4), (4, 1), (4, 4)]
"""Rows, and tokens of each."""


def engines(model: GOT, folder: Path, threads: int) -> tuple[dict[str, TorchRunner | OnnxRunner], dict[str, int]]:
    """The runners, and the bytes of each."""
    runners: dict[str, TorchRunner | OnnxRunner] = {ENGINES[0]: TorchRunner(model)}
    sizes = {ENGINES[0]: sum(parameter.numel() * 4 for parameter in model.parameters())}
    tokenizer = Tokenizer.load(WEIGHTS / "nano")
    for name in ENGINES[1:]:
        place = folder / name.replace(" ", "-")
        export(model, place, tokenizer, name.split()[1])
        runners[name] = OnnxRunner(place, model.config, threads)
        sizes[name] = sum(path.stat().st_size for path in place.glob("*.onnx"))
    return runners, sizes


def least(ways: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Milliseconds of each way, in turns."""
    found = dict.fromkeys(ways, float("inf"))
    for turn in range(1 + repeats):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if turn:  # the first time, all sorts of things are set up
                found[name] = min(found[name], (time.perf_counter() - began) * 1e3)
    return found


def measure(model: GOT, folder: Path, threads: int, repeats: int) -> list[dict]:
    """A record for each thing that is done."""
    runners, sizes = engines(model, folder, threads)
    records, side = [], model.config.encoder.side
    for height, width in ((side, side * 3 // 4 // 64 * 64), (64, side)):
        view = np.random.default_rng(0).integers(0, 256, (3, height, width), np.uint8)
        ways = {name: lambda runner=runner: runner.features([view]) for name, runner in runners.items()}  # noqa: B023
        records.append({"what": f"see {width} × {height}", "unit": "ms", **least(ways, max(1, repeats // 3))})
    room = model.config.context - 4
    for start in (min(500, room // 2), min(1500, room)):
        for rows, count in SHAPES:
            tokens, starts, bans = [[9] * count] * rows, [start] * rows, [()] * rows
            for runner in runners.values():
                runner.resize(rows, min(start + 256, model.config.context))
            ways = {
                name: lambda runner=runner: runner.step(starts, tokens, bans)  # noqa: B023
                for name, runner in runners.items()
            }
            what = f"write {rows} × {count} after {start}"
            records.append({"what": what, "unit": "ms", **least(ways, 3 * repeats)})
    return [*records, {"what": "size", "unit": "MB", **{name: size / 1e6 for name, size in sizes.items()}}]


def table(records: list[dict]) -> str:
    """A Markdown table, with how many times faster (or smaller) 8 bits on onnxruntime are than torch."""
    rows = [f"| | {' | '.join(ENGINES)} | torch / int8 |", "|---|" + "---:|" * (len(ENGINES) + 1)]
    rows += [
        f"| {r['what']} | {' | '.join(f'{r[name]:,.2f} ' + r['unit'] for name in ENGINES)} "
        f"| {r[ENGINES[0]] / r[ENGINES[-1]]:.1f} |"
        for r in records
    ]
    return "\n".join(rows)


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a folder of weights; else nano with random ones")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, to try the script itself")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = checkpoint.load(options.model) if options.model else GOT(NANO if options.tiny else PRESETS["nano"]).eval()
    with TemporaryDirectory() as folder:
        records = measure(model.float(), Path(folder), options.threads, options.repeats)
    print(table(records))
    if options.json:
        options.json.write_text(json.dumps({"threads": options.threads, "rows": records}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
