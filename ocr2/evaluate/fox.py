"""Fox: dense pages, and regions of them, in English and Chinese (C. Liu et al., arXiv 2405.14295).

Its nine tasks are read from `focus_benchmark_test`, one JSON file of questions and answers and one folder of images a
task. Transcripts of pages, boxes, lines and coloured frames are asked for as a `Prompt`; a translation, a summary, a
caption, boxes on eight pages and a question about them can't be: their items open no pages but say so, and are scored
where somebody else has answered them.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from PIL import Image

from ocr2.errors import BadInput, BadPrompt
from ocr2.evaluate.benchmark import Item
from ocr2.evaluate.folders import Folder, entries, ids, opened, picture, sound
from ocr2.evaluate.published import BEYOND, PAGES, REGIONS, means, notes
from ocr2.metrics.words import suite
from ocr2.queries import asked
from ocr2.types import COLORS, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ocr2.evaluate.benchmark import Answer, Mode, Scored, Table
    from ocr2.evaluate.folders import Entry
    from ocr2.types import Color, Page

_log = logging.getLogger(__name__)
_PLACE = re.compile(r"\[\s*\d+(?:\s*,\s*\d+){1,3}\s*\]")
_CHINESE: dict[str, Color] = {"红": "red", "绿": "green", "蓝": "blue"}
_COLOR = re.compile(rf"\b(?:{'|'.join(COLORS)})\b|[{''.join(_CHINESE)}]", re.IGNORECASE)


@dataclass(frozen=True)
class _Task:
    """One of the benchmark's files."""

    name: str
    file: str
    images: str
    """Its folder of images; the README has those of the two languages' lines changed over."""
    region: re.Pattern[str] | None = None
    """What names the region in its questions."""


_TASKS = (
    _Task("page-en", "en_page_ocr.json", "en_pdf_png"),
    _Task("page-zh", "cn_page_ocr.json", "cn_pdf_png"),
    _Task("box-en", "en_box_ocr.json", "en_pdf_png", _PLACE),
    _Task("box-zh", "cn_box_ocr.json", "cn_pdf_png", _PLACE),
    _Task("line-en", "en_line_ocr.json", "en_pdf_png", _PLACE),
    _Task("line-zh", "cn_line_ocr.json", "cn_pdf_png", _PLACE),
    _Task("color-en", "en_onbox_ocr.json", "en_pdf_png_onbox", _COLOR),
    _Task("color-zh", "cn_onbox_ocr.json", "cn_pdf_png_onbox", _COLOR),
    _Task("translation", "en_box_translation.json", "en_pdf_png"),
    _Task("summary", "en_box_summary.json", "en_pdf_png"),
    _Task("caption", "en_page_indoc_caption.json", "en_pdf_png_render_laioncoco"),
    _Task("pages", "encn-multi-8page-box-ocr.json", "pdfpng_encn_multi_8page"),
    _Task("vqa", "encn-multi-8page-cross-vqa.json", "pdfpng_encn_multi_8page"),
)


@dataclass(frozen=True)
class Fox:
    """The benchmark. Published: as GOT scores it; its own script, which is the same, ends at an empty text."""

    title: str = "Fox: dense pages and their regions (arXiv 2405.14295)"
    source: str = "https://huggingface.co/datasets/ucaslcl/Fox_benchmark_data, focus_benchmark_test.zip; CC BY-NC 4.0"

    def items(self, folder: Path) -> list[Item]:
        """The items of all tasks whose file is there; `more` is the question in Fox's words. Raises BadInput."""
        at = Folder(folder, "the folder focus_benchmark_test, unpacked", self.source).within("focus_benchmark_test")
        there = [task for task in _TASKS if (at.path / task.file).is_file()]
        if not there:
            raise at.missing(", ".join(task.file for task in _TASKS))
        for task in _TASKS:
            if task not in there:
                _log.warning("%s has no %s: %s is left out", at.path, task.file, task.name)
        return [item for task in there for item in _items(at, task)]

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float] | None:
        """GOT's measures of transcripts; BLEU and METEOR of translations; ROUGE-L of summaries; METEOR and ROUGE-L of
        captions; and whether an answer is right.

        Case, and spaces around it, don't matter to the last one. Published: they do; and of an empty text or answer
        there is no score but that one.
        """
        published, said, right = mode == "published", answer.text, item.truth
        if item.task == "vqa":
            return {"accuracy": float(said == right if published else _same(said) == _same(right))}
        if item.task == "summary":
            return rouge_l(said, right, published=published)
        scores = suite(said, right, published=published)
        if scores is None or item.task not in ("translation", "caption"):
            return scores
        meteor = {key: value for key, value in scores.items() if key.startswith("meteor")}
        if item.task == "translation":
            return {"bleu": scores["bleu"], **meteor}
        rouge = rouge_l(said, right, published=published)
        return rouge and meteor | rouge

    def worth(self, scores: dict[str, float]) -> float:
        """What is left of 1 after the edit distance; of what has none, the measure that its table ends with."""
        if "edit_distance" in scores:
            return 1 - scores["edit_distance"]
        last = ("accuracy", "rouge_l", "meteor_wordnet", "meteor")
        return next(scores[measure] for measure in last if measure in scores)

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """GOT's tables 1 and 4 and Fox's others, each if there are samples for it."""
        tables = []
        for table in (PAGES, REGIONS, BEYOND):
            found = [each for each in scored if each.item.task in table.tasks]
            if found:
                tables.append(table.beside(name, means(found), notes(found, mode)))
        return tables


FOX = Fox()


def conversation(entry: Entry) -> tuple[str, str]:
    """The question and the answer of an entry of GOT's and Fox's JSON, without what stands for the image.

    [{"image": "en_1.png", "conversations": [{"from": "human", "value": "<image>\\nOCR this image: "},
                                             {"from": "gpt", "value": "FREEDOM OF …"}]}, …]

    Raises BadInput.
    """
    turns = entry.value("conversations")
    if not isinstance(turns, list) or len(turns) < 2 or not all(isinstance(turn, dict) for turn in turns):
        raise BadInput(f"{entry.where}: expected two turns as 'conversations', a question and its answer")
    question, answer = (sound(turn.get("value"), f"{entry.where}, 'value'") for turn in turns[:2])
    return question.replace("<image>", "").strip(), answer


def _items(at: Folder, task: _Task) -> list[Item]:
    found = entries(at.file(task.file))
    stem = task.file.removesuffix(".json")
    names = ids(f"{stem}-{_stem(entry.fields.get('image'))}" for entry in found)
    return [_item(at, task, entry, name) for entry, name in zip(found, names, strict=True)]


def _stem(image: object) -> str:
    return PurePosixPath(image.replace("\\", "/")).stem if isinstance(image, str) else ""


def _item(at: Folder, task: _Task, entry: Entry, name: str) -> Item:
    question, truth = conversation(entry)
    language = "zh" if task.name.endswith("zh") or task.name == "translation" else "en"
    if task.name in BEYOND.tasks:
        why = f"Fox asks {question!r:.200}, and a reader of text can't be asked that: give it a folder of predictions"
        language = "" if task.name in ("pages", "vqa") else language
        return Item(name, _refused(why), truth, task=task.name, language=language, more=question)
    path = picture(at.folder(task.images), entry.value("image"), entry.where)
    item = Item(name, opened(path), truth, task=task.name, language=language, more=question)
    try:
        return replace(item, prompt=_prompt(task, question, path))
    except BadPrompt as error:
        return replace(item, pages=_refused(f"Fox asks {question!r:.200}: {error}"))


def _refused(why: str) -> Callable[[], Sequence[Page]]:
    """What to open instead of pages where nobody can be asked about them."""

    def refuse() -> NoReturn:
        raise BadPrompt(why)

    return refuse


def _prompt(task: _Task, question: str, path: Path) -> Prompt:
    """The question as a prompt; its places are thousandths of the page. Raises BadPrompt."""
    if not task.region:
        return Prompt()
    region = task.region.search(question)
    if not region:
        raise BadPrompt(f"no region is named there: expected {'a colour' if task.region is _COLOR else '[x0, y0, …]'}")
    try:
        with Image.open(path) as image:
            width, height = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(f"{path} can't be read: {error}; expected an image, undamaged") from error
    named = region[0].strip("[]").lower()
    return asked(f"[{_CHINESE.get(named, named)}] OCR: ", width, height)


def _same(text: str) -> str:
    return " ".join(text.casefold().split())


# ROUGE-L


def rouge_l(predicted: str, truth: str, *, published: bool = False) -> dict[str, float] | None:
    """ROUGE-L of two texts of words: recall and precision by their longest common subsequence, and their F1 (C.-Y. Lin
    2004, of one text). An empty prediction has 0; two empty texts agree.

    Published, as the package `rouge` counts: sentences end at each full stop; what counts is the set of the words that
    the common subsequences of any two sentences have, against the sets of all words. None where either is empty.
    """
    ours, theirs = predicted.split(), truth.split()
    if published:
        return _published_rouge(" ".join(ours), " ".join(theirs))
    if not ours and not theirs:
        return _rouge(1.0, 1.0)
    shared = len(_common(theirs, ours))
    return _rouge(shared / max(1, len(theirs)), shared / max(1, len(ours)))


def _rouge(recall: float, precision: float, least: float = 0.0) -> dict[str, float]:
    both = recall + precision
    return {
        "rouge_l": 2 * (precision * recall / (both + least)) if both else 0.0,
        "rouge_l_recall": recall,
        "rouge_l_precision": precision,
    }


def _published_rouge(predicted: str, truth: str) -> dict[str, float] | None:
    ours, theirs = (
        [" ".join(sentence.split()).split(" ") for sentence in text.split(".") if sentence]
        for text in (predicted, truth)
    )
    if not ours or not theirs:
        return None
    shared = {word for one in theirs for other in ours for word in _common(one, other)}
    known, said = ({word for sentence in text for word in sentence} for text in (theirs, ours))
    return _rouge(len(shared) / len(known), len(shared) / len(said), 1e-8)


def _common(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """A longest common subsequence; of several, that which keeps the later words of the first."""
    lengths = [[0] * (len(other) + 1)]
    for word in one:
        above, row = lengths[-1], [0]
        for place, each in enumerate(other):
            row.append(above[place] + 1 if word == each else max(above[place + 1], row[-1]))
        lengths.append(row)
    upto, column, found = len(one), len(other), []
    while upto and column:
        if one[upto - 1] == other[column - 1]:
            upto, column = upto - 1, column - 1
            found.append(one[upto])
        elif lengths[upto - 1][column] > lengths[upto][column - 1]:
            upto -= 1
        else:
            column -= 1
    return found[::-1]
