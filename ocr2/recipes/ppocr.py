"""PP-OCRv2's networks: the detector, the recogniser, the direction classifier, and what teaches them (PP-OCRv2 §2).

    ocr2 train ppocr --stage teacher --data DIR --out runs/teacher
    ocr2 train ppocr --stage det-cml --data DIR --init runs/teacher/model --out runs/det
    ocr2 train ppocr --stage rec-center --data DIR --out runs/rec
    ocr2 train ppocr --stage rec --data DIR --init ppocrv2 --out runs/mine      fine-tunes the published recogniser

DIR holds PaddleOCR's label files (*.txt: a picture's name, a tab, its text or the places of its lines), or running text
(*.txt, a paragraph a line), of which pages are drawn as they are needed. A recogniser knows the characters of the one
that it begins with, those of the labels, and those in DIR/characters.txt, one a line.

The published runs took 1200 epochs of the detector and 800 of the recogniser on Baidu's own data: hmean .759 alone,
.777 with DML, .789 with CML, .795 with CopyPaste; accuracy .693 with LCNet, .739 with U-DML, .748 with Enhanced CTC.
`benchmarks/ppocr_ablation.py` repeats the two tables at a laptop's size; `benchmarks/ppocr_finetune.py` fine-tunes on
drawn lines, for which a few hundred steps of 16 rows do (`--steps 400 --rows 16`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ocr2.errors import BadInput
from ocr2.ppocr.distill import Centers, Collaborative, Mutual, MutualReading, Plain, Reading, Turning
from ocr2.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from ocr2.ppocr.parts import Part


@dataclass(frozen=True)
class Recipe:
    """What one network learns, and from whom."""

    stage: Stage
    part: Part
    learner: Callable[..., nn.Module]
    """What `train.fit` takes, made of networks: the student, its partner, its teacher, as many as it takes."""
    rows: int
    """Samples of a step."""
    networks: int = 1
    """How many of them learn: the student, its partner."""
    backbone: str = ""
    """Of the student; "" for PP-OCRv2's."""
    residual: bool = False
    """Whether a detector's pyramid is RSE-FPN."""
    taught: bool = False
    """Whether there is a teacher, too, among what training begins with."""
    centers: bool = False
    """Whether a recogniser learns by Enhanced CTC."""
    side: int = 640
    """Pixels of the pictures that a detector learns from. Published: 960."""
    pasted: bool = True
    """Whether texts of other pages are pasted on a detector's (CopyPaste)."""
    damaged: bool = True
    """Whether a recogniser's lines are bent, blurred, inverted and more (RecAug); if not, none are joined either."""
    joined: bool = False
    """Whether half of a recogniser's lines are two as one, where there is room (TextConAug, PP-OCRv3)."""
    width: int = 320
    """Pixels of a recogniser's lines, padding included: what longer ones are squeezed to."""
    heights: tuple[int, ...] = (32,)
    """Of a recogniser's lines, one for each batch (PP-OCRv4 learns from 32, 48 and 64)."""
    ratios: tuple[float, float] = (0.4, 0.4)
    """By how much text is shrunk for a detector, at first and at last (PP-OCRv4: 0.4 to 0.6)."""


_DET = Stage("det", 20_000, 1e-3, warmup=0.02, decay=0.0, betas=(0.9, 0.999), clip=0.0, precision="fp32", every=500)
# Published: decay 2e-5 as part of the gradient, and steps instead of the cosine
_REC = replace(_DET, name="rec", decay=2e-5, clip=5.0)
_CLS = replace(_DET, name="cls", steps=5_000)

RECIPES: dict[str, Recipe] = {
    "teacher": Recipe(replace(_DET, name="teacher"), "detector", Plain, 8, backbone="resnet"),
    "det": Recipe(_DET, "detector", Plain, 8),
    "det-dml": Recipe(replace(_DET, name="det-dml"), "detector", Mutual, 8, 2),
    "det-cml": Recipe(replace(_DET, name="det-cml", frozen=("teacher",)), "detector", Collaborative, 8, 2, taught=True),
    "det-rse": Recipe(replace(_DET, name="det-rse"), "detector", Plain, 8, residual=True, ratios=(0.4, 0.6)),
    "rec-mobilenet": Recipe(replace(_REC, name="rec-mobilenet"), "recognizer", Reading, 128, backbone="mobilenet"),
    "rec": Recipe(_REC, "recognizer", Reading, 128),
    "rec-joined": Recipe(replace(_REC, name="rec-joined"), "recognizer", Reading, 128, joined=True),
    "rec-heights": Recipe(replace(_REC, name="rec-heights"), "recognizer", Reading, 128, heights=(32, 48, 64)),
    "rec-mutual": Recipe(replace(_REC, name="rec-mutual"), "recognizer", MutualReading, 128, 2),
    "rec-center": Recipe(replace(_REC, name="rec-center"), "recognizer", MutualReading, 128, 2, centers=True),
    "cls": Recipe(_CLS, "classifier", Turning, 256),
}
"""By the name of the stage."""


def recipe(name: str, steps: int | None = None, rows: int | None = None, seed: int | None = None) -> Recipe:
    """The stage of that name, with other numbers where they are given. Raises BadInput for a name that no stage has."""
    if name not in RECIPES:
        raise BadInput(f"stage {name!r}: this recipe has the stages {', '.join(RECIPES)}")
    found = RECIPES[name]
    stage = replace(found.stage, steps=steps or found.stage.steps, seed=found.stage.seed if seed is None else seed)
    return replace(found, stage=stage.often_saved(), rows=rows or found.rows)


def learner(recipe: Recipe, networks: Sequence[nn.Module], classes: int) -> nn.Module:
    """What learns, of its networks."""
    return recipe.learner(*networks, *([Centers(classes)] if recipe.centers else []))
