"""Metadata of pictures, as Hugging Face's ImageFolder has it: a record in JSON, or a row of a table, for each.

    {"file_name": "0001.png", "text": "E = mc²"}        metadata.jsonl
    file_name,text                                      metadata.csv

The picture and the answer may be called otherwise: the first of IMAGES and of ANSWERS that a record has is taken. A
list of pictures is one of pages. "prompt" or "question" is one of GOT's questions; without one, the plain question is
asked where the answer is plain text, and the formatted one else. A ground truth of Donut's is the text in it, or, for
one with other fields, these as JSON.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocr2.characters import kind_of
from ocr2.data.labels import Form, Labels, Pictures, lines, parsed, written
from ocr2.errors import BadInput, BadOutput, BadPrompt
from ocr2.queries import asked
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocr2.data.labels import Span

IMAGES = ("file_name", "file_names", "image", "images", "image_file_name", "image_path", "filename")
"""What metadata calls a picture's name, the first one first."""
ANSWERS = (
    *("text", "ground_truth", "transcription", "transcript", "label", "latex", "latex_formula", "formula"),
    *("markdown", "html", "caption", "answer"),
)
"""What metadata calls the answer, the first one first."""
QUESTIONS = ("prompt", "question")

_TALK = {"messages", "conversations", "query", "response"}


class Beside(Pictures):
    """Files in a folder; one that Hugging Face's cache has made links for has them among its blobs."""

    def __init__(self, root: Path) -> None:
        """Names begin in the folder `root`."""
        super().__init__(root)
        real = Path(os.path.abspath(root))
        caches = [parent.parent.parent for parent in (real, *real.parents) if parent.parent.name == "snapshots"]
        self._blobs = next((os.path.join(os.path.realpath(cache), "blobs") for cache in caches), "")

    def path(self, name: object) -> Path:
        """Where a file is that is called so. Raises BadInput for a name that leads out of the folder or to a device."""
        try:
            path = self._blob(name) or super().path(name)
        except UnicodeEncodeError as error:
            raise BadInput(f"{name!r:.80} is no picture's name: expected a path in {self.root}") from error
        if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
            raise BadInput(f"{said(name)} is a device or a pipe: expected a file")
        return path

    def _blob(self, name: object) -> Path | None:
        """What a link to a blob of the same cache leads to."""
        if not self._blobs or not isinstance(name, str) or "\0" in name:
            return None
        real = os.path.realpath(self.root / name)
        return Path(real) if os.path.dirname(real) == self._blobs else None


def said(*parts: object) -> str:
    """A path that can be written anywhere, whatever its bytes are."""
    return os.fsencode(os.path.join(*map(str, parts))).decode(errors="replace")


def is_metadata(head: str) -> bool:
    """Whether a file that begins so has a record for each picture: with a picture's name, and no conversation."""
    first = head.partition("\n")[0]
    if first.startswith("{"):
        try:
            told = json.loads(first)
        except (ValueError, RecursionError):
            return False
        return any(name in told for name in IMAGES) and not told.keys() & _TALK
    _, columns = _columns(first)
    return _are_named(columns) and all(re.fullmatch(r"[\w -]+", name) for name in columns)


def labelled(path: Path, images: str | Path | None) -> Labels:
    """The samples of a file of metadata. Raises BadInput."""
    try:
        with open(path, "rb") as file:
            head = file.readline(1 << 16).decode("utf-8-sig", "replace").strip("\r\n")
    except OSError as error:
        raise BadInput(f"{path} can't be read ({error.strerror}): expected metadata of pictures") from error
    if head.startswith("{") or path.suffix.lower() == ".jsonl":
        form = Form(lines, _json_sample, _no_record)
    else:
        between, names = _columns(head)
        if not _are_named(names):
            raise BadInput(f"{path}: columns {', '.join(names):.80}: expected file_name and text")
        form = Form(partial(_rows, between), partial(_csv_sample, between, names), _no_record)
    labels = Labels(path, form, images)
    labels.pictures = Beside(labels.pictures.root)
    return labels


def _no_record(sample: Sample, name: str, pictures: Pictures) -> str:
    raise BadOutput(f"{sample.origin:.80}: folders are read, and not written: expected another format")


def _json_sample(text: str, pictures: Pictures, origin: str) -> Sample:
    told = parsed(text)
    if not isinstance(told, dict):
        raise BadInput(f'{text!r:.60} is no record: expected {{"file_name": …, "text": …}}')
    return _sample(told, pictures, origin)


def _columns(head: str) -> tuple[str, list[str]]:
    """What parts the columns of a table that begins so, and their names; none where it is no table."""
    between = max(",;\t", key=head.count)
    try:
        return between, [name.strip() for name in next(csv.reader([head], delimiter=between), [])]
    except csv.Error:
        return between, []


def _are_named(columns: Sequence[str]) -> bool:
    """Whether these are the columns of a table of pictures and answers."""
    return any(name in columns for name in IMAGES) and any(name in columns for name in ANSWERS)


def _rows(between: str, path: Path) -> Iterator[Span]:
    """The rows of a table after its first one, which may go over several lines."""
    end = number = 0
    with open(path, "rb") as file:

        def each() -> Iterator[str]:
            nonlocal end, number
            for line in file:
                end += len(line)
                number += 1
                yield line.decode("latin-1")  # a character for each byte: signs that part a row are the same
            yield "\n"  # an empty row, if no quote is open

        start, first, begun, row = 0, 1, 1, list[str]()
        try:
            for row in csv.reader(each(), delimiter=between):
                if any(row) and start:
                    yield start, end, first
                start, first, begun = end, number + 1, first
        except csv.Error as error:
            raise BadInput(f"{path}, line {first}: no row of a table ({error}): is a quote not closed?") from error
        if row:
            raise BadInput(f"{path}, line {begun}: no row of a table (it goes on to the end): is a quote not closed?")


def _csv_sample(between: str, names: Sequence[str], text: str, pictures: Pictures, origin: str) -> Sample:
    try:
        row = next(csv.reader(io.StringIO(text, newline=""), delimiter=between), [])
    except csv.Error as error:
        raise BadInput(f"no row of a table ({error}): {text!r:.60}") from error
    if len(row) != len(names):
        raise BadInput(f"{len(row)} fields, expected {', '.join(names):.80}: quote those that have {between!r} in them")
    return _sample(dict(zip(names, row, strict=True)), pictures, origin)


def _sample(told: dict[str, Any], pictures: Pictures, origin: str) -> Sample:
    """The sample of a record. Raises BadInput, BadPrompt."""
    named = next((told[name] for name in IMAGES if name in told), None)
    names = named if isinstance(named, list) else [named]
    names = [name.get("path") if isinstance(name, dict) else name for name in names]
    if not names:
        raise BadInput("no pictures: expected one, or a list of pages")
    text, formatted = _answer(told)
    images = tuple(pictures.read(name) for name in names)
    kind = kind_of(text)
    question = next((told[name] for name in QUESTIONS if told.get(name)), None)
    if question is None:
        prompt = Prompt(format=len(names) == 1 and (formatted or kind != "text"), pages=len(names))
    elif isinstance(question, str):
        prompt = asked(question.replace("<image>", ""), *images[0].size, len(names))
    else:
        raise BadPrompt(f"{question!r:.60} is no question: expected words, such as 'OCR: '")
    return Sample(images, prompt, text, kind, origin)


def _answer(told: dict[str, Any]) -> tuple[str, bool]:
    """The answer in a record, and whether it is formatted whatever it looks like. Raises BadInput."""
    name = next((name for name in ANSWERS if name in told), None)
    if name is None:
        raise BadInput(f"no answer among {', '.join(map(str, told)):.80}: expected {', '.join(ANSWERS)}")
    text, formatted = _truth(told[name]) if name == "ground_truth" else (told[name], False)
    if not isinstance(text, str) or re.search("[\ud800-\udfff]", text):
        raise BadInput(f"{text!r:.60} is no text: expected what stands in the picture as {name!r}")
    return written(text, repr(name)), formatted


def _truth(value: Any) -> tuple[Any, bool]:
    """The same of a ground truth, which is in JSON where it is Donut's. Raises BadInput for several answers."""
    told = value
    if isinstance(value, str):
        try:
            told = json.loads(value)
        except (ValueError, RecursionError):
            return value, False
    if not isinstance(told, dict) or not told.keys() & {"gt_parse", "gt_parses"}:
        return value, False
    parse = told.get("gt_parse")
    if isinstance(parse, str):
        return parse, False
    if isinstance(parse, dict) and "text_sequence" in parse:
        return parse["text_sequence"], False
    if not isinstance(parse, dict):
        raise BadInput("several answers, or none, in a ground truth: expected one 'gt_parse' with fields")
    try:
        return json.dumps(parse, ensure_ascii=False), True
    except RecursionError as error:
        raise BadInput("a ground truth of fields in fields without end: expected a few") from error
