"""What folders have to make data of: which file holds what, and the items in it, read one by one and never written out.

    formulas*.txt    a LaTeX formula a line, without delimiters
    smiles*.txt      a molecule a line, or any *.smi; what follows its SMILES is left out
    tables*.jsonl    {"rows": [["cell", ...], ...], "title": "", "source": ""}, a table a line
    chartdata*.jsonl {"title": "", "x_title": "", "y_title": "", "series": {"name": {"x": 1.5}}}, a chart a line
    tikz*.jsonl      {"tex": "\\\\documentclass ..."}, a figure a line; or *.tikz, or tikz*.tex, a figure each
    *.krn, *.tex     a score, a document each
    *.tar, *.tar.gz, *.tar.xz     scores (.krn), figures (.tikz) and documents (.tex) together
    *.txt            running text, a paragraph a line
    licences.json    {"english.txt": "CC-BY-SA-4.0", "tables.jsonl: author/collection": "MIT"}, if it is there

Any of them but the archives may end in .xz. Files are others' work: whatever is in them, they cost no more memory than
MOST_ITEM an item, and the names in archives are only shown.
"""

from __future__ import annotations

import gzip
import itertools
import json
import lzma
import re
import tarfile
import zlib
from array import array
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from ocr2.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocr2.characters import Material

EXPECTED: dict[str, str] = {
    "text": "*.txt or *.txt.xz in UTF-8, a paragraph a line",
    "formula": "formulas*.txt or formulas*.txt.xz in UTF-8, a LaTeX formula a line",
    "smiles": "smiles*.txt, smiles*.txt.xz or *.smi, a molecule a line",
    "kern": "*.krn in UTF-8, or a *.tar, *.tar.gz or *.tar.xz of them",
    "table": 'tables*.jsonl or tables*.jsonl.xz, {"rows": [["cell", ...], ...], "title": "", "source": ""} a line, all '
    "rows as long",
    "chart": 'chartdata*.jsonl or chartdata*.jsonl.xz, {"title": "", "x_title": "", "y_title": "", "series": {"name": '
    '{"x": 1.5}}} a line',
    "tikz": '*.tikz, or tikz*.jsonl or tikz*.jsonl.xz, {"tex": "..."} a line, in UTF-8',
    "tex": "*.tex in UTF-8, or a *.tar, *.tar.gz or *.tar.xz of them",
    "archive": "a whole *.tar, *.tar.gz or *.tar.xz with *.krn, *.tex or *.tikz in it",
}
"""The files of each kind, in words."""
ANY = (
    "*.txt (running text, a paragraph a line), formulas*.txt, smiles*.txt, *.smi, *.krn, tables*.jsonl, "
    "chartdata*.jsonl, tikz*.jsonl, *.tikz or *.tex, each of them also as .xz, or *.tar, *.tar.gz or *.tar.xz of "
    "*.krn, *.tikz and *.tex"
)
"""All of them."""
ARCHIVED: tuple[Material, ...] = ("kern", "tikz", "tex")
"""The kinds that come in archives."""
LICENCES = "licences.json"
MOST_ITEM = 16 << 20
"""Bytes of the largest line or member."""
MOST_READ = 8 << 30
"""Bytes that a file may unpack to."""
MOST_MEMBERS = 1_000_000
_NAMES = (
    ("formulas*.txt", "formula"),
    ("smiles*.txt", "smiles"),
    ("*.smi", "smiles"),
    ("*.txt", "text"),
    ("tables*.jsonl", "table"),
    ("chartdata*.jsonl", "chart"),
    ("tikz*.jsonl", "tikz"),
    ("tikz*.tex", "tikz"),
    ("*.tikz", "tikz"),
    ("*.tex", "tex"),
    ("*.krn", "kern"),
    ("*.tar", "archive"),
    ("*.tar.gz", "archive"),
    ("*.tgz", "archive"),
    ("*.txz", "archive"),
)
_SMILES = re.compile(r"[A-Za-z\[*][A-Za-z0-9@+\-\[\]()=#$:/\\%.*~>]*")
_RIGHTS = re.compile(r"^!!!YE[CM][^:\n]*:[ \t]*(\S.*?)[ \t\r.]*$", re.MULTILINE)
_DAMAGED = (lzma.LZMAError, EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError)


class Origin(NamedTuple):
    """Where an item is from."""

    file: str
    """Its file's name, or a package and its version."""
    source: str = ""
    """Where in the file: whose collection, or a member of an archive."""
    licence: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.source}" if self.source else self.file


class Item(NamedTuple):
    """One of a file's items."""

    kind: Material
    data: bytes
    """In UTF-8."""
    source: str = ""
    licence: str = ""
    """As the item itself says it."""
    key: bytes = b""
    """What makes it another item than others, where that isn't all of it."""


class Kept:
    """Items one after the other in one piece of memory, and where each is from."""

    def __init__(self) -> None:
        """None yet."""
        self._data = bytearray()
        self._ends = array("Q", [0])
        self._from = array("I")
        self._numbers: dict[Origin, int] = {}
        self._origins: list[Origin] = []

    def add(self, data: bytes, origin: Origin) -> None:
        """One more."""
        number = self._numbers.setdefault(origin, len(self._origins))
        if number == len(self._origins):
            self._origins.append(origin)
        self._from.append(number)
        self._data += data
        self._ends.append(len(self._data))

    def __len__(self) -> int:
        return len(self._from)

    def __getitem__(self, index: int) -> tuple[str, Origin]:
        return self._data[self._ends[index] : self._ends[index + 1]].decode(), self._origins[self._from[index]]


def holds(name: str) -> str:
    """The kind of items in a file of that name: a Material, "text", "archive", or "" for none, as for hidden files."""
    name = name.lower().removesuffix(".xz")
    return next((kind for pattern, kind in _NAMES if not name.startswith(".") and fnmatchcase(name, pattern)), "")


def items(file: Path, kinds: Sequence[Material]) -> Iterator[Item]:
    """A file's items of these kinds. Raises BadInput, with the line or the member, where they can't be read."""
    kind = holds(file.name)
    if kind == "archive":
        yield from _members(file, kinds)
    elif kind in kinds:
        yield from _READERS[kind](file, cast("Material", kind))


def lines(file: Path, kind: str = "text") -> Iterator[tuple[int, str]]:
    """A text file's lines with their numbers, from 1. Raises BadInput where they can't be read."""
    with reading(file, kind), _opened(file) as stream:
        number = total = 0
        while line := stream.readline(MOST_ITEM + 1):
            number, total = number + 1, total + len(line)
            if len(line) > MOST_ITEM or total > MOST_READ:
                what = f"a line {number} of more than {MOST_ITEM >> 20} MiB"
                what = what if len(line) > MOST_ITEM else f"more than {MOST_READ >> 30} GiB in it"
                raise BadInput(f"{file} has {what}: expected {EXPECTED[kind]}")
            try:
                yield number, line.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise BadInput(
                    f"{file} is not text in UTF-8 ({error.reason}, line {number}): expected {EXPECTED[kind]}"
                ) from error


@contextmanager
def reading(file: Path, kind: str) -> Iterator[None]:
    """Errors within are BadInput, in words about the file."""
    try:
        yield
    except _DAMAGED as error:
        what = "a whole .xz file" if kind != "archive" and file.suffix == ".xz" else EXPECTED[kind]
        raise BadInput(f"{file} is cut short or damaged ({error}): expected {what}; copy it again") from error
    except OSError as error:
        raise BadInput(f"{file} can't be read ({error.strerror}): make it readable") from error


def licences(folder: str | Path) -> dict[str, str]:
    """What the folder's licences.json says, if it has one. Raises BadInput where that isn't an object of strings."""
    path = Path(folder) / LICENCES
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_bytes()[:MOST_ITEM])
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no JSON ({error}): expected {{'english.txt': 'CC-BY-SA-4.0'}}") from error
    except OSError as error:
        raise BadInput(f"{path} can't be read ({error.strerror}): make it readable") from error
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise BadInput(f"{path} has other things than strings in it: expected {{'english.txt': 'CC-BY-SA-4.0'}}")
    return told


def licence(told: dict[str, str], name: str, source: str) -> str:
    """What is told of "name: a/b/c", or of "name: a/b", "name: a", "name"; else ""."""
    while source:
        if found := told.get(f"{name}: {source}"):
            return found
        source = source.rpartition("/")[0]
    return told.get(name, "")


def score(data: bytes, source: str) -> Item | None:
    """A score in kern, with the rights that it says are reserved; None where there is nothing in it."""
    text = data.decode("utf-8-sig")
    told = dict.fromkeys(_RIGHTS.findall(text))
    return _item("kern", text, source, "; ".join(told)[:300])


def _opened(file: Path) -> IO[bytes]:
    """The file, unpacked."""
    if file.suffix.lower() in (".xz", ".txz"):
        return cast("IO[bytes]", lzma.open(file))
    if file.suffix.lower() in (".gz", ".tgz"):
        return cast("IO[bytes]", gzip.open(file))
    return open(file, "rb")


def _item(kind: Material, text: str, source: str, licence: str = "") -> Item | None:
    """A whole file as an item, with ends of lines as they are here."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return Item(kind, f"{text}\n".encode(), source, licence) if text.strip() else None


def _whole(file: Path, kind: Material) -> Iterator[Item]:
    with reading(file, kind), _opened(file) as stream:
        data = stream.read(MOST_ITEM + 1)
    if found := _text(data, kind, "", str(file)):
        yield found


def _text(data: bytes, kind: Material, source: str, name: str) -> Item | None:
    """A file's item. Raises BadInput where it is too large or no text."""
    if len(data) > MOST_ITEM:
        raise BadInput(f"{name} is larger than {MOST_ITEM >> 20} MiB: expected {EXPECTED[kind]}")
    try:
        return score(data, source) if kind == "kern" else _item(kind, data.decode("utf-8-sig"), source)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{name} is not text in UTF-8 ({error.reason}, line {line}): expected {EXPECTED[kind]}"
        ) from error


def _formulas(file: Path, kind: Material) -> Iterator[Item]:
    for _, line in lines(file, kind):
        if text := line.strip():
            yield Item(kind, text.encode())


def _molecules(file: Path, kind: Material) -> Iterator[Item]:
    for number, line in lines(file, kind):
        text, *_ = line.split(None, 1) or [""]
        if not text or (number == 1 and text.lower() == "smiles"):
            continue
        if not _SMILES.fullmatch(text):
            raise BadInput(f"{file}, line {number}, is no molecule ({text[:40]!r}): expected {EXPECTED[kind]}")
        yield Item(kind, text.encode())


def _records(file: Path, kind: Material) -> Iterator[Item]:
    for number, line in lines(file, kind):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise TypeError("no object")
            shown, key = _SHOWN[kind](record)
            data = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
            source, terms = (str(record.get(name) or "") for name in ("source", "licence"))
            yield Item(kind, data.encode(), _named(source), _named(terms), json.dumps(key).encode())
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise BadInput(f"{file}, line {number}, is no such record ({what}): expected {EXPECTED[kind]}") from error


def _table(record: dict[str, Any]) -> tuple[dict[str, object], object]:
    rows = record["rows"]
    if not (isinstance(rows, list) and rows and all(isinstance(row, list) and row for row in rows)):
        raise TypeError("no rows of cells")
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"rows of {' and '.join(map(str, sorted({len(row) for row in rows})))} cells")
    if not all(isinstance(cell, str) for row in rows for cell in row):
        raise TypeError("a cell that is no string")
    return {"rows": rows, "title": _string(record, "title"), "source": _string(record, "source")}, rows


def _chart(record: dict[str, Any]) -> tuple[dict[str, object], object]:
    series = record["series"]
    if not (isinstance(series, dict) and series and all(isinstance(line, dict) and line for line in series.values())):
        raise TypeError("no series of numbers")
    values = (value for line in series.values() for value in line.values())
    if not all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 for value in values
    ):
        raise TypeError("a value that is no number")
    titles: dict[str, object] = {name: _string(record, name) for name in ("title", "x_title", "y_title")}
    return titles | {"series": series}, series


def _figure(record: dict[str, Any]) -> tuple[str, object]:
    text = _string(record, "tex")
    if not text.strip():
        raise ValueError("no tex")
    return text, text


def _string(record: dict[str, Any], name: str) -> str:
    value = record.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(f"{name!r} is no string")
    return value


def _named(name: str) -> str:
    """A name as it can be shown."""
    return "".join(char if char.isprintable() else "?" for char in name)[-300:]


class _Bounded:
    """A stream of which no more than MOST_ITEM is read at once, and nothing beyond its end, as an archive may ask."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._missed = stream, 0
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, count: int) -> bytes:
        if not 0 <= count <= MOST_ITEM:
            raise tarfile.ReadError(f"a part of {count} bytes")
        data = self._stream.read(count)
        self._missed += len(data) < count
        if self._missed > 8:
            raise tarfile.ReadError("unexpected end of data")
        return data


def _members(file: Path, kinds: Sequence[Material]) -> Iterator[Item]:
    """The members of an archive that are of these kinds."""
    figures = file.name.lower().startswith("tikz")
    with reading(file, "archive"), _opened(file) as stream:
        for archive, member in _listed(file, stream):
            kind = holds(member.name.rpartition("/")[2])
            kind = "tikz" if figures and kind == "tex" else kind
            if not member.isfile() or kind not in kinds:
                continue
            name = _named(member.name)
            if member.size > MOST_ITEM:
                raise BadInput(f"{file}: {name} is larger than {MOST_ITEM >> 20} MiB: expected {EXPECTED[kind]}")
            content = archive.extractfile(member)
            data = content.read() if content else b""
            if found := _text(data, cast("Material", kind), name, f"{file}: {name}"):
                yield found


def _listed(file: Path, stream: IO[bytes]) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """An archive's members, each to be read before the next."""
    archive, unpacked = None, 0
    for count in itertools.count(1):
        try:
            archive = archive or tarfile.TarFile(fileobj=cast("IO[bytes]", _Bounded(stream)))
            member = archive.next()
        except (ValueError, ArithmeticError, LookupError, RecursionError) as error:
            raise tarfile.ReadError(f"{type(error).__name__} in a header") from error
        if member is None:
            return
        cast("Any", archive).members = []  # else it keeps every one
        unpacked += abs(member.size)
        if member.size < 0 or unpacked > MOST_READ or count > MOST_MEMBERS:
            what = f"more than {MOST_READ >> 30} GiB or {MOST_MEMBERS:,} files"
            raise BadInput(f"{file} unpacks to {what}: expected {EXPECTED['archive']}")
        yield archive, member


_SHOWN: dict[str, Callable[[dict[str, Any]], tuple[dict[str, object] | str, object]]] = {
    "table": _table,
    "chart": _chart,
    "tikz": _figure,
}
_READERS: dict[str, Callable[[Path, Material], Iterator[Item]]] = {
    "formula": _formulas,
    "smiles": _molecules,
    "kern": _whole,
    "table": _records,
    "chart": _records,
    "tikz": lambda file, kind: (_records if ".jsonl" in file.name.lower() else _whole)(file, kind),
    "tex": _whole,
}
