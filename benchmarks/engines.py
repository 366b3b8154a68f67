"""How fast samples are made, on one core: from the seed to the shard, as arrays, and by the renderers alone.

    python benchmarks/engines.py CORPUS [--kinds page-en,formula,chart] [--count 300] [--json OUT.json]

CORPUS is a folder of what samples are made of: texts in English and Chinese, formulas, scores, … The process, and the
tools that it starts, have one core to themselves, so the wall clock tells all that is done: leave the machine alone.
Each kind makes as many samples as fit into a shard, after a tenth as many that aren't counted, in which tools are
loaded and most glyphs are drawn for the first time.

"shard": invented, drawn, put on paper, encoded (JPEG, as `ocr2 make` does unless told otherwise) and written.
"arrays": the same without encoding, as a training run takes them. "renderer": sources that are there already, drawn and
made pixels, and nothing else.

Dense pages are those of 1024 × 1024 with at least 2,500 Latin or 1,500 Chinese characters. Their peer is Pillow, which
draws the very lines of these pages, one by one, in one face and at their places, on a white page: without layout,
without paper and without damage. Both take turns, page by page, in the same process.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import cv2
from PIL import Image, ImageDraw

from ocr2.characters import CHARACTERS
from ocr2.data.corpus import Corpus
from ocr2.data.engines import Materials, engine_of
from ocr2.data.lines import Lines
from ocr2.errors import OcrError
from ocr2.renderers.fonts import faces, opened
from ocr2.shards import Encoding, write

KINDS = (
    *("page-en", "page-zh", "columns-en", "paragraph-en", "line-en", "word-en", "scene-en"),
    *("formula", "molecule", "table", "document", "music", "geometry", "chart"),
    *("tex", "handwriting", "region", "crops", "multipage"),
)
DENSE = {"en": 2500, "zh": 1500}
SIDE = 1024


def made(name: str, having: Materials, count: int) -> dict[str, object]:
    """Samples of a kind a second: in shards, as arrays, and what the renderer takes of it."""
    engine = engine_of(name, having, 1)
    with tempfile.TemporaryDirectory() as folder:
        warm = range(count, count + max(10, count // 10))
        list(write(engine, folder, warm, name="warm", each=10**6))
        start = time.perf_counter()
        (shard,) = write(engine, folder, range(count), each=count, encoding=Encoding("jpg"))
        took, size = time.perf_counter() - start, shard.path.stat().st_size
    start, arrays = time.perf_counter(), 0
    for index in range(count, 2 * count):
        with suppress(OcrError):
            arrays += bool(engine[index])
    spent = time.perf_counter() - start
    return {
        "kind": name,
        "shard": shard.samples / took,
        "arrays": arrays / spent,
        "renderer": drawn(name, having, count),
        "kilobytes": size / shard.samples / 1e3,
        "dropped": count - shard.samples,
    }


def drawn(kind: str, having: Materials, count: int) -> float | None:
    """Sources of a character a second, drawn alone; None where the kind is no character."""
    if kind not in CHARACTERS:
        return None
    character, sources = CHARACTERS[kind], []
    for number in range(count):
        with suppress(OcrError):
            sources.append(character.compose(having.corpus, Random(f"bench/{number}")))
    start, done = time.perf_counter(), 0
    for number, source in enumerate(sources):
        with suppress(OcrError):
            character.draw(source, Random(number)).pixels()
            done += 1
    return done / (time.perf_counter() - start)


def by_pillow(page, font) -> float:
    """Seconds that Pillow takes for the lines of a page."""
    began = time.process_time()
    image = Image.new("L", page.image.size, 255)
    draw = ImageDraw.Draw(image)
    for line in page.lines:
        draw.text(line.quad[0], line.text, 0, font)
    return time.process_time() - began


def dense(corpus: Corpus, speech: str, seconds: float) -> dict[str, object]:
    """Dense pages: ours and Pillow's, in turns."""
    engine = Lines(corpus, "page", speech, 1, views=((SIDE, SIDE),))
    font = opened(faces("serif" if speech == "en" else "han")[0], 16, shaped=True)
    ours = pillow = 0.0
    count = characters = 0
    index, began = 0, time.process_time()
    while (spent := time.process_time() - began) < 2 * seconds or not count:
        start = time.process_time()
        page = engine.page(index)
        took = time.process_time() - start
        index += 1
        if len(page.text) < DENSE[speech]:
            continue
        peer = by_pillow(page, font)
        if spent < seconds:
            continue
        ours, pillow, count, characters = ours + took, pillow + peer, count + 1, characters + len(page.text)
    return {
        "speech": speech,
        "pages": count,
        "characters": characters / count,
        "ours": count / ours,
        "pillow": count / pillow,
        "ratio": pillow / ours,
    }


def main() -> None:
    """Make, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=30, help="for the dense pages of each language; 0: none")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    corpus = Corpus([options.corpus])
    pages = [dense(corpus, speech, options.seconds) for speech in DENSE if options.seconds]
    if pages:
        print("| dense pages | characters each | ours/s | Pillow's lines/s | ratio |\n|---|---|---|---|---|")
    for row in pages:
        print("| {speech} | {characters:,.0f} | {ours:.1f} | {pillow:.1f} | {ratio:.2f} |".format(**row))
    print("\n| kind | shard, a second | arrays | renderer alone | KB each | dropped |\n|---|---:|---:|---:|---:|---:|")
    kinds = []
    for name in options.kinds.split(","):
        row = made(name, Materials(corpus), options.count)
        kinds.append(row)
        alone = f"{row['renderer']:.1f}" if row["renderer"] else "–"
        told = "| {kind} | {shard:.1f} | {arrays:.1f} | {0} | {kilobytes:.0f} | {dropped} |"
        print(told.format(alone, **row), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"dense": pages, "kinds": kinds}, indent=1))


if __name__ == "__main__":
    main()
