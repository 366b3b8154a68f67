"""Folders of benchmarks: what stands in them, and errors that name the file and the entry that are wrong.

Fields that aren't asked for are passed over. Wrong JSON, a field that is missing or of another type, and an image that
isn't there are BadInput.
"""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ocr2 import files
from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ocr2.types import Page

_LONGEST = 120
"""Characters of a name that ids are made of: names of files may have 255 bytes."""


@dataclass(frozen=True)
class Folder:
    """A folder of a benchmark."""

    path: Path
    expected: str
    """The layout that it was published in, in a few words."""
    source: str
    """Where users get it."""

    def within(self, *names: str) -> Folder:
        """The first folder of these names in it; itself where there is none: an archive unpacked here, or there."""
        found = (self.path / name for name in names)
        return Folder(next((path for path in found if path.is_dir()), self.path), self.expected, self.source)

    def missing(self, what: str) -> BadInput:
        """What to raise where that isn't there."""
        if not self.path.is_dir():
            return BadInput(f"{self.path} is no folder: expected {self.expected}, from {self.source}")
        return BadInput(f"{self.path} has no {what}: expected {self.expected}, from {self.source}")

    def file(self, name: str) -> Path:
        """The file of that name. Raises BadInput where there is none."""
        path = self.path / name
        if not path.is_file():
            raise self.missing(name)
        return path

    def folder(self, name: str) -> Path:
        """The folder of that name. Raises BadInput where there is none."""
        path = self.path / name
        if not path.is_dir():
            raise self.missing(f"folder {name}")
        return path


@dataclass(frozen=True)
class Entry:
    """One object of a JSON list, or of JSON lines."""

    fields: dict[str, Any]
    where: str
    """Its file and number, for errors."""

    def value(self, name: str) -> Any:
        """What the field says. Raises BadInput where there is none."""
        if name not in self.fields:
            raise BadInput(f"{self.where} has no {name!r}: it has {', '.join(map(repr, self.fields)) or 'nothing'}")
        return self.fields[name]

    def text(self, name: str) -> str:
        """The string in a field. Raises BadInput."""
        return sound(self.value(name), f"{self.where}, {name!r}")


def text_of(path: Path) -> str:
    """What stands in a file, without a byte order mark. Raises BadInput."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no UTF-8 (byte {error.start}): save it as UTF-8") from error


def lines_of(path: Path) -> list[tuple[str, str]]:
    """The lines of a file that aren't empty, each with its place, for errors. Raises BadInput where there is none."""
    lines = text_of(path).split("\n")
    found = [(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise BadInput(f"{path} is empty: copy it again")
    return found


def parsed(text: str, where: str) -> Any:
    """What JSON says. Raises BadInput."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where} is no JSON ({error!s:.100}): copy it again") from error


def entry(line: str, where: str) -> Entry:
    """The object that a line of JSON is. Raises BadInput."""
    found = parsed(line, where)
    if not isinstance(found, dict):
        raise BadInput(f"{where} is {found!r:.60}: expected an object, {{…}}")
    return Entry(found, where)


def entries(path: Path) -> list[Entry]:
    """The objects of a file that is a JSON list of them. Raises BadInput."""
    found = parsed(text_of(path), str(path))
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadInput(f"{path} is no list of objects: expected [{{…}}, {{…}}, …]")
    if not found:
        raise BadInput(f"{path} is an empty list: copy it again")
    return [Entry(each, f"{path}, entry {number}") for number, each in enumerate(found, 1)]


def sound(value: object, where: str) -> str:
    """The value, which is text that can be written to a file. Raises BadInput."""
    if not isinstance(value, str) or re.search("[\ud800-\udfff]", value):
        raise BadInput(f"{where} is {value!r:.60}: expected a string")
    return value


def picture(root: Path, name: object, where: str) -> Path:
    """The file below `root` that an entry names. Raises BadInput for a name that leads elsewhere, or to nothing."""
    told = sound(name, f"{where}, the image")
    parts = PurePosixPath(told.replace("\\", "/"))
    if not told or parts.is_absolute() or ".." in parts.parts or "\0" in told:
        raise BadInput(f"{where}: {told!r:.200} is no place in {root}: expected the name of a file in there")
    path = root.joinpath(*parts.parts)
    if not is_there(path):
        raise BadInput(f"{where}: {path} isn't there: expected the image")
    return path


def is_there(path: Path) -> bool:
    """Whether it is a file; what is too long for a name isn't."""
    try:
        return path.is_file()
    except OSError:
        return False


def opened(path: Path, number: int = 1) -> Callable[[], Sequence[Page]]:
    """What opens that page of a file, when it is called; that raises BadInput."""

    def pages() -> Sequence[Page]:
        with closing(files.pages(path, select=str(number))) as found:
            return [next(found)]

    return pages


def ids(names: Iterable[str]) -> Iterator[str]:
    """Ids made of names: safe as names of files, and unlike each other there; of alike ones all but the first have a
    number.
    """
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^\w.+-]+", "_", name)[-_LONGEST:].strip("._") or "item"
        found, count = plain, 1
        while found.casefold() in taken:
            count += 1
            found = f"{plain}-{count}"
        taken.add(found.casefold())
        yield found
