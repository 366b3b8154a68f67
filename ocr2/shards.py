"""Samples ↔ shards: plain tar files of a thousand samples or so, in WebDataset's layout. Needs no torch.

    for shard in write(engine, "data/formula", range(100_000)):
        print(shard.path, shard.samples, shard.dropped)
    samples = Shards("data/formula")
    samples[31]

A sample is a few members in a row that differ after the first dot of their names only: 000000031.json with its words,
and 000000031.0.png, 000000031.1.png, … with its pages. The number is the sample's number in its source.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import tarfile
import warnings
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sized
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from PIL import Image

from ocr2.errors import BadInput, BadOutput, BadPrompt, OcrError
from ocr2.files import whole
from ocr2.pixels import BROKEN
from ocr2.types import Box, Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EACH = 1000
"""Samples in a shard, unless asked otherwise."""
MOST_BYTES = 2**28
"""No sample takes more bytes than this in its shard: all of them are in memory when it is read."""
MODES = ("L", "RGB")
"""What Pillow calls images in shades of grey, and in colours: 8 bits each."""

_SAVED = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
_BLOCK = tarfile.BLOCKSIZE
_DEFAULT = asdict(Prompt())
_AGAIN = "make the shard again"
_log = logging.getLogger(__name__)


class Indexed(Protocol):
    """What gives the sample of a number, always the same one."""

    def __getitem__(self, index: int, /) -> Sample: ...


@dataclass(frozen=True)
class Shard:
    """A shard that is on disk, whole."""

    path: Path
    samples: int
    dropped: Mapping[str, int]
    """How many samples could not be made, by the kind of error; "before" for those that an earlier run dropped."""


@dataclass(frozen=True)
class Encoding:
    """How images are put into a shard."""

    format: Literal["png", "jpg", "webp"] = "png"
    """A dense page of 1024 × 1024 in grey took 10 ms and 100 KB as PNG, 3 ms and 410 KB as JPEG of quality 90."""
    quality: int | None = None
    """1 to 100. None: exact as PNG and WebP, 90 as JPEG."""

    def __post_init__(self) -> None:
        if self.format not in _SAVED:
            raise BadOutput(f"format {self.format!r} is unknown: expected {', '.join(_SAVED)}")
        if self.quality is not None and (self.format == "png" or not 1 <= self.quality <= 100):
            raise BadOutput(
                f"{self.format} of quality {self.quality}: expected 1 to 100 for jpg and webp, none for png"
            )

    def encode(self, image: Image.Image) -> bytes:
        """The image as the bytes of a file. Raises BadOutput for what the format can't hold."""
        if image.mode not in MODES:
            raise BadOutput(f"an image of mode {image.mode}: expected L or RGB, as image.convert('RGB') makes it")
        options: dict[str, Any] = {"compress_level": 1}
        if self.format == "jpg":
            options = {"quality": self.quality or 90}
        elif self.format == "webp":
            options = {"quality": self.quality} if self.quality else {"lossless": True, "quality": 0, "method": 0}
        stream = io.BytesIO()
        try:
            image.save(stream, _SAVED[self.format], **options)
        except BROKEN as error:
            size = "{} × {}".format(*image.size)
            raise BadOutput(f"{size} pixels can't be written as {self.format} ({error}): try png") from error
        return stream.getvalue()


def write(
    samples: Indexed,
    folder: str | Path,
    numbers: range | None = None,
    *,
    name: str = "samples",
    each: int = EACH,
    encoding: Encoding | None = None,
) -> Iterator[Shard]:
    """The shards `<name>-000000.tar`, … of a folder, each told when it is on disk: it is written whole or not at all.

    `numbers` are those of the samples, by default all that there are; sample i goes to shard i // `each`, so several
    processes may write parts of one folder if each begins at a multiple of `each`. A sample that raises an OcrError is
    counted and left out. A run that was stopped goes on: shards that are there aren't made again, but the first sample
    of each is, to see that they are of the same source. Raises BadOutput where they aren't, or the disk is full.
    """
    if each < 1:
        raise BadOutput(f"each={each}: expected at least one sample in a shard")
    if os.path.basename(name) != name or name.startswith(".") or not name:
        raise BadOutput(f"name={name!r}: expected the beginning of a file's name, such as samples")
    if numbers is None:
        if not isinstance(samples, Sized):
            raise BadOutput("this source has no end: say which samples to write, as in range(10_000)")
        numbers = range(len(samples))
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOutput(f"{folder} can't be made ({error.strerror}): expected a folder to write shards to") from error
    for number, group in groupby(numbers, lambda index: index // each):
        path = folder / f"{name}-{number:06}.tar"
        if path.exists():
            yield _found(path, samples, list(group))
        else:
            yield _made(path, samples, list(group), encoding or Encoding())


def _made(path: Path, samples: Indexed, numbers: Sequence[int], encoding: Encoding) -> Shard:
    """A new shard of these samples; one at a time is in memory."""
    dropped: Counter[str] = Counter()
    with whole(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number in numbers:
            try:
                members = _members(samples[number], encoding)
            except OcrError as error:
                _log.warning("sample %d is left out: %s", number, error)
                dropped[type(error).__name__] += 1
                continue
            for suffix, content in members.items():
                member = tarfile.TarInfo(f"{number:09}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return Shard(path, len(numbers) - dropped.total(), dict(dropped))


def _found(path: Path, samples: Indexed, numbers: Sequence[int]) -> Shard:
    """The shard that an earlier run wrote. Raises BadOutput if it doesn't hold these samples."""
    keys = [key for key, _, _ in _entries(path)]
    same = {f"{number:09}" for number in numbers}.issuperset(keys)
    if same and keys:
        there, now = Shards(path)[0], samples[int(keys[0])]
        same = _words(there) == _words(now) and [i.size for i in there.images] == [i.size for i in now.images]
    if not same:
        raise BadOutput(f"{path} holds other samples than these: give an empty folder, another name, or remove it")
    lacking = len(numbers) - len(keys)
    return Shard(path, len(keys), {"before": lacking} if lacking else {})


def _members(sample: Sample, encoding: Encoding) -> dict[str, bytes]:
    """What a sample is in a shard: the ends of its members' names, and what is in them."""
    words = json.dumps(_words(sample), ensure_ascii=False).encode(errors="surrogatepass")
    pages = {f"{n}.{encoding.format}": encoding.encode(image) for n, image in enumerate(sample.images)}
    return {"json": words, **pages}


def _words(sample: Sample) -> dict[str, Any]:
    """All of a sample but its pixels, as JSON has it; of the prompt, what differs from the default."""
    asked = {name: value for name, value in asdict(sample.prompt).items() if value != _DEFAULT[name]}
    if sample.prompt.box:
        box = sample.prompt.box
        asked["box"] = [box.x0, box.y0, box.x1, box.y1]
    if sample.prompt.point:
        asked["point"] = list(sample.prompt.point)
    modes = [image.mode for image in sample.images]
    return {"text": sample.text, "kind": sample.kind, "origin": sample.origin, "prompt": asked, "modes": modes}


class Shards:
    """The samples in shards, by their number from 0 on, in the order of the shards' names.

    Places of the samples are kept in memory, no files are open: it can go to other processes.
    """

    def __init__(self, *places: str | Path) -> None:
        """The places are folders with *.tar in them, or single tar files. Raises BadInput for anything else."""
        self.paths = [path for place in places for path in _tars(Path(place))]
        self._first, self._starts, self._ends = [0], array("Q"), array("Q")
        for path in self.paths:
            for _, start, end in _entries(path):
                self._starts.append(start)
                self._ends.append(end)
            self._first.append(len(self._starts))
        if not self._starts:
            raise BadInput(f"{' and '.join(map(str, places))}: no samples in any shard: write some")

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._starts)

    def __getitem__(self, index: int) -> Sample:
        """The sample, read now. Raises BadInput where it is damaged."""
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        path = self.paths[bisect_right(self._first, index) - 1]
        start, end = self._starts[index], self._ends[index]
        try:
            with open(path, "rb") as file:
                file.seek(start)
                content = file.read(end - start)
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
                parts = {member.name: content[member.offset_data :][: member.size] for member in tar}
        except (OSError, tarfile.TarError) as error:
            reason = getattr(error, "strerror", None) or "it has changed since it was opened"
            raise BadInput(f"{path} can't be read: {reason}; {_AGAIN}") from error
        return _sample(parts, path)


def _tars(place: Path) -> list[Path]:
    """The shards of a folder in the order of their names, or the one that the place is."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise BadInput(f"{place} doesn't exist: expected a folder with shards (*.tar)")
    try:
        found = sorted(path for path in place.iterdir() if path.suffix == ".tar" and not path.name.startswith("."))
    except OSError as error:
        raise BadInput(f"{place} can't be listed ({error.strerror}): make it readable") from error
    if not found:
        raise BadInput(f"{place} has no shards: expected *.tar in it")
    return found


def _entries(path: Path) -> Iterator[tuple[str, int, int]]:
    """The samples in a tar: the key of each, and where in the file it begins and ends. Only headers are read."""
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield from _grouped(tar, path)
            file.seek(tar.offset)
            rest = file.read(2 * _BLOCK)
    except tarfile.ReadError as error:
        raise BadInput(f"{path} is no tar file, or cut short ({error}): copy it again, or {_AGAIN}") from error
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error
    if any(rest) and len(rest) >= _BLOCK:
        raise BadInput(f"{path} is damaged after its first {tar.offset} bytes: copy it again, or {_AGAIN}")
    if len(rest) < 2 * _BLOCK:
        raise BadInput(f"{path} is cut short: copy it again, or {_AGAIN}")


def _grouped(tar: tarfile.TarFile, path: Path) -> Iterator[tuple[str, int, int]]:
    """The key, start and end of each run of members that is a sample. Raises BadInput for what isn't one."""
    members = (_member(member, path) for member in tar if not member.isdir())
    seen = set()
    for key, run in groupby(members, lambda member: member[0]):
        _, suffixes, starts, ends = zip(*run, strict=True)
        if "json" not in suffixes:
            raise BadInput(f"{path}: {key} has no .json: expected a shard of this package's samples")
        if key in seen or len(set(suffixes)) < len(suffixes):
            raise BadInput(f"{path}: {key} is there twice: {_AGAIN}")
        if ends[-1] - starts[0] > MOST_BYTES:
            raise BadInput(f"{path}: {key} takes more than {MOST_BYTES >> 20} MiB: scale its images down")
        seen.add(key)
        yield key, starts[0], ends[-1]


def _member(member: tarfile.TarInfo, path: Path) -> tuple[str, str, int, int]:
    """The key and suffix of a member, where its header begins and its content ends."""
    match = re.fullmatch(r"((?:.*/)?[^./]+)\.([^/]+)", member.name, re.DOTALL)
    if not match or member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise BadInput(f"{path}: {member.name!r} is no part of a sample: expected files such as 000000031.json alone")
    return match[1], match[2], member.offset, member.offset_data + -(-member.size // _BLOCK) * _BLOCK


def _sample(parts: dict[str, bytes], path: Path) -> Sample:
    """The sample whose members these are."""
    key = min(parts, default="").split("/")[-1].split(".")[0]
    where = f"{path}: {key}"
    ends = {name.split("/")[-1].partition(".")[2]: content for name, content in parts.items()}
    words = _object(ends.get("json", b""), where)
    for name in ("text", "kind", "origin"):
        if not isinstance(words.get(name), str):
            raise BadInput(f"{where}.json has no {name!r}: expected text, kind, origin, prompt and modes; {_AGAIN}")
    modes = words.get("modes")
    if not isinstance(modes, list) or any(mode not in MODES for mode in modes):
        raise BadInput(f"{where}.json has modes {modes!r:.80}: expected L or RGB for each image; {_AGAIN}")
    if not isinstance(words.get("prompt"), dict):
        raise BadInput(f"{where}.json has no 'prompt': expected an object, empty for the plain question; {_AGAIN}")
    files = {suffix.split(".")[0]: suffix for suffix in ends}
    images = []
    for n, mode in enumerate(modes):
        if str(n) not in files:
            raise BadInput(f"{where} lacks image {n} of {len(modes)}: {_AGAIN}")
        images.append(_image(ends[files[str(n)]], mode, f"{where}.{files[str(n)]}"))
    try:
        return Sample(tuple(images), _prompt(words), words["text"], words["kind"], words["origin"])
    except (BadPrompt, TypeError, ValueError) as error:
        raise BadInput(f"{where}.json has a prompt that can't be asked: {error}") from error


def _object(content: bytes, where: str) -> dict[str, Any]:
    try:
        words = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}.json can't be read as JSON: {_AGAIN}") from error
    if not isinstance(words, dict):
        raise BadInput(f"{where}.json is no object: expected text, kind, origin, prompt and modes; {_AGAIN}")
    return words


def _prompt(words: dict[str, Any]) -> Prompt:
    asked = dict(words["prompt"])
    if "box" in asked:
        asked["box"] = Box(*map(_number, asked["box"]))
    if "point" in asked:
        x, y = map(_number, asked["point"])
        asked["point"] = x, y
    return Prompt(**asked)


def _number(value: object) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"{value!r:.40} is no number")
    return cast("float", value)


def _image(content: bytes, mode: str, where: str) -> Image.Image:
    """The image, its pixels alone. Raises BadInput for a damaged one, and for one of too many pixels unread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(content), formats=list(_SAVED.values())).convert(mode)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            most = (Image.MAX_IMAGE_PIXELS or 0) // 10**6
            raise BadInput(f"{where} has more than {most} megapixels: scale it down") from error
        except BROKEN as error:
            raise BadInput(f"{where} can't be read as an image ({error!s:.80}): {_AGAIN}") from error
    image.info = {}
    return image
