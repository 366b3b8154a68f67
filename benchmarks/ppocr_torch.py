"""PP-OCRv2 on torch beside onnxruntime: the processor seconds that they take, and how far apart their answers are.

    OMP_NUM_THREADS=1 python benchmarks/ppocr_torch.py FOLDER [--model ppocrv2] [--kinds word,line] [--json OUT.json]

FOLDER holds dev.jsonl as for benchmarks/readers.py. Both read each image in turn, on one thread, in one process, and
again (--rounds); of each network's calls for an image, and of the whole reader, the quickest round counts. Apart is the
largest difference of two probabilities, both networks given the same input; texts are those that are the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ocr2.ppocr.load import load

PARTS = ("detector", "classifier", "recognizer")
NAMES = ("onnxruntime", "torch")


class Timed:
    """A network that counts the processor seconds it takes, and keeps what went in where that is wanted."""

    def __init__(self, network) -> None:
        """`network` is the pipeline's."""
        self.network, self.seconds, self.inputs = network, 0.0, None

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """What the network gives."""
        if self.inputs is not None:
            self.inputs.append(array)
        began = time.process_time()
        found = self.network(array)
        self.seconds += time.process_time() - began
        return found


def timed(pipeline):
    """The pipeline with its networks timed."""
    return replace(pipeline, **{part: Timed(getattr(pipeline, part)) for part in PARTS if getattr(pipeline, part)})


def apart(readers: dict, image: Image.Image) -> dict[str, float]:
    """How far each part's answers are apart on what onnxruntime's reader gives its networks for the image."""
    ours, theirs = readers["torch"], readers["onnxruntime"]
    parts = [part for part in PARTS if getattr(theirs, part)]
    for part in parts:
        getattr(theirs, part).inputs = []
    theirs.read(image)
    found = {}
    for part in parts:
        one, other = getattr(ours, part).network, getattr(theirs, part).network
        inputs, getattr(theirs, part).inputs = getattr(theirs, part).inputs, None
        found[part] = max((float(np.abs(one(each) - other(each)).max()) for each in inputs), default=0.0)
    return found


def measured(readers: dict, image: Image.Image, rounds: int) -> dict:
    """The texts, and the least seconds of each part and of the whole, of both readers."""
    seconds, texts = defaultdict(lambda: float("inf")), {}
    for turn in range(rounds):
        for name in NAMES if turn % 2 else reversed(NAMES):
            reader = readers[name]
            parts = [part for part in PARTS if getattr(reader, part)]
            for part in parts:
                getattr(reader, part).seconds = 0.0
            began = time.process_time()
            page = reader.read(image)
            spent = {"whole": time.process_time() - began} | {part: getattr(reader, part).seconds for part in parts}
            for part, took in spent.items():
                seconds[part, name] = min(seconds[part, name], took)
            texts[name] = "\n".join(line.text for line in page.lines)
    return {"same": texts["torch"] == texts["onnxruntime"], "seconds": seconds}


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="ppocrv2")
    parser.add_argument("--kinds", default="line,word,form,page-en,page-zh")
    parser.add_argument("--most", type=int, default=40, help="images of a kind")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    readers = {"onnxruntime": timed(load(options.model, 1)), "torch": timed(load(options.model, 1, "cpu"))}
    items = [json.loads(line) for line in (options.folder / "dev.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = []
    for kind in options.kinds.split(","):
        chosen = [item for item in items if item["kind"] == kind][: options.most]
        sums, far, same = defaultdict(float), defaultdict(float), 0
        for item in tqdm(chosen, desc=kind, disable=not sys.stderr.isatty()):
            with Image.open(options.folder / item["image"]) as opened:
                image = opened.convert("RGB")
            for part, distance in apart(readers, image).items():
                far[part] = max(far[part], distance)
            found = measured(readers, image, options.rounds)
            same += found["same"]
            for key, took in found["seconds"].items():
                sums[key] += took
        for part in dict.fromkeys(part for part, _ in sums):
            row = {"kind": kind, "part": part, "images": len(chosen), "same": same, "apart": far.get(part)}
            rows.append(row | {name: sums[part, name] for name in NAMES})
    print("| kind | part | images | same texts | apart | onnxruntime CPU s | torch CPU s | ratio |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        distance = "" if row["apart"] is None else f"{row['apart']:.1e}"
        ratio = row["torch"] / row["onnxruntime"] if row["onnxruntime"] else float("nan")
        print(
            f"| {row['kind']} | {row['part']} | {row['images']} | {row['same']} | {distance} "
            f"| {row['onnxruntime']:.2f} | {row['torch']:.2f} | {ratio:.2f} |"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
