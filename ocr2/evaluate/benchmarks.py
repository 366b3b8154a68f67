"""Every benchmark by its name, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ocr2.errors import BadInput

if TYPE_CHECKING:
    from ocr2.evaluate.benchmark import Benchmark

BENCHMARKS = {
    "fox": "fox.FOX",
    "got-scene": "gotsets.SCENE",
    "got-formatted": "gotsets.FORMATTED",
    "got-formatted-tiles": "gotsets.FORMATTED_TILES",
    "chartqa-se": "charts.CHARTQA_SE",
    "plotqa-se": "charts.PLOTQA_SE",
    "grandstaff": "grandstaff.GRANDSTAFF",
    "camera-grandstaff": "grandstaff.CAMERA_GRANDSTAFF",
    "omnidocbench": "omnidocbench.OMNIDOCBENCH",
    "olmocr-bench": "olmocr.OLMOCR_BENCH",
    "paddle": "paddle.PADDLE",
    "jsonl": "jsonl.JSONL",
    "synthetic": "synthetic.SYNTHETIC",
}
"""Where each is, in this package."""


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name. Raises BadInput where there is none."""
    if name not in BENCHMARKS:
        raise BadInput(f"no benchmark {name}: expected {', '.join(BENCHMARKS)}")
    module, _, constant = BENCHMARKS[name].partition(".")
    found: Benchmark = getattr(import_module(f"ocr2.evaluate.{module}"), constant)
    return found
