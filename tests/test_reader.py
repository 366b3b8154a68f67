"""The library as people import it."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import types
from typing import TYPE_CHECKING

import cv2
import pytest
from conftest import EXAMPLES, Fake
from PIL import Image
from test_files import complaint, sheets

import ocr2
from ocr2 import errors
from ocr2.errors import BadCheckpoint, BadInput, BadPrompt
from ocr2.reader import Reader, embedded
from ocr2.types import Box, Line, Page, Prompt

if TYPE_CHECKING:
    from pathlib import Path

PAGE = EXAMPLES / "page.png"


@pytest.fixture(scope="module")
def reader() -> Reader:
    """The embedded model."""
    return ocr2.load(threads=2)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A PDF of three pages."""
    (tmp_path / "x.pdf").write_bytes(sheets((72, 72), (72, 144), (144, 72)))
    return tmp_path / "x.pdf"


def opened(path: Path) -> int:
    """How often this process has the file open."""
    links = (os.path.join("/proc/self/fd", number) for number in os.listdir("/proc/self/fd"))
    return sum(os.path.realpath(link) == str(path) for link in links)


# The public surface


def test_public_names() -> None:
    public = {name for name, value in vars(ocr2).items() if name[0] != "_" and not isinstance(value, types.ModuleType)}
    assert public == set(ocr2.__all__) == {"Box", "Page", "Prompt", "Transcript", "load", "read"}
    assert list(inspect.signature(ocr2.read).parameters) == ["source", "model", "pages", "dpi", "prompt"]
    assert list(inspect.signature(ocr2.load).parameters) == ["model", "threads", "precision", "device", "boxes"]


def test_every_error_is_an_ocr_error_and_in_the_tree_that_is_written_down() -> None:
    found = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    tree = {"BadInput", "BadOutput", "BadPrompt", "TooLong", "BadCheckpoint", "ModelMissing", "RendererMissing"}
    assert set(found) == {"OcrError", "MetricMissing", "RenderFailed", "TrainingFailed"} | tree
    for name, error in found.items():
        assert issubclass(error, errors.OcrError)
        assert name in str(errors.__doc__)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    script = """
import sys
import ocr2, ocr2.cli
print([name for name in ("torch", "onnxruntime", "onnx", "cv2", "rapidocr") if name in sys.modules])
print(ocr2.read(sys.argv[1]).text.splitlines()[0])
print([name for name in ("torch", "onnx", "rapidocr") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", script, PAGE], check=True, capture_output=True, text=True, timeout=60)
    assert ran.stdout.splitlines() == ["[]", "Region-based segmentation", "[]"]


# Reading


def test_the_example() -> None:
    read = ocr2.read(PAGE)
    assert "Region-based segmentation" in read.text
    assert "the markers are found at the two extreme" in read.text
    assert (read.kind, read.stop, read.prompt) == ("text", "eos", Prompt())
    assert 0.9 < read.score <= 1
    assert read.seconds > 0
    assert len(read.lines) >= 7


def test_every_kind_of_source(reader: Reader, title: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    title.save(path)
    with open(path, "rb") as stream:
        for source in (path, str(path), path.read_bytes(), stream, title, title.convert("RGBA"), title.convert("1")):
            assert reader.read(source).text == "Region-based segmentation"
        assert not stream.closed


def test_where_lines_are(reader: Reader) -> None:
    with Image.open(PAGE) as image:
        width, height = image.size
    lines = {line.text: line for line in reader.read(PAGE).lines}
    title = lines["Region-based segmentation"].box
    assert 0 <= title.x0 < 20 and width * 0.7 < title.x1 < width * 0.8 and title.y1 < 40
    assert max(line.box.y1 for line in lines.values()) > height * 0.85
    assert all(len(line.centers) == len(line.text) for line in lines.values())


def test_pages_of_a_file_are_joined_by_form_feeds(book: Path) -> None:
    read = Reader(Fake()).read(book, dpi=72)
    assert read.text == "x.pdf 1 of 72 × 72\fx.pdf 2 of 72 × 144\fx.pdf 3 of 144 × 72"
    assert [line.quad[2] for line in read.lines] == [(72, 72), (72, 144), (144, 72)]
    assert read.score == pytest.approx(0.75)
    assert Reader(Fake()).read(book, pages="3", dpi=36).text == "x.pdf 3 of 72 × 36"
    with pytest.raises(BadInput, match=r"x\.pdf has 3 pages; page 4 was asked for"):
        Reader(Fake()).read(book, pages="4")


class Blank:
    """A model that reads ten characters on the first page, ninety on the second, none on others."""

    def read(self, image: Image.Image, number: int = 1, origin: str = "") -> Page:
        quad = (0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)
        known = {1: (Line("x" * 10, quad, 0.5),), 2: (Line("x" * 40, quad, 1.0), Line("x" * 50, quad, 1.0))}
        return Page(image, known.get(number, ()), number, origin)


def test_the_score_is_the_mean_of_the_characters(book: Path) -> None:
    reader = Reader(Blank())
    assert [answer.score for _, answer in reader.stream(book, dpi=20)] == [0.5, 1.0, 1.0]
    assert reader.read(book, dpi=20).score == pytest.approx(0.95)
    assert reader.read(book, pages="1,3", dpi=20).score == pytest.approx(0.5)
    assert reader.read(book, pages="3,3", dpi=20).score == 1.0


def test_stream_reads_a_page_when_it_is_asked_for(book: Path) -> None:
    fake = Fake()
    stream = Reader(fake).stream(book, dpi=72)
    assert fake.pages == []
    page, answer = next(stream)
    assert (page.number, page.origin, page.image.size) == (1, str(book), (72, 72))
    assert answer.text == "x.pdf 1 of 72 × 72"
    assert fake.pages == [("x.pdf", 1)]
    assert [page.number for page, _ in stream] == [2, 3]
    assert fake.pages == [("x.pdf", 1), ("x.pdf", 2), ("x.pdf", 3)]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are counted as Linux lists them")
def test_stream_closes_the_file(book: Path) -> None:
    stream = Reader(Fake()).stream(book, dpi=20)
    next(stream)
    assert opened(book) == 1
    stream.close()
    assert opened(book) == 0
    for _ in Reader(Fake()).stream(book, dpi=20):
        break
    assert opened(book) == 0
    assert len(list(Reader(Fake()).stream(book, dpi=20))) == 3
    assert opened(book) == 0
    with pytest.raises(KeyboardInterrupt):
        Reader(Fake(stop=("x.pdf", 2))).read(book, dpi=20)
    assert opened(book) == 0


@pytest.mark.parametrize(
    "prompt",
    [Prompt(format=True), Prompt(format=True, box=Box(0, 0, 5, 5)), Prompt(tiles=12), Prompt(pages=2)],
)
def test_prompts_that_the_model_cannot_answer(prompt: Prompt) -> None:
    fake, image = Fake(), Image.new("RGB", (8, 8))
    for call in (
        lambda: Reader(fake).read(image, prompt=prompt),
        lambda: Reader(fake).answer(Page(image), prompt),
        lambda: next(Reader(fake).stream(image, prompt=prompt)),
    ):
        message = complaint(call, BadPrompt)
        assert message.startswith("this model reads plain text, page by page, without ")
        assert message.endswith("--model stepfun-ai/GOT-OCR-2.0-hf: pip install 'ocr2[got]'")
    assert fake.pages == []


class Failing:
    """A model that fails."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def read(self, image: Image.Image, number: int = 1, origin: str = "") -> Page:
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "MemoryError"),
        (RuntimeError("\n bad allocation \nat node 7"), "bad allocation"),
        (cv2.error("too wide"), "too wide"),
    ],
)
def test_a_page_that_the_model_fails_on(error: Exception, reason: str) -> None:
    page = Page(Image.new("RGB", (9, 5)), number=3, origin="scan.png")
    with pytest.raises(BadInput) as caught:
        Reader(Failing(error)).answer(page)
    assert str(caught.value) == (f"scan.png, page 3 (9×5 pixels) can't be read: {reason}; scale it down, or report it")
    assert caught.value.__cause__ is error
    assert complaint(lambda: Reader(Failing(error)).read(page.image)).startswith("the input, page 1 (9×5 pixels) can't")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BadCheckpoint("x")])
def test_other_errors_of_the_model_come_as_they_are(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        Reader(Failing(error)).read(Image.new("RGB", (9, 5)))
    assert caught.value is error


def test_what_cannot_be_read(tmp_path: Path, reader: Reader) -> None:
    assert complaint(lambda: reader.read(tmp_path / "no.png")).endswith(
        "no.png doesn't exist: expected a file or folder"
    )
    assert complaint(lambda: reader.read(b"Dear reader")).startswith("the input is not an image or PDF")
    assert complaint(lambda: ocr2.load(tmp_path), BadCheckpoint).startswith(f"{tmp_path} is not a model: expected")


def test_an_image_is_left_as_it_is(reader: Reader, title: Image.Image) -> None:
    before = title.mode, title.tobytes(), dict(title.info)
    (pair,) = reader.stream(title)
    assert pair[0].image.mode == "RGB"
    assert (title.mode, title.tobytes(), dict(title.info)) == before


@pytest.mark.parametrize("there", [False, True])
def test_the_embedded_reader_for_a_question(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Formatted text is for nano, as soon as this build has its weights; ppocr refuses it till then."""
    monkeypatch.setattr("ocr2.got.load.is_shipped", lambda name: there)
    plain = [Prompt(), Prompt(box=Box(0, 0, 5, 5)), Prompt(point=(1, 1)), Prompt(color="red")]
    assert {embedded(prompt) for prompt in plain} == {"ppocr"}
    formatted = [Prompt(format=True), Prompt(format=True, color="red"), Prompt(tiles=2), Prompt(pages=2)]
    assert {embedded(prompt) for prompt in formatted} == {"nano" if there else "ppocr"}
