"""What the published PP-OCRv2 recogniser learns from drawn lines alone, measured on photographs and on drawn lines.

    python benchmarks/ppocr_finetune.py TEXTS REAL [--out runs/finetune] [--steps 400] [--rows 16] [--json OUT.json]
                                        [--stage rec]

TEXTS is a folder of running text, English and Chinese; REAL holds dev.jsonl (see readers.py) and its images, which are
never learned from. What is learned: Chinese licence plates; measured values and what is measured, in small type with
its units, μmol/L, ℃, β, ×10⁹/L, some of whose characters PP-OCRv2 lacks; and, for nothing else to be forgotten, small
English and Chinese. All are drawn, written as PaddleOCR's label files, and learned by the public command:

    ocr2 train ppocr --stage rec --data OUT/labels --init ppocrv2 --out OUT/run --steps 400 --rows 16

"right" is the share of images that are read without a mistake, "distance" the mean edit distance over the longer text;
spaces don't count, as in PaddleOCR's own measure, full-width forms are their ASCII ones, and the dot that plates have
after the second character is left out. Drawn images that are measured have type, words and numbers that are held back.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import mean
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw

import ocr2
from ocr2.data.corpus import Corpus
from ocr2.data.formats import FORMATS
from ocr2.data.labels import Labels, write
from ocr2.data.lines import Lines
from ocr2.errors import BadInput
from ocr2.metrics import edit_distance, plain
from ocr2.ppocr.pipeline import rectify
from ocr2.ppocr.samples import LONGEST
from ocr2.renderers import camera, paper
from ocr2.renderers.fonts import faces, opened
from ocr2.renderers.galley import Style
from ocr2.renderers.typeset import Block, Part, typeset
from ocr2.types import Box, Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Drawing = tuple[np.ndarray, str]

KINDS = "plate,line,word,form,page-en,page-zh"
DOTS = dict.fromkeys(map(ord, "·•.・"))
NARROW = dict(zip(range(0xFF01, 0xFF5F), range(0x21, 0x7F), strict=True))
"""Full-width forms."""
HELD = 10**6
"""The number of the first drawn line that is kept for measuring."""

# plates

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
PAINTS = (
    ((15, 65, 195), (245, 245, 245), 8),
    ((240, 175, 20), (20, 20, 20), 2),
    ((90, 205, 130), (20, 20, 20), 2),
    ((240, 240, 240), (20, 20, 20), 1),
)
"""Ground and letters, red, green and blue, and how many of them there are."""
CELL, HEIGHT = 57, 140
"""Millimetres from a character to the next; of the plate."""


def plate(rng: Random, held: bool) -> Drawing:
    """A plate as a camera at a barrier has it, and what it says without the dot."""
    ground, ink, _ = rng.choices(PAINTS, [share for *_, share in PAINTS])[0]
    count = 6 if ground == PAINTS[2][0] else 5  # cars that run on electricity have one more
    digits = [rng.choice(LETTERS if rng.random() < 0.22 else "0123456789") for _ in range(count)]
    text = "".join([rng.choice(PROVINCES), rng.choice(LETTERS), *digits])
    size = (CELL * len(text) + 41, HEIGHT)
    stencil = _stencil(text, size, rng, held)
    share = cv2.GaussianBlur(stencil, (0, 0), 1)[..., None] / 255
    field = np.array(ground) * rng.uniform(0.8, 1.35) + np.array([rng.gauss(0, 18) for _ in range(3)])
    return _taken((field + (np.array(ink) - field) * share).clip(0, 255).astype(np.uint8), rng), text


def _stencil(text: str, size: tuple[int, int], rng: Random, held: bool) -> np.ndarray:
    """The frame, the characters, the dot and the bolts, 0 (none) to 255."""
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.8:
        draw.rounded_rectangle((4, 4, size[0] - 5, HEIGHT - 5), 10, outline=255, width=rng.randint(3, 5))
    latin = rng.choice([face for face in faces("sans", held) if not face.italic])
    han = rng.choice([face for face in faces("han", held) if "Serif" not in face.family])
    for number, char in enumerate(text):
        x = 17 + CELL * number + (22 if number > 1 else 0)
        width = rng.randint(11, 15) if char == "1" and rng.random() < 0.7 else 45
        glyph = Image.new("L", (8, 8), 255) if width < 45 else _glyph(char, han if number == 0 else latin)
        if char == "1":
            width = min(width, 26)
        image.paste(glyph.resize((width, 90)), (x + (45 - width) // 2, 25))
    x = 17 + 2 * CELL + 5
    draw.ellipse((x - 5, 65, x + 5, 75), 255)
    for x in (size[0] * 0.26, size[0] * 0.74):
        if rng.random() < 0.7:
            draw.ellipse((x - 8, 8, x + 8, 24), rng.randint(100, 255))
    return np.array(image)


def _glyph(char: str, face) -> Image.Image:
    """A character's ink, and nothing about it."""
    image = Image.new("L", (200, 200))
    ImageDraw.Draw(image).text((40, 150), char, 255, opened(face, 110), "ls")
    return image.crop(image.getbbox())


def _taken(flat: np.ndarray, rng: Random) -> np.ndarray:
    """A plate on a car, seen from somewhere, by day or night, dirty at times, with little around it."""
    height = 4 * rng.randint(20, 40)
    width = round(height * rng.uniform(3, 4.1))
    lean = rng.uniform(-0.3, 0.3) * height if rng.random() < 0.6 else 0.0
    edges = [rng.uniform(-0.03, 0.2) * height for _ in range(4)]
    x0, y0, x1, y1 = edges[0], edges[1] + max(0, -lean), width - edges[2], height - edges[3] - max(0, lean)
    corners = np.array([[x0, y0], [x1, y0 + lean], [x1, y1 + lean], [x0, y1]], np.float32)
    corners += np.array([[rng.gauss(0, 0.015) * height for _ in range(2)] for _ in range(4)], np.float32)
    h, w = flat.shape[:2]
    matrix = cv2.getPerspectiveTransform(np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32), corners)
    car = np.ascontiguousarray(paper.surface(width, height, rng) * rng.uniform(0.1, 1)).astype(np.uint8)
    image = cv2.warpPerspective(flat, matrix, (width, height), car, borderMode=cv2.BORDER_TRANSPARENT)
    if rng.random() < 0.25:
        spots = cv2.GaussianBlur(camera.noise(width, height, rng), (0, 0), height / 20).astype(np.float32)
        spots = (spots - spots.mean()) / (spots.std() + 1e-3)
        image = (image * (1 - (spots - 1).clip(0, 1) * rng.uniform(0.1, 0.5))[..., None]).astype(np.uint8)
    image = cv2.resize(image, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    contrast, light = (rng.uniform(0.3, 0.8), rng.uniform(50, 120)) if rng.random() < 0.2 else (1.0, 128.0)
    image = ((image - 128.0) * contrast * rng.uniform(0.8, 1.2) + light + rng.gauss(0, 15)).clip(0, 255)
    image = camera.blurred(image.astype(np.uint8), rng.uniform(0.3, max(0.5, height / 4 / 34)))
    return camera.squeezed(camera.noisy(image, rng, rng.uniform(1, 7)), rng.randint(50, 95))


# units

UNITS = (
    *("g/L", "mg/L", "U/L", "IU/L", "mU/L", "μmol/L", "mmol/L", "nmol/L", "pmol/L", "μg/L", "ng/mL", "mg/dL", "μIU/mL"),
    *("℃", "℃", "℃", "%", "‰", "fL", "pg", "s", "×10⁹/L", "×10¹²/L", "/μL", "mm/h", "mmHg", "kPa", "mL/min", "g/24h"),
    *("μm", "nm", "μL", "mL", "μF", "kΩ", "MΩ", "Ω", "mV", "μA", "kHz", "m²", "m³", "cm³", "mg/kg", "μg/d", "kJ"),
)
NAMES = (
    *("ALT", "AST", "GGT", "γ-GT", "ALP", "TBIL", "DBIL", "TP", "ALB", "GLO", "BUN", "Cr", "UA", "GLU", "TG", "HDL-C"),
    *("LDL-C", "CK-MB", "WBC", "RBC", "Hb", "PLT", "MCV", "hs-CRP", "TSH", "FT3", "HbA1c", "β-HCG", "β2-MG", "α-AFP"),
    *("urea", "glucose", "albumin", "creatinine", "serum iron", "lactate", "uric acid", "β-globulin", "α-amylase"),
    *("β-carotene", "pH", "Na", "Cl", "Ca", "vitamin B12", "folate", "ferritin", "Temp.", "Ref. range", "net wt."),
    *("肌酐", "尿素", "尿酸", "葡萄糖", "总蛋白", "白蛋白", "总胆红素", "谷丙转氨酶", "γ-谷氨酰转移酶", "甘油三酯"),
    *("β-葡聚糖", "燕麦β-葡聚糖", "β-胡萝卜素", "α-淀粉酶", "β2-微球蛋白", "血红蛋白", "白细胞", "红细胞", "温度"),
    *("最高洗涤温度", "储存温度", "净含量", "规格", "浓度", "电阻", "电容", "蛋白质", "钠", "铁", "维生素", "参考值"),
)


def measured(rng: Random, held: bool) -> Drawing:
    """A line of a laboratory's report or a label: what was measured, a value, its unit, a range; or some of them."""
    name = rng.choice([name for number, name in enumerate(NAMES) if (number % 5 == 2) == held])
    unit, (low, high) = rng.choice(UNITS), sorted(_value(rng) for _ in range(2))
    gap = rng.choice(("", " "))
    value = f"{rng.choice(('', '', '', '<', '>', '±', '-'))}{low:g}"
    between = rng.choice(("-", "~", " - "))
    forms = (
        *(unit, f"{value}{gap}{unit}", f"{name}{rng.choice((' ', ':', '：', ''))}{value}{gap}{unit}"),
        *(f"{low:g}{between}{high:g}{gap}{unit}", f"{name} ({unit})", f"{name} {unit}", name),
    )
    return printed(rng.choice([form for form in forms if len(form) <= LONGEST]), rng, held)


def _value(rng: Random) -> float:
    return round(10 ** rng.uniform(-1, 3), rng.choice((0, 1, 1, 2)))


def printed(text: str, rng: Random, held: bool) -> Drawing:
    """The text in small type, printed or painted on something, cut out."""
    latin = rng.choice(faces(rng.choice(("serif", "sans", "sans", "mono")), held))
    size = rng.choice((12, 13, 14, 16, 18, 20, 23, 26, 33))
    style = Style(latin, rng.choice(faces("han", held and "℃" not in text)), size)  # which the one held back lacks
    width = size * (len(text) + 4)
    sheet = typeset([Part([Block(text, style)], [Box(size, size / 2, width, 2 * size)])], width + size, 2 * size)
    if [line.text for line in sheet.lines] != [text]:
        raise BadInput(f"{text}: neither {latin.name} nor {style.han.name} has all of its characters")
    if rng.random() < 0.2:
        pixels, (line,) = paper.painted(sheet.ink, sheet.lines, rng)
    else:
        pixels, (line,) = paper.worn(sheet.ink, sheet.lines, rng, size)
    return _cut(pixels, line, rng), text


def _cut(pixels: np.ndarray, line, rng: Random) -> np.ndarray:
    """The line with a little around it, as a detector cuts it out."""
    quad = np.array(line.quad, np.float32)
    edge = rng.uniform(0.02, 0.2) * float(quad[2, 1] - quad[0, 1])
    quad += np.array([[-edge, -edge], [edge, -edge], [edge, edge], [-edge, edge]], np.float32)
    return rectify(pixels, tuple(map(tuple, quad.tolist())))


def ordinary(engines: list[Lines], rng: Random, held: bool) -> Drawing:
    """A short line of running text."""
    while True:
        page = rng.choice(engines).page(rng.randrange(HELD))
        if found := [line for line in page.lines if 0 < len(line.text) <= LONGEST]:
            line = rng.choice(found)
            return _cut(np.asarray(page.image), line, rng), line.text


# learning and measuring


@dataclass(frozen=True)
class Drawn:
    """Drawn lines, by their numbers."""

    name: str
    draw: Callable[[Random, bool], Drawing]

    def __getitem__(self, index: int) -> Sample:
        image, text = self.draw(Random(f"{self.name}/{index}"), index >= HELD)
        return Sample((Image.fromarray(image),), Prompt(), text, "text", "")


def labelled(texts: Path, out: Path, count: int, held: int) -> None:
    """Writes the label files that are learned from, and those that are held back."""
    corpus = Corpus([texts])
    english = [Lines(corpus, "line", "en", 1, views=((256, 64), (384, 64))), Lines(corpus, "word", "en", 1)]
    chinese = [Lines(corpus, "line", "zh", 1, views=((256, 64), (512, 64))), Lines(corpus, "slice", "zh", 1)]
    drawn = {"plates": plate, "units": measured}
    drawn |= {"english": partial(ordinary, english), "chinese": partial(ordinary, chinese)}
    for folder, first, last in (("labels", 0, count), ("held", HELD, HELD + held)):
        (out / folder).mkdir(parents=True, exist_ok=True)
        for name, draw in drawn.items():
            if folder == "labels" or name in ("plates", "units"):
                list(write(Drawn(name, draw), out / folder / f"{name}.txt", FORMATS["rec"], range(first, last)))


def items(out: Path, real: Path, kinds: str) -> Iterator[tuple[str, Image.Image, str]]:
    """What is measured: its kind, its picture and its truth."""
    for name in ("plates", "units"):
        labels = Labels(out / "held" / f"{name}.txt", FORMATS["rec"])
        for number in range(len(labels)):
            sample = labels[number]
            yield f"drawn {name}", sample.images[0], sample.text
    records = [json.loads(line) for line in (real / "dev.jsonl").read_text(encoding="utf-8").splitlines()]
    for kind in kinds.split(","):
        for record in records:
            if record["kind"] == kind:
                with Image.open(real / record["image"]) as image:
                    yield kind, image.convert("RGB"), record["text"]


def read(model: str, found: Iterator[tuple[str, Image.Image, str]]) -> dict[str, list[tuple[str, str]]]:
    """Of each kind, what was read and what is right, as they are compared."""
    reader, answers = ocr2.load(model, 1), {}
    for kind, image, truth in found:
        both = (plain(text).replace(" ", "").translate(NARROW) for text in (reader.read(image).text, truth))
        pair = tuple(text.translate(DOTS) if "plate" in kind else text for text in both)
        answers.setdefault(kind, []).append(pair)
    return answers


def learn(out: Path, stage: str, steps: int, rows: int) -> None:
    """Trains by the public command."""
    command = ["train", "ppocr", "--stage", stage, "--init", "ppocrv2", "--data", out / "labels", "--out", out / "run"]
    numbers = ["--steps", str(steps), "--rows", str(rows), "--workers", "0", "--device", "cpu"]
    subprocess.run([sys.executable, "-m", "ocr2", *command, *numbers], check=True)


def main() -> None:
    """Draw, read, learn, read again, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("real", type=Path)
    parser.add_argument("--out", type=Path, help="keeps the lines and the model; else they are forgotten")
    parser.add_argument("--stage", default="rec", help="of ocr2 train ppocr: rec, rec-joined or rec-heights")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--count", type=int, default=1500, help="drawn lines of each of four kinds to learn from")
    parser.add_argument("--held", type=int, default=200, help="drawn lines of each of two kinds to measure")
    parser.add_argument("--kinds", default=KINDS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        labelled(options.texts, out, options.count, options.held)
        before = read("ppocrv2", items(out, options.real, options.kinds))
        learn(out, options.stage, options.steps, options.rows)
        after = read(str(out / "run" / "model"), items(out, options.real, options.kinds))
    print("| kind | images | right before | after | distance before | after |\n|---|---:|---:|---:|---:|---:|")
    rows = []
    for kind in before:
        row = {"kind": kind, "images": len(before[kind])}
        for when, pairs in (("before", before[kind]), ("after", after[kind])):
            row |= {f"right {when}": mean(ours == truth for ours, truth in pairs)}
            row |= {f"distance {when}": mean(edit_distance(*pair) for pair in pairs), f"pairs {when}": pairs}
        rows.append(row)
        told = "| {kind} | {images} | {right before:.1%} | {right after:.1%} |"
        print(f"{told} {{distance before:.4f}} | {{distance after:.4f}} |".format(**row))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
