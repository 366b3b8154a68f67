"""Our own format: JSON lines, each a picture with its truth and its kind; every kind with the measures that suit it.

    {"id": "line-001", "image": "images/line-001.png", "text": "However, it is fortunate", "kind": "line", "lang": "en"}

Those four fields have to be there. `lang` is "en" or "zh", or nothing that counts. `format` says how a chart is told:
"csv" or "dict". Other fields are passed over.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ocr2 import files
from ocr2.characters import CHARACTERS
from ocr2.characters.alike import compared
from ocr2.errors import BadInput
from ocr2.evaluate.benchmark import Item, Table
from ocr2.evaluate.folders import Entry, entry, lines_of, opened, picture
from ocr2.evaluate.published import means
from ocr2.metrics import CJK, edit_distance, plain, scrm, word_f1
from ocr2.types import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ocr2.evaluate.benchmark import Answer, Mode, Scored

EXPECTED = 'JSON lines with "id", "image" (its place beside the file), "text" and "kind"'
KINDS: dict[str, str] = {
    **{name: name for name in CHARACTERS},
    **dict.fromkeys(("line", "word", "form", "page", "page-en", "page-zh", "plate"), "text"),
    **dict.fromkeys(("formula", "formula-hand"), "formula"),
    "tikz": "geometry",
    "chart-qa": "chart",
}
"""What kind of character each kind of picture is."""
MEASURES: dict[str, dict[str, str]] = {
    "text": {"edit_distance": "Edit ↓", "word_f1": "Word F1", "exact": "Exact"},
    "document": {
        "edit_distance": "Edit ↓",
        "text_edit_distance": "Text ↓",
        "formula_edit_distance": "Formulas ↓",
        "table_edit_distance": "Tables ↓",
    },
    "formula": {"edit_distance": "Edit ↓", "exact": "Exact", "likeness": "Likeness"},
    "table": {
        "edit_distance": "Edit ↓",
        "teds": "TEDS",
        "teds_structure": "TEDS-S",
        "cells": "Cells F1",
    },
    "chart": {
        "ap_strict": "AP strict",
        "ap_slight": "AP slight",
        "ap_high": "AP high",
        "em": "EM",
        "structure": "Is a chart",
        "answered": "Answers there",
    },
    "molecule": {"exact": "Exact", "tanimoto": "Tanimoto", "edit_distance": "Edit ↓"},
    "music": {
        "edit_distance": "Edit ↓",
        "character_error": "CER ↓",
        "symbol_error": "SER ↓",
        "line_error": "LER ↓",
    },
    "geometry": {"edit_distance": "Edit ↓", "exact": "Exact", "likeness": "Likeness"},
}
"""What is printed of each kind of character, and what it is called there."""
_LIKENESS = (
    "Likeness: both are drawn, and the drawings compared, 1 for the same. An answer that can't be drawn has 0; a truth "
    "that can't be drawn here is left out, unless it was read exactly."
)
NOTES: dict[str, str] = {
    "text": "Text: white space is one space, and none stands next to a Chinese character.",
    "formula": _LIKENESS,
    "table": "TEDS: of both tables as our HTML, whatever they were written in; a text that is no table has 0.",
    "chart": "AP: SCRM, as in ChartQA-SE. Answers there: the share of the questions whose answer stands in the "
    "transcript; one that has to be worked out never does, so this is no accuracy.",
    "geometry": _LIKENESS,
}
_LETTER = rf"[^\W{CJK}]"
"""What a word has more of: letters and digits, but for those that are words by themselves."""
_NUMBER = re.compile(rf"(?<!{_LETTER})(?<!\.)(?<!\d[-−])[-−]?\d+(?:,\d{{3}})*(?:\.\d+)?(?!{_LETTER}|[.,-]\d)")


class Values(NamedTuple):
    """What a chart says, for SCRM, where its truth is no dict."""

    values: dict[str, Any]


class Answers(NamedTuple):
    """What questions about a chart are answered with."""

    answers: tuple[str, ...]


@dataclass(frozen=True)
class Jsonl:
    """Pictures of any kind, listed in a file."""

    title: str = "our own format: pictures of any kind, each with the measures of its kind"
    source: str = f"made by you: {EXPECTED}"

    def items(self, folder: Path) -> Iterator[Item]:
        """The pictures of a *.jsonl file, or of the one in a folder. Raises BadInput, which names the file and line."""
        path, seen = _file(folder), dict[str, str]()
        for line, where in lines_of(path):
            item = _item(entry(line, where), path.parent)
            if item.id in seen:
                raise BadInput(f"{where}: the id {item.id!r} is also that of {seen[item.id]}: give each its own")
            seen[item.id] = where
            yield item

    def score(self, item: Item, answer: Answer, mode: Mode) -> dict[str, float]:
        """By the measures of its kind of character; see `measured`."""
        if isinstance(item.more, Answers):
            return {"answered": sum(_stands(each, answer.text) for each in item.more.answers) / len(item.more.answers)}
        if isinstance(item.more, Values):
            return scrm.scores(answer.text, item.more._asdict(), published=mode == "published")
        return measured(item.kind, answer.text, item.truth, published=mode == "published")

    def worth(self, scores: dict[str, float]) -> float:
        """A likeness, TEDS, AP slight, Tanimoto or answers, where there is one; else how much of the text is right."""
        return worth(scores)

    def tables(self, scored: Sequence[Scored], name: str, mode: Mode) -> list[Table]:
        """For each kind of character a table with a row for each kind of picture."""
        return by_kind(scored, name)


def measured(kind: str, predicted: str, truth: str, *, published: bool = False) -> dict[str, float]:
    """What a transcript is worth by all measures of its kind of character: the kind's own `score`, and more."""
    if kind == "text":
        ours, theirs = plain(predicted), plain(truth)
        return {
            "edit_distance": edit_distance(ours, theirs),
            "word_f1": word_f1(ours, theirs),
            "exact": float(ours == theirs),
        }
    scores = CHARACTERS[kind].score(predicted, truth)
    if kind in ("formula", "geometry"):
        likeness, why = (1.0, "") if scores["exact"] else compared(kind, predicted, truth)
        if not why.startswith("the truth"):
            scores["likeness"] = likeness
    elif kind == "chart":
        told = scrm.parse(truth)
        if told is None:
            raise BadInput(f"{truth!r:.60} is no chart: expected a dict with its values")
        scores |= scrm.scores(predicted, told, published=published)
    return scores


def worth(scores: dict[str, float]) -> float:
    """One figure of a sample's scores, 0 to 1: where there is a measure of what is shown, that, else of the text."""
    for name in ("likeness", "teds", "ap_slight", "tanimoto", "answered"):
        if name in scores:
            return scores[name]
    return max(0.0, 1 - scores["symbol_error" if "symbol_error" in scores else "edit_distance"])


def by_kind(scored: Sequence[Scored], name: str) -> list[Table]:
    """For each kind of character a table, with a row for each task and a column for each measure that any has."""
    parts: dict[str, dict[str, list[Scored]]] = {}
    for each in scored:
        parts.setdefault(each.item.kind, {}).setdefault(each.item.task, []).append(each)
    found, reached = [], means(scored)
    for kind, tasks in sorted(parts.items(), key=lambda part: list(MEASURES).index(part[0])):
        shown = [one for one in MEASURES[kind] if any(reached(task, one) is not None for task in tasks)]
        rows = tuple((task, len(some), *(reached(task, one) for one in shown)) for task, some in tasks.items())
        columns = ("Kind", "Samples", *(MEASURES[kind][one] for one in shown))
        found.append(Table(f"{kind.capitalize()}, {name}", columns, rows, tuple(filter(None, [NOTES.get(kind)]))))
    return found


def _file(folder: Path) -> Path:
    """The file of samples. Raises BadInput where there is none, or more than one."""
    if not folder.is_dir():
        return folder
    found = sorted(folder.glob("*.jsonl"), key=lambda path: files.natural(path.name))
    if len(found) != 1:
        have = f"has {', '.join(path.name for path in found)}: give one of them" if found else "has no *.jsonl"
        raise BadInput(f"{folder} {have}: expected {EXPECTED}")
    return found[0]


def _item(entry: Entry, root: Path) -> Item:
    """A line's item. Raises BadInput."""
    name, truth, kind = (entry.text(field) for field in ("id", "text", "kind"))
    if not re.fullmatch(r"[^\x00-\x1f/\\]{1,200}", name) or not name.strip(". "):
        raise BadInput(f"{entry.where}: the id {name!r:.60} is no name of a file: expected one without slashes")
    if kind not in KINDS:
        raise BadInput(f"{entry.where}: no kind {kind!r:.60}: expected {', '.join(KINDS)}")
    form = entry.text("format") if "format" in entry.fields else ""
    spoken = entry.fields.get("lang")
    return Item(
        id=name,
        pages=opened(picture(root, entry.value("image"), entry.where)),
        truth=truth,
        kind=KINDS[kind],
        task=kind,
        prompt=Prompt(format=KINDS[kind] != "text"),
        language=spoken if spoken in ("en", "zh") else "",
        more=_more(kind, form, truth, entry.where),
    )


def _more(kind: str, form: str, truth: str, where: str) -> Values | Answers | None:
    """What a chart's item is scored by. Raises BadInput for a truth that can't be."""
    if kind == "chart-qa":
        pairs = [line.partition("\t") for line in truth.splitlines() if line.strip()]
        if not pairs or not all(answer.strip() for _, _, answer in pairs):
            raise BadInput(f"{where}: {truth!r:.60} has no answers: expected a question, a tab and its answer a line")
        return Answers(tuple(answer.strip() for _, _, answer in pairs))
    if kind != "chart":
        return None
    if form == "csv":
        return Values(_series(truth, where))
    if scrm.parse(truth) is None:
        raise BadInput(f'{where}: {truth!r:.60} is no chart: expected a dict, or CSV, which "format" says is "csv"')
    return None


def _series(text: str, where: str) -> dict[str, Any]:
    """The values of a chart in CSV, as a dict tells them: rows have the labels, columns are the series; empty cells and
    dashes are no values. Where labels are alike, the next columns are part of them. Raises BadInput.
    """
    try:
        head, *rows = [row for row in csv.reader(io.StringIO(text), strict=True) if any(map(str.strip, row))]
    except (csv.Error, ValueError) as error:
        raise BadInput(f"{where}: {text!r:.60} is no CSV with a head: {error}") from error
    if not rows or any(len(row) != len(head) for row in rows):
        raise BadInput(f"{where}: {text!r:.60}: expected rows as long as the head, one at least")
    for first in range(1, len(head)):
        labels = [" ".join(row[:first]) for row in rows]
        if len(set(labels)) == len(labels):
            break
    else:
        raise BadInput(f"{where}: {text!r:.60}: expected rows of labels and values, with labels unlike each other")
    series = {
        name: {label: row[place] for label, row in zip(labels, rows, strict=True) if row[place].strip(" -–—")}
        for place, name in enumerate(head[first:], first)
    }
    return next(iter(series.values())) if len(series) == 1 else series


def _stands(answer: str, text: str) -> bool:
    """Whether an answer stands in a text by itself, or beside Chinese: numbers by their value, words in any case."""

    def values(some: str) -> list[float]:
        return [float(number.replace(",", "").replace("−", "-")) for number in _NUMBER.findall(some)]

    if _NUMBER.fullmatch(answer):
        return values(answer)[0] in values(text)
    words = plain(answer)
    before = "" if re.match(f"[{CJK}]", words) else f"(?<!{_LETTER})"
    after = "" if re.search(f"[{CJK}]$", words) else f"(?!{_LETTER})"
    return bool(re.search(f"{before}{re.escape(words)}{after}", plain(text), re.IGNORECASE))


JSONL = Jsonl()
