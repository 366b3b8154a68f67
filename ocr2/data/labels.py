"""Label files: a record for each sample, and pictures in a folder beside. What all formats of them have in common.

    samples = Labels("train.jsonl", FORMATS["swift"])     # a source: len(samples), samples[31]
    for error in write(samples, "train.json", FORMATS["got"], range(len(samples))): ...

Of a file only the places of its records are kept in memory. Names that lead out of the folder of pictures are refused.
"""

from __future__ import annotations

import json
import logging
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from ocr2 import files
from ocr2.errors import BadInput, BadOutput, BadPrompt, OcrError, RendererMissing
from ocr2.shards import Encoding

if TYPE_CHECKING:
    from ocr2.types import Sample, Source

Span = tuple[int, int, int]
"""Where a record begins and ends in its file, in bytes, and the number of its line."""
Cut = Callable[[Image.Image, int], Sequence[Image.Image]]
"""What cuts a page into at most so many tiles, with the page itself, smaller, after them; nothing, if that is one."""

MOST_NAME = 1024
"""Characters of a picture's name."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Form:
    """A format of label files."""

    spans: Callable[[Path], Iterator[Span]]
    """The records of a file. Raises BadInput for a file that has none."""
    sample: Callable[[str, Pictures, str], Sample]
    """The sample of a record, and what its origin says if the record doesn't. Raises BadInput for a bad one."""
    record: Callable[[Sample, str, Pictures], str]
    """The record of a sample, whose pictures are called so. Raises BadOutput for one that the format can't hold."""
    between: tuple[str, str, str] = ("", "\n", "\n")
    """What stands before the first record, between two, and after the last."""


class FolderFull(BadOutput):
    """A folder that no picture can be written to: no other sample can be, either."""


class Pictures:
    """The folder of a label file's pictures."""

    seen = True
    """Whether they are looked at; else each is a blank one, whatever is there."""

    def __init__(self, root: str | Path, cut: Cut | None = None) -> None:
        """`cut` makes tiles for formats that have pictures of them."""
        self.root, self.cut = Path(root), cut

    def unseen(self) -> Self:
        """The same, not looked at."""
        other = copy(self)
        other.seen = False
        return other

    def path(self, name: object) -> Path:
        """Where a picture is that is called so. Raises BadInput for a name that leads out of the folder."""
        if not isinstance(name, str) or not 0 < len(name) <= MOST_NAME or "\0" in name:
            raise BadInput(f"{name!r:.80} is no picture's name: expected a path in {self.root}")
        real, root = os.path.realpath(self.root / name), os.path.realpath(self.root)
        if os.path.commonpath([real, root]) != root:
            raise BadInput(f"{name!r:.200} is not in {self.root}: give the folder that has the pictures (--images)")
        return Path(real)

    def read(self, name: object, mode: str = "") -> Image.Image:
        """The picture, grey (L) where all of it is, unless a mode is given. Raises BadInput."""
        if not self.seen:
            return Image.new(mode or "L", (1000, 1000))
        pages = files.pages(self.path(name), origin=str(name))
        if len(pages) != 1:
            pages.close()
            raise BadInput(f"{name} has {len(pages)} pages: expected a picture of one")
        image = next(pages).image
        pages.close()
        image.info = {}
        pixels = np.asarray(image)
        grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
        if mode == "RGB" or not grey:
            return image
        return image.getchannel(0)

    def put(self, name: str, image: Image.Image) -> str:
        """Writes a picture as PNG; gives back its name. Raises BadOutput."""
        content, path = Encoding().encode(image), self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise FolderFull(
                f"{path} can't be written ({error.strerror}): expected a folder that is writable and has space left"
            ) from error
        return name


class Labels:
    """The samples of a label file, by their number from 0 on. No files are open: it can go to other processes."""

    def __init__(self, path: str | Path, form: Form, images: str | Path | None = None) -> None:
        """`images` is the folder that names of pictures begin in: by default the one of the file. Raises BadInput."""
        self.path, self.form = Path(path), form
        self.pictures = Pictures(images or self.path.parent)
        self._starts, self._ends, self._lines = array("Q"), array("Q"), array("Q")
        try:
            for start, end, line in form.spans(self.path):
                self._starts.append(start)
                self._ends.append(end)
                self._lines.append(line)
        except OSError as error:
            raise BadInput(f"{path} can't be read ({error.strerror}): expected a label file") from error
        if not self._starts:
            raise BadInput(f"{path} has no records: expected at least one")

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._starts)

    @property
    def identity(self) -> str:
        """Another one where the file has another name or other records. Raises BadInput where it can't be read."""
        try:
            with open(self.path, "rb") as file:
                found = file_digest(file, "sha256")
        except OSError as error:
            raise BadInput(f"{self.path} can't be read ({error.strerror}): copy it again") from error
        found.update(self.path.name.encode())
        return found.hexdigest()[:16]

    def text(self, index: int) -> str:
        """The record of that number, as it stands in the file. Raises BadInput."""
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        try:
            with open(self.path, "rb") as file:
                file.seek(self._starts[index])
                return file.read(self._ends[index] - self._starts[index]).decode()
        except OSError as error:
            raise BadInput(f"{self.path} can't be read ({error.strerror}): copy it again") from error
        except ValueError as error:
            raise BadInput(f"no UTF-8: save it as UTF-8 ({self.where(index)})") from error

    def unseen(self) -> Self:
        """The same samples with blank pictures, for what they say: many times as fast."""
        other = copy(self)
        other.pictures = self.pictures.unseen()
        return other

    def where(self, index: int) -> str:
        """The file and the line of a record."""
        return f"{self.path}, line {self._lines[index]}"

    def __getitem__(self, index: int) -> Sample:
        """The sample, read now. Raises BadInput, which names the file and the line."""
        text = self.text(index)
        try:
            origin = json.dumps({"source": self.path.name, "line": self._lines[index]}, ensure_ascii=False)
            return self.form.sample(text, self.pictures, origin)
        except (BadInput, BadPrompt) as error:
            raise BadInput(f"{error} ({self.where(index)})") from error


def write(
    samples: Source, path: str | Path, form: Form, numbers: range, cut: Cut | None = None
) -> Iterator[OcrError | None]:
    """Writes a label file, whole or not at all, and its pictures to the folder of its name without the suffix.

    Tells for each sample when it is written: None, or why it is left out. Raises BadOutput where nothing can be
    written, RendererMissing.
    """
    path = Path(path)
    first, between, last = form.between
    pictures = Pictures(path.parent, cut)
    folder = images_of(path).name
    with files.whole(path) as file:
        file.write(first.encode())
        written = 0
        for number in numbers:
            try:
                record = form.record(samples[number], f"{folder}/{number:09}", pictures)
            except (FolderFull, RendererMissing):
                raise
            except OcrError as error:
                _log.warning("sample %d is left out: %s", number, error)
                yield error
                continue
            file.write((between if written else "").encode() + record.encode())
            written += 1
            yield None
        file.write(last.encode())


def images_of(path: Path) -> Path:
    """The folder that the pictures of a label file are written to."""
    return path.with_suffix("") if path.suffix else path.with_name(f"{path.name}.images")


def lines(path: Path) -> Iterator[Span]:
    """The lines of a text file that aren't empty, as records."""
    start, number = 0, 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            skipped = 3 if number == 1 and line.startswith(b"\xef\xbb\xbf") else 0
            if line[skipped:].strip():
                yield start + skipped, start + len(line.rstrip(b"\r\n")), number
            start += len(line)


def written(text: str, name: str) -> str:
    """The answer. Raises BadInput for an empty one, where nothing else says that it is meant."""
    if not text.strip():
        raise BadInput(f"an empty {name}: write what stands in the picture, or take it out")
    return text


def parsed(text: str) -> Any:
    """What a record in JSON says. Raises BadInput."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"no JSON ({error!s:.80}): {text!r:.60}") from error
