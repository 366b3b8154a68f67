"""What fine-tuning does for a small GOT model on a processor: units on laboratory reports, which it never saw.

    OMP_NUM_THREADS=1 python benchmarks/got_finetune.py [--init MODEL] [--out runs/units] [--json OUT.json]

The need is a real one, and a small one: a crop of a laboratory's report or of a label has one of 24 units on it, in one
of many typefaces, on worn paper or painted, as a scanner or a camera saw it; which one is it? Nine of their characters
(μ, ℃, ‰, Ω, ×, ¹, ², ³, ⁹) are no tokens of the model that is begun with. This is a closed set of short strings: the
model learns to tell 24 of them apart, not to read whatever is printed. Crops are brought to one height, as those for
recognisers are.

Without --init the model to begin with is what `ocr2 train tiny` makes in a minute or two: it knows eight lines by heart
and nothing else, so its encoder has all to learn. Drawn crops are written as Hugging Face has them (metadata.jsonl),
and learned by the public command, once in each mode. So that the eight lines aren't forgotten, a few of the samples are
of them, from a folder of pictures with text files beside:

    ocr2 train finetune --init MODEL --data OUT/train --data OUT/known --out OUT/whole --whole --steps 1500 --rows 16

"right" is the share of crops that are read without a mistake, "distance" the mean edit distance over the longer text,
of crops in type that is held back. "kept" is how many of tiny's own lines are still read without a mistake.
From none right, 1,500 steps with --whole (150 seconds of one core) came to 94 % of 240 crops, with all eight lines
kept. With the encoder as it was, which has seen eight lines, they came to 58 %, and with --lora too. That was on a
processor that multiplies bfloat16, where models learn in it; in float32 they came to 90, 57 and 55 %.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import mean

import cv2
from PIL import Image
from ppocr_finetune import printed

import ocr2
from ocr2.data.folders import Folder
from ocr2.errors import BadInput
from ocr2.metrics import edit_distance
from ocr2.recipes import tiny
from ocr2.types import Prompt, Sample

UNITS = (
    *("g/L", "mg/L", "U/L", "μmol/L", "mmol/L", "μg/L", "ng/mL", "μIU/mL", "℃", "%", "‰", "fL", "pg", "×10⁹/L"),
    *("×10¹²/L", "mm/h", "mmHg", "kPa", "μm", "kΩ", "MΩ", "m²", "cm³", "kJ"),
)
HEIGHT = 48
"""Pixels of a crop's height, whatever it was in the scan."""
AGAIN = 12
"""How often each line of tiny's is among what is learned from."""
MODES = {"default": (), "lora": ("--lora",), "whole": ("--whole",)}


@dataclass(frozen=True)
class Crops:
    """Crops with a unit each, by their numbers."""

    held: bool
    """In type that is held back."""

    def __getitem__(self, index: int) -> Sample:
        rng, text = Random(f"units/{self.held}/{index}"), UNITS[index % len(UNITS)]
        while True:
            try:
                image, _ = printed(text, rng, self.held)
            except BadInput:  # the typeface lacks one of the characters
                continue
            height, width = image.shape[:2]
            scaled = Image.fromarray(image).resize((max(1, round(width * HEIGHT / height)), HEIGHT))
            return Sample((scaled,), Prompt(), text, "text", "")


def written(crops: Crops, folder: Path, count: int) -> Folder:
    """An image folder of the first crops."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for number in range(count):
        sample = crops[number]
        sample.images[0].save(folder / f"{number:05}.png")
        records.append({"file_name": f"{number:05}.png", "text": sample.text})
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Folder(folder)


def known(folder: Path) -> None:
    """Tiny's lines, each some times: what is to be kept in mind."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(AGAIN * len(tiny.TEXTS)):
        sample = tiny.line(number % len(tiny.TEXTS))
        sample.images[0].save(folder / f"{number:03}.png")
        (folder / f"{number:03}.txt").write_text(f"{sample.text}\n", encoding="utf-8")


def train(*options: object) -> float:
    """Runs `ocr2 train`; the seconds it took."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "ocr2", "train", *map(str, options)], check=True)
    return time.perf_counter() - begun


def beginning(out: Path) -> Path:
    """The model that tiny's first two stages make."""
    here = ("--workers", 0, "--device", "cpu")
    train("tiny", "--out", out / "tiny-1", *here)
    train("tiny", "--stage", 2, "--init", out / "tiny-1" / "model", "--out", out / "tiny-2", *here)
    return out / "tiny-2" / "model"


def read(model: Path, held: Folder, own: int) -> dict[str, object]:
    """How a model reads what is held back, and the first so many of tiny's lines."""
    reader = ocr2.load(str(model), 1)
    begun = time.perf_counter()
    pairs = []
    for number in range(len(held)):
        sample = held[number]
        pairs.append((reader.read(sample.images[0]).text, sample.text))
    seconds = (time.perf_counter() - begun) / len(held)
    lines = map(tiny.line, range(own))
    return {
        "right": mean(ours == truth for ours, truth in pairs),
        "distance": mean(edit_distance(*pair) for pair in pairs),
        "kept": sum(reader.read(line.images[0]).text == line.text for line in lines),
        "reading": seconds,
        "pairs": pairs,
    }


def main() -> None:
    """Draw, read, learn in each mode, read again, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--init", type=Path, help="the model to begin with; else tiny's is made")
    parser.add_argument("--out", type=Path, help="keeps the crops and the models; else they are forgotten")
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--count", type=int, default=2400, help="crops to learn from")
    parser.add_argument("--held", type=int, default=240, help="crops to measure")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        written(Crops(False), out / "train", options.count)
        held = written(Crops(True), out / "held", options.held)
        own, data = 0, ["--data", out / "train"]
        if not options.init:
            known(out / "known")
            own, data = len(tiny.TEXTS), [*data, "--data", out / "known"]
        init = options.init or beginning(out)
        rows = [{"mode": "before", "seconds": 0.0} | read(init, held, own)]
        for mode in options.modes.split(","):
            numbers = ("--steps", options.steps, "--rows", options.rows, "--workers", 0, "--device", "cpu")
            seconds = train("finetune", "--init", init, *data, "--out", out / mode, *numbers, *MODES[mode])
            rows.append({"mode": mode, "seconds": seconds} | read(out / mode / "model", held, own))
    print(f"{len(held)} crops in type that is held back, {len(UNITS)} units\n")
    print("| mode | learned in | right | distance | kept | a crop is read in |\n|---|---:|---:|---:|---:|---:|")
    for row in rows:
        told = "| {mode} | {seconds:.0f} s | {right:.1%} | {distance:.4f} | {kept} of {own} | {reading:.3f} s |"
        print(told.format(**row, own=own))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
