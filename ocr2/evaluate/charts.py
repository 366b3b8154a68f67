"""ChartQA-SE and PlotQA-SE: charts, and what they say as a dict (J. Chen et al., "OneChart", arXiv 2404.09987).

The folder is `ChartSE`, with the JSON files of truths and the folder `imgs`:

    [{"images": "1234.png", "gts": {"title": "Rain", "source": "None", "x_title": "Month", "y_title": "mm",
                                    "values": {"May": "61", "June": "47.5"}}}, …]
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ocr2.errors import BadInput
from ocr2.evaluate.benchmark import Item
from ocr2.evaluate.folders import Folder, entries, ids, is_there, opened, picture, sound
from ocr2.evaluate.published import CHARTQA, PLOTQA, Published, means
from ocr2.metrics import scrm
from ocr2.types import Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ocr2.evaluate.benchmark import Answer, Mode, Scored, Table
    from ocr2.evaluate.folders import Entry

_OTHERS = {"em": "All right", "structure": "Is a chart", "title": "Title", "source": "Source"}
_OTHERS |= {"x_title": "X title", "y_title": "Y title"}
"""What OneChart's script prints beside AP."""


@dataclass(frozen=True)
class Charts:
    """One of the two sets."""

    title: str
    file: str
    images: tuple[str, ...]
    """The folders that may have its images, the likeliest first; "." is the benchmark's own."""
    published: Published
    source: str = "https://huggingface.co/datasets/kppkkp/ChartSE (Apache-2.0), imgs.zip unpacked in it"

    def items(self, folder: Path) -> list[Item]:
        """Its items; `more` is the truth as `scrm.scores` takes it. Raises BadInput."""
        at = Folder(folder, "the folder ChartSE", self.source).within("ChartSE", "ChartSE_Benchmark")
        found = entries(at.file(self.file))
        images = self._images(at, found[0])
        names = ids(PurePosixPath(entry.text("images")).stem for entry in found)
        return [self._item(entry, name, images) for entry, name in zip(found, names, strict=True)]

    def _images(self, at: Folder, first: Entry) -> Path:
        """The folder of images: the one that has the first."""
        name = sound(first.value("images"), f"{first.where}, 'images'")
        for images in self.images:
            if is_there(at.path / images / name):
                return at.path / images
        raise at.missing(f"image {name} in {', '.join(self.images)}")

    def _item(self, entry: Entry, name: str, images: Path) -> Item:
        path = picture(images, entry.value("images"), entry.where)
        truth = _truth(entry)
        task = next(iter(self.published.tasks))
        told = json.dumps(truth, ensure_ascii=False)
        return Item(name, opened(path), told, "chart", task, Prompt(format=True), more=truth)

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float]:
        """AP at each tolerance, as this chart's share of it, and what OneChart's script prints beside."""
        return scrm.scores(answer.text, item.more, published=mode == "published")

    def worth(self, scores: dict[str, float]) -> float:
        """The mean of AP at the three tolerances."""
        return fmean(scores[f"ap_{each}"] for each in scrm.TOLERANCES)

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """The half of GOT's table 5 that is about this set, and the reader's other measures."""
        reached = means(scored)
        told = ["AP is OneChart's structure accuracy × AP: an answer that is no chart is like none."]
        if mode == "published":
            told.append("Counted as the released script does: a label may be a part of the other, K and M are lost.")
        table = self.published.beside(name, reached, told)
        others = Published(f"{self.title}: other measures", self.published.tasks, _OTHERS, ())
        return [table, others.beside(name, reached)]


def _truth(entry: Entry) -> dict[str, Any]:
    """What the chart says. Raises BadInput."""
    gts = entry.value("gts")
    missing = [each for each in (*scrm.TEXTS, "values") if not isinstance(gts, dict) or each not in gts]
    if missing:
        raise BadInput(f"{entry.where}, 'gts': no {missing[0]!r}; expected {', '.join(scrm.TEXTS)} and values")
    if not isinstance(gts["values"], dict):
        raise BadInput(f"{entry.where}, 'gts', 'values' is {gts['values']!r:.60}: expected {{label: number, …}}")
    for each in scrm.TEXTS:
        for text in gts[each] if isinstance(gts[each], list) else [gts[each]]:
            sound(text, f"{entry.where}, 'gts', {each!r}")
    return {each: gts[each] for each in (*scrm.TEXTS, "values")}


CHARTQA_SE = Charts(
    "ChartQA-SE: charts as dicts (OneChart, arXiv 2404.09987)",
    "ChartQA_test_human_filter.json",
    ("imgs/ChartQA-test", "imgs/ChartQA-SE", "imgs/ChartQA", "imgs", "ChartQA-test", "images", "png", "."),
    CHARTQA,
)
PLOTQA_SE = Charts(
    "PlotQA-SE: charts as dicts (OneChart, arXiv 2404.09987)",
    "PlotQA_test.json",
    ("imgs/PlotQA-test", "imgs/PlotQA-SE", "imgs/PlotQA", "imgs", "PlotQA-test", "images", "png", "."),
    PLOTQA,
    "https://huggingface.co/datasets/kppkkp/ChartSE (Apache-2.0), and in its imgs/PlotQA-test the images of the test "
    "part of https://github.com/NiteshMethani/PlotQA (CC BY 4.0)",
)
