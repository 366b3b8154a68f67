"""Folders of pictures with their answers beside: Hugging Face's ImageFolder, and pairs of files of one name.

    train/metadata.jsonl    {"file_name": "0001.png", "text": "E = mc²"}, a line for each picture
    train/metadata.csv      file_name,text, and a row for each picture
    lines/0001.png          and lines/0001.txt, or 0001.gt.txt as Tesseract's and kraken's line sets have it;
                            0001.md, .mmd, .tex or .krn is what is asked for with format=True

    samples = Folder("train/")      # all that is there and in folders below: len(samples), samples[31]

Metadata may say more, and otherwise: see `ocr2.data.metadata`. A text file is its picture's answer as a whole, but for
the ends of its last line; the formatted question is asked where the answer isn't plain text.

Where there is metadata, it speaks for all below that has none of its own. Folders for training beside others for tests
aren't read as one. Of pairs only names are in memory: some 50 bytes a sample, and 400 while a folder of them is listed.
"""

from __future__ import annotations

import json
import logging
import os
from array import array
from bisect import bisect_right
from copy import copy
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ocr2.characters import kind_of
from ocr2.data.labels import written
from ocr2.data.metadata import Beside, labelled, said
from ocr2.errors import BadInput
from ocr2.files import SUFFIXES
from ocr2.types import Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ocr2.data.labels import Labels

METADATA = ("metadata.jsonl", "metadata.csv")
PLAIN = (".gt.txt", ".txt")
FORMATTED = (".md", ".mmd", ".tex", ".krn")
"""How names of text files end, the first one first where a picture has several of these."""
MOST_ANSWER = 2**20
"""Bytes of a text file."""

_MADE = ("", ".raw", ".nrm", ".bin")
"""What stands between a line's name and its picture's suffix: line sets have it in grey or in black and white, too."""
_LEARNT = {"train", "training"}
_TESTED = {"test", "testing", "eval", "evaluation", "validation", "valid", "val", "dev"}
_EXPECTED = (
    "expected metadata.jsonl or metadata.csv with file_name and text, or text files beside pictures of the same name "
    "(a.png with a.txt, a.gt.txt, a.md, a.tex or a.krn)"
)
_log = logging.getLogger(__name__)


class Folder:
    """The samples in a folder and those below it, by their number from 0 on: those of metadata, then pairs.

    No files are open: it can go to other processes.
    """

    def __init__(self, path: str | Path, images: str | Path | None = None) -> None:
        """A folder, or one file of metadata, whose names of pictures begin in `images`, by default in its folder.

        Raises BadInput where there are no samples.
        """
        self.path = Path(path)
        self._labels: list[Labels] = []
        self._pairs, self._ends = bytearray(), array("Q")
        if self.path.is_dir():
            self._list(images)
        else:
            self._labels.append(labelled(self.path, images))
        self._first = [0]
        for count in (*map(len, self._labels), len(self._ends)):
            self._first.append(self._first[-1] + count)

    def _list(self, images: str | Path | None) -> None:
        """Finds all that there is below the folder."""
        self._beside = Beside(self.path)
        alone, others = 0, set[str]()
        for inside, names, covered in _below(self.path):
            for name in METADATA:
                if name in names:
                    self._labels.append(labelled(self.path / inside / name, images and Path(images) / inside))
            others |= {name for name in names if name.endswith((".jsonl", ".json"))} - {*METADATA}
            if covered:
                continue
            used = set()
            for picture, answer in _pairs(names):
                self._pairs += os.fsencode(os.path.join(inside, picture)) + b"\0" + os.fsencode(answer)
                self._ends.append(len(self._pairs))
                used.add(picture)
            alone += sum(_is_picture(name) for name in names) - len(used)
        if not self._labels and not self._ends:
            other = f"; a label file, as {min(others)} may be one, is to be given by its own name" if others else ""
            raise BadInput(f"{self.path} has no pictures with answers: {_EXPECTED}{other}")
        if images and self._ends:
            raise BadInput(f"{self.path} has pictures with text files beside: leave --images out, it is for metadata")
        if alone:
            _log.warning("%s: %d pictures have no text file beside, and are left out", self.path, alone)

    def __len__(self) -> int:
        """How many samples there are."""
        return self._first[-1]

    @property
    def identity(self) -> str:
        """Another one where files have other names, metadata other records, or text files other sizes."""
        found = sha256(self._pairs)
        for labels in self._labels:
            found.update(f"{os.path.relpath(labels.path, self.path)} {labels.identity}\n".encode(errors="replace"))
        for number in range(len(self._ends)):
            found.update(b"%d " % _size(self.path / self._names(number)[1]))
        return found.hexdigest()[:16]

    def unseen(self) -> Self:
        """The same samples with blank pictures, for what they say: many times as fast."""
        other = copy(self)
        other._labels = [labels.unseen() for labels in self._labels]
        if self._ends:
            other._beside = self._beside.unseen()
        return other

    def _names(self, number: int) -> tuple[str, str]:
        """The picture and the text file of a pair, in the folder."""
        start = self._ends[number - 1] if number else 0
        picture, answer = (os.fsdecode(name) for name in bytes(self._pairs[start : self._ends[number]]).split(b"\0"))
        return picture, os.path.join(os.path.dirname(picture), answer)

    def where(self, index: int) -> str:
        """The file of a sample, and the line where it has one."""
        part = bisect_right(self._first, index) - 1
        if part < len(self._labels):
            return self._labels[part].where(index - self._first[part])
        return said(self.path / self._names(index - self._first[part])[1])

    def __getitem__(self, index: int) -> Sample:
        """The sample, read now. Raises BadInput, which names the file, and the line where it has one."""
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        part = bisect_right(self._first, index) - 1
        if part < len(self._labels):
            return self._labels[part][index - self._first[part]]
        picture, answer = self._names(index - self._first[part])
        try:
            text = _text(self._beside.path(answer))
            image = self._beside.read(picture)
        except BadInput as error:
            raise BadInput(f"{error} ({self.where(index)})") from error
        kind = kind_of(text)
        prompt = Prompt(format=kind != "text" or not answer.lower().endswith(PLAIN))
        origin = json.dumps({"source": said(self.path.name, answer)}, ensure_ascii=False)
        return Sample((image,), prompt, text, kind, origin)


def is_folder(path: Path) -> bool:
    """Whether there is a picture, or metadata, in a folder or below it, and no shard in it. Raises BadInput."""
    for inside, names, _ in _below(path):
        if not inside and any(name.endswith(".tar") for name in names):
            return False
        if any(name in METADATA or _is_picture(name) for name in names):
            return True
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


# What is in a folder


def _below(root: Path) -> Iterator[tuple[str, list[str], bool]]:
    """The folder and all below it, in the order of names: where in it, the names of the files there, and whether
    metadata speaks for them. Hidden ones are left out, links to folders aren't followed. Raises BadInput.
    """
    waiting = [("", False)]
    while waiting:
        inside, covered = waiting.pop()
        files, folders = [], []
        try:
            with os.scandir(root / inside) as scan:
                for entry in scan:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif os.path.isfile(entry) if entry.is_symlink() else entry.is_file():  # a link may lead to itself
                        files.append(entry.name)
        except OSError as error:
            raise BadInput(f"{said(root, inside)} can't be listed ({error.strerror}): make it readable") from error
        known = [name for name in (*METADATA, "metadata.parquet") if name in files]
        _check(said(root, inside), known, {} if covered or known else {name.lower(): name for name in folders})
        covered = covered or bool(known)
        waiting += [(os.path.join(inside, name), covered) for name in sorted(folders, reverse=True)]
        yield inside, files, covered


def _check(folder: str, metadata: Sequence[str], folders: dict[str, str]) -> None:
    """Raises BadInput for a folder that has metadata twice, or such as can't be read, or that is split for tests."""
    if len(metadata) > 1 or "metadata.parquet" in metadata:
        raise BadInput(f"{folder} has {' and '.join(metadata)}: expected one metadata.jsonl or metadata.csv")
    learnt, tested = (sorted(folders[name] for name in folders.keys() & names) for names in (_LEARNT, _TESTED))
    if learnt and tested:
        raise BadInput(
            f"{folder} has {', '.join([*learnt, *tested])}, to be learned from and to be measured on: give one of "
            f"them, such as {os.path.join(folder, learnt[0])}"
        )


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _pairs(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The pictures and text files of one name, among the names of files in a folder, in the order of names."""
    for _, group in groupby(sorted(names, key=lambda name: name.replace(".", "\0")), lambda name: name.split(".")[0]):
        pictures: dict[str, list[str]] = {}
        answers: dict[tuple[str, bool], list[str]] = {}
        for name in group:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in SUFFIXES:
                pictures.setdefault(stem, []).append(name)
            elif ending := next((ending for ending in (*PLAIN, *FORMATTED) if name.lower().endswith(ending)), ""):
                answers.setdefault((name[: -len(ending)], ending in PLAIN), []).append(name)
        for (stem, _), found in answers.items():
            answer = min(found, key=lambda name: _rank(name, FORMATTED))  # .gt.txt, by its name, before .txt
            made = _MADE if answer.lower().endswith(PLAIN[0]) else _MADE[:1]
            if drawn := next((pictures[stem + each] for each in made if stem + each in pictures), None):
                yield min(drawn, key=lambda name: (_rank(name, SUFFIXES), name)), answer


def _rank(name: str, suffixes: Sequence[str]) -> int:
    suffix = os.path.splitext(name)[1].lower()
    return suffixes.index(suffix) if suffix in suffixes else -1


def _text(path: Path) -> str:
    """All of a text file. Raises BadInput for one that is empty, too large, or no UTF-8."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_ANSWER + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"the text file can't be read ({error.strerror}): copy it again") from error
    except ValueError as error:
        raise BadInput("no UTF-8: save it as UTF-8") from error
    if len(content) > MOST_ANSWER:
        raise BadInput(f"more than {MOST_ANSWER >> 20} MiB of text: expected what stands in the picture")
    return written(text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n"), "text file")
