"""Means of scores over samples."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocr2.evaluate.benchmark import Scored


def mean(scored: Iterable[Scored], measure: str) -> float | None:
    """The mean of a measure over the samples that have it; None where none has.

    What failed has none, and counts as the worst: 1 for a distance or an error rate, else 0. What the published script
    leaves out, and samples without that part, don't count.
    """
    worst = float(measure.endswith(("distance", "error")))
    found = [
        each.scores.get(measure, worst)
        for each in scored
        if each.scores is not None and (measure in each.scores or each.error)
    ]
    return fmean(found) if found else None
