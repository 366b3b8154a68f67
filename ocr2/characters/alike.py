r"""Whether two sources draw the same picture: exact match punishes one picture that is spelled in two ways.

    alike("formula", r"\[ a\le b \]", r"$$a \leq{b}$$")     1.0

That is for formulas and figures. How a molecule lies depends on how its SMILES is spelled; its own score knows.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ocr2.characters import CHARACTERS
from ocr2.errors import BadInput, RenderFailed
from ocr2.metrics.picture import likeness

if TYPE_CHECKING:
    from ocr2.renderers.drawing import Pixels

TIMES = 2.0
"""As large as plain: letters that differ by a stroke are then told apart."""
_DASHED = re.compile(r'd="M(\S+) (\S+) L(\S+) (\S+)"(?=[^>]*stroke-dasharray)')
_log = logging.getLogger(__name__)


def alike(kind: str, predicted: str, truth: str) -> float:
    """How alike the pictures of two sources are, 0 to 1; see `ocr2.metrics.picture`. Raises RendererMissing."""
    return compared(kind, predicted, truth)[0]


def compared(kind: str, predicted: str, truth: str) -> tuple[float, str]:
    """How alike they are, and why they can't be compared; "" where they can. `kind` is a name in CHARACTERS.

    What can't be drawn is like nothing (0) but itself (1, and it isn't drawn). Raises RendererMissing.
    """
    if predicted.strip() == truth.strip():
        return 1.0, ""
    pictures = []
    for name, source in (("truth", truth), ("answer", predicted)):
        try:
            pictures.append(_drawn(kind, source))
        except (BadInput, RenderFailed) as error:
            _log.info("the %s can't be drawn as %s: %s", name, kind, error)
            return 0.0, f"the {name} can't be drawn: {error}"
    theirs, ours = pictures
    return likeness(ours, theirs), ""


def _drawn(kind: str, source: str) -> Pixels:
    drawing = CHARACTERS[kind].draw(source, None)
    if drawing.format == "svg":
        drawing = replace(drawing, content=_DASHED.sub(_turned, drawing.svg()).encode())
    return (drawing if drawing.format == "pixels" else drawing.scaled(TIMES)).pixels()


def _turned(line: re.Match[str]) -> str:
    """A dashed line from left to right, or down: where its dashes are depends on the end that it is drawn from."""
    x0, y0, x1, y1 = line.groups()
    ends = sorted(((x0, y0), (x1, y1)), key=lambda end: (round(float(end[0]), 1), float(end[1])))
    return 'd="M{} {} L{} {}"'.format(*ends[0], *ends[1])
