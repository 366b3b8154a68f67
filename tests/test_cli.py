"""The command as people use it: what it prints and writes, and one line for each thing that goes wrong."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pypdfium2
import pytest
from conftest import EXAMPLES, Fake, fake_run
from PIL import Image
from test_files import ENCRYPTED, pdf, png, sheets

import ocr2
from ocr2.cli import read as verb
from ocr2.files import pages
from ocr2.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Ran

    Command = Callable[..., Ran]

PAGE = EXAMPLES / "page.png"
TITLE = "Region-based segmentation"
WEIGHTS = Path(ocr2.__file__).parent / "weights" / "ppocr"
COMMAND = [sys.executable, "-m", "ocr2", "read"]


@pytest.fixture
def good(tmp_path: Path, title: Image.Image) -> Path:
    """A small image of one line."""
    title.save(tmp_path / "good.png")
    return tmp_path / "good.png"


def shell(script: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """`script` as run by bash, where $OCR2 is the command and $PAGE an image."""
    env = os.environ | {"OCR2": " ".join(COMMAND), "PAGE": str(PAGE)}
    env.pop("PYTHONUNBUFFERED", None)
    return subprocess.run(["bash", "-c", script], env=env, capture_output=True, timeout=60, **options)


def text_of(document: bytes) -> list[str]:
    """The text of each page of a PDF, as pdfium finds it."""
    with contextlib.closing(pypdfium2.PdfDocument(document)) as pages:
        return [page.get_textpage().get_text_range() for page in pages]


def plain(to: str, document: bytes) -> object:
    """The document without what differs from run to run: how long a page took, when a PDF was made."""
    if to in ("json", "jsonl"):
        records = json.loads(document) if to == "json" else [json.loads(line) for line in document.splitlines()]
        return [record | {"seconds": 0} for record in records]
    return text_of(document) if to == "pdf" else document


# Bad input

BAD = {
    "empty.png": (b"", "is empty: expected PNG, JPEG, WebP"),
    "cut.png": (PAGE.read_bytes()[:20000], "can't be read: image file is truncated; expected PNG"),
    "cut.jpg": ((EXAMPLES / "photo.jpg").read_bytes()[:20000], "can't be read: image file is truncated"),
    "letter.png": (b"Dear reader", "is not an image or PDF that can be read: expected PNG"),
    "bomb.png": (png(30000, 30000, data=zlib.compress(b"\0" * 9999)), "is too large: 900000000 pixels is more than"),
    "locked.pdf": (ENCRYPTED, "needs a password: remove it first, e.g. with qpdf --decrypt"),
    "garbage.pdf": (b"%PDF-1.7\n" + b"\xff" * 5000, "can't be read: Failed to load document"),
    "cut.pdf": ((EXAMPLES / "two-pages.pdf").read_bytes()[:400], "can't be read: Failed to load document"),
    "none.pdf": (sheets(), "has no pages: expected at least one"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_told_in_one_line(ocr2: Command, tmp_path: Path, name: str) -> None:
    content, wrong = BAD[name]
    bad, out = tmp_path / name, tmp_path / "out.txt"
    bad.write_bytes(content)
    ran = ocr2("read", bad, "-o", out)
    assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
    assert ran.err[0].startswith(f"ocr2: {bad} {wrong}")
    assert os.listdir(tmp_path) == [name]


def test_bad_files_do_not_stop_the_good_ones(ocr2: Command, tmp_path: Path, good: Path) -> None:
    for name, (content, _) in BAD.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "gone.png").symlink_to("nowhere")
    (tmp_path / "notes.txt").write_text("not looked at")
    ran = ocr2("read", tmp_path, tmp_path / "missing.png")
    assert (ran.status, ran.out.decode()) == (1, TITLE + "\n")
    told = {line.removeprefix(f"ocr2: {tmp_path}/").split()[0]: line for line in ran.err}
    assert sorted(told) == sorted([*BAD, "gone.png", "missing.png"])
    assert len(ran.err) == len(told)
    assert all(BAD[name][1] in told[name] for name in BAD)
    assert told["gone.png"].endswith("gone.png doesn't exist: expected a file or folder")
    assert told["missing.png"].endswith("missing.png doesn't exist: expected a file or folder")


@pytest.mark.parametrize("to", ["text", "html", "json", "pdf"])
def test_nothing_is_printed_where_nothing_could_be_read(ocr2: Command, tmp_path: Path, to: str) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").touch()
    ran = ocr2("read", tmp_path, "--to", to)
    assert (ran.status, ran.out) == (2, b"")
    assert [line.split(" is ")[0] for line in ran.err] == [f"ocr2: {tmp_path}/{name}.png" for name in "ab"]


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (200, 300)])
def test_a_page_without_text_is_no_error(ocr2: Command, tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, "white").save(tmp_path / "x.png")
    ran = ocr2("read", tmp_path / "x.png")
    assert (ran.status, ran.out, ran.err) == (0, b"", [])
    ran = ocr2("read", tmp_path / "x.png", "--to", "json")
    (record,) = json.loads(ran.out)
    assert (record["text"], record["lines"], record["width"], record["height"]) == ("", [], *size)
    assert ocr2("read", tmp_path / "x.png", "-o", tmp_path / "x.txt").status == 0
    assert (tmp_path / "x.txt").read_bytes() == b""


def test_a_pdf_with_a_broken_xref_is_read(ocr2: Command, tmp_path: Path) -> None:
    data = sheets((72, 72), (72, 72))
    (tmp_path / "x.pdf").write_bytes(data[: data.rindex(b"startxref")] + b"startxref\n99999\n%%EOF")
    ran = ocr2("read", tmp_path / "x.pdf", "--to", "jsonl")
    assert (ran.status, ran.err) == (0, [])
    assert [json.loads(line)["page"] for line in ran.out.splitlines()] == [1, 2]


def test_a_damaged_page_is_told_and_the_others_are_read(ocr2: Command, tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(pdf(*["/MediaBox[0 0 72 72]"] * 3).replace(b"11 0 R", b"77 0 R"))
    ran = ocr2("read", tmp_path / "x.pdf", "--to", "jsonl")
    assert (ran.status, len(ran.err)) == (1, 1)
    assert ran.err[0].startswith(f"ocr2: {tmp_path}/x.pdf, page 2, can't be read: Failed to load page; expected")
    assert [json.loads(line)["page"] for line in ran.out.splitlines()] == [1, 3]


def test_pages_past_the_end(ocr2: Command, tmp_path: Path, good: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sheets((72, 72), (72, 72)))
    ran = ocr2("read", tmp_path / "x.pdf", good, "--pages", "2-3")
    assert (ran.status, ran.out) == (2, b"")
    assert ran.err == [
        f"ocr2: {tmp_path}/x.pdf has 2 pages; page 3 was asked for",
        f"ocr2: {good} has 1 page; page 3 was asked for",
    ]


@pytest.mark.parametrize(
    ("select", "wrong"),
    [
        ("a-b", "'a-b' is no page or range; expected e.g. 2-5,9 or 3- or -4"),
        ("1,,2", "'' is no page or range; expected e.g. 2-5,9 or 3- or -4"),
        ("3-2", "'3-2' is empty; pages count from 1, and ranges go upwards"),
        ("0", "'0' is empty; pages count from 1, and ranges go upwards"),
    ],
)
def test_nonsense_pages_are_told_once(ocr2: Command, good: Path, select: str, wrong: str) -> None:
    ran = ocr2("read", good, good, f"--pages={select}", "-o", good.with_suffix(".txt"))
    assert (ran.status, ran.out, ran.err) == (2, b"", [f"ocr2: pages {select!r}: {wrong}"])
    assert os.listdir(good.parent) == [good.name]


@pytest.mark.parametrize("output", [[], ["-o", "out/"], ["-o", "out.txt"]])
def test_a_folder_without_pages(
    ocr2: Command, tmp_path: Path, output: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    ran = ocr2("read", "in", *output)
    assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
    assert ran.err[0].startswith("ocr2: in is a folder: expected a file, or a folder with PNG")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "in" / "notes.txt"]


def test_an_odd_name_does_not_break_the_line(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/two\nlines \xff \xe6\xbc\xa2.png")).touch()
    ran = shell("$OCR2 .", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode() == (
        "ocr2: two lines \\udcff 漢.png is empty: expected PNG, JPEG, WebP, BMP, GIF, TIFF, PPM or PDF\n"
    )


def test_odd_names_in_every_output(ocr2: Command, tmp_path: Path, title: Image.Image) -> None:
    odd = Path(os.fsdecode(bytes(tmp_path) + b'/<&";\n\xff\xe6\xbc\xa2.png'))
    with open(odd, "wb") as file:
        title.save(file, "PNG")
    for to in verb.FORMATS:
        ran = ocr2("read", odd, "--to", to, "-o", tmp_path / "out")
        assert (ran.status, ran.err) == (0, [])
    records = json.loads((tmp_path / "out" / f"{odd.name}.json").read_bytes())
    assert [record["text"] for record in records] == [TITLE]
    ET.parse(tmp_path / "out" / f"{odd.name}.hocr")


# Bad output


def test_places_that_cannot_be_written(ocr2: Command, tmp_path: Path, good: Path) -> None:
    (tmp_path / "device.txt").symlink_to("/dev/null")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "good.png.txt").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for output, wrong in [
        ("no/x.txt", "no/x.txt can't be written (No such file or directory): expected a folder that exists"),
        ("good.png/x.txt", "good.png/x.txt can't be written (Not a directory): expected a folder that exists"),
        ("device.txt", "device.txt is a folder or a device: expected the name of a file"),
        ("out", "out/good.png.txt is a folder or a device: expected the name of a file"),
        (f"{'x' * 300}.txt", "(File name too long): expected a folder"),
        ("/dev/null", "/dev/null/good.png.txt can't be written (Not a directory): expected a folder that exists"),
    ]:
        ran = ocr2("read", good, "-o", tmp_path / output)
        assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
        assert wrong in ran.err[0]
    assert sorted(tmp_path.rglob("*")) == before


def test_no_input_is_overwritten(ocr2: Command, tmp_path: Path) -> None:
    data = sheets((72, 72))
    (tmp_path / "x.pdf").write_bytes(data)
    (tmp_path / "link.pdf").symlink_to("x.pdf")
    before = sorted(tmp_path.rglob("*"))
    shutil.copy(tmp_path / "x.pdf", tmp_path / "x.pdf.pdf")
    before.append(tmp_path / "x.pdf.pdf")
    for inputs, output, named in [
        ("x.pdf", "x.pdf", "x.pdf"),
        ("x.pdf", "link.pdf", "link.pdf"),
        ("", "", "x.pdf.pdf"),
    ]:
        ran = ocr2("read", tmp_path / inputs, "--to", "pdf", "-o", tmp_path / output)
        assert (ran.status, ran.out) == (2, b"")
        assert ran.err == [f"ocr2: {tmp_path / named} is one of the inputs: write to another file or folder"]
    assert (tmp_path / "x.pdf").read_bytes() == data
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_standard_output_on_a_full_disk() -> None:
    ran = shell("$OCR2 $PAGE > /dev/full")
    assert (ran.returncode, ran.stderr.count(b"\n")) == (2, 1)
    assert ran.stderr.decode().startswith("ocr2: standard output can't be written (No space left on device): make room")


def test_a_full_disk_then_room_again(tmp_path: Path, ocr2: Command) -> None:
    """A limit on the size of files stands for the full disk: first the journal meets it, then the PDF."""
    ran = shell("ulimit -f 1; $OCR2 $PAGE -o x.pdf", cwd=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr.decode()) == (
        2,
        b"",
        "ocr2: x.pdf.partial can't be written (File too large): make room, then --resume\n",
    )
    assert os.listdir(tmp_path) == ["x.pdf.partial"]
    ran = shell("ulimit -f 16; $OCR2 $PAGE -o x.pdf --resume", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, b"")
    told = r"ocr2: a PDF can't be written in \S+ \(File too large\), where it is put together: make room, or .*\n"
    assert re.fullmatch(told, ran.stderr.decode())
    assert os.listdir(tmp_path) == ["x.pdf.partial"]
    assert len((tmp_path / "x.pdf.partial").read_bytes().splitlines()) == 2
    ran = ocr2("read", PAGE, "-o", tmp_path / "x.pdf", "--resume")
    assert (ran.status, ran.err, os.listdir(tmp_path)) == (0, [], ["x.pdf"])
    assert TITLE in text_of((tmp_path / "x.pdf").read_bytes())[0]


def test_one_result_that_cannot_be_written_does_not_stop_the_others(
    ocr2: Command, tmp_path: Path, title: Image.Image
) -> None:
    for name in "abc":
        title.save(tmp_path / f"{name}.png")
    (tmp_path / "out" / "b.png.txt").mkdir(parents=True)
    ran = ocr2("read", tmp_path, "-o", tmp_path / "out")
    assert (ran.status, ran.out) == (1, b"")
    assert ran.err == [f"ocr2: {tmp_path}/out/b.png.txt is a folder or a device: expected the name of a file"]
    assert (tmp_path / "out" / "a.png.txt").read_text() == (tmp_path / "out" / "c.png.txt").read_text() == TITLE + "\n"


def test_one_source_that_goes_away_does_not_stop_the_others(tmp_path: Path) -> None:
    class Unlinking(Fake):
        def read(self, image: Image.Image, number: int = 1, origin: str = "") -> object:
            if origin.endswith("a.png"):
                Path(origin).unlink()
            return super().read(image, number, origin)

    for name in "ab":
        Image.new("L", (8, 4)).save(tmp_path / f"{name}.png")
    run = fake_run(Unlinking(), tmp_path / "a.png", tmp_path / "b.png", to=tmp_path / "out", form="pdf")
    assert (run.read, run.failed) == (2, 1)
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png.pdf.partial", "b.png.pdf"]


def test_the_status_tells_what_an_error_at_the_end_left(ocr2: Command, tmp_path: Path, good: Path) -> None:
    """One page was shown before standard output was full, the second was not."""
    ran = shell("ulimit -f 8; $OCR2 $PAGE $PAGE $PAGE $PAGE $PAGE $PAGE --to jsonl > out", cwd=tmp_path)
    assert (ran.returncode, ran.stderr.count(b"\n")) == (1, 1)
    assert ran.stderr.decode().startswith("ocr2: standard output can't be written (File too large): make room")
    assert (tmp_path / "out").stat().st_size == 8192


def test_a_closed_pipe_ends_the_run_quietly(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sheets(*[(72, 72)] * 300))
    ran = shell("$OCR2 x.pdf --to html --dpi 10 | head -c 1; echo ${PIPESTATUS[0]}", cwd=tmp_path)
    assert (ran.stdout, ran.stderr) == (b"<1\n", b"")


# Bad models and options


def model(tmp_path: Path, **files: Path | bytes) -> Path:
    """A copy of the embedded model, made of links, with other files in the place of some; empty ones are left out."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in WEIGHTS.iterdir():
        other = files.get(path.stem, path)
        if isinstance(other, Path):
            (folder / path.name).symlink_to(other)
        elif other:
            (folder / path.name).write_bytes(other)
    return folder


def test_a_model_folder(ocr2: Command, tmp_path: Path, good: Path) -> None:
    ran = ocr2("read", good, "--model", model(tmp_path))
    assert (ran.status, ran.out.decode(), ran.err) == (0, TITLE + "\n", [])


@pytest.mark.parametrize(
    ("files", "named", "wrong"),
    [
        (
            {"config": b""},
            "",
            " is not a model: expected one of the names ppocr, ppocrv2, a folder with config.json",
        ),
        ({"detector": b"junk"}, "/detector.onnx", " can't be loaded: "),
        ({"detector": b""}, "/detector.onnx", " can't be loaded: "),
        ({"recognizer": (WEIGHTS / "recognizer.onnx").read_bytes()[:9999]}, "/recognizer.onnx", " can't be loaded: "),
        ({"classifier": b"junk"}, "/classifier.onnx", " can't be loaded: "),
        ({"detector": WEIGHTS / "classifier.onnx"}, "", ": the detector gives (1, 2) for a 64 x 64 image; expected"),
        ({"recognizer": WEIGHTS / "detector.onnx"}, "", ": recognizer.onnx doesn't say what it reads: list its"),
        ({"config": b"no json"}, "/config.json", " can't be read: Expecting value"),
        ({"config": b"[]"}, "/config.json", " can't be read: "),
        ({"config": b'{"turn": 1}'}, "/config.json", " can't be read: "),
        ({"config": b'{"detector": {"wide": 1}}'}, "/config.json", " can't be read: "),
        ({"config": b'{"recognizer": [1]}'}, "/config.json", " can't be read: "),
        ({"config": b"\xff\xfe\x00"}, "/config.json", " can't be read: "),
    ],
)
def test_what_is_no_model(
    ocr2: Command, tmp_path: Path, good: Path, files: dict[str, Path | bytes], named: str, wrong: str
) -> None:
    folder = model(tmp_path, **files)
    ran = ocr2("read", good, "--model", folder, "-o", tmp_path / "out.txt")
    assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
    assert ran.err[0].startswith(f"ocr2: {folder}{named}{wrong}")
    assert sorted(os.listdir(tmp_path)) == ["good.png", "model"]


def test_a_model_of_no_name(ocr2: Command, good: Path) -> None:
    ran = ocr2("read", good, "--model", "tesseract")
    assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
    assert ran.err[0].startswith("ocr2: tesseract is not a model: expected one of the names ppocr, ppocrv2, a folder")


def test_resume_needs_a_file(ocr2: Command, good: Path) -> None:
    ran = ocr2("read", good, "--resume")
    assert (ran.status, ran.out) == (2, b"")
    assert ran.err == ["ocr2: --resume goes on with a file: say which with -o FILE or -o DIR"]


@pytest.mark.parametrize(
    ("args", "named"),
    [
        ([], "INPUTS"),
        (["x.png", "--to", "docx"], "--to"),
        (["x.png", "--dpi", "0"], "--dpi"),
        (["x.png", "--threads", "0"], "--threads"),
        (["x.png", "--colour"], "--colour"),
    ],
)
def test_wrong_options(ocr2: Command, args: list[str], named: str) -> None:
    ran = ocr2("read", *args)
    assert (ran.status, ran.out) == (2, b"")
    assert named in ran.err[-1]


# What comes out


def check(to: str, document: bytes) -> None:
    """That the document is of that format, and is the transcript of one page with the title on it."""
    text = document.decode(errors="replace")
    if to in ("text", "md"):
        assert text == TITLE + "\n"
    elif to == "html":
        assert [element.text for element in ET.fromstring(text.removeprefix("<!DOCTYPE html>")).iter("p")] == [TITLE]
    elif to == "json":
        assert [(record["text"], record["page"]) for record in json.loads(document)] == [(TITLE, 1)]
    elif to == "jsonl":
        assert [json.loads(line)["text"] for line in document.splitlines()] == [TITLE]
    elif to == "hocr":
        words = [element.text for element in ET.fromstring(text).iter() if element.get("class") == "ocrx_word"]
        assert words == TITLE.split()
    else:
        assert [page.strip() for page in text_of(document)] == [TITLE]


@pytest.mark.parametrize("to", verb.FORMATS)
def test_formats(ocr2: Command, tmp_path: Path, good: Path, to: str) -> None:
    printed = ocr2("read", good, "--to", to)
    assert (printed.status, printed.err) == (0, [])
    check(to, printed.out)
    out = tmp_path / f"out{verb.SUFFIXES[to]}"
    written = ocr2("read", good, "-o", out)
    assert (written.status, written.out, written.err) == (0, b"", [])
    check(to, out.read_bytes())
    assert plain(to, out.read_bytes()) == plain(to, printed.out)
    assert sorted(os.listdir(tmp_path)) == sorted(["good.png", out.name])


@pytest.mark.parametrize(("name", "to"), [("x.HTM", "html"), ("x.markdown", "md"), ("x.searchable.pdf", "pdf")])
def test_formats_by_other_suffixes(ocr2: Command, tmp_path: Path, good: Path, name: str, to: str) -> None:
    assert ocr2("read", good, "-o", tmp_path / name).status == 0
    check(to, (tmp_path / name).read_bytes())


def test_a_suffix_of_no_format_is_refused(ocr2: Command, tmp_path: Path, good: Path) -> None:
    refused = ocr2("read", good, "-o", tmp_path / "x.docx")
    assert refused.status == 2
    assert len(refused.err) == 1
    assert "x.docx: .docx is no format of ours: expected .txt, .md" in refused.err[0]
    assert not (tmp_path / "x.docx").exists()


@pytest.mark.parametrize(
    ("args", "to"), [(["--to", "csv"], "csv"), (["-o", "x.mid"], "midi"), (["--to", "svg"], "svg")]
)
def test_plain_text_is_written_in_no_other_notation(
    ocr2: Command, tmp_path: Path, good: Path, args: list[str], to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = ocr2("read", good, *args)
    assert (ran.status, ran.out, os.listdir(tmp_path)) == (2, b"", ["good.png"])
    assert ran.err == [
        f"ocr2: ppocr reads plain text, which can't be written as {to}: "
        "take a GOT model, or one of text, md, html, json, jsonl, hocr, pdf"
    ]


@pytest.mark.parametrize("args", [["--to", "musicxml"], ["-o", "x.mml"], ["-o", "x.svg"]])
def test_a_notation_of_one_page_takes_no_two_files(
    ocr2: Command, tmp_path: Path, good: Path, args: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = ocr2("read", good, good, "--model", "nowhere", *args)  # before the model is loaded
    assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
    assert "2 inputs, and " in ran.err[0] and "have a file written for each, with -o DIR/" in ran.err[0]


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("x.krn", "kern"),
        ("x.MID", "midi"),
        ("x.midi", "midi"),
        ("x.tex", "latex"),
        ("x.mml", "mathml"),
        ("x.smi", "smiles"),
    ],
)
def test_notations_by_their_suffixes(name: str, to: str) -> None:
    assert verb._format(None, name) == to
    assert set(verb.SUFFIXES.values()) & set(verb._OTHERS) == set()


def test_the_format_asked_for_beats_the_suffix(ocr2: Command, tmp_path: Path, good: Path) -> None:
    assert ocr2("read", good, "-o", tmp_path / "x.txt", "--to", "json").status == 0
    check("json", (tmp_path / "x.txt").read_bytes())


def test_an_old_result_is_replaced_only_by_a_new_one(ocr2: Command, tmp_path: Path, good: Path) -> None:
    (tmp_path / "x.txt").write_text("old")
    (tmp_path / "bad.png").touch()
    assert ocr2("read", tmp_path / "bad.png", "-o", tmp_path / "x.txt").status == 2
    assert (tmp_path / "x.txt").read_text() == "old"
    assert ocr2("read", tmp_path / "bad.png", good, "-o", tmp_path / "x.txt").status == 1
    assert (tmp_path / "x.txt").read_text() == TITLE + "\n"


def test_a_folder_of_results(ocr2: Command, tmp_path: Path, title: Image.Image) -> None:
    for name in ("in/a.png", "in/a.jpg", "in/deep/er/a.tif", "one/b.png", "two/b.png", "three/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        title.convert("RGB").save(tmp_path / name)
    (tmp_path / "in" / "bad.png").touch()
    inputs = [tmp_path / name for name in ("in", "one/b.png", "two/b.png", "three/b.png")]
    ran = ocr2("read", *inputs, "-o", tmp_path / "out")
    assert (ran.status, ran.out, len(ran.err)) == (1, b"", 1)
    results = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    names = ["a.jpg.txt", "a.png.txt", "b.png-2.txt", "b.png-3.txt", "b.png.txt", "deep/er/a.tif.txt"]
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in results) == names
    assert {path.read_text() for path in results} == {TITLE + "\n"}


def test_which_result_is_whose(tmp_path: Path, title: Image.Image) -> None:
    """Also that a folder may end in a slash, have a suffix if it exists, and is made where it doesn't."""
    for name in ("a.jpg", "a.jpg.png", "a.png"):
        title.save(tmp_path / name)
    (tmp_path / "out.d").mkdir()
    for output in ("new/and/deep", "out.d"):
        fake_run(Fake(), tmp_path, to=tmp_path / output)
        texts = {path.name: path.read_text().split()[0] for path in (tmp_path / output).iterdir()}
        assert texts == {f"{name}.txt": name for name in ("a.jpg", "a.jpg.png", "a.png")}


def test_results_of_names_that_differ_in_case_only(tmp_path: Path) -> None:
    """They would be one file on some disks."""
    inputs = [str(tmp_path / name) for name in ("one/A.png", "two/a.PNG", "A/b.png", "a/B.png", "x/ß.png", "y/SS.png")]
    names = [target.name for _, target in verb._targets(inputs, tmp_path / "out", ".txt")]
    assert names == ["A.png.txt", "a.PNG-2.txt", "b.png.txt", "B.png-2.txt", "ß.png.txt", "SS.png-2.txt"]


@pytest.mark.parametrize(
    ("output", "folder"),
    [
        ("results.v2/", True),
        ("scans.pdf/", True),
        (f"scans.pdf{os.sep}", True),
        ("out", True),
        ("there.pdf", True),
        ("x.pdf", False),
        ("a.b/x.txt", False),
    ],
)
def test_what_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, folder: bool) -> None:
    (tmp_path / "there.pdf").mkdir()
    monkeypatch.chdir(tmp_path)
    assert verb._is_folder(output) is folder
    assert verb._format(None, output) == ("text" if folder else verb._format(None, Path(output).name))


@pytest.mark.parametrize("output", ["results.v2/", "scans.pdf/"])
def test_a_folder_with_a_suffix(ocr2: Command, tmp_path: Path, good: Path, output: str) -> None:
    ran = ocr2("read", good, "-o", f"{tmp_path}/{output}")
    assert (ran.status, ran.err) == (0, [])
    assert (tmp_path / output / "good.png.txt").read_text() == TITLE + "\n"


def test_a_dash_is_standard_output(ocr2: Command, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(good.parent)
    ran = ocr2("read", good, "-o", "-")
    assert (ran.status, ran.out.decode(), ran.err) == (0, TITLE + "\n", [])
    assert ocr2("read", good, "-o", "-", "--resume").status == 2
    assert os.listdir() == ["good.png"]


def test_pages_of_a_pdf(ocr2: Command, tmp_path: Path) -> None:
    ran = ocr2("read", EXAMPLES / "two-pages.pdf", "--pages", "2", "--dpi", "100")
    assert (ran.status, ran.err) == (0, [])
    assert "Alice was beginning to get very tired" in ran.out.decode()
    assert "MISS WATSON" not in ran.out.decode()
    assert b"\f" not in ran.out


def test_pages_come_in_the_order_asked_for(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sheets(*[(72, 72)] * 5))
    fake = Fake()
    fake_run(fake, tmp_path / "x.pdf", to=tmp_path / "x.txt", pages="4-,2,4")
    assert [line.split(" of ")[0] for line in (tmp_path / "x.txt").read_text().split("\f")] == [
        f"x.pdf {number}" for number in (4, 5, 2, 4)
    ]


def test_dpi(ocr2: Command, tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sheets((72, 144)))
    (record,) = json.loads(ocr2("read", tmp_path / "x.pdf", "--to", "json", "--dpi", "50").out)
    assert (record["width"], record["height"]) == (50, 100)


@pytest.mark.parametrize("to", ["text", "jsonl", "pdf"])
def test_standard_input(tmp_path: Path, good: Path, to: str) -> None:
    ran = shell(f"cat good.png | $OCR2 - --to {to}", cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, b"")
    check(to, ran.stdout)
    if to == "jsonl":
        assert json.loads(ran.stdout)["file"] == "-"


def test_standard_input_to_files(tmp_path: Path, good: Path) -> None:
    ran = shell("cat good.png | $OCR2 - good.png - -o x.pdf && $OCR2 - -o out/ < good.png", cwd=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
    assert [text.strip() for text in text_of((tmp_path / "x.pdf").read_bytes())] == [TITLE] * 3
    assert (tmp_path / "out" / "stdin.txt").read_text() == TITLE + "\n"


def test_standard_input_that_is_bad(tmp_path: Path) -> None:
    ran = shell("$OCR2 - -o x.txt < /dev/null", cwd=tmp_path)
    assert (ran.returncode, ran.stdout, os.listdir(tmp_path)) == (2, b"", [])
    assert ran.stderr.decode().startswith("ocr2: standard input is empty: expected PNG")
    assert ran.stderr.count(b"\n") == 1
    ran = shell("echo Dear reader | $OCR2 -")
    assert (ran.returncode, ran.stdout, ran.stderr.count(b"\n")) == (2, b"", 1)
    assert ran.stderr.decode().startswith("ocr2: standard input is not an image or PDF that can be read: expected")


def test_several_inputs(ocr2: Command, tmp_path: Path, good: Path) -> None:
    Image.new("L", (64, 64), 255).save(tmp_path / "blank.png")
    ran = ocr2("read", good, tmp_path / "blank.png", good)
    assert (ran.status, ran.out.decode(), ran.err) == (0, f"{TITLE}\n\f\f{TITLE}\n", [])


# The terminal


def on_terminal(*args: object, **options: object) -> tuple[int, str]:
    """Exit status of `ocr2 read`, and what it says on standard error, which is a terminal."""
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
    with subprocess.Popen([*COMMAND, *map(str, args)], stderr=theirs, stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        said = io.BytesIO()
        with contextlib.suppress(OSError):  # how Linux ends it
            while chunk := os.read(mine, 4096):
                said.write(chunk)
        os.close(mine)
    return process.returncode, said.getvalue().decode()


def test_progress_on_a_terminal(tmp_path: Path, good: Path) -> None:
    (tmp_path / "bad.png").touch()
    (tmp_path / "x.tif").write_bytes(b"")
    shutil.copy(good, tmp_path / "a.png")
    status, said = on_terminal(tmp_path)
    assert status == 1
    assert "4/4" in said and "page" in said
    lines = [line for line in re.split(r"[\r\n]+", said) if line.lstrip("\x1b[A").startswith("ocr2: ")]
    assert [re.sub(r".*/(\S+) is empty.*", r"\1", line) for line in lines] == ["bad.png", "x.tif"]


def test_a_pdf_is_not_for_the_terminal(good: Path) -> None:
    mine, theirs = pty.openpty()
    ran = subprocess.run([*COMMAND, good, "--to", "pdf"], stdout=theirs, stderr=subprocess.PIPE, timeout=60)
    os.close(theirs)
    os.close(mine)
    assert (ran.returncode, ran.stderr.decode()) == (
        2,
        "ocr2: a PDF is not for the terminal: say where it goes with -o FILE\n",
    )


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A PDF that takes half a minute."""
    blank = Image.new("L", (800, 800), 255)
    blank.save(tmp_path / "slow.pdf", save_all=True, append_images=[blank] * 99)
    return tmp_path / "slow.pdf"


def interrupted(*args: object, printed: Path, once: Callable[[], bool]) -> tuple[int, str]:
    """Exit status and standard error of `ocr2 read`, where Ctrl-C is pressed as soon as it may be."""
    with (
        open(printed, "wb") as out,
        subprocess.Popen([*COMMAND, *map(str, args)], stdout=out, stderr=subprocess.PIPE) as process,
    ):
        until = time.monotonic() + 30
        while process.poll() is None and not once() and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    return process.returncode, said.decode()


def test_ctrl_c(ocr2: Command, tmp_path: Path, slow: Path) -> None:
    """The run is interrupted once the journal has two pages; --resume has them from there."""
    out, journal = tmp_path / "x.jsonl", tmp_path / "x.jsonl.partial"
    shutil.copy(PAGE, tmp_path / "1.png")
    shutil.copy(PAGE, tmp_path / "2.png")
    printed = tmp_path / "printed"
    status, said = interrupted(
        *(tmp_path, "-o", out),
        printed=printed,
        once=lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 3,
    )
    assert (status, said) == (130, "ocr2: stopped; the same command with --resume goes on\n")
    assert printed.read_bytes() == b""
    assert not out.exists()
    kept = [json.loads(line) for line in journal.read_bytes().splitlines()]
    assert [Path(record["file"]).name for record in kept[1:3]] == ["1.png", "2.png"]
    assert len(kept) < 50
    slow.unlink()
    ran = ocr2("read", tmp_path, "-o", out, "--resume")
    assert (ran.status, ran.err, journal.exists()) == (0, [], False)
    first, second = (json.loads(line) for line in out.read_bytes().splitlines())
    assert first["text"].startswith(TITLE)
    assert [record["seconds"] for record in (first, second)] == [record["seconds"] for record in kept[1:3]]


def test_ctrl_c_without_a_file_says_only_that(tmp_path: Path, slow: Path) -> None:
    printed = tmp_path / "printed"
    status, said = interrupted(
        slow, "--to", "jsonl", printed=printed, once=lambda: printed.exists() and printed.stat().st_size > 0
    )
    assert (status, said) == (130, "ocr2: stopped\n")
    numbers = [json.loads(line)["page"] for line in printed.read_bytes().splitlines()]
    assert numbers == [*range(1, len(numbers) + 1)]
    assert 1 <= len(numbers) < 50


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_ctrl_c_while_pdfium_reads(after: int) -> None:
    """pdfium swallows what is raised where it calls Python to read, and the page: the interrupt comes all the same."""

    class Pressed(io.BytesIO):
        left = after

        def readinto(self, buffer: bytearray) -> int:
            self.left -= 1
            if self.left == -1:
                signal.raise_signal(signal.SIGINT)
            return super().readinto(buffer)

    stream = Pressed(sheets(*[(72, 72)] * 3))
    with pytest.raises(KeyboardInterrupt):
        list(pages(stream))
    assert stream.left < 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert len(list(pages(stream))) == 3


# --resume


def test_a_journal_of_other_options(ocr2: Command, tmp_path: Path, good: Path) -> None:
    out = tmp_path / "x.txt"
    Journal(out, {"model": "ppocr", "dpi": 200}, resume=False).close()
    journal = Journal.path_for(out)
    before = journal.read_bytes()
    ran = ocr2("read", good, "-o", out, "--dpi", "100", "--resume")
    assert (ran.status, ran.out, len(ran.err)) == (2, b"", 1)
    assert ran.err[0].startswith(f"ocr2: {journal} was begun by ")
    assert "'dpi': 200" in ran.err[0] and "'dpi': 100" in ran.err[0] and "leave --resume out" in ran.err[0]
    assert journal.read_bytes() == before
    assert ocr2("read", good, "-o", out, "--dpi", "100").status == 0
    assert (out.read_text(), journal.exists()) == (TITLE + "\n", False)


def test_a_file_that_is_whole_is_left_as_it_is(ocr2: Command, tmp_path: Path, good: Path) -> None:
    out = tmp_path / "x.jsonl"
    out.write_text("whole")
    ran = ocr2("read", good, "-o", out, "--resume")
    assert (ran.status, ran.out, out.read_text()) == (0, b"", "whole")
    assert ran.err == [f"ocr2: {out} is whole already: left as it is; leave --resume out to read anew"]
    for _ in range(2):
        assert ocr2("read", good, "-o", tmp_path / "out", "--resume").err == []
