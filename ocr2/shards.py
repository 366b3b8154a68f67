"""Samples ↔ shards: plain tar files of a thousand samples or so, in WebDataset's layout. Needs no torch.

    for shard in write(engine, "data/formula", range(100_000)):
        print(shard.path, shard.samples, shard.dropped)
    samples = Shards("data/formula")
    samples[31]

A sample is a few members in a row that differ after the first dot of their names only: 000000031.json with its words,
and 000000031.0.png, 000000031.1.png, … with its pages. The number is the sample's number in its source. The last
sample's words say which samples the shard was asked for, and what became of those that aren't there.
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
from copy import copy
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from PIL import Image

from ocr2.errors import BadInput, BadOutput, BadPrompt, OcrError, RendererMissing
from ocr2.files import whole
from ocr2.pixels import BROKEN
from ocr2.records import MODES, checked, encoded, parsed, record
from ocr2.types import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocr2.types import Source

EACH = 1000
"""Samples in a shard, unless asked otherwise."""
MOST_BYTES = 2**28
"""No sample takes more bytes than this in its shard: all of them are in memory when it is read."""

_SAVED = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
_BLOCK = tarfile.BLOCKSIZE
_AGAIN = "make the shard again"
_REASONS = 8
"""Different reasons for dropped samples that a shard names."""
_PARTICULAR = r"""(?<!\w)'[^']*'|"[^"]*"|[-\d.,]*\d|[^\x20-\x7e]+"""
"""In a message: what is another in each."""
_SPARE = 4 * _BLOCK
"""What the last sample of a shard says more than the others, at most."""
_DAMAGED: tuple[type[Exception], ...] = (tarfile.TarError, *BROKEN)
"""What tarfile is known to raise on damaged headers."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """A shard that is on disk, whole."""

    path: Path
    samples: int
    dropped: Mapping[str, int]
    """How many samples could not be made, by the reason: the kind of error and what it says, without particulars."""


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
        if 0 in image.size:
            raise BadOutput("{} × {} pixels: expected one at least".format(*image.size))
        stream, most = io.BytesIO(), Image.MAX_IMAGE_PIXELS
        if most and image.width * image.height > most:
            raise BadOutput("{} × {} pixels are more than {} megapixels".format(*image.size, most // 10**6))
        try:
            image.save(stream, _SAVED[self.format], **options)
        except BROKEN as error:
            size = "{} × {}".format(*image.size)
            raise BadOutput(f"{size} pixels can't be written as {self.format} ({error}): try png") from error
        return stream.getvalue()


def write(
    samples: Source,
    folder: str | Path,
    numbers: range | None = None,
    *,
    name: str = "samples",
    each: int = EACH,
    encoding: Encoding | None = None,
) -> Iterator[Shard]:
    """The shards `<name>-000000.tar`, … of a folder, each told when it is on disk: it is written whole or not at all.

    `numbers` are those of the samples, by default all that there are; sample i goes to shard i // `each`, so several
    processes may write parts of one folder if each begins at a multiple of `each`. A sample that raises an OcrError, or
    that could not be read back, is counted and left out; a RendererMissing is raised. A run that was stopped goes on,
    and so does one that is asked for more: shards that are there aren't made again, but for one that was asked for
    fewer samples, and the first sample of each, to see that they are of the same source. Raises BadOutput where they
    aren't, where they were asked for other samples, or if the disk is full.
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
        together = list(group)
        asked = range(together[0], together[-1] + numbers.step, numbers.step)
        path = folder / f"{name}-{number:06}.tar"
        there = _found(path, samples, asked, each) if path.exists() else None
        yield there or _made(path, samples, asked, each, encoding or Encoding())


def _made(path: Path, samples: Source, asked: range, each: int, encoding: Encoding) -> Shard:
    """A new shard of these samples; two at a time are in memory."""
    dropped: Counter[str] = Counter()
    last: tuple[int, dict[str, Any], dict[str, bytes]] | None = None
    with whole(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number in asked:
            try:
                words, pages = _encoded(samples[number], encoding)
            except RendererMissing:
                raise  # none of them could be made
            except OcrError as error:
                _log.info("sample %d is left out: %s", number, error)
                dropped[reason(error, dropped)] += 1
                continue
            if last:
                _put(tar, *last)
            last = number, words, pages
        if last:
            last[1]["shard"] = {"asked": [asked.start, asked.stop, asked.step], "each": each, "dropped": dropped}
            _put(tar, *last)
    return Shard(path, len(asked) - dropped.total(), dict(dropped))


def reason(error: OcrError, known: Mapping[str, int]) -> str:
    """What went wrong, but for what it went wrong with; the kind of error alone where there are many reasons."""
    name = type(error).__name__
    told = f"{name}: {re.sub(_PARTICULAR, '…', str(error)):.60}"
    return told if told in known or len(known) < _REASONS else name


def _put(tar: tarfile.TarFile, number: int, words: dict[str, Any], pages: dict[str, bytes]) -> None:
    for suffix, content in ({"json": encoded(words)} | pages).items():
        member = tarfile.TarInfo(f"{number:09}.{suffix}")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))


def _found(path: Path, samples: Source, asked: range, each: int) -> Shard | None:
    """The shard that an earlier run wrote; None where it has to be made again, for it was asked for some of these only.

    Raises BadOutput if it is of other samples, or one of shards of another number of samples.
    """
    entries = list(_entries(path))
    if not entries:
        return None
    same = {f"{number:09}" for number in asked}.issuperset(key for key, _, _ in entries)
    if same:
        there, now = _sample(_read(path, *entries[0][1:]), path), samples[int(entries[0][0])]
        same = record(there) == record(now) and [i.size for i in there.images] == [i.size for i in now.images]
    key, start, end = entries[-1]
    before = _before(parsed(_read(path, start, end)[f"{key}.json"], f"{path}: {key}.json"))
    if before is None:
        before = range(0), each, {}
    if not same or before[1] != each or not all(number in asked for number in before[0]):
        raise BadOutput(f"{path} holds other samples than these: give an empty folder, another name, or remove it")
    return Shard(path, len(entries), before[2]) if before[0] == asked else None


def _before(words: dict[str, Any]) -> tuple[range, int, dict[str, int]] | None:
    """What a shard was asked for, how many samples such shards have, and what was dropped, as its last sample says."""
    try:
        told = words["shard"]
        return range(*told["asked"]), told["each"], dict(told["dropped"])
    except (LookupError, TypeError, ValueError):
        return None  # another program's


def _encoded(sample: Sample, encoding: Encoding) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A sample's record, and its pages by the ends of their names. Raises BadOutput for what can't be read back."""
    words = record(sample)
    pages = {f"{n}.{encoding.format}": encoding.encode(image) for n, image in enumerate(sample.images)}
    size = sum(_BLOCK + _padded(len(content)) for content in (encoded(words), *pages.values()))
    if size + _SPARE > MOST_BYTES:
        raise BadOutput(f"{sample.origin} takes more than {MOST_BYTES >> 20} MiB: scale its images down")
    return words, pages


def _padded(size: int) -> int:
    """How many bytes of a tar so many bytes take."""
    return -(-size // _BLOCK) * _BLOCK


class Shards:
    """The samples in shards, by their number from 0 on, in the order of the shards' names.

    Places of the samples are kept in memory, no files are open: it can go to other processes. To find them, the headers
    of all shards are read each time: some 55 µs a sample, or a minute for a million.
    """

    _seen = True

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

    @property
    def identity(self) -> str:
        """Another one where the shards have other names or sizes, wherever they are."""
        found = sha256(json.dumps([self._first, [path.name for path in self.paths]]).encode())
        found.update(self._starts.tobytes() + self._ends.tobytes())
        return found.hexdigest()[:16]

    def unseen(self) -> Self:
        """The same samples with blank pictures, for what they say: many times as fast."""
        other = copy(self)
        other._seen = False
        return other

    def __getitem__(self, index: int) -> Sample:
        """The sample, read now. Raises BadInput where it is damaged."""
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        path = self.paths[bisect_right(self._first, index) - 1]
        return _sample(_read(path, self._starts[index], self._ends[index]), path, self._seen)


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


def _read(path: Path, start: int, end: int) -> dict[str, bytes]:
    """The members in a part of a tar."""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            content = file.read(end - start)
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            places = {member.name: _member(member, path)[4] for member in tar if not member.isdir()}
    except _DAMAGED as error:
        reason = getattr(error, "strerror", None) or "it has changed since it was opened"
        raise BadInput(f"{path} can't be read: {reason}; {_AGAIN}") from error
    return {name: content[place] for name, place in places.items()}


def _entries(path: Path) -> Iterator[tuple[str, int, int]]:
    """The samples in a tar: the key of each, and where in the file it begins and ends. Only headers are read."""
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield from _grouped(tar, path)
            file.seek(tar.offset)
            rest = file.read(2 * _BLOCK)
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror or error}") from error
    except _DAMAGED as error:
        raise BadInput(f"{path} is no tar file, or cut short ({error}): copy it again, or {_AGAIN}") from error
    if any(rest) and len(rest) >= _BLOCK:
        raise BadInput(f"{path} is damaged after its first {tar.offset} bytes: copy it again, or {_AGAIN}")
    if len(rest) < 2 * _BLOCK:
        raise BadInput(f"{path} is cut short: copy it again, or {_AGAIN}")


def _grouped(tar: tarfile.TarFile, path: Path) -> Iterator[tuple[str, int, int]]:
    """The key, start and end of each run of members that is a sample. Raises BadInput for what isn't one."""
    members = (_member(member, path) for member in tar if not member.isdir())
    seen = set()
    for key, run in groupby(members, lambda member: member[0]):
        _, suffixes, starts, ends, _ = zip(*run, strict=True)
        if "json" not in suffixes:
            raise BadInput(f"{path}: {key} has no .json: expected a shard of this package's samples")
        if key in seen or len(set(suffixes)) < len(suffixes):
            raise BadInput(f"{path}: {key} is there twice: {_AGAIN}")
        if ends[-1] - starts[0] > MOST_BYTES:
            raise BadInput(f"{path}: {key} takes more than {MOST_BYTES >> 20} MiB: scale its images down")
        seen.add(key)
        yield key, starts[0], ends[-1]


def _member(member: tarfile.TarInfo, path: Path) -> tuple[str, str, int, int, slice]:
    """The key and suffix of a member, where its header begins and the padding of its content ends, and its content."""
    match = re.fullmatch(r"((?:.*/)?[^./]+)\.([^/]+)", member.name, re.DOTALL)
    plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
    if not match or not plain or member.size < 0:
        raise BadInput(f"{path}: {member.name!r} is no part of a sample: expected files such as 000000031.json alone")
    place = slice(member.offset_data, member.offset_data + member.size)
    return match[1], match[2], member.offset, member.offset_data + _padded(member.size), place


def _sample(parts: dict[str, bytes], path: Path, seen: bool = True) -> Sample:
    """The sample whose members these are; unless its pages are seen, they are blank."""
    key = min(parts, default="").split("/")[-1].split(".")[0]
    where = f"{path}: {key}"
    ends = {name.split("/")[-1].partition(".")[2]: content for name, content in parts.items()}
    words = parsed(ends.get("json", b""), f"{where}.json")
    prompt, modes = checked(words, f"{where}.json"), words["modes"]
    files = {suffix.split(".")[0]: suffix for suffix in ends}
    images = []
    for n, mode in enumerate(modes):
        if str(n) not in files:
            raise BadInput(f"{where} lacks image {n} of {len(modes)}: {_AGAIN}")
        content = ends[files[str(n)]]
        images.append(_image(content, mode, f"{where}.{files[str(n)]}") if seen else Image.new(mode, (1, 1)))
    try:
        return Sample(tuple(images), prompt, words["text"], words["kind"], words["origin"])
    except BadPrompt as error:
        raise BadInput(f"{where}.json has a prompt that can't be asked: {error}") from error


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
