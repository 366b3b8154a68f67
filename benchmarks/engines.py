"""How fast training pictures are drawn, on one core: layout, ink, paper and damage, straight into arrays.

    python benchmarks/engines.py CORPUS [--seconds 10] [--json OUT.json]

CORPUS is a folder of running text in English and Chinese. Every engine of ocr2/data/lines.py draws for so many seconds
of processor time, after as many that aren't counted, in which most glyphs are drawn for the first time; the dense pages
take three times as long.

Dense pages are those of 1024 × 1024 with at least 2,500 Latin or 1,500 Chinese characters. The peer is Pillow, which
draws the very lines of these pages, one by one, in one face and at their places, on a white page: without layout,
without paper and without damage. Both take turns, page by page, in the same process.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
from PIL import Image, ImageDraw

from ocr2.data.corpus import Corpus
from ocr2.data.lines import SHAPES, Lines
from ocr2.data.writing import SPEECHES
from ocr2.renderers.fonts import faces, opened

DENSE = {"en": 2500, "zh": 1500}
SIDE = 1024


def drawn(engine: Lines, seconds: float, start: int) -> tuple[int, int, float]:
    """Pictures, characters and seconds."""
    count = characters = 0
    began = time.process_time()
    while (spent := time.process_time() - began) < seconds or not count:
        characters += len(engine.page(start + count).text)
        count += 1
    return count, characters, spent


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
    """Draw, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    corpus = Corpus([options.corpus])
    rows = [dense(corpus, speech, 3 * options.seconds) for speech in DENSE]
    print("| dense pages | characters each | ours, a second | Pillow's lines alone | ratio |\n|---|---|---|---|---|")
    for row in rows:
        print("| {speech} | {characters:,.0f} | {ours:.1f} | {pillow:.1f} | {ratio:.2f} |".format(**row))
    print("\n| engine | language | pictures a second | characters a second |\n|---|---|---|---|")
    engines = []
    for shape in SHAPES:
        for speech in SPEECHES:
            engine = Lines(corpus, shape, speech, 0)
            first, *_ = drawn(engine, options.seconds, 0)
            count, characters, spent = drawn(engine, options.seconds, first)
            row = {"shape": shape, "speech": speech, "rate": count / spent, "characters": characters / spent}
            engines.append(row)
            print("| {shape} | {speech} | {rate:,.0f} | {characters:,.0f} |".format(**row), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"dense": rows, "engines": engines}, indent=1))


if __name__ == "__main__":
    main()
