"""Samples that go into shards and come back."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import tarfile
import tracemalloc
import zlib
from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from ocr2 import shards
from ocr2.errors import BadInput, BadOutput, RendererMissing, TooLong
from ocr2.shards import Encoding, Shards, write
from ocr2.types import Box, Prompt, Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROMPTS = (
    Prompt(),
    Prompt(format=True),
    Prompt(box=Box(1, 2.5, 30, 31)),
    Prompt(point=(3, 4.25)),
    Prompt(color="green", format=True),
    Prompt(tiles=12),
    Prompt(pages=12),
)
TOO_LONG = "TooLong: noise …"
TEXTS = ("the page", "有朋自遠方來\n\n不亦樂乎", "", "\x00 naught", '"}, {"')


class Noise:
    """An endless source: noisy pages in grey and in colour, every kind of prompt."""

    def __init__(self, seed: int = 0, broken: tuple[int, ...] = ()) -> None:
        self.seed, self.broken, self.asked = seed, broken, list[int]()

    def __getitem__(self, index: int) -> Sample:
        self.asked.append(index)
        if index in self.broken:
            raise TooLong(f"noise {index}")
        rng = Random(f"{self.seed}/{index}")
        prompt = PROMPTS[index % len(PROMPTS)]
        images = tuple(self.image(rng, ("L", "RGB")[(index + n) % 2]) for n in range(prompt.pages))
        return Sample(images, prompt, f"{rng.choice(TEXTS)}{index}", "text", f"noise, seed {self.seed}")

    @staticmethod
    def image(rng: Random, mode: str) -> Image.Image:
        size = rng.randrange(32, 60), rng.randrange(32, 60)
        return Image.frombytes(mode, size, rng.randbytes(size[0] * size[1] * len(mode)))


def written(folder: Path, source: Noise, count: int, **options: object) -> list[shards.Shard]:
    return list(write(source, folder, range(count), **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", [Encoding(), Encoding("webp")], ids=["png", "webp"])
def test_samples_come_back_as_they_were(tmp_path: Path, encoding: Encoding) -> None:
    told = written(tmp_path / "new" / "noise", Noise(), 25, each=10, encoding=encoding)
    assert [shard.path.name for shard in told] == [f"samples-00000{n}.tar" for n in range(3)]
    assert [shard.samples for shard in told] == [10, 10, 5]
    found, source = Shards(tmp_path / "new" / "noise"), Noise()
    assert len(found) == 25
    for index in Random(0).sample(range(25), 25):
        assert found[index] == source[index]
    assert pickle.loads(pickle.dumps(found))[7] == source[7]
    with pytest.raises(IndexError):
        found[25]
    with pytest.raises(IndexError):
        found[-1]
    assert [sample.text for sample in found] == [source[n].text for n in range(25)]


@pytest.mark.parametrize("encoding", [Encoding("jpg"), Encoding("jpg", 40), Encoding("webp", 80)], ids=str)
def test_lossy_images_are_near(tmp_path: Path, encoding: Encoding) -> None:
    smooth = np.linspace(0, 255, 64 * 48).reshape(48, 64).astype(np.uint8)
    image = Image.fromarray(smooth)
    list(write([Sample((image,), Prompt(), "x", "text", "y")], tmp_path, encoding=encoding))
    (found,) = Shards(tmp_path)[0].images
    assert (found.mode, found.size) == ("L", image.size)
    assert 0 < np.abs(np.asarray(found).astype(int) - smooth).mean() < 4


def test_same_samples_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        written(tmp_path / name, Noise(), 9)
    one, other = ((tmp_path / name / "samples-000000.tar").read_bytes() for name in "ab")
    assert one == other


def test_webdataset_reads_them(tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset", reason="the library whose layout it is: pip install webdataset")
    (shard,) = written(tmp_path, Noise(), 20)
    with open(shard.path, "rb") as stream:
        groups = list(
            wds.tariterators.group_by_keys(wds.tariterators.tar_file_expander([{"stream": stream, "url": ""}]))
        )
    source = Noise()
    assert [group["__key__"] for group in groups] == [f"{n:09}" for n in range(20)]
    for index, group in enumerate(groups):
        sample = source[index]
        assert json.loads(group["json"])["text"] == sample.text
        for n, image in enumerate(sample.images):
            assert (np.asarray(Image.open(io.BytesIO(group[f"{n}.png"]))) == np.asarray(image)).all()
        assert f"{len(sample.images)}.png" not in group


def test_shards_that_webdataset_writes(tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset", reason="the library whose layout it is: pip install webdataset")
    (shard,) = written(tmp_path / "ours", Noise(), 3)
    (tmp_path / "theirs").mkdir()
    with open(shard.path, "rb") as stream, wds.TarWriter(str(tmp_path / "theirs" / "a.tar")) as sink:
        files = wds.tariterators.tar_file_expander([{"stream": stream, "url": ""}])
        for group in wds.tariterators.group_by_keys(files):
            sink.write({name: content for name, content in group.items() if name[:2] != "__" or name == "__key__"})
    assert list(Shards(tmp_path / "theirs")) == list(Shards(tmp_path / "ours"))


def test_what_cannot_be_made_is_counted(tmp_path: Path) -> None:
    told = written(tmp_path, Noise(broken=(1, 2, 7, 12, 13)), 14, each=6)
    assert [(shard.samples, shard.dropped) for shard in told] == [
        (4, {TOO_LONG: 2}),
        (5, {TOO_LONG: 1}),
        (0, {TOO_LONG: 2}),
    ]
    source = Noise()
    assert list(Shards(tmp_path)) == [source[n] for n in (0, 3, 4, 5, 6, 8, 9, 10, 11)]


def test_reasons_are_told_without_particulars(tmp_path: Path) -> None:
    class Broken(Noise):
        def __getitem__(self, index: int) -> Sample:
            if index < 20:
                raise BadInput(f"'{index}' and \"{index}.5\" aren't it, 中{index}: -{index}.25 can't be {'x' * 90}")
            if index < 60:
                raise BadInput("abcdefghijklmnopqrstuvwxyz"[index - 20 : index - 15] or "none")
            return super().__getitem__(index)

    (told,) = write(Broken(), tmp_path, range(64))
    assert told.dropped.pop("BadInput: … and … aren't it, ……: … can't be " + "x" * 26) == 20  # type: ignore[attr-defined]
    assert told.dropped.pop("BadInput") > 10 and len(told.dropped) == shards._REASONS - 1  # type: ignore[attr-defined]
    (again,) = write(Broken(), tmp_path, range(64))
    assert again.samples == told.samples == 4


def test_a_missing_renderer_is_no_reason_to_drop(tmp_path: Path) -> None:
    class Missing(Noise):
        def __getitem__(self, index: int) -> Sample:
            raise RendererMissing("brush is missing: apt-get install brush")

    with pytest.raises(RendererMissing, match="apt-get install brush"):
        list(write(Missing(), tmp_path, range(4)))
    assert not os.listdir(tmp_path)


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", Noise(broken=(5,)), 20, each=4)
    stream = write(Noise(broken=(5,)), tmp_path / "cut", range(20), each=4)
    for _ in range(2):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert sorted(os.listdir(tmp_path / "cut")) == ["samples-000000.tar", "samples-000001.tar"]
    source = Noise(broken=(5,))
    told = written(tmp_path / "cut", source, 20, each=4)
    assert [shard.dropped for shard in told] == [{}, {TOO_LONG: 1}, {}, {}, {}]
    assert told == [replace(shard, path=tmp_path / "cut" / shard.path.name) for shard in whole]
    assert source.asked == [0, 4, *range(8, 20)]
    for shard in whole:
        assert (tmp_path / "cut" / shard.path.name).read_bytes() == shard.path.read_bytes()


def test_parts_of_one_folder(tmp_path: Path) -> None:
    for part in (range(8, 12), range(0, 4), range(4, 8)):
        list(write(Noise(), tmp_path, part, each=4))
    source = Noise()
    assert list(Shards(tmp_path)) == [source[n] for n in range(12)]


def test_nothing_is_mixed_with_another_run(tmp_path: Path) -> None:
    written(tmp_path, Noise(), 8, each=4)
    with pytest.raises(BadOutput, match=r"000000\.tar holds other samples than these: give an empty folder"):
        written(tmp_path, Noise(seed=1), 8, each=4)
    with pytest.raises(BadOutput, match="holds other samples"):
        written(tmp_path, Noise(), 8, each=2)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("broken", [(), (3,), (14,), (15,), (12, 13, 14), (10, 11, 12, 13, 14), (17, 19, 39)], ids=str)
def test_a_run_that_is_asked_for_more(tmp_path: Path, broken: tuple[int, ...]) -> None:
    """Shard 1 is made again, and all is as if it had been asked for at once."""
    source = Noise(broken=broken)
    told = written(tmp_path / "twice", source, 15, each=10)
    assert sum(shard.dropped.get(TOO_LONG, 0) for shard in told) == len({*broken} & {*range(15)})
    source.asked.clear()
    told = written(tmp_path / "twice", source, 40, each=10)
    assert source.asked[:1] + source.asked[-30:] == [0, *range(10, 40)]
    once = written(tmp_path / "once", source, 40, each=10)
    assert [(shard.samples, shard.dropped) for shard in told] == [(shard.samples, shard.dropped) for shard in once]
    assert files(tmp_path / "twice") == files(tmp_path / "once")
    assert len(Shards(tmp_path / "twice")) == 40 - len(broken)


def test_a_run_that_is_asked_for_less_or_other_samples_or_in_other_groups(tmp_path: Path) -> None:
    written(tmp_path, Noise(broken=(12, 13, 14)), 15, each=10)
    before = files(tmp_path)
    for numbers, each in (
        (range(12), 10),
        (range(11, 20), 10),
        (range(0, 20, 2), 10),
        (range(15), 5),
        (range(15), 100),
    ):
        with pytest.raises(BadOutput, match="holds other samples than these"):
            list(write(Noise(), tmp_path, numbers, each=each))
        assert files(tmp_path) == before


def test_steps_and_single_samples_are_remembered(tmp_path: Path) -> None:
    for numbers in (range(3, 40, 7), range(39, -1, -4), range(8, 9)):
        folder, source = tmp_path / str(numbers), Noise(broken=(38, 39))
        told = list(write(source, folder, numbers, each=10))
        source.asked.clear()
        assert list(write(source, folder, numbers, each=10)) == told
        assert len(source.asked) == len(told)  # the first of each


def test_shards_that_do_not_say_what_they_were_asked_for(tmp_path: Path) -> None:
    """They are made again if their first sample is the same, whatever stands where it should say so."""
    written(tmp_path, Noise(), 4)
    (before,) = tmp_path.iterdir()
    content = before.read_bytes()
    for marker in (None, 3, [], {}, {"asked": 3, "each": 1000, "dropped": {}}, {"asked": [0, 1, 0]}):
        words = {"text": Noise()[3].text, "kind": "text", "origin": "noise, seed 0", "shard": marker}
        words |= {"prompt": {"point": [3, 4.25]}, "modes": ["RGB"]}
        changed(before, lambda members, words=words: members.update({"000000003.json": json.dumps(words).encode()}))
        (told,) = written(tmp_path, Noise(), 4)
        assert (told.samples, before.read_bytes()) == (4, content)


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ({"text": "\ud800"}, "half a surrogate pair in 'text'|surrogates not allowed"),
        ({"origin": "a\udfff"}, "surrogates not allowed"),
        ({"kind": None}, "has no 'kind'"),
        ({"prompt": Prompt(box=Box(0, 0, 10**300, 1))}, "expected pixels"),
        ({"prompt": Prompt(tiles=True)}, "tiles=True: expected int"),
        ({"images": (Image.new("L", (3, 0)),)}, "3 × 0 pixels: expected one at least"),
        ({"images": (Image.new("1", (101, 100)),)}, "expected L or RGB"),
        ({"images": (Image.new("L", (101, 100)),)}, "101 × 100 pixels are more than"),
        (
            {"images": (Image.effect_noise((99, 99), 90),) * 2, "prompt": Prompt(pages=2)},
            "takes more than 0 MiB: scale",
        ),
    ],
    ids=["text", "origin", "kind", "box", "type", "empty", "mode", "pixels", "bytes"],
)
def test_what_could_not_be_read_back_is_left_out(
    tmp_path: Path,
    sample: dict[str, Any],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    monkeypatch.setattr(shards, "MOST_BYTES", 20_000)
    good = Sample((Image.effect_noise((99, 99), 90),), Prompt(), "good", "text", "")
    told = list(write([good, replace(good, **sample), good], tmp_path))
    assert [(shard.samples, shard.dropped) for shard in told] == [(2, told[0].dropped)]
    assert [(reason[:11], count) for reason, count in told[0].dropped.items()] == [("BadOutput: ", 1)]
    assert "sample 1 is left out: " in caplog.text
    assert re.search(says, caplog.text)
    assert [found.text for found in Shards(tmp_path)] == ["good", "good"]


def test_a_sample_as_large_as_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever size is written can be read: also that of the last sample, which says more than the others."""
    image = Image.effect_noise((99, 99), 90)
    source = [Sample((image,), Prompt(), "a" * length, "text", "") for length in range(0, 4000, 256)]
    monkeypatch.setattr(shards, "MOST_BYTES", 15_000)
    for count in range(1, len(source)):
        (told,) = write(source, tmp_path / str(count), range(count))
        assert len(Shards(tmp_path / str(count))) == told.samples > 0
    assert sum(told.dropped.values()) > 2


def test_a_bug_leaves_no_shard(tmp_path: Path) -> None:
    class Bug(Noise):
        def __getitem__(self, index: int) -> Sample:
            if index == 5:
                raise ZeroDivisionError
            return super().__getitem__(index)

    with pytest.raises(ZeroDivisionError):
        written(tmp_path, Bug(), 8, each=4)
    assert os.listdir(tmp_path) == ["samples-000000.tar"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Noise):
        """Fills the disk by and by: what is open for writing is turned into /dev/full."""

        def __getitem__(self, index: int) -> Sample:
            if index == 2:
                part = next(path for path in tmp_path.iterdir() if path.suffix == ".part")
                number = next(n for n in map(int, os.listdir("/proc/self/fd")) if links_to(n, part))
                with open("/dev/full", "wb") as full:
                    os.dup2(full.fileno(), number)
            return super().__getitem__(index)

    def links_to(number: int, path: Path) -> bool:
        try:
            return os.readlink(f"/proc/self/fd/{number}") == str(path)
        except OSError:
            return False

    with pytest.raises(BadOutput, match=r"samples-000000.tar can't be written .* space left"):
        written(tmp_path, Full(), 20)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "../up"}, "beginning of a file's name"),
        ({"name": ""}, "beginning of a file's name"),
        ({"each": 0}, "each=0"),
    ],
    ids=str,
)
def test_wrong_options(tmp_path: Path, wrong: dict[str, object], says: str) -> None:
    with pytest.raises(BadOutput, match=says):
        written(tmp_path, Noise(), 2, **wrong)


def test_wrong_encodings_and_images(tmp_path: Path) -> None:
    for wrong in ({"format": "gif"}, {"quality": 90}, {"format": "jpg", "quality": 0}):
        with pytest.raises(BadOutput):
            Encoding(**wrong)
    with pytest.raises(BadOutput, match=r"mode RGBA.*convert"):
        Encoding().encode(Image.new("RGBA", (4, 4)))
    with pytest.raises(BadOutput, match=r"17000 × 1 pixels can't be written as webp .*: try png"):
        Encoding("webp").encode(Image.new("L", (17000, 1)))
    with pytest.raises(BadOutput, match="no end: say which"):
        next(write(Noise(), tmp_path))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadOutput, match="can't be made"):
        next(write(Noise(), tmp_path / "file", range(2)))


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    (told,) = written(tmp_path, Noise(), 6)
    return told.path


def test_cut_short_anywhere(shard: Path) -> None:
    """Wherever it is cut, also in the middle of the last member or of the end mark."""
    content = shard.read_bytes()
    with tarfile.open(shard) as tar:
        last = tar.getmembers()[-1]
    end = last.offset_data + -(-last.size // 512) * 512
    cuts = [1, 511, 512, 700, last.offset, last.offset + 100, last.offset_data, last.offset_data + last.size // 2]
    for cut in [*cuts, last.offset_data + last.size, end, end + 512, end + 1000]:
        shard.write_bytes(content[:cut])
        with pytest.raises(BadInput, match=rf"{shard.name} is (no tar file, or )?cut short.*: copy it again"):
            Shards(shard)
    shard.write_bytes(content[: end + 1024])
    assert len(Shards(shard)) == 6


def test_damaged_in_the_middle(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    with tarfile.open(shard) as tar:
        place = tar.getmembers()[4].offset
    content[place : place + 512] = b"x" * 512
    shard.write_bytes(content)
    with pytest.raises(BadInput, match=rf"damaged after its first {place} bytes"):
        Shards(shard)


@pytest.mark.parametrize(
    "content", [b"", b"no tar at all" * 100, zlib.compress(b"0" * 10**6)], ids=["empty", "text", "z"]
)
def test_not_a_tar(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.tar is no tar file, or cut short .*: copy it again"):
        Shards(tmp_path)


def test_damaged_headers(shard: Path) -> None:
    """Whatever stands in a header, with a sum that is right: bytes of all kinds, numbers of all sizes."""
    content, rng = shard.read_bytes(), Random("headers")
    with tarfile.open(shard) as tar:
        places = [member.offset for member in tar]
    sizes = [
        b"\xff" * 12,
        b"\x80" + b"\xff" * 11,
        b"\xff" * 10 + b"\xfe\x00",
        b"77777777777\0",
        b"-0000000400\0",
        b"zz",
    ]
    outcomes = Counter[str]()
    for n in range(400):
        header = bytearray(content[places[n % len(places)] :][:512])
        if n % 2:
            header[124:136] = rng.choice([*sizes, b"\x80" + rng.randbytes(11), b"\xff" + rng.randbytes(11)]).ljust(12)
        else:
            for _ in range(rng.randrange(1, 9)):
                header[rng.randrange(512)] = rng.randrange(256)
        if n % 3:
            header[156] = rng.choice(b"\0" + b"0125LKSxgXD")
        place = places[n % len(places)]
        shard.write_bytes(content[:place] + summed(header) + content[place + 512 :])
        try:
            assert len(list(Shards(shard))) <= 6
            outcomes["read"] += 1
        except BadInput:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 5


def summed(header: bytes | bytearray) -> bytes:
    """The header of a tar's member with its check sum."""
    total = sum(header[:148]) + 8 * 32 + sum(header[156:])
    return bytes(header[:148]) + b"%06o\0 " % total + bytes(header[156:])


@pytest.mark.parametrize(
    "words",
    [
        {"GNU.sparse.map": "0,x"},
        {"GNU.sparse.map": "0,1,5"},
        {"GNU.sparse.map": "0,9", "GNU.sparse.size": "9"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "4"},
        {"size": "x"},
        {"size": "-512"},
        {"size": "1" * 30},
        {"size": "9" * 5000},
        {"path": "a\0b"},
        {"path": "0.json/"},
    ],
    ids=str,
)
def test_damaged_pax_headers(tmp_path: Path, words: dict[str, str]) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("0.json")
        member.pax_headers, member.size = words, 600
        tar.addfile(member, io.BytesIO(b"1\n0\n4\n{}".ljust(600)))
    with pytest.raises(BadInput):
        Shards(tmp_path)[0]


def test_a_header_that_changes_after_it_was_opened(shard: Path) -> None:
    """Also into one that leads back to itself."""
    found, content = Shards(shard), bytearray(shard.read_bytes())
    with tarfile.open(shard) as tar:
        place = tar.getmembers()[1].offset
    header = content[place : place + 512]
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"  # -1024
    content[place : place + 512] = summed(header)
    shard.write_bytes(content)
    with pytest.raises(BadInput):
        found[0]


def test_places_without_shards(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere doesn't exist: expected a folder with shards \(\*\.tar\)"):
        Shards(tmp_path / "nowhere")
    (tmp_path / ".hidden.tar").write_bytes(b"")
    with pytest.raises(BadInput, match=r"has no shards: expected \*\.tar in it"):
        Shards(tmp_path)
    written(tmp_path, Noise(broken=(0, 1)), 2)
    with pytest.raises(BadInput, match="no samples in any shard"):
        Shards(tmp_path)


def test_gone_or_changed_since(shard: Path) -> None:
    found = Shards(shard)
    shard.write_bytes(b"\x01" * 10_000)
    with pytest.raises(BadInput, match="changed since it was opened"):
        found[3]
    shard.unlink()
    with pytest.raises(BadInput, match="No such file"):
        found[3]


def changed(shard: Path, change: Callable[[dict[str, bytes | str]], None]) -> None:
    """Writes the shard anew with its members changed; those that are text are symbolic links to it."""
    with tarfile.open(shard) as tar:
        members: dict[str, bytes | str] = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    change(members)
    with tarfile.open(shard, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content if isinstance(content, bytes) else b""))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update({"000000005.1.png": "/etc/passwd"}), r"'000000005\.1\.png' is no part of a sample"),
        (lambda m: m.update({"README": b"hello"}), "'README' is no part of a sample: expected files such as"),
        (lambda m: m.update({"000000009.txt": b"hello"}), r"000000009 has no \.json: expected a shard"),
    ],
    ids=["link", "name", "no json"],
)
def test_foreign_tars(shard: Path, change: Callable[[dict[str, bytes | str]], None], says: str) -> None:
    changed(shard, change)
    with pytest.raises(BadInput, match=says):
        Shards(shard)


@pytest.mark.parametrize("beside", [True, False], ids=["member", "sample"])
def test_twice_the_same(shard: Path, beside: bool) -> None:
    with tarfile.open(shard) as tar:
        words, page, *_, last = tar.getmembers()
    content = shard.read_bytes()
    again = content[words.offset : page.offset]
    place = last.offset_data + -(-last.size // 512) * 512 if not beside else page.offset
    shard.write_bytes(content[:place] + again + content[place:])
    with pytest.raises(BadInput, match="000000000 is there twice: make the shard again"):
        Shards(shard)


def test_too_large_a_sample(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MOST_BYTES", 4000)
    with pytest.raises(BadInput, match=r"takes more than .* scale"):
        Shards(shard)


def test_folders_and_paths_in_names_are_names_only(shard: Path) -> None:
    def moved(members: dict[str, bytes | str]) -> None:
        for name in list(members):
            members[f"../../a.b/{name}"] = members.pop(name)

    changed(shard, moved)
    assert Shards(shard)[3] == Noise()[3]


WORDS = {"text": "a", "kind": "text", "origin": "o", "prompt": {}, "modes": ["L"]}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", r"\.json can't be read as JSON: make the shard again"),
        (b"[" * 100_000, "can't be read as JSON"),
        (b"\xff\xfe{", "can't be read as JSON"),
        (b"[]", "is no object: expected text, kind"),
        (WORDS | {"text": 3}, "has no 'text': expected text, kind, origin"),
        ({key: WORDS[key] for key in WORDS if key != "origin"}, "has no 'origin'"),
        ({key: WORDS[key] for key in WORDS if key != "prompt"}, "has no 'prompt'"),
        (WORDS | {"modes": ["RGBA"]}, "modes .*RGBA.*: expected L or RGB"),
        (WORDS | {"modes": ["L", "L"]}, "lacks image 1 of 2"),
        (WORDS | {"modes": []}, "prompt that can't be asked: 0 images"),
        (WORDS | {"prompt": {"tiles": 99}}, "can't be asked: tiles=99"),
        (WORDS | {"prompt": {"box": [1, 2, 3]}}, "can't be asked"),
        (WORDS | {"prompt": {"box": 3}}, "can't be asked"),
        (WORDS | {"prompt": {"box": ["a", 1, 2, 3]}}, "can't be asked"),
        (WORDS | {"prompt": {"point": [1]}}, "can't be asked"),
        (WORDS | {"prompt": {"language": "en"}}, "can't be asked: .*language"),
        (WORDS | {"text": "\ud800"}, "has half a surrogate pair in 'text'"),
        (json.dumps(WORDS | {"kind": "\udc00x"}, ensure_ascii=False).encode(errors="surrogatepass"), "half .* 'kind'"),
        (WORDS | {"prompt": {"box": [0, 0, 10**400, 1]}}, "can't be asked: .*: expected pixels"),
        (WORDS | {"prompt": {"point": [10**400, 1]}}, "can't be asked: .*: expected pixels"),
        (json.dumps(WORDS | {"prompt": {"point": [0, float("nan")]}}).encode(), "can't be asked: point=0,nan"),
        (json.dumps(WORDS | {"prompt": {"box": [0, 0, float("inf"), 1]}}).encode(), "can't be asked: .* pixels"),
        (WORDS | {"prompt": {"box": None}}, "can't be asked: box=None: expected list"),
        (WORDS | {"prompt": {"box": [0, 0, True, 1]}}, "can't be asked: .* expected 4 numbers"),
        (WORDS | {"prompt": {"format": [1]}}, r"can't be asked: format=\[1\]: expected bool"),
        (WORDS | {"prompt": {"tiles": True}}, "can't be asked: tiles=True: expected int"),
        (WORDS | {"prompt": {"pages": 1.0}}, r"can't be asked: pages=1\.0: expected int"),
        (WORDS | {"prompt": {"color": ["red"]}}, "can't be asked: color=.*: expected str"),
    ],
)
def test_damaged_words(shard: Path, content: bytes | dict[str, object], says: str) -> None:
    words = content if isinstance(content, bytes) else json.dumps(content).encode()
    changed(shard, lambda members: members.update({"000000000.json": words}))
    found = Shards(shard)
    with pytest.raises(BadInput, match=f"{shard.name}: 000000000.*{says}"):
        found[0]
    assert found[1] == Noise()[1]


def bomb() -> bytes:
    """A PNG of 2.5 thousand megapixels in a few hundred bytes."""
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "PNG")
    content = bytearray(stream.getvalue())
    content[16:24] = (50_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def half() -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((60, 60), 99).save(stream, "PNG")
    return stream.getvalue()[:1500]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "can't be read as an image"),
        (half(), "can't be read as an image"),
        (bomb(), "more than 89 megapixels: scale"),
    ],
    ids=["empty", "half", "bomb"],
)
def test_damaged_images(shard: Path, content: bytes, says: str) -> None:
    changed(shard, lambda members: members.update({"000000002.0.png": content}))
    found = Shards(shard)
    with pytest.raises(BadInput, match=rf"{shard.name}: 000000002\.0\.png .*{says}"):
        found[2]
    assert found[3] == Noise()[3]


def test_several_places(tmp_path: Path) -> None:
    written(tmp_path / "a", Noise(), 3)
    (single,) = written(tmp_path / "b", Noise(seed=1), 3)
    both = Shards(tmp_path / "a", single.path)
    assert list(both) == [*(Noise()[n] for n in range(3)), *(Noise(seed=1)[n] for n in range(3))]


def test_identity(tmp_path: Path) -> None:
    """That of a copy is the same; that of other samples, or the same in another order, is not."""
    for name, source, count in (("a", Noise(), 8), ("copy", Noise(), 8), ("more", Noise(), 9), ("other", Noise(1), 8)):
        written(tmp_path / name, source, count, each=4)
    a, copy, more, other = (Shards(tmp_path / name).identity for name in ("a", "copy", "more", "other"))
    assert a == copy
    assert len({a, more, other, Shards(tmp_path / "a", tmp_path / "other").identity}) == 4
    assert Shards(tmp_path / "a", tmp_path / "more").identity != Shards(tmp_path / "more", tmp_path / "a").identity


def test_pages_of_a_sample_are_each_copied_once(tmp_path: Path) -> None:
    """Not what stands after each of them as well: reading takes as much memory as the sample, not as its square."""
    page = Image.frombytes("L", (200, 200), Random(0).randbytes(40_000))
    (told,) = write([Sample((page,) * 60, Prompt(pages=60), "", "text", "")], tmp_path)
    size = told.path.stat().st_size
    tracemalloc.start()
    shards._read(told.path, 0, size)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * size
