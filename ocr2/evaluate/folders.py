"""Folders of benchmarks: what stands in them, and errors that name the file and the entry that are wrong.

Fields that aren't asked for are passed over. Wrong JSON, a field that is missing or of another type, and an image that
isn't there are BadInput.
"""

from __future__ import annotations

import json
import re
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
    """One object of a JSON list."""

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


def entries(path: Path) -> list[Entry]:
    """The objects of a file that is a JSON list of them. Raises BadInput."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no JSON ({error!s:.100}): copy it again") from error
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
    if not path.is_file():
        raise BadInput(f"{where}: {path} isn't there: expected the image")
    return path


def opened(*paths: Path) -> Callable[[], Sequence[Page]]:
    """What opens the first page of each file, when it is called; that raises BadInput."""
    return lambda: [_first(path) for path in paths]


def _first(path: Path) -> Page:
    found = files.pages(path)
    try:
        return next(found)
    finally:
        found.close()


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
