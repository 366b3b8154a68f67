"""Other readers, and what they have read: Tesseract, RapidOCR, and folders of predictions."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from copy import copy
from importlib import metadata
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from ocr2.errors import BadInput, ModelMissing, OcrError
from ocr2.evaluate.benchmark import Answer
from ocr2.evaluate.folders import parsed, text_of
from ocr2.evaluate.run import MISSING, UNASKED, UNREAD, from_record
from ocr2.files import SUFFIXES, natural
from ocr2.types import Line, Page, Quad

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from PIL import Image

    from ocr2.evaluate.benchmark import Item

_NAMED = 5
"""How many files a footnote names."""


class Tesseract:
    """Tesseract's command, told the language of each page. A model for a Reader."""

    def __init__(self, threads: int | None = None) -> None:
        """On so many threads, else on those that it takes by itself. Raises ModelMissing."""
        self.program = shutil.which("tesseract")
        if not self.program:
            raise ModelMissing("tesseract isn't installed: apt install tesseract-ocr tesseract-ocr-chi-sim")
        self.environment = os.environ | ({"OMP_THREAD_LIMIT": str(threads)} if threads else {})
        self.language = ""
        """That of the pages to come: "zh", else English."""
        told = self._run("--list-langs").splitlines()
        self.languages = {line.strip() for line in told[1:]}
        self.versions = {"tesseract": self._run("--version").split()[1]}

    def read(self, image: Image.Image, number: int = 1, origin: str = "") -> Page:
        """The page with Tesseract's lines in its order. Raises ModelMissing without the language's data."""
        names = ["chi_sim", "eng"] if self.language == "zh" else ["eng"]
        if lacking := [name for name in names if name not in self.languages]:
            raise ModelMissing(f"tesseract has no data for {lacking[0]}: apt install {_package(lacking[0])}")
        stream = io.BytesIO()
        density = {"dpi": image.info["dpi"]} if "dpi" in image.info else {}
        image.save(stream, "PNG", compress_level=0, **density)
        with TemporaryDirectory() as folder:
            target = Path(folder, "page")
            self._run("stdin", str(target), "-l", "+".join(names), "txt", "tsv", given=stream.getvalue())
            text, table = (target.with_suffix(end).read_text(encoding="utf-8") for end in (".txt", ".tsv"))
        return Page(image, tuple(_lines(text, table)), number, origin)

    def _run(self, *arguments: str, given: bytes = b"") -> str:
        """What it says. Raises BadInput with its last words."""
        assert self.program
        done = subprocess.run(  # noqa: S603 no shell, and pages come by its standard input
            [self.program, *arguments], input=given, capture_output=True, env=self.environment, check=False
        )
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
            raise BadInput(f"tesseract failed: {words[-1]}")
        return done.stdout.decode(errors="replace")


def _package(language: str) -> str:
    """Debian's, with that language's data."""
    return "tesseract-ocr-" + language.replace("_", "-")


def _lines(text: str, table: str) -> Iterator[Line]:
    """The lines of the text, with the places that the table of words has for them, line by line."""
    heads, *rows = (row.split("\t") for row in table.splitlines())
    words = [dict(zip(heads, row, strict=False)) for row in rows]
    words = [word for word in words if word["level"] == "5" and word.get("text", "").strip()]
    placed = [list(group) for _, group in groupby(words, lambda word: [word[f"{part}_num"] for part in _PARTS])]
    printed = [block for block in text.replace("\f", "\n").split("\n\n") if block.strip()]
    lines = [[line.strip() for line in block.splitlines() if line.strip()] for block in printed]
    known = len(placed) == sum(map(len, lines))
    places = iter(placed)
    for block in lines:
        for n, line in enumerate(block):
            end = "\n\n" if n == len(block) - 1 else "\n"
            if known:
                yield _placed(line, next(places), end)
            else:
                yield Line(line, None, 1.0, end)


_PARTS = ("block", "par", "line")


def _placed(text: str, words: Sequence[dict[str, str]], end: str) -> Line:
    """A line with the upright quad around its words."""
    sides = [[float(word[side]) for side in ("left", "top", "width", "height")] for word in words]
    x0, y0 = min(x for x, _, _, _ in sides), min(y for _, y, _, _ in sides)
    x1, y1 = max(x + width for x, _, width, _ in sides), max(y + height for _, y, _, height in sides)
    score = sum(float(word["conf"]) for word in words) / len(words) / 100
    return Line(text, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)), min(max(score, 0.0), 1.0), end)


class RapidOCR:
    """RapidOCR with its defaults, but for the threads. A model for a Reader."""

    def __init__(self, threads: int | None = None) -> None:
        """On so many threads, else on all. Raises ModelMissing."""
        try:
            from rapidocr import RapidOCR as Engine
        except ImportError as error:
            raise ModelMissing("rapidocr isn't installed: pip install 'ocr2[bench]'") from error
        names = ("intra_op_num_threads", "inter_op_num_threads")
        counts = {f"EngineConfig.onnxruntime.{name}": count for name, count in zip(names, (threads, 1), strict=True)}
        with redirect_stdout(sys.stderr):  # it prints
            self.engine = Engine(params={"Global.log_level": "critical"} | (counts if threads else {}))
        self.versions = {"rapidocr": metadata.version("rapidocr")}
        self.language = ""
        """Not asked for: its networks know Chinese and English."""

    def read(self, image: Image.Image, number: int = 1, origin: str = "") -> Page:
        """The page with RapidOCR's lines in its order."""
        with redirect_stdout(sys.stderr):
            found: Any = self.engine(image)
        lines = zip(found.boxes, found.txts, found.scores, strict=True) if found.txts else ()
        return Page(image, tuple(Line(text, _quad(box), float(score)) for box, text, score in lines), number, origin)


def _quad(corners: Any) -> Quad:
    return cast("Quad", tuple((float(x), float(y)) for x, y in corners))


PEERS: dict[str, type[Tesseract] | type[RapidOCR]] = {"tesseract": Tesseract, "rapidocr": RapidOCR}
"""What reads beside us, by the name that --model has for it."""


class Predictions:
    """Answers that were given before, by the ids of the items."""

    def __init__(self, path: Path, benchmark: str = "") -> None:
        """From a folder of files named after the samples, or from the JSON of a run of that benchmark.

        A file is `<id>.txt`, `<id>.md` or `<id>.json` (as `ocr2 read` writes them; `<id>.png.txt` will do as well);
        what is in folders below has `__` in its name for the slash. A sample may have been read several times: see
        `repeated`.
        Raises BadInput where neither is there, or the JSON is no run's.
        """
        self.path = path
        self.model = path.resolve().name
        """Whose predictions they are."""
        self.notes: tuple[str, ...] = ()
        """Of predictions for no sample: known as soon as `answers` are taken."""
        self.plain = False
        """Whether they are by a reader that was asked for plain text alone."""
        self.read: dict[str, Any] = {}
        """The date, machine and versions of the run that they are from."""
        self._files: dict[str, list[Path]] = {}
        self._known: dict[str, Answer] = {}
        if path.is_dir():
            self._find(path)
        elif path.is_file():
            self._load(path, benchmark)
        else:
            raise BadInput(f"{path} doesn't exist: expected a folder of predictions, or the --json of a run")

    def _find(self, folder: Path) -> None:
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".txt", ".md", ".json") and not file.name.startswith(".") and file.is_file():
                name = "__".join(file.relative_to(folder).with_suffix("").parts)
                self._files.setdefault(name, []).append(file)
        if not self._files:
            raise BadInput(f"{folder} has no predictions: expected a file for each sample, <id>.txt, .md or .json")

    def _load(self, path: Path, benchmark: str) -> None:
        record = parsed(text_of(path), str(path))
        if not isinstance(record, dict) or not isinstance(record.get("samples"), list):
            raise BadInput(f"{path} is no outcome of a run: expected the file that --json wrote, or a folder")
        if benchmark and record.get("benchmark") != benchmark:
            raise BadInput(f"{path} has answers to {record.get('benchmark')!r:.80}, not to {benchmark}")
        self.model, self.plain = str(record.get("model", path.stem)), record.get("plain") is True
        first = record.get("read") or record
        if not isinstance(first, dict):
            raise BadInput(f'{path}: expected an object as "read", found {first!r:.80}')
        self.read = {key: first[key] for key in ("date", "machine", "versions") if key in first}
        for n, sample in enumerate(record["samples"]):
            answer = from_record(sample, f"{path}, sample {n + 1}")
            name, error = sample.get("id"), sample.get("error", "")
            if not isinstance(name, str) or not isinstance(error, str):
                raise BadInput(f'{path}, sample {n + 1}: expected strings as "id" and "error"')
            if name in self._known:
                raise BadInput(f"{path}, sample {n + 1}: {name!r} is there twice: expected one answer to a sample")
            self._known[name] = _failed(answer, error)

    def repeated(self, items: Iterable[Item]) -> list[Item]:
        """The items, each once for every time that it was read: as `<id>_repeat1`, `<id>_repeat2`, …, where there are
        predictions of such names.
        """
        times: dict[str, list[str]] = {}
        for name in sorted(self._known.keys() | self._files.keys(), key=natural):
            if found := re.fullmatch(r"(.+)_repeat\d+", name):
                times.setdefault(found[1], []).append(name)
        return [_named(item, name) for item in items for name in times.get(item.id, [item.id])]

    def answers(self, items: Iterable[Item]) -> Iterator[tuple[Item, Answer]]:
        """Each item with what was predicted; with an error where nothing was, or what can't be read.

        Raises BadInput where nothing at all is for any of them.
        """
        items = list(items)
        names = {item.id: self._name(item.id) for item in items}
        there = self._known.keys() | self._files.keys()
        if there.isdisjoint(names.values()):
            raise BadInput(
                f"{self.path} has nothing for any of the {len(items)} samples: expected files named after them, "
                f"such as {items[0].id}.txt; found {', '.join(sorted(there)[:_NAMED])}"
            )
        if extra := sorted(there - set(names.values())):
            named = ", ".join(extra[:_NAMED]) + ", …" * (len(extra) > _NAMED)
            self.notes = (f"{len(extra):,} predictions are for no sample here and are left alone: {named}.",)
        for item in items:
            yield item, self._answer(names[item.id])

    def _name(self, name: str) -> str:
        """What the prediction for the item of that id is called here."""
        shown = (name + suffix for suffix in SUFFIXES)
        return name if name in self._files else next((other for other in shown if other in self._files), name)

    def _answer(self, name: str) -> Answer:
        if name in self._known:
            return self._known[name]
        files = self._files.get(name, [])
        if not files:
            return Answer(error=f"{MISSING}: {self.path} has nothing by the name {name}")
        try:
            if len(files) > 1:
                raise BadInput(f"{' and '.join(file.name for file in files)} are both for it: leave one of them")
            return _predicted(files[0])
        except OcrError as error:
            return Answer(error=f"{UNREAD}: {error}")


def _named(item: Item, name: str) -> Item:
    """The item by another id."""
    other = copy(item)
    vars(other).update(id=name)
    return other


def _failed(answer: Answer, error: str) -> Answer:
    """The answer of an earlier run, whose error may have been the reader's, or only the score's."""
    starts = (UNASKED, MISSING, UNREAD)
    return Answer(error=error) if error.startswith(starts) else answer


def _predicted(file: Path) -> Answer:
    """What a file holds: text, or JSON with the page's text (and lines), or with a list of such pages."""
    if file.suffix != ".json":
        return Answer(text_of(file).removesuffix("\n"))  # which ends a file of text, and is none of its text
    record = parsed(text_of(file), str(file))
    pages = [from_record(page, file.name) for page in (record if isinstance(record, list) else [record])]
    return Answer("\n".join(page.text for page in pages), tuple(line for page in pages for line in page.lines))
