"""A run that is stopped goes on where it was: no page is read twice, none is lost, and memory stays small."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pypdfium2
import pytest
from conftest import Fake, fake_run
from PIL import Image
from test_files import complaint, sheets

from ocr2.errors import BadInput, BadOutput
from ocr2.journal import Journal
from ocr2.result import Result
from ocr2.types import Line, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = {"model": "fake", "dpi": 20}
TESTS = Path(__file__).parent


def result(name: object, number: int = 1, text: str = "some text") -> Result:
    """A page as it was read."""
    line = Line(text, ((0.0, 0.0), (8.0, 0.0), (8.0, 4.0), (0.0, 4.0)), 0.5, "\n\n", (0.25, 0.75))
    return Result(str(name), number, 8, 4, Transcript(text, score=0.5, lines=(line,), seconds=1.5))


def names(folder: Path, count: int) -> list[Path]:
    """So many image files."""
    paths = [folder / f"{number}.png" for number in range(1, count + 1)]
    for path in paths:
        Image.new("L", (8, 4)).save(path)
    return paths


def text(path: Path) -> list[str]:
    """What was read, by file and page."""
    return [page.split(" of ")[0] for page in path.read_text().split("\f")]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the result goes: not the folder of the inputs."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "x.txt"


# The journal


def test_what_is_added_is_there_again(target: Path) -> None:
    pages = [result(target.parent, n, f"Grüße 漢字 \u2028 {n}\n") for n in range(1, 4)]
    with Journal(target, RUN, resume=False) as journal:
        for page in pages:
            assert (page.origin, page.number) not in journal
            journal.add(page)
        assert [journal[page.origin, page.number] for page in reversed(pages)] == pages[::-1]
    assert os.listdir(target.parent) == ["x.txt.partial"]
    os.utime(target.parent, ns=(0, 0))  # it changed when the journal was made
    with Journal(target, RUN, resume=True) as journal:
        assert len(journal) == 0


def test_going_on(tmp_path: Path, target: Path) -> None:
    first, second = names(tmp_path, 2)
    with Journal(target, RUN, resume=True) as journal:
        journal.add(result(first))
    with Journal(target, RUN, resume=True) as journal:
        assert (len(journal), (str(first), 1) in journal, (str(second), 1) in journal) == (1, True, False)
        journal.add(result(second, text="more"))
        assert journal[str(first), 1] == result(first)
        assert journal[str(second), 1] == result(second, text="more")
    with Journal(target, RUN, resume=False) as journal:
        assert len(journal) == 0
        journal.remove()
    assert os.listdir(target.parent) == []


def test_names_that_are_not_utf8(tmp_path: Path, target: Path) -> None:
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/\xff\n.png"))
    odd.touch()
    for number in (1, 2):
        with Journal(target, RUN, resume=True) as journal:
            assert len(journal) == number - 1
            journal.add(result(odd, number))
            assert journal[str(odd), 1] == result(odd)


@pytest.mark.parametrize("cut", [1, 2, 40, 150])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, target: Path, cut: int) -> None:
    first, second = names(tmp_path, 2)
    with Journal(target, RUN, resume=False) as journal:
        journal.add(result(first))
        journal.add(result(second))
    path = Journal.path_for(target)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with Journal(target, RUN, resume=True) as journal:
        assert (len(journal), journal[str(first), 1]) == (1, result(first))
        assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:2])
        journal.add(result(second))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("junk", [b"\0" * 500, b"null\n", b"12", b"[]\n[]\n", b"\xff\xfe\n", b'{"torn": "\n'])
def test_junk_at_the_end_is_cut_off(tmp_path: Path, target: Path, junk: bytes) -> None:
    """What a power cut may leave: it is dropped, and what stands before it stays."""
    (first,) = names(tmp_path, 1)
    with Journal(target, RUN, resume=False) as journal:
        journal.add(result(first))
    path = Journal.path_for(target)
    whole = path.read_bytes()
    path.write_bytes(whole + junk)
    with Journal(target, RUN, resume=True) as journal:
        assert journal[str(first), 1] == result(first)
    assert path.read_bytes() == whole
    path.write_bytes(junk)
    with Journal(target, RUN, resume=True) as journal:
        assert len(journal) == 0
    assert path.read_bytes() == whole.splitlines(keepends=True)[0]


def test_a_journal_of_another_run(target: Path) -> None:
    Journal(target, RUN, resume=False).close()
    path = Journal.path_for(target)
    for content in (path.read_bytes(), b'{"some": "other JSON lines"}\n'):
        path.write_bytes(content)
        message = complaint(lambda: Journal(target, RUN | {"dpi": 300}, resume=True))
        assert message.startswith(f"{path} was begun by {json.loads(content)}, this is ")
        assert message.endswith("give the same options, or leave --resume out")
        assert path.read_bytes() == content


@pytest.mark.parametrize("resume", [True, False])
def test_two_runs_at_once_do_not_spoil_each_other(target: Path, resume: bool) -> None:
    with Journal(target, RUN, resume=False) as journal:
        journal.add(result("a.png"))
        message = complaint(lambda: Journal(target, RUN, resume=resume), BadOutput)
        assert message.startswith(f"{target} is being written by another run: ")
        journal.add(result("a.png", 2))
        assert [journal["a.png", number].number for number in (1, 2)] == [1, 2]


def test_places_that_cannot_be_written(target: Path) -> None:
    target.mkdir()
    assert complaint(lambda: Journal(target, RUN, resume=False), BadOutput) == (
        f"{target} is a folder or a device: expected the name of a file"
    )
    Journal.path_for(target.with_name("y")).mkdir()
    for resume in (False, True):
        message = complaint(lambda resume=resume: Journal(target.with_name("y"), RUN, resume=resume), BadOutput)
        assert message.startswith(f"{target.with_name('y')} can't be written (Is a directory): expected a folder")


def test_a_result_that_is_damaged_is_told(tmp_path: Path, target: Path) -> None:
    (first,) = names(tmp_path, 1)
    with Journal(target, RUN, resume=False) as journal:
        journal.add(result(first))
    path = Journal.path_for(target)
    path.write_bytes(path.read_bytes().replace(b'"stop": "eos"', b'"stop": "red"'))
    with Journal(target, RUN, resume=True) as journal:
        assert "field 'stop': expected 'eos'" in complaint(lambda: journal[str(first), 1], BadInput)


# Runs that stop and go on


def stopped(fake: Fake, *inputs: Path, to: Path, **options: object) -> None:
    """The run, which is interrupted."""
    with pytest.raises(KeyboardInterrupt):
        fake_run(fake, *inputs, to=to, **options)


def test_no_page_is_read_twice(tmp_path: Path, target: Path) -> None:
    paths = names(tmp_path, 4)
    fake = Fake(stop=("3.png", 1))
    stopped(fake, *paths, to=target)
    fake.stop = ("4.png", 1)
    stopped(fake, *paths, to=target, resume=True)
    assert os.listdir(target.parent) == ["x.txt.partial"]
    assert Journal.path_for(target).read_bytes().count(b"\n") == 1 + 3
    fake.stop = ("", 0)
    run = fake_run(fake, *paths, to=target, resume=True)
    assert fake.pages == [("1.png", 1), ("2.png", 1), ("3.png", 1), ("4.png", 1)]
    assert (run.read, run.failed) == (4, 0)
    assert text(target) == [f"{number}.png 1" for number in range(1, 5)]
    assert os.listdir(target.parent) == ["x.txt"]
    run = fake_run(fake, *paths, to=target, resume=True)
    assert (run.read, run.failed, len(fake.pages)) == (1, 0, 4)
    fake_run(fake, *paths, to=target)
    assert len(fake.pages) == 8


def test_an_input_that_changed_is_read_again(tmp_path: Path, target: Path) -> None:
    paths = names(tmp_path, 4)
    fake = Fake(stop=("4.png", 1))
    stopped(fake, *paths, to=target)
    Image.new("L", (20, 10)).save(paths[1])
    paths[2].unlink()
    again = Fake()
    run = fake_run(again, *paths, to=target, resume=True)
    assert again.pages == [("2.png", 1), ("4.png", 1)]
    assert (run.read, run.failed) == (3, 1)
    assert text(target) == ["1.png 1", "2.png 1", "4.png 1"]
    assert "2.png 1 of 20 × 10" in target.read_text()


def test_other_pages_and_formats_may_be_asked_for(tmp_path: Path, target: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sheets(*[(72, 72)] * 6))
    fake = Fake(stop=("x.pdf", 4))
    stopped(fake, tmp_path / "x.pdf", to=target)
    fake.stop = ("", 0)
    fake_run(fake, tmp_path / "x.pdf", to=target, resume=True, pages="6,2-3,2")
    assert [number for _, number in fake.pages] == [1, 2, 3, 6]
    assert text(target) == [f"x.pdf {number}" for number in (6, 2, 3, 2)]


def test_a_searchable_pdf_has_the_images_of_the_pages_in_the_journal(tmp_path: Path, target: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sheets((72, 72), (144, 72), (72, 144)))
    target = target.with_suffix(".pdf")
    fake = Fake(stop=("x.pdf", 3))
    stopped(fake, tmp_path / "x.pdf", to=target, dpi=72)
    fake.stop = ("", 0)
    fake_run(fake, tmp_path / "x.pdf", to=target, dpi=72, resume=True)
    assert [number for _, number in fake.pages] == [1, 2, 3]
    document = pypdfium2.PdfDocument(target)
    assert [page.get_size() for page in document] == [(72, 72), (144, 72), (72, 144)]
    assert [page.get_textpage().get_text_range() for page in document] == [
        f"x.pdf {number} of {size}" for number, size in enumerate(("72 × 72", "144 × 72", "72 × 144"), 1)
    ]
    assert [len(list(page.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))) for page in document] == [1, 1, 1]
    document.close()


def test_a_pdf_whose_source_goes_away_is_not_written(tmp_path: Path, target: Path) -> None:
    """A searchable PDF shows the pages: one that can't be drawn again would be missing from it without a word."""

    class Unlinking(Fake):
        def read(self, image: Image.Image, number: int = 1, origin: str = "") -> object:
            Path(origin).unlink()
            return super().read(image, number, origin)

    (path,) = names(tmp_path, 1)
    target = target.with_suffix(".pdf")
    message = complaint(lambda: fake_run(Unlinking(), path, to=target))
    assert message == f"{path} doesn't exist: expected a file or folder"
    assert os.listdir(target.parent) == ["x.pdf.partial"]


def test_standard_input_is_read_again(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what comes from there need not be what came from there."""
    fake = Fake(stop=("-", 3))
    for pages, going_on in ((3, False), (2, True)):
        (tmp_path / "piped").write_bytes(sheets(*[(72, 72)] * pages))
        with open(tmp_path / "piped") as piped:
            monkeypatch.setattr(sys, "stdin", piped)
            if going_on:
                fake_run(fake, "-", to=target, resume=True)
            else:
                stopped(fake, "-", to=target)
    assert fake.pages == [("-", 1), ("-", 2)] * 2
    assert text(target) == ["- 1", "- 2"]


def test_a_folder_of_results_goes_on(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    names(tmp_path / "in", 3)
    names(tmp_path / "in" / "deep", 1)
    (tmp_path / "in" / "4.pdf").write_bytes(sheets(*[(72, 72)] * 3))
    fake = Fake(stop=("4.pdf", 3))
    out = tmp_path / "out"
    stopped(fake, tmp_path / "in", to=out)
    assert sorted(path.name for path in out.iterdir()) == ["1.png.txt", "2.png.txt", "3.png.txt", "4.pdf.txt.partial"]
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.txt")}
    fake.stop, first = ("", 0), len(fake.pages)
    fake_run(fake, tmp_path / "in", to=out, resume=True)
    assert fake.pages[first:] == [("4.pdf", 3), ("1.png", 1)]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert text(out / "4.pdf.txt") == ["4.pdf 1", "4.pdf 2", "4.pdf 3"]
    files = [path for path in out.rglob("*") if path.is_file()]
    results = ["1.png.txt", "2.png.txt", "3.png.txt", "4.pdf.txt", "deep/1.png.txt"]
    assert sorted(str(path.relative_to(out)) for path in files) == results
    Image.new("L", (8, 4)).save(tmp_path / "in" / "1.jpg")  # a neighbour that comes later, and sorts before
    fake_run(fake, tmp_path / "in", to=out, resume=True)
    assert fake.pages[first + 2 :] == [("1.jpg", 1)]
    assert text(out / "1.jpg.txt") == ["1.jpg 1"]


# In a process of their own

DRIVER = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
from conftest import Fake, fake_run

log, seconds, dpi, source, target = sys.argv[1:6]
fake_run(Fake(Path(log), float(seconds)), source, to=Path(target), resume="--resume" in sys.argv, dpi=int(dpi))
status = Path("/proc/self/status")
print(next((line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")), 0)
      if status.exists() else 0)
"""


def driver(log: Path, source: Path, target: Path, *more: str, seconds: float = 0, dpi: int = 20) -> list[str]:
    """The command of a run in another process; it prints the most memory it ever had, in KiB."""
    return [sys.executable, "-c", DRIVER, str(log), str(seconds), str(dpi), str(source), str(target), *more]


def memory(source: Path, target: Path, dpi: int) -> int:
    """The most memory that the run in another process ever had, in bytes."""
    command = driver(target.with_name("log"), source, target, dpi=dpi)
    ran = subprocess.run(command, check=True, timeout=120, capture_output=True)
    assert ran.stderr == b""
    return int(ran.stdout) * 1024


def records(path: Path) -> Iterator[dict[str, object]]:
    """The records of a file of JSON lines, but for how long they took."""
    for line in path.read_text().splitlines():
        yield json.loads(line) | {"seconds": 0}


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    source, target, log = tmp_path / "x.pdf", tmp_path / "x.jsonl", tmp_path / "log"
    source.write_bytes(sheets(*[(72 + number, 72) for number in range(30)]))
    journal = Journal.path_for(target)
    with subprocess.Popen(driver(log, source, target, seconds=0.05)) as process:
        until = time.monotonic() + 30
        while not (journal.exists() and journal.read_bytes().count(b"\n") > 8) and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not target.exists()
    kept, read = journal.read_bytes().count(b"\n") - 1, len(log.read_text().splitlines())
    assert 8 <= kept < 25
    assert kept <= read <= kept + 1
    subprocess.run(driver(log, source, target, "--resume"), check=True, timeout=60, stdout=subprocess.DEVNULL)
    numbers = [int(line.split()[1]) for line in log.read_text().splitlines()]
    assert numbers == [*range(1, read + 1), *range(kept + 1, 31)]
    fake_run(Fake(), source, to=tmp_path / "undisturbed.jsonl")
    assert list(records(target)) == list(records(tmp_path / "undisturbed.jsonl"))
    assert len(list(records(target))) == 30
    assert sorted(os.listdir(tmp_path)) == ["log", "undisturbed.jsonl", "x.jsonl", "x.pdf"]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is measured as Linux tells it")
def test_memory_does_not_grow_with_the_pages(tmp_path: Path) -> None:
    (tmp_path / "in.pdf").write_bytes(sheets(*[(720, 720)] * 500))  # the images of all pages are 1.4 GiB
    assert memory(tmp_path / "in.pdf", tmp_path / "x.jsonl", dpi=100) < 350e6
    assert [record["page"] for record in records(tmp_path / "x.jsonl")] == [*range(1, 501)]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is measured as Linux tells it")
def test_a_searchable_pdf_is_in_memory_once(tmp_path: Path) -> None:
    """Its images, which are noise and weigh much, as JPEGs: neither as pixels nor a second time."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (1500, 1500), np.uint8))
    used = {}
    for count in (1, 61):
        source, target = tmp_path / "in.pdf", tmp_path / "x.pdf"
        noise.save(source, save_all=True, append_images=[noise] * (count - 1))
        used[count] = memory(source, target, dpi=72)
        with pypdfium2.PdfDocument(target) as document:
            assert len(document) == count
            assert document[count - 1].get_textpage().get_text_range() == f"in.pdf {count} of 1500 × 1500"
    size = target.stat().st_size
    assert size > 60e6
    assert used[61] - used[1] < 1.7 * size  # 1.3; 2.4 if it were there twice
