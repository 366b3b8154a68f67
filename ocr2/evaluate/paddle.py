"""PaddleOCR's label files: pictures with the places of their lines for detectors, words and lines for recognisers.

    for item in PADDLE.items(Path("icdar2015/text_localization")):
        print(item.id, PADDLE.score(item, Answer("EXIT", lines), "corrected"))

Each label file is a part by itself. What it holds is told by its first line: see ocr2/data/paddle.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ocr2 import files
from ocr2.data import paddle
from ocr2.data.labels import Labels
from ocr2.errors import BadInput
from ocr2.evaluate.benchmark import Item, Table
from ocr2.evaluate.folders import ids, opened, picture, sound
from ocr2.evaluate.tables import mean
from ocr2.metrics import edit_distance, plain
from ocr2.metrics.boxes import Matched, Region, detected, matched, recognised
from ocr2.types import join

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ocr2.evaluate.benchmark import Answer, Cell, Mode, Scored
    from ocr2.types import Line

EXPECTED = (
    'a line for each picture, its name, a tab, and for recognisers its text, for detectors [{"transcription", '
    '"points"}, …]; the names begin in the folder of the label file'
)
MOST_CORNERS = 500
"""Points of an outline: each of its sides is compared with each other."""
_NAMES = ("matched", "right", "found", "wanted")
"""What a Matched's numbers are called among the scores."""


@dataclass(frozen=True)
class Paddle:
    """Label files in PaddleOCR's layout."""

    title: str = "PaddleOCR label files: detection (ICDAR 2015's hmean), end to end, and word accuracy"
    source: str = (
        "your own (PPOCRLabel writes them), or PaddleOCR's of public sets: "
        "https://github.com/PaddlePaddle/PaddleOCR, doc/doc_en/dataset; each set has a licence of its own"
    )

    def items(self, folder: Path) -> Iterator[Item]:
        """The pictures of a label file, or of all label files (*.txt) in a folder. Raises BadInput for a line that is
        wrong, a picture that isn't there, and one that is twice in a file.
        """
        found: list[tuple[str, Item]] = []
        for path in _label_files(folder):
            labels = Labels(path, paddle.REC)
            whole = _is_detection(labels.text(0))
            seen: dict[str, str] = {}
            for number in range(len(labels)):
                name, item = _item(labels, number, whole)
                where = labels.where(number)
                if name in seen:
                    raise BadInput(f"{where}: {name} is also in {seen[name]}: expected each picture once")
                seen[name] = where
                found.append((name.rpartition(".")[0] or name, item))
        for safe, (_, item) in zip(ids(name for name, _ in found), found, strict=True):
            yield replace(item, id=safe)

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float]:
        """Of a word: see `recognised`. Of a whole picture: how far its text is off; and where lines have places, how
        well they are found, with the counts that means are made of.
        """
        if item.more is None:
            ours, theirs = (" ".join(text.split()) for text in (answer.text, item.truth))
            return recognised(ours, theirs, published=mode == "published")
        scores = {"edit_distance": edit_distance(plain(answer.text), plain(item.truth))}
        found = [region for line in answer.lines for region in _regions(line)]
        if found or not answer.text.strip():
            counts = matched(found, item.more)
            scores |= detected([counts]) | dict(zip(_NAMES, map(float, counts), strict=True))
        return scores

    def worth(self, scores: dict[str, float]) -> float:
        """The harmonic mean of precision and recall, or how much of the text is right."""
        for name in ("similarity", "hmean"):
            if name in scores:
                return scores[name]
        return 1 - scores["edit_distance"]

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """A row for each label file."""
        tasks = dict.fromkeys(each.item.task for each in scored)
        parts = [(task, [each for each in scored if each.item.task == task]) for task in tasks]
        whole = [(task, some) for task, some in parts if some[0].item.more is not None]
        words = [(task, some) for task, some in parts if some[0].item.more is None]
        return [*([_detection(whole, name)] if whole else []), *([_recognition(words, name, mode)] if words else [])]


def _label_files(folder: Path) -> list[Path]:
    """Those of a folder: text files whose first line has a tab. Raises BadInput where there is none."""
    if not folder.is_dir():
        return [folder]
    found = []
    for path in sorted(folder.glob("*.txt"), key=lambda path: files.natural(path.name)):
        try:
            with open(path, "rb") as file:
                found += [path] if b"\t" in file.readline(1 << 20) else []
        except OSError as error:
            raise BadInput(f"{path} can't be read ({error.strerror}): make it readable") from error
    if not found:
        raise BadInput(f"{folder} has no label file: expected *.txt with {EXPECTED}")
    return found


def _is_detection(text: str) -> bool:
    """Whether a line of a label file is a detector's, a damaged one perhaps."""
    label = text.partition("\t")[2].strip()
    return label == "[]" or label.replace(" ", "").startswith('[{"')


def _item(labels: Labels, number: int, whole: bool) -> tuple[str, Item]:
    """The picture of a line of a label file, by its name, and yet without an id. Raises BadInput."""
    text, where, regions = labels.text(number), labels.where(number), None
    try:
        if whole:
            label = paddle.labelled(text)
            name, truth = label.name, join(label.lines).strip()
            if (most := max((len(outline) for _, outline in label.outlines), default=0)) > MOST_CORNERS:
                raise BadInput(f"an outline of {most:,} points: expected up to {MOST_CORNERS}")
            regions = tuple(Region(outline, said, said in paddle.DONT_CARE) for said, outline in label.outlines)
        else:
            name, truth = paddle.halves(text)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error
    path = picture(labels.path.parent, name, where)
    return name, Item("", opened(path), sound(truth, where), task=labels.path.name, more=regions)


def _regions(line: Line) -> list[Region]:
    """Where a line was found; printed in several pieces, each of them."""
    if line.pieces:
        return [Region(piece.quad, piece.text.strip()) for piece in line.pieces]
    return [Region(line.quad, line.text)] if line.quad else []


def _detection(parts: list[tuple[str, list[Scored]]], name: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    unplaced = 0
    for task, some in parts:
        counts = []
        for each in some:
            if not each.scores:  # its score failed: nothing was found
                counts.append(Matched(0, 0, 0, sum(not region.ignored for region in each.item.more)))
            elif "matched" in each.scores:
                counts.append(Matched(*(int(each.scores[one]) for one in _NAMES)))
        unplaced += len(some) - len(counts)
        means: dict[str, float] = detected(counts) if counts else {}
        rows.append(
            (
                task,
                len(some),
                *map(means.get, ("precision", "recall", "hmean", "end_to_end")),
                mean(some, "edit_distance"),
            )
        )
    notes = [
        "Regions of all pictures together; a pair has more than half of its union in common. ### and * don't count.",
        "End to end: hmean of regions that also have the right text.",
    ]
    if unplaced:
        notes.append(f"{unplaced} pictures that were read without places of lines count for the edit distance only.")
    columns = ("Labels", "Pictures", "Precision", "Recall", "Hmean", "End to end", "Edit ↓")
    return Table(f"Detection, {name}", columns, tuple(rows), tuple(notes))


def _recognition(parts: list[tuple[str, list[Scored]]], name: str, mode: Mode) -> Table:
    names = ("exact", "accuracy", "accuracy_alnum", "similarity")
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (task, len(some), *(mean(some, one) for one in names)) for task, some in parts
    )
    rule = (
        "what has none, in truth and prediction, is right" if mode == "published" else "truths without any are left out"
    )
    notes = (
        "Accuracy: spaces left out, PaddleOCR's acc; 1 − NED: its norm_edit_dis.",
        f"a–z, 0–9: ASCII letters and digits only, in lower case (is_filter); {rule}.",
    )
    columns = ("Labels", "Words", "Exact", "Accuracy", "a–z, 0–9", "1 − NED")
    return Table(f"Recognition, {name}", columns, rows, notes)


PADDLE = Paddle()
